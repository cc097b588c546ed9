package entity

import (
	"bytes"
	"database/sql"
	"slices"

	"parley/internal/contact"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
)

const (
	// passed is how many rows one call of Walk passes at most.
	passed = 4000
	// maxWalk is how many entities a page of Walk holds at most.
	maxWalk = 1000
	// maxSmall is how many entities a small schema holds at most.
	maxSmall = 10_000
)

// bounds are where the ways of finding what matches part.
type bounds struct {
	// few is how many candidates from an index are looked at one by one.
	few int
	// many is few for who counts among at least large rows, which costs more than to
	// look at so many.
	many, large int
}

var usual = bounds{few: 2000, many: 20_000, large: 200_000}

// Walk returns matching entities by id, at most limit of them, that follow an id.
// next is where the walk goes on, zero at the end. One call passes at most some
// thousand rows, so next may move on with an empty page. Entities that come
// meanwhile are met, since their ids are the last.
func (s *Service) Walk(r store.Reader, schema string, f filter.Filter, after id.ID, limit int) (page []Found, next id.ID, err error) {
	if limit <= 0 || limit > maxWalk {
		limit = maxWalk
	}
	add := func(h hit) bool {
		page, next = append(page, Found{h.id, h.title}), h.id
		return len(page) < limit
	}
	t := s.table(schema)
	if t == nil {
		list, err := s.small(r, schema, f)
		return s.rest(list, after, limit, err)
	}
	a, err := t.ask(r, schema, f)
	if err != nil {
		return nil, id.Zero, err
	}
	ids, narrow, err := s.narrow(r, t, schema, f, s.few)
	if err != nil {
		return nil, id.Zero, err
	}
	if narrow {
		ids = slices.DeleteFunc(ids, func(v id.ID) bool { return bytes.Compare(v[:], after[:]) <= 0 })
		full := false
		err := a.each(r, ids, func(h hit) bool { full = !add(h); return !full })
		if err != nil || !full {
			next = id.Zero
		}
		return page, next, err
	}
	some := s.few
	if !a.exact {
		some = min(some, passed/cost)
	}
	ids, to, ok, err := s.ahead(r, t, f, after, some)
	if err != nil {
		return nil, id.Zero, err
	}
	if ok {
		full := false
		err := a.each(r, ids, func(h hit) bool { full = !add(h); return !full })
		if err != nil || !full {
			next = to
		}
		return page, next, err
	}
	sc := &scan{r: r, ask: a, at: mark{id: after.String(), set: !after.IsZero()}, left: passed, step: passed, few: limit + 1}
	if err := sc.run(add); err != nil {
		return nil, id.Zero, err
	}
	switch {
	case sc.done && len(page) < limit:
		return page, id.Zero, nil
	case len(page) == limit:
		return page, next, nil
	}
	next, err = id.Parse(sc.at.id)
	return page, next, err
}

// rest is the page of Walk from hits that are all there.
func (s *Service) rest(list []hit, after id.ID, limit int, err error) ([]Found, id.ID, error) {
	if err != nil {
		return nil, id.Zero, err
	}
	slices.SortFunc(list, func(a, b hit) int { return bytes.Compare(a.id[:], b.id[:]) })
	var page []Found
	for _, h := range list {
		if bytes.Compare(h.id[:], after[:]) <= 0 {
			continue
		}
		if len(page) == limit {
			return page, page[limit-1].ID, nil
		}
		page = append(page, Found{h.id, h.title})
	}
	return page, id.Zero, nil
}

// listed returns those of some ids that are entities and match, with their documents.
func (a *asked) listed(r store.Reader, ids []id.ID) ([]hit, error) {
	list := make([]hit, len(ids))
	for i, v := range ids {
		list[i].id = v
	}
	list, err := a.among(r, list)
	for i := range list {
		list[i].title = title(list[i].doc)
	}
	return list, err
}

// each yields those of some ids that are entities and match, in the order of the
// ids, until yield returns false. SQL looks at them first, so that documents are read
// of those only about which it cannot tell. The ids are what it begins with: it sees
// nothing in CASE that another index serves.
func (a *asked) each(r store.Reader, ids []id.ID, yield func(hit) bool) error {
	t := a.t
	of, scope := a.of()
	from := t.joined(a.sql + " " + t.title)
	for part := range slices.Chunk(ids, batch) {
		in, args := contact.Among(part)
		rows, err := r.Query("SELECT "+t.name+".id, "+t.title+" FROM "+from+" WHERE "+t.name+".tenant_id=? AND "+t.live+" AND "+t.name+".id IN "+in+of+
			" AND CASE WHEN "+a.sql+" THEN 1 ELSE 0 END=1 ORDER BY "+t.name+".id", append(append(args, scope...), a.args...)...)
		list, err := store.Collect(rows, err, func(rows *sql.Rows) (h hit, err error) { return h, rows.Scan(&h.id, store.Text(&h.title)) })
		if err == nil && !a.exact {
			list, err = a.among(r, list)
		}
		if err != nil {
			return err
		}
		for _, h := range list {
			if !yield(h) {
				return nil
			}
		}
	}
	return nil
}

// Count returns how many entities match. It reads as many as it must.
func (s *Service) Count(r store.Reader, schema string, f filter.Filter) (int64, error) {
	t := s.table(schema)
	if t == nil {
		list, err := s.small(r, schema, f)
		return int64(len(list)), err
	}
	a, err := t.ask(r, schema, f)
	if err != nil {
		return 0, err
	}
	if a.exact && t.sought(f) {
		return a.count(r)
	}
	n := int64(0)
	ids, narrow, err := s.narrow(r, t, schema, f, s.few)
	if err == nil && !narrow {
		_, large, failed := (&scan{r: r, ask: a, step: s.large}).edge()
		if failed != nil {
			return 0, failed
		}
		if large {
			ids, narrow, err = s.narrow(r, t, schema, f, s.many)
		}
	}
	switch {
	case err != nil:
		return 0, err
	case narrow:
		err := a.each(r, ids, func(hit) bool { n++; return true })
		return n, err
	case a.exact:
		return a.count(r)
	}
	sc := &scan{r: r, ask: a, step: passed}
	for !sc.done {
		sc.left = passed
		if err := sc.run(func(hit) bool { n++; return true }); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// table returns where a schema lies, nil for one that another room keeps.
func (s *Service) table(schema string) *table {
	if schema == Contact {
		return people
	}
	if s.sources[schema] != nil {
		return nil
	}
	return records
}

// small returns the matching entities of a schema that another room keeps.
func (s *Service) small(r store.Reader, schema string, f filter.Filter) ([]hit, error) {
	m, err := filter.Compile(f)
	if err != nil {
		return nil, err
	}
	docs, err := s.sources[schema].All(r, maxSmall)
	if err != nil {
		return nil, err
	}
	var out []hit
	for _, d := range docs {
		if m.MatchAt(d, r.Now(), zone) {
			out = append(out, hit{id: identOf(d), title: title(d), doc: d})
		}
	}
	return out, nil
}
