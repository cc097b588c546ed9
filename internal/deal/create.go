package deal

import (
	"context"
	"math"
	"regexp"
	"strings"
	"time"

	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Create makes a contact with its primary deal, in one transaction (reference
// §4.2). Faults are those of contact.CreateIn (a duplicate is Conflict with the
// detail "contactId", an archived holder is re-activated and updated); NotFound
// "pipeline" or "stage"; Invalid naming "value", "currency" or "title".
func (s *Service) Create(ctx context.Context, tenant id.ID, actor string, n NewCard) (Card, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Card, error) { return s.CreateIn(tx, actor, n) })
}

// CreateIn is Create inside a transaction.
func (s *Service) CreateIn(tx *store.Tx, actor string, n NewCard) (Card, error) {
	card, at, fresh, err := s.arrive(tx, actor, n, s.contacts.CreateWith)
	if err != nil || fresh {
		return card, err
	}
	return s.UpdateIn(tx, actor, card.Contact.ID, n.dealPatch(card, at))
}

// EnsureIn returns the card of the person whom n identifies (by phone, else by
// e-mail), un-archived and otherwise as it is; it makes one when there is none.
// A new contact without a name is called by the phone or the e-mail.
func (s *Service) EnsureIn(tx *store.Tx, actor string, n NewCard) (Card, bool, error) {
	named, err := s.named(tx, n)
	if err != nil {
		return Card{}, false, err
	}
	card, _, created, err := s.arrive(tx, actor, named, s.contacts.EnsureWith)
	return card, created, err
}

// Upsert is EnsureIn that also applies every field that n gives to a card that
// was there: tags and open maps are merged, a stage is a move; without a stage,
// another pipeline means its first stage (reference §4.2).
func (s *Service) Upsert(ctx context.Context, tenant id.ID, actor string, n NewCard) (card Card, created bool, err error) {
	type result struct {
		card    Card
		created bool
	}
	res, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (result, error) {
		c, created, err := s.UpsertIn(tx, actor, n)
		return result{c, created}, err
	})
	return res.card, res.created, err
}

// UpsertIn is Upsert inside a transaction.
func (s *Service) UpsertIn(tx *store.Tx, actor string, n NewCard) (Card, bool, error) {
	named, err := s.named(tx, n)
	if err != nil {
		return Card{}, false, err
	}
	card, at, created, err := s.arrive(tx, actor, named, s.contacts.EnsureWith)
	if err != nil {
		return card, created, err
	}
	if !created {
		p := n.dealPatch(card, at)
		p.Patch, p.AddTags = n.known(), n.Tags
		if card, err = s.UpdateIn(tx, actor, card.Contact.ID, p); err != nil {
			return card, false, err
		}
	}
	return card, created, s.remark(tx, actor, card.Contact.ID, n)
}

// known is what n says of a person who was found by it. What found them they have
// already: one of several phones stays what it is.
func (n NewCard) known() contact.Patch {
	p := n.AsPatch()
	if p.Phone == nil {
		p.Email = nil
	}
	p.Phone = nil
	return p
}

// remark writes what n says for the timeline.
func (s *Service) remark(tx *store.Tx, actor string, cid id.ID, n NewCard) error {
	if strings.TrimSpace(n.Note) != "" {
		if _, err := s.contacts.AddNoteIn(tx, actor, contact.Note{Contact: cid, Content: n.Note}); err != nil {
			return err
		}
	}
	if strings.TrimSpace(n.Activity) == "" {
		return nil
	}
	_, err := s.contacts.RecordIn(tx, contact.Activity{Contact: cid, Type: "system", Title: "Activity note", Body: n.Activity, PerformedBy: actor})
	return err
}

// named gives a person without a name one to be shown (reference §4.2).
func (s *Service) named(tx *store.Tx, n NewCard) (NewCard, error) {
	if strings.TrimSpace(n.FirstName+n.LastName) != "" {
		return n, nil
	}
	n.FirstName = n.Email
	if strings.TrimSpace(n.Phone) == "" {
		return n, nil
	}
	key, err := s.contacts.KeyOf(tx, n.Phone)
	n.FirstName = key
	return n, err
}

