package conversation

import (
	"strings"

	"parley/internal/channel"
	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// ForMarketing and ForService are what a message is for: consent is given and
// refused for each of its own. A template of the category MARKETING is
// marketing; every other message serves the person.
const (
	ForMarketing = contact.Marketing
	ForService   = "service"
)

// purposeOf tells what a template's messages are for.
func purposeOf(category string) string {
	if strings.EqualFold(category, "MARKETING") {
		return ForMarketing
	}
	return ForService
}

// Refused reports whether a contact refused messages of a purpose on a channel.
// The outbox asks it again when a message is handed over: of an opt-out and a
// hand-over at the same moment the later one sees the other, because both hold
// the contact's lock. A message that was promised before purposes were recorded
// has none, and is refused by a refusal of either.
func (s *Service) Refused(r store.Reader, contactID id.ID, kind, purpose string) (bool, error) {
	return s.contacts.Refused(r, contactID, kind, purpose)
}

// OptedOut is the sentence for a message that its person refused.
func OptedOut(purpose string) string {
	if purpose == ForMarketing {
		return "the contact has opted out of marketing messages on this channel"
	}
	return "the contact has opted out of messages on this channel"
}

// consentIn refuses a message to a person who wants none of its purpose. At an
// address that nobody has, what an erased person refused still counts.
func (s *Service) consentIn(tx *store.Tx, t target, purpose string) (err error) {
	var out bool
	if t.contact.IsZero() {
		out, err = s.contacts.RefusedAtIn(tx, contact.Identity{Kind: s.identityOf(t.channel), Value: t.address}, t.channel, purpose)
	} else {
		out, err = s.Refused(tx, t.contact, t.channel, purpose)
	}
	if err == nil && out {
		err = fault.New(fault.Forbidden, "%s", OptedOut(purpose)).Because("consent")
	}
	return err
}

// stoppedIn records that a person stopped marketing at the provider, or
// resumed it: neither says anything about answers.
func (s *Service) stoppedIn(tx *store.Tx, contactID id.ID, kind string, c contact.Consent) error {
	c.Channel, c.Purpose, c.Source = kind, ForMarketing, "channel:"+kind
	_, err := s.contacts.ConsentIn(tx, contactID, c)
	return err
}

// hasFile tells whether a message carries a file.
func hasFile(kind string) bool {
	switch kind {
	case channel.Image, channel.Video, channel.Audio, channel.Document, channel.Sticker:
		return true
	}
	return false
}
