package automation

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/job/jobtest"
	"parley/internal/webhook"
)

func TestFireFaults(t *testing.T) {
	each(t, func(w *world) {
		for _, c := range []struct {
			call          Call
			field, reason string
		}{
			{Call{Phone: phone}, "trigger", "missing"},
			{Call{Trigger: "two words", Phone: phone}, "trigger", "trigger"},
			{Call{Trigger: strings.Repeat("x", 101), Phone: phone}, "trigger", "trigger"},
			{Call{Trigger: "go"}, "phone", "missing"},
			{Call{Trigger: "go", Phone: "123"}, "phone", "phone"},
			{Call{Trigger: "go", Phone: "+1234567890123456"}, "phone", "phone"},
			{Call{Trigger: "go", Phone: strings.Repeat("1", 100)}, "phone", "phone"},
			{Call{Trigger: "go", Phone: phone, CallbackURL: "file:///etc/passwd"}, "callbackUrl", ""},
			{Call{Trigger: "go", Phone: phone, CallbackURL: "https://example.com", CallbackMethod: "GET"}, "callbackMethod", ""},
			{Call{Trigger: "go", Phone: phone, DelayMinutes: -1}, "delayMinutes", ""},
			{Call{Trigger: "go", Phone: phone, DelaySeconds: 1e12}, "delaySeconds", ""},
			{Call{Trigger: "go", Phone: phone, CreateIfMissing: true, LeadData: map[string]any{"firstName": 5}}, "leadData.firstName", ""},
			{Call{Trigger: "go", Phone: phone, IdempotencyKey: strings.Repeat("k", 300)}, "idempotencyKey", ""},
		} {
			_, err := w.s.Fire(bg, w.Tenant, "key:test", c.call)
			w.wantFault(err, fault.Invalid, c.field, c.reason)
		}
		_, err := w.s.Fire(bg, w.Tenant, "key:test", Call{Trigger: "go", Phone: phone, Variables: map[string]any{"x": strings.Repeat("y", 1<<20)}})
		w.wantFault(err, fault.TooLarge, "variables", "")
		if n := w.Count(w, "trigger_log", "1=1") + w.Count(w, "contact", "1=1"); n != 0 {
			w.Errorf("%d rows were stored", n)
		}
	})
}

func TestUnknownLead(t *testing.T) {
	each(t, func(w *world) {
		w.rule(`{"name":"x","trigger":"go","actions":[{"type":"add_tag","config":{"tag":"a"}}]}`)
		call := Call{Trigger: "go", Phone: phone, IdempotencyKey: "k1"}
		f, err := w.s.Fire(bg, w.Tenant, "key:test", call)
		e := w.wantFault(err, fault.NotFound, "", "lead")
		if hint, _ := e.Details["hint"].(string); !strings.Contains(hint, "createLeadIfMissing") {
			w.Errorf("%+v", e.Details)
		}
		l := w.log(f.LogID) // its row is kept although the call was refused
		if l.Status != logFailed || l.Error == "" || l.IdempotencyKey != "" || l.RulesMatched != 1 {
			w.Errorf("%+v", l)
		}
		for _, c := range []Call{{Trigger: "go", Lead: id.New()}, {Trigger: "go", Email: "nobody@example.com"}, {Trigger: "go", Phone: phone, DelayMinutes: 5}} {
			_, err := w.s.Fire(bg, w.Tenant, "key:test", c)
			w.wantFault(err, fault.NotFound, "", "lead")
		}
		if n := w.Count(w, "job", "kind=?", kindFire); n != 0 {
			w.Errorf("%d calls were scheduled for nobody", n)
		}
		// The key is free: nothing had happened.
		call.CreateIfMissing, call.LeadData = true, map[string]any{"name": "Ravi Kumar", "source": "fair", "city": "Pune", "tags": []any{"t"}}
		f = w.fire(call)
		p, err := w.Contacts.Get(w.DB.Read(bg, w.Tenant), f.Contact)
		if err != nil || p.FirstName != "Ravi" || p.LastName != "Kumar" || p.Source != "fair" || p.Extra["city"] != "Pune" || !slices.Equal(p.Tags, []string{"a", "t"}) || f.Replayed {
			w.Errorf("%+v %v", p, err)
		}
		again := w.fire(call)
		if !again.Replayed || again.LogID != f.LogID || again.Contact != f.Contact || again.RulesMatched != f.RulesMatched {
			w.Errorf("%+v, then %+v", f, again)
		}
		w.settled()
		if n := w.Count(w, "run", "1=1"); n != 1 {
			w.Errorf("%d runs", n)
		}
		// An archived lead is gone for callers by its identities and by its id.
		if _, err := w.Cards.Archive(bg, w.Tenant, "key:test", f.Contact); err != nil {
			w.Fatal(err)
		}
		for _, c := range []Call{{Trigger: "go", Phone: phone}, {Trigger: "go", Lead: f.Contact}} {
			_, err := w.s.Fire(bg, w.Tenant, "key:test", c)
			w.wantFault(err, fault.NotFound, "", "lead")
		}
		if back := w.fire(Call{Trigger: "go", Phone: phone, CreateIfMissing: true}); back.Contact != f.Contact {
			w.Errorf("%+v", back)
		}
	})
}

