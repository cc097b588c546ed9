package record

import (
	"slices"

	"parley/internal/contact"
	"parley/internal/id"
	"parley/internal/store"
)

// follow takes part in the erasing of people: what refers to them refers to nobody
// from then on. Merges need nothing: a reference keeps the id that it was written
// with, and leads to the survivor.
func (s *Service) follow() {
	s.contacts.Follow(contact.Follower{Name: "record", Purge: s.purgeReferences})
}

// purgeReferences takes the references to a person out of at most limit records and
// returns how many it changed.
func (s *Service) purgeReferences(tx *store.Tx, e contact.Erased, limit int) (int, error) {
	in, args := e.In()
	rows, err := tx.Query("SELECT DISTINCT record_id FROM record_relation WHERE tenant_id=? AND entity_id IN "+in+" ORDER BY record_id LIMIT ?", append(args, limit)...)
	list, err := store.Collect(rows, err, scanID)
	if err != nil {
		return 0, err
	}
	for _, rid := range list {
		old, err := s.locked(tx, rid)
		if err != nil {
			return 0, err
		}
		next := old
		next.Attributes, _ = without(old.Attributes, e.IDs).(map[string]any)
		next.touch(tx)
		if err := update(tx, old, next); err != nil {
			return 0, err
		}
		// Whatever else led to the record leads there no more: we shall not meet it again.
		if _, err := tx.Exec("DELETE FROM record_relation WHERE tenant_id=? AND record_id=? AND entity_id IN "+in, append([]any{rid}, args...)...); err != nil {
			return 0, err
		}
		if !next.DeletedAt.IsZero() {
			continue
		}
		if err := s.append(tx, e.Actor, "record.updated", next, changed(old, next)...); err != nil {
			return 0, err
		}
	}
	return len(list), nil
}

// without returns a value without the items of every $relation in it that lead to
// one of the entities.
func without(v any, entities []id.ID) any {
	switch t := v.(type) {
	case []any:
		out := make([]any, len(t))
		for i, x := range t {
			out[i] = without(x, entities)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, x := range t {
			list, ok := x.([]any)
			if k != relationKey || !ok {
				out[k] = without(x, entities)
				continue
			}
			out[k] = slices.DeleteFunc(slices.Clone(list), func(item any) bool {
				v := entityOf(item)
				return !v.IsZero() && slices.Contains(entities, v)
			})
		}
		return out
	}
	return v
}
