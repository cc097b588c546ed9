package platform_test

import (
	"fmt"
	"strings"
	"testing"

	"parley/test/platformtest"
)

func TestLeads(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c, saved := r.NewTenant("Acme"), map[string]string{}
		play(t, c, saved, []scene{
			{name: "the list is empty", method: "GET", path: "/api/saas/crm/leads", status: 200,
				want: []string{`"data":[]`, `"pagination":{"total":0,"page":1,"limit":25,"pages":0}`, `"total":0`, `"totalPages":0`, `"hasMore":false`}},
			{name: "create", method: "POST", path: "/api/saas/crm/leads", status: 201,
				body: `{"firstName":"Priya","lastName":"Sharma","phone":"+91 98765 43210","email":"Priya@Example.com","source":"website","tags":["vip","hot","vip"],
					"metadata":{"utmSource":"google","refs":{"orderId":"ORD-1"}},"value":1500,"customFields":{"city":"Pune"},"unknown":{"x":1},"score":{"total":99}}`,
				want: []string{`"success":true`, `"fullName":"Priya Sharma"`, `"phone":"919876543210"`, `"email":"priya@example.com"`, `"status":"open"`,
					`"dealValue":1500`, `"value":1500`, `"currency":"INR"`, `"source":"website"`, `"tags":["hot","vip"]`, `"utmSource":"google"`, `"extra":{"utmSource":"google"}`,
					`"refs":{"orderId":"ORD-1"}`, `"dynamicFields":{"city":"Pune"}`, `"customFields":{"city":"Pune"}`, `"clientCode":"` + c.Code + `"`, `"name":"New Lead"`,
					`"isArchived":false`, `"aiSummary":null`, `"assignedTo":null`, `"total":0`, `"convertedAt":null`},
				forbid: []string{`"unknown"`, `"total":99`},
				save:   map[string]string{"lead": "data._id", "pipeline": "data.pipelineId", "stage": "data.stageId"}},
			{name: "the same phone in another spelling", method: "POST", path: "/api/crm/leads", status: 409, body: `{"firstName":"P","phone":"9876543210"}`,
				want: []string{`"success":false`, `"code":"CONFLICT"`, `"leadId":"{lead}"`, `"phone":[`}, forbid: []string{"contact"}},
			{name: "retrieve", method: "GET", path: "/api/saas/crm/leads/{lead}", status: 200, want: []string{`"_id":"{lead}"`, `"id":"{lead}"`}},
			{name: "retrieve by the other prefix", method: "GET", path: "/api/crm/leads/{lead}/", status: 200, want: []string{`"_id":"{lead}"`}},
			{name: "retrieve by phone", method: "GET", path: "/api/saas/crm/leads/phone/%2B919876543210", status: 200, want: []string{`"_id":"{lead}"`}},
			{name: "retrieve by a bare phone", method: "GET", path: "/api/crm/leads/phone/98765 43210", status: 200, want: []string{`"_id":"{lead}"`}},
			{name: "an unknown phone", method: "GET", path: "/api/saas/crm/leads/phone/9111111111", status: 404, want: []string{`"message":"there is no such lead"`, `"code":"NOT_FOUND"`}},
			{name: "a bad phone", method: "GET", path: "/api/saas/crm/leads/phone/12345", status: 400, want: []string{`"code":"INVALID_PHONE"`, `"phone":[`}},
			{name: "update", method: "PATCH", path: "/api/saas/crm/leads/{lead}", status: 200,
				body: `{"email":null,"lastName":"Rao","dealValue":2000,"dealTitle":"Roof","tags":["vip"],"status":"active","metadata":{"plan":"pro","extra":{"plan":"max"},"refs":{"orderId":null,"bookingId":"B-7"}},"dynamicFields":{"city":null,"zip":411001}}`,
				want: []string{`"email":null`, `"fullName":"Priya Rao"`, `"value":2000`, `"dealTitle":"Roof"`, `"tags":["vip"]`, `"extra":{"plan":"max","utmSource":"google"}`,
					`"refs":{"bookingId":"B-7"}`, `"dynamicFields":{"zip":411001}`}, forbid: []string{"ORD-1", "Sharma", "Pune"}},
			{name: "an empty update changes nothing", method: "PATCH", path: "/api/saas/crm/leads/{lead}", status: 200, body: `{}`, want: []string{`"fullName":"Priya Rao"`}},
			{name: "wrong types name the field", method: "PATCH", path: "/api/saas/crm/leads/{lead}", status: 400, body: `{"tags":"vip"}`,
				want: []string{`"code":"VALIDATION_ERROR"`, `"errors":{"tags":[`}},
			{name: "a status that the stage does not say", method: "PATCH", path: "/api/saas/crm/leads/{lead}", status: 400, body: `{"status":"won"}`, want: []string{`"errors":{"status":[`}},
			{name: "an unknown stage", method: "PATCH", path: "/api/saas/crm/leads/{lead}", status: 404, body: `{"stageId":"aaaaaaaaaaaaaaaaaaaaaaaa"}`,
				want: []string{`"code":"NOT_FOUND"`, `"errors":{"stageId":["there is no such stage"]}`}},
			{name: "a malformed stage says the same", method: "PATCH", path: "/api/saas/crm/leads/{lead}", status: 404, body: `{"stageId":"stage_id"}`,
				want: []string{`"errors":{"stageId":["there is no such stage"]}`}},
			{name: "no phone", method: "POST", path: "/api/saas/crm/leads", status: 400, body: `{"firstName":"A"}`, want: []string{`"code":"MISSING_REQUIRED"`, `"errors":{"phone":[`}},
			{name: "nothing", method: "POST", path: "/api/saas/crm/leads", status: 400, body: ``, want: []string{`"firstName":[`, `"phone":[`}},
			{name: "a short phone", method: "POST", path: "/api/saas/crm/leads", status: 400, body: `{"firstName":"A","phone":"98765"}`, want: []string{`"code":"INVALID_PHONE"`}},
			{name: "malformed JSON", method: "POST", path: "/api/saas/crm/leads", status: 400, body: `{"firstName":`, want: []string{`"code":"VALIDATION_ERROR"`, `"error":"`}},
			{name: "metadata of the wrong type", method: "POST", path: "/api/saas/crm/leads", status: 400, body: `{"firstName":"A","phone":"9876500000","metadata":{"refs":{"orderId":7}}}`,
				want: []string{`"metadata.refs.orderId":[`}},
			{name: "an unknown pipeline", method: "POST", path: "/api/saas/crm/leads", status: 404, body: `{"firstName":"A","phone":"9876500000","pipelineId":"pipeline_id"}`,
				want: []string{`"errors":{"pipelineId":[`}},
			{name: "the timeline", method: "GET", path: "/api/crm/leads/{lead}/timeline?limit=1", status: 200,
				want: []string{`"type":"lead_created"`, `"items":[{`, `"data":[{`, `"kind":"activity"`, `"leadId":"{lead}"`, `"total":1`}},
			{name: "archive", method: "DELETE", path: "/api/saas/crm/leads/{lead}", status: 200, want: []string{`"success":true`, `"message":"`, `"isArchived":true`, `"status":"archived"`}},
			{name: "the list leaves it out", method: "GET", path: "/api/saas/crm/leads", status: 200, want: []string{`"data":[]`}},
			{name: "unless asked", method: "GET", path: "/api/saas/crm/leads?status=archived", status: 200, want: []string{`"_id":"{lead}"`}},
			{name: "the phone takes it up again", method: "POST", path: "/api/saas/crm/leads", status: 201, body: `{"firstName":"Pia","phone":"9876543210"}`,
				want: []string{`"_id":"{lead}"`, `"firstName":"Pia"`, `"isArchived":false`, `"status":"open"`}},
		})
	})
}

