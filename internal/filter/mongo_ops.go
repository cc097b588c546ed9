package filter

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const knownOps = "$eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $type, $all, $elemMatch, $size, $mod, $regex and $not"

var compares = map[string]Op{"$eq": Eq, "$ne": Ne, "$gt": Gt, "$gte": Gte, "$lt": Lt, "$lte": Lte}

// operations reads {$gt: 1, $lt: 5}: each operator is a part of its own, which
// another element of an array may satisfy.
func operations(name string, m map[string]any, at string, depth int) ([]Filter, error) {
	if _, alone := m["$options"]; alone && m["$regex"] == nil {
		return nil, bad(at+".$options", "$options needs a $regex beside it")
	}
	var out []Filter
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if key == "$options" {
			continue
		}
		f, err := operation(name, key, m, at+"."+key, depth)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func operation(name, key string, m map[string]any, at string, depth int) (Filter, error) {
	v := m[key]
	switch key {
	case "$eq", "$ne", "$gt", "$gte", "$lt", "$lte":
		return comparison(name, key, v, at)
	case "$in", "$nin":
		list, err := values(name, key, v, at)
		return Filter{Op: Op(key[1:]), Field: name, List: list}, err
	case "$all":
		return all(name, v, at, depth)
	case "$not":
		return negation(name, v, at, depth)
	case "$elemMatch":
		return element(name, v, at, depth)
	case "$exists":
		return Filter{Op: Exists, Field: name, Value: truthy(v)}, nil
	case "$type":
		list, err := types(v, at)
		return Filter{Op: Type, Field: name, List: list}, err
	case "$size":
		n, ok := numOf(v)
		if !ok || !n.whole || n.i < 0 {
			return Filter{}, bad(at, "$size takes a whole number from 0")
		}
		return Filter{Op: Size, Field: name, Value: n.i}, nil
	case "$mod":
		list, err := divisor(v, at)
		return Filter{Op: Mod, Field: name, List: list}, err
	case "$regex":
		re, err := pattern(m, at)
		return Filter{Op: Matches, Field: name, Value: re}, err
	}
	return Filter{}, unknown(key, at, knownOps)
}

func comparison(name, key string, v any, at string) (Filter, error) {
	if re, ok, err := literal(v, at); err != nil {
		return Filter{}, err
	} else if ok {
		return Filter{}, bad(at, "%s cannot compare with the regular expression %q; use $regex or $not", key, clip(re.Pattern))
	}
	c, err := constant(v, at, 1)
	if err != nil {
		return Filter{}, err
	}
	if k := kindOf(c); key != "$eq" && key != "$ne" && (k == kindArray || k == kindObject) {
		return Filter{}, bad(at, "%s compares texts, numbers, booleans and null", key)
	}
	return Filter{Op: compares[key], Field: name, Value: asID(name, c)}, nil
}

// values reads a list that may hold regular expressions.
func values(name, key string, v any, at string) ([]any, error) {
	list, ok := plainly(v).([]any)
	if !ok {
		return nil, bad(at, "%s takes an array", key)
	}
	out := make([]any, len(list))
	for i, x := range list {
		place := fmt.Sprintf("%s[%d]", at, i)
		m, _ := x.(map[string]any)
		re, ok, err := literal(x, place)
		switch {
		case err != nil:
			return nil, err
		case ok:
			out[i] = re
		case m["$regex"] != nil:
			if out[i], err = regexOf(m, place); err != nil {
				return nil, err
			}
		case operators(m):
			return nil, bad(place, "%s takes values, not operators", key)
		default:
			c, err := constant(x, place, 1)
			if err != nil {
				return nil, err
			}
			out[i] = asID(name, c)
		}
	}
	return out, nil
}

func all(name string, v any, at string, depth int) (Filter, error) {
	list, ok := plainly(v).([]any)
	if !ok {
		return Filter{}, bad(at, "$all takes an array")
	}
	if len(list) > 0 {
		if m, ok := list[0].(map[string]any); ok && m["$elemMatch"] != nil {
			return allElements(name, list, at, depth)
		}
	}
	out, err := values(name, "$all", v, at)
	if err != nil {
		return Filter{}, err
	}
	for i, x := range out {
		if _, ok := x.(Regex); ok {
			return Filter{}, bad(fmt.Sprintf("%s[%d]", at, i), "$all takes values, not regular expressions")
		}
	}
	return Filter{Op: All, Field: name, List: out}, nil
}

func allElements(name string, list []any, at string, depth int) (Filter, error) {
	out := Filter{Op: And}
	for i, x := range list {
		place := fmt.Sprintf("%s[%d]", at, i)
		m, _ := x.(map[string]any)
		inner, ok := m["$elemMatch"]
		if !ok || len(m) != 1 {
			return out, bad(place, "$all takes either values or $elemMatch objects, not both")
		}
		f, err := element(name, inner, place+".$elemMatch", depth+1)
		if err != nil {
			return out, err
		}
		out.Of = append(out.Of, f)
	}
	return out, nil
}

func negation(name string, v any, at string, depth int) (Filter, error) {
	m, isObject := v.(map[string]any)
	_, isRegex, err := literal(v, at)
	if err != nil {
		return Filter{}, err
	}
	if !isRegex && (!isObject || !operators(m)) {
		return Filter{}, bad(at, "$not takes operators or a regular expression")
	}
	parts, err := condition(name, v, at, depth+1)
	return Filter{Op: Not, Of: []Filter{conjunction(parts)}}, err
}

// element reads $elemMatch: operators look at the element itself, a filter at
// the fields of an element that is an object.
func element(name string, v any, at string, depth int) (Filter, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return Filter{}, bad(at, "$elemMatch takes operators or a filter")
	}
	if operators(m) && m["$and"] == nil && m["$or"] == nil && m["$nor"] == nil {
		if depth >= MaxDepth {
			return Filter{}, tooDeep(at)
		}
		parts, err := operations("", m, at, depth+1)
		return Filter{Op: Elem, Field: name, Of: []Filter{conjunction(parts)}}, err
	}
	sub, err := document(m, at, depth+1)
	return Filter{Op: ElemMatch, Field: name, Of: []Filter{sub}}, err
}

