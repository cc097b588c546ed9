package filter

import (
	"fmt"
	"slices"
	"strings"
)

// Validate reports the first thing that is wrong with a filter, naming its
// place. Every parser has called it; a filter built by hand calls it through
// Compile.
func (f *Filter) Validate() error {
	c := checker{}
	return c.node(f, "filter", 1, false)
}

type checker struct{ nodes, values, text int }

// node checks one node; inside tells that its field is "" because it looks at
// an element.
func (c *checker) node(f *Filter, at string, depth int, inside bool) error {
	c.nodes++
	switch {
	case depth > MaxDepth:
		return tooDeep(at)
	case c.nodes > MaxNodes:
		return bad(at, "a filter must not have more than %d parts", MaxNodes)
	}
	if err := c.shape(f, at, inside); err != nil {
		return err
	}
	if err := c.value(f.Value, at+".value", 1); err != nil {
		return err
	}
	for i, v := range f.List {
		if err := c.value(v, fmt.Sprintf("%s.list[%d]", at, i), 1); err != nil {
			return err
		}
	}
	if f.Op == Elem || f.Op == ElemMatch {
		inside = f.Op == Elem
	}
	for i := range f.Of {
		if err := c.node(&f.Of[i], fmt.Sprintf("%s.of[%d]", at, i), depth+1, inside); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) shape(f *Filter, at string, inside bool) error {
	switch f.Op {
	case "":
		if f.Field != "" || f.Value != nil || f.List != nil || f.Of != nil {
			return bad(at+".op", "%s.op is missing", at)
		}
		return nil
	case And, Or, Nor, Not:
		if f.Field != "" || f.Value != nil || f.List != nil {
			return bad(at, "%s takes filters in of, and nothing else", f.Op)
		}
		if f.Op == Not && len(f.Of) != 1 {
			return bad(at+".of", "not takes exactly one filter")
		}
		return nil
	case Elem, ElemMatch:
		if len(f.Of) != 1 || f.Value != nil || f.List != nil {
			return bad(at+".of", "%s takes exactly one filter in of", f.Op)
		}
		return field(f.Field, at+".field", inside)
	}
	if f.Of != nil {
		return bad(at+".of", "%s takes no filters", clip(string(f.Op)))
	}
	if f.Op.loose() || f.Op.compared() {
		if inside {
			return bad(at+".op", "%s cannot be used within an array's element", f.Op)
		}
		if f.List != nil {
			return bad(at+".list", "%s takes a value, not a list", f.Op)
		}
		if _, ok := sideOf(f.Value); f.Op.compared() && !ok {
			return bad(at+".value", "%s takes a text, a number or a boolean", f.Op)
		}
		return looseField(f.Field, at+".field")
	}
	if f.Op.targeting() {
		if inside {
			return bad(at+".op", "%s cannot be used within an array's element", f.Op)
		}
		return targetShape(f, at)
	}
	if err := field(f.Field, at+".field", inside); err != nil {
		return err
	}
	return operand(f, at)
}

func operand(f *Filter, at string) error {
	list := f.Op == In || f.Op == Nin || f.Op == All || f.Op == Type || f.Op == Mod
	if list && f.Value != nil || !list && f.List != nil {
		return bad(at, "%s takes %s", f.Op, map[bool]string{true: "a list", false: "a value"}[list])
	}
	value := at + ".value"
	switch f.Op {
	case Eq, Ne, In, Nin, All:
		return nil
	case Gt, Gte, Lt, Lte:
		if k := kindOf(f.Value); k == kindArray || k == kindObject || k == kindOther {
			return bad(value, "%s compares texts, numbers, booleans and null", f.Op)
		}
	case Exists:
		if _, ok := f.Value.(bool); !ok {
			return bad(value, "exists takes true or false")
		}
	case Size:
		if n, ok := f.Value.(int64); !ok || n < 0 {
			return bad(value, "size takes a whole number from 0")
		}
	case Mod:
		return modulus(f.List, at+".list")
	case Type:
		for i, v := range f.List {
			if name, ok := v.(string); !ok || !slices.Contains(typeNames, name) {
				return bad(fmt.Sprintf("%s.list[%d]", at, i), "there is no type %q; use %s", clip(fmt.Sprint(v)), strings.Join(typeNames[:9], ", "))
			}
		}
	case Matches:
		r, ok := f.Value.(Regex)
		if !ok {
			return bad(value, "regex takes a regular expression")
		}
		_, err := r.compile(value)
		return err
	default:
		return bad(at+".op", "there is no operator %q", clip(string(f.Op)))
	}
	return nil
}

func modulus(list []any, at string) error {
	if len(list) == 2 {
		d, ok := list[0].(int64)
		_, ok2 := list[1].(int64)
		if ok && ok2 && d != 0 {
			return nil
		}
	}
	return bad(at, "mod takes a divisor other than 0 and a remainder, both whole numbers")
}

func field(path, at string, inside bool) error {
	if inside != (path == "") {
		return bad(at, "a field must have a name")
	}
	if len(path) > MaxField {
		return bad(at, "a field must not be longer than %d bytes", MaxField)
	}
	if strings.Count(path, ".") >= MaxParts {
		return bad(at, "a field must not have more than %d names", MaxParts)
	}
	if !inside && slices.Contains(strings.Split(path, "."), "") {
		return bad(at, "the field %q has an empty name between its dots", clip(path))
	}
	return nil
}

func looseField(path, at string) error {
	if path == "" {
		return bad(at, "a field must have a name")
	}
	if len(path) > MaxField {
		return bad(at, "a field must not be longer than %d bytes", MaxField)
	}
	return nil
}

func (c *checker) value(v any, at string, depth int) error {
	if v == nil {
		return nil
	}
	c.values++
	switch {
	case depth > MaxDepth:
		return tooDeep(at)
	case c.values > MaxValues:
		return bad(at, "a filter must not hold more than %d values", MaxValues)
	}
	switch t := v.(type) {
	case string:
		c.text += len(t)
	case Regex:
		c.text += len(t.Pattern)
		if _, err := t.compile(at); err != nil {
			return err
		}
	case []any:
		for i, x := range t {
			if err := c.value(x, fmt.Sprintf("%s[%d]", at, i), depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		for k, x := range t {
			c.text += len(k)
			if err := c.value(x, at+"."+k, depth+1); err != nil {
				return err
			}
		}
	case bool, int64, float64:
	default:
		return bad(at, "%s holds a value of a kind that filters do not know", at)
	}
	if c.text > MaxText {
		return bad(at, "the texts of a filter must not be longer than %d bytes together", MaxText)
	}
	return nil
}

// typeNames are MongoDB's; those behind the ninth never occur in a document.
var typeNames = []string{"string", "number", "int", "long", "double", "bool", "object", "array", "null",
	"date", "objectId", "binData", "decimal", "regex", "timestamp", "javascript", "undefined", "symbol", "minKey", "maxKey"}

var typeCodes = map[int64]string{1: "double", 2: "string", 3: "object", 4: "array", 5: "binData", 6: "undefined", 7: "objectId", 8: "bool",
	9: "date", 10: "null", 11: "regex", 13: "javascript", 14: "symbol", 16: "int", 17: "timestamp", 18: "long", 19: "decimal", -1: "minKey", 127: "maxKey"}

// loose tells the operators of conditions.
func (o Op) loose() bool {
	switch o {
	case Is, IsNot, Above, AtLeast, Below, AtMost, OneOf, Contains, StartsWith, EndsWith, Like, DaysAtLeast, DaysAtMost, Present, Absent:
		return true
	}
	return false
}

// NeedsNow reports whether the filter asks how long ago something was, so that
// its answer changes with the time.
func (f *Filter) NeedsNow() bool {
	return f.Op == DaysAtLeast || f.Op == DaysAtMost || slices.ContainsFunc(f.Of, func(s Filter) bool { return s.NeedsNow() })
}
