package job_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"parley/internal/clock"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// change runs one statement beside the runner.
func change(t *testing.T, db *store.DB, q string, args ...any) {
	t.Helper()
	if err := db.Write(bg, id.Zero, func(tx *store.Tx) error { _, err := tx.System().Exec(q, args...); return err }); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
}

func fakeClock() storetest.Option {
	return storetest.Clock(clock.NewFake(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)))
}

// A job that takes long holds one worker, not the search for work.
func TestALongJobHoldsUpNobody(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tenant := id.New()
		began, end := make(chan struct{}), make(chan struct{})
		r := job.NewRunner(db, job.Options{Node: "n1"})
		r.Register(job.Kind{Name: "long", Handle: func(ctx context.Context, _ *job.Job) error {
			close(began)
			select {
			case <-end:
			case <-ctx.Done():
			}
			return nil
		}})
		r.Register(job.Kind{Name: "short", Handle: func(context.Context, *job.Job) error { return nil }})
		start(t, r)
		defer close(end)
		enqueue(t, db, tenant, job.New{Kind: "long"})
		<-began
		short := enqueue(t, db, tenant, job.New{Kind: "short"})
		eventually(t, "the short job runs beside the long one", func() bool { return stateOf(t, db, tenant, short).State == job.Completed })
	})
}

// Jobs of kinds that this program does not know stay, and hold up no tenant that
// comes behind them, however many tenants have some.
func TestUnknownKindsHoldUpNobody(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var tenants []id.ID
		for range 8 {
			tenants = append(tenants, id.New())
		}
		slices.SortFunc(tenants, func(a, b id.ID) int { return slices.Compare(a[:], b[:]) })
		for _, tenant := range tenants[:7] {
			enqueue(t, db, tenant, job.New{Kind: "younger"})
		}
		known := enqueue(t, db, tenants[7], job.New{Kind: "known"})
		r := job.NewRunner(db, job.Options{Node: "n1", Workers: 1, Poll: time.Millisecond})
		r.Register(job.Kind{Name: "known", Handle: func(context.Context, *job.Job) error { return nil }})
		start(t, r)
		eventually(t, "the known job runs", func() bool { return stateOf(t, db, tenants[7], known).State == job.Completed })
	})
}

// The answer of the transaction that claimed a job was lost: the node holds a lease
// on what it never began, and must not renew it for ever.
func TestAClaimWhoseAnswerWasLostIsHandedBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		fake := db.Clock().(*clock.Fake)
		tenant := id.New()
		jobID := enqueue(t, db, tenant, job.New{Kind: "k"})
		change(t, db, "UPDATE job SET state='running', attempt=1, node='n1', lease_until=?, started_at=?", fake.Now().Add(30*time.Second), fake.Now())
		r := job.NewRunner(db, job.Options{Node: "n1"})
		r.Register(job.Kind{Name: "k", Handle: func(context.Context, *job.Job) error { return nil }})
		start(t, r)
		eventually(t, "it runs", func() bool {
			fake.Advance(10 * time.Second)
			return stateOf(t, db, tenant, jobID).State == job.Completed
		})
	}, fakeClock())
}

// refuse makes the database refuse that jobs are completed, as one that is away
// does, until the returned function is called.
func refuse(t *testing.T, db *store.DB) (again func()) {
	make, drop := []string{`CREATE TRIGGER job_refused BEFORE UPDATE ON job WHEN NEW.state='completed' BEGIN SELECT RAISE(ABORT, 'away'); END`}, []string{"DROP TRIGGER IF EXISTS job_refused"}
	if db.Dialect() == store.Postgres {
		make = []string{`CREATE FUNCTION job_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'away'; END $$`,
			`CREATE TRIGGER job_refused BEFORE UPDATE ON job FOR EACH ROW WHEN (NEW.state='completed') EXECUTE FUNCTION job_refuse()`}
		drop = []string{"DROP TRIGGER IF EXISTS job_refused ON job", "DROP FUNCTION IF EXISTS job_refuse"}
	}
	for _, q := range make {
		change(t, db, q)
	}
	again = func() {
		for _, q := range drop {
			change(t, db, q)
		}
	}
	t.Cleanup(again) // the database is used again
	return again
}

