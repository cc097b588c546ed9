package handover

import (
	"context"
	"database/sql"
	"slices"

	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/store"
)

// Adopt gives work to every contact of a tenant that has none: they were there
// before the tenant had groups. They stand in the first group, with the agent whose
// id contact.AssignedTo holds, and nobody's turn is taken. It works in batches,
// each one transaction; calling it again goes on.
func (s *Service) Adopt(ctx context.Context, tenant id.ID) error {
	after := id.Zero
	for {
		n, last, err := s.adoptBatch(ctx, tenant, after)
		if err != nil || n == 0 {
			return err
		}
		after = last
	}
}

type adopted struct {
	n    int
	last id.ID
}

func (s *Service) adoptBatch(ctx context.Context, tenant, after id.ID) (int, id.ID, error) {
	out, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (adopted, error) {
		top, err := s.agents.RootIn(tx)
		if err != nil {
			return adopted{}, err
		}
		category, err := s.defaultCategory(tx)
		if err != nil {
			return adopted{}, err
		}
		ids, err := s.homeless(tx, after)
		if err != nil || len(ids) == 0 {
			return adopted{}, err
		}
		keys := make([]string, len(ids))
		for i, v := range ids {
			keys[i] = v.String()
		}
		if err := tx.Lock("contact", keys...); err != nil {
			return adopted{}, err
		}
		people, err := s.contacts.GetMany(tx, ids)
		if err != nil {
			return adopted{}, err
		}
		have, err := s.GetMany(tx, ids)
		if err != nil {
			return adopted{}, err
		}
		var list []Work
		for _, v := range ids {
			c, ok := people[v]
			if _, placed := have[v]; !ok || placed || c.ID != v {
				continue
			}
			w := Work{Contact: v, Group: top.ID, InitialGroup: top.ID, Status: Unclaimed, Category: category, CreatedAt: c.CreatedAt, ActiveAt: tx.Now(), UpdatedAt: tx.Now(), Version: 1}
			if a, err := s.named(tx, Arrival{}, c); err != nil {
				return adopted{}, err
			} else if !a.ID.IsZero() {
				w.Group = a.Group
				w.give(a.ID, FollowUp, tx.Now())
			}
			if c.Archived() {
				w.archive("", c.ArchivedAt)
			}
			list = append(list, w)
		}
		return adopted{len(ids), ids[len(ids)-1]}, s.insertMany(tx, list)
	})
	return out.n, out.last, err
}

// insertMany writes new work by few statements; contacts that have had work before
// (a merge taken back) get the version behind it.
func (s *Service) insertMany(tx *store.Tx, list []Work) error {
	had, err := s.versions(tx, list)
	if err != nil {
		return err
	}
	var rows, entries [][]any
	var news []event.New
	for i := range list {
		w := &list[i]
		if err := w.check(); err != nil {
			return err
		}
		w.Version = had[w.Contact] + 1
		rows, entries = append(rows, w.values()), append(entries, w.entry("system", Placed, w.changes(Work{}), tx.Now()))
		news = append(news, event.New{Type: "handover.moved", Subject: w.Contact, Contact: w.Contact, Actor: "system", Changed: []string{"move:" + Placed, "status:" + w.Status}})
	}
	if _, err := store.InsertRows(tx, into, rows, ""); err != nil {
		return err
	}
	if _, err := store.InsertRows(tx, logInto, entries, ""); err != nil {
		return err
	}
	return s.log.AppendMany(tx, news)
}

// versions returns the last version of each contact that had work before.
func (s *Service) versions(r store.Reader, list []Work) (map[id.ID]int, error) {
	out := make(map[id.ID]int)
	for part := range slices.Chunk(list, batch) {
		ids := make([]id.ID, len(part))
		for i, w := range part {
			ids[i] = w.Contact
		}
		in, args := contact.Among(ids)
		rows, err := r.Query("SELECT contact_id, MAX(version) FROM handover_log WHERE tenant_id=? AND contact_id IN "+in+" GROUP BY contact_id", args...)
		if _, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
			var cid id.ID
			var n int
			if err = rows.Scan(&cid, &n); err == nil {
				out[cid] = n
			}
			return
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// homeless returns contacts without work behind an id, oldest ids first, by the
// primary keys of both tables.
func (s *Service) homeless(r store.Reader, after id.ID) ([]id.ID, error) {
	rows, err := r.Query("SELECT c.id FROM contact c WHERE c.tenant_id=? AND c.id>? AND c.erased_at IS NULL AND NOT EXISTS "+
		"(SELECT 1 FROM handover h WHERE h.tenant_id=c.tenant_id AND h.contact_id=c.id) ORDER BY c.id LIMIT ?", after.String(), batch)
	return ids(rows, err)
}

func ids(rows *sql.Rows, err error) ([]id.ID, error) {
	return store.Collect(rows, err, func(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) })
}
