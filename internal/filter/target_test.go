package filter

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"parley/internal/fault"
)

// targetCases are the operators of the targeting reference, §5.1.
var targetCases = []struct {
	rule, items string // items: the combination, then {key, operator, value}
	yes, no     []string
}{
	{"equals", `[["status","equals","active"]]`, []string{`{"status":"active"}`, `{"status":["new","active"]}`}, []string{`{"status":"Active"}`, `{"status":"active "}`, `{}`, `{"status":null}`, `{"status":{"x":"active"}}`, `{"status":[["active"]]}`}},
	{"= and a number", `[["n","=","5"]]`, []string{`{"n":5}`, `{"n":5.0}`, `{"n":"5"}`, `{"n":[1,5]}`}, []string{`{"n":"5.0"}`, `{"n":6}`, `{"n":"05"}`}},
	{"equals a number", `[["n","equals",5]]`, []string{`{"n":5}`, `{"n":"5"}`}, []string{`{"n":true}`}},
	{"equals a boolean", `[["b","equals","true"]]`, []string{`{"b":true}`, `{"b":"true"}`}, []string{`{"b":false}`, `{"b":1}`}},
	{"equals one of a list", `[["a","equals",["x","y"]]]`, []string{`{"a":"y"}`}, []string{`{"a":"z"}`}},
	{"not_equals", `[["a","not_equals","x"]]`, []string{`{}`, `{"a":"y"}`, `{"a":["y"]}`}, []string{`{"a":"x"}`, `{"a":["y","x"]}`}},
	{"!=", `[["a","!=","x"]]`, []string{`{}`}, []string{`{"a":"x"}`}},
	{"any_of", `[["_tags","any_of",["vip","7"]]]`, []string{`{"_tags":["new","vip"]}`, `{"_tags":"vip"}`, `{"_tags":7}`}, []string{`{"_tags":["VIP"]}`, `{"_tags":[]}`, `{}`}},
	{"in with one", `[["a","in","x"]]`, []string{`{"a":"x"}`}, []string{`{"a":"y"}`}},
	{"none_of", `[["_tags","none_of",["vip","new"]]]`, []string{`{}`, `{"_tags":["old"]}`}, []string{`{"_tags":["old","vip"]}`}},
	{"not_in", `[["a","NOT_IN",["x"]]]`, []string{`{"a":"y"}`}, []string{`{"a":"x"}`}},
	{"contains", `[["name","contains","MÜLL"]]`, []string{`{"name":"Anna Müller"}`, `{"name":"müll"}`, `{"name":["müll"]}`}, []string{`{"name":"Mueller"}`, `{"name":["Müller"]}`, `{}`}},
	{"~ in digits", `[["n","~","23"]]`, []string{`{"n":1234}`, `{"n":"a23"}`, `{"n":[23]}`}, []string{`{"n":1.23}`, `{"n":32}`, `{"n":[1234]}`}},
	{"contains one of", `[["name","contains",["ann","bob"]]]`, []string{`{"name":"Bob"}`}, []string{`{"name":"Cid"}`}},
	{"not_contains", `[["name","not_contains","ann"]]`, []string{`{"name":"Bob"}`, `{}`}, []string{`{"name":"Hanna"}`}},
	{"!~", `[["_tags","!~","vip"]]`, []string{`{"_tags":["vip2"]}`}, []string{`{"_tags":["VIP"]}`}},
	{"starts_with", `[["phone","starts_with","+49"]]`, []string{`{"phone":"+4917"}`, `{"phone":["+1","+49"]}`}, []string{`{"phone":"0049"}`, `{}`}},
	{"ends_with", `[["email","ends_with","@ACME.com"]]`, []string{`{"email":"a@acme.com"}`, `{"email":["x","b@Acme.com"]}`}, []string{`{"email":"a@acme.com.de"}`}},
	{"greater_than", `[["n","greater_than","9"]]`, []string{`{"n":10}`, `{"n":"10"}`, `{"n":9.5}`, `{"n":[1,12]}`}, []string{`{"n":9}`, `{"n":"9"}`, `{"n":"x"}`, `{"n":"2026-01-31"}`, `{"n":true}`, `{}`}},
	{"numbers of both signs", `[["n",">=","-2.5"]]`, []string{`{"n":-2.5}`, `{"n":"-2.5"}`, `{"n":0}`}, []string{`{"n":-3}`, `{"n":"-10"}`}},
	{"less_than a date", `[["born","<","2000-01-01"]]`, []string{`{"born":"1999-12-31"}`, `{"born":"1999-12-31T23:59:59Z"}`, `{"born":"2000-01-01T00:30:00+01:00"}`}, []string{`{"born":"2000-01-01"}`, `{"born":"1999"}`, `{"born":"1999-02-30"}`, `{"born":5}`, `{}`}},
	{"the whole day", `[["at","less_than_or_equals","2026-01-31"]]`, []string{`{"at":"2026-01-31T23:59:59.999Z"}`, `{"at":"2026-01-31"}`}, []string{`{"at":"2026-02-01"}`}},
	{"after the whole day", `[["at",">","2026-01-31"]]`, []string{`{"at":"2026-02-01"}`}, []string{`{"at":"2026-01-31T23:59:59.999Z"}`}},
	{"a moment", `[["at",">","2026-01-31T12:00:00+02:00"]]`, []string{`{"at":"2026-01-31T10:00:00.001Z"}`, `{"at":"2026-01-31T10:00:01"}`}, []string{`{"at":"2026-01-31T10:00:00Z"}`}},
	{"texts", `[["a",">","m"]]`, []string{`{"a":"n"}`, `{"a":"é"}`}, []string{`{"a":"M"}`, `{"a":5}`, `{"a":"m"}`}},
	{"is_empty", `[["a","is_empty","ignored"]]`, []string{`{}`, `{"a":null}`, `{"a":""}`, `{"a":[]}`, `{"a":[null,""]}`, `{"a":{}}`}, []string{`{"a":0}`, `{"a":false}`, `{"a":" "}`, `{"a":[0]}`, `{"a":{"b":null}}`}},
	{"is_not_empty", `[["a.b","is_not_empty"]]`, []string{`{"a":{"b":1}}`, `{"a":[{},{"b":"x"}]}`}, []string{`{"a":{"b":""}}`, `{"a":1}`, `{"a.b":1}`}},
	{"exists", `[["a","exists"]]`, []string{`{"a":1}`}, []string{`{}`}},
	{"a path through arrays", `[["address.city","equals","Köln"]]`, []string{`{"address":{"city":"Köln"}}`, `{"address":[{"city":"Bonn"},{"city":["Köln"]}]}`}, []string{`{"address":[["x"]]}`, `{"address.city":"Köln"}`}},
	{"keyword", `[["a.b.keyword","equals","x"]]`, []string{`{"a":{"b":"x"}}`}, []string{`{"a":{"b":{"keyword":"x"}}}`}},
	{"and", `["and",["a","=","1"],["b","=","2"]]`, []string{`{"a":1,"b":2}`}, []string{`{"a":1}`}},
	{"or", `["oR",["a","=","1"],["b","=","2"]]`, []string{`{"a":1}`, `{"b":2}`}, []string{`{"a":2}`}},
}

