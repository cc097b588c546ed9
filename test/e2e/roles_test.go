package e2e_test

import (
	"strings"
	"testing"
)

// TestRoles splits the work over two processes on one PostgreSQL: what comes in
// at the first is worked, sent and told by the second.
func TestRoles(t *testing.T) {
	ears := listen(t)
	url := postgres(t)
	key := "PARLEY_SECRET_KEY=" + strings.Repeat("5e", 32) // nodes share the key that seals secrets
	node := func(args ...string) *process {
		p := launch(t, []string{"--data", t.TempDir(), "--database", url}, []string{key}, with([]string{"--listen", "127.0.0.1:0"}, args)...)
		p.ready()
		return p
	}
	front := node("--roles", "api", "--simulate", "--demo")
	w := front.welcomed()
	me := &api{t: t, url: front.url, code: w.code, key: w.key}
	lead := me.ok("POST", "/api/saas/workflows/trigger", map[string]any{"trigger": "trial_started", "phone": w.phone, "createLeadIfMissing": true,
		"leadData": map[string]any{"firstName": "Priya"}, "variables": map[string]any{"product": "Parley"}}).text("data", "leadId")
	// Nobody works yet: the call has written the message with itself, and there it stays.
	rule := me.get("/api/saas/crm/automations?trigger=trial_started").text("data", 0, "id")
	talk := me.get("/api/saas/chat/conversations").text("data", 0, "_id")
	if m := me.get("/api/saas/chat/conversations/" + talk + "/messages"); m.text("data", 0, "status") != "queued" {
		t.Fatalf("a node without the role of a worker works: %s", m.body)
	}
	if r := get(t, front.url+"/socket.io/?EIO=4&transport=websocket"); r.status != 404 {
		t.Fatalf("a node without the role of realtime answers sockets with %d", r.status)
	}

	// The simulated Meta lives in the first process; the second reaches it there.
	back := node("--roles", "worker,realtime", "--graph-url", front.url+"/_sim/graph", "--egress-allow", "127.0.0.1/32")
	if r := get(t, back.url+"/api/saas/health"); r.status != 404 {
		t.Fatalf("a node without the role of the API answers it with %d", r.status)
	}
	ears.connect("me", back.url, map[string]any{"apiKey": w.key, "clientCode": w.code})
	inbox := func() string { return front.parley("simulate", "inbox", "--to", w.phone) }
	eventually(t, "the template that waited arrives", func() bool { return strings.Contains(inbox(), "Hi Priya") })
	front.parley("simulate", "reply", "--from", w.phone, "--text", "Yes")
	if o := ears.event("me", "whatsapp.message_received"); o.arg("leadId") != lead || o.arg("body") != "Yes" {
		t.Fatalf("heard %+v", o)
	}
	eventually(t, "the thanks arrive", func() bool { return strings.Contains(inbox(), "You wrote: Yes") })
	ears.event("me", "whatsapp.message_sent")

	// What is triggered now wakes the worker of the other process at once.
	second := me.ok("POST", "/api/saas/workflows/trigger", map[string]any{"trigger": "trial_started", "phone": "+919876500000", "createLeadIfMissing": true,
		"leadData": map[string]any{"firstName": "Asha"}, "variables": map[string]any{"product": "Parley"}}).text("data", "leadId")
	if o := ears.event("me", "crm.lead_created"); o.arg("leadId") != second {
		t.Fatalf("heard %+v", o)
	}
	ears.event("me", "whatsapp.message_sent")
	eventually(t, "the run waits for the reply", func() bool {
		runs := me.get("/api/saas/crm/automations/" + rule + "/runs")
		return len(runs.list("data")) == 2 && strings.Contains(runs.body, `"status":"waiting"`) && strings.Contains(runs.body, `"status":"completed"`)
	})
	front.verify()
	for _, p := range []*process{back, front} {
		if code := p.stop(); code != 0 {
			t.Errorf("ended with %d", code)
		}
	}
}
