package automation

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/internal/fault"
)

func TestConditions(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	sc := &scope{lead: map[string]any{"source": "Website", "dealValue": 5000.0, "tags": []any{"VIP", "new"}, "email": nil, "note": "",
		"last": "2026-11-11T12:00:00.000Z", "joined": "2026-11-01", "on": true},
		vars: map[string]any{"count": "12", "days": 3.0, "city": "Pune"}}
	for _, c := range []struct {
		field, op string
		value     any
		want      bool
	}{
		{"lead.source", "eq", "Website", true}, {"lead.source", "equals", "website", false}, {"lead.source", "neq", "x", true}, {"lead.source", "ne", "x", true}, {"lead.source", "ne", "Website", false},
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
	} {
		m := map[string]any{"field": c.field, "operator": c.op, "value": c.value}
		test, err := testOf(m, func(k string) string { return k })
		if err != nil {
			t.Errorf("%v: %v", m, err)
			continue
		}
		if got := test.pass(sc, now, time.UTC); got != c.want {
			t.Errorf("%s %s %v = %v, want %v", c.field, c.op, c.value, got, c.want)
		}
	}
}

func TestConditionLogic(t *testing.T) {
	sc := &scope{vars: map[string]any{"a": 1.0}}
	yes, no := map[string]any{"field": "a", "operator": "eq", "value": 1.0}, map[string]any{"field": "a", "operator": "eq", "value": 2.0}
	for i, c := range []struct {
		m    map[string]any
		want bool
	}{
		{map[string]any{}, true},
		{map[string]any{"conditionLogic": "OR"}, true},
		{map[string]any{"conditions": []any{}}, true},
		{map[string]any{"conditions": []any{yes, no}}, false},
		{map[string]any{"conditions": []any{yes, yes}, "conditionLogic": "AND"}, true},
		{map[string]any{"conditions": []any{no, yes}, "conditionLogic": "or"}, true},
		{map[string]any{"conditions": []any{no, no}, "conditionLogic": "OR"}, false},
		{map[string]any{"condition": no}, false},
		{map[string]any{"condition": yes, "conditions": []any{no}}, false},
		{map[string]any{"conditions": []any{map[string]any{}}}, true},
	} {
		test, err := testOf(c.m, func(k string) string { return k })
		if err != nil {
			t.Errorf("%d: %v", i, err)
			continue
		}
		if got := test.pass(sc, time.Now(), time.UTC); got != c.want {
			t.Errorf("%d: %v = %v", i, c.m, got)
		}
	}
}

func TestConditionFaults(t *testing.T) {
	for field, m := range map[string]map[string]any{
		"operator":               {"field": "a", "operator": "like"},
		"conditions[1].operator": {"conditions": []any{map[string]any{"field": "a", "operator": "eq"}, map[string]any{"field": "a"}}},
		"conditions":             {"conditions": "x"},
		"conditions[0]":          {"conditions": []any{1.0}},
		"conditionLogic":         {"conditionLogic": "XOR"},
		"condition.operator":     {"condition": map[string]any{"field": "a", "operator": "EQ"}},
		"conditions[0].field":    {"conditions": []any{map[string]any{"field": 3.0, "operator": "eq"}}},
	} {
		_, err := testOf(m, func(k string) string { return k })
		f := fault.As(err)
		if f == nil || f.Field != field || f.Code != fault.Invalid {
			t.Errorf("%v: %v, want a fault of %s", m, err, field)
		}
		if f != nil && strings.HasSuffix(field, "operator") && !strings.Contains(f.Message, "days_since_gte") {
			t.Errorf("%s does not list the operators", fmt.Sprint(f))
		}
	}
}

func TestFilter(t *testing.T) {
	x := facts{stage: "s", pipeline: "p", tag: "t", source: "web"}
	for i, c := range []struct {
		f    Filter
		want bool
	}{
		{Filter{}, true}, {Filter{Stage: "s", Pipeline: "p", Tag: "t"}, true}, {Filter{Stage: "z"}, false}, {Filter{Pipeline: "z"}, false}, {Filter{Tag: "z"}, false},
		{Filter{Include: []string{"web"}}, true}, {Filter{Include: []string{"ad"}}, false}, {Filter{Exclude: []string{"web"}}, false}, {Filter{Exclude: []string{"ad"}}, true},
	} {
		if got := c.f.pass(x); got != c.want {
			t.Errorf("%d: %+v = %v", i, c.f, got)
		}
	}
}

// Graphs of before are read as they were written.
func TestStoredConditions(t *testing.T) {
	var g Graph
	if err := json.Unmarshal([]byte(`{"filter":{},"when":{"any":true,"list":[{"field":"a","operator":"eq","value":2},{"field":"a","operator":"contains","value":"1"},{"field":"a","operator":"gone"}]},"starts":["n"],
		"nodes":{"n":{"kind":"action","action":"add_tag","tag":"x","only":{"list":[{"field":"a","operator":"exists"}]},"exit":{"any":true,"list":[{"field":"a","operator":"gone"}]}}}}`), &g); err != nil {
		t.Fatal(err)
	}
	g.ready()
	sc := &scope{vars: map[string]any{"a": 1.0}}
	if !g.When.pass(sc, time.Now(), time.UTC) || !g.Nodes["n"].Only.pass(sc, time.Now(), time.UTC) || g.Nodes["n"].Exit.pass(sc, time.Now(), time.UTC) {
		t.Errorf("%+v", g.When.checks(sc, time.Now(), time.UTC))
	}
	if c := g.When.checks(sc, time.Now(), time.UTC); c[0].Passed || !c[1].Passed || c[2].Passed || c[2].Operator != "gone" {
		t.Errorf("%+v", c)
	}
	if b, err := json.Marshal(g.When); err != nil || string(b) != `{"any":true,"list":[{"field":"a","operator":"eq","value":2},{"field":"a","operator":"contains","value":"1"},{"field":"a","operator":"gone"}]}` {
		t.Errorf("stored as %s, %v", b, err)
	}
}

// What is too much names the place in the form, not in a filter.
func TestConditionLimits(t *testing.T) {
	many := make([]any, 6000)
	for i := range many {
		many[i] = float64(i)
	}
	long := map[string]any{"field": "a", "operator": "in", "value": many}
	half := map[string]any{"field": "a", "operator": "in", "value": many[:3000]}
	for field, m := range map[string]map[string]any{"conditions[0].value": {"conditions": []any{long}}, "value": long, "conditions": {"conditions": []any{half, half}}} {
		_, err := testOf(m, func(k string) string { return k })
		if f := fault.As(err); f == nil || f.Field != field {
			t.Errorf("%v, want a fault of %s", err, field)
		}
	}
}
