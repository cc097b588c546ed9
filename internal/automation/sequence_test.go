package automation

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/webhook"
)

func numbers(e Enrollment) string {
	s := e.Status
	for _, r := range e.Results {
		s += fmt.Sprintf(" %d=%s", r.Number, r.Status)
	}
	return s
}

func (w *world) wantEnrollment(e id.ID, want string) Enrollment {
	w.Helper()
	got, err := w.s.Enrollment(bg, w.Tenant, e)
	if err != nil {
		w.Fatal(err)
	}
	if numbers(got) != want {
		w.Errorf("got  %s\nwant %s", numbers(got), want)
	}
	return got
}

func TestSequence(t *testing.T) {
	each(t, func(w *world) {
		seq := w.rule(`{"name":"Drip","trigger":"trial","isSequence":true,"steps":[
			{"stepNumber":1,"delayMinutes":5,"action":{"type":"add_tag","config":{"tag":"one-{{plan}}"}}},
			{"stepNumber":2,"delayMinutes":10,"action":{"type":"add_tag","config":{"tag":"two"}},"conditions":[{"field":"plan","operator":"eq","value":"silver"}]},
			{"stepNumber":3,"delayMinutes":60,"delayReference":"trigger_time","action":{"type":"send_whatsapp","config":{"text":"hi"}},"onFailure":"continue"},
			{"stepNumber":4,"delayMinutes":1,"action":{"type":"add_tag","config":{"tag":"four"}},"exitSequenceIf":[{"field":"lead.tags","operator":"contains","value":"left"},{"field":"plan","operator":"eq","value":"none"}]}]}`)
		if seq.Definition["isSequence"] != true {
			w.Errorf("%+v", seq.Definition)
		}
		c := w.lead()
		e, err := w.s.Enroll(bg, w.Tenant, "key:test", seq.ID, c.Contact.ID, map[string]any{"plan": "gold"})
		if err != nil {
			w.Fatal(err)
		}
		if numbers(e) != "active 1=pending 2=pending 3=pending 4=pending" || e.TotalSteps != 4 || e.CurrentStep != 0 || e.NextStepAt.Sub(w.Clock.Now()) != 5*time.Minute || e.Phone == "" || e.EventData["plan"] != "gold" {
			w.Errorf("%+v", e)
		}
		_, err = w.s.Enroll(bg, w.Tenant, "key:test", seq.ID, c.Contact.ID, nil)
		w.refused(err, "twice")
		w.fire(Call{Trigger: "trial", Phone: phone}) // the trigger finds the lead in it, too
		w.settled()
		if list, total, err := w.s.Enrollments(bg, w.Tenant, seq.ID, EnrollmentQuery{Status: Active, Page: 1, Limit: 10}); err != nil || total != 1 || len(list) != 1 {
			w.Errorf("%d %v", total, err)
		}
		w.later(5 * time.Minute)
		w.wantEnrollment(e.ID, "active 1=completed 2=pending 3=pending 4=pending")
		p, err := w.s.PauseEnrollment(bg, w.Tenant, "key:test", seq.ID, e.ID)
		if err != nil || p.Status != Paused || p.NextStepAt.Sub(w.Clock.Now()) != 10*time.Minute {
			w.Errorf("%+v %v", p, err)
		}
		_, err = w.s.PauseEnrollment(bg, w.Tenant, "key:test", seq.ID, e.ID)
		w.refused(err, "paused")
		w.later(20 * time.Minute)
		w.wantEnrollment(e.ID, "paused 1=completed 2=pending 3=pending 4=pending")
		if _, err := w.s.ResumeEnrollment(bg, w.Tenant, "key:test", id.New(), e.ID); fault.As(err) == nil {
			w.Error("resumed under another rule")
		}
		if _, err := w.s.ResumeEnrollment(bg, w.Tenant, "key:test", seq.ID, e.ID); err != nil {
			w.Error(err)
		}
		w.settled()
		// The third step counts from the trigger: 60 - 25 minutes from now.
		got := w.wantEnrollment(e.ID, "active 1=completed 2=skipped 3=pending 4=pending")
		if got.NextStepAt.Sub(w.Clock.Now()) != 35*time.Minute {
			w.Errorf("%s", got.NextStepAt.Sub(w.Clock.Now()))
		}
		w.later(35 * time.Minute)
		got = w.wantEnrollment(e.ID, "active 1=completed 2=skipped 3=failed 4=pending")
		if !strings.Contains(got.Results[2].Error, "24 hours") || got.CurrentStep != 3 {
			w.Errorf("%+v", got)
		}
		w.later(time.Minute)
		got = w.wantEnrollment(e.ID, "completed 1=completed 2=skipped 3=failed 4=completed")
		if got.CompletedAt.IsZero() || !got.NextStepAt.IsZero() {
			w.Errorf("%+v", got)
		}
		_, err = w.s.Unenroll(bg, w.Tenant, "key:test", e.ID)
		w.refused(err, "completed")
		// Another time: out by a person, and out by the step's own condition.
		w.fire(Call{Trigger: "trial", Phone: phone})
		w.settled()
		list, err := w.s.EnrollmentsOf(bg, w.Tenant, c.Contact.ID)
		if err != nil || len(list) != 2 {
			w.Fatal(len(list), err)
		}
		out, err := w.s.Unenroll(bg, w.Tenant, "key:test", list[0].ID)
		if err != nil || out.Status != Exited || out.ExitReason != ExitUnenroll {
			w.Errorf("%+v %v", out, err)
		}
		e, err = w.s.Enroll(bg, w.Tenant, "key:test", seq.ID, c.Contact.ID, map[string]any{"plan": "none"})
		if err != nil {
			w.Fatal(err)
		}
		w.later(2 * time.Hour)
		w.later(2 * time.Hour)
		w.later(2 * time.Hour)
		w.later(2 * time.Hour)
		got = w.wantEnrollment(e.ID, "exited 1=completed 2=skipped 3=failed 4=skipped")
		if got.ExitReason != ExitCondition {
			w.Errorf("%+v", got)
		}
		for status, n := range map[string]int{"": 3, Completed: 1, Exited: 2, Active: 0, Failed: 0, Paused: 0} {
			if list, total, err := w.s.Enrollments(bg, w.Tenant, seq.ID, EnrollmentQuery{Status: status, Page: 1, Limit: 10}); err != nil || total != n || len(list) != n {
				w.Errorf("%s: %d %v", status, total, err)
			}
		}
		if err := w.sound(); err != nil {
			w.Error(err)
		}
	})
}

