package handover_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"parley/internal/agent"
	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestTheWayOfAContact(t *testing.T) {
	each(t, func(w world) {
		cid := w.person()
		first := w.place(cid, handover.Arrival{Group: w.shop.ID, Category: "cars"})
		if !first.Fresh || first.Work.Status != handover.Unclaimed || first.Work.InitialGroup != w.shop.ID || first.Work.Category != "cars" || first.Absence != "" {
			w.Errorf("%+v", first)
		}
		if again := w.place(cid, handover.Arrival{Group: w.root.ID}); again.Fresh || again.Work.Group != w.shop.ID || again.Work.Version != 1 {
			w.Errorf("a second inquiry: %+v", again)
		}
		v := w.must(w.s.Claim(bg, w.tenant, actor, cid, w.asha.ID))
		if v.Status != handover.FollowUp || v.Agent != w.asha.ID || v.ClaimedAt.IsZero() || v.AssignedAt.IsZero() {
			w.Errorf("%+v", v)
		}
		w.contact(cid)
		_, err := w.s.Claim(bg, w.tenant, actor, cid, w.bela.ID)
		w.wantFault(err, fault.Conflict, "", "claimed")
		w.must(w.s.Claim(bg, w.tenant, actor, cid, w.asha.ID)) // nothing new

		v = w.must(w.s.Transfer(bg, w.tenant, actor, cid, handover.Destination{Group: w.root.ID}))
		if v.Status != handover.Unclaimed || !v.Agent.IsZero() || v.Group != w.root.ID || v.InitialGroup != w.shop.ID || v.TransferredAt.IsZero() || v.ClaimedAt.IsZero() {
			w.Errorf("%+v", v)
		}
		w.contact(cid)
		v = w.must(w.s.Transfer(bg, w.tenant, actor, cid, handover.Destination{Agent: w.bela.ID}))
		if v.Status != handover.FollowUp || v.Group != w.shop.ID {
			w.Errorf("to a user: followed up at once, in his group: %+v", v)
		}
		_, err = w.s.Archive(bg, w.tenant, actor, cid, "bored")
		w.wantFault(err, fault.Invalid, "archivingReason", "")
		_, err = w.s.Archive(bg, w.tenant, actor, cid, "")
		w.wantFault(err, fault.Invalid, "archivingReason", "")
		v = w.must(w.s.Archive(bg, w.tenant, actor, cid, "converted"))
		if v.Status != handover.Archived || v.Agent != w.bela.ID || v.ArchivingReason != "converted" || v.ArchivedAt.IsZero() {
			w.Errorf("%+v", v)
		}
		w.contact(cid)
		card, err := w.cards.Card(bg, w.tenant, cid)
		if err != nil || card.Deal.Status != "archived" {
			w.Errorf("the deal is %s %v", card.Deal.Status, err)
		}
		_, err = w.s.Claim(bg, w.tenant, actor, cid, w.bela.ID)
		w.wantFault(err, fault.Conflict, "", "archived")
		back := w.place(cid, handover.Arrival{})
		if back.Work.Status != handover.FollowUp || back.Work.Agent != w.bela.ID || back.Work.ArchivingReason != "" {
			w.Errorf("an inquiry takes it up again: %+v", back)
		}
		w.contact(cid)
		if card, err := w.cards.Card(bg, w.tenant, cid); err != nil || card.Deal.Status != "open" {
			w.Errorf("the deal is %s %v", card.Deal.Status, err)
		}
		w.must(w.s.Label(bg, w.tenant, actor, cid, "hot"))
		_, err = w.s.Label(bg, w.tenant, actor, cid, "lukewarm")
		w.wantFault(err, fault.Invalid, "label", "")
		w.must(w.s.Remind(bg, w.tenant, actor, cid, start.Add(time.Hour)))
		w.must(w.s.Categorize(bg, w.tenant, actor, cid, "general"))
		_, err = w.s.Categorize(bg, w.tenant, actor, cid, "boats")
		w.wantFault(err, fault.Invalid, "category", "")
		w.wantMoves(cid, "placed unclaimed", "claimed followUp", "transferred unclaimed", "transferred followUp", "archived archived", "unarchived followUp",
			"labelled followUp", "reminded followUp", "categorised followUp")
		list, err := w.s.History(w.r(), cid, 2)
		if err != nil || len(list) != 2 || list[1].Move != handover.Categorised || !slices.Contains(list[1].Changes, handover.Change{Field: "category", From: "cars", To: "general"}) || list[1].Actor != actor {
			w.Errorf("%+v %v", list, err)
		}
		for _, to := range []handover.Destination{{}, {Group: w.root.ID, Agent: w.asha.ID}} {
			_, err = w.s.Transfer(bg, w.tenant, actor, cid, to)
			w.wantFault(err, fault.Invalid, "group", "")
		}
		_, err = w.s.Transfer(bg, w.tenant, actor, cid, handover.Destination{Group: id.New()})
		w.wantFault(err, fault.NotFound, "group", "")
		_, err = w.s.Transfer(bg, w.tenant, actor, cid, handover.Destination{Agent: id.New()})
		w.wantFault(err, fault.NotFound, "user", "")
		_, err = w.s.Label(bg, w.tenant, actor, w.person(), "hot")
		w.wantFault(err, fault.NotFound, "", "")
		_, err = w.s.Place(bg, w.tenant, actor, id.New(), handover.Arrival{})
		w.wantFault(err, fault.NotFound, "", "")
		_, err = w.s.Place(bg, w.tenant, actor, w.person(), handover.Arrival{Agent: id.New()})
		w.wantFault(err, fault.NotFound, "agent", "")
	})
}