// dealPatch returns what n says about the deal of an existing card; at is where
// n says that it should stand.
func (n NewCard) dealPatch(card Card, at placement) CardPatch {
	p := CardPatch{Value: n.Value}
	if n.Currency != "" {
		p.Currency = &n.Currency
	}
	if n.Title != "" {
		p.Title = &n.Title
	}
	if !n.Stage.IsZero() || !n.Pipeline.IsZero() && n.Pipeline != card.Deal.Pipeline {
		p.Stage = &at.Stage.ID
	}
	return p
}

type arrival func(tx *store.Tx, actor string, n contact.New, complete contact.Complete) (contact.Contact, bool, error)

// arrive lets a contact arrive and completes it with its primary deal before
// the contact's events are appended, because reactors look at the whole card.
func (s *Service) arrive(tx *store.Tx, actor string, n NewCard, by arrival) (card Card, at placement, fresh bool, err error) {
	terms, err := s.terms(tx, n)
	if err != nil {
		return Card{}, at, false, err
	}
	if at, err = s.place(tx, n.Pipeline, n.Stage); err != nil {
		return Card{}, at, false, err
	}
	var made, restored bool
	complete := func(c contact.Contact, fresh bool) error {
		if fresh {
			var err error
			if at, err = s.hold(tx, at, n.Pipeline, n.Stage); err != nil {
				return err
			}
			d, err := insertDeal(tx, c.ID, at, terms)
			if err != nil {
				return err
			}
			card, made = Card{Contact: c, Deal: d, Pipeline: at.Pipeline, Stage: at.Stage}, true
			_, err = s.contacts.RecordIn(tx, contact.Activity{Contact: c.ID, Type: "lead_created", Title: "Lead created", PerformedBy: actor})
			return err
		}
		var err error
		card, made, restored, err = s.heal(tx, c)
		return err
	}
	_, fresh, err = by(tx, actor, n.New, complete)
	if err != nil {
		return Card{}, at, false, err
	}
	return card, at, fresh, s.healed(tx, actor, card, made, restored)
}

// heal gives a contact the primary deal it lacks, and opens one that was
// archived with the contact again.
func (s *Service) heal(tx *store.Tx, c contact.Contact) (card Card, made, restored bool, err error) {
	list, err := s.complete(tx, []contact.Contact{c})
	if err != nil {
		return Card{}, false, false, err
	}
	card = list[0]
	switch d := &card.Deal; {
	case d.ID.IsZero():
		at, err := s.place(tx, id.Zero, id.Zero)
		if err == nil {
			at, err = s.hold(tx, at, id.Zero, id.Zero)
		}
		if err != nil {
			return Card{}, false, false, err
		}
		card.Deal, err = insertDeal(tx, c.ID, at, terms{currency: d.Currency})
		card.Pipeline, card.Stage = at.Pipeline, at.Stage
		return card, true, false, err
	case d.Status == Archived && !c.Archived():
		return card, false, true, s.unarchive(tx, &card)
	}
	return card, false, false, nil
}

// unarchive opens the deals of a contact that were put away with it.
func (s *Service) unarchive(tx *store.Tx, card *Card) error {
	d := &card.Deal
	at := d.ArchivedAt
	ids, err := further(tx, d.Contact, Archived)
	if err != nil {
		return err
	}
	d.Status, d.ArchivedAt, d.UpdatedAt = card.Stage.status(), time.Time{}, tx.Now()
	if _, err := tx.Exec("UPDATE deal SET status=?, archived_at=?, updated_at=? WHERE tenant_id=? AND id=?", d.Status, d.ArchivedAt, d.UpdatedAt, d.ID); err != nil {
		return err
	}
	for _, v := range ids {
		if _, err := tx.Exec("UPDATE deal SET status=(SELECT CASE WHEN s.is_won THEN 'won' WHEN s.is_lost THEN 'lost' ELSE 'open' END FROM stage s WHERE s.tenant_id=deal.tenant_id AND s.id=deal.stage_id), archived_at=NULL, updated_at=?"+
			" WHERE tenant_id=? AND id=? AND archived_at=?", tx.Now(), v, at); err != nil {
			return err
		}
	}
	return nil
}

