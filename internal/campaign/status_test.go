package campaign_test

import (
	"errors"
	"sync"
	"testing"

	"parley/internal/campaign"
	"parley/internal/fault"
	"parley/internal/id"
)

// TestActivation follows a campaign from its draft to its end (reference §4.1, §7.8).
func TestActivation(t *testing.T) {
	each(t, func(w *world) {
		a, b := w.person("Asha", "x"), w.person("Ben", "x")
		w.person("Cleo", "y")
		rule := w.rule(tags)
		c := w.campaign("x", rule.ID)
		c, err := w.set(c.ID, "")
		w.check(err)
		if c.Status != campaign.Activating || c.Job.IsZero() {
			w.Fatalf("%+v", c)
		}
		if j, err := w.s.Job(w.r(), c.ID); err != nil || j.Status != "queued" {
			w.Errorf("%+v %v", j, err)
		}
		_, err = w.set(c.ID, campaign.Active)
		w.refused(err, campaign.ReasonBusy)
		_, err = w.s.Delete(bg, w.Tenant, actor, c.ID, true)
		w.refused(err, campaign.ReasonBusy)
		w.work(func() bool { return w.status(c.ID) != campaign.Activating })
		if s := w.status(c.ID); s != campaign.Active {
			w.Fatalf("the campaign is %s", s)
		}
		for _, who := range []id.ID{a, b} {
			v := w.recipient(c.ID, who)
			if v.AutomationStatus != campaign.Success || v.Run.IsZero() || v.Schema != "contact" {
				w.Errorf("%+v", v)
			}
		}
		if v := w.recipient(c.ID, a); v.Title != "Asha" {
			w.Errorf("the title is %q", v.Title)
		}
		j, err := w.s.Job(w.r(), c.ID)
		if err != nil || j.Status != "finished" || len(j.Executions) != 2 || j.Executions[0].Status != "success" {
			w.Errorf("%+v %v", j, err)
		}
		_, err = w.set(c.ID, campaign.Active)
		w.refused(err, campaign.ReasonStatus)
		c, err = w.set(c.ID, "")
		w.check(err)
		if c.Status != campaign.Inactive {
			w.Errorf("%+v", c)
		}
		_, err = w.set(c.ID, campaign.Inactive)
		w.refused(err, campaign.ReasonStatus)
		w.whole()
	})
}

// TestReactivation starts only those whom the automation has not met, and the
// cancelled (reference §6.14).
func TestReactivation(t *testing.T) {
	each(t, func(w *world) {
		old, cancelled, shown, failed := w.person("Old", "x"), w.person("Cancelled", "x"), w.person("Shown", "z"), w.person("Failed", "x")
		rule := w.rule(tags)
		c := w.campaign("x", rule.ID)
		_, err := w.set(c.ID, campaign.Active)
		w.check(err)
		w.work(func() bool { return w.status(c.ID) == campaign.Active })
		first := w.recipient(c.ID, old).Run
		word := campaign.Cancelled
		_, err = w.s.ChangeRecipient(bg, w.Tenant, actor, c.ID, cancelled, campaign.RecipientChange{AutomationStatus: &word})
		w.check(err)
		word = campaign.Failed
		_, err = w.s.ChangeRecipient(bg, w.Tenant, actor, c.ID, failed, campaign.RecipientChange{AutomationStatus: &word})
		w.check(err)
		_, err = w.s.AddRecipient(bg, w.Tenant, actor, c.ID, campaign.NewRecipient{Entity: ref(shown), PortalStatus: campaign.Seen})
		w.check(err)
		fresh := w.person("Fresh", "x")
		w.tag(shown, "x")
		_, err = w.set(c.ID, campaign.Inactive)
		w.check(err)
		_, err = w.set(c.ID, campaign.Active)
		w.check(err)
		w.work(func() bool { return w.status(c.ID) == campaign.Active })
		for _, v := range []struct {
			who    id.ID
			status string
			runs   int
		}{{old, campaign.Success, 1}, {cancelled, campaign.Success, 2}, {shown, campaign.Success, 1}, {failed, campaign.Failed, 1}, {fresh, campaign.Success, 1}} {
			got := w.recipient(c.ID, v.who)
			if got.AutomationStatus != v.status || w.Count(w, "run", "contact_id=?", v.who) != v.runs {
				w.Errorf("%s: %+v, %d runs", got.Title, got, w.Count(w, "run", "contact_id=?", v.who))
			}
		}
		if got := w.recipient(c.ID, shown); got.PortalStatus != campaign.Seen {
			w.Errorf("%+v", got)
		}
		if w.recipient(c.ID, old).Run != first {
			w.Error("an old recipient was started again")
		}
		w.whole()
	})
}

// TestCancel makes an activating campaign inactive by cancelling its job.
func TestCancel(t *testing.T) {
	each(t, func(w *world) {
		a := w.person("Asha", "x")
		c := w.campaign("x", w.rule(waits).ID)
		_, err := w.set(c.ID, campaign.Active)
		w.check(err)
		w.work(func() bool { return w.Count(w, "campaign_recipient", "automation_status='in_progress'") == 1 })
		w.exec("UPDATE campaign SET job_token=NULL WHERE tenant_id=? AND id<>?", id.New())
		_, err = w.set(c.ID, campaign.Inactive)
		w.refused(err, campaign.ReasonNoToken)
		var token string
		w.check(w.r().QueryRow("SELECT token FROM bulk_job WHERE tenant_id=?").Scan(&token))
		w.exec("UPDATE campaign SET job_token=? WHERE tenant_id=?", token)
		got, err := w.set(c.ID, "")
		w.check(err)
		if got.Status != campaign.Inactive {
			w.Errorf("%+v", got)
		}
		if j, err := w.s.Job(w.r(), c.ID); err != nil || j.Status != "cancelled" {
			w.Errorf("%+v %v", j, err)
		}
		w.work(func() bool { return w.recipient(c.ID, a).AutomationStatus == campaign.Cancelled })
		// The cancelled are started again.
		_, err = w.set(c.ID, campaign.Active)
		w.check(err)
		w.work(func() bool { return w.recipient(c.ID, a).AutomationStatus == campaign.InProgress })
		w.whole()
	})
}

