package filter

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"parley/internal/fault"
)

// MaxItems is how many items the filter of a target may hold.
const MaxItems = 100

// targetOps by every spelling; those in targetNot are their negations.
var (
	targetOps = map[string]Op{
		"equals": Equal, "eq": Equal, "=": Equal, "==": Equal, "not_equals": Equal, "ne": Equal, "!=": Equal, "<>": Equal,
		"any_of": AnyOf, "in": AnyOf, "none_of": AnyOf, "not_in": AnyOf,
		"contains": Holds, "~": Holds, "not_contains": Holds, "!~": Holds,
		"starts_with": Begins, "ends_with": Ends,
		"greater_than": Over, "gt": Over, ">": Over, "greater_than_or_equals": From, "greater_than_or_equal": From, "gte": From, ">=": From,
		"less_than": Under, "lt": Under, "<": Under, "less_than_or_equals": UpTo, "less_than_or_equal": UpTo, "lte": UpTo, "<=": UpTo,
		"is_empty": Filled, "not_exists": Filled, "is_not_empty": Filled, "exists": Filled,
	}
	targetNot = map[string]bool{"not_equals": true, "ne": true, "!=": true, "<>": true, "none_of": true, "not_in": true,
		"not_contains": true, "!~": true, "is_empty": true, "not_exists": true}
)

const knownTargets = "equals, not_equals, any_of, none_of, contains, not_contains, starts_with, ends_with, greater_than, less_than, " +
	"greater_than_or_equals, less_than_or_equals, is_empty, is_not_empty"

// ParseTarget reads the entity_filters of a target (targeting reference §5.1):
// {"filter": {"items": [{key, operator, value}], "combination": "AND"}}, or the
// search DSL as {"filter": [...]}. empty tells that there is no item: such a target
// selects nothing. Faults name entity_filters.filter.items[0].operator and the like.
func ParseTarget(doc map[string]any) (f Filter, empty bool, err error) {
	const at = "entity_filters.filter"
	var body map[string]any
	switch t := plainly(doc["filter"]).(type) {
	case nil:
		return f, true, nil
	case []any:
		f, err = ParseSearch(t, at)
		return f, len(t) == 0, err
	case map[string]any:
		body = t
	default:
		return f, false, bad(at, "%s must be an object with items, or a list of search filters", at)
	}
	if _, ok := body["items"]; !ok && len(body) == 1 && !hasKey(body, "combination") { // one element of the DSL, without its list
		f, err = ParseSearch([]any{body}, at)
		return f, false, err
	}
	f.Op, err = combination(body["combination"], at+".combination")
	if err != nil {
		return Filter{}, false, err
	}
	items, ok := plainly(body["items"]).([]any)
	switch {
	case !ok && body["items"] != nil:
		return Filter{}, false, misplaced(at+".items", "items must be an array of {key, operator, value}")
	case len(items) == 0:
		return Filter{}, true, nil
	case len(items) > MaxItems:
		return Filter{}, false, misplaced(at+".items", "items must not hold more than %d filters", MaxItems)
	}
	for i, x := range items {
		item, err := targetItem(x, fmt.Sprintf("%s.items[%d]", at, i))
		if err != nil {
			return Filter{}, false, err
		}
		f.Of = append(f.Of, item)
	}
	if len(f.Of) == 1 {
		f = f.Of[0]
	}
	if err := f.Validate(); err != nil { // each alone was right: together they are too much
		return Filter{}, false, placed(err, at+".items")
	}
	return f, false, nil
}

func hasKey(m map[string]any, key string) bool {
	_, ok := m[key]
	return ok
}

func combination(v any, at string) (Op, error) {
	s, ok := v.(string)
	switch {
	case v == nil || ok && strings.TrimSpace(s) == "" || strings.EqualFold(strings.TrimSpace(s), "and"):
		return And, nil
	case strings.EqualFold(strings.TrimSpace(s), "or"):
		return Or, nil
	}
	return And, misplaced(at, "combination must be AND or OR")
}

func targetItem(x any, at string) (f Filter, err error) {
	m, ok := plainly(x).(map[string]any)
	if !ok {
		return f, bad(at, "%s must be an object with key, operator and value", at)
	}
	if f.Field, err = fieldName(m["key"], at+".key"); err != nil {
		return f, err
	}
	s, _ := m["operator"].(string)
	name := strings.ToLower(strings.TrimSpace(s))
	if f.Op, ok = targetOps[name]; !ok {
		return f, misplaced(at+".operator", "there is no operator %q; use %s", clip(s), knownTargets)
	}
	if f, err = withValue(f, m["value"], at+".value"); err != nil {
		return f, err
	}
	if targetNot[name] {
		f = Filter{Op: Not, Of: []Filter{f}}
	}
	return f, nil
}

