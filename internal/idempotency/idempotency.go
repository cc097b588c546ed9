// Package idempotency owns the answers that requests with an idempotency key
// got, and replays them for 24 hours. It implements httpx.Idempotency on the
// store: the whole handler runs inside one transaction together with its
// record, so that a crash leaves either both or neither. The server wires it;
// nobody else calls it.
//
// The rule comes from the platform API (reference §1.7): same key and same body
// replay the stored answer, the same key with another body is a conflict, and
// 5xx and 429 answers are never stored. Neither are secrets that are shown once.
package idempotency

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"sync"
	"time"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// Keep is how long an answer is replayed.
const Keep = 24 * time.Hour

// patience is how long a second call waits for a running first one.
const patience = 10 * time.Second

// Ledger keeps answers in the database.
type Ledger struct {
	db      *store.DB
	mu      sync.Mutex
	running map[place]chan struct{}
}

var _ httpx.Idempotency = (*Ledger)(nil)

// place names one protected call.
type place struct {
	tenant, key         id.ID
	token, method, path string
}

// New returns a ledger on db.
func New(db *store.DB) *Ledger { return &Ledger{db: db, running: map[place]chan struct{}{}} }

// errUnstored carries an answer that must not be kept out of its transaction.
type errUnstored struct{ cause error }

func (e errUnstored) Error() string { return "idempotency: the answer is not stored" }
func (e errUnstored) Unwrap() error { return e.cause }

// Do runs a call once per claim and replays its answer afterwards.
func (l *Ledger) Do(ctx context.Context, c httpx.Claim, run func(context.Context) (*httpx.Response, error)) (*httpx.Response, bool, error) {
	p := place{c.Tenant, c.Key, c.Token, c.Method, c.Path}
	release, err := l.enter(ctx, p)
	if err != nil {
		return nil, false, err
	}
	defer release()
	if resp, err := l.find(l.db.Read(ctx, c.Tenant), c); resp != nil || err != nil {
		return resp, resp != nil, err
	}
	if c.NoTx {
		resp, err := l.answer(ctx, c, run)
		if err != nil {
			return nil, false, errors.Unwrap(err)
		}
		return resp, false, l.db.Write(ctx, c.Tenant, func(tx *store.Tx) error { return l.keep(tx, c, resp) })
	}
	var replayed bool
	resp, err := store.Write(ctx, l.db, c.Tenant, func(tx *store.Tx) (*httpx.Response, error) {
		replayed = false
		if err := tx.Lock("idempotency", c.Key.String()+c.Token); err != nil {
			return nil, err
		}
		if resp, err := l.find(tx, c); resp != nil || err != nil { // another node was faster
			replayed = resp != nil
			return resp, err
		}
		resp, err := l.answer(store.Join(ctx, tx), c, run)
		if err != nil {
			return nil, err
		}
		return resp, l.keep(tx, c, resp)
	})
	var u errUnstored
	if errors.As(err, &u) {
		err = u.cause
	}
	return resp, replayed, err
}

// answer runs the handler and settles its answer into bytes. An answer that
// must not be stored comes back as errUnstored, which undoes the transaction.
func (l *Ledger) answer(ctx context.Context, c httpx.Claim, run func(context.Context) (*httpx.Response, error)) (*httpx.Response, error) {
	resp, err := run(ctx)
	if err != nil {
		if resp = c.Render(err); resp == nil || !storable(resp.Status) {
			return nil, errUnstored{err}
		}
	}
	if !storable(resp.Status) {
		return nil, errUnstored{fault.New(fault.Unavailable, "the request could not be carried out now; try again").After(time.Second)}
	}
	if _, err := resp.Encode(); err != nil {
		return nil, errUnstored{err}
	}
	return resp, nil
}

func storable(status int) bool { return status < 500 && status != http.StatusTooManyRequests }

