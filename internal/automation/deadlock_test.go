package automation

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/conversation/convtest"
	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// deadlocks counts those that PostgreSQL has seen in this database.
func (w *world) deadlocks() (n int) {
	w.Helper()
	if err := w.DB.Read(bg, w.Tenant).All().QueryRow("SELECT deadlocks FROM pg_stat_database WHERE datname=current_database()").Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}

// TestMergesBesideSteps lets people be merged and parted while their runs take
// steps and are told of events and replies: all take the locks in one order, so
// none is ever undone for a deadlock, and the runs come out right.
func TestMergesBesideSteps(t *testing.T) {
	now := clock.NewFake(convtest.Start)
	w := newWorld(t, storetest.Postgres(t, storetest.Clock(now), storetest.Once()), now)
	r := w.rule(`{"name":"x","trigger":"go","nodes":[{"id":"d","type":"delay","data":{"delayMinutes":1}},{"id":"a","type":"add_tag","data":{"tag":"a"}},
		{"id":"u","type":"update_lead","data":{"fields":{"lastName":"seen"}}},{"id":"w","type":"wait_event","data":{"eventName":"paid","timeoutMinutes":1}},
		{"id":"b","type":"add_tag","data":{"tag":"b"}},{"id":"q","type":"wait_reply","data":{"timeoutMinutes":1}},{"id":"c","type":"remove_tag","data":{"tag":"a"}}],
		"edges":[{"source":"d","target":"a"},{"source":"a","target":"u"},{"source":"u","target":"w"},{"source":"w","target":"b"},{"source":"b","target":"q"},{"source":"q","target":"c"}]}`)
	const pairs, rounds = 6, 4
	var people [pairs][2]id.ID
	for i := range people {
		for k := range people[i] {
			number := fmt.Sprintf("+9170000%05d", 2*i+k)
			if i == 0 && k == 1 {
				number = phone // who writes
			}
			c, _, err := w.Cards.Upsert(bg, w.Tenant, "key:test", deal.NewCard{New: contact.New{FirstName: "A", Phone: number}})
			if err != nil {
				t.Fatal(err)
			}
			people[i][k] = c.Contact.ID
		}
	}
	w.settled()
	before := w.deadlocks()
	runs := 0
	for range rounds {
		for _, p := range people {
			w.fire(Call{Trigger: "go", Lead: p[0]})
			w.fire(Call{Trigger: "go", Lead: p[1]})
			runs += 2
		}
		for range 3 {
			w.Clock.Advance(time.Minute)
			w.together(people[:])
		}
	}
	if n := w.deadlocks() - before; n != 0 {
		t.Errorf("%d deadlocks", n)
	}
	for range 3 {
		w.later(time.Minute)
	}
	ended := w.Count(w, "run", "automation_id=? AND (status='completed' AND steps=7 OR status='aborted' AND exit_reason=?)", r.ID, ExitMerged)
	if ended != runs || w.Count(w, "run", "status='completed'") < runs/3 {
		t.Errorf("of %d runs %d ended as they may, %d completed", runs, ended, w.Count(w, "run", "status='completed'"))
	}
	if err := w.sound(); err != nil {
		t.Error(err)
	}
}

// together carries out due steps, merges, events and replies at the same time.
func (w *world) together(people [][2]id.ID) {
	w.Helper()
	var wg sync.WaitGroup
	failed := make(chan error, 1000)
	do := func(f func() error) {
		wg.Go(func() {
			if err := f(); err != nil && fault.As(err) == nil { // a merge of those who are one already is refused
				failed <- err
			}
		})
	}
	for range 3 {
		do(func() error {
			for _, err := range w.drain() {
				failed <- err
			}
			return nil
		})
	}
	for _, p := range people {
		do(func() error {
			if _, err := w.Contacts.Merge(bg, w.Tenant, "key:test", p[0], p[1]); err != nil {
				return err
			}
			_, _, err := w.Contacts.Unmerge(bg, w.Tenant, "key:test", p[0])
			return err
		})
		do(func() error {
			return w.DB.Write(context.Background(), w.Tenant, func(tx *store.Tx) error {
				t := &tally{}
				cid, err := w.s.resolvedContact(tx, p[1])
				if err != nil {
					return err
				}
				if _, err := w.s.occurred(tx, t, occurrence{names: []string{"paid"}, contact: cid, at: tx.Now()}); err != nil {
					return err
				}
				return t.flush(tx)
			})
		})
	}
	do(func() error { w.says("yes"); return nil })
	wg.Wait()
	close(failed)
	for err := range failed {
		w.Errorf("%v", err)
	}
	w.settled()
}
