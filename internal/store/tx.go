package store

import (
	"context"
	"database/sql"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley/internal/id"
)

// Reader runs one tenant's queries. Every query names its tenant, as
// "tenant_id=?" or as the first column of an INSERT, and the Reader binds that
// placeholder itself: args are the values of the others, in order. Placeholders
// may also be numbered; then ?1 is the tenant and ?2 the first of args.
type Reader interface {
	Tenant() id.ID
	Query(query string, args ...any) (*sql.Rows, error)
	QueryRow(query string, args ...any) *sql.Row
	// All returns a handle over every tenant, for the system's own sweeps. Its
	// queries bind nothing by themselves.
	All() Raw
	Dialect() Dialect
	Now() time.Time
}

// Raw runs queries that bind nothing by themselves.
type Raw interface {
	Query(query string, args ...any) (*sql.Rows, error)
	QueryRow(query string, args ...any) *sql.Row
}

// conn is what a transaction or a pool offers beneath.
type conn interface {
	exec(ctx context.Context, q string, args []any) (sql.Result, error)
	query(ctx context.Context, q string, args []any) (*sql.Rows, error)
	queryRow(ctx context.Context, q string, args []any) *sql.Row
}

// Tx is a running transaction, bound to one tenant. It is valid only inside
// the closure that received it.
type Tx struct {
	*txState
	tenant string
	id     id.ID
}

type txState struct {
	db    *DB
	ctx   context.Context
	c     conn
	now   time.Time
	after []func()
	lifts []func() // end what Wake has barred
	depth int
}

var _ Reader = (*Tx)(nil)

// Tenant returns the tenant that the transaction is bound to.
func (tx *Tx) Tenant() id.ID { return tx.id }

// For returns the same transaction bound to another tenant.
func (tx *Tx) For(tenant id.ID) *Tx {
	return &Tx{txState: tx.txState, tenant: tenant.String(), id: tenant}
}

// Dialect tells which SQL the transaction speaks.
func (tx *Tx) Dialect() Dialect { return tx.db.dialect }

// Now is the moment of the transaction, the same for all of it.
func (tx *Tx) Now() time.Time { return tx.now }

// After runs f once the transaction is on disk; never when it is undone.
func (tx *Tx) After(f func()) { tx.after = append(tx.after, f) }

// Wake tells this node, and on PostgreSQL soon the other nodes, that topic has
// something new for key. It is a hint sent after the commit: whoever waits for
// it also looks by himself from time to time. Caches of the topic (see Recent) bar
// the key from now on.
func (tx *Tx) Wake(topic, key string) {
	db := tx.db
	lift := db.bus.coming(topic, key)
	tx.After(func() { db.bus.publish(topic, key) })
	if lift != nil {
		tx.lifts = append(tx.lifts, lift)
		tx.After(lift)
	}
}

// undone lets caches remember again what the transaction, from its n-th wake on,
// does not change after all.
func (s *txState) undone(n int) {
	for _, lift := range s.lifts[n:] {
		lift()
	}
	s.lifts = s.lifts[:n]
}

// Exec runs a change of the tenant's rows and returns the number of rows.
func (tx *Tx) Exec(query string, args ...any) (int64, error) {
	return affected(tx.c.exec(tx.ctx, checked(query), bind(tx.tenant, args)))
}

// InsertFed inserts one row into a feed: a table with the columns xid (see
// Dialect.XID) and seq, which the database counts. It returns both.
func (tx *Tx) InsertFed(query string, args ...any) (xid, seq int64, err error) {
	if tx.db.dialect == Postgres {
		err = tx.QueryRow(query+" RETURNING xid, seq", args...).Scan(&xid, &seq)
		return xid, seq, err
	}
	res, err := tx.c.exec(tx.ctx, checked(query), bind(tx.tenant, args))
	if err != nil {
		return 0, 0, err
	}
	seq, err = res.LastInsertId() // the rowid, which is cheaper than RETURNING
	return 0, seq, err
}

// Query reads the tenant's rows within the transaction.
func (tx *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	return tx.c.query(tx.ctx, checked(query), bind(tx.tenant, args))
}

// QueryRow reads one of the tenant's rows within the transaction.
func (tx *Tx) QueryRow(query string, args ...any) *sql.Row {
	return tx.c.queryRow(tx.ctx, checked(query), bind(tx.tenant, args))
}

// All returns a handle over every tenant.
func (tx *Tx) All() Raw { return RawTx{tx.txState} }

// System is All with changes.
func (tx *Tx) System() RawTx { return RawTx{tx.txState} }

// RawTx runs queries and changes over every tenant within a transaction.
type RawTx struct{ s *txState }

