package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"parley/internal/config"
	"parley/internal/id"
	"parley/internal/server"
	"parley/internal/tenant"
)

// welcome is what `serve --demo` prints for a newcomer.
type welcome struct {
	text     string
	code     string
	key      string
	token    string // of the targeting API
	phone    string
	commands []string // in the order of the steps
}

// welcomed waits for the welcome and reads it.
func (p *process) welcomed() (w welcome) {
	p.t.Helper()
	eventually(p.t, "the welcome is printed", func() bool { return strings.Contains(p.stdout.String(), "Stop with Ctrl-C") })
	w.text = p.stdout.String()
	for line := range strings.Lines(w.text) {
		switch f := strings.Fields(line); {
		case len(f) == 2 && f[0] == "x-client-code":
			w.code = f[1]
		case len(f) == 2 && f[0] == "x-api-key":
			w.key = f[1]
		case strings.HasPrefix(line, "     TOKEN="):
			w.token = strings.TrimPrefix(strings.TrimSpace(line), "TOKEN=")
		case strings.HasPrefix(line, "     "):
			line = strings.ReplaceAll(line, "$TOKEN", w.token) // as a shell does
			w.commands = append(w.commands, strings.TrimSpace(line))
		}
	}
	if w.code == "" || w.key == "" || w.token == "" || len(w.commands) != 11 {
		p.t.Fatalf("the welcome lacks keys or commands:\n%s", w.text)
	}
	w.phone = "+919876543210"
	return w
}

// shell splits a pasted command into words as a shell does.
func shell(t testing.TB, line string) (out []string) {
	t.Helper()
	var word strings.Builder
	begun, quote := false, rune(0)
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, begun = c, true
		case quote == 0 && c == ' ':
			if begun {
				out = append(out, word.String())
				word.Reset()
				begun = false
			}
		case quote != '\'' && strings.ContainsRune("$`\\", c):
			t.Fatalf("a newcomer's shell would read more than words in %s", line)
		default:
			word.WriteRune(c)
			begun = true
		}
	}
	if quote != 0 {
		t.Fatalf("the quotes do not match in %s", line)
	}
	if begun {
		out = append(out, word.String())
	}
	return out
}

// paste runs a command of the welcome: the program itself, or the request that
// curl would make.
func paste(t testing.TB, line string) string {
	t.Helper()
	w := shell(t, line)
	if w[0] == program {
		return parley(t, w[1:]...)
	}
	if w[0] != "curl" {
		t.Fatalf("an unknown program in %s", line)
	}
	method, url, body, header := "GET", "", "", http.Header{}
	for i := 1; i < len(w); i++ {
		switch w[i] {
		case "-s":
		case "-X":
			i++
			method = w[i]
		case "-H":
			i++
			k, v, _ := strings.Cut(w[i], ": ")
			header.Set(k, v)
		case "-d":
			i++
			method, body = "POST", w[i]
		default:
			url = w[i]
		}
	}
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	a, err := send(r)
	if err != nil || a.status != 200 {
		t.Fatalf("%s: %v %d %s", line, err, a.status, a.body)
	}
	return a.body
}

