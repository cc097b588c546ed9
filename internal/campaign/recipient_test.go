package campaign_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"parley/internal/campaign"
	"parley/internal/contact"
	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

func (w *world) add(cid, who id.ID, n campaign.NewRecipient) campaign.Recipient {
	w.Helper()
	n.Entity = ref(who)
	v, err := w.s.AddRecipient(bg, w.Tenant, actor, cid, n)
	w.check(err)
	return v
}

func (w *world) invalid(err error, field string) {
	w.Helper()
	if f := fault.As(err); f == nil || f.Code != fault.Invalid || f.Field != field {
		w.Errorf("want a complaint of %s: %v", field, err)
	}
}

func TestRecipientsAreAdded(t *testing.T) {
	each(t, func(w *world) {
		c := w.campaign("x", id.Zero)
		a, b, d := w.person("Asha", "x"), w.person("Ben", "x"), w.person("Cleo", "y")
		v := w.add(c.ID, a, campaign.NewRecipient{AutomationStatus: campaign.Failed, Execution: "e-1"})
		if v.Title != "Asha" || v.PortalStatus != "" || !v.PortalAt.IsZero() || v.Execution != "e-1" {
			w.Errorf("%+v", v)
		}
		v = w.add(c.ID, b, campaign.NewRecipient{PortalStatus: campaign.Sent, PortalState: map[string]any{"n": 1.0}})
		if v.PortalAt.IsZero() || v.AutomationStatus != "" {
			w.Errorf("%+v", v)
		}
		w.add(c.ID, d, campaign.NewRecipient{AutomationStatus: campaign.Success, Execution: "e", PortalStatus: campaign.Sent})
		for _, x := range []struct {
			n     campaign.NewRecipient
			field string
		}{
			{campaign.NewRecipient{Entity: ref(a), PortalStatus: campaign.Sent}, "entity_id"},
			{campaign.NewRecipient{Entity: ref(id.New()), PortalStatus: campaign.Sent}, "entity_id"},
			{campaign.NewRecipient{Entity: entity.Ref{Schema: "contract", ID: a}, PortalStatus: campaign.Sent}, "entity_id"},
			{campaign.NewRecipient{Entity: ref(a)}, "automation_status"},
			{campaign.NewRecipient{Entity: ref(a), AutomationStatus: campaign.Failed}, "automation_status"},
			{campaign.NewRecipient{Entity: ref(a), AutomationStatus: "zzz", Execution: "e"}, "automation_status"},
			{campaign.NewRecipient{Entity: ref(a), AutomationStatus: campaign.Failed, Execution: "e", PortalStatus: "zzz"}, "portal_status"},
		} {
			_, err := w.s.AddRecipient(bg, w.Tenant, actor, c.ID, x.n)
			w.invalid(err, x.field)
		}
		_, err := w.s.AddRecipient(bg, w.Tenant, actor, id.New(), campaign.NewRecipient{Entity: ref(a), PortalStatus: campaign.Sent})
		w.refused(err, "campaign")
		w.whole()
	})
}

