package agent_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/internal/agent"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store/storetest"
	"parley/internal/tenant"
)

func TestTheRootIsMadeOnce(t *testing.T) {
	each(t, func(w world) {
		other, err := w.tenants.Create(bg, tenant.NewTenant{Name: "Other"})
		if err != nil {
			w.Fatal(err)
		}
		got := make([]agent.Group, 8)
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() {
				g, err := w.s.Root(bg, other.ID)
				if err != nil {
					w.Error(err)
				}
				got[i] = g
			})
		}
		wg.Wait()
		for _, g := range got {
			if g.ID != got[0].ID || !g.Root() || g.Name != "Other" || g.Method != agent.Manual {
				w.Errorf("%+v", g)
			}
		}
		if got := w.events(w.root.ID); !slices.Equal(got, []string{"group.created"}) {
			w.Errorf("%q", got)
		}
		if _, err := w.s.Root(bg, id.New()); fault.As(err) == nil || fault.As(err).Code != fault.NotFound {
			w.Errorf("an unknown tenant: %v", err)
		}
	})
}

func TestGroups(t *testing.T) {
	each(t, func(w world) {
		north := w.group(agent.Group{Name: " North ", DisplayName: "The North", Types: []string{agent.TypeStore, agent.TypeOEM, agent.TypeStore}, Timezone: "America/Sao_Paulo",
			CountryCode: "br", Language: "pt-BR", AbsenceMessage: "Back at nine", Method: agent.RoundRobin, CloseInactiveAfter: 24 * time.Hour})
		shop := w.group(agent.Group{Name: "Shop", Parent: north.ID})
		if north.Parent != w.root.ID || north.Name != "North" || north.CountryCode != "BR" || !slices.Equal(north.Types, []string{"OEM", "store"}) {
			w.Errorf("%+v", north)
		}
		n, err := w.s.Node(w.r(), north.ID)
		if err != nil || n.AbsenceMessage != "Back at nine" || n.CloseInactiveAfter != 24*time.Hour || n.Method != agent.RoundRobin ||
			!slices.Equal(n.Ancestors, []id.ID{w.root.ID}) || !slices.Equal(n.Descendants, []id.ID{shop.ID}) {
			w.Errorf("%+v %v", n, err)
		}
		kids, err := w.s.Children(w.r(), w.root.ID)
		if err != nil || len(kids) != 1 || kids[0].ID != north.ID {
			w.Errorf("%+v %v", kids, err)
		}
		below, err := w.s.Descendants(w.r(), w.root.ID, true)
		if err != nil || len(below) != 3 || below[0].ID != w.root.ID || len(below[0].Descendants) != 2 || !slices.Equal(below[2].Ancestors, []id.ID{north.ID, w.root.ID}) {
			w.Errorf("%+v %v", below, err)
		}
		w.edit(shop.ID, agent.GroupPatch{Name: ptr("Shop"), Method: ptr(agent.Radar), Timeout: ptr(30 * time.Second)})
		if got := w.events(shop.ID); !slices.Equal(got, []string{"group.created", "group.updated assignment.method assignment.timeoutSeconds"}) {
			w.Errorf("%q", got)
		}
		for field, g := range map[string]agent.Group{
			"name":                      {},
			"type":                      {Name: "x", Types: []string{"shop"}},
			"timezone":                  {Name: "x", Timezone: "Mars/Base"},
			"countryCode":               {Name: "x", CountryCode: "BRA"},
			"language":                  {Name: "x", Language: "p"},
			"assignment.method":         {Name: "x", Method: "lottery"},
			"assignment.timeoutSeconds": {Name: "x", Timeout: time.Millisecond},
			"closeInactiveAfter":        {Name: "x", CloseInactiveAfter: -1},
			"reassignAfter":             {Name: "x", ReassignAfter: time.Second},
			"workingHours[0].to":        {Name: "x", Hours: agent.Hours{{Day: 1, From: 5, To: 5}}},
			"workingHours[0].day":       {Name: "x", Hours: agent.Hours{{Day: 7, From: 5, To: 6}}},
			"workingHours[1].from":      {Name: "x", Hours: agent.Hours{{Day: 1, From: 1, To: 2}, {Day: 1, From: 1440, To: 6}}},
		} {
			_, err := w.s.CreateGroup(bg, w.tenant, actor, g)
			w.wantFault(err, fault.Invalid, field, "")
		}
		_, err = w.s.CreateGroup(bg, w.tenant, actor, agent.Group{Name: "x", Parent: id.New()})
		w.wantFault(err, fault.NotFound, "parent", "")
		_, err = w.s.UpdateGroup(bg, w.tenant, actor, north.ID, agent.GroupPatch{Parent: &shop.ID})
		w.wantFault(err, fault.Invalid, "parent", "")
		_, err = w.s.UpdateGroup(bg, w.tenant, actor, w.root.ID, agent.GroupPatch{Parent: &shop.ID})
		w.wantFault(err, fault.Invalid, "parent", "")

		// Another tenant's group is unknown.
		other, err := w.tenants.Create(bg, tenant.NewTenant{Name: "Other"})
		if err != nil {
			w.Fatal(err)
		}
		if _, err := w.s.Group(w.s.Reads(bg, other.ID), north.ID); err == nil {
			w.Error("another tenant reads the group")
		}

		deep := shop
		for i := 0; i < 18; i++ {
			deep = w.group(agent.Group{Name: fmt.Sprint(i), Parent: deep.ID})
		}
		_, err = w.s.CreateGroup(bg, w.tenant, actor, agent.Group{Name: "x", Parent: deep.ID})
		w.wantFault(err, fault.Invalid, "parent", "")
		side := w.group(agent.Group{Name: "Side"})
		_, err = w.s.UpdateGroup(bg, w.tenant, actor, north.ID, agent.GroupPatch{Parent: &side.ID})
		w.wantFault(err, fault.Invalid, "parent", "")
	})
}