func TestArrivals(t *testing.T) {
	each(t, func(w world) {
		v := w.placed(handover.Arrival{Agent: w.asha.ID, UserMade: true})
		if v.Status != handover.New || v.Agent != w.asha.ID || !v.UserMade || v.Category != "general" {
			w.Errorf("an agent named: %+v", v)
		}
		w.contact(v.Contact)
		v = w.must(w.try(func(tx *store.Tx) (handover.Work, error) {
			return w.s.ContactedIn(tx, actor, v.Contact, start.Add(time.Minute))
		}))
		if v.Status != handover.FollowUp || !v.FirstContactedAt.Equal(start.Add(time.Minute)) {
			w.Errorf("the first message: %+v", v)
		}
		v = w.must(w.try(func(tx *store.Tx) (handover.Work, error) {
			return w.s.ContactedIn(tx, actor, v.Contact, start.Add(time.Hour))
		}))
		if !v.FirstContactedAt.Equal(start.Add(time.Minute)) || !w.get(v.Contact).ActiveAt.Equal(start.Add(time.Hour)) {
			w.Errorf("the second message: %+v", w.get(v.Contact))
		}
		w.wantMoves(v.Contact, "placed new", "contacted followUp")

		if v := w.place(w.person(), handover.Arrival{Agent: w.asha.ID}).Work; v.Group != w.shop.ID {
			w.Errorf("without a group it is the agent's: %+v", v)
		}
		if v := w.place(w.person(), handover.Arrival{}).Work; v.Group != w.root.ID {
			w.Errorf("without anything it is the first one: %+v", v)
		}
		w.method(w.shop.ID, agent.GroupPatch{Method: ptr(agent.RoundRobin)})
		counts := map[id.ID]int{}
		for range 6 {
			counts[w.placed(handover.Arrival{}).Agent]++
		}
		if counts[w.asha.ID] != 3 || counts[w.bela.ID] != 3 {
			w.Errorf("round robin: %v", counts)
		}
		// Nobody works: it stays in the pool, and the person is told.
		w.method(w.shop.ID, agent.GroupPatch{Hours: &agent.Hours{{Day: time.Sunday, From: 0, To: 60}}})
		out := w.place(w.person(), handover.Arrival{Group: w.shop.ID})
		if out.Work.Status != handover.Unclaimed || out.Absence != "Back at nine" {
			w.Errorf("%+v", out)
		}
		sent := w.must(w.try(func(tx *store.Tx) (handover.Work, error) {
			return w.s.AbsenceSentIn(tx, actor, out.Work.Contact, tx.Now())
		}))
		if sent.AbsenceSentAt.IsZero() {
			w.Error("the absence message is not noted")
		}
		if out := w.place(w.person(), handover.Arrival{Agent: w.asha.ID}); out.Absence != "Back at nine" || out.Work.Status != handover.New {
			w.Errorf("%+v", out)
		}
	})
}

