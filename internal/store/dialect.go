package store

import (
	"strconv"
	"strings"
)

// Dialect is the little that differs between the two databases.
type Dialect int

// The dialects.
const (
	SQLite Dialect = iota
	Postgres
)

// String returns "sqlite" or "postgres".
func (d Dialect) String() string {
	if d == Postgres {
		return "postgres"
	}
	return "sqlite"
}

// ForUpdate is the suffix that locks selected rows until the commit. SQLite has
// one writer and needs none.
func (d Dialect) ForUpdate() string {
	if d == Postgres {
		return " FOR UPDATE"
	}
	return ""
}

// SkipLocked is ForUpdate that passes over rows somebody else holds.
func (d Dialect) SkipLocked() string {
	if d == Postgres {
		return " FOR UPDATE SKIP LOCKED"
	}
	return ""
}

// XID is an expression for the running transaction's number, by which a feed
// is ordered; SQLite commits in order and needs none.
func (d Dialect) XID() string {
	if d == Postgres {
		return "(pg_current_xact_id()::text::bigint)"
	}
	return "0"
}

// Horizon is a condition that holds for rows whose xid column is older than
// every running transaction: nothing can still commit below them.
func (d Dialect) Horizon(column string) string {
	if d == Postgres {
		return column + " < (pg_snapshot_xmin(pg_current_snapshot())::text::bigint)"
	}
	return "1=1"
}

// JSONText is an expression for the text of a top-level key of a JSON column.
// The key must be a constant of the program, never input.
func (d Dialect) JSONText(column, key string) string {
	if d == Postgres {
		return "(" + column + "->>'" + key + "')"
	}
	return "json_extract(" + column + ",'$." + key + "')"
}

var rebound texts // query text -> PostgreSQL text

// rebind turns ? and ?N into $n for PostgreSQL. As in SQLite, a bare ? takes
// the number after the largest used so far. Question marks inside quotes stay.
func rebind(q string) string {
	if known, ok := rebound.get(q); ok {
		return known
	}
	var b strings.Builder
	b.Grow(len(q) + 16)
	top := 0
	var quote byte
	for i := 0; i < len(q); i++ {
		c := q[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '?':
			j := i + 1
			for j < len(q) && q[j] >= '0' && q[j] <= '9' {
				j++
			}
			n := top + 1
			if j > i+1 {
				n, _ = strconv.Atoi(q[i+1 : j])
			}
			top = max(top, n)
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
			i = j - 1
			continue
		}
		b.WriteByte(c)
	}
	out := b.String()
	rebound.put(q, out)
	return out
}
