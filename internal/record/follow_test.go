package record_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/internal/clock"
	"parley/internal/id"
	"parley/internal/record"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/verify"
)

// attributes are those of a record as it is kept.
func (w world) attributes(rid id.ID) map[string]any {
	w.Helper()
	rec, err := w.s.Get(w.r(), rid)
	if err != nil {
		w.Fatal(err)
	}
	return rec.Attributes
}

func (w world) sound() {
	w.Helper()
	rep, err := verify.Run(bg, w.db)
	if err != nil || !rep.OK {
		w.Error(err, rep.Breaks)
	}
}

// referring counts the references to an entity.
func (w world) referring(v id.ID) (n int) {
	w.Helper()
	if err := w.r().QueryRow("SELECT COUNT(*) FROM record_relation WHERE tenant_id=? AND entity_id=?", v).Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}

// Who refers to somebody that was merged refers to the survivor, and is found by it;
// taking the merge back gives the reference back, and only that.
func TestReferencesFollowAMerge(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		asha, twin := w.person("Asha", "+919876500001"), w.person("Twin", "+919876500002")
		deep := func(v id.ID) map[string]any {
			return map[string]any{"parties": []any{map[string]any{"a/b~c": refers(v)}}, "note": "x"}
		}
		one := w.create("contract", deep(twin.ID))
		both := w.create("contract", map[string]any{"of": refers(twin.ID, asha.ID)})
		put := w.create("contract", map[string]any{"of": refers(twin.ID)})
		w.must(w.s.Delete(bg, w.tenant, actor, "", put.ID))
		gone := w.create("contract", map[string]any{"of": refers(twin.ID)})
		told := len(w.events())

		if _, err := w.contacts.Merge(bg, w.tenant, actor, asha.ID, twin.ID); err != nil {
			t.Fatal(err)
		}
		now := w.must(w.s.Get(w.r(), one.ID))
		if d := cmp.Diff(deep(asha.ID), now.Attributes); d != "" || !now.UpdatedAt.After(one.UpdatedAt) {
			t.Error(d, now.UpdatedAt)
		}
		if d := cmp.Diff(map[string]any{"of": refers(asha.ID, asha.ID)}, w.attributes(both.ID)); d != "" {
			t.Error(d)
		}
		if n := w.referring(twin.ID); n != 0 {
			t.Errorf("%d still refer to who was merged", n)
		}
		want := []string{"record.updated schema:contract parties", "record.updated schema:contract of", "record.updated schema:contract of"}
		if d := cmp.Diff(want, w.events()[told:]); d != "" {
			t.Error(d)
		}
		w.sound()

		// Whoever writes the old id refers to the survivor too.
		late := w.create("contract", map[string]any{"of": refers(twin.ID)})
		if d := cmp.Diff(refers(asha.ID), late.Attributes["of"]); d != "" {
			t.Error(d)
		}
		if rec := w.must(w.update(late.ID, record.Patch{Attributes: map[string]any{"also": refers(twin.ID)}})); !cmp.Equal(refers(asha.ID), rec.Attributes["also"]) {
			t.Error(rec.Attributes)
		}
		w.must(w.s.Purge(bg, w.tenant, actor, "", gone.ID))

		if _, _, err := w.contacts.Unmerge(bg, w.tenant, actor, asha.ID); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(deep(twin.ID), w.attributes(one.ID)); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(map[string]any{"of": refers(twin.ID, asha.ID)}, w.attributes(both.ID)); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(map[string]any{"of": refers(asha.ID), "also": refers(asha.ID)}, w.attributes(late.ID)); d != "" {
			t.Error(d)
		}
		back := w.must(w.s.Update(bg, w.tenant, actor, "contract", put.ID, record.Patch{Restore: true}))
		if d := cmp.Diff(map[string]any{"of": refers(twin.ID)}, back.Attributes); d != "" {
			t.Error(d)
		}
		if n := w.referring(twin.ID); n != 3 {
			t.Errorf("%d refer to who is there again", n)
		}
		w.sound()
	})
}

// A reference that was changed since a merge stays as it is when the merge is taken back.
func TestReferencesChangedSinceAMerge(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		asha, twin, bela := w.person("Asha", "+919876500001"), w.person("Twin", "+919876500002"), w.person("Bela", "+919876500003")
		rec := w.create("contract", map[string]any{"a": refers(twin.ID), "b": refers(twin.ID), "c": refers(twin.ID)})
		if _, err := w.contacts.Merge(bg, w.tenant, actor, asha.ID, twin.ID); err != nil {
			t.Fatal(err)
		}
		w.must(w.update(rec.ID, record.Patch{Attributes: map[string]any{"a": refers(bela.ID), "b": nil}}))
		if _, _, err := w.contacts.Unmerge(bg, w.tenant, actor, asha.ID); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(map[string]any{"a": refers(bela.ID), "c": refers(twin.ID)}, w.attributes(rec.ID)); d != "" {
			t.Error(d)
		}
		w.sound()
	})
}

// A record that is being written while somebody to whom it refers is merged refers to
// the survivor.
func TestReferencesBesideAMerge(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if db.Dialect() == store.SQLite {
			t.Skip("there one writes after the other")
		}
		w := newWorld(t, db, clock.NewFake(begin))
		asha, twin := w.person("Asha", "+919876500001"), w.person("Twin", "+919876500002")
		merged := make(chan error, 1)
		var rec record.Record
		if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) (err error) {
			rec, err = w.s.CreateIn(tx, actor, record.New{Schema: "contract", Attributes: map[string]any{"of": refers(twin.ID)}})
			if err != nil {
				return err
			}
			go func() {
				_, err := w.contacts.Merge(bg, w.tenant, actor, asha.ID, twin.ID)
				merged <- err
			}()
			for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				if len(merged) > 0 || storetest.Waiting(w, w.db) > 0 {
					return nil
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := <-merged; err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(map[string]any{"of": refers(asha.ID)}, w.attributes(rec.ID)); d != "" {
			t.Error(d)
		}

		// The other way round: the merge is there first, and the record waits for it.
		bela := w.person("Bela", "+919876500003")
		type result struct {
			rec record.Record
			err error
		}
		written := make(chan result, 1)
		if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
			if _, err := w.contacts.MergeIn(tx, actor, asha.ID, bela.ID); err != nil {
				return err
			}
			go func() {
				rec, err := w.s.Create(bg, w.tenant, actor, record.New{Schema: "contract", Attributes: map[string]any{"of": refers(bela.ID)}})
				written <- result{rec, err}
			}()
			for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				if len(written) > 0 || storetest.Waiting(w, w.db) > 0 {
					return nil
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		got := <-written
		if got.err != nil || !cmp.Equal(map[string]any{"of": refers(asha.ID)}, w.attributes(got.rec.ID)) {
			t.Error(got)
		}
		w.sound()
	}, storetest.Once())
}

// What a filter finds by a reference follows merges: the index has the survivor's id.
func TestReferencesAreFoundByTheSurvivor(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		asha, twin := w.person("Asha", "+919876500001"), w.person("Twin", "+919876500002")
		rec := w.create("contract", map[string]any{"of": refers(twin.ID)})
		if _, err := w.contacts.Merge(bg, w.tenant, actor, asha.ID, twin.ID); err != nil {
			t.Fatal(err)
		}
		list := w.index("contract")[rec.ID]
		if !slices.Contains(list, "of.$relation.entity_id=t"+asha.ID.UUID()) || slices.Contains(list, "of.$relation.entity_id=t"+twin.ID.UUID()) {
			t.Error(list)
		}
	})
}
