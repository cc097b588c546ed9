package deal

import (
	"context"
	"slices"
	"time"

	"parley/internal/contact"
	"parley/internal/id"
	"parley/internal/store"
)

// Update changes a card: the contact, its tags, its deal; a Stage is a move.
// Faults are those of contact.UpdateIn and contact.TagIn; NotFound "contact" or
// "stage"; Invalid naming "value", "currency" or "title".
func (s *Service) Update(ctx context.Context, tenant id.ID, actor string, contact id.ID, p CardPatch) (Card, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Card, error) { return s.UpdateIn(tx, actor, contact, p) })
}

// UpdateIn is Update inside a transaction.
func (s *Service) UpdateIn(tx *store.Tx, actor string, cid id.ID, p CardPatch) (Card, error) {
	// What can be refused beforehand is, so that a caller who goes on after the
	// fault keeps nothing half done.
	if err := check(tx, p); err != nil {
		return Card{}, err
	}
	// The contact comes first: it takes the locks in the order of the house.
	c, _, err := s.contacts.UpdateIn(tx, actor, cid, p.Patch)
	if err != nil {
		return Card{}, err
	}
	if c, err = s.retag(tx, actor, c, p); err != nil {
		return Card{}, err
	}
	card, made, restored, err := s.heal(tx, c)
	if err != nil {
		return Card{}, err
	}
	if err := s.healed(tx, actor, card, made, restored); err != nil {
		return Card{}, err
	}
	if err := s.changeDeal(tx, actor, &card, p); err != nil {
		return Card{}, err
	}
	if p.Stage == nil || *p.Stage == card.Deal.Stage {
		return card, nil
	}
	return s.move(tx, actor, card, *p.Stage)
}

func check(tx *store.Tx, p CardPatch) (err error) {
	if p.Value != nil {
		err = checkValue(*p.Value)
	}
	if p.Currency != nil && err == nil {
		_, err = checkCurrency(*p.Currency)
	}
	if p.Title != nil && err == nil {
		_, err = checkTitle(*p.Title)
	}
	if p.Stage != nil && err == nil {
		_, err = stageIn(tx, *p.Stage)
	}
	return err
}

func (s *Service) retag(tx *store.Tx, actor string, c contact.Contact, p CardPatch) (contact.Contact, error) {
	add, remove := p.AddTags, p.RemoveTags
	if p.SetTags != nil {
		want, err := contact.Tags("tags", *p.SetTags)
		if err != nil {
			return c, err
		}
		for _, t := range c.Tags {
			if !slices.Contains(want, t) && !slices.Contains(add, t) {
				remove = append(slices.Clip(remove), t)
			}
		}
		add = append(slices.Clip(add), want...)
	}
	if len(add)+len(remove) == 0 {
		return c, nil
	}
	return s.contacts.TagIn(tx, actor, c.ID, add, remove)
}

func (s *Service) changeDeal(tx *store.Tx, actor string, card *Card, p CardPatch) error {
	d := &card.Deal
	var changed []string
	if p.Value != nil {
		if *p.Value != d.Value {
			d.Value, changed = *p.Value+0, append(changed, "value")
		}
	}
	if p.Currency != nil {
		cur, err := checkCurrency(*p.Currency)
		if err != nil {
			return err
		}
		if cur != d.Currency {
			d.Currency, changed = cur, append(changed, "currency")
		}
	}
	if p.Title != nil {
		title, err := checkTitle(*p.Title)
		if err != nil {
			return err
		}
		if title != d.Title {
			d.Title, changed = title, append(changed, "title")
		}
	}
	if len(changed) == 0 {
		return nil
	}
	d.UpdatedAt = tx.Now()
	if _, err := tx.Exec("UPDATE deal SET value=?, currency=?, title=?, updated_at=? WHERE tenant_id=? AND id=?", d.Value, d.Currency, d.Title, d.UpdatedAt, d.ID); err != nil {
		return err
	}
	if err := s.mark(tx, card); err != nil {
		return err
	}
	return s.append(tx, actor, "deal.updated", *d, changed...)
}

// mark makes the person's UpdatedAt follow the deal's: a card is shown as one.
func (s *Service) mark(tx *store.Tx, card *Card) error {
	card.Contact.UpdatedAt = tx.Now()
	return s.contacts.MarkIn(tx, card.Contact.ID)
}

// MoveIn moves a contact's primary deal to a stage, of any pipeline of the
// tenant (reference §4.2): the history gets the stay that ends, the status
// follows the stage, and the timeline a stage_change. The present stage is a
// no-op. A card that is archived moves but stays archived. NotFound names
// "contact" or "stage".
func (s *Service) MoveIn(tx *store.Tx, actor string, cid, stage id.ID) (Card, error) {
	return s.UpdateIn(tx, actor, cid, CardPatch{Stage: &stage})
}

