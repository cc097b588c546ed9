package deal

import (
	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/store"
)

// AttachNewIn gives the contact that the caller makes in this transaction its
// primary deal, where every new card begins, and the entry of its timeline. It
// returns the events, which the caller appends behind contact.created.
func (s *Service) AttachNewIn(tx *store.Tx, actor string, c contact.Contact) ([]event.New, error) {
	terms, err := s.terms(tx, NewCard{})
	if err != nil {
		return nil, err
	}
	at, err := s.place(tx, id.Zero, id.Zero)
	if err == nil {
		at, err = s.hold(tx, at, id.Zero, id.Zero)
	}
	if err != nil {
		return nil, err
	}
	d, err := insertDeal(tx, c.ID, at, terms)
	if err != nil {
		return nil, err
	}
	if _, err := s.contacts.RecordIn(tx, contact.Activity{Contact: c.ID, Type: "lead_created", Title: "Lead created", PerformedBy: actor}); err != nil {
		return nil, err
	}
	news := []event.New{d.news("deal.created", actor)}
	switch d.Status {
	case Won:
		news = append(news, d.news("deal.won", actor))
	case Lost:
		news = append(news, d.news("deal.lost", actor))
	}
	return news, nil
}

func (d Deal) news(typ, actor string) event.New {
	return event.New{Type: typ, Subject: d.ID, Contact: d.Contact, Actor: actor}
}

// AttachIn gives a known contact, whose lock the caller holds and which is not
// put away, the primary deal it lacks, and opens one that was put away with it.
// Nearly always there is nothing to do: that takes one row of the index
// deal_primary.
func (s *Service) AttachIn(tx *store.Tx, actor string, c contact.Contact) error {
	var status string
	found, err := store.Found(tx.QueryRow("SELECT status FROM deal WHERE tenant_id=? AND contact_id=? AND is_primary", c.ID).Scan(&status))
	if err != nil || found && status != Archived {
		return err
	}
	card, made, restored, err := s.heal(tx, c)
	if err != nil {
		return err
	}
	return s.healed(tx, actor, card, made, restored)
}
