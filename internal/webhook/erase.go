package webhook

import (
	"parley/internal/id"
	"parley/internal/store"
)

// ForgetIn deletes the deliveries with bodies of their own that answer a trigger
// call or have one of the subjects, whether they left or not: what has not left is
// not sent any more. An attempt under way ends unheard.
func (s *Service) ForgetIn(tx *store.Tx, trigger id.ID, subjects ...string) error {
	if !trigger.IsZero() {
		if _, err := tx.Exec("DELETE FROM webhook_delivery WHERE tenant_id=? AND trigger_id=?", trigger); err != nil {
			return err
		}
	}
	for _, subject := range subjects {
		// The index webhook_own_subject holds only these.
		if _, err := tx.Exec("DELETE FROM webhook_delivery WHERE tenant_id=? AND subject=? AND body_id IS NULL", subject); err != nil {
			return err
		}
	}
	return nil
}
