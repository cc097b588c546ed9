package handover

import (
	"encoding/json"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// went is what a merge took from the merged contact: its work, and, when the
// survivor had none and got it, which version the survivor's became by that.
type went struct {
	State *state `json:"state,omitempty"`
	Given int    `json:"given,omitempty"`
}

// merge: the survivor's work stays; without any it gets the other's. The merged
// contact's row goes, since lists must not show it; its history stays under its id.
func (s *Service) merge(tx *store.Tx, m contact.Merge) (any, error) {
	lost, found, err := load(tx, m.Merged)
	if err != nil || !found {
		return went{}, err
	}
	if _, err := tx.Exec("DELETE FROM handover WHERE tenant_id=? AND contact_id=?", m.Merged); err != nil {
		return nil, err
	}
	kept := lost.state()
	own, has, err := load(tx, m.Survivor)
	if err != nil {
		return nil, err
	}
	if has {
		// The survivor's reminder stands; one of the same moment is not told twice.
		if err := job.WithdrawIn(tx, dueJob, dueKey(lost)); err != nil {
			return nil, err
		}
		if lost.ActiveAt.After(own.ActiveAt) {
			own.ActiveAt = lost.ActiveAt
			err = update(tx, &own)
		}
		return went{State: &kept}, err
	}
	w := lost
	w.Contact = m.Survivor
	c, err := s.contacts.Get(tx, m.Survivor)
	if err != nil {
		return nil, err
	}
	w.CreatedAt = c.CreatedAt
	if w.Status == Archived && !c.Archived() { // the survivor was at work all along
		if w.Status = Unclaimed; !w.Agent.IsZero() {
			w.Status = FollowUp
		}
		w.reopen()
		if err := s.homed(tx, &w); err != nil { // only archived work may be of an agent who has left
			return nil, err
		}
	}
	if err := s.save(tx, m.Actor, Merged, Work{}, &w, c); err != nil {
		return nil, err
	}
	if w.Status == Processing { // the end that was owed looks for the version of the other
		if err := endBlock(tx, w, MaxBlock); err != nil {
			return nil, err
		}
	}
	return went{State: &kept, Given: w.Version}, nil
}

// unmerge gives the merged contact its work back as it was. What the survivor got
// by the merge it keeps only if it was moved since.
func (s *Service) unmerge(tx *store.Tx, m contact.Merge, moved json.RawMessage) error {
	var was went
	if err := json.Unmarshal(moved, &was); err != nil || was.State == nil {
		return err
	}
	if was.Given > 0 {
		own, has, err := load(tx, m.Survivor)
		if err != nil {
			return err
		}
		switch {
		case has && own.Version == was.Given:
			if _, err := tx.Exec("DELETE FROM handover WHERE tenant_id=? AND contact_id=?", m.Survivor); err != nil {
				return err
			}
		case has && own.NextReminder.After(tx.Now()): // the other's id does not lead here any more
			if err := oweReminder(tx, own, id.Zero); err != nil {
				return err
			}
		}
	}
	w := was.State.work()
	w.Contact = m.Merged
	w.withdraw()
	if w.Status == Processing { // whatever was at it has ended
		w.Status, w.held = w.held, ""
	}
	if err := s.homed(tx, &w); err != nil {
		return err
	}
	if err := insert(tx, m.Actor, Unmerged, &w); err != nil {
		return err
	}
	changes := w.changes(Work{})
	activity, err := s.record(tx, m.Actor, Unmerged, w, changes)
	if err != nil {
		return err
	}
	if w.NextReminder.After(tx.Now()) { // an earlier one may have been announced before the merge
		if err := oweReminder(tx, w, activity); err != nil {
			return err
		}
	}
	return s.tell(tx, m.Actor, Unmerged, w, changes, activity)
}

// homed makes sure that the group and the agent of work which was away are still
// there; otherwise it goes to the tenant's first group, or to nobody.
func (s *Service) homed(tx *store.Tx, w *Work) error {
	if err := s.living(func() error { _, err := s.agents.HoldGroupIn(tx, w.Group); return err }, func() error {
		top, err := s.agents.RootIn(tx)
		w.Group = top.ID
		return err
	}); err != nil {
		return err
	}
	if w.Agent.IsZero() || w.Status == Archived {
		return nil
	}
	return s.living(func() error { _, err := s.agents.HoldAgentIn(tx, w.Agent); return err }, func() error {
		w.pool()
		return nil
	})
}

// living does otherwise when look finds that something is gone.
func (s *Service) living(look, otherwise func() error) error {
	err := look()
	if fault.As(err) != nil {
		return otherwise()
	}
	return err
}
