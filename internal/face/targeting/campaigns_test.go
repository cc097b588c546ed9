package targeting_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"parley/internal/store"
	"parley/test/apitest"
)

const stranger = "b8c01433-5556-4e2b-aad4-6f5348d1df84"

// code wants a body that holds a code and nothing else.
func code(a apitest.Answer, t testing.TB, status int, want string) {
	t.Helper()
	if a.Status != status || strings.TrimSpace(string(a.Body)) != fmt.Sprintf(`{"code":%q}`, want) {
		t.Errorf("%d %s, want %d and the code %s alone", a.Status, a.Body, status, want)
	}
}

// message wants a body that holds a message and nothing else.
func message(a apitest.Answer, t testing.TB, status int, part string) {
	t.Helper()
	m, _ := a.JSON().(map[string]any)
	text, _ := m["message"].(string)
	if a.Status != status || len(m) != 1 || !strings.Contains(text, part) {
		t.Errorf("%d %s, want %d and a message of %q alone", a.Status, a.Body, status, part)
	}
}

func person(c *apitest.Caller, name, tag string) string {
	c.Helper()
	return c.Post("/v1/entity/contact", map[string]any{"first_name": name, "email": strings.ToLower(name) + "@example.com", "_tags": []string{tag}}).OK().Str("_id")
}

func targetOf(c *apitest.Caller, tag string) string {
	c.Helper()
	return c.Post("/v1/target", map[string]any{"name": tag, "entity_schema": "contact", "entity_filters": map[string]any{"filter": map[string]any{
		"items": []any{map[string]any{"key": "_tags", "operator": "equals", "value": tag}}}}}).OK().Str("_id")
}

func relation(v string) map[string]any {
	return map[string]any{"$relation": []any{map[string]any{"entity_id": v}}}
}

func campaignOf(c *apitest.Caller, attrs map[string]any) string {
	c.Helper()
	if attrs["name"] == nil {
		attrs["name"] = "Spring"
	}
	a := c.Post("/v1/entity/campaign", attrs).OK()
	if a.Status != http.StatusCreated || a.Str("status") != "draft" || a.Str("id") != a.Str("_id") {
		c.Errorf("%d %s", a.Status, a.Body)
	}
	return a.Str("_id")
}

// flow makes an automation that tags, or waits for an event.
func flow(c *apitest.Caller, actions string) string {
	c.Helper()
	return c.Post("/v1/automation/flows", `{"flow_name":"F","enabled":true,"entity_schema":"contact","triggers":[{"type":"entity_manual"}],"conditions":[],"actions":[`+actions+`]}`).OK().Str("id")
}

const tagging = `{"type":"add_tag","config":{"tag":"got"}}`

