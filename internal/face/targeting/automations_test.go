package targeting_test

import (
	"fmt"
	"net/http"
	"testing"

	"parley/internal/id"
	"parley/test/apitest"
)

const welcome = `{"flow_name":"Welcome","entity_schema":"contact","label":"mine","triggers":[{"type":"entity_manual"}],
	"conditions":[{"id":"adult","statements":[{"operation":"greater_than","source":{"attribute":"age"},"values":["17"]}]}],
	"actions":[{"id":"greet","type":"add_tag","config":{"tag":"greeted {{entity.first_name}}"}},{"type":"add_tag","condition_id":"adult","config":{"tag":"adult"}}]}`

func aged(t *testing.T, c *apitest.Caller, n int, age int) string {
	t.Helper()
	return c.Post("/v1/entity/contact", map[string]any{"first_name": fmt.Sprintf("P%d", n), "phone": fmt.Sprintf("+9198%08d", n), "age": age}).OK().Str("_id")
}

func TestFlows(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c := acme.Targeting()
		if a := c.Get("/v1/automation/flows").OK(); string(a.Body) != `{"results":[],"total":0}` {
			t.Errorf("no flows: %s", a.Body)
		}
		made := c.Post("/v1/automation/flows", welcome).OK()
		if made.Status != http.StatusCreated || made.Str("flow_name") != "Welcome" || made.Get("enabled") != true || made.Get("runs") != 0.0 || made.Str("label") != "mine" ||
			made.Str("org_id") != acme.ID.UUID() || made.Str("actions.1.id") != "action-2" || made.Str("conditions.0.statements.0.source.attribute") != "age" {
			t.Errorf("made: %s", made.Body)
		}
		at := "/v1/automation/flows/" + made.Str("id")
		if a := c.Get(at).OK(); string(a.Body) != string(made.Body) {
			t.Errorf("read: %s", a.Body)
		}
		if a := c.Put(at, made.Body).OK(); a.Get("version") != 1.0 || a.Str("id") != made.Str("id") {
			t.Errorf("the same again: %s", a.Body)
		}
		if a := c.Put(at, `{"flow_name":"Hello","enabled":false,"actions":[{"type":"send-message","config":{"text":"hi"}}]}`).OK(); a.Get("enabled") != false || a.Get("label") != nil {
			t.Errorf("replaced: %s", a.Body)
		}
		// On the platform API it is an automation, and an automation is a flow here.
		p := acme.Platform()
		if a := p.Get("/api/crm/automations").OK(); a.Str("data.0.name") != "Hello" || a.Get("data.0.isActive") != false {
			t.Errorf("as an automation: %s", a.Body)
		}
		p.Post("/api/crm/automations", `{"name":"Plain","trigger":"lead_created","actions":[{"type":"add_tag","config":{"tag":"x"}}]}`).OK()
		list := c.Get("/v1/automation/flows?enabled=true").OK()
		if list.Get("total") != 1.0 || list.Str("results.0.flow_name") != "Plain" || list.Str("results.0.triggers.0.type") != "entity_manual" || list.Str("results.0.actions.0.type") != "add_tag" ||
			list.Get("results.0.editable") != false {
			t.Errorf("listed: %s", list.Body)
		}
		failed(t, c.Put("/v1/automation/flows/"+list.Str("results.0.id"), welcome), http.StatusConflict, "platform API")
		for words, body := range map[string]string{
			"flow_name is required":                `{}`,
			"actions is required":                  `{"flow_name":"x"}`,
			"actions[0].type":                      `{"flow_name":"x","actions":[{"type":"create-document"}]}`,
			"triggers[0].type must be":             `{"flow_name":"x","triggers":[{"type":"activity"}],"actions":[{"type":"send-email"}]}`,
			"conditions[0].statements is required": `{"flow_name":"x","conditions":[{}],"actions":[{"type":"send-email"}]}`,
			"must be a JSON object":                `[]`,
			"not valid JSON":                       `{`,
		} {
			failed(t, c.Post("/v1/automation/flows", body), http.StatusBadRequest, words)
		}
		other := r.NewTenant("Other").Targeting()
		failed(t, other.Get(at), http.StatusNotFound, "no such automation flow")
		failed(t, c.Get("/v1/automation/flows/nothing"), http.StatusNotFound, "no such automation flow")
		failed(t, c.Get("/v1/automation/flows?size=9999"), http.StatusBadRequest, "size")
		failed(t, acme.Targeting("read").Post("/v1/automation/flows", welcome), http.StatusForbidden, "targeting:write")
		if a := c.Delete(at); a.Status != http.StatusNoContent {
			t.Errorf("deleted: %d %s", a.Status, a.Body)
		}
		failed(t, c.Delete(at), http.StatusNotFound, "no such automation flow")
	})
}

