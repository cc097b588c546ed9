package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
)

// A group closes after this many calls or this much work, whichever is first,
// so that nobody waits long for his neighbours.
const (
	groupCalls = 256
	groupTime  = 10 * time.Millisecond
)

// patience is how long a call waits before it asks whether it waits for itself.
const patience = time.Second

// errClosed is what Write answers once the database is closing.
var errClosed = errors.New("store: the database is closed")

// call is one waiting Write.
type call struct {
	tenant id.ID
	fn     func(tx *Tx) error
	state  atomic.Int32 // 0 queued, 1 taken, 2 given up
	hooks  []func()
	err    error
	crash  *crash
	done   chan struct{}
}

// crash carries a panic from the writer to the caller who caused it.
type crash struct {
	value any
	stack []byte
}

// writer is SQLite's only writer. It takes waiting calls from the tenants in
// turn, runs each behind a savepoint, and commits them together.
type writer struct {
	db    *DB
	pool  *sql.DB
	c     *sqliteConn
	mu    sync.Mutex
	queue map[id.ID][]*call
	turn  []id.ID // tenants with waiting calls, next first
	n     int
	shut  bool
	// careful counts down the groups that still get savepoints; the loop's own.
	careful int
	ready   chan struct{}
	ended   chan struct{}
	// Groups and calls committed, for the metrics.
	groups, calls atomic.Int64
}

func newWriter(db *DB, pool *sql.DB, c *sql.Conn) *writer {
	return &writer{db: db, pool: pool, c: &sqliteConn{c: c, stmts: map[string]*sql.Stmt{}},
		queue: map[id.ID][]*call{}, ready: make(chan struct{}, 1), ended: make(chan struct{})}
}

func (w *writer) write(ctx context.Context, tenant id.ID, fn func(tx *Tx) error) error {
	k := &call{tenant: tenant, fn: fn, done: make(chan struct{})}
	if err := w.push(k); err != nil {
		return err
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	for waiting := true; waiting; {
		select {
		case <-k.done:
			waiting = false
		case <-late.C:
			if w.db.nested() && k.state.CompareAndSwap(0, 2) {
				return errNested
			}
		case <-ctx.Done():
			if k.state.CompareAndSwap(0, 2) {
				return ctx.Err() // it had not begun, so nothing happened
			}
			<-k.done // it has begun: only the commit can tell
			waiting = false
		}
	}
	if k.crash != nil {
		panic(fmt.Sprintf("%v\n\nin a store.Write:\n%s", k.crash.value, k.crash.stack))
	}
	if k.err == nil {
		for _, f := range k.hooks {
			f()
		}
	}
	return k.err
}

func (w *writer) push(k *call) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.shut {
		return errClosed
	}
	if w.n >= w.db.opts.QueueLimit {
		return errQueueFull()
	}
	if len(w.queue[k.tenant]) == 0 {
		w.turn = append(w.turn, k.tenant)
	}
	w.queue[k.tenant] = append(w.queue[k.tenant], k)
	w.n++
	select {
	case w.ready <- struct{}{}:
	default:
	}
	return nil
}

// pop takes the next call, one tenant after the other.
func (w *writer) pop() *call {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.turn) > 0 {
		t := w.turn[0]
		w.turn = w.turn[1:]
		q := w.queue[t]
		k := q[0]
		if len(q) > 1 {
			w.queue[t] = q[1:]
			w.turn = append(w.turn, t)
		} else {
			delete(w.queue, t)
		}
		w.n--
		if k.state.CompareAndSwap(0, 1) {
			return k
		}
	}
	return nil
}

func (w *writer) loop(ctx context.Context) {
	defer close(w.ended)
	g := goid()
	w.db.inside.Store(g, true)
	defer w.db.inside.Delete(g)
	for {
		k := w.pop()
		if k != nil {
			w.group(k)
			continue
		}
		w.mu.Lock()
		shut := w.shut && w.n == 0
		w.mu.Unlock()
		if shut {
			return
		}
		select {
		case <-w.ready:
		case <-ctx.Done():
			return
		}
	}
}

// careful is for how many groups after a spoiled one every call gets a savepoint.
const careful = 64

// group runs k and whoever waits beside it, and commits them together. When
// the commit itself fails, each is run again alone.
//
// A savepoint costs a copy of every page that the call touches, and is needed
// only by a call that changes something and then fails. So a group runs without;
// when such a call spoils it, it is undone and run again with savepoints, and so
// are the next groups.
func (w *writer) group(first *call) {
	save := w.db.opts.Twice || w.careful > 0
	w.careful = max(0, w.careful-1)
	done, spoiled, err := w.together([]*call{first}, save, true)
	if spoiled {
		w.rollback()
		w.careful = careful
		done, _, err = w.together(done, true, false)
	}
	if err == nil {
		err = w.exec("COMMIT")
	}
	if err != nil {
		w.rollback()
		w.db.opts.Logger.Warn("a group of writes failed; each is tried alone", "calls", len(done), "error", err)
		for _, k := range done {
			w.alone(k)
		}
	}
	w.groups.Add(1)
	w.calls.Add(int64(len(done)))
	for _, k := range done {
		close(k.done)
	}
}

