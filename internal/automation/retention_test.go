package automation

import (
	"slices"
	"testing"
	"time"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
)

func TestLogs(t *testing.T) {
	each(t, func(w *world) {
		w.rule(`{"name":"x","trigger":"go","actions":[{"type":"add_tag","config":{"tag":"a"}}]}`)
		w.rule(`{"name":"y","trigger":"sad","actions":[{"type":"send_whatsapp","config":{"text":"no window"}}]}`)
		day := w.Clock.Now()
		var ids []id.ID
		for i, c := range []Call{{Trigger: "go", Phone: phone, CreateIfMissing: true}, {Trigger: "sad", Phone: phone}, {Trigger: "go", Phone: "09876543210"},
			{Trigger: "go", Phone: "+919876500001", CreateIfMissing: true}, {Trigger: "go", Phone: phone, DelayMinutes: 60 * 24 * 30}} {
			f := w.fire(c)
			ids = append(ids, f.LogID)
			w.settled()
			if i == 2 {
				w.Clock.Advance(24 * time.Hour)
			}
		}
		lost, _ := w.s.Fire(bg, w.Tenant, "key:test", Call{Trigger: "go", Phone: "+919876500009"})
		ids = append(ids, lost.LogID)
		for name, c := range map[string]struct {
			q    LogQuery
			want []int
		}{
			"all":             {LogQuery{}, []int{5, 4, 3, 2, 1, 0}},
			"trigger":         {LogQuery{Trigger: "sad"}, []int{1}},
			"status":          {LogQuery{Status: logCompleted}, []int{3, 2, 0}},
			"scheduled":       {LogQuery{Status: logScheduled}, []int{4}},
			"phone":           {LogQuery{Phone: "98765 43210"}, []int{4, 2, 1, 0}},
			"unknown phone":   {LogQuery{Phone: "919876500009"}, []int{5}},
			"no phone at all": {LogQuery{Phone: "x"}, nil},
			"first day":       {LogQuery{Until: day.Add(time.Hour)}, []int{2, 1, 0}},
			"second day":      {LogQuery{From: day.Add(time.Hour)}, []int{5, 4, 3}},
			"second page":     {LogQuery{Page: 2, Limit: 4}, []int{1, 0}},
		} {
			c.q.Limit = max(c.q.Limit, 4)
			if c.q.Page == 0 && c.q.Limit == 4 {
				c.q.Limit = 100
			}
			list, total, err := w.s.Logs(bg, w.Tenant, c.q)
			var got []int
			for _, l := range list {
				got = append(got, slices.Index(ids, l.ID))
			}
			if err != nil || !slices.Equal(got, c.want) || c.q.Page == 0 && total != len(c.want) {
				w.Errorf("%s: %v of %d, want %v (%v)", name, got, total, c.want, err)
			}
		}
		if l := w.log(ids[0]); l.RunsStarted != 1 || l.Phone != "919876543210" || l.Call.Phone != phone {
			w.Errorf("%+v", l)
		}
		st, err := w.s.LogFigures(bg, w.Tenant, time.Time{}, time.Time{})
		if err != nil || st.Total != 6 || len(st.ByTrigger) != 2 || st.ByTrigger[0] != (TriggerStat{"go", 5, 0.75}) || st.ByTrigger[1] != (TriggerStat{"sad", 1, 0}) ||
			!slices.Equal(st.ByStatus, []StatusStat{{logScheduled, 1}, {logCompleted, 3}, {logFailed, 2}}) {
			w.Errorf("%+v %v", st, err)
		}
		if st, err = w.s.LogFigures(bg, w.Tenant, day.Add(time.Hour), time.Time{}); err != nil || st.Total != 3 {
			w.Errorf("%+v %v", st, err)
		}
		_, err = w.s.Log(bg, w.Tenant, id.New())
		w.wantFault(err, fault.NotFound, "", "trigger log")
	})
}

