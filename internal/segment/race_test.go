package segment

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"parley/internal/contact"
	"parley/internal/entity"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// Whatever happens beside the lane, and however many nodes drain it, in the end
// what is remembered is what matches. While nobody is merged or erased, the events of
// each entity and segment take turns, from what was known at the beginning to what is
// known at the end.
func TestRaces(t *testing.T) {
	checks := 6
	if testing.Short() {
		checks = 3
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for range checks {
			seed := rand.Uint64()
			for _, merging := range []bool{false, true} {
				t.Run(fmt.Sprint(seed, " merging ", merging), func(t *testing.T) { race(newWorld(t, db), seed, merging) })
			}
		}
	}, storetest.Once()) // rehearsals would only slow the others down
}

func race(w *world, seed uint64, merging bool) {
	w.s.page = 3
	cities := []any{"Berlin", "Bonn", "Bern"}
	rnd := rand.New(rand.NewPCG(seed, 1))
	var people []id.ID
	for range 12 {
		people = append(people, w.person(map[string]any{"city": cities[rnd.IntN(3)], "age": rnd.IntN(4)}))
	}
	fixed := []Segment{w.segment("contact", "city", "Berlin"), w.segment("contact", "age", 2)}
	w.settled()
	begin := map[string]bool{}
	for _, v := range people {
		for _, seg := range w.members(v) {
			begin[seg.String()+v.String()] = true
		}
	}
	var at event.Cursor
	w.news(&at)
	moving := w.segment("contact", "city", "Bonn")
	nodes := []*Service{w.s, newService(w)}
	var doing, draining sync.WaitGroup
	stop := make(chan struct{})
	for _, s := range nodes {
		draining.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, _, err := s.step(bg, w.tenant); err != nil {
					w.Errorf("a step: %v", err)
					return
				}
			}
		})
	}
	var mu sync.Mutex
	pick := func(rnd *rand.Rand) id.ID {
		mu.Lock()
		defer mu.Unlock()
		return people[rnd.IntN(len(people))]
	}
	for n := range 4 {
		rnd := rand.New(rand.NewPCG(seed, uint64(n+2)))
		doing.Go(func() {
			for range 25 {
				if err := w.happen(rnd, pick, moving, merging); err != nil && fault.As(err) == nil {
					w.Errorf("something that happened: %v", err)
					return
				}
			}
		})
	}
	doing.Wait()
	close(stop)
	draining.Wait()
	w.settled()
	w.consistent(people)
	if merging {
		return
	}
	// The events from the beginning lead to the end.
	now := begin
	for _, line := range w.news(&at) {
		part := strings.Fields(line)
		if !slices.ContainsFunc(fixed, func(seg Segment) bool { return seg.ID.String() == part[1] }) {
			continue // its filters changed in between
		}
		key, come := part[1]+part[2], part[0] == "entered"
		if now[key] == come {
			w.Errorf("seed %d: %s, who was so already", seed, line)
		}
		now[key] = come
	}
	for _, v := range people {
		in := w.members(v)
		for _, seg := range fixed {
			if got := slices.Contains(in, seg.ID); got != now[seg.ID.String()+v.String()] {
				w.Errorf("seed %d: %s is in %s: %v, by the events %v", seed, v, seg.Name, got, !got)
			}
		}
	}
}

// happen does one of the things that change who is in a segment.
func (w *world) happen(rnd *rand.Rand, pick func(*rand.Rand) id.ID, moving Segment, merging bool) error {
	cities := []any{"Berlin", "Bonn", "Bern"}
	v := pick(rnd)
	switch n := rnd.IntN(20); {
	case n < 10, n < 17 && n >= 14 && !merging:
		return w.setErr(v, map[string]any{"city": cities[rnd.IntN(3)]})
	case n < 14:
		return w.setErr(v, map[string]any{"age": rnd.IntN(4)})
	case n < 15:
		other := pick(rnd)
		return w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
			_, err := w.people.MergeIn(tx, actor, v, other)
			return err
		})
	case n < 16:
		_, _, err := w.people.Unmerge(bg, w.tenant, actor, v)
		return err
	case n < 17:
		_, err := w.people.Erase(bg, w.tenant, actor, v)
		return err
	case n < 19:
		_, err := w.s.Update(bg, w.tenant, actor, moving.ID, Change{Filters: ptr(where("city", cities[rnd.IntN(3)]))})
		return err
	}
	made, err := w.s.Create(bg, w.tenant, actor, New{Name: "for a moment", Schema: "contact", Filters: where("age", rnd.IntN(4))})
	if err == nil && rnd.IntN(2) == 0 {
		_, err = w.s.Delete(bg, w.tenant, actor, made.ID)
	}
	return err
}

