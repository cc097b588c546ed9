package automation

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

func TestWalk(t *testing.T) {
	each(t, func(w *world) {
		w.says("hello") // opens the window
		w.settled()
		r := w.rule(`{"name":"Welcome","trigger":"signup","nodes":[{"id":"t","type":"trigger"},
			{"id":"c","type":"condition","data":{"field":"plan","operator":"eq","value":"gold"}},
			{"id":"s","type":"send_whatsapp","data":{"text":"Hi {{lead.firstName}}, {{plan}}!"}},
			{"id":"g","type":"add_tag","data":{"tag":"plan-{{plan}}"}},{"id":"d","type":"delay","data":{"delayMinutes":10}},
			{"id":"x","type":"remove_tag","data":{"tag":"plan-{{plan}}"}},{"id":"e","type":"end"},{"id":"n","type":"add_tag","data":{"tag":"not-gold"}}],
			"edges":[{"source":"t","target":"c"},{"source":"c","target":"s","sourceHandle":"yes"},{"source":"c","target":"n","sourceHandle":"no"},{"source":"s","target":"g"},
			{"source":"g","target":"d"},{"source":"d","target":"x"},{"source":"x","target":"e"}],"_canvas":{"zoom":1.5}}`)
		f := w.fire(Call{Trigger: "signup", Phone: phone, Variables: map[string]any{"plan": "gold"}})
		if f.RulesMatched != 1 || f.Contact.IsZero() || f.Scheduled {
			w.Errorf("%+v", f)
		}
		w.settled()
		run := w.wantStory(r.ID, "waiting c=completed s=completed g=completed d=waiting")
		if run.Node != "d" || run.ResumeAt.Sub(w.Clock.Now()) != 10*time.Minute || run.TriggerLog != f.LogID || run.RuleName != "Welcome" {
			w.Errorf("%+v", run)
		}
		if got := w.texts(); len(got) != 1 || got[0] != "Hi Asha, gold!" {
			w.Errorf("%q", got)
		}
		if got := w.tags(f.Contact); !slices.Equal(got, []string{"plan-gold"}) {
			w.Errorf("%q", got)
		}
		w.later(9 * time.Minute)
		w.wantStory(r.ID, "waiting c=completed s=completed g=completed d=waiting")
		w.later(time.Minute)
		w.wantStory(r.ID, "completed c=completed s=completed g=completed d=completed x=completed e=completed")
		if got := w.tags(f.Contact); len(got) != 0 {
			w.Errorf("%q", got)
		}
		l := w.log(f.LogID)
		if l.Status != logCompleted || l.RunsOpen != 0 || l.ProcessedAt.IsZero() || l.CallbackStatus != callbackNone {
			w.Errorf("%+v", l)
		}
		for typ, n := range map[string]int{"trigger.fired": 1, "run.started": 1, "run.updated": 0, "run.completed": 1, "run.failed": 0} {
			if got := w.Events(w, typ); got != n {
				w.Errorf("%d events %s", got, typ)
			}
		}
		if n := w.Count(w, "activity", "type='automation_triggered'"); n != 1 {
			w.Errorf("%d activities", n)
		}
		got, err := w.s.Get(bg, w.Tenant, r.ID)
		if err != nil || got.RunsStarted != 1 || got.ActiveRuns != 0 || got.CompletedRuns != 1 || got.LastRunAt.IsZero() {
			w.Errorf("%+v %v", got, err)
		}
		if err := w.sound(); err != nil {
			w.Error(err)
		}
	})
}