func TestLeadsAreMovedByPatch(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c, saved := r.NewTenant("Acme"), map[string]string{}
		play(t, c, saved, []scene{
			{name: "pipelines", method: "GET", path: "/api/crm/pipelines", status: 200, want: []string{`"name":"New Lead"`, `"isWon":true`, `"isDefault":true`, `"autoActions":[]`},
				save: map[string]string{"pipeline": "data.0._id", "first": "data.0.stages.0._id", "second": "data.0.stages.1._id", "won": "data.0.stages.5._id"}},
			{name: "create in a stage", method: "POST", path: "/api/crm/leads", status: 201, body: `{"firstName":"A","phone":"9876500001","pipelineId":"{pipeline}","stageId":"{second}","dealValue":10.5}`,
				want: []string{`"stageId":"{second}"`, `"pipelineId":"{pipeline}"`}, save: map[string]string{"lead": "data.id"}},
			{name: "move", method: "PATCH", path: "/api/crm/leads/{lead}", status: 200, body: `{"stageId":"{won}"}`, want: []string{`"status":"won"`, `"stageId":"{won}"`, `"durationMs":`},
				forbid: []string{`"convertedAt":null`}},
			{name: "the status it has may be sent back", method: "PATCH", path: "/api/crm/leads/{lead}", status: 200, body: `{"status":"won","pipelineId":"{pipeline}","firstName":"B"}`, want: []string{`"firstName":"B"`, `"status":"won"`}},
			{name: "the board", method: "GET", path: "/api/crm/pipelines/{pipeline}/board", status: 200,
				want: []string{`"columns":[{`, `"leadCount":1,"total":1,"totalValue":10.5`, `"leadCount":0,"total":0,"totalValue":0`, `"_id":"{lead}"`}},
			{name: "the board of a malformed id", method: "GET", path: "/api/crm/pipelines/x/board", status: 404, want: []string{`"there is no such pipeline"`}},
			{name: "the board of an unknown id", method: "GET", path: "/api/crm/pipelines/aaaaaaaaaaaaaaaaaaaaaaaa/board", status: 404, want: []string{`"there is no such pipeline"`}},
			{name: "a limit that is too high", method: "GET", path: "/api/crm/pipelines/{pipeline}/board?limit=9999", status: 400, want: []string{`"limit":[`}},
		})
	})
}

