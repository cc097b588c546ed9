package record_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/internal/contact"
	"parley/internal/id"
	"parley/internal/record"
	"parley/internal/store"
)

func TestRelations(t *testing.T) {
	a, b, c := id.New(), id.New(), id.New()
	got := record.Relations(map[string]any{
		"agent":    refers(a),
		"customer": refers(b, b),
		"contact":  map[string]any{"$relation": []any{"no", nil, map[string]any{"entity_id": "0190a5b2-1111-4222-8333-444455556666"}, map[string]any{"entity_id": c.UUID(), "_tags": []any{"x"}}}},
		"zz":       []any{map[string]any{"deep": refers(a)}, map[string]any{"$relation": "text"}, map[string]any{"$relation": map[string]any{"entity_id": b.UUID()}}},
	})
	if d := cmp.Diff([]record.Relation{{Attribute: "contact", Entity: c}, {Attribute: "customer", Entity: b}, {Attribute: "agent", Entity: a}, {Attribute: "zz", Entity: a}}, got); d != "" {
		t.Error(d)
	}
}

// A reference to somebody who was merged leads to the survivor, and one to somebody
// who was erased is gone, from deleted records too.
func TestRelatedPeople(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		asha, twin, bela := w.person("Asha", "+919876500001"), w.person("Twin", "+919876500002"), w.person("Bela", "+919876500003")
		product := w.create("product", map[string]any{"name": "P"})
		about := w.create("contract", map[string]any{"product": refers(product.ID), "customer": refers(twin.ID), "a": refers(bela.ID), "note": "x"})
		put := w.create("contract", map[string]any{"customer": refers(twin.ID)})
		w.must(w.s.Delete(bg, w.tenant, actor, "", put.ID))
		related := func(rec record.Record, want id.ID) {
			t.Helper()
			got, err := w.s.RelatedContact(w.r(), rec)
			if err != nil || got != want {
				t.Errorf("%s %v, want %s", got, err, want)
			}
		}
		related(about, twin.ID)
		related(product, id.Zero)
		if _, err := w.contacts.Merge(bg, w.tenant, actor, asha.ID, twin.ID); err != nil {
			t.Fatal(err)
		}
		about, err := w.s.Get(w.r(), about.ID)
		if err != nil {
			t.Fatal(err)
		}
		related(about, asha.ID)
		list, err := w.s.RelatedTo(w.r(), []id.ID{asha.ID, twin.ID}, 10)
		if err != nil || len(list) != 1 || list[0].ID != about.ID {
			t.Error(list, err)
		}

		if _, err := w.contacts.Erase(bg, w.tenant, actor, twin.ID); err != nil {
			t.Fatal(err)
		}
		was := about
		about, err = w.s.Get(w.r(), about.ID)
		want := map[string]any{"product": refers(product.ID), "customer": map[string]any{"$relation": []any{}}, "a": refers(bela.ID), "note": "x"}
		if d := cmp.Diff(want, about.Attributes); err != nil || d != "" || !about.UpdatedAt.After(was.UpdatedAt) {
			t.Error(d, err)
		}
		related(about, bela.ID)
		var left int
		if err := w.r().QueryRow("SELECT COUNT(*) FROM record_relation WHERE tenant_id=? AND entity_id IN (?,?)", asha.ID, twin.ID).Scan(&left); err != nil || left != 0 {
			t.Error(left, err)
		}
		back := w.must(w.s.Update(bg, w.tenant, actor, "contract", put.ID, record.Patch{Restore: true}))
		if d := cmp.Diff(map[string]any{"customer": map[string]any{"$relation": []any{}}}, back.Attributes); d != "" {
			t.Error(d)
		}
	})
}

// Somebody to whom many records refer is erased step by step.
func TestManyReferences(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		asha := w.person("Asha", "+919876500001")
		for range 7 {
			w.create("contract", map[string]any{"customer": refers(asha.ID)})
		}
		e := contact.Erased{Contact: asha.ID, IDs: []id.ID{asha.ID}, Actor: actor}
		for _, want := range []int{3, 3, 1, 0} {
			n, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (int, error) { return w.s.PurgeReferences(tx, e, 3) })
			if err != nil || n != want {
				t.Fatalf("%d %v, want %d", n, err, want)
			}
		}
	})
}
