package filter

import (
	"strings"
	"testing"
	"time"

	"parley/internal/fault"
)

// scopeDoc is a document as conditions see it: the variables by their bare
// names, and the roots over them.
func scopeDoc() map[string]any {
	vars := map[string]any{"count": "12", "days": 3.0, "city": "Pune", "x.y": "dotted", "big": int64(9007199254740993)}
	doc := map[string]any{"lead": map[string]any{"source": "Website", "dealValue": 5000.0, "tags": []any{"VIP", "new"}, "email": nil, "note": "",
		"last": "2026-11-11T12:00:00.000Z", "joined": "2026-11-01", "on": true, "nums": []any{1.0, "2"}, "extra": map[string]any{"a": map[string]any{"b": 1.0}}, "rows": []any{map[string]any{"k": "v"}}},
		"event": vars, "vars": vars, "resolved": map[string]any{"today": "2026-11-21"}}
	for k, v := range vars {
		doc[k] = v
	}
	return doc
}

var conditionCases = []struct {
	field, op string
	value     any
	want      bool
}{
	{"lead.source", "eq", "Website", true}, {"lead.source", "equals", "website", false}, {"lead.source", "neq", "x", true}, {"lead.source", "ne", "x", true},
	{"lead.dealValue", "eq", "5000", true}, {"lead.dealValue", "eq", 5000.0, true}, {"count", "eq", 12.0, true}, {"lead.dealValue", "not_equals", "5000.0", false},
	{"lead.email", "eq", nil, true}, {"lead.email", "eq", "", false}, {"missing", "neq", "x", true}, {"lead.on", "eq", true, true}, {"lead.on", "eq", "true", true}, {"lead.on", "eq", 1.0, false},
	{"lead.dealValue", "gt", 4999.0, true}, {"lead.dealValue", "greater_than", "5000", false}, {"lead.dealValue", "gte", 5000.0, true}, {"lead.dealValue", "greater_than_equals", 5001.0, false},
	{"count", "lt", 13.0, true}, {"count", "less_than", 12.0, false}, {"count", "lte", 12.0, true}, {"count", "less_than_equals", "11", false},
	{"lead.source", "gt", 1.0, false}, {"missing", "lt", 1.0, false}, {"lead.last", "lt", "2026-11-12", true}, {"lead.last", "gt", "2026-11-12T00:00:00Z", false},
	{"lead.source", "in", []any{"x", "Website"}, true}, {"lead.source", "in", "x, Website", true}, {"lead.source", "in", "x,y", false}, {"lead.tags", "in", []any{"new"}, true}, {"lead.tags", "in", "old", false},
	{"count", "in", []any{12.0}, true}, {"lead.source", "in", nil, false}, {"missing", "in", "a", false},
	{"lead.source", "contains", "EBS", true}, {"lead.source", "contains", "zz", false}, {"lead.tags", "contains", "vip", true}, {"lead.tags", "contains", "vi", false}, {"missing", "contains", "", false},
	{"lead.source", "starts_with", "web", true}, {"lead.source", "starts_with", "site", false}, {"lead.source", "ends_with", "SITE", true}, {"lead.source", "ends_with", "web", false},
	{"lead.source", "regex", "^web(site)?$", true}, {"lead.source", "regex", "^site", false}, {"lead.source", "regex", "(", false}, {"lead.source", "regex", `(?=look)`, false},
	{"days", "days_since_gte", 3.0, true}, {"days", "days_since_lte", 2.0, false}, {"lead.last", "days_since_gte", 10.0, true}, {"lead.last", "days_since_gte", 11.0, false},
	{"lead.last", "days_since_lte", 10.0, true}, {"lead.joined", "days_since_gte", "20", true}, {"missing", "days_since_gte", 0.0, false}, {"missing", "days_since_lte", 5.0, false}, {"lead.last", "days_since_gte", "x", false},
	{"city", "exists", nil, true}, {"lead.email", "exists", nil, false}, {"lead.note", "exists", nil, false}, {"missing", "exists", nil, false}, {"lead.note", "not_exists", nil, true}, {"city", "not_exists", nil, false},
	{"", "eq", "anything", true},
	// Beyond the engine's own table:
	{"big", "eq", "9007199254740993", true}, {"big", "eq", "9007199254740992", false}, {"big", "gt", "9007199254740992", true},
	{"lead.extra.a.b", "eq", "1", true}, {"x.y", "eq", "dotted", true}, {"vars.x.y", "eq", "dotted", true}, {"lead.rows.0.k", "eq", "v", true}, {"lead.rows.k", "exists", nil, false},
	{"resolved.today", "eq", "2026-11-21", true}, {"event.city", "contains", "UN", true}, {"lead.nums", "in", "2", true}, {"lead.nums", "contains", 1.0, true}, {"lead.nums", "eq", []any{1.0, "2"}, true},
	{" city ", " eq ", "Pune", true}, {"lead.dealValue", "contains", "00", true}, {"lead.dealValue", "starts_with", 50.0, true}, {"lead.on", "in", "true,x", true},
	{"lead.source", "in", "", false}, {"lead.note", "in", "", true}, {"lead.email", "in", []any{nil}, true}, {"lead.source", "regex", nil, true}, {"lead.source", "regex", strings.Repeat("w", 2000), false},
}

