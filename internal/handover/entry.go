package handover

import (
	"parley/internal/id"
	"parley/internal/store"
)

// Entry returns one move of the history: the version of a contact, under the id
// that it had then. found is false for a move that is not known.
func (s *Service) Entry(r store.Reader, cid id.ID, version int) (e Entry, found bool, err error) {
	err = r.QueryRow("SELECT contact_id, version, move, status, group_id, agent_id, changes, actor, at FROM handover_log WHERE tenant_id=? AND contact_id=? AND version=?", cid, version).
		Scan(&e.Contact, &e.Version, &e.Move, &e.Status, &e.Group, &e.Agent, store.JSON(&e.Changes), &e.Actor, store.Time(&e.At))
	found, err = store.Found(err)
	return e, found, err
}
