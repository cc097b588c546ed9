package conversation

import (
	"context"

	"parley/internal/channel"
	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/outbox/ledger"
	"parley/internal/store"
)

// Open finds or creates the conversation with a phone. Without a Contact it is
// linked with whoever the phone finds; nobody is made up.
func (s *Service) Open(ctx context.Context, tenantID id.ID, actor string, o Open) (c Conversation, created bool, err error) {
	err = s.db.Write(ctx, tenantID, func(tx *store.Tx) error {
		c, created, err = s.openIn(tx, actor, o)
		return err
	})
	return c, created, err
}

func (s *Service) openIn(tx *store.Tx, actor string, o Open) (Conversation, bool, error) {
	if o.Phone == "" {
		return Conversation{}, false, fault.Missing("phone")
	}
	kind := o.Channel
	if kind == "" {
		kind = DefaultChannel
	}
	address, err := s.contacts.KeyOf(tx, o.Phone)
	if err != nil {
		return Conversation{}, false, err
	}
	if o.Contact.IsZero() {
		p, found, err := s.contacts.Find(tx, contact.Phone, address)
		if err != nil {
			return Conversation{}, false, err
		}
		if found {
			o.Contact = p.ID
		}
	} else if _, err := s.contacts.Get(tx, o.Contact); err != nil {
		return Conversation{}, false, err
	}
	if err := lockPlaceIn(tx, o.Contact, kind, address); err != nil {
		return Conversation{}, false, err
	}
	c, found, err := conversationByAddress(tx, kind, address)
	if err != nil {
		return c, false, err
	}
	if found {
		c, err = filled(tx, c.ID)
		return c, false, err
	}
	a, _, err := s.accounts.Default(tx, kind)
	if err != nil {
		return c, false, err
	}
	c, err = s.beginIn(tx, actor, kind, a.ID, address, o.Contact, o.Name)
	return c, true, err
}

// changeIn runs change on a conversation under its locks and tells of it when
// change names fields.
func (s *Service) changeIn(tx *store.Tx, actor string, conversation, with id.ID, change func(c *Conversation) ([]string, error)) (Conversation, error) {
	c, err := conversationByID(tx, conversation)
	if err != nil {
		return c, err
	}
	who := with
	if who.IsZero() {
		who = c.Contact
	}
	if err := lockPlaceIn(tx, who, c.Channel, c.Address); err != nil {
		return c, err
	}
	if c, err = conversationByID(tx, conversation); err != nil {
		return c, err
	}
	changed, err := change(&c)
	if err != nil {
		return c, err
	}
	if len(changed) > 0 {
		if err := saveConversation(tx, c); err != nil {
			return c, err
		}
		if _, err := s.log.Append(tx, event.New{Type: "conversation.updated", Subject: c.ID, Contact: c.Contact, Changed: changed, Actor: actor}); err != nil {
			return c, err
		}
	}
	return filled(tx, conversation)
}

// Link says who the person of a conversation is.
func (s *Service) Link(ctx context.Context, tenantID id.ID, actor string, conversation, contactID id.ID) (Conversation, error) {
	return store.Write(ctx, s.db, tenantID, func(tx *store.Tx) (Conversation, error) {
		if _, err := s.contacts.Get(tx, contactID); err != nil {
			return Conversation{}, err
		}
		return s.changeIn(tx, actor, conversation, contactID, func(c *Conversation) ([]string, error) {
			if c.Contact == contactID {
				return nil, nil
			}
			c.Contact = contactID
			return []string{"contact"}, nil
		})
	})
}

// MarkRead says that an agent has read a conversation. It tells the provider
// nothing.
func (s *Service) MarkRead(ctx context.Context, tenantID id.ID, actor string, conversation id.ID) (Conversation, error) {
	return store.Write(ctx, s.db, tenantID, func(tx *store.Tx) (Conversation, error) {
		return s.changeIn(tx, actor, conversation, id.Zero, func(c *Conversation) ([]string, error) {
			if c.Unread == 0 {
				return nil, nil
			}
			c.Unread = 0
			return []string{"unread"}, nil
		})
	})
}

// SetStatus opens or closes a conversation.
func (s *Service) SetStatus(ctx context.Context, tenantID id.ID, actor string, conversation id.ID, status string) (Conversation, error) {
	status, err := conversationStatus(status)
	if err != nil {
		return Conversation{}, err
	}
	return store.Write(ctx, s.db, tenantID, func(tx *store.Tx) (Conversation, error) {
		return s.changeIn(tx, actor, conversation, id.Zero, func(c *Conversation) ([]string, error) {
			if c.Status == status {
				return nil, nil
			}
			c.Status = status
			return []string{"status"}, nil
		})
	})
}

