package entity_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/entity"
	"parley/internal/event"
	"parley/internal/filter"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/record"
)

func TestAPersonIsADocument(t *testing.T) {
	each(t, func(w *world) {
		value := 250.5
		c := w.card(deal.NewCard{New: contact.New{FirstName: "Ana", LastName: "Lima", Phone: "+55 11 98765-4321", Email: "Ana@Example.com", Source: "fair", Tags: []string{"vip", "new"},
			Attributes: map[string]any{"city": "Recife", "status": "mine", "phone.x": 1, "big": 12}}, Value: &value})
		cid := c.Contact.ID
		_, err := w.work.Place(bg, w.tenant, actor, cid, handover.Arrival{Group: w.depot.ID})
		w.check(err)
		_, err = w.work.Transfer(bg, w.tenant, actor, cid, handover.Destination{Agent: w.asha.ID})
		w.check(err)
		_, err = w.work.Label(bg, w.tenant, actor, cid, "hot")
		w.check(err)
		doc := w.doc(entity.Contact, cid)
		for _, name := range []string{"_created_at", "_updated_at"} {
			if s, _ := doc[name].(string); len(s) != len("2026-11-22T06:55:10.069Z") || !strings.HasSuffix(s, "Z") {
				t.Errorf("%s is %v", name, doc[name])
			}
			delete(doc, name)
		}
		org := w.tenant.UUID()
		attributes := map[string]any{"city": "Recife", "status": "mine", "phone.x": int64(1), "big": int64(12)}
		want := entity.Doc{"_id": cid.UUID(), "_org": org, "_schema": "contact", "_title": "Ana Lima", "_tags": []any{"new", "vip"},
			"_owners": []any{map[string]any{"org_id": org}}, "_acl": map[string]any{"view": []any{}, "edit": []any{}, "delete": []any{}},
			"first_name": "Ana", "last_name": "Lima", "phone": "+5511987654321", "phones": []any{"+5511987654321"}, "email": "ana@example.com", "emails": []any{"ana@example.com"},
			"source": "fair", "score": int64(0), "archived": false, "status": "followUp", "label": "hot", "category": "general",
			"group": "Shop", "group_id": w.shop.ID.UUID(), "agent": "Asha Rao", "agent_id": w.asha.ID.UUID(),
			"stage": c.Stage.Name, "pipeline": c.Pipeline.Name, "value": 250.5, "additional": attributes, "city": "Recife", "big": int64(12)}
		if d := cmp.Diff(want, doc); d != "" {
			t.Error(d)
		}
	})
}

func TestTitlesOfPeople(t *testing.T) {
	each(t, func(w *world) {
		for title, n := range map[string]contact.New{
			"Ana":            {FirstName: " Ana ", Phone: "+5511987650001"},
			"de Souza":       {LastName: "de Souza", Email: "a@example.com"},
			"+5511987650002": {Phone: "+5511987650002", Email: "b@example.com"},
			"c@example.com":  {Email: "C@example.com"},
		} {
			cid := w.card(deal.NewCard{New: n}).Contact.ID
			page := w.all(entity.Contact, filter.Filter{Op: filter.Equal, Field: "_id", Value: cid.UUID()})
			if doc := w.doc(entity.Contact, cid); doc["_title"] != title || len(page) != 1 || page[0] != (entity.Found{ID: cid, Title: title}) {
				t.Errorf("%q: %v, %v", title, doc["_title"], page)
			}
		}
	})
}

func TestDocumentsByTheIdsGiven(t *testing.T) {
	each(t, func(w *world) {
		a := w.card(deal.NewCard{New: contact.New{FirstName: "Ana", Phone: "+5511987650001"}}).Contact.ID
		b := w.card(deal.NewCard{New: contact.New{FirstName: "Bob", Phone: "+5511987650002"}}).Contact.ID
		gone := w.card(deal.NewCard{New: contact.New{FirstName: "Eve", Phone: "+5511987650003"}}).Contact.ID
		_, err := w.people.Erase(bg, w.tenant, actor, gone)
		w.check(err)
		rec := w.record(record.New{Schema: "order", Title: "One", Owner: w.asha.ID})
		away := w.record(record.New{Schema: "order"})
		_, err = w.records.Delete(bg, w.tenant, actor, "order", away.ID)
		w.check(err)
		survivor, err := w.people.Merge(bg, w.tenant, actor, a, b)
		w.check(err)
		for schema, want := range map[string][]id.ID{entity.Contact: {a, b}, "order": {rec.ID}, "meter": nil} {
			m, err := w.s.Documents(w.r(), schema, []id.ID{a, b, gone, id.New(), rec.ID, away.ID, a})
			w.check(err)
			var got []id.ID
			for _, v := range []id.ID{a, b, gone, rec.ID, away.ID} {
				if m[v] != nil {
					got = append(got, v)
				}
			}
			if !slices.Equal(got, want) || len(m) != len(want) {
				t.Errorf("%s: %v", schema, m)
			}
			if schema == entity.Contact && (m[a]["_id"] != survivor.ID.UUID() || m[b]["_id"] != survivor.ID.UUID()) {
				t.Errorf("merged: %v %v", m[a], m[b])
			}
		}
		if by := w.doc("order", rec.ID)["_owners"]; !cmp.Equal(by, []any{map[string]any{"org_id": w.tenant.UUID(), "user_id": w.asha.ID.UUID()}}) {
			t.Errorf("owned by %v", by)
		}
		other := newWorld(t, w.db)
		if m, err := other.s.Documents(other.r(), entity.Contact, []id.ID{a}); err != nil || len(m) != 0 {
			t.Errorf("another tenant reads %v, %v", m, err)
		}
	})
}

