package platform_test

import (
	"strings"
	"testing"

	"parley/test/platformtest"
)

const graph = `{"name":"Follow-up","trigger":"trial_started","_canvas":{"zoom":2},
	"nodes":[{"id":"t","type":"trigger"},{"id":"tag","type":"action","data":{"type":"add_tag","config":{"tag":"trial"}}},{"id":"end","type":"end"}],
	"edges":[{"source":"t","target":"tag"},{"source":"tag","target":"end"}]}`

func TestAutomations(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c, saved := r.NewTenant("Acme"), map[string]string{}
		play(t, c, saved, []scene{
			{name: "none yet", method: "GET", path: "/api/crm/automations", status: 200, want: []string{`"data":[]`, `"total":0`}},
			{name: "an empty graph", method: "POST", path: "/api/saas/crm/automations", status: 201, body: `{"name":"Empty","trigger":"lead_created","nodes":[],"edges":[]}`,
				want: []string{`"name":"Empty"`, `"isActive":true`, `"runCount":0`, `"executionCount":0`, `"lastRunAt":null`, `"nodes":[]`}, save: map[string]string{"empty": "data._id"}},
			{name: "a graph", method: "POST", path: "/api/crm/automations", status: 201, body: graph, want: []string{`"_canvas":{"zoom":2}`, `"version":1`}, save: map[string]string{"rule": "data.id"}},
			{name: "flat actions", method: "POST", path: "/api/crm/automations", status: 201, body: `{"name":"Flat","trigger":"x","isActive":false,"actions":[{"type":"add_tag","config":{"tag":"t"}}]}`,
				want: []string{`"isActive":false`, `"actions":[{`}},
			{name: "by trigger", method: "GET", path: "/api/crm/automations?trigger=trial_started", status: 200, want: []string{`"Follow-up"`, `"total":1`}, forbid: []string{`"Empty"`}},
			{name: "inactive ones", method: "GET", path: "/api/crm/automations?isActive=false", status: 200, want: []string{`"Flat"`, `"total":1`}},
			{name: "neither true nor false", method: "GET", path: "/api/crm/automations?isActive=maybe", status: 400, want: []string{`"isActive":[`}},
			{name: "retrieve", method: "GET", path: "/api/crm/automations/{rule}", status: 200, want: []string{`"_id":"{rule}"`, `"trial_started"`}},
			{name: "rename", method: "PATCH", path: "/api/crm/automations/{rule}", status: 200, body: `{"name":"Later"}`, want: []string{`"name":"Later"`, `"version":1`, `"_canvas"`}},
			{name: "toggle", method: "PATCH", path: "/api/crm/automations/{rule}/toggle", status: 200, want: []string{`"isActive":false`}},
			{name: "toggle to what it is", method: "PATCH", path: "/api/crm/automations/{rule}/toggle", status: 200, body: `{"isActive":false}`, want: []string{`"isActive":false`}},
			{name: "toggle back", method: "PATCH", path: "/api/crm/automations/{rule}/toggle", status: 200, want: []string{`"isActive":true`}},
			{name: "toggle with a wrong type", method: "PATCH", path: "/api/crm/automations/{rule}/toggle", status: 400, body: `{"isActive":"no"}`, want: []string{`"isActive":[`}},
			{name: "no runs yet", method: "GET", path: "/api/crm/automations/{rule}/runs", status: 200, want: []string{`"data":[]`, `"limit":20`}},
			{name: "runs of a status that is none", method: "GET", path: "/api/crm/automations/{rule}/runs?status=done", status: 400, want: []string{`"status":[`}},
			{name: "runs of an unknown rule", method: "GET", path: "/api/crm/automations/aaaaaaaaaaaaaaaaaaaaaaaa/runs", status: 404, want: []string{`"there is no such automation"`}},
			{name: "an unknown run", method: "GET", path: "/api/crm/runs/aaaaaaaaaaaaaaaaaaaaaaaa", status: 404, want: []string{`"there is no such run"`}},
			{name: "a malformed run", method: "GET", path: "/api/crm/automations/runs/x", status: 404, want: []string{`"there is no such run"`}},
			{name: "an unknown rule", method: "PATCH", path: "/api/crm/automations/aaaaaaaaaaaaaaaaaaaaaaaa", status: 404, body: `{"name":"x"}`, want: []string{`"there is no such automation"`}},
		})
	})
}

