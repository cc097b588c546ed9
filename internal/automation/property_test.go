package automation

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

func mapping() []conversation.Mapping {
	return []conversation.Mapping{{Position: 1, Source: "crm", Collection: "leads", Field: "firstName"}, {Position: 2, Source: "trigger", Field: "order_id"}}
}

// drawRule makes a random acyclic graph of every kind of node: an edge leads
// from a node only to later ones, and every node but the first has a way in.
func drawRule(t *rapid.T) map[string]any {
	n := rapid.IntRange(1, 12).Draw(t, "nodes")
	var nodes, edges []any
	var kinds []string
	goal := false
	for i := range n {
		kind := rapid.SampledFrom([]string{"condition", "add_tag", "remove_tag", "send_whatsapp", "delay", "wait_reply", "wait_event", "split", "parallel", "goal", "end"}).Draw(t, "kind")
		if i < n-1 && kind == "end" && i == 0 {
			kind = "add_tag"
		}
		kinds = append(kinds, kind)
		data := map[string]any{"tag": fmt.Sprint("t", rapid.IntRange(0, 2).Draw(t, "tag")), "text": "hi {{reply}}", "field": "lead.tags", "operator": "contains", "value": "t1", "eventName": "ev"}
		switch kind {
		case "delay":
			data["delayMinutes"] = float64(rapid.IntRange(0, 3).Draw(t, "delay"))
		case "goal":
			delete(data, "eventName") // a rule has one at most
			if !goal && rapid.Bool().Draw(t, "of an event") {
				goal, data = true, map[string]any{"eventName": "ev"}
			}
		case "split":
			data["branches"] = []any{map[string]any{"id": "one", "weight": 2.0}, map[string]any{"id": "two"}}
		case "wait_reply", "wait_event":
			if minutes := rapid.IntRange(0, 3).Draw(t, "timeout"); minutes > 0 {
				data["timeoutMinutes"] = float64(minutes)
			}
		}
		nodes = append(nodes, map[string]any{"id": fmt.Sprint(i), "type": kind, "data": data})
	}
	connect := func(from, to int) {
		handles := map[string][]any{"condition": {"yes", "no"}, "wait_reply": {"", "reply", "timeout"},
			"wait_event": {"", "timeout"}, "split": {"one", "two"}, "goal": {"", "no"}}[kinds[from]]
		if handles == nil {
			handles = []any{nil, "error"}
		}
		edges = append(edges, map[string]any{"source": fmt.Sprint(from), "target": fmt.Sprint(to), "sourceHandle": rapid.SampledFrom(handles).Draw(t, "handle")})
	}
	for to := 1; to < n; to++ {
		var open []int
		for from := range to {
			if kinds[from] != "end" {
				open = append(open, from)
			}
		}
		for range rapid.IntRange(1, 2).Draw(t, "ways in") {
			connect(rapid.SampledFrom(open).Draw(t, "from"), to)
		}
	}
	return map[string]any{"name": "r", "trigger": "go", "nodes": nodes, "edges": edges}
}

// TestRunMachine walks random graphs under random times, replies and second
// deliveries of old jobs, and asks after every step whether each run is sound.
func TestRunMachine(t *testing.T) {
	each(t, func(w *world) {
		if w.DB.Dialect() == store.Postgres { // each walk takes many transactions, and they are slower here
			few := flag.Lookup("rapid.checks")
			was := few.Value.String()
			if err := few.Value.Set("12"); err != nil {
				w.Fatal(err)
			}
			defer func() { _ = few.Value.Set(was) }()
		}
		runMachine(w)
	})
}

