package segment

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"parley/internal/contact"
	"parley/internal/entity"
	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/record"
	"parley/internal/store"
)

// Who is there when a segment is made is known silently; who comes and goes from
// then on is told once.
func TestEnteringAndLeaving(t *testing.T) {
	each(t, func(w *world) {
		w.s.page = 2
		var at event.Cursor
		var there []id.ID
		for range 5 {
			there = append(there, w.person(map[string]any{"city": "Berlin"}))
		}
		if n := w.count("SELECT COUNT(*) FROM segment_owed WHERE tenant_id=?"); n != 0 {
			t.Errorf("a tenant without segments owes %d comparisons", n)
		}
		berlin := w.segment("contact", "city", "Berlin")
		w.settled()
		w.wantNews(&at)
		for _, v := range there {
			if got := w.members(v); !slices.Equal(got, []id.ID{berlin.ID}) {
				t.Errorf("a beginner is in %v", got)
			}
		}
		v := w.person(map[string]any{"city": "Bonn"})
		w.settled()
		w.wantNews(&at)
		w.set(v, map[string]any{"city": "Berlin"})
		w.settled()
		w.wantNews(&at, entered(berlin, v))
		w.set(v, map[string]any{"age": 3})
		w.settled()
		w.wantNews(&at)
		w.set(there[0], map[string]any{"city": "Bonn"})
		w.settled()
		w.wantNews(&at, left(berlin, there[0]))
		w.set(v, map[string]any{"city": "Bonn"})
		w.set(v, map[string]any{"city": "Berlin"})
		w.settled()
		w.wantNews(&at) // nothing between two looks is seen
		// A new name tells nothing, other filters neither; then they are what counts.
		_, err := w.s.Update(bg, w.tenant, actor, berlin.ID, Change{Name: ptr("B")})
		w.check(err)
		w.settled()
		w.wantNews(&at)
		_, err = w.s.Update(bg, w.tenant, actor, berlin.ID, Change{Filters: ptr(where("city", "Bonn"))})
		w.check(err)
		w.settled()
		w.wantNews(&at)
		if got := w.members(there[0]); !slices.Equal(got, []id.ID{berlin.ID}) {
			t.Errorf("whom other filters contain is in %v", got)
		}
		w.set(there[0], map[string]any{"city": "Berlin"})
		w.set(there[1], map[string]any{"city": "Bonn"})
		w.settled()
		w.wantNews(&at, left(berlin, there[0]), entered(berlin, there[1]))
		_, err = w.s.Delete(bg, w.tenant, actor, berlin.ID)
		w.check(err)
		w.settled()
		w.wantNews(&at)
		w.set(there[1], map[string]any{"city": "Berlin"})
		w.settled()
		w.wantNews(&at)
	})
}

// Many new segments are one walk over everybody.
func TestManyBegin(t *testing.T) {
	each(t, func(w *world) {
		w.s.page = 3
		var at event.Cursor
		v := w.person(map[string]any{"city": "Berlin", "tier": "gold"})
		for range 7 {
			w.person(map[string]any{"city": "Bonn"})
		}
		a, b := w.segment("contact", "city", "Berlin"), w.segment("contact", "tier", "gold")
		w.settled()
		want := []id.ID{a.ID, b.ID}
		slices.SortFunc(want, compare)
		if got := w.members(v); !slices.Equal(got, want) {
			t.Errorf("in %v, want %v", got, want)
		}
		w.wantNews(&at)
		w.set(v, map[string]any{"city": "Bonn", "tier": "tin"})
		w.settled()
		w.wantNews(&at, left(a, v), left(b, v))
	})
}

// Who is one person is in segments once: a merge makes nobody enter or leave but
// by what became of them.
func TestMerging(t *testing.T) {
	each(t, func(w *world) {
		berlin, gold := w.segment("contact", "city", "Berlin"), w.segment("contact", "tier", "gold")
		tin := w.segment("contact", "tier", "tin")
		w.settled()
		var at event.Cursor
		a, b := w.person(map[string]any{"city": "Berlin", "tier": "tin"}), w.person(map[string]any{"tier": "gold", "city": "Berlin"})
		w.settled()
		w.wantNews(&at, entered(berlin, a), entered(tin, a), entered(berlin, b), entered(gold, b))
		if _, err := w.people.Merge(bg, w.tenant, actor, a, b); err != nil {
			t.Fatal(err)
		}
		if got := w.members(b); got != nil {
			t.Errorf("the merged contact is in %v", got)
		}
		w.settled()
		w.wantNews(&at, left(gold, a)) // the survivor's own tier stays
		w.wantMatches(a, berlin, tin)
		if _, _, err := w.people.Unmerge(bg, w.tenant, actor, a); err != nil {
			t.Fatal(err)
		}
		w.settled()
		w.wantNews(&at)
		w.wantMatches(a, berlin, tin)
		w.wantMatches(b, berlin, gold)
		// Erased, a person leaves; a deleted record too.
		if _, err := w.people.Erase(bg, w.tenant, actor, b); err != nil {
			t.Fatal(err)
		}
		if n := w.count("SELECT COUNT(*) FROM segment_member WHERE tenant_id=? AND entity_id=?", b); n != 0 {
			t.Error("an erased person is remembered")
		}
		w.settled()
		w.wantNews(&at, left(berlin, b), left(gold, b))
	})
}