func TestLeadList(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c := r.NewTenant("Acme")
		var leads []string
		for i := range 5 {
			leads = append(leads, fmt.Sprintf(`{"firstName":"N%d","phone":"98765000%02d","source":"s%d","tags":["t%d"],"dealValue":%d,"assignedTo":"u1"}`, i, 4-i, i%2, i, i)) // they are stored by phone, the greatest first
		}
		if a := c.Do("POST", "/api/crm/leads", "["+strings.Join(leads, ",")+"]"); a.Status != 201 || a.Str(t, "data.4.firstName") != "N4" {
			t.Fatalf("create many: %d %s", a.Status, a.Body)
		}
		play(t, c, map[string]string{}, []scene{
			{name: "first page", method: "GET", path: "/api/crm/leads?limit=2&sortBy=createdAt&sortDir=asc", status: 200,
				want: []string{`"N0"`, `"N1"`, `"pagination":{"total":5,"page":1,"limit":2,"pages":3}`, `"hasMore":true`}, forbid: []string{`"N2"`}},
			{name: "last page", method: "GET", path: "/api/crm/leads?limit=2&page=3&sortBy=createdAt&sortDir=asc", status: 200, want: []string{`"N4"`, `"hasMore":false`, `"page":3`}},
			{name: "past the end", method: "GET", path: "/api/crm/leads?limit=2&page=4", status: 200, want: []string{`"data":[]`, `"hasMore":false`, `"total":5`}},
			{name: "limit 1000 is honoured", method: "GET", path: "/api/crm/leads?limit=1000", status: 200, want: []string{`"limit":1000`}},
			{name: "above it is refused", method: "GET", path: "/api/crm/leads?limit=1001", status: 400, want: []string{`"limit":[`}},
			{name: "no page 0", method: "GET", path: "/api/crm/leads?page=0", status: 400, want: []string{`"page":[`}},
			{name: "every complaint", method: "GET", path: "/api/crm/leads?page=x&sortBy=name&status=gone&minScore=101", status: 400,
				want: []string{`"page":[`, `"sortBy":[`, `"status":[`, `"minScore":[`}},
			{name: "new means open", method: "GET", path: "/api/crm/leads?status=new&source=s1", status: 200, want: []string{`"N1"`, `"N3"`, `"total":2`}},
			{name: "by tags", method: "GET", path: "/api/crm/leads?tags=t1,t2&assignedTo=u1", status: 200, want: []string{`"total":2`}},
			{name: "by search", method: "GET", path: "/api/crm/leads?search=n3", status: 200, want: []string{`"N3"`, `"total":1`}},
			{name: "by value", method: "GET", path: "/api/crm/leads?sortBy=dealValue&limit=1", status: 200, want: []string{`"N4"`}},
			{name: "a malformed pipeline matches nothing", method: "GET", path: "/api/crm/leads?pipelineId=pipeline_id", status: 200, want: []string{`"data":[]`, `"total":0`}},
			{name: "an unknown stage matches nothing", method: "GET", path: "/api/crm/leads?stageId=aaaaaaaaaaaaaaaaaaaaaaaa", status: 200, want: []string{`"data":[]`, `"total":0`}},
			{name: "long ago", method: "GET", path: "/api/crm/leads?endDate=2020-01-01", status: 200, want: []string{`"total":0`}},
			{name: "by a reference that nobody has", method: "GET", path: "/api/crm/leads?orderId=ORD'1", status: 200, want: []string{`"total":0`}},
			{name: "a lead with a reference", method: "POST", path: "/api/crm/leads", status: 201,
				body: `{"firstName":"Ref","phone":"9876511111","metadata":{"refs":{"orderId":"ORD-77","bookingId":"B"}}}`, want: []string{`"ORD-77"`}},
			{name: "by its reference", method: "GET", path: "/api/crm/leads?orderId=ORD-77&bookingId=B", status: 200, want: []string{`"Ref"`, `"total":1`}},
			{name: "both must agree", method: "GET", path: "/api/crm/leads?orderId=ORD-77&bookingId=C", status: 200, want: []string{`"total":0`}},
		})
	})
}

