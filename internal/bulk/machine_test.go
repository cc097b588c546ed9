package bulk

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"parley/internal/automation"
	"parley/internal/clock"
	"parley/internal/conversation/convtest"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// sound looks for what must never be false of a job.
func (w *world) sound(j id.ID) (broken []string) {
	w.Helper()
	for name, query := range map[string]string{
		"an item's run is not its own":    "SELECT COUNT(*) FROM bulk_item i LEFT JOIN run r ON r.tenant_id=i.tenant_id AND r.id=i.run_id WHERE i.tenant_id=? AND i.job_id=? AND i.run_id IS NOT NULL AND r.id IS NOT NULL AND (r.owner_id<>i.job_id OR r.entity_id<>i.entity_id)",
		"an item is open and its run not": "SELECT COUNT(*) FROM bulk_item i LEFT JOIN run r ON r.tenant_id=i.tenant_id AND r.id=i.run_id WHERE i.tenant_id=? AND i.job_id=? AND i.is_open AND (r.id IS NULL OR r.completed_at IS NOT NULL)",
		"a run is open and its item not":  "SELECT COUNT(*) FROM run r LEFT JOIN bulk_item i ON i.tenant_id=r.tenant_id AND i.job_id=r.owner_id AND i.run_id=r.id WHERE r.tenant_id=? AND r.owner_id=? AND r.completed_at IS NULL AND (i.is_open IS NULL OR NOT i.is_open)",
		"a job miscounts":                 "SELECT COUNT(*) FROM bulk_job j WHERE j.tenant_id=? AND j.id=? AND (j.total<>(SELECT COUNT(*) FROM bulk_item i WHERE i.tenant_id=j.tenant_id AND i.job_id=j.id) OR j.started<>(SELECT COUNT(*) FROM bulk_item i WHERE i.tenant_id=j.tenant_id AND i.job_id=j.id AND i.run_id IS NOT NULL) OR j.started+j.refused>j.total)",
		"a job ended too early":           "SELECT COUNT(*) FROM bulk_job j WHERE j.tenant_id=? AND j.id=? AND j.status IN ('send_report','finished') AND (j.started+j.refused<>j.total OR EXISTS (SELECT 1 FROM bulk_item i WHERE i.tenant_id=j.tenant_id AND i.job_id=j.id AND i.is_open))",
		"a job's end has no time":         "SELECT COUNT(*) FROM bulk_job j WHERE j.tenant_id=? AND j.id=? AND (j.status IN ('finished','failed','cancelled'))<>(j.ended_at IS NOT NULL)",
		"nothing carries a job on":        "SELECT COUNT(*) FROM bulk_job j WHERE j.tenant_id=? AND j.id=? AND j.status NOT IN ('approval','finished') AND NOT EXISTS (SELECT 1 FROM job q WHERE q.tenant_id=j.tenant_id AND q.kind='bulk.advance' AND q.unique_key=j.id AND q.state IN ('available','scheduled','running','retryable'))",
	} {
		var n int
		if err := w.DB.Read(bg, w.Tenant).QueryRow(query, j).Scan(&n); err != nil {
			w.Fatal(name, err)
		}
		if n > 0 {
			broken = append(broken, name)
		}
	}
	return broken
}