// TestCampaignActivation walks reference §7.7 and §7.8.
func TestCampaignActivation(t *testing.T) {
	apitest.Each(t, apitest.Options{}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Targeting()
		who := person(c, "Asha", "x")
		cid := campaignOf(c, map[string]any{})
		at := "/v1/campaign/" + cid
		status := func(body any) apitest.Answer { return c.Post(at+"/status", body) }
		code(c.Post("/v1/campaign/"+stranger+"/status", nil), t, 400, "CAMPAIGN_NOT_FOUND")
		message(c.Post("/v1/campaign/x/status", nil), t, 400, "UUID")
		for _, bad := range []any{`{"status":"paused"}`, `{"status":5}`, `{"status":null}`, `[]`, `{`} {
			if a := status(bad); a.Status != 400 || a.Get("message") == nil {
				t.Errorf("%s: %d %s", bad, a.Status, a.Body)
			}
		}
		message(c.Post(at+"/status?status=draft", nil), t, 400, "active or inactive")
		code(status(nil), t, 400, "CAMPAIGN_HAS_NO_TARGET")
		bare := c.Post("/v1/target", map[string]any{"name": "bare", "entity_schema": "contact"}).OK().Str("_id")
		c.Patch("/v1/entity/campaign/"+cid, map[string]any{"target": relation(bare)}).OK()
		code(status(""), t, 400, "TARGET_WITHOUT_FILTERS")
		c.Patch("/v1/entity/campaign/"+cid, map[string]any{"target": relation(targetOf(c, "x"))}).OK()
		code(status("{}"), t, 400, "CAMPAIGN_HAS_NO_DELIVERY_METHOD")
		code(status(`{"status":"inactive"}`), t, 400, "CAMPAIGN_HAS_UNEXPECTED_STATUS")
		c.Patch("/v1/entity/campaign/"+cid, map[string]any{"flow_id": flow(c, tagging), "next_best_action": map[string]any{}}).OK()
		code(status(`{"status":"active"}`), t, 400, "INVALID_NEXT_BEST_ACTION")
		c.Patch("/v1/entity/campaign/"+cid, map[string]any{"next_best_action": nil}).OK()
		if a := c.Get(at + "/job").OK(); string(a.Body) != `{"execution_summary":[]}` {
			t.Errorf("%s", a.Body)
		}
		a := c.Post(at+"/status?status=active", nil).OK()
		if a.Str("campaign.status") != "activating" || a.Str("campaign.job_id") == "" {
			t.Errorf("%s", a.Body)
		}
		r.Eventually("the campaign is active", func() bool { return c.Get("/v1/entity/campaign/"+cid).OK().Str("entity.status") == "active" })
		code(status(`{"status":"active"}`), t, 400, "CAMPAIGN_HAS_UNEXPECTED_STATUS")
		job := c.Get(at + "/job").OK()
		if job.Str("status") != "finished" || job.Str("execution_summary.0.execution_status") != "success" {
			t.Errorf("%s", job.Body)
		}
		list := c.Get(at + "/recipients").OK()
		if list.Str("results.0.entity_id") != who || list.Str("results.0.automation_execution_id") != job.Str("execution_summary.0.execution_id") ||
			list.Str("results.0.automation_status") != "success" || list.Get("total") != 1.0 || list.Get("next") != nil {
			t.Errorf("%s", list.Body)
		}
		if a := c.Get("/v1/automation/executions/" + job.Str("execution_summary.0.execution_id")).OK(); a.Str("execution_status") != "success" && a.Str("execution.execution_status") != "success" {
			t.Errorf("%s", a.Body)
		}
		if a := status(nil).OK(); a.Str("campaign.status") != "inactive" {
			t.Errorf("%s", a.Body)
		}
	})
}

// TestABusyCampaign tries what a campaign refuses while its job is under way.
func TestABusyCampaign(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Targeting()
		cid := campaignOf(c, map[string]any{"target": relation(targetOf(c, "x")), "flow_id": flow(c, tagging)})
		at := "/v1/campaign/" + cid
		c.Post(at+"/status", nil).OK()
		code(c.Post(at+"/status", `{"status":"active"}`), t, 400, "CAMPAIGN_HAS_JOB_IN_PROGRESS")
		if a := c.Get(at + "/job").OK(); a.Str("status") != "queued" {
			t.Errorf("%s", a.Body)
		}
		if a := c.Delete("/v1/entity/campaign/" + cid); a.Status != 409 || a.Get("error") == nil {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		if a := c.Post(at+"/status", `{"status":"inactive"}`).OK(); a.Str("campaign.status") != "inactive" {
			t.Errorf("%s", a.Body)
		}
		if a := c.Get(at + "/job").OK(); a.Str("status") != "cancelled" {
			t.Errorf("%s", a.Body)
		}
	})
}

// A job whose token was lost cannot be cancelled, and says so.
func TestAJobWithoutItsToken(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c := acme.Targeting()
		at := "/v1/campaign/" + campaignOf(c, map[string]any{"target": relation(targetOf(c, "x")), "flow_id": flow(c, tagging)})
		c.Post(at+"/status", `{"status":"active"}`).OK()
		if err := r.App.DB.Write(t.Context(), acme.ID, func(tx *store.Tx) error {
			_, err := tx.Exec("UPDATE campaign SET job_token=NULL WHERE tenant_id=?")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		code(c.Post(at+"/status", `{"status":"inactive"}`), t, 400, "JOB_TOKEN_MISSING")
		if a := c.Get(at + "/job").OK(); a.Str("status") != "queued" {
			t.Errorf("the refused call moved the job: %s", a.Body)
		}
	})
}

