package job

import (
	"context"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// systemTenant owns the jobs that belong to no tenant.
var systemTenant = id.Zero

// Console lets people look at a tenant's jobs and intervene.
type Console struct {
	db    *store.DB
	kinds *Runner
}

// NewConsole returns a console over db. kinds is a runner that knows the kinds of
// jobs, running or not: whoever waits for a job is told when a person ends it.
func NewConsole(db *store.DB, kinds *Runner) *Console { return &Console{db, kinds} }

// Stats counts a tenant's jobs by state. Due jobs of the states scheduled and
// retryable count as available. Finished jobs are counted while they are kept
// (see Runner's retention).
type Stats struct {
	Available, Scheduled, Running, Retryable, Completed, Cancelled, Discarded int
}

// Stats counts the tenant's jobs.
func (c *Console) Stats(ctx context.Context, tenant id.ID) (Stats, error) {
	var s Stats
	r := c.db.Read(ctx, tenant)
	type row struct {
		state State
		due   bool
		n     int
	}
	rows, err := r.Query("SELECT state, run_at<=?, COUNT(*) FROM job WHERE tenant_id=? GROUP BY 1, 2", r.Now())
	if err != nil {
		return s, err
	}
	defer rows.Close()
	for rows.Next() {
		var x row
		if err := rows.Scan(&x.state, &x.due, &x.n); err != nil {
			return s, err
		}
		switch {
		case x.state == Available, x.due && (x.state == Scheduled || x.state == Retryable):
			s.Available += x.n
		case x.state == Scheduled:
			s.Scheduled += x.n
		case x.state == Running:
			s.Running += x.n
		case x.state == Retryable:
			s.Retryable += x.n
		case x.state == Completed:
			s.Completed += x.n
		case x.state == Cancelled:
			s.Cancelled += x.n
		case x.state == Discarded:
			s.Discarded += x.n
		}
	}
	return s, rows.Err()
}

// Failed returns a page of the tenant's discarded jobs, newest failure first,
// and how many there are.
func (c *Console) Failed(ctx context.Context, tenant id.ID, page, limit int) ([]Job, int, error) {
	r := c.db.Read(ctx, tenant)
	var total int
	if err := r.QueryRow("SELECT COUNT(*) FROM job WHERE tenant_id=? AND state='discarded'").Scan(&total); err != nil {
		return nil, 0, err
	}
	rows, err := r.Query("SELECT "+columns+" FROM job WHERE tenant_id=? AND state='discarded' ORDER BY finished_at DESC, id DESC LIMIT ? OFFSET ?",
		limit, (page-1)*limit)
	list, err := store.Collect(rows, err, scan)
	out := make([]Job, len(list))
	for i, j := range list {
		out[i] = *j
	}
	return out, total, err
}

// Running returns the tenant's jobs that run now. It reads the index of leases,
// which holds what all nodes run and no more, and leaves out other tenants itself.
func (c *Console) Running(ctx context.Context, tenant id.ID) ([]Job, error) {
	rows, err := c.db.Read(ctx, systemTenant).All().Query("SELECT " + columns + " FROM job WHERE state='running' AND lease_until > 0 ORDER BY lease_until, id")
	list, err := store.Collect(rows, err, scan)
	out := []Job{}
	for _, j := range list {
		if j.Tenant == tenant {
			out = append(out, *j)
		}
	}
	return out, err
}

// Get returns one job of the tenant.
func (c *Console) Get(ctx context.Context, tenant, jobID id.ID) (Job, error) {
	return get(c.db.Read(ctx, tenant), jobID)
}

func get(r store.Reader, jobID id.ID) (Job, error) {
	rows, err := r.Query("SELECT "+columns+" FROM job WHERE tenant_id=? AND id=?", jobID)
	list, err := store.Collect(rows, err, scan)
	if err != nil {
		return Job{}, err
	}
	if len(list) == 0 {
		return Job{}, fault.Unknown("job")
	}
	return *list[0], nil
}

// Retry makes a discarded job available again with its attempts forgotten. A job
// that has not failed is unknown to it.
func (c *Console) Retry(ctx context.Context, tenant, jobID id.ID) (Job, error) {
	return store.Write(ctx, c.db, tenant, func(tx *store.Tx) (Job, error) {
		n, err := tx.Exec(`UPDATE job SET state='available', attempt=0, run_at=?, last_error=NULL, finished_at=NULL, cancel_requested=FALSE
			WHERE tenant_id=? AND id=? AND state='discarded' AND (unique_key IS NULL OR NOT EXISTS (
				SELECT 1 FROM job o WHERE o.tenant_id=?1 AND o.kind=job.kind AND o.unique_key=job.unique_key
				AND o.state IN ('available', 'scheduled', 'running', 'retryable')))`, tx.Now(), jobID)
		if err != nil {
			return Job{}, err
		}
		j, err := get(tx, jobID)
		if err != nil {
			return Job{}, err
		}
		if n == 0 {
			if j.State == Discarded {
				return Job{}, fault.New(fault.Conflict, "another job does the same work already; wait for it to finish")
			}
			return Job{}, fault.New(fault.NotFound, "there is no such failed job").Because("job")
		}
		tx.Wake(topicReady, "")
		return j, nil
	})
}

// Remove deletes a job that is not running.
func (c *Console) Remove(ctx context.Context, tenant, jobID id.ID) error {
	return c.db.Write(ctx, tenant, func(tx *store.Tx) error {
		if _, _, err := c.end(tx, jobID); err != nil {
			return err
		}
		n, err := tx.Exec("DELETE FROM job WHERE tenant_id=? AND id=? AND state<>'running'", jobID)
		if err == nil && n == 0 {
			err = fault.New(fault.Conflict, "the job is running; cancel it or wait until it has finished")
		}
		return err
	})
}

// Cancel ends a job that has not finished. A running one is told to stop: its
// context is cancelled on whichever node runs it.
func (c *Console) Cancel(ctx context.Context, tenant, jobID id.ID) (Job, error) {
	return store.Write(ctx, c.db, tenant, func(tx *store.Tx) (Job, error) {
		j, ended, err := c.end(tx, jobID)
		if err != nil || ended {
			return j, err
		}
		n, err := tx.Exec("UPDATE job SET cancel_requested=TRUE WHERE tenant_id=? AND id=? AND state='running'", jobID)
		if err != nil {
			return j, err
		}
		if n == 0 {
			return j, fault.New(fault.Conflict, "the job has finished already (%s)", j.State)
		}
		tx.Wake(topicCancel, jobID.String())
		return get(tx, jobID)
	})
}

// end cancels a job that waits, and tells whoever waits for it. It returns the
// job as it is then, and whether it was this call that ended it.
func (c *Console) end(tx *store.Tx, jobID id.ID) (Job, bool, error) {
	// From here on the job stays in its state until the commit, whatever its node
	// does: what the caller goes on to do is decided by the state it saw.
	var one int
	if _, err := store.Found(tx.QueryRow("SELECT 1 FROM job WHERE tenant_id=? AND id=?"+tx.Dialect().ForUpdate(), jobID).Scan(&one)); err != nil {
		return Job{}, false, err
	}
	n, err := tx.Exec(`UPDATE job SET state='cancelled', finished_at=?, last_error=? WHERE tenant_id=? AND id=? AND state IN ('available', 'scheduled', 'retryable')`,
		tx.Now(), ErrCancelled.Error(), jobID)
	if err != nil {
		return Job{}, false, err
	}
	j, err := get(tx, jobID)
	if err != nil || n == 0 {
		return j, false, err
	}
	return j, true, c.kinds.tell(tx, &j, ErrCancelled)
}

// Depth returns how many jobs of all tenants are ready or running.
func (c *Console) Depth(ctx context.Context) (int, error) {
	var n int
	err := c.db.Read(ctx, systemTenant).All().QueryRow("SELECT COUNT(*) FROM job WHERE state IN ('available', 'running')").Scan(&n)
	return n, err
}

// retention is how long finished jobs are kept for inspection.
const (
	retainDone   = 24 * time.Hour
	retainFailed = 30 * 24 * time.Hour
)