func TestConditions(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	doc := scopeDoc()
	for _, c := range conditionCases {
		m := map[string]any{"field": c.field, "operator": c.op, "value": c.value}
		f, err := ParseConditions([]any{m}, "")
		if err != nil {
			t.Errorf("%v: %v", m, err)
			continue
		}
		match, err := Compile(f)
		if err != nil {
			t.Errorf("%v: %v", m, err)
			continue
		}
		if got := match.MatchAt(doc, now, time.UTC); got != c.want {
			t.Errorf("%s %s %v = %v, want %v", c.field, c.op, c.value, got, c.want)
		}
		look := func(path string) (any, bool) { return follow(doc, path) }
		if got := match.MatchScope(look, now, nil); got != c.want {
			t.Errorf("%s %s %v in a scope = %v, want %v", c.field, c.op, c.value, got, c.want)
		}
	}
}

func TestConditionLogic(t *testing.T) {
	doc := map[string]any{"a": 1.0}
	yes, no := map[string]any{"field": "a", "operator": "eq", "value": 1.0}, map[string]any{"field": "a", "operator": "eq", "value": 2.0}
	for i, c := range []struct {
		list  []any
		logic string
		want  bool
	}{
		{nil, "", true}, {nil, "OR", true}, {[]any{}, "AND", true}, {[]any{yes, no}, "", false}, {[]any{yes, yes}, "AND", true}, {[]any{no, yes}, "or", true},
		{[]any{no, no}, "OR", false}, {[]any{map[string]any{}}, "", true}, {[]any{no, map[string]any{"operator": "eq"}}, "OR", true}, {[]any{no}, "Or", false},
	} {
		f, err := ParseConditions(c.list, c.logic)
		if err != nil {
			t.Errorf("%d: %v", i, err)
			continue
		}
		m, err := Compile(f)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Match(doc); got != c.want {
			t.Errorf("%d: %v %s = %v", i, c.list, c.logic, got)
		}
	}
}

func TestConditionFaults(t *testing.T) {
	ok := map[string]any{"field": "a", "operator": "eq"}
	many := make([]any, MaxConditions+1)
	for i := range many {
		many[i] = ok
	}
	for _, c := range []struct {
		field string
		list  []any
		logic string
	}{
		{"conditions[0].operator", []any{map[string]any{"field": "a", "operator": "like"}}, ""},
		{"conditions[1].operator", []any{ok, map[string]any{"field": "a"}}, ""},
		{"conditions[0].operator", []any{map[string]any{"field": "a", "operator": "EQ"}}, ""},
		{"conditions[0].operator", []any{map[string]any{"operator": 5.0}}, ""},
		{"conditions[0]", []any{1.0}, ""},
		{"conditionLogic", nil, "XOR"},
		{"conditions[0].field", []any{map[string]any{"field": 3.0, "operator": "eq"}}, ""},
		{"conditions[0].field", []any{map[string]any{"field": strings.Repeat("x", 257), "operator": "eq"}}, ""},
		{"conditions", many, ""},
	} {
		_, err := ParseConditions(c.list, c.logic)
		f := fault.As(err)
		if f == nil || f.Field != c.field || f.Code != fault.Invalid {
			t.Errorf("%v: %v, want a fault of %s", c.list, err, c.field)
		}
		if f != nil && strings.HasSuffix(c.field, "operator") && !strings.Contains(f.Message, "days_since_gte") {
			t.Errorf("%s does not list the operators", f.Message)
		}
	}
	if _, err := ParseCondition(map[string]any{"field": "a", "operator": "x"}, ""); fault.As(err) == nil || fault.As(err).Field != "operator" {
		t.Errorf("a condition alone: %v, want a fault of operator", err)
	}
}