// TestCampaignEntity writes campaigns by the paths of entities (reference §5.2).
func TestCampaignEntity(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Targeting()
		for _, bad := range []string{`{"status":"active"}`, `{"job_id":"x"}`, `{"name":5}`, `{"start_date":"soon"}`, `{"target":[]}`, `{"target":{"$relation":[{"entity_id":"x"}]}}`,
			`{"next_best_action":"x"}`} {
			if a := c.Post("/v1/entity/campaign", bad); a.Status != 400 || a.Get("error") == nil {
				t.Errorf("%s: %d %s", bad, a.Status, a.Body)
			}
		}
		cid := campaignOf(c, map[string]any{"goal": "G", "start_date": "2026-01-31", "_tags": []string{"a"}, "budget": 1.5, "target": relation(stranger)})
		at := "/v1/entity/campaign/" + cid
		was := c.Get(at).OK()
		if was.Str("entity._title") != "Spring" || was.Get("entity.budget") != 1.5 || was.Str("entity.target.$relation.0.entity_id") != stranger || was.Str("entity._tags.0") != "a" {
			t.Errorf("%s", was.Body)
		}
		if a := c.Put(at, was.Get("entity")).OK(); a.Str("_updated_at") != was.Str("entity._updated_at") {
			t.Errorf("%s became %s", was.Body, a.Body)
		}
		c.Patch(at, map[string]any{"name": "Summer", "budget": nil}).OK()
		if a := c.Patch(at, map[string]any{"name": "Old", "_updated_at": was.Str("entity._updated_at")}); a.Status != 409 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		if a := c.Patch(at, map[string]any{"status": "active"}); a.Status != 400 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		found := c.Post("/v1/entity:search", map[string]any{"q": "_schema:campaign AND name:Summer"}).OK()
		if found.Str("results.0._id") != cid {
			t.Errorf("%s", found.Body)
		}
		if a := c.Put(at, map[string]any{"name": "Autumn"}).OK(); a.Get("goal") != nil || a.Get("target") != nil || a.Str("status") != "draft" {
			t.Errorf("%s", a.Body)
		}
		c.Delete(at).OK()
		if a := c.Get(at); a.Status != 404 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		code(c.Get("/v1/campaign/"+cid+"/recipients"), t, 400, "CAMPAIGN_NOT_FOUND")
		c.Patch(at, map[string]any{"_deleted_at": nil}).OK()
		c.Delete(at + "?purge=true").OK()
		if a := c.Delete(at + "?purge=true"); a.Status != 404 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
}

// TestRecipients walks reference §7.3, §7.4 and §7.6.
func TestRecipients(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Targeting()
		cid := campaignOf(c, map[string]any{})
		at := "/v1/campaign/" + cid
		a, b, d := person(c, "Asha", "x"), person(c, "Ben", "x"), person(c, "Cleo", "x")
		add := func(who string, more map[string]any) apitest.Answer {
			body := map[string]any{"entity_id": who, "entity_schema": "contact"}
			for k, v := range more {
				body[k] = v
			}
			return c.Post(at+"/recipient", body)
		}
		auto := map[string]any{"automation_status": "failed", "automation_execution_id": "e-1"}
		if v := add(a, auto).OK(); v.Status != 201 || v.Str("automation_execution_id") != "e-1" || v.Get("portal_status") != nil || v.Str("title") != "Asha" {
			t.Errorf("%s", v.Body)
		}
		if v := add(b, map[string]any{"portal_status": "sent", "more": true}).OK(); v.Status != 201 || v.Str("portal_status_updated_at") == "" {
			t.Errorf("%s", v.Body)
		}
		add(d, map[string]any{"automation_status": "success", "automation_execution_id": "e", "portal_status": "sent", "portal_state": map[string]any{"n": 1}}).OK()
		message(add(a, auto), t, 400, "already")
		message(add(stranger, auto), t, 400, "no entity")
		e := person(c, "Eva", "x")
		message(c.Post(at+"/recipient", map[string]any{"entity_id": e, "entity_schema": "contract", "portal_status": "sent"}), t, 400, "schema")
		for _, bad := range []map[string]any{nil, {"automation_status": "failed"}, {"automation_execution_id": "e"}, {"portal_state": map[string]any{}}, {"portal_status": "zzz"}, {"portal_status": nil},
			{"automation_status": "failed", "automation_execution_id": "e", "portal_status": "zzz"}, {"automation_status": 5, "portal_status": "sent"}, {"portal_status": "sent", "portal_state": []any{}}} {
			if v := add(e, bad); v.Status != 400 || v.Get("message") == nil {
				t.Errorf("%v: %d %s", bad, v.Status, v.Body)
			}
		}
		who := at + "/recipient/" + b
		if v := c.Patch(who+"/portal:status", `{"status":"clicked"}`).OK(); v.Str("portal_status") != "clicked" {
			t.Errorf("%s", v.Body)
		}
		kept := c.Patch(who, "{}").OK()
		message(c.Patch(who+"/portal%3Astatus", `{"status":"seen"}`), t, 409, "cannot become seen")
		if now := c.Patch(who, "{}").OK(); string(now.Body) != string(kept.Body) {
			t.Errorf("%s was %s", now.Body, kept.Body)
		}
		message(c.Patch(at+"/recipient/"+e+"/portal:status", `{"status":"seen"}`), t, 404, "recipient")
		message(c.Patch(at+"/recipient/"+stranger+"/portal:status", `{"status":"seen"}`), t, 404, "recipient")
		code(c.Patch("/v1/campaign/"+stranger+"/recipient/"+b+"/portal:status", `{"status":"seen"}`), t, 404, "CAMPAIGN_NOT_FOUND")
		message(c.Patch(who+"/portal:status", `{"status":"read"}`), t, 400, "one of")
		message(c.Patch(who+"/portal:status", `{}`), t, 400, "required")
		message(c.Patch(at+"/recipient/5/portal:status", `{"status":"seen"}`), t, 400, "UUID")
		message(c.Patch(at+"/recipient/"+e, `{}`), t, 400, "recipient")
		if v := c.Patch(who, `{"portal_status":"sent","portal_state":{"a":[1]},"automation_status":"failed","other":1}`).OK(); v.Str("portal_status") != "sent" || v.Str("automation_status") != "failed" {
			t.Errorf("%s", v.Body)
		}
		ui := at + "/recipient/" + e
		message(c.Patch(ui+"/entity_ui:status", `{"status":"clicked"}`), t, 404, "recipient")
		message(c.Patch(ui+"/entity_ui:status", `{"status":"seen"}`), t, 400, "entity_schema")
		c.Patch(ui+"/entity_ui:status", `{"status":"seen","entity_schema":"contact"}`).OK()
		c.Patch(ui+"/entity_ui:status", `{"status":"dismissed"}`).OK()
		message(c.Patch(ui+"/entity_ui:status", `{"status":"clicked"}`), t, 409, "cannot")
		if v := c.Post(ui+"/entity_ui:restore", nil).OK(); v.Str("entity_ui_status") != "seen" || v.Get("entity_ui_status_before_dismiss") != nil {
			t.Errorf("%s", v.Body)
		}
		if v := c.Get(at + "/email-stats").OK(); v.Get("total_emailed") != 0.0 {
			t.Errorf("%s", v.Body)
		}
	})
}

