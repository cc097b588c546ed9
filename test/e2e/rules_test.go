package e2e_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// simulated waits until the tenant has its simulated number and templates: on
// PostgreSQL the command that made the tenant works beside the server.
func (a *api) simulated() {
	a.t.Helper()
	eventually(a.t, "the tenant has simulated templates", func() bool { return len(a.get("/api/saas/chat/templates").list("data")) > 0 })
}

// lead makes a lead and returns its id.
func (a *api) lead(name, phone string) string {
	a.t.Helper()
	return a.ok("POST", "/api/saas/crm/leads", map[string]any{"firstName": name, "phone": phone}).text("data", "_id")
}

// rule makes a rule from a definition and returns its id.
func (a *api) rule(def string) string {
	a.t.Helper()
	return a.ok("POST", "/api/saas/crm/automations", def).text("data", "_id")
}

// trigger fires a trigger for a lead and returns the id of its log.
func (a *api) trigger(name, lead string, vars map[string]any) string {
	a.t.Helper()
	return a.ok("POST", "/api/saas/workflows/trigger", map[string]any{"trigger": name, "leadId": lead, "variables": vars}).text("data", "eventLogId")
}

// run waits until the only run of a rule for a lead has a status, and returns it.
func (a *api) run(rule, lead, status string) map[string]any {
	a.t.Helper()
	var last string
	var found map[string]any
	eventually(a.t, "a run of "+lead+" is "+status, func() bool {
		found = nil
		for _, r := range a.get("/api/saas/crm/automations/" + rule + "/runs?limit=100").list("data") {
			if r["leadId"] == lead {
				if found != nil && found["status"] == r["status"] {
					a.t.Fatalf("two runs of one lead: %v, %v", found, r)
				}
				found = r
			}
		}
		last = fmt.Sprint(found)
		return found != nil && found["status"] == status
	})
	if found == nil {
		a.t.Fatalf("no run, last seen %s", last)
	}
	return a.get("/api/saas/crm/automations/runs/" + found["_id"].(string)).json["data"].(map[string]any)
}

// tags returns a lead's tags.
func (a *api) tags(lead string) string {
	a.t.Helper()
	return fmt.Sprint(a.get("/api/saas/crm/leads/"+lead).at("data", "tags"))
}

const (
	askRule = `{"name":"Ask","trigger":"ask","conditions":[{"field":"lead.source","operator":"eq","value":"web"}],
	  "nodes":[{"id":"q","type":"send_whatsapp","data":{"templateName":"welcome","variables":["{{lead.firstName}}","you"]}},{"id":"w","type":"wait_reply","data":{"timeoutMinutes":600}},
	    {"id":"y","type":"add_tag","data":{"tag":"answered"}},{"id":"n","type":"add_tag","data":{"tag":"silent"}}],
	  "edges":[{"source":"q","target":"w"},{"source":"w","target":"y","sourceHandle":"reply"},{"source":"w","target":"n","sourceHandle":"timeout"}]}`
	phoneOne, phoneTwo = "919876500001", "919876500002"
)

// Explain tells why a rule did not start for one person and where it stands with
// another; what it says of the past does not change when the person does.
func TestExplain(t *testing.T) {
	eachDatabase(t, func(t *testing.T, data []string) {
		p := serve(t, data, "--simulate")
		a := p.tenant("Acme")
		a.simulated()
		rule := a.rule(askRule)
		no, yes := a.lead("Nora", phoneOne), a.ok("POST", "/api/saas/crm/leads", `{"firstName":"Yara","phone":"`+phoneTwo+`","source":"web"}`).text("data", "_id")
		log := a.trigger("ask", no, nil)
		a.trigger("ask", yes, nil)
		a.run(rule, yes, "waiting")
		explain := func(lead, more string) answer {
			return a.get("/api/saas/crm/automations/" + rule + "/explain?leadId=" + lead + more)
		}
		var why answer
		eventually(t, "the decision is recorded", func() bool { why = explain(no, "&eventLogId="+log); return why.at("data", "recorded") == true })
		if s := why.text("data", "explanation"); !strings.Contains(s, "lead.source") || !strings.Contains(s, "web") {
			t.Errorf("why not: %s", why.body)
		}
		a.ok("PATCH", "/api/saas/crm/leads/"+no, `{"source":"web"}`)
		later := explain(no, "&eventLogId="+log)
		if later.text("data", "explanation") != why.text("data", "explanation") {
			t.Errorf("the past changed with the person:\n%s\n%s", why.body, later.body)
		}
		for _, c := range later.list("data", "now") {
			if c["field"] == "lead.source" && c["passed"] != true {
				t.Errorf("now it would pass, yet: %v", c)
			}
		}
		stands := explain(yes, "")
		if stands.text("data", "run", "status") != "waiting" || !strings.Contains(stands.text("data", "explanation"), "wait") {
			t.Errorf("where it stands: %s", stands.body)
		}
		p.verify()
	})
}

