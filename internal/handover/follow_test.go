package handover_test

import (
	"sync"
	"testing"
	"time"

	"parley/internal/agent"
	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestMerges(t *testing.T) {
	each(t, func(w world) {
		merge := func(a, b id.ID) {
			w.Helper()
			if _, err := w.people.Merge(bg, w.tenant, actor, a, b); err != nil {
				w.Fatal(err)
			}
		}
		rows := func() (n int) {
			w.Helper()
			if err := w.r().QueryRow("SELECT COUNT(*) FROM handover WHERE tenant_id=?").Scan(&n); err != nil {
				w.Fatal(err)
			}
			return n
		}
		// Both have work: the survivor's stays.
		a, b := w.placed(handover.Arrival{Agent: w.asha.ID}), w.placed(handover.Arrival{Agent: w.bela.ID})
		w.must(w.s.Label(bg, w.tenant, actor, b.Contact, "hot"))
		merge(a.Contact, b.Contact)
		if v := w.get(b.Contact); v.Contact != a.Contact || v.Agent != w.asha.ID || v.Label != "" || rows() != 1 {
			w.Errorf("%+v", v)
		}
		if _, _, err := w.people.Unmerge(bg, w.tenant, actor, a.Contact); err != nil {
			w.Fatal(err)
		}
		if v := w.get(b.Contact); v.Contact != b.Contact || v.Agent != w.bela.ID || v.Label != "hot" || v.Status != handover.New || rows() != 2 {
			w.Errorf("given back: %+v", v)
		}
		w.wantMoves(b.Contact, "placed new", "labelled new", "unmerged new")

		// Only the other has: the survivor gets it, and gives it back.
		c, d := w.person(), w.placed(handover.Arrival{Agent: w.bela.ID})
		merge(c, d.Contact)
		if v := w.get(d.Contact); v.Contact != c || v.Agent != w.bela.ID || v.Group != w.shop.ID {
			w.Errorf("%+v", v)
		}
		w.contact(c)
		if _, _, err := w.people.Unmerge(bg, w.tenant, actor, c); err != nil {
			w.Fatal(err)
		}
		if _, err := w.s.Get(w.r(), c); fault.As(err) == nil {
			w.Error("the survivor keeps what was not its own")
		}
		if v := w.get(d.Contact); v.Agent != w.bela.ID || v.Contact != d.Contact {
			w.Errorf("%+v", v)
		}
		// ... unless it was moved since.
		merge(c, d.Contact)
		w.must(w.s.Transfer(bg, w.tenant, actor, c, handover.Destination{Agent: w.asha.ID}))
		if _, _, err := w.people.Unmerge(bg, w.tenant, actor, c); err != nil {
			w.Fatal(err)
		}
		if x, y := w.get(c), w.get(d.Contact); x.Agent != w.asha.ID || y.Agent != w.bela.ID {
			w.Errorf("%+v %+v", x, y)
		}
		// Neither has.
		e, f := w.person(), w.person()
		merge(e, f)
		if _, err := w.s.Get(w.r(), e); fault.As(err) == nil {
			w.Error(err)
		}
		if _, _, err := w.people.Unmerge(bg, w.tenant, actor, e); err != nil {
			w.Fatal(err)
		}
		// In the end everybody has some.
		everybody := []id.ID{a.Contact, b.Contact, c, d.Contact, e, f}
		w.settled(func() bool { got, err := w.s.GetMany(w.r(), everybody); return err == nil && len(got) == 6 })
	})
}

func TestVisible(t *testing.T) {
	each(t, func(w world) {
		below := w.group(agent.Group{Name: "Below", Parent: w.shop.ID})
		beside := w.group(agent.Group{Name: "Beside"})
		v := w.placed(handover.Arrival{Group: below.ID})
		for _, c := range []struct {
			group id.ID
			want  bool
		}{{id.Zero, true}, {w.root.ID, true}, {w.shop.ID, true}, {below.ID, true}, {beside.ID, false}, {id.New(), false}} {
			if got, err := w.s.Visible(w.r(), v.Contact, c.group); err != nil || got != c.want {
				w.Errorf("%v: %v %v", c.group, got, err)
			}
		}
		if got, err := w.s.Visible(w.r(), id.New(), id.Zero); err != nil || got {
			w.Error("an unknown contact is visible", err)
		}
		if _, err := w.agents.DeleteGroup(bg, w.tenant, actor, below.ID); fault.As(err) == nil || fault.As(err).Reason != "contacts" {
			w.Error("a group with contacts was deleted", err)
		}
	})
}

func TestWhatHappensElsewhere(t *testing.T) {
	each(t, func(w world) {
		// A contact of another API comes to the first group by itself.
		cid := w.person()
		w.settled(func() bool { _, err := w.s.Get(w.r(), cid); return err == nil })
		if v := w.get(cid); v.Group != w.root.ID || v.Status != handover.Unclaimed {
			w.Errorf("%+v", v)
		}
		// The free text names an agent.
		set := func(text string) {
			w.Helper()
			if _, err := w.cards.Update(bg, w.tenant, actor, cid, deal.CardPatch{Patch: contact.Patch{AssignedTo: &text}}); err != nil {
				w.Fatal(err)
			}
		}
		set(w.asha.ID.String())
		w.settled(func() bool { return w.get(cid).Agent == w.asha.ID })
		if v := w.get(cid); v.Status != handover.FollowUp || v.Group != w.shop.ID {
			w.Errorf("%+v", v)
		}
		w.contact(cid)
		// Archived there, and taken up again.
		if _, err := w.cards.Archive(bg, w.tenant, actor, cid); err != nil {
			w.Fatal(err)
		}
		w.settled(func() bool { return w.get(cid).Status == handover.Archived })
		w.contact(cid)
		if _, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (contact.Contact, error) { return w.cards.RestoreIn(tx, actor, cid) }); err != nil {
			w.Fatal(err)
		}
		w.settled(func() bool { return w.get(cid).Status == handover.FollowUp })
		w.contact(cid)
		// Messages.
		say := func(typ, who string) {
			w.Helper()
			if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
				_, err := w.log.Append(tx, event.New{Type: typ, Subject: id.New(), Contact: cid, Actor: who})
				return err
			}); err != nil {
				w.Fatal(err)
			}
		}
		w.must(w.s.Archive(bg, w.tenant, actor, cid, "converted"))
		w.clock.Advance(time.Second)
		say("message.received", "channel:whatsapp")
		w.settled(func() bool { return w.get(cid).Status != handover.Archived })
		w.contact(cid)
		say("message.queued", "run:"+id.New().String())
		say("message.queued", actor)
		w.settled(func() bool { return !w.get(cid).FirstContactedAt.IsZero() })
		owed := 0
		if err := w.r().QueryRow("SELECT COUNT(*) FROM job WHERE tenant_id=? AND kind='react.handover'").Scan(&owed); err != nil {
			w.Fatal(err)
		}
		say("message.queued", actor)
		say("message.received", "channel:whatsapp")
		w.must(w.s.Transfer(bg, w.tenant, actor, cid, handover.Destination{Agent: w.bela.ID}))
		w.must(w.s.Archive(bg, w.tenant, actor, cid, "converted"))
		now := 0
		if err := w.r().QueryRow("SELECT COUNT(*) FROM job WHERE tenant_id=? AND kind='react.handover'").Scan(&now); err != nil || now != owed {
			w.Errorf("%d jobs are owed for what changes nothing, %v", now-owed, err)
		}
	})
}

