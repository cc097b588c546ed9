package segment

import (
	"context"
	"database/sql"
	"time"

	"parley/internal/entity"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

const (
	// perPage is how many entities of a walk are owed a comparison at once.
	perPage = 500
	// fenceWait is how soon it is looked again whether old transactions have ended.
	fenceWait = 50 * time.Millisecond
)

// oweSeed owes it to a schema that its new segments be made known.
func oweSeed(tx *store.Tx, schema string) error { return oweWalk(tx, schema, 0, 1) }

// oweReview owes everybody of a schema a comparison.
func oweReview(tx *store.Tx, schema string) error { return oweWalk(tx, schema, 1, 1) }

// oweClear owes it to a schema that no segment selects any more that what is
// remembered of its entities goes: nobody would take away what is remembered of
// those that are deleted.
func oweClear(tx *store.Tx, schema string) error { return oweWalk(tx, schema, 0, 0) }

func oweWalk(tx *store.Tx, schema string, review, cleared int) error {
	_, err := tx.Exec(`INSERT INTO segment_seed (tenant_id, entity_schema, upto, fence, after_id, walked, review, cleared) VALUES (?,?,0,0,'',0,?,?)
		ON CONFLICT (tenant_id, entity_schema) DO UPDATE SET review=CASE WHEN excluded.review=1 THEN 1 ELSE segment_seed.review END,
		upto=CASE WHEN excluded.cleared=0 THEN 0 ELSE segment_seed.upto END,
		cleared=CASE WHEN excluded.cleared=0 THEN 0 ELSE segment_seed.cleared END`, schema, review, cleared)
	job.WakeLane(tx, ledgerName, laneName)
	return err
}

// seeding is a walk over the entities of a schema, for its segments up to a number
// that are not known yet. Whoever it meets is owed a comparison, like everybody who
// changes meanwhile; when those are settled, the segments are known.
type seeding struct {
	schema string
	upto   int64
	after  id.ID
	walked bool
	review int
	clean  bool // what is remembered of the schema need not go
}

// seed takes one step towards knowing new segments and reports whether it did;
// next is when to look again.
func (s *Service) seed(ctx context.Context, tenant id.ID) (done bool, next time.Time, err error) {
	r := s.db.Read(ctx, tenant)
	rows, err := r.Query("SELECT entity_schema, upto, after_id, walked, review, cleared FROM segment_seed WHERE tenant_id=? ORDER BY entity_schema")
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (v seeding, err error) {
		return v, rows.Scan(&v.schema, &v.upto, &v.after, &v.walked, &v.review, &v.clean)
	})
	if err != nil {
		return false, next, err
	}
	for _, v := range list {
		did, wait, err := s.advance(ctx, r, v)
		if err != nil || did {
			return did, next, err
		}
		if !wait.IsZero() && (next.IsZero() || wait.Before(next)) {
			next = wait
		}
	}
	return false, next, nil
}

func (s *Service) advance(ctx context.Context, r store.Reader, v seeding) (done bool, next time.Time, err error) {
	if !v.clean {
		return true, next, s.clear(ctx, r.Tenant(), v.schema)
	}
	if v.upto == 0 {
		return true, next, s.plan(ctx, r.Tenant(), v)
	}
	var one int
	// Somebody who saw no such segment may still be about to commit.
	ended, err := store.Found(r.QueryRow("SELECT 1 FROM segment_seed WHERE tenant_id=? AND entity_schema=? AND "+r.Dialect().Horizon("fence"), v.schema).Scan(&one))
	if err != nil || !ended {
		return false, r.Now().Add(fenceWait), err
	}
	open, err := store.Found(r.QueryRow("SELECT 1 FROM segment_owed WHERE tenant_id=? AND entity_schema=? AND seeding=1 LIMIT 1", v.schema).Scan(&one))
	if err != nil || open {
		return false, next, err // they are settled first
	}
	if v.walked {
		return true, next, s.finish(ctx, r.Tenant(), v)
	}
	f, any, err := sought(r, v)
	if err != nil {
		return false, next, err
	}
	var page []entity.Found
	var after id.ID
	if any {
		if page, after, err = s.entities.Walk(r, v.schema, f, v.after, s.page); err != nil {
			return false, next, err
		}
	}
	return true, next, s.db.Write(ctx, r.Tenant(), func(tx *store.Tx) error {
		// Behind whoever is merging or erasing one of them: what is owed then is owed
		// after it.
		if err := lockLane(tx); err != nil {
			return err
		}
		n, err := tx.Exec("UPDATE segment_seed SET after_id=?, walked=? WHERE tenant_id=? AND entity_schema=? AND upto=? AND after_id=? AND walked=0",
			after.String(), flag(after.IsZero()), v.schema, v.upto, v.after.String())
		if err != nil || n == 0 {
			return err // another node was here
		}
		refs := make([]entity.Ref, len(page))
		for i, p := range page {
			refs[i] = entity.Ref{Schema: v.schema, ID: p.ID}
		}
		return oweIn(tx, system, true, refs...)
	})
}