func TestStepFails(t *testing.T) {
	each(t, func(w *world) {
		w.lead()
		w.settled()
		// Nobody has written for 24 hours: free text is refused.
		plain := w.rule(`{"name":"a","trigger":"go","nodes":[{"id":"s","type":"send_whatsapp","data":{"text":"hi"}},{"id":"g","type":"add_tag","data":{"tag":"after"}}],"edges":[{"source":"s","target":"g"}]}`)
		caught := w.rule(`{"name":"b","trigger":"go","nodes":[{"id":"s","type":"send_whatsapp","data":{"text":"hi"}},{"id":"g","type":"add_tag","data":{"tag":"caught"}}],"edges":[{"source":"s","target":"g","sourceHandle":"error"}]}`)
		flat := w.rule(`{"name":"c","trigger":"go","actions":[{"type":"send_whatsapp","config":{"templateName":"nope"}},{"type":"add_tag","config":{"tag":"flat"}}]}`)
		empty := w.rule(`{"name":"d","trigger":"go","nodes":[],"edges":[]}`)
		f := w.fire(Call{Trigger: "go", Phone: phone})
		w.settled()
		if r := w.wantStory(plain.ID, "failed s=failed"); !strings.Contains(r.Error, "24 hours") || r.Steps[0].Error != r.Error {
			w.Errorf("%q", r.Error)
		}
		w.wantStory(caught.ID, "completed s=failed g=completed")
		if r := w.wantStory(flat.ID, "failed action-1=failed action-2=completed"); !strings.Contains(r.Error, "template") {
			w.Errorf("%q", r.Error)
		}
		w.wantStory(empty.ID, "completed")
		if l := w.log(f.LogID); l.Status != logPartial || l.RulesMatched != 4 || l.RunsFailed != 2 {
			w.Errorf("%+v", l)
		}
		if got := w.tags(f.Contact); !slices.Equal(got, []string{"caught", "flat"}) {
			w.Errorf("%q", got)
		}
		if w.Events(w, "run.failed") != 2 || len(w.texts()) != 0 {
			w.Error("events or texts")
		}
		// Consent is asked in the transaction of the step.
		w.says("hello")
		w.settled()
		err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
			_, err := w.Contacts.ConsentIn(tx, f.Contact, contact.Consent{Channel: "whatsapp", State: contact.Out, Source: "test"})
			return err
		})
		if err != nil {
			w.Fatal(err)
		}
		w.fire(Call{Trigger: "go", Phone: phone})
		w.settled()
		list := w.runs(plain.ID)
		if len(list) != 2 || list[1].Status != Failed || !strings.Contains(list[1].Error, "opted out") {
			w.Errorf("%+v", list)
		}
		if err := w.sound(); err != nil {
			w.Error(err)
		}
	})
}

func TestReply(t *testing.T) {
	const rule = `{"name":"Ask","trigger":"ask","nodes":[{"id":"w","type":"wait_reply","data":{"timeoutMinutes":30}},{"id":"y","type":"add_tag","data":{"tag":"said-{{reply}}"}},{"id":"n","type":"add_tag","data":{"tag":"silent"}}],
		"edges":[{"source":"w","target":"y","sourceHandle":"reply"},{"source":"w","target":"n","sourceHandle":"timeout"}]}`
	t.Run("reply", func(t *testing.T) {
		each(t, func(w *world) {
			w.says("before")
			r := w.rule(rule)
			f := w.fire(Call{Trigger: "ask", Phone: phone})
			w.settled()
			run := w.wantStory(r.ID, "waiting w=waiting")
			if run.WaitKey != "reply:"+f.Contact.String() {
				w.Errorf("%+v", run)
			}
			w.later(10 * time.Minute)
			w.says("yes")
			w.settled()
			run = w.wantStory(r.ID, "completed w=completed y=completed")
			if run.Variables["reply"] != "yes" || run.Steps[0].Output["timedOut"] != false {
				w.Errorf("%+v", run)
			}
			if n := w.Count(w, "job", "kind='automation.step' AND finished_at IS NULL"); n != 0 {
				w.Errorf("%d timeouts are still due after the reply", n)
			}
			w.says("again")
			w.later(time.Hour)
			w.wantStory(r.ID, "completed w=completed y=completed")
			if got := w.tags(f.Contact); !slices.Equal(got, []string{"said-yes"}) {
				w.Errorf("%q", got)
			}
			if err := w.sound(); err != nil {
				w.Error(err)
			}
		})
	})
	t.Run("timeout", func(t *testing.T) {
		each(t, func(w *world) {
			r := w.rule(rule)
			w.lead()
			f := w.fire(Call{Trigger: "ask", Phone: phone})
			w.settled()
			w.later(30 * time.Minute)
			run := w.wantStory(r.ID, "completed w=completed n=completed")
			if run.Steps[0].Output["timedOut"] != true {
				w.Errorf("%+v", run)
			}
			w.says("too late")
			w.settled()
			w.wantStory(r.ID, "completed w=completed n=completed")
			if got := w.tags(f.Contact); !slices.Equal(got, []string{"silent"}) {
				w.Errorf("%q", got)
			}
		})
	})
	t.Run("an older message is no reply", func(t *testing.T) {
		each(t, func(w *world) {
			first := w.rule(`{"name":"x","trigger":"whatsapp_incoming","nodes":[]}`) // so that the message makes a job
			r := w.rule(rule)
			w.lead()
			w.settled()
			w.says("before") // its job is late
			w.Clock.Advance(time.Second)
			w.fire(Call{Trigger: "ask", Phone: phone})
			// The step goes first, the message's job afterwards.
			w.exec("UPDATE job SET run_at=? WHERE tenant_id=? AND kind='react.automation'", w.Clock.Now().Add(time.Second))
			w.settled()
			w.wantStory(r.ID, "waiting w=waiting")
			w.later(time.Second)
			w.wantStory(r.ID, "waiting w=waiting")
			w.wantStory(first.ID, "completed")
		})
	})
	t.Run("without a timeout", func(t *testing.T) {
		each(t, func(w *world) {
			r := w.rule(`{"name":"Ask","trigger":"ask","nodes":[{"id":"w","type":"waitReply"},{"id":"y","type":"end"}],"edges":[{"source":"w","target":"y"}]}`)
			w.lead()
			w.fire(Call{Trigger: "ask", Phone: phone})
			w.later(1000 * time.Hour)
			w.wantStory(r.ID, "waiting w=waiting")
			w.says("at last")
			w.settled()
			w.wantStory(r.ID, "completed w=completed y=completed")
		})
	})
}

