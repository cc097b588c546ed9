package agent_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"parley/internal/agent"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestAgents(t *testing.T) {
	each(t, func(w world) {
		shop := w.group(agent.Group{Name: "Shop"})
		a := w.agent(agent.Agent{FirstName: "Asha", LastName: "Rao", Email: " Asha@Example.COM ", Phone: "98765 43210", CellPhone: "+55 11 98765-4321", Group: shop.ID, LegacyID: "7",
			ExternalID: map[string]any{"erp": "A1"}, AppFields: map[string]any{"n": 1}})
		b := w.agent(agent.Agent{FirstName: "Bela", Role: agent.RoleAdmin})
		if a.Email != "asha@example.com" || a.Role != agent.RoleAgent || !a.Active || b.Group != w.root.ID || a.Name() != "Asha Rao" {
			w.Errorf("%+v %+v", a, b)
		}
		find := func(text string, want id.ID) {
			w.Helper()
			got, found, err := w.s.Find(w.r(), text)
			if err != nil || found == want.IsZero() || got.ID != want {
				w.Errorf("%q finds %v %v %v", text, got.ID, found, err)
			}
		}
		find(a.ID.String(), a.ID)
		find("ASHA@example.com", a.ID)
		find("+919876543210", a.ID)
		find("9876543210", a.ID)
		find("5511987654321", a.ID)
		find("nobody@example.com", id.Zero)
		find("", id.Zero)
		find("Asha", id.Zero)
		find("a\x00@b", id.Zero)
		find(id.New().String(), id.Zero)

		_, err := w.s.Create(bg, w.tenant, actor, agent.Agent{FirstName: "x", Email: "asha@EXAMPLE.com"})
		w.wantFault(err, fault.Conflict, "email", "email")
		_, err = w.s.Update(bg, w.tenant, actor, b.ID, agent.Patch{Email: ptr("asha@example.com")})
		w.wantFault(err, fault.Conflict, "email", "email")
		for field, bad := range map[string]agent.Agent{
			"firstName": {}, "email": {FirstName: "x", Email: "here"}, "role": {FirstName: "x", Role: "king"}, "phone": {FirstName: "x", Phone: "call me"},
			"cellPhone": {FirstName: "x", CellPhone: "-"}, "timezone": {FirstName: "x", Timezone: "x"}, "externalId": {FirstName: "x", ExternalID: map[string]any{"a": "\x00"}},
		} {
			_, err := w.s.Create(bg, w.tenant, actor, bad)
			w.wantFault(err, fault.Invalid, field, "")
		}
		_, err = w.s.Update(bg, w.tenant, actor, a.ID, agent.Patch{Group: ptr(id.New())})
		w.wantFault(err, fault.NotFound, "group", "")
		_, err = w.s.Update(bg, w.tenant, actor, id.New(), agent.Patch{})
		w.wantFault(err, fault.NotFound, "", "")

		got := w.change(a.ID, agent.Patch{LastName: ptr("Roy"), Phone: ptr(""), Active: ptr(false), ExternalID: map[string]any{"crm": 2, "erp": nil}})
		read, err := w.s.Agent(w.r(), a.ID)
		if err != nil || read.LastName != "Roy" || read.Phone != "" || read.ExternalID["crm"] != 2.0 || len(read.ExternalID) != 1 || read.AppFields["n"] != 1.0 || got.ID != read.ID {
			w.Errorf("%+v %v", read, err)
		}
		w.change(a.ID, agent.Patch{LastName: ptr("Roy")})
		if got := w.events(a.ID); !slices.Equal(got, []string{"agent.created", "agent.updated lastName phone active externalId"}) {
			w.Errorf("%q", got)
		}
		list := func(group id.ID, active string, below bool, want ...id.ID) {
			w.Helper()
			all, err := w.s.List(w.r(), group, active, below)
			var ids []id.ID
			for _, v := range all {
				ids = append(ids, v.ID)
			}
			if err != nil || !slices.Equal(ids, want) {
				w.Errorf("%v %v", ids, err)
			}
		}
		list(shop.ID, "", false)
		list(shop.ID, agent.OnlyInactive, false, a.ID)
		list(w.root.ID, agent.Everybody, true, a.ID, b.ID)
		list(w.root.ID, "true", true, b.ID)
		list(w.root.ID, agent.Everybody, false, b.ID)
		_, err = w.s.List(w.r(), shop.ID, "maybe", false)
		w.wantFault(err, fault.Invalid, "active", "")
		_, err = w.s.List(w.r(), id.New(), "", false)
		w.wantFault(err, fault.NotFound, "", "")

		g, found, err := w.s.FindGroup(w.r(), w.root.ID, "sHOP")
		if err != nil || !found || g.ID != shop.ID {
			w.Error(g, found, err)
		}
		w.group(agent.Group{Name: "Shop", Parent: shop.ID})
		if _, found, err := w.s.FindGroup(w.r(), w.root.ID, "Shop"); err != nil || found {
			w.Error("two groups of one name", err)
		}
	})
}

