package isolation

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"parley/internal/id"
	"parley/test/apitest"
)

// kinds are fields of entities that the description leaves open, since each kind has
// its own, with values that the kind refuses.
var kinds = map[string][]string{
	"contact": {`"first_name":7`, `"first_name":[]`, `"last_name":{}`, `"phone":true`, `"phone":"letters"`, `"email":[]`, `"email":"nobody"`, `"source":{}`, `"score":"7"`, `"score":-1`, `"score":1.5`,
		`"score":99999999999`, `"score":1e300`, `"additional":[]`, `"additional":"x"`, `"status":"new"`, `"agent_id":"{user}"`, `"group_id":"{group}"`, `"emails":["a@example.com"]`, `"value":7`, `"archived":true`},
	"contract": {`"_title":7`, `"_title":{}`, `"_tags":"x"`, `"_tags":[7]`, `"_tags":[[]]`, `"_updated_at":"yesterday"`, `"_updated_at":7`, `"_deleted_at":7`, `"deep":` + strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40),
		`"long":"` + strings.Repeat("a", 300<<10) + `"`},
	"campaign": {`"name":7`, `"name":[]`, `"name":"` + strings.Repeat("a", 5000) + `"`, `"goal":{}`, `"status":"activating"`, `"status":7`, `"job_id":"{job_id}"`, `"start_date":"tomorrow"`, `"start_date":7`, `"end_date":"2026-13-01"`,
		`"flow_id":7`, `"flow_id":{}`, `"target":"{targetId}"`, `"target":[]`, `"target":{}`, `"target":{"$relation":"x"}`, `"target":{"$relation":["x"]}`, `"target":{"$relation":[{"entity_id":"x"}]}`, `"target":{"$relation":[{"entity_id":7}]}`,
		`"target":{"$relation":[{"entity_id":"{targetId}","_tags":7}]}`, `"next_best_action":7`, `"next_best_action":[]`},
	"target": {`"name":7`, `"name":""`, `"description":[]`, `"entity_schema":7`, `"entity_schema":"no schema!"`, `"entity_filters":[]`, `"entity_filters":"x"`, `"entity_filters":{"filter":7}`, `"entity_filters":{"filter":[7]}`,
		`"entity_filters":{"filter":[{"fly":{}}]}`, `"entity_filters":{"filter":{"items":7}}`, `"entity_filters":{"filter":{"items":[{"key":"a","operator":"smells","value":1}]}}`, `"entity_filters":{"filter":{"items":[{"key":7,"operator":"equals"}]}}`,
		`"entity_filters":{"filter":{"combination":"XOR","items":[{"key":"a","operator":"equals","value":1}]}}`, `"entity_filters":{"filter":{"items":[{"key":"a","operator":"any_of","value":{}}]}}`},
}

// What the kinds of entities refuse stores nothing, by whatever path it comes.
func TestTargetingKindsOfEntities(t *testing.T) {
	eachClient(t, func(t *testing.T, r *apitest.Rig, us, _ *client) {
		before := rowsOf(t, r)
		nouns := map[string]string{"contact": "contact", "contract": "record", "campaign": "campaign_id", "target": "targetId"}
		for kind, fields := range kinds {
			for _, field := range fields {
				if !json.Valid([]byte("{" + us.filled(field, nil) + "}")) {
					t.Fatalf("%s is no JSON", field)
				}
				name, _, _ := strings.Cut(field, ":")
				base := map[string]string{"contact": `"email":"fresh@example.com","first_name":"N",`, "contract": `"name":"N",`, "campaign": `"name":"N",`, "target": `"name":"N",`}[kind]
				if strings.HasPrefix(base, name) || strings.Contains(base, ","+name) {
					base = ""
					if kind == "contact" {
						base = `"external":1,`
					}
				}
				body := us.filled("{"+base+field+"}", nil)
				at := us.ids[nouns[kind]]
				for _, call := range [][3]string{{"POST", "/v1/entity/" + kind, body}, {"PATCH", "/v1/entity/" + kind + "/" + at, us.filled("{"+field+"}", nil)}, {"PUT", "/v1/entity/" + kind + "/" + at, body},
					{"PATCH", "/v1/entity/" + kind + ":upsert", `{"unique_key":["_id"],"entity":{"_id":"` + at + `",` + strings.TrimPrefix(us.filled(field, nil), "{") + `}}`}} {
					if a := us.Do(call[0], call[1], call[2]); !inShape(call[0]+" "+call[1], a) || a.Status != 400 && a.Status != 413 {
						t.Errorf("%s %s took %.80s: %d %.300s", call[0], call[1], field, a.Status, a.Body)
					}
				}
			}
		}
		if d := diffed(before, rowsOf(t, r)); d != "" {
			t.Errorf("refused entities stored something: %s", d)
		}
	})
}

