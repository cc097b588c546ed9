package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"parley/internal/clock"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/secret"
	"parley/internal/store"
	"parley/internal/webhook"
)

const (
	kindTell = "app.tell"
	// topic is the wake that follows every change of an instance; its key is the id.
	topic = "app_instance"
	// jobAttempts bounds how often one job is handed on by nodes that fall silent.
	jobAttempts = 100
	// inOneGo bounds the calls of one job, so that it ends before its time.
	inOneGo = 4
)

type tellArgs struct {
	Instance id.ID `json:"instance"`
}

// RegisterJobs makes the room's jobs known. Call it before the runner runs.
func (s *Service) RegisterJobs(r *job.Runner) {
	r.Register(job.Kind{Name: kindTell, Handle: s.tell, Discarded: s.untold, Timeout: 2 * time.Minute,
		Backoff: func(int) time.Duration { return 5 * time.Second }})
}

// try is one attempt of a call, written down before it is made.
type try struct {
	row
	ready bool // there is something to call now
	req   webhook.Request
}

// tell makes the calls that an instance owes, one after the other, until none is
// left or one fails. A call that fails, or whose node dies, is made again: the
// intent is on disk before it leaves.
func (s *Service) tell(ctx context.Context, j *job.Job) error {
	var args tellArgs
	if err := j.Decode(&args); err != nil {
		return err
	}
	for n := 0; ; n++ {
		t, err := store.Write(ctx, s.db, j.Tenant, func(tx *store.Tx) (try, error) { return s.begin(tx, j, args.Instance, n < inOneGo) })
		if err != nil || !t.ready {
			return err
		}
		res, err := s.out.Post(ctx, t.req)
		if ctx.Err() != nil {
			return ctx.Err() // the server is stopping: not the app's fault, so not a try
		}
		err = confirmed(t.Owes, res, err)
		done, err := store.Write(ctx, s.db, j.Tenant, func(tx *store.Tx) (bool, error) { return s.settle(tx, j, t.row, err) })
		if err != nil || done {
			return err
		}
	}
}

// begin notes the next try of what an instance owes. When there is nothing to call
// now the job is done, in the same transaction: what is owed from then on gets a
// job of its own.
func (s *Service) begin(tx *store.Tx, j *job.Job, instance id.ID, more bool) (t try, err error) {
	if t.row, err = locked(tx, instance); err != nil {
		if gone(err) { // deleted by hand
			err = j.Complete(tx)
		}
		return t, err
	}
	if t.Owes == "" || t.GaveUp || t.NextAt.After(tx.Now()) || !more {
		return t, s.handOn(tx, j, t.row)
	}
	if t.req, err = s.owedRequest(tx, &t.row); err != nil {
		if !errors.Is(err, secret.ErrSealed) {
			return t, err
		}
		t.giveUp(tx, "the secrets of the app cannot be opened with this server's key; set new ones")
		if err := updateInstance(tx, t.row); err != nil {
			return t, err
		}
		return t, s.handOn(tx, j, t.row)
	}
	t.ready, t.attempt = true, t.attempt+1
	switch t.Owes {
	case CallInstall:
		t.reached = true
	case CallEnabled:
		t.told = nil // what the app believes is unknown until it confirms
	}
	return t, updateInstance(tx, t.row)
}

// handOn ends a job and leaves what is still owed to another.
func (s *Service) handOn(tx *store.Tx, j *job.Job, i row) error {
	if err := j.Complete(tx); err != nil {
		return err
	}
	return s.plan(tx, i)
}

func (i *row) giveUp(tx *store.Tx, why string) {
	i.GaveUp, i.gaveUpAt, i.NextAt, i.LastError = true, tx.Now(), time.Time{}, why
}