func TestContactsOfBeforeAreAdopted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := house(t, db, db.Clock().(*clock.Fake))
		var all []id.ID
		for range 3 {
			all = append(all, w.person())
		}
		if _, err := w.cards.Archive(bg, w.tenant, actor, all[1]); err != nil {
			t.Fatal(err)
		}
		var owed int
		if err := w.r().QueryRow("SELECT COUNT(*) FROM job WHERE tenant_id=?").Scan(&owed); err != nil || owed != 0 {
			t.Errorf("a tenant without groups owes %d jobs %v", owed, err)
		}
		w.settle()
		w.settled(func() bool { got, err := w.s.GetMany(w.r(), all); return err == nil && len(got) == 3 })
		for i, cid := range all {
			v := w.get(cid)
			if v.Group != w.root.ID || (v.Status == handover.Archived) != (i == 1) || v.Version != 1 {
				t.Errorf("%+v", v)
			}
			w.contact(cid)
		}
		if err := w.s.Adopt(bg, w.tenant); err != nil {
			t.Fatal(err)
		}
		if v := w.get(all[0]); v.Version != 1 {
			t.Errorf("adopted twice: %+v", v)
		}
	}, storetest.Clock(clock.NewFake(start)))
}

// Adopted contacts go to the agent whose id they carry, behind the versions that
// their work once had; nobody's turn is taken and nobody's timeline is written.
func TestAdoptedContactsKeepTheirAgents(t *testing.T) {
	each(t, func(w world) {
		his, nobodys, there := w.placed(handover.Arrival{Agent: w.asha.ID}), w.placed(handover.Arrival{}), w.placed(handover.Arrival{Agent: w.bela.ID})
		if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
			_, err := tx.Exec("DELETE FROM handover WHERE tenant_id=? AND contact_id<>?", there.Contact)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := w.s.Adopt(bg, w.tenant); err != nil {
				t.Fatal(err)
			}
		}
		if v := w.get(his.Contact); v.Agent != w.asha.ID || v.Group != w.asha.Group || v.Status != handover.FollowUp || v.Version != his.Version+1 {
			t.Errorf("%+v", v)
		}
		if v := w.get(nobodys.Contact); !v.Agent.IsZero() || v.Group != w.root.ID || v.Status != handover.Unclaimed || v.Version != nobodys.Version+1 {
			t.Errorf("%+v", v)
		}
		if v := w.get(there.Contact); v.Version != there.Version || v.Agent != w.bela.ID {
			t.Errorf("%+v", v)
		}
	})
}

