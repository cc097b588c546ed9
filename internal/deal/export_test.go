package deal

import "parley/internal/store"

// Statement is the query that a list of a filter walks an index with, for looking
// at its plan.
func (s *Service) Statement(r store.Reader, f CardFilter, dir string) (string, []any, error) {
	q, err := s.query(r, f)
	text, args := q.walking(r.Dialect(), orders[f.SortBy], dir)
	return text, append(args, f.Limit, 0), err
}

// Begun is the query that begins with the rows of the narrowest condition, and its
// name.
func (s *Service) Begun(r store.Reader, f CardFilter, dir string) (name, text string, args []any, err error) {
	q, err := s.query(r, f)
	if err != nil {
		return "", "", nil, err
	}
	b, _, err := q.begin(r, f.Limit)
	text, args = q.statement(b, r.Dialect(), orders[f.SortBy], dir)
	return b.name, text, args, err
}
