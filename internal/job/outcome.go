package job

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"parley/internal/store"
)

// outcome is how one attempt ended.
type outcome struct {
	j         *Job
	err       error
	cancelled bool
	lost      bool
}

// ErrCancelled is the cause when a person ended a job.
var ErrCancelled = errors.New("cancelled by a person")

// errHandedBack marks a job that the stopping server did not get to.
var errHandedBack = errors.New("job: the server is stopping")

// collectBatch bounds how many outcomes are recorded in one transaction.
const collectBatch = 256

// collect records outcomes, as many in one transaction as have gathered.
func (r *Runner) collect(finish context.Context) {
	for {
		var batch []outcome
		select {
		case o := <-r.done:
			batch = append(batch, o)
		case <-finish.Done():
			select {
			case o := <-r.done:
				batch = append(batch, o)
			default:
				return
			}
		}
	gather:
		for len(batch) < collectBatch {
			select {
			case o := <-r.done:
				batch = append(batch, o)
			default:
				break gather
			}
		}
		r.record(batch)
	}
}

// record writes outcomes together; when that fails, each alone. After that this
// node answers for none of the jobs: the next beat hands back what is left running.
func (r *Runner) record(batch []outcome) {
	ctx := context.Background()
	jobs := make([]*Job, len(batch))
	todo := batch[:0]
	defer r.hold(nil, jobs)
	for i, o := range batch {
		jobs[i] = o.j
		if atomic.LoadUint32(&o.j.completed) == 0 && !o.lost {
			todo = append(todo, o)
		}
	}
	if len(todo) == 0 {
		return
	}
	all := func(list []outcome) error {
		return r.db.Write(ctx, systemTenant, func(tx *store.Tx) error {
			for _, o := range list {
				if err := r.settle(tx, o); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := all(todo); err == nil {
		return
	}
	for i := range todo {
		if err := all(todo[i : i+1]); err != nil {
			// The job is handed back or rescued: nothing is lost.
			r.o.Logger.Error("could not record a job's outcome", "kind", todo[i].j.Kind, "job", todo[i].j.ID, "error", err)
		}
	}
}

// settle moves one job on from running, if this node still holds it.
func (r *Runner) settle(tx *store.Tx, o outcome) error {
	j, now := o.j, tx.Now()
	move := func(set string, args ...any) (bool, error) {
		args = append(args, j.ID, j.Attempt, j.Node)
		n, err := tx.For(j.Tenant).Exec("UPDATE job SET "+set+", lease_until=NULL WHERE tenant_id=? AND id=? AND state='running' AND attempt=? AND node=?", args...)
		return n > 0, err
	}
	var z snooze
	if o.err != nil && !o.cancelled {
		// A person may have cancelled it on another node, of which we have not heard.
		_, err := store.Found(tx.For(j.Tenant).QueryRow("SELECT cancel_requested FROM job WHERE tenant_id=? AND id=? AND state='running' AND attempt=? AND node=?"+
			tx.Dialect().ForUpdate(), j.ID, j.Attempt, j.Node).Scan(&o.cancelled))
		if err != nil {
			return err
		}
	}
	switch {
	case o.err == nil:
		_, err := move("state='completed', finished_at=?, last_error=NULL", now)
		return err
	case o.cancelled:
		return r.undone(tx, j, Cancelled, ErrCancelled, move)
	case errors.Is(o.err, errHandedBack):
		_, err := move("state='available', attempt=attempt-1")
		tx.Wake(topicReady, "")
		return err
	case errors.As(o.err, &z):
		_, err := move("state='scheduled', attempt=attempt-1, run_at=?", now.Add(max(z.d, time.Millisecond)))
		tx.Wake(topicReady, "")
		return err
	}
	k := r.kinds[j.Kind]
	var g giveUp
	if errors.As(o.err, &g) || j.Attempt >= j.MaxAttempts {
		return r.undone(tx, j, Discarded, o.err, move)
	}
	_, err := move("state='retryable', run_at=?, last_error=?", now.Add(k.Backoff(j.Attempt)), trim(o.err))
	tx.Wake(topicReady, "")
	return err
}

// undone ends a job that was not done.
func (r *Runner) undone(tx *store.Tx, j *Job, as State, cause error, move func(string, ...any) (bool, error)) error {
	held, err := move("state=?, finished_at=?, last_error=?", string(as), tx.Now(), trim(cause))
	if err != nil || !held {
		return err
	}
	return r.tell(tx.For(j.Tenant), j, cause)
}

// tell lets whoever waits for a job know that it will not be done.
func (r *Runner) tell(tx *store.Tx, j *Job, cause error) error {
	if r == nil {
		return nil // a console that only looks
	}
	if k := r.kinds[j.Kind]; k.Discarded != nil {
		return k.Discarded(tx, j, cause)
	}
	return nil
}

// trim makes an error's text short and clean enough to store and show.
func trim(err error) string {
	s := err.Error()
	if len(s) > 2000 {
		s = s[:2000]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\x00", "?")
}
