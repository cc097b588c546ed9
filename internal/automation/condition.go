package automation

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"parley/internal/fault"
)

// Test is a list of conditions, joined by AND or by OR. An empty one passes.
type Test struct {
	Any  bool        `json:"any,omitempty"` // OR
	List []Condition `json:"list,omitempty"`
}

// Condition compares one field of the scope. Without a field it passes.
type Condition struct {
	Field    string `json:"field"`
	Operator string `json:"operator"`
	Value    any    `json:"value,omitempty"`
}

const (
	maxConditions = 100
	maxPattern    = 1000 // bytes of a regular expression
	maxMatched    = 64 << 10
)

// operators by every spelling (reference 3.6).
var operators = map[string]string{
	"eq": "eq", "equals": "eq", "neq": "neq", "not_equals": "neq",
	"gt": "gt", "greater_than": "gt", "gte": "gte", "greater_than_equals": "gte",
	"lt": "lt", "less_than": "lt", "lte": "lte", "less_than_equals": "lte",
	"in": "in", "contains": "contains", "starts_with": "starts_with", "ends_with": "ends_with", "regex": "regex",
	"days_since_gte": "days_since_gte", "days_since_lte": "days_since_lte",
	"exists": "exists", "not_exists": "not_exists",
}

const knownOperators = "eq, neq, gt, gte, lt, lte, in, contains, starts_with, ends_with, regex, days_since_gte, days_since_lte, exists, not_exists"

