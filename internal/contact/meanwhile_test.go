package contact_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"parley/internal/contact"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// meanwhile runs f on PostgreSQL, where two transactions go on at once; SQLite has one
// writer.
func meanwhile(t *testing.T, f func(w world)) {
	if testing.Short() {
		t.Skip("PostgreSQL is left out of short runs")
	}
	f(newWorld(t, storetest.Postgres(t, storetest.Once())))
}

// begun runs f in a transaction and returns once it has run; end commits it.
func (w world) begun(f func(tx *store.Tx) error) (end func()) {
	w.Helper()
	ran, commit, ended := make(chan error, 1), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
			err := f(tx)
			ran <- err
			<-commit
			return err
		})
	}()
	if err := <-ran; err != nil {
		close(commit)
		w.Fatal(err)
	}
	return func() {
		w.Helper()
		close(commit)
		if err := <-ended; err != nil {
			w.Fatal(err)
		}
	}
}

// A message is sent while somebody changes the contact's name: the moment of the last
// contact is not what it was before.
func TestAChangeTakesNoTouchBack(t *testing.T) {
	meanwhile(t, func(w world) {
		c := w.must(w.create(contact.New{FirstName: "A", Phone: "9000000001"}))
		at := time.Now().UTC().Truncate(time.Millisecond)
		end := w.begun(func(tx *store.Tx) error { return w.s.TouchIn(tx, c.ID, at) })
		done := make(chan error, 1)
		go func() {
			_, _, err := w.update(c.ID, contact.Patch{FirstName: ptr("B")})
			done <- err
		}()
		storetest.AwaitWaiting(w, w.db, 1)
		end()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got := w.reads(c.ID); !got.LastContactedAt.Equal(at) || got.FirstName != "B" {
			t.Errorf("last contacted at %v, not %v; called %s", got.LastContactedAt, at, got.FirstName)
		}
	})
}

// Somebody gives up a phone while a person comes under it: whoever comes is not taken
// for who had it.
func TestWhoGaveAPhoneUpIsNotMet(t *testing.T) {
	type arrival func(tx *store.Tx, w world) (id.ID, error)
	arrivals := map[string]arrival{
		"create": func(tx *store.Tx, w world) (id.ID, error) {
			c, err := w.s.CreateIn(tx, actor, contact.New{FirstName: "B", Phone: "9000000001"})
			return c.ID, err
		},
		"ensure": func(tx *store.Tx, w world) (id.ID, error) {
			c, _, err := w.s.EnsureIn(tx, actor, contact.New{FirstName: "B", Phone: "9000000001"})
			return c.ID, err
		},
		"ensure many": func(tx *store.Tx, w world) (id.ID, error) {
			list, err := w.s.EnsureManyIn(tx, actor, []contact.New{{FirstName: "B", Phone: "9000000001"}, {FirstName: "C", Phone: "9000000003"}})
			if err != nil {
				return id.Zero, err
			}
			return list[0].Contact.ID, nil
		},
		"gather": func(tx *store.Tx, w world) (id.ID, error) {
			g, err := w.s.GatherIn(tx, actor, contact.Person{FirstName: "B", Phones: []string{"9000000001"}})
			return g.Contact.ID, err
		},
	}
	for name, arrive := range arrivals {
		t.Run(name, func(t *testing.T) {
			meanwhile(t, func(w world) {
				c := w.must(w.create(contact.New{FirstName: "A", Phone: "9000000001"}))
				end := w.begun(func(tx *store.Tx) error {
					_, _, err := w.s.UpdateIn(tx, actor, c.ID, contact.Patch{Phone: ptr("9000000002")})
					return err
				})
				type result struct {
					id  id.ID
					err error
				}
				done := make(chan result, 1)
				go func() {
					who, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (id.ID, error) { return arrive(tx, w) })
					done <- result{who, err}
				}()
				storetest.AwaitWaiting(w, w.db, 1)
				end()
				got := <-done
				if got.err != nil {
					t.Fatal(got.err)
				}
				if who := w.reads(got.id); who.ID == c.ID || who.Phone() != "919000000001" {
					t.Errorf("met %s %+v, who has another phone by now", who.FirstName, who.Identities)
				}
				wholeness(w, w.Errorf)
			})
		})
	}
}

// A merge is taken back between the look at a contact and the look at where its id
// leads: the contact is there all the time.
func TestWhoComesBackIsThere(t *testing.T) {
	at := time.Now().UTC().Truncate(time.Millisecond)
	calls := map[string]func(tx *store.Tx, w world, cid id.ID) error{
		"hold": func(tx *store.Tx, w world, cid id.ID) error { _, err := w.s.HoldIn(tx, cid); return err },
		"record": func(tx *store.Tx, w world, cid id.ID) error {
			_, err := w.s.RecordIn(tx, contact.Activity{Contact: cid, Type: "call"})
			return err
		},
		"touch": func(tx *store.Tx, w world, cid id.ID) error { return w.s.TouchIn(tx, cid, at) },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			meanwhile(t, func(w world) {
				a := w.must(w.create(contact.New{FirstName: "A", Phone: "9000000001"}))
				b := w.must(w.create(contact.New{FirstName: "B", Phone: "9000000002"}))
				w.must(w.merge(a.ID, b.ID))
				end := w.begun(func(tx *store.Tx) error {
					if _, _, err := w.s.UnmergeIn(tx, actor, a.ID); err != nil {
						return err
					}
					_, err := tx.System().Exec("LOCK TABLE contact_alias IN ACCESS EXCLUSIVE MODE")
					return err
				})
				done := make(chan error, 1)
				go func() {
					done <- w.db.Write(bg, w.tenant, func(tx *store.Tx) error { return call(tx, w, b.ID) })
				}()
				storetest.AwaitWaiting(w, w.db, 1)
				end()
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				if name == "touch" && !w.reads(b.ID).LastContactedAt.Equal(at) {
					t.Error("nobody was touched")
				}
			})
		})
	}
}

// Whoever waits for somebody's lock while that contact is merged away goes on to the
// survivor's with it. That never meets in a circle with whoever names both: locks of
// contacts are taken from the youngest to the oldest, and ids lead to older ones.
func TestOldIdsAreLockedFirst(t *testing.T) {
	meanwhile(t, func(w world) {
		for i := range 8 {
			a := w.must(w.create(contact.New{FirstName: "A", Phone: fmt.Sprint(9000000000 + 2*i)}))
			b := w.must(w.create(contact.New{FirstName: "B", Phone: fmt.Sprint(9000000001 + 2*i)}))
			end := w.begun(func(tx *store.Tx) error { _, err := w.s.MergeIn(tx, actor, a.ID, b.ID); return err })
			var one, both atomic.Int64
			done := make(chan error, 2)
			go func() {
				done <- w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
					one.Add(1)
					_, err := w.s.LockedIn(tx, b.ID)
					return err
				})
			}()
			go func() {
				done <- w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
					both.Add(1)
					_, err := w.s.HoldManyIn(tx, []id.ID{a.ID, b.ID})
					return err
				})
			}()
			storetest.AwaitWaiting(w, w.db, 2)
			end()
			for range 2 {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			if one.Load() != 1 || both.Load() != 1 {
				t.Errorf("of pair %d one ran %d times, the other %d times", i, one.Load(), both.Load())
			}
		}
	})
}
