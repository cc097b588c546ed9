package account

import (
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// DisconnectIn forgets an account with its settings and secrets. What runs through
// it keeps its id. NotFound.
func (s *Service) DisconnectIn(tx *store.Tx, accountID id.ID) error {
	a, err := s.Get(tx, accountID)
	if err != nil {
		return err
	}
	if err := tx.For(id.Zero).Lock("account", a.Kind+":"+a.ExternalID); err != nil {
		return err
	}
	n, err := tx.Exec("DELETE FROM channel_account WHERE tenant_id=? AND id=?", accountID)
	if err == nil && n == 0 {
		err = fault.Unknown("account")
	}
	tx.Wake(topic, place(a.Kind, a.ExternalID))
	return err
}