// Delete removes conversations with their messages, and returns how many there
// were. A message that was not handed over yet is not sent any more.
func (s *Service) Delete(ctx context.Context, tenantID id.ID, actor string, conversations []id.ID) (int, error) {
	return store.Write(ctx, s.db, tenantID, func(tx *store.Tx) (int, error) {
		n := 0
		for _, cid := range conversations {
			c, err := conversationByID(tx, cid)
			if fault.As(err) != nil {
				continue
			}
			if err == nil {
				err = s.deleteIn(tx, actor, c)
			}
			if err != nil {
				return 0, err
			}
			n++
		}
		return n, nil
	})
}

func (s *Service) deleteIn(tx *store.Tx, actor string, c Conversation) error {
	if err := lockPlaceIn(tx, c.Contact, c.Channel, c.Address); err != nil {
		return err
	}
	if err := ledger.DropIn(tx, c.ID); err != nil {
		return err
	}
	if _, err := tx.Exec("DELETE FROM message WHERE tenant_id=? AND conversation_id=?", c.ID); err != nil {
		return err
	}
	if _, err := tx.Exec("DELETE FROM conversation WHERE tenant_id=? AND id=?", c.ID); err != nil {
		return err
	}
	_, err := s.log.Append(tx, event.New{Type: "conversation.deleted", Subject: c.ID, Contact: c.Contact, Actor: actor})
	return err
}

// Star marks a message for the agents: metadata key "isStarred".
func (s *Service) Star(ctx context.Context, tenantID id.ID, actor string, message id.ID, starred bool) (Message, error) {
	return store.Write(ctx, s.db, tenantID, func(tx *store.Tx) (Message, error) {
		m, _, found, err := s.lockedIn(tx, message)
		if err == nil && !found {
			err = fault.Unknown("message")
		}
		if err != nil {
			return m, err
		}
		if was, _ := m.Metadata["isStarred"].(bool); was == starred {
			return m.shown(), nil
		}
		if m.Metadata == nil {
			m.Metadata = map[string]any{}
		}
		m.Metadata["isStarred"] = starred
		if err := saveMessage(tx, m); err != nil {
			return m, err
		}
		return m.shown(), s.tellIn(tx, actor, "message.updated", m, "isStarred")
	})
}

// React puts our emoji on a message, "" takes it back. The reaction shows at
// once and travels through the outbox as a message of its own, of kind
// reaction. Faults as SendIn's.
func (s *Service) React(ctx context.Context, tenantID id.ID, actor string, message id.ID, emoji string) (Message, error) {
	return store.Write(ctx, s.db, tenantID, func(tx *store.Tx) (Message, error) { return s.reactIn(tx, actor, message, emoji) })
}

func (s *Service) reactIn(tx *store.Tx, actor string, message id.ID, emoji string) (Message, error) {
	m, found, err := messageByID(tx, message)
	if err == nil && !found {
		err = fault.Unknown("message")
	}
	if err != nil {
		return m, err
	}
	if m.ProviderID == "" {
		return m, fault.New(fault.Conflict, "the message has not reached the provider yet; react once it is sent")
	}
	t, err := s.targetIn(tx, Send{Conversation: m.Conversation})
	if err != nil {
		return m, err
	}
	if !s.capabilities(t.channel).Reactions {
		return m, fault.Field("reaction", "this channel has no reactions")
	}
	if err := s.consentIn(tx, t); err != nil {
		return m, err
	}
	if !s.windowOpen(tx, t.conv) {
		return m, fault.New(fault.WindowClosed, "a reaction is allowed for 24 hours after the contact's last message")
	}
	if m, _, found, err = s.lockedIn(tx, message); err != nil || !found {
		return m, err
	}
	out := Message{ID: id.New(), Contact: t.contact, Direction: Outbound, Kind: channel.Reaction, Text: emoji, Status: Queued,
		ReplyTo: m.ID, ReplyToProvider: m.ProviderID, SentBy: actor, CreatedAt: tx.Now(), UpdatedAt: tx.Now(), History: []StatusAt{{Queued, tx.Now()}}}
	content := ledger.Content{To: t.address, Kind: channel.Reaction, Reaction: emoji, ReplyTo: m.ID}
	if _, err := s.storeIn(tx, actor, t, out, content); err != nil {
		return m, err
	}
	if !m.react(Reaction{Emoji: emoji, By: Business, At: tx.Now(), Mark: out.ID.String()}) {
		return m.shown(), nil
	}
	if err := saveMessage(tx, m); err != nil {
		return m, err
	}
	return m.shown(), s.tellIn(tx, actor, "message.updated", m, "reactions")
}

// react takes a reaction in, one per sender, and reports whether it is news: an
// older one than the sender's present one changes nothing.
func (m *Message) react(r Reaction) bool {
	for i, have := range m.Reactions {
		if have.By != r.By {
			continue
		}
		if r.At.Before(have.At) || r.At.Equal(have.At) && r.Mark <= have.Mark {
			return false
		}
		m.Reactions[i] = r
		return true
	}
	m.Reactions = append(m.Reactions, r)
	return true
}