func TestDeletingAgents(t *testing.T) {
	each(t, func(w world) {
		busy := id.Zero
		w.s.Hold(agent.Holder{Name: "toy", Group: func(reader, id.ID) (bool, error) { return false, nil }, Agent: func(_ reader, a id.ID) (bool, error) { return a == busy, nil }})
		a := w.agent(agent.Agent{Email: "a@example.com"})
		del := func() error {
			return w.db.Write(bg, w.tenant, func(tx *store.Tx) error { _, err := w.s.DeleteIn(tx, actor, a.ID); return err })
		}
		busy = a.ID
		w.wantFault(del(), fault.Conflict, "", "contacts")
		busy = id.Zero
		if err := del(); err != nil {
			w.Fatal(err)
		}
		w.wantFault(del(), fault.NotFound, "", "")
		if got, err := w.s.Agent(w.r(), a.ID); err != nil || got.DeletedAt.IsZero() || got.Active {
			w.Errorf("%+v %v", got, err)
		}
		if _, found, err := w.s.Find(w.r(), "a@example.com"); found || err != nil {
			w.Error("a deleted agent is found", err)
		}
		if all, err := w.s.List(w.r(), w.root.ID, agent.Everybody, true); err != nil || len(all) != 0 {
			w.Error(all, err)
		}
		_, err := w.s.Update(bg, w.tenant, actor, a.ID, agent.Patch{LastName: ptr("x")})
		w.wantFault(err, fault.NotFound, "", "")
		w.agent(agent.Agent{Email: "a@example.com"}) // the address is free again
	})
}

func (w world) pick(group id.ID, except ...id.ID) (id.ID, error) {
	return store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (id.ID, error) {
		a, _, err := w.s.PickIn(tx, group, tx.Now(), except...)
		return a.ID, err
	})
}

// Whoever works gets as many as the others, but for one, however many callers
// pick at once.
func TestPicksAreFair(t *testing.T) {
	each(t, func(w world) {
		rapid.Check(w.T, func(rt *rapid.T) {
			shop := w.group(agent.Group{Name: "Shop"})
			n, callers, each := rapid.IntRange(1, 6).Draw(rt, "agents"), rapid.IntRange(1, 5).Draw(rt, "callers"), rapid.IntRange(0, 7).Draw(rt, "picks")
			counts := map[id.ID]int{}
			for range n {
				counts[w.agent(agent.Agent{Group: shop.ID}).ID] = 0
			}
			var mu sync.Mutex
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for range each {
						got, err := w.pick(shop.ID)
						if err != nil {
							w.Error(err)
						}
						mu.Lock()
						counts[got]++
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			least, most := 1<<30, 0
			for _, c := range counts {
				least, most = min(least, c), max(most, c)
			}
			if len(counts) != n || most-least > 1 {
				rt.Fatalf("%d agents were picked %v", n, counts)
			}
		})
	}, storetest.Once())
}

func TestWhoIsPicked(t *testing.T) {
	each(t, func(w world) {
		shop := w.group(agent.Group{Name: "Shop", Timezone: "UTC", Hours: day(time.Monday)})
		want := func(who id.ID, except ...id.ID) {
			w.Helper()
			if got, err := w.pick(shop.ID, except...); err != nil || got != who {
				w.Errorf("picked %v %v, want %v", got, err, who)
			}
		}
		want(id.Zero)
		a, b := w.agent(agent.Agent{Group: shop.ID, FirstName: "A"}), w.agent(agent.Agent{Group: shop.ID, FirstName: "B"})
		want(a.ID)
		want(b.ID)
		want(a.ID)
		want(a.ID, b.ID)
		want(b.ID)
		c := w.agent(agent.Agent{Group: shop.ID, FirstName: "C"})
		want(c.ID) // who is new comes first, once
		want(a.ID)
		w.change(b.ID, agent.Patch{Hours: ptr(day(time.Tuesday))})
		want(c.ID)
		if _, err := w.s.SetPresence(bg, w.tenant, actor, c.ID, agent.Presence{Paused: ptr(true)}); err != nil {
			w.Fatal(err)
		}
		want(a.ID)
		want(a.ID)
		w.change(a.ID, agent.Patch{Active: ptr(false)})
		want(id.Zero)
		w.change(b.ID, agent.Patch{Hours: ptr(agent.Hours{})})
		if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error { return w.s.TurnIn(tx, b) }); err != nil {
			w.Fatal(err)
		}
		want(b.ID)
		if _, err := w.pick(id.New()); fault.As(err) == nil {
			w.Error("an unknown group", err)
		}
	})
}
