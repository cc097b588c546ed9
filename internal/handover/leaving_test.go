package handover_test

import (
	"testing"
	"time"

	"parley/internal/handover"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// Work that a merge takes out of the archive is nobody's when its agent has left.
func TestAMergeGivesNothingToWhoHasLeft(t *testing.T) {
	each(t, func(w world) {
		stays := w.person()
		if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error { // not placed yet
			_, err := tx.Exec("DELETE FROM handover WHERE tenant_id=? AND contact_id=?", stays)
			return err
		}); err != nil {
			w.Fatal(err)
		}
		goes := w.placed(handover.Arrival{Agent: w.asha.ID}).Contact
		w.must(w.s.Archive(bg, w.tenant, actor, goes, "converted"))
		if _, pending, err := w.s.Remove(bg, w.tenant, actor, w.asha.ID, handover.Destination{}); err != nil || pending {
			w.Fatal(pending, err)
		}
		if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
			_, err := w.people.MergeIn(tx, actor, stays, goes)
			return err
		}); err != nil {
			w.Fatal(err)
		}
		if v := w.get(stays); v.Status != handover.Unclaimed || !v.Agent.IsZero() || v.Group != w.shop.ID {
			w.Errorf("%+v", v)
		}
	})
}

// An agent who is given somebody at the moment of leaving hands that one over too,
// since it was said to whom.
func TestRemovingWhoIsGivenSomebodyAtThatMoment(t *testing.T) {
	each(t, func(w world) {
		if w.db.Dialect() != store.Postgres {
			w.Skip("one writer at a time")
		}
		v := w.placed(handover.Arrival{})
		type outcome struct {
			pending bool
			err     error
		}
		done := make(chan outcome, 1)
		if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
			if _, err := w.s.TransferIn(tx, actor, v.Contact, handover.Destination{Agent: w.asha.ID}); err != nil {
				return err
			}
			go func() {
				_, pending, err := w.s.Remove(bg, w.tenant, actor, w.asha.ID, handover.Destination{Agent: w.bela.ID})
				done <- outcome{pending, err}
			}()
			for until := time.Now().Add(time.Minute); storetest.Waiting(w, w.db) == 0; {
				if time.Now().After(until) {
					w.Error("nobody came to wait")
					return nil
				}
			}
			return nil
		}); err != nil {
			w.Fatal(err)
		}
		if got := <-done; got.err != nil || !got.pending {
			w.Fatalf("%+v", got)
		}
		w.settled(func() bool {
			a, err := w.agents.Agent(w.r(), w.asha.ID)
			return err == nil && !a.DeletedAt.IsZero()
		})
		if got := w.get(v.Contact); got.Agent != w.bela.ID {
			w.Errorf("%+v", got)
		}
	}, storetest.Once())
}