func TestStory(t *testing.T) {
	eachDatabase(t, func(t *testing.T, data []string) {
		p := serve(t, data, "--simulate", "--demo", "--log-level", "debug")
		w := p.welcomed()
		me := &api{t: t, url: p.url, code: w.code, key: w.key}
		other := p.tenant("Other")

		ears := listen(t)
		ears.connect("me", p.url, map[string]any{"apiKey": w.key, "clientCode": w.code})
		ears.connect("other", p.url, map[string]any{"apiKey": other.key, "clientCode": other.code})
		wrong := "erix_" + strings.Repeat("0123456789abcdef", 4)
		ears.do("connect", "wrong", map[string]any{"url": p.url, "auth": map[string]any{"apiKey": wrong, "clientCode": w.code}})
		if o := ears.next("wrong"); o.What != "connect_error" || o.Message != "Unauthorized" {
			t.Fatalf("a wrong key observed %+v", o)
		}

		// 1. A lead comes in.
		var fired struct {
			Success bool
			Data    struct {
				LeadID       string
				RulesMatched int
			}
		}
		if err := json.Unmarshal([]byte(paste(t, w.commands[0])), &fired); err != nil || !fired.Success || fired.Data.RulesMatched != 1 {
			t.Fatalf("the trigger: %+v, %v", fired, err)
		}
		lead := fired.Data.LeadID
		if o := ears.event("me", "crm.lead_created"); o.arg("leadId") != lead || o.arg("phone") != "919876543210" || o.arg("firstName") != "Priya" {
			t.Fatalf("heard %+v", o)
		}

		// 2. The template arrives at the phone.
		sent := ears.event("me", "whatsapp.message_sent")
		if sent.arg("to") != "919876543210" || sent.arg("messageId") == nil {
			t.Fatalf("heard %+v", sent)
		}
		const greeting = "Hi Priya, thank you for your interest in Parley."
		if out := paste(t, w.commands[1]); !strings.Contains(out, greeting) {
			t.Fatalf("the phone shows %q", out)
		}

		// 3. The person answers; the rule thanks.
		if out := paste(t, w.commands[2]); strings.TrimSpace(out) != "delivered" {
			t.Fatalf("the reply printed %q", out)
		}
		if o := ears.event("me", "whatsapp.message_received"); o.arg("from") != "919876543210" || o.arg("body") != "Yes, tell me more" || o.arg("leadId") != lead {
			t.Fatalf("heard %+v", o)
		}
		ears.event("me", "whatsapp.message_sent")

		// 4. The conversation.
		var inbox answer
		if err := json.Unmarshal([]byte(paste(t, w.commands[3])), &inbox.json); err != nil {
			t.Fatal(err)
		}
		if n := len(inbox.list("data")); n != 1 || inbox.text("data", 0, "leadId") != lead {
			t.Fatalf("%d conversations: %v", n, inbox.json)
		}
		conversation := inbox.text("data", 0, "id")
		var messages []map[string]any
		eventually(t, "both outgoing messages are read", func() bool {
			messages = me.get("/api/saas/chat/conversations/" + conversation + "/messages").list("data")
			return len(messages) == 3 && messages[0]["status"] == "read" && messages[2]["status"] == "read"
		})
		for i, want := range []struct{ direction, text, history string }{
			{"outbound", greeting, "queued sent delivered read"},
			{"inbound", "Yes, tell me more", "delivered"},
			{"outbound", "Thank you, Priya. You wrote: Yes, tell me more", "queued sent delivered read"},
		} {
			m := messages[i]
			var history []string
			for _, h := range (answer{json: m}).list("statusHistory") {
				history = append(history, fmt.Sprint(h["status"]))
			}
			if text, _ := m["text"].(string); m["direction"] != want.direction || !strings.HasPrefix(text, want.text) || strings.Join(history, " ") != want.history {
				t.Errorf("message %d is %v", i, m)
			}
		}

		// The timeline tells the story from its end to its beginning.
		var told []string
		for _, e := range me.get("/api/saas/crm/leads/" + lead + "/timeline").list("items") {
			told = append(told, fmt.Sprint(e["type"]))
		}
		slices.Reverse(told)
		order := []string{"lead_created", "automation_triggered", "whatsapp_sent", "whatsapp_received", "whatsapp_sent"}
		rest := order
		for _, what := range told {
			if len(rest) > 0 && what == rest[0] {
				rest = rest[1:]
			}
		}
		if len(rest) > 0 || told[0] != "lead_created" {
			t.Errorf("the timeline tells %v, wanted %v in it", told, order)
		}
		if l := me.get("/api/saas/crm/leads/" + lead); !strings.Contains(l.body, `"interested"`) {
			t.Errorf("the lead lacks the tag of who replied: %s", l.body)
		}

		// The rule's run and its steps.
		var rule string
		for _, a := range me.get("/api/saas/crm/automations").list("data") {
			if a["trigger"] == "trial_started" {
				rule, _ = a["id"].(string)
			}
		}
		runs := me.get("/api/saas/crm/automations/" + rule + "/runs")
		if len(runs.list("data")) != 1 || runs.text("data", 0, "status") != "completed" || runs.text("data", 0, "leadId") != lead {
			t.Fatalf("the runs are %s", runs.body)
		}
		run := me.get("/api/saas/crm/automations/runs/" + runs.text("data", 0, "id"))
		for _, node := range []string{"welcome", "reply", "interested", "thanks", "done"} {
			if s := run.text("data", "nodeResults", node, "status"); s != "completed" {
				t.Errorf("node %s is %q in %s", node, s, run.body)
			}
		}
		if run.at("data", "nodeResults", "silent") != nil {
			t.Errorf("the run went the way of silence: %s", run.body)
		}

		// The jobs behind it.
		eventually(t, "no job waits", func() bool {
			q := me.get("/api/saas/queue/stats")
			return q.at("waiting") == 0.0 && q.at("active") == 0.0 && q.at("failed") == 0.0 && q.at("completed").(float64) > 0
		})

		// 5. The same person on the sales API: a lead with the known phone merges.
		var prospects []struct{ ID, FirstName string }
		if err := json.Unmarshal([]byte(paste(t, w.commands[4])), &prospects); err != nil || len(prospects) != 3 || prospects[0].ID != lead || prospects[0].FirstName != "Priya" {
			t.Fatalf("the prospects: %+v, %v", prospects, err)
		}
		var merged struct {
			ID     string
			Merged bool
			Emails []string
		}
		if err := json.Unmarshal([]byte(paste(t, w.commands[5])), &merged); err != nil || merged.ID != lead || !merged.Merged || !slices.Equal(merged.Emails, []string{"priya@example.com"}) {
			t.Fatalf("the merged lead: %+v, %v", merged, err)
		}

		// 6. The rule tagged her, so the target selects her.
		var found struct {
			Hits    int
			Results []map[string]any
		}
		if err := json.Unmarshal([]byte(paste(t, w.commands[6])), &found); err != nil || found.Hits != 1 || found.Results[0]["_title"] != "Priya" {
			t.Fatalf("the target selects %+v, %v", found, err)
		}

		// 7. The campaign writes to her.
		if out := paste(t, w.commands[7]); !strings.Contains(out, `"status":"activating"`) {
			t.Fatalf("the activation answered %s", out)
		}
		var recipients struct {
			Total   int
			Results []map[string]any
		}
		eventually(t, "the campaign has reached her", func() bool {
			recipients.Results = nil
			err := json.Unmarshal([]byte(paste(t, w.commands[8])), &recipients)
			return err == nil && recipients.Total == 1 && recipients.Results[0]["automation_status"] == "success"
		})
		if r := recipients.Results[0]; r["title"] != "Priya" || r["entity_schema"] != "contact" {
			t.Errorf("the recipient is %v", r)
		}
		eventually(t, "the invitation arrives", func() bool { return strings.Contains(paste(t, w.commands[9]), "Hello Priya, join our guided tour") })

		// 8. Everything holds.
		if out := paste(t, w.commands[10]); !strings.Contains(out, "invariants hold") {
			t.Fatalf("verify printed %q", out)
		}

		// Another tenant heard nothing of it: the first it hears is its own.
		own := other.ok("POST", "/api/saas/crm/leads", map[string]any{"firstName": "Ben", "phone": "9123456780"})
		if o := ears.next("other"); o.Name != "crm.lead_created" || o.arg("leadId") != own.text("data", "id") {
			t.Fatalf("another tenant heard %+v", o)
		}
		me.ok("PATCH", "/api/saas/crm/leads/"+lead, map[string]any{"firstName": "Priyanka"})
		if o := ears.event("me", "crm.lead_updated"); o.arg("leadId") != lead {
			t.Fatalf("heard %+v", o)
		}
		if n := ears.heard("me"); strings.Count(strings.Join(n, " "), "crm.lead_created") != 1 {
			t.Fatalf("heard another tenant's lead: %v", n)
		}
		ears.do("disconnect", "me", nil)
		ears.do("disconnect", "other", nil)

		if code := p.stop(); code != 0 {
			t.Fatalf("the server ended with %d", code)
		}
		logTellsNoSecret(t, p, w, other.key, wrong)
		if p.stdout.String() != w.text {
			t.Errorf("stdout holds more than the welcome: %s", p.stdout.String())
		}
	})
}