// wantMatches holds what is remembered against segments and against the match.
func (w *world) wantMatches(v id.ID, want ...Segment) {
	w.Helper()
	var ids []id.ID
	for _, seg := range want {
		ids = append(ids, seg.ID)
	}
	slices.SortFunc(ids, compare)
	live, err := w.s.Containing(w.r(), person(v))
	w.check(err)
	if got := w.members(v); !slices.Equal(got, ids) || !slices.Equal(live, ids) {
		w.Errorf("%s is in %v, matches %v, want %v", v, got, live, ids)
	}
}

func TestRecords(t *testing.T) {
	each(t, func(w *world) {
		seg := w.segment("contract", "city", "Berlin")
		w.settled()
		var at event.Cursor
		rec, err := w.records.Create(bg, w.tenant, actor, record.New{Schema: "contract", Attributes: map[string]any{"city": "Berlin"}})
		w.check(err)
		_, err = w.records.Create(bg, w.tenant, actor, record.New{Schema: "meter", Attributes: map[string]any{"city": "Berlin"}})
		w.check(err)
		if n := w.count("SELECT COUNT(*) FROM segment_owed WHERE tenant_id=?"); n != 1 {
			t.Errorf("%d comparisons are owed; nobody selects meters", n)
		}
		w.settled()
		w.wantNews(&at, entered(seg, rec.ID))
		_, err = w.records.Delete(bg, w.tenant, actor, "contract", rec.ID)
		w.check(err)
		w.settled()
		w.wantNews(&at, left(seg, rec.ID))
		if n := w.count("SELECT COUNT(*) FROM segment_member WHERE tenant_id=?"); n != 0 {
			t.Errorf("%d rows are remembered", n)
		}
	})
}

// A record that refers to somebody who is merged is in the segments of the survivor's
// records from then on, until the merge is taken back: asked live, by the index, by SQL
// and in what is told.
func TestReferencesFollowMerges(t *testing.T) {
	each(t, func(w *world) {
		asha, twin := w.person(nil), w.person(nil)
		const key = "customer.$relation.entity_id"
		hers, theirs := w.segment("contract", key, asha.UUID()), w.segment("contract", key, twin.UUID())
		w.settled()
		rec, err := w.records.Create(bg, w.tenant, actor, record.New{Schema: "contract",
			Attributes: map[string]any{"customer": map[string]any{"$relation": []any{map[string]any{"entity_id": twin.UUID()}}}}})
		w.check(err)
		w.settled()
		var at event.Cursor
		_ = w.news(&at)
		is := func(in, out Segment) {
			w.Helper()
			w.settled()
			matched, err := w.s.Match(w.r(), []entity.Ref{{Schema: "contract", ID: rec.ID}}, []id.ID{hers.ID, theirs.ID})
			w.check(err)
			live, err := w.s.Containing(w.r(), entity.Ref{Schema: "contract", ID: rec.ID})
			w.check(err)
			if len(matched) != 1 || matched[0].ID != in.ID || !slices.Equal(live, []id.ID{in.ID}) || !slices.Equal(w.members(rec.ID), live) {
				t.Errorf("matches %v, is in %v, remembered %v", matched, live, w.members(rec.ID))
			}
			for _, seg := range []Segment{in, out} {
				n, err := w.entities.Count(w.r(), "contract", seg.Filter)
				w.check(err)
				if want := int64(1); seg.ID == in.ID && n != want || seg.ID == out.ID && n != 0 {
					t.Errorf("%s has %d records", seg.Name, n)
				}
			}
		}
		is(theirs, hers)
		_, err = w.people.Merge(bg, w.tenant, actor, asha, twin)
		w.check(err)
		is(hers, theirs)
		w.wantNews(&at, entered(hers, rec.ID), left(theirs, rec.ID))
		_, _, err = w.people.Unmerge(bg, w.tenant, actor, asha)
		w.check(err)
		is(theirs, hers)
		w.wantNews(&at, left(hers, rec.ID), entered(theirs, rec.ID))
	})
}

var errCrash = errors.New("the power went out")