func TestTriggers(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		r.Work()
		c, saved := r.NewTenant("Acme"), map[string]string{}
		const path = "/api/saas/workflows/trigger"
		play(t, c, saved, []scene{
			{name: "a rule", method: "POST", path: "/api/crm/automations", status: 201, body: graph, save: map[string]string{"rule": "data._id"}},
			{name: "nobody", method: "POST", path: path, status: 404, body: `{"trigger":"trial_started","phone":"9876543210"}`,
				want: []string{`"code":"LEAD_NOT_FOUND"`, `"hint":"`}},
			{name: "an unknown lead", method: "POST", path: path, status: 404, body: `{"trigger":"trial_started","leadId":"aaaaaaaaaaaaaaaaaaaaaaaa"}`, want: []string{`"code":"LEAD_NOT_FOUND"`, `"hint":"`}},
			{name: "a malformed lead", method: "POST", path: path, status: 404, body: `{"trigger":"trial_started","leadId":"lead_id"}`, want: []string{`"code":"LEAD_NOT_FOUND"`, `"hint":"`}},
			{name: "somebody new", method: "POST", path: path, status: 200,
				body: `{"trigger":"trial_started","phone":"+919876543210","variables":{"items":"T-Shirt","n":2},"data":{"total":850},"createLeadIfMissing":true,"leadData":{"firstName":"Priya"},"requiresMeet":true,"meetConfig":{"duration":30}}`,
				want: []string{`"trigger":"trial_started"`, `"rulesMatched":1`, `"meetWarning":"`}, forbid: []string{`"scheduled"`}, save: map[string]string{"log": "data.eventLogId", "lead": "data.leadId"}},
			{name: "later", method: "POST", path: path, status: 200, body: `{"trigger":"other","phone":"9876543210","delayMinutes":30}`, want: []string{`"scheduled":true`, `"runAt":"`, `"rulesMatched":0`}},
			{name: "no trigger", method: "POST", path: path, status: 400, body: `{"phone":"9876543210"}`, want: []string{`"code":"MISSING_REQUIRED"`, `"trigger":[`}},
			{name: "nobody named", method: "POST", path: path, status: 400, body: `{"trigger":"x"}`, want: []string{`"code":"MISSING_REQUIRED"`, `"phone":[`}},
			{name: "white space", method: "POST", path: path, status: 400, body: `{"trigger":"a b","phone":"9876543210"}`, want: []string{`"code":"INVALID_TRIGGER"`}},
			{name: "a long name", method: "POST", path: path, status: 400, body: `{"trigger":"` + strings.Repeat("x", 101) + `","phone":"9876543210"}`, want: []string{`"code":"INVALID_TRIGGER"`}},
			{name: "a bad phone", method: "POST", path: path, status: 400, body: `{"trigger":"x","phone":"123"}`, want: []string{`"code":"INVALID_PHONE"`, `"phone":[`}},
			{name: "a wrong type", method: "POST", path: path, status: 400, body: `{"trigger":"x","phone":"9876543210","variables":[1]}`, want: []string{`"variables":[`}},
			{name: "a wrong type inside", method: "POST", path: path, status: 400, body: `{"trigger":"x","phone":"9876543210","leadData":{"firstName":1}}`, want: []string{`"leadData.firstName":[`}},
			{name: "a time that is none", method: "POST", path: path, status: 400, body: `{"trigger":"x","phone":"9876543210","runAt":"tomorrow"}`, want: []string{`"runAt":[`}},
			{name: "a callback that is no URL", method: "POST", path: path, status: 400, body: `{"trigger":"x","phone":"9876543210","callbackUrl":"ftp://x"}`, want: []string{`"callbackUrl":[`}},
		})
		key := `{"trigger":"trial_started","phone":"9876543210","idempotencyKey":"once"}`
		first, again := c.Do("POST", path, key), c.Do("POST", path, key)
		if first.Status != 200 || again.Status != 200 || first.Str(t, "data.eventLogId") != again.Str(t, "data.eventLogId") || again.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%d %s\n%d %s", first.Status, first.Body, again.Status, again.Body)
		}
		platformtest.Eventually(t, "two runs have completed", func() bool {
			return c.Do("GET", "/api/crm/automations/"+saved["rule"]+"/runs?status=completed", nil).Get(t, "total") == 2.0
		})
		play(t, c, saved, []scene{
			{name: "the newest run", method: "GET", path: "/api/saas/crm/automations/{rule}/runs?limit=1", status: 200, want: []string{`"leadId":"{lead}"`, `"triggeredBy":"trigger"`, `"hasMore":true`},
				save: map[string]string{"run": "data.0._id"}},
			{name: "the run", method: "GET", path: "/api/crm/runs/{run}", status: 200, want: []string{`"nodeResults":{`, `"tag":{"status":"completed"`, `"workflowId":"{rule}"`, `"status":"completed"`, `"waitingFor":null`}},
			{name: "the lead", method: "GET", path: "/api/crm/leads/{lead}", status: 200, want: []string{`"tags":["trial"]`, `"firstName":"Priya"`}},
			{name: "the rule has counted", method: "GET", path: "/api/crm/automations/{rule}", status: 200, want: []string{`"runCount":2`, `"completedEnrollments":2`}},
			{name: "the timeline", method: "GET", path: "/api/crm/leads/{lead}/timeline", status: 200, want: []string{`"automation_triggered"`, `"lead_created"`}},
		})
	})
}
