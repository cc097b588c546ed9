package segment

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"slices"

	"parley/internal/contact"
	"parley/internal/entity"
	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/store"
)

// The events of membership. Subject is the segment; Changed holds "entity:<id>" and
// "schema:<slug>".
const (
	Entered = "segment.entered"
	Left    = "segment.left"
)

// errMoved tells that the segments were changed while entities were compared.
var errMoved = errors.New("segment: the segments were changed meanwhile")

// settle compares entities with the segments and writes what differs, the events of
// it, and that the rows are done.
func (s *Service) settle(ctx context.Context, tenant id.ID, debts []debt) error {
	r := s.db.Read(ctx, tenant)
	docs, err := s.byDocument(r, debts)
	if err != nil {
		return err
	}
	for range 20 {
		if err = s.compare(ctx, r, debts, docs); !errors.Is(err, errMoved) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

func (s *Service) compare(ctx context.Context, r store.Reader, debts []debt, docs map[id.ID]entity.Doc) error {
	ids := make([]id.ID, len(debts))
	for i, d := range debts {
		ids[i] = d.ref.ID
	}
	was, err := membersOf(r, ids)
	if err != nil {
		return err
	}
	var version int64
	found, known := map[id.ID][]*entry{}, map[int64]*entry{}
	if err := s.with(r, func(v *set) error {
		version = v.version
		for _, list := range was {
			for _, n := range list {
				known[n] = v.byNumber[n] // nil: it stands for no segment any more
			}
		}
		for _, d := range debts {
			if self(d.ref, docs[d.ref.ID]) {
				found[d.ref.ID] = v.containing(d.ref.Schema, docs[d.ref.ID])
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return s.db.Write(ctx, r.Tenant(), func(tx *store.Tx) error {
		if err := lockLane(tx); err != nil {
			return err
		}
		// Held: whoever changes segments waits.
		now, err := versionOf(tx, tx.Dialect().ForUpdate())
		if err != nil {
			return err
		}
		if now != version {
			return errMoved
		}
		still, err := unchanged(tx, debts)
		if err != nil || len(still) == 0 {
			return err
		}
		before, err := membersOf(tx, ids)
		if err != nil {
			return err
		}
		var news []event.New
		for _, d := range still {
			for _, n := range before[d.ref.ID] {
				if _, ok := known[n]; !ok { // a merge gave it this one
					return errMoved
				}
			}
			if to, ok := leadsOn(d.ref, docs[d.ref.ID]); ok { // merged: what changed is the survivor's
				if err := oweIn(tx, d.actor, false, to); err != nil {
					return err
				}
			} else {
				news = append(news, d.differences(before[d.ref.ID], found[d.ref.ID], known)...)
			}
			if err := remember(tx, d.ref, before[d.ref.ID], numbers(found[d.ref.ID])); err != nil {
				return err
			}
			for _, o := range d.rows {
				if _, err := tx.Exec("DELETE FROM segment_owed WHERE tenant_id=? AND entity_id=? AND xid=?", d.ref.ID, o.xid); err != nil {
					return err
				}
			}
		}
		return s.feed.AppendMany(tx, news)
	})
}

// differences are the events of an entity that was in the segments of some numbers and
// is in others now. Of segments that are not known yet nothing is told, nor of numbers that
// stand for no segment any more.
func (d debt) differences(before []int64, found []*entry, known map[int64]*entry) []event.New {
	var news []event.New
	add := func(typ string, e *entry) {
		if e == nil || !e.seeded {
			return
		}
		n := event.New{Type: typ, Subject: e.id, Actor: d.actor, Changed: []string{"entity:" + d.ref.ID.String(), "schema:" + d.ref.Schema}}
		if d.ref.Schema == entity.Contact {
			n.Contact = d.ref.ID
		}
		news = append(news, n)
	}
	now := numbers(found)
	for _, n := range before {
		if !slices.Contains(now, n) {
			add(Left, known[n])
		}
	}
	for _, e := range found {
		if !slices.Contains(before, e.number) {
			add(Entered, e)
		}
	}
	return news
}

// numbers lists the numbers of segments, ascending.
func numbers(list []*entry) []int64 {
	slices.SortFunc(list, func(a, b *entry) int { return int(a.number - b.number) })
	out := make([]int64, len(list))
	for i, e := range list {
		out[i] = e.number
	}
	return out
}

// unchanged returns those of the debts whose rows are all still as they were read:
// of another, somebody else has compared the entity, or it changed on SQLite, and
// its document is old.
func unchanged(tx *store.Tx, debts []debt) ([]debt, error) {
	ids := make([]id.ID, len(debts))
	for i, d := range debts {
		ids[i] = d.ref.ID
	}
	there, err := owedTo(tx, ids)
	if err != nil {
		return nil, err
	}
	rows := map[id.ID][]owedRow{}
	for _, d := range there {
		rows[d.ref.ID] = d.rows
	}
	var out []debt
	for _, d := range debts {
		if !slices.ContainsFunc(d.rows, func(o owedRow) bool { return !slices.Contains(rows[d.ref.ID], o) }) {
			out = append(out, d)
		}
	}
	return out, nil
}

// membersOf returns the numbers that are remembered of entities.
func membersOf(r store.Reader, ids []id.ID) (map[id.ID][]int64, error) {
	out := map[id.ID][]int64{}
	in, args := contact.Among(ids)
	rows, err := r.Query("SELECT entity_id, numbers FROM segment_member WHERE tenant_id=? AND entity_id IN "+in, args...)
	_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
		var v id.ID
		var list []int64
		if err = rows.Scan(&v, store.JSON(&list)); err == nil {
			out[v] = list
		}
		return x, err
	})
	return out, err
}

// remember writes the numbers of an entity where they are others than before.
func remember(tx *store.Tx, ref entity.Ref, before, now []int64) error {
	if slices.Equal(before, now) {
		return nil
	}
	if len(now) == 0 {
		_, err := tx.Exec("DELETE FROM segment_member WHERE tenant_id=? AND entity_id=?", ref.ID)
		return err
	}
	_, err := tx.Exec(`INSERT INTO segment_member (tenant_id, entity_id, entity_schema, numbers) VALUES (?,?,?,?)
		ON CONFLICT (tenant_id, entity_id) DO UPDATE SET numbers=excluded.numbers`, ref.ID, ref.Schema, store.JSON(now))
	return err
}

// self reports whether a document is that of the entity itself, not of one that it
// was merged into.
func self(ref entity.Ref, doc entity.Doc) bool {
	return doc != nil && doc["_id"] == ref.ID.UUID()
}

// leadsOn returns whom an entity was merged into.
func leadsOn(ref entity.Ref, doc entity.Doc) (entity.Ref, bool) {
	if doc == nil || self(ref, doc) {
		return entity.Ref{}, false
	}
	text, _ := doc["_id"].(string)
	v, ok, err := id.FromUUID(text)
	return entity.Ref{Schema: ref.Schema, ID: v}, ok && err == nil
}

func lockLane(tx *store.Tx) error { return tx.Lock("segment_lane", tx.Tenant().String()) }

func compare(a, b id.ID) int { return bytes.Compare(a[:], b[:]) }
