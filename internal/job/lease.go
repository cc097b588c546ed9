package job

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// maxRescues bounds how often a job may bring its node down before it is
// discarded as the likely cause.
const maxRescues = 20

var errLeaseEnded = errors.New("the node that ran this job fell silent")

// heartbeat renews the leases of this node's jobs, learns of cancellations that
// came from other nodes, and rescues jobs whose node fell silent.
func (r *Runner) heartbeat(ctx context.Context) {
	for {
		timer, stop := r.o.Clock.After(r.o.Lease / 3)
		select {
		case <-timer:
		case <-ctx.Done():
			stop()
			return
		}
		if err := r.renew(ctx); err != nil && ctx.Err() == nil {
			r.o.Logger.Error("could not renew the leases of running jobs", "error", err)
		}
		if err := r.rescue(ctx, r.o.Clock.Now()); err != nil && ctx.Err() == nil {
			r.o.Logger.Error("could not rescue jobs whose lease ended", "error", err)
		}
	}
}

type lease struct {
	id        id.ID
	cancelled bool
}

func (r *Runner) renew(ctx context.Context) error {
	r.mu.Lock()
	mine := make(map[id.ID]*attempt, len(r.running))
	for k, v := range r.running {
		mine[k] = v
	}
	r.mu.Unlock()
	held, err := store.Write(ctx, r.db, systemTenant, func(tx *store.Tx) ([]lease, error) {
		rows, err := tx.System().Query("UPDATE job SET lease_until=? WHERE node=? AND state='running' RETURNING id, cancel_requested",
			tx.Now().Add(r.o.Lease), r.o.Node)
		return store.Collect(rows, err, func(rows *sql.Rows) (l lease, err error) {
			return l, rows.Scan(&l.id, &l.cancelled)
		})
	})
	if err != nil {
		return err
	}
	still := map[id.ID]bool{}
	for _, l := range held {
		still[l.id] = true
		if l.cancelled {
			r.cancelled(l.id.String())
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for jobID, a := range mine {
		if !still[jobID] && r.running[jobID] == a && atomic.LoadUint32(&a.job.completed) == 0 {
			a.lost = true
			a.cancel()
		}
	}
	return nil
}

// rescue makes jobs available again whose node fell silent. The crash does not
// count as one of their attempts, unless they seem to cause it.
func (r *Runner) rescue(ctx context.Context, before time.Time) error {
	rows, err := r.db.Read(ctx, systemTenant).All().Query("SELECT "+columns+" FROM job WHERE state='running' AND lease_until<? LIMIT 500", before)
	dead, err := store.Collect(rows, err, scan)
	if err != nil || len(dead) == 0 {
		return err
	}
	return r.db.Write(ctx, systemTenant, func(tx *store.Tx) error {
		for _, j := range dead {
			move := func(set string, args ...any) (bool, error) {
				args = append(args, j.ID, j.Attempt, j.Node, before)
				n, err := tx.For(j.Tenant).Exec("UPDATE job SET "+set+`, lease_until=NULL WHERE tenant_id=? AND id=?
					AND state='running' AND attempt=? AND node=? AND lease_until<?`, args...)
				return n > 0, err
			}
			if j.CancelRequested {
				if err := r.undone(tx, j, Cancelled, ErrCancelled, move); err != nil {
					return err
				}
				continue
			}
			if j.Attempt >= maxRescues {
				if err := r.undone(tx, j, Discarded, errLeaseEnded, move); err != nil {
					return err
				}
				continue
			}
			if _, err := move("state='available', max_attempts=max_attempts+1, last_error=?", errLeaseEnded.Error()); err != nil {
				return err
			}
		}
		tx.Wake(topicReady, "")
		return nil
	})
}

// orphans ends every lease at once: this process is alone, so whoever held them
// is dead.
func (r *Runner) orphans(ctx context.Context) error {
	for {
		n, err := store.Write(ctx, r.db, systemTenant, func(tx *store.Tx) (int64, error) {
			return tx.System().Exec("UPDATE job SET lease_until=0 WHERE state='running' AND lease_until<>0")
		})
		if err != nil {
			return err
		}
		if err := r.rescue(ctx, r.o.Clock.Now()); err != nil {
			return err
		}
		var left int
		if err := r.db.Read(ctx, systemTenant).All().QueryRow("SELECT COUNT(*) FROM job WHERE state='running'").Scan(&left); err != nil {
			return err
		}
		if left == 0 {
			if n > 0 {
				r.o.Logger.Info("took over jobs that were running when the last process ended", "jobs", n)
			}
			return nil
		}
	}
}
