package isolation

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"parley/internal/id"
	"parley/test/apitest"
	"parley/test/platformtest"
)

// diffed tells which tables have other numbers of rows.
func diffed(before, after map[string]int) string { return platformtest.Diff(before, after) }

type mention struct {
	name string
	sample
}

// mentions are calls with ids in their query or body beside those of the samples.
var mentions = []mention{
	{"POST /v1/campaign:match", sample{body: `{"entity_refs":[{"entity_id":"{record}","entity_schema":"contract"},` + ref + `],"campaign_ids":["{campaign_id}","{offer}"]}`}},
	{"POST /v1/campaign:discover", sample{body: `{"entity_id":"{record}","entity_schema":"contract"}`}},
	{"POST /v1/campaign:setup", sample{body: `{"type":"tariff_change","product_recommendation":{"name":"P"},"campaign":{"name":"S","target_ids":["{targetId}"]}}`}},
	{"POST /v1/campaign/{campaign_id}/recipient", sample{body: `{"entity_id":"{record}","entity_schema":"contract","portal_status":"sent"}`}},
	{"POST /v1/entity:search", sample{body: `{"q":"_id:{contact}"}`}},
	{"POST /v1/entity:search", sample{body: `{"q":"_id:{campaign_id} OR _id:{targetId} OR _id:{record}"}`}},
	{"POST /v1/entity:search", sample{body: `{"q":"_org:{organization}"}`}},
	{"POST /v1/entity:search", sample{body: `{"q":"_schema:contract AND customer.$relation.entity_id:{contact}"}`}},
	{"POST /v1/entity:list", sample{body: `{"filter":[{"ids":{"values":["{contact}","{record}","{campaign_id}","{targetId}"]}}]}`}},
	{"POST /v1/entity:list", sample{body: `{"filter":[{"term":{"_org":"{organization}"}}]}`}},
	{"POST /v1/entity:list", sample{body: `{"filter":[{"$or":[{"term":{"_id":"{contact}"}},{"term":{"flow_id":"{flow_id}"}},{"term":{"agent_id":"{user}"}},{"term":{"group_id":"{group}"}}]}]}`}},
	{"PATCH /v1/entity/contract:upsert", sample{body: `{"unique_key":["contract"],"entity":{"contract":"{record}"}}`}},
	{"POST /v1/entity/contract", sample{body: `{"name":"R","_id":"{record}","_org":"{organization}","_owners":[{"org_id":"{organization}","user_id":"{user}"}],"_acl":{"view":["org:{organization}"]}}`}},
	{"POST /v1/entity/contact", sample{body: `{"email":"same@example.com","agent_id":"{user}"}`}},
	{"PATCH /v1/entity/contact/{contact}", sample{body: `{"group_id":"{group}"}`}},
	{"PATCH /v1/entity/campaign/{campaign_id}", sample{body: `{"job_id":"{job_id}"}`}},
	{"POST /v1/target", sample{body: `{"name":"T","entity_schema":"contact","_org":"{organization}","entity_filters":{"filter":[{"ids":{"values":["{contact}"]}}]}}`}},
	{"POST /v1/automation/executions", sample{body: `{"flow_id":"{flow_id}","entity_id":"{record}","entity_schema":"contract"}`}},
	{"POST /v1/automation/executions/bulk-jobs", sample{body: `{"flow_id":"{flow_id}","entities_refs":[{"entity_id":"{record}","entity_schema":"contract"}]}`}},
	{"POST /v1/automation/executions/bulk-jobs", sample{body: `{"flow_id":"{flow_id}","entities_query":"_id:{contact}"}`}},
	{"GET /v1/automation/executions", sample{query: "?entity_id={contact}"}},
	{"GET /v1/automation/executions", sample{query: "?flow_id={flow_id}"}},
	{"GET /v1/automation/flows", sample{query: "?query={flow_id}"}},
	{"GET /v1/campaign/{campaign_id}/recipients", sample{query: "?q={recipient_id}"}},
	{"POST /v2/portal/portal", sample{query: "?origin=END_CUSTOMER_PORTAL", body: `{"portal_id":"{portal}","organization_id":"{organization}"}`}},
	{"POST /v1/admin/users", sample{body: `{"name":"U","id":"{user}","_org":"{organization}"}`}},
	{"DELETE /v1/admin/users/{user}", sample{query: "?transfer_to={group}"}},
}

// What a body or a query names of another organisation is as unknown as what nobody
// has: the two answers are the same, and nothing of theirs moves.
func TestTargetingIDsOfOthers(t *testing.T) {
	eachClient(t, func(t *testing.T, r *apitest.Rig, us, them *client) {
		theirs := everything(t, them)
		routes := targetingRoutes()
		all := slices.Clone(mentions)
		for _, name := range slices.Sorted(maps.Keys(targetingSamples)) {
			all = append(all, mention{name, targetingSamples[name]})
		}
		for _, reads := range []bool{true, false} { // what was stored would be found
			for _, m := range all {
				if strings.HasSuffix(routes[m.name].Scope, ":read") == reads {
					unknownToo(t, us, them, m.name, m.sample)
				}
			}
		}
		for name, now := range everything(t, them) {
			if now != theirs[name] {
				t.Errorf("%s of the other organisation changed:\n%s\n%s", name, theirs[name], now)
			}
		}
	})
}

