package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"parley/internal/store"
)

// notFacts are tables whose rows no request adds, or which are counters.
const notFacts = "'lane', 'job_cron', 'deal_tally', 'campaign_tally', 'sqlite_sequence'"

// tableRows are rows as they stand in a table, in the order they were added.
type tableRows struct {
	name    string
	columns []string
	rows    [][]any
}

// column returns a row's value.
func (t *tableRows) column(row []any, name string) any {
	for i, c := range t.columns {
		if c == name {
			return row[i]
		}
	}
	return nil
}

// capture reads, from the file of a running server, the rows that were added
// since it looked last. It opens the file for reading alone.
type capture struct {
	db   *sql.DB
	seen map[string]int64           // the last rowid of each table
	kept map[string]map[string]bool // the rows of each table without rowids
	// after, when set, is a contact id: older contacts' rows of tables without
	// rowids are no news.
	after string
}

func newCapture(data string) (*capture, error) {
	if store.Driver != "modernc" {
		return nil, errors.New("the bench measures the default SQLite driver; build it without -tags mattn")
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(data, "parley.db")+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	return &capture{db: db, seen: map[string]int64{}, kept: map[string]map[string]bool{}}, nil
}

func (c *capture) news() ([]*tableRows, error) {
	tables, err := texts(c.db, "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'goose%' AND name NOT IN ("+notFacts+") ORDER BY rowid")
	if err != nil {
		return nil, err
	}
	keyed, err := texts(c.db, "SELECT name FROM pragma_table_list WHERE schema='main' AND type='table' AND wr")
	if err != nil {
		return nil, err
	}
	var out []*tableRows
	for _, name := range tables {
		t, err := c.table(name, slices.Contains(keyed, name))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if len(t.rows) > 0 {
			out = append(out, t)
		}
	}
	return out, nil
}

// table reads what is new in a table. Of a table without rowids it reads all, and
// leaves out what it knows; those of contacts, whose ids grow, it reads from c.after
// on.
func (c *capture) table(name string, keyed bool) (*tableRows, error) {
	q := "SELECT rowid AS bench_rowid, * FROM " + name + " WHERE rowid > ? ORDER BY rowid"
	if keyed {
		q = "SELECT 0 AS bench_rowid, * FROM " + name + " WHERE ?=0"
		var of int
		if err := c.db.QueryRow("SELECT COUNT(*) FROM pragma_table_info(?) WHERE name='contact_id'", name).Scan(&of); err != nil {
			return nil, err
		}
		if of > 0 {
			q += " AND contact_id>'" + c.after + "' ORDER BY contact_id"
		}
	}
	rows, err := c.db.Query(q, c.seen[name])
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	t := &tableRows{name: name, columns: cols[1:]}
	for rows.Next() {
		vals := make([]any, len(cols))
		into := make([]any, len(cols))
		for i := range vals {
			into[i] = &vals[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		c.seen[name], _ = vals[0].(int64)
		if keyed {
			row := fmt.Sprint(vals...)
			if c.kept[name][row] {
				continue
			}
			if c.kept[name] == nil {
				c.kept[name] = map[string]bool{}
			}
			c.kept[name][row] = true
		}
		t.rows = append(t.rows, vals[1:])
	}
	return t, rows.Err()
}

func texts(db *sql.DB, q string) (out []string, err error) {
	rows, err := db.Query(q)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// raw writes rows through database/sql and nothing else: the same driver,
// settings, tables and indexes as the server's, statements prepared once, one
// goroutine. It is the most that this driver can do with these rows.
type raw struct {
	pool  *sql.DB
	c     *sql.Conn
	stmts map[string]*sql.Stmt
}

// rawSettings are those of the server's writer (internal/store, driver_modernc.go).
const rawSettings = "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(OFF)" +
	"&_pragma=wal_autocheckpoint(4000)&_pragma=cache_size(-65536)&_pragma=temp_store(MEMORY)"

// newRaw makes an empty database with Parley's schema.
func newRaw(dir string) (*raw, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	ctx, file := context.Background(), filepath.Join(dir, "raw.db")
	db, err := store.Open(ctx, store.Options{Path: file})
	if err != nil {
		return nil, err
	}
	_, err = db.Migrate(ctx)
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	r := &raw{stmts: map[string]*sql.Stmt{}}
	if r.pool, err = sql.Open("sqlite", "file:"+file+rawSettings); err != nil {
		return nil, err
	}
	r.pool.SetMaxOpenConns(1)
	r.c, err = r.pool.Conn(ctx)
	return r, err
}

func (r *raw) close() error {
	for _, s := range r.stmts {
		_ = s.Close()
	}
	return errors.Join(r.c.Close(), r.pool.Close())
}

func (r *raw) exec(q string, args ...any) error {
	s := r.stmts[q]
	if s == nil {
		var err error
		if s, err = r.c.PrepareContext(context.Background(), q); err != nil {
			return err
		}
		r.stmts[q] = s
	}
	_, err := s.ExecContext(context.Background(), args...)
	return err
}

// write writes what n requests added, in groups of so many requests, and
// returns how long it took. With renew, each message also changes its
// conversation and its contact.
func (r *raw) write(all []*tableRows, n int64, group float64, renew bool) (time.Duration, error) {
	inserts := make([]string, len(all))
	for i, t := range all {
		inserts[i] = "INSERT INTO " + t.name + " (" + strings.Join(t.columns, ",") + ") VALUES (?" + strings.Repeat(",?", len(t.columns)-1) + ")"
	}
	done := make([]int64, len(all))
	runtime.GC() // the rows are many: do not pay for reading them while writing
	begun := time.Now()
	for from, k := int64(0), 1; from < n; k++ {
		to := min(n, max(from+1, int64(float64(k)*group)))
		if err := r.exec("BEGIN IMMEDIATE"); err != nil {
			return 0, err
		}
		for q := from; q < to; q++ {
			for i, t := range all {
				upto := int64(len(t.rows)) * (q + 1) / n
				for ; done[i] < upto; done[i]++ {
					row := t.rows[done[i]]
					if err := r.exec(inserts[i], row...); err != nil {
						return 0, err
					}
					if renew && t.name == "message" {
						if err := r.renew(t, row); err != nil {
							return 0, err
						}
					}
				}
			}
		}
		if err := r.exec("COMMIT"); err != nil {
			return 0, err
		}
		from = to
	}
	return time.Since(begun), nil
}

func (r *raw) renew(t *tableRows, row []any) error {
	tenant, at := t.column(row, "tenant_id"), t.column(row, "updated_at")
	if err := r.exec("UPDATE conversation SET status='open', unread=unread+1, messages=messages+1, last_message_id=?, last_message_at=?, last_inbound_at=?, updated_at=? WHERE tenant_id=? AND id=?",
		t.column(row, "id"), at, at, at, tenant, t.column(row, "conversation_id")); err != nil {
		return err
	}
	return r.exec("UPDATE contact SET last_contacted_at=?, updated_at=? WHERE tenant_id=? AND id=?", at, at, tenant, t.column(row, "contact_id"))
}
