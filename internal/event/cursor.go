package event

import (
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// Cursor is a place in the feed: everything up to and including it was read.
// Seq alone would not do on PostgreSQL, where transactions commit out of order.
type Cursor struct {
	XID int64
	Seq int64
}

// String returns the cursor as text, for clients that resume.
func (c Cursor) String() string {
	return strconv.FormatInt(c.XID, 10) + "." + strconv.FormatInt(c.Seq, 10)
}

// Before says whether c is earlier in the feed than o.
func (c Cursor) Before(o Cursor) bool {
	return c.XID < o.XID || c.XID == o.XID && c.Seq < o.Seq
}

// MarshalText is String.
func (c Cursor) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads what String wrote.
func (c *Cursor) UnmarshalText(b []byte) error {
	x, s, ok := strings.Cut(string(b), ".")
	xid, err1 := strconv.ParseInt(x, 10, 64)
	seq, err2 := strconv.ParseInt(s, 10, 64)
	if !ok || err1 != nil || err2 != nil || xid < 0 || seq < 0 {
		return fmt.Errorf("event: %q is not a cursor", b)
	}
	*c = Cursor{xid, seq}
	return nil
}

const columns = "xid, seq, tenant_id, type, subject, contact_id, changed, actor, cause, at"

func scan(rows *sql.Rows) (Event, error) {
	var e Event
	err := rows.Scan(&e.Cursor.XID, &e.Cursor.Seq, &e.Tenant, &e.Type, &e.Subject, &e.Contact,
		store.JSON(&e.Changed), &e.Actor, store.Text(&e.Cause), store.Time(&e.At))
	return e, err
}

// After returns up to limit events of r's tenant that follow c, oldest first.
// It stops below the oldest running transaction, so that an event which commits
// late is never skipped: it follows in a later call.
func After(r store.Reader, c Cursor, limit int) ([]Event, error) {
	rows, err := r.Query("SELECT "+columns+" FROM event WHERE tenant_id=? AND "+follows(r.Dialect())+" ORDER BY xid, seq LIMIT ?", c.XID, c.Seq, limit)
	return store.Collect(rows, err, scan)
}

// AfterAll is After over every tenant.
func AfterAll(r store.Reader, c Cursor, limit int) ([]Event, error) {
	rows, err := r.All().Query("SELECT "+columns+" FROM event WHERE "+follows(r.Dialect())+" ORDER BY xid, seq LIMIT ?", c.XID, c.Seq, limit)
	return store.Collect(rows, err, scan)
}

// follows is the condition for events after a cursor (its xid, its seq), in the
// form by which each database goes straight to the place in its index: told
// with OR, both read the feed from its beginning. SQLite has one xid only.
func follows(d store.Dialect) string {
	if d == store.Postgres {
		return "(xid, seq) > (?, ?) AND " + d.Horizon("xid")
	}
	return "xid=? AND seq>?"
}

// End returns the cursor of the newest event that After would return now, over
// every tenant; the zero cursor for an empty feed.
func End(r store.Reader) (Cursor, error) {
	var c Cursor
	_, err := store.Found(r.All().QueryRow("SELECT xid, seq FROM event WHERE "+r.Dialect().Horizon("xid")+
		" ORDER BY "+inOrder(r.Dialect(), " DESC")+" LIMIT 1").Scan(&c.XID, &c.Seq))
	return c, err
}

// inOrder orders events, in the form by which each database walks an index of
// all tenants: event_feed, or SQLite's own key of the table.
func inOrder(d store.Dialect, dir string) string {
	if d == store.Postgres {
		return "xid" + dir + ", seq" + dir
	}
	return "seq" + dir
}

// Behind counts the events of r's tenant that After would return now, up to a
// limit, and tells when the oldest of them happened.
func Behind(r store.Reader, c Cursor, limit int) (n int, oldest time.Time, err error) {
	err = r.QueryRow("SELECT COUNT(*), MIN(at) FROM (SELECT at FROM event WHERE tenant_id=? AND "+follows(r.Dialect())+" ORDER BY xid, seq LIMIT ?) behind",
		c.XID, c.Seq, limit).Scan(&n, store.Time(&oldest))
	return n, oldest, err
}

// OfContact returns the newest events of one contact, newest first, for explaining.
func OfContact(r store.Reader, contact id.ID, limit int) ([]Event, error) {
	rows, err := r.Query("SELECT "+columns+" FROM event WHERE tenant_id=? AND contact_id=? ORDER BY xid DESC, seq DESC LIMIT ?", contact, limit)
	return store.Collect(rows, err, scan)
}

// Lag returns how old the oldest event is that readers may not see yet, because
// a transaction older than it is still running. It is zero on SQLite.
func Lag(r store.Reader) (time.Duration, error) {
	if r.Dialect() != store.Postgres {
		return 0, nil
	}
	var oldest time.Time
	err := r.All().QueryRow("SELECT MIN(at) FROM event WHERE NOT (" + r.Dialect().Horizon("xid") + ")").Scan(store.Time(&oldest))
	if err != nil || oldest.IsZero() {
		return 0, err
	}
	return r.Now().Sub(oldest), nil
}
