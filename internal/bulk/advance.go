package bulk

import (
	"context"
	"fmt"
	"time"

	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// shift is how long one attempt works on a job before it lets others have its
// worker.
const shift = 20 * time.Second

// handleAdvance carries a job on, transaction by transaction, until nothing is left
// to do now. Each of them looks anew where the job stands, so that it does not
// matter who did the one before, or whether two do this at the same time.
func (s *Service) handleAdvance(ctx context.Context, jb *job.Job) error {
	var a advanceArgs
	if err := jb.Decode(&a); err != nil {
		return err
	}
	p := newPace(s.db.Dialect(), jb.Attempt > 1)
	until := time.Now().Add(shift)
	for time.Now().Before(until) {
		if err := ctx.Err(); err != nil {
			return job.Snooze(time.Millisecond) // the server is stopping
		}
		wait, done, err := s.advance(ctx, jb.Tenant, a.Job, &p)
		switch {
		case err != nil || done:
			return err
		case wait > 0:
			return job.Snooze(wait)
		}
	}
	return job.Snooze(time.Millisecond)
}

// advance does one transaction's worth. wait is when to look again, done that the
// job needs nobody any more.
func (s *Service) advance(ctx context.Context, tenant, jobID id.ID, p *pace) (wait time.Duration, done bool, err error) {
	j, err := get(s.db.Read(ctx, tenant), jobID)
	if f := fault.As(err); f != nil && f.Code == fault.NotFound {
		return 0, true, nil
	}
	if err != nil {
		return 0, false, err
	}
	switch j.Status {
	case Approval:
		return time.Second, false, nil // it was approved, or somebody is about to
	case Querying:
		return 0, false, s.load(ctx, tenant, j)
	case Loaded, Executing:
		return 0, false, s.execute(ctx, tenant, jobID, p)
	case Watching:
		return s.watch(ctx, tenant, j)
	case Reporting:
		return 0, false, s.change(ctx, tenant, jobID, Reporting, func(tx *store.Tx, j *Job) error { return s.end(tx, j.Actor, j, Finished, "") })
	}
	done, err = s.sweep(ctx, tenant, j)
	return 0, done, err
}

// change locks a job that stands where it is expected and lets f move it on;
// elsewhere it does nothing.
func (s *Service) change(ctx context.Context, tenant, jobID id.ID, from string, f func(tx *store.Tx, j *Job) error) error {
	return s.db.Write(ctx, tenant, func(tx *store.Tx) error {
		if err := s.LockIn(tx, jobID); err != nil {
			return err
		}
		j, err := get(tx, jobID)
		if err != nil || j.Status != from {
			return err
		}
		return f(tx, &j)
	})
}

// load writes the next part of the audience down. What the filter selects is read
// before the transaction; when somebody else has written it meanwhile, it is left.
func (s *Service) load(ctx context.Context, tenant id.ID, was Job) error {
	var page []entity.Ref
	next, end := was, false
	if was.Schema == "" {
		refs, err := refsOf(s.db.Read(ctx, tenant), was.ID)
		if err != nil {
			return err
		}
		to := min(was.loaded+loadPage, int64(len(refs)))
		page = refs[was.loaded:to]
		next.loaded, end = to, to == int64(len(refs))
	} else {
		found, after, err := s.entities.Walk(s.db.Read(ctx, tenant), was.Schema, was.Filter, was.loadedTo, loadPage)
		if err != nil {
			return err
		}
		for _, f := range found {
			page = append(page, entity.Ref{Schema: was.Schema, ID: f.ID})
		}
		next.loadedTo, end = after, after.IsZero()
	}
	return s.change(ctx, tenant, was.ID, Querying, func(tx *store.Tx, j *Job) error {
		if j.loaded != was.loaded || j.loadedTo != was.loadedTo {
			return nil
		}
		n, err := addItems(tx, j.ID, page)
		if err != nil {
			return err
		}
		j.loaded, j.Total = next.loaded, j.Total+n
		if !end {
			j.loadedTo = next.loadedTo
			return save(tx, j)
		}
		j.Status = Loaded
		if err := save(tx, j); err != nil {
			return err
		}
		return s.tell(tx, "bulk_job.updated", j.Actor, *j)
	})
}

// watch waits until no run is open. Whoever ends the last one calls sooner.
func (s *Service) watch(ctx context.Context, tenant id.ID, j Job) (time.Duration, bool, error) {
	r := s.db.Read(ctx, tenant)
	open, err := anyOpen(r, j.ID)
	if err != nil {
		return 0, false, err
	}
	if open {
		return min(max(r.Now().Sub(j.UpdatedAt)/4, time.Second), time.Minute), false, nil
	}
	return 0, false, s.change(ctx, tenant, j.ID, Watching, func(tx *store.Tx, j *Job) error {
		if open, err := anyOpen(tx, j.ID); err != nil || open {
			return err
		}
		j.Status = Reporting
		if err := save(tx, j); err != nil {
			return err
		}
		return s.tell(tx, "bulk_job.updated", j.Actor, *j)
	})
}

// sweep settles the entities of a job that was cut short: those whose turn never
// came, and, of a cancelled one, the runs that are open. done tells that nothing is
// left.
func (s *Service) sweep(ctx context.Context, tenant id.ID, j Job) (done bool, err error) {
	if j.Status == Finished {
		return true, nil
	}
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (bool, error) {
		if j.Status == Cancelled {
			if n, err := s.rules.CancelRunsIn(tx, j.ID, sweepAt); err != nil || n > 0 {
				return false, err
			}
		}
		if err := s.LockIn(tx, j.ID); err != nil {
			return false, err
		}
		j, err := get(tx, j.ID)
		if err != nil {
			return false, err
		}
		list, err := nextItems(tx, j.ID, j.ranTo, loadPage)
		if err != nil || len(list) == 0 {
			return err == nil, err
		}
		for i := range list {
			list[i].Status = untouched
		}
		if err := saveItems(tx, j.ID, list); err != nil {
			return false, err
		}
		j.ranTo = list[len(list)-1].Entity
		return false, save(tx, &j)
	})
}

// discarded fails a job that could not be carried on.
func (s *Service) discarded(tx *store.Tx, jb *job.Job, cause error) error {
	var a advanceArgs
	if err := jb.Decode(&a); err != nil {
		return nil // it never named a job
	}
	tx = tx.For(jb.Tenant)
	if err := s.LockIn(tx, a.Job); err != nil {
		return err
	}
	j, err := get(tx, a.Job)
	if err != nil || j.Over() {
		return err
	}
	if err := s.end(tx, "system", &j, Failed, fmt.Sprintf("the job could not be carried on: %v", cause)); err != nil {
		return err
	}
	return s.carryOn(tx, j.ID)
}
