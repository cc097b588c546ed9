package store

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// openSQLite opens one connection that writes and a pool that reads.
func (db *DB) openSQLite(ctx, run context.Context) error {
	db.dialect = SQLite
	if db.opts.Path == "" {
		return fmt.Errorf("store: a SQLite database needs a path")
	}
	if err := os.MkdirAll(filepath.Dir(db.opts.Path), 0o700); err != nil {
		return err
	}
	w, err := sql.Open(driverName, writeDSN(db.opts.Path, db.opts.Unsynced))
	if err != nil {
		return err
	}
	w.SetMaxOpenConns(1)
	c, err := w.Conn(ctx)
	if err != nil {
		_ = w.Close()
		return fmt.Errorf("cannot open %s: %w", db.opts.Path, err)
	}
	db.read, err = sql.Open(driverName, readDSN(db.opts.Path))
	if err != nil {
		_ = c.Close()
		_ = w.Close()
		return err
	}
	db.read.SetMaxOpenConns(db.opts.Readers)
	db.read.SetMaxIdleConns(db.opts.Readers)
	db.writer = newWriter(db, w, c)
	db.wg.Add(1)
	go func() {
		defer db.wg.Done()
		db.writer.loop(run)
	}()
	return nil
}

// sqliteConn runs a writer's statements, prepared once each.
type sqliteConn struct {
	c     *sql.Conn
	stmts map[string]*sql.Stmt
	dirty bool // something was changed since it was last cleared
}

// reads reports whether a statement only reads.
func reads(q string) bool {
	q = strings.TrimLeft(q, " \t\n")
	return len(q) > 6 && strings.EqualFold(q[:6], "SELECT") || len(q) > 14 && strings.EqualFold(q[:14], "WITH RECURSIVE")
}

func (s *sqliteConn) prepared(ctx context.Context, q string) *sql.Stmt {
	st := s.stmts[q]
	if st == nil && len(s.stmts) < maxStatements {
		p, err := s.c.PrepareContext(ctx, stable(q))
		if err != nil {
			return nil // the unprepared run reports the error
		}
		st, s.stmts[q] = p, p
	}
	return st
}

func (s *sqliteConn) exec(ctx context.Context, q string, args []any) (sql.Result, error) {
	s.dirty = true
	if st := s.prepared(ctx, q); st != nil {
		return st.ExecContext(ctx, args...)
	}
	return s.c.ExecContext(ctx, q, args...)
}

func (s *sqliteConn) query(ctx context.Context, q string, args []any) (*sql.Rows, error) {
	s.dirty = s.dirty || !reads(q)
	if st := s.prepared(ctx, q); st != nil {
		return st.QueryContext(ctx, args...)
	}
	return s.c.QueryContext(ctx, q, args...)
}

func (s *sqliteConn) queryRow(ctx context.Context, q string, args []any) *sql.Row {
	s.dirty = s.dirty || !reads(q)
	if st := s.prepared(ctx, q); st != nil {
		return st.QueryRowContext(ctx, args...)
	}
	return s.c.QueryRowContext(ctx, q, args...)
}

// Snapshot writes a consistent copy of a SQLite database to a new file, while
// others read and write.
func (db *DB) Snapshot(ctx context.Context, file string) error {
	if db.dialect != SQLite {
		return fmt.Errorf("a snapshot file exists only for SQLite; back up PostgreSQL with pg_dump or its own base backups")
	}
	_, err := db.read.ExecContext(ctx, "VACUUM INTO ?", file)
	return err
}
