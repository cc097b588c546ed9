package isolation

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"parley/test/apitest"
	"parley/test/contract"
	"parley/test/platformtest"
)

// reactions are tables that go on by themselves after what was told before.
var reactions = []string{"job", "job_queue", "lane", "event", "event_horizon", "outbox", "message", "activity", "webhook_delivery"}

// refusal complains unless an answer is a 400 in this API's envelope.
func refusal(t *testing.T, what string, a apitest.Answer) {
	t.Helper()
	if a.Status != 400 || a.Str("code") == "" || a.Str("message") == "" || a.Str("summary") == "" {
		t.Errorf("%s: %d %s", what, a.Status, a.Body)
	}
}

func TestSalesMalformedBodies(t *testing.T) {
	spec, err := contract.Load("sales")
	if err != nil {
		t.Fatal(err)
	}
	eachSeller(t, func(t *testing.T, r *apitest.Rig, us, _, _ *seller) {
		before := rowsOf(t, r)
		for _, name := range slices.Sorted(maps.Keys(spec.Bodies())) {
			method, path, _ := strings.Cut(name, " ")
			if salesSamples[name].body == "" || salesSamples[name].body == "{}" || salesSamples[name].refused == "INVALID_SCOPE" {
				continue // no body is needed
			}
			for _, body := range malformed {
				a := us.caller(name).Do(method, us.filled(path, nil), body)
				if body == `[]` && a.Status < 300 { // where the contract takes a list
					continue
				}
				refusal(t, name+" took "+body[:min(len(body), 40)], a)
			}
		}
		if d := platformtest.Diff(before, rowsOf(t, r), reactions...); d != "" {
			t.Errorf("malformed bodies stored something: %s", d)
		}
	})
}

// Every field that api/sales.yaml declares is sent with every type that it does
// not have, and as null.
func TestSalesWrongTypes(t *testing.T) {
	spec, err := contract.Load("sales")
	if err != nil {
		t.Fatal(err)
	}
	eachSeller(t, func(t *testing.T, r *apitest.Rig, us, _, _ *seller) {
		tried := 0
		bodied := spec.Bodies()
		for _, name := range slices.Sorted(maps.Keys(bodied)) {
			method, path, _ := strings.Cut(name, " ")
			if salesSamples[name].refused == "INVALID_SCOPE" {
				continue
			}
			valid := map[string]any{}
			if text := salesSamples[name].body; text != "" && json.Unmarshal([]byte(us.filled(text, nil)), &valid) != nil {
				continue // a list
			}
			for field, values := range wrong(bodied[name]) {
				for _, v := range values {
					body := maps.Clone(valid)
					body[field] = v
					tried++
					raw, _ := json.Marshal(v)
					refusal(t, name+" took "+field+"="+string(raw), us.caller(name).Do(method, us.filled(path, nil), body))
				}
			}
			for _, s := range bodied[name] {
				for field := range s.Properties {
					body := maps.Clone(valid)
					body[field] = nil
					if status, _ := bare(t, us.caller(name), method, salesBase+us.filled(path, nil), body); status >= 500 {
						t.Errorf("%s with %s=null: %d", name, field, status)
					}
				}
			}
		}
		if tried < 50 {
			t.Errorf("only %d wrong values were tried", tried)
		}
	})
}

func TestSalesQueriesOfTheWrongType(t *testing.T) {
	spec, err := contract.Load("sales")
	if err != nil {
		t.Fatal(err)
	}
	eachSeller(t, func(t *testing.T, r *apitest.Rig, us, _, _ *seller) {
		for name, params := range spec.Queries() {
			method, path, _ := strings.Cut(name, " ")
			for _, p := range params {
				for _, v := range hostile {
					a := us.caller(name).Do(method, us.filled(path, nil)+"?"+p.Name+"="+v, nil)
					s := p.Schema.Value
					typed := !s.Type.Is("string") && !s.Type.Is("array") || s.Format == "date-time" || len(s.Enum) > 0
					if typed && a.Status != 400 || a.Status >= 500 {
						t.Errorf("%s with ?%s=%s: %d %s", name, p.Name, v, a.Status, a.Body)
					}
				}
			}
		}
	})
}
