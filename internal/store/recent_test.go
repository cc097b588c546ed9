package store_test

import (
	"errors"
	"testing"
	"time"

	"parley/internal/clock"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// Whoever has seen a change committed sees no older value, even before the
// change's own hooks have run.
func TestACacheIsSilentWhileItsKeyChanges(t *testing.T) {
	fake := clock.NewFake(time.Unix(1_800_000_000, 0))
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := store.NewRecent[string](db, "thing", time.Minute).ClearedBy("everything")
		put := func(key, v string) {
			_, version, _ := r.Get(key)
			r.Put(key, v, version)
		}
		keeps := func(key string) bool { _, _, ok := r.Get(key); return ok }
		change := func(topic, key string, end error, at func()) {
			t.Helper()
			if err := db.Write(bg, id.New(), func(tx *store.Tx) error {
				tx.After(at) // before the wake's own hook, as another reader may be
				tx.Wake(topic, key)
				return end
			}); !errors.Is(err, end) {
				t.Fatal(err)
			}
		}
		for _, topic := range []string{"thing", "everything"} {
			put("a", "old")
			put("b", "old")
			change(topic, "a", nil, func() {
				if keeps("a") {
					t.Errorf("%s: the old value is told after the commit", topic)
				}
				if put("a", "old"); keeps("a") {
					t.Errorf("%s: what was read during the change is kept", topic)
				}
			})
			if keeps("b") != (topic == "thing") {
				t.Errorf("%s: the other key is kept: %v", topic, keeps("b"))
			}
			if put("a", "new"); !keeps("a") {
				t.Errorf("%s: nothing is kept after the change", topic)
			}
		}
		change("thing", "a", errors.New("undone"), nil)
		if !keeps("a") {
			t.Error("an undone change bars its key")
		}
	}, storetest.Clock(fake), storetest.Once())
}

// Two transactions change a key at once: that one has ended does not mean that
// nothing is under way.
func TestACacheIsSilentUntilEveryChangeHasEnded(t *testing.T) {
	if testing.Short() {
		t.Skip("PostgreSQL is left out of short runs")
	}
	db := storetest.Postgres(t, storetest.Clock(clock.NewFake(time.Unix(1_800_000_000, 0))), storetest.Once())
	r := store.NewRecent[string](db, "thing", time.Minute)
	put := func(v string) { _, version, _ := r.Get("a"); r.Put("a", v, version) }
	keeps := func() bool { _, _, ok := r.Get("a"); return ok }
	if err := db.Write(bg, id.New(), func(tx *store.Tx) error {
		tx.After(func() { // before the wake's own hook, as another reader may be
			if keeps() {
				t.Error("what was there before the second change is told after its commit")
			}
		})
		tx.Wake("thing", "a")
		other := make(chan error)
		go func() {
			other <- db.Write(bg, id.New(), func(tx *store.Tx) error { tx.Wake("thing", "a"); return nil })
		}()
		err := <-other
		put("between")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if put("new"); !keeps() {
		t.Error("nothing is kept after the changes")
	}
}
