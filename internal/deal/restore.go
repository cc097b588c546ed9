package deal

import (
	"parley/internal/contact"
	"parley/internal/id"
	"parley/internal/store"
)

// RestoreIn is the opposite of ArchiveIn: it takes a contact up again and opens
// the deals that were put away with it. NotFound.
func (s *Service) RestoreIn(tx *store.Tx, actor string, cid id.ID) (contact.Contact, error) {
	c, err := s.contacts.UnarchiveIn(tx, actor, cid)
	if err != nil {
		return c, err
	}
	return c, s.reopen(tx, actor, c.ID)
}
