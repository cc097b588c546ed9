package record_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/internal/fault"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/record"
)

func TestALife(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		rec := w.create("contract", map[string]any{"name": "  Power 1 ", "kwh": 12, "big": int64(9007199254740993), "none": nil, "at": map[string]any{"city": "Pune", "zip": nil}}, "b", "a", "a")
		want := map[string]any{"name": "  Power 1 ", "kwh": int64(12), "big": int64(9007199254740993), "at": map[string]any{"city": "Pune"}}
		if d := cmp.Diff(want, rec.Attributes); d != "" || rec.Title != "Power 1" || !slices.Equal(rec.Tags, []string{"a", "b"}) {
			t.Fatal(d, rec)
		}
		same := func(rec record.Record) {
			t.Helper()
			got, err := w.s.Get(w.r(), rec.ID)
			if d := cmp.Diff(rec, got); err != nil || d != "" {
				t.Errorf("stored otherwise: %v %s", err, d)
			}
		}
		same(rec)
		w.clock.Advance(time.Minute)
		// A merge patch goes into objects and takes away what is null.
		rec = w.must(w.update(rec.ID, record.Patch{Attributes: map[string]any{"kwh": nil, "at": map[string]any{"street": "MG Road"}, "list": []any{1, nil}}, Tags: &[]string{"c"}}))
		same(rec)
		want = map[string]any{"name": "  Power 1 ", "big": int64(9007199254740993), "at": map[string]any{"city": "Pune", "street": "MG Road"}, "list": []any{int64(1), nil}}
		if d := cmp.Diff(want, rec.Attributes); d != "" || !rec.UpdatedAt.Equal(w.clock.Now()) {
			t.Error(d, rec)
		}
		// Nothing new is no change.
		again := w.must(w.update(rec.ID, record.Patch{Attributes: map[string]any{"kwh": nil, "list": []any{1.0, nil}}, Tags: &[]string{"c"}}))
		if !again.UpdatedAt.Equal(rec.UpdatedAt) {
			t.Error("it changed")
		}
		// Two changes at one moment are two states.
		older := rec.UpdatedAt
		rec = w.must(w.update(rec.ID, record.Patch{Attributes: map[string]any{"name": nil}, Title: ptr("Contract"), Seen: rec.UpdatedAt}))
		if !rec.UpdatedAt.After(older) || rec.Title != "Contract" {
			t.Error(rec)
		}
		same(rec)
		_, err := w.update(rec.ID, record.Patch{Attributes: map[string]any{"x": 1}, Seen: older})
		w.refused(err, fault.Conflict, "", "stale")
		_, err = w.s.Replace(bg, w.tenant, actor, "contract", rec.ID, record.Patch{Seen: older})
		w.refused(err, fault.Conflict, "", "stale")

		rec = w.must(w.s.Replace(bg, w.tenant, actor, "contract", rec.ID, record.Patch{Attributes: map[string]any{"first_name": "Asha", "last_name": "Rao"}}))
		if d := cmp.Diff(map[string]any{"first_name": "Asha", "last_name": "Rao"}, rec.Attributes); d != "" || len(rec.Tags) != 0 || rec.Title != "Asha Rao" {
			t.Error(d, rec)
		}
		same(rec)

		// Of another schema it is unknown, and to another tenant.
		_, err = w.s.Update(bg, w.tenant, actor, "product", rec.ID, record.Patch{})
		w.refused(err, fault.NotFound, "", "record")
		_, err = w.s.Purge(bg, w.newTenant("Other"), actor, "contract", rec.ID)
		w.refused(err, fault.NotFound, "", "record")

		gone := w.must(w.s.Delete(bg, w.tenant, actor, "contract", rec.ID))
		if gone.DeletedAt.IsZero() || len(w.index("contract")) != 0 {
			t.Error("not deleted", gone)
		}
		if twice := w.must(w.s.Delete(bg, w.tenant, actor, "contract", rec.ID)); !twice.DeletedAt.Equal(gone.DeletedAt) {
			t.Error("deleted twice")
		}
		_, err = w.s.Get(w.r(), rec.ID)
		w.refused(err, fault.NotFound, "", "record")
		_, err = w.update(rec.ID, record.Patch{Attributes: map[string]any{"x": 1}})
		w.refused(err, fault.NotFound, "", "record")
		back := w.must(w.update(rec.ID, record.Patch{Restore: true, Attributes: map[string]any{"x": 1}}))
		same(back)
		w.must(w.s.Purge(bg, w.tenant, actor, "contract", rec.ID))
		_, err = w.s.Purge(bg, w.tenant, actor, "contract", rec.ID)
		w.refused(err, fault.NotFound, "", "record")

		if d := cmp.Diff([]string{"record.created schema:contract", "record.updated schema:contract at kwh list _tags", "record.updated schema:contract name _title",
			"record.updated schema:contract at big first_name last_name list _tags _title", "record.deleted schema:contract", "record.restored schema:contract",
			"record.updated schema:contract x", "record.purged schema:contract"}, w.events()); d != "" {
			t.Error(d)
		}
	})
}

