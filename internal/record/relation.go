package record

import (
	"bytes"
	"database/sql"
	"maps"
	"slices"

	"parley/internal/contact"
	"parley/internal/id"
	"parley/internal/store"
)

// Relation is one reference of a record to an entity.
type Relation struct {
	Attribute string // the attribute on top that holds it
	Entity    id.ID
}

// preferred are the attributes whose relations come first: whom a record is about.
var preferred = []string{"contact", "contacts", "customer", "customers"}

// Relations returns what attributes refer to by {"$relation": [{"entity_id": UUID}]},
// at any depth: first what the attributes contact, contacts, customer and customers
// hold, then the others by name. Ids that cannot be Parley's are left out.
func Relations(attributes map[string]any) []Relation {
	names := slices.Sorted(maps.Keys(attributes))
	slices.SortStableFunc(names, func(a, b string) int { return rank(a) - rank(b) })
	var out []Relation
	seen := map[Relation]bool{}
	for _, name := range names {
		related(attributes[name], func(v id.ID) {
			if r := (Relation{name, v}); !seen[r] {
				seen[r] = true
				out = append(out, r)
			}
		})
	}
	return out
}

func rank(name string) int {
	if at := slices.Index(preferred, name); at >= 0 {
		return at
	}
	return len(preferred)
}

// related calls f for every reference inside a value, in its order.
func related(v any, f func(id.ID)) {
	switch t := v.(type) {
	case []any:
		for _, x := range t {
			related(x, f)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(t)) {
			list, ok := t[k].([]any)
			if k != relationKey || !ok {
				related(t[k], f)
				continue
			}
			for _, x := range list {
				if v := entityOf(x); !v.IsZero() {
					f(v)
				}
			}
		}
	}
}

const relationKey = "$relation"

// entityOf reads one item of a $relation.
func entityOf(item any) id.ID {
	m, _ := item.(map[string]any)
	s, _ := m["entity_id"].(string)
	v, ok, err := id.FromUUID(s)
	if err != nil || !ok {
		return id.Zero
	}
	return v
}

// RelatedContact returns the contact that a record is about: the first of its
// relations that leads to one; erased people are passed over. The zero id when there is none.
func (s *Service) RelatedContact(r store.Reader, rec Record) (id.ID, error) {
	m, err := s.RelatedContacts(r, []Record{rec})
	return m[rec.ID], err
}

// RelatedContacts is RelatedContact for many records, by record; those that are
// about nobody are left out.
func (s *Service) RelatedContacts(r store.Reader, list []Record) (map[id.ID]id.ID, error) {
	var asked []id.ID
	for _, rec := range list {
		asked = append(asked, ids(Relations(rec.Attributes))...)
	}
	out := make(map[id.ID]id.ID, len(list))
	if len(asked) == 0 {
		return out, nil
	}
	slices.SortFunc(asked, compare)
	people, err := s.contacts.GetMany(r, slices.Compact(asked))
	if err != nil {
		return nil, err
	}
	for _, rec := range list {
		for _, rel := range Relations(rec.Attributes) {
			if c, ok := people[rel.Entity]; ok {
				out[rec.ID] = c.ID
				break
			}
		}
	}
	return out, nil
}

// RelatedTo returns at most limit records that refer to any of the entities, by id.
// To find those of a person, name every id that the person ever had
// (contact.Known).
func (s *Service) RelatedTo(r store.Reader, entities []id.ID, limit int) ([]Record, error) {
	var found []id.ID
	for part := range slices.Chunk(entities, batch) {
		in, args := contact.Among(part)
		rows, err := r.Query("SELECT DISTINCT r.id FROM record_relation x JOIN record r ON r.tenant_id=x.tenant_id AND r.id=x.record_id WHERE x.tenant_id=? AND x.entity_id IN "+
			in+" AND r.deleted_at IS NULL ORDER BY r.id LIMIT ?", append(args, limit)...)
		list, err := store.Collect(rows, err, scanID)
		if err != nil {
			return nil, err
		}
		found = append(found, list...)
	}
	slices.SortFunc(found, compare)
	found = slices.Compact(found)
	found = found[:min(len(found), limit)]
	list, err := s.GetMany(r, found)
	if err != nil {
		return nil, err
	}
	out := make([]Record, 0, len(found))
	for _, v := range found {
		if rec, ok := list[v]; ok {
			out = append(out, rec)
		}
	}
	return out, nil
}

func compare(a, b id.ID) int { return bytes.Compare(a[:], b[:]) }

func scanID(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) }
