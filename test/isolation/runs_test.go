package isolation

import (
	"strings"
	"testing"

	"parley/test/platformtest"
)

// renewRun gives the owner a run, or an enrollment, that the route's order fits:
// the routes before it may have ended theirs.
func (o *owner) renewRun(t *testing.T, pattern string) {
	t.Helper()
	must := func(a platformtest.Answer) platformtest.Answer {
		t.Helper()
		if a.Status >= 300 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		return a
	}
	enroll := func(rule string) string {
		t.Helper()
		lead := must(o.Do("POST", "/api/crm/leads/upsert", `{"leadData":{"firstName":"Runner","phone":"9876544444"}}`)).Str(t, "data._id")
		return must(o.Do("POST", "/api/crm/sequences/enroll", `{"leadId":"`+lead+`","ruleId":"`+rule+`"}`)).Str(t, "data._id")
	}
	sequence := func(step string) string {
		t.Helper()
		return must(o.Do("POST", "/api/crm/automations", `{"name":"For a run","trigger":"for_a_run","isSequence":true,"steps":[`+step+`]}`)).Str(t, "data._id")
	}
	switch {
	case strings.HasSuffix(pattern, "/sequences/enroll"):
		must(o.Do("POST", "/api/crm/sequences/unenroll/"+o.ids["enrollment"], nil))
	case strings.Contains(pattern, "{enrollment}"):
		o.ids["sequence"] = sequence(`{"delayMinutes":60,"type":"add_tag","tag":"x"}`)
		o.ids["enrollment"] = enroll(o.ids["sequence"])
		if strings.HasSuffix(pattern, "/resume") {
			must(o.Do("POST", "/api/crm/automations/"+o.ids["sequence"]+"/enrollments/"+o.ids["enrollment"]+"/pause", nil))
		}
	case strings.HasSuffix(pattern, "/runs/{id}/retry"):
		o.ids["run"] = enroll(sequence(`{"type":"send_whatsapp","templateName":"missing","onFailure":"stop"}`))
	case strings.Contains(pattern, "/runs/{id}"):
		o.ids["run"] = enroll(sequence(`{"delayMinutes":60,"type":"add_tag","tag":"x"}`))
	}
}
