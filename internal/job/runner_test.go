package job_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/clock"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

func enqueue(t *testing.T, db *store.DB, tenant id.ID, n job.New) id.ID {
	t.Helper()
	jobID, err := store.Write(bg, db, tenant, func(tx *store.Tx) (id.ID, error) {
		jobID, _, err := job.Enqueue(tx, n)
		return jobID, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return jobID
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
	}
}

func start(t *testing.T, r *job.Runner) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(bg)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func stateOf(t *testing.T, db *store.DB, tenant, jobID id.ID) job.Job {
	t.Helper()
	j, err := job.NewConsole(db, nil).Get(bg, tenant, jobID)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestAJobRunsOnceAndItsEffectWithIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tenant := id.New()
		r := job.NewRunner(db, job.Options{Node: "n1"})
		r.Register(job.Kind{Name: "effect", Handle: func(ctx context.Context, j *job.Job) error {
			return db.Write(ctx, j.Tenant, func(tx *store.Tx) error {
				if _, err := tx.Exec("INSERT INTO tenant_secret (tenant_id, name, sealed, updated_at) VALUES (?,?,?,?)", j.ID.String(), "x", tx.Now()); err != nil {
					return err
				}
				return j.Complete(tx)
			})
		}})
		start(t, r)
		var ids []id.ID
		for i := 0; i < 50; i++ {
			ids = append(ids, enqueue(t, db, tenant, job.New{Kind: "effect"}))
		}
		for _, jobID := range ids {
			eventually(t, "completed", func() bool { return stateOf(t, db, tenant, jobID).State == job.Completed })
		}
		var n int
		if err := db.Read(bg, tenant).QueryRow("SELECT COUNT(*) FROM tenant_secret WHERE tenant_id=?").Scan(&n); err != nil || n != 50 {
			t.Fatalf("%d effects (%v), want 50", n, err)
		}
	})
}

func TestUniqueKeysAllowOneUnfinishedJob(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tenant := id.New()
		var mu sync.Mutex
		seen := map[id.ID]bool{}
		var wg sync.WaitGroup
		for i := 0; i < 30; i++ {
			wg.Add(1)
			go func() {
				defer wg.Done()
				jobID := enqueue(t, db, tenant, job.New{Kind: "k", UniqueKey: "one"})
				mu.Lock()
				seen[jobID] = true
				mu.Unlock()
			}()
		}
		wg.Wait()
		other := enqueue(t, db, id.New(), job.New{Kind: "k", UniqueKey: "one"})
		if len(seen) != 1 || seen[other] {
			t.Fatalf("%d jobs hold one key", len(seen))
		}
	})
}

func TestRetriesThenDiscards(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		fake := db.Clock().(*clock.Fake)
		tenant := id.New()
		var tries atomic.Int32
		var told atomic.Value
		r := job.NewRunner(db, job.Options{Node: "n1", Poll: time.Hour, Lease: 10 * time.Hour})
		r.Register(job.Kind{Name: "bad",
			Handle:    func(context.Context, *job.Job) error { return fmt.Errorf("no luck %d", tries.Add(1)) },
			Discarded: func(tx *store.Tx, j *job.Job, cause error) error { told.Store(cause.Error()); return nil }})
		start(t, r)
		jobID := enqueue(t, db, tenant, job.New{Kind: "bad"})
		for want := int32(1); want <= 2; want++ {
			eventually(t, "a failed attempt", func() bool { return stateOf(t, db, tenant, jobID).State == job.Retryable })
			j := stateOf(t, db, tenant, jobID)
			if pause := j.RunAt.Sub(fake.Now()); pause != 10*time.Second<<want {
				t.Fatalf("pause after attempt %d is %s", want, pause)
			}
			fake.Advance(10 * time.Second << want)
			eventually(t, "another attempt", func() bool { return tries.Load() > want })
		}
		eventually(t, "discarded", func() bool { return stateOf(t, db, tenant, jobID).State == job.Discarded })
		if tries.Load() != 3 || told.Load() != "no luck 3" {
			t.Fatalf("tries %d, told %v", tries.Load(), told.Load())
		}
		c := job.NewConsole(db, r)
		list, total, err := c.Failed(bg, tenant, 1, 10)
		if err != nil || total != 1 || list[0].ID != jobID || list[0].LastError != "no luck 3" {
			t.Fatalf("failed list: %v %d %v", list, total, err)
		}
		if _, err := c.Retry(bg, tenant, jobID); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it ran again", func() bool { return tries.Load() == 4 })
	}, storetest.Clock(clock.NewFake(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))))
}