// Queries and filters of any form are answered or refused, and read nobody else's.
func TestTargetingHostileFilters(t *testing.T) {
	eachClient(t, func(t *testing.T, r *apitest.Rig, us, them *client) {
		before := rowsOf(t, r)
		long := strings.Repeat("a", 20000)
		queries := []string{"", " ", "*", "*:*", "(", ")", "((((", strings.Repeat("(", 5000), `"`, `\`, `a\`, "AND", "OR OR", "NOT", "a AND", "!", "-", "+", "&&", "||", "_id:", ":", "::", "a:b:c", "[1 TO", "a:[1 TO 2", "a:{* TO *}", "a:[TO]", "a:>", "a:>=",
			"/x/", "a:/.*/", "a~", "a^2", "a:b~0.5", "?", "a:?*?*?*?*?*?*?*?*?*b", "*a*b*c*d*e*f*g*", long, "x:" + long, strings.Repeat("a OR ", 5000) + "a", strings.Repeat("NOT ", 3000) + "a", "a'b", `a"b`, "%", "_", "a%_b", "'; DROP TABLE contact; --", "x') OR 1=1 --",
			"_exists_:", "_exists_:a", "$a:b", "a.b.c.d:e", strings.Repeat("a.", 500) + "b:c", "é:ü", "😀", "\u202e", "_created_at:[x TO y]", "_created_at:>yesterday", "score:1e999", "score:NaN", "score:-0", "_schema:x", "_org:*", "_acl:*", "_owners.org_id:*", "\U0010ffff"}
		for _, q := range queries {
			for _, path := range []string{"/v1/entity:search", "/v1/automation/executions/bulk-jobs"} {
				body := map[string]any{"q": q, "size": 1000, "entities_query": q, "flow_id": us.ids["flow_id"], "entity_schema": "contact"}
				answered(t, fmt.Sprintf("%s %.60q", path, q), us.Post(path, body))
			}
		}
		in := `{"terms":{"a":[` + strings.Repeat(`"x",`, 20000) + `"y"]}}`
		for _, f := range []string{`{}`, `{"term":7}`, `{"term":{}}`, `{"term":{"a":{}}}`, `{"term":{"a":[]}}`, `{"term":{"a":1,"b":2}}`, `{"term":{"a":1},"terms":{"a":[1]}}`, `{"terms":{"a":1}}`, `{"terms":{"a":[]}}`, in, `{"ids":{}}`, `{"ids":{"values":7}}`, `{"ids":{"values":["x",7,null]}}`,
			`{"range":{"a":{}}}`, `{"range":{"a":{"gt":{}}}}`, `{"range":{"a":{"gte":"x","lt":1}}}`, `{"range":{"a":{"gt":1,"time_zone":"Mars/One"}}}`, `{"exists":7}`, `{"exists":{"field":7}}`, `{"exists":{"field":""}}`, `{"$and":7}`, `{"$or":[]}`, `{"$not":{}}`, `{"$not":[7]}`,
			strings.Repeat(`{"$not":[`, 30) + `{"exists":{"field":"a"}}` + strings.Repeat(`]}`, 30), strings.Repeat(`{"$and":[`, 15) + in + strings.Repeat(`]}`, 15), `{"term":{"` + long + `":1}}`, `{"term":{"a":"` + long + `"}}`, `{"term":{"a":1e999}}`, `{"term":{"a":123456789012345678901234567890}}`,
			`{"term":{"":""}}`, `{"term":{".":"x"}}`, `{"term":{"a..b":"x"}}`, `{"term":{"a'b":"x"}}`, `{"term":{"_org":null}}`, `{"fly":{}}`, `7`, `null`, `"x"`, `[]`} {
			for _, body := range []struct{ path, text string }{{"/v1/entity:list", `{"filter":[` + f + `],"size":1000}`}, {"/v1/automation/executions/bulk-jobs", `{"flow_id":"{flow_id}","entity_schema":"contact","entities_filter":[` + f + `]}`},
				{"/v1/target", `{"name":"T","entity_schema":"contact","entity_filters":{"filter":[` + f + `]}}`}} {
				status, answer := bareText(t, us, body.path, us.filled(body.text, nil))
				if status >= 500 || strings.Contains(string(answer), "of Them") {
					t.Errorf("%s with the filter %.80s: %d %.300s", body.path, f, status, answer)
				}
			}
		}
		for _, sort := range []string{":", ":desc", "_title:up", "a,b", "a:asc,b:desc", "'", long, "_score:desc", ".", "a b:desc", "_id:desc:asc", "*"} {
			for _, fields := range [][]string{{}, {""}, {"!"}, {"!_id"}, {"*"}, {"_org"}, {long}, {"a.b", "!a"}} {
				answered(t, fmt.Sprintf("sort %.30q fields %.30q", sort, fields), us.Post("/v1/entity:search", map[string]any{"q": "*", "sort": sort, "fields": fields}))
			}
		}
		after := rowsOf(t, r)
		for _, table := range []string{"contact", "record", "campaign", "automation", "execution", "run", "access_token", "portal", "agent"} {
			if before[table] != after[table] {
				t.Errorf("%s %d -> %d", table, before[table], after[table])
			}
		}
	})
}

