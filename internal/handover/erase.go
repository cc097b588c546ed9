package handover

import (
	"parley/internal/contact"
	"parley/internal/store"
)

// erase takes a person out of every list at once.
func (s *Service) erase(tx *store.Tx, e contact.Erased) error {
	_, err := tx.Exec("DELETE FROM handover WHERE tenant_id=? AND contact_id=?", e.Contact)
	return err
}

// purge takes the history away, under every id that it was written with.
func purge(tx *store.Tx, e contact.Erased, limit int) (int, error) {
	return e.Purge(tx, "handover_log", "contact_id, version", limit)
}
