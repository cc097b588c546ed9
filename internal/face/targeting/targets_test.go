package targeting_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"parley/internal/id"
	"parley/test/apitest"
)

// served complains unless the answer is a ServerError of that status about words.
func served(t *testing.T, a apitest.Answer, status int, words string) {
	t.Helper()
	if a.Status != status || a.Get("status") != float64(status) || !strings.Contains(a.Str("message"), words) || a.Get("error") != nil {
		t.Errorf("%d %s, want %d about %q", a.Status, a.Body, status, words)
	}
}

// told complains unless the answer is a MessageError about words.
func told(t *testing.T, a apitest.Answer, status int, words string) {
	t.Helper()
	if a.Status != status || !strings.Contains(a.Str("message"), words) || a.Get("status") != nil || a.Get("code") != nil {
		t.Errorf("%d %s, want %d about %q", a.Status, a.Body, status, words)
	}
}

const berlin = `{"filter":{"items":[{"key":"city","operator":"equals","value":"Berlin"}],"combination":"and"}}`

func TestTargets(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c, other := acme.Targeting(), r.NewTenant("Other").Targeting()
		made := c.Post("/v1/target", `{"name":"Berliners","description":"all","entity_schema":"contact","entity_filters":`+berlin+`,"_tags":["a"],"_purpose":["p"],"own":{"x":1},
			"_id":"nonsense","_title":"not this","_created_at":1}`).OK()
		at := "/v1/target/" + made.Str("id")
		if made.Status != http.StatusCreated || made.Str("id") != made.Str("_id") || made.Str("_org") != acme.ID.UUID() || made.Str("_schema") != "target" || made.Str("_title") != "Berliners" ||
			made.Str("_tags.0") != "a" || made.Str("_owners.0.org_id") != acme.ID.UUID() || made.Str("_owners.0.user_id") == "" || made.Get("_acl.view") == nil || made.Str("_created_at") == "" ||
			made.Str("description") != "all" || made.Str("entity_schema") != "contact" || made.Get("entity_filters.filter.combination") != "and" || made.Get("own.x") != 1.0 {
			t.Errorf("made: %d %s", made.Status, made.Body)
		}
		if got := c.Get(at).OK(); string(got.Body) != string(made.Body) {
			t.Errorf("read: %s\nmade: %s", got.Body, made.Body)
		}
		if got := c.Get("/v1/entity/target/" + made.Str("id")).OK(); got.Str("entity._title") != "Berliners" || got.Str("entity.id") != made.Str("id") {
			t.Errorf("as an entity: %s", got.Body)
		}
		if got := c.Get(at + "?strict=true&hydrate=1").OK(); got.Get("own") != nil || got.Get("__additional.own.x") != 1.0 || got.Get("_purpose") == nil {
			t.Errorf("strict: %s", got.Body)
		}
		served(t, c.Get(at+"?strict=perhaps"), 400, "strict")
		patched := c.Patch(at, `{"description":null,"own":null,"_tags":null,"name":"B","_updated_at":"2000-01-01T00:00:00Z"}`).OK()
		if patched.Get("description") != nil || patched.Get("own") != nil || len(patched.Get("_tags").([]any)) != 0 || patched.Str("name") != "B" || patched.Str("_title") != "B" || patched.Str("entity_schema") != "contact" {
			t.Errorf("patched: %s", patched.Body)
		}
		put := c.Put(at, `{"name":"P","entity_filters":{"filter":[{"term":{"city":"Bonn"}}]}}`).OK()
		if put.Str("name") != "P" || put.Get("entity_schema") != nil || put.Get("_purpose") != nil || put.Str("entity_filters.filter.0.term.city") != "Bonn" || put.Str("_created_at") != made.Str("_created_at") {
			t.Errorf("put: %s", put.Body)
		}
		served(t, c.Put(at, `{"description":"x"}`), 400, "name")
		served(t, c.Patch(at, `{"name":""}`), 400, "name")
		served(t, c.Patch(at, `{"name":7}`), 400, "name")
		served(t, c.Patch(at, `{"entity_filters":"x"}`), 400, "entity_filters")
		served(t, c.Patch(at, `{"entity_filters":{"filter":{"items":[{"key":"a","operator":"is odd"}]}}}`), 400, "operator")
		served(t, c.Patch(at, `[]`), 400, "object")
		served(t, c.Post("/v1/target", `{`), 400, "JSON")
		served(t, c.Post("/v1/target", ``), 400, "object")
		served(t, c.Post("/v1/target", `{}`), 400, "name")
		served(t, c.Post("/v1/target", `{"name":"x","entity_schema":"a b"}`), 400, "entity_schema")
		served(t, c.Get("/v1/target/7"), 400, "UUID")
		for _, unknown := range []string{id.New().UUID(), "6b1f0f0a-0000-4000-8000-000000000000"} {
			served(t, c.Get("/v1/target/"+unknown), 404, "no such target")
			served(t, c.Patch("/v1/target/"+unknown, `{"name":"x"}`), 404, "no such target")
			served(t, c.Put("/v1/target/"+unknown, `{"name":"x"}`), 404, "no such target")
			served(t, c.Delete("/v1/target/"+unknown), 404, "no such target")
		}
		served(t, other.Get(at), 404, "no such target")
		served(t, other.Delete(at), 404, "no such target")
		failed(t, acme.Targeting("read").Post("/v1/target", `{"name":"x"}`), 403, "targeting:write")
		if gone := c.Delete(at).OK(); gone.Str("name") != "P" {
			t.Errorf("deleted: %s", gone.Body)
		}
		served(t, c.Delete(at), 404, "no such target")
	})
}