// Whatever changes a document tells of it by an event that ChangedBy lists.
func TestWhateverChangesADocumentTells(t *testing.T) {
	each(t, func(w *world) {
		cid := w.card(deal.NewCard{New: contact.New{FirstName: "Ana", Phone: "+5511987650001"}}).Contact.ID
		other := w.card(deal.NewCard{New: contact.New{FirstName: "Bob", Phone: "+5511987650002"}}).Contact.ID
		rec := w.record(record.New{Schema: "order", Title: "One"}).ID
		p, err := w.cards.Pipelines(bg, w.tenant)
		w.check(err)
		card := func(p deal.CardPatch) func() error {
			return func() error { _, err := w.cards.Update(bg, w.tenant, actor, cid, p); return err }
		}
		order := func(p record.Patch) func() error {
			return func() error { _, err := w.records.Update(bg, w.tenant, actor, "order", rec, p); return err }
		}
		person, thing := entity.Ref{Schema: entity.Contact, ID: cid}, entity.Ref{Schema: "order", ID: rec}
		for _, step := range []struct {
			name string
			ref  entity.Ref
			do   func() error
		}{
			{"named", person, card(deal.CardPatch{Patch: contact.Patch{FirstName: ptr("Anna")}})},
			{"tagged", person, card(deal.CardPatch{AddTags: []string{"vip"}})},
			{"untagged", person, card(deal.CardPatch{RemoveTags: []string{"vip"}})},
			{"valued", person, card(deal.CardPatch{Value: ptr(5.0)})},
			{"moved", person, card(deal.CardPatch{Stage: &p[0].Stages[1].ID})},
			{"won", person, card(deal.CardPatch{Stage: &p[0].Stages[len(p[0].Stages)-1].ID})},
			{"scored", person, func() error {
				_, err := w.cards.Rescore(bg, w.tenant, actor, cid)
				return err
			}},
			{"attributed", person, card(deal.CardPatch{Patch: contact.Patch{Attributes: map[string]any{"city": "Recife"}}})},
			{"mailed", person, card(deal.CardPatch{Patch: contact.Patch{Email: ptr("ana@example.com")}})},
			{"placed", person, func() error {
				_, err := w.work.Place(bg, w.tenant, actor, cid, handover.Arrival{Group: w.shop.ID})
				return err
			}},
			{"transferred", person, func() error {
				_, err := w.work.Transfer(bg, w.tenant, actor, cid, handover.Destination{Agent: w.asha.ID})
				return err
			}},
			{"labelled", person, func() error { _, err := w.work.Label(bg, w.tenant, actor, cid, "hot"); return err }},
			{"put away", person, func() error { _, err := w.work.Archive(bg, w.tenant, actor, cid, "converted"); return err }},
			{"taken up", person, func() error { _, err := w.work.Unarchive(bg, w.tenant, actor, cid); return err }},
			{"archived", person, func() error { _, err := w.cards.Archive(bg, w.tenant, actor, cid); return err }},
			{"merged", person, func() error { _, err := w.people.Merge(bg, w.tenant, actor, cid, other); return err }},
			{"merged away", entity.Ref{Schema: entity.Contact, ID: other}, func() error { _, _, err := w.people.Unmerge(bg, w.tenant, actor, cid); return err }},
			{"erased", person, func() error { _, err := w.people.Erase(bg, w.tenant, actor, cid); return err }},
			{"retitled", thing, order(record.Patch{Title: ptr("Two")})},
			{"attributed", thing, order(record.Patch{Attributes: map[string]any{"a": map[string]any{"b": 1}}})},
			{"tagged", thing, order(record.Patch{Tags: &[]string{"x"}})},
			{"deleted", thing, func() error { _, err := w.records.Delete(bg, w.tenant, actor, "order", rec); return err }},
			{"restored", thing, order(record.Patch{Restore: true})},
			{"purged", thing, func() error { _, err := w.records.Purge(bg, w.tenant, actor, "order", rec); return err }},
		} {
			before, at := w.doc(step.ref.Schema, step.ref.ID), w.head()
			w.check(step.do())
			after := w.doc(step.ref.Schema, step.ref.ID)
			if cmp.Equal(before, after) {
				t.Errorf("%s: nothing changed", step.name)
			}
			var told []string
			affected := false
			for _, e := range w.since(at) {
				told = append(told, e.Type)
				affected = affected || slices.Contains(entity.Affected(e), step.ref)
			}
			if !affected {
				t.Errorf("%s: nothing told of it: %v", step.name, told)
			}
		}
	})
}

// since returns the events behind a place of the feed.
func (w *world) since(at event.Cursor) []event.Event {
	w.Helper()
	list, err := event.After(w.r(), at, 1000)
	w.check(err)
	return list
}

func (w *world) head() event.Cursor {
	w.Helper()
	at, err := event.End(w.r())
	w.check(err)
	return at
}

func TestAWalkMeetsWhatComesMeanwhile(t *testing.T) {
	each(t, func(w *world) {
		var want []id.ID
		make := func() {
			want = append(want, w.record(record.New{Schema: "order", Attributes: map[string]any{"n": len(want)}}).ID)
		}
		for range 5 {
			make()
		}
		var got []id.ID
		after := id.Zero
		for {
			page, next, err := w.s.Walk(w.r(), "order", filter.Filter{}, after, 2)
			w.check(err)
			for _, f := range page {
				got = append(got, f.ID)
			}
			if next.IsZero() {
				break
			}
			if after = next; len(want) < 8 {
				make()
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("met %v, want %v", got, want)
		}
	})
}
