package automation

import (
	"testing"
	"time"

	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/conversation/convtest"
	"parley/internal/deal"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// An event that comes for a person while they are being merged finds what waits,
// wherever the merge has put it.
func TestWebhookEventBesideMerge(t *testing.T) {
	now := clock.NewFake(convtest.Start)
	w := newWorld(t, storetest.Postgres(t, storetest.Clock(now), storetest.Once()), now)
	first := w.lead()
	second, _, err := w.Cards.Upsert(bg, w.Tenant, "key:test", deal.NewCard{New: contact.New{FirstName: "B", Phone: "+919800000001"}})
	if err != nil {
		t.Fatal(err)
	}
	r := w.rule(`{"name":"x","trigger":"go","nodes":[{"id":"w","type":"wait_event","data":{"eventName":"paid"}}]}`)
	w.fire(Call{Trigger: "go", Lead: second.Contact.ID})
	w.settled()
	type result struct {
		runs []id.ID
		err  error
	}
	answer := make(chan result, 1)
	err = w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
		if _, err := w.Contacts.MergeIn(tx, "key:test", first.Contact.ID, second.Contact.ID); err != nil {
			return err
		}
		go func() {
			runs, err := w.s.WebhookEvent(bg, w.Tenant, r.ID, "paid", map[string]any{"leadId": second.Contact.ID.String()})
			answer <- result{runs, err}
		}()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if storetest.Waiting(t, w.DB) > 0 {
				return nil
			}
		}
		t.Error("the event did not wait for the merge")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := <-answer; got.err != nil || len(got.runs) != 1 {
		t.Errorf("%v, %v", got.runs, got.err)
	}
}
