package contact

import (
	"bytes"
	"database/sql"
	"slices"

	"parley/internal/id"
	"parley/internal/store"
)

// HoldManyIn takes the locks of contacts and returns where each id leads: until the
// commit nobody else changes, merges or erases them. Those that are gone are left
// out.
func (s *Service) HoldManyIn(tx *store.Tx, ids []id.ID) (map[id.ID]id.ID, error) {
	out := make(map[id.ID]id.ID, len(ids))
	share := ""
	if tx.Dialect() == store.Postgres {
		share = " FOR KEY SHARE"
	}
	hold := func(ids []id.ID) (there map[id.ID]bool, err error) {
		keys := make([]string, len(ids))
		for i, v := range ids {
			keys[i] = v.String()
		}
		if err := tx.Lock("contact", keys...); err != nil {
			return nil, err
		}
		there = make(map[id.ID]bool, len(ids))
		for part := range slices.Chunk(ids, batch) {
			in, args := Among(part)
			rows, err := tx.Query("SELECT id FROM contact WHERE tenant_id=? AND id IN "+in+" AND erased_at IS NULL"+share, args...)
			list, err := store.Collect(rows, err, func(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) })
			if err != nil {
				return nil, err
			}
			for _, v := range list {
				there[v] = true
			}
		}
		return there, nil
	}
	todo := slices.Clone(ids)
	leads := map[id.ID]id.ID{} // to an id of todo, from one that was asked for
	for _, v := range ids {
		leads[v] = v
	}
	if tx.Dialect() == store.Postgres {
		// Whom others lock by the survivor's id is not locked by an old one first.
		merged, err := s.ResolveMany(tx, ids)
		if err != nil {
			return nil, err
		}
		for old, to := range merged {
			leads[old] = to
			todo = append(slices.DeleteFunc(todo, func(v id.ID) bool { return v == old }), to)
		}
		slices.SortFunc(todo, func(a, b id.ID) int { return bytes.Compare(a[:], b[:]) })
		todo = slices.Compact(todo)
	}
	for len(todo) > 0 {
		there, err := hold(todo)
		if err != nil {
			return nil, err
		}
		var missing []id.ID
		for _, v := range todo {
			if !there[v] {
				missing = append(missing, v)
			}
		}
		for from, v := range leads {
			if there[v] {
				out[from] = v
				delete(leads, from)
			}
		}
		if len(missing) == 0 {
			break
		}
		// Merged, perhaps by whoever had the lock before us.
		next, err := s.ResolveMany(tx, missing)
		if err != nil {
			return nil, err
		}
		todo = nil
		for from, v := range leads {
			to, ok := next[v]
			if !ok || to == v {
				delete(leads, from)
				continue
			}
			leads[from] = to
			if !slices.Contains(todo, to) {
				todo = append(todo, to)
			}
		}
	}
	return out, nil
}

// RecordManyIn is RecordIn for entries of contacts whose locks are held, by few
// statements. Type, title and the like are the caller's own words and are not
// checked.
func (s *Service) RecordManyIn(tx *store.Tx, list []Activity) error {
	rows := make([][]any, len(list))
	for i, a := range list {
		rows[i] = []any{id.New(), a.Contact, a.Type, a.Title, a.Body, store.JSON(a.Metadata), a.PerformedBy, tx.Now()}
	}
	_, err := store.InsertRows(tx, "activity (tenant_id, id, contact_id, type, title, body, metadata, performed_by, created_at)", rows, "")
	return err
}
