package platform_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"parley/test/platformtest"
)

func TestCustomEvents(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c, saved := r.NewTenant("Acme"), map[string]string{}
		play(t, c, saved, []scene{
			{name: "a lead makes the pipeline", method: "POST", path: "/api/crm/leads", status: 201, body: `{"firstName":"A","phone":"9876500001"}`, save: map[string]string{"lead": "data._id"}},
			{name: "stages", method: "GET", path: "/api/crm/pipelines", status: 200, save: map[string]string{"pipeline": "data.0._id", "stage": "data.0.stages.3._id", "other": "data.0.stages.1._id"}},
			{name: "built in", method: "GET", path: "/api/saas/events", status: 200, want: []string{`"name":"stage_enter"`, `"isSystem":true`, `"_id":null`, `"total":26`}},
			{name: "none of our own", method: "GET", path: "/api/crm/custom-events", status: 200, want: []string{`"data":[]`}},
			{name: "assign", method: "POST", path: "/api/saas/events/assign", status: 200, body: `{"name":"order_paid","stageId":"{stage}","defaultSource":"shop"}`,
				want: []string{`"displayName":"Order paid"`, `"pipelineId":"{pipeline}"`, `"stageId":"{stage}"`, `"isActive":true`, `"isSystem":false`, `"mapsTo":null`}, save: map[string]string{"event": "data._id"}},
			{name: "again, with null", method: "POST", path: "/api/saas/crm/custom-events", status: 200, body: `{"name":"order_paid","displayName":"Paid","defaultSource":null}`,
				want: []string{`"_id":"{event}"`, `"defaultSource":null`, `"stageId":"{stage}"`, `"displayName":"Paid"`}},
			{name: "a reserved name", method: "POST", path: "/api/saas/events/assign", status: 400, body: `{"name":"lead_created"}`, want: []string{`"name":[`}},
			{name: "no name", method: "POST", path: "/api/saas/events/assign", status: 400, body: `{"displayName":"x"}`, want: []string{`"MISSING_REQUIRED"`}},
			{name: "white space", method: "POST", path: "/api/crm/custom-events", status: 400, body: `{"name":"two words"}`, want: []string{`"name":[`}},
			{name: "an unknown stage", method: "POST", path: "/api/saas/events/assign", status: 404, body: `{"name":"x","stageId":"aaaaaaaaaaaaaaaaaaaaaaaa"}`, want: []string{`"stageId":[`}},
			{name: "a schema that is none", method: "POST", path: "/api/crm/custom-events", status: 400, body: `{"name":"x","payloadSchema":{"type":"text"}}`, want: []string{`"payloadSchema.type":[`}},
			{name: "our own, too", method: "GET", path: "/api/saas/events", status: 200, want: []string{`"name":"order_paid"`, `"total":27`}},
			{name: "unassign", method: "POST", path: "/api/saas/events/unassign", status: 200, body: `{"name":"order_paid"}`, want: []string{`"isActive":false`}},
			{name: "unassign nobody", method: "POST", path: "/api/saas/events/unassign", status: 404, body: `{"name":"nobody"}`, want: []string{`"there is no such event"`}},
			{name: "fire what is off", method: "POST", path: "/api/saas/workflows/trigger", status: 200, body: `{"trigger":"order_paid","leadId":"{lead}"}`, want: []string{`"rulesMatched":0`}},
			{name: "on again", method: "POST", path: "/api/saas/events/assign", status: 200, body: `{"name":"order_paid"}`, want: []string{`"isActive":true`}},
			{name: "in bulk", method: "POST", path: "/api/saas/events/unassign/bulk", status: 200, body: `{"names":["order_paid","nobody"]}`, want: []string{`"count":1`}},
			{name: "in bulk, the other name", method: "POST", path: "/api/saas/events/unassign-bulk", status: 200, body: `{"names":["order_paid"]}`, want: []string{`"count":0`}},
			{name: "in bulk without names", method: "POST", path: "/api/saas/events/unassign-bulk", status: 400, body: `{}`, want: []string{`"names":[`}},
			{name: "delete", method: "DELETE", path: "/api/crm/custom-events/{event}", status: 200, want: []string{`"message":"`}},
			{name: "delete again", method: "DELETE", path: "/api/crm/custom-events/{event}", status: 404, want: []string{`"there is no such event"`}},

			// Upserts go where their event says, with the trigger in one transaction.
			{name: "a schema", method: "POST", path: "/api/saas/events/assign", status: 200, body: `{"name":"enrolled","stageId":"{other}","payloadSchema":{"required":["course"]}}`},
			{name: "an upsert that its schema refuses", method: "POST", path: "/api/crm/leads/upsert", status: 400, body: `{"trigger":"enrolled","leadData":{"firstName":"B","phone":"9876500002"}}`, want: []string{`"leadData.course":[`}},
			{name: "is not stored", method: "GET", path: "/api/crm/leads/phone/9876500002", status: 404},
			{name: "an upsert", method: "POST", path: "/api/crm/leads/upsert", status: 201, body: `{"trigger":"enrolled","leadData":{"firstName":"B","phone":"9876500002"},"moduleInfo":{"course":"Go"}}`, want: []string{`"stageId":"{other}"`}},
		})
	})
}

