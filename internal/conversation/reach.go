package conversation

import (
	"context"
	"time"

	"parley/internal/contact"
	"parley/internal/id"
	"parley/internal/store"
)

// Reach is how a contact is reached on one kind of channel.
type Reach struct {
	Channel      string
	Address      string
	Conversation id.ID     // zero when none has begun
	Account      id.ID     // the conversation's; zero when none has begun
	Open         bool      // free text is allowed now
	HeardAt      time.Time // when the person last wrote there; zero: never
}

// Reaches returns how a contact is reached, by kind of channel: by the
// conversation whose reply window is open, else by the primary address, else by
// the conversation they wrote in last. A kind on which the contact has no address
// is left out. Whether the tenant has an account there is another question.
// NotFound.
func (s *Service) Reaches(r store.Reader, contactID id.ID) (map[string]Reach, error) {
	c, err := s.contacts.Get(r, contactID)
	if err != nil {
		return nil, err
	}
	all, err := conversationsOf(r, c.ID)
	if err != nil {
		return nil, err
	}
	out := map[string]Reach{}
	for kind := range s.channels {
		if at, ok := s.reach(r, kind, c, all); ok {
			out[kind] = at
		}
	}
	return out, nil
}

func (s *Service) reach(r store.Reader, kind string, c contact.Contact, all []Conversation) (Reach, bool) {
	home := primary(c, s.identityOf(kind))
	var best Conversation
	for _, v := range all {
		if v.Channel != kind {
			continue
		}
		if best.ID.IsZero() || better(s.windowOpen(r, v), v.Address == home, v, s.windowOpen(r, best), best.Address == home, best) {
			best = v
		}
	}
	at := Reach{Channel: kind, Address: best.Address, Conversation: best.ID, Account: best.Account, HeardAt: best.LastInboundAt}
	at.Open = !best.ID.IsZero() && s.windowOpen(r, best)
	if home != "" && best.Address != home && !at.Open {
		at = Reach{Channel: kind, Address: home}
	}
	return at, at.Address != ""
}

// better orders conversations: an open window first, then the primary address,
// then the latest message of the person.
func better(open, atHome bool, c Conversation, otherOpen, otherAtHome bool, o Conversation) bool {
	switch {
	case open != otherOpen:
		return open
	case !open && atHome != otherAtHome:
		return atHome
	}
	return c.LastInboundAt.After(o.LastInboundAt)
}

// Reads returns a handle for a tenant's reads, for callers that have no
// transaction.
func (s *Service) Reads(ctx context.Context, tenantID id.ID) store.Reader {
	return s.db.Read(ctx, tenantID)
}
