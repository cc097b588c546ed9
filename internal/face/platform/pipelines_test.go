package platform_test

import (
	"testing"

	"parley/test/platformtest"
)

func TestPipelines(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c, saved := r.NewTenant("Acme"), map[string]string{}
		const base = "/api/saas/crm/pipelines"
		play(t, c, saved, []scene{
			{name: "the first one comes by itself", method: "GET", path: base, status: 200, want: []string{`"name":"Sales Pipeline"`, `"isDefault":true`, `"leadCount":0`, `"probability":60`},
				save: map[string]string{"sales": "data.0._id", "won": "data.0.stages.5._id", "lost": "data.0.stages.6._id"}},
			{name: "create from a template", method: "POST", path: base, status: 201, body: `{"name":"Care","template":"support"}`, want: []string{`"order":1`, `"isDefault":false`, `"pipeline":{`, `"isWon":true`, `"isLost":true`},
				save: map[string]string{"care": "data.pipeline.id"}},
			{name: "create with stages of one's own", method: "POST", path: "/api/crm/pipelines", status: 201,
				body: `{"name":"Own","description":"d","customStages":[{"name":"A","probability":10,"autoActions":[{"type":"add_tag","delayMinutes":0,"config":{"tag":"x"}}]},{"name":"B","color":"#fff"},{"name":"C","isWon":true,"probability":100}]}`,
				want: []string{`"autoActions":[{"config":{"tag":"x"},"delayMinutes":0,"type":"add_tag"}]`, `"color":"#fff"`}, save: map[string]string{"own": "data._id", "a": "data.stages.0._id", "b": "data.stages.1._id", "c": "data.stages.2._id"}},
			{name: "custom has no stages", method: "POST", path: base, status: 201, body: `{"name":"Empty","template":"custom"}`, want: []string{`"stages":[]`}, save: map[string]string{"empty": "data._id"}},
			{name: "an unknown template", method: "POST", path: base, status: 400, body: `{"name":"X","template":"nope"}`, want: []string{`"errors":{"template":[`}},
			{name: "no name", method: "POST", path: base, status: 400, body: `{}`, want: []string{`"name":[`}},
			{name: "a bad stage", method: "POST", path: base, status: 400, body: `{"name":"X","stages":[{"name":"S","probability":101}]}`, want: []string{`"stages":[`}},
			{name: "retrieve is flat and nested", method: "GET", path: base + "/{own}", status: 200, want: []string{`"data":{"_id":"{own}"`, `"pipeline":{"_id":"{own}"`}},
			{name: "update", method: "PATCH", path: base + "/{own}", status: 200, body: `{"name":"Mine","order":0}`, want: []string{`"name":"Mine"`, `"order":0`, `"description":"d"`}},
			{name: "the others close up", method: "GET", path: base + "/{sales}", status: 200, want: []string{`"order":1`}},
			{name: "the empty one cannot be the default", method: "PATCH", path: base + "/{empty}/default", status: 409, want: []string{`"CONFLICT"`}},
			{name: "set default", method: "PATCH", path: base + "/{own}/default", status: 200, want: []string{`"isDefault":true`}},
			{name: "the former default", method: "GET", path: base + "/{sales}", status: 200, want: []string{`"isDefault":false`}},
			{name: "the default cannot be archived", method: "PATCH", path: base + "/{own}/archive", status: 409},
			{name: "nor deleted", method: "DELETE", path: base + "/{own}", status: 409, want: []string{`"success":false`, `"CONFLICT"`}},
			{name: "archive", method: "PATCH", path: base + "/{care}/archive", status: 200, want: []string{`"isActive":false`}},
			{name: "an archived one cannot be the default", method: "PATCH", path: base + "/{care}/default", status: 409},
			{name: "duplicate", method: "POST", path: base + "/{own}/duplicate", status: 201, body: `{"newName":"Copy"}`, want: []string{`"name":"Copy"`, `"name":"A"`, `"tag":"x"`, `"isDefault":false`}, save: map[string]string{"copy": "data._id"}},
			{name: "delete", method: "DELETE", path: base + "/{copy}", status: 200, want: []string{`"success":true`, `"message"`}},
			{name: "it is gone", method: "GET", path: base + "/{copy}", status: 404},
			{name: "a lead begins in the new default", method: "POST", path: "/api/crm/leads", status: 201, body: `{"firstName":"Pia","phone":"9876543210","dealValue":1000.5}`,
				want: []string{`"pipelineId":"{own}"`, `"stageId":"{a}"`}, save: map[string]string{"lead": "data._id"}},
			{name: "in use", method: "GET", path: base + "/{own}/in-use", status: 200, want: []string{`"inUse":true`, `"leadCount":1`}},
			{name: "not in use", method: "GET", path: base + "/{sales}/in-use", status: 200, want: []string{`"inUse":false`, `"leadCount":0`}},
			{name: "forecast", method: "GET", path: base + "/{own}/forecast", status: 200, want: []string{`"grandTotal":100.05`, `"totalPipeline":1000.5`, `"expectedRevenue":100.05`, `"stageName":"A"`}},
			{name: "add a stage at the end", method: "POST", path: base + "/{own}/stages", status: 201, body: `{"name":"D","color":"#f59e0b","isLost":true}`, want: []string{`"order":3`, `"color":"#f59e0b"`, `"isDefault":false`}, save: map[string]string{"d": "data._id"}},
			{name: "add a stage in between", method: "POST", path: base + "/{own}/stages", status: 201, body: `{"name":"AB","insertAfterOrder":0}`, want: []string{`"order":1`}, save: map[string]string{"ab": "data._id"}},
			{name: "a stage needs a name", method: "POST", path: base + "/{own}/stages", status: 400, body: `{"color":"#fff"}`, want: []string{`"name":[`}},
			{name: "reorder by a bare list", method: "PATCH", path: base + "/{own}/stages/reorder", status: 200, body: `["{b}","{a}","{ab}","{c}","{d}"]`, want: []string{`"data":[{"_id":"{b}"`}},
			{name: "reorder by objects", method: "PATCH", path: base + "/{own}/stages/reorder", status: 200, want: []string{`"data":[{"_id":"{a}"`},
				body: `{"order":[{"stageId":"{b}","newOrder":2},{"stageId":"{a}","newOrder":0},{"stageId":"{ab}","order":1},{"stageId":"{c}","newOrder":3},{"stageId":"{d}","newOrder":4}]}`},
			{name: "reorder by stageIds", method: "PATCH", path: base + "/{own}/stages/reorder", status: 200, body: `{"stageIds":["{a}","{b}","{ab}","{c}","{d}"]}`, want: []string{`"data":[{"_id":"{a}"`}},
			{name: "reorder by stages", method: "PATCH", path: base + "/{own}/stages/reorder", status: 200, body: `{"stages":["{a}","{ab}","{b}","{c}","{d}"]}`},
			{name: "an order that lacks stages", method: "PATCH", path: base + "/{own}/stages/reorder", status: 400, body: `{"order":["{a}"]}`, want: []string{`"order":[`}},
			{name: "an order with a foreign stage", method: "PATCH", path: base + "/{own}/stages/reorder", status: 400, body: `{"order":["{a}","{ab}","{b}","{c}","{won}"]}`},
			{name: "update a stage", method: "PATCH", path: "/api/saas/crm/stages/{b}", status: 200, body: `{"probability":80,"name":"Bee","autoActions":[{"type":"webhook_notify","config":{"url":"https://example.com/x"}}]}`, want: []string{`"probability":80`, `"name":"Bee"`, `"webhook_notify"`}},
			{name: "an action that there is not", method: "PATCH", path: "/api/saas/crm/stages/{b}", status: 400, body: `{"autoActions":[{"type":"add_tag","config":{"tag":"x"}},{"type":"frob"}]}`, want: []string{`"autoActions[1].type"`}},
			{name: "an action that lacks its tag, in a new stage", method: "POST", path: "/api/saas/crm/pipelines/{own}/stages", status: 400, body: `{"name":"Q","autoActions":[{"type":"add_tag"}]}`, want: []string{`"autoActions[0].tag"`}},
			{name: "an action that there is not, in a new pipeline", method: "POST", path: "/api/saas/crm/pipelines", status: 400, body: `{"name":"Q","customStages":[{"name":"A"},{"name":"B","autoActions":[{"type":5}]}]}`, want: []string{`autoActions[0].type"`}},
			{name: "by its alias", method: "PATCH", path: "/api/crm/pipelines/stages/{b}", status: 200, body: `{"probability":70}`, want: []string{`"probability":70`, `"name":"Bee"`}},
			{name: "both won and lost", method: "PATCH", path: "/api/saas/crm/stages/{c}", status: 400, body: `{"isLost":true}`, want: []string{`"isLost":[`}},
			{name: "a stage with leads is not deleted", method: "DELETE", path: "/api/saas/crm/stages/{a}", status: 409, want: []string{`"CONFLICT"`}},
			{name: "nor moved to itself", method: "DELETE", path: "/api/saas/crm/stages/{a}", status: 400, body: `{"moveToStageId":"{a}"}`, want: []string{`"moveLeadsToStageId":[`}},
			{name: "nor to nowhere", method: "DELETE", path: "/api/saas/crm/stages/{a}?targetStageId=aaaaaaaaaaaaaaaaaaaaaaaa", status: 404, want: []string{`"moveLeadsToStageId":[`}},
			{name: "delete with a fallback in the query", method: "DELETE", path: "/api/saas/crm/stages/{a}?fallbackStageId={b}", status: 200, want: []string{`"movedLeads":1`, `"success":true`}},
			{name: "the lead moved, with its history", method: "GET", path: "/api/crm/leads/{lead}", status: 200, want: []string{`"stageId":"{b}"`, `{"stageId":"{a}"`}},
			{name: "the first stage is the default now", method: "GET", path: base + "/{own}", status: 200, want: []string{`"stages":[{"_id":"{ab}"`, `"order":0,"color":"#3b82f6","isDefault":true`}},
			{name: "delete an empty stage", method: "DELETE", path: "/api/crm/pipelines/stages/{d}", status: 200, want: []string{`"movedLeads":0`}},
			{name: "the leads of a stage", method: "GET", path: base + "/{own}/stages/{b}/leads", status: 200, want: []string{`"_id":"{lead}"`, `"total":1`}},
			{name: "of a stage of another pipeline", method: "GET", path: base + "/{sales}/stages/{b}/leads", status: 404},
			{name: "a pipeline with leads is not deleted", method: "PATCH", path: base + "/{sales}/default", status: 200},
			{name: "even when it is not the default", method: "DELETE", path: base + "/{own}", status: 409, want: []string{"1 leads stand"}},
			{name: "a stage that becomes won takes its leads along", method: "PATCH", path: "/api/saas/crm/stages/{b}", status: 200, body: `{"isWon":true}`, want: []string{`"isWon":true`}},
			{name: "they are won", method: "GET", path: "/api/crm/leads/{lead}", status: 200, want: []string{`"status":"won"`}, forbid: []string{`"convertedAt":null`}},
		})
	})
}

