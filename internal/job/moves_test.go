package job_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// drawn are the moves of docs/state-machines.md; "" stands before the first state
// and behind the last, where a job is removed.
var drawn = []string{
	" available", " scheduled",
	"scheduled available", "retryable available",
	"available running",
	"running completed", "running retryable", "running scheduled", "running available", "running discarded",
	"available cancelled", "scheduled cancelled", "retryable cancelled", "running cancelled",
	"discarded available",
	"completed ", "cancelled ", "discarded ",
}

// watched makes the database itself note every move of a job, so that none can
// happen unseen.
var watched = map[store.Dialect][]string{
	store.SQLite: {
		`CREATE TABLE job_moves (tenant_id TEXT, job_id TEXT, move TEXT)`,
		`CREATE TRIGGER job_made AFTER INSERT ON job BEGIN INSERT INTO job_moves VALUES (NEW.tenant_id, NEW.id, ' ' || NEW.state); END`,
		`CREATE TRIGGER job_moved AFTER UPDATE ON job WHEN OLD.state <> NEW.state BEGIN INSERT INTO job_moves VALUES (NEW.tenant_id, NEW.id, OLD.state || ' ' || NEW.state); END`,
		`CREATE TRIGGER job_gone AFTER DELETE ON job BEGIN INSERT INTO job_moves VALUES (OLD.tenant_id, OLD.id, OLD.state || ' '); END`,
	},
	store.Postgres: {
		`CREATE TABLE job_moves (tenant_id TEXT, job_id TEXT, move TEXT)`,
		`CREATE FUNCTION job_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF TG_OP = 'INSERT' THEN INSERT INTO job_moves VALUES (NEW.tenant_id, NEW.id, ' ' || NEW.state); RETURN NEW; END IF;
			IF TG_OP = 'DELETE' THEN INSERT INTO job_moves VALUES (OLD.tenant_id, OLD.id, OLD.state || ' '); RETURN OLD; END IF;
			IF OLD.state <> NEW.state THEN INSERT INTO job_moves VALUES (NEW.tenant_id, NEW.id, OLD.state || ' ' || NEW.state); END IF; RETURN NEW; END $$`,
		`CREATE TRIGGER job_note AFTER INSERT OR UPDATE OR DELETE ON job FOR EACH ROW EXECUTE FUNCTION job_note()`,
	},
}

