package job

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// promoteBatch bounds how many due jobs become available in one transaction.
const promoteBatch = 1000

// promote makes due jobs available and returns when the next falls due.
func (r *Runner) promote(ctx context.Context, now time.Time) (next time.Time, err error) {
	rd := r.db.Read(ctx, systemTenant).All()
	due := func() (at time.Time, err error) {
		err = rd.QueryRow("SELECT MIN(run_at) FROM job WHERE state IN ('scheduled', 'retryable')").Scan(store.Time(&at))
		return at, err
	}
	for {
		if next, err = due(); err != nil || next.IsZero() || next.After(now) {
			return next, err
		}
		err = r.db.Write(ctx, systemTenant, func(tx *store.Tx) error {
			_, err := tx.System().Exec(`WITH picked AS MATERIALIZED (
					SELECT tenant_id, id FROM job WHERE state IN ('scheduled', 'retryable') AND run_at<=?
					ORDER BY run_at LIMIT ?`+r.db.Dialect().SkipLocked()+`)
				UPDATE job SET state='available' WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM picked)`, now, promoteBatch)
			return err
		})
		if err != nil {
			return time.Time{}, err
		}
	}
}

// readyTenants lists the tenants that have available jobs by skipping through
// the index job_ready, one step a tenant, however long their queues are.
const readyTenants = `WITH RECURSIVE t(tenant_id) AS (
	SELECT (SELECT MIN(tenant_id) FROM job WHERE state='available')
	UNION ALL
	SELECT (SELECT MIN(j.tenant_id) FROM job j WHERE j.state='available' AND j.tenant_id > t.tenant_id) FROM t WHERE t.tenant_id IS NOT NULL
) SELECT tenant_id FROM t WHERE tenant_id IS NOT NULL`

// found is what a look for work has led to.
type found int

const (
	nothing found = iota // nothing is ready: wait until something is
	some                 // jobs were claimed: there may be more
	full                 // the workers have enough to do: wait until one is free
)

// claim leases jobs for the free workers, a fair share from each tenant that
// has some.
func (r *Runner) claim(ctx context.Context) (found, error) {
	free := cap(r.queue) - len(r.queue)
	if free < min(r.o.Workers, cap(r.queue)) {
		return full, nil
	}
	rows, err := r.db.Read(ctx, systemTenant).All().Query(readyTenants)
	tenants, err := store.Collect(rows, err, func(rows *sql.Rows) (s string, err error) { return s, rows.Scan(&s) })
	if err != nil || len(tenants) == 0 {
		return nothing, err
	}
	// Go on after the tenant that was served last.
	at, there := slices.BinarySearch(tenants, r.turn)
	if there {
		at++
	}
	tenants = append(tenants[at%len(tenants):], tenants[:at%len(tenants)]...)
	if len(tenants) > free {
		tenants = tenants[:free]
	}
	share := (free + len(tenants) - 1) / len(tenants)
	var tried []*Job
	jobs, err := store.Write(ctx, r.db, systemTenant, func(tx *store.Tx) ([]*Job, error) {
		var out []*Job
		for _, t := range tenants {
			n := min(share, free-len(out))
			if n <= 0 {
				break
			}
			got, err := r.claimOf(tx, t, n)
			if err != nil {
				return nil, err
			}
			out = append(out, got...)
		}
		tried = append(tried, out...)
		r.hold(out, nil) // before the commit, so that no beat finds them unheld
		return out, nil
	})
	r.hold(jobs, tried)
	if err != nil {
		return nothing, err
	}
	r.turn = tenants[len(tenants)-1]
	if len(jobs) == 0 {
		return nothing, nil
	}
	for _, j := range jobs {
		r.queue <- j
	}
	return some, nil
}

// claimed is one attempt at a job. One that was put off has the same number again.
type claimed struct {
	id      id.ID
	attempt int
}

// hold notes which jobs this node has to answer for, in the place of others.
func (r *Runner) hold(jobs, others []*Job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range others {
		k := claimed{j.ID, j.Attempt}
		if r.held[k]--; r.held[k] <= 0 {
			delete(r.held, k)
		}
	}
	for _, j := range jobs {
		r.held[claimed{j.ID, j.Attempt}]++
	}
}

func (r *Runner) claimOf(tx *store.Tx, tenant string, n int) ([]*Job, error) {
	args := []any{tenant}
	kinds := make([]string, 0, len(r.kinds))
	for k := range r.kinds {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds) // one query text, so that it stays prepared
	for _, k := range kinds {
		args = append(args, k)
	}
	args = append(args, n, r.o.Node, tx.Now().Add(r.o.Lease), tx.Now())
	// Only kinds this program knows: during an upgrade an older node leaves the
	// newer one's jobs alone.
	//
	// Picked first and as a whole: as a subquery of the UPDATE, PostgreSQL may look
	// for them once for each row, skip those it has taken, and so take them all.
	q := `WITH picked AS MATERIALIZED (
			SELECT id FROM job WHERE tenant_id=? AND state='available' AND kind IN (?` + strings.Repeat(",?", len(kinds)-1) + `)
			ORDER BY priority, run_at, id LIMIT ?` + r.db.Dialect().SkipLocked() + `)
		UPDATE job SET state='running', attempt=attempt+1, node=?, lease_until=?, started_at=?
		WHERE tenant_id=?1 AND id IN (SELECT id FROM picked) RETURNING ` + columns
	rows, err := tx.System().Query(q, args...)
	got, err := store.Collect(rows, err, scan)
	if err != nil {
		return nil, fmt.Errorf("job: claim: %w", err)
	}
	slices.SortFunc(got, func(a, b *Job) int { // RETURNING has no order
		if a.Priority != b.Priority {
			return a.Priority - b.Priority
		}
		if c := a.RunAt.Compare(b.RunAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID.String(), b.ID.String())
	})
	return got, nil
}
