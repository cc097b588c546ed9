package notification

import (
	"context"
	"errors"
	"slices"
	"strings"

	"parley/internal/access"
	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/webhook"
)

// teller is a subscription with what its key may be told now.
type teller struct {
	Subscription
	user         id.ID // for whom the key acts
	data, agents bool
	shape        string
}

// batch is what the notifications of some rows are made of.
type batch struct {
	s       *Service
	ctx     context.Context
	tenant  id.ID
	r       store.Reader
	draw    Renderer
	tellers []teller
	keys    map[id.ID]access.Key
	ended   []id.ID // subscriptions whose key is gone
	live    map[id.ID]id.ID
	people  map[id.ID]contact.Contact
	work    map[id.ID]handover.Work
	above   map[id.ID][]id.ID // of a group: it and those above it
	notes   []note
	later   []row         // wait for their contact's first work
	fresh   map[id.ID]row // of contacts: the row that tells that they are there
}

// note is one thing to tell, to whoever is in to.
type note struct {
	row     row
	contact id.ID // as it is called now
	topic   string
	typ     string
	updates []update
	ref     Ref // of an interaction or a quote
	to      []teller
}

var errNoRenderer = errors.New("notification: nobody draws notifications")

// process turns rows into deliveries and takes them away, in one transaction.
func (s *Service) process(ctx context.Context, tenant id.ID, rows []row) error {
	draw := s.renderer.Load()
	if draw == nil {
		return errNoRenderer
	}
	b := &batch{s: s, ctx: ctx, tenant: tenant, r: s.db.Read(ctx, tenant), draw: *draw, keys: map[id.ID]access.Key{}, above: map[id.ID][]id.ID{}, fresh: map[id.ID]row{}}
	if err := b.load(rows); err != nil {
		return err
	}
	rows, err := b.upToPlaced(rows)
	if err != nil {
		return err
	}
	for _, v := range rows {
		if err := b.tell(v); err != nil {
			return err
		}
	}
	b.order()
	bodies, list, err := b.deliveries()
	if err != nil {
		return err
	}
	err = s.db.Write(ctx, tenant, func(tx *store.Tx) error { return b.write(tx, rows, bodies, list) })
	if errors.Is(err, errTaken) {
		return nil // what is left of them is read again
	}
	return err
}

// load reads who is to be told and the contacts concerned.
func (b *batch) load(rows []row) (err error) {
	subs, err := all(b.r)
	if err != nil {
		return err
	}
	set, err := b.s.tenants.SettingsOf(b.r)
	if err != nil {
		return err
	}
	for _, v := range subs {
		k, err := b.key(v.Key)
		if err != nil {
			return err
		}
		if k.ID.IsZero() || !k.RevokedAt.IsZero() || !k.Group.IsZero() && k.Group != v.Group {
			b.ended = append(b.ended, v.ID)
			continue
		}
		if !k.Enabled {
			continue // a disabled integration is told nothing
		}
		t := teller{Subscription: v, user: k.User, shape: v.Shape}
		t.data, t.agents = b.draw.Rights(k)
		if t.shape == "" {
			t.shape = set.ProspectShape
		}
		b.tellers = append(b.tellers, t)
	}
	ids := make([]id.ID, 0, len(rows))
	for _, v := range rows {
		if !slices.Contains(ids, v.event.Contact) {
			ids = append(ids, v.event.Contact)
		}
	}
	if b.live, err = b.s.contacts.ResolveMany(b.r, ids); err != nil {
		return err
	}
	if b.people, err = b.s.contacts.GetMany(b.r, ids); err != nil {
		return err
	}
	if b.work, err = b.s.handovers.GetMany(b.r, ids); err != nil {
		return err
	}
	for _, w := range b.work {
		if _, ok := b.above[w.Group]; !ok {
			if b.above[w.Group], err = b.s.agents.Above(b.r, w.Group); err != nil {
				return err
			}
		}
	}
	return nil
}

