package platform_test

import (
	"strings"
	"testing"

	"parley/test/platformtest"
)

func TestSequences(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c, saved := r.NewTenant("c"), map[string]string{}
		play(t, c, saved, []scene{
			{name: "a lead", method: "POST", path: "/api/crm/leads", status: 201, body: `{"firstName":"Asha","phone":"9876543210"}`, save: map[string]string{"lead": "data._id"}},
			{name: "a sequence", method: "POST", path: "/api/crm/automations", status: 201, save: map[string]string{"seq": "data._id"}, want: []string{`"isSequence":true`},
				body: `{"name":"Drip","trigger":"trial","isSequence":true,"steps":[{"stepNumber":1,"delayMinutes":60,"action":{"type":"add_tag","config":{"tag":"one"}}}]}`},
			{name: "a rule", method: "POST", path: "/api/crm/automations", status: 201, body: `{"name":"Rule","trigger":"x","actions":[{"type":"add_tag","config":{"tag":"hot"}}]}`, save: map[string]string{"rule": "data._id"}},
			{name: "what does not exist", method: "POST", path: "/api/crm/automations", status: 400, body: `{"name":"x","trigger":"x","nodes":[{"id":"mail","type":"send_email"}]}`, want: []string{`"nodes[0].type":[`, "not available in this version"}},
			{name: "sequences", method: "GET", path: "/api/crm/sequences", status: 200, want: []string{`"{seq}"`}, forbid: []string{`"{rule}"`}},
			{name: "events", method: "GET", path: "/api/crm/automations/available-events", status: 200, want: []string{`"lead_created"`}},
			{name: "enroll", method: "POST", path: "/api/saas/crm/sequences/enroll", status: 201, body: `{"leadId":"{lead}","ruleId":"{seq}","variables":{"plan":"gold"}}`, save: map[string]string{"en": "enrollmentId"},
				want: []string{`"data":{`, `"status":"active"`, `"totalSteps":1`, `"currentStep":0`, `"plan":"gold"`, `"status":"pending"`, `"phone":"919876543210"`}},
			{name: "enroll twice", method: "POST", path: "/api/saas/crm/sequences/enroll", status: 409, body: `{"leadId":"{lead}","ruleId":"{seq}"}`, want: []string{`"code":"CONFLICT"`, "{en}"}},
			{name: "enroll in a rule", method: "POST", path: "/api/saas/crm/sequences/enroll", status: 409, body: `{"leadId":"{lead}","ruleId":"{rule}"}`},
			{name: "enroll nobody", method: "POST", path: "/api/saas/crm/sequences/enroll", status: 400, body: `{"ruleId":"{seq}"}`, want: []string{`"leadId":[`}},
			{name: "pause", method: "PATCH", path: "/api/crm/{seq}/enrollments/{en}/pause", status: 200, want: []string{`"status":"paused"`, `"nextStepAt":"`}},
			{name: "pause again", method: "POST", path: "/api/crm/automations/{seq}/enrollments/{en}/pause", status: 409},
			{name: "under another rule", method: "POST", path: "/api/crm/automations/{rule}/enrollments/{en}/resume", status: 404},
			{name: "resume", method: "POST", path: "/api/crm/automations/{seq}/enrollments/{en}/resume", status: 200, want: []string{`"status":"active"`}},
			{name: "one", method: "GET", path: "/api/crm/enrollments/{en}", status: 200, want: []string{`"ruleName":"Drip"`}},
			{name: "of the lead", method: "GET", path: "/api/crm/sequences/lead/{lead}", status: 200, want: []string{`"enrollments":[{`, `"data":[{`}},
			{name: "active ones", method: "GET", path: "/api/crm/{seq}/enrollments?status=active&startDate=2020-01-01&endDate=2999-12-31", status: 200, want: []string{`"total":1`, `"totalPages":1`}},
			{name: "a bad status", method: "GET", path: "/api/crm/automations/{seq}/enrollments?status=lost", status: 400},
			{name: "as a run", method: "GET", path: "/api/crm/runs/{en}", status: 200, want: []string{`"status":"waiting"`}},
			{name: "retry of a run that did not fail", method: "POST", path: "/api/crm/automations/runs/{en}/retry", status: 409, want: []string{"only a failed run"}},
			{name: "unenroll", method: "DELETE", path: "/api/crm/sequences/unenroll/{en}", status: 200, want: []string{`"status":"exited"`, `"exitReason":"manual_unenroll"`}},
			{name: "unenroll again", method: "POST", path: "/api/crm/sequences/unenroll/{en}", status: 409},
			{name: "test", method: "POST", path: "/api/crm/automations/{rule}/test", status: 200, body: `{"leadId":"{lead}"}`, want: []string{`"passed":true`, `"conditionResult":true`, `"actionsWouldRun":[{`, `"tag":"hot"`}},
			{name: "the test changed nothing", method: "GET", path: "/api/crm/leads/{lead}", status: 200, want: []string{`"tags":[]`}},
			{name: "an event nobody waits for", method: "POST", path: "/api/crm/automations/webhook/{rule}/paid", status: 200, body: `{"x":1}`, want: []string{`"resumed":0`, `"runIds":[]`}},
			{name: "delete many", method: "POST", path: "/api/crm/automations/bulk-delete", status: 200, body: `{"ids":["{rule}","0123456789abcdef01234567","x"]}`, want: []string{`"deleted":1`}},
			{name: "delete", method: "DELETE", path: "/api/crm/automations/{seq}", status: 200, want: []string{`"message":"`}},
			{name: "gone", method: "GET", path: "/api/crm/automations/{seq}", status: 404},
		})
	})
}

