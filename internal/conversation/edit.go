package conversation

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"parley/internal/channel"
	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/outbox/ledger"
	"parley/internal/store"
)

// maxName bounds the name of a conversation, in characters.
const maxName = 200

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
	name, err := contact.Line("name", o.Name, maxName)
	if err != nil {
		return Conversation{}, false, err
	}
	kind := o.Channel
	if kind == "" {
		kind = DefaultChannel
	}
	if s.identityOf(kind) != contact.Phone {
		return Conversation{}, false, fault.Field("channel", "a conversation on this channel begins when the person writes")
	}
	address, err := s.contacts.KeyOf(tx, o.Phone)
	if err != nil {
		return Conversation{}, false, err
	}
	if o.Contact.IsZero() {
		if o.Contact, err = s.whoIn(tx, contact.Phone, address); err != nil {
			return Conversation{}, false, err
		}
	} else {
		p, err := s.contacts.Get(tx, o.Contact)
		if err != nil {
			return Conversation{}, false, err
		}
		o.Contact = p.ID
	}
	if o.Contact, err = s.lockPlaceIn(tx, o.Contact, kind, address); err != nil {
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
	c, err = s.beginIn(tx, actor, kind, a.ID, address, o.Contact, name)
	return c, true, err
}

// changeIn runs change on a conversation under its locks and tells of it when
// change names fields. change also gets the contact that with leads to behind
// the locks, since it may have been merged while they were waited for.
func (s *Service) changeIn(tx *store.Tx, actor string, conversation, with id.ID, change func(c *Conversation, with id.ID) ([]string, error)) (Conversation, error) {
	c, err := conversationByID(tx, conversation)
	if err != nil {
		return c, err
	}
	who := with
	if who.IsZero() {
		who = c.Contact
	}
	if who, err = s.lockPlaceIn(tx, who, c.Channel, c.Address); err != nil {
		return c, err
	}
	if c, err = conversationByID(tx, conversation); err != nil {
		return c, err
	}
	changed, err := change(&c, who)
	if err != nil {
		return c, err
	}
	if len(changed) > 0 {
		typ := "conversation.updated"
		if slices.Equal(changed, []string{"unread"}) {
			typ = "conversation.read"
		}
		if err := saveConversation(tx, c); err != nil {
			return c, err
		}
		if _, err := s.log.Append(tx, event.New{Type: typ, Subject: c.ID, Contact: c.Contact, Changed: changed, Actor: actor}); err != nil {
			return c, err
		}
	}
	return filled(tx, conversation)
}

// Link says who the person of a conversation is.
func (s *Service) Link(ctx context.Context, tenantID id.ID, actor string, conversation, contactID id.ID) (Conversation, error) {
	return store.Write(ctx, s.db, tenantID, func(tx *store.Tx) (Conversation, error) {
		p, err := s.contacts.Get(tx, contactID)
		if err != nil {
			return Conversation{}, err
		}
		return s.linkIn(tx, actor, conversation, p.ID)
	})
}

// LinkNew is Link with the person who has the conversation's address: whoever
// claims it, else a new contact with the name and e-mail. The name and the
// e-mail of one who is known stay. Fault: Invalid naming "leadId" where the
// conversation runs with somebody who hides the phone number.
func (s *Service) LinkNew(ctx context.Context, tenantID id.ID, actor string, conversation id.ID, name, email string) (Conversation, error) {
	return store.Write(ctx, s.db, tenantID, func(tx *store.Tx) (Conversation, error) {
		c, err := conversationByID(tx, conversation)
		if err != nil {
			return c, err
		}
		if c.Address == "" || s.identityOf(c.Channel) == contact.Phone && strings.Trim(c.Address, "0123456789") != "" {
			return c, fault.Field("leadId", "the conversation has no phone number, so name the lead by leadId")
		}
		if name = strings.TrimSpace(name); name == "" && c.Name != c.Address {
			name = c.Name
		}
		first, last, _ := strings.Cut(name, " ")
		who := s.stranger(c.Channel, c.Address, first)
		who.FirstName, who.LastName, who.Email = first, strings.TrimSpace(last), email
		card, _, err := s.cards.EnsureIn(tx, actor, deal.NewCard{New: who})
		if err != nil {
			return c, err
		}
		return s.linkIn(tx, actor, conversation, card.Contact.ID)
	})
}

func (s *Service) linkIn(tx *store.Tx, actor string, conversation, contactID id.ID) (Conversation, error) {
	return s.changeIn(tx, actor, conversation, contactID, func(c *Conversation, who id.ID) ([]string, error) {
		if c.Contact == who {
			return nil, nil
		}
		c.Contact = who
		return []string{"contact"}, nil
	})
}

// readAhead bounds the messages that are looked through for unread ones.
const readAhead = 500

// MarkRead says that an agent has read a conversation: none of its messages is
// unread any more. It tells the provider nothing. The event is
// conversation.read.
func (s *Service) MarkRead(ctx context.Context, tenantID id.ID, actor string, conversation id.ID) (Conversation, error) {
	return store.Write(ctx, s.db, tenantID, func(tx *store.Tx) (Conversation, error) {
		return s.readIn(tx, actor, conversation)
	})
}

// MarkMessageRead is MarkRead for the conversation of a message, and returns the
// message. NotFound.
func (s *Service) MarkMessageRead(ctx context.Context, tenantID id.ID, actor string, message id.ID) (Message, error) {
	return store.Write(ctx, s.db, tenantID, func(tx *store.Tx) (Message, error) {
		m, err := s.MessageIn(tx, message)
		if err != nil {
			return m, err
		}
		if _, err := s.readIn(tx, actor, m.Conversation); err != nil {
			return m, err
		}
		return s.MessageIn(tx, message)
	})
}