// heard tells of what is logged.
type heard struct {
	slog.Handler
	text chan string
}

func (h heard) Enabled(context.Context, slog.Level) bool { return true }
func (h heard) Handle(_ context.Context, r slog.Record) error {
	select {
	case h.text <- r.Message:
	default:
	}
	return nil
}

// The database was away when a job ended: the job runs again on the same node,
// whose lease must not keep it from everybody for ever.
func TestAJobWhoseEndCouldNotBeWrittenRunsAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		fake := db.Clock().(*clock.Fake)
		tenant := id.New()
		again := refuse(t, db)
		log := heard{slog.DiscardHandler, make(chan string, 100)}
		r := job.NewRunner(db, job.Options{Node: "n1", Logger: slog.New(log)})
		r.Register(job.Kind{Name: "k", Handle: func(context.Context, *job.Job) error { return nil }})
		start(t, r)
		jobID := enqueue(t, db, tenant, job.New{Kind: "k"})
		for text := range log.text {
			if text == "could not record a job's outcome" {
				break
			}
		}
		again()
		eventually(t, "it has run again", func() bool {
			fake.Advance(10 * time.Second)
			return stateOf(t, db, tenant, jobID).State == job.Completed
		})
	}, fakeClock())
}

// Of two jobs of a silent node one cannot be given up: the other is rescued.
func TestAJobThatCannotBeRescuedHoldsUpNoOther(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		fake := db.Clock().(*clock.Fake)
		tenant := id.New()
		stuck := enqueue(t, db, tenant, job.New{Kind: "stuck"})
		good := enqueue(t, db, tenant, job.New{Kind: "good"})
		change(t, db, "UPDATE job SET state='running', attempt=100, max_attempts=200, node='dead', lease_until=1")
		change(t, db, "UPDATE job SET attempt=1 WHERE tenant_id=? AND id=?", tenant, good)
		for _, alone := range []bool{false, true} {
			r := job.NewRunner(db, job.Options{Node: "n1", Alone: alone})
			r.Register(job.Kind{Name: "stuck", Handle: func(context.Context, *job.Job) error { return nil },
				Discarded: func(*store.Tx, *job.Job, error) error { return errors.New("nobody can be told") }})
			r.Register(job.Kind{Name: "good", Handle: func(context.Context, *job.Job) error { return nil }})
			stop := start(t, r)
			eventually(t, "the other job is rescued and done", func() bool {
				fake.Advance(10 * time.Second)
				return stateOf(t, db, tenant, good).State == job.Completed
			})
			stop()
			change(t, db, "UPDATE job SET state='running', finished_at=NULL, node='dead', lease_until=1 WHERE tenant_id=? AND id=?", tenant, good)
		}
		if j := stateOf(t, db, tenant, stuck); j.State != job.Running {
			t.Errorf("the job that cannot be given up is %s", j.State)
		}
	}, fakeClock())
}

// A person cancels a job on another node, and its own has not heard of it when the
// job puts itself off or fails: it does not run again.
func TestACancelledJobDoesNotRunAgain(t *testing.T) {
	for name, end := range map[string]error{"it puts itself off": job.Snooze(time.Millisecond), "it fails": errors.New("no luck")} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				tenant := id.New()
				began, goOn := make(chan struct{}, 1), make(chan struct{})
				r := job.NewRunner(db, job.Options{Node: "n1"})
				r.Register(job.Kind{Name: "k", Backoff: func(int) time.Duration { return time.Millisecond }, Handle: func(context.Context, *job.Job) error {
					select {
					case began <- struct{}{}:
					default:
					}
					<-goOn
					return end
				}})
				start(t, r)
				jobID := enqueue(t, db, tenant, job.New{Kind: "k"})
				<-began
				// What Cancel writes, without its wake.
				change(t, db, "UPDATE job SET cancel_requested=TRUE WHERE tenant_id=? AND id=?", tenant, jobID)
				close(goOn)
				eventually(t, "it has ended", func() bool { return !stateOf(t, db, tenant, jobID).FinishedAt.IsZero() })
				if j := stateOf(t, db, tenant, jobID); j.State != job.Cancelled || j.Attempt != 1 {
					t.Errorf("the cancelled job is %s after attempt %d", j.State, j.Attempt)
				}
			})
		})
	}
}

