package record

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
)

// People writes contacts as the entities of schema contact that they are shown as:
// what is no field of the contact is an open attribute. It owns no table; whatever
// it writes every other API reads.
type People struct {
	db       *store.DB
	contacts *contact.Service
	deals    *deal.Service
}

// NewPeople returns the writer of contacts.
func NewPeople(db *store.DB, contacts *contact.Service, deals *deal.Service) *People {
	return &People{db: db, contacts: contacts, deals: deals}
}

// Person is what a contact is to be, or how it is to change; nil fields stay.
type Person struct {
	FirstName, LastName *string
	Phone, Email        *string // the primary ones
	Source              *string
	Score               *int
	Tags                *[]string
	// Open and Additional are merge patches of the open attributes, which an entity
	// shows twice: at the top and in additional. Where both name one, that which
	// differs from what is stored counts, and Open before Additional.
	Open, Additional map[string]any
	Seen             time.Time // as in Patch
	Restore          bool      // an archived contact is taken up again
	// Whole replaces everything: what is nil or not named goes. Source and Score stay.
	Whole bool
}

// faultNames are the entity's names of the contact's fields.
var faultNames = map[string]string{"firstName": "first_name", "lastName": "last_name", "tags": "_tags"}

// wired gives the fields of a fault those names, also where a sentence begins with
// one.
func wired(err error) error {
	f := fault.As(fault.Renamed(err, faultNames))
	if f == nil {
		return err
	}
	for _, e := range append([]*fault.Error{f}, f.Fields...) {
		for was, now := range faultNames {
			if rest, ok := strings.CutPrefix(e.Message, was+" "); ok && e.Field == now {
				e.Message = now + " " + rest
			}
		}
	}
	return f
}

// Create makes a contact with its primary deal. The phone identifies, else the
// e-mail. Faults: Invalid naming the field; Conflict with Reason "phone" or "email"
// when a contact has it already, unless that one is archived: then it is taken up
// again and changed.
func (p *People) Create(ctx context.Context, tenant id.ID, actor string, in Person) (contact.Contact, error) {
	return store.Write(ctx, p.db, tenant, func(tx *store.Tx) (contact.Contact, error) { return p.CreateIn(tx, actor, in) })
}

// CreateIn is Create inside a transaction.
func (p *People) CreateIn(tx *store.Tx, actor string, in Person) (contact.Contact, error) {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	open, err := in.attributes(nil)
	if err != nil {
		return contact.Contact{}, err
	}
	n := contact.New{FirstName: text(in.FirstName), LastName: text(in.LastName), Phone: text(in.Phone), Email: text(in.Email), Source: text(in.Source), Attributes: open}
	if in.Tags != nil {
		n.Tags = *in.Tags
	}
	if n.Phone == "" && n.Email == "" {
		return contact.Contact{}, fault.Field("phone", "a contact needs a phone or an email, by which it can be found").Because("missing")
	}
	if err := p.lock(tx, in); err != nil {
		return contact.Contact{}, err
	}
	card, err := p.deals.CreateIn(tx, actor, deal.NewCard{New: n})
	if err != nil || in.Score == nil {
		return card.Contact, wired(err)
	}
	c, _, err := p.contacts.UpdateIn(tx, actor, card.Contact.ID, contact.Patch{Score: in.Score})
	return c, wired(err)
}

// Update changes a contact, under any id it ever had. Faults: NotFound; Conflict
// with Reason "stale", or "phone" and "email" when another contact has it; Invalid
// naming the field.
func (p *People) Update(ctx context.Context, tenant id.ID, actor string, cid id.ID, in Person) (contact.Contact, error) {
	return store.Write(ctx, p.db, tenant, func(tx *store.Tx) (contact.Contact, error) { return p.UpdateIn(tx, actor, cid, in) })
}

