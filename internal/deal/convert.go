package deal

import (
	"context"
	"time"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Convert is ConvertIn in a transaction of its own.
func (s *Service) Convert(ctx context.Context, tenant id.ID, actor string, cid id.ID, outcome, reason string) (Card, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Card, error) { return s.ConvertIn(tx, actor, cid, outcome, reason) })
}

// ConvertIn ends a card's deal as Won or Lost (reference §4.2). The deal moves to
// the first stage of its pipeline with that outcome; where there is none, it ends
// in the stage where it stands. The timeline gets a system entry with the reason,
// the feed deal.won or deal.lost. A deal that has this outcome already stays as
// it is. Faults: NotFound "contact"; Invalid naming "outcome" or "reason";
// Conflict for an archived card.
func (s *Service) ConvertIn(tx *store.Tx, actor string, cid id.ID, outcome, reason string) (Card, error) {
	if outcome != Won && outcome != Lost {
		return Card{}, fault.Field("outcome", "the outcome is won or lost")
	}
	reason, err := contact.Line("reason", reason, 2000)
	if err != nil {
		return Card{}, err
	}
	card, err := s.own(tx, actor, cid)
	if err != nil {
		return Card{}, err
	}
	if card.Contact.Archived() || card.Deal.Status == Archived {
		return Card{}, fault.New(fault.Conflict, "the lead is archived; create it anew before it is won or lost")
	}
	if card.Deal.Status == outcome {
		return card, nil
	}
	p, err := s.PipelineIn(tx, card.Deal.Pipeline)
	if err != nil {
		return Card{}, err
	}
	to := id.Zero
	for _, st := range p.Stages {
		if st.status() == outcome {
			to = st.ID
			break
		}
	}
	if !to.IsZero() && to != card.Deal.Stage {
		card, err = s.move(tx, actor, card, to)
	} else {
		err = s.end(tx, actor, &card, outcome)
	}
	if err != nil {
		return Card{}, err
	}
	_, err = s.contacts.RecordIn(tx, contact.Activity{Contact: card.Contact.ID, Type: "system", Title: "Converted to " + outcome, Body: reason,
		Metadata: map[string]any{"outcome": outcome, "reason": reason}, PerformedBy: actor})
	return card, err
}

// end gives a locked card's deal a status without a move.
func (s *Service) end(tx *store.Tx, actor string, card *Card, status string) error {
	d := &card.Deal
	d.Status, d.UpdatedAt = status, tx.Now()
	d.ConvertedAt = tx.Now()
	if status == Open {
		d.ConvertedAt = time.Time{}
	}
	if _, err := tx.Exec("UPDATE deal SET status=?, converted_at=?, updated_at=? WHERE tenant_id=? AND id=?", d.Status, d.ConvertedAt, d.UpdatedAt, d.ID); err != nil {
		return err
	}
	if err := s.mark(tx, card); err != nil {
		return err
	}
	if err := s.append(tx, actor, "deal.updated", *d, "status"); err != nil {
		return err
	}
	return s.appendOutcome(tx, actor, *d)
}

// own locks a contact and returns its card with the primary deal it must have.
func (s *Service) own(tx *store.Tx, actor string, cid id.ID) (Card, error) {
	return s.UpdateIn(tx, actor, cid, CardPatch{})
}

// MoveToPipelineIn moves a contact's primary deal to a stage of a pipeline; a
// zero stage is the pipeline's entry, unless the deal stands in the pipeline
// already. Faults: NotFound "contact", "pipeline" or "stage"; Invalid naming
// "stage" when it belongs to another pipeline; Unready for a pipeline without
// stages.
func (s *Service) MoveToPipelineIn(tx *store.Tx, actor string, cid, pipeline, stage id.ID) (Card, error) {
	if pipeline.IsZero() {
		return Card{}, fault.Unknown("pipeline")
	}
	if stage.IsZero() {
		card, err := s.CardIn(tx, cid)
		if err != nil || card.Deal.Pipeline == pipeline {
			return card, err
		}
	}
	at, err := s.place(tx, pipeline, stage)
	if err != nil {
		return Card{}, err
	}
	return s.MoveIn(tx, actor, cid, at.Stage.ID)
}