func (s *Service) readIn(tx *store.Tx, actor string, conversation id.ID) (Conversation, error) {
	return s.changeIn(tx, actor, conversation, id.Zero, func(c *Conversation, _ id.ID) ([]string, error) {
		if c.Unread == 0 {
			return nil, nil
		}
		c.Unread = 0
		// Behind the index message_by_conversation, from its newest end.
		rows, err := tx.Query(`SELECT id FROM (SELECT id, direction, status, created_at FROM message WHERE tenant_id=? AND conversation_id=?
			ORDER BY created_at DESC, id DESC LIMIT ?) x WHERE direction='inbound' AND status='delivered' ORDER BY id`, c.ID, readAhead)
		unread, err := store.Collect(rows, err, func(rows *sql.Rows) (mid id.ID, err error) { return mid, rows.Scan(&mid) })
		if err != nil {
			return nil, err
		}
		var keys []string
		for _, mid := range unread {
			keys = append(keys, mid.String())
		}
		if err := tx.Lock("message", keys...); err != nil {
			return nil, err
		}
		all, err := messagesByID(tx, unread)
		if err != nil {
			return nil, err
		}
		for _, m := range all {
			m.record(Read, tx.Now())
			if m.Status = Read; m.Conversation != c.ID {
				continue
			}
			if err := saveMessage(tx, m); err != nil {
				return nil, err
			}
		}
		return []string{"unread"}, nil
	})
}

// SetStatus opens or closes a conversation.
func (s *Service) SetStatus(ctx context.Context, tenantID id.ID, actor string, conversation id.ID, status string) (Conversation, error) {
	status, err := conversationStatus(status)
	if err != nil {
		return Conversation{}, err
	}
	return store.Write(ctx, s.db, tenantID, func(tx *store.Tx) (Conversation, error) {
		return s.changeIn(tx, actor, conversation, id.Zero, func(c *Conversation, _ id.ID) ([]string, error) {
			if c.Status == status {
				return nil, nil
			}
			c.Status = status
			return []string{"status"}, nil
		})
	})
}

// deleteBatch bounds the conversations that one transaction deletes.
const deleteBatch = 50

// Delete removes conversations with their messages, and returns how many there
// were. A message that was not handed over yet is not sent any more. It works in
// transactions of 50 conversations; called again after a failure it does the
// rest.
func (s *Service) Delete(ctx context.Context, tenantID id.ID, actor string, conversations []id.ID) (deleted int, err error) {
	for part := range slices.Chunk(conversations, deleteBatch) {
		n, err := store.Write(ctx, s.db, tenantID, func(tx *store.Tx) (int, error) { return s.deleteManyIn(tx, actor, part) })
		deleted += n
		if err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}

func (s *Service) deleteManyIn(tx *store.Tx, actor string, conversations []id.ID) (n int, err error) {
	var people []id.ID
	var places []string
	for _, cid := range conversations {
		c, err := conversationByID(tx, cid)
		if fault.As(err) != nil {
			continue
		}
		if err != nil {
			return 0, err
		}
		people, places = append(people, c.Contact), append(places, c.Channel+":"+c.Address)
	}
	if _, err := s.lockContactsIn(tx, people...); err != nil {
		return 0, err
	}
	if err := tx.Lock("conversation", places...); err != nil {
		return 0, err
	}
	for _, cid := range conversations {
		c, err := conversationByID(tx, cid) // named twice, or deleted meanwhile
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
}

func (s *Service) deleteIn(tx *store.Tx, actor string, c Conversation) error {
	if err := ledger.DropIn(tx, c.ID); err != nil {
		return err
	}
	rows, err := tx.Query("SELECT DISTINCT media_id FROM message WHERE tenant_id=? AND conversation_id=? AND media_id IS NOT NULL", c.ID)
	files, err := store.Collect(rows, err, func(rows *sql.Rows) (f id.ID, err error) { return f, rows.Scan(&f) })
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := s.files.LetGoIn(tx, f); err != nil {
			return err
		}
	}
	for _, q := range []string{"DELETE FROM message_order WHERE tenant_id=? AND conversation_id=?", "DELETE FROM message WHERE tenant_id=? AND conversation_id=?",
		"DELETE FROM conversation_owner_log WHERE tenant_id=? AND conversation_id=?", "DELETE FROM conversation WHERE tenant_id=? AND id=?"} {
		if _, err := tx.Exec(q, c.ID); err != nil {
			return err
		}
	}
	_, err = s.log.Append(tx, event.New{Type: "conversation.deleted", Subject: c.ID, Contact: c.Contact, Actor: actor})
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
			return s.linked(tx, m.shown()), nil
		}
		if m.Metadata == nil {
			m.Metadata = map[string]any{}
		}
		m.Metadata["isStarred"] = starred
		if err := saveMessage(tx, m); err != nil {
			return m, err
		}
		return s.linked(tx, m.shown()), s.tellIn(tx, actor, "message.updated", m, "isStarred")
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
	if err := s.consentIn(tx, t, ForService); err != nil {
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
	content := ledger.Content{To: t.address, Kind: channel.Reaction, Reaction: emoji, ReplyTo: m.ID, Purpose: ForService}
	if _, err := s.storeIn(tx, actor, t, out, content); err != nil {
		return m, err
	}
	if !m.react(Reaction{Emoji: emoji, By: Business, At: tx.Now(), Mark: out.ID.String()}) {
		return s.linked(tx, m.shown()), nil
	}
	if err := saveMessage(tx, m); err != nil {
		return m, err
	}
	return s.linked(tx, m.shown()), s.tellIn(tx, actor, "message.updated", m, "reactions")
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