// A node that dies in the middle leaves what is owed; another does it once.
func TestCrash(t *testing.T) {
	each(t, func(w *world) {
		var dead atomic.Bool
		w.feed.Register(event.Reactor{Name: "crash", Types: []string{"segment.*"}, Owe: func(*store.Tx, event.Event) error {
			if dead.Load() {
				return errCrash
			}
			return nil
		}})
		w.s.page = 2
		var at event.Cursor
		var there []id.ID
		for range 6 {
			there = append(there, w.person(map[string]any{"city": "Berlin"}))
		}
		seg := w.segment("contact", "city", "Berlin")
		for range 4 { // some pages in
			_, _, err := w.s.step(bg, w.tenant)
			w.check(err)
		}
		again := newService(w)
		w.s = again
		w.settled()
		w.wantNews(&at)
		for _, v := range there {
			w.wantMatches(v, seg)
		}
		w.set(there[0], map[string]any{"city": "Bonn"})
		dead.Store(true)
		debts, err := due(w.r(), 10)
		w.check(err)
		if err := w.s.settle(bg, w.tenant, debts); !errors.Is(err, errCrash) {
			t.Fatalf("the crash: %v", err)
		}
		w.wantNews(&at)
		dead.Store(false)
		w.settled()
		w.wantNews(&at, left(seg, there[0]))
		// What another node did meanwhile is not done again.
		w.check(w.s.settle(bg, w.tenant, debts))
		w.wantNews(&at)
		w.wantMatches(there[0])
		// One that read before a change, and writes behind it, writes nothing.
		w.set(there[0], map[string]any{"city": "Berlin"})
		old, err := due(w.r(), 10)
		w.check(err)
		docs, err := w.s.byDocument(w.r(), old)
		w.check(err)
		w.set(there[0], map[string]any{"city": "Bonn"})
		w.settled()
		w.check(w.s.compare(bg, w.r(), old, docs))
		w.wantNews(&at)
		w.wantMatches(there[0])
	})
}

// newService is the room as another node has it.
func newService(w *world) *Service {
	return &Service{db: w.db, feed: w.feed, contacts: w.people, entities: w.entities, log: w.s.log, page: 2}
}

// An entity that cannot be compared holds up nobody else for long.
func TestPostponed(t *testing.T) {
	each(t, func(w *world) {
		seg := w.segment("contact", "city", "Berlin")
		w.settled()
		v := w.person(map[string]any{"city": "Berlin"})
		w.write(func(tx *store.Tx) error {
			_, err := tx.Exec("INSERT INTO segment_owed (tenant_id, entity_id, xid, token, entity_schema, actor, seeding, tries, next_at) VALUES (?,?,0,'x','contact','system',1,0,?)", id.New(), tx.Now())
			return err
		})
		w.settled() // unknown: nothing to compare
		w.wantMatches(v, seg)
		v2 := w.person(map[string]any{"city": "Berlin"})
		debts, err := due(w.r(), 10)
		w.check(err)
		w.check(w.s.postpone(bg, w.tenant, debts[0], errCrash))
		if done, next, err := w.s.step(bg, w.tenant); done || next.IsZero() || err != nil {
			t.Errorf("a postponed entity: %v %v %v", done, next, err)
		}
		if lanes, next, err := w.s.Due(bg, w.r().Now(), 10); err != nil || len(lanes) != 0 || next.IsZero() {
			t.Errorf("due: %v %v %v", lanes, next, err)
		}
		_ = v2
	})
}

// Tenants that owe something are found.
func TestDue(t *testing.T) {
	each(t, func(w *world) {
		if lanes, _, err := w.s.Due(bg, w.r().Now(), 10); err != nil || len(lanes) != 0 {
			t.Errorf("idle: %v %v", lanes, err)
		}
		w.segment("contact", "city", "Berlin")
		if lanes, _, err := w.s.Due(bg, w.r().Now(), 10); err != nil || len(lanes) != 1 || lanes[0].Tenant != w.tenant {
			t.Errorf("a new segment: %v %v", lanes, err)
		}
		w.settled()
		if lanes, _, err := w.s.Due(bg, w.r().Now(), 10); err != nil || len(lanes) != 0 {
			t.Errorf("settled: %v %v", lanes, err)
		}
		w.person(nil)
		if lanes, _, err := w.s.Due(bg, w.r().Now(), 10); err != nil || len(lanes) != 1 {
			t.Errorf("a new person: %v %v", lanes, err)
		}
	})
}

// What comes of a run's deed is signed by the run, so that rules that set each
// other off come to an end.
func TestSignedByTheRun(t *testing.T) {
	each(t, func(w *world) {
		w.segment("contact", "city", "Berlin")
		w.settled()
		v := w.person(nil)
		run := "run:" + id.New().String()
		w.write(func(tx *store.Tx) error {
			_, _, err := w.people.UpdateIn(tx, run, v, contact.Patch{Attributes: map[string]any{"city": "Berlin"}})
			return err
		})
		w.set(v, map[string]any{"age": 3})
		w.settled()
		events, err := event.OfContact(w.r(), v, 10)
		w.check(err)
		if events[0].Type != Entered || events[0].Actor != run || events[0].Contact != v {
			t.Errorf("%+v", events[0])
		}
	})
}