// answered complains about what is neither answered nor refused well, or shows others.
func answered(t *testing.T, what string, a apitest.Answer) {
	t.Helper()
	if a.Status >= 500 || a.Status >= 400 && shape(a) != "error,status" || strings.Contains(string(a.Body), "of Them") {
		t.Errorf("%s: %d %.300s", what, a.Status, a.Body)
	}
}

// bareText is bare for a body that is written already.
func bareText(t *testing.T, o *client, path, body string) (int, []byte) {
	t.Helper()
	return bare(t, o.Caller, "POST", path, json.RawMessage(body))
}

// Somebody of another organisation inherits nobody's contacts.
func TestTargetingHeirs(t *testing.T) {
	eachClient(t, func(t *testing.T, r *apitest.Rig, us, them *client) {
		boss := us.Agent("Boss", "of Us", id.Zero)
		lead := us.Tenant.As(boss).Post("/lead/retail", `{"utmSource":"web","firstName":"Owned","phones":["+5491144000001"]}`).OK().Str("id")
		us.Tenant.As(boss).Post("/prospect/"+lead+"/as-user/claim", `{}`).OK()
		v, _ := id.Parse(lead)
		owner := func() string { return us.Get("/v1/entity/contact/" + v.UUID()).OK().Str("entity.agent_id") }
		if owner() != boss.ID.UUID() {
			t.Fatalf("the contact belongs to %q, want %s", owner(), boss.ID.UUID())
		}
		at := "/v1/admin/users/" + boss.ID.UUID() + "?transfer_to="
		for _, noun := range []string{"user", "colleague", "group", "organization", "contact"} {
			if a := us.Delete(at + them.ids[noun]); a.Status != 400 || !inShape("DELETE /v1/admin/users/{user}", a) {
				t.Errorf("their %s inherits: %d %s", noun, a.Status, a.Body)
			}
		}
		// A flow may say that somebody of theirs gets it, who does not.
		away := us.post("/v1/automation/flows", `{"flow_name":"Away","actions":[{"type":"assign-entity","config":{"user_id":"`+them.ids["user"]+`"}}]}`, "id")
		if a := us.Post("/v1/automation/executions", map[string]any{"flow_id": away, "entity_id": v.UUID(), "entity_schema": "contact"}); a.Status >= 500 || owner() != boss.ID.UUID() {
			t.Errorf("the contact belongs to %q now, want %s: %d %s", owner(), boss.ID.UUID(), a.Status, a.Body)
		}
		us.Delete(at + us.ids["colleague"]).OK()
	})
}
