package record

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// follow takes part in merges, so that whoever refers to a person refers to who the
// person is now, and in the erasing of people: what refers to them refers to nobody
// from then on.
func (s *Service) follow() {
	s.contacts.Follow(contact.Follower{Name: "record", Merge: s.merged, Unmerge: s.unmerged, Purge: s.purgeReferences})
}

// shifted is a record whose references a merge gave to the survivor, with where they
// stand (RFC 6901): an unmerge finds those again among others to the survivor.
type shifted struct {
	Record id.ID    `json:"record"`
	At     []string `json:"at"`
}

// merged gives the survivor the references to the other contact, also those of deleted
// records.
func (s *Service) merged(tx *store.Tx, m contact.Merge) (any, error) {
	rows, err := tx.Query("SELECT record_id FROM record_relation WHERE tenant_id=? AND entity_id=? ORDER BY record_id", m.Merged)
	list, err := store.Collect(rows, err, scanID)
	if err != nil {
		return nil, err
	}
	var out []shifted
	var news []event.New
	for _, rid := range list {
		v := shifted{Record: rid}
		told, err := s.redirect(tx, m.Actor, rid, func(at string, to id.ID) id.ID {
			if to != m.Merged {
				return to
			}
			v.At = append(v.At, at)
			return m.Survivor
		})
		if err != nil {
			return nil, err
		}
		out, news = append(out, v), append(news, told...)
	}
	return out, s.log.AppendMany(tx, news)
}

// unmerged gives references back, but for those that lead elsewhere by now.
func (s *Service) unmerged(tx *store.Tx, m contact.Merge, moved json.RawMessage) error {
	var list []shifted
	if err := json.Unmarshal(moved, &list); err != nil {
		return err
	}
	var news []event.New
	for _, v := range list {
		told, err := s.redirect(tx, m.Actor, v.Record, func(at string, to id.ID) id.ID {
			if to == m.Survivor && slices.Contains(v.At, at) {
				return m.Merged
			}
			return to
		})
		if f := fault.As(err); f != nil && f.Code == fault.NotFound {
			continue // purged since
		}
		if err != nil {
			return err
		}
		news = append(news, told...)
	}
	return s.log.AppendMany(tx, news)
}

// redirect changes where the references of a record lead and returns what is to be
// told of it.
func (s *Service) redirect(tx *store.Tx, actor string, rid id.ID, to func(at string, v id.ID) id.ID) ([]event.New, error) {
	old, err := s.locked(tx, rid)
	if err != nil {
		return nil, err
	}
	next := old
	next.Attributes, _ = redirected(old.Attributes, "", to).(map[string]any)
	names := changed(old, next)
	if len(names) == 0 {
		return nil, nil
	}
	next.touch(tx)
	if err := update(tx, old, next); err != nil || !next.DeletedAt.IsZero() {
		return nil, err
	}
	return []event.New{told(actor, "record.updated", next, names...)}, nil
}

// redirected returns a value whose references lead where to says. at is the value's
// place as a JSON pointer (RFC 6901).
func redirected(v any, at string, to func(at string, v id.ID) id.ID) any {
	switch t := v.(type) {
	case []any:
		out := make([]any, len(t))
		for i, x := range t {
			out[i] = redirected(x, at+"/"+strconv.Itoa(i), to)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, x := range t {
			below := at + "/" + pointed.Replace(k)
			list, ok := x.([]any)
			if k != relationKey || !ok {
				out[k] = redirected(x, below, to)
				continue
			}
			items := slices.Clone(list)
			for i, item := range items {
				was := entityOf(item)
				if was.IsZero() {
					continue
				}
				if now := to(below+"/"+strconv.Itoa(i), was); now != was {
					m := maps.Clone(item.(map[string]any))
					m["entity_id"] = now.UUID()
					items[i] = m
				}
			}
			out[k] = items
		}
		return out
	}
	return v
}

var pointed = strings.NewReplacer("~", "~0", "/", "~1")

// led returns attributes that are about to be written with the references to people who
// were merged leading to their survivors. Nobody to whom they refer is merged or erased
// before the commit: whoever does it waits, and finds the record then. Call it before
// the record's lock is taken: a merge takes the two in this order.
func (s *Service) led(tx *store.Tx, attributes map[string]any) (map[string]any, error) {
	list := ids(Relations(attributes))
	if len(list) == 0 {
		return attributes, nil
	}
	leads, err := s.contacts.LeadIn(tx, list)
	if err != nil || len(leads) == 0 {
		return attributes, err
	}
	out, _ := redirected(attributes, "", func(_ string, v id.ID) id.ID {
		if to, ok := leads[v]; ok {
			return to
		}
		return v
	}).(map[string]any)
	return out, nil
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