// UpdateIn is Update inside a transaction.
func (p *People) UpdateIn(tx *store.Tx, actor string, cid id.ID, in Person) (contact.Contact, error) {
	if err := p.lock(tx, in); err != nil {
		return contact.Contact{}, err
	}
	c, err := p.contacts.LockedIn(tx, cid)
	if err != nil {
		return contact.Contact{}, err
	}
	if !in.Seen.IsZero() && c.UpdatedAt.After(in.Seen) {
		return contact.Contact{}, Stale(c.UpdatedAt)
	}
	if in.Restore && c.Archived() {
		if c, err = p.deals.RestoreIn(tx, actor, c.ID); err != nil {
			return contact.Contact{}, err
		}
	}
	patch, err := in.patch(c)
	if err != nil {
		return contact.Contact{}, err
	}
	c, _, err = p.contacts.UpdateIn(tx, actor, c.ID, patch)
	if err != nil {
		return contact.Contact{}, wired(err)
	}
	tags := in.Tags
	if tags == nil && in.Whole {
		tags = &[]string{}
	}
	if tags == nil {
		return c, nil
	}
	want, err := contact.Tags("_tags", *tags)
	if err != nil {
		return contact.Contact{}, err
	}
	gone, fresh := difference(c.Tags, want)
	// First away and then anew, so that a full set can be exchanged.
	if len(gone) > 0 {
		if c, err = p.contacts.TagIn(tx, actor, c.ID, nil, gone); err != nil {
			return contact.Contact{}, wired(err)
		}
	}
	if len(fresh) > 0 {
		c, err = p.contacts.TagIn(tx, actor, c.ID, fresh, nil)
	}
	return c, wired(err)
}

// minDigits is the least of a phone that reaches anybody, as the sales API counts.
const minDigits = 5

// lock takes the locks of the identities that are to be set, before the contact's.
func (p *People) lock(tx *store.Tx, in Person) error {
	var phones, emails []string
	if in.Phone != nil && *in.Phone != "" {
		key, err := p.contacts.KeyOf(tx, *in.Phone)
		if err != nil {
			return err
		}
		if len(key) < minDigits {
			return fault.Field("phone", "phone must have at least %d digits; write it with the country's code, as +493012345", minDigits)
		}
		phones = append(phones, key)
	}
	if in.Email != nil && *in.Email != "" {
		emails = append(emails, *in.Email)
	}
	return p.contacts.LockIn(tx, phones, emails)
}

// patch is what the contact room is to change of a contact.
func (in Person) patch(c contact.Contact) (contact.Patch, error) {
	out := contact.Patch{FirstName: in.FirstName, LastName: in.LastName, Phone: in.Phone, Email: in.Email, Source: in.Source, Score: in.Score}
	if in.Whole {
		none := ""
		for _, f := range []**string{&out.FirstName, &out.LastName, &out.Phone, &out.Email} {
			if *f == nil {
				*f = &none
			}
		}
	}
	now, _ := filter.Canonical(c.Attributes).(map[string]any)
	next, err := in.attributes(now)
	if err != nil {
		return out, err
	}
	out.Attributes = map[string]any{}
	for name, v := range next {
		if old, has := now[name]; !has || !reflect.DeepEqual(old, v) {
			out.Attributes[name] = v
		}
	}
	for name := range now {
		if _, has := next[name]; !has {
			out.Attributes[name] = nil
		}
	}
	return out, nil
}

// attributes are the open attributes as they will be.
func (in Person) attributes(now map[string]any) (map[string]any, error) {
	base := now
	if in.Whole {
		base = nil
	}
	byTop, err := Merged(base, in.Open)
	if err != nil {
		return nil, err
	}
	out, err := Merged(base, in.Additional)
	if err != nil {
		return nil, err
	}
	for name := range in.Open {
		if _, both := in.Additional[name]; both && reflect.DeepEqual(byTop[name], now[name]) {
			continue // it was sent back as it had been read
		}
		if v, has := byTop[name]; has {
			out[name] = v
		} else {
			delete(out, name)
		}
	}
	return out, nil
}

// Archive puts a contact away with its deals; doing so again changes nothing.
// NotFound.
func (p *People) Archive(ctx context.Context, tenant id.ID, actor string, cid id.ID) error {
	_, err := p.deals.Archive(ctx, tenant, actor, cid)
	return err
}

// Erase takes away everything that is known of a person (contact.Erase). NotFound.
func (p *People) Erase(ctx context.Context, tenant id.ID, actor string, cid id.ID) error {
	_, err := p.contacts.Erase(ctx, tenant, actor, cid)
	return err
}

// UpsertedPerson is who an upsert came to.
type UpsertedPerson struct {
	Contact contact.Contact
	Fresh   bool // made now
}