func TestSequenceFailures(t *testing.T) {
	each(t, func(w *world) {
		step := func(policy string) Rule {
			return w.rule(`{"name":"` + policy + `","trigger":"x","isSequence":true,"steps":[{"action":{"type":"send_whatsapp","config":{"text":"hi"}},"onFailure":"` + policy + `"},{"action":{"type":"add_tag","config":{"tag":"` + policy + `"}}}]}`)
		}
		stop, retry := step("stop"), step("retry")
		c := w.lead()
		enroll := func(r Rule) id.ID {
			e, err := w.s.Enroll(bg, w.Tenant, "key:test", r.ID, c.Contact.ID, nil)
			if err != nil {
				w.Fatal(err)
			}
			w.settled()
			return e.ID
		}
		w.wantEnrollment(enroll(stop), "failed 1=failed 2=pending")
		e := enroll(retry)
		w.wantEnrollment(e, "active 1=pending 2=pending")
		w.later(20 * time.Second)
		w.wantEnrollment(e, "active 1=pending 2=pending")
		w.later(39 * time.Second)
		w.wantEnrollment(e, "active 1=pending 2=pending")
		w.later(time.Second)
		w.wantEnrollment(e, "completed 1=failed 2=completed")
		// An attempt that succeeds ends the retries.
		e = enroll(retry)
		w.says("hello")
		w.later(20 * time.Second)
		w.wantEnrollment(e, "completed 1=completed 2=completed")
		if err := w.sound(); err != nil {
			w.Error(err)
		}
	})
}

func TestDelayTypes(t *testing.T) {
	each(t, func(w *world) {
		r := w.rule(`{"name":"x","trigger":"booked","actions":[
			{"type":"add_tag","delayType":"before_event","delayMinutes":60,"config":{"tag":"before"}},
			{"type":"add_tag","delayType":"at_event","config":{"tag":"at"}},
			{"type":"add_tag","delayType":"after_event","delayMinutes":30,"config":{"tag":"after"}}]}`)
		c := w.lead()
		w.fire(Call{Trigger: "booked", Phone: phone, Variables: map[string]any{"start_time": w.Clock.Now().Add(30 * time.Minute).Format(time.RFC3339)}})
		w.settled()
		w.wantStory(r.ID, "waiting delay-1=skipped delay-2=waiting delay-3=waiting")
		w.later(30 * time.Minute)
		if got := w.tags(c.Contact.ID); !slices.Equal(got, []string{"at"}) {
			w.Errorf("%q", got)
		}
		w.later(30 * time.Minute)
		w.wantStory(r.ID, "completed delay-1=skipped delay-2=completed delay-3=completed action-2=completed action-3=completed")
		w.fire(Call{Trigger: "booked", Phone: phone})
		w.settled()
		if run := w.runs(r.ID)[1]; run.Status != Failed || !strings.Contains(run.Error, "start_time") {
			w.Errorf("%s %s", run.Status, run.Error)
		}
	})
}