func TestExecutions(t *testing.T) {
	apitest.Each(t, apitest.Options{}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c := acme.Targeting()
		flow := c.Post("/v1/automation/flows", welcome).OK().Str("id")
		who := aged(t, c, 1, 20)
		e := c.Post("/v1/automation/executions", map[string]any{"flow_id": flow, "entity_id": who}).OK()
		if e.Status != http.StatusCreated || e.Str("flow_name") != "Welcome" || e.Str("entity_id") != who || e.Str("execution_status") != "success" || e.Str("trigger_event.type") != "manual" ||
			e.Str("actions.1.execution_status") != "success" {
			t.Errorf("started: %s", e.Body)
		}
		if a := c.Get("/v1/entity/contact/" + who).OK(); fmt.Sprint(a.Get("entity._tags")) != "[adult greeted P1]" {
			t.Errorf("its tags: %s", a.Body)
		}
		at := "/v1/automation/executions/" + e.Str("id")
		if a := c.Get(at).OK(); string(a.Body) != string(e.Body) {
			t.Errorf("read: %s", a.Body)
		}
		failed(t, c.Delete(at), http.StatusConflict, "success already")
		slow := c.Post("/v1/automation/flows", `{"flow_name":"Slow","actions":[{"type":"delay","config":{"duration":1,"unit":"days"}}]}`).OK().Str("id")
		e = c.Post("/v1/automation/executions", map[string]any{"flow_id": slow, "entity_id": who, "entity_schema": "contact"}).OK()
		if e.Str("execution_status") != "scheduled" || e.Str("current_action_id") != "action-1" || e.Get("resumes_at") == nil {
			t.Errorf("scheduled: %s", e.Body)
		}
		at = "/v1/automation/executions/" + e.Str("id")
		if a := c.Delete(at); a.Status != http.StatusNoContent {
			t.Errorf("cancelled: %d %s", a.Status, a.Body)
		}
		if a := c.Get(at).OK(); a.Str("execution_status") != "cancelled" || a.Get("finished_at") == nil {
			t.Errorf("after that: %s", a.Body)
		}
		list := c.Get("/v1/automation/executions?entity_id=" + who).OK()
		if list.Get("total") != 2.0 || list.Str("results.0.execution_status") != "cancelled" || list.Str("results.1.execution_status") != "success" {
			t.Errorf("listed: %s", list.Body)
		}
		if a := c.Get("/v1/automation/executions?flow_id=" + flow).OK(); a.Get("total") != 1.0 {
			t.Errorf("of the flow: %s", a.Body)
		}
		for _, q := range []string{"entity_id=" + id.New().UUID(), "entity_id=00000000-0000-4000-8000-000000000001", "flow_id=none"} {
			if a := c.Get("/v1/automation/executions?" + q).OK(); a.Get("total") != 0.0 {
				t.Errorf("%s: %s", q, a.Body)
			}
		}
		failed(t, c.Get("/v1/automation/executions?entity_id=x"), http.StatusBadRequest, "entity_id")
		failed(t, c.Post("/v1/automation/executions", map[string]any{"flow_id": flow}), http.StatusBadRequest, "entity_id is required")
		failed(t, c.Post("/v1/automation/executions", map[string]any{"flow_id": flow, "entity_id": id.New().UUID()}), http.StatusNotFound, "no such entity")
		failed(t, c.Post("/v1/automation/executions", map[string]any{"flow_id": id.New().UUID(), "entity_id": who}), http.StatusNotFound, "no such automation flow")
		failed(t, r.NewTenant("Other").Targeting().Get(at), http.StatusNotFound, "no such automation execution")
	})
}

