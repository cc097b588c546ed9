package deal

import (
	"bytes"
	"context"
	"database/sql"
	"slices"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Card returns a contact's card, archived ones too. NotFound names "contact".
func (s *Service) Card(ctx context.Context, tenant, contact id.ID) (Card, error) {
	return s.CardIn(s.db.Read(ctx, tenant), contact)
}

// CardIn is Card on a reader. A contact without a deal has one that is open,
// worth nothing, and stands nowhere.
func (s *Service) CardIn(r store.Reader, contact id.ID) (Card, error) {
	list, err := s.cards(r, []id.ID{contact})
	if err != nil {
		return Card{}, err
	}
	if len(list) == 0 {
		return Card{}, fault.Unknown("contact")
	}
	return list[0], nil
}

// CardByPhone returns the card of who has a phone, given in any form. NotFound
// names "contact"; Invalid names "phone".
func (s *Service) CardByPhone(ctx context.Context, tenant id.ID, raw string) (Card, error) {
	r := s.db.Read(ctx, tenant)
	key, err := s.contacts.KeyOf(r, raw)
	if err != nil {
		return Card{}, err
	}
	c, ok, err := s.contacts.Find(r, contact.Phone, key)
	if err != nil {
		return Card{}, err
	}
	if !ok {
		return Card{}, fault.Unknown("contact")
	}
	list, err := s.complete(r, []contact.Contact{c})
	if err != nil {
		return Card{}, err
	}
	return list[0], nil
}

// cards loads the cards of contacts in the order given, by a constant number of
// queries for up to 512 of them. Unknown ids are left out.
func (s *Service) cards(r store.Reader, ids []id.ID) ([]Card, error) {
	found, err := s.contacts.GetMany(r, ids)
	if err != nil {
		return nil, err
	}
	people := make([]contact.Contact, 0, len(ids))
	for _, cid := range ids {
		if c, ok := found[cid]; ok {
			people = append(people, c)
		}
	}
	return s.complete(r, people)
}

func compare(a, b id.ID) int { return bytes.Compare(a[:], b[:]) }

// batch bounds the ids of one query.
const batch = 512

// complete loads the deals of contacts.
func (s *Service) complete(r store.Reader, people []contact.Contact) ([]Card, error) {
	out := make([]Card, 0, len(people))
	for part := range slices.Chunk(people, batch) {
		ids := make([]id.ID, len(part))
		for i, c := range part {
			ids[i] = c.ID
		}
		deals, err := primaryDeals(r, ids)
		if err != nil {
			return nil, err
		}
		var stages []id.ID
		for _, d := range deals {
			if !slices.Contains(stages, d.Stage) {
				stages = append(stages, d.Stage)
			}
		}
		where, err := placements(r, stages)
		if err != nil {
			return nil, err
		}
		for _, c := range part {
			card := Card{Contact: c, Deal: Deal{Contact: c.ID, Status: Open}}
			if d := deals[c.ID]; d != nil {
				card.Deal = *d
				card.Pipeline, card.Stage = where[d.Stage].Pipeline, where[d.Stage].Stage
			} else {
				set, err := s.tenants.SettingsOf(r)
				if err != nil {
					return nil, err
				}
				card.Deal.Currency = set.Currency
			}
			out = append(out, card)
		}
	}
	return out, nil
}

const dealColumns = "id, contact_id, pipeline_id, stage_id, status, title, value, currency, is_primary, entered_stage_at, converted_at, archived_at, created_at, updated_at"

// primaryDeals returns the primary deals of contacts, with their histories, by
// contact.
func primaryDeals(r store.Reader, contacts []id.ID) (map[id.ID]*Deal, error) {
	out := make(map[id.ID]*Deal, len(contacts))
	if len(contacts) == 0 {
		return out, nil
	}
	places, args := contact.Among(contacts)
	rows, err := r.Query("SELECT "+dealColumns+" FROM deal WHERE tenant_id=? AND is_primary AND contact_id IN "+places, args...)
	list, err := store.Collect(rows, err, scanDeal)
	if err != nil || len(list) == 0 {
		return out, err
	}
	if err := histories(r, list); err != nil {
		return nil, err
	}
	for i := range list {
		out[list[i].Contact] = &list[i]
	}
	return out, nil
}

func scanDeal(rows *sql.Rows) (d Deal, err error) {
	return d, rows.Scan(&d.ID, &d.Contact, &d.Pipeline, &d.Stage, &d.Status, &d.Title, &d.Value, &d.Currency, &d.Primary,
		store.Time(&d.EnteredStageAt), store.Time(&d.ConvertedAt), store.Time(&d.ArchivedAt), store.Time(&d.CreatedAt), store.Time(&d.UpdatedAt))
}

// histories reads the histories of up to 512 deals.
func histories(r store.Reader, list []Deal) error {
	byID := make(map[id.ID]*Deal, len(list))
	ids := make([]id.ID, len(list))
	for i := range list {
		byID[list[i].ID], ids[i] = &list[i], list[i].ID
	}
	places, args := contact.Among(ids)
	rows, err := r.Query("SELECT deal_id, stage_id, entered_at, left_at FROM deal_stage WHERE tenant_id=? AND deal_id IN "+places+" ORDER BY deal_id, position", args...)
	_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
		var d id.ID
		var span StageSpan
		if err = rows.Scan(&d, &span.Stage, store.Time(&span.EnteredAt), store.Time(&span.LeftAt)); err == nil {
			byID[d].History = append(byID[d].History, span)
		}
		return
	})
	return err
}

// cardsOf returns the cards of deals, primary or not, in their order. Deals whose
// contact is gone are left out.
func (s *Service) cardsOf(r store.Reader, deals []Deal) ([]Card, error) {
	out := make([]Card, 0, len(deals))
	for part := range slices.Chunk(deals, batch) {
		var people, stages []id.ID
		for _, d := range part {
			people, stages = append(people, d.Contact), append(stages, d.Stage)
		}
		if err := histories(r, part); err != nil {
			return nil, err
		}
		slices.SortFunc(stages, compare)
		where, err := placements(r, slices.Compact(stages))
		if err != nil {
			return nil, err
		}
		found, err := s.contacts.GetMany(r, people)
		if err != nil {
			return nil, err
		}
		for _, d := range part {
			if c, ok := found[d.Contact]; ok {
				out = append(out, Card{Contact: c, Deal: d, Pipeline: where[d.Stage].Pipeline, Stage: where[d.Stage].Stage})
			}
		}
	}
	return out, nil
}

// CardByRef returns the card of the newest contact with a reference of a name and
// value, of an archived one only when no other has it. NotFound names "contact";
// Invalid names "key" or "value".
func (s *Service) CardByRef(ctx context.Context, tenant id.ID, key, value string) (Card, error) {
	for field, v := range map[string]string{"key": key, "value": value} {
		if _, err := contact.Line(field, v, 500); err != nil {
			return Card{}, err
		}
	}
	r := s.db.Read(ctx, tenant)
	cid, found, err := s.contacts.FindByRef(r, key, value)
	if err == nil && !found {
		err = fault.Unknown("contact")
	}
	if err != nil {
		return Card{}, err
	}
	return s.CardIn(r, cid)
}
