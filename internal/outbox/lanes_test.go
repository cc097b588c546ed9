package outbox_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"parley/internal/clock"
	"parley/internal/conversation"
	"parley/internal/conversation/convtest"
	"parley/internal/job"
	"parley/internal/outbox"
	"parley/internal/outbox/ledger"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestLanesDrainTheOutbox runs the real lanes on the real clock.
func TestLanesDrainTheOutbox(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := convtest.New(t, db, nil, outbox.Options{})
		lanes := job.NewLanes(db, job.LaneOptions{Node: "n1"})
		lanes.Add(w.Outbox)
		ctx, stop := context.WithCancel(bg)
		done := make(chan struct{})
		go func() { defer close(done); lanes.Run(ctx) }()
		defer func() { stop(); <-done }()
		const n = 100
		start := time.Now()
		for i := range n {
			to := fmt.Sprintf("91900000%04d", i%10)
			if i < 10 {
				if err := w.Conversations.Receive(bg, w.Account, hello(w, to)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := w.Conversations.Send(bg, w.Tenant, "key:t", conversation.Send{To: to, Text: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}
		deadline := time.Now().Add(time.Minute)
		for w.Count(t, "outbox", "state=?", ledger.Sent) < n {
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d sent", w.Count(t, "outbox", "state=?", ledger.Sent), n)
			}
			<-time.After(5 * time.Millisecond)
		}
		t.Logf("%d messages promised and sent in %v", n, time.Since(start))
		next := map[string]int{}
		for _, m := range w.Channel.Sent() {
			var i int
			if _, err := fmt.Sscan(m.Text, &i); err != nil || i < next[m.To] {
				t.Fatalf("to %s: %s after %d", m.To, m.Text, next[m.To])
			}
			next[m.To] = i
		}
	}, storetest.Clock(clock.Real{}), storetest.Once())
}
