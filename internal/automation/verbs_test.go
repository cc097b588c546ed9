package automation

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

const tagAfterDelay = `{"name":"Later","trigger":"go","nodes":[{"id":"d","type":"delay","data":{"delayMinutes":10}},{"id":"g","type":"add_tag","data":{"tag":"done"}}],"edges":[{"source":"d","target":"g"}]}`

func (w *world) refused(err error, says string) {
	w.Helper()
	if f := fault.As(err); f == nil || f.Code != fault.Conflict || !strings.Contains(f.Message, says) {
		w.Errorf("got %v, want a conflict that says %q", err, says)
	}
}

func (w *world) must(r Run, err error) Run {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	if err := w.sound(); err != nil {
		w.Error(err)
	}
	return r
}

func TestPauseAndResume(t *testing.T) {
	each(t, func(w *world) {
		r := w.rule(tagAfterDelay)
		w.lead()
		w.fire(Call{Trigger: "go", Phone: phone})
		w.settled()
		run := w.run(r.ID)
		got := w.must(w.s.Pause(bg, w.Tenant, "key:test", run.ID))
		if got.Status != Paused || got.ResumeAt.Sub(w.Clock.Now()) != 10*time.Minute {
			w.Errorf("%+v", got)
		}
		_, err := w.s.Pause(bg, w.Tenant, "key:test", run.ID)
		w.refused(err, "paused")
		w.later(time.Hour)
		w.wantStory(r.ID, "paused d=waiting")
		if n := w.Count(w, "job", "kind=? AND finished_at IS NULL", kindStep); n != 0 {
			w.Errorf("%d timers of a paused run", n)
		}
		got = w.must(w.s.Resume(bg, w.Tenant, "key:test", run.ID))
		if got.Status != Waiting {
			w.Errorf("%s", got.Status)
		}
		w.settled() // the time has passed meanwhile
		w.wantStory(r.ID, "completed d=completed g=completed")
		for _, f := range []func() (Run, error){
			func() (Run, error) { return w.s.Pause(bg, w.Tenant, "key:test", run.ID) },
			func() (Run, error) { return w.s.Resume(bg, w.Tenant, "key:test", run.ID) },
			func() (Run, error) { return w.s.Abort(bg, w.Tenant, "key:test", run.ID) },
			func() (Run, error) { return w.s.Retry(bg, w.Tenant, "key:test", run.ID) },
		} {
			_, err := f()
			w.refused(err, "completed")
		}
		_, err = w.s.Abort(bg, w.Tenant, "key:test", id.New())
		w.wantFault(err, fault.NotFound, "", "run")
		// A run that waits goes on at once when it is resumed; another is aborted.
		w.fire(Call{Trigger: "go", Phone: phone})
		w.fire(Call{Trigger: "go", Phone: phone})
		w.settled()
		list := w.runs(r.ID)
		if got := w.must(w.s.Resume(bg, w.Tenant, "key:test", list[1].ID)); got.Status != Running || got.Steps[0].Output["skipped"] != true {
			w.Errorf("%+v", got)
		}
		if got := w.must(w.s.Abort(bg, w.Tenant, "key:test", list[2].ID)); got.Status != Aborted || got.ExitReason != ExitAborted || len(got.Branches) != 0 {
			w.Errorf("%+v", got)
		}
		w.settled()
		list = w.runs(r.ID)
		if list[1].Status != Completed || list[2].Status != Aborted {
			w.Errorf("%s %s", list[1].Status, list[2].Status)
		}
		if n := w.Count(w, "job", "kind=? AND finished_at IS NULL", kindStep); n != 0 {
			w.Errorf("%d timers are left", n)
		}
	})
}

// TestPausedReply: what comes while a run is paused counts when it goes on.
func TestPausedReply(t *testing.T) {
	each(t, func(w *world) {
		w.says("hello")
		r := w.rule(`{"name":"Ask","trigger":"go","nodes":[{"id":"w","type":"wait_reply"},{"id":"g","type":"add_tag","data":{"tag":"{{reply}}"}}],"edges":[{"source":"w","target":"g"}]}`)
		w.fire(Call{Trigger: "go", Phone: phone})
		w.settled()
		run := w.run(r.ID)
		w.must(w.s.Pause(bg, w.Tenant, "key:test", run.ID))
		w.Clock.Advance(time.Second)
		w.says("yes")
		w.settled()
		w.wantStory(r.ID, "paused w=completed")
		w.must(w.s.Resume(bg, w.Tenant, "key:test", run.ID))
		w.settled()
		run = w.wantStory(r.ID, "completed w=completed g=completed")
		if got := w.tags(run.Contact); !slices.Equal(got, []string{"yes"}) {
			w.Errorf("%q", got)
		}
	})
}

