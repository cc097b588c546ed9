package handover

import "parley/internal/store"

// Absent returns what to tell a person now: the absence message of the work's
// group when its agent, or without one every agent of the group, is off duty,
// else "".
func (s *Service) Absent(r store.Reader, w Work) (string, error) { return s.absence(r, w) }
