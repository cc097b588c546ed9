package segment

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/record"
	"parley/internal/store"
)

func ptr[T any](v T) *T { return &v }

// A segment keeps what it was given, changes part by part or as a whole, and is
// gone when it was deleted.
func TestKeeping(t *testing.T) {
	each(t, func(w *world) {
		given := New{Name: "  Berlin ", Description: "who lives there\n", Schema: "contact", Filters: where("city", "Berlin"), Tags: []string{"b", "a", "b", ""},
			Extra: map[string]any{"_purpose": []any{"x"}, "big": int64(9007199254740993)}, CreatedBy: "me"}
		v, err := w.s.Create(bg, w.tenant, actor, given)
		w.check(err)
		got, err := w.s.Get(w.r(), v.ID)
		w.check(err)
		if got.Name != "Berlin" || got.Description != "who lives there\n" || got.Schema != "contact" || !same(got.Filters, given.Filters) || got.Empty ||
			!slices.Equal(got.Tags, []string{"b", "a"}) || got.Extra["big"] != int64(9007199254740993) || got.CreatedBy != "me" || got.CreatedAt.IsZero() || !same(got, v) {
			t.Errorf("kept %+v", got)
		}
		changed, err := w.s.Update(bg, w.tenant, actor, v.ID, Change{Name: ptr("Bern"), Extra: map[string]any{"big": nil, "more": true}})
		w.check(err)
		if changed.Name != "Bern" || !same(changed.Filters, given.Filters) || changed.number != v.number || !same(changed.Extra, map[string]any{"_purpose": []any{"x"}, "more": true}) {
			t.Errorf("changed %+v", changed)
		}
		other, err := w.s.Update(bg, w.tenant, actor, v.ID, Change{Filters: ptr(where("city", "Bern"))})
		w.check(err)
		if other.number == v.number || other.seeded {
			t.Errorf("other filters kept the number: %+v", other)
		}
		spelt := map[string]any{"filter": map[string]any{"combination": "and", "items": []any{map[string]any{"key": "city", "operator": "=", "value": "Bern"}}}}
		if again, err := w.s.Update(bg, w.tenant, actor, v.ID, Change{Filters: &spelt}); err != nil || again.number != other.number || !same(again.Filters, spelt) {
			t.Errorf("the same filters in other words: %+v %v", again, err)
		}
		none, err := w.s.Update(bg, w.tenant, actor, v.ID, Change{Filters: ptr(map[string]any(nil))})
		w.check(err)
		if !none.Empty || none.Filters != nil || !none.seeded {
			t.Errorf("filters taken away: %+v", none)
		}
		all, err := w.s.Replace(bg, w.tenant, actor, v.ID, New{Name: "Basel"})
		w.check(err)
		if all.Name != "Basel" || all.Description != "" || all.Schema != "" || all.Tags != nil || len(all.Extra) != 0 || all.CreatedBy != "me" || !all.CreatedAt.Equal(v.CreatedAt) {
			t.Errorf("replaced: %+v", all)
		}
		_, err = w.s.Update(bg, w.tenant, actor, v.ID, Change{Name: ptr("late"), Since: all.UpdatedAt.Add(-time.Second)})
		if f := fault.As(err); f == nil || f.Code != fault.Conflict || f.Reason != "changed" {
			t.Errorf("an old change: %v", err)
		}
		gone, err := w.s.Delete(bg, w.tenant, actor, v.ID)
		w.check(err)
		if gone.Name != "Basel" {
			t.Errorf("deleted %+v", gone)
		}
		for _, err := range []error{
			func() error { _, err := w.s.Get(w.r(), v.ID); return err }(),
			func() error { _, err := w.s.Update(bg, w.tenant, actor, v.ID, Change{}); return err }(),
			func() error { _, err := w.s.Replace(bg, w.tenant, actor, v.ID, given); return err }(),
			func() error { _, err := w.s.Delete(bg, w.tenant, actor, v.ID); return err }(),
		} {
			if f := fault.As(err); f == nil || f.Code != fault.NotFound || f.Reason != Noun {
				t.Errorf("a deleted segment: %v", err)
			}
		}
	})
}

