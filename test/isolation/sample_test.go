package isolation

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"parley/internal/channel"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
	"parley/test/platformtest"
)

// unknown is a well-formed id that nobody has.
const unknown = "0123456789abcdef01234567"

// nouns says what the parameter of a path is, by the piece of the path before
// and with it. The first match counts.
var nouns = []struct{ piece, noun string }{
	{"/leads/phone/{phone}", "phone"},
	{"/{value}", "ref"},
	{"/leads/{id}", "lead"},
	{"/pipelines/{id}", "pipeline"},
	{"/stages/{id}", "stage"},
	{"/runs/{id}", "run"},
	{"/enrollments/{enrollment}", "enrollment"},
	{"/unenroll/{enrollment}", "enrollment"},
	{"/sequences/lead/{lead}", "lead"},
	{"/{sequence}", "sequence"},
	{"/webhook/{id}", "rule"},
	{"/automations/{id}", "rule"},
	{"/custom-events/{id}", "event"},
	{"/events/logs/{id}", "log"},
	{"/conversations/{id}", "conversation"},
	{"/messages/{id}", "message"},
	{"/templates/{name}", "template"},
	{"/queue/{id}", "job"},
	{"/jobs/status/{id}", "job"},
}

// queries holds what a route wants to be asked.
var queries = map[string]string{"GET /api/saas/crm/automations/{id}/explain": "?leadId={lead}"}

// bodies holds a body with which each route that wants one succeeds.
var bodies = map[string]string{
	"POST /api/saas/crm/leads":                               `{"firstName":"New","phone":"9876511111","pipelineId":"{pipeline}","stageId":"{stage}"}`,
	"POST /api/saas/crm/leads/bulk":                          `{"leads":[{"firstName":"New","phone":"9876511112","pipelineId":"{pipeline}","stageId":"{stage}"}]}`,
	"POST /api/saas/crm/leads/import":                        `{"leads":[{"firstName":"New","phone":"9876511114"}]}`,
	"POST /api/saas/crm/leads/bulk-delete":                   `{"ids":["0123456789abcdef01234567"]}`,
	"DELETE /api/saas/crm/leads":                             `{"ids":["0123456789abcdef01234567"]}`,
	"PATCH /api/saas/crm/leads/{id}/metadata":                `{"refs":{"orderId":"R-1"},"extra":{"plan":null}}`,
	"PATCH /api/saas/crm/leads/{id}/move":                    `{"stageId":"{stage}"}`,
	"POST /api/saas/crm/leads/{id}/convert":                  `{"outcome":"won","reason":"sample"}`,
	"PATCH /api/saas/crm/leads/{id}/tags":                    `{"add":["sample"],"remove":["other"]}`,
	"POST /api/saas/crm/pipelines":                           `{"name":"Another","template":"support"}`,
	"PATCH /api/saas/crm/pipelines/{id}":                     `{"name":"Changed"}`,
	"POST /api/saas/crm/pipelines/{id}/duplicate":            `{"name":"Copy"}`,
	"POST /api/saas/crm/pipelines/{id}/stages":               `{"name":"One more"}`,
	"PATCH /api/saas/crm/pipelines/{id}/stages/reorder":      `{"order":["{fallback}","{stage}"]}`,
	"PATCH /api/saas/crm/stages/{id}":                        `{"probability":55}`,
	"DELETE /api/saas/crm/stages/{id}":                       `{"moveLeadsToStageId":"{fallback}"}`,
	"POST /api/saas/crm/leads/upsert":                        `{"leadData":{"firstName":"New","phone":"9876511113"},"moduleInfo":{"module":"product_purchase","id":"O-1"},"trigger":"sample","pipelineId":"{pipeline}","stageId":"{stage}"}`,
	"POST /api/saas/crm/leads/{id}/merge":                    `{"leadId":"{lead}"}`,
	"PUT /api/saas/crm/leads/{id}/consent":                   `{"channel":"whatsapp","state":"in"}`,
	"PATCH /api/saas/crm/leads/{id}":                         `{"firstName":"Changed","pipelineId":"{pipeline}","stageId":"{stage}"}`,
	"POST /api/saas/crm/automations":                         `{"name":"Another","trigger":"sample","nodes":[{"id":"end","type":"end"}],"edges":[]}`,
	"PATCH /api/saas/crm/automations/{id}":                   `{"name":"Changed"}`,
	"PATCH /api/saas/crm/automations/{id}/toggle":            `{"isActive":true}`,
	"POST /api/saas/crm/automations/bulk-delete":             `{"ids":["0123456789abcdef01234567"]}`,
	"POST /api/saas/crm/automations/{id}/test":               `{"leadId":"{lead}"}`,
	"POST /api/saas/crm/automations/{id}/webhook-event":      `{"eventName":"paid","payload":{"n":1}}`,
	"POST /api/saas/crm/automations/{id}/events/{eventName}": `{"n":1}`,
	"POST /api/saas/crm/sequences/enroll":                    `{"leadId":"{lead}","ruleId":"{sequence}"}`,
	"POST /api/saas/workflows/trigger":                       `{"trigger":"sample","leadId":"{lead}"}`,
	"POST /api/saas/crm/events/emit":                         `{"eventName":"sample","leadId":"{lead}","payload":{"n":1}}`,
	"POST /api/saas/events/assign":                           `{"name":"sample_event","pipelineId":"{pipeline}","stageId":"{stage}"}`,
	"POST /api/saas/events/unassign":                         `{"name":"sample_event"}`,
	"POST /api/saas/events/unassign/bulk":                    `{"names":["sample_event"]}`,
	"POST /api/saas/crm/custom-events":                       `{"name":"another_event","displayName":"Another","pipelineId":"{pipeline}","stageId":"{stage}"}`,
	"POST /api/saas/chat/messages/{id}/star":                 `{"isStarred":true}`,
	"POST /api/saas/chat/messages/{id}/react":                `{"reaction":"👍"}`,
	"POST /api/saas/chat/conversations":                      `{"phone":"9876511114","leadId":"{lead}"}`,
	"POST /api/saas/chat/conversations/bulk-delete":          `{"ids":["0123456789abcdef01234567"]}`,
	"DELETE /api/saas/chat/conversations":                    `{"ids":["0123456789abcdef01234567"]}`,
	"PATCH /api/saas/chat/conversations/{id}":                `{"status":"closed"}`,
	"POST /api/saas/chat/conversations/{id}/link-lead":       `{"leadId":"{lead}"}`,
	"POST /api/saas/chat/conversations/{id}/owner":           `{"action":"take","agent":"asha"}`,
	"POST /api/saas/chat/templates":                          `{"name":"another_one","bodyText":"Hello {{1}}"}`,
	"PUT /api/saas/chat/templates/{name}":                    `{"isActive":true}`,
	"PUT /api/saas/chat/templates/{name}/mapping":            `{"mappings":[]}`,
	"POST /api/saas/chat/templates/{name}/preview":           `{"context":{"lead":{"leadId":"{lead}"}}}`,
	"POST /api/saas/chat/send":                               `{"conversationId":"{conversation}","replyToId":"{message}","text":"Hello"}`,
}

