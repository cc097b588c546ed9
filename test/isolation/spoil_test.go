package isolation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// missing marks a field that a valid body has not, though something is declared
// within it; found one that it has.
var missing, found = &mark{"missing"}, &mark{"found"}

type mark struct{ string }

// parts opens compositions.
func parts(schemas []*openapi3.Schema) []*openapi3.Schema {
	var out []*openapi3.Schema
	for _, s := range schemas {
		out = append(out, s)
		for _, refs := range []openapi3.SchemaRefs{s.AllOf, s.AnyOf, s.OneOf} {
			for _, r := range refs {
				out = append(out, parts([]*openapi3.Schema{r.Value})...)
			}
		}
	}
	return out
}

// spoil calls f for every declared field of a valid body with a value that the field
// must not have, and the body with it there; also with nil. put makes the whole body
// of a value in the place of v.
func spoil(schemas []*openapi3.Schema, v any, at string, put func(any) any, f func(at string, bad, body any)) {
	all := parts(schemas)
	if at != "" {
		var kinds []string
		for _, s := range all {
			if s.Type != nil {
				kinds = append(kinds, *s.Type...)
			}
		}
		if len(kinds) == 0 {
			return // anything goes
		}
		for _, bad := range append(wrongKinds(kinds), outside(all, v)...) {
			f(at, bad, put(bad))
		}
		f(at, nil, put(nil))
	}
	properties := map[string][]*openapi3.Schema{}
	var items []*openapi3.Schema
	for _, s := range all {
		for name, p := range s.Properties {
			properties[name] = append(properties[name], p.Value)
		}
		if s.Items != nil {
			items = append(items, s.Items.Value)
		}
	}
	m, isObject := v.(map[string]any)
	list, isList := v.([]any)
	if len(properties) > 0 && !isObject && !isList || len(items) > 0 && len(list) == 0 && !isObject {
		f(at, missing, nil)
		return
	}
	f(at, found, nil)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if !isObject {
			break
		}
		spoil(properties[name], m[name], strings.TrimPrefix(at+"."+name, "."), func(x any) any {
			c := maps.Clone(m)
			c[name] = x
			return put(c)
		}, f)
	}
	if len(items) > 0 && isList {
		spoil(items, list[0], at+"[0]", func(x any) any {
			c := slices.Clone(list)
			c[0] = x
			return put(c)
		}, f)
	}
}

// wrongKinds are values of the types that a field does not have.
func wrongKinds(kinds []string) []any {
	var out []any
	for _, sample := range []struct {
		kind string
		v    any
	}{{"string", "x"}, {"number", 7.5}, {"boolean", true}, {"object", map[string]any{"k": map[string]any{}}}, {"array", []any{[]any{}}}} {
		if !slices.Contains(kinds, sample.kind) {
			out = append(out, sample.v)
		}
	}
	return out
}

// outside are values of the right type that the description excludes.
func outside(all []*openapi3.Schema, v any) []any {
	var out []any
	for _, s := range all {
		switch {
		case len(s.Enum) > 0:
			out = append(out, "zzz", "")
		case s.Format == "uuid":
			out = append(out, "not-an-id", "", "0123456789abcdef01234567")
		case s.Format == "date-time":
			out = append(out, "yesterday", "2026-13-01T00:00:00Z")
		}
		if s.Min != nil {
			out = append(out, *s.Min-1)
		}
		if s.Max != nil {
			out = append(out, *s.Max+1, 1e300)
		}
		if s.MinLength > 0 {
			out = append(out, "")
		}
		if s.MaxLength != nil {
			out = append(out, strings.Repeat("é", int(*s.MaxLength)+1))
		}
		if s.MinItems > 0 {
			out = append(out, []any{})
		}
		if list, ok := v.([]any); ok && s.MaxItems != nil && len(list) > 0 {
			out = append(out, many(list[0], int(*s.MaxItems)+1))
		}
		if ok := s.UniqueItems; ok {
			if list, ok := v.([]any); ok && len(list) > 0 {
				out = append(out, []any{list[0], list[0]})
			}
		}
	}
	return out
}

// many is a list of different texts, or of one thing again and again.
func many(v any, n int) []any {
	out := make([]any, n)
	for i := range out {
		if out[i] = v; len(fmt.Sprint(v)) < 30 {
			out[i] = fmt.Sprint(v, i)
		}
	}
	return out
}