func TestBulkCreation(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c := r.NewTenant("Acme")
		if a := c.Do("POST", "/api/crm/leads", `{"firstName":"Known","phone":"9876500009"}`); a.Status != 201 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		before := r.Rows()
		play(t, c, map[string]string{}, []scene{
			{name: "a bad phone names its lead", method: "POST", path: "/api/crm/leads/bulk", status: 400,
				body: `{"leads":[{"firstName":"A","phone":"9876500001"},{"firstName":"B","phone":"1"}]}`, want: []string{`"code":"INVALID_PHONE"`, `"leads[1].phone":[`}},
			{name: "a wrong type names its lead", method: "POST", path: "/api/crm/leads", status: 400,
				body: `[{"firstName":"A","phone":"9876500001"},{"firstName":7,"phone":"9876500002"}]`, want: []string{`"leads[1].firstName":[`}},
			{name: "a phone twice", method: "POST", path: "/api/crm/leads", status: 409,
				body: `[{"firstName":"A","phone":"9876500001"},{"firstName":"B","phone":"+919876500001"}]`, want: []string{`"leads[1].phone":[`}},
			{name: "a known phone", method: "POST", path: "/api/crm/leads", status: 409,
				body: `[{"firstName":"A","phone":"9876500001"},{"firstName":"B","phone":"9876500009"}]`, want: []string{`"leads[1].phone":[`, `"leadId":"`}},
			{name: "an unknown stage", method: "POST", path: "/api/crm/leads", status: 404,
				body: `[{"firstName":"A","phone":"9876500001"},{"firstName":"B","phone":"9876500002","stageId":"aaaaaaaaaaaaaaaaaaaaaaaa"}]`, want: []string{`"leads[1].stageId":[`}},
			{name: "not a lead", method: "POST", path: "/api/crm/leads", status: 400, body: `[1]`, want: []string{`"leads[0]`}},
			{name: "none", method: "POST", path: "/api/crm/leads", status: 400, body: `[]`, want: []string{`"leads":[`}},
			{name: "too many", method: "POST", path: "/api/crm/leads/bulk", status: 400, body: `[` + strings.Repeat(`{},`, 1000) + `{}]`, want: []string{`"leads":[`, "1000"}},
		})
		if d := platformtest.Diff(before, r.Rows()); d != "" {
			t.Errorf("refused calls stored something: %s", d)
		}
	})
}

