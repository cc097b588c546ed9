package deal

import "parley/internal/store"

// Statement is the query that a list of a filter walks an index with, for looking
// at its plan.
func (s *Service) Statement(r store.Reader, f CardFilter, dir string) (string, []any, error) {
	q, err := s.query(r, f)
	if err != nil {
		return "", nil, err
	}
	by := orders[f.SortBy]
	b, _, err := q.begin(r, by, f.Limit)
	text, args, _, _ := q.walking(r.Dialect(), q.through(by, b), by, dir, work.walk)
	return text, append(args, f.Limit, 0), err
}

// Begun is the query that begins with the rows of the narrowest condition, and its
// name.
func (s *Service) Begun(r store.Reader, f CardFilter, dir string) (name, text string, args []any, err error) {
	q, err := s.query(r, f)
	if err != nil {
		return "", "", nil, err
	}
	by := orders[f.SortBy]
	b, _, err := q.begin(r, by, f.Limit)
	if err != nil {
		return "", "", nil, err
	}
	text, args = q.sorting(b, r.Dialect(), by, dir)
	return b.name, text, args, err
}

// Counting is the query that counts through the narrowest condition.
func (s *Service) Counting(r store.Reader, f CardFilter) (string, []any, error) {
	q, err := s.query(r, f)
	if err != nil {
		return "", nil, err
	}
	b, _, err := q.begin(r, orders[f.SortBy], f.Limit)
	if err != nil || b.from == nil {
		return "", nil, err
	}
	from, where, args := b.from(&q, r.Dialect(), work.counted)
	return "SELECT 1 FROM " + from + " WHERE " + where + " LIMIT ?", append(args, work.hits+1), nil
}

// Narrow makes all bounds of a list so small that tests meet them, and returns what
// undoes it.
func Narrow(page, few, walk, most, hits, counted int) (undo func()) {
	was := work
	work = bounds{page, few, walk, most, hits, counted}
	return func() { work = was }
}