func TestRecipientsAreChanged(t *testing.T) {
	each(t, func(w *world) {
		c := w.campaign("x", id.Zero)
		who := w.person("Asha", "x")
		was := w.add(c.ID, who, campaign.NewRecipient{PortalStatus: campaign.Clicked, PortalState: map[string]any{"a": 1.0, "b": 2.0}})
		change := func(ch campaign.RecipientChange) campaign.Recipient {
			w.Helper()
			w.Clock.Advance(time.Minute)
			v, err := w.s.ChangeRecipient(bg, w.Tenant, actor, c.ID, who, ch)
			w.check(err)
			if d := cmp.Diff(v, w.recipient(c.ID, who), cmpopts.IgnoreUnexported(campaign.Recipient{})); d != "" {
				w.Errorf("answered otherwise than kept: %s", d)
			}
			return v
		}
		if v := change(campaign.RecipientChange{}); !v.UpdatedAt.Equal(was.UpdatedAt) {
			w.Errorf("nothing was changed: %+v", v)
		}
		back := campaign.Sent // a service may go back (reference §4.4)
		v := change(campaign.RecipientChange{PortalStatus: &back})
		if v.PortalStatus != campaign.Sent || !v.PortalAt.Equal(w.Clock.Now()) || !v.UpdatedAt.Equal(w.Clock.Now()) {
			w.Errorf("%+v", v)
		}
		at := v.PortalAt
		status, state := campaign.Failed, map[string]any{"c": true}
		v = change(campaign.RecipientChange{AutomationStatus: &status, PortalStatus: &back, PortalState: &state})
		if !v.PortalAt.Equal(at) || len(v.PortalState) != 1 || v.AutomationStatus != campaign.Failed {
			w.Errorf("%+v", v)
		}
		for field, ch := range map[string]campaign.RecipientChange{"automation_status": {AutomationStatus: ptr("x")}, "portal_status": {PortalStatus: ptr("")}} {
			_, err := w.s.ChangeRecipient(bg, w.Tenant, actor, c.ID, who, ch)
			w.invalid(err, field)
		}
		_, err := w.s.ChangeRecipient(bg, w.Tenant, actor, c.ID, id.New(), campaign.RecipientChange{})
		w.refused(err, "recipient")
		w.whole()
	})
}

func ptr[T any](v T) *T { return &v }

// TestPortalStatuses tries every move from every status (reference §4.5).
func TestPortalStatuses(t *testing.T) {
	allowed := map[string]string{"": "sent seen dismissed clicked", "sent": "sent seen dismissed clicked", "seen": "seen dismissed clicked", "dismissed": "dismissed", "clicked": "clicked"}
	each(t, func(w *world) {
		c := w.campaign("x", id.Zero)
		for _, from := range append([]string{""}, campaign.PortalStatuses...) {
			for _, to := range append([]string{"read"}, campaign.PortalStatuses...) {
				who := w.person("P", "x")
				was := w.add(c.ID, who, campaign.NewRecipient{AutomationStatus: campaign.Success, Execution: "e", PortalStatus: from})
				w.Clock.Advance(time.Minute)
				v, err := w.s.SetPortalStatus(bg, w.Tenant, actor, c.ID, who, to)
				now := w.recipient(c.ID, who)
				ok := slices.Contains(append([]string{}, split(allowed[from])...), to)
				switch {
				case to == "read":
					w.invalid(err, "status")
				case !ok && !errors.Is(err, fault.Of(fault.Conflict)):
					w.Errorf("%s to %s: %v", from, to, err)
				case ok && err != nil, ok && v.PortalStatus != to:
					w.Errorf("%s to %s: %v", from, to, err)
				}
				if moved := ok && from != to; moved != !now.PortalAt.Equal(was.PortalAt) || moved != !now.UpdatedAt.Equal(was.UpdatedAt) {
					w.Errorf("%s to %s: the moments are %s and were %s", from, to, now.PortalAt, was.PortalAt)
				}
			}
		}
		w.whole()
	})
}

func split(s string) (out []string) {
	for len(s) > 0 {
		var w string
		fmt.Sscanf(s, "%s", &w)
		out = append(out, w)
		s = s[min(len(s), len(w)+1):]
	}
	return out
}

// TestFinalStatesRace lets every pair of final states race: one wins, the other is
// refused.
func TestFinalStatesRace(t *testing.T) {
	each(t, func(w *world) {
		c := w.campaign("x", id.Zero)
		for range 15 {
			who := w.person("P", "x")
			w.add(c.ID, who, campaign.NewRecipient{PortalStatus: campaign.Seen})
			results := make([]error, 6)
			var wg sync.WaitGroup
			for i := range results {
				wg.Go(func() {
					_, results[i] = w.s.SetPortalStatus(bg, w.Tenant, actor, c.ID, who, []string{campaign.Clicked, campaign.Dismissed}[i%2])
				})
			}
			wg.Wait()
			won := w.recipient(c.ID, who).PortalStatus
			for i, err := range results {
				if mine := []string{campaign.Clicked, campaign.Dismissed}[i%2]; mine == won && err != nil || mine != won && !errors.Is(err, fault.Of(fault.Conflict)) {
					w.Errorf("%s won, and %s got %v", won, mine, err)
				}
			}
		}
		if n := w.Count(w, "event", "type='recipient.updated'"); n != 15 {
			w.Errorf("%d events", n)
		}
	})
}