func TestLeadVerbs(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c, saved := r.NewTenant("Acme"), map[string]string{}
		other := r.NewTenant("Other")
		saved["foreign"] = other.Do("POST", "/api/crm/leads", `{"firstName":"F","phone":"9876500009"}`).Str(t, "data._id")
		saved["foreignStage"] = other.Do("GET", "/api/crm/pipelines", nil).Str(t, "data.0.stages.0._id")
		play(t, c, saved, []scene{
			{name: "stages", method: "GET", path: "/api/crm/pipelines", status: 200, save: map[string]string{"pipeline": "data.0._id", "contacted": "data.0.stages.1._id", "qualified": "data.0.stages.2._id", "won": "data.0.stages.5._id"}},
			{name: "create", method: "POST", path: "/api/crm/leads", status: 201, body: `{"firstName":"Pia","phone":"9876543210","email":"pia@x.in","metadata":{"refs":{"admissionNo":"A 7 ü"}}}`, save: map[string]string{"lead": "data._id"}},
			{name: "by a reference of any name", method: "GET", path: "/api/saas/crm/leads/ref/admissionNo/A%207%20%C3%BC", status: 200, want: []string{`"_id":"{lead}"`}},
			{name: "an unknown reference", method: "GET", path: "/api/saas/crm/leads/ref/orderId/A", status: 404, want: []string{`"there is no such lead"`}},
			{name: "metadata", method: "PATCH", path: "/api/saas/crm/leads/{lead}/metadata", status: 200, body: `{"refs":{"orderId":"ORD-1","admissionNo":null},"extra":{"plan":"pro"},"utm":"g"}`,
				want: []string{`"refs":{"orderId":"ORD-1"}`, `"extra":{"plan":"pro","utm":"g"}`}},
			{name: "null removes", method: "PATCH", path: "/api/crm/leads/{lead}/metadata", status: 200, body: `{"extra":{"plan":null}}`, want: []string{`"extra":{"utm":"g"}`, `"orderId":"ORD-1"`}},
			{name: "metadata of a wrong type", method: "PATCH", path: "/api/crm/leads/{lead}/metadata", status: 400, body: `{"refs":7}`, want: []string{`"metadata.refs":[`}},
			{name: "move", method: "PATCH", path: "/api/saas/crm/leads/{lead}/move", status: 200, body: `{"stageId":"{contacted}"}`, want: []string{`"stageId":"{contacted}"`}},
			{name: "move by the other name", method: "PATCH", path: "/api/saas/crm/leads/{lead}/move", status: 200, body: `{"targetStageId":"{qualified}"}`, want: []string{`"stageId":"{qualified}"`}},
			{name: "move nowhere", method: "PATCH", path: "/api/saas/crm/leads/{lead}/move", status: 400, body: `{}`, want: []string{`"MISSING_REQUIRED"`}},
			{name: "move to a stage of others", method: "PATCH", path: "/api/saas/crm/leads/{lead}/move", status: 404, body: `{"stageId":"{foreignStage}"}`, want: []string{`"stageId":[`}},
			{name: "tags", method: "PATCH", path: "/api/saas/crm/leads/{lead}/tags", status: 200, body: `{"add":["vip","hot"],"remove":["cold"]}`, want: []string{`"tags":["hot","vip"]`}},
			{name: "tags away", method: "PATCH", path: "/api/saas/crm/leads/{lead}/tags", status: 200, body: `{"remove":["hot"]}`, want: []string{`"tags":["vip"]`}},
			{name: "score", method: "POST", path: "/api/saas/crm/leads/{lead}/score", status: 200, want: []string{`"total":40`, `"breakdown":[{`, `"appliedPoints":20`}},
			{name: "convert needs an outcome", method: "POST", path: "/api/saas/crm/leads/{lead}/convert", status: 400, body: `{}`, want: []string{`"outcome":[`}},
			{name: "won or lost", method: "POST", path: "/api/saas/crm/leads/{lead}/convert", status: 400, body: `{"outcome":"maybe"}`, want: []string{`"outcome":[`}},
			{name: "convert", method: "POST", path: "/api/saas/crm/leads/{lead}/convert", status: 200, body: `{"outcome":"won","reason":"signed"}`, want: []string{`"status":"won"`, `"stageId":"{won}"`}},
			{name: "the reason is in the timeline", method: "GET", path: "/api/saas/crm/leads/{lead}/timeline", status: 200, want: []string{`"body":"signed"`, `"type":"stage_change"`, `"type":"system"`}},
			{name: "fields", method: "GET", path: "/api/saas/crm/fields", status: 200, want: []string{`"key":"firstName"`, `"key":"dynamicFields"`}},
			{name: "fields by the alias", method: "GET", path: "/api/crm/leads/fields", status: 200, want: []string{`"key":"dealValue"`}},
			{name: "upsert with what the module says", method: "POST", path: "/api/crm/leads/upsert", status: 200,
				body: `{"leadData":{"phone":"9876543210"},"moduleInfo":{"module":"product_purchase","id":"ORD-9","message":"call me","activityNote":"bought a roof"}}`, want: []string{`"orderId":"ORD-9"`}},
			{name: "it is in the timeline", method: "GET", path: "/api/saas/crm/leads/{lead}/timeline", status: 200, want: []string{`bought a roof`}},
			{name: "import", method: "POST", path: "/api/saas/crm/leads/import", status: 200, body: `{"leads":[
				{"firstName":"Pia B","phone":"+91 98765 43210","tags":["new"],"metadata":{"refs":{"orderId":"X"},"a":1},"stageId":"{contacted}"},
				{"phone":"9876500001","email":"bo@x.in","dealValue":5,"tags":["imp"],"stageId":"{qualified}"},
				{"firstName":"Bad","phone":"12"},{"firstName":"None"},{"firstName":"V","phone":"9876500002","dealValue":-1},
				{"firstName":"S","phone":"9876500003","stageId":"{foreignStage}"},{"phone":"9876500001","firstName":"Bo"},7]}`,
				want: []string{`"created":1`, `"updated":2`, `"failed":5`, `{"row":2,"index":2,"field":"phone","phone":"12"`, `"row":3,`, `{"row":4,"index":4,"field":"dealValue","phone":"9876500002"`,
					`{"row":5,"index":5,"field":"stageId"`, `"row":7,`}, forbid: []string{"pipelineId"}},
			{name: "a known lead keeps stage, tags and refs", method: "GET", path: "/api/crm/leads/{lead}", status: 200, want: []string{`"firstName":"Pia B"`, `"tags":["vip"]`, `"orderId":"ORD-9"`, `"a":1`, `"stageId":"{won}"`}},
			{name: "a new one has what its rows say", method: "GET", path: "/api/crm/leads/phone/9876500001", status: 200, want: []string{`"firstName":"Bo"`, `"tags":["imp"]`, `"dealValue":5`, `"stageId":"{qualified}"`, `"email":"bo@x.in"`}, save: map[string]string{"bo": "data._id"}},
			{name: "a bare list", method: "POST", path: "/api/crm/leads/import", status: 200, body: `[{"phone":"9876500004"}]`, want: []string{`"created":1`, `"failed":0`}, forbid: []string{"errors"}},
			{name: "nothing to import", method: "POST", path: "/api/crm/leads/import", status: 400, body: `[]`, want: []string{`"leads":[`}},
			{name: "bulk delete leaves out others' ids", method: "DELETE", path: "/api/saas/crm/leads", status: 200, body: `{"ids":["{lead}","{foreign}","nonsense","{lead}"]}`, want: []string{`"deleted":1`}},
			{name: "by the query", method: "DELETE", path: "/api/saas/crm/leads?ids={bo},{lead}", status: 200, want: []string{`"deleted":1`, `"data":{"deleted":1}`}},
			{name: "by the alias", method: "POST", path: "/api/crm/leads/bulk-delete", status: 200, body: `["{bo}"]`, want: []string{`"deleted":0`}},
			{name: "without ids", method: "DELETE", path: "/api/saas/crm/leads", status: 400, want: []string{`"ids":[`}},
			{name: "they are archived", method: "GET", path: "/api/crm/leads/{bo}", status: 200, want: []string{`"isArchived":true`, `"status":"archived"`}},
			{name: "an archived lead is not converted", method: "POST", path: "/api/saas/crm/leads/{bo}/convert", status: 409, body: `{"outcome":"lost"}`},
		})
		if a := other.Do("GET", "/api/crm/leads/"+saved["foreign"], nil); a.Str(t, "data.status") != "open" {
			t.Errorf("another tenant's lead: %s", a.Body)
		}
	})
}