// move moves a locked card to another stage.
func (s *Service) move(tx *store.Tx, actor string, card Card, stage id.ID) (Card, error) {
	if err := holdStage(tx, stage); err != nil {
		return Card{}, err
	}
	to, err := stageIn(tx, stage)
	if err != nil {
		return Card{}, err
	}
	now, from, d := tx.Now(), card.Stage, &card.Deal
	card.Pipeline, card.Stage = to.Pipeline, to.Stage
	d.Pipeline, d.Stage, d.EnteredStageAt, d.UpdatedAt = to.Pipeline.ID, to.Stage.ID, now, now
	d.ConvertedAt = time.Time{}
	if to.Stage.status() != Open {
		d.ConvertedAt = now
	}
	if d.Status != Archived {
		d.Status = to.Stage.status()
	}
	if _, err := tx.Exec("UPDATE deal SET pipeline_id=?, stage_id=?, status=?, entered_stage_at=?, converted_at=?, updated_at=? WHERE tenant_id=? AND id=?",
		d.Pipeline, d.Stage, d.Status, d.EnteredStageAt, d.ConvertedAt, d.UpdatedAt, d.ID); err != nil {
		return Card{}, err
	}
	if _, err := tx.Exec("UPDATE deal_stage SET left_at=? WHERE tenant_id=? AND deal_id=? AND left_at IS NULL", now, d.ID); err != nil {
		return Card{}, err
	}
	for i := range d.History {
		if d.History[i].LeftAt.IsZero() {
			d.History[i].LeftAt = now
		}
	}
	d.History = append(d.History, StageSpan{Stage: d.Stage, EnteredAt: now})
	if err := enter(tx, *d, now); err != nil {
		return Card{}, err
	}
	if err := s.mark(tx, &card); err != nil {
		return Card{}, err
	}
	if _, err := s.contacts.RecordIn(tx, contact.Activity{Contact: d.Contact, Type: "stage_change", Title: "Moved from " + from.Name + " to " + to.Stage.Name,
		Metadata: map[string]any{"fromStageId": from.ID.String(), "toStageId": d.Stage.String()}, PerformedBy: actor}); err != nil {
		return Card{}, err
	}
	if err := s.append(tx, actor, "deal.moved", *d, "stage:"+d.Stage.String(), "from:"+from.ID.String()); err != nil {
		return Card{}, err
	}
	return card, s.appendOutcome(tx, actor, *d)
}

// enter begins the newest stay of d's history.
func enter(tx *store.Tx, d Deal, at time.Time) error {
	_, err := tx.Exec("INSERT INTO deal_stage (tenant_id, deal_id, position, stage_id, entered_at) VALUES (?,?,?,?,?)",
		d.ID, len(d.History)-1, d.Stage, at)
	return err
}

// Archive puts a card away: contact and primary deal (reference §4.2, delete).
// It leaves lists and boards and keeps its identities, so that the person is
// known when they come back. Archiving again changes nothing. NotFound.
func (s *Service) Archive(ctx context.Context, tenant id.ID, actor string, contact id.ID) (Card, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Card, error) { return s.ArchiveIn(tx, actor, contact) })
}

// ArchiveIn is Archive inside a transaction.
func (s *Service) ArchiveIn(tx *store.Tx, actor string, cid id.ID) (Card, error) {
	c, err := s.contacts.LockedIn(tx, cid)
	if err != nil {
		return Card{}, err
	}
	list, err := s.complete(tx, []contact.Contact{c})
	if err != nil {
		return Card{}, err
	}
	card := list[0]
	d := &card.Deal
	archive := !d.ID.IsZero() && d.Status != Archived
	if archive { // the deal first: who hears of the contact sees the card archived
		d.Status, d.ArchivedAt, d.UpdatedAt = Archived, tx.Now(), tx.Now()
		if err := putAway(tx, *d); err != nil {
			return Card{}, err
		}
	}
	others, err := s.archiveFurther(tx, c)
	if err != nil {
		return Card{}, err
	}
	if card.Contact, err = s.contacts.ArchiveIn(tx, actor, cid); err != nil {
		return card, err
	}
	if archive {
		others = append([]Deal{*d}, others...)
	}
	for _, o := range others {
		if err := s.append(tx, actor, "deal.updated", o, "status"); err != nil {
			return card, err
		}
	}
	return card, nil
}

// archiveFurther puts away the deals that a contact has beside the primary one,
// at the same moment, by which they are found when the contact comes back.
func (s *Service) archiveFurther(tx *store.Tx, c contact.Contact) ([]Deal, error) {
	if c.Archived() {
		return nil, nil
	}
	all, err := contactDeals(tx, c.ID)
	if err != nil {
		return nil, err
	}
	var out []Deal
	for _, d := range all {
		if d.Primary || d.Status == Archived {
			continue
		}
		d.Status, d.ArchivedAt, d.UpdatedAt = Archived, tx.Now(), tx.Now()
		if err := putAway(tx, d); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}