// Exec runs a change and returns the number of rows.
func (r RawTx) Exec(query string, args ...any) (int64, error) {
	return affected(r.s.c.exec(r.s.ctx, query, convert(args)))
}

// Query reads rows of every tenant.
func (r RawTx) Query(query string, args ...any) (*sql.Rows, error) {
	return r.s.c.query(r.s.ctx, query, convert(args))
}

// QueryRow reads one row.
func (r RawTx) QueryRow(query string, args ...any) *sql.Row {
	return r.s.c.queryRow(r.s.ctx, query, convert(args))
}

// Lock makes transactions that name the same keys run one after the other until
// they commit. Name every key in one call: they are taken in a fixed order, so
// two calls cannot wait for each other. The order is that of the texts, the
// greatest first: who finds out behind a lock that it needs another of the kind may
// take that one too, if it is a smaller one. SQLite runs writes one by one anyway.
func (tx *Tx) Lock(kind string, keys ...string) error {
	if tx.db.dialect != Postgres || len(keys) == 0 {
		return nil
	}
	keys = slices.Clone(keys)
	slices.SortFunc(keys, func(a, b string) int { return strings.Compare(b, a) })
	keys = slices.Compact(keys)
	hashes := make([]int64, 0, len(keys))
	for _, k := range keys {
		h := fnv.New64a()
		for _, part := range []string{tx.tenant, kind, k} {
			_, _ = h.Write([]byte(part))
			_, _ = h.Write([]byte{0})
		}
		hashes = append(hashes, int64(h.Sum64()))
	}
	if len(hashes) == 1 {
		_, err := tx.c.exec(tx.ctx, "SELECT pg_advisory_xact_lock($1)", []any{hashes[0]})
		return err
	}
	// One round trip takes them all, in the order of the list.
	list := make([]byte, 0, 20*len(hashes))
	for _, h := range hashes {
		list = append(strconv.AppendInt(list, h, 10), ',')
	}
	list[len(list)-1] = '}'
	_, err := tx.c.exec(tx.ctx, "SELECT pg_advisory_xact_lock(h) FROM unnest($1::text::bigint[]) AS h", []any{"{" + string(list)})
	return err
}

// part runs fn inside the transaction behind a savepoint, so that its error
// undoes its own changes and nothing else.
func (tx *Tx) part(fn func(tx *Tx) error) error {
	s := tx.txState
	s.depth++
	name := fmt.Sprintf("part%d", s.depth)
	defer func() { s.depth-- }()
	hooks, lifts := len(s.after), len(s.lifts)
	if _, err := s.c.exec(s.ctx, "SAVEPOINT "+name, nil); err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		s.after = s.after[:hooks]
		s.undone(lifts)
		if _, rerr := s.c.exec(s.ctx, "ROLLBACK TO SAVEPOINT "+name, nil); rerr != nil {
			return fmt.Errorf("%w (and undoing it failed: %v)", err, rerr)
		}
		return err
	}
	_, err := s.c.exec(s.ctx, "RELEASE SAVEPOINT "+name, nil)
	return err
}

type joinKey struct{}

// Join returns a context under which Write and Read take part in tx instead of
// opening their own transaction. It exists for idempotency records, which must
// commit together with everything a request does.
func Join(ctx context.Context, tx *Tx) context.Context {
	return context.WithValue(ctx, joinKey{}, tx)
}

func joined(ctx context.Context) *Tx {
	tx, _ := ctx.Value(joinKey{}).(*Tx)
	return tx
}

// reader is a Reader on the pool.
type reader struct {
	db     *DB
	ctx    context.Context
	tenant string
	id     id.ID
}

var _ Reader = (*reader)(nil)

func (r *reader) Tenant() id.ID    { return r.id }
func (r *reader) Dialect() Dialect { return r.db.dialect }
func (r *reader) Now() time.Time   { return r.db.opts.Clock.Now() }
func (r *reader) All() Raw         { return rawReader{r} }
func (r *reader) Query(q string, args ...any) (*sql.Rows, error) {
	return r.db.query(r.ctx, checked(q), bind(r.tenant, args))
}
func (r *reader) QueryRow(q string, args ...any) *sql.Row {
	return r.db.queryRow(r.ctx, checked(q), bind(r.tenant, args))
}

type rawReader struct{ r *reader }

func (w rawReader) Query(q string, args ...any) (*sql.Rows, error) {
	return w.r.db.query(w.r.ctx, q, convert(args))
}
func (w rawReader) QueryRow(q string, args ...any) *sql.Row {
	return w.r.db.queryRow(w.r.ctx, q, convert(args))
}

func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}
