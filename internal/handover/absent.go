package handover

import (
	"time"

	"parley/internal/store"
)

// Absent returns what to tell a person now: the absence message of the work's
// group when its agent, or without one every agent of the group, is off duty,
// else "".
func (s *Service) Absent(r store.Reader, w Work) (string, error) { return s.absence(r, w) }

// Came returns when the person of a work came last, as far as the work tells: was
// given to somebody, or taken up again. Zero for one that is where it began.
func (s *Service) Came(r store.Reader, w Work) (at time.Time, err error) {
	if w.ArchivedAt.IsZero() && w.Version < 2 {
		return w.TransferredAt, nil
	}
	err = r.QueryRow("SELECT MAX(at) FROM handover_log WHERE tenant_id=? AND contact_id=? AND move=?", w.Contact, Unarchived).Scan(store.Time(&at))
	if w.TransferredAt.After(at) {
		at = w.TransferredAt
	}
	return at, err
}
