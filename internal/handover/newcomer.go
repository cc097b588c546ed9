package handover

import (
	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/store"
)

// PlaceNewIn is PlaceIn for a contact that the caller makes in this transaction
// and has told nobody of yet. It needs few statements: it reads nothing of the
// contact, sets its AssignedTo without an event of that, and returns its own event,
// which the caller appends behind contact.created.
func (s *Service) PlaceNewIn(tx *store.Tx, actor string, c *contact.Contact, n Arrival) (Arrived, event.New, error) {
	category, err := n.category()
	if err != nil {
		return Arrived{}, event.New{}, err
	}
	w, g, err := s.begin(tx, *c, n, category)
	if err != nil {
		return Arrived{}, event.New{}, err
	}
	if err := w.check(); err != nil {
		return Arrived{}, event.New{}, err
	}
	changes := w.changes(Work{})
	w.Version, w.UpdatedAt = 1, tx.Now()
	if _, err := store.InsertRows(tx, into, [][]any{w.values()}, ""); err != nil {
		return Arrived{}, event.New{}, err
	}
	if err := enter(tx, actor, Placed, w, changes); err != nil {
		return Arrived{}, event.New{}, err
	}
	if !w.Agent.IsZero() && c.AssignedTo != w.Agent.String() {
		c.AssignedTo = w.Agent.String()
		if err := s.contacts.AssignNewIn(tx, c.ID, c.AssignedTo); err != nil {
			return Arrived{}, event.New{}, err
		}
	}
	a := w.activity(actor, Placed, "Work placed in the group "+g.Name, changes)
	if _, err := s.contacts.RecordIn(tx, a); err != nil {
		return Arrived{}, event.New{}, err
	}
	out := Arrived{Work: w, Fresh: true}
	out.Absence, err = s.absenceOf(tx, w, g)
	return out, w.news(actor, Placed, changes), err
}
