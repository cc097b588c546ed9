package contact

import (
	"database/sql"
	"slices"
	"strings"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Ensured is one outcome of EnsureManyIn: a contact, or why there is none.
type Ensured struct {
	Contact Contact
	Created bool
	// Err is the fault of this one person; the others are not touched by it.
	Err error
}

// EnsureManyIn is EnsureIn for many people by a handful of statements: out[i]
// tells of people[i]. People with the same phone (or, without one, the same
// e-mail) become one contact, which the first of them makes and tells Created
// of. A fault of one person stands in its Err; an error is the database's, or
// Unavailable, and ends the transaction. At most 1000 people in one call are
// sensible.
func (s *Service) EnsureManyIn(tx *store.Tx, actor string, people []New) ([]Ensured, error) {
	return s.EnsureManyWith(tx, actor, people, nil)
}

// EnsureManyWith is EnsureManyIn with something to complete, once, before the
// events are appended: see Complete.
func (s *Service) EnsureManyWith(tx *store.Tx, actor string, people []New, complete func([]Ensured) error) ([]Ensured, error) {
	b := crowd{tx: tx, out: make([]Ensured, len(people)), people: make([]person, len(people)), claims: map[[2]string]id.ID{}, fresh: map[id.ID]int{}}
	if err := b.clean(s, people); err != nil {
		return nil, err
	}
	if err := b.look(); err != nil {
		return nil, err
	}
	known, err := b.meet(s, actor)
	if err != nil {
		return nil, err
	}
	b.sort(known)
	if err := b.write(); err != nil {
		return nil, err
	}
	for _, i := range b.made {
		if err := s.refuseAtFirst(tx, b.out[i].Contact); err != nil {
			return nil, err
		}
	}
	if complete != nil {
		if err := complete(b.out); err != nil {
			return nil, err
		}
	}
	news := make([]event.New, 0, len(b.made))
	for _, i := range b.made {
		c := &b.out[i].Contact
		news = append(news, event.New{Type: "contact.created", Subject: c.ID, Contact: c.ID, Actor: actor})
	}
	return b.out, s.log.AppendMany(tx, news)
}

// crowd is a batch of people on their way in.
type crowd struct {
	tx     *store.Tx
	people []person
	out    []Ensured
	claims map[[2]string]id.ID // who claims an identity, new contacts too
	fresh  map[id.ID]int       // the person who makes a new contact
	made   []int               // those persons, in order
}

func (b *crowd) clean(s *Service, people []New) error {
	var keys []string
	for i, n := range people {
		n.Kind, n.Address = "", "" // many at once come from lists, which know no channel
		p, err := s.clean(b.tx, n)
		if err != nil {
			if fault.As(err) == nil {
				return err
			}
			b.out[i].Err = err
			continue
		}
		b.people[i] = p
		keys = append(keys, p.locks()...)
	}
	return b.tx.Lock("identity", keys...)
}

// look finds who claims the phones and e-mails.
func (b *crowd) look() error {
	values := map[string][]any{}
	for i, p := range b.people {
		if b.out[i].Err != nil {
			continue
		}
		if p.phone != "" {
			values[Phone] = append(values[Phone], p.phone)
		}
		if p.email != "" {
			values[Email] = append(values[Email], p.email)
		}
	}
	for _, kind := range []string{Phone, Email} {
		for part := range slices.Chunk(values[kind], 128) {
			args := append([]any{kind}, part...)
			for n := len(part); n&(n-1) != 0; n++ { // few sizes of statements
				args = append(args, part[0])
			}
			rows, err := b.tx.Query("SELECT value, contact_id FROM identity WHERE tenant_id=? AND kind=? AND claimed AND value IN "+places(len(args)-1), args...)
			_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
				var value string
				var cid id.ID
				if err = rows.Scan(&value, &cid); err == nil {
					b.claims[[2]string{kind, value}] = cid
				}
				return
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// meet locks and reads the people who are known, and takes archived ones back, one
// by one.
func (b *crowd) meet(s *Service, actor string) (map[id.ID]Contact, error) {
	var ids []id.ID
	first, held := map[id.ID]int{}, map[id.ID]bool{}
	for {
		var keys []string
		ids = ids[:0]
		clear(first)
		for i, p := range b.people {
			if b.out[i].Err != nil {
				continue
			}
			kind, value := p.identity()
			cid, ok := b.claims[[2]string{kind, value}]
			if _, seen := first[cid]; !ok || seen {
				continue
			}
			first[cid] = i
			if ids = append(ids, cid); !held[cid] {
				keys, held[cid] = append(keys, cid.String()), true
			}
		}
		if len(keys) == 0 {
			break
		}
		if err := b.tx.Lock("contact", keys...); err != nil {
			return nil, err
		}
		if b.tx.Dialect() == store.SQLite { // nobody else writes
			break
		}
		// Whoever had a lock before us may have merged the contact, or given the
		// identity up.
		clear(b.claims)
		if err := b.look(); err != nil {
			return nil, err
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	known, err := s.GetMany(b.tx, ids)
	if err != nil {
		return nil, err
	}
	for _, cid := range ids {
		if c := known[cid]; c.Archived() {
			if known[cid], _, err = s.arrive(b.tx, actor, b.people[first[cid]].New, true, nil); err != nil {
				return nil, err
			}
		}
	}
	return known, nil
}

// sort decides, person by person, who is known and who is new: as if they came
// one after the other.
func (b *crowd) sort(known map[id.ID]Contact) {
	for i, p := range b.people {
		if b.out[i].Err != nil {
			continue
		}
		kind, value := p.identity()
		if cid, ok := b.claims[[2]string{kind, value}]; ok {
			if at, ok := b.fresh[cid]; ok {
				b.out[i].Contact = b.out[at].Contact
			} else {
				b.out[i].Contact = known[cid]
			}
			continue
		}
		c := p.contact(b.tx)
		b.claims[[2]string{kind, value}] = c.ID
		if p.phone != "" {
			c.Identities = append(c.Identities, Identity{Kind: Phone, Value: p.phone, Raw: p.Phone, Primary: true, Claimed: true})
		}
		if p.email != "" {
			_, taken := b.claims[[2]string{Email, p.email}]
			taken = taken && p.phone != ""
			if !taken {
				b.claims[[2]string{Email, p.email}] = c.ID
			}
			c.Identities = append(c.Identities, Identity{Kind: Email, Value: p.email, Raw: p.Email, Primary: true, Claimed: !taken})
		}
		b.fresh[c.ID] = i
		b.made = append(b.made, i)
		b.out[i] = Ensured{Contact: c, Created: true}
	}
}

// write stores the new contacts.
func (b *crowd) write() error {
	now := b.tx.Now()
	var contacts, identities, tags, words, refs, attrs [][]any
	for _, i := range b.made {
		c := &b.out[i].Contact
		contacts = append(contacts, []any{c.ID, c.FirstName, c.LastName, searchName(c), c.Source, store.NullText(c.AssignedTo), store.JSON(c.Refs), store.JSON(c.Extra),
			store.JSON(c.Attributes), c.Score, c.CreatedAt, c.UpdatedAt})
		for _, v := range c.Identities {
			identities = append(identities, []any{c.ID, v.Kind, v.Value, v.Raw, v.Primary, v.Claimed, now})
		}
		for _, t := range c.Tags {
			tags = append(tags, []any{c.ID, t, now})
		}
		for _, w := range wordsOf(*c) {
			words = append(words, []any{w, c.ID})
		}
		for k, v := range c.Refs {
			refs = append(refs, []any{k, v, c.ID})
		}
		for _, a := range attributesOf(c.Attributes) {
			attrs = append(attrs, []any{a.name, a.key, c.ID})
		}
	}
	n, err := store.InsertRows(b.tx, "identity (tenant_id, contact_id, kind, value, raw, is_primary, claimed, created_at)", identities, "ON CONFLICT DO NOTHING")
	if err == nil && int(n) != len(identities) {
		// All values are locked, so this should not happen; nothing is half stored.
		err = fault.New(fault.Unavailable, "somebody else is storing the same people at this moment; try again")
	}
	if err != nil {
		return err
	}
	if _, err := store.InsertRows(b.tx, "contact (tenant_id, id, first_name, last_name, search_name, source, assigned_to, refs, extra, attributes, score, created_at, updated_at)", contacts, ""); err != nil {
		return err
	}
	if _, err := store.InsertRows(b.tx, "contact_tag (tenant_id, contact_id, tag, created_at)", tags, ""); err != nil {
		return err
	}
	// In the order of the index, neighbours are written together.
	slices.SortFunc(words, func(x, y []any) int { return strings.Compare(x[0].(string), y[0].(string)) })
	if err := putWords(b.tx, words); err != nil {
		return err
	}
	if err := putRefs(b.tx, refs); err != nil {
		return err
	}
	return putAttributes(b.tx, attrs)
}