func TestBulkJobs(t *testing.T) {
	apitest.Each(t, apitest.Options{}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Targeting()
		flow := c.Post("/v1/automation/flows", welcome).OK().Str("id")
		var refs []any
		for i := range 30 {
			who := aged(t, c, 100+i, i)
			if i < 5 {
				refs = append(refs, map[string]any{"entity_id": who, "entity_schema": "contact"})
			}
		}
		const jobs = "/v1/automation/executions/bulk-jobs"
		j := c.Post(jobs, map[string]any{"flow_id": flow, "entities_refs": refs}).OK()
		if j.Status != http.StatusAccepted || j.Str("status") != "approval" || j.Str("task_token") == "" || j.Str("flow_id") != flow {
			t.Errorf("made: %s", j.Body)
		}
		at := jobs + "/" + j.Str("id")
		failed(t, c.Patch(at, map[string]any{"action": "APPROVE", "task_token": "x"}), http.StatusBadRequest, "task_token")
		failed(t, c.Patch(at, map[string]any{"action": "STOP", "task_token": "x"}), http.StatusBadRequest, "action")
		failed(t, c.Patch(at, map[string]any{"action": "APPROVE"}), http.StatusBadRequest, "task_token is required")
		if a := c.Patch(at, map[string]any{"action": "APPROVE", "task_token": j.Str("task_token")}).OK(); a.Str("status") != "querying_entities" {
			t.Errorf("approved: %s", a.Body)
		}
		done := func(at string) apitest.Answer {
			var a apitest.Answer
			r.Eventually("the job ends", func() bool { a = c.Get(at).OK(); return a.Get("finished_at") != nil })
			return a
		}
		a := done(at)
		items, _ := a.Get("execution_summary").([]any)
		if a.Str("status") != "finished" || a.Get("total") != 5.0 || a.Get("started") != 5.0 || len(items) != 5 || a.Str("execution_summary.0.execution_status") != "success" || a.Get("task_token") != nil {
			t.Errorf("finished: %s", a.Body)
		}
		if a := c.Get(at + "?limit=0").OK(); fmt.Sprint(a.Get("execution_summary")) != "[]" {
			t.Errorf("no summary: %s", a.Body)
		}
		if a := c.Get("/v1/automation/executions/" + a.Str("execution_summary.0.execution_id")).OK(); a.Str("job_id") != j.Str("id") {
			t.Errorf("one of it: %s", a.Body)
		}
		failed(t, c.Patch(at, map[string]any{"action": "CANCEL", "task_token": j.Str("task_token")}), http.StatusConflict, "finished already")
		// By a query and by both kinds of filters.
		for n, body := range map[float64]map[string]any{
			12: {"entities_query": "_schema:contact AND age:[18 TO *]"},
			10: {"entities_filter": []any{map[string]any{"term": map[string]any{"_schema": "contact"}}, map[string]any{"range": map[string]any{"age": map[string]any{"gte": 20}}}}},
			20: {"entities_filter": map[string]any{"items": []any{map[string]any{"key": "age", "operator": "less_than", "value": "20"}}}},
		} {
			body["flow_id"], body["auto_approve"] = flow, true
			if a := done(jobs + "/" + c.Post(jobs, body).OK().Str("id")); a.Get("total") != n || a.Get("started") != n {
				t.Errorf("%v: %s", body, a.Body)
			}
		}
		// Bare words search titles, as they do in entity:search; they are no query.
		const odd = `Lee) OR first_name:(Maria`
		c.Post("/v1/entity/contact", map[string]any{"first_name": "Anna-Maria", "last_name": odd, "email": "odd@example.com"}).OK()
		for _, words := range []string{"anna-m le", `Lee\) or first_name\:\(Maria`, "_schema:contact AND email:odd@example.com"} {
			body := map[string]any{"flow_id": flow, "entity_schema": "contact", "auto_approve": true, "entities_query": words}
			if a := done(jobs + "/" + c.Post(jobs, body).OK().Str("id")); a.Get("total") != 1.0 {
				t.Errorf("%s: %s", words, a.Body)
			}
		}
		for words, body := range map[string]map[string]any{
			"flow_id is required":        {},
			"one of entities_refs":       {"flow_id": flow, "entities_refs": refs, "entities_query": "x"},
			"entities_refs[0].entity_id": {"flow_id": flow, "entities_refs": []any{map[string]any{"entity_id": "x", "entity_schema": "contact"}}},
			"no such entity":             {"flow_id": flow, "entities_refs": []any{map[string]any{"entity_id": "00000000-0000-4000-8000-000000000001", "entity_schema": "contact"}}},
			"entity_schema is required":  {"flow_id": flow, "entities_refs": []any{map[string]any{"entity_id": id.New().UUID()}}},
			"entities_query":             {"flow_id": flow, "entities_query": "age:["},
			"must not be empty":          {"flow_id": flow, "entities_query": " "},
			"entities_filter":            {"flow_id": flow, "entities_filter": 7},
		} {
			failed(t, c.Post(jobs, body), http.StatusBadRequest, words)
		}
		failed(t, c.Get(jobs+"/"+id.New().UUID()), http.StatusNotFound, "no such bulk job")
		failed(t, c.Get(at+"?limit=x"), http.StatusBadRequest, "limit")
	})
}