// logTellsNoSecret reads the log as a thief would: keys of clients, the
// secrets of the accounts and what people wrote must not stand in it.
func logTellsNoSecret(t *testing.T, p *process, w welcome, more ...string) {
	t.Helper()
	d := config.Database{Data: p.data[1]}
	if len(p.data) > 2 {
		d.Database = p.data[3]
	}
	ctx := context.Background()
	app, err := server.OpenForCommand(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	secrets := append([]string{w.key, "Yes, tell me more", "9876543210"}, more...)
	all, err := app.Tenants.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		hook, err := app.Tenants.Secret(app.DB.Read(ctx, x.ID), tenant.WebhookSecret)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, hook)
		accounts, err := app.Accounts.List(ctx, x.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range accounts {
			if len(a.Secrets) != 3 {
				t.Fatalf("account %s has %d secrets", a.ExternalID, len(a.Secrets))
			}
			for _, s := range a.Secrets {
				secrets = append(secrets, s)
			}
		}
	}
	log := p.stderr.String()
	if !strings.Contains(log, "/api/saas/workflows/trigger") {
		t.Errorf("the log does not show the requests:\n%s", log)
	}
	for _, s := range secrets {
		if s == "" || strings.Contains(log, s) {
			t.Errorf("the log tells %q", s)
		}
	}
}