func TestEmit(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c, saved := r.NewTenant("Acme"), map[string]string{}
		play(t, c, saved, []scene{
			{name: "a lead", method: "POST", path: "/api/crm/leads", status: 201, body: `{"firstName":"A","phone":"9876500001","email":"a@example.com"}`, save: map[string]string{"lead": "data._id"}},
			{name: "a rule", method: "POST", path: "/api/crm/automations", status: 201, body: `{"name":"R","trigger":"paid","actions":[{"type":"add_tag","config":{"tag":"{{plan}}"}}]}`, save: map[string]string{"rule": "data._id"}},
			{name: "as the README", method: "POST", path: "/api/saas/crm/events/emit", status: 200, body: `{"eventName":"paid","leadId":"{lead}","payload":{"plan":"a"}}`,
				want: []string{`"trigger":"paid"`, `"leadId":"{lead}"`, `"rulesMatched":1`}, save: map[string]string{"log": "data.eventLogId"}},
			{name: "as the backend", method: "POST", path: "/api/crm/events/emit", status: 200, body: `{"trigger":"paid","payload":{"phone":"+91 98765 00001","data":{"plan":"b"},"variables":{"x":1}},"idempotencyKey":"k"}`,
				want: []string{`"leadId":"{lead}"`, `"rulesMatched":1`}, save: map[string]string{"second": "data.eventLogId"}},
			{name: "the same key", method: "POST", path: "/api/crm/events/emit", status: 200, body: `{"trigger":"paid","payload":{"phone":"9876500001"},"idempotencyKey":"k"}`, want: []string{`"eventLogId":"{second}"`}},
			{name: "the old path", method: "POST", path: "/api/crm/events", status: 200, body: `{"name":"paid","email":"a@example.com","variables":{"plan":"c"}}`, want: []string{`"leadId":"{lead}"`}},
			{name: "the old path's other prefix", method: "POST", path: "/api/saas/crm/events", status: 200, body: `{"event":"paid","payload":{"email":"a@example.com"},"data":{"plan":"d"}}`, want: []string{`"leadId":"{lead}"`}},
			{name: "somebody new", method: "POST", path: "/api/crm/events/emit", status: 200, body: `{"eventName":"paid","phone":"9876500002","createLeadIfMissing":true,"leadData":{"firstName":"New"},"variables":{"plan":"e"},"requiresMeet":true}`, want: []string{`"meetWarning":"meetings are not available`}},
			{name: "nameless", method: "POST", path: "/api/crm/events/emit", status: 400, body: `{"leadId":"{lead}"}`, want: []string{`"eventName":[`}},
			{name: "about nobody", method: "POST", path: "/api/crm/events/emit", status: 400, body: `{"eventName":"paid"}`, want: []string{`"phone":[`}},
			{name: "a payload that is none", method: "POST", path: "/api/crm/events/emit", status: 400, body: `{"eventName":"paid","leadId":"{lead}","payload":[1]}`, want: []string{`"payload":[`}},
			{name: "a phone that is none", method: "POST", path: "/api/crm/events/emit", status: 400, body: `{"eventName":"paid","payload":{"phone":5}}`, want: []string{`"payload.phone":[`}},
			{name: "data that are none", method: "POST", path: "/api/crm/events/emit", status: 400, body: `{"eventName":"paid","leadId":"{lead}","payload":{"data":"x"}}`, want: []string{`"payload.data":[`}},
			{name: "nobody we know", method: "POST", path: "/api/crm/events/emit", status: 404, body: `{"eventName":"paid","leadId":"aaaaaaaaaaaaaaaaaaaaaaaa"}`, want: []string{`"LEAD_NOT_FOUND"`}},
			{name: "a schema", method: "POST", path: "/api/crm/custom-events", status: 200, body: `{"name":"paid","displayName":"Paid","payloadSchema":{"type":"object","properties":{"plan":{"type":"string"},"n":{"type":"integer"}}}}`},
			{name: "what breaks it, in payload", method: "POST", path: "/api/crm/events/emit", status: 400, body: `{"eventName":"paid","leadId":"{lead}","payload":{"plan":5}}`, want: []string{`"payload.plan":["payload.plan must be text`}},
			{name: "in payload.variables", method: "POST", path: "/api/crm/events/emit", status: 400, body: `{"eventName":"paid","leadId":"{lead}","payload":{"variables":{"n":1.5}}}`, want: []string{`"payload.variables.n":[`}},
			{name: "in variables", method: "POST", path: "/api/crm/events/emit", status: 400, body: `{"eventName":"paid","leadId":"{lead}","variables":{"n":"x"},"payload":{"m":1}}`, want: []string{`"variables.n":[`}},

			{name: "the log of one", method: "GET", path: "/api/saas/events/logs/{second}", status: 200, want: []string{`"idempotencyKey":"k"`, `"phone":"919876500001"`, `"plan":"b"`, `"x":1`, `"meetLink":null`}},
			{name: "no such log", method: "GET", path: "/api/saas/events/logs/aaaaaaaaaaaaaaaaaaaaaaaa", status: 404, want: []string{`"there is no such event log"`}},
			{name: "logs", method: "GET", path: "/api/saas/events/logs", status: 200, want: []string{`"total":6`, `"limit":25`}},
			{name: "logs of a phone", method: "GET", path: "/api/saas/events/logs?phone=9876500002&trigger=paid", status: 200, want: []string{`"total":1`}},
			{name: "failed ones", method: "GET", path: "/api/saas/events/logs?status=failed", status: 200, want: []string{`"total":1`, `"leadId":null`}},
			{name: "of a day", method: "GET", path: "/api/saas/events/logs?startDate=" + day(0) + "&endDate=" + day(0), status: 200, want: []string{`"total":6`}},
			{name: "of another day", method: "GET", path: "/api/saas/events/logs?endDate=" + day(-2), status: 200, want: []string{`"total":0`}},
			{name: "a status that is none", method: "GET", path: "/api/saas/events/logs?status=done", status: 400, want: []string{`"status":[`}},
			{name: "a date that is none", method: "GET", path: "/api/saas/events/stats?startDate=soon", status: 400, want: []string{`"startDate":[`}},
			{name: "figures", method: "GET", path: "/api/saas/events/stats", status: 200, want: []string{`"totalEvents":6`, `{"trigger":"paid","count":6`, `{"status":"failed","count":1}`}},
			{name: "figures of another day", method: "GET", path: "/api/saas/events/stats?endDate=" + day(-2), status: 200, want: []string{`"totalEvents":0`, `"byTrigger":[]`}},

			{name: "why it started", method: "GET", path: "/api/crm/automations/{rule}/explain?eventLogId={log}", status: 200, want: []string{`"outcome":"started"`, `"recorded":true`, `"leadId":"{lead}"`, `"run":{`}},
			{name: "a choosy rule", method: "POST", path: "/api/crm/automations", status: 201, body: `{"name":"C","trigger":"paid","conditions":[{"field":"lead.source","operator":"eq","value":"fair"}],"actions":[]}`, save: map[string]string{"choosy": "data._id"}},
			{name: "an event", method: "POST", path: "/api/crm/events/emit", status: 200, body: `{"eventName":"paid","leadId":"{lead}"}`, save: map[string]string{"third": "data.eventLogId"}},
			{name: "why it did not", method: "GET", path: "/api/saas/crm/automations/{choosy}/explain?leadId={lead}", status: 200, want: []string{`"outcome":"conditions"`, `"field":"lead.source"`, `"expected":"fair"`, `"eventLogId":"{third}"`, `"now":[{`}},
			{name: "about nothing", method: "GET", path: "/api/crm/automations/{rule}/explain", status: 400, want: []string{`"leadId":[`}},
			{name: "about an unknown call", method: "GET", path: "/api/crm/automations/{rule}/explain?eventLogId=aaaaaaaaaaaaaaaaaaaaaaaa", status: 404, want: []string{`"there is no such event log"`}},
			{name: "about somebody unknown", method: "GET", path: "/api/crm/automations/{rule}/explain?leadId=x", status: 404, want: []string{`"there is no such lead"`}},
		})
	})
}

