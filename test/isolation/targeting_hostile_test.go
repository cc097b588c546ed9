package isolation

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"parley/test/apitest"
	"parley/test/contract"
)

// bodied are the routes of the targeting API that take a body, each kind of entity
// by itself, with what the description says of it.
func bodied(t *testing.T) map[string][]*openapi3.Schema {
	t.Helper()
	spec, err := contract.Load("targeting")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]*openapi3.Schema{}
	for name, schemas := range spec.Bodies() {
		method, pattern, _ := strings.Cut(name, " ")
		for _, p := range spelled(pattern) {
			out[method+" "+p] = schemas
		}
	}
	return out
}

// refuses complains unless an answer is a 4xx in a shape of its route's family.
func refuses(t *testing.T, name, what string, a apitest.Answer) {
	t.Helper()
	if !inShape(name, a) || a.Status == 401 || a.Status == 403 || a.Status == 404 || a.Status == 429 {
		t.Errorf("%s took %s: %d %s", name, what, a.Status, a.Body)
	}
}

// caller is who makes a call of a route: the owner, or the operator.
func (o *client) caller(name string) *apitest.Caller {
	c := *o.Caller
	if targetingSamples[name].operator {
		c.Token = operatorToken
	}
	return &c
}

// try makes a call with another body; the operator's token is a bearer.
func (o *client) try(name string, body any) apitest.Answer {
	o.Helper()
	method, path, _ := strings.Cut(name, " ")
	as := o.caller(name)
	return as.Do(method, o.filled(path, nil)+o.filled(targetingSamples[name].query, nil), body, "Authorization", "Bearer "+as.Token, "X-API-Key", "")
}

func TestTargetingMalformedBodies(t *testing.T) {
	eachClient(t, func(t *testing.T, r *apitest.Rig, us, _ *client) {
		before := rowsOf(t, r)
		for _, name := range slices.Sorted(maps.Keys(bodied(t))) {
			for _, body := range append(slices.Clone(malformed), ``, `null`, `[{}]`, `true`, ` `) {
				if strings.TrimSpace(body) == "" || body == "null" {
					if name == "POST /v1/campaign/{campaign_id}/status" || name == "POST /v1/entity:list" {
						continue // none is needed
					}
				}
				refuses(t, name, fmt.Sprintf("%.40q", body), us.try(name, body))
			}
			long := us.try(name, []byte(`{"name":"`+strings.Repeat("a", 11<<20)+`"}`))
			if refuses(t, name, "11 MB", long); long.Status != http.StatusRequestEntityTooLarge {
				t.Errorf("%s took 11 MB: %d", name, long.Status)
			}
		}
		if d := diffed(before, rowsOf(t, r)); d != "" {
			t.Errorf("malformed bodies stored something: %s", d)
		}
	})
}

// Every field that api/targeting.yaml declares, within objects and lists too, is sent
// with every type that it does not have, outside of its bounds, and as null.
func TestTargetingWrongTypes(t *testing.T) {
	eachClient(t, func(t *testing.T, r *apitest.Rig, us, _ *client) {
		tried, before := 0, rowsOf(t, r)
		bodies := bodied(t)
		var nulls []func()
		for _, name := range slices.Sorted(maps.Keys(bodies)) {
			lacks, has := map[string]bool{}, map[string]bool{}
			for _, text := range append([]string{targetingSamples[name].body}, variants[name]...) {
				var valid map[string]any
				if err := json.Unmarshal([]byte(us.filled(text, nil)), &valid); err != nil {
					t.Fatalf("%s needs a sample body: %v", name, err)
				}
				spoil(bodies[name], valid, "", func(v any) any { return v }, func(at string, v, body any) {
					raw, _ := json.Marshal(v)
					switch {
					case v == any(missing):
						lacks[at] = true
					case v == any(found):
						has[at] = true
					case v == nil:
						nulls = append(nulls, func() { null(t, us, name, at, body) })
					default:
						tried++
						refuses(t, name, fmt.Sprintf("%s=%.60s", at, raw), us.try(name, body))
					}
				})
			}
			for at := range lacks {
				if !has[at] {
					t.Errorf("give %s a sample with something in %s", name, at)
				}
			}
		}
		if tried < 500 {
			t.Errorf("only %d wrong values were tried", tried)
		}
		if d := diffed(before, rowsOf(t, r)); d != "" {
			t.Errorf("wrong types stored something: %s", d)
		}
		for _, f := range nulls {
			f()
		}
	})
}

// variants are bodies beside the sample, for what excludes each other.
var variants = map[string][]string{
	"POST /v1/automation/executions/bulk-jobs": {`{"flow_id":"{flow_id}","entity_schema":"contact","entities_filter":[{"exists":{"field":"_id"}}]}`, `{"flow_id":"{flow_id}","entity_schema":"contact","entities_query":"_id:x"}`},
	"POST /v1/target":                          {targetDSL}, "PATCH /v1/target/{targetId}": {targetDSL}, "PUT /v1/target/{targetId}": {targetDSL},
}

const targetDSL = `{"name":"T","entity_schema":"contact","entity_filters":{"filter":[{"exists":{"field":"_id"}}]}}`

// null sends null: it counts as absent, or it is refused.
func null(t *testing.T, o *client, name, at string, body any) {
	t.Helper()
	o.make("targetId") // a null may have emptied them
	o.make("flow_id")
	o.renewPath(name)
	method, path, _ := strings.Cut(name, " ")
	status, answer := bare(t, o.caller(name), method, o.filled(path, nil)+o.filled(targetingSamples[name].query, nil), body)
	if status >= 500 || status >= 400 && !json.Valid(answer) {
		t.Errorf("%s with %s=null: %d %s", name, at, status, answer)
	}
}

func TestTargetingQueriesOfTheWrongType(t *testing.T) {
	spec, err := contract.Load("targeting")
	if err != nil {
		t.Fatal(err)
	}
	eachClient(t, func(t *testing.T, r *apitest.Rig, us, _ *client) {
		for pattern, params := range spec.Queries() {
			method, path, _ := strings.Cut(pattern, " ")
			for _, p := range params {
				s := p.Schema.Value
				values := append(slices.Clone(hostile), strings.Repeat("a", 5000), "%25", "1e9", "null", "a,b", "%F0%9F%98%80", "..%2F..", "0x10")
				for _, sp := range spelled(path) {
					name := method + " " + sp
					for _, v := range values {
						us.renewPath(name)
						others := strings.TrimPrefix(us.filled(targetingSamples[name].query, nil), "?")
						a := us.Do(method, us.filled(sp, nil)+"?"+p.Name+"="+v+"&"+others, us.filled(targetingSamples[name].body, nil))
						typed := s.Type.Is("boolean") && !slices.Contains([]string{"1", "0"}, v) || s.Type.Is("integer") || len(s.Enum) > 0
						if typed && (a.Status != 400 || !inShape(name, a)) || a.Status >= 500 || a.Status >= 400 && !inShape(name, a) {
							t.Errorf("%s with ?%s=%.30s: %d %s", name, p.Name, v, a.Status, a.Body)
						}
					}
				}
			}
		}
	})
}
