// Package absence tells people who come when nobody works that nobody works: it
// sends the absence message of the group that they came to, through the gate like
// any message, and notes that in handover. It owns no table.
//
// A person is told once for each arrival: a first message or inquiry, a further
// inquiry, a contact that is taken up again, or a transfer to somebody else. It
// takes a conversation whose reply window is open; who has none is told when they
// write, if still nobody works then and nobody told them since they came.
package absence

import (
	"context"
	"slices"
	"strings"
	"time"

	"parley/internal/agent"
	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// late is after how long nobody is told any more, for a server that was down: by
// then somebody may work again, or the person has gone to bed.
const late = time.Hour

// arrivals are the moves of work by which somebody comes.
var arrivals = []string{handover.Placed, handover.Unarchived, handover.Transferred}

// Service reacts. It is safe for concurrent use.
type Service struct {
	db            *store.DB
	contacts      *contact.Service
	agents        *agent.Service
	handovers     *handover.Service
	conversations *conversation.Service
	tellJob       string
}

// NewService returns the room's service and registers its reactor.
func NewService(db *store.DB, log *event.Log, contacts *contact.Service, agents *agent.Service, handovers *handover.Service,
	conversations *conversation.Service) *Service {
	s := &Service{db: db, contacts: contacts, agents: agents, handovers: handovers, conversations: conversations}
	s.tellJob = log.Register(event.Reactor{Name: "absence", Wants: s.wants, Types: []string{"handover.moved", "inquiry.created", "message.received"}})
	return s
}

// RegisterJobs makes the room's job known. Call it before the runner runs.
func (s *Service) RegisterJobs(r *job.Runner) {
	r.Register(job.Kind{Name: s.tellJob, Handle: s.tell})
}

// wants looks, in the event's own transaction, whether anybody is to be told.
// Tenants whose groups tell nobody owe nothing.
func (s *Service) wants(tx *store.Tx, e event.Event) (bool, error) {
	if e.Contact.IsZero() || e.Type == "handover.moved" && !slices.ContainsFunc(arrivals, func(move string) bool { return slices.Contains(e.Changed, "move:"+move) }) {
		return false, nil
	}
	// Contacts that were there before the tenant had groups came long ago: their
	// placing names no version.
	if e.Type == "handover.moved" && !slices.ContainsFunc(e.Changed, func(c string) bool { return strings.HasPrefix(c, "version:") }) {
		return false, nil
	}
	if any, err := s.agents.Absences(tx); err != nil || !any {
		return false, err
	}
	w, err := s.handovers.Get(tx, e.Contact)
	if err != nil {
		return false, unlessGone(err) // not placed yet: the placing tells of itself
	}
	text, err := s.due(tx, e, w)
	return text != "", unlessGone(err)
}

// due returns what the person of an event is to be told, "" for nothing.
func (s *Service) due(r store.Reader, e event.Event, w handover.Work) (string, error) {
	if w.Status == handover.Archived {
		return "", nil
	}
	text, err := s.handovers.Absent(r, w)
	if err != nil || text == "" || w.AbsenceSentAt.IsZero() {
		return text, err
	}
	since := e.At
	if e.Type == "message.received" { // a message is an arrival only for who was never told of the last one
		if since, err = s.came(r, w); err != nil {
			return "", err
		}
	}
	if !w.AbsenceSentAt.Before(since) {
		return "", nil
	}
	return text, nil
}

// came returns when the person of a work came last: by an inquiry, a transfer or
// out of the archive; zero when the first message was all.
func (s *Service) came(r store.Reader, w handover.Work) (time.Time, error) {
	at, err := s.handovers.Came(r, w)
	if err != nil {
		return at, err
	}
	inquired, err := s.contacts.InquiredAt(r, w.Contact)
	if inquired.After(at) {
		at = inquired
	}
	return at, err
}

func unlessGone(err error) error {
	if fault.As(err) != nil {
		return nil
	}
	return err
}

// tell sends the message and notes it, in one transaction with the job's end.
func (s *Service) tell(ctx context.Context, j *job.Job) error {
	var e event.Event
	if err := j.Decode(&e); err != nil {
		return job.GiveUp(err)
	}
	return s.db.Write(ctx, j.Tenant, func(tx *store.Tx) error {
		if tx.Now().Sub(e.At) < late {
			if err := unlessGone(s.tellIn(tx, e)); err != nil {
				return err
			}
		}
		return j.Complete(tx)
	})
}

func (s *Service) tellIn(tx *store.Tx, e event.Event) error {
	c, err := s.contacts.LockedIn(tx, e.Contact)
	if err != nil {
		return err
	}
	w, err := s.handovers.Get(tx, c.ID)
	if err != nil {
		return err
	}
	text, err := s.due(tx, e, w)
	if err != nil || text == "" {
		return err
	}
	at, err := s.open(tx, c.ID)
	if err != nil || at.IsZero() {
		return err
	}
	// A fault leaves nothing behind: who wants no messages is not told, and not
	// noted as told.
	if _, err := s.conversations.SendIn(tx, "system", conversation.Send{Conversation: at, Text: text}); err != nil {
		return err
	}
	_, err = s.handovers.AbsenceSentIn(tx, "system", c.ID, tx.Now())
	return err
}

// open returns the conversation in which the person wrote last and may be
// answered freely, zero when there is none.
func (s *Service) open(r store.Reader, cid id.ID) (id.ID, error) {
	reaches, err := s.conversations.Reaches(r, cid)
	var best conversation.Reach
	for _, at := range reaches {
		if at.Open && (best.Conversation.IsZero() || at.HeardAt.After(best.HeardAt)) {
			best = at
		}
	}
	return best.Conversation, err
}
