package handover_test

import (
	"testing"
	"time"

	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/store"
)

// due is how often the reminder of somebody was announced.
func (w world) due(cid id.ID) (n int) {
	w.Helper()
	if err := w.r().QueryRow("SELECT COUNT(*) FROM event WHERE tenant_id=? AND type='handover.reminder_due' AND contact_id=?", cid).Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}

// still is whether jobs of a kind wait.
func (w world) still(kind string) bool {
	w.Helper()
	var n int
	if err := w.r().All().QueryRow("SELECT COUNT(*) FROM job WHERE kind=? AND state NOT IN ('completed','cancelled','discarded')", kind).Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n > 0
}

// "Waiting for a reminder" is a reason to put a contact away: its reminder may be
// set while it is, and comes when the contact was taken up again by then.
func TestAReminderThatWasSetInTheArchiveComes(t *testing.T) {
	each(t, func(w world) {
		v := w.placed(handover.Arrival{Agent: w.asha.ID})
		w.must(w.s.Archive(bg, w.tenant, actor, v.Contact, "waitingForReminder"))
		w.must(w.s.Remind(bg, w.tenant, actor, v.Contact, w.clock.Now().Add(time.Hour)))
		w.must(w.s.Unarchive(bg, w.tenant, actor, v.Contact))
		w.clock.Advance(time.Hour)
		w.settled(func() bool { return w.due(v.Contact) == 1 })

		// One that is still put away then is not told of.
		other := w.placed(handover.Arrival{Agent: w.asha.ID})
		w.must(w.s.Archive(bg, w.tenant, actor, other.Contact, "waitingForReminder"))
		w.must(w.s.Remind(bg, w.tenant, actor, other.Contact, w.clock.Now().Add(time.Hour)))
		w.clock.Advance(time.Hour)
		w.settled(func() bool { return !w.still("handover.reminder") })
		if n := w.due(other.Contact); n != 0 {
			w.Errorf("told %d times of what is put away", n)
		}
	})
}

// A reminder that moved to another contact with a merge is announced once.
func TestAReminderIsToldOnceBehindAMerge(t *testing.T) {
	each(t, func(w world) {
		stays := w.person() // whoever has no work gets the other's
		if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
			_, err := tx.Exec("DELETE FROM handover WHERE tenant_id=? AND contact_id=?", stays)
			return err
		}); err != nil {
			w.Fatal(err)
		}
		goes := w.placed(handover.Arrival{Agent: w.asha.ID}).Contact
		w.must(w.s.Remind(bg, w.tenant, actor, goes, w.clock.Now().Add(time.Hour)))
		if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
			_, err := w.people.MergeIn(tx, actor, stays, goes)
			return err
		}); err != nil {
			w.Fatal(err)
		}
		if v := w.get(stays); v.NextReminder.IsZero() || v.Agent != w.asha.ID {
			w.Fatalf("%+v", v)
		}
		w.clock.Advance(time.Hour)
		w.settled(func() bool { return w.due(stays) > 0 && !w.still("handover.reminder") })
		if n := w.due(stays); n != 1 {
			w.Errorf("told %d times", n)
		}
	})
}

// A task that died holds nothing, whatever was noted of the contact meanwhile and
// whomever it was merged into.
func TestABlockEndsWhateverHappensMeanwhile(t *testing.T) {
	each(t, func(w world) {
		block := func(cid id.ID) {
			w.must(w.try(func(tx *store.Tx) (handover.Work, error) { return w.s.BlockIn(tx, actor, cid, time.Minute) }))
		}
		labelled := w.placed(handover.Arrival{Agent: w.asha.ID}).Contact
		block(labelled)
		w.must(w.s.Label(bg, w.tenant, actor, labelled, "hot"))
		stays := w.person()
		if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
			_, err := tx.Exec("DELETE FROM handover WHERE tenant_id=? AND contact_id=?", stays)
			return err
		}); err != nil {
			w.Fatal(err)
		}
		goes := w.placed(handover.Arrival{Agent: w.bela.ID}).Contact
		block(goes)
		if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
			_, err := w.people.MergeIn(tx, actor, stays, goes)
			return err
		}); err != nil {
			w.Fatal(err)
		}
		w.clock.Advance(time.Minute)
		w.settled(func() bool { return w.get(labelled).Status != handover.Processing })
		w.clock.Advance(handover.MaxBlock)
		w.settled(func() bool { return w.get(stays).Status != handover.Processing })
		// A later task is not disturbed by the end of an earlier one.
		block(labelled)
		w.must(w.try(func(tx *store.Tx) (handover.Work, error) { return w.s.UnblockIn(tx, actor, labelled) }))
		w.clock.Advance(30 * time.Second)
		block(labelled)
		w.clock.Advance(30 * time.Second)
		var open int
		w.settled(func() bool {
			if err := w.r().All().QueryRow("SELECT COUNT(*) FROM job WHERE kind='handover.unblock' AND state NOT IN ('completed','cancelled','discarded')").Scan(&open); err != nil {
				w.Fatal(err)
			}
			return open == 1
		})
		if v := w.get(labelled); v.Status != handover.Processing {
			w.Errorf("the end of an earlier task ended a later one: %+v", v)
		}
	})
}
