package segment

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/internal/contact"
	"parley/internal/entity"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

const (
	perBatch   = 200         // entities compared in one transaction, at most
	retryFirst = time.Second // pause of an entity that cannot be compared, doubling
	retryCap   = time.Minute
	// patience is how often an entity that cannot be compared holds up the news that
	// a segment is known.
	patience = 5
)

// Name names the ledger in lane leases and wakes.
func (s *Service) Name() string { return ledgerName }

// Due returns the tenants that owe comparisons, and those with segments that are
// not known yet.
func (s *Service) Due(ctx context.Context, now time.Time, limit int) ([]job.Lane, time.Time, error) {
	r := s.db.Read(ctx, id.Zero)
	rows, err := r.All().Query(`WITH RECURSIVE t(v) AS (SELECT (SELECT MIN(tenant_id) FROM segment_owed)
		UNION ALL SELECT (SELECT MIN(o.tenant_id) FROM segment_owed o WHERE o.tenant_id>t.v) FROM t WHERE t.v IS NOT NULL)
		SELECT v FROM t WHERE v IS NOT NULL AND EXISTS (SELECT 1 FROM segment_owed d WHERE d.tenant_id=v AND d.next_at<=?)
		UNION SELECT tenant_id FROM segment_seed LIMIT ?`, now, limit)
	lanes, err := store.Collect(rows, err, func(rows *sql.Rows) (l job.Lane, err error) {
		l.Name = laneName
		return l, rows.Scan(&l.Tenant)
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	var next time.Time
	// segment_owed_again holds the few that wait.
	err = r.All().QueryRow("SELECT MIN(next_at) FROM segment_owed WHERE tries>0 AND next_at>?", now).Scan(store.Time(&next))
	return lanes, next, err
}

// Claim compares the next entities of a tenant, then takes a step towards knowing
// its new segments. Nothing leaves the server here, so there is nothing to lease:
// a batch is read, compared, and written with its rows gone in one transaction,
// which finds its rows as they were read or leaves them. The work that it returns
// only says that there may be more.
func (s *Service) Claim(ctx context.Context, l job.Lane, _ int) ([]job.Work, time.Time, error) {
	done, next, err := s.step(ctx, l.Tenant)
	if err != nil || !done {
		return nil, next, err
	}
	return []job.Work{func(context.Context) {}}, time.Time{}, nil
}

// Rescue has nothing to settle: rows are not leased.
func (s *Service) Rescue(context.Context) (int, error) { return 0, nil }

// step does the next piece of a tenant's work and reports whether there was any;
// next is when the first of what waits falls due.
func (s *Service) step(ctx context.Context, tenant id.ID) (done bool, next time.Time, err error) {
	compared, next, err := s.drain(ctx, tenant)
	if err != nil {
		return false, next, err
	}
	seeded, wait, err := s.seed(ctx, tenant)
	if !wait.IsZero() && (next.IsZero() || wait.Before(next)) {
		next = wait
	}
	return compared || seeded, next, err
}

// drain compares a batch and reports whether there was one.
func (s *Service) drain(ctx context.Context, tenant id.ID) (done bool, next time.Time, err error) {
	r := s.db.Read(ctx, tenant)
	debts, err := due(r, perBatch)
	if err != nil {
		return false, next, err
	}
	if len(debts) == 0 {
		err = r.QueryRow("SELECT MIN(next_at) FROM segment_owed WHERE tenant_id=?").Scan(store.Time(&next))
		return false, next, err
	}
	if err = s.settle(ctx, tenant, debts); err == nil || ctx.Err() != nil {
		return err == nil, next, err
	}
	// One of them does not go: each by itself.
	for _, d := range debts {
		if err := s.settle(ctx, tenant, []debt{d}); err != nil {
			if ctx.Err() != nil {
				return false, next, err
			}
			s.log.Error("could not compare an entity with the segments; it is tried again", "schema", d.ref.Schema, "entity", d.ref.ID.String(), "tries", d.tries+1, "error", err)
			if err := s.postpone(ctx, tenant, d, err); err != nil {
				return false, next, err
			}
		}
	}
	return true, next, nil
}

// due returns what is owed longest, every row of each entity.
func due(r store.Reader, limit int) ([]debt, error) {
	rows, err := r.Query("SELECT entity_id FROM segment_owed WHERE tenant_id=? AND next_at<=? ORDER BY next_at LIMIT ?", r.Now(), limit)
	ids, err := store.Collect(rows, err, func(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) })
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return owedTo(r, ids)
}

// owedTo returns what is owed to entities, by id.
func owedTo(r store.Reader, ids []id.ID) ([]debt, error) {
	in, args := contact.Among(ids)
	rows, err := r.Query("SELECT entity_id, entity_schema, xid, token, actor, tries FROM segment_owed WHERE tenant_id=? AND entity_id IN "+in+" ORDER BY entity_id, xid", args...)
	var out []debt
	_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
		var d debt
		var o owedRow
		if err = rows.Scan(&d.ref.ID, &d.ref.Schema, &o.xid, &o.token, &d.actor, &d.tries); err != nil {
			return x, err
		}
		if len(out) == 0 || out[len(out)-1].ref != d.ref {
			out = append(out, d)
		}
		last := &out[len(out)-1]
		last.rows = append(last.rows, o)
		if !strings.HasPrefix(last.actor, "run:") {
			last.actor = d.actor
		}
		return x, nil
	})
	return out, err
}

func (s *Service) postpone(ctx context.Context, tenant id.ID, d debt, why error) error {
	return s.db.Write(ctx, tenant, func(tx *store.Tx) error {
		pause := min(retryCap, retryFirst<<min(d.tries, 10))
		_, err := tx.Exec("UPDATE segment_owed SET tries=tries+1, next_at=?, last_error=?, seeding=CASE WHEN tries>=? THEN 0 ELSE seeding END WHERE tenant_id=? AND entity_id=?",
			tx.Now().Add(pause), fmt.Sprint(why), patience, d.ref.ID)
		return err
	})
}

// byDocument reads the documents of those that are owed.
func (s *Service) byDocument(r store.Reader, debts []debt) (map[id.ID]entity.Doc, error) {
	schemas := map[string][]id.ID{}
	for _, d := range debts {
		schemas[d.ref.Schema] = append(schemas[d.ref.Schema], d.ref.ID)
	}
	out := make(map[id.ID]entity.Doc, len(debts))
	for schema, ids := range schemas {
		slices.SortFunc(ids, compare)
		docs, err := s.entities.Documents(r, schema, slices.Compact(ids))
		if err != nil {
			return nil, err
		}
		for v, doc := range docs {
			out[v] = doc
		}
	}
	return out, nil
}