// together begins a transaction and runs the given calls in it, then, if more is
// set, whoever waits. It returns the calls it took: all that were given, even
// when it could not run them.
func (w *writer) together(given []*call, save, more bool) (done []*call, spoiled bool, err error) {
	begun := time.Now()
	if err := w.exec("BEGIN IMMEDIATE"); err != nil {
		return given, false, err
	}
	for i := 0; ; i++ {
		switch {
		case i < len(given):
			done = append(done, given[i])
		case !more || len(done) >= groupCalls || time.Since(begun) > groupTime:
			return done, false, nil
		default:
			k := w.pop()
			if k == nil {
				return done, false, nil
			}
			done = append(done, k)
		}
		k := done[i]
		if save {
			if err := w.one(k); err != nil {
				return append(done, given[min(i+1, len(given)):]...), false, err
			}
			continue
		}
		w.c.dirty = false
		if k.hooks, k.err = w.run(k, true); k.err != nil && (w.c.dirty || fault.As(k.err) == nil) {
			// It changed something, or it failed for a reason of the database's own,
			// which may have undone the transaction beneath us (a full disk does).
			return done, true, nil
		}
	}
}

// one runs a call behind a savepoint. It returns an error only when the whole
// group is lost; the call's own error stays with the call.
func (w *writer) one(k *call) error {
	if w.db.opts.Twice && k.crash == nil {
		if err := w.exec("SAVEPOINT rehearsal"); err != nil {
			return err
		}
		_, _ = w.run(k, false)
		if err := w.exec("ROLLBACK TO SAVEPOINT rehearsal"); err != nil {
			return err
		}
		if err := w.exec("RELEASE SAVEPOINT rehearsal"); err != nil {
			return err
		}
	}
	if err := w.exec("SAVEPOINT one"); err != nil {
		return err
	}
	k.hooks, k.err = w.run(k, true)
	if k.err != nil {
		if err := w.exec("ROLLBACK TO SAVEPOINT one"); err != nil {
			return err
		}
	}
	return w.exec("RELEASE SAVEPOINT one")
}

// run calls the closure, for good if keep is set, and keeps its panic for the caller.
func (w *writer) run(k *call, keep bool) (hooks []func(), err error) {
	s := &txState{db: w.db, ctx: context.Background(), c: w.c, now: w.db.opts.Clock.Now()}
	k.crash = nil
	defer func() {
		if p := recover(); p != nil {
			k.crash = &crash{p, debug.Stack()}
			err = fmt.Errorf("store: panic in a write: %v", p)
		}
		if !keep || err != nil {
			s.undone(0)
		}
	}()
	err = k.fn(&Tx{txState: s, tenant: k.tenant.String(), id: k.tenant})
	return s.after, err
}

func (w *writer) alone(k *call) {
	if k.crash != nil {
		return
	}
	err := w.exec("BEGIN IMMEDIATE")
	if err == nil {
		k.hooks, k.err = w.run(k, true)
		if k.err == nil {
			err = w.exec("COMMIT")
		}
	}
	if err != nil {
		k.hooks, k.err = nil, fmt.Errorf("store: the write could not be committed: %w", err)
	}
	if k.err != nil {
		w.rollback()
	}
}

func (w *writer) exec(q string) error {
	_, err := w.c.exec(context.Background(), q, nil)
	return err
}

// rollback undoes what is open. It fails harmlessly when SQLite has already
// rolled back by itself, as it does on a full disk.
func (w *writer) rollback() { _ = w.exec("ROLLBACK") }

// close refuses new calls and waits for the queued ones.
func (w *writer) close() error {
	w.mu.Lock()
	w.shut = true
	w.mu.Unlock()
	select {
	case w.ready <- struct{}{}:
	default:
	}
	<-w.ended
	for _, s := range w.c.stmts {
		_ = s.Close()
	}
	err := w.c.c.Close()
	if perr := w.pool.Close(); err == nil {
		err = perr
	}
	return err
}

// Waiting returns how many writes wait for the writer, and how many groups and
// calls it has committed. Zero on PostgreSQL.
func (db *DB) Waiting() (waiting int, groups, calls int64) {
	if db.writer == nil {
		return 0, 0, 0
	}
	db.writer.mu.Lock()
	defer db.writer.mu.Unlock()
	return db.writer.n, db.writer.groups.Load(), db.writer.calls.Load()
}