func TestRetry(t *testing.T) {
	each(t, func(w *world) {
		r := w.rule(`{"name":"Send","trigger":"go","nodes":[{"id":"a","type":"add_tag","data":{"tag":"before"}},{"id":"s","type":"send_whatsapp","data":{"text":"hi"}},{"id":"g","type":"add_tag","data":{"tag":"after"}}],
			"edges":[{"source":"a","target":"s"},{"source":"s","target":"g"}]}`)
		w.lead()
		f := w.fire(Call{Trigger: "go", Phone: phone})
		w.settled()
		run := w.wantStory(r.ID, "failed a=completed s=failed")
		if l := w.log(f.LogID); l.Status != logFailed {
			w.Errorf("%+v", l)
		}
		w.says("hello") // opens the window
		w.settled()
		got := w.must(w.s.Retry(bg, w.Tenant, "key:test", run.ID))
		if got.Status != Running || got.Error != "" {
			w.Errorf("%+v", got)
		}
		if l := w.log(f.LogID); l.Status != logProcessing || l.RunsOpen != 1 || l.RunsFailed != 0 {
			w.Errorf("%+v", l)
		}
		w.settled()
		w.wantStory(r.ID, "completed a=completed s=retried s=completed g=completed")
		if l := w.log(f.LogID); l.Status != logCompleted {
			w.Errorf("%+v", l)
		}
		if got, err := w.s.Get(bg, w.Tenant, r.ID); err != nil || got.CompletedRuns != 1 || got.ActiveRuns != 0 || got.RunsStarted != 1 {
			w.Errorf("%+v %v", got, err)
		}
		if got := w.texts(); !slices.Equal(got, []string{"hi"}) {
			w.Errorf("%q", got)
		}
		if err := w.sound(); err != nil {
			w.Error(err)
		}
	})
}

func TestWaitEvent(t *testing.T) {
	const form = `{"name":"Pay","trigger":"order","nodes":[{"id":"w","type":"wait_event","data":{"eventName":"payment.captured","timeoutMinutes":30,"storeAs":"pay"}},
		{"id":"y","type":"add_tag","data":{"tag":"paid-{{amount_paid}}-{{event.payment.captured.ref}}-{{pay.ref}}"}},{"id":"n","type":"add_tag","data":{"tag":"unpaid"}}],
		"edges":[{"source":"w","target":"y"},{"source":"w","target":"n","sourceHandle":"timeout"}]}`
	each(t, func(w *world) {
		r := w.rule(form)
		other := w.rule(form)
		w.lead()
		w.fire(Call{Trigger: "order", Phone: phone})
		w.settled()
		run := w.wantStory(r.ID, "waiting w=waiting")
		if run.Branches[0].Event != "payment.captured" {
			w.Errorf("%+v", run.Branches)
		}
		say := func(rule id.ID, name string, payload map[string]any) []id.ID {
			w.Helper()
			got, err := w.s.WebhookEvent(bg, w.Tenant, rule, name, payload)
			if err != nil {
				w.Fatal(err)
			}
			return got
		}
		for _, payload := range []map[string]any{{"phone": "+91 11111 22222"}, {"email": "nobody@example.com"}, {"leadId": id.New().String()}, {"leadId": "x"}, {"runId": id.New().String()}, {"phone": "1"},
			{"phone": phone, "email": "nobody@example.com"}, {"leadId": "000000000000000000000000"}, {"runId": "000000000000000000000000"}, {"leadId": 5.0}, {"runId": true},
			{"email": []any{"a@example.com"}}, {"phone": map[string]any{"n": 1.0}}} {
			if got := say(r.ID, "payment.captured", payload); len(got) != 0 {
				w.Errorf("%v resumed %v", payload, got)
			}
		}
		if got := say(r.ID, "other", nil); len(got) != 0 {
			w.Errorf("%v", got)
		}
		// Two at once advance it once.
		done := make(chan []id.ID)
		for range 2 {
			go func() {
				got, err := w.s.WebhookEvent(bg, w.Tenant, r.ID, "payment.captured", map[string]any{"phone": phone, "amount_paid": 5.0, "ref": "R1"})
				if err != nil {
					w.Error(err)
				}
				done <- got
			}()
		}
		if got := slices.Concat(<-done, <-done); !slices.Equal(got, []id.ID{run.ID}) {
			w.Errorf("%v", got)
		}
		w.settled()
		run = w.wantStory(r.ID, "completed w=completed y=completed")
		if got := w.tags(run.Contact); !slices.Equal(got, []string{"paid-5-R1-R1"}) {
			w.Errorf("%q", got)
		}
		// The other rule was not told. An ordinary event of the name, in the rule's
		// spelling, resumes it; it starts nothing else.
		w.wantStory(other.ID, "waiting w=waiting")
		w.Clock.Advance(time.Second)
		w.fire(Call{Trigger: "payment_captured", Phone: phone, Variables: map[string]any{"ref": "R2"}})
		w.settled()
		w.wantStory(other.ID, "completed w=completed y=completed")
		// The timeout.
		w.fire(Call{Trigger: "order", Phone: phone})
		w.settled()
		w.later(30 * time.Minute)
		if got := w.runs(r.ID); len(got) != 2 || story(got[1]) != "completed w=completed n=completed" {
			w.Errorf("%+v", got)
		}
		_, err := w.s.WebhookEvent(bg, w.Tenant, r.ID, "two words", nil)
		w.wantFault(err, fault.Invalid, "eventName", "")
		_, err = w.s.WebhookEvent(bg, w.Tenant, id.New(), "x", nil)
		w.wantFault(err, fault.NotFound, "", "automation")
		if err := w.sound(); err != nil {
			w.Error(err)
		}
	})
}