func pattern(m map[string]any, at string) (Regex, error) {
	options, hasOptions := m["$options"].(string)
	if re, ok, err := literal(m["$regex"], at); ok || err != nil {
		if hasOptions && err == nil {
			re.Options = options
			_, err = re.compile(at)
		}
		return re, err
	}
	s, ok := m["$regex"].(string)
	if !ok || !hasOptions && m["$options"] != nil {
		return Regex{}, bad(at, "$regex and $options must be texts")
	}
	re := Regex{Pattern: s, Options: options}
	_, err := re.compile(at)
	return re, err
}

func types(v any, at string) ([]any, error) {
	list, ok := plainly(v).([]any)
	if !ok {
		list = []any{v}
	}
	out := make([]any, len(list))
	for i, x := range list {
		name, _ := x.(string)
		if n, ok := numOf(x); ok && n.whole {
			name = typeCodes[n.i]
		}
		if !slices.Contains(typeNames, name) {
			return nil, bad(at, "$type has no type %q; use %s", clip(fmt.Sprint(x)), strings.Join(typeNames[:9], ", "))
		}
		out[i] = name
	}
	return out, nil
}

func divisor(v any, at string) ([]any, error) {
	list, ok := plainly(v).([]any)
	out := make([]any, 0, 2)
	for _, x := range list {
		n, isNum := numOf(x)
		i, fits := n.integer() // MongoDB cuts fractions off
		ok = ok && isNum && fits
		out = append(out, i)
	}
	if !ok || len(out) != 2 || out[0] == int64(0) {
		return nil, bad(at, "$mod takes [divisor, remainder], where the divisor is not 0")
	}
	return out, nil
}

// truthy reads the operand of $exists as MongoDB does.
func truthy(v any) bool {
	if b, ok := v.(bool); ok {
		return b
	}
	if n, ok := numOf(v); ok {
		return n.compare(wholeNum(0)) != 0
	}
	return v != nil
}
