package job

import (
	"context"
	"fmt"
	"time"

	"github.com/adhocore/gronx"

	"parley/internal/store"
)

// cron is a recurring job.
type cron struct {
	name, spec string
	job        New
	next       time.Time // no need to look before this moment
}

// Cron enqueues n whenever spec falls due (five fields, UTC): once over all
// nodes. A tick that passed while nobody ran is made up for once. Call it before
// Run; a spec that cannot be read panics.
func (r *Runner) Cron(name, spec string, n New) {
	if !gronx.IsValid(spec) {
		panic("job: cron " + name + ": cannot read " + spec)
	}
	r.crons = append(r.crons, &cron{name: name, spec: spec, job: n})
}

func (c *cron) after(t time.Time) (time.Time, error) {
	return gronx.NextTickAfter(c.spec, t.UTC(), false)
}

// plan writes when each entry is due first.
func (r *Runner) plan(ctx context.Context) error {
	for _, c := range r.crons {
		next, err := c.after(r.o.Clock.Now())
		if err != nil {
			return fmt.Errorf("job: cron %s: %w", c.name, err)
		}
		if err := r.db.Write(ctx, systemTenant, func(tx *store.Tx) error {
			_, err := tx.System().Exec("INSERT INTO job_cron (name, next_at) VALUES (?,?) ON CONFLICT (name) DO NOTHING", c.name, next)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// tick enqueues the entries that are due. Whoever moves next_at forward
// enqueues, in the same transaction.
func (r *Runner) tick(ctx context.Context, now time.Time) error {
	for _, c := range r.crons {
		if now.Before(c.next) {
			continue
		}
		var due time.Time
		found, err := store.Found(r.db.Read(ctx, systemTenant).All().QueryRow("SELECT next_at FROM job_cron WHERE name=?", c.name).Scan(store.Time(&due)))
		if err != nil {
			return err
		}
		if c.next = due; !found || due.After(now) {
			continue
		}
		next, err := c.after(now)
		if err != nil {
			return err
		}
		if err := r.db.Write(ctx, systemTenant, func(tx *store.Tx) error {
			n, err := tx.System().Exec("UPDATE job_cron SET next_at=? WHERE name=? AND next_at=?", next, c.name, due)
			if err != nil || n == 0 {
				return err
			}
			_, _, err = Enqueue(tx, c.job)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

const sweepKind = "job.sweep"

// sweeper deletes finished jobs that nobody will ask for any more.
func (r *Runner) sweeper() {
	r.Register(Kind{Name: sweepKind, Handle: func(ctx context.Context, j *Job) error {
		for {
			n, err := store.Write(ctx, r.db, systemTenant, func(tx *store.Tx) (int64, error) {
				// Asked twice: PostgreSQL, having waited for a job that a person tries
				// again, looks anew at what stands outside the list only.
				return tx.System().Exec(`DELETE FROM job WHERE COALESCE(state, '') IN ('completed', 'cancelled', 'discarded')
					AND (tenant_id, id) IN (SELECT tenant_id, id FROM job WHERE finished_at IS NOT NULL
					AND (finished_at<? OR (finished_at<? AND state<>'discarded')) LIMIT 1000)`,
					tx.Now().Add(-retainFailed), tx.Now().Add(-retainDone))
			})
			if err != nil || n < 1000 {
				return err
			}
		}
	}})
	r.Cron(sweepKind, "17 * * * *", New{Kind: sweepKind, UniqueKey: "sweep", Priority: 9})
}
