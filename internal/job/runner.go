package job

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"parley/internal/clock"
	"parley/internal/id"
	"parley/internal/store"
)

// Kind tells how jobs of one name are run.
type Kind struct {
	Name string
	// Handle does the work. nil completes the job; Snooze puts it off; GiveUp
	// discards it; any other error is retried until MaxAttempts.
	Handle func(ctx context.Context, j *Job) error
	// Timeout bounds one attempt (default 1 minute).
	Timeout time.Duration
	// Backoff is the pause after the given failed attempt, from 1 (default
	// 10 s × 2^attempt: 20 s, 40 s ..., reference §4.14 of the platform API).
	Backoff func(attempt int) time.Duration
	// Discarded, if set, runs in the transaction that ends a job undone, so that
	// whoever waits for it learns of it for certain: discarded after its last
	// attempt, or cancelled or removed by a person (cause is ErrCancelled).
	Discarded func(tx *store.Tx, j *Job, cause error) error
}

// Options tunes a Runner; zero values take the defaults.
type Options struct {
	Node    string        // this process's name in leases; required, unique per process start
	Workers int           // jobs run at once (default 32)
	Lease   time.Duration // a running job is rescued this long after its node fell silent (default 30 s)
	Poll    time.Duration // how often to look without being woken (default 1 s)
	Clock   clock.Clock
	Logger  *slog.Logger
	// Alone says that no other process works on this database, so every job that
	// is running at the start was left by a crash and is rescued at once.
	Alone bool
}

// Runner claims and runs jobs on one node.
type Runner struct {
	db      *store.DB
	o       Options
	kinds   map[string]Kind
	crons   []*cron
	mu      sync.Mutex
	running map[id.ID]*attempt
	held    map[claimed]int // how often what was claimed here has no outcome yet
	queue   chan *Job
	free    chan struct{} // a worker finished
	kick    chan struct{}
	done    chan outcome
	turn    string // the tenant served last
	wg      sync.WaitGroup
}

// attempt is a job at work here.
type attempt struct {
	job       *Job
	cancel    context.CancelFunc
	cancelled bool // a person asked to stop it
	lost      bool // the lease went elsewhere
}

// NewRunner returns a runner without kinds.
func NewRunner(db *store.DB, o Options) *Runner {
	if o.Workers <= 0 {
		o.Workers = 32
	}
	if o.Lease <= 0 {
		o.Lease = 30 * time.Second
	}
	if o.Poll <= 0 {
		o.Poll = time.Second
	}
	if o.Clock == nil {
		o.Clock = db.Clock()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Runner{db: db, o: o, kinds: map[string]Kind{}, running: map[id.ID]*attempt{}, held: map[claimed]int{},
		queue: make(chan *Job, 2*o.Workers), free: make(chan struct{}, 1), kick: make(chan struct{}, 1), done: make(chan outcome, 4*o.Workers)}
	r.sweeper()
	return r
}

// Register makes a kind known. Call it before Run; a kind registered twice panics.
func (r *Runner) Register(k Kind) {
	if _, dup := r.kinds[k.Name]; dup {
		panic("job: kind " + k.Name + " is registered twice")
	}
	if k.Timeout <= 0 {
		k.Timeout = time.Minute
	}
	if k.Backoff == nil {
		k.Backoff = func(n int) time.Duration { return 10 * time.Second << min(n, 10) }
	}
	r.kinds[k.Name] = k
}

// Run claims and runs jobs until ctx ends. Then it stops claiming, tells the
// running handlers to stop, waits for them, and hands their jobs back.
func (r *Runner) Run(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // told to end before it had begun
		}
		return err
	}
	stopReady := r.db.OnWake(topicReady, func(string) { poke(r.kick) })
	defer stopReady()
	stopCancel := r.db.OnWake(topicCancel, r.cancelled)
	defer stopCancel()

	finish, finished := context.WithCancel(context.Background())
	var collector sync.WaitGroup
	collector.Add(1)
	go func() { defer collector.Done(); r.collect(finish) }()
	beat, stopBeat := context.WithCancel(context.Background())
	collector.Add(1)
	go func() { defer collector.Done(); r.heartbeat(beat) }()
	for i := 0; i < r.o.Workers; i++ {
		r.wg.Add(1)
		go func() { defer r.wg.Done(); r.work(ctx) }()
	}
	r.schedule(ctx)
	close(r.queue)
	r.wg.Wait()
	stopBeat()
	finished()
	collector.Wait()
	return nil
}

// begin takes over what a crash left and plans the cron.
func (r *Runner) begin(ctx context.Context) error {
	if r.o.Alone {
		if err := r.orphans(ctx); err != nil {
			return err
		}
	}
	return r.plan(ctx)
}

// schedule keeps the workers fed.
func (r *Runner) schedule(ctx context.Context) {
	for ctx.Err() == nil {
		now := r.o.Clock.Now()
		next, err := r.promote(ctx, now)
		if err == nil {
			err = r.tick(ctx, now)
		}
		got := nothing
		if err == nil {
			got, err = r.claim(ctx)
		}
		if err != nil && ctx.Err() == nil {
			r.o.Logger.Error("the job room could not look for work", "error", err)
		}
		switch got {
		case some:
			continue
		case full:
			select {
			case <-r.free:
			case <-ctx.Done():
			}
			continue
		}
		timer, stop := r.o.Clock.At(soonest(next, now.Add(r.o.Poll)))
		select {
		case <-timer:
		case <-r.kick:
		case <-ctx.Done():
		}
		stop()
	}
}

// work runs claimed jobs one after the other.
func (r *Runner) work(ctx context.Context) {
	for j := range r.queue {
		if ctx.Err() != nil {
			r.done <- outcome{j: j, err: errHandedBack}
			continue
		}
		r.done <- r.attempt(ctx, j)
		poke(r.free)
	}
}

// attempt runs one job and catches its panic.
func (r *Runner) attempt(ctx context.Context, j *Job) (out outcome) {
	k := r.kinds[j.Kind]
	jctx, cancel := context.WithTimeout(ctx, k.Timeout)
	defer cancel()
	a := &attempt{job: j, cancel: cancel}
	r.mu.Lock()
	r.running[j.ID] = a
	r.mu.Unlock()
	defer func() {
		if p := recover(); p != nil {
			out = outcome{j: j, err: fmt.Errorf("panic: %v", p)}
		}
		r.mu.Lock()
		if r.running[j.ID] == a { // a later attempt may be at work here as well
			delete(r.running, j.ID)
		}
		out.cancelled, out.lost = a.cancelled, a.lost
		r.mu.Unlock()
		if out.err != nil && ctx.Err() != nil && !out.cancelled {
			out.err = errHandedBack // the server is stopping: not the job's fault
		}
	}()
	return outcome{j: j, err: k.Handle(jctx, j)}
}

// cancelled stops a running job that a person cancelled.
func (r *Runner) cancelled(key string) {
	jobID, err := id.Parse(key)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.running[jobID]; a != nil {
		a.cancelled = true
		a.cancel()
	}
}

// soonest returns the earlier of two moments; the zero moment means never.
func soonest(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