func TestQuietContactsAreClosed(t *testing.T) {
	each(t, func(w world) {
		w.method(w.shop.ID, agent.GroupPatch{CloseInactiveAfter: ptr(24 * time.Hour)})
		quiet, loud, waits := w.placed(handover.Arrival{Agent: w.asha.ID}), w.placed(handover.Arrival{}), w.placed(handover.Arrival{})
		other := w.placed(handover.Arrival{Group: w.root.ID})
		w.must(w.s.Remind(bg, w.tenant, actor, waits.Contact, w.clock.Now().Add(72*time.Hour)))
		w.clock.Advance(20 * time.Hour)
		w.must(w.try(func(tx *store.Tx) (handover.Work, error) { return w.s.HeardIn(tx, actor, loud.Contact, tx.Now()) }))
		w.clock.Advance(5 * time.Hour)
		if n, err := w.s.CloseInactive(bg); err != nil || n != 1 {
			w.Errorf("closed %d %v", n, err)
		}
		if v := w.get(quiet.Contact); v.Status != handover.Archived || v.ArchivingReason != handover.ReasonInactive || v.Agent != w.asha.ID {
			w.Errorf("%+v", v)
		}
		for _, v := range []handover.Work{loud, waits, other} {
			if got := w.get(v.Contact); got.Status != handover.Unclaimed {
				w.Errorf("%+v", got)
			}
		}
		if n, err := w.s.CloseInactive(bg); err != nil || n != 0 {
			w.Errorf("closed again %d %v", n, err)
		}
		w.clock.Advance(24 * time.Hour)
		if n, err := w.s.CloseInactive(bg); err != nil || n != 1 {
			w.Errorf("closed %d %v", n, err)
		}
	})
}

func TestRemovingAnAgent(t *testing.T) {
	each(t, func(w world) {
		var open []id.ID
		for range 3 {
			open = append(open, w.placed(handover.Arrival{Agent: w.asha.ID}).Contact)
		}
		closed := w.placed(handover.Arrival{Agent: w.asha.ID}).Contact
		w.must(w.s.Archive(bg, w.tenant, actor, closed, "converted"))
		_, _, err := w.s.Remove(bg, w.tenant, actor, w.asha.ID, handover.Destination{})
		w.wantFault(err, fault.Conflict, "", "contacts")
		for _, to := range []handover.Destination{{Agent: w.asha.ID}, {Agent: w.bela.ID, Group: w.root.ID}} {
			_, _, err = w.s.Remove(bg, w.tenant, actor, w.asha.ID, to)
			w.wantFault(err, fault.Invalid, "transferTo", "")
		}
		_, _, err = w.s.Remove(bg, w.tenant, actor, w.asha.ID, handover.Destination{Group: id.New()})
		w.wantFault(err, fault.NotFound, "transferTo", "")
		a, pending, err := w.s.Remove(bg, w.tenant, actor, w.asha.ID, handover.Destination{Agent: w.bela.ID})
		if err != nil || !pending || a.Active {
			w.Errorf("%+v %v %v", a, pending, err)
		}
		w.settled(func() bool { a, err := w.agents.Agent(w.r(), w.asha.ID); return err == nil && !a.DeletedAt.IsZero() })
		for _, cid := range open {
			if v := w.get(cid); v.Agent != w.bela.ID {
				w.Errorf("%+v", v)
			}
			w.contact(cid)
		}
		if v := w.get(closed); v.Agent != w.asha.ID {
			w.Errorf("what is archived keeps the agent: %+v", v)
		}
		if v := w.must(w.s.Unarchive(bg, w.tenant, actor, closed)); v.Status != handover.Unclaimed {
			w.Errorf("%+v", v)
		}
		lone := w.agent("Lone", w.shop.ID)
		if a, pending, err := w.s.Remove(bg, w.tenant, actor, lone.ID, handover.Destination{}); err != nil || pending || a.DeletedAt.IsZero() {
			w.Errorf("%+v %v %v", a, pending, err)
		}
	})
}

// A group that goes and contacts that come to it, at once: no contact is left in
// a group that is not there.
func TestNobodyComesToADeletedGroup(t *testing.T) {
	each(t, func(w world) {
		for range 6 {
			g := w.group(agent.Group{Name: "Short-lived"})
			people := []id.ID{w.person(), w.person(), w.person()}
			var wg sync.WaitGroup
			for _, cid := range people {
				wg.Go(func() {
					if _, err := w.s.Place(bg, w.tenant, actor, cid, handover.Arrival{Group: g.ID}); err != nil && (fault.As(err) == nil || fault.As(err).Field != "group") {
						w.Error(err)
					}
				})
			}
			var deleted error
			wg.Go(func() { _, deleted = w.agents.DeleteGroup(bg, w.tenant, actor, g.ID) })
			wg.Wait()
			got, err := w.s.GetMany(w.r(), people)
			if err != nil || deleted == nil && len(got) > 0 {
				w.Errorf("%d contacts in a deleted group %v", len(got), err)
			}
			if deleted != nil && (fault.As(deleted) == nil || fault.As(deleted).Reason != "contacts") {
				w.Error(deleted)
			}
		}
	}, storetest.Once())
}
