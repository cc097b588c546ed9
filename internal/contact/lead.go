package contact

import (
	"bytes"
	"slices"

	"parley/internal/id"
	"parley/internal/store"
)

// LeadIn returns where those of the ids lead whose contacts were merged, and keeps the
// contacts to whom any of them leads from being merged or erased until the commit. It
// is for rooms that write down whom something refers to: ids of nobody are passed over,
// and who is referred to may be changed meanwhile.
func (s *Service) LeadIn(tx *store.Tx, ids []id.ID) (map[id.ID]id.ID, error) {
	if tx.Dialect() == store.SQLite { // there nobody else writes
		return s.ResolveMany(tx, ids)
	}
	for {
		leads, err := s.ResolveMany(tx, ids)
		if err != nil {
			return nil, err
		}
		at := make([]id.ID, len(ids))
		for i, v := range ids {
			at[i] = v
			if to, ok := leads[v]; ok {
				at[i] = to
			}
		}
		slices.SortFunc(at, func(a, b id.ID) int { return bytes.Compare(a[:], b[:]) })
		at = slices.Compact(at)
		for part := range slices.Chunk(at, batch) {
			in, args := Among(part)
			// A merge and an erasing take the row for themselves, and wait for us.
			rows, err := tx.Query("SELECT id FROM contact WHERE tenant_id=? AND id IN "+in+" ORDER BY id FOR KEY SHARE", args...)
			if _, err := store.Collect(rows, err, scanID); err != nil {
				return nil, err
			}
		}
		// Whoever was merged before we had the row leads on now.
		moved, err := s.ResolveMany(tx, at)
		if err != nil || len(moved) == 0 {
			return leads, err
		}
	}
}
