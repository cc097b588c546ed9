package server

import (
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// bound holds a key to a group and an agent that are there: a group that keys
// belong to cannot be deleted, and a key never comes to a group that is gone.
func (a *App) bound(tx *store.Tx, group, user id.ID) error {
	if !group.IsZero() {
		_, err := a.Agents.HoldGroupIn(tx, group)
		if fault.As(err) != nil {
			return fault.Field("group", "there is no group %s; name one that the account has", group)
		}
		if err != nil {
			return err
		}
	}
	if user.IsZero() {
		return nil
	}
	found, err := a.Agents.Agent(tx, user)
	if fault.As(err) != nil || err == nil && !found.DeletedAt.IsZero() {
		return fault.Field("user", "there is no agent %s; name one that the account has", user)
	}
	return err
}