func TestSnoozeCancelAndPanic(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tenant := id.New()
		var snoozed atomic.Int32
		began := make(chan struct{}, 1)
		r := job.NewRunner(db, job.Options{Node: "n1"})
		r.Register(job.Kind{Name: "snooze", Handle: func(context.Context, *job.Job) error {
			if snoozed.Add(1) < 5 {
				return job.Snooze(time.Millisecond)
			}
			return nil
		}})
		r.Register(job.Kind{Name: "hang", Handle: func(ctx context.Context, j *job.Job) error {
			began <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}})
		r.Register(job.Kind{Name: "panic", Handle: func(context.Context, *job.Job) error { panic("ouch") }})
		r.Register(job.Kind{Name: "giveup", Handle: func(context.Context, *job.Job) error { return job.GiveUp(errors.New("never")) }})
		start(t, r)

		s := enqueue(t, db, tenant, job.New{Kind: "snooze", MaxAttempts: 1})
		eventually(t, "snoozed job completes", func() bool { return stateOf(t, db, tenant, s).State == job.Completed })

		h := enqueue(t, db, tenant, job.New{Kind: "hang"})
		<-began
		if _, err := job.NewConsole(db, r).Cancel(bg, tenant, h); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the running job is cancelled", func() bool { return stateOf(t, db, tenant, h).State == job.Cancelled })

		p := enqueue(t, db, tenant, job.New{Kind: "panic", MaxAttempts: 1})
		eventually(t, "a panic discards", func() bool { return stateOf(t, db, tenant, p).State == job.Discarded })
		g := enqueue(t, db, tenant, job.New{Kind: "giveup"})
		eventually(t, "giving up discards", func() bool { return stateOf(t, db, tenant, g).State == job.Discarded })

		later := enqueue(t, db, tenant, job.New{Kind: "snooze", RunAt: time.Now().Add(time.Hour)})
		if j, err := job.NewConsole(db, r).Cancel(bg, tenant, later); err != nil || j.State != job.Cancelled {
			t.Fatalf("a waiting job is cancelled at once: %v %v", j.State, err)
		}
		if _, err := job.NewConsole(db, r).Cancel(bg, tenant, later); err == nil {
			t.Fatal("a finished job cannot be cancelled")
		}
	})
}

// Whoever waits for a job learns in the same transaction that it will not be
// done, also when a person ends it: while it waits, while it runs, or by
// removing it.
func TestEndedByAPerson(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tenant := id.New()
		began := make(chan struct{}, 1)
		r := job.NewRunner(db, job.Options{Node: "n1"})
		r.Register(job.Kind{Name: "owed", Handle: func(ctx context.Context, j *job.Job) error {
			began <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}, Discarded: func(tx *store.Tx, j *job.Job, cause error) error {
			if !errors.Is(cause, job.ErrCancelled) {
				t.Errorf("the cause is %v", cause)
			}
			_, _, err := job.Enqueue(tx, job.New{Kind: "told", UniqueKey: j.ID.String(), RunAt: tx.Now().Add(time.Hour)})
			return err
		}})
		start(t, r)
		c := job.NewConsole(db, r)
		told := func(jobID id.ID) (n int) {
			t.Helper()
			if err := db.Read(bg, tenant).QueryRow("SELECT COUNT(*) FROM job WHERE tenant_id=? AND kind='told' AND unique_key=?", jobID.String()).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		running := enqueue(t, db, tenant, job.New{Kind: "owed"})
		<-began
		if _, err := c.Cancel(bg, tenant, running); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the running job is cancelled", func() bool { return stateOf(t, db, tenant, running).State == job.Cancelled })
		waiting := enqueue(t, db, tenant, job.New{Kind: "owed", RunAt: time.Now().Add(time.Hour)})
		if _, err := c.Cancel(bg, tenant, waiting); err != nil {
			t.Fatal(err)
		}
		removed := enqueue(t, db, tenant, job.New{Kind: "owed", RunAt: time.Now().Add(time.Hour)})
		if err := c.Remove(bg, tenant, removed); err != nil {
			t.Fatal(err)
		}
		if err := c.Remove(bg, tenant, waiting); err != nil { // it has ended before
			t.Fatal(err)
		}
		for what, jobID := range map[string]id.ID{"running": running, "waiting": waiting, "removed": removed} {
			if n := told(jobID); n != 1 {
				t.Errorf("%s: whoever waits for it was told %d times", what, n)
			}
		}
	})
}

func TestAStoppedServerHandsItsJobsBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tenant := id.New()
		began := make(chan struct{}, 1)
		var hold atomic.Bool
		hold.Store(true)
		kind := job.Kind{Name: "k", Handle: func(ctx context.Context, j *job.Job) error {
			if !hold.Load() {
				return nil
			}
			began <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}}
		r := job.NewRunner(db, job.Options{Node: "n1"})
		r.Register(kind)
		stop := start(t, r)
		jobID := enqueue(t, db, tenant, job.New{Kind: "k", MaxAttempts: 1})
		<-began
		stop()
		if j := stateOf(t, db, tenant, jobID); j.State != job.Available {
			t.Fatalf("after the stop the job is %s", j.State)
		}
		hold.Store(false)
		r2 := job.NewRunner(db, job.Options{Node: "n2"})
		r2.Register(kind)
		start(t, r2)
		eventually(t, "the next process finishes it", func() bool { return stateOf(t, db, tenant, jobID).State == job.Completed })
	})
}

func TestARunnerThatIsToldToEndBeforeItBeginsEndsWell(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx, cancel := context.WithCancel(bg)
		cancel()
		r := job.NewRunner(db, job.Options{Node: "n", Alone: true})
		r.Cron("tick", "* * * * *", job.New{Kind: "tick"})
		if err := r.Run(ctx); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTheCronTicksOnceOverAllNodes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		fake := db.Clock().(*clock.Fake)
		var ran atomic.Int32
		for _, node := range []string{"n1", "n2", "n3"} {
			r := job.NewRunner(db, job.Options{Node: node, Lease: 100 * time.Hour})
			r.Register(job.Kind{Name: "tick", Handle: func(context.Context, *job.Job) error { ran.Add(1); return nil }})
			r.Cron("tick", "*/5 * * * *", job.New{Kind: "tick"})
			start(t, r)
		}
		planned := func() (n int) {
			_ = db.Read(bg, id.Zero).All().QueryRow("SELECT COUNT(*) FROM job_cron WHERE name='tick'").Scan(&n)
			return n
		}
		eventually(t, "planned", func() bool { return planned() == 1 })
		for i := int32(1); i <= 3; i++ {
			fake.Advance(5 * time.Minute)
			eventually(t, "a tick", func() bool { fake.Advance(10 * time.Millisecond); return ran.Load() >= i })
		}
		if ran.Load() != 3 {
			t.Fatalf("3 ticks ran %d jobs", ran.Load())
		}
	}, storetest.Clock(clock.NewFake(time.Date(2026, 1, 1, 0, 1, 0, 0, time.UTC))))
}

func TestTenantsShareTheWorkers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		busy, quiet := id.New(), id.New()
		if err := db.Write(bg, busy, func(tx *store.Tx) error {
			for i := 0; i < 400; i++ {
				if _, _, err := job.Enqueue(tx, job.New{Kind: "k", Priority: 1}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		q := enqueue(t, db, quiet, job.New{Kind: "k", Priority: 9})
		var mu sync.Mutex
		before := -1
		n := 0
		r := job.NewRunner(db, job.Options{Node: "n1", Workers: 1}) // one, so that jobs run in the order of their claims
		r.Register(job.Kind{Name: "k", Handle: func(ctx context.Context, j *job.Job) error {
			mu.Lock()
			defer mu.Unlock()
			if j.ID == q {
				before = n
			}
			n++
			return nil
		}})
		start(t, r)
		eventually(t, "all ran", func() bool { mu.Lock(); defer mu.Unlock(); return n == 401 })
		if before > 2 {
			t.Fatalf("the quiet tenant waited for %d jobs of the busy one", before)
		}
	})
}

func TestPriorityCountsWithinATenant(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tenant := id.New()
		var want []id.ID
		for _, p := range []int{9, 5, 1} {
			want = append([]id.ID{enqueue(t, db, tenant, job.New{Kind: "k", Priority: p})}, want...)
		}
		var mu sync.Mutex
		var got []id.ID
		r := job.NewRunner(db, job.Options{Node: "n1", Workers: 1})
		r.Register(job.Kind{Name: "k", Handle: func(ctx context.Context, j *job.Job) error {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, j.ID)
			return nil
		}})
		start(t, r)
		eventually(t, "all ran", func() bool { mu.Lock(); defer mu.Unlock(); return len(got) == 3 })
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("order %v, want %v", got, want)
		}
	})
}