// enter waits for a running call of the same claim on this node.
func (l *Ledger) enter(ctx context.Context, p place) (release func(), err error) {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		l.mu.Lock()
		first, busy := l.running[p]
		if !busy {
			mine := make(chan struct{})
			l.running[p] = mine
			l.mu.Unlock()
			return func() {
				l.mu.Lock()
				delete(l.running, p)
				l.mu.Unlock()
				close(mine)
			}, nil
		}
		l.mu.Unlock()
		select {
		case <-first:
		case <-limit.C:
			return nil, fault.New(fault.Conflict, "the first request with this idempotency key is still running; ask again in a second").
				Because("running").After(time.Second)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// find returns the stored answer of a claim, nil when there is none, and a
// conflict when the key was used for another body.
func (l *Ledger) find(r store.Reader, c httpx.Claim) (*httpx.Response, error) {
	var hash, body string
	var at time.Time
	resp := &httpx.Response{Header: http.Header{}}
	found, err := store.Found(r.QueryRow(`SELECT body_hash, status, header, body, created_at FROM idempotency
		WHERE tenant_id=? AND key_id=? AND token=? AND method=? AND path=?`, c.Key.String(), c.Token, c.Method, c.Path).
		Scan(&hash, &resp.Status, store.JSON(&resp.Header), store.Text(&body), store.Time(&at)))
	if err != nil || !found || r.Now().Sub(at) > Keep {
		return nil, err
	}
	if hash != hex.EncodeToString(c.BodyHash[:]) {
		return nil, fault.New(fault.Conflict, "this idempotency key was used with another request body; use a new key for a new request").Because("idempotency")
	}
	if body != "" {
		resp.Body = []byte(body)
	}
	return resp, nil
}

// keep stores an answer, or in the place of one that shows a secret that there was
// one.
func (l *Ledger) keep(tx *store.Tx, c httpx.Claim, resp *httpx.Response) error {
	if c.Secret && resp.Status < http.StatusBadRequest {
		resp = c.Render(fault.New(fault.Conflict, "this request was carried out; its answer held a secret, which is shown once and not kept; if it did not arrive, delete what was made and make it again with a new idempotency key").Because("secret"))
	}
	body, err := resp.Encode()
	if err != nil {
		return err
	}
	header := resp.Header
	if header == nil {
		header = http.Header{}
	}
	_, err = tx.Exec(`INSERT INTO idempotency (tenant_id, key_id, token, method, path, body_hash, status, header, body, created_at) VALUES (?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT (tenant_id, key_id, token, method, path) DO UPDATE SET body_hash=excluded.body_hash, status=excluded.status,
		header=excluded.header, body=excluded.body, created_at=excluded.created_at`,
		c.Key.String(), c.Token, c.Method, c.Path, hex.EncodeToString(c.BodyHash[:]), resp.Status, store.JSON(header), string(body), tx.Now())
	return err
}

// ForgetIn deletes the answers of a tenant that hold one of the texts, such as the
// id of a person who was erased: a repeated request is carried out anew. It reads
// every answer that the tenant got in the last 24 hours.
func (l *Ledger) ForgetIn(tx *store.Tx, texts []string) (int64, error) {
	holds := "INSTR"
	if tx.Dialect() == store.Postgres {
		holds = "STRPOS"
	}
	var n int64
	for _, text := range texts {
		if text == "" {
			continue
		}
		gone, err := tx.Exec("DELETE FROM idempotency WHERE tenant_id=?1 AND ("+holds+"(COALESCE(body, ''), ?2)>0 OR "+holds+"(path, ?2)>0 OR "+holds+"(token, ?2)>0)", text)
		if err != nil {
			return n, err
		}
		n += gone
	}
	return n, nil
}

const sweepKind = "idempotency.sweep"

// RegisterJobs has old answers deleted every hour.
func (l *Ledger) RegisterJobs(r *job.Runner) {
	r.Register(job.Kind{Name: sweepKind, Handle: func(ctx context.Context, _ *job.Job) error { return l.Sweep(ctx) }})
	r.Cron(sweepKind, "41 * * * *", job.New{Kind: sweepKind, UniqueKey: "sweep", Priority: 9})
}

// Sweep deletes the answers whose time is over.
func (l *Ledger) Sweep(ctx context.Context) error {
	for {
		n, err := store.Write(ctx, l.db, id.Zero, func(tx *store.Tx) (int64, error) {
			// The age is asked twice: PostgreSQL, having waited for a row that a request
			// uses anew, looks again at what stands outside the list only.
			return tx.System().Exec(`DELETE FROM idempotency WHERE COALESCE(created_at, 0)<?1 AND (tenant_id, key_id, token, method, path) IN
				(SELECT tenant_id, key_id, token, method, path FROM idempotency WHERE created_at<?1 LIMIT 1000)`, tx.Now().Add(-Keep))
		})
		if err != nil || n < 1000 {
			return err
		}
	}
}