// upToPlaced finds the rows that tell of a contact's first work, and adds them,
// with what stands before them of the same contact, where they are owed but not
// among the rows: a contact may be placed after the rows were read, and a batch may
// end before it. What happened to it earlier would else be told first.
func (b *batch) upToPlaced(rows []row) ([]row, error) {
	for _, v := range rows {
		if placed(v.event) {
			b.fresh[v.event.Contact] = v
		}
	}
	var late []any
	for _, v := range rows {
		c := v.event.Contact
		w, ok := b.work[c]
		_, known := b.fresh[c]
		if ok && !known && !w.UpdatedAt.Before(v.event.At) && !slices.Contains(late, any(c)) {
			late = append(late, c)
		}
	}
	have := rows[len(rows)-1].seq
	for part := range slices.Chunk(late, 100) {
		more, err := b.r.Query(`SELECT seq, operation_id, event, tries, next_at FROM notification_owed
			WHERE tenant_id=? AND contact_id IN (?`+strings.Repeat(",?", len(part)-1)+`) AND seq>? ORDER BY seq`, append(part, have)...)
		list, err := store.Collect(more, err, scanRow)
		if err != nil {
			return nil, err
		}
		for _, v := range list {
			if _, known := b.fresh[v.event.Contact]; !known && placed(v.event) {
				b.fresh[v.event.Contact] = v
			}
		}
		for _, v := range list {
			if f, ok := b.fresh[v.event.Contact]; ok && v.seq <= f.seq {
				rows = append(rows, v)
			}
		}
	}
	return rows, nil
}

// key returns a key, the zero one when there is none any more.
func (b *batch) key(v id.ID) (access.Key, error) {
	if k, ok := b.keys[v]; ok {
		return k, nil
	}
	k, err := b.s.keys.Get(b.ctx, b.tenant, v)
	if fault.As(err) != nil {
		k, err = access.Key{}, nil
	}
	if err == nil {
		b.keys[v] = k
	}
	return k, err
}

// tell adds the notes of a row.
func (b *batch) tell(v row) error {
	e := v.event
	if _, there := b.people[e.Contact]; !there {
		return nil // erased
	}
	w, placedNow := b.work[e.Contact]
	if !placedNow {
		if b.r.Now().Sub(e.At) < patience {
			b.later = append(b.later, v)
		}
		return nil
	}
	cid := e.Contact
	if to, ok := b.live[cid]; ok {
		cid = to
	}
	base := note{row: v, contact: cid}
	noun, verb, _ := strings.Cut(e.Type, ".")
	if e.Type == rated {
		noun, verb = "interaction", "created"
	}
	switch noun {
	case "handover":
		return b.moved(base, w)
	case "contact":
		return b.changed(base)
	case "inquiry":
		if !b.comes(v) {
			b.add(base, Prospects, Updated, w, update{field: "leads", now: true})
		}
	case "message", "note", "interaction":
		typ := Updated
		if verb == "received" || verb == "queued" || verb == "created" {
			typ = Created
		}
		if len(e.Changed) == 1 && e.Changed[0] == "isStarred" {
			return nil // ours alone
		}
		base.ref = Ref{cid, e.Subject}
		b.add(base, Interactions, typ, w)
	case "quote":
		base.ref = Ref{cid, e.Subject}
		b.add(base, Quotes, map[bool]string{true: Created, false: Updated}[verb == "created"], w)
	}
	return nil
}

// add tells the subscriptions of a topic whose group sees the contact.
func (b *batch) add(n note, topic, typ string, w handover.Work, updates ...update) {
	n.topic, n.typ, n.updates = topic, typ, updates
	for _, t := range b.tellers {
		if slices.Contains(t.Topics, topic) && b.sees(t, w) && !n.row.event.At.Before(t.CreatedAt) {
			n.to = append(n.to, t)
		}
	}
	b.put(n)
}

// comes reports whether a change of a contact comes with the news that it is there,
// which is drawn now.
func (b *batch) comes(v row) bool {
	first, ok := b.fresh[v.event.Contact]
	return ok && (v.seq < first.seq || v.event.At.Equal(first.event.At))
}

