package conversation

import (
	"slices"
	"sort"
	"time"

	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// rank orders the statuses: a status never falls (platform reference §4.9).
var rank = map[string]int{Queued: 1, Sent: 3, Failed: 5, Delivered: 8, Read: 10}

// optOutCodes are the codes by which a provider says that the person wants no
// more marketing of the business (Meta Cloud API, "Error codes", 131050).
var optOutCodes = map[string]int{"whatsapp": 131050}

// news is what became known about an outgoing message.
type news struct {
	status     string
	providerID string
	at         time.Time
	why        *SendFailure // for Failed
}

// record adds a status to the history, once and in order of time.
func (m *Message) record(status string, at time.Time) (added bool) {
	if m.has(status) {
		return false
	}
	at = m.plausible(status, at)
	i := sort.Search(len(m.History), func(i int) bool {
		h := m.History[i]
		return h.At.After(at) || h.At.Equal(at) && rank[h.Status] > rank[status]
	})
	m.History = slices.Insert(m.History, i, StatusAt{status, at})
	return true
}

// plausible mends the time of a receipt: providers tell whole seconds by clocks
// of their own and repeat themselves in any order, so that a message could seem
// sent before it was queued, or read before it was delivered. The order of the
// steps is certain, the times are not. A failure is no step of that order.
func (m *Message) plausible(status string, at time.Time) time.Time {
	if at.Before(m.CreatedAt) {
		at = m.CreatedAt
	}
	if status == Failed {
		return at
	}
	for _, h := range m.History {
		switch {
		case h.Status == Failed:
		case rank[h.Status] < rank[status] && h.At.After(at), rank[h.Status] > rank[status] && h.At.Before(at):
			at = h.At
		}
	}
	return at
}

func (m *Message) has(statuses ...string) bool {
	return slices.ContainsFunc(m.History, func(h StatusAt) bool { return slices.Contains(statuses, h.Status) })
}

// applyIn takes news into a message: status forward only, events and timeline
// once each. The caller holds the locks of the contact and of the message.
func (s *Service) applyIn(tx *store.Tx, actor, channelKind string, m *Message, n news) error {
	accepted := m.has(Sent, Delivered, Read)
	before := *m
	if n.providerID != "" && (m.ProviderID == "" || n.status == Sent && !accepted) {
		m.ProviderID = n.providerID
	}
	n.at = m.plausible(n.status, n.at) // the timeline tells the same times as the message
	added := m.record(n.status, n.at)
	forward := rank[n.status] > rank[m.Status]
	if forward {
		m.Status = n.status
		m.Error = n.why
	}
	if !added && !forward && m.ProviderID == before.ProviderID {
		return nil
	}
	if err := saveMessage(tx, *m); err != nil {
		return err
	}
	var types []string
	if !accepted && m.has(Sent, Delivered, Read) {
		types = append(types, Sent) // delivered and read imply it
	}
	if forward && n.status != Sent {
		types = append(types, n.status)
	}
	for _, t := range types {
		if err := s.tellIn(tx, actor, "message."+t, *m); err != nil {
			return err
		}
		if err := s.noteIn(tx, channelKind, t, *m, n.at); err != nil {
			return err
		}
	}
	if forward && n.status == Failed && n.why != nil && n.why.Code != 0 && n.why.Code == optOutCodes[channelKind] && !m.Contact.IsZero() {
		return unlessErased(s.stoppedIn(tx, m.Contact, channelKind, contact.Consent{State: contact.Out, At: n.at}))
	}
	return nil
}

func (s *Service) tellIn(tx *store.Tx, actor, typ string, m Message, changed ...string) error {
	_, err := s.log.Append(tx, event.New{Type: typ, Subject: m.ID, Contact: m.Contact, Actor: actor, Changed: changed})
	return err
}

// notes are the entries that a message leaves in the timeline (platform
// reference §4.2, contact activities), with their titles.
var notes = map[string]string{
	"received": "message received",
	Sent:       "message sent",
	Delivered:  "message delivered",
	Read:       "message read",
}

// maxNote bounds the text that the timeline repeats, in characters; the message
// has the whole of it.
const maxNote = 4000

var channelNames = map[string]string{"whatsapp": "WhatsApp"}

// noteIn writes a message's entry in the contact's timeline; a status that has
// none, and a message to nobody we know, write nothing. Nor does one whose contact
// was erased: a conversation that was linked with another one keeps such messages.
func (s *Service) noteIn(tx *store.Tx, channelKind, what string, m Message, at time.Time) error {
	title, ok := notes[what]
	if !ok || m.Contact.IsZero() {
		return nil
	}
	name := channelNames[channelKind]
	if name == "" {
		name = channelKind
	}
	a := contact.Activity{Contact: m.Contact, Type: channelKind + "_" + what, Title: name + " " + title, CreatedAt: at,
		Metadata:    map[string]any{"messageId": m.ID.String(), "conversationId": m.Conversation.String(), "messageType": m.Kind},
		PerformedBy: m.SentBy}
	if what == "received" || what == Sent {
		body := []rune(m.Text)
		a.Body = string(body[:min(len(body), maxNote)])
	}
	if _, err := s.contacts.RecordIn(tx, a); err != nil {
		return unlessErased(err)
	}
	return s.contacts.TouchIn(tx, m.Contact, at)
}

// unlessErased turns the fault of a contact that is not there any more into nothing.
func unlessErased(err error) error {
	if f := fault.As(err); f != nil && f.Code == fault.NotFound {
		return nil
	}
	return err
}

// lockMessagesIn takes the locks that a change of messages needs, contacts
// first, and returns the messages as they then are.
func (s *Service) lockMessagesIn(tx *store.Tx, ids []id.ID) (map[id.ID]Message, error) {
	known, err := messagesByID(tx, ids)
	if err != nil {
		return nil, err
	}
	var people, keys []string
	for _, m := range known {
		if !m.Contact.IsZero() {
			people = append(people, m.Contact.String())
		}
		keys = append(keys, m.ID.String())
	}
	if err := tx.Lock("contact", people...); err != nil {
		return nil, err
	}
	if err := tx.Lock("message", keys...); err != nil {
		return nil, err
	}
	return messagesByID(tx, ids)
}
