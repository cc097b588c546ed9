package quote

import (
	"database/sql"
	"encoding/json"
	"slices"

	"parley/internal/contact"
	"parley/internal/id"
	"parley/internal/store"
)

// follow takes part in merges: quotes belong to the person, so they move, and come
// back when the merge is taken back. Whoever is erased leaves none.
func (s *Service) follow() {
	s.contacts.Follow(contact.Follower{Name: "quote", Merge: merge, Unmerge: unmerge, Erase: erase})
}

func merge(tx *store.Tx, m contact.Merge) (any, error) {
	rows, err := tx.Query("SELECT id FROM quote WHERE tenant_id=? AND contact_id=? ORDER BY id", m.Merged)
	moved, err := store.Collect(rows, err, func(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) })
	if err != nil || len(moved) == 0 {
		return nil, err
	}
	_, err = tx.Exec("UPDATE quote SET contact_id=? WHERE tenant_id=? AND contact_id=?", m.Survivor, m.Merged)
	return moved, err
}

func unmerge(tx *store.Tx, m contact.Merge, moved json.RawMessage) error {
	var ids []id.ID
	if len(moved) == 0 {
		return nil
	}
	if err := json.Unmarshal(moved, &ids); err != nil {
		return err
	}
	for part := range slices.Chunk(ids, batch) {
		in, args := contact.Among(part)
		if _, err := tx.Exec("UPDATE quote SET contact_id=? WHERE tenant_id=? AND contact_id=? AND id IN "+in,
			append([]any{m.Merged, m.Survivor}, args...)...); err != nil {
			return err
		}
	}
	return nil
}

func erase(tx *store.Tx, e contact.Erased) error {
	in, args := e.In()
	_, err := tx.Exec("DELETE FROM quote WHERE tenant_id=? AND contact_id IN "+in, args...)
	return err
}

// batch bounds the ids of one query.
const batch = 500
