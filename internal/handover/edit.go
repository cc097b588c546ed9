package handover

import (
	"context"
	"strconv"

	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Edit is what an agent changes of a contact at once; nil and empty fields stay.
type Edit struct {
	contact.Amendment
	Label           *string // "" takes the label away
	ArchivingReason *string // archives
}

// EditIn changes a contact and its work together, or nothing of both. Faults are
// those of contact.AmendIn, LabelIn and ArchiveIn.
func (s *Service) EditIn(tx *store.Tx, actor string, cid id.ID, e Edit) (w Work, err error) {
	c, _, err := s.contacts.AmendIn(tx, actor, cid, e.Amendment)
	if err != nil {
		return w, err
	}
	if e.Label != nil {
		if _, err = s.LabelIn(tx, actor, c.ID, *e.Label); err != nil {
			return w, err
		}
	}
	if e.ArchivingReason != nil {
		if _, err = s.ArchiveIn(tx, actor, c.ID, *e.ArchivingReason); err != nil {
			return w, err
		}
	}
	return s.Get(tx, c.ID)
}

// Edit is EditIn in a transaction of its own.
func (s *Service) Edit(ctx context.Context, tenant id.ID, actor string, cid id.ID, e Edit) (Work, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Work, error) { return s.EditIn(tx, actor, cid, e) })
}

// Best and worst of a rating.
const (
	WorstRating = 1
	BestRating  = 5
)

// maxComment is how long the comment of a rating may be, in characters.
const maxComment = 5000

// RateIn keeps how content a contact was: an activity of the type "csat" with the
// result in its metadata and the comment as its body, and an event contact.rated.
// Faults: NotFound; Invalid naming "result" or "comment".
func (s *Service) RateIn(tx *store.Tx, actor string, cid id.ID, result int, comment string) (contact.Activity, error) {
	if result < WorstRating || result > BestRating {
		return contact.Activity{}, fault.Field("result", "result must be a whole number from %d to %d", WorstRating, BestRating)
	}
	comment, err := contact.Line("comment", comment, maxComment)
	if err != nil {
		return contact.Activity{}, err
	}
	w, err := s.Get(tx, cid)
	if err != nil {
		return contact.Activity{}, err
	}
	a, err := s.contacts.RecordIn(tx, contact.Activity{Contact: w.Contact, Type: "csat", Title: "Rated " + strconv.Itoa(result) + " of " + strconv.Itoa(BestRating), Body: comment,
		Metadata: map[string]any{"result": result, "agentId": w.Agent.String(), "groupId": w.Group.String()}, PerformedBy: actor})
	if err != nil {
		return a, err
	}
	_, err = s.log.Append(tx, event.New{Type: "contact.rated", Subject: a.ID, Contact: a.Contact, Changed: []string{"result:" + strconv.Itoa(result)}, Actor: actor})
	return a, err
}

// Rate is RateIn in a transaction of its own.
func (s *Service) Rate(ctx context.Context, tenant id.ID, actor string, cid id.ID, result int, comment string) (contact.Activity, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (contact.Activity, error) { return s.RateIn(tx, actor, cid, result, comment) })
}