func TestIdempotentUnderLoad(t *testing.T) {
	each(t, func(w *world) {
		w.rule(`{"name":"x","trigger":"go","actions":[{"type":"add_tag","config":{"tag":"a"}}]}`)
		var wg sync.WaitGroup
		got := make([]Fired, 16)
		for i := range got {
			wg.Add(1)
			go func() {
				defer wg.Done()
				var err error
				if got[i], err = w.s.Fire(bg, w.Tenant, "key:test", Call{Trigger: "go", Phone: phone, CreateIfMissing: true, IdempotencyKey: "once"}); err != nil {
					w.Error(err)
				}
			}()
		}
		wg.Wait()
		fresh := 0
		for _, f := range got {
			if f.LogID != got[0].LogID || f.Contact != got[0].Contact {
				w.Errorf("%+v and %+v", f, got[0])
			}
			if !f.Replayed {
				fresh++
			}
		}
		w.settled()
		if n := w.Count(w, "run", "1=1"); fresh != 1 || n != 1 || w.Count(w, "trigger_log", "1=1") != 1 {
			w.Errorf("%d fresh, %d runs", fresh, n)
		}
	})
}

func TestScheduledCall(t *testing.T) {
	each(t, func(w *world) {
		r := w.rule(`{"name":"x","trigger":"go","conditions":[{"field":"n","operator":"eq","value":1}],"actions":[{"type":"add_tag","config":{"tag":"late-{{city}}"}}]}`)
		c := w.lead()
		f := w.fire(Call{Trigger: "go", Phone: phone, DelayMinutes: 30, DelaySeconds: 30, Variables: map[string]any{"n": 1}, Data: map[string]any{"city": "Pune"}})
		if at := w.Clock.Now().Add(30*time.Minute + 30*time.Second); !f.Scheduled || !f.RunAt.Equal(at) || f.RulesMatched != 1 {
			w.Errorf("%+v", f)
		}
		gone := w.fire(Call{Trigger: "go", Lead: c.Contact.ID, RunAt: w.Clock.Now().Add(time.Hour)})
		w.later(30 * time.Minute)
		if l := w.log(f.LogID); l.Status != logScheduled || len(w.runs(r.ID)) != 0 {
			w.Errorf("%+v", l)
		}
		w.later(30 * time.Second)
		if l := w.log(f.LogID); l.Status != logCompleted || !slices.Equal(w.tags(c.Contact.ID), []string{"late-Pune"}) {
			w.Errorf("%+v", l)
		}
		if _, err := w.Cards.Archive(bg, w.Tenant, "key:test", c.Contact.ID); err != nil {
			w.Fatal(err)
		}
		w.later(time.Hour)
		if l := w.log(gone.LogID); l.Status != logFailed || l.Error == "" {
			w.Errorf("%+v", l)
		}
		if past := w.fire(Call{Trigger: "go", Phone: phone, CreateIfMissing: true, RunAt: w.Clock.Now().Add(-time.Hour)}); past.Scheduled {
			w.Errorf("%+v", past)
		}
	})
}

