package sdk_test

import (
	"net/http"
	"strings"
	"testing"

	parley "parley/sdk/go"
)

// welcome sends a template when a trial starts, and tags when an event comes.
func welcome() parley.AutomationInput {
	return parley.AutomationInput{Name: "Welcome", Trigger: "trial_started",
		Nodes: []map[string]any{{"id": "t", "type": "trigger", "_canvas": map[string]any{"x": 1.5}},
			{"id": "tag", "type": "add_tag", "data": map[string]any{"tag": "trial"}},
			{"id": "wait", "type": "wait_event", "data": map[string]any{"eventName": "payment_received", "timeoutMinutes": 60}},
			{"id": "paid", "type": "add_tag", "data": map[string]any{"tag": "paid"}}},
		Edges: []map[string]any{{"source": "t", "target": "tag"}, {"source": "tag", "target": "wait"}, {"source": "wait", "target": "paid"}}}
}

func TestAutomations(t *testing.T) {
	each(t, func(h *house) {
		s, x := h.CRM.Automations, h.ctx()
		get := ok[parley.Automation](h)
		a := get(s.Create(x, welcome()))
		if a.ID == "" || !a.IsActive || len(a.Nodes) != 4 || a.Nodes[0]["_canvas"] == nil {
			h.Fatalf("%+v", a)
		}
		l := h.lead("Priya", "+919876543210")
		if dry := ok[parley.TestResult](h)(s.Test(x, a.ID, l.ID)); !dry.Passed || len(dry.ActionsWouldRun) == 0 {
			h.Errorf("%+v", dry)
		}
		if events := ok[[]parley.EventDefinition](h)(s.AvailableEvents(x)); len(events) < 6 {
			h.Errorf("%+v", events)
		}
		fired := ok[parley.Triggered](h)(h.Events.Trigger(x, parley.TriggerInput{Trigger: "trial_started", LeadID: l.ID, Variables: map[string]any{"plan": "pro"}}))
		if fired.RulesMatched != 1 || fired.LeadID != l.ID || fired.EventLogID == "" {
			h.Errorf("%+v", fired)
		}
		if why := ok[parley.Explanation](h)(s.Explain(x, a.ID, parley.ExplainInput{EventLogID: fired.EventLogID})); why.Explanation == "" || why.RuleID != a.ID {
			h.Errorf("%+v", why)
		}
		var run parley.Run
		h.eventually("the run waits", func() bool {
			runs := ok[parley.Page[parley.Run]](h)(s.Runs(x, a.ID, parley.RunFilter{Status: "waiting"}))
			if len(runs.Data) == 1 {
				run = runs.Data[0]
			}
			return len(runs.Data) == 1
		})
		if got := ok[parley.Resumed](h)(s.WebhookEvent(x, a.ID, "payment_received", map[string]any{"amount": 1500, "leadId": l.ID})); got.Resumed != 1 || !has(got.RunIDs, run.ID) {
			h.Errorf("%+v", got)
		}
		h.eventually("the run completes", func() bool {
			run = ok[parley.Run](h)(s.Run(x, run.ID))
			return run.Status == "completed"
		})
		if run.NodeResults["paid"].Status == "" || run.Variables["plan"] != "pro" {
			h.Errorf("%+v", run)
		}
		if l = ok[parley.Lead](h)(h.CRM.Leads.Retrieve(x, l.ID)); !has(l.Tags, "trial") || !has(l.Tags, "paid") {
			h.Errorf("%v", l.Tags)
		}
		_, err := s.AbortRun(x, run.ID)
		h.refused(err, 409, "")
		if a = get(s.Toggle(x, a.ID)); a.IsActive {
			h.Errorf("%+v", a)
		}
		if a = get(s.Update(x, a.ID, parley.AutomationUpdate{Name: parley.Set("Hello"), IsActive: parley.Set(true)})); a.Name != "Hello" || !a.IsActive {
			h.Errorf("%+v", a)
		}
		yes := true
		if page := ok[parley.Page[parley.Automation]](h)(s.List(x, parley.AutomationFilter{Trigger: "trial_started", IsActive: &yes})); len(page.Data) != 1 {
			h.Errorf("%+v", page)
		}
		if err := s.Delete(x, a.ID); err != nil {
			h.Error(err)
		}
		if _, err := s.Retrieve(x, a.ID); !parley.IsNotFound(err) {
			h.Error(err)
		}
		b := get(s.Create(x, parley.AutomationInput{Name: "Empty", Trigger: "x"}))
		if n := ok[int](h)(s.BulkDelete(x, []string{b.ID})); n != 1 {
			h.Errorf("%d deleted", n)
		}
	})
}

