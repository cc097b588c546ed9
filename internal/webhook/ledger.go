package webhook

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// Name names the ledger in lane leases and wakes.
func (s *Service) Name() string { return ledgerName }

// InFlight implements job.Bounded.
func (s *Service) InFlight() int { return inFlight }

// head holds for the delivery d that goes next of its (endpoint, subject): none
// of them is under way, and it is the oldest that waits. A younger one stays
// behind it also while it waits for its next attempt. The condition on the state is
// written as that of the index webhook_open, or SQLite does not use it.
const head = `NOT EXISTS (SELECT 1 FROM webhook_delivery e
	WHERE e.tenant_id=d.tenant_id AND e.endpoint=d.endpoint AND e.subject=d.subject AND e.id<>d.id
	AND e.state IN ('pending', 'sending') AND (e.state='sending' OR e.id<d.id))`

// Due returns endpoints with deliveries that may go now, the tenants in turn. It
// steps from lane to lane along the index webhook_lane, however long they are.
func (s *Service) Due(ctx context.Context, now time.Time, limit int) ([]job.Lane, time.Time, error) {
	r := s.db.Read(ctx, id.Zero)
	tenants, err := steps[id.ID](r, "tenant_id", "")
	if err != nil {
		return nil, time.Time{}, err
	}
	var lanes []job.Lane
	perTenant := make([][]job.Lane, len(tenants))
	longest := 0
	for i, t := range tenants {
		names, err := steps[string](r, "endpoint", " AND d.tenant_id=?", t)
		if err != nil {
			return nil, time.Time{}, err
		}
		for _, name := range names {
			var one int
			due, err := store.Found(r.All().QueryRow("SELECT 1 FROM webhook_delivery d WHERE d.tenant_id=? AND d.endpoint=? AND d.state='pending' AND d.next_at<=? AND "+head+" LIMIT 1", t, name, now).Scan(&one))
			if err != nil {
				return nil, time.Time{}, err
			}
			if due {
				perTenant[i] = append(perTenant[i], job.Lane{Tenant: t, Name: name})
			}
			if len(perTenant[i]) == limit {
				break
			}
		}
		longest = max(longest, len(perTenant[i]))
	}
	for turn := 0; turn < longest && len(lanes) < limit; turn++ {
		for _, of := range perTenant {
			if turn < len(of) && len(lanes) < limit {
				lanes = append(lanes, of[turn])
			}
		}
	}
	var next time.Time
	err = r.All().QueryRow("SELECT MIN(next_at) FROM webhook_delivery WHERE state='pending' AND next_at>?", now).Scan(store.Time(&next))
	return lanes, next, err
}

// steps lists the values of a column among waiting deliveries, one probe of the
// index a value.
func steps[T any](r store.Reader, column, among string, args ...any) ([]T, error) {
	q := func(behind string) string {
		return "(SELECT MIN(d." + column + ") FROM webhook_delivery d WHERE d.state='pending'" + among + behind + ")"
	}
	rows, err := r.All().Query("WITH RECURSIVE t(v) AS (SELECT "+q("")+" UNION ALL SELECT "+q(" AND d."+column+">t.v")+" FROM t WHERE t.v IS NOT NULL) SELECT v FROM t WHERE v IS NOT NULL",
		append(append([]any{}, args...), args...)...)
	return store.Collect(rows, err, func(rows *sql.Rows) (v T, err error) { return v, rows.Scan(&v) })
}

// claimed is a delivery under way.
type claimed struct {
	ID        id.ID
	Tenant    id.ID
	Endpoint  string
	URL       string
	Method    string
	Event     string
	Policy    string
	Body      string
	Headers   map[string]string
	TriggerID id.ID
	Attempt   int
	Secret    string
	NoSecret  string // why there is no secret
	Gone      bool   // the shared body was erased
}

