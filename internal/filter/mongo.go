package filter

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ParseMongo reads a filter document of MongoDB's query language (reference
// bot-runtime 4.1, 4.2). Faults have the Reason "query" and name the place, such
// as $or[1].age.$gt.
func ParseMongo(doc map[string]any) (Filter, error) {
	f, err := document(doc, "", 1)
	if err != nil {
		return Filter{}, err
	}
	return f, f.Validate()
}

// document reads {field: condition, $and: [...], ...}; all of it must hold.
func document(doc map[string]any, at string, depth int) (Filter, error) {
	if depth > MaxDepth {
		return Filter{}, tooDeep(at)
	}
	var all []Filter
	for _, key := range slices.Sorted(maps.Keys(doc)) {
		place := join(at, key)
		var (
			part []Filter
			err  error
		)
		switch {
		case key == "$and" || key == "$or" || key == "$nor":
			var f Filter
			f, err = logic(key, doc[key], place, depth)
			part = []Filter{f}
		case strings.HasPrefix(key, "$"):
			err = unknown(key, place, "$and, $or and $nor")
		case key == "":
			err = bad(at, "a field must have a name")
		default:
			part, err = condition(key, doc[key], place, depth)
		}
		if err != nil {
			return Filter{}, err
		}
		all = append(all, part...)
	}
	return conjunction(all), nil
}

func conjunction(all []Filter) Filter {
	switch len(all) {
	case 0:
		return Filter{}
	case 1:
		return all[0]
	}
	return Filter{Op: And, Of: all}
}

func join(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}

func logic(key string, v any, at string, depth int) (Filter, error) {
	list, ok := plainly(v).([]any)
	if !ok || len(list) == 0 {
		return Filter{}, bad(at, "%s takes an array of at least one filter", key)
	}
	out := Filter{Op: Op(key[1:])}
	for i, x := range list {
		place := fmt.Sprintf("%s[%d]", at, i)
		m, ok := x.(map[string]any)
		if !ok {
			return out, bad(place, "%s takes filters, and %s is none", key, place)
		}
		sub, err := document(m, place, depth+1)
		if err != nil {
			return out, err
		}
		out.Of = append(out.Of, sub)
	}
	return out, nil
}

// condition reads what stands behind a field: a value or operators.
func condition(name string, v any, at string, depth int) ([]Filter, error) {
	if depth > MaxDepth {
		return nil, tooDeep(at)
	}
	if re, ok, err := literal(v, at); err != nil {
		return nil, err
	} else if ok {
		return []Filter{{Op: Matches, Field: name, Value: re}}, nil
	}
	m, ok := v.(map[string]any)
	if !ok || !operators(m) {
		if ok {
			if err := unmixed(m, at); err != nil {
				return nil, err
			}
		}
		c, err := constant(v, at, 1)
		return []Filter{{Op: Eq, Field: name, Value: asID(name, c)}}, err
	}
	return operations(name, m, at, depth)
}

// operators reports whether an object holds operators: its keys begin with a
// dollar, and it is not the wrapper of a value.
func operators(m map[string]any) bool {
	for key := range m {
		if !strings.HasPrefix(key, "$") || wrapper(m, key) {
			return false
		}
	}
	return len(m) > 0
}

func wrapper(m map[string]any, key string) bool {
	switch key {
	case "$oid", "$date", "$numberLong", "$numberInt", "$numberDouble", "$numberDecimal":
		return len(m) == 1
	}
	return false
}

// unmixed refuses an object in which operators and fields stand together.
func unmixed(m map[string]any, at string) error {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if strings.HasPrefix(key, "$") && !wrapper(m, key) {
			return bad(at, "operators such as %s and fields must not stand together in one object", clip(key))
		}
	}
	return nil
}

// literal reads a regular expression where a value is expected.
func literal(v any, at string) (re Regex, ok bool, err error) {
	if r, is := v.(Regex); is {
		_, err := r.compile(at)
		return r, true, err
	}
	m, _ := v.(map[string]any)
	if inner, is := m["$regularExpression"]; is && len(m) == 1 {
		parts, ok := inner.(map[string]any)
		p, ok2 := parts["pattern"].(string)
		o, ok3 := parts["options"].(string)
		if !ok || !ok2 || !ok3 && parts["options"] != nil {
			return re, false, bad(at, "$regularExpression takes {pattern: text, options: text}")
		}
		re = Regex{Pattern: p, Options: o}
		_, err := re.compile(at)
		return re, true, err
	}
	return re, false, nil
}

// asID compares ids as texts (reference bot-runtime 4.1).
func asID(name string, v any) any {
	if name == "_id" || strings.HasSuffix(name, "._id") {
		if n, ok := numOf(v); ok {
			return n.text()
		}
	}
	return v
}

func unknown(key, at, use string) error {
	switch key {
	case "$where", "$function", "$expr", "$text", "$jsonSchema", "$accumulator":
		return bad(at, "%s is not allowed in a filter", key)
	case "$near", "$nearSphere", "$geoWithin", "$geoIntersects":
		return bad(at, "%s is not supported yet; filter by other fields", key)
	}
	return bad(at, "there is no operator %s here; use %s", clip(key), use)
}