func TestTitles(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		rec, err := w.s.Create(bg, w.tenant, actor, record.New{Schema: "x", Title: " Given ", Attributes: map[string]any{"a": 1}})
		if err != nil || rec.Title != "Given" {
			t.Fatal(rec, err)
		}
		for _, step := range []struct {
			patch map[string]any
			title string
		}{
			{map[string]any{"b": 1}, "Given"},
			{map[string]any{"subject": "S"}, "S"},
			{map[string]any{"last_name": "Rao"}, "Rao"},
			{map[string]any{"title": 7.5}, "7.5"},
			{map[string]any{"name": strings.Repeat("ü", 600)}, strings.Repeat("ü", 500)},
			{map[string]any{"name": []any{"no"}}, "7.5"},
			{map[string]any{"name": nil, "title": nil, "last_name": nil, "subject": nil}, ""},
		} {
			if rec = w.must(w.update(rec.ID, record.Patch{Attributes: step.patch})); rec.Title != step.title {
				t.Errorf("%v: %q", step.patch, rec.Title)
			}
		}
	})
}

func TestWhatIsRefused(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		deep := any("x")
		for range 40 {
			deep = []any{deep}
		}
		wide := map[string]any{}
		for i := range record.MaxNames + 1 {
			wide[fmt.Sprint("a", i)] = 1
		}
		for _, c := range []struct {
			n     record.New
			field string
		}{
			{record.New{Schema: ""}, "slug"},
			{record.New{Schema: "a b"}, "slug"},
			{record.New{Schema: "a/b"}, "slug"},
			{record.New{Schema: "ünder"}, "slug"},
			{record.New{Schema: strings.Repeat("a", 101)}, "slug"},
			{record.New{Schema: "x", Attributes: map[string]any{"": 1}}, "attributes"},
			{record.New{Schema: "x", Attributes: map[string]any{" a": 1}}, "attributes"},
			{record.New{Schema: "x", Attributes: map[string]any{strings.Repeat("a", 201): 1}}, "attributes"},
			{record.New{Schema: "x", Attributes: map[string]any{"a\x00": 1}}, "attributes"},
			{record.New{Schema: "x", Attributes: map[string]any{"a": "b\x00"}}, "a"},
			{record.New{Schema: "x", Attributes: map[string]any{"a": []any{map[string]any{"b": "\xff"}}}}, "a[0].b"},
			{record.New{Schema: "x", Attributes: map[string]any{"a": map[string]any{"b\x00": 1}}}, "a"},
			{record.New{Schema: "x", Attributes: map[string]any{"a": deep}}, "a"},
			{record.New{Schema: "x", Attributes: wide}, "attributes"},
			{record.New{Schema: "x", Attributes: map[string]any{"a": strings.Repeat("x", record.MaxJSON)}}, "attributes"},
			{record.New{Schema: "x", Tags: []string{strings.Repeat("x", 65)}}, "_tags"},
			{record.New{Schema: "x", Title: "a\x00b"}, "_title"},
		} {
			_, err := w.s.Create(bg, w.tenant, actor, c.n)
			w.refused(err, fault.Invalid, c.field, "")
		}
		// A patch may not put together what would be refused as a whole.
		rec := w.create("x", map[string]any{"a": strings.Repeat("x", record.MaxJSON/2)})
		_, err := w.update(rec.ID, record.Patch{Attributes: map[string]any{"b": strings.Repeat("x", record.MaxJSON/2)}})
		w.refused(err, fault.Invalid, "attributes", "")
	})
}