// clear takes away some of what is remembered of a schema's entities.
func (s *Service) clear(ctx context.Context, tenant id.ID, schema string) error {
	return s.db.Write(ctx, tenant, func(tx *store.Tx) error {
		if err := lockLane(tx); err != nil { // it writes what is remembered
			return err
		}
		const most = 1000
		n, err := tx.Exec("DELETE FROM segment_member WHERE tenant_id=?1 AND entity_id IN (SELECT entity_id FROM segment_member WHERE tenant_id=?1 AND entity_schema=?2 LIMIT ?3)", schema, most)
		if err != nil || n == most {
			return err
		}
		_, err = tx.Exec("UPDATE segment_seed SET cleared=1 WHERE tenant_id=? AND entity_schema=?", schema)
		return err
	})
}

// plan begins a walk for the segments that are not known yet, or for a review.
func (s *Service) plan(ctx context.Context, tenant id.ID, v seeding) error {
	return s.db.Write(ctx, tenant, func(tx *store.Tx) error {
		if _, err := versionOf(tx, tx.Dialect().ForUpdate()); err != nil { // nobody makes one now
			return err
		}
		var upto, review int64
		if err := tx.QueryRow("SELECT COALESCE(MAX(number),0) FROM segment WHERE tenant_id=? AND entity_schema=? AND seeded=0", v.schema).Scan(&upto); err != nil {
			return err
		}
		found, err := store.Found(tx.QueryRow("SELECT review FROM segment_seed WHERE tenant_id=? AND entity_schema=? AND upto=0 AND cleared=1"+tx.Dialect().ForUpdate(), v.schema).Scan(&review))
		if err != nil || !found {
			return err // another node was here
		}
		if upto == 0 && review == 0 {
			_, err := tx.Exec("DELETE FROM segment_seed WHERE tenant_id=? AND entity_schema=?", v.schema)
			return err
		}
		_, err = tx.Exec("UPDATE segment_seed SET upto=?, fence="+tx.Dialect().XID()+", after_id='', walked=0, review=? WHERE tenant_id=? AND entity_schema=?",
			max(upto, 1), 2*min(review, 1), v.schema)
		return err
	})
}

// sought returns what the walk looks for: one new segment's entities by its filter;
// everybody for several, which is one walk however many they are, and for a review.
func sought(r store.Reader, v seeding) (f filter.Filter, any bool, err error) {
	if v.review != 0 {
		return f, true, nil
	}
	rows, err := r.Query("SELECT query FROM segment WHERE tenant_id=? AND entity_schema=? AND seeded=0 AND number<=? LIMIT 2", v.schema, v.upto)
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (f filter.Filter, err error) { return f, rows.Scan(store.JSON(&f)) })
	if err == nil && len(list) == 1 {
		f = list[0]
	}
	return f, len(list) > 0, err
}

// finish makes the segments of a walk known.
func (s *Service) finish(ctx context.Context, tenant id.ID, v seeding) error {
	return s.db.Write(ctx, tenant, func(tx *store.Tx) error {
		g, err := turn(tx) // nobody makes one now
		if err != nil {
			return err
		}
		var one, review int
		found, err := store.Found(tx.QueryRow("SELECT review FROM segment_seed WHERE tenant_id=? AND entity_schema=? AND upto=? AND walked=1"+tx.Dialect().ForUpdate(), v.schema, v.upto).Scan(&review))
		if err != nil || !found {
			return err // another node was here
		}
		if _, err := tx.Exec("UPDATE segment SET seeded=1, version=? WHERE tenant_id=? AND entity_schema=? AND seeded=0 AND number<=?", g.version, v.schema, v.upto); err != nil {
			return err
		}
		more, err := store.Found(tx.QueryRow("SELECT 1 FROM segment WHERE tenant_id=? AND entity_schema=? AND seeded=0 LIMIT 1", v.schema).Scan(&one))
		if err != nil {
			return err
		}
		if more || review == 1 { // since
			_, err = tx.Exec("UPDATE segment_seed SET upto=0, after_id='', walked=0 WHERE tenant_id=? AND entity_schema=?", v.schema)
			return err
		}
		_, err = tx.Exec("DELETE FROM segment_seed WHERE tenant_id=? AND entity_schema=?", v.schema)
		return err
	})
}
