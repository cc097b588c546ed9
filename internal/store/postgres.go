package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"parley/internal/id"
)

// A transaction that lost a race is tried this often before its error shows.
const pgTries = 12

// postgresConfig is how every connection to PostgreSQL is made.
func (db *DB) postgresConfig() (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(db.opts.URL)
	if err != nil {
		return nil, fmt.Errorf("the database URL cannot be read: %w", err)
	}
	cfg.RuntimeParams["application_name"] = "parley"
	// A transaction that hangs would hold back the horizon of every feed.
	cfg.RuntimeParams["statement_timeout"] = "60s"
	cfg.RuntimeParams["idle_in_transaction_session_timeout"] = "30s"
	cfg.RuntimeParams["timezone"] = "UTC"
	if db.opts.Unsynced {
		cfg.RuntimeParams["synchronous_commit"] = "off"
	}
	return cfg, nil
}

// unhurried opens connections whose statements may take as long as they need.
func (db *DB) unhurried() (*sql.DB, error) {
	cfg, err := db.postgresConfig()
	if err != nil {
		return nil, err
	}
	cfg.RuntimeParams["statement_timeout"] = "0"
	return stdlib.OpenDB(*cfg), nil
}

// Unhurried runs f with a handle over every tenant whose queries may take as long as
// they need, where those of a Reader are cut off after a minute on PostgreSQL.
func (db *DB) Unhurried(ctx context.Context, f func(all Raw) error) error {
	if db.dialect != Postgres {
		return f(db.Read(ctx, id.Zero).All())
	}
	pool, err := db.unhurried()
	if err != nil {
		return err
	}
	defer pool.Close()
	return f(rawPool{ctx, pool})
}

// rawPool runs queries on connections of its own.
type rawPool struct {
	ctx  context.Context
	pool *sql.DB
}

func (r rawPool) Query(q string, args ...any) (*sql.Rows, error) {
	return r.pool.QueryContext(r.ctx, rebind(q), convert(args)...)
}

func (r rawPool) QueryRow(q string, args ...any) *sql.Row {
	return r.pool.QueryRowContext(r.ctx, rebind(q), convert(args)...)
}

func (db *DB) openPostgres(ctx, run context.Context) error {
	db.dialect = Postgres
	cfg, err := db.postgresConfig()
	if err != nil {
		return err
	}
	db.read = stdlib.OpenDB(*cfg)
	db.read.SetMaxOpenConns(db.opts.MaxConns)
	db.read.SetMaxIdleConns(db.opts.MaxConns)
	db.read.SetConnMaxLifetime(30 * time.Minute)
	if err := db.read.PingContext(ctx); err != nil {
		_ = db.read.Close()
		return fmt.Errorf("cannot reach PostgreSQL: %w", err)
	}
	if err := db.goByDatabase(ctx, run); err != nil {
		_ = db.read.Close()
		return fmt.Errorf("cannot ask PostgreSQL for the time: %w", err)
	}
	db.bus.network(run, cfg)
	return nil
}

func (db *DB) writePostgres(ctx context.Context, tenant id.ID, fn func(tx *Tx) error) error {
	for try := 1; ; try++ {
		hooks, err := db.tryPostgres(ctx, tenant, fn)
		if err == nil {
			for _, f := range hooks {
				f()
			}
			return nil
		}
		if try >= pgTries || !lostRace(err) {
			return err
		}
		pause := time.Duration(1+rand.IntN(4*try)) * time.Millisecond
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (db *DB) tryPostgres(ctx context.Context, tenant id.ID, fn func(tx *Tx) error) ([]func(), error) {
	c, err := db.read.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	// Once begun, a cancelled caller undoes nothing: only the commit can tell.
	ctx = context.WithoutCancel(ctx)
	t, err := c.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = t.Rollback() }()
	g := goid()
	db.inside.Store(g, true)
	defer db.inside.Delete(g)
	run := func(keep bool) (s *txState, err error) {
		s = &txState{db: db, ctx: ctx, c: pgConn{t}, now: db.opts.Clock.Now()}
		defer func() {
			if !keep || err != nil {
				s.undone(0)
			}
		}()
		return s, fn(&Tx{txState: s, tenant: tenant.String(), id: tenant})
	}
	if db.opts.Twice {
		if _, err := t.ExecContext(ctx, "SAVEPOINT rehearsal"); err != nil {
			return nil, err
		}
		_, _ = run(false)
		if _, err := t.ExecContext(ctx, "ROLLBACK TO SAVEPOINT rehearsal"); err != nil {
			return nil, err
		}
	}
	s, err := run(true)
	if err != nil {
		return nil, err
	}
	return s.after, t.Commit()
}

type pgConn struct{ t *sql.Tx }

func (c pgConn) exec(ctx context.Context, q string, args []any) (sql.Result, error) {
	return c.t.ExecContext(ctx, rebind(q), args...)
}
func (c pgConn) query(ctx context.Context, q string, args []any) (*sql.Rows, error) {
	return c.t.QueryContext(ctx, rebind(q), args...)
}
func (c pgConn) queryRow(ctx context.Context, q string, args []any) *sql.Row {
	return c.t.QueryRowContext(ctx, rebind(q), args...)
}

// lostRace reports errors that a second try cures: serialization failure,
// deadlock, and a unique key that a neighbour took in between.
func lostRace(err error) bool {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return false
	}
	switch pe.Code {
	case "40001", "40P01", "23505", "55P03":
		return true
	}
	return false
}

// Admin runs one statement on a PostgreSQL server outside any transaction, for
// tests and tools that create and drop databases.
func Admin(ctx context.Context, url, statement string) error {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(ctx) }()
	_, err = c.Exec(ctx, statement)
	return err
}