// forms are the routes that take a form instead, with one that works.
var forms = map[string]string{
	"POST /api/saas/chat/upload": "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--x--\r\n",
}

// fixed are parameters that name nothing of a tenant's.
var fixed = map[string]string{"/collections/{name}": "/collections/leads"}

// owner is a tenant with one of everything.
type owner struct {
	*platformtest.Tenant
	ids map[string]string // by noun
}

// own makes a tenant that has one of everything. number is its WhatsApp number,
// person the phone of its lead.
func own(t *testing.T, r *platformtest.Rig, name, number, person string) *owner {
	t.Helper()
	o := &owner{r.NewTenant(name), map[string]string{"phone": person}}
	account := o.Connect(number)
	must := func(a platformtest.Answer) platformtest.Answer {
		t.Helper()
		if a.Status >= 300 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		return a
	}
	rule := must(o.Do("POST", "/api/crm/automations", `{"name":"Sample of `+name+`","trigger":"sample","nodes":[{"id":"w","type":"delay","data":{"delayMinutes":60}}],"edges":[]}`))
	o.ids["rule"] = rule.Str(t, "data._id")
	must(o.Do("POST", "/api/saas/chat/templates/sync", nil))
	o.ids["template"] = must(o.Do("GET", "/api/saas/chat/templates", nil)).Str(t, "data.0._id")
	lead := must(o.Do("POST", "/api/crm/leads", `{"firstName":"Lead of `+name+`","phone":"`+person+`","metadata":{"refs":{"key`+name+`":"REF-`+name+`"}}}`))
	o.ids["key"], o.ids["ref"] = "key"+name, "REF-"+name
	o.ids["lead"], o.ids["pipeline"], o.ids["stage"] = lead.Str(t, "data._id"), lead.Str(t, "data.pipelineId"), lead.Str(t, "data.stageId")
	o.ids["fallback"] = must(o.Do("GET", "/api/crm/pipelines/"+o.ids["pipeline"], nil)).Str(t, "data.stages.1._id")
	if err := r.Conversations.Receive(context.Background(), account, channel.Batch{Messages: []channel.Incoming{{Account: account.ExternalID,
		ProviderID: "wamid." + name, From: person, ProfileName: "Person of " + name, At: time.Now(), Kind: channel.Text, Text: "Secret of " + name}}}); err != nil {
		t.Fatal(err)
	}
	o.ids["conversation"] = must(o.Do("GET", "/api/saas/chat/conversations", nil)).Str(t, "data.0._id")
	o.ids["message"] = must(o.Do("GET", "/api/saas/chat/conversations/"+o.ids["conversation"]+"/messages", nil)).Str(t, "data.0._id")
	o.ids["event"] = must(o.Do("POST", "/api/saas/events/assign", `{"name":"sample_event","description":"Event of `+name+`"}`)).Str(t, "data._id")
	o.ids["log"] = must(o.Do("POST", "/api/saas/workflows/trigger", `{"trigger":"sample","phone":"`+person+`"}`)).Str(t, "data.eventLogId")
	o.ids["run"] = must(o.Do("GET", "/api/crm/automations/"+o.ids["rule"]+"/runs", nil)).Str(t, "data.0._id")
	o.ids["sequence"] = must(o.Do("POST", "/api/crm/automations", `{"name":"Sequence of `+name+`","trigger":"sample_sequence","isSequence":true,"steps":[{"delayMinutes":60,"action":{"type":"add_tag","config":{"tag":"x"}}}]}`)).Str(t, "data._id")
	o.ids["enrollment"] = must(o.Do("POST", "/api/crm/sequences/enroll", `{"leadId":"`+o.ids["lead"]+`","ruleId":"`+o.ids["sequence"]+`"}`)).Str(t, "data._id")
	o.ids["job"] = failedJob(t, r, o.ID)
	twin := must(o.Do("POST", "/api/crm/leads", `{"firstName":"Twin","phone":"98760`+person[len(person)-5:]+`"}`)) // something to take back
	must(o.Do("POST", "/api/crm/leads/"+o.ids["lead"]+"/merge", `{"leadId":"`+twin.Str(t, "data._id")+`"}`))
	for noun, v := range o.ids {
		if v == "" {
			t.Fatalf("%s has no %s", name, noun)
		}
	}
	return o
}