// TestShownOnAPortal makes a recipient of whoever a portal showed a campaign to, once.
func TestShownOnAPortal(t *testing.T) {
	each(t, func(w *world) {
		c := w.campaign("x", id.Zero)
		who := w.person("Asha", "x")
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				if _, err := w.s.ShowOnPortal(bg, w.Tenant, actor, c.ID, ref(who), campaign.Seen); err != nil {
					w.Error(err)
				}
			})
		}
		wg.Wait()
		if v := w.recipient(c.ID, who); v.PortalStatus != campaign.Seen || v.Title != "Asha" || w.Count(w, "event", "type='recipient.updated'") != 1 {
			w.Errorf("%+v", v)
		}
		_, err := w.s.ShowOnPortal(bg, w.Tenant, actor, c.ID, ref(id.New()), campaign.Seen)
		w.invalid(err, "entity_id")
		_, err = w.s.ShowOnPortal(bg, w.Tenant, actor, c.ID, ref(who), campaign.Sent)
		w.refused(err, "transition")
		w.whole()
	})
}

// TestUserInterface follows reference §2.2.
func TestUserInterface(t *testing.T) {
	each(t, func(w *world) {
		c := w.campaign("x", id.Zero)
		who := w.person("Asha", "x")
		set := func(schema, to string) (campaign.Recipient, error) {
			return w.s.SetUIStatus(bg, w.Tenant, actor, c.ID, entity.Ref{Schema: schema, ID: who}, to)
		}
		for _, to := range []string{campaign.Dismissed, campaign.Clicked} {
			_, err := set("contact", to)
			w.refused(err, "recipient")
		}
		_, err := set("", campaign.Seen)
		w.invalid(err, "entity_schema")
		_, err = set("contact", campaign.Sent)
		w.invalid(err, "status")
		for _, x := range []struct{ to, want, before string }{{campaign.Seen, campaign.Seen, ""}, {campaign.Seen, campaign.Seen, ""}, {campaign.Clicked, campaign.Clicked, ""},
			{campaign.Seen, campaign.Clicked, ""}, {campaign.Dismissed, campaign.Dismissed, campaign.Clicked}, {campaign.Seen, campaign.Dismissed, campaign.Clicked},
			{campaign.Clicked, "", ""}, {"restore", campaign.Clicked, ""}, {"restore", campaign.Clicked, ""}} {
			w.Clock.Advance(time.Second)
			v, err := set("contact", x.to)
			if x.to == "restore" {
				v, err = w.s.RestoreUI(bg, w.Tenant, actor, c.ID, who)
			}
			if x.want == "" {
				w.refused(err, "transition")
				continue
			}
			w.check(err)
			if v.UIStatus != x.want || v.UIBefore != x.before {
				w.Errorf("%s: %+v", x.to, v)
			}
		}
		if v := w.recipient(c.ID, who); v.PortalStatus != "" || v.UIAt.IsZero() {
			w.Errorf("%+v", v)
		}
	})
}

