package automation

import (
	"fmt"
	"sync/atomic"
	"testing"

	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/conversation/convtest"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// BenchmarkFire measures trigger calls that start one rule, by many callers.
func BenchmarkFire(b *testing.B) {
	now := clock.NewFake(convtest.Start)
	w := newWorld(b, storetest.SQLite(b, storetest.Clock(now), storetest.Once()), now)
	w.rule(`{"name":"x","trigger":"go","actions":[{"type":"add_tag","config":{"tag":"a"}}]}`)
	var n atomic.Int64
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, err := w.s.Fire(bg, w.Tenant, "key:test", Call{Trigger: "go", Phone: fmt.Sprintf("+9198%08d", n.Add(1)), CreateIfMissing: true})
			if err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkStep measures a run of one tag, from its job to its end.
func BenchmarkStep(b *testing.B) {
	now := clock.NewFake(convtest.Start)
	w := newWorld(b, storetest.SQLite(b, storetest.Clock(now), storetest.Once()), now)
	w.rule(`{"name":"x","trigger":"go","actions":[{"type":"add_tag","config":{"tag":"a"}}]}`)
	w.lead()
	for range b.N {
		w.fire(Call{Trigger: "go", Phone: phone})
	}
	b.ResetTimer()
	w.settled()
}

func BenchmarkRender(b *testing.B) {
	sc := testScope()
	for b.Loop() {
		render("Hi {{lead.firstName}}, your order {{orderId}} of {{totalAmount}} comes on {{start}}.", sc, style{currency: "INR"})
	}
}

// BenchmarkRun measures a run of three tags that an event starts, from the
// event's job to its end, by one caller.
func BenchmarkRun(b *testing.B) {
	now := clock.NewFake(convtest.Start)
	w := newWorld(b, storetest.SQLite(b, storetest.Clock(now), storetest.Once()), now)
	w.rule(`{"name":"x","trigger":"deal_won","actions":[{"type":"add_tag","config":{"tag":"a{{lead.phone}}"}},{"type":"add_tag","config":{"tag":"b"}},{"type":"add_tag","config":{"tag":"c"}}]}`)
	var list []id.ID
	for i := range b.N {
		c, _, err := w.Cards.Upsert(bg, w.Tenant, "key:test", deal.NewCard{New: contact.New{FirstName: "A", Phone: fmt.Sprintf("+9198%08d", i)}})
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, c.Contact.ID)
	}
	w.settled()
	w.append(list)
	jobs := make([]*job.Job, 0, b.N)
	for range b.N {
		j, ok := w.claim()
		if !ok {
			b.Fatal("a job is missing")
		}
		jobs = append(jobs, j)
	}
	b.ResetTimer()
	for _, j := range jobs {
		if err := w.s.handleEvent(bg, j); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	if n := w.Count(w, "run", "status='completed'"); n != b.N {
		b.Errorf("%d runs of %d completed", n, b.N)
	}
}

// append writes an event that starts the rule for each contact.
func (w *world) append(list []id.ID) {
	w.Helper()
	err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
		for _, cid := range list {
			if _, err := w.World.Log.Append(tx, event.New{Type: "deal.won", Subject: cid, Contact: cid, Actor: "test"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
}
