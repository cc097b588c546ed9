package automation

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// scored tells that a score changed, as deal.RescoreIn does.
func (w *world) scored(cid id.ID, from, to int) {
	w.Helper()
	err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
		_, err := w.World.Log.Append(tx, event.New{Type: "contact.scored", Subject: cid, Contact: cid, Actor: "system",
			Changed: []string{"score:" + strconv.Itoa(to), "from:" + strconv.Itoa(from)}})
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	w.settled()
}

func TestScoreTriggers(t *testing.T) {
	each(t, func(w *world) {
		c := w.lead()
		w.settled()
		rules := map[string]Rule{}
		for name, form := range map[string]string{
			"above50": `"trigger":"score_above","triggerConfig":{"scoreThreshold":50}`, "above": `"trigger":"score_above"`,
			"below30": `"trigger":"score_below","triggerConfig":{"scoreThreshold":"30"}`, "below": `"trigger":"score_below"`,
			"refresh": `"trigger":"lead.score_refreshed"`, "refresh40": `"trigger":"score_refresh","triggerConfig":{"scoreThreshold":40}`} {
			rules[name] = w.rule(`{"name":"` + name + `",` + form + `,"actions":[{"type":"add_tag","config":{"tag":"{{score}}"}}]}`)
		}
		for _, step := range []struct {
			from, to int
			want     string
		}{
			{10, 40, "refresh40"}, {40, 50, "above50 refresh40"}, {50, 60, "refresh40"}, {60, 70, "above refresh refresh40"}, {70, 90, "refresh refresh40"},
			{90, 31, ""}, {31, 30, ""}, {30, 29, "below30"}, {29, 19, "below"}, {19, 5, ""}, {5, 100, "above above50 refresh refresh40"}, {100, 0, "below below30"},
		} {
			before := map[string]int{}
			for name, r := range rules {
				before[name] = len(w.runs(r.ID))
			}
			w.scored(c.Contact.ID, step.from, step.to)
			var got []string
			for name, r := range rules {
				if len(w.runs(r.ID)) > before[name] {
					got = append(got, name)
				}
			}
			slices.Sort(got)
			if strings.Join(got, " ") != step.want {
				w.Errorf("from %d to %d started %q, want %q", step.from, step.to, got, step.want)
			}
		}
		for _, bad := range []string{`{"scoreThreshold":"x"}`, `{"scoreThreshold":101}`, `{"inactiveDays":0}`, `{"inactiveDays":-1}`, `{"inactiveDays":"soon"}`} {
			_, err := w.s.Create(bg, w.Tenant, "key:test", def(w, `{"name":"x","trigger":"score_above","triggerConfig":`+bad+`,"actions":[]}`))
			if f := fault.As(err); f == nil || f.Code != fault.Invalid || !strings.HasPrefix(f.Field, "triggerConfig.") {
				w.Errorf("%s: %v", bad, err)
			}
		}
	})
}

// sweep runs the search for quiet people as its cron job does.
func (w *world) sweep() {
	w.Helper()
	err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
		_, _, err := job.Enqueue(tx, job.New{Kind: kindQuietOf, UniqueKey: "quiet"})
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	w.settled()
}

func TestNoContact(t *testing.T) {
	each(t, func(w *world) {
		c := w.lead()
		r := w.rule(`{"name":"x","trigger":"no_contact","triggerConfig":{"inactiveDays":3},"actions":[{"type":"add_tag","config":{"tag":"quiet-{{days_since_last_contact}}"}}]}`)
		picky := w.rule(`{"name":"y","trigger":"no_contact","triggerConfig":{"inactiveDays":3},"conditions":[{"field":"lead.source","operator":"eq","value":"fair"}],"actions":[]}`)
		count := func(want int) {
			w.Helper()
			w.sweep()
			w.sweep() // a second look starts nothing
			if got := len(w.runs(r.ID)); got != want || len(w.runs(picky.ID)) != 0 {
				w.Errorf("%d runs, want %d", got, want)
			}
		}
		w.Clock.Advance(3*24*time.Hour - time.Minute)
		count(0)
		w.Clock.Advance(time.Minute)
		count(1)
		w.Clock.Advance(100 * 24 * time.Hour)
		count(1) // the same quiet
		if got := w.tags(c.Contact.ID); !slices.Equal(got, []string{"quiet-3"}) {
			w.Errorf("%q", got)
		}
		w.says("hello") // ends it
		w.settled()
		count(1)
		w.Clock.Advance(3*24*time.Hour + time.Minute)
		count(2)
		x, err := w.s.Explain(bg, w.Tenant, picky.ID, Question{Contact: c.Contact.ID})
		if err != nil || x.Outcome != OutcomeConditions || len(x.Checks) != 3 || x.Checks[2].Actual != "website" {
			w.Errorf("%+v %v", x, err)
		}
		if err := w.sound(); err != nil {
			w.Error(err)
		}
	})
}