// TestListing pages through recipients with every filter and compares with a plain
// selection.
func TestListing(t *testing.T) {
	each(t, func(w *world) {
		c, other := w.campaign("x", id.Zero), w.campaign("y", id.Zero)
		var all []campaign.Recipient
		for i := range 60 {
			who := w.person([]string{"Asha Rao", "Zoë 100%", "Ben_y"}[i%3], "x")
			n := campaign.NewRecipient{PortalStatus: campaign.PortalStatuses[i%4]}
			if i%5 > 0 {
				n.AutomationStatus, n.Execution = campaign.AutomationStatuses[i%5], "e"
			}
			all = append(all, w.add(c.ID, who, n))
			if i%2 == 0 {
				w.Clock.Advance(time.Millisecond)
			}
		}
		w.add(other.ID, all[0].Entity, campaign.NewRecipient{PortalStatus: campaign.Seen})
		page := func(q campaign.RecipientQuery) campaign.RecipientPage {
			w.Helper()
			q.Campaign = c.ID
			p, err := w.s.Recipients(w.r(), q)
			w.check(err)
			return p
		}
		var sizes []int
		next := ""
		for {
			p := page(campaign.RecipientQuery{Limit: campaign.DefaultPage, Next: next})
			if sizes = append(sizes, len(p.Recipients)); p.Total != 60 {
				w.Errorf("%d in all", p.Total)
			}
			if next = p.Next; next == "" {
				break
			}
		}
		if !slices.Equal(sizes, []int{25, 25, 10}) {
			w.Errorf("pages of %v", sizes)
		}
		for _, q := range []campaign.RecipientQuery{{}, {Q: "zoe"}, {Q: "00%"}, {Q: "n_"}, {Q: "%"}, {Automation: []string{campaign.Failed, campaign.Success}},
			{Automation: []string{campaign.InProgress}, Portal: []string{campaign.Seen}}, {Q: "ASHA", Portal: []string{campaign.Clicked, campaign.Sent}}, {Email: []string{"sent"}}} {
			var want, got []id.ID
			for _, v := range all {
				words := map[string]string{"": "", "zoe": "Zoë 100%", "00%": "Zoë 100%", "n_": "Ben_y", "%": "Zoë 100%", "ASHA": "Asha Rao"}
				if (q.Q == "" || v.Title == words[q.Q]) && (len(q.Automation) == 0 || slices.Contains(q.Automation, v.AutomationStatus)) &&
					(len(q.Portal) == 0 || slices.Contains(q.Portal, v.PortalStatus)) && len(q.Email) == 0 {
					want = append(want, v.Entity)
				}
			}
			q.Limit = 4
			for {
				p := page(q)
				if p.Total != int64(len(want)) {
					w.Errorf("%+v: %d in all, want %d", q, p.Total, len(want))
				}
				for _, v := range p.Recipients {
					got = append(got, v.Entity)
				}
				if q.Next = p.Next; q.Next == "" {
					break
				}
			}
			if !slices.Equal(got, want) {
				w.Errorf("%+v: %d, want %d", q, len(got), len(want))
			}
		}
		first := page(campaign.RecipientQuery{Limit: 5})
		for _, q := range []campaign.RecipientQuery{{Limit: 5, Next: first.Next, Q: "x"}, {Limit: 5, Next: "x"}, {Limit: 5, Next: first.Next + "A"}, {Limit: 5, Next: first.Next, Portal: []string{"seen"}}, {Campaign: other.ID, Limit: 5, Next: first.Next}} {
			if q.Campaign.IsZero() {
				q.Campaign = c.ID
			}
			_, err := w.s.Recipients(w.r(), q)
			w.invalid(err, "next")
		}
		for _, n := range []int{0, -1, 1001} {
			_, err := w.s.Recipients(w.r(), campaign.RecipientQuery{Campaign: c.ID, Limit: n})
			w.invalid(err, "limit")
		}
		w.whole()
	})
}