func TestSequences(t *testing.T) {
	each(t, func(h *house) {
		x := h.ctx()
		step := func(n int, minutes int) map[string]any {
			return map[string]any{"stepNumber": n, "delayMinutes": minutes, "action": map[string]any{"type": "add_tag", "config": map[string]any{"tag": "step"}}}
		}
		rule := ok[parley.Automation](h)(h.CRM.Automations.Create(x, parley.AutomationInput{Name: "Drip", Trigger: "manual_only", IsSequence: true,
			Steps: []map[string]any{step(1, 60), step(2, 60)}}))
		l := h.lead("Priya", "+919876543210")
		e := ok[parley.Enrollment](h)(h.CRM.Sequences.Enroll(x, parley.EnrollInput{LeadID: l.ID, RuleID: rule.ID, Variables: map[string]any{"discount": "20%"}}))
		if e.ID == "" || e.Status != "active" || e.TotalSteps != 2 {
			h.Errorf("%+v", e)
		}
		if got := ok[parley.Enrollment](h)(h.CRM.Automations.PauseEnrollment(x, rule.ID, e.ID)); got.Status != "paused" {
			h.Errorf("%+v", got)
		}
		if got := ok[parley.Enrollment](h)(h.CRM.Automations.ResumeEnrollment(x, rule.ID, e.ID)); got.Status != "active" {
			h.Errorf("%+v", got)
		}
		if list := ok[[]parley.Enrollment](h)(h.CRM.Sequences.ListForLead(x, l.ID)); len(list) != 1 || list[0].ID != e.ID {
			h.Errorf("%+v", list)
		}
		if got := ok[parley.Enrollment](h)(h.CRM.Sequences.Unenroll(x, e.ID)); got.Status != "exited" || got.ExitReason != "manual_unenroll" {
			h.Errorf("%+v", got)
		}
		page := ok[parley.Page[parley.Enrollment]](h)(h.CRM.Automations.Enrollments(x, rule.ID, parley.EnrollmentFilter{Status: "exited"}))
		if len(page.Data) != 1 || ok[parley.Enrollment](h)(h.CRM.Automations.Enrollment(x, e.ID)).Status != "exited" {
			h.Errorf("%+v", page)
		}
		if rules := ok[[]parley.Automation](h)(h.CRM.Sequences.List(x)); len(rules) != 1 {
			h.Errorf("%+v", rules)
		}
	})
}

func TestEvents(t *testing.T) {
	each(t, func(h *house) {
		s, x := h.Events, h.ctx()
		d := ok[parley.EventDefinition](h)(s.Assign(x, parley.EventAssignment{Name: "cart_abandoned", DisplayName: "Cart", DefaultSource: "shop"}))
		if d.Name != "cart_abandoned" || !d.IsActive {
			h.Errorf("%+v", d)
		}
		_, err := s.Assign(x, parley.EventAssignment{Name: "lead_created"})
		h.refused(err, 400, "")
		var names []string
		for _, e := range ok[[]parley.EventDefinition](h)(s.List(x)) {
			names = append(names, e.Name)
		}
		if !has(names, "cart_abandoned") || !has(names, "lead_created") {
			h.Errorf("%v", names)
		}
		fired := ok[parley.Triggered](h)(s.Trigger(x, parley.TriggerInput{Trigger: "cart_abandoned", Phone: "+919876543210", CreateLeadIfMissing: true}))
		if l := ok[parley.Lead](h)(h.CRM.Leads.Retrieve(x, fired.LeadID)); l.Source != "shop" {
			h.Errorf("%+v", l)
		}
		if got := ok[parley.Triggered](h)(s.Emit(x, parley.Emission{EventName: "cart_abandoned", LeadID: fired.LeadID})); got.LeadID != fired.LeadID {
			h.Errorf("%+v", got)
		}
		if d = ok[parley.EventDefinition](h)(s.Unassign(x, "cart_abandoned")); d.IsActive {
			h.Errorf("%+v", d)
		}
		d = ok[parley.EventDefinition](h)(s.CreateCustomEvent(x, parley.CustomEvent{Name: "webinar_attended", DisplayName: "Webinar"}))
		found := false
		for _, e := range ok[[]parley.EventDefinition](h)(s.ListCustomEvents(x)) {
			found = found || e.ID == d.ID
		}
		if !found {
			h.Error("the definition is not listed")
		}
		if n := ok[int](h)(s.UnassignBulk(x, []string{"webinar_attended"})); n != 1 {
			h.Errorf("%d", n)
		}
		if err := s.DeleteCustomEvent(x, d.ID); err != nil {
			h.Error(err)
		}
	})
}

