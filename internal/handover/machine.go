package handover

import (
	"errors"
	"fmt"
	"time"

	"parley/internal/agent"
	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// errStay, from the function of a change, leaves everything as it is.
var errStay = errors.New("nothing to change")

// change is one move: it takes the contact's lock, lets f change the work, and
// writes what came of it. A move that changes nothing is none.
func (s *Service) change(tx *store.Tx, actor string, cid id.ID, move string, f func(w *Work) error) (Work, error) {
	c, err := s.contacts.LockedIn(tx, cid)
	if err != nil {
		return Work{}, err
	}
	w, found, err := load(tx, c.ID)
	if err != nil {
		return Work{}, err
	}
	if !found {
		return Work{}, fault.Unknown("contact")
	}
	old := w
	if err := f(&w); err == errStay {
		return old, nil
	} else if err != nil {
		return old, err
	}
	err = s.save(tx, actor, move, old, &w, c)
	return w, err
}

// save writes a move: the row, its entry in the history, the event, the activity,
// and what other rooms show of it. This is the one place that writes
// contact.AssignedTo and archives or restores a contact for this room.
func (s *Service) save(tx *store.Tx, actor, move string, old Work, w *Work, c contact.Contact) error {
	if err := w.check(); err != nil {
		return err
	}
	changes := w.changes(old)
	if len(changes) == 0 {
		return nil
	}
	w.UpdatedAt = tx.Now()
	if old.Version == 0 {
		if err := insert(tx, actor, move, w); err != nil {
			return err
		}
	} else {
		w.Version = old.Version + 1
		if err := update(tx, w); err != nil {
			return err
		}
		if err := enter(tx, actor, move, *w, changes); err != nil {
			return err
		}
	}
	if w.Agent != old.Agent && c.AssignedTo != w.Agent.String() {
		to := w.Agent.String()
		if _, _, err := s.contacts.UpdateIn(tx, actor, w.Contact, contact.Patch{AssignedTo: &to}); err != nil {
			return err
		}
	}
	switch archived := w.Status == Archived; {
	case archived && !c.Archived():
		if _, err := s.cards.ArchiveIn(tx, actor, w.Contact); err != nil {
			return err
		}
	case !archived && w.Status != Processing && c.Archived():
		if _, err := s.cards.RestoreIn(tx, actor, w.Contact); err != nil {
			return err
		}
	}
	activity, err := s.record(tx, actor, move, *w, changes)
	if err != nil {
		return err
	}
	if move != Merged && !w.NextReminder.Equal(old.NextReminder) { // what came by a merge is owed under the old id, which leads here
		if err := oweReminder(tx, *w, activity); err != nil {
			return err
		}
	}
	return s.tell(tx, actor, move, *w, changes, activity)
}

// check holds the states to what they mean, whatever move led there.
func (w *Work) check() error {
	if (w.Status == Unclaimed && !w.Agent.IsZero()) || ((w.Status == New || w.Status == FollowUp) && w.Agent.IsZero()) ||
		(w.Status == Processing) != (w.held != "") || (w.Status == Archived) != !w.ArchivedAt.IsZero() && w.Status != Processing ||
		w.ArchivingReason != "" && w.ArchivedAt.IsZero() || !w.OfferedTo.IsZero() && w.Status != Unclaimed {
		return fmt.Errorf("handover: contact %s cannot be %s with agent %q", w.Contact, w.Status, w.Agent)
	}
	return nil
}

// tell appends the event of a move: what it was, its version, and each field with
// what it is now; and its entry of the timeline. Reminders and labels are words and
// times, so nothing personal.
func (s *Service) tell(tx *store.Tx, actor, move string, w Work, changes []Change, activity id.ID) error {
	news := w.news(actor, move, changes)
	news.Changed = append(news.Changed, "activity:"+activity.String())
	_, err := s.log.Append(tx, news)
	return err
}

// news is the event of tell.
func (w Work) news(actor, move string, changes []Change) event.New {
	changed := []string{"move:" + move, fmt.Sprint("version:", w.Version)}
	for _, c := range changes {
		changed = append(changed, c.Field+":"+c.To)
	}
	return event.New{Type: "handover.moved", Subject: w.Contact, Contact: w.Contact, Changed: changed, Actor: actor}
}

// record writes a move into the contact's timeline and returns its entry.
func (s *Service) record(tx *store.Tx, actor, move string, w Work, changes []Change) (id.ID, error) {
	title := "Work " + move
	for _, c := range changes {
		switch {
		case move == Transferred && c.Field == "group" || move == Placed && c.Field == "group":
			g, err := s.agents.Group(tx, w.Group)
			if err != nil {
				return id.Zero, err
			}
			title = "Work " + move + " in the group " + g.Name
			if move == Transferred {
				title = "Transferred to the group " + g.Name
			}
		case c.Field == "archivingReason" && c.To != "":
			title = "Archived: " + c.To
		case c.Field == "label":
			title = "Label: " + c.To
		}
	}
	if !w.Agent.IsZero() && (move == Claimed || move == Assigned || move == Transferred) {
		a, err := s.agents.Agent(tx, w.Agent)
		if err != nil {
			return id.Zero, err
		}
		title = map[string]string{Claimed: "Claimed by ", Assigned: "Assigned to ", Transferred: "Transferred to "}[move] + a.Name()
	}
	a, err := s.contacts.RecordIn(tx, w.activity(actor, move, title, changes))
	return a.ID, err
}

// activity is a move as the timeline tells it.
func (w Work) activity(actor, move, title string, changes []Change) contact.Activity {
	data := map[string]any{"move": move, "version": w.Version, "status": w.Status, "groupId": w.Group.String(), "agentId": w.Agent.String()}
	for _, c := range changes {
		data["from_"+c.Field] = c.From
		data["to_"+c.Field] = c.To
	}
	return contact.Activity{Contact: w.Contact, Type: "handover", Title: cut(title, 400), Metadata: data, PerformedBy: actor}
}

func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

// give puts an agent to the work.
func (w *Work) give(agent id.ID, status string, at time.Time) {
	w.Agent, w.Status, w.AssignedAt = agent, status, at
	w.withdraw()
	w.reopen()
}

// pool takes the agent away.
func (w *Work) pool() {
	w.Agent, w.Status, w.AssignedAt = id.Zero, Unclaimed, time.Time{}
	w.withdraw()
	w.reopen()
}

func (w *Work) withdraw() { w.OfferedTo, w.OfferUntil, w.offered = id.Zero, time.Time{}, nil }

func (w *Work) reopen() { w.ArchivedAt, w.ArchivingReason = time.Time{}, "" }

// busy is the answer to a move of what a task holds.
func (w *Work) busy() error {
	if w.Status == Processing {
		return fault.New(fault.Conflict, "a task is at work on the contact; try again when it is done").Because("processing")
	}
	return nil
}

// assign gives unclaimed work to an agent by the group's method, if there is one
// whose turn it is.
func (s *Service) assign(tx *store.Tx, w *Work, g agent.Group) error {
	switch g.Method {
	case agent.RoundRobin:
		a, found, err := s.agents.PickIn(tx, g.ID, tx.Now())
		if err != nil || !found {
			return err
		}
		w.give(a.ID, New, tx.Now())
	case agent.Radar:
		return s.offer(tx, w, g)
	}
	return nil
}

const offerJob = "handover.offer"

type offerArgs struct {
	Contact id.ID     `json:"contact"`
	Until   time.Time `json:"until"`
}

// offer asks the next agent of the group who was not asked yet; when all were,
// anybody may claim the contact.
func (s *Service) offer(tx *store.Tx, w *Work, g agent.Group) error {
	a, found, err := s.agents.PickIn(tx, g.ID, tx.Now(), w.offered...)
	if err != nil {
		return err
	}
	if !found {
		w.OfferedTo, w.OfferUntil = id.Zero, time.Time{}
		return nil
	}
	w.OfferedTo, w.OfferUntil, w.offered = a.ID, tx.Now().Add(g.Timeout), append(w.offered, a.ID)
	_, _, err = job.Enqueue(tx, job.New{Kind: offerJob, RunAt: w.OfferUntil, MaxAttempts: 10,
		Args: offerArgs{w.Contact, w.OfferUntil}, UniqueKey: w.Contact.String() + ":" + stamp(w.OfferUntil)})
	return err
}

// OfferIn ends a radar offer whose time is over: the next agent is asked, or, when
// all were, everybody. Nothing happens while an offer stands or when there is none.
func (s *Service) OfferIn(tx *store.Tx, actor string, cid id.ID) (Work, error) {
	return s.change(tx, actor, cid, Offered, func(w *Work) error {
		if w.OfferedTo.IsZero() || w.OfferUntil.After(tx.Now()) || w.Status != Unclaimed {
			return errStay
		}
		g, err := s.agents.HoldGroupIn(tx, w.Group)
		if err != nil {
			return err
		}
		if g.Method != agent.Radar { // changed meanwhile
			w.withdraw()
			return s.assign(tx, w, g)
		}
		return s.offer(tx, w, g)
	})
}
