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
		if keeps("a") {
			t.Error("an undone change is not over: nobody has told that it was undone")
		}
		fake.Advance(time.Minute)
		if put("a", "new"); !keeps("a") {
			t.Error("an undone change bars its key for ever")
		}
	}, storetest.Clock(fake), storetest.Once())
}
