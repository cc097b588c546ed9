package record

import (
	"parley/internal/contact"
	"parley/internal/store"
)

// PurgeReferences is one step of the erasing of a person.
func (s *Service) PurgeReferences(tx *store.Tx, e contact.Erased, limit int) (int, error) {
	return s.purgeReferences(tx, e, limit)
}
