package automation

import (
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/filter"
)

// Test is a list of conditions, joined by AND or by OR. An empty one passes.
// What a condition means, filter says (docs/filters.md); here it keeps the words
// of its author, which explain shows. The JSON form is stored with graphs.
type Test struct {
	Any  bool        `json:"any,omitempty"` // OR
	List []Condition `json:"list,omitempty"`
}

// Condition compares one field of the scope. Without a field it passes.
type Condition struct {
	Field    string `json:"field"`
	Operator string `json:"operator"`
	Value    any    `json:"value,omitempty"`

	match *filter.Matcher // filled by ready; nil passes nothing
}

// testOf reads {conditions, conditionLogic} or one {field, operator, value}.
// at names the field that holds a key.
func testOf(m map[string]any, at func(key string) string) (*Test, error) {
	t := &Test{}
	list, err := listOf(m, "conditions", at("conditions"))
	if err != nil {
		return nil, err
	}
	logic, ok := m["conditionLogic"].(string)
	if !ok && m["conditionLogic"] != nil {
		return nil, fault.Field(at("conditionLogic"), "conditionLogic must be AND or OR")
	}
	if _, err := filter.ParseConditions(list, logic); err != nil {
		return nil, keyed(err, at)
	}
	t.Any = strings.EqualFold(strings.TrimSpace(logic), "OR")
	for _, v := range list {
		t.add(v.(map[string]any)) // ParseConditions has looked
	}
	if single, ok := m["condition"].(map[string]any); ok {
		if _, err := filter.ParseCondition(single, at("condition")); err != nil {
			return nil, err
		}
		t.add(single)
	}
	if _, ok := m["operator"]; ok || m["field"] != nil {
		if _, err := filter.ParseCondition(m, ""); err != nil {
			return nil, keyed(err, at)
		}
		t.add(m)
	}
	return t.ready(), nil
}

// keyed gives a fault that names a key of the form the field where it stands.
func keyed(err error, at func(key string) string) error {
	f := fault.As(err)
	if f == nil {
		return err
	}
	key := f.Field
	if end := strings.IndexAny(key, ".["); end >= 0 {
		key = key[:end]
	}
	return moved(err, key, at(key))
}

// spellings are the operators' other names (reference 3.6, 3.22); a graph keeps
// the first name of each.
var spellings = map[string]string{"equals": "eq", "not_equals": "neq", "ne": "neq", "greater_than": "gt", "greater_than_equals": "gte",
	"less_than": "lt", "less_than_equals": "lte"}

// add takes over a condition that has been checked.
func (t *Test) add(m map[string]any) {
	c := Condition{Value: m["value"]}
	c.Field, _ = m["field"].(string)
	c.Operator, _ = m["operator"].(string)
	c.Field, c.Operator = strings.TrimSpace(c.Field), strings.TrimSpace(c.Operator)
	if first := spellings[c.Operator]; first != "" {
		c.Operator = first
	}
	t.List = append(t.List, c)
}

// ready makes the conditions of a test that was read ready to be asked. One that
// cannot be understood any more passes nothing.
func (t *Test) ready() *Test {
	if t == nil {
		return nil
	}
	for i := range t.List {
		c := &t.List[i]
		f, err := filter.ParseCondition(map[string]any{"field": c.Field, "operator": c.Operator, "value": c.Value}, "")
		if err == nil {
			c.match, _ = filter.Compile(f)
		}
	}
	return t
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
	return c.Field == "" || c.match != nil && c.match.MatchScope(sc.look, now, zone)
}
