package handover

import (
	"context"
	"slices"
	"strings"
	"time"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// coarse is how exact ActiveAt is for messages: a busy conversation owes no job
// for each of them.
const coarse = time.Hour

// automatic tells actors that are no person: what they send leaves new work new.
func automatic(actor string) bool {
	return actor == "system" || strings.HasPrefix(actor, "run:") || strings.HasPrefix(actor, "bot:")
}

// wants looks, in the event's own transaction, whether it moves any work. Tenants
// without groups owe nothing.
func (s *Service) wants(tx *store.Tx, e event.Event) (bool, error) {
	used, err := s.agents.UsedIn(tx)
	if err != nil || !used {
		return false, err
	}
	if e.Type == "group.created" {
		g, err := s.agents.Group(tx, e.Subject)
		return err == nil && g.Root(), err
	}
	if e.Type == "contact.unmerged" {
		for _, cid := range parted(e) {
			if _, found, err := load(tx, cid); err != nil || !found {
				return err == nil, err
			}
		}
		return false, nil
	}
	if e.Contact.IsZero() || e.Type == "contact.updated" && !slices.Contains(e.Changed, "assignedTo") || e.Type == "message.queued" && automatic(e.Actor) {
		return false, nil
	}
	w, found, err := load(tx, e.Contact)
	if err != nil {
		return false, err
	}
	switch e.Type {
	case "contact.created", "contact.merged":
		return !found, nil
	case "contact.updated":
		if !found {
			return false, nil
		}
		c, err := s.contacts.Get(tx, e.Contact)
		if err != nil {
			return false, gone(err)
		}
		v, err := id.Parse(c.AssignedTo)
		return err == nil && v != w.Agent, nil
	case "contact.archived":
		return found && w.Status != Archived && w.Status != Processing, nil
	case "contact.unarchived":
		return found && w.Status == Archived, nil
	case "message.received":
		return found && (w.Status == Archived || e.At.Sub(w.ActiveAt) >= coarse), nil
	case "message.queued":
		return found && (w.Status == New || w.FirstContactedAt.IsZero() || e.At.Sub(w.ActiveAt) >= coarse), nil
	}
	return false, nil
}

// parted returns the two contacts that a merge taken back made of one.
func parted(e event.Event) []id.ID {
	out := []id.ID{e.Contact}
	for _, c := range e.Changed {
		if text, ok := strings.CutPrefix(c, "restored:"); ok {
			if v, err := id.Parse(text); err == nil {
				out = append(out, v)
			}
		}
	}
	return out
}

// gone turns the fault of what is not there any more into nothing.
func gone(err error) error {
	if fault.As(err) != nil {
		return nil
	}
	return err
}

// RegisterJobs makes the room's jobs known. Call it before the runner runs.
func (s *Service) RegisterJobs(r *job.Runner) {
	r.Register(job.Kind{Name: s.reactJob, Handle: s.react, Timeout: 10 * time.Minute})
	r.Register(job.Kind{Name: offerJob, Handle: s.offerEnds})
	r.Register(job.Kind{Name: dueJob, Handle: s.reminderDue})
	r.Register(job.Kind{Name: unblockJob, Handle: s.blockEnds})
	r.Register(job.Kind{Name: removeJob, Handle: s.removal, Timeout: 30 * time.Minute})
	r.Register(job.Kind{Name: closeJob, Timeout: 30 * time.Minute, Handle: func(ctx context.Context, _ *job.Job) error {
		_, err := s.CloseInactive(ctx)
		return err
	}})
	s.registerSelections(r)
	r.Cron(closeJob, "*/10 * * * *", job.New{Kind: closeJob, UniqueKey: "close", Priority: 8})
}

// react brings the work in step with what happened elsewhere.
func (s *Service) react(ctx context.Context, j *job.Job) error {
	var e event.Event
	if err := j.Decode(&e); err != nil {
		return job.GiveUp(err)
	}
	if e.Type == "group.created" {
		return s.Adopt(ctx, j.Tenant)
	}
	about := []id.ID{e.Contact}
	if e.Type == "contact.unmerged" {
		about = parted(e)
	}
	return s.db.Write(ctx, j.Tenant, func(tx *store.Tx) error {
		for _, e.Contact = range about {
			if err := s.answer(tx, e); gone(err) != nil {
				return err
			}
		}
		return j.Complete(tx)
	})
}

func (s *Service) answer(tx *store.Tx, e event.Event) error {
	c, err := s.contacts.LockedIn(tx, e.Contact)
	if err != nil {
		return err
	}
	w, found, err := load(tx, c.ID)
	if err != nil {
		return err
	}
	if !found {
		if e.Type == "contact.created" || e.Type == "contact.merged" || e.Type == "contact.unmerged" {
			_, err = s.PlaceIn(tx, "system", c.ID, Arrival{})
		}
		return err
	}
	switch e.Type {
	case "contact.updated":
		v, err := id.Parse(c.AssignedTo)
		if err != nil || v == w.Agent {
			return nil
		}
		if _, err := s.agents.HoldAgentIn(tx, v); err != nil {
			return gone(err)
		}
		_, err = s.TransferIn(tx, e.Actor, c.ID, Destination{Agent: v})
		return err
	case "contact.archived":
		if !c.Archived() {
			return nil
		}
		_, err = s.change(tx, e.Actor, c.ID, Archiving, func(w *Work) error {
			if w.Status == Archived || w.Status == Processing {
				return errStay
			}
			w.archive("", e.At)
			return nil
		})
		return err
	case "contact.unarchived":
		if c.Archived() {
			return nil
		}
		_, err = s.UnarchiveIn(tx, e.Actor, c.ID)
		return err
	case "message.received":
		return s.heardIn(tx, e.Actor, w, e.At)
	case "message.queued":
		_, err = s.ContactedIn(tx, e.Actor, c.ID, e.At)
		return err
	}
	return nil
}

// heardIn notes a message of the contact: it takes an archived one up again.
func (s *Service) heardIn(tx *store.Tx, actor string, w Work, at time.Time) error {
	if w.Status == Archived && at.After(w.ArchivedAt) {
		_, err := s.UnarchiveIn(tx, actor, w.Contact)
		return err
	}
	if !at.After(w.ActiveAt) {
		return nil
	}
	w.ActiveAt = at
	return update(tx, &w)
}

// HeardIn notes an inbound message of a contact at a moment, for callers that
// cannot wait for the reactor: an archived contact is taken up again. NotFound.
func (s *Service) HeardIn(tx *store.Tx, actor string, cid id.ID, at time.Time) (Work, error) {
	c, err := s.contacts.LockedIn(tx, cid)
	if err != nil {
		return Work{}, err
	}
	w, found, err := load(tx, c.ID)
	if err == nil && !found {
		err = fault.Unknown("contact")
	}
	if err != nil {
		return Work{}, err
	}
	if err := s.heardIn(tx, actor, w, at); err != nil {
		return Work{}, err
	}
	w, _, err = load(tx, c.ID)
	return w, err
}