func TestUpsert(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		play(t, r.NewTenant("Acme"), map[string]string{}, []scene{
			{name: "a new one", method: "POST", path: "/api/crm/leads/upsert", status: 201,
				body: `{"leadData":{"phone":"+919876543210","name":"Priya Devi Sharma","tags":["a"]},"moduleInfo":{"module":"product_purchase","id":"ORD-9"},"trigger":"webinar_joined"}`,
				want: []string{`"firstName":"Priya"`, `"lastName":"Devi Sharma"`, `"refs":{"orderId":"ORD-9"}`}, save: map[string]string{"lead": "data.id"}},
			{name: "a known one", method: "POST", path: "/api/saas/crm/leads/upsert", status: 200, body: `{"leadData":{"phone":"9876543210","email":"p@x.example","tags":["b"]}}`,
				want: []string{`"_id":"{lead}"`, `"firstName":"Priya"`, `"email":"p@x.example"`, `"tags":["a","b"]`}},
			{name: "without a name", method: "POST", path: "/api/crm/leads/upsert", status: 201, body: `{"leadData":{"phone":"9876543211"}}`, want: []string{`"firstName":"919876543211"`}},
			{name: "without data", method: "POST", path: "/api/crm/leads/upsert", status: 400, body: `{}`, want: []string{`"code":"MISSING_REQUIRED"`, `"leadData":[`}},
			{name: "without a phone", method: "POST", path: "/api/crm/leads/upsert", status: 400, body: `{"leadData":{}}`, want: []string{`"leadData.phone":[`}},
			{name: "a bad phone", method: "POST", path: "/api/crm/leads/upsert", status: 400, body: `{"leadData":{"phone":"12"}}`, want: []string{`"leadData.phone":[`, `"INVALID_PHONE"`}},
			{name: "a wrong type", method: "POST", path: "/api/crm/leads/upsert", status: 400, body: `{"leadData":{"phone":"9876543210","tags":[1]}}`, want: []string{`"leadData.tags`}},
			{name: "data of the wrong type", method: "POST", path: "/api/crm/leads/upsert", status: 400, body: `{"leadData":[]}`, want: []string{`"leadData":[`}},
			{name: "an unknown stage", method: "POST", path: "/api/crm/leads/upsert", status: 404, body: `{"leadData":{"phone":"9876543210"},"stageId":"stage_id"}`, want: []string{`"stageId":[`}},
			{name: "a bad trigger", method: "POST", path: "/api/crm/leads/upsert", status: 400, body: `{"leadData":{"phone":"9876543299"},"trigger":"a b"}`, want: []string{`"INVALID_TRIGGER"`, `"trigger":[`}},
			{name: "which stored nothing", method: "GET", path: "/api/crm/leads/phone/9876543299", status: 404},
		})
	})
}

// Whoever walks the pages meets every lead once, and learns where they end.
func TestAutoPaging(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c := r.NewTenant("Acme")
		const n = 53
		var leads []map[string]any
		for i := range n {
			leads = append(leads, map[string]any{"firstName": "A", "phone": fmt.Sprintf("98765%05d", i)})
		}
		if a := c.Do("POST", "/api/saas/crm/leads/bulk", map[string]any{"leads": leads}); a.Status != 201 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		seen := map[string]int{}
		for page := 1; ; page++ {
			a := c.Do("GET", fmt.Sprintf("/api/saas/crm/leads?limit=10&page=%d", page), nil)
			data, _ := a.Get(t, "data").([]any)
			for _, l := range data {
				seen[l.(map[string]any)["_id"].(string)]++
			}
			if more := a.Get(t, "hasMore") == true; more != (page < 6) || (len(data) == 0) != (page > 6) {
				t.Errorf("page %d has %d leads, hasMore %v", page, len(data), more)
			}
			if len(data) == 0 {
				break
			}
		}
		if len(seen) != n {
			t.Errorf("%d leads were seen, not %d", len(seen), n)
		}
	})
}