// testOf reads {conditions, conditionLogic} or one {field, operator, value}.
// at names the field that holds a key.
func testOf(m map[string]any, at func(key string) string) (*Test, error) {
	t := &Test{}
	switch logic := m["conditionLogic"].(type) {
	case nil:
	case string:
		switch strings.ToUpper(logic) {
		case "", "AND":
		case "OR":
			t.Any = true
		default:
			return nil, fault.Field(at("conditionLogic"), "conditionLogic must be AND or OR")
		}
	default:
		return nil, fault.Field(at("conditionLogic"), "conditionLogic must be AND or OR")
	}
	list, err := listOf(m, "conditions", at("conditions"))
	if err != nil {
		return nil, err
	}
	if len(list) > maxConditions {
		return nil, fault.Field(at("conditions"), "there may be at most %d conditions", maxConditions)
	}
	for i, v := range list {
		where := fmt.Sprintf("%s[%d]", at("conditions"), i)
		cm, ok := v.(map[string]any)
		if !ok {
			return nil, fault.Field(where, "%s must be an object with field, operator and value", where)
		}
		if err := t.add(cm, func(key string) string { return where + "." + key }); err != nil {
			return nil, err
		}
	}
	if single, ok := m["condition"].(map[string]any); ok {
		if err := t.add(single, func(key string) string { return at("condition") + "." + key }); err != nil {
			return nil, err
		}
	}
	if _, ok := m["operator"]; ok || m["field"] != nil {
		if err := t.add(m, at); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *Test) add(m map[string]any, at func(key string) string) error {
	c := Condition{Value: m["value"]}
	switch f := m["field"].(type) {
	case nil:
	case string:
		if len(f) > maxPath {
			return fault.Field(at("field"), "a field must not be longer than %d bytes", maxPath)
		}
		c.Field = strings.TrimSpace(f)
	default:
		return fault.Field(at("field"), "a field must be text such as lead.source")
	}
	op, _ := m["operator"].(string)
	if c.Operator = operators[strings.TrimSpace(op)]; c.Operator == "" && (c.Field != "" || m["operator"] != nil && op != "") {
		return fault.Field(at("operator"), "there is no operator %q; use %s", clip(op), knownOperators)
	}
	t.List = append(t.List, c)
	return nil
}

// pass decides a test at a moment, in a zone.
func (t *Test) pass(sc *scope, now time.Time, zone *time.Location) bool {
	for i := range t.List {
		if t.List[i].pass(sc, now, zone) == t.Any {
			return t.Any
		}
	}
	return !t.Any || len(t.List) == 0
}

func (c *Condition) pass(sc *scope, now time.Time, zone *time.Location) bool {
	if c.Field == "" {
		return true
	}
	v, _ := sc.look(c.Field)
	missing := v == nil || v == ""
	switch c.Operator {
	case "exists":
		return !missing
	case "not_exists":
		return missing
	case "eq":
		return equal(v, c.Value)
	case "neq":
		return !equal(v, c.Value)
	case "gt", "gte", "lt", "lte":
		return ordered(c.Operator, v, c.Value, zone)
	case "in":
		return within(v, c.Value)
	case "contains":
		if list, ok := v.([]any); ok {
			return member(list, c.Value, true)
		}
		return !missing && strings.Contains(fold(v), fold(c.Value))
	case "starts_with":
		return !missing && strings.HasPrefix(fold(v), fold(c.Value))
	case "ends_with":
		return !missing && strings.HasSuffix(fold(v), fold(c.Value))
	case "regex":
		return !missing && matches(plain(c.Value), plain(v))
	case "days_since_gte", "days_since_lte":
		days, ok := daysSince(v, now, zone)
		want, ok2 := number(c.Value)
		if !ok || !ok2 {
			return false
		}
		if c.Operator == "days_since_gte" {
			return days >= want
		}
		return days <= want
	}
	return false
}

func fold(v any) string { return strings.ToLower(plain(v)) }

// equal compares strictly, except that numbers equal their text.
func equal(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	_, as := a.(string)
	_, bs := b.(string)
	if as != bs || !as {
		x, ok := number(a)
		y, ok2 := number(b)
		if ok && ok2 {
			return x == y
		}
	}
	if t, ok := a.(bool); ok && bs {
		return plain(t) == b
	}
	if t, ok := b.(bool); ok && as {
		return plain(t) == a
	}
	return reflect.DeepEqual(a, b)
}

// ordered compares numbers, or two times.
func ordered(op string, a, b any, zone *time.Location) bool {
	x, ok := number(a)
	y, ok2 := number(b)
	if !ok || !ok2 {
		t, _, ok := moment(a, zone)
		u, _, ok2 := moment(b, zone)
		if !ok || !ok2 {
			return false
		}
		x, y = float64(t.UnixMilli()), float64(u.UnixMilli())
	}
	switch op {
	case "gt":
		return x > y
	case "gte":
		return x >= y
	case "lt":
		return x < y
	}
	return x <= y
}

// within reports whether v, or any element of v, is in a list or comma list.
func within(v, set any) bool {
	var list []any
	switch t := set.(type) {
	case []any:
		list = t
	case string:
		for _, s := range strings.Split(t, ",") {
			list = append(list, strings.TrimSpace(s))
		}
	case nil:
		return false
	default:
		list = []any{t}
	}
	if many, ok := v.([]any); ok {
		for _, x := range many {
			if member(list, x, false) {
				return true
			}
		}
		return false
	}
	return member(list, v, false)
}

func member(list []any, v any, folded bool) bool {
	for _, x := range list {
		if equal(x, v) || folded && x != nil && v != nil && fold(x) == fold(v) {
			return true
		}
	}
	return false
}

// matches runs an RE2 pattern without case; one that is not valid matches nothing.
func matches(pattern, text string) bool {
	if len(pattern) > maxPattern {
		return false
	}
	re, err := regexp.Compile("(?i)" + pattern)
	return err == nil && re.MatchString(cut(text, maxMatched))
}

// daysSince reads a number of days, or the days since a time.
func daysSince(v any, now time.Time, zone *time.Location) (float64, bool) {
	if n, ok := number(v); ok {
		return n, true
	}
	t, _, ok := moment(v, zone)
	return now.Sub(t).Hours() / 24, ok
}
