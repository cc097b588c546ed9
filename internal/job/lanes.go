package job

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"parley/internal/clock"
	"parley/internal/id"
	"parley/internal/store"
)

// Lane is one queue of a ledger that is drained in order by one node at a time:
// a channel account, a webhook endpoint, a campaign.
type Lane struct {
	Tenant id.ID
	Name   string
}

// Work does one claimed item and records its outcome by itself.
type Work func(ctx context.Context)

// Ledger is a table of volume work whose rows carry status, lease and next
// attempt. The rows are the durable promise; lanes are only who works on them.
type Ledger interface {
	// Name names the ledger in leases and wakes.
	Name() string
	// Due returns up to limit lanes that have rows due at now, and when the next
	// row falls due after now (zero when none does).
	Due(ctx context.Context, now time.Time, limit int) (lanes []Lane, next time.Time, err error)
	// Claim leases up to n due rows of a lane durably and returns their work, and
	// when the lane's next row falls due. It never returns two items that must
	// follow each other.
	Claim(ctx context.Context, l Lane, n int) (work []Work, next time.Time, err error)
	// Rescue settles rows whose lease has ended, and returns how many.
	Rescue(ctx context.Context) (int, error)
}

// Bounded is a Ledger that has at most so many items of a lane at work; Claim is
// not asked for more.
type Bounded interface{ InFlight() int }

// Settler is a Ledger whose work leaves its outcomes to the next Claim of the lane,
// which records them in the transaction that claims. Settle records what no Claim
// will; it is called when work ends and nothing is claimed.
type Settler interface {
	Settle(ctx context.Context, l Lane)
}

// settle has a lane's outcomes recorded, also while the server stops.
func settle(ctx context.Context, l Ledger, lane Lane) {
	if s, ok := l.(Settler); ok {
		s.Settle(context.WithoutCancel(ctx), lane)
	}
}

// inFlight is how many items of a ledger's lane may be at work at once.
func (o LaneOptions) inFlight(l Ledger) int {
	if b, ok := l.(Bounded); ok {
		return min(o.InFlight, b.InFlight())
	}
	return o.InFlight
}

// WakeLane asks, once tx is on disk, that a lane be drained soon. It is a hint:
// the sweep finds the rows anyway.
func WakeLane(tx *store.Tx, ledger, lane string) {
	tx.Wake("lane."+ledger, tx.Tenant().String()+"/"+lane)
}

// LaneOptions tunes Lanes; zero values take the defaults.
type LaneOptions struct {
	Node     string        // this process's name in leases; required
	InFlight int           // items of one lane at work at once (default 16)
	MaxLanes int           // lanes drained at once by this node (default 64)
	Lease    time.Duration // a lane is given up after this long without renewal (default 30 s)
	Sweep    time.Duration // how often every ledger is asked for due lanes (default 1 s)
	Linger   time.Duration // an idle lane is held this long before it is let go (default 500 ms)
	Clock    clock.Clock
	Logger   *slog.Logger
}

// Lanes drains ledgers: each lane by one node at a time, many lanes beside each
// other, so that a slow lane holds up nobody else.
type Lanes struct {
	db      *store.DB
	o       LaneOptions
	ledgers []Ledger
	mu      sync.Mutex
	active  map[laneKey]chan struct{} // wakes of the lanes drained here
	slots   chan struct{}
	wg      sync.WaitGroup
}

type laneKey struct {
	ledger string
	lane   Lane
}

// NewLanes returns a drainer without ledgers.
func NewLanes(db *store.DB, o LaneOptions) *Lanes {
	if o.InFlight <= 0 {
		o.InFlight = 16
	}
	if o.MaxLanes <= 0 {
		o.MaxLanes = 64
	}
	if o.Lease <= 0 {
		o.Lease = 30 * time.Second
	}
	if o.Sweep <= 0 {
		o.Sweep = time.Second
	}
	if o.Linger <= 0 {
		o.Linger = 500 * time.Millisecond
	}
	if o.Clock == nil {
		o.Clock = db.Clock()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Lanes{db: db, o: o, active: map[laneKey]chan struct{}{}, slots: make(chan struct{}, o.MaxLanes)}
}

// Add makes a ledger known. Call it before Run.
func (ls *Lanes) Add(l Ledger) { ls.ledgers = append(ls.ledgers, l) }

// Run drains until ctx ends, then waits for the items at work.
func (ls *Lanes) Run(ctx context.Context) {
	for _, l := range ls.ledgers {
		woken := make(chan Lane, 1024)
		stop := ls.db.OnWake("lane."+l.Name(), func(key string) {
			tenant, name, _ := strings.Cut(key, "/")
			t, err := id.Parse(tenant)
			if err != nil {
				return
			}
			select {
			case woken <- Lane{t, name}:
			default: // the sweep will find it
			}
		})
		defer stop()
		ls.wg.Add(1)
		go func() {
			defer ls.wg.Done()
			ls.watch(ctx, l, woken)
		}()
	}
	<-ctx.Done()
	ls.wg.Wait()
}

// watch starts a drain for every lane that is woken or found due.
func (ls *Lanes) watch(ctx context.Context, l Ledger, woken <-chan Lane) {
	for {
		if n, err := l.Rescue(ctx); err != nil && ctx.Err() == nil {
			ls.o.Logger.Error("could not rescue rows whose lease ended", "ledger", l.Name(), "error", err)
		} else if n > 0 {
			ls.o.Logger.Info("rescued rows whose lease ended", "ledger", l.Name(), "rows", n)
		}
		now := ls.o.Clock.Now()
		lanes, next, err := l.Due(ctx, now, 4*ls.o.MaxLanes)
		if err != nil && ctx.Err() == nil {
			ls.o.Logger.Error("could not look for due lanes", "ledger", l.Name(), "error", err)
		}
		for _, lane := range lanes {
			ls.start(ctx, l, lane)
		}
		if !next.After(now) {
			next = time.Time{}
		}
		timer, stop := ls.o.Clock.At(soonest(next, now.Add(ls.o.Sweep)))
	waiting:
		for {
			select {
			case lane := <-woken:
				ls.start(ctx, l, lane)
			case <-timer:
				break waiting
			case <-ctx.Done():
				stop()
				return
			}
		}
	}
}

// start drains a lane in its own goroutine, or pokes the one that does already.
func (ls *Lanes) start(ctx context.Context, l Ledger, lane Lane) {
	key := laneKey{l.Name(), lane}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if poke, ok := ls.active[key]; ok {
		select {
		case poke <- struct{}{}:
		default:
		}
		return
	}
	poke := make(chan struct{}, 1)
	ls.active[key] = poke
	ls.wg.Add(1)
	go func() {
		defer ls.wg.Done()
		defer func() {
			ls.mu.Lock()
			delete(ls.active, key)
			ls.mu.Unlock()
			select {
			case <-poke: // woken while it was letting go: nobody else will look
				if ctx.Err() == nil {
					ls.start(ctx, l, lane)
				}
			default:
			}
		}()
		select {
		case ls.slots <- struct{}{}:
			defer func() { <-ls.slots }()
		case <-ctx.Done():
			return
		}
		ls.drain(ctx, l, lane, poke)
	}()
}