// receiver is an HTTP server that answers as it is told.
type receiver struct {
	url string
	mu  sync.Mutex
	got []*http.Request
	say []string // bodies received
}

func newReceiver(t testing.TB, status func(n int) (int, string)) *receiver {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{url: "http://" + l.Addr().String()}
	srv := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		b, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		r.got, r.say = append(r.got, req), append(r.say, string(b))
		code, body := status(len(r.got))
		r.mu.Unlock()
		rw.WriteHeader(code)
		_, _ = io.WriteString(rw, body)
	})}
	done := make(chan struct{})
	go func() { _ = srv.Serve(l); close(done) }()
	t.Cleanup(func() { _ = srv.Close(); <-done })
	return r
}

// deliver makes the calls that are due once. How they ended is recorded with the
// claim that follows.
func (w *world) deliver() {
	w.Helper()
	lanes, _, err := w.hooks.Due(bg, w.Clock.Now(), 100)
	if err != nil {
		w.Fatal(err)
	}
	for _, l := range lanes {
		work, _, err := w.hooks.Claim(bg, job.Lane{Tenant: l.Tenant, Name: l.Name}, 8)
		if err != nil {
			w.Fatal(err)
		}
		for _, f := range work {
			f(bg)
		}
		if work, _, err = w.hooks.Claim(bg, job.Lane{Tenant: l.Tenant, Name: l.Name}, 0); err != nil || len(work) > 0 {
			w.Fatal(len(work), err)
		}
	}
	w.settled()
}

func TestCallOut(t *testing.T) {
	each(t, func(w *world) {
		if err := w.Tenants.SetSecret(bg, w.Tenant, webhook.SecretName, "whsec_x"); err != nil {
			w.Fatal(err)
		}
		rec := newReceiver(w, func(n int) (int, string) {
			if n == 1 {
				return 500, "busy"
			}
			return 201, `{"id":"T-9","ok":true}`
		})
		r := w.rule(`{"name":"Call","trigger":"go","nodes":[{"id":"h","type":"webhook","data":{"url":"` + rec.url + `/x?name={{lead.firstName}}","method":"put","headers":{"X-Plan":"{{plan}}"},"payload":"{\"who\":\"{{lead.firstName}}\",\"n\":{{n}}}","storeAs":"ticket"}},
			{"id":"c","type":"condition","data":{"field":"resolved.ticket.status","operator":"eq","value":201}},
			{"id":"y","type":"add_tag","data":{"tag":"{{resolved.ticket.body.id}}-{{resolved.h.status}}"}}],"edges":[{"source":"h","target":"c"},{"source":"c","target":"y","sourceHandle":"yes"}]}`)
		w.lead()
		w.fire(Call{Trigger: "go", Phone: phone, Variables: map[string]any{"plan": "go\"ld", "n": 3.0}})
		w.settled()
		w.wantStory(r.ID, "waiting h=waiting")
		w.deliver()
		w.wantStory(r.ID, "waiting h=waiting")
		w.Clock.Advance(2 * time.Second)
		w.deliver()
		run := w.wantStory(r.ID, "completed h=completed c=completed y=completed")
		if got := w.tags(run.Contact); !slices.Equal(got, []string{"T-9-201"}) {
			w.Errorf("%q", got)
		}
		if run.Steps[0].Output["attempts"] != 2.0 {
			w.Errorf("%+v", run.Steps[0].Output)
		}
		var body map[string]any
		if err := json.Unmarshal([]byte(rec.say[1]), &body); err != nil || body["who"] != "Asha" || body["n"] != 3.0 {
			w.Errorf("%s", rec.say[1])
		}
		a, b := rec.got[0], rec.got[1]
		if a.Method != "PUT" || a.URL.Query().Get("name") != "Asha" || a.Header.Get("X-Plan") != `go"ld` || a.Header.Get("Idempotency-Key") == "" || a.Header.Get("Idempotency-Key") != b.Header.Get("Idempotency-Key") ||
			!strings.HasPrefix(a.Header.Get("X-Ecodrix-Signature"), "sha256=") {
			w.Errorf("%s %s %v", a.Method, a.URL, a.Header)
		}
		if err := w.sound(); err != nil {
			w.Error(err)
		}
	})
}

