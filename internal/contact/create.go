package contact

import (
	"slices"
	"time"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Complete adds what belongs to a contact, such as the primary deal, after the
// contact's rows are written and before its events are: reactors look at the
// whole at once. fresh tells a new contact from one that was there.
type Complete func(c Contact, fresh bool) error

// CreateIn makes a contact. What identifies it is the phone, else the e-mail:
// when a contact claims that already, the answer is Conflict with Reason
// "phone" or "email" and the detail "contactId"; but an archived holder is
// re-activated and updated instead. An e-mail besides a phone that another
// contact claims is stored unclaimed. Faults: Invalid naming the field.
func (s *Service) CreateIn(tx *store.Tx, actor string, n New) (Contact, error) {
	c, _, err := s.CreateWith(tx, actor, n, nil)
	return c, err
}

// CreateWith is CreateIn with something to complete, and tells whether the
// contact is new.
func (s *Service) CreateWith(tx *store.Tx, actor string, n New, complete Complete) (Contact, bool, error) {
	return s.arrive(tx, actor, n, false, complete)
}

// EnsureIn returns the contact with the phone, or, when no phone is given, with
// the e-mail; it makes one when there is none. A known contact is un-archived
// and otherwise left as it is.
func (s *Service) EnsureIn(tx *store.Tx, actor string, n New) (c Contact, created bool, err error) {
	return s.arrive(tx, actor, n, true, nil)
}

// EnsureWith is EnsureIn with something to complete.
func (s *Service) EnsureWith(tx *store.Tx, actor string, n New, complete Complete) (c Contact, created bool, err error) {
	return s.arrive(tx, actor, n, true, complete)
}

func (s *Service) arrive(tx *store.Tx, actor string, n New, known bool, complete Complete) (Contact, bool, error) {
	p, err := s.clean(tx, n)
	if err != nil {
		return Contact{}, false, err
	}
	if complete == nil {
		complete = func(Contact, bool) error { return nil }
	}
	if err := tx.Lock("identity", p.locks()...); err != nil {
		return Contact{}, false, err
	}
	kind, value := p.identity()
	for range 20 {
		holder, err := claimant(tx, kind, value)
		if err != nil {
			return Contact{}, false, err
		}
		if holder.IsZero() {
			c, ok, err := s.create(tx, p)
			if err != nil {
				return Contact{}, false, err
			}
			if ok {
				if err := complete(c, true); err != nil {
					return Contact{}, false, err
				}
				return c, true, s.append(tx, actor, "contact.created", c.ID)
			}
			continue // somebody claimed it without the lock, between the look and the insert
		}
		c, err := s.locked(tx, holder)
		if err != nil {
			return Contact{}, false, err
		}
		if !c.claims(kind, value) {
			continue // given up by whoever had the contact's lock before us
		}
		c, err = s.meet(tx, actor, c, p, known, complete)
		return c, false, err
	}
	return Contact{}, false, fault.New(fault.Unavailable, "somebody else is changing the same person at this moment; try again")
}

// create writes a new contact, unless its identity is claimed meanwhile.
func (s *Service) create(tx *store.Tx, p person) (Contact, bool, error) {
	c := p.contact(tx)
	if p.phone != "" {
		i := Identity{Kind: Phone, Value: p.phone, Raw: p.Phone, Primary: true, Claimed: true}
		if ok, err := claim(tx, c.ID, i); err != nil || !ok {
			return c, false, err
		}
		c.Identities = append(c.Identities, i)
	}
	if p.email != "" {
		i := Identity{Kind: Email, Value: p.email, Raw: p.Email, Primary: true}
		ok, err := claim(tx, c.ID, i)
		if err != nil || !ok && p.phone == "" {
			return c, false, err
		}
		if i.Claimed = ok; !ok {
			if err := keep(tx, c.ID, i); err != nil {
				return c, false, err
			}
		}
		c.Identities = append(c.Identities, i)
	}
	if p.Address != "" {
		i := Identity{Kind: p.Kind, Value: p.Address, Raw: p.Address, Primary: true, Claimed: true}
		if ok, err := claim(tx, c.ID, i); err != nil || !ok {
			return c, false, err
		}
		c.Identities = append(c.Identities, i)
	}
	if err := insert(tx, &c); err != nil {
		return c, false, err
	}
	return c, true, s.refuseAtFirst(tx, c)
}

// contact is the new contact of a person, without identities.
func (p *person) contact(tx *store.Tx) Contact {
	c := Contact{ID: id.New(), FirstName: p.FirstName, LastName: p.LastName, Source: p.Source, AssignedTo: p.AssignedTo,
		Tags: p.Tags, Refs: p.Refs, Extra: merge(nil, p.Extra), Attributes: merge(nil, p.Attributes), CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
	if c.Source == "" {
		c.Source = "other"
	}
	return c
}

// meet deals with a person who turned out to be known: c, whose lock is held.
func (s *Service) meet(tx *store.Tx, actor string, c Contact, p person, known bool, complete Complete) (Contact, error) {
	if !c.Archived() {
		if !known {
			kind, _ := p.identity()
			return Contact{}, conflict(kind, c.ID)
		}
		return c, complete(c, false)
	}
	var news []event.New
	var changed []string
	var err error
	c.ArchivedAt = time.Time{}
	old := foundBy(c)
	if !known {
		if changed, err = s.change(tx, &c, p.asPatch()); err != nil {
			return c, err
		}
		added, _, err := retag(tx, &c, p.Tags, nil)
		if err != nil {
			return c, err
		}
		news = tagNews(added, nil)
	}
	if err := update(tx, &c); err != nil {
		return c, err
	}
	if err := reindex(tx, old, c); err != nil {
		return c, err
	}
	if err := complete(c, false); err != nil {
		return c, err
	}
	if err := s.append(tx, actor, "contact.unarchived", c.ID); err != nil {
		return c, err
	}
	if len(changed) > 0 {
		if err := s.append(tx, actor, "contact.updated", c.ID, changed...); err != nil {
			return c, err
		}
	}
	return c, s.appendAll(tx, actor, c.ID, news)
}

// asPatch turns what is known of a person into changes of the contact.
func (p *person) asPatch() Patch {
	given := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	refs := make(map[string]*string, len(p.Refs))
	for k, v := range p.Refs {
		refs[k] = &v
	}
	return Patch{FirstName: given(p.FirstName), LastName: given(p.LastName), Phone: given(p.Phone), Email: given(p.New.Email),
		Source: given(p.Source), AssignedTo: given(p.AssignedTo), Refs: refs, Extra: p.Extra, Attributes: p.Attributes}
}

// AsPatch returns the changes that give an existing contact what n says; what
// n leaves empty stays. Tags are not part of a Patch.
func (n New) AsPatch() Patch { return (&person{New: n}).asPatch() }

func conflict(kind string, holder id.ID) error {
	what := "phone number"
	switch kind {
	case Email:
		what = "e-mail address"
	case Messenger:
		what = "Messenger profile"
	}
	return &fault.Error{Code: fault.Conflict, Field: kind, Reason: kind, Message: "another contact has this " + what + " already; change that contact instead",
		Details: map[string]any{"contactId": holder.String()}}
}

func (s *Service) append(tx *store.Tx, actor, typ string, cid id.ID, changed ...string) error {
	_, err := s.log.Append(tx, event.New{Type: typ, Subject: cid, Contact: cid, Changed: changed, Actor: actor})
	return err
}

func (s *Service) appendAll(tx *store.Tx, actor string, cid id.ID, news []event.New) error {
	for _, n := range news {
		if err := s.append(tx, actor, n.Type, cid, n.Changed...); err != nil {
			return err
		}
	}
	return nil
}

func tagNews(added, removed []string) []event.New {
	var out []event.New
	for _, t := range added {
		out = append(out, event.New{Type: "contact.tag_added", Changed: []string{"tag:" + t}})
	}
	for _, t := range removed {
		out = append(out, event.New{Type: "contact.tag_removed", Changed: []string{"tag:" + t}})
	}
	return slices.Clip(out)
}