func TestRadar(t *testing.T) {
	each(t, func(w world) {
		w.method(w.shop.ID, agent.GroupPatch{Method: ptr(agent.Radar), Timeout: ptr(30 * time.Second)})
		v := w.placed(handover.Arrival{})
		if v.Status != handover.Unclaimed || v.OfferedTo != w.asha.ID || !v.OfferUntil.Equal(w.clock.Now().Add(30*time.Second)) {
			w.Errorf("%+v", v)
		}
		_, err := w.s.Claim(bg, w.tenant, actor, v.Contact, w.bela.ID)
		w.wantFault(err, fault.Conflict, "", "offered")
		w.clock.Advance(31 * time.Second)
		w.settled(func() bool { return w.get(v.Contact).OfferedTo == w.bela.ID })
		_, err = w.s.Claim(bg, w.tenant, actor, v.Contact, w.asha.ID)
		w.wantFault(err, fault.Conflict, "", "offered")
		w.clock.Advance(31 * time.Second)
		w.settled(func() bool { return w.get(v.Contact).OfferedTo.IsZero() })
		got := w.must(w.s.Claim(bg, w.tenant, actor, v.Contact, w.asha.ID)) // anybody may
		if got.Status != handover.FollowUp || !got.OfferedTo.IsZero() {
			w.Errorf("%+v", got)
		}
		w.wantMoves(v.Contact, "placed unclaimed", "offered unclaimed", "offered unclaimed", "claimed followUp")

		v = w.placed(handover.Arrival{})
		if got := w.must(w.s.Claim(bg, w.tenant, actor, v.Contact, v.OfferedTo)); got.Agent != v.OfferedTo {
			w.Errorf("%+v", got)
		}
	})
}

func TestProcessing(t *testing.T) {
	each(t, func(w world) {
		v := w.placed(handover.Arrival{Agent: w.asha.ID})
		block := func(tx *store.Tx) (handover.Work, error) { return w.s.BlockIn(tx, actor, v.Contact, time.Minute) }
		if got := w.must(w.try(block)); got.Status != handover.Processing || got.Agent != w.asha.ID {
			w.Errorf("%+v", got)
		}
		_, err := w.try(block)
		w.wantFault(err, fault.Conflict, "", "processing")
		_, err = w.s.Transfer(bg, w.tenant, actor, v.Contact, handover.Destination{Group: w.root.ID})
		w.wantFault(err, fault.Conflict, "", "processing")
		_, err = w.s.Archive(bg, w.tenant, actor, v.Contact, "converted")
		w.wantFault(err, fault.Conflict, "", "processing")
		_, err = w.s.Claim(bg, w.tenant, actor, v.Contact, w.asha.ID)
		w.wantFault(err, fault.Conflict, "", "processing")
		w.must(w.s.Label(bg, w.tenant, actor, v.Contact, "warm"))
		got := w.must(w.try(func(tx *store.Tx) (handover.Work, error) { return w.s.UnblockIn(tx, actor, v.Contact) }))
		if got.Status != handover.New {
			w.Errorf("%+v", got)
		}
		got = w.must(w.try(block))
		w.clock.Advance(2 * time.Minute) // the task died
		w.settled(func() bool { return w.get(v.Contact).Status == handover.New })
		_, err = w.try(func(tx *store.Tx) (handover.Work, error) { return w.s.BlockIn(tx, actor, v.Contact, 2*time.Hour) })
		w.wantFault(err, fault.Invalid, "limit", "")
	})
}

