// Package job owns background work: durable jobs that are written in the
// transaction that owes them, and run by workers with leases, retries, unique
// keys, priorities, cancellation and cron; and Lanes, which drain ledgers of
// volume work. Every room may enqueue; the server runs one Runner per node. It
// knows no noun.
//
// The state machine is drawn in docs/state-machines.md.
package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// State is where a job stands.
type State string

// The states of a job.
const (
	Available State = "available" // may run now
	Scheduled State = "scheduled" // waits for RunAt
	Running   State = "running"   // leased by a node
	Retryable State = "retryable" // failed; waits for RunAt to try again
	Completed State = "completed" // done
	Cancelled State = "cancelled" // given up by a person or by its own handler
	Discarded State = "discarded" // failed for good
)

// Defaults of New.
const (
	DefaultPriority    = 5
	DefaultMaxAttempts = 3
)

// Topics of the wakes that the job room sends.
const (
	topicReady  = "job.ready"
	topicCancel = "job.cancel"
)

// Job is one unit of work.
type Job struct {
	ID              id.ID
	Tenant          id.ID
	Kind            string
	State           State
	Priority        int // lower first
	UniqueKey       string
	Args            json.RawMessage
	Attempt         int // from 1 while running
	MaxAttempts     int
	RunAt           time.Time
	LeaseUntil      time.Time
	Node            string
	CancelRequested bool
	LastError       string
	CreatedAt       time.Time
	StartedAt       time.Time
	FinishedAt      time.Time

	completed uint32 // 1, atomically: Complete was committed
}

// New is a job to enqueue. Only Kind is required.
type New struct {
	Kind        string
	Args        any
	Priority    int       // lower first; 0 means DefaultPriority
	RunAt       time.Time // zero or past means now
	MaxAttempts int       // 0 means DefaultMaxAttempts
	// UniqueKey, when set, allows one unfinished job of this kind and key per
	// tenant: a second Enqueue returns the first.
	UniqueKey string
}

// Enqueue writes a job in tx. inserted is false when an unfinished job with the
// same unique key stands already; its id is returned.
func Enqueue(tx *store.Tx, n New) (jobID id.ID, inserted bool, err error) {
	if n.Kind == "" {
		return id.Zero, false, errors.New("job: a job needs a kind")
	}
	if n.Priority == 0 {
		n.Priority = DefaultPriority
	}
	if n.MaxAttempts == 0 {
		n.MaxAttempts = DefaultMaxAttempts
	}
	state, now := Available, tx.Now()
	if n.RunAt.After(now) {
		state = Scheduled
	} else {
		n.RunAt = now
	}
	if n.Args == nil {
		n.Args = struct{}{}
	}
	jobID = id.New()
	for range keyTries {
		rows, err := tx.Exec(`INSERT INTO job (tenant_id, id, kind, state, priority, unique_key, args, attempt, max_attempts, run_at, cancel_requested, created_at)
		VALUES (?,?,?,?,?,?,?,0,?,?,FALSE,?)
		ON CONFLICT (tenant_id, kind, unique_key) WHERE unique_key IS NOT NULL AND state IN ('available', 'scheduled', 'running', 'retryable') DO NOTHING`,
			jobID, n.Kind, string(state), n.Priority, store.NullText(n.UniqueKey), store.JSON(n.Args), n.MaxAttempts, n.RunAt, now)
		if err != nil {
			return id.Zero, false, fmt.Errorf("job: enqueue %s: %w", n.Kind, err)
		}
		if rows == 1 {
			tx.Wake(topicReady, "")
			return jobID, true, nil
		}
		var holder id.ID
		found, err := store.Found(tx.QueryRow(`SELECT id FROM job WHERE tenant_id=? AND kind=? AND unique_key=? AND state IN ('available', 'scheduled', 'running', 'retryable')`,
			n.Kind, n.UniqueKey).Scan(&holder))
		if err != nil || found {
			return holder, false, err
		}
		// On PostgreSQL it ended between the two statements: the key is free now.
	}
	return id.Zero, false, fmt.Errorf("job: the key %q of %s is taken and freed again and again", n.UniqueKey, n.Kind)
}

// keyTries bounds how often Enqueue asks for a key that others take and free.
const keyTries = 50

// WithdrawIn removes the unfinished job of a kind and unique key, unless it is
// running: whoever owed it owes it no longer.
func WithdrawIn(tx *store.Tx, kind, uniqueKey string) error {
	_, err := tx.Exec("DELETE FROM job WHERE tenant_id=? AND kind=? AND unique_key=? AND state IN ('available', 'scheduled', 'retryable')", kind, uniqueKey)
	return err
}

// ErrLost is returned by Complete when the lease went to somebody else: the
// transaction must be undone, because the work is or will be done there.
var ErrLost = errors.New("job: the lease was lost")

// Complete marks j completed in tx, so that its effects and its end are one
// transaction: they happen exactly once. Return nil from the handler after it.
func (j *Job) Complete(tx *store.Tx) error {
	rows, err := tx.For(j.Tenant).Exec(`UPDATE job SET state='completed', finished_at=?, lease_until=NULL, last_error=NULL
		WHERE tenant_id=? AND id=? AND state='running' AND attempt=? AND node=?`, tx.Now(), j.ID, j.Attempt, j.Node)
	if err != nil {
		return err
	}
	if rows == 0 {
		return ErrLost
	}
	tx.After(func() { atomic.StoreUint32(&j.completed, 1) })
	return nil
}

// Decode reads the job's args.
func (j *Job) Decode(dst any) error {
	if err := json.Unmarshal(j.Args, dst); err != nil {
		return GiveUp(fmt.Errorf("job: args of %s: %w", j.Kind, err))
	}
	return nil
}

type snooze struct{ d time.Duration }

func (s snooze) Error() string { return "job: snoozed for " + s.d.String() }

// Snooze, returned by a handler, puts the job off by d without counting an attempt.
func Snooze(d time.Duration) error { return snooze{d} }

type giveUp struct{ err error }

func (g giveUp) Error() string { return g.err.Error() }
func (g giveUp) Unwrap() error { return g.err }

// GiveUp, returned by a handler, discards the job without further attempts.
func GiveUp(err error) error { return giveUp{err} }