// TestCallback runs jobs and deliveries on the real runner and lanes.
func TestCallback(t *testing.T) {
	each(t, func(w *world) {
		var mu sync.Mutex
		var got []map[string]any
		receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			key, err := w.Tenants.Secret(w.DB.Read(bg, w.Tenant), webhook.SecretName)
			if err != nil || r.Header.Get("x-ecodrix-signature") != webhook.Sign(key, b) || r.Method != "PUT" {
				w.Errorf("%v %s %v", err, r.Method, r.Header)
			}
			var m map[string]any
			_ = json.Unmarshal(b, &m)
			mu.Lock()
			got = append(got, m)
			mu.Unlock()
		}))
		defer receiver.Close()
		w.rule(`{"name":"x","trigger":"go","actions":[{"type":"add_tag","config":{"tag":"a"}}]}`)
		w.rule(`{"name":"y","trigger":"go","actions":[{"type":"send_whatsapp","config":{"text":"no window"}}]}`)
		bad := w.rule(`{"name":"z","trigger":"sad","actions":[{"type":"send_whatsapp","config":{"text":"no window"}}]}`)
		c := w.lead()
		ctx, stop := contextWithCancel()
		runner := job.NewRunner(w.DB, job.Options{Node: "test", Clock: w.Clock, Workers: 4})
		w.s.RegisterJobs(runner)
		lanes := job.NewLanes(w.DB, job.LaneOptions{Node: "test", Clock: w.Clock})
		lanes.Add(w.hooks)
		var wg sync.WaitGroup
		wg.Add(2)
		go func() { defer wg.Done(); _ = runner.Run(ctx) }()
		go func() { defer wg.Done(); lanes.Run(ctx) }()
		defer wg.Wait()
		defer stop()
		meta := map[string]any{"order": "A1"}
		mixed := w.fire(Call{Trigger: "go", Phone: phone, CallbackURL: receiver.URL + "/cb", CallbackMetadata: meta})
		sad := w.fire(Call{Trigger: "sad", Phone: phone, CallbackURL: receiver.URL + "/cb"})
		none := w.fire(Call{Trigger: "unheard", Phone: phone, CallbackURL: receiver.URL + "/cb"})
		for end := time.Now().Add(time.Minute); ; {
			if w.log(mixed.LogID).CallbackStatus == callbackSent && w.log(sad.LogID).CallbackStatus == callbackSent && w.log(none.LogID).CallbackStatus == callbackSent {
				break
			}
			if time.Now().After(end) {
				w.Fatalf("%+v %+v %+v", w.log(mixed.LogID), w.log(sad.LogID), w.log(none.LogID))
			}
			jobtest.Pace(w, w.DB, w.Clock, 50*time.Millisecond)
		}
		if a, b, c := w.log(mixed.LogID).Status, w.log(sad.LogID).Status, w.log(none.LogID).Status; a != logPartial || b != logFailed || c != logCompleted {
			w.Errorf("%s %s %s", a, b, c)
		}
		mu.Lock()
		defer mu.Unlock()
		seen := map[string][]string{}
		for _, m := range got {
			l, _ := m["eventLogId"].(string)
			seen[l] = append(seen[l], m["status"].(string))
			if l == mixed.LogID.String() {
				if b, _ := json.Marshal(m["metadata"]); string(b) != `{"order":"A1"}` || m["rulesMatched"] != 2.0 || m["trigger"] != "go" {
					w.Errorf("%v", m)
				}
				if m["status"] == logCompleted && (m["leadId"] != c.Contact.ID.String() || m["runsFailed"] != 1.0) {
					w.Errorf("%v", m)
				}
			}
		}
		for l, want := range map[id.ID][]string{mixed.LogID: {"processing", "completed"}, sad.LogID: {"processing", "failed"}, none.LogID: {"processing", "completed"}} {
			if !slices.Equal(seen[l.String()], want) {
				w.Errorf("%v, want %v", seen[l.String()], want)
			}
		}
		if r := w.run(bad.ID); r.Status != Failed {
			w.Errorf("%+v", r)
		}
	})
}
