package store

import (
	"bytes"
	"context"
	"database/sql"
	"regexp"
	"runtime"
	"strconv"
	"sync"
)

// maxStatements bounds a cache of prepared statements; later texts run unprepared.
const maxStatements = 1024

// limited finds limits that are given with each call.
var limited = regexp.MustCompile(`(?i)\bLIMIT (\?[0-9]*)`)

// stable returns the text under which SQLite keeps a statement. It looks at the
// value of a bare LIMIT ? while it plans, and therefore plans anew at every call,
// which takes longer than most queries; an expression it does not look into.
func stable(q string) string { return limited.ReplaceAllString(q, "LIMIT CAST($1 AS BIGINT)") }

// stmtPool keeps prepared statements of a pool. The driver prepares each again
// on every connection that needs it.
type stmtPool struct {
	mu sync.RWMutex
	m  map[string]*sql.Stmt
}

func (p *stmtPool) get(ctx context.Context, db *sql.DB, q string) *sql.Stmt {
	p.mu.RLock()
	s := p.m[q]
	p.mu.RUnlock()
	if s != nil {
		return s
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.m[q]; s != nil {
		return s
	}
	if len(p.m) >= maxStatements {
		return nil
	}
	s, err := db.PrepareContext(ctx, stable(q))
	if err != nil {
		return nil // the unprepared run reports the error
	}
	if p.m == nil {
		p.m = map[string]*sql.Stmt{}
	}
	p.m[q] = s
	return s
}

func (p *stmtPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.m {
		_ = s.Close()
	}
	p.m = nil
}

func (db *DB) query(ctx context.Context, q string, args []any) (*sql.Rows, error) {
	if db.dialect == Postgres { // pgx prepares and caches by itself
		return db.read.QueryContext(ctx, rebind(q), args...)
	}
	if s := db.stmts.get(ctx, db.read, q); s != nil {
		return s.QueryContext(ctx, args...)
	}
	return db.read.QueryContext(ctx, q, args...)
}

func (db *DB) queryRow(ctx context.Context, q string, args []any) *sql.Row {
	if db.dialect == Postgres {
		return db.read.QueryRowContext(ctx, rebind(q), args...)
	}
	if s := db.stmts.get(ctx, db.read, q); s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return db.read.QueryRowContext(ctx, q, args...)
}

// goid returns the running goroutine's number, to catch a Write inside a Write,
// which would otherwise wait for itself.
func goid() uint64 {
	var buf [40]byte
	b := buf[:runtime.Stack(buf[:], false)]
	b = bytes.TrimPrefix(b, []byte("goroutine "))
	n, _ := strconv.ParseUint(string(b[:max(0, bytes.IndexByte(b, ' '))]), 10, 64)
	return n
}