func TestTargetsAsEntities(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Targeting()
		made := c.Post("/v1/entity/target", `{"name":"Berliners","entity_schema":"contact","entity_filters":`+berlin+`}`).OK()
		at := "/v1/entity/target/" + made.Str("_id")
		if made.Status != http.StatusCreated || made.Str("_schema") != "target" || made.Str("name") != "Berliners" {
			t.Errorf("made: %d %s", made.Status, made.Body)
		}
		failed(t, c.Post("/v1/entity/target", `{"description":"x"}`), 400, "name")
		failed(t, c.Patch(at, `{"name":"late","_updated_at":"2000-01-01T00:00:00Z"}`), 409, "_updated_at")
		if got := c.Patch(at, `{"name":"B","_updated_at":"`+made.Str("_updated_at")+`"}`).OK(); got.Str("name") != "B" {
			t.Errorf("patched: %s", got.Body)
		}
		if got := c.Put(at, `{"name":"P"}`).OK(); got.Str("name") != "P" || got.Get("entity_filters") != nil {
			t.Errorf("put: %s", got.Body)
		}
		found := c.Post("/v1/entity:search", `{"q":"_schema:target AND name:P"}`).OK()
		if found.Get("hits") != 1.0 || found.Str("results.0._id") != made.Str("_id") {
			t.Errorf("found: %s", found.Body)
		}
		c.Delete(at).OK()
		failed(t, c.Get(at), 404, "entity")
		served(t, c.Get("/v1/target/"+made.Str("_id")), 404, "no such target")
	})
}

func TestTargetMatch(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c := acme.Targeting("read", "write")
		person := c.Post("/v1/entity/contact", `{"first_name":"Asha","email":"asha@example.com","city":"Berlin"}`).OK().Str("_id")
		contract := c.Post("/v1/entity/contract", `{"city":"Bonn"}`).OK().Str("_id")
		target := func(body string) string { return c.Post("/v1/target", body).OK().Str("id") }
		people := target(`{"name":"people","entity_schema":"contact","entity_filters":` + berlin + `}`)
		contracts := target(`{"name":"contracts","entity_schema":"contract","entity_filters":{"filter":[{"term":{"city":"Bonn"}}]}}`)
		none := target(`{"name":"none","entity_schema":"contact"}`)
		ref := func(v, schema string) string {
			return fmt.Sprintf(`{"entity_id":%q,"entity_schema":%q}`, v, schema)
		}
		match := func(refs, targets string) apitest.Answer {
			return c.Post("/v1/target:match", `{"entity_refs":[`+refs+`],"target_ids":[`+targets+`]}`)
		}
		q := func(ids ...string) string { return `"` + strings.Join(ids, `","`) + `"` }
		unknown := id.New().UUID()
		both := match(ref(person, "contact")+","+ref(contract, "contract"), q(contracts, none, unknown, people)).OK()
		if both.Get("hits") != 2.0 || both.Str("results.0.target.id") != contracts || both.Str("results.1.target.name") != "people" {
			t.Errorf("both: %s", both.Body)
		}
		for _, empty := range []string{"", ref(contract, "contact"), ref(unknown, "contact"), ref("6b1f0f0a-0000-4000-8000-000000000000", "contact")} {
			if got := match(empty, q(people)).OK(); string(got.Body) != `{"hits":0,"results":[]}` {
				t.Errorf("%s matches %s", empty, got.Body)
			}
		}
		c.Patch("/v1/entity/contact/"+person, `{"city":"Bern"}`).OK()
		if got := match(ref(person, "contact"), q(people)).OK(); got.Get("hits") != 0.0 {
			t.Errorf("moved away: %s", got.Body)
		}
		if got := r.NewTenant("Other").Targeting().Post("/v1/target:match", `{"entity_refs":[`+ref(contract, "contract")+`],"target_ids":[`+q(contracts)+`]}`).OK(); got.Get("hits") != 0.0 {
			t.Errorf("another organisation: %s", got.Body)
		}
		if got := c.Post("/v1/target%3Amatch", `{"entity_refs":[],"target_ids":[`+q(people)+`]}`).OK(); got.Get("hits") != 0.0 {
			t.Errorf("escaped: %s", got.Body)
		}
		many := make([]string, 101)
		for i := range many {
			many[i] = id.New().UUID()
		}
		told(t, match("", ""), 400, "target_ids")
		told(t, match("", q(many...)), 400, "target_ids")
		told(t, match("", q(people, people)), 400, "target_ids[1]")
		told(t, match("", q(people, strings.ToUpper(people))), 400, "target_ids[1]")
		told(t, match("", q("nobody")), 400, "target_ids[0]")
		told(t, match(`{"entity_id":"`+person+`"}`, q(people)), 400, "entity_schema")
		told(t, match(`{"entity_id":"x","entity_schema":"contact"}`, q(people)), 400, "entity_refs[0].entity_id")
		told(t, match(`{"entity_id":"`+person+`","entity_schema":"contact","more":1}`, q(people)), 400, "more")
		told(t, match(`7`, q(people)), 400, "entity_refs[0]")
		told(t, c.Post("/v1/target:match", `{"target_ids":[`+q(people)+`]}`), 400, "entity_refs")
		told(t, c.Post("/v1/target:match", `{"entity_refs":[],"target_ids":[`+q(people)+`],"extra":1}`), 400, "extra")
		told(t, c.Post("/v1/target:match", `{"entity_refs":{},"target_ids":[`+q(people)+`]}`), 400, "entity_refs")
		told(t, c.Post("/v1/target:match", `nonsense`), 400, "JSON")
		failed(t, acme.Targeting("write").Post("/v1/target:match", `{"entity_refs":[],"target_ids":[`+q(people)+`]}`), 403, "targeting:read")
	})
}

