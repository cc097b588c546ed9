package handover

import "parley/internal/store"

// ListTexts are the first statements of a list, one for each branch, for the tests
// of their plans.
func (s *Service) ListTexts(r store.Reader, f Filter) (texts []string, args [][]any, err error) {
	q, _, err := s.query(r, f)
	w := walker{q: q, rising: !f.After.IsZero() && f.Before.IsZero(), branches: make([]cursor, len(q.each)), size: 100}
	for i := range q.each {
		text, values := w.text(i)
		texts, args = append(texts, text), append(args, values)
	}
	return texts, args, err
}

// SetFew makes lists walk from so many contacts on.
func (s *Service) SetFew(n int) { s.few = n }
