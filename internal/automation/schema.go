package automation

import (
	"fmt"
	"math"
	"net/mail"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"parley/internal/conversation/variables"
	"parley/internal/fault"
)

const maxPattern = 1000 // bytes of a pattern of a schema

// Payload schemas are the part of JSON Schema that says what a payload looks
// like: type, properties, required, additionalProperties, items, enum, const,
// bounds, pattern, format, allOf, anyOf, oneOf, not. Annotations and unknown
// words say nothing; references to other schemas are refused.

const (
	maxSchema      = 64 << 10 // bytes as JSON
	maxSchemaDepth = 12
)

var schemaTypes = []string{"object", "array", "string", "number", "integer", "boolean", "null"}

// checkSchema returns a fault of the first word of a schema that does not say
// what it should.
func checkSchema(at string, m map[string]any, depth int) error {
	if depth > maxSchemaDepth {
		return fault.Field(at, "%s is nested too deeply; %d levels are the limit", at, maxSchemaDepth)
	}
	for _, word := range sortedKeys(m) {
		v, where := m[word], at+"."+word
		var err error
		switch word {
		case "$ref", "$dynamicRef":
			err = fault.Field(where, "%s is not supported: write the schema out", where)
		case "type":
			err = checkTypes(where, v)
		case "properties":
			err = eachSchema(where, v, depth)
		case "items", "not":
			err = subSchema(where, v, depth)
		case "additionalProperties":
			if _, flag := v.(bool); !flag {
				err = subSchema(where, v, depth)
			}
		case "allOf", "anyOf", "oneOf":
			list, ok := v.([]any)
			if !ok || len(list) == 0 {
				err = fault.Field(where, "%s must be a list of schemas", where)
			}
			for i, x := range list {
				if err == nil {
					err = subSchema(fmt.Sprintf("%s[%d]", where, i), x, depth)
				}
			}
		case "required":
			if _, ok := textList(v); !ok {
				err = fault.Field(where, "%s must be a list of property names", where)
			}
		case "enum":
			if list, ok := v.([]any); !ok || len(list) == 0 {
				err = fault.Field(where, "%s must be a list of values", where)
			}
		case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum":
			_, flag := v.(bool) // as in the drafts before 6
			if _, ok := v.(float64); !ok && !(flag && strings.HasPrefix(word, "exclusive")) {
				err = fault.Field(where, "%s must be a number", where)
			}
		case "minLength", "maxLength", "minItems", "maxItems":
			if n, ok := v.(float64); !ok || n < 0 || n != math.Trunc(n) {
				err = fault.Field(where, "%s must be a whole number that is not negative", where)
			}
		case "pattern":
			s, ok := v.(string)
			if _, bad := regexp.Compile(s); !ok || bad != nil || len(s) > maxPattern {
				err = fault.Field(where, "%s must be a regular expression in RE2 syntax of at most %d bytes", where, maxPattern)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func checkTypes(at string, v any) error {
	list, ok := textList(v)
	if s, single := v.(string); single {
		list, ok = []string{s}, true
	}
	for _, t := range list {
		ok = ok && slices.Contains(schemaTypes, t)
	}
	if !ok || len(list) == 0 {
		return fault.Field(at, "%s must be one of %s", at, strings.Join(schemaTypes, ", "))
	}
	return nil
}

func subSchema(at string, v any, depth int) error {
	m, ok := v.(map[string]any)
	if !ok {
		return fault.Field(at, "%s must be a schema, which is an object", at)
	}
	return checkSchema(at, m, depth+1)
}

func eachSchema(at string, v any, depth int) error {
	m, ok := v.(map[string]any)
	if !ok {
		return fault.Field(at, "%s must be an object of schemas", at)
	}
	for _, k := range sortedKeys(m) {
		if err := subSchema(at+"."+k, m[k], depth); err != nil {
			return err
		}
	}
	return nil
}

// breach is the first place where a value is not what its schema says.
type breach struct{ path, says string }

// conform holds a value against a checked schema; nil means that it fits. path
// is the value's place, "" the payload itself.
func conform(m map[string]any, v any, path string) *breach {
	if t, ok := m["type"]; ok && !hasType(t, v) {
		return &breach{path, "must be " + typesSpoken(t)}
	}
	if list, ok := m["enum"].([]any); ok && !slices.ContainsFunc(list, func(x any) bool { return reflect.DeepEqual(x, v) }) {
		names := make([]string, len(list))
		for i, x := range list {
			names[i] = variables.Plain(x)
		}
		return &breach{path, "must be one of " + cut(strings.Join(names, ", "), 200)}
	}
	if want, ok := m["const"]; ok && !reflect.DeepEqual(want, v) {
		return &breach{path, "must be " + cut(variables.Plain(want), 100)}
	}
	var b *breach
	switch t := v.(type) {
	case map[string]any:
		b = conformObject(m, t, path)
	case []any:
		b = conformList(m, t, path)
	case string:
		b = conformText(m, t, path)
	case float64:
		b = conformNumber(m, t, path)
	}
	if b != nil {
		return b
	}
	return conformAll(m, v, path)
}

func conformObject(m, v map[string]any, path string) *breach {
	if names, ok := textList(m["required"]); ok {
		for _, n := range names {
			if _, given := v[n]; !given {
				return &breach{below(path, n), "is required"}
			}
		}
	}
	props, _ := m["properties"].(map[string]any)
	for _, k := range sortedKeys(v) {
		if sub, ok := props[k].(map[string]any); ok {
			if b := conform(sub, v[k], below(path, k)); b != nil {
				return b
			}
			continue
		}
		switch more := m["additionalProperties"].(type) {
		case bool:
			if !more {
				return &breach{below(path, k), "is not part of this event's payload"}
			}
		case map[string]any:
			if b := conform(more, v[k], below(path, k)); b != nil {
				return b
			}
		}
	}
	return nil
}

func conformList(m map[string]any, v []any, path string) *breach {
	if n, ok := m["minItems"].(float64); ok && float64(len(v)) < n {
		return &breach{path, "must hold at least " + decimal(n) + " items"}
	}
	if n, ok := m["maxItems"].(float64); ok && float64(len(v)) > n {
		return &breach{path, "must hold at most " + decimal(n) + " items"}
	}
	if sub, ok := m["items"].(map[string]any); ok {
		for i, x := range v {
			if b := conform(sub, x, fmt.Sprintf("%s[%d]", path, i)); b != nil {
				return b
			}
		}
	}
	return nil
}

func conformText(m map[string]any, v, path string) *breach {
	length := float64(utf8.RuneCountInString(v))
	if n, ok := m["minLength"].(float64); ok && length < n {
		return &breach{path, "must have at least " + decimal(n) + " characters"}
	}
	if n, ok := m["maxLength"].(float64); ok && length > n {
		return &breach{path, "must have at most " + decimal(n) + " characters"}
	}
	if p, ok := m["pattern"].(string); ok {
		if re, err := regexp.Compile(p); err == nil && !re.MatchString(v) {
			return &breach{path, "must match the pattern " + cut(p, 100)}
		}
	}
	var err error
	switch f, _ := m["format"].(string); f {
	case "email":
		_, err = mail.ParseAddress(v)
	case "date-time":
		_, err = time.Parse(time.RFC3339, v)
	case "date":
		_, err = time.Parse(time.DateOnly, v)
	}
	if err != nil {
		return &breach{path, "must be of the format " + m["format"].(string)}
	}
	return nil
}

func conformNumber(m map[string]any, v float64, path string) *breach {
	over, _ := m["exclusiveMinimum"].(bool)
	under, _ := m["exclusiveMaximum"].(bool)
	if n, ok := m["minimum"].(float64); ok && (v < n || over && v == n) {
		return &breach{path, "must be " + decimal(n) + " or more"}
	}
	if n, ok := m["maximum"].(float64); ok && (v > n || under && v == n) {
		return &breach{path, "must be " + decimal(n) + " or less"}
	}
	if n, ok := m["exclusiveMinimum"].(float64); ok && v <= n {
		return &breach{path, "must be more than " + decimal(n)}
	}
	if n, ok := m["exclusiveMaximum"].(float64); ok && v >= n {
		return &breach{path, "must be less than " + decimal(n)}
	}
	return nil
}

func conformAll(m map[string]any, v any, path string) *breach {
	fits := func(word string) (n, of int, first *breach) {
		list, _ := m[word].([]any)
		for _, x := range list {
			sub, _ := x.(map[string]any)
			if b := conform(sub, v, path); b == nil {
				n++
			} else if first == nil {
				first = b
			}
		}
		return n, len(list), first
	}
	if n, of, b := fits("allOf"); n < of {
		return b
	}
	if n, of, b := fits("anyOf"); of > 0 && n == 0 {
		return b
	}
	if n, of, b := fits("oneOf"); of > 0 && n != 1 {
		if b == nil || n > 1 {
			b = &breach{path, "must fit exactly one of the allowed forms"}
		}
		return b
	}
	if sub, ok := m["not"].(map[string]any); ok && conform(sub, v, path) == nil {
		return &breach{path, "has a form that is not allowed"}
	}
	return nil
}

func hasType(t, v any) bool {
	list, ok := textList(t)
	if !ok {
		s, _ := t.(string)
		list = []string{s}
	}
	for _, name := range list {
		switch x := v.(type) {
		case nil:
			ok = name == "null"
		case bool:
			ok = name == "boolean"
		case string:
			ok = name == "string"
		case float64:
			ok = name == "number" || name == "integer" && x == math.Trunc(x)
		case []any:
			ok = name == "array"
		case map[string]any:
			ok = name == "object"
		default:
			ok = false
		}
		if ok {
			return true
		}
	}
	return false
}

func typesSpoken(t any) string {
	names, ok := textList(t)
	if !ok {
		s, _ := t.(string)
		names = []string{s}
	}
	articles := map[string]string{"object": "an object", "array": "a list", "string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false", "null": "null"}
	for i, n := range names {
		names[i] = articles[n]
	}
	return strings.Join(names, " or ")
}

func textList(v any) ([]string, bool) {
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	out := make([]string, 0, len(list))
	for _, x := range list {
		s, ok := x.(string)
		if !ok {
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}

func below(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