func TestTargetQueries(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Targeting()
		person := c.Post("/v1/entity/contact", `{"first_name":"Asha","email":"asha@example.com","city":"Berlin"}`).OK().Str("_id")
		c.Post("/v1/entity/contact", `{"first_name":"Ben","email":"ben@example.com","city":"Bonn"}`).OK()
		people := c.Post("/v1/target", `{"name":"people","entity_schema":"contact","entity_filters":`+berlin+`}`).OK().Str("id")
		empty := c.Post("/v1/target", `{"name":"empty","entity_schema":"contact"}`).OK().Str("id")
		unknown := id.New().UUID()
		got := c.Post("/v1/target/queries", map[string]any{"target_ids": []string{empty, people, unknown}}).OK()
		if got.Str("results.0.target_id") != empty || got.Get("results.0.query") != nil || !strings.Contains(got.Str("results.0.error"), "no filters") ||
			got.Str("results.1.target_id") != people || got.Get("results.1.error") != nil || !strings.Contains(got.Str("results.2.error"), "no such target") {
			t.Errorf("queries: %s", got.Body)
		}
		found := c.Post("/v1/entity:search", map[string]any{"q": got.Str("results.1.query")}).OK()
		if found.Get("hits") != 1.0 || found.Str("results.0._id") != person {
			t.Errorf("%q finds %s", got.Str("results.1.query"), found.Body)
		}
		told(t, c.Post("/v1/target/queries", `{"target_ids":[]}`), 400, "target_ids")
		told(t, c.Post("/v1/target/queries", `{"target_ids":["`+people+`"],"x":1}`), 400, "x")
	})
}

// A rule starts when a person comes into a target by the lane of a running server.
func TestTargetStartsARule(t *testing.T) {
	apitest.Each(t, apitest.Options{}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c := acme.Targeting()
		people := c.Post("/v1/target", `{"name":"people","entity_schema":"contact","entity_filters":`+berlin+`}`).OK().Str("id")
		v, _, _ := id.FromUUID(people)
		_, err := r.App.Automations.Create(t.Context(), acme.ID, "test", map[string]any{"name": "hello", "trigger": "segment_entered", "triggerConfig": map[string]any{"segmentId": v.String()},
			"actions": []any{map[string]any{"type": "add_tag", "config": map[string]any{"tag": "came into {{segment.name}}"}}}})
		if err != nil {
			t.Fatal(err)
		}
		r.Eventually("the target is known", func() bool {
			s, err := r.App.Segments.Get(r.App.Entities.Reads(t.Context(), acme.ID), v)
			return err == nil && s.Known()
		})
		person := c.Post("/v1/entity/contact", `{"first_name":"Asha","email":"asha@example.com","city":"Berlin"}`).OK().Str("_id")
		r.Eventually("the rule has run", func() bool {
			return c.Get("/v1/entity/contact/"+person).OK().Str("entity._tags.0") == "came into people"
		})
	})
}