// Claim leases deliveries of one endpoint: at most one of a subject, and at
// most inFlight of the endpoint. The intent is on disk before the call is made. How
// earlier calls of the lane ended is recorded in the same transaction.
func (s *Service) Claim(ctx context.Context, l job.Lane, n int) ([]job.Work, time.Time, error) {
	type result struct {
		rows  []claimed
		at    time.Time
		next  time.Time
		again bool
	}
	over := s.take(l)
	out, err := store.Write(ctx, s.db, l.Tenant, func(tx *store.Tx) (result, error) {
		res := result{at: tx.Now()}
		// Two holders of one lane, after a lost lease, must see each other's claims.
		if err := tx.Lock("webhook_lane", l.Name); err != nil {
			return res, err
		}
		for _, e := range over {
			if err := s.settle(tx, e.claimed, e.outcome); err != nil {
				return res, err
			}
		}
		if done, err := s.closed(tx, l.Name); err != nil || done {
			res.again = done
			return res, err
		}
		var busy int
		if err := tx.QueryRow("SELECT COUNT(*) FROM webhook_delivery WHERE tenant_id=? AND endpoint=? AND state='sending'", l.Name).Scan(&busy); err != nil {
			return res, err
		}
		if n := min(n, inFlight-busy); n > 0 {
			// The state is asked twice: PostgreSQL, having waited for a row that somebody
			// else changed, looks anew at what stands outside the list only. COALESCE keeps
			// both databases from walking along the states instead of the list.
			rows, err := tx.Query(`UPDATE webhook_delivery SET state='sending', attempt=attempt+1, lease_until=?, updated_at=?
				WHERE tenant_id=? AND COALESCE(state, '')='pending' AND id IN (SELECT d.id FROM webhook_delivery d
					WHERE d.tenant_id=?1 AND d.endpoint=? AND d.state='pending' AND d.next_at<=? AND `+head+`
					ORDER BY d.next_at, d.id LIMIT ?)
				RETURNING id, endpoint, url, method, event, policy, body, headers, trigger_id, attempt, body_id,
					(SELECT b.body FROM webhook_body b WHERE b.tenant_id=webhook_delivery.tenant_id AND b.id=webhook_delivery.body_id)`,
				tx.Now().Add(slack+longest()), tx.Now(), l.Name, tx.Now(), n)
			res.rows, err = store.Collect(rows, err, func(rows *sql.Rows) (c claimed, err error) {
				c.Tenant = l.Tenant
				var shared id.ID
				var body sql.NullString
				err = rows.Scan(&c.ID, &c.Endpoint, &c.URL, &c.Method, &c.Event, &c.Policy, &c.Body, store.JSON(&c.Headers), &c.TriggerID, &c.Attempt, &shared, &body)
				if !shared.IsZero() {
					c.Body, c.Gone = body.String, !body.Valid
				}
				return c, err
			})
			if err != nil {
				return res, err
			}
		}
		if slices.ContainsFunc(res.rows, func(c claimed) bool { return !Policies[c.Policy].Unsigned }) {
			secret, err := s.secrets.Secret(tx, SecretName)
			if err != nil && fault.As(err) == nil {
				return res, err
			}
			for i := range res.rows {
				if res.rows[i].Secret = secret; err != nil || secret == "" {
					res.rows[i].NoSecret = "the tenant has no webhook secret to sign with; set " + SecretName
				}
			}
		}
		if len(res.rows) == n { // as many as were asked for: the caller asks again
			return res, nil
		}
		err := tx.QueryRow("SELECT MIN(d.next_at) FROM webhook_delivery d WHERE d.tenant_id=? AND d.endpoint=? AND d.state='pending' AND "+head, l.Name).Scan(store.Time(&res.next))
		return res, err
	})
	if err != nil {
		s.giveBack(l, over)
		return nil, time.Time{}, err
	}
	if out.again { // to look again, at once
		return []job.Work{func(context.Context) {}}, time.Time{}, nil
	}
	work := make([]job.Work, len(out.rows))
	for i, c := range out.rows {
		work[i] = func(ctx context.Context) { s.attempt(ctx, l, c) }
	}
	if len(work) == 0 && !out.next.After(out.at) {
		out.next = time.Time{} // the endpoint is full: the end of a call goes on
	}
	return work, out.next, nil
}

// closed gives up a batch of what waits in a lane that nobody wants any more, and
// reports whether there was something.
func (s *Service) closed(tx *store.Tx, lane string) (bool, error) {
	if strings.Contains(lane, "://") { // the lane of a URL belongs to nobody
		return false, nil
	}
	for policy, alive := range s.alive {
		if yes, err := alive(tx, lane); err != nil || yes {
			return false, err
		}
		n, err := tx.Exec(`UPDATE webhook_delivery SET state='failed', last_error=?, updated_at=? WHERE tenant_id=? AND COALESCE(state, '')='pending' AND id IN
			(SELECT id FROM webhook_delivery WHERE tenant_id=?1 AND endpoint=? AND state='pending' AND policy=? LIMIT 500)`, unwanted, tx.Now(), lane, policy)
		if err != nil || n > 0 {
			return n > 0, err
		}
	}
	return false, nil
}

// longest is the longest timeout of any policy.
func longest() time.Duration {
	var d time.Duration
	for _, p := range Policies {
		d = max(d, p.Timeout)
	}
	return d
}

// Rescue settles deliveries whose lease ended: the node that made the call fell
// silent, and whether the receiver heard is unknown. They go again, unless that
// was their last attempt.
func (s *Service) Rescue(ctx context.Context) (int, error) {
	return store.Write(ctx, s.db, id.Zero, func(tx *store.Tx) (int, error) {
		const lost = "the node that made this attempt fell silent; whether the receiver got it is unknown"
		rows, err := tx.System().Query(`SELECT tenant_id, id, endpoint, policy, attempt, trigger_id FROM webhook_delivery
			WHERE state='sending' AND lease_until<? ORDER BY lease_until LIMIT 200`+tx.Dialect().SkipLocked(), tx.Now())
		list, err := store.Collect(rows, err, func(rows *sql.Rows) (c claimed, err error) {
			return c, rows.Scan(&c.Tenant, &c.ID, &c.Endpoint, &c.Policy, &c.Attempt, &c.TriggerID)
		})
		if err != nil {
			return 0, err
		}
		for _, c := range list {
			o := outcome{state: Pending, next: tx.Now(), err: lost}
			if c.Attempt >= Policies[c.Policy].Attempts {
				o = outcome{state: Failed, err: lost}
			}
			if err := s.settle(tx.For(c.Tenant), c, o); err != nil {
				return 0, err
			}
			job.WakeLane(tx.For(c.Tenant), ledgerName, c.Endpoint)
		}
		return len(list), nil
	})
}

// announce tells the feed how a delivery ended.
func (s *Service) announce(tx *store.Tx, c claimed, state string) error {
	var changed []string
	if !c.TriggerID.IsZero() {
		changed = []string{"trigger:" + c.TriggerID.String()}
	}
	_, err := s.log.Append(tx, event.New{Type: "webhook." + state, Subject: c.ID, Changed: changed, Actor: "system"})
	return err
}
