package deal

import (
	"context"
	"slices"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// maxArchive is how many cards one call puts away; archiveBatch how many one
// transaction does.
const (
	maxArchive   = 1000
	archiveBatch = 100
)

// ArchiveMany puts cards away, each as Archive does, and returns how many were
// not put away before. Ids that the tenant does not have are left out. It works
// in transactions of 100 cards; called again after a failure it does the rest.
// Faults: Invalid naming "ids" for more than 1000.
func (s *Service) ArchiveMany(ctx context.Context, tenant id.ID, actor string, ids []id.ID) (archived int, err error) {
	if len(ids) > maxArchive {
		return 0, fault.Field("ids", "ids must hold at most %d leads; send them in several calls", maxArchive)
	}
	ids = slices.Clone(ids)
	slices.SortFunc(ids, compare)
	for part := range slices.Chunk(slices.Compact(ids), archiveBatch) {
		n, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (int, error) { return s.archiveIn(tx, actor, part) })
		archived += n
		if err != nil {
			return archived, err
		}
	}
	return archived, nil
}

func (s *Service) archiveIn(tx *store.Tx, actor string, ids []id.ID) (n int, err error) {
	found, err := s.contacts.ResolveMany(tx, ids)
	if err != nil {
		return 0, err
	}
	var people []id.ID
	var keys []string
	for _, v := range ids {
		if to, ok := found[v]; ok {
			v = to
		}
		people, keys = append(people, v), append(keys, v.String())
	}
	slices.Sort(keys)
	if err := tx.Lock("contact", slices.Compact(keys)...); err != nil {
		return 0, err
	}
	for _, v := range people {
		c, err := s.contacts.Get(tx, v)
		switch f := fault.As(err); {
		case f != nil && f.Code == fault.NotFound, err == nil && c.Archived():
			continue
		case err != nil:
			return n, err
		}
		if _, err := s.ArchiveIn(tx, actor, v); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