func runMachine(w *world) {
	w.says("hello")
	w.settled()
	rapid.Check(w.TB.(*testing.T), func(rt *rapid.T) {
		for _, old := range must(w.s.List(bg, w.Tenant, RuleQuery{Active: ptr(true)})) {
			if _, err := w.s.Toggle(bg, w.Tenant, "key:test", old.ID, nil); err != nil {
				rt.Fatal(err)
			}
		}
		r, err := w.s.Create(bg, w.Tenant, "key:test", drawRule(rt))
		if err != nil {
			rt.Fatal(err)
		}
		fired := 0
		was := map[id.ID]string{}
		// moved holds every run against what its last seen status allows.
		moved := func(allowed map[string][]string) {
			for _, run := range w.runs(r.ID) {
				if from := was[run.ID]; from != "" && from != run.Status && !slices.Contains(allowed[from], run.Status) {
					rt.Fatalf("a run went from %s to %s: %s", from, run.Status, story(run))
				}
				was[run.ID] = run.Status
			}
		}
		sound := func() {
			if err := w.sound(); err != nil {
				rt.Fatal(err)
			}
		}
		for range rapid.IntRange(1, 8).Draw(rt, "deeds") {
			switch rapid.SampledFrom([]string{"fire", "time", "reply", "event", "work", "again", "verb", "verb"}).Draw(rt, "deed") {
			case "fire":
				w.fire(Call{Trigger: "go", Phone: phone})
				fired++
			case "time":
				w.Clock.Advance(time.Duration(rapid.IntRange(1, 150).Draw(rt, "seconds")) * time.Second)
			case "reply":
				w.says("word")
			case "event":
				if _, err := w.s.WebhookEvent(bg, w.Tenant, r.ID, "ev", nil); err != nil {
					rt.Fatal(err)
				}
				w.fire(Call{Trigger: "ev", Phone: phone})
			case "verb":
				moved(itself)
				verbAtRandom(w, rt, w.runs(r.ID), was)
			case "work":
				if errs := w.drain(); len(errs) > 0 {
					rt.Fatal(errs)
				}
			case "again": // a job that is run a second time changes nothing
				w.exec("UPDATE job SET state='available', unique_key=NULL WHERE tenant_id=? AND state='completed' AND id IN (SELECT id FROM job WHERE tenant_id=?1 AND kind=? ORDER BY id DESC LIMIT 3)", kindStep)
			}
			sound()
			moved(itself)
		}
		for _, run := range w.runs(r.ID) {
			if run.Status == Paused {
				if _, err := w.s.Resume(bg, w.Tenant, "key:test", run.ID); err != nil {
					rt.Fatal(err)
				}
				delete(was, run.ID)
			}
		}
		// Given time and a reply, every run ends.
		for range 14 {
			if errs := w.drain(); len(errs) > 0 {
				rt.Fatal(errs)
			}
			w.Clock.Advance(3 * time.Minute)
			w.says("last")
			if _, err := w.s.WebhookEvent(bg, w.Tenant, r.ID, "ev", nil); err != nil {
				rt.Fatal(err)
			}
		}
		if errs := w.drain(); len(errs) > 0 {
			rt.Fatal(errs)
		}
		sound()
		moved(itself)
		runs := w.runs(r.ID)
		if len(runs) != fired {
			rt.Fatalf("%d runs of %d calls", len(runs), fired)
		}
		for _, run := range runs {
			if run.Status != Completed && run.Status != Failed && run.Status != Aborted {
				rt.Fatalf("a run did not end: %s", story(run))
			}
			sends, failed := 0, false
			for _, st := range run.Steps {
				failed = failed || st.Status == StepFailed
				if st.Kind == actionSend && st.Status == StepCompleted {
					sends++
				}
			}
			if run.Status == Failed && !failed {
				rt.Fatalf("failed without a failed step: %s", story(run))
			}
			// Exactly one message for every completed sending step.
			if n := w.Count(w, "message", "metadata IS NOT NULL AND "+w.DB.Dialect().JSONText("metadata", "runId")+"=?", run.ID.String()); n != sends {
				rt.Fatalf("%d messages of %d sending steps", n, sends)
			}
		}
	})
}

// itself is how a run may move without a person's order. A paused run ends when
// what it waits for leaves nothing to do, or is its goal.
var itself = map[string][]string{
	Running: {Waiting, Completed, Failed},
	Waiting: {Running, Completed, Failed},
	Paused:  {Completed, Failed},
}

// verbAtRandom gives a random order to a random run, and asks whether it was
// followed exactly where docs/state-machines.md allows it.
func verbAtRandom(w *world, rt *rapid.T, runs []Run, was map[id.ID]string) {
	if len(runs) == 0 {
		return
	}
	run := rapid.SampledFrom(runs).Draw(rt, "run")
	verbs := map[string]struct {
		f      func(Run) (Run, error)
		from   []string
		become []string
	}{
		"pause":  {func(v Run) (Run, error) { return w.s.Pause(bg, w.Tenant, "key:test", v.ID) }, []string{Running, Waiting}, []string{Paused}},
		"resume": {func(v Run) (Run, error) { return w.s.Resume(bg, w.Tenant, "key:test", v.ID) }, []string{Paused, Waiting, Failed}, []string{Running, Waiting, Completed, Failed}},
		"retry":  {func(v Run) (Run, error) { return w.s.Retry(bg, w.Tenant, "key:test", v.ID) }, []string{Failed}, []string{Running}},
		"abort":  {func(v Run) (Run, error) { return w.s.Abort(bg, w.Tenant, "key:test", v.ID) }, []string{Running, Waiting, Paused}, []string{Aborted}},
	}
	name := rapid.SampledFrom([]string{"abort", "pause", "resume", "retry"}).Draw(rt, "order")
	v := verbs[name]
	got, err := v.f(run)
	switch f := fault.As(err); {
	case err == nil && (!slices.Contains(v.from, run.Status) || !slices.Contains(v.become, got.Status)):
		rt.Fatalf("%s took a run from %s to %s", name, run.Status, got.Status)
	case err != nil && f == nil:
		rt.Fatal(err)
	case err != nil && (f.Code != fault.Conflict || slices.Contains(v.from, run.Status)):
		rt.Fatalf("%s of a run that is %s: %v", name, run.Status, err)
	case err == nil:
		was[run.ID] = got.Status
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func ptr[T any](v T) *T { return &v }