// day is today, UTC, and some days.
func day(n int) string { return time.Now().UTC().AddDate(0, 0, n).Format(time.DateOnly) }

func TestCallbackLogs(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		r.Work()
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("thanks")) }))
		defer receiver.Close()
		c, saved := r.NewTenant("Acme"), map[string]string{}
		play(t, c, saved, []scene{
			{name: "none", method: "GET", path: "/api/saas/callbacks/logs", status: 200, want: []string{`"data":[]`}},
			{name: "a call", method: "POST", path: "/api/saas/workflows/trigger", status: 200,
				body: `{"trigger":"x","phone":"9876500001","createLeadIfMissing":true,"callbackUrl":"` + receiver.URL + `/cb"}`, save: map[string]string{"log": "data.eventLogId"}},
		})
		var last string
		platformtest.Eventually(t, "both callbacks are listed as ended", func() bool {
			last = string(c.Do("GET", "/api/saas/callbacks/logs", nil).Body)
			return strings.Count(last, `"status":"sent"`)+strings.Count(last, `"status":"failed"`) == 2
		})
		for _, want := range []string{`"method":"PUT"`, `"eventLogId":"` + saved["log"] + `"`, `"status":"processing"`, `"status":"completed"`, `"attempts":1`, `"signature":"sha256=`} {
			if !strings.Contains(last, want) {
				t.Errorf("no %s in %s", want, last)
			}
		}
		play(t, c, saved, []scene{
			{name: "waiting ones", method: "GET", path: "/api/saas/callbacks/logs?status=pending_retry", status: 200, want: []string{`"total":0`}},
			{name: "a status that is none", method: "GET", path: "/api/saas/callbacks/logs?status=x", status: 400, want: []string{`"status":[`}},
		})
	})
}