func TestRecipientPages(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Targeting()
		cid := campaignOf(c, map[string]any{})
		at := "/v1/campaign/" + cid
		for i := range 60 {
			c.Post(at+"/recipient", map[string]any{"entity_id": person(c, fmt.Sprintf("P%02d", i), "x"), "entity_schema": "contact",
				"automation_status": []string{"failed", "success", "pending"}[i%3], "automation_execution_id": "e"}).OK()
		}
		var sizes []int
		seen := map[string]bool{}
		next := ""
		for {
			a := c.Get(at + "/recipients?next=" + url.QueryEscape(next)).OK()
			list, _ := a.Get("results").([]any)
			sizes = append(sizes, len(list))
			for i := range list {
				seen[a.Str(fmt.Sprintf("results.%d.title", i))] = true
			}
			if a.Get("total") != 60.0 {
				t.Errorf("%v in all", a.Get("total"))
			}
			if next = a.Str("next"); next == "" {
				break
			}
		}
		if fmt.Sprint(sizes) != "[25 25 10]" || len(seen) != 60 {
			t.Errorf("pages of %v, %d recipients", sizes, len(seen))
		}
		for query, total := range map[string]float64{"?automation_status=failed": 20, "?automation_status=failed&automation_status=success": 40, "?automation_status=failed,success": 40,
			"?automation_status[]=failed": 20, "?q=p0": 10, "?q=p0&automation_status=pending": 3, "?portal_status=seen": 0, "?email_status=sent": 0} {
			if a := c.Get(at + "/recipients" + query).OK(); a.Get("total") != total {
				t.Errorf("%s: %v in all, want %v", query, a.Get("total"), total)
			}
		}
		next = url.QueryEscape(c.Get(at + "/recipients?limit=5").OK().Str("next"))
		for _, bad := range []string{"?limit=0", "?limit=1001", "?limit=x", "?next=x", "?limit=5&q=p&next=" + next, "?automation_status=zzz", "?portal_status=zzz", "?email_status=zzz"} {
			message(c.Get(at+"/recipients"+bad), t, 400, "")
		}
		code(c.Get("/v1/campaign/"+stranger+"/recipients"), t, 400, "CAMPAIGN_NOT_FOUND")
	})
}