// put keeps a note that somebody is told, once: two events of one transaction may
// tell of the same interaction.
func (b *batch) put(n note) {
	if len(n.to) == 0 {
		return
	}
	for _, o := range b.notes {
		if !n.ref.ID.IsZero() && o.ref == n.ref && o.topic == n.topic && o.typ == n.typ && o.row.event.At.Equal(n.row.event.At) {
			return
		}
	}
	b.notes = append(b.notes, n)
}

func (b *batch) sees(t teller, w handover.Work) bool {
	return slices.Contains(b.above[w.Group], t.Group)
}

// order puts the news that a prospect is there before everything else of it, which
// may have happened before it was given to a group.
func (b *batch) order() {
	first := func(n note) bool { return n.typ == Created && (n.topic == Prospects || n.topic == Agents) }
	for i := range b.notes {
		if !first(b.notes[i]) {
			continue
		}
		for j := range i {
			if b.notes[j].contact == b.notes[i].contact && !first(b.notes[j]) {
				n := b.notes[i]
				copy(b.notes[j+1:i+1], b.notes[j:i])
				b.notes[j] = n
				break
			}
		}
	}
}

// write is the transaction of a batch.
func (b *batch) write(tx *store.Tx, rows []row, bodies []body, list []delivery) error {
	if err := lockLane(tx); err != nil {
		return err
	}
	for _, sub := range b.ended {
		if _, err := b.s.endIn(tx, "id=?", sub); err != nil {
			return err
		}
	}
	var gone []any
	for _, v := range rows {
		if slices.ContainsFunc(b.later, func(l row) bool { return l.seq == v.seq }) {
			if _, err := tx.Exec("UPDATE notification_owed SET tries=tries+1, next_at=? WHERE tenant_id=? AND seq=?", tx.Now().Add(retryFirst), v.seq); err != nil {
				return err
			}
			continue
		}
		gone = append(gone, v.seq)
	}
	if n, err := remove(tx, gone); err != nil || n < len(gone) {
		if err == nil { // erased, or another node was here: what is left comes again
			err = errTaken
		}
		return err
	}
	if len(list) == 0 {
		return nil
	}
	active, err := all(tx)
	if err != nil {
		return err
	}
	contacts := make([]id.ID, len(bodies))
	for i, v := range bodies {
		contacts[i] = v.contact
	}
	leads, err := b.s.contacts.ResolveMany(tx, contacts)
	if err != nil {
		return err
	}
	kept := make([]webhook.Body, len(bodies))
	for i, v := range bodies {
		if to, ok := leads[v.contact]; ok { // merged since
			v.contact = to
		}
		kept[i] = webhook.Body{Subject: subject(v.contact), JSON: v.json}
	}
	shared, err := b.s.hooks.KeepBodiesIn(tx, kept)
	if err != nil {
		return err
	}
	out := make([]webhook.Delivery, 0, len(list))
	for _, d := range list {
		if slices.ContainsFunc(active, func(v Subscription) bool { return v.ID == d.to.ID }) {
			out = append(out, webhook.Delivery{URL: d.to.CallbackURL, Event: d.event, Lane: d.to.ID.String(), Subject: kept[d.body].Subject,
				Shared: shared[d.body], Policy: webhook.SalesPolicy})
		}
	}
	if len(out) == 0 {
		return nil
	}
	_, err = b.s.hooks.DeliverManyIn(tx, out)
	return err
}

var errTaken = errors.New("notification: rows were taken meanwhile")

func remove(tx *store.Tx, seqs []any) (int, error) {
	total := 0
	for part := range slices.Chunk(seqs, 100) {
		n, err := tx.Exec("DELETE FROM notification_owed WHERE tenant_id=? AND seq IN (?"+strings.Repeat(",?", len(part)-1)+")", part...)
		if err != nil {
			return total, err
		}
		total += int(n)
	}
	return total, nil
}
