package handover

import "parley/internal/store"

// ListText is the statement of a list, for the tests of its plan.
func (s *Service) ListText(r store.Reader, f Filter) (string, []any, error) {
	q, _, err := s.query(r, f)
	text, args := q.text(100)
	return text, args, err
}
