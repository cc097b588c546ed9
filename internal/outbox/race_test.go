package outbox_test

import (
	"fmt"
	"sync"
	"testing"

	"parley/internal/channel"
	"parley/internal/clock"
	"parley/internal/conversation"
	"parley/internal/conversation/convtest"
	"parley/internal/outbox"
	"parley/internal/outbox/ledger"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestTwoNodesOnOneLane lets two nodes that both believe to hold the lane drain
// it at once: every message leaves once, in order, one per conversation at a
// time.
func TestTwoNodesOnOneLane(t *testing.T) {
	c := clock.NewFake(convtest.Start)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := convtest.New(t, db, c, outbox.Options{})
		other := outbox.New(db, map[string]channel.Channel{"whatsapp": w.Channel}, w.Accounts, w.Contacts, w.Conversations, outbox.Options{})
		const people, each = 8, 5
		for p := range people {
			w.Hello(t, fmt.Sprintf("91900000%04d", p))
		}
		for i := range each {
			for p := range people {
				w.Text(t, fmt.Sprintf("91900000%04d", p), fmt.Sprint(i))
			}
		}
		var mu sync.Mutex
		busy, got := map[string]bool{}, map[string]string{}
		w.Channel.Answer(func(m channel.Outgoing) (channel.Result, error) {
			mu.Lock()
			if busy[m.To] {
				t.Errorf("two messages to %s at once", m.To)
			}
			busy[m.To] = true
			got[m.To] += m.Text
			busy[m.To] = false
			mu.Unlock()
			return convtest.Accept(m)
		})
		var wg sync.WaitGroup
		for _, o := range []*outbox.Outbox{w.Outbox, other} {
			for range 2 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for range 200 {
						work, _, err := o.Claim(bg, lane(w), 3)
						if err != nil {
							t.Errorf("claim: %v", err)
							return
						}
						for _, do := range work {
							do(bg)
						}
						mu.Lock()
						n := 0
						for _, s := range got {
							n += len(s)
						}
						mu.Unlock()
						if n >= people*each {
							return
						}
					}
				}()
			}
		}
		wg.Wait()
		drain(t, w)
		for p := range people {
			if s := got[fmt.Sprintf("91900000%04d", p)]; s != "01234" {
				t.Errorf("person %d got %q", p, s)
			}
		}
		if n := w.Count(t, "outbox", "state=?", ledger.Sent); n != people*each {
			t.Fatalf("%d sent rows, want %d", n, people*each)
		}
		if n := w.Count(t, "message", "direction='outbound' AND status=?", conversation.Sent); n != people*each {
			t.Fatalf("%d sent messages, want %d", n, people*each)
		}
	}, storetest.Clock(c), storetest.Once())
}
