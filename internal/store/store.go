// Package store owns the database: opening it, migrating it, reading it, and
// the one door for changes, Write. It is the only room that imports database
// drivers. Every other room writes SQL by hand in its own store.go and runs it
// through a Tx or a Reader; faces never import it. It knows no noun.
//
// Two dialects give the same answers: embedded SQLite (one writer goroutine
// that commits waiting calls together, WAL, synchronous=FULL) and PostgreSQL
// (ordinary transactions, retried on serialization failure).
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"

	"parley/internal/clock"
	"parley/internal/fault"
	"parley/internal/id"
)

// Options tells Open which database to open and how.
type Options struct {
	// Path is the SQLite file. Ignored when URL is set.
	Path string
	// URL is a postgres:// connection string; empty means SQLite.
	URL string
	// Readers is the number of SQLite read connections (default: cores, at least 4).
	Readers int
	// MaxConns is the size of the PostgreSQL pool (default 16).
	MaxConns int
	// QueueLimit bounds the writes that wait for SQLite's writer (default 8192);
	// beyond it Write answers Unavailable.
	QueueLimit int
	// Twice runs every Write closure twice and discards the first run. Tests set
	// it to prove that closures have no effect outside their transaction.
	Twice bool
	// Unsynced commits without waiting for the disk (synchronous=OFF). Only for
	// tests that do not test durability.
	Unsynced bool
	// Clock is the machine's clock by default. On PostgreSQL the node goes by the
	// database's, measured against this one, unless it is a fake.
	Clock  clock.Clock
	Logger *slog.Logger
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	opts    Options
	dialect Dialect
	read    *sql.DB  // SQLite: the readers' pool; PostgreSQL: the pool
	stmts   stmtPool // prepared statements of the read pool
	writer  *writer  // SQLite only
	bus     *bus
	inside  sync.Map // goroutine ids that are inside a Write closure
	stop    context.CancelFunc
	wg      sync.WaitGroup
}

// Open opens the database without migrating it.
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.QueueLimit <= 0 {
		o.QueueLimit = 8192
	}
	if o.Readers <= 0 {
		o.Readers = max(4, runtime.NumCPU())
	}
	if o.MaxConns <= 0 {
		o.MaxConns = 16
	}
	runCtx, stop := context.WithCancel(context.Background())
	db := &DB{opts: o, stop: stop}
	db.bus = newBus(db)
	var err error
	switch {
	case o.URL == "":
		err = db.openSQLite(ctx, runCtx)
	case strings.HasPrefix(o.URL, "postgres://"), strings.HasPrefix(o.URL, "postgresql://"):
		err = db.openPostgres(ctx, runCtx)
	default:
		err = fmt.Errorf("the database URL must begin with postgres://; leave it out to use SQLite in the data folder")
	}
	if err != nil {
		stop()
		db.wg.Wait()
		return nil, err
	}
	return db, nil
}

// Close waits for queued writes and closes every connection.
func (db *DB) Close() error {
	var werr error
	if db.writer != nil {
		werr = db.writer.close()
	}
	db.stop()
	db.wg.Wait()
	db.stmts.close()
	if err := db.read.Close(); err != nil && werr == nil {
		werr = err
	}
	return werr
}

// Dialect tells which SQL the database speaks.
func (db *DB) Dialect() Dialect { return db.dialect }

// Clock is the clock that Tx.Now reads.
func (db *DB) Clock() clock.Clock { return db.opts.Clock }

// Ping proves that the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.read.PingContext(ctx) }

// Write runs fn in one durable transaction for a tenant (id.Zero for the
// system's own rows). It returns after the commit is on disk. fn does no I/O but
// the transaction's, and may run more than once: only its last run counts, so
// results must be set afresh in each run. An error from fn undoes all of it.
//
// A Write inside a Write is an error, unless ctx came from Join: then it runs
// as a part of that transaction.
func (db *DB) Write(ctx context.Context, tenant id.ID, fn func(tx *Tx) error) error {
	if outer := joined(ctx); outer != nil {
		return outer.For(tenant).part(fn)
	}
	// Naming the goroutine takes as long as a few statements, so SQLite, where a
	// nested Write would wait for itself, looks only once it has waited.
	if (db.writer == nil || db.opts.Twice) && db.nested() {
		return errNested
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if db.writer != nil {
		return db.writer.write(ctx, tenant, fn)
	}
	return db.writePostgres(ctx, tenant, fn)
}

var errNested = errors.New("store: a Write inside a Write; pass the transaction on instead")

// nested reports whether the running goroutine is inside a Write closure.
func (db *DB) nested() bool {
	_, inside := db.inside.Load(goid())
	return inside
}

// Write runs fn like DB.Write and returns its result.
func Write[T any](ctx context.Context, db *DB, tenant id.ID, fn func(tx *Tx) (T, error)) (T, error) {
	var out T
	err := db.Write(ctx, tenant, func(tx *Tx) error {
		v, err := fn(tx)
		out = v
		return err
	})
	if err != nil {
		var zero T
		return zero, err
	}
	return out, nil
}

// Read returns a handle for one tenant's queries outside a transaction, or the
// transaction itself when ctx came from Join.
func (db *DB) Read(ctx context.Context, tenant id.ID) Reader {
	if outer := joined(ctx); outer != nil {
		return outer.For(tenant)
	}
	return &reader{db: db, ctx: ctx, tenant: tenant.String(), id: tenant}
}

// errQueueFull is what callers hear when the writer cannot keep up.
func errQueueFull() error {
	return fault.New(fault.Unavailable, "the server has more writes waiting than it can take; try again in a second").After(1e9)
}