// Upsert changes the one contact that has the values which unique names, or makes
// it. unique names "phone" or "email", or open attributes, or several of these.
// Faults: Invalid naming "unique_key"; Conflict with Reason "ambiguous"; those of
// Create and Update.
func (p *People) Upsert(ctx context.Context, tenant id.ID, actor string, unique []string, in Person) (UpsertedPerson, error) {
	return store.Write(ctx, p.db, tenant, func(tx *store.Tx) (UpsertedPerson, error) { return p.UpsertIn(tx, actor, unique, in) })
}

// UpsertIn is Upsert inside a transaction.
func (p *People) UpsertIn(tx *store.Tx, actor string, unique []string, in Person) (UpsertedPerson, error) {
	open, err := in.attributes(nil)
	if err != nil {
		return UpsertedPerson{}, err
	}
	for name, v := range map[string]*string{"phone": in.Phone, "email": in.Email} {
		delete(open, name) // an attribute cannot be meant
		if v != nil {
			open[name] = *v
		}
	}
	key, err := UniqueKey(unique, open)
	if err != nil {
		return UpsertedPerson{}, err
	}
	if err := tx.Lock("record.unique", "contact "+encoded(key)); err != nil {
		return UpsertedPerson{}, err
	}
	if err := p.lock(tx, in); err != nil {
		return UpsertedPerson{}, err
	}
	list, err := p.holding(tx, key)
	if err != nil {
		return UpsertedPerson{}, err
	}
	switch len(list) {
	case 0:
		c, err := p.CreateIn(tx, actor, in)
		return UpsertedPerson{c, true}, err
	case 1:
		c, err := p.UpdateIn(tx, actor, list[0], in)
		return UpsertedPerson{Contact: c}, err
	}
	return UpsertedPerson{}, Ambiguous()
}

// many bounds the contacts that are looked at for an upsert by an attribute.
const many = 5000

// holding returns the contacts that have a key.
func (p *People) holding(r store.Reader, key map[string]any) ([]id.ID, error) {
	attributes := map[string]any{}
	var found []id.ID
	looked := false
	for name, v := range key {
		if name != "phone" && name != "email" {
			attributes[name] = v
			continue
		}
		list, err := p.having(r, name, v, len(key) == 1)
		if err != nil {
			return nil, err
		}
		if looked {
			list = slices.DeleteFunc(list, func(v id.ID) bool { return !slices.Contains(found, v) })
		}
		found, looked = list, true
	}
	if len(attributes) == 0 {
		return found, nil
	}
	if !looked {
		f := filter.Filter{Op: filter.And}
		for name, v := range attributes {
			f.Of = append(f.Of, filter.Filter{Op: filter.Same, Field: name, Value: v})
		}
		list, more, err := p.contacts.LikelyWith(r, f, many)
		if err != nil {
			return nil, err
		}
		if more {
			return nil, fault.New(fault.Conflict, "unique_key does not tell contacts apart: too many have such values; name phone or email, or more attributes").Because("ambiguous")
		}
		found = list
	}
	people, err := p.contacts.GetMany(r, found)
	if err != nil {
		return nil, err
	}
	var out []id.ID
	for _, v := range found {
		c, ok := people[v]
		if !ok {
			continue
		}
		now, _ := filter.Canonical(c.Attributes).(map[string]any)
		if (Record{Attributes: now}).holds(attributes) && !slices.Contains(out, c.ID) {
			out = append(out, c.ID)
		}
	}
	return out, nil
}

// having returns the contacts that have a phone or an e-mail. Alone, an address
// finds whoever claims it: others may keep it, but it is not theirs.
func (p *People) having(r store.Reader, name string, v any, alone bool) ([]id.ID, error) {
	text, ok := v.(string)
	if !ok {
		return nil, fault.Field(name, "%s must be a text", name)
	}
	kind, value, all := contact.Email, strings.ToLower(strings.TrimSpace(text)), p.contacts.WithEmail
	if name == "phone" {
		key, err := p.contacts.KeyOf(r, text)
		if err != nil {
			return nil, err
		}
		kind, value, all = contact.Phone, key, p.contacts.WithPhone
	}
	if alone {
		holder, err := p.contacts.Holder(r, kind, value)
		if err != nil || !holder.IsZero() {
			return []id.ID{holder}, err
		}
	}
	return all(r, text)
}