// everything is what an organisation reads, by call.
func everything(t *testing.T, o *client) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, s := range targetingSamples {
		if strings.HasPrefix(name, "GET ") || strings.HasPrefix(name, "POST /v1/entity:") {
			out[name] = string(o.send(o.Caller, name, s, nil, nil).OK().Body)
		}
	}
	return out
}

func unknownToo(t *testing.T, us, them *client, name string, s sample) {
	t.Helper()
	for _, noun := range nounsIn(s.body + s.query) {
		if noun == "owner" {
			continue
		}
		call := func(v string) apitest.Answer {
			us.renewPath(name) // what is refused for another reason proves nothing
			return us.send(us.Caller, name, s, nil, map[string]string{noun: v})
		}
		unknown := call(id.New().UUID())
		foreign := call(them.ids[noun])
		if foreign.Status != unknown.Status || alike(foreign) != alike(unknown) || foreign.Status >= 500 {
			t.Errorf("%s %s tells their %s from an unknown one:\n%d %s\n%d %s", name, s.query+s.body, noun, foreign.Status, foreign.Body, unknown.Status, unknown.Body)
		}
		if strings.Contains(string(foreign.Body), "of Them") {
			t.Errorf("%s %s shows something of theirs: %s", name, s.query+s.body, foreign.Body)
		}
	}
}

// renewPath makes what a changing call names in its path.
func (o *client) renewPath(name string) {
	o.Helper()
	if strings.HasPrefix(name, "GET ") {
		return
	}
	for _, noun := range kept {
		if strings.Contains(name, "{"+noun+"}") {
			o.make(noun)
		}
	}
}

