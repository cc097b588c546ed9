package contact

import (
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// UnarchiveIn takes a contact up again that was put away, and appends
// contact.unarchived. One that was not put away stays as it is. NotFound.
func (s *Service) UnarchiveIn(tx *store.Tx, actor string, cid id.ID) (Contact, error) {
	c, err := s.locked(tx, cid)
	if err != nil || !c.Archived() {
		return c, err
	}
	c.ArchivedAt, c.UpdatedAt = time.Time{}, tx.Now()
	if _, err := tx.Exec("UPDATE contact SET archived_at=?, updated_at=? WHERE tenant_id=? AND id=?", nil, c.UpdatedAt, c.ID); err != nil {
		return Contact{}, err
	}
	return c, s.append(tx, actor, "contact.unarchived", c.ID)
}
