package automation

import (
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// The order of locks in this room: the contact, then what comes in about it
// ("reply", "await"), then runs, then the rows of trigger calls and rules. A merge
// takes them in this order too. Whoever moves a run that may do something to its
// contact, or begin to wait for it, takes the contact's lock first.

// hold takes the lock of the contact that an id leads to, and returns that
// contact's id; there is false when the contact is gone. Until the commit nobody
// else changes, merges or erases it.
func (s *Service) hold(tx *store.Tx, cid id.ID) (now id.ID, there bool, err error) {
	if tx.Dialect() == store.Postgres { // an old id is not locked before the survivor's, if that can be known
		if cid, err = s.contacts.Resolve(tx, cid); err != nil {
			return cid, false, err
		}
	}
	for {
		if err := tx.Lock("contact", cid.String()); err != nil {
			return cid, false, err
		}
		to, err := s.contacts.HoldIn(tx, cid)
		if fault.As(err) != nil {
			return cid, false, nil
		}
		if err != nil || to == cid {
			return cid, err == nil, err
		}
		cid = to // merged by whoever had the lock before
	}
}

// holdRun is lockRun with the lock of the run's contact before it; there tells
// whether the contact is.
func (s *Service) holdRun(tx *store.Tx, runID id.ID) (r *run, there, ok bool, err error) {
	var cid, before id.ID
	for {
		ok, err := store.Found(tx.QueryRow("SELECT contact_id FROM run WHERE tenant_id=? AND id=?", runID).Scan(&cid))
		if err != nil || !ok {
			return nil, false, ok, err
		}
		if cid == before {
			break // a run goes to another contact only behind this contact's lock
		}
		if _, there, err = s.hold(tx, cid); err != nil {
			return nil, false, false, err
		}
		before = cid
		if tx.Dialect() == store.SQLite {
			break // nobody else writes
		}
	}
	r, ok, err = lockRun(tx, runID)
	return r, there, ok, err
}
