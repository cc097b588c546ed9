package isolation

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"parley/internal/httpx"
	"parley/test/contract"
	"parley/test/platformtest"
)

// blames reports whether the answer is a 4xx that names field, or a part of it.
func blames(t *testing.T, a platformtest.Answer, field string) bool {
	t.Helper()
	if a.Status < 400 || a.Status >= 500 {
		return false
	}
	errs, _ := a.Get(t, "errors").(map[string]any)
	for name := range errs {
		if name == field || strings.HasPrefix(name, field+".") || strings.HasPrefix(name, field+"[") ||
			strings.HasSuffix(name, "."+field) || strings.Contains(name, "."+field+".") || strings.Contains(name, "."+field+"[") {
			return true
		}
	}
	return false
}

// writes are the routes that change something.
func writes(r *platformtest.Rig) []httpx.Route {
	var out []httpx.Route
	for _, route := range r.Face.HTTP().Routes {
		if route.Method != "GET" {
			out = append(out, route)
		}
	}
	return out
}

func TestMalformedBodies(t *testing.T) {
	spec, err := contract.Load("platform")
	if err != nil {
		t.Fatal(err)
	}
	bodied := spec.Bodies()
	each(t, func(t *testing.T, r *platformtest.Rig, us, _ *owner) {
		before := r.Rows()
		for _, route := range writes(r) {
			if bodied[route.Method+" "+route.Pattern] == nil {
				continue
			}
			path, _ := parameter(t, route.Pattern)
			for _, body := range []string{`{`, `{"a":}`, `nonsense`, `"text"`, `7`, `{"a":1}{"b":2}`, "{\"firstName\":\"\xff\"}", `{"name":"a\u0000b"}`, strings.Repeat(`{"a":`, 100) + `1` + strings.Repeat(`}`, 100)} {
				a := us.Do(route.Method, us.filled(path, nil), body)
				if a.Status != 400 || a.Str(t, "message") == "" || a.Str(t, "code") == "" {
					t.Errorf("%s %s took %.40q: %d %s", route.Method, route.Pattern, body, a.Status, a.Body)
				}
			}
		}
		if d := platformtest.Diff(before, r.Rows()); d != "" {
			t.Errorf("malformed bodies stored something: %s", d)
		}
	})
}

// Every field that api/platform.yaml declares is sent with every type that it
// does not have.
func TestWrongTypes(t *testing.T) {
	spec, err := contract.Load("platform")
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, r *platformtest.Rig, us, _ *owner) {
		before := r.Rows()
		tried := 0
		bodied := spec.Bodies()
		for _, key := range slices.Sorted(maps.Keys(bodied)) {
			method, pattern, _ := strings.Cut(key, " ")
			path, _ := parameter(t, pattern)
			valid := map[string]any{}
			if err := json.Unmarshal([]byte(us.filled(bodies[key], nil)), &valid); err != nil {
				t.Fatalf("give %s a body: %v", key, err)
			}
			for field, values := range wrong(bodied[key]) {
				for _, v := range values {
					body := maps.Clone(valid)
					body[field] = v
					tried++
					if a := us.Do(method, us.filled(path, nil), body); !blames(t, a, field) {
						t.Errorf("%s with %s=%v: %d %s", key, field, v, a.Status, a.Body)
					}
				}
			}
		}
		if tried < 200 {
			t.Errorf("only %d wrong values were tried", tried)
		}
		if d := platformtest.Diff(before, r.Rows()); d != "" {
			t.Errorf("wrong types stored something: %s", d)
		}
	})
}

// wrong gives each declared property values of the types that it does not have.
func wrong(schemas []*openapi3.Schema) map[string][]any {
	out := map[string][]any{}
	samples := []struct {
		kind string
		v    any
	}{{"string", "x"}, {"number", 7.5}, {"boolean", true}, {"object", map[string]any{"k": map[string]any{}}}, {"array", []any{[]any{}}}}
	for _, s := range schemas {
		for name, p := range s.Properties {
			kinds := kindsOf(p.Value)
			if len(kinds) == 0 {
				continue // anything goes
			}
			for _, sample := range samples {
				if !slices.Contains(kinds, sample.kind) {
					out[name] = append(out[name], sample.v)
				}
			}
		}
	}
	return out
}

func kindsOf(s *openapi3.Schema) []string {
	var out []string
	if s.Type != nil {
		out = append(out, *s.Type...)
	}
	for _, refs := range []openapi3.SchemaRefs{s.AllOf, s.AnyOf, s.OneOf} {
		for _, r := range refs {
			out = append(out, kindsOf(r.Value)...)
		}
	}
	return out
}

func TestLongBodies(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig, us, _ *owner) {
		before := r.Rows()
		long := []byte(`{"firstName":"` + strings.Repeat("a", 11<<20) + `"}`)
		for _, route := range writes(r) {
			if forms[route.Method+" "+route.Pattern] != "" {
				continue // a stream, which bounds itself; larger ones are tested with the face
			}
			path, _ := parameter(t, route.Pattern)
			a := us.Do(route.Method, us.filled(path, nil), long)
			if a.Status != 413 || a.Str(t, "code") != "PAYLOAD_TOO_LARGE" || a.Get(t, "success") != false {
				t.Errorf("%s %s took 11 MB: %d %s", route.Method, route.Pattern, a.Status, a.Body)
			}
		}
		if d := platformtest.Diff(before, r.Rows()); d != "" {
			t.Errorf("long bodies stored something: %s", d)
		}
	})
}

