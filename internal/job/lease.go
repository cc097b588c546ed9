package job

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// maxRescues bounds how often a job may bring its node down before it is
// discarded as the likely cause.
const maxRescues = 20

var (
	errLeaseEnded = errors.New("the node that ran this job fell silent")
	errUnheld     = errors.New("the node that held this job lost sight of it: the database was away when it was claimed or ended")
)

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

// renew keeps the leases of this node's jobs, and tells the handlers of those that
// were lost or cancelled. What it holds a lease on without knowing of it is handed
// back: the answer of the transaction that claimed it was lost, or its outcome
// could not be written.
func (r *Runner) renew(ctx context.Context) error {
	r.mu.Lock()
	mine := make(map[id.ID]*attempt, len(r.running))
	for k, v := range r.running {
		mine[k] = v
	}
	r.mu.Unlock()
	var unheld []*Job
	leased, err := store.Write(ctx, r.db, systemTenant, func(tx *store.Tx) ([]*Job, error) {
		rows, err := tx.System().Query("UPDATE job SET lease_until=? WHERE node=? AND state='running' RETURNING "+columns,
			tx.Now().Add(r.o.Lease), r.o.Node)
		list, err := store.Collect(rows, err, scan)
		unheld = nil
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, j := range list {
			if r.held[claimed{j.ID, j.Attempt}] == 0 {
				unheld = append(unheld, j)
			}
		}
		return list, err
	})
	if err != nil {
		return err
	}
	still := map[id.ID]bool{}
	for _, j := range leased {
		still[j.ID] = true
		if j.CancelRequested {
			r.cancelled(j.ID.String())
		}
	}
	r.mu.Lock()
	for jobID, a := range mine {
		if !still[jobID] && r.running[jobID] == a && atomic.LoadUint32(&a.job.completed) == 0 {
			a.lost = true
			a.cancel()
		}
	}
	r.mu.Unlock()
	return r.handBack(ctx, unheld, errUnheld, "")
}

// rescue makes jobs available again whose node fell silent. The crash does not
// count as one of their attempts, unless they seem to cause it.
func (r *Runner) rescue(ctx context.Context, before time.Time) error {
	rows, err := r.db.Read(ctx, systemTenant).All().Query("SELECT "+columns+" FROM job WHERE state='running' AND lease_until<? LIMIT 500", before)
	dead, err := store.Collect(rows, err, scan)
	if err != nil {
		return err
	}
	return r.handBack(ctx, dead, errLeaseEnded, " AND lease_until<?", before)
}

// handBack moves on jobs that nobody runs, if they still stand as they were read and
// the further condition holds; together, and when that fails each alone.
func (r *Runner) handBack(ctx context.Context, list []*Job, why error, and string, args ...any) error {
	if len(list) == 0 {
		return nil
	}
	all := func(list []*Job) error {
		return r.db.Write(ctx, systemTenant, func(tx *store.Tx) error {
			tx.Wake(topicReady, "")
			for _, j := range list {
				if err := r.handBackIn(tx, j, why, and, args); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := all(list)
	if err == nil || len(list) == 1 {
		return err
	}
	err = nil
	for i := range list {
		if e := all(list[i : i+1]); e != nil && err == nil {
			err = fmt.Errorf("job %s of kind %s: %w", list[i].ID, list[i].Kind, e)
		}
	}
	return err
}

func (r *Runner) handBackIn(tx *store.Tx, j *Job, why error, and string, more []any) error {
	move := func(set string, args ...any) (bool, error) {
		args = append(append(args, j.ID, j.Attempt, j.Node), more...)
		n, err := tx.For(j.Tenant).Exec("UPDATE job SET "+set+", lease_until=NULL WHERE tenant_id=? AND id=? AND state='running' AND attempt=? AND node=?"+and, args...)
		return n > 0, err
	}
	switch {
	case j.CancelRequested:
		return r.undone(tx, j, Cancelled, ErrCancelled, move)
	case j.Attempt >= maxRescues:
		return r.undone(tx, j, Discarded, why, move)
	}
	_, err := move("state='available', max_attempts=max_attempts+1, last_error=?", why.Error())
	return err
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
			if ctx.Err() != nil {
				return err
			}
			// Their leases have ended, so the heartbeat tries again.
			r.o.Logger.Error("could not take over jobs that were running when the last process ended", "error", err)
			return nil
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
