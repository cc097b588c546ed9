package contact

import (
	"database/sql"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// Quiet is a person and the last moment of contact: when they were last
// contacted, or came into being if nobody ever did.
type Quiet struct {
	Contact id.ID
	Since   time.Time
}

// QuietSince returns up to limit people whom nobody has been in contact with
// since until, the longest quiet first, from behind a place in that order: after
// and contact of the last one seen; Unix time 0 to begin. People who were put away are left out.
func (s *Service) QuietSince(r store.Reader, after time.Time, contact id.ID, until time.Time, limit int) ([]Quiet, error) {
	// contact_quiet is in this order; rows of the same moment are told apart by id.
	const since = "COALESCE(last_contacted_at, created_at)"
	rows, err := r.Query("SELECT id, "+since+" FROM contact WHERE tenant_id=? AND "+since+">=? AND "+since+"<=? AND ("+since+">? OR id>?) "+
		"AND archived_at IS NULL AND erased_at IS NULL ORDER BY "+since+", id LIMIT ?", after.UnixMilli(), until, after.UnixMilli(), contact.String(), limit)
	return store.Collect(rows, err, func(rows *sql.Rows) (q Quiet, err error) { return q, rows.Scan(&q.Contact, store.Time(&q.Since)) })
}