// TestRetrigger walks reference §7.5.
func TestRetrigger(t *testing.T) {
	apitest.Each(t, apitest.Options{}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Targeting()
		cid := campaignOf(c, map[string]any{"target": relation(targetOf(c, "none")), "flow_id": flow(c, tagging)})
		at := "/v1/campaign/" + cid
		again := at + "/automations:retrigger"
		code(c.Post(again, `{"recipient_ids":[]}`), t, 400, "CAMPAIGN_HAS_UNEXPECTED_STATUS")
		a := c.Post("/v1/campaign/"+stranger+"/automations:retrigger", `{"recipient_ids":[]}`)
		if a.Status != 404 || a.Get("status") != 404.0 || a.Str("message") == "" || a.Get("code") != nil {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		for _, bad := range []string{`{}`, `{"recipient_ids":["x"]}`, `{"recipient_ids":"x"}`, `{"recipient_ids":[5]}`, `[]`} {
			message(c.Post(again, bad), t, 400, "")
		}
		c.Post(at+"/status", nil).OK()
		r.Eventually("the campaign is active", func() bool { return c.Get("/v1/entity/campaign/"+cid).OK().Str("entity.status") == "active" })
		ids := []string{}
		for _, s := range []string{"pending", "failed", "in_progress", "success", "cancelled"} {
			who := person(c, s, "x")
			c.Post(at+"/recipient", map[string]any{"entity_id": who, "entity_schema": "contact", "automation_status": s, "automation_execution_id": "e"}).OK()
			ids = append(ids, who)
		}
		ids = append(ids, stranger, strings.ToUpper(ids[1]))
		done := c.Post(again, map[string]any{"recipient_ids": ids}).OK()
		for i, want := range []string{"invalid_status", "success", "invalid_status", "invalid_status", "invalid_status", "not_found", ""} {
			if got := done.Str(fmt.Sprintf("results.%d.result", i)); got != want || want != "" && done.Str(fmt.Sprintf("results.%d.recipient_id", i)) != ids[i] {
				t.Errorf("%d is %q, want %q: %s", i, got, want, done.Body)
			}
		}
		if done.Str("results.1.execution_id") == "" || done.Str("message") != "started 1 of 6 executions" {
			t.Errorf("%s", done.Body)
		}
		r.Eventually("it was successful", func() bool { return c.Get(at+"/recipients?automation_status=success").OK().Get("total") == 2.0 })
		if a := c.Post(again, `{"recipient_ids":[]}`).OK(); a.Get("results.0") != nil {
			t.Errorf("%s", a.Body)
		}
	})
}

// TestCampaignMatch walks reference §7.1, §7.2 and §7.10.
func TestCampaignMatch(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		c, other := r.NewTenant("Acme").Targeting(), r.NewTenant("Other").Targeting()
		who := person(c, "Asha", "x")
		cid := campaignOf(c, map[string]any{"target": relation(targetOf(c, "x"))})
		ref := map[string]any{"entity_id": who, "entity_schema": "contact"}
		match := func(c *apitest.Caller, path string, refs []any, ids ...any) apitest.Answer {
			return c.Post(path, map[string]any{"entity_refs": refs, "campaign_ids": ids})
		}
		for _, path := range []string{"/v1/campaign:match", "/v1/campaign%3Amatch"} {
			a := match(c, path, []any{ref}, stranger, cid).OK()
			if a.Get("hits") != 1.0 || a.Str("results.0.campaign._id") != cid || a.Str("results.0.campaign.status") != "draft" {
				t.Errorf("%s", a.Body)
			}
		}
		if a := match(c, "/v1/campaign:match", []any{}, cid).OK(); string(a.Body) != `{"hits":0,"results":[]}` {
			t.Errorf("%s", a.Body)
		}
		if a := match(c, "/v1/campaign:match?status=active", []any{ref}, cid).OK(); a.Get("hits") != 0.0 {
			t.Errorf("%s", a.Body)
		}
		if a := match(other, "/v1/campaign:match", []any{ref}, cid).OK(); a.Get("hits") != 0.0 {
			t.Errorf("%s", a.Body)
		}
		many := make([]any, 101)
		for i := range many {
			many[i] = fmt.Sprintf("b8c01433-5556-4e2b-aad4-6f5348d1d%03x", i)
		}
		for _, ids := range [][]any{{}, {cid, cid}, many, {"x"}, {5}} {
			message(match(c, "/v1/campaign:match", []any{ref}, ids...), t, 400, "")
		}
		for _, bad := range []string{`{"entity_refs":[],"campaign_ids":["` + cid + `"],"x":1}`, `{"entity_refs":[{"entity_id":"` + who + `","entity_schema":"contact","x":1}],"campaign_ids":["` + cid + `"]}`,
			`{"campaign_ids":["` + cid + `"]}`, `{"entity_refs":[]}`, `{`} {
			message(c.Post("/v1/campaign:match", bad), t, 400, "")
		}
		for _, x := range []struct{ method, path, body string }{{"POST", "/status", ""}, {"GET", "/job", ""}, {"GET", "/recipients", ""}, {"GET", "/email-stats", ""},
			{"POST", "/recipient", `{"entity_id":"` + who + `","entity_schema":"contact","portal_status":"sent"}`}} {
			code(other.Do(x.method, "/v1/campaign/"+cid+x.path, x.body), t, 400, "CAMPAIGN_NOT_FOUND")
		}
		reader := c.Tenant.Targeting("read")
		if a := reader.Post("/v1/campaign/"+cid+"/status", nil); a.Status != 403 || a.Get("status") != 403.0 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		match(reader, "/v1/campaign:match", []any{ref}, cid).OK()
	})
}

