package automation

import (
	"fmt"
	"sync/atomic"
	"testing"

	"parley/internal/clock"
	"parley/internal/conversation/convtest"
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
