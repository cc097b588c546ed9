package platform_test

import (
	"testing"

	"parley/test/platformtest"
)

func TestTemplates(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c, saved := r.NewTenant("Acme"), map[string]string{}
		c.Connect("15550001")
		const at, alias = "/api/saas/chat/templates", "/api/saas/whatsapp/templates"
		play(t, c, saved, []scene{
			{name: "sync", method: "POST", path: at + "/sync", status: 200},
			{name: "a lead", method: "POST", path: "/api/crm/leads", status: 201, body: `{"firstName":"Priya","phone":"9876543210"}`, save: map[string]string{"lead": "data._id"}},
			{name: "by name", method: "GET", path: at + "/welcome", status: 200, want: []string{`"name":"welcome"`, `"lastMappingUpdatedAt":null`}, save: map[string]string{"t": "data._id"}},
			{name: "by id", method: "GET", path: alias + "/{t}", status: 200, want: []string{`"name":"welcome"`}},
			{name: "an unknown one", method: "GET", path: at + "/nope", status: 404, want: []string{`there is no such template`}},
			{name: "what a mapping may name", method: "GET", path: at + "/mapping/config", status: 200, want: []string{`"sources":["crm"`, `"formatDate"`, `"titlecase"`, `"skip_send"`}},
			{name: "collections", method: "GET", path: at + "/collections", status: 200, want: []string{`"data":["leads","pipelines","stages"]`}},
			{name: "fields", method: "GET", path: alias + "/collections/leads/fields", status: 200, want: []string{`"name":"firstName"`}},
			{name: "no such collection", method: "GET", path: at + "/collections/secrets/fields", status: 404},
			{name: "not ready", method: "GET", path: at + "/welcome/validate", status: 200, want: []string{`"isReady":false`, `"reason":"unmapped"`}},
			{name: "a preview without a mapping", method: "POST", path: at + "/welcome/preview", status: 200, body: `{}`, want: []string{`"previewText":"Hi {{1}}, thank you`}},
			{name: "a bad mapping", method: "PUT", path: at + "/welcome/mapping", status: 400, body: `{"mappings":[{"position":9,"source":"crm"}]}`, want: []string{`"mappings[0].position":[`}},
			{name: "no mapping", method: "PUT", path: at + "/welcome/mapping", status: 400, body: `{}`, want: []string{`"mappings":[`}},
			{name: "half a mapping", method: "PUT", path: at + "/welcome/mapping", status: 200, body: `{"mappings":[{"position":1,"source":"crm","collection":"leads","field":"firstName","transform":"uppercase"}],"onEmptyVariable":"use_fallback"}`, want: []string{`"mappingStatus":"partial"`, `"onEmptyVariable":"use_fallback"`}},
			{name: "the whole", method: "PUT", path: alias + "/{t}/mapping", status: 200, body: `{"mappings":[{"position":1,"source":"crm","field":"firstName","transform":"uppercase"},{"position":2,"source":"trigger","field":"product","required":true}]}`, want: []string{`"mappingStatus":"complete"`}, forbid: []string{`"lastMappingUpdatedAt":null`}},
			{name: "ready", method: "GET", path: at + "/welcome/validate", status: 200, want: []string{`"isReady":true`}},
			{name: "a preview", method: "POST", path: at + "/welcome/preview", status: 200, body: `{"context":{"lead":{"leadId":"{lead}"},"vars":{"product":"solar"}}}`, want: []string{`"resolvedVariables":["PRIYA","solar"]`, `"previewText":"Hi PRIYA, thank you for your interest in solar.`, `{"position":1,"value":"PRIYA"}`}},
			{name: "a preview for nobody", method: "POST", path: at + "/welcome/preview", status: 404, body: `{"context":{"lead":{"leadId":"aaaaaaaaaaaaaaaaaaaaaaaa"}}}`},
			{name: "a send by the mapping", method: "POST", path: "/api/saas/chat/send", status: 200, body: `{"to":"9876543210","templateName":"welcome","variables":{"product":"solar"}}`, want: []string{`"variables":["PRIYA","solar"]`}},
			{name: "a send that lacks a value", method: "POST", path: "/api/saas/chat/send", status: 422, body: `{"to":"9876543210","templateName":"welcome"}`, want: []string{`"TEMPLATE_NOT_READY"`, `"details":[`, `"reason":"required"`}},
			{name: "what the provider reviewed", method: "PUT", path: at + "/welcome", status: 409, body: `{"bodyText":"Hi"}`},
			{name: "what is ours", method: "PUT", path: at + "/welcome", status: 200, body: `{"isActive":false,"name":"welcome"}`, want: []string{`"isActive":false`}},
			{name: "create", method: "POST", path: at, status: 201, body: `{"name":"offer_of_may","bodyText":"Hi {{1}}","category":"marketing"}`, want: []string{`"status":"PENDING"`, `"category":"MARKETING"`}},
			{name: "create again", method: "POST", path: alias, status: 409, body: `{"name":"offer_of_may","bodyText":"Hi"}`},
			{name: "create nothing", method: "POST", path: at, status: 400, body: `{}`, want: []string{`"name":[`, `"bodyText":[`}},
			{name: "a rule", method: "POST", path: "/api/crm/automations", status: 201, body: `{"name":"Greeter","trigger":"hello","actions":[{"type":"send_whatsapp","config":{"templateName":"offer_of_may"}}]}`, save: map[string]string{"rule": "data._id"}},
			{name: "usage", method: "GET", path: at + "/offer_of_may/usage", status: 200, want: []string{`"usedIn":[{"ruleId":"{rule}","ruleName":"Greeter","isActive":true}]`}},
			{name: "no usage", method: "GET", path: at + "/welcome/usage", status: 200, want: []string{`"usedIn":[]`}},
			{name: "delete what is used", method: "DELETE", path: at + "/offer_of_may", status: 409, want: []string{`Greeter`}},
			{name: "by force", method: "DELETE", path: at + "/offer_of_may?force=true", status: 200, want: []string{`"success":true`}},
			{name: "delete again", method: "DELETE", path: alias + "/offer_of_may", status: 404},
		})
	})
}