func TestRunVerbs(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		r.Work()
		c, saved := r.NewTenant("c"), map[string]string{}
		play(t, c, saved, []scene{
			{name: "a rule", method: "POST", path: "/api/crm/automations", status: 201, save: map[string]string{"rule": "data._id"},
				body: `{"name":"Pay","trigger":"order","nodes":[{"id":"w","type":"wait-for-event","data":{"eventName":"paid"}},{"id":"t","type":"add_tag","data":{"tag":"paid-{{ref}}"}},{"id":"s","type":"send_whatsapp","data":{"templateName":"missing"}}],"edges":[{"source":"w","target":"t"},{"source":"t","target":"s"}]}`},
			{name: "an order", method: "POST", path: "/api/saas/workflows/trigger", status: 200, body: `{"trigger":"order","phone":"9876543210","createLeadIfMissing":true}`, save: map[string]string{"lead": "data.leadId"}},
		})
		runs := "/api/crm/automations/" + saved["rule"] + "/runs?status="
		platformtest.Eventually(t, "the run waits", func() bool { return c.Do("GET", runs+"waiting", nil).Get(t, "total") == 1.0 })
		saved["run"] = c.Do("GET", runs+"waiting", nil).Str(t, "data.0._id")
		play(t, c, saved, []scene{
			{name: "it waits for the event", method: "GET", path: "/api/crm/runs/{run}", status: 200, want: []string{`"eventName":"paid"`, `"currentNodeIds":["w"]`}},
			{name: "pause", method: "POST", path: "/api/crm/runs/{run}/pause", status: 200, want: []string{`"status":"paused"`}},
			{name: "resume", method: "POST", path: "/api/crm/automations/runs/{run}/resume", status: 200, want: []string{`"status":"waiting"`}},
			{name: "somebody else paid", method: "POST", path: "/api/crm/automations/{rule}/webhook-event", status: 200, body: `{"eventName":"paid","payload":{"phone":"9999999999"}}`, want: []string{`"resumed":0`}},
			{name: "a payload that is none", method: "POST", path: "/api/crm/automations/{rule}/webhook-event", status: 400, body: `{"eventName":"paid","payload":[1]}`, want: []string{`"payload":[`}},
			{name: "no name", method: "POST", path: "/api/crm/automations/{rule}/webhook-event", status: 400, body: `{}`, want: []string{`"eventName":[`}},
			{name: "paid", method: "POST", path: "/api/crm/automations/{rule}/events/paid", status: 200, body: `{"leadId":"{lead}","ref":"R7"}`, want: []string{`"resumed":1`, `"runIds":["{run}"]`}},
		})
		platformtest.Eventually(t, "the run failed", func() bool { return c.Do("GET", runs+"failed", nil).Get(t, "total") == 1.0 })
		if a := c.Do("GET", "/api/crm/leads/"+saved["lead"], nil); !strings.Contains(string(a.Body), "paid-R7") {
			t.Errorf("%s", a.Body)
		}
		play(t, c, saved, []scene{
			{name: "abort", method: "POST", path: "/api/crm/runs/{run}/abort", status: 409, want: []string{"ended"}},
			{name: "retry", method: "POST", path: "/api/crm/automations/runs/{run}/retry", status: 200, want: []string{`"status":"running"`}},
		})
		platformtest.Eventually(t, "the run failed again", func() bool { return c.Do("GET", runs+"failed", nil).Get(t, "total") == 1.0 })
	})
}
