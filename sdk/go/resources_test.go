package parley

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestEveryMethodCallsItsRoute holds the routes against the method table of the
// platform API's reference, sections 2.1 to 2.14.
func TestEveryMethodCallsItsRoute(t *testing.T) {
	f := serve(t, func(int, seen) (int, string) { return 200, `{"success":true,"data":null}` })
	c, _ := client(t, f.URL)
	x := ctx(t)
	yes := true
	type any2 = func() error
	e := func(f func() (any, error)) any2 { return func() error { _, err := f(); return err } }
	for _, w := range []struct {
		call  any2
		route string // method, path, and query if any
		body  string // "" for none
	}{
		{e(func() (any, error) {
			return c.WhatsApp.Messages.Send(x, MessageInput{To: "+91", Text: "hi"})
		}), "POST /api/saas/chat/send", `{"to":"+91","text":"hi"}`},
		{e(func() (any, error) {
			return c.WhatsApp.Messages.SendTemplate(x, TemplateMessage{To: "+91", TemplateName: "t", Language: "en_US", Variables: []string{"a"}})
		}), "POST /api/saas/chat/send", `{"to":"+91","templateName":"t","language":"en_US","variables":["a"]}`},
		{e(func() (any, error) {
			return c.WhatsApp.Messages.SendTemplate(x, TemplateMessage{ConversationID: "k", TemplateName: "t", Named: map[string]string{"n": "a"}})
		}), "POST /api/saas/chat/send", `{"conversationId":"k","templateName":"t","variables":{"n":"a"}}`},
		{func() error { return c.WhatsApp.Messages.MarkRead(x, "m") }, "POST /api/saas/chat/messages/m/read", ""},
		{func() error { return c.WhatsApp.Messages.Star(x, "m", true) }, "POST /api/saas/chat/messages/m/star", `{"isStarred":true}`},
		{e(func() (any, error) { return c.WhatsApp.Messages.React(x, "m", "👍") }), "POST /api/saas/chat/messages/m/react", `{"reaction":"👍"}`},
		{e(func() (any, error) {
			return c.WhatsApp.Conversations.List(x, ConversationFilter{Status: "open", After: "c", Limit: 20})
		}), "GET /api/saas/chat/conversations?after=c&limit=20&status=open", ""},
		{e(func() (any, error) { return c.WhatsApp.Conversations.Retrieve(x, "k") }), "GET /api/saas/chat/conversations/k", ""},
		{e(func() (any, error) {
			return c.WhatsApp.Conversations.Messages(x, "k", MessageFilter{Limit: 50, Before: "m"})
		}), "GET /api/saas/chat/conversations/k/messages?before=m&limit=50", ""},
		{e(func() (any, error) {
			return c.WhatsApp.Conversations.Create(x, ConversationInput{Phone: "+91", Name: "P"})
		}), "POST /api/saas/chat/conversations", `{"phone":"+91","name":"P"}`},
		{e(func() (any, error) { return c.WhatsApp.Conversations.LinkLead(x, "k", "l") }), "POST /api/saas/chat/conversations/k/link-lead", `{"leadId":"l"}`},
		{func() error { return c.WhatsApp.Conversations.MarkRead(x, "k") }, "POST /api/saas/chat/conversations/k/read", ""},
		{func() error { return c.WhatsApp.Conversations.Delete(x, "k") }, "DELETE /api/saas/chat/conversations/k", ""},
		{e(func() (any, error) { return c.WhatsApp.Conversations.BulkDelete(x, []string{"k"}) }), "POST /api/saas/chat/conversations/bulk-delete", `{"ids":["k"]}`},
		{e(func() (any, error) { return c.WhatsApp.Templates.List(x, TemplateFilter{Status: "APPROVED"}) }), "GET /api/saas/chat/templates?status=APPROVED", ""},
		{e(func() (any, error) { return c.WhatsApp.Templates.Sync(x) }), "POST /api/saas/chat/templates/sync", ""},
		{e(func() (any, error) { return c.WhatsApp.Templates.Retrieve(x, "welcome") }), "GET /api/saas/chat/templates/welcome", ""},
		{e(func() (any, error) {
			return c.WhatsApp.Templates.SetMapping(x, "welcome", []VariableMapping{{Position: 1, Source: "crm", Field: "firstName"}}, "use_fallback")
		}), "PUT /api/saas/chat/templates/welcome/mapping", `{"mappings":[{"position":1,"source":"crm","field":"firstName"}],"onEmptyVariable":"use_fallback"}`},

		{e(func() (any, error) {
			return c.CRM.Leads.Create(x, LeadInput{FirstName: "P", Phone: "+91", Metadata: Metadata{Extra: map[string]any{"utm": "g"}}})
		}), "POST /api/saas/crm/leads", `{"firstName":"P","phone":"+91","metadata":{"extra":{"utm":"g"}}}`},
		{e(func() (any, error) {
			return c.CRM.Leads.Upsert(x, LeadUpsert{LeadData: LeadInput{Phone: "+91"}, Trigger: "t"})
		}), "POST /api/saas/crm/leads/upsert", `{"leadData":{"phone":"+91"},"trigger":"t"}`},
		{e(func() (any, error) {
			return c.CRM.Leads.List(x, LeadFilter{Status: "new", Tags: []string{"a", "b"}, MinScore: 5, Page: 2, Limit: 25, StartDate: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, Query("orderId", "7"))
		}), "GET /api/saas/crm/leads?limit=25&minScore=5&orderId=7&page=2&startDate=2026-01-02T03%3A04%3A05Z&status=new&tags=a%2Cb", ""},
		{e(func() (any, error) { return c.CRM.Leads.Retrieve(x, "a/b") }), "GET /api/saas/crm/leads/a%2Fb", ""},
		{e(func() (any, error) { return c.CRM.Leads.RetrieveByPhone(x, "+91 98") }), "GET /api/saas/crm/leads/phone/+91%2098", ""},
		{e(func() (any, error) { return c.CRM.Leads.RetrieveByRef(x, "orderId", "ORD 1/2") }), "GET /api/saas/crm/leads/ref/orderId/ORD%201%2F2", ""},
		{e(func() (any, error) {
			return c.CRM.Leads.Update(x, "l", LeadUpdate{Email: Null[string](), LastName: Set(""), DealValue: Set(0.0), Tags: Set([]string{})})
		}), "PATCH /api/saas/crm/leads/l", `{"email":null,"lastName":"","dealValue":0,"tags":[]}`},
		{e(func() (any, error) {
			return c.CRM.Leads.UpdateMetadata(x, "l", MetadataUpdate{Refs: map[string]*string{"orderId": nil}, Extra: map[string]any{"plan": "pro"}})
		}), "PATCH /api/saas/crm/leads/l/metadata", `{"refs":{"orderId":null},"extra":{"plan":"pro"}}`},
		{e(func() (any, error) { return c.CRM.Leads.Move(x, "l", "s") }), "PATCH /api/saas/crm/leads/l/move", `{"stageId":"s"}`},
		{e(func() (any, error) { return c.CRM.Leads.Convert(x, "l", Won, "signed") }), "POST /api/saas/crm/leads/l/convert", `{"outcome":"won","reason":"signed"}`},
		{e(func() (any, error) {
			return c.CRM.Leads.Tags(x, "l", TagChange{Add: []string{"vip"}, Remove: []string{"cold"}})
		}), "PATCH /api/saas/crm/leads/l/tags", `{"add":["vip"],"remove":["cold"]}`},
		{e(func() (any, error) { return c.CRM.Leads.RecalculateScore(x, "l") }), "POST /api/saas/crm/leads/l/score", ""},
		{e(func() (any, error) { return c.CRM.Leads.Import(x, []LeadInput{{Phone: "+91"}}) }), "POST /api/saas/crm/leads/import", `{"leads":[{"phone":"+91"}]}`},
		{func() error { return c.CRM.Leads.Delete(x, "l") }, "DELETE /api/saas/crm/leads/l", ""},
		{e(func() (any, error) { return c.CRM.Leads.BulkDelete(x, []string{"l"}) }), "POST /api/saas/crm/leads/bulk-delete", `{"ids":["l"]}`},
		{e(func() (any, error) { return c.CRM.Leads.Timeline(x, "l", 2, 10) }), "GET /api/saas/crm/leads/l/timeline?limit=10&page=2", ""},

		{e(func() (any, error) { return c.CRM.Pipelines.List(x) }), "GET /api/saas/crm/pipelines", ""},
		{e(func() (any, error) { return c.CRM.Pipelines.Create(x, PipelineInput{Name: "S", IsDefault: true}) }), "POST /api/saas/crm/pipelines", `{"name":"S","isDefault":true}`},
		{e(func() (any, error) { return c.CRM.Pipelines.Retrieve(x, "p") }), "GET /api/saas/crm/pipelines/p", ""},
		{e(func() (any, error) { return c.CRM.Pipelines.Update(x, "p", PipelineUpdate{Name: Set("D")}) }), "PATCH /api/saas/crm/pipelines/p", `{"name":"D"}`},
		{func() error { return c.CRM.Pipelines.Delete(x, "p") }, "DELETE /api/saas/crm/pipelines/p", ""},
		{e(func() (any, error) { return c.CRM.Pipelines.SetDefault(x, "p") }), "PATCH /api/saas/crm/pipelines/p/default", ""},
		{e(func() (any, error) { return c.CRM.Pipelines.Archive(x, "p") }), "PATCH /api/saas/crm/pipelines/p/archive", ""},
		{e(func() (any, error) { return c.CRM.Pipelines.Duplicate(x, "p", "Copy") }), "POST /api/saas/crm/pipelines/p/duplicate", `{"name":"Copy"}`},
		{e(func() (any, error) { return c.CRM.Pipelines.Board(x, "p") }), "GET /api/saas/crm/pipelines/p/board", ""},
		{e(func() (any, error) { return c.CRM.Pipelines.Forecast(x, "p") }), "GET /api/saas/crm/pipelines/p/forecast", ""},
		{e(func() (any, error) {
			return c.CRM.Pipelines.AddStage(x, "p", StageInput{Name: "N", Color: "#f59e0b"})
		}), "POST /api/saas/crm/pipelines/p/stages", `{"name":"N","color":"#f59e0b"}`},
		{e(func() (any, error) { return c.CRM.Pipelines.ReorderStages(x, "p", []string{"b", "a"}) }), "PATCH /api/saas/crm/pipelines/p/stages/reorder", `{"order":["b","a"]}`},
		{e(func() (any, error) {
			return c.CRM.Pipelines.UpdateStage(x, "s", StageUpdate{Probability: Set(80.0)})
		}), "PATCH /api/saas/crm/stages/s", `{"probability":80}`},
		{e(func() (any, error) { return c.CRM.Pipelines.DeleteStage(x, "s", "o") }), "DELETE /api/saas/crm/stages/s?moveLeadsToStageId=o", ""},
		{e(func() (any, error) { return c.CRM.Pipelines.StageLeads(x, "p", "s", 1, 5) }), "GET /api/saas/crm/pipelines/p/stages/s/leads?limit=5&page=1", ""},

		{e(func() (any, error) {
			return c.CRM.Automations.List(x, AutomationFilter{Trigger: "lead_created", IsActive: &yes})
		}), "GET /api/saas/crm/automations?isActive=true&trigger=lead_created", ""},
		{e(func() (any, error) {
			return c.CRM.Automations.Create(x, AutomationInput{Name: "F", Trigger: "lead_created"})
		}), "POST /api/saas/crm/automations", `{"name":"F","trigger":"lead_created"}`},
		{e(func() (any, error) { return c.CRM.Automations.Retrieve(x, "r") }), "GET /api/saas/crm/automations/r", ""},
		{e(func() (any, error) {
			return c.CRM.Automations.Update(x, "r", AutomationUpdate{IsActive: Set(false)})
		}), "PATCH /api/saas/crm/automations/r", `{"isActive":false}`},
		{e(func() (any, error) { return c.CRM.Automations.Toggle(x, "r") }), "PATCH /api/saas/crm/automations/r/toggle", ""},
		{func() error { return c.CRM.Automations.Delete(x, "r") }, "DELETE /api/saas/crm/automations/r", ""},
		{e(func() (any, error) { return c.CRM.Automations.BulkDelete(x, []string{"r"}) }), "POST /api/saas/crm/automations/bulk-delete", `{"ids":["r"]}`},
		{e(func() (any, error) { return c.CRM.Automations.Test(x, "r", "l") }), "POST /api/saas/crm/automations/r/test", `{"leadId":"l"}`},
		{e(func() (any, error) { return c.CRM.Automations.AvailableEvents(x) }), "GET /api/saas/crm/automations/events", ""},
		{e(func() (any, error) {
			return c.CRM.Automations.Enrollments(x, "r", EnrollmentFilter{Status: "active", Page: 1})
		}), "GET /api/saas/crm/automations/r/enrollments?page=1&status=active", ""},
		{e(func() (any, error) { return c.CRM.Automations.Enrollment(x, "n") }), "GET /api/saas/crm/automations/enrollments/n", ""},
		{e(func() (any, error) { return c.CRM.Automations.PauseEnrollment(x, "r", "n") }), "POST /api/saas/crm/automations/r/enrollments/n/pause", ""},
		{e(func() (any, error) { return c.CRM.Automations.ResumeEnrollment(x, "r", "n") }), "POST /api/saas/crm/automations/r/enrollments/n/resume", ""},
		{e(func() (any, error) { return c.CRM.Automations.Runs(x, "r", RunFilter{Status: "failed"}) }), "GET /api/saas/crm/automations/r/runs?status=failed", ""},
		{e(func() (any, error) { return c.CRM.Automations.Run(x, "u") }), "GET /api/saas/crm/automations/runs/u", ""},
		{e(func() (any, error) { return c.CRM.Automations.ResumeRun(x, "u") }), "POST /api/saas/crm/automations/runs/u/resume", ""},
		{e(func() (any, error) { return c.CRM.Automations.AbortRun(x, "u") }), "POST /api/saas/crm/automations/runs/u/abort", ""},
		{e(func() (any, error) {
			return c.CRM.Automations.WebhookEvent(x, "r", "paid", map[string]any{"amount": 1500})
		}), "POST /api/saas/crm/automations/r/webhook-event", `{"eventName":"paid","payload":{"amount":1500}}`},
		{e(func() (any, error) { return c.CRM.Automations.Explain(x, "r", ExplainInput{EventLogID: "g"}) }), "GET /api/saas/crm/automations/r/explain?eventLogId=g", ""},
		{e(func() (any, error) {
			return c.CRM.Sequences.Enroll(x, EnrollInput{LeadID: "l", RuleID: "r", Variables: map[string]any{"d": "20%"}})
		}), "POST /api/saas/crm/sequences/enroll", `{"leadId":"l","ruleId":"r","variables":{"d":"20%"}}`},
		{e(func() (any, error) { return c.CRM.Sequences.Unenroll(x, "n") }), "DELETE /api/saas/crm/sequences/unenroll/n", ""},
		{e(func() (any, error) { return c.CRM.Sequences.ListForLead(x, "l") }), "GET /api/saas/crm/sequences/lead/l", ""},
		{e(func() (any, error) { return c.CRM.Sequences.List(x) }), "GET /api/saas/crm/sequences", ""},

		{e(func() (any, error) { return c.Events.List(x) }), "GET /api/saas/events", ""},
		{e(func() (any, error) {
			return c.Events.Assign(x, EventAssignment{Name: "cart", DisplayName: "Cart", PipelineID: "p"})
		}), "POST /api/saas/events/assign", `{"name":"cart","displayName":"Cart","pipelineId":"p"}`},
		{e(func() (any, error) { return c.Events.Unassign(x, "cart") }), "POST /api/saas/events/unassign", `{"name":"cart"}`},
		{e(func() (any, error) { return c.Events.UnassignBulk(x, []string{"a"}) }), "POST /api/saas/events/unassign/bulk", `{"names":["a"]}`},
		{e(func() (any, error) {
			return c.Events.Trigger(x, TriggerInput{Trigger: "cart", Phone: "+91", CreateLeadIfMissing: true, DelayMinutes: 30, LogKey: "k"})
		}), "POST /api/saas/workflows/trigger", `{"trigger":"cart","phone":"+91","createLeadIfMissing":true,"delayMinutes":30,"idempotencyKey":"k"}`},
		{e(func() (any, error) { return c.Events.Emit(x, Emission{EventName: "cart", LeadID: "l"}) }), "POST /api/saas/crm/events/emit", `{"eventName":"cart","leadId":"l"}`},
		{e(func() (any, error) { return c.Events.ListCustomEvents(x) }), "GET /api/saas/crm/custom-events", ""},
		{e(func() (any, error) {
			return c.Events.CreateCustomEvent(x, CustomEvent{Name: "w", DisplayName: "W"})
		}), "POST /api/saas/crm/custom-events", `{"name":"w","displayName":"W"}`},
		{func() error { return c.Events.DeleteCustomEvent(x, "d") }, "DELETE /api/saas/crm/custom-events/d", ""},

		{e(func() (any, error) { return c.Queue.Stats(x) }), "GET /api/saas/queue/stats", ""},
		{e(func() (any, error) { return c.Queue.ListFailed(x, 1, 50) }), "GET /api/saas/queue/failed?limit=50&page=1", ""},
		{e(func() (any, error) { return c.Queue.RetryJob(x, "j") }), "POST /api/saas/queue/j/retry", ""},
		{func() error { return c.Queue.DeleteJob(x, "j") }, "DELETE /api/saas/queue/j", ""},
		{e(func() (any, error) { return c.Health.System(x) }), "GET /api/saas/health", ""},
		{e(func() (any, error) { return c.Health.Client(x) }), "GET /api/saas/health/client", ""},
		{e(func() (any, error) { return c.Health.JobStatus(x, "j") }), "GET /api/saas/jobs/status/j", ""},
		{func() error {
			return c.Request(x, "post", "/api/saas/beta", map[string]any{"flag": true}, nil)
		}, "POST /api/saas/beta", `{"flag":true}`},
	} {
		before := len(f.requests())
		if err := w.call(); err != nil {
			t.Errorf("%s: %v", w.route, err)
			continue
		}
		r := f.requests()[before]
		got := r.method + " " + r.path
		if r.query != "" {
			q, _ := url.ParseQuery(r.query)
			got += "?" + q.Encode()
		}
		if got != w.route {
			t.Errorf("called %s, want %s", got, w.route)
		}
		if !sameJSON(string(r.body), w.body) {
			t.Errorf("%s: sent %s, want %s", w.route, r.body, w.body)
		}
	}
}

func sameJSON(a, b string) bool {
	if a == "" || b == "" {
		return a == b
	}
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	return string(p) == string(q)
}

// TestAnswers reads answers as the reference writes them, with fields that this
// package does not know and nulls where there is nothing.
func TestAnswers(t *testing.T) {
	answers := map[string]string{
		"/api/saas/crm/leads/l": `{"success":true,"data":{"_id":"65f1c0ffee65f1c0ffee65f1","id":"65f1c0ffee65f1c0ffee65f1","clientCode":"C",
			"createdAt":"2026-03-01T12:00:00.250Z","email":null,"convertedAt":null,"dealValue":12.5,"tags":["vip"],"unknown":{"a":1},
			"metadata":{"refs":{"orderId":"ORD-1"},"extra":{"plan":"pro"},"plan":"pro"},"dynamicFields":{"size":7},
			"score":{"total":40,"recency":0},"stage":{"id":"s","name":"New Lead","probability":10},
			"stageHistory":[{"stageId":"s","enteredAt":"2026-03-01T12:00:00.000Z","leftAt":null,"durationMs":null}]}}`,
		"/api/saas/chat/send":                   `{"success":true,"data":{"id":"m","status":"failed","error":"window closed","message":{"id":"m"}}}`,
		"/api/saas/crm/automations/runs/u":      `{"success":true,"data":{"id":"u","waitingFor":{"nodeId":"w","eventName":"paid","expiresAt":null},"nodeResults":{"t":{"status":"completed","output":null}}}}`,
		"/api/saas/queue/stats":                 `{"success":true,"waiting":4,"data":{"waiting":4,"active":1,"completed":90,"failed":2,"delayed":3}}`,
		"/api/saas/crm/sequences/enroll":        `{"success":true,"enrollmentId":"e","data":{"enrollmentId":"e","status":"active"}}`,
		"/api/saas/crm/leads/l/score":           `{"success":true,"data":{"id":"l","score":{"total":30},"breakdown":[{"label":"has phone","appliedPoints":10}]}}`,
		"/api/saas/health":                      `{"success":true,"data":{"status":"ok","uptime":3600.5,"db":"connected","queueDepth":5}}`,
		"/api/saas/crm/stages/s":                `{"success":true,"message":"gone","data":{"movedLeads":3}}`,
		"/api/saas/crm/automations/bulk-delete": `{"success":true,"deleted":2,"data":{"deleted":2}}`,
	}
	f := serve(t, func(_ int, r seen) (int, string) { return 200, answers[r.path] })
	c, _ := client(t, f.URL)
	x := ctx(t)
	l := must[Lead](t)(c.CRM.Leads.Retrieve(x, "l"))
	if l.Email != "" || !l.ConvertedAt.IsZero() || l.CreatedAt.Nanosecond() != 250e6 || l.DealValue != 12.5 || l.Metadata.Refs["orderId"] != "ORD-1" ||
		l.Metadata.Extra["plan"] != "pro" || l.DynamicFields["size"] != 7.0 || l.Score.Total != 40 || l.Stage.Name != "New Lead" || !l.StageHistory[0].LeftAt.IsZero() {
		t.Errorf("%+v", l)
	}
	if m := must[Message](t)(c.WhatsApp.Messages.Send(x, MessageInput{})); m.Status != "failed" || m.Error.Title != "window closed" {
		t.Errorf("%+v", m)
	}
	if r := must[Run](t)(c.CRM.Automations.Run(x, "u")); r.WaitingFor.EventName != "paid" || r.NodeResults["t"].Status != "completed" {
		t.Errorf("%+v", r)
	}
	if s := must[QueueStats](t)(c.Queue.Stats(x)); s != (QueueStats{4, 1, 90, 2, 3}) {
		t.Errorf("%+v", s)
	}
	if n := must[Enrollment](t)(c.CRM.Sequences.Enroll(x, EnrollInput{})); n.ID != "e" || n.Status != "active" {
		t.Errorf("%+v", n)
	}
	if s := must[ScoredLead](t)(c.CRM.Leads.RecalculateScore(x, "l")); s.Score.Total != 30 || len(s.Breakdown) != 1 {
		t.Errorf("%+v", s)
	}
	if h := must[SystemHealth](t)(c.Health.System(x)); h.Uptime != 3600.5 || h.QueueDepth != 5 {
		t.Errorf("%+v", h)
	}
	if n := must[int](t)(c.CRM.Pipelines.DeleteStage(x, "s", "")); n != 3 {
		t.Errorf("%d", n)
	}
	if n := must[int](t)(c.CRM.Automations.BulkDelete(x, nil)); n != 2 {
		t.Errorf("%d", n)
	}
	var whole map[string]any
	if err := c.Request(x, "GET", "api/saas/queue/stats", nil, &whole); err != nil || whole["success"] != true {
		t.Errorf("%v %v", whole, err)
	}
}

func TestAnAnswerOfAnotherShapeIsAnError(t *testing.T) {
	f := serve(t, func(int, seen) (int, string) { return 200, `<html>` })
	c, _ := client(t, f.URL)
	if _, err := c.CRM.Leads.Retrieve(context.Background(), "x"); err == nil || !strings.Contains(err.Error(), "GET /api/saas/crm/leads/x") {
		t.Error(err)
	}
}