// healed appends the events of heal, and of a first deal.
func (s *Service) healed(tx *store.Tx, actor string, card Card, made, restored bool) error {
	switch {
	case made:
		if err := s.append(tx, actor, "deal.created", card.Deal); err != nil {
			return err
		}
		return s.appendOutcome(tx, actor, card.Deal)
	case restored:
		return s.append(tx, actor, "deal.updated", card.Deal, "status")
	}
	return nil
}

func (s *Service) append(tx *store.Tx, actor, typ string, d Deal, changed ...string) error {
	return s.appendAbout(tx, actor, typ, d.ID, d.Contact, changed...)
}

func (s *Service) appendAbout(tx *store.Tx, actor, typ string, subject, cid id.ID, changed ...string) error {
	_, err := s.log.Append(tx, event.New{Type: typ, Subject: subject, Contact: cid, Changed: changed, Actor: actor})
	return err
}

// appendOutcome tells that a deal has just been won or lost.
func (s *Service) appendOutcome(tx *store.Tx, actor string, d Deal) error {
	switch d.Status {
	case Won:
		return s.append(tx, actor, "deal.won", d)
	case Lost:
		return s.append(tx, actor, "deal.lost", d)
	}
	return nil
}

// terms are what a deal is about.
type terms struct {
	value           float64
	currency, title string
}

// MaxValue bounds the value of a deal.
const MaxValue = 1e15

var currencyForm = regexp.MustCompile(`^[A-Z]{3}$`)

func checkValue(v float64) error {
	if math.IsNaN(v) || v < 0 || v > MaxValue {
		return fault.Field("value", "the value of a deal is a number from 0 to 1e15")
	}
	return nil
}

func checkCurrency(s string) (string, error) {
	s = strings.ToUpper(strings.TrimSpace(s))
	if !currencyForm.MatchString(s) {
		return "", fault.Field("currency", "a currency is a three-letter code such as INR")
	}
	return s, nil
}

func checkTitle(s string) (string, error) { return contact.Line("title", s, 300) }

func (s *Service) terms(tx *store.Tx, n NewCard) (t terms, err error) {
	if n.Value != nil {
		if err := checkValue(*n.Value); err != nil {
			return t, err
		}
		t.value = *n.Value + 0 // -0 becomes 0
	}
	if t.title, err = checkTitle(n.Title); err != nil {
		return t, err
	}
	if n.Currency == "" {
		set, err := s.tenants.SettingsOf(tx)
		t.currency = set.Currency
		return t, err
	}
	t.currency, err = checkCurrency(n.Currency)
	return t, err
}

// newDeal is a contact's primary deal, which begins now.
func newDeal(now time.Time, cid id.ID, at placement, t terms) Deal {
	d := Deal{ID: id.New(), Contact: cid, Pipeline: at.Pipeline.ID, Stage: at.Stage.ID, Status: at.Stage.status(), Title: t.title, Value: t.value, Currency: t.currency,
		Primary: true, EnteredStageAt: now, CreatedAt: now, UpdatedAt: now, History: []StageSpan{{Stage: at.Stage.ID, EnteredAt: now}}}
	if d.Status != Open {
		d.ConvertedAt = now
	}
	return d
}

const dealInto = "deal (tenant_id, id, contact_id, pipeline_id, stage_id, status, title, value, currency, is_primary, entered_stage_at, converted_at, created_at, updated_at)"

// row holds the values of dealInto.
func (d *Deal) row() []any {
	return []any{d.ID, d.Contact, d.Pipeline, d.Stage, d.Status, d.Title, d.Value, d.Currency, d.Primary, d.EnteredStageAt, d.ConvertedAt, d.CreatedAt, d.UpdatedAt}
}

// insertDeal writes a contact's primary deal. The caller holds the stage.
func insertDeal(tx *store.Tx, cid id.ID, at placement, t terms) (Deal, error) {
	now := tx.Now()
	d := newDeal(now, cid, at, t)
	if _, err := tx.Exec("INSERT INTO "+dealInto+" VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", d.row()...); err != nil {
		return d, err
	}
	return d, enter(tx, d, now)
}