// Whatever happens in whatever order, a job goes forward only, starts one run for
// each entity at most, and its books agree with the runs.
func TestJobMachine(t *testing.T) {
	now := clock.NewFake(convtest.Start)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		rapid.Check(t, func(rt *rapid.T) {
			w := newWorld(t, db, now)
			f := w.follow()
			who := w.crowd(rapid.IntRange(1, 12).Draw(rt, "people"))
			action := tagging()
			if rapid.Bool().Draw(rt, "waits") {
				action = waitingHour()
			}
			rule := w.flow(action)
			j := w.create(New{Rule: rule, Owner: f.owner, Refs: refs(who...), Approved: rapid.Bool().Draw(rt, "approved")})
			last, told := slices.Index(Statuses, j.Status), 0
			check := func() {
				got := w.get(j.ID)
				at := slices.Index(Statuses, got.Status)
				if at < last || Over(Statuses[last]) && at != last {
					rt.Fatalf("from %s to %s", Statuses[last], got.Status)
				}
				last = at
				told = w.heard("ended", got.Status)
				if (told == 1) != got.Over() {
					rt.Fatalf("%s was told %d times", got.Status, told)
				}
				if broken := w.sound(j.ID); len(broken) > 0 {
					rt.Fatalf("%s: %v", got.Status, broken)
				}
			}
			fine := func(err error) {
				if err != nil && fault.As(err) == nil {
					rt.Fatal(err)
				}
			}
			someRun := func(rt *rapid.T) (id.ID, bool) {
				var runs []id.ID
				for _, it := range w.items(j.ID) {
					if !it.Run.IsZero() {
						runs = append(runs, it.Run)
					}
				}
				if len(runs) == 0 {
					return id.Zero, false
				}
				slices.SortFunc(runs, func(a, b id.ID) int { return slices.Compare(a[:], b[:]) })
				return rapid.SampledFrom(runs).Draw(rt, "run"), true
			}
			rt.Repeat(map[string]func(*rapid.T){
				"": func(*rapid.T) { check() },
				"advance": func(rt *rapid.T) {
					p := pace{size: rapid.IntRange(1, 5).Draw(rt, "size"), later: rapid.Bool().Draw(rt, "later")}
					_, _, err := w.s.advance(bg, w.Tenant, j.ID, &p)
					fine(err)
				},
				"fail": func(rt *rapid.T) {
					f.fail = errors.New("no")
					p := pace{size: 3}
					_, _, _ = w.s.advance(bg, w.Tenant, j.ID, &p)
					f.fail = nil
				},
				"approve": func(*rapid.T) { _, err := w.s.Approve(bg, w.Tenant, "key:test", j.ID, j.Token); fine(err) },
				"cancel": func(rt *rapid.T) {
					if rapid.IntRange(0, 9).Draw(rt, "really") == 0 {
						_, err := w.s.Cancel(bg, w.Tenant, "key:test", j.ID, j.Token)
						fine(err)
					}
				},
				"verb": func(rt *rapid.T) {
					run, ok := someRun(rt)
					if !ok {
						return
					}
					var err error
					switch rapid.IntRange(0, 3).Draw(rt, "verb") {
					case 0:
						_, err = w.rules.Cancel(bg, w.Tenant, "key:test", run)
					case 1:
						_, err = w.rules.Pause(bg, w.Tenant, "key:test", run)
					case 2:
						_, err = w.rules.Resume(bg, w.Tenant, "key:test", run)
					default:
						_, err = w.rules.Abort(bg, w.Tenant, "key:test", run)
					}
					fine(err)
				},
				"merge": func(rt *rapid.T) {
					a, b := rapid.SampledFrom(who).Draw(rt, "a"), rapid.SampledFrom(who).Draw(rt, "b")
					_, err := w.Contacts.Merge(bg, w.Tenant, "key:test", a, b)
					fine(err)
				},
				"toggle": func(rt *rapid.T) {
					on := rapid.IntRange(0, 4).Draw(rt, "on") > 0
					_, err := w.rules.Toggle(bg, w.Tenant, "key:test", rule, &on)
					fine(err)
				},
			})
		})
	}, storetest.Clock(now))
}

// Two nodes that carry the same job on at the same time start one run for each
// entity, and cancelling beside them loses nothing.
func TestTwoNodesAndACancel(t *testing.T) {
	now := clock.NewFake(convtest.Start)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for round := range 4 {
			w := newWorld(t, db, now)
			f := w.follow()
			who := w.crowd(40)
			action := tagging()
			if round%2 == 1 {
				action = waitingHour()
			}
			j := w.create(New{Rule: w.flow(action), Owner: f.owner, Refs: refs(who...), Approved: true})
			var wg sync.WaitGroup
			for range 3 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					p := pace{size: 8, target: time.Millisecond}
					for range 200 {
						wait, done, err := w.s.advance(bg, w.Tenant, j.ID, &p)
						p.size = 8
						if f := fault.As(err); err != nil && (f == nil || f.Code != fault.Unavailable) {
							t.Error(err)
						}
						if done || wait > 0 {
							return
						}
					}
				}()
			}
			if round >= 2 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for w.get(j.ID).Started == 0 && !w.get(j.ID).Over() {
					}
					if _, err := w.s.Cancel(bg, w.Tenant, "key:test", j.ID, j.Token); err != nil && fault.As(err) == nil {
						t.Error(err)
					}
				}()
			}
			wg.Wait()
			got := w.drain(j.ID, 8)
			if broken := w.sound(j.ID); len(broken) > 0 {
				t.Errorf("round %d: %s: %v", round, got.Status, broken)
			}
			runs := w.Count(w, "run", "owner_id=?", j.ID)
			if int64(runs) != got.Started || w.Count(w, "run", "owner_id=? AND completed_at IS NULL", j.ID) > 0 && got.Status == Cancelled {
				t.Errorf("round %d: %d runs of %+v", round, runs, got)
			}
			if round < 2 && got.Started != 40 {
				t.Errorf("round %d: %+v", round, got)
			}
			if got.Status == Cancelled && w.heard("ended", Cancelled) != 1 {
				t.Error("the follower was told more than once")
			}
			for _, it := range w.items(j.ID) {
				if got.Status == Cancelled && isOpen(it) || it.Status == automation.ExecInProgress && !it.Run.IsZero() && round%2 == 0 {
					t.Errorf("%+v", it)
				}
			}
		}
	}, storetest.Clock(now))
}