func TestInbox(t *testing.T) {
	each(t, func(h *house) {
		x := h.ctx()
		const phone = "919876543210"
		if sync := ok[parley.TemplateSync](h)(h.WhatsApp.Templates.Sync(x)); sync.Synced == 0 {
			h.Errorf("%+v", sync)
		}
		if list := ok[parley.Page[parley.Template]](h)(h.WhatsApp.Templates.List(x, parley.TemplateFilter{Status: "APPROVED"})); len(list.Data) == 0 {
			h.Errorf("%+v", list)
		}
		m := ok[parley.Message](h)(h.WhatsApp.Messages.SendTemplate(x, parley.TemplateMessage{To: "+" + phone, TemplateName: "appointment_reminder",
			Language: "en_US", Variables: []string{"Priya", "Tomorrow 10AM"}}))
		if m.Status != "queued" || m.ConversationID == "" {
			h.Fatalf("%+v", m)
		}
		conv := h.WhatsApp.Conversations
		h.eventually("the message is delivered", func() bool {
			page := ok[parley.Page[parley.Message]](h)(conv.Messages(x, m.ConversationID, parley.MessageFilter{}))
			return len(page.Data) == 1 && page.Data[0].Status != "queued" && page.Data[0].WhatsappMessageID != ""
		})
		resp, err := http.Post(h.main.URL()+"/_sim/reply", "application/json", strings.NewReader(`{"from":"`+phone+`","text":"Yes please"}`))
		if err != nil {
			h.Fatal(err)
		}
		resp.Body.Close()
		var k parley.Conversation
		h.eventually("the answer comes in", func() bool {
			k = ok[parley.Conversation](h)(conv.Retrieve(x, m.ConversationID))
			return k.UnreadCount == 1 && k.LastMessage == "Yes please" && !k.LastUserMessageAt.IsZero()
		})
		if err := conv.MarkRead(x, k.ID); err != nil {
			h.Error(err)
		}
		if k = ok[parley.Conversation](h)(conv.Retrieve(x, k.ID)); k.UnreadCount != 0 {
			h.Errorf("%+v", k)
		}
		reply := ok[parley.Message](h)(h.WhatsApp.Messages.Send(x, parley.MessageInput{ConversationID: k.ID, Text: "Thank you"}))
		if err := h.WhatsApp.Messages.Star(x, reply.ID, true); err != nil {
			h.Error(err)
		}
		n := 0
		for range conv.All(x, parley.ConversationFilter{Status: "open", Limit: 1}) {
			n++
		}
		if n != 1 {
			h.Errorf("%d conversations", n)
		}
		up := ok[parley.Upload](h)(h.WhatsApp.Messages.Upload(x, parley.File{Name: "a.txt", ContentType: "text/plain", Content: strings.NewReader("hello")}))
		if up.URL == "" {
			h.Errorf("%+v", up)
		}
		other := ok[parley.Conversation](h)(conv.Create(x, parley.ConversationInput{Phone: "+919876500001", Name: "Ravi"}))
		l := h.lead("Ravi", "+919876500002")
		if other = ok[parley.Conversation](h)(conv.LinkLead(x, other.ID, l.ID)); other.LeadID != l.ID {
			h.Errorf("%+v", other)
		}
		if err := conv.Delete(x, other.ID); err != nil {
			h.Error(err)
		}
		if n := ok[int](h)(conv.BulkDelete(x, []string{k.ID})); n != 1 {
			h.Errorf("%d deleted", n)
		}
	})
}

func TestQueueAndHealth(t *testing.T) {
	each(t, func(h *house) {
		x := h.ctx()
		ok[parley.QueueStats](h)(h.Queue.Stats(x))
		if p := ok[parley.Page[parley.Job]](h)(h.Queue.ListFailed(x, 1, 10)); len(p.Data) != 0 {
			h.Errorf("%+v", p)
		}
		_, err := h.Queue.RetryJob(x, "65f1c0ffee65f1c0ffee65f1")
		h.refused(err, 404, parley.CodeNotFound)
		h.refused(h.Queue.DeleteJob(x, "65f1c0ffee65f1c0ffee65f1"), 404, parley.CodeNotFound)
		if c := ok[parley.ClientHealth](h)(h.Health.Client(x)); c.ClientCode != h.code || c.Services["whatsapp"] == "" {
			h.Errorf("%+v", c)
		}
		_, err = h.Health.JobStatus(x, "65f1c0ffee65f1c0ffee65f1")
		h.refused(err, 404, parley.CodeNotFound)
	})
}