// target writes the entity_filters of a case.
func target(t testing.TB, items string) map[string]any {
	body := map[string]any{}
	var list []any
	for i, x := range parse(t, items).([]any) {
		row, ok := x.([]any)
		if !ok {
			body["combination"] = x
			continue
		}
		item := map[string]any{"key": row[0], "operator": row[1]}
		if len(row) > 2 {
			item["value"] = row[2]
		}
		_ = i
		list = append(list, item)
	}
	body["items"] = list
	return map[string]any{"filter": body}
}

func TestTargets(t *testing.T) {
	for _, c := range targetCases {
		f, empty, err := ParseTarget(target(t, c.items))
		if err != nil || empty {
			t.Errorf("%s: %v, empty %v", c.rule, err, empty)
			continue
		}
		matched(t, c.rule, f, c.yes, true)
		matched(t, c.rule, f, c.no, false)
		q, err := Lucene(f)
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		g, text, err := ParseLucene(q)
		if err != nil || text != "" {
			t.Errorf("%s: %s: %v %q", c.rule, q, err, text)
			continue
		}
		matched(t, q, g, c.yes, true)
		matched(t, q, g, c.no, false)
	}
}

func matched(t testing.TB, rule string, f Filter, docs []string, want bool) {
	t.Helper()
	m, err := Compile(f)
	if err != nil {
		t.Errorf("%s: %v", rule, err)
		return
	}
	for _, d := range docs {
		if m.Match(Canonical(parse(t, d))) != want {
			t.Errorf("%s on %s is not %v: %s", rule, d, want, written(f))
		}
	}
}

func TestEmptyTargets(t *testing.T) {
	for _, text := range []string{`{}`, `{"filter":null}`, `{"filter":{}}`, `{"filter":{"items":[]}}`, `{"filter":{"items":null,"combination":"OR"}}`, `{"filter":[]}`, `{"other":5}`} {
		if _, empty, err := ParseTarget(parse(t, text).(map[string]any)); err != nil || !empty {
			t.Errorf("%s: empty %v, %v", text, empty, err)
		}
	}
	if _, empty, err := ParseTarget(nil); err != nil || !empty {
		t.Error(empty, err)
	}
}

