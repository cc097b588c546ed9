package filter

import (
	"fmt"
	"strings"

	"parley/internal/fault"
)

// MaxConditions is how many conditions a list may hold.
const MaxConditions = 100

// conditionOps by every spelling (reference platform 3.6, 3.22).
var conditionOps = map[string]Op{
	"eq": Is, "equals": Is, "neq": IsNot, "not_equals": IsNot, "ne": IsNot,
	"gt": Above, "greater_than": Above, "gte": AtLeast, "greater_than_equals": AtLeast,
	"lt": Below, "less_than": Below, "lte": AtMost, "less_than_equals": AtMost,
	"in": OneOf, "contains": Contains, "starts_with": StartsWith, "ends_with": EndsWith, "regex": Like,
	"days_since_gte": DaysAtLeast, "days_since_lte": DaysAtMost,
	"exists": Present, "not_exists": Absent,
}

const knownConditions = "eq, neq, gt, gte, lt, lte, in, contains, starts_with, ends_with, regex, days_since_gte, days_since_lte, exists, not_exists"

// ParseConditions reads a list of {field, operator, value} joined by AND or OR,
// any case, "" = AND (reference platform 3.6). An empty list matches everything, as does a
// condition without a field. Faults name conditionLogic, conditions,
// or conditions[i].field.
func ParseConditions(list []any, logic string) (Filter, error) {
	out := Filter{Op: And}
	switch strings.ToUpper(strings.TrimSpace(logic)) {
	case "", "AND":
	case "OR":
		out.Op = Or
	default:
		return Filter{}, fault.Field("conditionLogic", "conditionLogic must be AND or OR")
	}
	if len(list) > MaxConditions {
		return Filter{}, fault.Field("conditions", "there may be at most %d conditions", MaxConditions)
	}
	for i, v := range list {
		at := fmt.Sprintf("conditions[%d]", i)
		m, ok := v.(map[string]any)
		if !ok {
			return Filter{}, fault.Field(at, "%s must be an object with field, operator and value", at)
		}
		f, err := ParseCondition(m, at)
		if err != nil {
			return Filter{}, err
		}
		out.Of = append(out.Of, f)
	}
	if len(out.Of) == 0 {
		return Filter{}, nil
	}
	if len(out.Of) == 1 {
		out = out.Of[0]
	}
	if err := out.Validate(); err != nil { // each alone was right: together they are too much
		return Filter{}, replaced(err, "conditions")
	}
	return out, nil
}

// replaced gives the fault of a filter as a whole another place.
func replaced(err error, at string) error {
	f := fault.As(err)
	if f == nil {
		return err
	}
	c := *f
	c.Field = at
	return &c
}

// ParseCondition reads one {field, operator, value}. at is its place, for
// faults; "" when the object itself is the place.
func ParseCondition(m map[string]any, at string) (Filter, error) {
	name := ""
	switch t := m["field"].(type) {
	case nil:
	case string:
		name = strings.TrimSpace(t)
		if len(name) > MaxField {
			return Filter{}, fault.Field(join(at, "field"), "a field must not be longer than %d bytes", MaxField)
		}
	default:
		return Filter{}, fault.Field(join(at, "field"), "a field must be text such as lead.source")
	}
	s, isText := m["operator"].(string)
	op, ok := conditionOps[strings.TrimSpace(s)]
	if !ok && (name != "" || m["operator"] != nil && (!isText || s != "")) {
		return Filter{}, fault.Field(join(at, "operator"), "there is no operator %q; use %s", clip(s), knownConditions)
	}
	if name == "" {
		return Filter{}, nil
	}
	v, err := constant(m["value"], join(at, "value"), 1)
	if err != nil {
		return Filter{}, err
	}
	if op == Present || op == Absent {
		v = nil
	}
	f := Filter{Op: op, Field: name, Value: v}
	if err := f.Validate(); err != nil {
		return Filter{}, replaced(err, join(at, "value"))
	}
	return f, nil
}
