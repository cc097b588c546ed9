package notification

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

const (
	perBatch   = 200              // rows taken at once, at most
	perCommit  = 1000             // deliveries written at once, about
	patience   = 10 * time.Minute // a row waits this long for its contact's first work
	retryFirst = time.Second      // pause of a row that cannot be processed, doubling
	retryCap   = time.Minute
)

// Name names the ledger in lane leases and wakes.
func (s *Service) Name() string { return ledgerName }

// Due returns the tenants to whom something is owed, by one probe of the key a
// tenant.
func (s *Service) Due(ctx context.Context, now time.Time, limit int) ([]job.Lane, time.Time, error) {
	r := s.db.Read(ctx, id.Zero)
	rows, err := r.All().Query(`WITH RECURSIVE t(v) AS (SELECT (SELECT MIN(tenant_id) FROM notification_owed)
		UNION ALL SELECT (SELECT MIN(o.tenant_id) FROM notification_owed o WHERE o.tenant_id>t.v) FROM t WHERE t.v IS NOT NULL)
		SELECT v FROM t WHERE v IS NOT NULL AND EXISTS (SELECT 1 FROM notification_owed d WHERE d.tenant_id=v AND d.next_at<=?) LIMIT ?`, now, limit)
	lanes, err := store.Collect(rows, err, func(rows *sql.Rows) (l job.Lane, err error) {
		l.Name = laneName
		return l, rows.Scan(&l.Tenant)
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	var next time.Time
	// notification_owed_again holds the few that wait.
	err = r.All().QueryRow("SELECT MIN(next_at) FROM notification_owed WHERE tries>0 AND next_at>?", now).Scan(store.Time(&next))
	return lanes, next, err
}

// Claim processes the next rows of a tenant. Nothing leaves the server here, so
// there is nothing to lease: a batch is read, drawn, and written with its rows gone
// in one transaction, which finds its rows still there or does nothing. The work
// that it returns only says that there may be more.
func (s *Service) Claim(ctx context.Context, l job.Lane, _ int) ([]job.Work, time.Time, error) {
	done, next, err := s.drain(ctx, l.Tenant)
	if err != nil || !done {
		return nil, next, err
	}
	return []job.Work{func(context.Context) {}}, time.Time{}, nil
}

// Rescue has nothing to settle: rows are not leased.
func (s *Service) Rescue(context.Context) (int, error) { return 0, nil }

// drain takes a batch and reports whether there was one; next is when the first
// of those that wait falls due.
func (s *Service) drain(ctx context.Context, tenant id.ID) (done bool, next time.Time, err error) {
	r := s.db.Read(ctx, tenant)
	subs, err := all(r)
	if err != nil {
		return false, next, err
	}
	limit := max(10, min(perBatch, perCommit/max(1, len(subs))))
	rows, err := owed(r, limit)
	if err != nil {
		return false, next, err
	}
	rows = whole(rows, limit)
	if len(rows) == 0 {
		err = r.QueryRow("SELECT MIN(next_at) FROM notification_owed WHERE tenant_id=?").Scan(store.Time(&next))
		return false, next, err
	}
	if err = s.process(ctx, tenant, rows); err == nil || ctx.Err() != nil {
		return err == nil, next, err
	}
	// One of them does not go: each by itself, and what stands behind it waits.
	waiting := map[id.ID]bool{}
	for _, v := range rows {
		if waiting[v.event.Contact] {
			continue
		}
		if err := s.process(ctx, tenant, []row{v}); err != nil {
			if ctx.Err() != nil {
				return false, next, err
			}
			waiting[v.event.Contact] = true
			s.log.Error("could not make the notifications of an event; they are tried again", "event", v.event.Type, "cursor", v.event.Cursor.String(), "tries", v.tries+1, "error", err)
			if err := s.postpone(ctx, tenant, v, err); err != nil {
				return false, next, err
			}
		}
	}
	return true, next, nil
}

// owed returns the rows that go next, in the order in which things happened. A row
// that waits holds up what stands behind it of the same contact.
func owed(r store.Reader, limit int) ([]row, error) {
	rows, err := r.Query(`SELECT d.seq, d.operation_id, d.event, d.tries, d.next_at FROM notification_owed d WHERE d.tenant_id=? AND d.next_at<=?
		AND NOT EXISTS (SELECT 1 FROM notification_owed e WHERE e.tenant_id=d.tenant_id AND e.contact_id=d.contact_id AND e.seq<d.seq AND e.next_at>?)
		ORDER BY d.seq LIMIT ?`, r.Now(), r.Now(), limit)
	return store.Collect(rows, err, scanRow)
}

func scanRow(rows *sql.Rows) (v row, err error) {
	return v, rows.Scan(&v.seq, &v.operation, store.JSON(&v.event), &v.tries, store.Time(&v.at))
}

// whole cuts a full batch where a transaction ends, so that what belongs together
// is told together: its events have one moment. One that fills a batch by itself
// is cut anyway.
func whole(rows []row, limit int) []row {
	if len(rows) < limit {
		return rows
	}
	last := rows[len(rows)-1].event.At
	for n := len(rows); n > 0; n-- {
		if !rows[n-1].event.At.Equal(last) {
			return rows[:n]
		}
	}
	return rows
}

func (s *Service) postpone(ctx context.Context, tenant id.ID, v row, why error) error {
	return s.db.Write(ctx, tenant, func(tx *store.Tx) error {
		pause := min(retryCap, retryFirst<<min(v.tries, 10))
		_, err := tx.Exec("UPDATE notification_owed SET tries=tries+1, next_at=?, last_error=? WHERE tenant_id=? AND seq=?", tx.Now().Add(pause), fmt.Sprint(why), v.seq)
		return err
	})
}