func (w *world) lives(v id.ID) bool {
	docs, err := w.entities.Documents(w.r(), entity.Contact, []id.ID{v})
	w.check(err)
	return self(person(v), docs[v])
}

// consistent holds what is remembered of everybody against the match.
func (w *world) consistent(people []id.ID) {
	w.Helper()
	all, err := list(w.r(), id.Zero, MaxSegments)
	w.check(err)
	ids := make([]id.ID, len(all))
	for i, seg := range all {
		ids[i] = seg.ID
		if !seg.seeded {
			w.Errorf("%s is not known yet", seg.Name)
		}
	}
	for _, v := range people {
		var want []id.ID
		if w.lives(v) {
			found, err := w.s.Match(w.r(), []entity.Ref{person(v)}, ids)
			w.check(err)
			for _, seg := range found {
				want = append(want, seg.ID)
			}
		}
		if got := w.members(v); !slices.Equal(got, want) {
			w.Errorf("%s is in %v, matches %v", v, got, want)
		}
	}
	for _, table := range []string{"segment_owed", "segment_seed"} {
		if n := w.count("SELECT COUNT(*) FROM " + table + " WHERE tenant_id=?"); n != 0 {
			w.Errorf("%d rows are left in %s", n, table)
		}
	}
}

// A set never answers from before a change that was committed, on any node.
func TestNeverStale(t *testing.T) {
	each(t, func(w *world) {
		v := w.person(map[string]any{"city": "Berlin"})
		nodes := []*Service{w.s, newService(w), newService(w)}
		rapid.Check(t, func(rt *rapid.T) {
			live := map[id.ID]bool{}
			all, err := list(w.r(), id.Zero, MaxSegments)
			w.check(err)
			for _, seg := range all {
				_, err := w.s.Delete(bg, w.tenant, actor, seg.ID)
				w.check(err)
			}
			var ids []id.ID
			for range rapid.IntRange(1, 12).Draw(rt, "changes") {
				node := nodes[rapid.IntRange(0, 2).Draw(rt, "node")]
				contains := rapid.Bool().Draw(rt, "contains")
				filters := where("city", map[bool]string{true: "Berlin", false: "Bonn"}[contains])
				switch {
				case len(ids) == 0 || rapid.Bool().Draw(rt, "new"):
					seg, err := node.Create(bg, w.tenant, actor, New{Name: "x", Schema: "contact", Filters: filters})
					w.check(err)
					ids = append(ids, seg.ID)
					live[seg.ID] = contains
				case rapid.Bool().Draw(rt, "delete"):
					at := rapid.IntRange(0, len(ids)-1).Draw(rt, "which")
					_, err := node.Delete(bg, w.tenant, actor, ids[at])
					w.check(err)
					delete(live, ids[at])
					ids = slices.Delete(ids, at, at+1)
				default:
					seg := ids[rapid.IntRange(0, len(ids)-1).Draw(rt, "which")]
					c := Change{Filters: &filters}
					if rapid.Bool().Draw(rt, "elsewhere") {
						contains = false
						c.Schema = ptr("contract")
					} else {
						c.Schema = ptr("contact")
					}
					_, err := node.Update(bg, w.tenant, actor, seg, c)
					w.check(err)
					live[seg] = contains
				}
				var want []id.ID
				for seg, in := range live {
					if in {
						want = append(want, seg)
					}
				}
				slices.SortFunc(want, compare)
				other := nodes[rapid.IntRange(0, 2).Draw(rt, "asked")]
				if got, err := other.Containing(w.r(), person(v)); err != nil || !slices.Equal(got, want) {
					rt.Fatalf("%v %v, want %v", got, err, want)
				}
			}
		})
	}, storetest.Once())
}

// Many who ask while others change segments never see one that is no more.
func TestAskedWhileChanged(t *testing.T) {
	each(t, func(w *world) {
		v := w.person(map[string]any{"city": "Berlin"})
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for range 3 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if _, err := w.s.Containing(w.r(), person(v)); err != nil {
						w.Error(err)
						return
					}
				}
			})
		}
		for range 40 {
			seg := w.segment("contact", "city", "Berlin")
			got, err := w.s.Containing(w.r(), person(v))
			if err != nil || !slices.Contains(got, seg.ID) {
				w.Errorf("made, and not in %v %v", got, err)
			}
			_, err = w.s.Delete(bg, w.tenant, actor, seg.ID)
			w.check(err)
			if got, err = w.s.Containing(w.r(), person(v)); err != nil || slices.Contains(got, seg.ID) {
				w.Errorf("deleted, and in %v %v", got, err)
			}
		}
		close(stop)
		wg.Wait()
	}, storetest.Once())
}