// A dry run takes the decisions of a real one and leaves nothing behind.
func TestDryRun(t *testing.T) {
	eachDatabase(t, func(t *testing.T, data []string) {
		p := serve(t, data, "--simulate")
		a := p.tenant("Acme")
		a.simulated()
		rule := a.rule(askRule)
		lead := a.ok("POST", "/api/saas/crm/leads", `{"firstName":"Priya","phone":"`+phoneOne+`","source":"web"}`).text("data", "_id")
		dry := a.ok("POST", "/api/saas/crm/automations/"+rule+"/test", map[string]any{"leadId": lead})
		if dry.at("data", "passed") != true || len(dry.list("data", "actionsWouldRun")) == 0 || !strings.Contains(dry.body, "Priya") {
			t.Errorf("dry run: %s", dry.body)
		}
		other := a.lead("Nora", phoneTwo)
		if refused := a.ok("POST", "/api/saas/crm/automations/"+rule+"/test", map[string]any{"leadId": other}); refused.at("data", "passed") != false || len(refused.list("data", "actionsWouldRun")) != 0 {
			t.Errorf("a rule whose condition fails: %s", refused.body)
		}
		if n := a.get("/api/saas/crm/automations/" + rule + "/runs").at("total"); n != 0.0 {
			t.Errorf("%v runs", n)
		}
		if inbox := get(t, p.url+"/_sim/inbox?to="+phoneOne).list("messages"); len(inbox) != 0 {
			t.Errorf("a dry run sent %v", inbox)
		}
		if l := a.get("/api/saas/chat/conversations").list("data"); len(l) != 0 {
			t.Errorf("a dry run left %v", l)
		}
		if s := a.tags(lead); s != "[]" {
			t.Errorf("a dry run left the tags %s", s)
		}
		// And the real one does what the dry one said.
		a.trigger("ask", lead, nil)
		a.run(rule, lead, "waiting")
		eventually(t, "the message arrives", func() bool { return len(get(t, p.url+"/_sim/inbox?to="+phoneOne).list("messages")) == 1 })
		p.verify()
	})
}

// A paused run stays where it is, whatever happens; resumed it goes on; an
// aborted one never does.
func TestPauseResumeAbort(t *testing.T) {
	eachDatabase(t, func(t *testing.T, data []string) {
		p := serve(t, data, "--simulate")
		a := p.tenant("Acme")
		rule := a.rule(`{"name":"Paid","trigger":"ask","nodes":[{"id":"w","type":"wait_event","data":{"eventName":"paid"}},{"id":"y","type":"add_tag","data":{"tag":"paid"}}],"edges":[{"source":"w","target":"y"}]}`)
		one, two := a.lead("One", phoneOne), a.lead("Two", phoneTwo)
		a.trigger("ask", one, nil)
		a.trigger("ask", two, nil)
		first, second := a.run(rule, one, "waiting")["_id"].(string), a.run(rule, two, "waiting")["_id"].(string)
		verb := func(run, verb string) answer {
			return a.call("POST", "/api/saas/crm/automations/runs/"+run+"/"+verb, nil)
		}
		if got := expect(t, verb(first, "pause"), 200); got.text("data", "status") != "paused" {
			t.Errorf("paused: %s", got.body)
		}
		expect(t, verb(first, "pause"), 409)
		if got := expect(t, verb(second, "abort"), 200); got.text("data", "status") != "aborted" {
			t.Errorf("aborted: %s", got.body)
		}
		expect(t, verb(second, "resume"), 409)
		// The event that both waited for is not lost on the paused one, but it moves
		// neither, not even over a restart.
		event := a.ok("POST", "/api/saas/crm/automations/"+rule+"/webhook-event", map[string]any{"eventName": "paid", "payload": map[string]any{}})
		if event.at("data", "resumed") != 1.0 || event.at("data", "runIds", 0) != first {
			t.Errorf("the event resumed: %s", event.body)
		}
		p.stop()
		p = serve(t, data, "--simulate")
		a.url = p.url
		if got := a.run(rule, one, "paused"); got["_id"] != first {
			t.Errorf("another run: %v", got)
		}
		if s := a.tags(one); s != "[]" {
			t.Errorf("the paused run left the tags %s", s)
		}
		expect(t, verb(first, "resume"), 200)
		a.run(rule, one, "completed")
		if s := a.tags(one); s != "[paid]" {
			t.Errorf("tags %s", s)
		}
		if s := a.tags(two); s != "[]" {
			t.Errorf("the aborted run left the tags %s", s)
		}
		p.verify()
	})
}

