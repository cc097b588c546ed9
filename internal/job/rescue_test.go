package job_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/internal/clock"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// A node falls silent in the middle of a job: another rescues it, and the first
// node's late effect is refused, because its lease is lost.
func TestASilentNodesJobIsRescuedAndFenced(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		fake := db.Clock().(*clock.Fake)
		tenant := id.New()
		var late atomic.Value
		began, wake := make(chan struct{}), make(chan struct{})
		first := job.NewRunner(db, job.Options{Node: "silent", Lease: 30 * time.Second})
		first.Register(job.Kind{Name: "k", Timeout: time.Hour, Handle: func(ctx context.Context, j *job.Job) error {
			if j.Attempt > 1 { // it is not as silent as it should be: the other is to have it
				return job.Snooze(time.Millisecond)
			}
			close(began)
			<-wake
			err := db.Write(bg, j.Tenant, func(tx *store.Tx) error { return j.Complete(tx) })
			late.Store(err)
			return err
		}})
		stop := start(t, first)
		defer stop()
		var once sync.Once
		goOn := func() { once.Do(func() { close(wake) }) }
		defer goOn()
		jobID := enqueue(t, db, tenant, job.New{Kind: "k", MaxAttempts: 1})
		<-began
		// The lease ends without the node's heartbeat having a chance.
		if err := db.Write(bg, id.Zero, func(tx *store.Tx) error {
			_, err := tx.System().Exec("UPDATE job SET lease_until=1")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		var ran atomic.Int32
		second := job.NewRunner(db, job.Options{Node: "second", Lease: 30 * time.Second})
		second.Register(job.Kind{Name: "k", Handle: func(context.Context, *job.Job) error { ran.Add(1); return nil }})
		stop2 := start(t, second)
		defer stop2()
		eventually(t, "the second node ran it", func() bool {
			j := stateOf(t, db, tenant, jobID)
			if j.Node == "silent" && j.State != job.Completed {
				_ = db.Write(bg, id.Zero, func(tx *store.Tx) error {
					_, err := tx.System().Exec("UPDATE job SET lease_until=1 WHERE node='silent' AND state='running'")
					return err
				})
				fake.Advance(11 * time.Second)
			}
			return j.State == job.Completed
		})
		goOn()
		eventually(t, "the late effect is refused", func() bool { return late.Load() != nil })
		if err, _ := late.Load().(error); !errors.Is(err, job.ErrLost) {
			t.Fatalf("a lost lease must refuse the effect, got %v", err)
		}
		if ran.Load() != 1 {
			t.Fatalf("ran %d times", ran.Load())
		}
		stop()
	}, storetest.Clock(clock.NewFake(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))))
}

func TestAloneTakesOverAtOnce(t *testing.T) {
	db := storetest.SQLite(t)
	tenant := id.New()
	jobID := enqueue(t, db, tenant, job.New{Kind: "k"})
	if err := db.Write(bg, id.Zero, func(tx *store.Tx) error {
		_, err := tx.System().Exec("UPDATE job SET state='running', attempt=3, max_attempts=3, node='dead', lease_until=?", tx.Now().Add(time.Hour))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	r := job.NewRunner(db, job.Options{Node: "n2", Alone: true})
	r.Register(job.Kind{Name: "k", Handle: func(context.Context, *job.Job) error { return nil }})
	start(t, r)
	eventually(t, "completed", func() bool { return stateOf(t, db, tenant, jobID).State == job.Completed })
}