// TestQuietCrowd has more people than one batch, some with the same moment.
func TestQuietCrowd(t *testing.T) {
	each(t, func(w *world) {
		const n = quietBatch*2 + 7
		for i := range n {
			if _, _, err := w.Cards.Upsert(bg, w.Tenant, "key:test", deal.NewCard{New: contact.New{FirstName: "P", Phone: "91987650" + strconv.Itoa(1000+i)}}); err != nil {
				w.Fatal(err)
			}
			if i%20 == 0 {
				w.Clock.Advance(time.Millisecond)
			}
		}
		r := w.rule(`{"name":"x","trigger":"no_contact","nodes":[],"edges":[]}`)
		w.Clock.Advance((defaultQuiet + 1) * 24 * time.Hour)
		w.sweep()
		w.sweep()
		if got := w.Count(w, "run", "automation_id=?", r.ID); got != n {
			w.Errorf("%d runs for %d people", got, n)
		}
		if got := w.Count(w, "run", "automation_id=? AND contact_id NOT IN (SELECT id FROM contact)", r.ID); got != 0 {
			w.Errorf("%d runs of nobody", got)
		}
	})
}

func TestQuietTenants(t *testing.T) {
	each(t, func(w *world) {
		w.rule(`{"name":"x","trigger":"no_contact","nodes":[],"edges":[]}`)
		err := w.DB.Write(bg, id.Zero, func(tx *store.Tx) error {
			_, _, err := job.Enqueue(tx, job.New{Kind: kindQuiet})
			return err
		})
		if err != nil {
			w.Fatal(err)
		}
		j := &job.Job{Node: "test", Attempt: 1}
		if err := w.DB.Write(bg, id.Zero, func(tx *store.Tx) error {
			return tx.System().QueryRow("UPDATE job SET state='running', attempt=1, node='test' WHERE kind='" + kindQuiet + "' RETURNING id").Scan(&j.ID)
		}); err != nil {
			w.Fatal(err)
		}
		if err := w.s.handleQuiet(bg, j); err != nil {
			w.Fatal(err)
		}
		if n := w.Count(w, "job", "kind=?", kindQuietOf); n != 1 {
			w.Errorf("%d jobs", n)
		}
	})
}

func TestStageActions(t *testing.T) {
	each(t, func(w *world) {
		c := w.lead()
		_, st := w.stages()
		to := func(stage id.ID) {
			w.Helper()
			if _, err := w.Cards.Update(bg, w.Tenant, "key:test", c.Contact.ID, deal.CardPatch{Stage: &stage}); err != nil {
				w.Fatal(err)
			}
			w.settled()
		}
		set := func(list ...map[string]any) {
			w.Helper()
			if _, err := w.Cards.UpdateStage(bg, w.Tenant, "key:test", st[1].ID, deal.StagePatch{AutoActions: &list}); err != nil {
				w.Fatal(err)
			}
		}
		to(st[1].ID)
		if n := w.Count(w, "run", "1=1"); n != 0 {
			w.Fatalf("%d runs of a stage without actions", n)
		}
		to(st[0].ID)
		set(map[string]any{"type": "add_tag", "config": map[string]any{"tag": "one"}}, map[string]any{"type": "no_such_thing"},
			map[string]any{"type": "add_tag", "delayMinutes": 10.0, "config": map[string]any{"tag": "late"}})
		to(st[1].ID) // at once, whatever reactor has or has not heard of the change
		if got := w.tags(c.Contact.ID); !slices.Equal(got, []string{"one"}) {
			w.Errorf("%q", got)
		}
		w.later(10 * time.Minute)
		if got := w.tags(c.Contact.ID); !slices.Equal(got, []string{"late", "one"}) {
			w.Errorf("%q", got)
		}
		own, ok, err := ownedRule(w.DB.Read(bg, w.Tenant), OriginStage, st[1].ID)
		if err != nil || !ok {
			w.Fatal(ok, err)
		}
		if r := w.run(own.ID); r.Status != Completed || r.Origin != OriginStage || r.Trigger != "stage_enter" {
			w.Errorf("%+v", r)
		}
		if list, err := w.s.List(bg, w.Tenant, RuleQuery{}); err != nil || len(list) != 0 {
			w.Errorf("%+v %v", list, err)
		}
		_, err = w.s.Toggle(bg, w.Tenant, "key:test", own.ID, nil)
		w.wantFault(err, fault.Conflict, "", "")
		w.wantFault(w.s.Delete(bg, w.Tenant, "key:test", own.ID), fault.Conflict, "", "")
		x, err := w.s.Explain(bg, w.Tenant, own.ID, Question{Contact: c.Contact.ID})
		if err != nil || x.Outcome != OutcomeStarted || !slices.ContainsFunc(x.Checks, func(c Check) bool { return strings.Contains(c.Note, `autoActions[1]`) }) {
			w.Errorf("%+v %v", x, err)
		}
		// Other stages have nothing to do with it, and what is taken away is gone.
		before := w.Count(w, "rule_decision", "1=1")
		to(st[2].ID)
		if n := w.Count(w, "rule_decision", "1=1"); n != before {
			w.Errorf("%d decisions about another stage", n-before)
		}
		set()
		to(st[1].ID)
		set(map[string]any{"type": "add_tag", "config": map[string]any{"tag": "two"}})
		to(st[0].ID)
		to(st[1].ID)
		if got, n := w.tags(c.Contact.ID), len(w.runs(own.ID)); n != 2 || !slices.Contains(got, "two") {
			w.Errorf("%q, %d runs", got, n)
		}
		err = CheckActions("autoActions", []map[string]any{{"type": "add_tag", "config": map[string]any{"tag": "x"}}, {"type": "add_tag", "config": map[string]any{}}})
		if f := fault.As(err); f == nil || !strings.HasPrefix(f.Field, "autoActions[1]") {
			w.Errorf("%v", err)
		}
		if err := w.sound(); err != nil {
			w.Error(err)
		}
	})
}