// A wait for a reply that ends while no server runs ends when one runs again,
// and once.
func TestWaitReplyTimeoutAcrossARestart(t *testing.T) {
	eachDatabase(t, func(t *testing.T, data []string) {
		p := serve(t, data, "--simulate")
		a := p.tenant("Acme")
		rule := a.rule(`{"name":"Ask","trigger":"ask","nodes":[{"id":"w","type":"wait_reply","data":{"timeoutMinutes":0.02}},{"id":"y","type":"add_tag","data":{"tag":"answered"}},{"id":"n","type":"add_tag","data":{"tag":"silent"}}],
		  "edges":[{"source":"w","target":"y","sourceHandle":"reply"},{"source":"w","target":"n","sourceHandle":"timeout"}]}`)
		lead := a.lead("One", phoneOne)
		a.trigger("ask", lead, nil)
		waits := a.run(rule, lead, "waiting")
		p.kill()
		until, err := time.Parse(time.RFC3339, fmt.Sprint(waits["waitingFor"].(map[string]any)["expiresAt"]))
		if err != nil {
			t.Fatalf("%v: %v", waits, err)
		}
		time.Sleep(time.Until(until)) // the point: its time comes while nobody is there
		p = serve(t, data, "--simulate")
		a.url = p.url
		a.run(rule, lead, "completed")
		if s := a.tags(lead); s != "[silent]" {
			t.Errorf("tags %s", s)
		}
		p.verify()
	})
}

// A person whose run waits is merged into an older one: the run goes on for the
// one who stays, the reply to the old phone is heard, and the old id still works.
func TestMergeWhileARunWaits(t *testing.T) {
	eachDatabase(t, func(t *testing.T, data []string) {
		p := serve(t, data, "--simulate")
		a := p.tenant("Acme")
		a.simulated()
		rule := a.rule(askRule)
		older := a.lead("Priya", phoneTwo)
		younger := a.ok("POST", "/api/saas/crm/leads", `{"firstName":"P.","phone":"`+phoneOne+`","source":"web"}`).text("data", "_id")
		a.trigger("ask", younger, nil)
		run := a.run(rule, younger, "waiting")["_id"].(string)
		eventually(t, "the question arrives", func() bool { return len(get(t, p.url+"/_sim/inbox?to="+phoneOne).list("messages")) == 1 })
		merged := a.ok("POST", "/api/saas/crm/leads/"+younger+"/merge", map[string]any{"leadId": older})
		if merged.text("data", "_id") != older {
			t.Fatalf("merged: %s", merged.body)
		}
		if got := a.get("/api/saas/crm/leads/" + younger); got.text("data", "_id") != older {
			t.Errorf("the old id leads to %s", got.text("data", "_id"))
		}
		for _, phone := range []string{phoneOne, phoneTwo} {
			if got := a.get("/api/saas/crm/leads/phone/" + url.PathEscape("+"+phone)); got.text("data", "_id") != older {
				t.Errorf("%s leads to %s", phone, got.text("data", "_id"))
			}
		}
		if r := a.call("POST", "/_sim/reply", map[string]any{"from": phoneOne, "text": "Here I am"}); r.at("accepted") != true {
			t.Fatalf("reply: %s", r.body)
		}
		if got := a.run(rule, older, "completed"); got["_id"] != run {
			t.Errorf("another run: %v", got)
		}
		if s := a.tags(older); s != "[answered]" {
			t.Errorf("tags %s", s)
		}
		// Taken apart again, each is as it was.
		a.ok("POST", "/api/saas/crm/leads/"+older+"/unmerge", nil)
		if got := a.get("/api/saas/crm/leads/" + younger); got.text("data", "_id") != younger || got.text("data", "phone") != phoneOne {
			t.Errorf("after the unmerge: %s", got.body)
		}
		p.verify()
	})
}