// TestWhatAnActivationNeeds checks the order of the refusals (reference §4.1, §7.7).
func TestWhatAnActivationNeeds(t *testing.T) {
	each(t, func(w *world) {
		c, err := w.s.Create(bg, w.Tenant, actor, campaign.New{Attributes: map[string]any{"name": "C"}})
		w.check(err)
		change := func(attrs map[string]any) {
			w.Helper()
			_, err := w.s.Update(bg, w.Tenant, actor, c.ID, campaign.Change{Attributes: attrs})
			w.check(err)
		}
		_, err = w.set(id.New(), "")
		w.refused(err, "campaign")
		_, err = w.set(c.ID, "paused")
		if f := fault.As(err); f == nil || f.Field != "status" {
			w.Errorf("%v", err)
		}
		_, err = w.set(c.ID, campaign.Inactive)
		w.refused(err, campaign.ReasonStatus)
		_, err = w.set(c.ID, "")
		w.refused(err, campaign.ReasonNoTarget)
		for _, nobody := range []string{id.New().UUID(), "b8c01433-5556-4e2b-aad4-6f5348d1df84"} {
			change(map[string]any{"target": map[string]any{"$relation": []any{map[string]any{"entity_id": nobody}}}})
			_, err = w.set(c.ID, "")
			w.refused(err, campaign.ReasonNoTarget)
		}
		empty, err := w.targets.Create(bg, w.Tenant, actor, segmentNew("empty"))
		w.check(err)
		change(map[string]any{"target": relate(empty.ID)})
		_, err = w.set(c.ID, "")
		w.refused(err, campaign.ReasonNoFilters)
		change(map[string]any{"target": relate(w.target("x").ID)})
		_, err = w.set(c.ID, "")
		w.refused(err, campaign.ReasonNoDelivery)
		for _, flow := range []string{"no id", id.New().UUID(), id.New().String()} {
			change(map[string]any{"flow_id": flow})
			_, err = w.set(c.ID, "")
			w.refused(err, campaign.ReasonNoDelivery)
		}
		change(map[string]any{"flow_id": nil})
		w.shown[c.ID] = true
		for _, action := range []map[string]any{{}, {"product_recommendation_id": id.New().UUID()}, {"product_recommendation_id": 5}} {
			change(map[string]any{"next_best_action": action})
			_, err = w.set(c.ID, "")
			w.refused(err, campaign.ReasonNextBest)
		}
		change(map[string]any{"next_best_action": nil})
		got, err := w.set(c.ID, "")
		w.check(err)
		if got.Status != campaign.Active || !got.Job.IsZero() {
			w.Errorf("%+v", got)
		}
		if j, err := w.s.Job(w.r(), c.ID); err != nil || j.Status != "" || len(j.Executions) != 0 {
			w.Errorf("%+v %v", j, err)
		}
		off := w.rule(tags)
		no := false
		_, err = w.rules.Toggle(bg, w.Tenant, actor, off.ID, &no)
		w.check(err)
		_, err = w.set(c.ID, "")
		w.check(err)
		change(map[string]any{"flow_id": off.ID.String()})
		if _, err = w.set(c.ID, ""); !errors.Is(err, fault.Of(fault.Invalid)) {
			w.Errorf("a flow that is not enabled: %v", err)
		}
		if w.Count(w, "bulk_job", "1=1") != 0 {
			w.Error("a refused activation made a job")
		}
	})
}

// TestOneActivation asks for one status many times at once.
func TestOneActivation(t *testing.T) {
	each(t, func(w *world) {
		w.person("Asha", "x")
		c := w.campaign("x", w.rule(waits).ID)
		for _, to := range []string{campaign.Active, campaign.Inactive} {
			var mu sync.Mutex
			done := 0
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					_, err := w.set(c.ID, to)
					mu.Lock()
					defer mu.Unlock()
					switch f := fault.As(err); {
					case err == nil:
						done++
					case f == nil || f.Reason != campaign.ReasonBusy && f.Reason != campaign.ReasonStatus:
						w.Errorf("%s: %v", to, err)
					}
				})
			}
			wg.Wait()
			if done != 1 {
				w.Errorf("%s was reached %d times", to, done)
			}
		}
		if n := w.Count(w, "bulk_job", "1=1"); n != 1 {
			w.Errorf("%d jobs", n)
		}
		w.whole()
	})
}

// TestAJobThatFails makes the campaign inactive and keeps its recipients.
func TestAJobThatFails(t *testing.T) {
	each(t, func(w *world) {
		w.person("Asha", "x")
		rule := w.rule(tags)
		c := w.campaign("x", rule.ID)
		_, err := w.set(c.ID, campaign.Active)
		w.check(err)
		w.check(w.rules.Delete(bg, w.Tenant, actor, rule.ID))
		w.work(func() bool { return w.status(c.ID) != campaign.Activating })
		if s := w.status(c.ID); s != campaign.Inactive {
			w.Errorf("the campaign is %s", s)
		}
		if j, err := w.s.Job(w.r(), c.ID); err != nil || j.Status != "failed" {
			w.Errorf("%+v %v", j, err)
		}
		w.whole()
	})
}