// Whatever happens to jobs at once — they end well, fail, put themselves off, give
// up, hang; people cancel, retry and remove them; their node falls silent — each
// moves only as it is drawn, and is completed at most once.
func TestJobsMakeNoForbiddenMove(t *testing.T) {
	for name, o := range map[string]func() store.Options{
		"sqlite":   func() store.Options { return store.Options{Path: filepath.Join(t.TempDir(), "parley.db")} },
		"postgres": func() store.Options { return store.Options{URL: storetest.PostgresURL(t), MaxConns: 6} },
	} {
		t.Run(name, func(t *testing.T) {
			if name == "postgres" && testing.Short() {
				t.Skip("PostgreSQL is left out of short runs")
			}
			db, err := store.Open(bg, o())
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Migrate(bg); err != nil {
				t.Fatal(err)
			}
			raw := func(q string, args ...any) {
				t.Helper()
				if err := db.Write(bg, id.Zero, func(tx *store.Tx) error { _, err := tx.System().Exec(q, args...); return err }); err != nil {
					t.Fatalf("%s: %v", q, err)
				}
			}
			for _, q := range watched[db.Dialect()] {
				raw(q)
			}
			r := job.NewRunner(db, job.Options{Node: "n1", Workers: 6, Poll: 2 * time.Millisecond, Lease: time.Second})
			r.Register(job.Kind{Name: "do", Handle: act, Timeout: 5 * time.Second, Backoff: func(int) time.Duration { return time.Millisecond }})
			stop := start(t, r)
			c := job.NewConsole(db, r)
			rapid.Check(t, func(rt *rapid.T) {
				tenant := id.New()
				var all []id.ID
				step := func() {
					var target id.ID
					if len(all) > 0 {
						target = rapid.SampledFrom(all).Draw(rt, "job")
					}
					switch rapid.IntRange(0, 9).Draw(rt, "what") {
					case 0:
						_, _ = c.Cancel(bg, tenant, target)
					case 1:
						_, _ = c.Retry(bg, tenant, target)
					case 2:
						_ = c.Remove(bg, tenant, target)
					case 3: // its node fell silent
						raw("UPDATE job SET lease_until=0 WHERE tenant_id=? AND state='running'", tenant)
					default:
						n := job.New{Kind: "do", Args: rapid.SliceOfN(rapid.SampledFrom([]string{"ok", "fail", "snooze", "giveup", "hang", "panic"}), 0, 4).Draw(rt, "acts"),
							MaxAttempts: rapid.IntRange(1, 3).Draw(rt, "attempts")}
						if rapid.Bool().Draw(rt, "later") {
							n.RunAt = time.Now().Add(time.Duration(rapid.IntRange(1, 20).Draw(rt, "ms")) * time.Millisecond)
						}
						if rapid.Bool().Draw(rt, "unique") {
							n.UniqueKey = rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "key")
						}
						all = append(all, enqueue(t, db, tenant, n))
					}
				}
				for range 2 { // what has ended in the first half is touched in the second
					for range rapid.IntRange(4, 12).Draw(rt, "steps") {
						step()
					}
					eventually(t, "nothing is due", func() bool {
						var open int
						if err := db.Read(bg, tenant).QueryRow("SELECT COUNT(*) FROM job WHERE tenant_id=? AND state NOT IN ('completed', 'cancelled', 'discarded')").Scan(&open); err != nil {
							t.Fatal(err)
						}
						return open == 0
					})
				}
			})
			// The one move that takes luck is made for certain.
			tenant := id.New()
			waits := enqueue(t, db, tenant, job.New{Kind: "do", Args: []string{"wait"}})
			eventually(t, "it runs", func() bool { return stateOf(t, db, tenant, waits).State == job.Running })
			if _, err := c.Cancel(bg, tenant, waits); err != nil {
				t.Fatal(err)
			}
			eventually(t, "it is cancelled", func() bool { return stateOf(t, db, tenant, waits).State == job.Cancelled })
			stop()
			rows, err := db.Read(bg, id.Zero).All().Query("SELECT job_id, move FROM job_moves")
			type seen struct{ job, move string }
			moves, err := store.Collect(rows, err, func(r *sql.Rows) (s seen, err error) { return s, r.Scan(&s.job, &s.move) })
			if err != nil {
				t.Fatal(err)
			}
			done, kinds := map[string]int{}, map[string]int{}
			for _, m := range moves {
				kinds[m.move]++
				if !slices.Contains(drawn, m.move) {
					t.Errorf("job %s made the move %q, which is not drawn", m.job, m.move)
				}
				if m.move == "running completed" {
					done[m.job]++
				}
			}
			for j, n := range done {
				if n > 1 {
					t.Errorf("job %s was completed %d times", j, n)
				}
			}
			for _, must := range []string{"running completed", "running retryable", "running scheduled", "running discarded", "running cancelled", "discarded available"} {
				if kinds[must] == 0 {
					t.Errorf("the move %q was never made: the test proves nothing about it; seen %v", must, kinds)
				}
			}
		})
	}
}

// turns counts how often each job has begun; attempts do not count those in which it
// put itself off.
var turns sync.Map

// act does what a job's arguments say for the turn, the last of them for all that
// follow.
func act(ctx context.Context, j *job.Job) error {
	var acts []string
	if err := j.Decode(&acts); err != nil || len(acts) == 0 {
		return err
	}
	count, _ := turns.LoadOrStore(j.ID, new(atomic.Int32))
	turn := int(count.(*atomic.Int32).Add(1))
	switch do := acts[min(turn, len(acts))-1]; do {
	case "ok":
		return nil
	case "snooze":
		if turn >= len(acts) {
			return nil // it would sleep for ever
		}
		return job.Snooze(time.Millisecond)
	case "giveup":
		return job.GiveUp(errors.New("never"))
	case "hang":
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
		return ctx.Err()
	case "wait":
		<-ctx.Done()
		return ctx.Err()
	case "panic":
		panic("ouch")
	default:
		return fmt.Errorf("it did %s", do)
	}
}
