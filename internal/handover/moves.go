package handover

import (
	"time"

	"parley/internal/agent"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// ClaimIn gives a contact to an agent who takes it: it is followed up from then
// on. Claiming what the agent follows up already changes nothing. Faults: NotFound,
// naming "agent" for the agent; Conflict with Reason "inactive"; "claimed" when
// another agent has it, "offered" while it is offered to another one, "archived",
// "processing".
func (s *Service) ClaimIn(tx *store.Tx, actor string, cid, claimant id.ID) (Work, error) {
	return s.change(tx, actor, cid, Claimed, func(w *Work) error {
		if err := w.busy(); err != nil {
			return err
		}
		a, err := s.agents.HoldAgentIn(tx, claimant)
		if err != nil {
			return naming("agent", err)
		}
		switch {
		case w.Status == Archived:
			return fault.New(fault.Conflict, "the contact is archived; take it up again first").Because("archived")
		case !w.Agent.IsZero() && w.Agent != a.ID:
			return fault.New(fault.Conflict, "another agent has the contact; have it transferred").Because("claimed").With("agentId", w.Agent.String())
		case !w.OfferedTo.IsZero() && w.OfferedTo != a.ID && w.OfferUntil.After(tx.Now()):
			return fault.New(fault.Conflict, "the contact is offered to another agent; wait until the offer ends").Because("offered").
				With("agentId", w.OfferedTo.String()).After(w.OfferUntil.Sub(tx.Now()))
		case w.Status == FollowUp:
			return errStay
		}
		if w.Agent.IsZero() && w.OfferedTo != a.ID { // an offer was a turn
			if err := s.agents.TurnIn(tx, a); err != nil {
				return err
			}
		}
		at := w.AssignedAt
		w.give(a.ID, FollowUp, tx.Now())
		if !at.IsZero() {
			w.AssignedAt = at
		}
		w.ClaimedAt, w.ActiveAt = tx.Now(), tx.Now()
		return nil
	})
}

// Destination is where a transfer leads: exactly one of the two.
type Destination struct {
	Group id.ID
	Agent id.ID // the wire's "user"
}

func (d Destination) check() error {
	if d.Group.IsZero() == d.Agent.IsZero() {
		return fault.Field("group", "name either a group or a user to transfer to")
	}
	return nil
}

// TransferIn moves a contact. To an agent: into the agent's group, followed up at
// once. To a group: the agent is taken away and the group's method decides. An
// archived contact is taken up again. A transfer to where it is changes nothing,
// but in a group it is given out anew. Faults: Invalid naming "group" when not
// exactly one destination is named; NotFound, naming "group" or "user" for the
// destination; Conflict with Reason "inactive" or "processing".
func (s *Service) TransferIn(tx *store.Tx, actor string, cid id.ID, to Destination) (Work, error) {
	if err := to.check(); err != nil {
		return Work{}, err
	}
	return s.change(tx, actor, cid, Transferred, func(w *Work) error {
		if err := w.busy(); err != nil {
			return err
		}
		if to.Agent.IsZero() {
			return s.toGroup(tx, w, to.Group)
		}
		a, err := s.agents.HoldAgentIn(tx, to.Agent)
		if err != nil {
			return naming("user", err)
		}
		if w.Agent == a.ID && w.Group == a.Group && w.Status == FollowUp {
			return errStay
		}
		if _, err := s.agents.HoldGroupIn(tx, a.Group); err != nil {
			return naming("user", err)
		}
		if w.Agent != a.ID {
			if err := s.agents.TurnIn(tx, a); err != nil {
				return err
			}
		}
		w.Group = a.Group
		w.give(a.ID, FollowUp, tx.Now())
		w.TransferredAt, w.ActiveAt = tx.Now(), tx.Now()
		return nil
	})
}

func (s *Service) toGroup(tx *store.Tx, w *Work, group id.ID) error {
	g, err := s.agents.HoldGroupIn(tx, group)
	if err != nil {
		return naming("group", err)
	}
	if w.Group == g.ID && w.Status == Unclaimed && g.Method == agent.Manual {
		return errStay
	}
	w.Group = g.ID
	w.pool()
	w.TransferredAt, w.ActiveAt = tx.Now(), tx.Now()
	return s.assign(tx, w, g)
}

// ArchiveIn closes a contact for a reason of the tenant's vocabulary; the agent
// stays known. An archived one gets the new reason. Its deals are archived too, on
// every API. Faults: NotFound; Invalid naming "archivingReason"; Conflict with
// Reason "processing".
func (s *Service) ArchiveIn(tx *store.Tx, actor string, cid id.ID, reason string) (Work, error) {
	if err := s.mustKnow(tx, Reasons, "archivingReason", reason); err != nil {
		return Work{}, err
	}
	return s.change(tx, actor, cid, Archiving, func(w *Work) error {
		if err := w.busy(); err != nil {
			return err
		}
		w.archive(reason, tx.Now())
		return nil
	})
}

func (w *Work) archive(reason string, at time.Time) {
	if w.Status != Archived {
		w.ArchivedAt = at
	}
	w.Status, w.ArchivingReason = Archived, reason
	w.withdraw()
}

// UnarchiveIn takes a contact up again. The agent that it had goes on, unless he
// is gone or the group's ReassignAfter has passed since it was archived: then it
// is given out anew. What is not archived stays as it is. Faults: NotFound;
// Conflict with Reason "processing".
func (s *Service) UnarchiveIn(tx *store.Tx, actor string, cid id.ID) (Work, error) {
	return s.change(tx, actor, cid, Unarchived, func(w *Work) error {
		if err := w.busy(); err != nil {
			return err
		}
		if w.Status != Archived {
			return errStay
		}
		g, err := s.agents.HoldGroupIn(tx, w.Group)
		if err != nil {
			return err
		}
		stays := !w.Agent.IsZero() && (g.ReassignAfter == 0 || w.ArchivedAt.Add(g.ReassignAfter).After(tx.Now()))
		if stays {
			_, err := s.agents.HoldAgentIn(tx, w.Agent)
			if err != nil && fault.As(err) == nil {
				return err
			}
			stays = err == nil
		}
		w.ActiveAt = tx.Now()
		switch {
		case !stays:
			w.pool()
			return s.assign(tx, w, g)
		case w.FirstContactedAt.IsZero() && w.ClaimedAt.IsZero() && w.TransferredAt.IsZero(): // nobody has done anything yet
			w.Status = New
		default:
			w.Status = FollowUp
		}
		w.reopen()
		return nil
	})
}

// LabelIn sets a contact's label to a key of the tenant's vocabulary; "" takes it
// away. Faults: NotFound; Invalid naming "label".
func (s *Service) LabelIn(tx *store.Tx, actor string, cid id.ID, label string) (Work, error) {
	if label != "" {
		if err := s.mustKnow(tx, Labels, "label", label); err != nil {
			return Work{}, err
		}
	}
	return s.change(tx, actor, cid, Labelled, func(w *Work) error { w.Label = label; return nil })
}

// CategorizeIn sets a contact's category to a key of the tenant's vocabulary.
// Faults: NotFound; Invalid naming "category".
func (s *Service) CategorizeIn(tx *store.Tx, actor string, cid id.ID, category string) (Work, error) {
	if err := s.mustKnow(tx, Categories, "category", category); err != nil {
		return Work{}, err
	}
	return s.change(tx, actor, cid, Categorised, func(w *Work) error { w.Category = category; return nil })
}

// RemindIn sets when the agent wants to be reminded of a contact; the zero time
// takes the reminder away. A past one is kept: it is due. NotFound.
func (s *Service) RemindIn(tx *store.Tx, actor string, cid id.ID, at time.Time) (Work, error) {
	return s.change(tx, actor, cid, Reminded, func(w *Work) error {
		w.NextReminder = at.UTC().Truncate(time.Millisecond)
		if at.IsZero() {
			w.NextReminder = time.Time{}
		}
		return nil
	})
}

// ContactedIn notes a message of ours to the contact at a moment. The first one
// sets FirstContactedAt and turns New into FollowUp. NotFound.
func (s *Service) ContactedIn(tx *store.Tx, actor string, cid id.ID, at time.Time) (Work, error) {
	return s.change(tx, actor, cid, Contacted, func(w *Work) error {
		if at = at.UTC().Truncate(time.Millisecond); at.After(w.ActiveAt) {
			w.ActiveAt = at
		}
		if w.FirstContactedAt.IsZero() {
			w.FirstContactedAt = at
		}
		if w.Status == New {
			w.Status = FollowUp
		}
		if w.held == New {
			w.held = FollowUp
		}
		return s.quietly(tx, w)
	})
}

// quietly writes how active a contact is when nothing else changed.
func (s *Service) quietly(tx *store.Tx, w *Work) error {
	old, _, err := load(tx, w.Contact)
	if err != nil || len(w.changes(old)) > 0 {
		return err
	}
	if err := update(tx, w); err != nil {
		return err
	}
	return errStay
}

// MaxBlock bounds how long a task may hold a contact.
const MaxBlock = time.Hour

const unblockJob = "handover.unblock"

type unblockArgs struct {
	Contact id.ID `json:"contact"`
	Version int   `json:"version"`
}

// BlockIn puts a contact into Processing while a task is at work on it: every
// other move is refused until UnblockIn, or for limit at most (MaxBlock), so that
// a task which died holds nothing. Faults: NotFound; Invalid naming "limit";
// Conflict with Reason "processing" when another task has it.
func (s *Service) BlockIn(tx *store.Tx, actor string, cid id.ID, limit time.Duration) (Work, error) {
	if limit <= 0 || limit > MaxBlock {
		return Work{}, fault.Field("limit", "a task may hold a contact for up to an hour")
	}
	w, err := s.change(tx, actor, cid, Blocked, func(w *Work) error {
		if err := w.busy(); err != nil {
			return err
		}
		w.held, w.Status = w.Status, Processing
		w.withdraw()
		return nil
	})
	if err != nil {
		return w, err
	}
	return w, endBlock(tx, w, limit)
}

// endBlock frees work after a time, unless the task that holds it now is another one
// then.
func endBlock(tx *store.Tx, w Work, limit time.Duration) error {
	_, _, err := job.Enqueue(tx, job.New{Kind: unblockJob, RunAt: tx.Now().Add(limit), Args: unblockArgs{w.Contact, w.Version}, MaxAttempts: 10})
	return err
}

// UnblockIn gives a contact back as it was before BlockIn. What is not blocked
// stays as it is. NotFound.
func (s *Service) UnblockIn(tx *store.Tx, actor string, cid id.ID) (Work, error) {
	return s.change(tx, actor, cid, Unblocked, func(w *Work) error {
		if w.Status != Processing {
			return errStay
		}
		w.Status, w.held = w.held, ""
		return nil
	})
}