func TestSocketsStayInTheirTenant(t *testing.T) {
	p := serve(t, []string{"--data", t.TempDir()})
	a, b := p.tenant("A"), p.tenant("B")
	ears := listen(t)
	ears.connect("a", p.url, map[string]any{"apiKey": a.key, "clientCode": a.code})
	ears.connect("nobody", p.url, map[string]any{})
	refused := func(who string, room any) {
		t.Helper()
		ears.do("ask", who, map[string]any{"name": "join-room", "args": []any{room}})
		o := ears.next(who)
		if o.What != "ack" || o.arg("success") != false || o.arg("code") != "UNAUTHORIZED" {
			t.Fatalf("%s joins %v: %+v", who, room, o)
		}
	}
	refused("a", b.code)
	refused("a", strings.ToLower(b.code))
	refused("a", map[string]any{"clientCode": b.code})
	refused("a", map[string]any{"clientCode": b.code, "apiKey": a.key})
	refused("nobody", a.code)
	refused("nobody", b.code)
	refused("nobody", map[string]any{"clientCode": b.code, "apiKey": a.key})
	refused("nobody", map[string]any{"clientCode": a.code, "apiKey": "erix_wrong"})
	refused("a", id.New().String())
	// The key of one tenant with the code of another is refused at once.
	ears.do("connect", "mixed", map[string]any{"url": p.url, "auth": map[string]any{"apiKey": a.key, "clientCode": b.code}})
	if o := ears.next("mixed"); o.What != "connect_error" || o.Message != "Unauthorized" {
		t.Fatalf("mixed credentials observed %+v", o)
	}
	// A key of another API, and a revoked one, open no socket.
	other := parleyJSON[map[string]any](t, with(words("key create --face sales --tenant "+a.code), p.data)...)
	gone := parleyJSON[map[string]any](t, with(words("key create --face platform --tenant "+a.code), p.data)...)
	p.parley("key", "revoke", "--tenant", a.code, gone["id"].(string))
	for who, key := range map[string]any{"sales": other["apiKey"], "revoked": gone["apiKey"]} {
		ears.do("connect", who, map[string]any{"url": p.url, "auth": map[string]any{"apiKey": key}})
		if o := ears.next(who); o.What != "connect_error" || o.Message != "Unauthorized" {
			t.Fatalf("a %s key observed %+v", who, o)
		}
	}
	b.ok("POST", "/api/saas/crm/leads", map[string]any{"firstName": "B", "phone": "9123456780"})
	mine := a.ok("POST", "/api/saas/crm/leads", map[string]any{"firstName": "A", "phone": "9123456781"})
	if o := ears.next("a"); o.Name != "crm.lead_created" || o.arg("leadId") != mine.text("data", "id") {
		t.Fatalf("heard %+v", o)
	}
	// Whoever came without a key may join later by giving one.
	ears.do("ask", "nobody", map[string]any{"name": "join-room", "args": []any{map[string]any{"clientCode": b.code, "apiKey": b.key}}})
	if o := ears.next("nobody"); o.What != "ack" || o.arg("success") != true {
		t.Fatalf("joining with a key: %+v", o)
	}
	theirs := b.ok("POST", "/api/saas/crm/leads", map[string]any{"firstName": "B", "phone": "9123456782"})
	if o := ears.next("nobody"); o.Name != "crm.lead_created" || o.arg("leadId") != theirs.text("data", "id") {
		t.Fatalf("heard %+v", o)
	}
	if got := ears.leads("a"); got != "A" {
		t.Fatalf("a heard of the leads %q", got)
	}
	ears.mu.Lock()
	defer ears.mu.Unlock()
	for _, o := range ears.seen["a"] { // every event about its own lead
		if o.What == "event" && o.arg("_id") != mine.text("data", "id") {
			t.Errorf("a heard %+v", o)
		}
	}
}