// settle records how a try ended, unless the instance has moved on: a later try has
// it, or it was uninstalled. It reports whether the job is over.
func (s *Service) settle(tx *store.Tx, j *job.Job, made row, failed error) (bool, error) {
	i, err := locked(tx, made.ID)
	if err != nil {
		return false, err
	}
	if i.attempt != made.attempt || i.Owes != made.Owes {
		return false, nil // begin looks again
	}
	if errors.Is(failed, errUnknownKey) {
		if i.next != "" { // it may know the other key
			if !made.namesNext() {
				i.token = i.next
			}
			i.next = ""
			i.owe(tx, true)
			return false, updateInstance(tx, i)
		}
		failed = nil
	}
	if failed == nil {
		if err := s.accept(tx, &i, made); err != nil {
			return false, err
		}
		i.LastError = ""
		i.owe(tx, i.version == made.version)
		if err := updateInstance(tx, i); err != nil || i.Owes != "" {
			return false, err
		}
		return true, s.handOn(tx, j, i)
	}
	if i.version != made.version {
		return false, nil // something newer is owed under the same name
	}
	p := Policies[i.Owes]
	i.Tries++
	i.NextAt, i.LastError = tx.Now().Add(p.pause(i.Tries)), reason(p, failed)
	if f := fault.As(failed); f != nil && f.Code == fault.Invalid {
		i.giveUp(tx, i.LastError) // refused before it left: that stays so until the app is changed
	} else if i.Tries >= p.Attempts {
		i.giveUp(tx, i.LastError)
	}
	if err := updateInstance(tx, i); err != nil {
		return false, err
	}
	return true, s.handOn(tx, j, i)
}

// accept is what a confirmed call means.
func (s *Service) accept(tx *store.Tx, i *row, made row) error {
	switch made.Owes {
	case CallInstall:
		i.State, i.InstalledAt, i.told = resting(i.Enabled), tx.Now(), &made.Enabled
		if made.withNext {
			i.token, i.next, i.Refreshing = i.next, "", false
		}
		return s.append(tx, "system", "instance.installed", i.ID)
	case CallEnabled:
		i.told = &made.Enabled
	case CallKey:
		if err := s.take(tx, i); err != nil && !revokedKey(err) {
			return err
		}
		i.token, i.next, i.Refreshing = i.next, "", false
	case CallUninstall:
		i.token, i.next = "", ""
	}
	return nil
}

func revokedKey(err error) bool {
	f := fault.As(err)
	return f != nil && f.Reason == "revoked"
}

// reason is why a try failed, without a word of the URL.
func reason(p Policy, err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("the app did not answer within %s", p.Timeout)
	}
	return cut(err.Error(), keptError)
}

// untold gives up what a job owed that a person ended or that no node could run.
func (s *Service) untold(tx *store.Tx, j *job.Job, cause error) error {
	var args tellArgs
	if err := j.Decode(&args); err != nil {
		return nil // never ours
	}
	i, err := locked(tx, args.Instance)
	if err != nil || i.Owes == "" {
		if gone(err) {
			err = nil
		}
		return err
	}
	i.giveUp(tx, cut(cause.Error(), keptError))
	tx.Wake(topic, i.ID.String())
	return updateInstance(tx, i)
}

// Settled waits until an app has confirmed everything that an instance owes, until
// a try has failed, or for the given time, and returns the instance as it is then.
func (s *Service) Settled(ctx context.Context, tenant, instance id.ID, wait time.Duration) (Instance, error) {
	wake := make(chan struct{}, 1)
	cancel := s.db.OnWake(topic, func(key string) {
		if key == instance.String() {
			select {
			case wake <- struct{}{}:
			default:
			}
		}
	})
	defer cancel()
	over, stop := clock.Real{}.After(wait) // a caller waits by the wall, whatever the database's clock says
	defer stop()
	for {
		i, err := s.Instance(s.db.Read(ctx, tenant), instance)
		if err != nil || i.Owes == "" || i.Tries > 0 || i.GaveUp {
			return i, err
		}
		// Wakes of other nodes can be lost: look by ourselves from time to time.
		again, forget := clock.Real{}.After(500 * time.Millisecond)
		select {
		case <-wake:
		case <-again:
		case <-over:
			forget()
			return i, nil
		case <-ctx.Done():
			forget()
			return i, nil
		}
		forget()
	}
}
