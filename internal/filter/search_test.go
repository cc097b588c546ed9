package filter

import (
	"strings"
	"testing"

	"parley/internal/fault"
)

// searchCases are the elements of the targeting reference, §5.2.
var searchCases = []struct {
	rule, list string
	yes, no    []string
}{
	{"nothing", `[]`, []string{`{}`}, nil},
	{"term", `[{"term":{"a":"x"}}]`, []string{`{"a":"x"}`, `{"a":["y","x"]}`}, []string{`{"a":"X"}`, `{}`}},
	{"term with keyword", `[{"term":{"a.keyword":"x"}}]`, []string{`{"a":"x"}`}, []string{`{"a":{"keyword":"x"}}`}},
	{"term of a number", `[{"term":{"a":5}}]`, []string{`{"a":5}`, `{"a":"5"}`}, []string{`{"a":6}`}},
	{"term of a boolean", `[{"term":{"a":false}}]`, []string{`{"a":false}`}, []string{`{"a":true}`, `{}`}},
	{"term of null", `[{"term":{"a":null}}]`, []string{`{}`, `{"a":null}`, `{"a":""}`}, []string{`{"a":0}`}},
	{"terms", `[{"terms":{"a":["x",5,true]}}]`, []string{`{"a":"x"}`, `{"a":5}`, `{"a":true}`}, []string{`{"a":"y"}`, `{}`}},
	{"terms with null", `[{"terms":{"a":["x",null]}}]`, []string{`{"a":"x"}`, `{}`}, []string{`{"a":"y"}`}},
	{"no terms", `[{"terms":{"a":[]}}]`, nil, []string{`{}`, `{"a":"x"}`}},
	{"ids", `[{"ids":{"values":["u1","u2"]}}]`, []string{`{"_id":"u2"}`}, []string{`{"_id":"u3"}`}},
	{"range", `[{"range":{"n":{"gte":5,"lt":"10"}}}]`, []string{`{"n":5}`, `{"n":9.5}`}, []string{`{"n":10}`, `{"n":4}`, `{}`}},
	{"range of dates", `[{"range":{"at":{"gt":"2026-01-31","lte":"2026-02-28","format":"yyyy-MM-dd","relation":"within"}}}]`, []string{`{"at":"2026-02-01"}`, `{"at":"2026-02-28T23:00:00Z"}`}, []string{`{"at":"2026-01-31T23:00:00Z"}`, `{"at":"2026-03-01"}`}},
	{"range in a zone", `[{"range":{"at":{"gte":"2026-02-01","lte":"2026-02-01","time_zone":"+02:00"}}}]`, []string{`{"at":"2026-01-31T22:00:00Z"}`, `{"at":"2026-02-01T21:59:59Z"}`}, []string{`{"at":"2026-02-01T22:00:00Z"}`, `{"at":"2026-01-31T21:59:59Z"}`}},
	{"range in a named zone", `[{"range":{"at":{"lt":"2026-07-01T12:00:00","time_zone":"Europe/Berlin"}}}]`, []string{`{"at":"2026-07-01T09:59:59Z"}`}, []string{`{"at":"2026-07-01T10:00:00Z"}`}},
	{"a zone of its own", `[{"range":{"at":{"lt":"2026-07-01T12:00:00Z","time_zone":"+02:00"}}}]`, []string{`{"at":"2026-07-01T11:00:00Z"}`}, []string{`{"at":"2026-07-01T12:00:00Z"}`}},
	{"an open range", `[{"range":{"n":{"gt":null}}}]`, []string{`{"n":1}`}, []string{`{}`}},
	{"exists", `[{"exists":{"field":"a.b"}}]`, []string{`{"a":{"b":0}}`}, []string{`{"a":{"b":null}}`}},
	{"and", `[{"$and":[{"term":{"a":1}},{"term":{"b":2}}]}]`, []string{`{"a":1,"b":2}`}, []string{`{"a":1}`}},
	{"or", `[{"$or":[{"term":{"a":1}},{"term":{"b":2}}]}]`, []string{`{"a":1}`, `{"b":2}`}, []string{`{}`}},
	{"not", `[{"$not":[{"term":{"a":1}},{"term":{"b":2}}]}]`, []string{`{}`}, []string{`{"a":1}`, `{"b":2}`}},
	{"all of them", `[{"term":{"a":1}},{"$not":[{"exists":{"field":"b"}}]}]`, []string{`{"a":1}`}, []string{`{"a":1,"b":1}`, `{}`}},
}

func TestSearch(t *testing.T) {
	for _, c := range searchCases {
		f, err := ParseSearch(parse(t, c.list).([]any), "filter")
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		matched(t, c.rule, f, c.yes, true)
		matched(t, c.rule, f, c.no, false)
		q, err := Lucene(f)
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		g, _, err := ParseLucene(q)
		if err != nil {
			t.Errorf("%s: %s: %v", c.rule, q, err)
			continue
		}
		matched(t, q, g, c.yes, true)
		matched(t, q, g, c.no, false)
	}
}

func TestBadSearch(t *testing.T) {
	deep := `[{"term":{"a":1}}]`
	for range MaxDepth + 1 {
		deep = `[{"$or":` + deep + `}]`
	}
	for text, place := range map[string]string{
		`[5]`: "filter[0]", `[{}]`: "filter[0]", `[{"term":{"a":1},"exists":{"field":"a"}}]`: "filter[0]", `[{"match":{"a":1}}]`: "filter[0].match",
		`[{"term":5}]`: "filter[0].term", `[{"term":{}}]`: "filter[0].term", `[{"term":{"a":1,"b":2}}]`: "filter[0].term", `[{"term":{"a":{"value":1}}}]`: "filter[0].term.a", `[{"terms":{"a":[1,[2]]}}]`: "filter[0].terms.a[1]",
		`[{"term":{"":1}}]`: "filter[0].term", `[{"ids":{"values":5}}]`: "filter[0].ids", `[{"ids":{"values":[5]}}]`: "filter[0].ids.values[0]", `[{"ids":["a"]}]`: "filter[0].ids",
		`[{"range":{"a":5}}]`: "filter[0].range.a", `[{"range":{"a":{"from":1}}}]`: "filter[0].range.a.from", `[{"range":{"a":{"gt":[1]}}}]`: "filter[0].range.a.gt", `[{"range":{"a":{"gt":"now-7d"}}}]`: "filter[0].range.a.gt",
		`[{"range":{"a":{"gt":"1","format":"dd/MM/yyyy"}}}]`: "filter[0].range.a.format", `[{"range":{"a":{"gt":"1","time_zone":"Mars"}}}]`: "filter[0].range.a.time_zone", `[{"range":{"a":{"gt":"1","time_zone":5}}}]`: "filter[0].range.a.time_zone",
		`[{"exists":"a"}]`: "filter[0].exists", `[{"exists":{"field":5}}]`: "filter[0].exists.field", `[{"$and":{}}]`: "filter[0].$and", `[{"term":{"a":1}},{"$not":[{"$or":[5]}]}]`: "filter[1].$not[0].$or[0]", deep: "",
	} {
		_, err := ParseSearch(parse(t, text).([]any), "filter")
		if f := fault.As(err); f == nil || f.Code != fault.Invalid || place != "" && f.Field != place || place != "" && !strings.Contains(f.Message, f.Field) && !strings.Contains(f.Message, "must be a text") {
			t.Errorf("%.100s: %v, want a fault of %s", text, err, place)
		}
	}
}