func TestComingBack(t *testing.T) {
	each(t, func(w world) {
		w.method(w.shop.ID, agent.GroupPatch{ReassignAfter: ptr(24 * time.Hour)})
		soon, late, left := w.placed(handover.Arrival{Agent: w.asha.ID}), w.placed(handover.Arrival{Agent: w.asha.ID}), w.placed(handover.Arrival{Agent: w.bela.ID})
		for _, v := range []handover.Work{soon, late, left} {
			w.must(w.s.Archive(bg, w.tenant, actor, v.Contact, "notInterested"))
		}
		w.clock.Advance(23 * time.Hour)
		if v := w.must(w.s.Unarchive(bg, w.tenant, actor, soon.Contact)); v.Status != handover.New || v.Agent != w.asha.ID {
			w.Errorf("soon: %+v", v)
		}
		if _, err := w.agents.Update(bg, w.tenant, actor, w.bela.ID, agent.Patch{Active: ptr(false)}); err != nil {
			w.Fatal(err)
		}
		if v := w.must(w.s.Unarchive(bg, w.tenant, actor, left.Contact)); v.Status != handover.Unclaimed || !v.Agent.IsZero() {
			w.Errorf("the agent is gone: %+v", v)
		}
		w.clock.Advance(2 * time.Hour)
		if v := w.must(w.s.Unarchive(bg, w.tenant, actor, late.Contact)); v.Status != handover.Unclaimed || !v.Agent.IsZero() {
			w.Errorf("late: %+v", v)
		}
		for _, v := range []handover.Work{soon, late, left} {
			w.contact(v.Contact)
		}
		w.must(w.s.Unarchive(bg, w.tenant, actor, soon.Contact))
		w.wantMoves(soon.Contact, "placed new", "archived archived", "unarchived new")
	})
}

func TestOneOfManyClaims(t *testing.T) {
	each(t, func(w world) {
		v := w.placed(handover.Arrival{})
		var won []id.ID
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i := range 8 {
			who := []id.ID{w.asha.ID, w.bela.ID}[i%2]
			wg.Go(func() {
				_, err := w.s.Claim(bg, w.tenant, actor, v.Contact, who)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won = append(won, who)
				} else if f := fault.As(err); f == nil || f.Reason != "claimed" {
					w.Error(err)
				}
			})
		}
		wg.Wait()
		got := w.get(v.Contact)
		if len(won) != 4 || got.Version != 2 || slices.ContainsFunc(won, func(a id.ID) bool { return a != got.Agent }) {
			w.Errorf("%v claimed it, %+v", won, got)
		}
	})
}

// Moves at random: whatever is asked, the work is what its state means, the
// history leads to it, and the contact and the deals agree.
func TestTheMachineHolds(t *testing.T) {
	each(t, func(w world) {
		rapid.Check(w.T, func(rt *rapid.T) {
			cid := w.person()
			groups, agents := []id.ID{w.root.ID, w.shop.ID, id.New()}, []id.ID{w.asha.ID, w.bela.ID, id.New()}
			w.method(w.shop.ID, agent.GroupPatch{Method: ptr(rapid.SampledFrom([]string{agent.Manual, agent.Radar, agent.RoundRobin}).Draw(rt, "method")),
				ReassignAfter: ptr(time.Duration(rapid.IntRange(0, 1).Draw(rt, "reassign")) * time.Hour)})
			if out := w.place(cid, handover.Arrival{Group: rapid.SampledFrom(groups[:2]).Draw(rt, "group")}); !out.Fresh {
				rt.Fatal("not fresh")
			}
			before := w.get(cid)
			for range rapid.IntRange(1, 12).Draw(rt, "moves") {
				g, a := rapid.SampledFrom(groups).Draw(rt, "g"), rapid.SampledFrom(agents).Draw(rt, "a")
				word := rapid.SampledFrom([]string{"converted", "hot", "general", "", "none"}).Draw(rt, "word")
				what := rapid.IntRange(0, 11).Draw(rt, "what")
				got, err := w.try(func(tx *store.Tx) (handover.Work, error) {
					switch what {
					case 0:
						return w.s.ClaimIn(tx, actor, cid, a)
					case 1:
						return w.s.TransferIn(tx, actor, cid, handover.Destination{Group: g})
					case 2:
						return w.s.TransferIn(tx, actor, cid, handover.Destination{Agent: a})
					case 3:
						return w.s.ArchiveIn(tx, actor, cid, word)
					case 4:
						return w.s.UnarchiveIn(tx, actor, cid)
					case 5:
						return w.s.LabelIn(tx, actor, cid, word)
					case 6:
						return w.s.ContactedIn(tx, actor, cid, tx.Now())
					case 7:
						out, err := w.s.PlaceIn(tx, actor, cid, handover.Arrival{Agent: a})
						return out.Work, err
					case 8:
						return w.s.BlockIn(tx, actor, cid, time.Minute)
					case 9:
						return w.s.UnblockIn(tx, actor, cid)
					case 10:
						return w.s.HeardIn(tx, actor, cid, tx.Now())
					}
					return w.s.OfferIn(tx, actor, cid)
				})
				now := w.get(cid)
				switch {
				case err != nil && fault.As(err) == nil:
					rt.Fatal(err)
				case err != nil && now.Version != before.Version:
					rt.Fatalf("a refused move moved: %v", err)
				case err == nil && (got.Status != now.Status || got.Version != now.Version || got.Agent != now.Agent):
					rt.Fatalf("answered %+v, stands %+v", got, now)
				case now.Version < before.Version || now.Version > before.Version+2 || now.InitialGroup != before.InitialGroup:
					rt.Fatalf("%+v after %+v", now, before)
				}
				before = now
				w.clock.Advance(time.Duration(rapid.IntRange(0, 3600).Draw(rt, "pause")) * time.Second)
			}
			w.contact(cid)
			w.moves(cid)
			if w.Failed() {
				rt.Fatal("see above")
			}
		})
	}, storetest.Once())
}

