package platform_test

import (
	"testing"

	"parley/test/platformtest"
)

func TestMergeLeads(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c := r.NewTenant("Acme")
		play(t, c, map[string]string{"nobody": "0123456789abcdef01234567"}, []scene{
			{name: "the older", method: "POST", path: "/api/crm/leads", status: 201, body: `{"firstName":"Ann","phone":"9876500001","tags":["a"]}`, save: map[string]string{"old": "data._id"}},
			{name: "the younger", method: "POST", path: "/api/crm/leads", status: 201, body: `{"firstName":"Anna","lastName":"Berg","phone":"9876500002","email":"b@x.de","tags":["b"]}`, save: map[string]string{"young": "data._id"}},
			{name: "nothing to take back", method: "POST", path: "/api/crm/leads/{old}/unmerge", status: 409, want: []string{`"CONFLICT"`, "nothing was merged here"}},
			{name: "without the other", method: "POST", path: "/api/crm/leads/{old}/merge", status: 400, body: `{}`, want: []string{`"MISSING_REQUIRED"`, `"leadId":[`}},
			{name: "an unknown other", method: "POST", path: "/api/crm/leads/{old}/merge", status: 404, body: `{"leadId":"{nobody}"}`, want: []string{`"leadId":[`}},
			{name: "an unknown one", method: "POST", path: "/api/crm/leads/{nobody}/merge", status: 404, body: `{"leadId":"{old}"}`, forbid: []string{`"leadId":[`}},
			{name: "merge", method: "POST", path: "/api/saas/crm/leads/{young}/merge", status: 200, body: `{"leadId":"{old}"}`,
				want: []string{`"_id":"{old}"`, `"firstName":"Ann"`, `"lastName":"Berg"`, `"email":"b@x.de"`, `"tags":["a","b"]`, `"phone":"919876500001"`}},
			{name: "the old id works", method: "GET", path: "/api/crm/leads/{young}", status: 200, want: []string{`"_id":"{old}"`}},
			{name: "by the other's phone", method: "GET", path: "/api/crm/leads/phone/9876500002", status: 200, want: []string{`"_id":"{old}"`}},
			{name: "one is listed", method: "GET", path: "/api/crm/leads", status: 200, want: []string{`"total":1`}, forbid: []string{`{young}`}},
			{name: "a change by the old id", method: "PATCH", path: "/api/crm/leads/{young}", status: 200, body: `{"tags":["c"],"dealValue":5}`, want: []string{`"_id":"{old}"`, `"tags":["c"]`}},
			{name: "its timeline", method: "GET", path: "/api/crm/leads/{young}/timeline", status: 200},
			{name: "take it back", method: "POST", path: "/api/crm/leads/{young}/unmerge", status: 200, want: []string{`"lead":{"_id":"{old}"`, `"restored":{"_id":"{young}"`, `"phone":"919876500002"`}},
			{name: "both are listed", method: "GET", path: "/api/crm/leads", status: 200, want: []string{`"total":2`, `{young}`, `{old}`}},
		})
	})
}

func TestLeadConsent(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c := r.NewTenant("Acme")
		play(t, c, map[string]string{"nobody": "0123456789abcdef01234567"}, []scene{
			{name: "a lead", method: "POST", path: "/api/crm/leads", status: 201, body: `{"firstName":"Ann","phone":"9876500001"}`, save: map[string]string{"lead": "data._id"}},
			{name: "nothing is known", method: "GET", path: "/api/crm/leads/{lead}/consent", status: 200, want: []string{`"data":[]`, `"history":[]`}},
			{name: "both purposes", method: "PUT", path: "/api/crm/leads/{lead}/consent", status: 200, body: `{"channel":" WhatsApp ","state":"in","source":"web form"}`,
				want: []string{`"channel":"whatsapp","purpose":"marketing","state":"in","source":"web form"`, `"purpose":"service","state":"in"`, `"recordedBy":"key:`}},
			{name: "one refused", method: "PUT", path: "/api/crm/leads/{lead}/consent", status: 200, body: `{"channel":"whatsapp","purpose":"marketing","state":"out"}`,
				want: []string{`"purpose":"marketing","state":"out","source":"api"`, `"purpose":"service","state":"in"`}},
			{name: "said long ago", method: "PUT", path: "/api/crm/leads/{lead}/consent", status: 200, body: `{"channel":"whatsapp","state":"in","at":"2020-01-01T00:00:00Z"}`,
				want: []string{`"purpose":"marketing","state":"out"`}, forbid: []string{"2020"}},
			{name: "a bad state", method: "PUT", path: "/api/crm/leads/{lead}/consent", status: 400, body: `{"channel":"whatsapp","state":"maybe"}`, want: []string{`"state":[`}},
			{name: "a bad purpose", method: "PUT", path: "/api/crm/leads/{lead}/consent", status: 400, body: `{"channel":"whatsapp","state":"in","purpose":"fun"}`, want: []string{`"purpose":[`}},
			{name: "no channel", method: "PUT", path: "/api/crm/leads/{lead}/consent", status: 400, body: `{"state":"in"}`, want: []string{`"channel":[`}},
			{name: "a bad time", method: "PUT", path: "/api/crm/leads/{lead}/consent", status: 400, body: `{"channel":"whatsapp","state":"in","at":"yesterday"}`, want: []string{`"at":[`}},
			{name: "of nobody", method: "GET", path: "/api/crm/leads/{nobody}/consent", status: 404},
			{name: "for nobody", method: "PUT", path: "/api/crm/leads/{nobody}/consent", status: 404, body: `{"channel":"whatsapp","state":"in"}`},
		})
	})
}
