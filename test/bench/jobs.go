package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// jobFigures are those of one database.
type jobFigures struct {
	Database   string  `json:"database"`
	Jobs       int     `json:"jobs"`
	PerSecond  float64 `json:"jobsPerSecond"`     // no-op jobs claimed, run and recorded
	CPUus      float64 `json:"cpuMicrosPerJob"`   // of this process; PostgreSQL's own are not in it
	StartP50ms float64 `json:"enqueueToStartP50"` // from the call of enqueue, its durable commit included
	StartP99ms float64 `json:"enqueueToStartP99"`
}

const noop = "bench.noop"

func measureJobs(o options, dir string) ([]jobFigures, error) {
	say("jobs: sqlite")
	f, err := jobsOn(store.Options{Path: filepath.Join(dir, "jobs", "parley.db")}, o.Jobs, o.Paced)
	if err != nil || !o.Postgres {
		return []jobFigures{f}, err
	}
	say("jobs: postgres, fsync on")
	t := &bench{}
	defer t.end()
	if err := os.Setenv("PARLEY_TEST_FSYNC", "on"); err != nil {
		return nil, err
	}
	if o.Dir != "" { // started by root, the cluster runs as another account, which must be able to reach it
		if err := os.Setenv("TMPDIR", o.Dir); err != nil {
			return nil, err
		}
	}
	url, err := t.postgres()
	if err != nil {
		return nil, err
	}
	g, err := jobsOn(store.Options{URL: url}, o.Jobs/4, o.Paced)
	return []jobFigures{f, g}, err
}

func jobsOn(so store.Options, jobs, paced int) (f jobFigures, err error) {
	ctx := context.Background()
	db, err := store.Open(ctx, so)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.Migrate(ctx); err != nil {
		return f, err
	}
	f = jobFigures{Database: db.Dialect().String(), Jobs: jobs}
	if err := throughput(ctx, db, &f); err != nil {
		return f, err
	}
	return f, pace(ctx, db, paced, &f)
}

// throughput runs jobs that wait already.
func throughput(ctx context.Context, db *store.DB, f *jobFigures) error {
	tenant := id.New()
	for left := f.Jobs; left > 0; {
		n := min(left, 500)
		if err := db.Write(ctx, tenant, func(tx *store.Tx) error {
			for range n {
				if _, _, err := job.Enqueue(tx, job.New{Kind: noop}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
		left -= n
	}
	var ran atomic.Int64
	stop := runner(ctx, db, func(*job.Job) { ran.Add(1) })
	begun, cpu := time.Now(), selfCPU()
	err := until(time.Minute, func() (bool, error) {
		if ran.Load() < int64(f.Jobs) {
			return false, nil
		}
		var n int
		err := db.Read(ctx, tenant).QueryRow("SELECT COUNT(*) FROM job WHERE tenant_id=? AND state='completed'").Scan(&n)
		return n == f.Jobs, err
	})
	f.PerSecond = float64(f.Jobs) / time.Since(begun).Seconds()
	f.CPUus = (selfCPU() - cpu) * 1e6 / float64(f.Jobs)
	return errors.Join(err, stop())
}

// pace enqueues jobs one after the other on an idle node.
func pace(ctx context.Context, db *store.DB, n int, f *jobFigures) error {
	tenant := id.New()
	type mark struct {
		N int `json:"n"`
	}
	begun := make([]time.Time, n)
	took := make(chan time.Duration, n)
	stop := runner(ctx, db, func(j *job.Job) {
		now := time.Now()
		var m mark
		if j.Decode(&m) == nil {
			took <- now.Sub(begun[m.N])
		}
	})
	var err error
	for i := 0; i < n && err == nil; i++ {
		begun[i] = time.Now()
		err = db.Write(ctx, tenant, func(tx *store.Tx) error {
			_, _, err := job.Enqueue(tx, job.New{Kind: noop, Args: mark{i}})
			return err
		})
		time.Sleep(time.Until(begun[i].Add(4 * time.Millisecond)))
	}
	if err == nil {
		err = until(time.Minute, func() (bool, error) { return len(took) == n, nil })
	}
	if err = errors.Join(err, stop()); err != nil {
		return err
	}
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = <-took
	}
	slices.Sort(all)
	f.StartP50ms, f.StartP99ms = millis(quantile(all, 0.5)), millis(quantile(all, 0.99))
	return nil
}

func runner(ctx context.Context, db *store.DB, handle func(*job.Job)) (stop func() error) {
	r := job.NewRunner(db, job.Options{Node: id.New().String()})
	r.Register(job.Kind{Name: noop, Handle: func(_ context.Context, j *job.Job) error { handle(j); return nil }})
	run, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- r.Run(run) }()
	return func() error { cancel(); return <-done }
}

func until(limit time.Duration, done func() (bool, error)) error {
	for deadline := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		if ok, err := done(); ok || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the jobs did not end within %s", limit)
		}
	}
}

// bench lends storetest what it needs of a test, to start PostgreSQL.
type bench struct {
	testing.TB
	cleanups []func()
}

type failed struct{ error }

func (b *bench) Helper()          {}
func (b *bench) Cleanup(f func()) { b.cleanups = append(b.cleanups, f) }
func (b *bench) Fatalf(format string, args ...any) {
	panic(failed{fmt.Errorf(format, args...)})
}

func (b *bench) postgres() (url string, err error) {
	defer func() {
		if f, ok := recover().(failed); ok {
			err = f.error
		}
	}()
	return storetest.PostgresURL(b), nil
}

func (b *bench) end() {
	defer func() {
		if f, ok := recover().(failed); ok {
			say("%v", f.error)
		}
	}()
	for _, f := range b.cleanups {
		f()
	}
}