func TestBadPhones(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig, us, _ *owner) {
		before := r.Rows()
		for _, phone := range []string{"12345", "letters", "+", "00", "+12", strings.Repeat("9", 16), strings.Repeat("9", 500), "98765 4321", "٣٤", "-"} {
			quoted, _ := json.Marshal(phone)
			for _, c := range []struct{ method, path, body, field string }{
				{"POST", "/api/crm/leads", `{"firstName":"A","phone":%s}`, "phone"},
				{"POST", "/api/crm/leads", `[{"firstName":"A","phone":"9876577777"},{"firstName":"A","phone":%s}]`, "leads[1].phone"},
				{"POST", "/api/crm/leads/bulk", `{"leads":[{"firstName":"A","phone":%s}]}`, "leads[0].phone"},
				{"POST", "/api/crm/leads/upsert", `{"leadData":{"phone":%s}}`, "leadData.phone"},
				{"PATCH", "/api/crm/leads/{lead}", `{"phone":%s}`, "phone"},
				{"POST", "/api/saas/workflows/trigger", `{"trigger":"x","createLeadIfMissing":true,"phone":%s}`, "phone"},
				{"POST", "/api/saas/chat/send", `{"text":"x","to":%s}`, "to"},
			} {
				a := us.Do(c.method, us.filled(c.path, nil), fmt.Sprintf(c.body, quoted))
				if a.Status != 400 || a.Str(t, "code") != "INVALID_PHONE" || !blames(t, a, c.field) {
					t.Errorf("%s %s took the phone %.20q: %d %s", c.method, c.path, phone, a.Status, a.Body)
				}
			}
		}
		if d := platformtest.Diff(before, r.Rows()); d != "" {
			t.Errorf("bad phones stored something: %s", d)
		}
	})
}

func TestBadGraphs(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig, us, _ *owner) {
		before := r.Rows()
		for _, c := range []struct{ form, field string }{
			{`"nodes":[{"id":"a","type":"teleport"}]`, "nodes[0].type"},
			{`"nodes":[{"id":"a"}]`, "nodes[0].type"},
			{`"nodes":[{"type":"end"}]`, "nodes[0].id"},
			{`"nodes":[{"id":"a","type":"end"},{"id":"a","type":"end"}]`, "nodes[1].id"},
			{`"nodes":["a"]`, "nodes[0]"},
			{`"nodes":[{"id":"a","type":"action","data":{"type":"fly"}}]`, "nodes[0]"},
			{`"nodes":[{"id":"a","type":"action","data":{"type":"add_tag"}}]`, "nodes[0]"},
			{`"nodes":[{"id":"a","type":"delay","data":{"delayMinutes":-5}}]`, "nodes[0]"},
			{`"nodes":[{"id":"a","type":"condition","data":{"field":"lead.source","operator":"smells_like","value":1}}]`, "nodes[0]"},
			{`"nodes":[{"id":"a","type":"end"}],"edges":[{"source":"a","target":"ghost"}]`, "edges[0].target"},
			{`"nodes":[{"id":"a","type":"end"}],"edges":[{"source":"ghost","target":"a"}]`, "edges[0].source"},
			{`"nodes":[{"id":"a","type":"end"}],"edges":[7]`, "edges[0]"},
			{`"nodes":[{"id":"r","type":"trigger"},{"id":"a","type":"delay","data":{"delayMinutes":1}},{"id":"b","type":"delay","data":{"delayMinutes":1}}],"edges":[{"source":"r","target":"a"},{"source":"a","target":"b"},{"source":"b","target":"a"}]`, "nodes[1]"},
			{`"nodes":[{"id":"a","type":"delay","data":{"delayMinutes":1}}],"edges":[{"source":"a","target":"a"}]`, "nodes[0]"},
			{`"nodes":[{"id":"r","type":"trigger"},{"id":"a","type":"end"},{"id":"b","type":"end"}],"edges":[{"source":"r","target":"a"}]`, "nodes[2]"},
			{`"actions":[{"type":"fly"}]`, "actions[0]"},
			{`"conditions":[{"field":"lead.source","operator":"smells_like"}]`, "conditions[0]"},
			{`"conditionLogic":"XOR"`, "conditionLogic"},
		} {
			for _, call := range []struct{ method, path string }{{"POST", "/api/crm/automations"}, {"PATCH", "/api/crm/automations/{rule}"}} {
				body := `{"name":"Bad","trigger":"bad","nodes":[],"edges":[],` + c.form + `}`
				a := us.Do(call.method, us.filled(call.path, nil), body)
				if a.Status != 400 || !blames(t, a, c.field) {
					t.Errorf("%s %s took %s, or does not name %s: %d %s", call.method, call.path, c.form, c.field, a.Status, a.Body)
				}
			}
		}
		if d := platformtest.Diff(before, r.Rows()); d != "" {
			t.Errorf("bad graphs stored something: %s", d)
		}
	})
}

func TestQueriesOfTheWrongType(t *testing.T) {
	spec, err := contract.Load("platform")
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, r *platformtest.Rig, us, _ *owner) {
		for key, params := range spec.Queries() {
			method, pattern, _ := strings.Cut(key, " ")
			path, _ := parameter(t, pattern)
			for _, p := range params {
				if p.Schema.Value.Type.Is("string") && len(p.Schema.Value.Enum) == 0 {
					continue
				}
				for _, v := range []string{"x", "1.5", "-1", "99999999999999999999", "%5B%5D"} {
					a := us.Do(method, us.filled(path, nil)+"?"+p.Name+"="+v, nil)
					if a.Status != 400 || !blames(t, a, p.Name) {
						t.Errorf("%s with ?%s=%s: %d %s", key, p.Name, v, a.Status, a.Body)
					}
				}
			}
		}
	})
}