// TestSetupAndDiscover makes a campaign with all that it needs, and offers it.
func TestSetupAndDiscover(t *testing.T) {
	apitest.Each(t, apitest.Options{}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Targeting()
		who := person(c, "Asha", "x")
		body := map[string]any{"type": "tariff_change", "product_recommendation": map[string]any{"name": "Green", "priority": 7},
			"campaign": map[string]any{"name": "C", "goal": "G", "target_ids": []string{targetOf(c, "x"), stranger}}, "journey": map[string]any{"journey_id": "j"},
			"channels": map[string]any{"email": map[string]any{"automation_id": flow(c, tagging)}}}
		made := c.Post("/v1/campaign:setup", body).OK()
		cid := made.Str("campaign_id")
		if made.Status != 201 || made.Str("type") != "tariff_change" || made.Str("journey_id") != "j" || made.Str("product_recommendation_id") == "" {
			t.Errorf("%d %s", made.Status, made.Body)
		}
		if a := c.Get("/v1/entity/product_recommendation/" + made.Str("product_recommendation_id")).OK(); a.Str("entity.name") != "Green" {
			t.Errorf("%s", a.Body)
		}
		offer := map[string]any{"entity_id": who, "entity_schema": "contact"}
		if a := c.Post("/v1/campaign:discover", offer).OK(); a.Get("hits") != 0.0 {
			t.Errorf("%s", a.Body)
		}
		c.Post("/v1/campaign/"+cid+"/status", nil).OK()
		r.Eventually("the campaign is active", func() bool { return c.Get("/v1/entity/campaign/"+cid).OK().Str("entity.status") == "active" })
		a := c.Post("/v1/campaign:discover", offer).OK()
		if a.Get("hits") != 1.0 || a.Str("results.0.campaign_id") != cid || a.Get("results.0.nba.priority") != 7.0 || a.Get("results.0.dismissed") != false {
			t.Errorf("%s", a.Body)
		}
		c.Patch("/v1/campaign/"+cid+"/recipient/"+who+"/entity_ui:status", `{"status":"dismissed"}`).OK()
		if a := c.Post("/v1/campaign:discover", offer).OK(); a.Get("results.0.dismissed") != true || a.Str("results.0.status") != "dismissed" || a.Str("results.0.status_updated_at") == "" {
			t.Errorf("%s", a.Body)
		}
		for _, bad := range []string{`{}`, `{"type":"x"}`, `{"type":"tariff_change","product_recommendation":{},"campaign":{"name":"C","target_ids":["x"]}}`,
			`{"type":"tariff_change","product_recommendation":{},"campaign":{"name":"C","target_ids":["` + stranger + `"]}}`, `{"type":"tariff_change","product_recommendation":{},"campaign":{"name":"C","target_ids":[]}}`} {
			message(c.Post("/v1/campaign:setup", bad), t, 400, "")
		}
		for _, bad := range []string{`{}`, `{"type":"x"}`} {
			message(c.Post("/v1/campaign:setup", bad), t, 400, "type must be tariff_change")
		}
		for _, bad := range []string{`{}`, `{"entity_id":"x","entity_schema":"contact"}`, `{"entity_id":"` + who + `","entity_schema":"contact","x":1}`} {
			message(c.Post("/v1/campaign:discover", bad), t, 400, "")
		}
	})
}