func TestDeletingGroups(t *testing.T) {
	each(t, func(w world) {
		north, busy := w.group(agent.Group{Name: "North"}), false
		w.s.Hold(agent.Holder{Name: "toy", Group: func(_ reader, g id.ID) (bool, error) { return busy && g == north.ID, nil },
			Agent: func(reader, id.ID) (bool, error) { return false, nil }})
		shop := w.group(agent.Group{Name: "Shop", Parent: north.ID})
		del := func(g id.ID) error { _, err := w.s.DeleteGroup(bg, w.tenant, actor, g); return err }
		w.wantFault(del(w.root.ID), fault.Conflict, "", "root")
		w.wantFault(del(north.ID), fault.Conflict, "", "children")
		if err := del(shop.ID); err != nil {
			w.Fatal(err)
		}
		a := w.agent(agent.Agent{Group: north.ID})
		w.wantFault(del(north.ID), fault.Conflict, "", "agents")
		w.change(a.ID, agent.Patch{Group: &w.root.ID})
		busy = true
		w.wantFault(del(north.ID), fault.Conflict, "", "contacts")
		busy = false
		if err := del(north.ID); err != nil {
			w.Fatal(err)
		}
		w.wantFault(del(north.ID), fault.NotFound, "", "")
		if g, err := w.s.Group(w.r(), north.ID); err != nil || g.DeletedAt.IsZero() || g.Name != "North" {
			w.Errorf("what is known of a deleted group: %+v %v", g, err)
		}
		if _, err := w.s.Node(w.r(), north.ID); err == nil {
			w.Error("a deleted group has a node")
		}
		if sub, err := w.s.Subtree(w.r(), w.root.ID); err != nil || !slices.Equal(sub, []id.ID{w.root.ID}) {
			w.Errorf("%v %v", sub, err)
		}
		_, err := w.s.Create(bg, w.tenant, actor, agent.Agent{FirstName: "x", Group: north.ID})
		w.wantFault(err, fault.NotFound, "group", "")
	})
}

// Moves of subtrees at random and at once: the closure always tells what the
// parents do, and nobody ends up below himself.
func TestTheClosureFollowsTheTree(t *testing.T) {
	each(t, func(w world) {
		all := []id.ID{w.root.ID}
		for i := range 14 {
			all = append(all, w.group(agent.Group{Name: fmt.Sprint(i), Parent: all[rand.IntN(len(all))]}).ID)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 25 {
					_, err := w.s.UpdateGroup(bg, w.tenant, actor, all[1+rand.IntN(14)], agent.GroupPatch{Parent: &all[rand.IntN(15)]})
					if err != nil && (fault.As(err) == nil || fault.As(err).Field != "parent") {
						w.Error(err)
					}
				}
			})
		}
		wg.Wait()
		byID, err := w.s.GroupsByID(w.r(), all)
		if err != nil || len(byID) != 15 {
			w.Fatal(byID, err)
		}
		for _, v := range all {
			var above []id.ID
			for g := byID[v]; !g.Root(); g = byID[g.Parent] {
				if above = append(above, g.Parent); len(above) > 15 {
					w.Fatal("a cycle")
				}
			}
			n, err := w.s.Node(w.r(), v)
			if err != nil || !slices.Equal(n.Ancestors, above) && len(n.Ancestors)+len(above) > 0 {
				w.Errorf("%v: the closure says %v, the parents %v (%v)", v, n.Ancestors, above, err)
			}
			for _, g := range all {
				in, err := w.s.Within(w.r(), g, v)
				if want := g == v || slices.Contains(above, g); in != want || err != nil {
					w.Errorf("%v within %v: %v %v", v, g, in, err)
				}
			}
		}
	}, storetest.Once())
}
