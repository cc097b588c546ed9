package entity

import (
	"bytes"
	"database/sql"
	"slices"
	"strings"

	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
)

// maxProbes bounds the values of one list that are looked up.
const maxProbes = 50

// narrow returns entities among which are all that match, by an index, when it
// finds at most limit of them; ok tells whether it did. The work is bounded by
// limit for each condition of the filter.
func (s *Service) narrow(r store.Reader, t *table, schema string, f filter.Filter, limit int) (ids []id.ID, ok bool, err error) {
	ids, ok, err = s.narrowest(r, t, schema, f, limit)
	if !ok || err != nil {
		return nil, false, err
	}
	slices.SortFunc(ids, func(a, b id.ID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(ids), true, nil
}

func (s *Service) narrowest(r store.Reader, t *table, schema string, f filter.Filter, limit int) ([]id.ID, bool, error) {
	switch f.Op {
	case filter.And:
		for _, sub := range f.Of {
			if ids, ok, err := s.narrowest(r, t, schema, sub, limit); ok || err != nil {
				return ids, ok, err
			}
		}
		return nil, false, nil
	case filter.Or:
		var all []id.ID
		for _, sub := range f.Of {
			ids, ok, err := s.narrowest(r, t, schema, sub, limit-len(all))
			if !ok || err != nil {
				return nil, false, err
			}
			all = append(all, ids...)
		}
		return all, true, nil
	}
	if negative(f.Op) {
		return nil, false, nil
	}
	values, equal := constants(f)
	if at := slices.IndexFunc(t.fields, func(x field) bool { return x.name == f.Field && x.name != "" }); at >= 0 {
		switch {
		case equal && f.Field == "_id", equal && t.fields[at].probe != "" && len(values) <= maxProbes:
			return probe(r, t.fields[at], values, limit)
		case t != records || f.Field != "_tags": // which are among its attributes' entries
			return nil, false, nil
		}
	}
	return s.attributes(r, t, schema, f, limit)
}

// ahead returns, by id, people who follow one, among which are all that match as far
// as to, the zero id when nobody follows them: those whose tag or attribute is what a
// filter asks for. However many have it, it reads about limit of them.
func (s *Service) ahead(r store.Reader, t *table, f filter.Filter, after id.ID, limit int) (ids []id.ID, to id.ID, ok bool, err error) {
	if t != people {
		return nil, id.Zero, false, nil
	}
	if f.Op == filter.And {
		for _, sub := range f.Of {
			if ids, to, ok, err = s.ahead(r, t, sub, after, limit); ok || err != nil {
				return ids, to, ok, err
			}
		}
		return nil, id.Zero, false, nil
	}
	values, equal := constants(f)
	name := strings.TrimPrefix(f.Field, "additional.")
	if !equal || negative(f.Op) || len(values) != 1 || name == "" {
		return nil, id.Zero, false, nil
	}
	switch word, isText := values[0].(string); {
	case f.Field == "_tags" && isText && word != "" && !strings.ContainsRune(word, 0) && strings.ToValidUTF8(word, "") == word:
		rows, err := r.Query("SELECT contact_id FROM contact_tag WHERE tenant_id=? AND tag=? AND contact_id>? ORDER BY contact_id LIMIT ?", word, after.String(), limit)
		if ids, err = store.Collect(rows, err, scanID); err == nil && len(ids) == limit {
			to = ids[limit-1]
		}
		return ids, to, true, err
	case t.names[f.Field]:
		return nil, id.Zero, false, nil
	}
	switch values[0].(type) {
	case string, bool, int64, float64:
		return s.contacts.LikelyAfter(r, name, values[0], after, limit)
	}
	return nil, id.Zero, false, nil
}

// sought tells whether SQL itself finds what a filter selects by indexes of columns.
func (t *table) sought(f filter.Filter) bool {
	switch f.Op {
	case filter.And, filter.Or:
		return !slices.ContainsFunc(f.Of, func(sub filter.Filter) bool { return !t.sought(sub) })
	}
	_, equal := constants(f)
	return equal && !negative(f.Op) && slices.ContainsFunc(t.fields, func(x field) bool { return x.name == f.Field && x.bare != "" && x.probe != "" })
}

// probe looks the values of a field up in an index.
func probe(r store.Reader, f field, values []any, limit int) ([]id.ID, bool, error) {
	var all []id.ID
	for _, v := range values {
		word, ok := v.(string)
		if !ok {
			return nil, false, nil // null means those without the field too, a number may equal its text
		}
		if word == "" || strings.ContainsRune(word, 0) || strings.ToValidUTF8(word, "") != word {
			return nil, false, nil
		}
		if f.kind == ident {
			v, ok, err := id.FromUUID(word)
			if err != nil || !ok || v.UUID() != word {
				continue // nobody's
			}
			if f.name == "_id" {
				if all = append(all, v); len(all) > limit {
					return nil, false, nil
				}
				continue
			}
			word = v.String()
		}
		if f.trim != "" {
			if word, ok = strings.CutPrefix(word, f.trim); !ok {
				continue
			}
		}
		rows, err := r.Query(f.probe, word, limit+1-len(all))
		ids, err := store.Collect(rows, err, scanID)
		if err != nil {
			return nil, false, err
		}
		if all = append(all, ids...); len(all) > limit {
			return nil, false, nil
		}
	}
	return all, true, nil
}

// attributes looks a condition on an open attribute up in the index of them.
func (s *Service) attributes(r store.Reader, t *table, schema string, f filter.Filter, limit int) ([]id.ID, bool, error) {
	values, ok := constants(f)
	name := f.Field
	if t == people {
		name = strings.TrimPrefix(name, "additional.")
	}
	if !ok || name == "" || len(values) > maxProbes {
		return nil, false, nil
	}
	var all []id.ID
	for _, v := range values {
		switch v.(type) {
		case string, bool, int64, float64:
		default:
			return nil, false, nil
		}
		ids, more, err := s.likely(r, t, schema, filter.Filter{Op: filter.Same, Field: name, Value: v}, limit-len(all))
		if err != nil || more {
			return nil, false, err
		}
		all = append(all, ids...)
	}
	return all, true, nil
}

func (s *Service) likely(r store.Reader, t *table, schema string, f filter.Filter, limit int) (ids []id.ID, more bool, err error) {
	if t == people {
		return s.contacts.LikelyWith(r, f, limit)
	}
	return s.records.LikelyWith(r, schema, f, limit)
}

func scanID(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) }