func TestWords(t *testing.T) {
	each(t, func(w world) {
		words := func(kind string) (out []string) {
			w.Helper()
			list, err := w.s.Words(w.r(), kind)
			if err != nil {
				w.Fatal(err)
			}
			for _, v := range list {
				out = append(out, fmt.Sprint(v.Key, "/", v.Name, "/", v.Snooze))
			}
			return out
		}
		if got := words(handover.Labels); !slices.Equal(got, []string{"cold/Cold/false", "warm/Warm/false", "hot/Hot/false"}) {
			w.Error(got)
		}
		if _, err := w.s.SetWords(bg, w.tenant, actor, handover.Reasons, []handover.Word{{Key: "later", Snooze: true}, {Key: "sold", Name: "Sold"}}); err != nil {
			w.Fatal(err)
		}
		if got := words(handover.Reasons); !slices.Equal(got, []string{"later/later/true", "sold/Sold/false"}) {
			w.Error(got)
		}
		v := w.placed(handover.Arrival{})
		_, err := w.s.Archive(bg, w.tenant, actor, v.Contact, "converted")
		w.wantFault(err, fault.Invalid, "archivingReason", "")
		w.must(w.s.Archive(bg, w.tenant, actor, v.Contact, "sold"))
		if _, err := w.s.SetWords(bg, w.tenant, actor, handover.Reasons, nil); err != nil {
			w.Fatal(err)
		}
		if got := words(handover.Reasons); got[0] != "inactive/Inactive/false" {
			w.Error(got)
		}
		_, err = w.s.SetWords(bg, w.tenant, actor, handover.Labels, []handover.Word{{Key: "a"}, {Key: "a"}})
		w.wantFault(err, fault.Invalid, "labels[1].key", "")
		_, err = w.s.SetWords(bg, w.tenant, actor, handover.Labels, []handover.Word{{Name: "a"}})
		w.wantFault(err, fault.Invalid, "labels[0].key", "")
		_, err = w.s.SetWords(bg, w.tenant, actor, "colours", nil)
		w.wantFault(err, fault.Invalid, "kind", "")
		if _, err := w.s.SetWords(bg, w.tenant, actor, handover.Categories, []handover.Word{{Key: "cars"}}); err != nil {
			w.Fatal(err)
		}
		if v := w.placed(handover.Arrival{}); v.Category != "cars" {
			w.Errorf("the default category: %+v", v)
		}
	})
}