func TestUpsert(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		up := func(unique []string, attributes map[string]any) (record.Upserted, error) {
			return w.s.Upsert(bg, w.tenant, actor, record.Upsert{New: record.New{Schema: "meter", Attributes: attributes, Tags: []string{"new"}}, Unique: unique,
				Patch: record.Patch{Attributes: attributes}})
		}
		long := strings.Repeat("n", 100)
		for _, key := range []any{"n-1", int64(7), 7.5, true, false, long, long + "x", "7", "true"} {
			made, err := up([]string{"no"}, map[string]any{"no": key, "kwh": 1})
			if err != nil || !made.Fresh {
				t.Fatalf("%v: %v %v", key, made, err)
			}
			again, err := up([]string{"no", "no"}, map[string]any{"no": key, "kwh": 2})
			if err != nil || again.Fresh || again.Record.ID != made.Record.ID || again.Record.Attributes["kwh"] != int64(2) || !slices.Equal(again.Record.Tags, []string{"new"}) {
				t.Fatalf("%v: %v %v", key, again, err)
			}
		}
		// Two names together.
		for i, place := range []string{"north", "south", "north"} {
			got, err := up([]string{"no", "place"}, map[string]any{"no": "n-2", "place": place})
			if err != nil || got.Fresh != (i < 2) {
				t.Errorf("%d %s: %v %v", i, place, got, err)
			}
		}
		_, err := up([]string{"no"}, map[string]any{"no": "n-2"})
		w.refused(err, fault.Conflict, "", "ambiguous")
		// What is deleted is not met.
		made, _ := up([]string{"no"}, map[string]any{"no": "n-3"})
		w.must(w.s.Delete(bg, w.tenant, actor, "", made.Record.ID))
		if got, err := up([]string{"no"}, map[string]any{"no": "n-3"}); err != nil || !got.Fresh {
			t.Error(got, err)
		}
		// A record with more than the index lists is met all the same.
		many := map[string]any{"no": "n-4"}
		for i := range 500 {
			many[fmt.Sprint("a", i)] = i
		}
		whole := w.create("meter", many)
		if got, err := up([]string{"no"}, map[string]any{"no": "n-4", "kwh": 1}); err != nil || got.Record.ID != whole.ID {
			t.Error(got.Fresh, err)
		}
		for _, c := range []struct {
			unique []string
			entity map[string]any
		}{{nil, map[string]any{"no": 1}}, {[]string{"no"}, nil}, {[]string{"no"}, map[string]any{"no": nil}}, {[]string{"no"}, map[string]any{"no": ""}},
			{[]string{"no"}, map[string]any{"no": []any{1}}}, {[]string{"no"}, map[string]any{"no": map[string]any{}}}, {slices.Repeat([]string{"no"}, 11), map[string]any{"no": 1}}} {
			_, err := up(c.unique, c.entity)
			if f := fault.As(err); f == nil || f.Code != fault.Invalid || f.Field != "unique_key" {
				t.Errorf("%v: %v", c, err)
			}
		}
		_, err = up([]string{"a\x00"}, map[string]any{"a\x00": 1})
		w.refused(err, fault.Invalid, "attributes", "")
	})
}

// Two racing upserts of one key make one record.
func TestUpsertsRace(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		const n = 12
		var all sync.WaitGroup
		var fresh, failed sync.Map
		for i := range n {
			all.Go(func() {
				a := map[string]any{"no": fmt.Sprint("n-", i%3), fmt.Sprint("by", i): true}
				got, err := w.s.Upsert(bg, w.tenant, actor, record.Upsert{New: record.New{Schema: "meter", Attributes: a}, Unique: []string{"no"}, Patch: record.Patch{Attributes: a}})
				if err != nil {
					failed.Store(i, err)
				} else if got.Fresh {
					fresh.Store(i, got.Record.ID)
				}
			})
		}
		all.Wait()
		failed.Range(func(k, v any) bool { t.Error(k, v); return true })
		made := 0
		fresh.Range(func(_, v any) bool {
			made++
			if rec, err := w.s.Get(w.r(), v.(id.ID)); err != nil || len(rec.Attributes) != 1+n/3 {
				t.Error(rec, err)
			}
			return true
		})
		if made != 3 {
			t.Errorf("%d records were made of 3 keys", made)
		}
	})
}

func TestTheIndexFinds(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		var all []record.Record
		for i := range 20 {
			all = append(all, w.create("order", map[string]any{"n": i, "at": map[string]any{"city": []string{"Pune", "Goa"}[i%2]}, "lines": []any{map[string]any{"sku": fmt.Sprint("s", i%5)}}}, fmt.Sprint("t", i%4)))
		}
		w.create("other", map[string]any{"n": 3})
		for _, c := range []struct {
			f    filter.Filter
			want int
		}{
			{filter.Filter{Op: filter.Same, Field: "n", Value: "3"}, 1},
			{filter.Filter{Op: filter.Same, Field: "at.city", Value: "Goa"}, 10},
			{filter.Filter{Op: filter.Same, Field: "lines.sku", Value: "s4"}, 4},
			{filter.Filter{Op: filter.Same, Field: "_tags", Value: "t1"}, 5},
			{filter.Filter{Op: filter.More, Field: "n", Value: 16}, 3},
			{filter.Filter{Op: filter.And, Of: []filter.Filter{{Op: filter.Same, Field: "at.city", Value: "Goa"}, {Op: filter.Same, Field: "n", Value: 5}}}, 10},
		} {
			got, more, err := w.s.LikelyWith(w.r(), "order", c.f, 15)
			if err != nil || more || len(got) < c.want {
				t.Errorf("%v: %d %v %v", c.f, len(got), more, err)
			}
		}
		if _, more, err := w.s.LikelyWith(w.r(), "order", filter.Filter{Op: filter.Same, Field: "lines.0.sku", Value: "s4"}, 10); !more || err != nil {
			t.Error("a place in an array is not in the index", err)
		}
		names, err := w.s.SchemaNames(w.r(), 10)
		if err != nil || !slices.Equal(names, []string{"order", "other"}) {
			t.Error(names, err)
		}
		schemas, err := w.s.Schemas(w.r(), []id.ID{all[0].ID, id.New()})
		if d := cmp.Diff(map[id.ID]string{all[0].ID: "order"}, schemas); err != nil || d != "" {
			t.Error(d, err)
		}
	})
}