func TestLoopIsStopped(t *testing.T) {
	each(t, func(w *world) {
		c := w.lead()
		w.settled()
		a := w.rule(`{"name":"a","trigger":"tag_added","triggerConfig":{"tagName":"x"},"actions":[{"type":"remove_tag","config":{"tag":"x"}}]}`)
		w.rule(`{"name":"b","trigger":"tag_removed","triggerConfig":{"tagName":"x"},"actions":[{"type":"add_tag","config":{"tag":"x"}}]}`)
		if _, err := w.Cards.Update(bg, w.Tenant, "key:test", c.Contact.ID, deal.CardPatch{AddTags: []string{"x"}}); err != nil {
			w.Fatal(err)
		}
		w.settled()
		if n := w.Count(w, "run", "1=1"); n != maxDepth+1 {
			w.Errorf("%d runs", n)
		}
		if n := w.Count(w, "rule_decision", "outcome='loop'"); n != 1 {
			w.Errorf("%d records of the end of the loop", n)
		}
		w.Clock.Advance(time.Second)
		if _, err := w.s.Explain(bg, w.Tenant, a.ID, Question{Contact: c.Contact.ID}); err != nil {
			w.Error(err)
		}
	})
}

func TestCallResumesWait(t *testing.T) {
	each(t, func(w *world) {
		r := w.rule(`{"name":"x","trigger":"ordered","nodes":[{"id":"w","type":"wait_event","data":{"eventName":"paid"}},{"id":"g","type":"add_tag","data":{"tag":"paid-{{amount}}"}}],"edges":[{"source":"w","target":"g"}]}`)
		c := w.lead()
		w.fire(Call{Trigger: "ordered", Phone: phone})
		w.settled()
		w.fire(Call{Trigger: "ordered", Phone: "+919876500001", CreateIfMissing: true})
		w.settled()
		w.fire(Call{Trigger: "paid", Phone: phone, Variables: map[string]any{"amount": 5.0}})
		w.settled()
		if got := w.tags(c.Contact.ID); !slices.Equal(got, []string{"paid-5"}) {
			w.Errorf("%q", got)
		}
		// Only this person's run went on, and a switched-off event moves nobody.
		w.define(DefinitionForm{Name: "paid"})
		if _, err := w.s.Unassign(bg, w.Tenant, "key:test", "paid"); err != nil {
			w.Fatal(err)
		}
		w.fire(Call{Trigger: "paid", Phone: "+919876500001"})
		w.settled()
		var open int
		for _, v := range w.runs(r.ID) {
			if v.Status == Waiting {
				open++
			}
		}
		if open != 1 {
			w.Errorf("%d runs wait", open)
		}
	})
}