// renew gives the owner a pipeline of two stages for a route that changes one, as
// the routes before it may have deleted or archived theirs.
func (o *owner) renew(t *testing.T, pattern string) {
	t.Helper()
	o.renewRun(t, pattern)
	if !strings.Contains(pattern, "/pipelines/{id}") && !strings.Contains(pattern, "/stages/{id}") {
		return
	}
	a := o.Do("POST", "/api/crm/pipelines", `{"name":"Pipeline","stages":[{"name":"First"},{"name":"Second"}]}`)
	if a.Status != 201 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	o.ids["pipeline"], o.ids["stage"], o.ids["fallback"] = a.Str(t, "data._id"), a.Str(t, "data.stages.0._id"), a.Str(t, "data.stages.1._id")
}

// failedJob writes a job that failed for good.
func failedJob(t *testing.T, r *platformtest.Rig, tenant id.ID) string {
	t.Helper()
	jid, err := store.Write(context.Background(), r.DB, tenant, func(tx *store.Tx) (id.ID, error) {
		jid, _, err := job.Enqueue(tx, job.New{Kind: "sample"})
		if err != nil {
			return jid, err
		}
		_, err = tx.Exec("UPDATE job SET state='discarded', attempt=3, last_error='sample', finished_at=? WHERE tenant_id=? AND id=?", tx.Now(), jid)
		return jid, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return jid.String()
}

// filled puts ids into a path or a body; values override the owner's own.
func (o *owner) filled(s string, values map[string]string) string {
	all := maps.Clone(o.ids)
	maps.Copy(all, values)
	for noun, v := range all {
		s = strings.ReplaceAll(s, "{"+noun+"}", v)
	}
	return s
}

// parameter returns the pattern with its parameter named after the noun, and
// the noun; "" when the path has none.
func parameter(t *testing.T, pattern string) (path, noun string) {
	t.Helper()
	if !strings.Contains(pattern, "{") {
		return pattern, ""
	}
	for piece, value := range fixed {
		if strings.Contains(pattern, piece) {
			return strings.Replace(pattern, piece, value, 1), ""
		}
	}
	for _, n := range nouns {
		if i := strings.Index(pattern, n.piece); i >= 0 {
			head := n.piece[:strings.Index(n.piece, "{")]
			return pattern[:i] + head + "{" + n.noun + "}" + pattern[i+len(n.piece):], n.noun
		}
	}
	t.Fatalf("say in nouns what the parameter of %s is", pattern)
	return "", ""
}