// A transaction that saw no segment, and commits when one is being made known, is
// not overlooked.
func TestLateCommit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if db.Dialect() == store.SQLite {
			t.Skip("there nobody commits late")
		}
		w := newWorld(t, db)
		v := w.person(map[string]any{"city": "Bonn"})
		open, goOn := make(chan struct{}), make(chan struct{})
		done := make(chan error)
		go func() {
			done <- w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
				_, _, err := w.people.UpdateIn(tx, actor, v, contact.Patch{Attributes: map[string]any{"city": "Berlin"}})
				close(open)
				<-goOn
				return err
			})
		}()
		<-open
		seg := w.segment("contact", "city", "Berlin")
		for range 5 { // as far as it goes
			if _, _, err := w.s.step(bg, w.tenant); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := w.s.Get(w.r(), seg.ID); err != nil || got.seeded {
			t.Errorf("known before the others ended: %v", err)
		}
		close(goOn)
		w.check(<-done)
		w.settled()
		w.wantMatches(v, seg)
	}, storetest.Once())
}

// A name that stands in many documents is looked at in all of them.
func TestRenamed(t *testing.T) {
	each(t, func(w *world) {
		w.s.page = 2
		var people []id.ID
		for range 5 {
			people = append(people, w.person(nil))
		}
		seg := w.segment("contact", "first_name", "Asha")
		other := w.segment("contact", "first_name", "Nobody")
		w.settled()
		// Forgotten by other hands, as if a name had changed under them.
		w.write(func(tx *store.Tx) error {
			if _, err := tx.Exec("DELETE FROM segment_member WHERE tenant_id=?"); err != nil {
				return err
			}
			_, err := w.feed.Append(tx, event.New{Type: "group.updated", Subject: id.New(), Actor: actor, Changed: []string{"displayName"}})
			return err
		})
		var at event.Cursor
		w.settled()
		want := []string{}
		for _, v := range people {
			want = append(want, entered(seg, v))
		}
		w.wantNews(&at, want...)
		_ = other
	})
}

// When no segment selects a schema any more, nothing is remembered of it.
func TestForgotten(t *testing.T) {
	each(t, func(w *world) {
		v := w.person(map[string]any{"city": "Berlin"})
		a, b := w.segment("contact", "city", "Berlin"), w.segment("contact", "city", "Berlin")
		w.settled()
		for i, seg := range []Segment{a, b} {
			_, err := w.s.Delete(bg, w.tenant, actor, seg.ID)
			w.check(err)
			w.settled()
			if n := w.count("SELECT COUNT(*) FROM segment_member WHERE tenant_id=?"); n != 1-i {
				t.Errorf("%d rows after %d deletions", n, i+1)
			}
		}
		c := w.segment("contact", "city", "Berlin")
		w.settled()
		w.wantMatches(v, c)
	})
}

// Who tells of a change without holding the person may commit behind the person's
// end. A lane that read the person before, and writes then, is put right.
func TestToldBehindTheEnd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if db.Dialect() == store.SQLite {
			t.Skip("there nobody commits late")
		}
		w := newWorld(t, db)
		w.segment("contact", "city", "Berlin")
		w.settled()
		erased, survivor, merged := w.person(map[string]any{"city": "Berlin"}), w.person(nil), w.person(map[string]any{"city": "Berlin"})
		w.settled()
		for _, v := range []id.ID{erased, merged} {
			docs, err := w.entities.Documents(w.r(), entity.Contact, []id.ID{v})
			w.check(err)
			if v == erased {
				_, err = w.people.Erase(bg, w.tenant, actor, v)
			} else {
				_, err = w.people.Merge(bg, w.tenant, actor, survivor, v)
			}
			w.check(err)
			w.write(func(tx *store.Tx) error { return oweIn(tx, actor, false, person(v)) })
			debts, err := owedTo(w.r(), []id.ID{v})
			w.check(err)
			debts[0].rows = debts[0].rows[len(debts[0].rows)-1:] // the late one
			w.check(w.s.compare(bg, w.r(), debts, docs))
			w.settled()
			if n := w.count("SELECT COUNT(*) FROM segment_member WHERE tenant_id=? AND entity_id=?", v); n != 0 {
				t.Errorf("who is no more is remembered")
			}
		}
	})
}