// withValue gives a filter of one operator its value, or several of which one must
// hold.
func withValue(f Filter, v any, at string) (Filter, error) {
	if f.Op == Filled {
		return f, nil
	}
	list, several := plainly(v).([]any)
	if !several {
		list = []any{v}
	}
	if len(list) == 0 {
		return f, misplaced(at, "value must hold at least one text")
	}
	out := Filter{Op: Or}
	for i, x := range list {
		place := at
		if several {
			place = fmt.Sprintf("%s[%d]", at, i)
		}
		c, err := plainConstant(x, place)
		if err != nil {
			return f, err
		}
		one := Filter{Op: f.Op, Field: f.Field, Value: c}
		if one.Op == AnyOf {
			one.Op = Equal
		}
		if looks := one.Op == Holds || one.Op == Begins || one.Op == Ends; looks && shown(c) == "" {
			return f, misplaced(place, "there must be a text to look for; use is_empty for what has no value")
		}
		if text, ok := c.(string); ok && ordering(one.Op) && relative(text) {
			return f, misplaced(place, "%s", notRelative(text))
		}
		if err := one.Validate(); err != nil {
			return f, placed(err, place)
		}
		out.Of = append(out.Of, one)
	}
	switch {
	case f.Op == AnyOf, f.Op == Equal && len(list) > 1:
		return anyOf(f.Field, out.Of), nil
	case len(list) == 1:
		return out.Of[0], nil
	case f.Op == Holds || f.Op == Begins || f.Op == Ends:
		return out, nil
	}
	return f, misplaced(at, "value must be one text here, not %d", len(list))
}

// ordering tells the operators that put values in order.
func ordering(op Op) bool { return op == Over || op == From || op == Under || op == UpTo }

// anyOf joins equalities of one field.
func anyOf(field string, equals []Filter) Filter {
	f := Filter{Op: AnyOf, Field: field}
	for _, e := range equals {
		f.List = append(f.List, e.Value)
	}
	return f
}

func plainConstant(v any, at string) (any, error) {
	if v == nil {
		return nil, misplaced(at, "value is missing; use is_empty for what has no value")
	}
	if k := kindOf(plainly(v)); k == kindArray || k == kindObject {
		return nil, misplaced(at, "value must be a text, a number or a boolean, or an array of them")
	}
	return constant(v, at, 1)
}

// fieldName reads a dotted path. The suffix .keyword has no meaning here.
func fieldName(v any, at string) (string, error) {
	s, ok := v.(string)
	if !ok || strings.TrimSpace(s) == "" {
		return "", bad(at, "%s must be the name of an attribute, such as address.city", at)
	}
	s = unkeyed(strings.TrimSpace(s))
	if err := field(s, at, false); err != nil {
		return s, placed(err, at)
	}
	return s, nil
}

// misplaced is a fault whose message begins with its place.
func misplaced(at, format string, args ...any) *fault.Error {
	return bad(at, "%s: "+format, append([]any{at}, args...)...)
}

// placed gives the fault of a filter a place, also in its message.
func placed(err error, at string) error {
	w := fault.As(err)
	if w == nil {
		return err
	}
	return misplaced(at, "%s", w.Message)
}

func unkeyed(s string) string {
	for {
		short := strings.TrimSuffix(s, ".keyword")
		if short == "" || short == s {
			return s
		}
		s = short
	}
}

// Fields lists the top-level fields that a filter reads, sorted and each once.
func Fields(f Filter) []string {
	set := map[string]bool{}
	f.fields(set)
	return slices.Sorted(maps.Keys(set))
}

func (f *Filter) fields(set map[string]bool) {
	if f.Field != "" {
		first, _, dotted := strings.Cut(f.Field, ".")
		set[first] = true
		if dotted && (f.Op.loose() || f.Op.compared()) { // the name itself may hold the dot
			set[f.Field] = true
		}
	}
	if f.Op == Elem || f.Op == ElemMatch {
		return // below, fields are those of elements
	}
	for i := range f.Of {
		f.Of[i].fields(set)
	}
}