func TestBadTargets(t *testing.T) {
	for text, place := range map[string]string{
		`{"filter":5}`:           "",
		`{"filter":{"items":5}}`: ".items", `{"filter":{"items":[5]}}`: ".items[0]", `{"filter":{"items":[{}]}}`: ".items[0].key",
		`{"filter":{"items":[{"key":5,"operator":"equals","value":"x"}]}}`:                                         ".items[0].key",
		`{"filter":{"items":[{"key":"a..b","operator":"equals","value":"x"}]}}`:                                    ".items[0].key",
		`{"filter":{"items":[{"key":"a"}]}}`:                                                                       ".items[0].operator",
		`{"filter":{"items":[{"key":"a","operator":"equals","value":"x"},{"key":"a","operator":"like"}]}}`:         ".items[1].operator",
		`{"filter":{"items":[{"key":"a","operator":"equals"}]}}`:                                                   ".items[0].value",
		`{"filter":{"items":[{"key":"a","operator":"equals","value":{"x":1}}]}}`:                                   ".items[0].value",
		`{"filter":{"items":[{"key":"a","operator":">","value":"now-7d"}]}}`:                                       ".items[0].value",
		`{"filter":{"items":[{"key":"a","operator":"any_of","value":[]}]}}`:                                        ".items[0].value",
		`{"filter":{"items":[{"key":"a","operator":"any_of","value":["x",null]}]}}`:                                ".items[0].value[1]",
		`{"filter":{"items":[{"key":"a","operator":"contains","value":""}]}}`:                                      ".items[0].value",
		`{"filter":{"items":[{"key":"a","operator":">","value":["1","2"]}]}}`:                                      ".items[0].value",
		`{"filter":{"items":[{"key":"a","operator":"=","value":"1"}],"combination":"XOR"}}`:                        ".combination",
		`{"filter":{"items":[{"key":"a","operator":"=","value":"1"}],"combination":5}}`:                            ".combination",
		`{"filter":[{"term":{"a":1},"range":{}}]}`:                                                                 "[0]",
		`{"filter":{"terms":{"a":[1]}, "x":1}}`:                                                                    "empty",
		`{"filter":{"fuzzy":{"a":1}}}`:                                                                             "[0].fuzzy",
		`{"filter":{"items":[` + strings.Repeat(`{"key":"a","operator":"=","value":"1"},`, MaxItems) + `5]}}`:      ".items",
		`{"filter":{"items":[{"key":"` + strings.Repeat("a", MaxField+1) + `","operator":"equals","value":"x"}]}}`: ".items[0].key",
	} {
		_, empty, err := ParseTarget(parse(t, text).(map[string]any))
		if place == "empty" {
			if err != nil || !empty {
				t.Errorf("%s: %v, %v", text, empty, err)
			}
		} else if f := fault.As(err); f == nil || f.Code != fault.Invalid || f.Field != "entity_filters.filter"+place || !strings.HasPrefix(f.Message, f.Field) {
			t.Errorf("%.80s: %v, want a fault of entity_filters.filter%s", text, err, place)
		}
	}
}

// A stored filter of the fifth group is checked like any other.
func TestTargetShapes(t *testing.T) {
	for _, raw := range []string{`{"op":"equal","field":"a"}`, `{"op":"equal","field":"a","value":{"x":1}}`, `{"op":"equal","value":1}`, `{"op":"equal","field":"a","list":[1]}`, `{"op":"anyOf","field":"a","list":[null]}`,
		`{"op":"anyOf","field":"a","value":1}`, `{"op":"filled","field":"a","value":true}`, `{"op":"filled","field":"a","list":[]}`, `{"op":"wild","field":"a","value":"x"}`, `{"op":"holds","field":"a","value":""}`, `{"op":"over","field":"a..b","value":1}`,
		`{"op":"elem","field":"a","of":[{"op":"equal","field":"b","value":1}]}`} {
		var f Filter
		if err := json.Unmarshal([]byte(raw), &f); err == nil {
			t.Errorf("%s was accepted", raw)
		}
	}
}

func TestFields(t *testing.T) {
	f := Filter{Op: And, Of: []Filter{{Op: Equal, Field: "b.c", Value: "x"}, {Op: Not, Of: []Filter{{Op: Filled, Field: "a"}}}, {}, {Op: Is, Field: "lead.name", Value: "x"},
		{Op: ElemMatch, Field: "items", Of: []Filter{{Op: Eq, Field: "sku", Value: "x"}}}, {Op: Equal, Field: "b", Value: "x"}}}
	if got := Fields(f); !reflect.DeepEqual(got, []string{"a", "b", "items", "lead", "lead.name"}) {
		t.Error(got)
	}
	if got := Fields(Filter{}); len(got) != 0 {
		t.Error(got)
	}
}

func FuzzTarget(f *testing.F) {
	for _, c := range targetCases {
		b, _ := json.Marshal(target(f, c.items))
		f.Add(b)
	}
	for _, c := range searchCases {
		f.Add([]byte(`{"filter":` + c.list + `}`))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, ok := decode(b).(map[string]any); ok {
			got, _, err := ParseTarget(m)
			used(t, got, err)
			if err == nil {
				relucened(t, got)
			}
		}
	})
}