// TestReplyRace lets a reply and its timeout meet many times: exactly one wins.
func TestReplyRace(t *testing.T) {
	each(t, func(w *world) {
		r := w.rule(`{"name":"Ask","trigger":"ask","nodes":[{"id":"w","type":"wait_reply","data":{"timeoutMinutes":30}},{"id":"y","type":"add_tag","data":{"tag":"reply"}},{"id":"n","type":"add_tag","data":{"tag":"timeout"}}],
			"edges":[{"source":"w","target":"y","sourceHandle":"reply"},{"source":"w","target":"n","sourceHandle":"timeout"}]}`)
		w.says("hello")
		const runs = 25
		for range runs {
			w.fire(Call{Trigger: "ask", Phone: phone})
		}
		w.settled()
		w.Clock.Advance(30 * time.Minute)
		w.says("just now")
		done := make(chan []error)
		const workers = 4
		for range workers {
			go func() { done <- w.drain() }()
		}
		for range workers {
			for _, err := range <-done {
				w.Errorf("a job failed: %v", err)
			}
		}
		w.settled()
		won := map[string]int{}
		for _, run := range w.runs(r.ID) {
			got := story(run)
			switch got {
			case "completed w=completed y=completed":
				won["reply"]++
			case "completed w=completed n=completed":
				won["timeout"]++
			default:
				w.Errorf("%s", got)
			}
		}
		if won["reply"]+won["timeout"] != runs {
			w.Errorf("%v", won)
		}
		w.Logf("%v", won)
		if err := w.sound(); err != nil {
			w.Error(err)
		}
	})
}

func TestEventTriggers(t *testing.T) {
	each(t, func(w *world) {
		p, err := w.Cards.Pipelines(bg, w.Tenant)
		if err != nil {
			w.Fatal(err)
		}
		stages := p[0].Stages
		tagging := func(trigger, tag, more string) Rule {
			return w.rule(`{"name":"x","trigger":"` + trigger + `",` + more + `"actions":[{"type":"add_tag","config":{"tag":"` + tag + `"}}]}`)
		}
		created := tagging("lead_created", "created-{{lead.source}}", `"triggerConfig":{"includeSources":["website"]},`)
		raw := tagging("lead.created", "raw", "")
		other := tagging("lead_created", "never", `"triggerConfig":{"excludeSources":["website"]},`)
		off := tagging("lead_created", "never", `"isActive":false,`)
		added := tagging("tag_added", "saw-{{tagName}}", `"triggerConfig":{"tagName":"raw"},`)
		enter := tagging("stage_enter", "in-{{stageName}}-from-{{fromStageName}}", `"triggerConfig":{"stageId":"`+stages[1].ID.String()+`","pipelineId":"`+p[0].ID.String()+`"},`)
		exit := tagging("stage_exit", "out-{{stageName}}", `"triggerConfig":{"stageId":"`+stages[0].ID.String()+`"},`)
		won := tagging("deal_won", "won", "")
		lost := tagging("deal_lost", "lost", "")
		removed := tagging("tag_removed", "gone-{{tag}}", "")
		incoming := tagging("whatsapp_incoming", "wrote-{{message}}-{{message_type}}-{{is_first_message}}-{{days_since_last_message}}", `"conditions":[{"field":"message","operator":"contains","value":"PRICE"}],`)

		c := w.lead()
		w.settled()
		move := func(stage id.ID) {
			w.Helper()
			err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
				_, err := w.Cards.MoveIn(tx, "key:test", c.Contact.ID, stage)
				return err
			})
			if err != nil {
				w.Fatal(err)
			}
			w.settled()
		}
		move(stages[1].ID)
		for _, st := range stages {
			if st.Won || st.Lost {
				move(st.ID)
			}
		}
		w.says("what price?")
		w.settled()
		w.says("hm")
		w.settled()
		err = w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
			_, err := w.Contacts.TagIn(tx, "key:test", c.Contact.ID, nil, []string{"raw"})
			return err
		})
		if err != nil {
			w.Fatal(err)
		}
		w.settled()
		for rule, n := range map[id.ID]int{created.ID: 1, raw.ID: 1, other.ID: 0, off.ID: 0, added.ID: 1, enter.ID: 1, exit.ID: 1, won.ID: 1, lost.ID: 1, removed.ID: 1, incoming.ID: 1} {
			if got := len(w.runs(rule)); got != n {
				r, _ := w.s.Get(bg, w.Tenant, rule)
				w.Errorf("%d runs of %s, want %d", got, r.Trigger, n)
			}
		}
		want := []string{"created-website", "gone-raw", "in-" + stages[1].Name + "-from-" + stages[0].Name, "lost", "out-" + stages[0].Name, "saw-raw", "won", "wrote-what price?-text-true-999"}
		slices.Sort(want)
		if got := w.tags(c.Contact.ID); !slices.Equal(got, want) {
			w.Errorf("got  %q\nwant %q", got, want)
		}
		// An event that is handled a second time starts nothing a second time.
		before := w.Count(w, "run", "1=1")
		w.exec("UPDATE job SET state='available' WHERE tenant_id=? AND kind='react.automation'")
		w.settled()
		if n := w.Count(w, "run", "1=1"); n != before {
			w.Errorf("%d runs, then %d", before, n)
		}
	})
}

