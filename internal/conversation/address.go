package conversation

import (
	"slices"
	"strings"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// identityOf is the kind of a contact's identity that an address of a channel
// is: a phone number, unless the channel says otherwise.
func (s *Service) identityOf(kind string) string {
	if k := s.capabilities(kind).Identity; k != "" {
		return k
	}
	return contact.Phone
}

// stranger is who wrote from an address that nobody has.
func (s *Service) stranger(kind, address, name string) contact.New {
	n := contact.New{FirstName: name, Source: kind}
	if n.FirstName == "" {
		n.FirstName = address
	}
	if ident := s.identityOf(kind); ident == contact.Phone {
		n.Phone = "+" + address
	} else {
		n.Kind, n.Address = ident, address
	}
	return n
}

// claims reports whether an address is one of those by which a contact is found.
func claims(p contact.Contact, ident, address string) bool {
	return slices.ContainsFunc(p.Identities, func(i contact.Identity) bool { return i.Kind == ident && i.Value == address && i.Claimed })
}

// primary is the address by which a contact is reached on channels of a kind of
// identity, "" without one.
func primary(p contact.Contact, ident string) string {
	for _, i := range p.Identities {
		if i.Kind == ident && i.Primary {
			return i.Value
		}
	}
	return ""
}

// whoIn returns who claims an address, zero for nobody: then nobody comes to claim it
// until the commit either, and whoever does later finds the conversation that began.
func (s *Service) whoIn(tx *store.Tx, ident, address string) (id.ID, error) {
	p, found, err := s.contacts.Find(tx, ident, address)
	if err != nil || found || tx.Dialect() == store.SQLite {
		return p.ID, err
	}
	if err := s.contacts.LockWaysIn(tx, []contact.Identity{{Kind: ident, Value: address}}); err != nil {
		return id.Zero, err
	}
	p, _, err = s.contacts.Find(tx, ident, address)
	return p.ID, err
}

// keyOf is an address that a caller gives, as we write it.
func (s *Service) keyOf(r store.Reader, kind, to string) (string, error) {
	if s.identityOf(kind) == contact.Phone {
		return s.contacts.KeyOf(r, to)
	}
	return strings.TrimSpace(to), nil
}

// addressOf is where a contact is reached on a channel: its primary identity of
// the channel's kind, else the address of a conversation that somebody linked with
// it. Fault: Invalid naming "to".
func (s *Service) addressOf(r store.Reader, c contact.Contact, kind string) (string, error) {
	ident := s.identityOf(kind)
	if a := primary(c, ident); a != "" {
		return a, nil
	}
	all, err := conversationsOf(r, c.ID)
	if err != nil {
		return "", err
	}
	var best Conversation
	for _, v := range all {
		if v.Channel == kind && (best.ID.IsZero() || v.LastInboundAt.After(best.LastInboundAt)) {
			best = v
		}
	}
	switch {
	case !best.ID.IsZero():
		return best.Address, nil
	case ident == contact.Phone:
		return "", fault.Field("to", "the contact has no phone number; add one first")
	}
	return "", fault.Field("to", "the contact has never written on this channel, so it cannot be reached there")
}
