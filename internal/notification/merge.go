package notification

import (
	"encoding/json"

	"parley/internal/contact"
	"parley/internal/id"
	"parley/internal/store"
)

// subject is how deliveries of a contact are called in their lanes.
func subject(cid id.ID) string { return cid.String() }

// merge lets what is still to be sent of the merged contact go before what will be
// said of the survivor. The lane's lock keeps the lane from writing deliveries of
// the merged contact behind our back.
func (s *Service) merge(tx *store.Tx, m contact.Merge) (any, error) {
	if used, err := s.usedIn(tx); err != nil || !used {
		return nil, err
	}
	if err := lockLane(tx); err != nil {
		return nil, err
	}
	moved, err := s.hooks.FollowIn(tx, subject(m.Merged), subject(m.Survivor))
	if err != nil || len(moved.Bodies) == 0 {
		return nil, err
	}
	return moved, nil
}

func (s *Service) unmerge(tx *store.Tx, m contact.Merge, moved json.RawMessage) error {
	if len(moved) == 0 || string(moved) == "null" {
		return nil
	}
	if err := lockLane(tx); err != nil {
		return err
	}
	return s.hooks.ReturnIn(tx, moved, subject(m.Survivor), subject(m.Merged))
}

// erase takes away what is owed of a person and what deliveries said of it.
func (s *Service) erase(tx *store.Tx, e contact.Erased) error {
	if err := lockLane(tx); err != nil {
		return err
	}
	subjects := make([]string, 0, len(e.IDs))
	for _, v := range e.IDs {
		if _, err := tx.Exec("DELETE FROM notification_owed WHERE tenant_id=? AND contact_id=?", v); err != nil {
			return err
		}
		subjects = append(subjects, subject(v))
	}
	return s.hooks.EraseIn(tx, subjects)
}

// usedIn reports whether the tenant ever had a subscription.
func (s *Service) usedIn(tx *store.Tx) (bool, error) {
	var one int
	return store.Found(tx.QueryRow("SELECT 1 FROM notification_subscription WHERE tenant_id=? LIMIT 1").Scan(&one))
}

func lockLane(tx *store.Tx) error { return tx.Lock("notification_lane", tx.Tenant().String()) }
