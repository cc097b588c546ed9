package contact

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// holders returns who claims the person's phones and e-mails, the oldest first, by
// the index identity_claim.
func (g *gathering) holders(r store.Reader) ([]id.ID, error) {
	var parts []string
	var args []any
	for _, kind := range []string{Phone, Email} {
		var values []any
		for _, w := range g.ways {
			if w.Kind == kind {
				values = append(values, w.Value)
			}
		}
		if len(values) == 0 {
			continue
		}
		for n := len(values); n&(n-1) != 0; n++ { // few sizes of statements
			values = append(values, values[0])
		}
		at := len(args) + 2 // behind the tenant
		parts = append(parts, "SELECT contact_id FROM identity WHERE tenant_id=?1 AND claimed AND kind="+numbered(at, 1)+" AND value IN ("+numbered(at+1, len(values))+")")
		args = append(append(args, kind), values...)
	}
	rows, err := r.Query(strings.Join(parts, " UNION ALL "), args...)
	list, err := store.Collect(rows, err, scanID)
	slices.SortFunc(list, func(a, b id.ID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(list), err
}

// numbered writes n placeholders from a number on.
func numbered(from, n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = "?" + strconv.Itoa(from+i)
	}
	return strings.Join(list, ",")
}

// moved returns who claims the ways now that the contacts are locked. On SQLite
// nobody else writes, so the claims of all lie where they were merged to.
func (g *gathering) moved(tx *store.Tx, before []id.ID, now id.ID) ([]id.ID, error) {
	if tx.Dialect() == store.SQLite {
		return []id.ID{now}, nil
	}
	return g.holders(tx)
}

const identityInto = "identity (tenant_id, contact_id, kind, value, raw, is_primary, claimed, created_at)"

// create writes a new contact, unless one of its ways is claimed meanwhile.
func (g *gathering) create(s *Service, tx *store.Tx) (Contact, bool, error) {
	c := Contact{ID: id.New(), FirstName: g.first, LastName: g.last, Source: g.source, Tags: []string{}, Refs: map[string]string{},
		Extra: map[string]any{}, Attributes: map[string]any{}, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
	if c.Source == "" {
		c.Source = "other"
	}
	ok, err := c.gain(tx, append(slices.Clone(g.ways), g.nins...))
	if err == nil && !ok {
		_, err = tx.Exec("DELETE FROM identity WHERE tenant_id=? AND contact_id=?", c.ID)
	}
	if err != nil || !ok {
		return c, false, err
	}
	if err := insert(tx, &c); err != nil {
		return c, false, err
	}
	return c, true, s.refuseAtFirst(tx, c)
}

// gain stores identities that the contact has not got, and reports false when
// somebody else claims one of them; then the others may be stored. The first of a kind
// becomes the primary one.
func (c *Contact) gain(tx *store.Tx, list []Identity) (bool, error) {
	if len(list) == 0 {
		return true, nil
	}
	rows := make([][]any, len(list))
	for i := range list {
		v := &list[i]
		v.Primary = c.primary(v.Kind).Value == ""
		c.remember(*v)
		rows[i] = []any{c.ID, v.Kind, v.Value, v.Raw, v.Primary, v.Claimed, tx.Now()}
	}
	c.arrange()
	n, err := store.InsertRows(tx, identityInto, rows, "ON CONFLICT DO NOTHING")
	if err != nil || int(n) == len(rows) {
		return true, err
	}
	return false, nil
}

// arrange puts the identities into the order in which they are read.
func (c *Contact) arrange() {
	slices.SortFunc(c.Identities, func(a, b Identity) int {
		switch {
		case a.Primary && !b.Primary:
			return -1
		case b.Primary && !a.Primary:
			return 1
		}
		return cmp.Or(strings.Compare(b.Kind, a.Kind), strings.Compare(a.Value, b.Value))
	})
}

// enrich gives a known contact what it lacks, and returns the events of that.
func (g *gathering) enrich(s *Service, tx *store.Tx, actor string, c *Contact) ([]event.New, error) {
	old := foundBy(*c)
	var changed []string
	var lacks, got []Identity
	for _, w := range append(slices.Clone(g.ways), g.nins...) {
		at := slices.IndexFunc(c.Identities, func(i Identity) bool { return i.Kind == w.Kind && i.Value == w.Value })
		switch {
		case at < 0:
			lacks = append(lacks, w)
		case w.Claimed && !c.Identities[at].Claimed: // whoever claimed it is gone
			if _, err := tx.Exec("UPDATE identity SET claimed=? WHERE tenant_id=? AND contact_id=? AND kind=? AND value=?", true, c.ID, w.Kind, w.Value); err != nil {
				return nil, err
			}
			c.Identities[at].Claimed = true
			got = append(got, w)
		default:
			continue
		}
		if !slices.Contains(changed, w.Kind) {
			changed = append(changed, w.Kind)
		}
	}
	if ok, err := c.gain(tx, lacks); err != nil || !ok {
		if err == nil { // all values are locked, so nobody can have claimed one
			err = fault.New(fault.Unavailable, "somebody else is storing the same phone or e-mail at this moment; try again")
		}
		return nil, err
	}
	for _, i := range append(got, lacks...) {
		if err := s.refuseAgain(tx, c.ID, i); err != nil {
			return nil, err
		}
	}
	changed = append(c.named(g), changed...)
	if c.Source == "other" && g.source != "" {
		c.Source, changed = g.source, append(changed, "source")
	}
	var news []event.New
	if c.Archived() {
		c.ArchivedAt = time.Time{}
		news = append(news, event.New{Type: "contact.unarchived", Subject: c.ID, Contact: c.ID, Actor: actor})
	}
	if len(changed) > 0 {
		news = append(news, event.New{Type: "contact.updated", Subject: c.ID, Contact: c.ID, Changed: changed, Actor: actor})
	}
	if len(news) == 0 {
		return nil, nil
	}
	if err := update(tx, c); err != nil {
		return nil, err
	}
	return news, reindex(tx, old, *c)
}

// named fills names that are empty. A last name alone is taken only from somebody
// of the same first name, so that no name is made of two people's.
func (c *Contact) named(g *gathering) (changed []string) {
	same := c.FirstName == "" || g.first == "" || Fold(c.FirstName) == Fold(g.first)
	if c.LastName == "" && g.last != "" && same {
		c.LastName, changed = g.last, append(changed, "lastName")
	}
	if c.FirstName == "" && g.first != "" && (c.LastName == "" || g.last == "" || Fold(c.LastName) == Fold(g.last)) {
		c.FirstName, changed = g.first, append(changed, "firstName")
	}
	return changed
}
