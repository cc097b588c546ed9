package agent_test

import (
	"errors"
	"testing"

	"parley/internal/agent"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// What transactions see of groups is what the last one left, also when one that
// changed them failed.
func TestTransactionsSeeGroupsAsTheyAre(t *testing.T) {
	each(t, func(w world) {
		held := func(v id.ID) (g agent.Group, absences bool, err error) {
			err = w.db.Write(bg, w.tenant, func(tx *store.Tx) (err error) {
				if absences, err = w.s.Absences(tx); err == nil {
					g, err = w.s.HoldGroupIn(tx, v)
				}
				return err
			})
			return g, absences, err
		}
		shop := w.group(agent.Group{Name: "Shop"})
		check := func(name, message string, absences bool) {
			w.Helper()
			for range 2 { // the second time it is remembered
				g, told, err := held(shop.ID)
				if err != nil || g.Name != name || g.AbsenceMessage != message || told != absences {
					w.Errorf("%+v %v %v", g, told, err)
				}
			}
		}
		check("Shop", "", false)
		w.edit(shop.ID, agent.GroupPatch{Name: ptr("Store"), AbsenceMessage: ptr("We are closed")})
		check("Store", "We are closed", true)
		undone := errors.New("undone")
		err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
			if _, err := w.s.UpdateGroupIn(tx, actor, shop.ID, agent.GroupPatch{Name: ptr("Never"), AbsenceMessage: ptr("")}); err != nil {
				return err
			}
			if g, err := w.s.HoldGroupIn(tx, shop.ID); err != nil || g.Name != "Never" {
				w.Errorf("a transaction does not see what it did: %+v %v", g, err)
			}
			return undone
		})
		if !errors.Is(err, undone) {
			w.Fatal(err)
		}
		check("Store", "We are closed", true)
		if _, err := w.s.DeleteGroup(bg, w.tenant, actor, shop.ID); err != nil {
			w.Fatal(err)
		}
		for range 2 {
			_, _, err := held(shop.ID)
			w.wantFault(err, fault.NotFound, "", "")
		}
		if g, _, err := held(w.root.ID); err != nil || g.ID != w.root.ID {
			w.Errorf("%+v %v", g, err)
		}
	})
}