// TestWebhookEventMany resumes more runs than one transaction takes.
func TestWebhookEventMany(t *testing.T) {
	each(t, func(w *world) {
		r := w.rule(`{"name":"x","trigger":"go","nodes":[{"id":"w","type":"wait_event","data":{"eventName":"now"}}]}`)
		w.lead()
		const n = sweepRuns + 30
		for range n {
			w.fire(Call{Trigger: "go", Phone: phone})
		}
		w.settled()
		got, err := w.s.WebhookEvent(bg, w.Tenant, r.ID, "now", nil)
		slices.SortFunc(got, func(a, b id.ID) int { return strings.Compare(a.String(), b.String()) })
		if err != nil || len(got) != n || len(slices.Compact(got)) != n {
			w.Errorf("%d %v", len(got), err)
		}
		w.settled()
		if err := w.sound(); err != nil {
			w.Error(err)
		}
	})
}

func TestGoal(t *testing.T) {
	each(t, func(w *world) {
		byEvent := w.rule(`{"name":"x","trigger":"go","nodes":[{"id":"d","type":"delay","data":{"delayMinutes":10}},{"id":"g","type":"add_tag","data":{"tag":"nag"}},
			{"id":"q","type":"goal","data":{"eventName":"bought","field":"plan","operator":"eq","value":"gold"}}],"edges":[{"source":"d","target":"g"},{"source":"g","target":"q"}]}`)
		byState := w.rule(`{"name":"y","trigger":"go","nodes":[{"id":"d","type":"delay","data":{"delayMinutes":10}},{"id":"g","type":"add_tag","data":{"tag":"nag2"}},
			{"id":"q","type":"goal","data":{"field":"lead.tags","operator":"contains","value":"vip"}},{"id":"z","type":"add_tag","data":{"tag":"end"}}],"edges":[{"source":"d","target":"g"},{"source":"g","target":"q"},{"source":"q","target":"z"}]}`)
		c := w.lead()
		w.fire(Call{Trigger: "go", Phone: phone})
		w.settled()
		w.Clock.Advance(time.Second)
		w.fire(Call{Trigger: "bought", Phone: phone, Variables: map[string]any{"plan": "silver"}})
		w.settled()
		w.wantStory(byEvent.ID, "waiting d=waiting")
		w.fire(Call{Trigger: "bought", Phone: phone, Variables: map[string]any{"plan": "gold"}})
		w.settled()
		if run := w.wantStory(byEvent.ID, "completed d=skipped q=completed"); run.ExitReason != ExitGoal || run.Variables["plan"] != "gold" {
			w.Errorf("%+v", run)
		}
		err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
			_, err := w.Contacts.TagIn(tx, "key:test", c.Contact.ID, []string{"vip"}, nil)
			return err
		})
		if err != nil {
			w.Fatal(err)
		}
		w.later(10 * time.Minute)
		if run := w.wantStory(byState.ID, "completed d=completed q=completed"); run.ExitReason != ExitGoal {
			w.Errorf("%+v", run)
		}
		if got := w.tags(c.Contact.ID); !slices.Equal(got, []string{"vip"}) {
			w.Errorf("%q", got)
		}
		if err := w.sound(); err != nil {
			w.Error(err)
		}
	})
}

func TestSplitAndFork(t *testing.T) {
	each(t, func(w *world) {
		r := w.rule(`{"name":"x","trigger":"go","nodes":[{"id":"p","type":"parallel"},{"id":"s","type":"split","data":{"branches":[{"id":"A","weight":3},{"id":"B","weight":1}]}},
			{"id":"a","type":"add_tag","data":{"tag":"a"}},{"id":"b","type":"add_tag","data":{"tag":"b"}},{"id":"c","type":"add_tag","data":{"tag":"c"}}],
			"edges":[{"source":"p","target":"s"},{"source":"p","target":"c"},{"source":"s","target":"a","sourceHandle":"a"},{"source":"s","target":"b","sourceHandle":"B"}]}`)
		w.lead()
		const runs = 60
		for range runs {
			w.fire(Call{Trigger: "go", Phone: phone})
		}
		w.settled()
		ways := map[string]int{}
		for _, run := range w.runs(r.ID) {
			var way, took string
			for _, st := range run.Steps {
				switch st.Node {
				case "s":
					way, _ = st.Output["branch"].(string)
				case "a", "b":
					took += st.Node
				}
			}
			if strings.ToLower(way) != took || run.Status != Completed || len(run.Steps) != 4 {
				w.Errorf("%q %q %s", way, took, story(run))
			}
			ways[way]++
		}
		if ways["A"] < runs/2 || ways["B"] < runs/20 || ways["A"]+ways["B"] != runs {
			w.Errorf("%v", ways)
		}
	})
}