// TestRetrigger starts what failed and nothing else (reference §4.6, §7.5).
func TestRetrigger(t *testing.T) {
	each(t, func(w *world) {
		c := w.campaign("x", w.rule(tags).ID)
		_, err := w.s.Retrigger(bg, w.Tenant, actor, c.ID, nil)
		w.refused(err, campaign.ReasonStatus)
		w.exec("UPDATE campaign SET status='inactive' WHERE tenant_id=? AND id=?", c.ID)
		who := map[string]id.ID{}
		for _, s := range campaign.AutomationStatuses {
			who[s] = w.person(s, "x")
			w.add(c.ID, who[s], campaign.NewRecipient{AutomationStatus: s, Execution: "e"})
		}
		who[""] = w.person("portal", "x")
		w.add(c.ID, who[""], campaign.NewRecipient{PortalStatus: campaign.Sent})
		stranger := w.person("stranger", "x")
		ids := []id.ID{stranger, id.New()}
		for _, v := range who {
			ids = append(ids, v)
		}
		got, err := w.s.Retrigger(bg, w.Tenant, actor, c.ID, ids)
		w.check(err)
		for s, v := range who {
			want := campaign.ResultStatus
			if s == campaign.Failed {
				want = campaign.ResultSuccess
			}
			if got[v].Result != want {
				w.Errorf("%q: %+v", s, got[v])
			}
		}
		if got[stranger].Result != campaign.ResultUnknown || got[ids[1]].Result != campaign.ResultUnknown {
			w.Errorf("%+v", got)
		}
		v := w.recipient(c.ID, who[campaign.Failed])
		if v.AutomationStatus != campaign.Pending || v.Run != got[v.Entity].Run || v.Execution != "" {
			w.Errorf("%+v", v)
		}
		w.work(func() bool { return w.recipient(c.ID, v.Entity).AutomationStatus == campaign.Success })
		got, err = w.s.Retrigger(bg, w.Tenant, actor, c.ID, nil)
		if err != nil || len(got) > 1 {
			w.Errorf("%+v %v", got, err)
		}
		_, err = w.s.Update(bg, w.Tenant, actor, c.ID, campaign.Change{Attributes: map[string]any{"flow_id": nil}})
		w.check(err)
		_, err = w.s.Retrigger(bg, w.Tenant, actor, c.ID, ids)
		w.refused(err, campaign.ReasonNoDelivery)
		// A flow that is gone starts nothing and says so.
		_, err = w.s.Update(bg, w.Tenant, actor, c.ID, campaign.Change{Attributes: map[string]any{"flow_id": id.New().UUID()}})
		w.check(err)
		w.exec("UPDATE campaign_recipient SET automation_status='failed', run_id=NULL WHERE tenant_id=? AND entity_id=?", v.Entity)
		got, err = w.s.Retrigger(bg, w.Tenant, actor, c.ID, []id.ID{v.Entity})
		if err != nil || got[v.Entity].Result != campaign.ResultFailure || got[v.Entity].Error == "" {
			w.Errorf("%+v %v", got, err)
		}
		if v := w.recipient(c.ID, v.Entity); v.AutomationStatus != campaign.Failed {
			w.Errorf("%+v", v)
		}
		w.whole()
	})
}

// TestRetriggerAtOnce asks for the same recipients from all sides while one of them
// fails again and again: each failure is started once.
func TestRetriggerAtOnce(t *testing.T) {
	each(t, func(w *world) {
		c := w.campaign("x", w.rule(fails).ID)
		w.exec("UPDATE campaign SET status='active' WHERE tenant_id=? AND id=?", c.ID)
		var ids []id.ID
		for i := range 5 {
			ids = append(ids, w.person(fmt.Sprint("P", i), "x"))
			w.add(c.ID, ids[i], campaign.NewRecipient{AutomationStatus: campaign.Failed, Execution: "e"})
		}
		for round := 1; round <= 3; round++ {
			var mu sync.Mutex
			runs := map[id.ID]int{}
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					mine := slices.Clone(ids)
					if i%2 == 0 {
						slices.Reverse(mine)
					}
					got, err := w.s.Retrigger(bg, w.Tenant, actor, c.ID, mine)
					if err != nil {
						w.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					for _, v := range got {
						if v.Result == campaign.ResultSuccess {
							runs[v.Run]++
						}
					}
				})
			}
			wg.Wait()
			if len(runs) != len(ids) || w.Count(w, "run", "1=1") != round*len(ids) {
				w.Errorf("round %d: %d runs started, %d there are", round, len(runs), w.Count(w, "run", "1=1"))
			}
			w.work(func() bool { return w.Count(w, "campaign_recipient", "automation_status='failed'") == len(ids) })
		}
		w.whole()
	})
}

