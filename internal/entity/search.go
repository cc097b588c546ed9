package entity

import (
	"slices"
	"strings"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
)

const (
	// MaxHits is up to where a search counts, how far its pages reach, and how many
	// entities it sorts by a field without an index.
	MaxHits = 10_000
	// MaxSize is the size of the largest page.
	MaxSize = 1000
	// DefaultSize is the size of a page when nobody says.
	DefaultSize = 10
	// budget is what a search may cost for each schema, in rows that SQL passes.
	budget = 1_000_000
	// window is how many rows a search passes at once.
	window = 20_000
	// maxText is how long the words of a search may be, in bytes.
	maxText = 200
	// maxSchemas is in how many schemas a search looks that names none.
	maxSchemas = 50
)

// Query is a search over entities of all schemas; a condition on _schema narrows it.
type Query struct {
	Filter filter.Filter
	Text   string // every word begins one of the title; of people also phone and e-mail
	Sort   string // a field; "" is _id, the newest first
	Desc   bool   // with Sort
	From   int
	Size   int // up to MaxSize
}

// Result is a page of a search.
type Result struct {
	// Hits is how many match: exact below MaxHits, which means that many or more. A
	// search that would read too much for that tells how many it has counted.
	Hits int64
	Docs []Doc
}

// sorting is the order of a search's results.
type sorting struct {
	field string // "" for the id
	desc  bool
}

// Search returns a page of matching entities. Sorted by _id, _created_at and
// _updated_at it walks an index; by any other field it sorts what matches, up to
// MaxHits entities. Faults: Invalid naming "from", "size", "sort", "q" or a part of
// the filter.
func (s *Service) Search(r store.Reader, q Query) (Result, error) {
	switch {
	case q.Size < 0 || q.Size > MaxSize:
		return Result{}, fault.Field("size", "size must be a number from 0 to %d", MaxSize)
	case q.From < 0:
		return Result{}, fault.Field("from", "from must be a number from 0 up")
	case len(q.Text) > maxText:
		return Result{}, fault.Field("q", "the words of q must not be longer than %d bytes together", maxText)
	case q.From > MaxHits-q.Size:
		return Result{}, fault.Field("from", "from and size together must not be greater than %d; narrow the search to see what is behind", MaxHits)
	}
	schemas, err := s.schemas(r, q.Filter)
	if err != nil {
		return Result{}, err
	}
	f := finder{s: s, r: r, q: q, words: strings.Fields(contact.Fold(q.Text)), need: q.From + q.Size}
	f.sort = sortingOf(q)
	var all []hit
	var hits int64
	for _, schema := range schemas {
		list, n, err := f.find(schema)
		if err != nil {
			return Result{}, err
		}
		all, hits = append(all, list...), hits+n
	}
	if len(schemas) > 1 || f.sort.field != "" {
		slices.SortStableFunc(all, f.compare)
	}
	all = all[min(q.From, len(all)):min(q.From+q.Size, len(all))]
	docs, err := s.documentsOf(r, all)
	return Result{Hits: min(hits, MaxHits), Docs: docs}, err
}

// documentsOf completes a page: what was not read yet is read now, schema by schema.
// What went meanwhile is left out.
func (s *Service) documentsOf(r store.Reader, page []hit) ([]Doc, error) {
	missing := map[string][]id.ID{}
	for _, h := range page {
		if h.doc == nil {
			missing[h.schema] = append(missing[h.schema], h.id)
		}
	}
	read := map[id.ID]Doc{}
	for schema, ids := range missing {
		docs, err := s.Documents(r, schema, ids)
		if err != nil {
			return nil, err
		}
		for v, d := range docs {
			read[v] = d
		}
	}
	out := make([]Doc, 0, len(page))
	for _, h := range page {
		if h.doc == nil {
			h.doc = read[h.id]
		}
		if h.doc != nil {
			out = append(out, h.doc)
		}
	}
	return out, nil
}

