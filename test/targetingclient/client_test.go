package targetingclient_test

import (
	"testing"

	"go.uber.org/goleak"

	"parley/internal/id"
	"parley/test/apitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// foreign is a UUID that Parley never makes.
const foreign = "b8c01433-5556-4e2b-aad4-6f5348d1df84"

// world is an organisation with what the ten operations need and do not make:
// entities, targets, a flow, campaigns and a portal. It is made by the other paths.
type world struct {
	admin            *apitest.Caller
	ada, bela, carl  string // contacts; the target selects the first
	target, other    string // other selects nobody
	flow             string
	send, show, bare string // campaigns: over the flow, on the portal, without a target
	refs             []o    // of all three contacts
}

func build(t *testing.T, r *apitest.Rig) *world {
	t.Helper()
	w := &world{admin: r.NewTenant("Acme").Targeting()}
	contact := func(name, label string) string {
		return w.admin.Post("/v1/entity/contact", o{"first_name": name, "email": name + "@example.com", "_tags": []string{label}}).OK().Str("_id")
	}
	w.ada, w.bela, w.carl = contact("Ada", "vip"), contact("Bela", "new"), contact("Carl", "new")
	target := func(tag string) string {
		return w.admin.Post("/v1/target", o{"name": tag, "entity_schema": "contact", "entity_filters": o{"filter": o{"combination": "AND",
			"items": []o{{"key": "_tags", "operator": "equals", "value": tag}}}}}).OK().Str("id")
	}
	w.target, w.other = target("vip"), target("nobody")
	w.flow = w.admin.Post("/v1/automation/flows", o{"flow_name": "Hello", "enabled": true, "entity_schema": "contact",
		"triggers": []o{{"type": "entity_manual", "configuration": o{"schema": "contact"}}}, "actions": []o{{"type": "map-entity", "config": o{"target_schema": "contact", "mapping_attributes": []o{{"target": "greeted", "mode": "set_value", "value": "yes"}}}}}}).OK().Str("id")
	campaign := func(name string, more o) string {
		more["name"] = name
		return w.admin.Post("/v1/entity/campaign", more).OK().Str("_id")
	}
	related := o{"$relation": []o{{"entity_id": w.target}}}
	w.send = campaign("Send", o{"target": related, "flow_id": w.flow})
	w.show = campaign("Show", o{"target": related})
	w.bare = campaign("Bare", o{"flow_id": w.flow})
	for _, v := range []string{w.ada, w.bela, w.carl} {
		w.refs = append(w.refs, ref(v))
	}
	return w
}

func ref(v string) o { return o{"entity_id": v, "entity_schema": "contact"} }

// TestTheVendorsClient drives every operation of the contract.
func TestTheVendorsClient(t *testing.T) {
	modules(t)
	apitest.Each(t, apitest.Options{}, func(t *testing.T, r *apitest.Rig) {
		w := build(t, r)
		c := newClient(t, r.URL, w.admin.Token)
		t.Run("match", func(t *testing.T) { w.match(c.with(t)) })
		t.Run("portals", func(t *testing.T) { w.portals(c.with(t)) })
		t.Run("activate", func(t *testing.T) { w.activate(r, c.with(t)) })
		t.Run("recipients", func(t *testing.T) { w.recipients(r, c.with(t)) })
		t.Run("stranger", func(t *testing.T) {
			s := newClient(t, r.URL, r.NewTenant("Other").Targeting().Token)
			if a := s.ok(200, "matchCampaigns", nil, o{"entity_refs": w.refs, "campaign_ids": []string{w.send}}); a.get("hits") != 0.0 {
				t.Errorf("a stranger matches %v", a.Data)
			}
			s.refused(400, "CAMPAIGN_NOT_FOUND", "getRecipients", w.send, nil)
		})
		for _, item := range c.doc.Paths.Map() {
			for _, op := range item.Operations() {
				if c.seen[op.OperationID] == 0 {
					t.Errorf("%s was never called", op.OperationID)
				}
			}
		}
		if len(c.seen) != 10 {
			t.Errorf("called %v", c.seen)
		}
	})
}

func (w *world) match(c *client) {
	a := c.ok(200, "matchCampaigns", nil, o{"entity_refs": w.refs, "campaign_ids": []string{w.show, w.bare, w.send, foreign}})
	if a.get("hits") != 2.0 || a.str("results.0.campaign.id") != w.show || a.str("results.1.campaign.id") != w.send || a.str("results.1.campaign._schema") != "campaign" ||
		a.str("results.1.campaign.flow_id") != w.flow || a.str("results.1.campaign.target.$relation.0.entity_id") != w.target || a.Path != "/v1/campaign:match" || a.Method != "post" {
		c.Errorf("matched %+v", a)
	}
	if a := c.ok(200, "matchCampaigns", nil, o{"entity_refs": w.refs[1:], "campaign_ids": []string{w.send}}); a.get("hits") != 0.0 {
		c.Errorf("the others match %v", a.Data)
	}
	if a := c.ok(200, "matchTargets", nil, o{"entity_refs": w.refs, "target_ids": []string{w.other, w.target}}); a.get("hits") != 1.0 || a.str("results.0.target.id") != w.target ||
		a.str("results.0.target.entity_schema") != "contact" {
		c.Errorf("targets %v", a.Data)
	}
	for _, body := range []o{{"entity_refs": w.refs, "campaign_ids": []string{}}, {"entity_refs": w.refs, "campaign_ids": []string{w.send, w.send}}, {"entity_refs": w.refs, "campaign_ids": []string{w.send}, "more": 1},
		{"entity_refs": []o{{"entity_id": w.ada, "entity_schema": "contact", "more": 1}}, "campaign_ids": []string{w.send}}, {"campaign_ids": []string{w.send}}} {
		c.refused(400, "", "matchCampaigns", nil, body)
	}
}

func (w *world) portals(c *client) {
	// The runtime takes a lone parameter as it is, too.
	if a := c.ok(200, "getCampaignPortals", w.show, nil); len(a.Data.([]any)) != 0 || a.Path != "/v1/campaign/"+w.show+"/portals" {
		c.Errorf("used nowhere: %+v", a)
	}
	w.admin.Post("/v2/portal/portal?origin=END_CUSTOMER_PORTAL", o{"name": "My energy", "domain": "my.example.com"}).OK()
	w.admin.Post("/v2/portal/widgets?origin=END_CUSTOMER_PORTAL", o{"widgets": []o{
		{"id": "w1", "type": "CAMPAIGN_WIDGET", "listIndex": 0, "headline": o{"en": "Switch", "de": "Wechseln"}, "campaign_id": w.show},
		{"id": "w2", "type": "TEASER_WIDGET", "listIndex": 1}}}).OK()
	a := c.ok(200, "getCampaignPortals", o{"campaign_id": w.show}, nil)
	if len(a.Data.([]any)) != 1 || a.str("0.portal.origin") != "END_CUSTOMER_PORTAL" || a.str("0.portal.name") != "My energy" || a.str("0.portal.domain") != "my.example.com" ||
		len(a.get("0.widgets").([]any)) != 1 || a.str("0.widgets.0.id") != "w1" || a.str("0.widgets.0.headline.de") != "Wechseln" {
		c.Errorf("used %v", a.Data)
	}
	c.refused(400, "CAMPAIGN_NOT_FOUND", "getCampaignPortals", o{"campaign_id": foreign}, nil)
	c.refused(400, "", "getCampaignPortals", o{"campaign_id": "me"}, nil)
}

func (w *world) activate(r *apitest.Rig, c *client) {
	c.refused(400, "CAMPAIGN_HAS_NO_TARGET", "changeCampaignStatus", o{"campaign_id": w.bare}, o{"status": "active"})
	c.refused(400, "", "changeCampaignStatus", o{"campaign_id": w.send}, o{"status": "on"})
	c.refused(400, "CAMPAIGN_NOT_FOUND", "changeCampaignStatus", o{"campaign_id": id.New().UUID()}, o{"status": "active"})
	// On a portal alone: at once, and without a body it is the other status.
	if a := c.ok(200, "changeCampaignStatus", o{"campaign_id": w.show}, o{"status": "active"}); a.str("campaign.status") != "active" {
		c.Errorf("on the portal: %v", a.Data)
	}
	if a := c.ok(200, "changeCampaignStatus", w.show, nil); a.str("campaign.status") != "inactive" || a.str("campaign.id") != w.show {
		c.Errorf("off again: %v", a.Data)
	}
	if a := c.ok(200, "getCampaignJobStatus", w.show, nil); a.get("status") != nil || len(a.get("execution_summary").([]any)) != 0 {
		c.Errorf("the job of a campaign without one: %v", a.Data)
	}
	started := c.ok(200, "changeCampaignStatus", o{"campaign_id": w.send}, o{"status": "active"})
	if s := started.str("campaign.status"); s != "activating" || started.str("campaign.job_id") == "" {
		c.Errorf("started: %v", started.Data)
	}
	var job answer
	r.Eventually("the job has finished", func() bool {
		job = c.ok(200, "getCampaignJobStatus", o{"campaign_id": w.send}, nil)
		return job.str("status") == "finished"
	})
	if n := len(job.get("execution_summary").([]any)); n != 1 || job.str("execution_summary.0.execution_status") != "success" {
		c.Errorf("the job: %v", job.Data)
	}
	c.refused(400, "CAMPAIGN_HAS_UNEXPECTED_STATUS", "changeCampaignStatus", o{"campaign_id": w.send}, o{"status": "active"})
}

func (w *world) recipients(r *apitest.Rig, c *client) {
	list := func(params o) answer {
		params["campaign_id"] = w.send
		return c.ok(200, "getRecipients", params, nil)
	}
	r.Eventually("the run has ended", func() bool { return list(o{"automation_status": "success"}).get("total") == 1.0 })
	if a := list(o{}); a.get("total") != 1.0 || a.get("next") != nil || a.str("results.0.entity_id") != w.ada || a.str("results.0.title") != "Ada" || a.str("results.0.automation_execution_id") == "" {
		c.Errorf("reached %v", a.Data)
	}
	a := c.ok(201, "createRecipient", w.send, o{"entity_id": w.bela, "entity_schema": "contact", "automation_status": "failed", "automation_execution_id": "one"})
	if a.str("entity_id") != w.bela || a.str("automation_status") != "failed" || a.str("automation_execution_id") != "one" || a.str("title") != "Bela" {
		c.Errorf("made %v", a.Data)
	}
	a = c.ok(201, "createRecipient", o{"campaign_id": w.send}, o{"entity_id": w.carl, "entity_schema": "contact", "portal_status": "sent", "portal_state": o{"seen": []int{1}}})
	if a.str("portal_status") != "sent" || a.str("portal_status_updated_at") == "" || a.get("portal_state.seen.0") != 1.0 {
		c.Errorf("made %v", a.Data)
	}
	for _, body := range []o{{"entity_id": w.carl, "entity_schema": "contact"}, {"entity_id": w.carl, "entity_schema": "contact", "portal_status": "sent"},
		{"entity_id": foreign, "entity_schema": "contact", "portal_status": "sent"}, {"entity_id": w.carl, "entity_schema": "contract", "portal_status": "sent"}} {
		c.refused(400, "", "createRecipient", w.send, body)
	}
	carl := o{"campaign_id": w.send, "recipient_id": w.carl}
	if a := c.ok(200, "updateRecipient", carl, o{"portal_state": o{"page": 2}, "automation_status": "cancelled", "automation_execution_id": "two"}); a.get("portal_state.page") != 2.0 ||
		a.get("portal_state.seen") != nil || a.str("automation_status") != "cancelled" || a.str("portal_status") != "sent" {
		c.Errorf("changed %v", a.Data)
	}
	c.refused(400, "", "updateRecipient", o{"campaign_id": w.send, "recipient_id": foreign}, o{"portal_status": "seen"})
	clicked := c.ok(200, "updateRecipientPortalStatus", carl, o{"status": "clicked"})
	c.refused(409, "", "updateRecipientPortalStatus", carl, o{"status": "seen"})
	c.refused(404, "", "updateRecipientPortalStatus", o{"campaign_id": w.send, "recipient_id": foreign}, o{"status": "seen"})
	c.refused(404, "CAMPAIGN_NOT_FOUND", "updateRecipientPortalStatus", o{"campaign_id": foreign, "recipient_id": w.carl}, o{"status": "seen"})
	if a := list(o{"portal_status": "clicked"}); a.get("total") != 1.0 || a.str("results.0.portal_status_updated_at") != clicked.str("portal_status_updated_at") {
		c.Errorf("clicked by %v", a.Data)
	}

	// A page at a time, and by title.
	var names []any
	var next any
	for range 3 {
		a := list(o{"limit": 1, "next": next})
		names, next = append(names, a.get("results.0.title")), a.get("next")
	}
	if len(names) != 3 || names[0] != "Ada" || names[1] != "Bela" || names[2] != "Carl" || next != nil {
		c.Errorf("paged %v, then %v", names, next)
	}
	if a := list(o{"q": "eL"}); a.get("total") != 1.0 || a.str("results.0.title") != "Bela" {
		c.Errorf("searched %v", a.Data)
	}

	a = c.ok(200, "retriggerCampaignAutomations", o{"campaign_id": w.send}, o{"recipient_ids": []string{w.bela, w.ada, w.carl, foreign, w.bela}})
	for i, want := range []string{"success", "invalid_status", "invalid_status", "not_found"} {
		if at := "results." + string(rune('0'+i)); a.str(at+".result") != want || (a.str(at+".execution_id") != "") != (want == "success") {
			c.Errorf("the %d. is %v, want %s", i, a.get(at), want)
		}
	}
	if len(a.get("results").([]any)) != 4 || a.str("results.0.recipient_id") != w.bela {
		c.Errorf("started again: %v", a.Data)
	}
	r.Eventually("the second run has ended", func() bool { return list(o{"automation_status": "success"}).get("total") == 2.0 })
	if a := c.call("retriggerCampaignAutomations", o{"campaign_id": foreign}, o{"recipient_ids": []string{}}); a.Status != 404 || a.get("status") != 404.0 || a.str("message") == "" {
		c.Errorf("of an unknown campaign: %d %v", a.Status, a.Data)
	}
}