// A reference that was stored leads nowhere: nothing of theirs is shown, matched,
// reached or started by it.
func TestTargetingReferencesLeadNowhere(t *testing.T) {
	eachClient(t, func(t *testing.T, r *apitest.Rig, us, them *client) {
		theirs := everything(t, them)
		foreign := func(text string) string { return us.filled(text, them.ids) }
		shows := func(a apitest.Answer) {
			t.Helper()
			if a.Status >= 500 || strings.Contains(string(a.Body), "of Them") {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		}
		rec := us.Post("/v1/entity/contract", foreign(`{"name":"R","of":{"$relation":[{"entity_id":"{contact}"},{"entity_id":"{record}"},{"entity_id":"{campaign_id}"},{"entity_id":"{targetId}"}]}}`)).OK().Str("_id")
		if a := us.Get("/v1/entity/contract/" + rec).OK(); len(a.Get("relations").([]any)) != 0 {
			t.Errorf("relations lead to others: %s", a.Body)
		}
		// Its messages would go to their contact.
		wide := us.post("/v1/automation/flows", `{"flow_name":"Any","actions":[{"type":"delay","config":{"duration":1,"unit":"days"}},{"type":"assign-entity","config":{"user_id":"`+them.ids["user"]+`"}}]}`, "id")
		a := us.Post("/v1/automation/executions", map[string]any{"flow_id": wide, "entity_id": rec, "entity_schema": "contract"})
		if a.Status < 300 && a.Get("contact_id") != nil {
			t.Errorf("an execution goes to their contact: %s", a.Body)
		}
		// A campaign over their target has none; one with their flow starts nothing.
		cid := us.Post("/v1/entity/campaign", foreign(`{"name":"C","target":{"$relation":[{"entity_id":"{targetId}"}]},"flow_id":"{flow_id}","next_best_action":{"product_recommendation_id":"{offer}"}}`)).OK().Str("_id")
		if a := us.Post("/v1/campaign/"+cid+"/status", `{"status":"active"}`); a.Status != 400 || a.Str("code") != "CAMPAIGN_HAS_NO_TARGET" {
			t.Errorf("their target: %d %s", a.Status, a.Body)
		}
		us.Patch("/v1/entity/campaign/"+cid, us.filled(`{"target":{"$relation":[{"entity_id":"{targetId}"}]},"next_best_action":null}`, nil)).OK()
		shows(us.Post("/v1/campaign/"+cid+"/status", `{"status":"active"}`))
		shows(us.Post("/v1/campaign/"+cid+"/automations:retrigger", foreign(`{"recipient_ids":["{recipient_id}"]}`)))
		shows(us.Get("/v1/campaign/" + cid + "/job"))
		// Their contact is nobody's match, for all that our targets say.
		tid := us.Post("/v1/target", foreign(`{"name":"T","entity_schema":"contact","entity_filters":{"filter":[{"ids":{"values":["{contact}"]}}]}}`)).OK().Str("_id")
		for path, body := range map[string]string{"/v1/target:match": `{"entity_refs":[` + ref + `],"target_ids":["` + tid + `","` + us.ids["targetId"] + `"]}`,
			"/v1/campaign:match": `{"entity_refs":[` + ref + `],"campaign_ids":["` + us.ids["campaign_id"] + `","{campaign_id}"]}`, "/v1/campaign:discover": ref} {
			if a := us.Post(path, foreign(body)).OK(); a.Get("hits") != 0.0 {
				t.Errorf("%s finds their contact: %s", path, a.Body)
			}
		}
		// A widget that names their campaign refers to nothing.
		us.Post("/v2/portal/widgets?origin=INSTALLER_PORTAL", foreign(`{"widgets":[{"id":"x","type":"CAMPAIGN_WIDGET","listIndex":0,"campaign_id":"{campaign_id}"}]}`)).OK()
		if a := us.Put("/v2/portal/campaign/"+us.ids["campaign_id"]+"/entity:status", foreign(`{"status":"seen","entity_refs":[`+ref+`,{"entity_id":"{recipient_id}","entity_schema":"contact"}]}`)).OK(); a.Get("updated") != 0.0 || a.Get("failed") != 2.0 {
			t.Errorf("their people on our portal: %s", a.Body)
		}
		for name, now := range everything(t, them) {
			if now != theirs[name] {
				t.Errorf("%s of the other organisation changed:\n%s\n%s", name, theirs[name], now)
			}
		}
	})
}

// No list, nor any other read, holds anything of others, whatever it is asked for.
func TestTargetingListsHoldOnlyTheirOwn(t *testing.T) {
	eachClient(t, func(t *testing.T, r *apitest.Rig, us, them *client) {
		calls := everything(t, us)
		for _, body := range []string{`{"q":"*:*","size":1000}`, `{"q":"_org:{organization}"}`, `{"q":"NOT _id:x","size":1000}`, `{"q":"Secret","size":1000}`, `{"q":"Secret AND Them"}`, `{"q":"number:N*"}`, `{"q":"_title:*Them*"}`,
			`{"q":"* OR _org:{organization}","size":1000,"sort":"_title:desc","fields":["_title","_org"]}`, `{"q":"x') OR 1=1 --"}`} {
			calls["POST /v1/entity:search "+body] = string(us.Post("/v1/entity:search", us.filled(body, them.ids)).Body)
		}
		for _, body := range []string{`{"size":1000}`, `{"filter":[{"$not":[{"ids":{"values":[]}}]}],"size":1000}`, `{"filter":[{"term":{"_org":"{organization}"}}]}`, `{"filter":[{"$or":[{"term":{"_org":"{organization}"}},{"exists":{"field":"_title"}}]}],"size":1000}`,
			`{"filter":[{"range":{"_created_at":{"gte":"1970-01-01"}}}],"size":1000}`} {
			calls["POST /v1/entity:list "+body] = string(us.Post("/v1/entity:list", us.filled(body, them.ids)).Body)
		}
		for _, path := range []string{"/v1/automation/flows?query=Secret", "/v1/automation/flows?query=%25", "/v1/automation/executions?entity_id={contact}", "/v1/automation/executions?flow_id={flow_id}",
			"/v2/portal/widgets?origin=END_CUSTOMER_PORTAL", "/v1/admin/users?active=true", "/v1/admin/users?active=false"} {
			calls["GET "+path] = string(us.Get(us.filled(path, them.ids)).OK().Body)
		}
		cursor := next(t, them)
		for _, path := range []string{"?q=%25", "?q=Secret", "?limit=1000", "?limit=1&next=" + cursor} {
			calls["GET recipients"+path] = string(us.Get("/v1/campaign/" + us.ids["campaign_id"] + "/recipients" + path).Body)
		}
		for name, body := range calls {
			for noun, v := range them.ids {
				if noun != "owner" && strings.Contains(body, v) {
					t.Errorf("%s shows their %s: %s", name, noun, body)
				}
			}
			if strings.Contains(body, "of Them") {
				t.Errorf("%s shows something of theirs: %s", name, body)
			}
		}
		for _, name := range []string{"GET /v1/automation/flows", "GET /v1/automation/executions", "GET /v2/portal/configs", "GET /v2/portal/widgets", "GET /v1/campaign/{campaign_id}/recipients", "GET /v1/access-tokens", "GET /v1/admin/users", "POST /v1/entity:search", "POST /v1/entity:list"} {
			if !strings.Contains(calls[name], "of Us") { // or the test would prove nothing
				t.Errorf("%s does not show what is ours: %s", name, calls[name])
			}
		}
	})
}

// next is the cursor of the second page of an organisation's recipients.
func next(t *testing.T, o *client) string {
	t.Helper()
	o.make("recipient_id")
	v := o.Get("/v1/campaign/" + o.ids["campaign_id"] + "/recipients?limit=1").OK().Str("next")
	if v == "" {
		t.Fatal("there is no second page")
	}
	return v
}