// schemas are those that a search looks into: what its filter says of _schema, or
// all that there are.
func (s *Service) schemas(r store.Reader, f filter.Filter) ([]string, error) {
	if named, ok := schemasOf(f); ok {
		slices.Sort(named)
		named = slices.Compact(named)
		if len(named) > maxSchemas {
			return nil, fault.Field("_schema", "a search may name at most %d schemas", maxSchemas)
		}
		return named, nil
	}
	names, err := s.records.SchemaNames(r, maxSchemas+1)
	if err != nil {
		return nil, err
	}
	if len(names) > maxSchemas {
		return nil, fault.Field("_schema", "there are more than %d schemas: say with _schema which ones to search", maxSchemas)
	}
	names = append(names, Contact)
	for name := range s.sources {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// schemasOf returns the schemas that a filter leaves; ok is false when it says
// nothing of them.
func schemasOf(f filter.Filter) (names []string, ok bool) {
	switch f.Op {
	case filter.And:
		for _, sub := range f.Of {
			if names, ok := schemasOf(sub); ok {
				return names, true
			}
		}
		return nil, false
	case filter.Or:
		for _, sub := range f.Of {
			some, ok := schemasOf(sub)
			if !ok {
				return nil, false
			}
			names = append(names, some...)
		}
		return names, true
	}
	values, ok := constants(f)
	if !ok || f.Field != "_schema" || negative(f.Op) {
		return nil, false
	}
	for _, v := range values {
		switch name := v.(type) {
		case string:
			names = append(names, name)
		case filter.Regex:
			return nil, false
		}
	}
	return names, true
}

// finder is a search on its way through the schemas.
type finder struct {
	s     *Service
	r     store.Reader
	q     Query
	words []string
	sort  sorting
	need  int // how many of each schema may be on the page
}

func sortingOf(q Query) sorting {
	switch q.Sort {
	case "":
		return sorting{desc: true}
	case "_id":
		return sorting{desc: q.Desc}
	}
	return sorting{field: q.Sort, desc: q.Desc}
}

// find returns what matches of a schema: the first ones in order, all when the order
// is not an index's, and how many there are.
func (f *finder) find(schema string) ([]hit, int64, error) {
	t := f.s.table(schema)
	if t == nil {
		list, err := f.s.small(f.r, schema, f.q.Filter)
		if err != nil {
			return nil, 0, err
		}
		list = slices.DeleteFunc(list, func(h hit) bool { return !worded(h.title, f.words) })
		return f.whole(schema, list)
	}
	a, err := t.ask(f.r, schema, f.q.Filter)
	if err != nil {
		return nil, 0, err
	}
	ids, ok, err := f.candidates(t, schema)
	if err != nil {
		return nil, 0, err
	}
	if ok {
		list, err := a.listed(f.r, ids)
		if err == nil {
			list, err = f.worded(t, list)
		}
		if err != nil {
			return nil, 0, err
		}
		return f.whole(schema, list)
	}
	return f.walk(a)
}

// candidates are entities among which are all that match, when an index finds few.
func (f *finder) candidates(t *table, schema string) ([]id.ID, bool, error) {
	if t == people && len(f.words) > 0 {
		ids, more, err := f.s.contacts.Candidates(f.r, f.q.Text, f.s.few)
		if err != nil {
			return nil, false, fault.Renamed(err, map[string]string{"search": "q"})
		}
		if !more {
			return ids, true, nil
		}
	}
	return f.s.narrow(f.r, t, schema, f.q.Filter, f.s.few)
}

// whole is the answer when everything that matches is there.
func (f *finder) whole(schema string, list []hit) ([]hit, int64, error) {
	for i := range list {
		list[i].schema = schema
	}
	n := int64(len(list))
	slices.SortStableFunc(list, f.compare)
	return list[:min(len(list), f.need)], n, nil
}

// walk looks along an index until the page is full and all is counted, up to
// MaxHits.
func (f *finder) walk(a *asked) ([]hit, int64, error) {
	o := order{desc: f.sort.desc}
	column, indexed := a.t.orders[f.sort.field]
	if indexed {
		o.column = column
	}
	along := indexed || f.sort.field == ""
	sc := &scan{r: f.r, ask: a, order: o, left: budget, step: window, few: f.need + 1}
	if len(f.words) > 0 {
		sc.also = func(list []hit) ([]hit, error) { return f.worded(a.t, list) }
	}
	var list []hit
	n := int64(0)
	inSQL := along && a.exact && sc.also == nil // then what is behind the page is only counted
	err := sc.run(func(h hit) bool {
		h.schema = a.schema
		if inSQL && len(list) == f.need {
			return false // it is counted below
		}
		if n++; !along || len(list) < f.need {
			list = append(list, h)
		}
		return n <= MaxHits
	})
	if err == nil && inSQL && !sc.done {
		n, err = sc.count(MaxHits)
	}
	switch {
	case err != nil:
		return nil, 0, err
	case !along && n > MaxHits:
		return nil, 0, fault.Field("sort", "more than %d entities match, which is too many to sort by %s; narrow the search, or sort by _id, _created_at or _updated_at", MaxHits, clip(f.sort.field))
	case !sc.done && (!along || len(list) < f.need) && n <= MaxHits:
		return nil, 0, fault.Field("q", "this search would read too many entities; narrow it, for instance by _tags, status, email or another field that must equal a value")
	}
	if !along { // their documents tell the order
		if err := f.read(a, list); err != nil {
			return nil, 0, err
		}
		list = slices.DeleteFunc(list, func(h hit) bool { return h.doc == nil }) // went meanwhile
		slices.SortStableFunc(list, f.compare)
		list = list[:min(len(list), f.need)]
	}
	return list, n, nil
}

// read completes hits with their documents.
func (f *finder) read(a *asked, list []hit) error {
	docs := make(map[id.ID]Doc, len(list))
	for part := range slices.Chunk(list, batch) {
		var ids []id.ID
		for _, h := range part {
			if h.doc == nil {
				ids = append(ids, h.id)
			}
		}
		if err := a.t.load(f.r, ids, a.schema, docs); err != nil {
			return err
		}
	}
	for i := range list {
		if list[i].doc == nil {
			list[i].doc = docs[list[i].id]
		}
	}
	return nil
}

// worded keeps the hits that the words of the search find.
func (f *finder) worded(t *table, list []hit) ([]hit, error) {
	if len(f.words) == 0 || len(list) == 0 {
		return list, nil
	}
	if t != people {
		return slices.DeleteFunc(list, func(h hit) bool { return !worded(h.title, f.words) }), nil
	}
	ids := make([]id.ID, len(list))
	for i, h := range list {
		ids[i] = h.id
	}
	found, err := f.s.contacts.Found(f.r, f.q.Text, ids)
	if err != nil {
		return nil, fault.Renamed(err, map[string]string{"search": "q"})
	}
	has := make(map[id.ID]bool, len(found))
	for _, v := range found {
		has[v] = true
	}
	return slices.DeleteFunc(list, func(h hit) bool { return !has[h.id] }), nil
}
