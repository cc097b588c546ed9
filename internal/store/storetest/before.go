package storetest

import (
	"database/sql"
	"sync/atomic"

	"parley/internal/store"
)

// Before is r with something that happens right before its nth query, the first
// being 1: what somebody else commits between two looks of one reader.
func Before(r store.Reader, n int64, do func()) store.Reader {
	return &interrupted{Reader: r, n: n, do: do}
}

type interrupted struct {
	store.Reader
	n, queries int64
	do         func()
}

func (r *interrupted) count() {
	if atomic.AddInt64(&r.queries, 1) == r.n {
		r.do()
	}
}

func (r *interrupted) Query(query string, args ...any) (*sql.Rows, error) {
	r.count()
	return r.Reader.Query(query, args...)
}

func (r *interrupted) QueryRow(query string, args ...any) *sql.Row {
	r.count()
	return r.Reader.QueryRow(query, args...)
}