// TestTitlesFollow changes a name, and then takes the person away.
func TestTitlesFollow(t *testing.T) {
	each(t, func(w *world) {
		c := w.campaign("x", id.Zero)
		who := w.person("Asha", "x")
		w.add(c.ID, who, campaign.NewRecipient{PortalStatus: campaign.Sent})
		w.check(w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
			_, _, err := w.Contacts.UpdateIn(tx, actor, who, contact.Patch{FirstName: ptr("Ines")})
			return err
		}))
		w.work(func() bool { return w.recipient(c.ID, who).Title == "Ines" })
		p, err := w.s.Recipients(w.r(), campaign.RecipientQuery{Campaign: c.ID, Q: "INE", Limit: 1})
		if err != nil || p.Total != 1 {
			w.Errorf("%+v %v", p, err)
		}
		_, err = w.Contacts.Erase(bg, w.Tenant, actor, who)
		w.check(err)
		if n := w.Count(w, "campaign_recipient", "1=1"); n != 0 {
			w.Errorf("%d recipients are left", n)
		}
		w.whole()
	})
}

// TestPurge takes a campaign with its recipients away.
func TestPurge(t *testing.T) {
	each(t, func(w *world) {
		c, other := w.campaign("x", id.Zero), w.campaign("y", id.Zero)
		for range 3 {
			who := w.person("P", "x")
			w.add(c.ID, who, campaign.NewRecipient{PortalStatus: campaign.Sent})
			w.add(other.ID, who, campaign.NewRecipient{PortalStatus: campaign.Sent})
		}
		_, err := w.s.Delete(bg, w.Tenant, actor, c.ID, false)
		w.check(err)
		_, err = w.s.Recipients(w.r(), campaign.RecipientQuery{Campaign: c.ID, Limit: 1})
		w.refused(err, "campaign")
		_, err = w.s.Update(bg, w.Tenant, actor, c.ID, campaign.Change{})
		w.refused(err, "campaign")
		_, err = w.s.Update(bg, w.Tenant, actor, c.ID, campaign.Change{Restore: true})
		w.check(err)
		_, err = w.s.Delete(bg, w.Tenant, actor, c.ID, false)
		w.check(err)
		_, err = w.s.Delete(bg, w.Tenant, actor, c.ID, true)
		w.check(err)
		_, err = w.s.Delete(bg, w.Tenant, actor, c.ID, true)
		w.refused(err, "campaign")
		w.work(func() bool { return w.Count(w, "campaign", "id=?", c.ID) == 0 })
		if n := w.Count(w, "campaign_recipient", "1=1"); n != 3 {
			w.Errorf("%d recipients are left", n)
		}
		w.whole()
	})
}

// TestPortalModel compares random moves with the table of the reference.
func TestPortalModel(t *testing.T) {
	defer counts("20", "30", "1000")()
	each(t, func(w *world) {
		c := w.campaign("x", id.Zero)
		rank := map[string]int{"": 0, campaign.Sent: 1, campaign.Seen: 2, campaign.Dismissed: 3, campaign.Clicked: 3}
		rapid.Check(w.TB.(*testing.T), func(t *rapid.T) {
			who := w.person("P", "x")
			now := ""
			w.add(c.ID, who, campaign.NewRecipient{AutomationStatus: campaign.Success, Execution: "e"})
			for range rapid.IntRange(1, 6).Draw(t, "moves") {
				to := rapid.SampledFrom(campaign.PortalStatuses).Draw(t, "to")
				before := w.recipient(c.ID, who)
				w.Clock.Advance(time.Second)
				v, err := w.s.SetPortalStatus(bg, w.Tenant, actor, c.ID, who, to)
				ok := to == now || rank[to] > rank[now]
				if ok != (err == nil) {
					t.Fatalf("%q to %q: %v", now, to, err)
				}
				after := w.recipient(c.ID, who)
				if !ok || to == now {
					if d := cmp.Diff(before, after, cmpopts.IgnoreUnexported(campaign.Recipient{})); d != "" {
						t.Fatalf("%q to %q changed %s", now, to, d)
					}
					continue
				}
				if now = to; v.PortalStatus != to || !after.PortalAt.Equal(w.Clock.Now()) {
					t.Fatalf("%+v", after)
				}
			}
		})
		w.whole()
	})
}
