package campaign_test

import (
	"testing"

	"parley/internal/campaign"
	"parley/internal/id"
)

// TestMergesMove gives the survivor what only the other had reached, and back.
func TestMergesMove(t *testing.T) {
	each(t, func(w *world) {
		a, b := w.person("Asha", "x"), w.person("Ben", "x")
		c := w.campaign("x", w.rule(waits).ID)
		w.exec("UPDATE campaign SET status='active' WHERE tenant_id=? AND id=?", c.ID)
		w.add(c.ID, b, campaign.NewRecipient{AutomationStatus: campaign.Failed, Execution: "e", PortalStatus: campaign.Seen})
		got, err := w.s.Retrigger(bg, w.Tenant, actor, c.ID, []id.ID{b})
		w.check(err)
		_, err = w.Contacts.Merge(bg, w.Tenant, actor, a, b)
		w.check(err)
		for _, by := range []id.ID{a, b} {
			if v := w.recipient(c.ID, by); v.Entity != a || v.Run != got[b].Run || v.PortalStatus != campaign.Seen {
				w.Errorf("%+v", v)
			}
		}
		w.work(func() bool {
			v := w.recipient(c.ID, a)
			return v.Title == "Asha" && v.AutomationStatus == campaign.InProgress
		})
		_, _, err = w.Contacts.Unmerge(bg, w.Tenant, actor, a)
		w.check(err)
		_, err = w.s.Recipient(w.r(), c.ID, a)
		w.refused(err, "recipient")
		w.work(func() bool { return w.recipient(c.ID, b).Title == "Ben" })
		w.whole()
	})
}

// TestMergesJoin merges people whom a campaign had reached both, in every pair of
// statuses: what went further stays, and nobody's execution runs on twice.
func TestMergesJoin(t *testing.T) {
	rank := map[string]int{"": 0, campaign.Cancelled: 1, campaign.Failed: 2, campaign.Pending: 3, campaign.InProgress: 4, campaign.Success: 5}
	each(t, func(w *world) {
		c := w.campaign("x", w.rule(waits).ID)
		w.exec("UPDATE campaign SET status='active' WHERE tenant_id=? AND id=?", c.ID)
		states := []string{"", campaign.Failed, campaign.Success, campaign.InProgress}
		reach := func(name, status string) id.ID {
			who := w.person(name, "x")
			n := campaign.NewRecipient{PortalStatus: campaign.Sent, AutomationStatus: status, Execution: "e"}
			if status == campaign.InProgress {
				n.AutomationStatus = campaign.Failed
			}
			w.add(c.ID, who, n)
			if status != campaign.InProgress {
				return who
			}
			_, err := w.s.Retrigger(bg, w.Tenant, actor, c.ID, []id.ID{who})
			w.check(err)
			w.work(func() bool { return w.recipient(c.ID, who).AutomationStatus == campaign.InProgress })
			return who
		}
		for _, mine := range states {
			for _, other := range states {
				a, b := reach("A", mine), reach("B", other)
				was := [2]campaign.Recipient{w.recipient(c.ID, a), w.recipient(c.ID, b)}
				total := w.Count(w, "campaign_recipient", "merged_into IS NULL")
				_, err := w.Contacts.Merge(bg, w.Tenant, actor, a, b)
				w.check(err)
				v := w.recipient(c.ID, b)
				want := was[0]
				if rank[other] > rank[mine] {
					want = was[1]
				}
				if v.Entity != a || v.AutomationStatus != want.AutomationStatus || v.Run != want.Run {
					w.Errorf("%q and %q became %+v", mine, other, v)
				}
				if n := w.Count(w, "campaign_recipient", "merged_into IS NULL"); n != total-1 {
					w.Errorf("%d are listed of %d", n, total)
				}
				if n := w.Count(w, "run", "contact_id IN (?,?) AND completed_at IS NULL", a, b); n > 1 || n == 1 && v.AutomationStatus != campaign.InProgress {
					w.Errorf("%q and %q: %d runs go on", mine, other, n)
				}
				w.whole()
				_, _, err = w.Contacts.Unmerge(bg, w.Tenant, actor, a)
				w.check(err)
				for i, who := range []id.ID{a, b} {
					// An execution that ended by the merge stays ended.
					if v := w.recipient(c.ID, who); v.Run != was[i].Run || v.AutomationStatus != was[i].AutomationStatus && was[i].AutomationStatus != campaign.InProgress {
						w.Errorf("%q and %q came back as %+v, were %+v", mine, other, v, was[i])
					}
				}
				w.whole()
			}
		}
	})
}

// TestPortalStatusesJoin keeps the dismissal of either.
func TestPortalStatusesJoin(t *testing.T) {
	each(t, func(w *world) {
		c := w.campaign("x", id.Zero)
		a, b := w.person("A", "x"), w.person("B", "x")
		w.add(c.ID, a, campaign.NewRecipient{PortalStatus: campaign.Clicked})
		w.add(c.ID, b, campaign.NewRecipient{PortalStatus: campaign.Dismissed, PortalState: map[string]any{"a": 1.0}})
		_, err := w.Contacts.Merge(bg, w.Tenant, actor, a, b)
		w.check(err)
		if v := w.recipient(c.ID, a); v.PortalStatus != campaign.Dismissed || v.PortalState["a"] == nil {
			w.Errorf("%+v", v)
		}
		_, err = w.Contacts.Erase(bg, w.Tenant, actor, b)
		w.check(err)
		if n := w.Count(w, "campaign_recipient", "1=1"); n != 0 {
			w.Errorf("%d are left", n)
		}
		w.whole()
	})
}

// TestAMergeInTheMiddle merges two people between the moment in which an activation
// wrote its audience down and the start of their runs.
func TestAMergeInTheMiddle(t *testing.T) {
	each(t, func(w *world) {
		a, b := w.person("A", "x"), w.person("B", "x")
		c := w.campaign("x", w.rule(tags).ID)
		_, err := w.set(c.ID, campaign.Active)
		w.check(err)
		w.exec("UPDATE bulk_job SET status='entities_loaded', total=2 WHERE tenant_id=?")
		w.exec("INSERT INTO bulk_item (tenant_id, job_id, entity_id, entity_schema, status, is_open, updated_at) SELECT tenant_id, id, ?2, 'contact', 'pending', "+no(w)+", 0 FROM bulk_job WHERE tenant_id=?1", b)
		w.exec("INSERT INTO bulk_item (tenant_id, job_id, entity_id, entity_schema, status, is_open, updated_at) SELECT tenant_id, id, ?2, 'contact', 'pending', "+no(w)+", 0 FROM bulk_job WHERE tenant_id=?1", a)
		_, err = w.Contacts.Merge(bg, w.Tenant, actor, a, b)
		w.check(err)
		w.work(func() bool { return w.status(c.ID) == campaign.Active })
		if v := w.recipient(c.ID, b); v.Entity != a || v.AutomationStatus != campaign.Success {
			w.Errorf("%+v", v)
		}
		if r, n := w.Count(w, "run", "1=1"), w.Count(w, "campaign_recipient", "1=1"); r != 1 || n != 1 {
			w.Errorf("%d runs for %d recipients", r, n)
		}
		w.whole()
	})
}

func no(w *world) string {
	if w.DB.Dialect().String() == "postgres" {
		return "false"
	}
	return "0"
}
