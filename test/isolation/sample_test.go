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
	{"/leads/{id}", "lead"},
	{"/pipelines/{id}", "pipeline"},
	{"/runs/{id}", "run"},
	{"/automations/{id}", "rule"},
	{"/conversations/{id}", "conversation"},
	{"/queue/{id}", "job"},
	{"/jobs/status/{id}", "job"},
}

// bodies holds a body with which each route that wants one succeeds.
var bodies = map[string]string{
	"POST /api/saas/crm/leads":                    `{"firstName":"New","phone":"9876511111","pipelineId":"{pipeline}","stageId":"{stage}"}`,
	"POST /api/saas/crm/leads/bulk":               `{"leads":[{"firstName":"New","phone":"9876511112","pipelineId":"{pipeline}","stageId":"{stage}"}]}`,
	"POST /api/saas/crm/leads/upsert":             `{"leadData":{"firstName":"New","phone":"9876511113"},"moduleInfo":{"module":"product_purchase","id":"O-1"},"trigger":"sample","pipelineId":"{pipeline}","stageId":"{stage}"}`,
	"PATCH /api/saas/crm/leads/{id}":              `{"firstName":"Changed","pipelineId":"{pipeline}","stageId":"{stage}"}`,
	"POST /api/saas/crm/automations":              `{"name":"Another","trigger":"sample","nodes":[{"id":"end","type":"end"}],"edges":[]}`,
	"PATCH /api/saas/crm/automations/{id}":        `{"name":"Changed"}`,
	"PATCH /api/saas/crm/automations/{id}/toggle": `{"isActive":true}`,
	"POST /api/saas/workflows/trigger":            `{"trigger":"sample","leadId":"{lead}"}`,
	"POST /api/saas/chat/send":                    `{"conversationId":"{conversation}","replyToId":"{message}","text":"Hello"}`,
}

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
	lead := must(o.Do("POST", "/api/crm/leads", `{"firstName":"Lead of `+name+`","phone":"`+person+`"}`))
	o.ids["lead"], o.ids["pipeline"], o.ids["stage"] = lead.Str(t, "data._id"), lead.Str(t, "data.pipelineId"), lead.Str(t, "data.stageId")
	if err := r.Conversations.Receive(context.Background(), account, channel.Batch{Messages: []channel.Incoming{{Account: account.ExternalID,
		ProviderID: "wamid." + name, From: person, ProfileName: "Person of " + name, At: time.Now(), Kind: channel.Text, Text: "Secret of " + name}}}); err != nil {
		t.Fatal(err)
	}
	o.ids["conversation"] = must(o.Do("GET", "/api/saas/chat/conversations", nil)).Str(t, "data.0._id")
	o.ids["message"] = must(o.Do("GET", "/api/saas/chat/conversations/"+o.ids["conversation"]+"/messages", nil)).Str(t, "data.0._id")
	must(o.Do("POST", "/api/saas/workflows/trigger", `{"trigger":"sample","phone":"`+person+`"}`))
	o.ids["run"] = must(o.Do("GET", "/api/crm/automations/"+o.ids["rule"]+"/runs", nil)).Str(t, "data.0._id")
	o.ids["job"] = failedJob(t, r, o.ID)
	for noun, v := range o.ids {
		if v == "" {
			t.Fatalf("%s has no %s", name, noun)
		}
	}
	return o
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
	for _, n := range nouns {
		if i := strings.Index(pattern, n.piece); i >= 0 {
			head := n.piece[:strings.Index(n.piece, "{")]
			return pattern[:i] + head + "{" + n.noun + "}" + pattern[i+len(n.piece):], n.noun
		}
	}
	t.Fatalf("say in nouns what the parameter of %s is", pattern)
	return "", ""
}