// A person tries an old job again in the moment in which old jobs are swept away:
// it stays.
func TestARetriedJobIsNotSweptAway(t *testing.T) {
	if testing.Short() {
		t.Skip("PostgreSQL is left out of short runs")
	}
	db := storetest.Postgres(t, fakeClock(), storetest.Once())
	tenant := id.New()
	jobID := enqueue(t, db, tenant, job.New{Kind: "k"})
	change(t, db, "UPDATE job SET state='discarded', finished_at=1")
	r := job.NewRunner(db, job.Options{Node: "n1"})
	swept := make(chan error, 1)
	storetest.Behind(t, db, tenant,
		func(ctx context.Context) error {
			_, err := job.NewConsole(db, r).Retry(ctx, tenant, jobID)
			return err
		},
		func() error {
			sweep := enqueue(t, db, id.Zero, job.New{Kind: "job.sweep"})
			start(t, r)
			go func() {
				eventually(t, "the sweep is done", func() bool { return stateOf(t, db, id.Zero, sweep).State == job.Completed })
				swept <- nil
			}()
			return nil
		})
	<-swept
	if j := stateOf(t, db, tenant, jobID); j.State != job.Available {
		t.Errorf("the job that was to be tried again is %s", j.State)
	}
}

// A job that put itself off many times has not failed once: it waits as after a first
// failure, and outlives the death of its node.
func TestPuttingOffIsNoAttempt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		fake := db.Clock().(*clock.Fake)
		tenant := id.New()
		const often = 30
		last, fail, runs := make(chan struct{}), make(chan struct{}), 0
		r := job.NewRunner(db, job.Options{Node: "n1", Lease: 1000 * time.Hour})
		r.Register(job.Kind{Name: "k", Handle: func(context.Context, *job.Job) error {
			if runs++; runs <= often {
				return job.Snooze(time.Second)
			}
			close(last)
			<-fail
			return errors.New("no luck")
		}})
		stop := start(t, r)
		jobID := enqueue(t, db, tenant, job.New{Kind: "k"})
		eventually(t, "it runs at last", func() bool {
			if stateOf(t, db, tenant, jobID).State == job.Scheduled {
				fake.Advance(time.Second)
			}
			select {
			case <-last:
				return true
			default:
				return false
			}
		})
		close(fail)
		eventually(t, "it has failed", func() bool { return stateOf(t, db, tenant, jobID).State == job.Retryable })
		if j := stateOf(t, db, tenant, jobID); j.RunAt.Sub(fake.Now()) != 20*time.Second {
			t.Errorf("after its first failure it waits %s", j.RunAt.Sub(fake.Now()))
		}
		stop()
		change(t, db, "UPDATE job SET state='running', attempt=attempt+1, node='dead', lease_until=1")
		second := job.NewRunner(db, job.Options{Node: "n2", Alone: true})
		second.Register(job.Kind{Name: "k", Handle: func(context.Context, *job.Job) error { return nil }})
		start(t, second)
		eventually(t, "it has ended", func() bool { return !stateOf(t, db, tenant, jobID).FinishedAt.IsZero() })
		if j := stateOf(t, db, tenant, jobID); j.State != job.Completed {
			t.Errorf("after its node died it is %s: %s", j.State, j.LastError)
		}
	}, fakeClock())
}
