package bulk

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/verify"
)

// whole looks at what must never be false.
func (w *world) whole() {
	w.Helper()
	for _, inv := range verify.Invariants {
		if !strings.HasPrefix(inv.Name, "bulk-") {
			continue
		}
		rows, err := w.DB.Read(bg, w.Tenant).All().Query(inv.Query)
		broken, err := store.Collect(rows, err, func(rows *sql.Rows) (b [3]string, err error) { return b, rows.Scan(&b[0], &b[1], &b[2]) })
		if err != nil || len(broken) > 0 {
			w.Errorf("%s is broken: %v %v", inv.Name, broken, err)
		}
	}
}

// TestOldJobsGo prunes jobs that ended long ago, bit by bit, and those that nobody has
// approved for as long; it leaves those that are young, under way, or have a run that
// goes on.
func TestOldJobsGo(t *testing.T) {
	each(t, func(w *world) {
		const keep = 24 * time.Hour
		who := w.crowd(20)
		done := w.drain(w.create(New{Rule: w.flow(tagging()), Refs: refs(who[:8]...), Approved: true}).ID, 8)
		cut := w.create(New{Rule: w.flow(waitingHour()), Refs: refs(who...), Approved: true})
		w.once(cut.ID, 8) // the audience
		w.once(cut.ID, 8)
		if _, err := w.s.Cancel(bg, w.Tenant, "key:test", cut.ID, cut.Token); err != nil {
			t.Fatal(err)
		}
		cut = w.drain(cut.ID, 8)
		open := w.create(New{Rule: w.flow(waitingHour()), Refs: refs(who[:3]...), Approved: true})
		w.once(open.ID, 8)
		w.once(open.ID, 8)
		if err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error { // it came to grief, and its runs go on
			j, err := get(tx, open.ID)
			if err != nil {
				return err
			}
			return w.s.end(tx, "system", &j, Failed, "broken")
		}); err != nil {
			t.Fatal(err)
		}
		waits := w.create(New{Rule: w.flow(tagging()), Refs: refs(who[:2]...)})
		runs := w.Count(w, "run", "1=1")
		if n, err := w.s.Prune(bg, keep); n != 0 || err != nil {
			t.Errorf("%d young jobs went: %v", n, err)
		}
		w.Clock.Advance(2 * keep)
		fresh := w.create(New{Rule: w.flow(tagging()), Refs: refs(who[:2]...)})
		young := w.drain(w.create(New{Rule: w.flow(tagging()), Refs: refs(who[:2]...), Approved: true}).ID, 8)
		if n, err := w.s.Prune(bg, 0); n != 0 || err != nil {
			t.Errorf("%d jobs went that are kept for ever: %v", n, err)
		}
		jobs, steps := 0, 0
		for {
			found, gone, err := w.s.pruneSome(bg, keep, 8)
			if err != nil {
				t.Fatal(err)
			}
			if !found {
				break
			}
			if steps++; gone {
				jobs++
			}
			w.whole()
		}
		if jobs != 3 || steps != 6 {
			t.Errorf("%d jobs went in %d steps", jobs, steps)
		}
		for _, j := range []Job{done, cut, waits} {
			_, err := w.s.Get(w.DB.Read(bg, w.Tenant), j.ID)
			wantFault(t, err, fault.NotFound, "", "bulk job")
		}
		for _, j := range []Job{open, fresh, young} {
			w.get(j.ID)
		}
		if n := w.Count(w, "bulk_item", "1=1"); n != 3+2 {
			t.Errorf("%d entities are left", n)
		}
		if n := w.Count(w, "run", "1=1"); n != runs+2 {
			t.Errorf("%d runs are left", n)
		}
	})
}