func TestRefusing(t *testing.T) {
	each(t, func(w *world) {
		var deep any = "x"
		for range 40 {
			deep = []any{deep}
		}
		for field, n := range map[string]New{
			"name":           {Name: " "},
			"description":    {Name: "x", Description: "a\x00b"},
			"entity_schema":  {Name: "x", Schema: "a b"},
			"_tags[1]":       {Name: "x", Tags: []string{"a", strings.Repeat("x", MaxTag+1)}},
			"deep":           {Name: "x", Extra: map[string]any{"deep": deep}},
			"entity_filters": {Name: "x", Filters: map[string]any{"note": strings.Repeat("x", MaxFilters)}},
			"attributes":     {Name: "x", Extra: map[string]any{"long": strings.Repeat("x", MaxExtra)}},
			"entity_filters.filter.items[0].operator": {Name: "x", Filters: map[string]any{"filter": map[string]any{"items": []any{map[string]any{"key": "a", "operator": "is odd", "value": 1}}}}},
		} {
			_, err := w.s.Create(bg, w.tenant, actor, n)
			w.wantFault(err, fault.Invalid, field)
		}
		v := w.segment("contact", "a", "b")
		_, err := w.s.Create(bg, w.tenant, actor, New{ID: v.ID, Name: "twice"})
		if f := fault.As(err); f == nil || f.Reason != "exists" {
			t.Errorf("an id twice: %v", err)
		}
		if n := w.count("SELECT segments FROM segment_set WHERE tenant_id=?"); n != 1 {
			t.Errorf("%d segments are counted", n)
		}
	})
}

// A segment contains whom it contains now; several entities match when one does,
// and each counts only for its schema.
func TestMatching(t *testing.T) {
	each(t, func(w *world) {
		berlin, bern := w.person(map[string]any{"city": "Berlin"}), w.person(map[string]any{"city": "Bern"})
		rec, err := w.records.Create(bg, w.tenant, actor, record.New{Schema: "contract", Attributes: map[string]any{"city": "Berlin"}})
		w.check(err)
		a, b := w.segment("contact", "city", "Berlin"), w.segment("contract", "city", "Berlin")
		empty, err := w.s.Create(bg, w.tenant, actor, New{Name: "empty", Schema: "contact"})
		w.check(err)
		nobody := w.segment("", "city", "Berlin")
		ids := []id.ID{nobody.ID, b.ID, id.New(), a.ID, empty.ID, a.ID}
		match := func(want []Segment, refs ...entity.Ref) {
			w.Helper()
			got, err := w.s.Match(w.r(), refs, ids)
			w.check(err)
			if !same(got, want) && len(got)+len(want) > 0 {
				t.Errorf("%v match %v, want %v", refs, got, want)
			}
		}
		person, contract := entity.Ref{Schema: "contact", ID: berlin}, entity.Ref{Schema: "contract", ID: rec.ID}
		match([]Segment{b, a}, person, contract)
		match([]Segment{a}, entity.Ref{Schema: "contact", ID: bern}, person)
		match([]Segment{b}, contract)
		match(nil, entity.Ref{Schema: "contract", ID: berlin}, entity.Ref{Schema: "contact", ID: rec.ID}, entity.Ref{Schema: "contact", ID: id.New()})
		match(nil)
		containing := func(ref entity.Ref, want ...id.ID) {
			w.Helper()
			slices.SortFunc(want, compare)
			got, err := w.s.Containing(w.r(), ref)
			w.check(err)
			if !slices.Equal(got, want) {
				t.Errorf("%v is in %v, want %v", ref, got, want)
			}
		}
		containing(person, a.ID)
		containing(contract, b.ID)
		containing(entity.Ref{Schema: "contact", ID: bern})
		w.set(bern, map[string]any{"city": "Berlin"})
		containing(entity.Ref{Schema: "contact", ID: bern}, a.ID)
		c := w.segment("contact", "first_name", "Asha")
		containing(person, a.ID, c.ID)
		_, err = w.s.Update(bg, w.tenant, actor, a.ID, Change{Filters: ptr(where("city", "Bern"))})
		w.check(err)
		containing(person, c.ID)
		_, err = w.s.Update(bg, w.tenant, actor, c.ID, Change{Schema: ptr("contract")})
		w.check(err)
		containing(person)
		_, err = w.s.Delete(bg, w.tenant, actor, b.ID)
		w.check(err)
		containing(contract)
		// A transaction sees its own segments, and nobody else does.
		w.write(func(tx *store.Tx) error {
			d, err := w.s.CreateIn(tx, actor, New{Name: "own", Schema: "contact", Filters: where("city", "Berlin")})
			if err != nil {
				return err
			}
			got, err := w.s.Containing(tx, person)
			if err != nil || !slices.Equal(got, []id.ID{d.ID}) {
				t.Errorf("within: %v %v", got, err)
			}
			if _, err := w.s.DeleteIn(tx, actor, d.ID); err != nil {
				return err
			}
			return nil
		})
		containing(person)
	})
}