func TestPrune(t *testing.T) {
	each(t, func(w *world) {
		r := w.rule(`{"name":"x","trigger":"go","actions":[{"type":"add_tag","config":{"tag":"a"}}]}`)
		slow := w.rule(`{"name":"s","trigger":"go","nodes":[{"id":"d","type":"wait_reply"}],"edges":[]}`)
		w.rule(`{"name":"n","trigger":"go","conditions":[{"field":"x","operator":"exists"}],"actions":[]}`)
		quick := w.rule(`{"name":"q","trigger":"solo","actions":[{"type":"add_tag","config":{"tag":"b"}}]}`)
		w.lead()
		w.fire(Call{Trigger: "go", Phone: phone}) // stays open: slow waits
		for range 3 {
			w.fire(Call{Trigger: "solo", Phone: phone})
		}
		w.settled()
		w.Clock.Advance(100 * 24 * time.Hour)
		w.fire(Call{Trigger: "solo", Phone: phone})
		w.settled()
		prune := func(k Keep) (int64, int64, int64) {
			w.Helper()
			a, b, c, err := w.s.Prune(bg, k)
			if err != nil {
				w.Fatal(err)
			}
			return a, b, c
		}
		if a, b, c := prune(Keep{}); a+b+c != 0 { // zero is for ever
			w.Errorf("%d %d %d", a, b, c)
		}
		const days = 24 * time.Hour
		if a, b, c := prune(Keep{Triggers: 50 * days}); a+b+c != 0 { // their runs are still there
			w.Errorf("%d %d %d", a, b, c)
		}
		if a, b, c := prune(Keep{Runs: 50 * days, Triggers: 50 * days, Decisions: 50 * days}); a != 3 || b != 3 || c != 1 {
			w.Errorf("%d runs, %d calls, %d decisions", a, b, c)
		}
		// The open call keeps its ended run, and ends rightly afterwards.
		if len(w.runs(r.ID)) != 1 || len(w.runs(slow.ID)) != 1 || len(w.runs(quick.ID)) != 1 {
			w.Error("a run went that should have stayed, or stayed that should have gone")
		}
		if n := w.Count(w, "automation", "runs_started<>runs_pruned+(SELECT COUNT(*) FROM run WHERE run.tenant_id=automation.tenant_id AND automation_id=automation.id) OR "+
			"runs_completed<>completed_pruned+(SELECT COUNT(*) FROM run WHERE run.tenant_id=automation.tenant_id AND automation_id=automation.id AND status='completed')"); n != 0 {
			w.Errorf("%d rules miscount", n)
		}
		if n := w.Count(w, "run_step", "run_id NOT IN (SELECT id FROM run)"); n != 0 {
			w.Errorf("%d steps of no run", n)
		}
		w.says("hello")
		w.settled()
		w.Clock.Advance(51 * days)
		if a, b, _ := prune(Keep{Runs: 50 * days, Triggers: 50 * days, Decisions: 50 * days}); a != 3 || b != 2 {
			w.Errorf("%d runs, %d calls", a, b)
		}
	})
}

func TestPruneEvents(t *testing.T) {
	each(t, func(w *world) {
		w.lead()
		w.Clock.Advance(30 * 24 * time.Hour)
		w.fire(Call{Trigger: "go", Phone: phone})
		old := w.Count(w, "event", "at<?", w.Clock.Now().Add(-time.Hour))
		now := w.Count(w, "event", "1=1") - old
		if n, err := event.Prune(bg, w.DB, w.Clock.Now().Add(-event.MinKeep+time.Minute), 100); n != 0 || err != nil {
			w.Errorf("%d events of the last days went, %v", n, err)
		}
		var gone int64
		for range old + 2 {
			n, err := event.Prune(bg, w.DB, w.Clock.Now().Add(-event.MinKeep), 1)
			if err != nil {
				w.Fatal(err)
			}
			gone += n
		}
		if left := w.Count(w, "event", "1=1"); int(gone) != old || left != now || old == 0 {
			w.Errorf("%d of %d went, %d of %d are left", gone, old, left, now)
		}
		if until, err := event.PrunedUntil(w.DB.Read(bg, w.Tenant)); err != nil || until.IsZero() || until.After(w.Clock.Now().Add(-event.MinKeep)) {
			w.Errorf("%v %v", until, err)
		}
	})
}
