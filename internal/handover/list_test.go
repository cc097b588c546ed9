package handover_test

import (
	"database/sql"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/agent"
	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/filter"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// crowd makes people in several groups and states, oldest first.
func (w world) crowd(n int) (all []handover.Work, groups []id.ID) {
	w.Helper()
	below := w.group(agent.Group{Name: "Below", Parent: w.shop.ID})
	beside := w.group(agent.Group{Name: "Beside"})
	groups = []id.ID{w.root.ID, w.shop.ID, below.ID, beside.ID}
	var ids []id.ID
	for i := range n {
		cid := w.place(w.person(), handover.Arrival{Group: groups[i%4], Category: []string{"", "cars"}[i%2]}).Work.Contact
		switch i % 5 {
		case 1:
			w.must(w.s.Claim(bg, w.tenant, actor, cid, w.asha.ID))
		case 2:
			w.must(w.s.Transfer(bg, w.tenant, actor, cid, handover.Destination{Agent: w.bela.ID}))
		case 3:
			w.must(w.s.Archive(bg, w.tenant, actor, cid, "converted"))
		}
		if i%3 == 0 {
			w.must(w.s.Label(bg, w.tenant, actor, cid, "hot"))
		}
		ids = append(ids, cid)
		if i%4 != 0 { // some were made in the same moment
			w.clock.Advance(time.Minute)
		}
	}
	for _, cid := range ids {
		all = append(all, w.get(cid))
	}
	return all, groups
}

func TestLists(t *testing.T) {
	each(t, func(w world) {
		all, groups := w.crowd(40)
		within := func(group, in id.ID) bool {
			ok, err := w.agents.Within(w.r(), in, group)
			if err != nil {
				w.Fatal(err)
			}
			return ok
		}
		between := func(t, after, before time.Time) bool {
			return (after.IsZero() || !t.IsZero() && !t.Before(after)) && (before.IsZero() || !t.IsZero() && !t.After(before))
		}
		place := func(cid id.ID) int {
			return slices.IndexFunc(all, func(v handover.Work) bool { return v.Contact == cid })
		}
		// What is known of the people: a number, and whether it is odd; the hot ones
		// are called so.
		for i, v := range all {
			p := contact.Patch{Attributes: map[string]any{"n": i, "odd": i%2 == 1}}
			if v.Label == "hot" {
				p.LastName = ptr("Hot")
			}
			if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
				_, _, err := w.people.UpdateIn(tx, actor, v.Contact, p)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		holds := func(f filter.Filter, cid id.ID) bool {
			m, err := filter.Compile(f)
			if err != nil {
				t.Fatal(err)
			}
			i := place(cid)
			return m.Match(map[string]any{"n": i, "odd": i%2 == 1})
		}
		// The meaning of a filter, spelled out.
		match := func(f handover.Filter, i int) bool {
			v := all[i]
			return (f.Scope.IsZero() || within(v.Group, f.Scope)) && (f.Group.IsZero() || within(v.Group, f.Group)) && (f.Agent.IsZero() || v.Agent == f.Agent) &&
				(f.Status == "" || v.Status == f.Status) && (f.Label == "" || v.Label == f.Label) && (f.Category == "" || v.Category == f.Category) &&
				(f.WithAgent == nil || *f.WithAgent != v.Agent.IsZero()) && between(v.CreatedAt, f.CreatedAfter, f.CreatedBefore) &&
				between(v.ClaimedAt, f.ClaimedAfter, f.ClaimedBefore) && between(v.TransferredAt, f.TransferredAfter, f.TransferredBefore) &&
				(f.Search == "" || f.Search == "p" || f.Search == "+9198" || f.Search == "p hot" && v.Label == "hot") && (f.Phone == "" || f.Phone == w.phoneOf(v.Contact)) && holds(f.Attributes, v.Contact) &&
				(f.Among == nil || slices.Contains(f.Among, v.Contact)) && (f.Before.IsZero() || i < place(f.Before)) && (f.After.IsZero() || i > place(f.After))
		}
		check := func(f handover.Filter) {
			w.Helper()
			var want []id.ID
			for i := range all {
				if match(f, i) {
					want = append(want, all[i].Contact)
				}
			}
			if f.Limit > 0 && len(want) > f.Limit {
				if !f.After.IsZero() && f.Before.IsZero() {
					want = want[:f.Limit]
				} else {
					want = want[len(want)-f.Limit:]
				}
			}
			slices.Reverse(want)
			list, err := w.s.List(w.r(), f)
			var got []id.ID
			for _, v := range list {
				got = append(got, v.Contact)
			}
			if err != nil || !slices.Equal(got, want) {
				w.Errorf("%+v: %d rows, want %d: %v", f, len(got), len(want), err)
			}
		}
		check(handover.Filter{})
		check(handover.Filter{Among: []id.ID{}})
		check(handover.Filter{Group: id.New()})
		check(handover.Filter{Scope: w.shop.ID, Group: groups[3]})
		some := func(p float64) bool { return rand.Float64() < p }
		for range 250 {
			var f handover.Filter
			moment := func() time.Time { return all[rand.IntN(len(all))].CreatedAt }
			person := func() id.ID { return all[rand.IntN(len(all))].Contact }
			if some(.3) {
				f.Scope = groups[rand.IntN(4)]
			}
			if some(.4) {
				f.Group = groups[rand.IntN(4)]
			}
			if some(.2) {
				f.Agent = []id.ID{w.asha.ID, w.bela.ID}[rand.IntN(2)]
			}
			if some(.4) {
				f.Status = handover.Statuses[rand.IntN(5)]
			}
			if some(.2) {
				f.Label = "hot"
			}
			if some(.2) {
				f.Category = "cars"
			}
			if some(.3) {
				f.WithAgent = ptr(some(.5))
			}
			if some(.3) {
				f.CreatedAfter = moment()
			}
			if some(.3) {
				f.CreatedBefore = moment()
			}
			if some(.2) {
				f.ClaimedAfter = moment()
			}
			if some(.1) {
				f.ClaimedBefore = moment()
			}
			if some(.2) {
				f.TransferredBefore = moment()
			}
			if some(.3) {
				f.Before = person()
			}
			if some(.3) {
				f.After = person()
			}
			if some(.2) {
				f.Among = []id.ID{person(), person(), person()}
			}
			if some(.2) {
				f.Search = []string{"p", "p hot", "q", "+9198"}[rand.IntN(4)]
			}
			if some(.1) {
				f.Phone = w.phoneOf(person())
			}
			if some(.3) {
				f.Attributes = compare(t, []string{"n=3", "n>10", "n<=3", "odd=true", "odd~tr"}[rand.IntN(5)])
			}
			w.s.SetFew([]int{0, 5, handover.MaxList}[rand.IntN(3)])
			walked := f
			if some(.5) {
				f.Limit = 1 + rand.IntN(10)
			}
			check(f)
			// A walk meets the same, always from the newest to the oldest.
			var met []id.ID
			if err := w.s.Walk(w.r(), walked, func(page []handover.Work) error {
				for _, v := range page {
					met = append(met, v.Contact)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			var want []id.ID
			for i := range all {
				if match(walked, len(all)-1-i) {
					want = append(want, all[len(all)-1-i].Contact)
				}
			}
			if !slices.Equal(met, want) {
				w.Errorf("a walk of %+v meets %d, want %d", walked, len(met), len(want))
			}
		}
		w.s.SetFew(handover.MaxList)
		// Pages, one behind the other, are the whole list.
		var seen []handover.Work
		for f := (handover.Filter{Scope: w.shop.ID, Limit: 3}); ; f.Before = seen[len(seen)-1].Contact {
			page, err := w.s.List(w.r(), f)
			if err != nil {
				w.Fatal(err)
			}
			if seen = append(seen, page...); len(page) == 0 {
				break
			}
		}
		whole, err := w.s.List(w.r(), handover.Filter{Scope: w.shop.ID})
		if err != nil || len(seen) != len(whole) || len(whole) == 0 {
			w.Errorf("%d rows in pages, %d in all %v", len(seen), len(whole), err)
		}
		// A cursor that nobody knows stands where its id does: now.
		if list, err := w.s.List(w.r(), handover.Filter{Before: id.New(), Limit: 1}); err != nil || len(list) != 1 {
			w.Error(list, err)
		}
		_, err = w.s.List(w.r(), handover.Filter{Status: "open"})
		w.wantFault(err, fault.Invalid, "status", "")
		_, err = w.s.List(w.r(), handover.Filter{Limit: -1})
		w.wantFault(err, fault.Invalid, "limit", "")
	}, storetest.Once())
}

// phoneOf is the phone of a person.
func (w world) phoneOf(cid id.ID) string {
	w.Helper()
	c, err := w.people.Get(w.r(), cid)
	if err != nil {
		w.Fatal(err)
	}
	return c.Phone()
}

func compare(t testing.TB, text string) filter.Filter {
	t.Helper()
	f, err := filter.ParseComparisons("x", []string{text})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestListsGoAlongIndexes: a list of a million contacts must read a page, which
// nothing but its slowness would tell.
func TestListsGoAlongIndexes(t *testing.T) {
	each(t, func(w world) {
		if w.db.Dialect() != store.SQLite {
			return
		}
		_, groups := w.crowd(8)
		for _, c := range []struct {
			f      handover.Filter
			index  string
			sorted bool // read in the order of the list
		}{
			{handover.Filter{}, "handover_created", true},
			{handover.Filter{Scope: w.root.ID}, "handover_created", true},
			{handover.Filter{Before: id.New()}, "handover_created", true},
			{handover.Filter{CreatedAfter: start}, "handover_created", true},
			{handover.Filter{Status: handover.New}, "handover_status", true},
			{handover.Filter{Status: handover.New, CreatedAfter: start, After: id.New()}, "handover_status", true},
			{handover.Filter{Agent: w.asha.ID}, "handover_agent", true},
			{handover.Filter{Agent: w.asha.ID, Scope: w.shop.ID, Status: handover.Archived}, "handover_agent", true},
			{handover.Filter{Group: groups[3]}, "handover_group_created", true},
			{handover.Filter{Group: groups[3], Status: handover.Unclaimed}, "handover_group", true},
			{handover.Filter{Scope: w.shop.ID, Before: id.New()}, "handover_group_created", true},
			{handover.Filter{Scope: w.shop.ID, WithAgent: ptr(true)}, "handover_group", true},
			{handover.Filter{Label: "hot"}, "handover_label", true},
			{handover.Filter{Category: "cars"}, "handover_category", true},
			{handover.Filter{ClaimedAfter: start}, "handover_created", true},
			{handover.Filter{Among: []id.ID{id.New()}}, "sqlite_autoindex_handover_1", false},
			{handover.Filter{Among: slices.Repeat([]id.ID{id.New()}, 400), Agent: w.asha.ID, Status: handover.New, Scope: w.shop.ID, Category: "cars", Label: "hot", WithAgent: ptr(true),
				CreatedAfter: start, Before: id.New(), ClaimedAfter: start}, "sqlite_autoindex_handover_1", false},
		} {
			texts, args, err := w.s.ListTexts(w.r(), c.f)
			if err != nil || len(texts) == 0 {
				w.Fatal(texts, err)
			}
			rows, err := w.r().Query("EXPLAIN QUERY PLAN "+texts[0], args[0]...)
			steps, err := store.Collect(rows, err, func(rows *sql.Rows) (step string, err error) {
				var x int
				return step, rows.Scan(&x, &x, &x, &step)
			})
			if err != nil {
				w.Fatal(err)
			}
			for _, step := range steps {
				if strings.Contains(step, " handover") && !strings.Contains(step, "SEARCH handover USING INDEX "+c.index+" ") || c.sorted && strings.Contains(step, "TEMP B-TREE") {
					w.Errorf("%+v: %q", c.f, steps)
					break
				}
			}
			if !strings.Contains(strings.Join(steps, ";"), c.index) {
				w.Errorf("%+v: %q", c.f, steps)
			}
		}
	})
}
