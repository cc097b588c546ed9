package segment

import (
	"database/sql"
	"slices"
	"sync"

	"parley/internal/contact"
	"parley/internal/entity"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
)

// Match returns those of the segments that contain any of the entities now, in the
// order of ids, each once. Unknown ones and those without filters are left out; an
// entity counts only for segments of its schema.
func (s *Service) Match(r store.Reader, refs []entity.Ref, ids []id.ID) ([]Segment, error) {
	if len(refs) == 0 || len(ids) == 0 {
		return nil, nil
	}
	asked, err := s.asked(r, ids)
	if err != nil {
		return nil, err
	}
	wanted := map[string][]id.ID{}
	for _, ref := range refs {
		wanted[ref.Schema] = append(wanted[ref.Schema], ref.ID)
	}
	docs := map[string]map[id.ID]entity.Doc{} // of the schemas that are asked about
	var hits []id.ID
	for _, v := range ids {
		q, ok := asked[v]
		if !ok {
			continue
		}
		delete(asked, v)
		list, read := docs[q.schema]
		if !read && len(wanted[q.schema]) > 0 {
			if list, err = s.entities.Documents(r, q.schema, wanted[q.schema]); err != nil {
				return nil, err
			}
			docs[q.schema] = list
		}
		for _, doc := range list {
			if q.Match(doc) {
				hits = append(hits, v)
				break
			}
		}
	}
	if len(hits) == 0 {
		return nil, nil
	}
	known, err := s.GetMany(r, hits)
	out := make([]Segment, 0, len(hits))
	for _, v := range hits {
		if seg, ok := known[v]; ok {
			out = append(out, seg)
		}
	}
	return out, err
}

// question is a segment's filters, ready to be asked.
type question struct {
	schema string
	*filter.Matcher
}

// asked returns the filters of segments; those that contain nobody are left out.
func (s *Service) asked(r store.Reader, ids []id.ID) (map[id.ID]question, error) {
	out := make(map[id.ID]question, len(ids))
	news := map[id.ID]matcherKey{}
	_, open := r.(*store.Tx)
	if !open { // what the tenant's set knows is not read
		var rest []id.ID
		if err := s.with(r, func(v *set) error {
			for _, x := range ids {
				e := v.byID[x]
				if e == nil {
					continue // there is none
				}
				if m := s.matchers.get(matcherKey{r.Tenant(), x, e.number}); m != nil && e.schema != "" {
					out[x] = question{e.schema, m}
				} else {
					rest = append(rest, x)
				}
			}
			return nil
		}); err != nil {
			return nil, err
		}
		ids = rest
	}
	for part := range slices.Chunk(ids, batch) {
		in, args := contact.Among(part)
		rows, err := r.Query("SELECT id, entity_schema, number FROM segment WHERE tenant_id=? AND entity_schema<>'' AND query IS NOT NULL AND id IN "+in, args...)
		_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
			var q question
			key := matcherKey{tenant: r.Tenant()}
			if err = rows.Scan(&key.id, &q.schema, &key.number); err != nil {
				return x, err
			}
			if q.Matcher = s.matchers.get(key); q.Matcher == nil {
				news[key.id] = key
			}
			out[key.id] = q
			return x, nil
		})
		if err != nil {
			return nil, err
		}
	}
	fresh := make([]id.ID, 0, len(news))
	for v := range news {
		fresh = append(fresh, v)
	}
	for part := range slices.Chunk(fresh, batch) {
		in, args := contact.Among(part)
		rows, err := r.Query("SELECT id, entity_schema, number, query FROM segment WHERE tenant_id=? AND entity_schema<>'' AND query IS NOT NULL AND id IN "+in, args...)
		_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
			var q question
			var f filter.Filter
			key := matcherKey{tenant: r.Tenant()}
			if err = rows.Scan(&key.id, &q.schema, &key.number, store.JSON(&f)); err != nil {
				return x, err
			}
			if q.Matcher, err = filter.Compile(f); err != nil {
				return x, err
			}
			if !open { // what is not committed may never be
				s.matchers.put(key, q.Matcher)
			}
			out[key.id] = q
			return x, nil
		})
		if err != nil {
			return nil, err
		}
	}
	for v, q := range out {
		if q.Matcher == nil { // deleted in between
			delete(out, v)
		}
	}
	return out, nil
}

// matchers keeps filters that were read lately, ready to be asked. A number stands
// for the same filters for ever, so nothing in it grows old.
type matchers struct {
	mu sync.Mutex
	m  map[matcherKey]*filter.Matcher
}

type matcherKey struct {
	tenant, id id.ID
	number     int64
}

// maxMatchers bounds them; beyond it they are read afresh.
const maxMatchers = 20_000

func (c *matchers) get(k matcherKey) *filter.Matcher {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m[k]
}

func (c *matchers) put(k matcherKey, m *filter.Matcher) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil || len(c.m) >= maxMatchers {
		c.m = map[matcherKey]*filter.Matcher{}
	}
	c.m[k] = m
}

// Containing returns the segments that contain an entity now, by id. It asks an
// index of all of the tenant's filters, not each of them.
func (s *Service) Containing(r store.Reader, ref entity.Ref) ([]id.ID, error) {
	docs, err := s.entities.Documents(r, ref.Schema, []id.ID{ref.ID})
	if err != nil || docs[ref.ID] == nil {
		return nil, err
	}
	var out []id.ID
	err = s.with(r, func(v *set) error {
		out = nil
		for _, e := range v.containing(ref.Schema, docs[ref.ID]) {
			out = append(out, e.id)
		}
		return nil
	})
	slices.SortFunc(out, compare)
	return out, err
}
