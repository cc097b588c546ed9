package account

import (
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// HoldIn keeps an account from being disconnected until the commit, so that what is
// promised to leave through it can; many may hold it at once. held is false when it
// is gone.
func (s *Service) HoldIn(tx *store.Tx, accountID id.ID) (held bool, err error) {
	if tx.Dialect() == store.SQLite {
		return true, nil // nobody else writes until the commit
	}
	var one int
	return store.Found(tx.QueryRow("SELECT 1 FROM channel_account WHERE tenant_id=? AND id=? FOR KEY SHARE", accountID).Scan(&one))
}

// AloneIn waits until nobody holds an account (HoldIn) and lets nobody hold it until
// the commit. NotFound.
func (s *Service) AloneIn(tx *store.Tx, accountID id.ID) error {
	a, err := s.Get(tx, accountID)
	if err != nil {
		return err
	}
	if err := tx.For(id.Zero).Lock("account", a.Kind+":"+a.ExternalID); err != nil { // as every change of it
		return err
	}
	var one int
	found, err := store.Found(tx.QueryRow("SELECT 1 FROM channel_account WHERE tenant_id=? AND id=?"+tx.Dialect().ForUpdate(), accountID).Scan(&one))
	if err == nil && !found {
		err = fault.Unknown("account")
	}
	return err
}