func TestLoopGuard(t *testing.T) {
	each(t, func(w *world) {
		a := w.rule(`{"name":"a","trigger":"tag_added","triggerConfig":{"tagName":"x"},"actions":[{"type":"remove_tag","config":{"tag":"x"}}]}`)
		b := w.rule(`{"name":"b","trigger":"tag_removed","triggerConfig":{"tagName":"x"},"actions":[{"type":"add_tag","config":{"tag":"x"}}]}`)
		c := w.lead()
		err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
			_, err := w.Contacts.TagIn(tx, "key:test", c.Contact.ID, []string{"x"}, nil)
			return err
		})
		if err != nil {
			w.Fatal(err)
		}
		w.settled()
		if n := len(w.runs(a.ID)) + len(w.runs(b.ID)); n != maxDepth+1 {
			w.Errorf("%d runs", n)
		}
		if n := w.Events(w, "automation.loop_stopped"); n != 1 {
			w.Errorf("%d stops", n)
		}
	})
}

// TestLongWalk passes more nodes than one transaction takes, and meets a node
// by two ways.
func TestLongWalk(t *testing.T) {
	each(t, func(w *world) {
		nodes, edges := `{"id":"t","type":"trigger"}`, `{"source":"t","target":"n0"},{"source":"t","target":"n30"}`
		for i := range 60 {
			nodes += strings.ReplaceAll(`,{"id":"n#","type":"add_tag","data":{"tag":"t#"}}`, "#", itoa(i))
			if i > 0 {
				edges += `,{"source":"n` + itoa(i-1) + `","target":"n` + itoa(i) + `"}`
			}
		}
		r := w.rule(`{"name":"long","trigger":"go","nodes":[` + nodes + `],"edges":[` + edges + `]}`)
		c := w.lead()
		w.fire(Call{Trigger: "go", Phone: phone})
		w.settled()
		run := w.run(r.ID)
		if run.Status != Completed || len(run.Steps) != 60 || len(w.tags(c.Contact.ID)) != 60 {
			w.Errorf("%s: %d steps, %d tags", run.Status, len(run.Steps), len(w.tags(c.Contact.ID)))
		}
		if n := w.Count(w, "job", "kind=?", kindStep); n < 2 { // the first of them went with the call
			w.Errorf("%d jobs took 60 nodes", n)
		}
		if err := w.sound(); err != nil {
			w.Error(err)
		}
	})
}

func TestDiscardedStep(t *testing.T) {
	each(t, func(w *world) {
		r := w.rule(`{"name":"x","trigger":"go","actions":[{"type":"add_tag","config":{"tag":"a"}},{"type":"add_tag","delayMinutes":5,"config":{"tag":"b"}}]}`)
		w.lead()
		f := w.fire(Call{Trigger: "go", Phone: phone})
		w.Clock.Advance(5 * time.Minute)
		j, ok := w.claim()
		if !ok {
			w.Fatal("no job")
		}
		err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
			return w.s.stepDiscarded(tx, j, fault.New(fault.Unavailable, "the disk is full\x00"))
		})
		if err != nil {
			w.Fatal(err)
		}
		if run := w.run(r.ID); run.Status != Failed || !strings.Contains(run.Error, "disk is full") {
			w.Errorf("%+v", run)
		}
		if l := w.log(f.LogID); l.Status != logFailed {
			w.Errorf("%+v", l)
		}
	})
}

func itoa(n int) string { return strconv.Itoa(n) }
