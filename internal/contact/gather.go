package contact

import (
	"fmt"
	"slices"
	"strings"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/phone"
	"parley/internal/store"
)

// Person is everything by which somebody who inquires may be known, at once.
type Person struct {
	FirstName, LastName string
	Phones, Emails      []string // as they were given; the first of each is the best
	Nins                []Nin
	Source              string
}

// Gathered is who a Person turned out to be.
type Gathered struct {
	Contact Contact
	Fresh   bool // made now; else it was known
	Joined  int  // how many contacts became one because of this person
	// News are the events that are still to be appended, once all that belongs to
	// the contact is written: reactors look at the whole.
	News []event.New
}

// Bounds of a Person.
const (
	maxGathered = 50 // phones, e-mails and numbers, of each
	minPhone    = 5  // digits by which a phone finds somebody
)

// reaches reports whether a phone's key can find anybody: "0000" and the like are
// what forms hold when nobody wants to give one.
func reaches(key string) bool { return len(key) >= minPhone && strings.Trim(key, "0") != "" }

// GatherIn returns the one contact of a person: every contact that claims one of
// the phones or e-mails becomes one, the oldest id, whatever order they came in;
// nobody makes a new one. A known contact gets the phones, e-mails and numbers
// that it lacks and the names that are empty, and is taken up again if it was put
// away; nothing that it has is replaced. The contact's lock is held.
//
// What cannot be a phone or an address (no digits or fewer than five, only zeros;
// no "@") finds nobody and is left to the caller's inquiry. Faults: Invalid naming
// "firstName", "lastName", "phones[n]", "emails[n]", "nin[n].type" or
// "nin[n].number" for what cannot be kept at all, and "phones" when nothing is
// left by which the person can be reached.
func (s *Service) GatherIn(tx *store.Tx, actor string, p Person) (Gathered, error) {
	g, err := s.cleaned(tx, p)
	if err != nil {
		return Gathered{}, err
	}
	if err := tx.Lock("identity", g.locks()...); err != nil {
		return Gathered{}, err
	}
	holders, err := g.holders(tx)
	if err != nil {
		return Gathered{}, err
	}
	for range 20 {
		if len(holders) == 0 {
			c, ok, err := g.create(s, tx)
			if err != nil {
				return Gathered{}, err
			}
			if ok {
				return Gathered{Contact: c, Fresh: true, News: []event.New{{Type: "contact.created", Subject: c.ID, Contact: c.ID, Actor: actor}}}, nil
			}
		} else {
			c, err := s.joined(tx, actor, holders)
			if err != nil && !isGone(err) {
				return Gathered{}, err
			}
			if err == nil {
				// Whoever merged or erased somebody held only contacts: behind those
				// locks the claims may lie elsewhere.
				again, err := g.moved(tx, holders, c.ID)
				if err != nil {
					return Gathered{}, err
				}
				if len(again) == 1 && again[0] == c.ID {
					out := Gathered{Contact: c, Joined: len(holders) - 1}
					out.News, err = g.enrich(s, tx, actor, &out.Contact)
					return out, err
				}
				if holders = again; len(holders) > 0 {
					continue
				}
			}
		}
		if holders, err = g.holders(tx); err != nil {
			return Gathered{}, err
		}
	}
	return Gathered{}, fault.New(fault.Unavailable, "somebody else is changing the same people at this moment; try again")
}

func isGone(err error) bool {
	f := fault.As(err)
	return f != nil && f.Code == fault.NotFound
}

// joined locks the holders and makes one contact of several.
func (s *Service) joined(tx *store.Tx, actor string, holders []id.ID) (Contact, error) {
	if len(holders) == 1 {
		return s.locked(tx, holders[0])
	}
	return s.MergeIn(tx, actor, holders...)
}

// gathering is a person on the way in.
type gathering struct {
	first, last, source string
	ways                []Identity // phones and e-mails, each once
	nins                []Identity
}

func (s *Service) cleaned(tx *store.Tx, p Person) (g gathering, err error) {
	var bad fault.Collector
	set := func(to *string, field, v string, max int) {
		got, err := Line(field, v, max)
		bad.Add(err)
		*to = got
	}
	set(&g.first, "firstName", p.FirstName, maxName)
	set(&g.last, "lastName", p.LastName, maxName)
	set(&g.source, "source", p.Source, maxWord)
	for _, list := range []struct {
		field string
		n     int
	}{{"phones", len(p.Phones)}, {"emails", len(p.Emails)}, {"nin", len(p.Nins)}} {
		if list.n > maxGathered {
			bad.Add(fault.Field(list.field, "%s holds at most %d entries", list.field, maxGathered))
		}
	}
	if err := bad.Err(); err != nil {
		return g, err
	}
	settings, err := s.tenants.SettingsOf(tx)
	if err != nil {
		return g, err
	}
	for i, v := range p.Phones {
		raw, err := Line(fmt.Sprintf("phones[%d]", i), v, maxWord)
		bad.Add(err)
		key, err := phone.Key(raw, settings.Region)
		if err == nil && reaches(key) {
			g.add(&g.ways, Identity{Kind: Phone, Value: key, Raw: raw, Claimed: true})
		}
	}
	for i, v := range p.Emails {
		raw, err := Line(fmt.Sprintf("emails[%d]", i), v, maxWord*5)
		bad.Add(err)
		if mail, err := address(raw); err == nil && mail != "" {
			g.add(&g.ways, Identity{Kind: Email, Value: mail, Raw: raw, Claimed: true})
		}
	}
	for i, n := range p.Nins {
		v, err := n.identity(fmt.Sprintf("nin[%d]", i))
		bad.Add(err)
		if err == nil {
			g.add(&g.nins, v)
		}
	}
	if err := bad.Err(); err != nil {
		return g, err
	}
	if len(g.ways) == 0 {
		return g, fault.Field("phones", "give a phone or an e-mail address by which the person can be reached, in phones or emails")
	}
	return g, nil
}

// add appends an identity that is not there yet.
func (g *gathering) add(to *[]Identity, i Identity) {
	if !slices.ContainsFunc(*to, func(o Identity) bool { return o.Kind == i.Kind && o.Value == i.Value }) {
		*to = append(*to, i)
	}
}

func (g *gathering) locks() []string {
	keys := make([]string, len(g.ways))
	for i, w := range g.ways {
		keys[i] = w.Kind + ":" + w.Value
	}
	return keys
}
