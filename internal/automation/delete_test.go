package automation

import (
	"fmt"
	"testing"
	"time"

	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/conversation/convtest"
	"parley/internal/deal"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// A rule whose runs are many goes in several transactions.
func TestDeleteOfManyRuns(t *testing.T) {
	each(t, func(w *world) {
		r := w.rule(`{"name":"x","trigger":"go","nodes":[{"id":"w","type":"wait_event","data":{"eventName":"paid","timeoutMinutes":60}}]}`)
		n := abortBatch + 5
		for i := range n {
			w.fire(Call{Trigger: "go", Phone: fmt.Sprintf("+9170000%05d", i), CreateIfMissing: true})
		}
		w.settled()
		if open := w.Count(w, "run", "automation_id=? AND status='waiting'", r.ID); open != n {
			w.Fatalf("%d runs wait", open)
		}
		if err := w.s.Delete(bg, w.Tenant, "key:test", r.ID); err != nil {
			w.Fatal(err)
		}
		if done := w.Count(w, "run", "automation_id=? AND status='aborted' AND exit_reason=?", r.ID, ExitDeleted); done != n || w.Count(w, "automation", "id=?", r.ID) != 0 || w.Count(w, "run_branch", "1=1") != 0 {
			w.Errorf("%d of %d runs ended", done, n)
		}
		if w.DB.Dialect() == store.Postgres { // the feed tells transactions apart
			var most int
			if err := w.DB.Read(bg, w.Tenant).QueryRow("SELECT MAX(n) FROM (SELECT COUNT(*) AS n FROM event WHERE tenant_id=? AND type='run.aborted' GROUP BY xid) x").Scan(&most); err != nil || most > abortBatch {
				w.Errorf("%d runs ended in one transaction, %v", most, err)
			}
		}
		if err := w.sound(); err != nil {
			w.Error(err)
		}
	})
}

// A run that begins while its rule is being deleted does not outlive the rule.
func TestStartBesideDelete(t *testing.T) {
	now := clock.NewFake(convtest.Start)
	w := newWorld(t, storetest.Postgres(t, storetest.Clock(now), storetest.Once()), now)
	c, _, err := w.Cards.Upsert(bg, w.Tenant, "key:test", deal.NewCard{New: contact.New{FirstName: "A", Phone: phone}})
	if err != nil {
		t.Fatal(err)
	}
	r := w.rule(`{"name":"x","trigger":"go","nodes":[{"id":"w","type":"wait_event","data":{"eventName":"paid"}}]}`)
	type result struct {
		f   Fired
		err error
	}
	answer := make(chan result, 1)
	err = w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
		if _, err := w.s.deletePart(tx, "key:test", r.ID); err != nil {
			return err
		}
		go func() {
			f, err := w.s.Fire(bg, w.Tenant, "key:test", Call{Trigger: "go", Lead: c.Contact.ID})
			answer <- result{f, err}
		}()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if storetest.Waiting(t, w.DB) > 0 {
				return nil
			}
		}
		t.Error("the call did not wait for the deletion")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got := <-answer
	w.settled()
	if got.err != nil || got.f.RulesMatched != 0 || w.Count(w, "run", "automation_id=?", r.ID) != 0 {
		t.Errorf("%+v, %d runs", got, w.Count(w, "run", "automation_id=?", r.ID))
	}
	if err := w.sound(); err != nil {
		t.Error(err)
	}
}