func TestCallOutFails(t *testing.T) {
	each(t, func(w *world) {
		if err := w.Tenants.SetSecret(bg, w.Tenant, webhook.SecretName, "whsec_x"); err != nil {
			w.Fatal(err)
		}
		rec := newReceiver(w, func(int) (int, string) { return 404, "no such thing" })
		r := w.rule(`{"name":"Call","trigger":"go","nodes":[{"id":"h","type":"http","data":{"url":"` + rec.url + `","method":"GET"}},{"id":"y","type":"add_tag","data":{"tag":"bad-{{resolved.h.status}}-{{resolved.h.body}}"}}],
			"edges":[{"source":"h","target":"y","sourceHandle":"error"}]}`)
		private := w.rule(`{"name":"Call","trigger":"go","actions":[{"type":"webhook_notify","config":{"url":"http://{{host}}/"}}]}`)
		w.lead()
		w.fire(Call{Trigger: "go", Phone: phone})
		w.settled()
		for range 3 {
			w.deliver()
			w.Clock.Advance(5 * time.Second)
		}
		run := w.wantStory(r.ID, "completed h=failed y=completed")
		if got := w.tags(run.Contact); !slices.Equal(got, []string{"bad-404-no such thing"}) || len(rec.got) != 3 {
			w.Errorf("%q %d", got, len(rec.got))
		}
		if run := w.run(private.ID); run.Status != Failed || !strings.Contains(run.Error, "http://") {
			w.Errorf("%s %s", run.Status, run.Error)
		}
		if err := w.sound(); err != nil {
			w.Error(err)
		}
	})
}

func TestActions(t *testing.T) {
	each(t, func(w *world) {
		p, err := w.Cards.Pipelines(bg, w.Tenant)
		if err != nil {
			w.Fatal(err)
		}
		r := w.rule(`{"name":"x","trigger":"go","nodes":[{"id":"m","type":"move_pipeline_stage","data":{"stageId":"{{stage}}"}},{"id":"a","type":"assign_lead","data":{"userId":"agent-{{n}}"}},
			{"id":"u","type":"update_lead","data":{"fields":{"lastName":"of {{city}}","dealValue":"{{n}}","metadata.extra.city":"{{city}}","dynamicFields":{"size":"L"}}}},
			{"id":"t","type":"create_task","data":{"title":"Call {{lead.firstName}} {{lead.lastName}}"}},{"id":"p","type":"move_pipeline","data":{"pipelineId":"` + p[0].ID.String() + `"}},
			{"id":"v","type":"update_lead","data":{"fields":"{\"firstName\":\"{{city}}\"}"}},{"id":"b","type":"move_stage","data":{"stageId":"{{city}}"}}],
			"edges":[{"source":"m","target":"a"},{"source":"a","target":"u"},{"source":"u","target":"t"},{"source":"t","target":"p"},{"source":"p","target":"v"},{"source":"v","target":"b"}]}`)
		c := w.lead()
		w.fire(Call{Trigger: "go", Phone: phone, Variables: map[string]any{"stage": p[0].Stages[2].ID.String(), "n": 250.0, "city": `Pu"ne`}})
		w.settled()
		run := w.wantStory(r.ID, "failed m=completed a=completed u=completed t=completed p=completed v=completed b=failed")
		if !strings.Contains(run.Error, "24 hexadecimal") || run.Steps[0].Output["stage"] != p[0].Stages[2].Name {
			w.Errorf("%s %+v", run.Error, run.Steps[0])
		}
		got, err := w.Cards.Card(bg, w.Tenant, c.Contact.ID)
		if err != nil || got.Contact.AssignedTo != "agent-250" || got.Contact.FirstName != `Pu"ne` || got.Contact.LastName != `of Pu"ne` || got.Deal.Value != 250 || got.Contact.Extra["city"] != `Pu"ne` ||
			got.Contact.Attributes["size"] != "L" || !got.Stage.Default {
			w.Errorf("%+v %v", got, err)
		}
		if n := w.Count(w, "activity", "type='action_required' AND title=?", `Call Asha of Pu"ne`); n != 1 {
			w.Errorf("%d tasks", n)
		}
	})
}
