package httpx

import (
	"encoding"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
)

func itoa(n int) string { return strconv.Itoa(n) }

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// blame turns the error of json.Unmarshal into a fault that names the field.
// encoding/json names no field for custom unmarshalers and no position in
// lists, so the value is looked up again along the type, on this error path only.
func blame(body []byte, dst any, cause error) error {
	t := reflect.TypeOf(dst)
	if t == nil || t.Kind() != reflect.Pointer {
		return cause // a defect of the caller
	}
	path, at, err := locate(body, t.Elem(), "")
	if err == nil {
		err = cause
	}
	if f := fault.As(err); f != nil {
		c := *f
		c.Field = strings.TrimSuffix(join(path, f.Field), ".")
		if path == "" {
			c.Field = f.Field
		}
		return &c
	}
	if at == nil {
		at = t.Elem()
	}
	var ute *json.UnmarshalTypeError
	if path == "" && errors.As(err, &ute) && ute.Field != "" {
		path, at = ute.Field, ute.Type
	}
	got := kindOf(err)
	if path == "" {
		return fault.New(fault.Invalid, "the body must be %s%s", wanted(at), got).Because("json")
	}
	return fault.Field(path, "%s must be %s%s", path, wanted(at), got)
}

// locate returns the path, type and error of the deepest value that does not
// fit its type.
func locate(raw json.RawMessage, t reflect.Type, path string) (string, reflect.Type, error) {
	err := json.Unmarshal(raw, reflect.New(t).Interface())
	if err == nil {
		return "", nil, nil
	}
	for t.Kind() == reflect.Pointer && !selfReading(t) {
		t = t.Elem()
	}
	if selfReading(t) {
		return path, t, err
	}
	switch t.Kind() {
	case reflect.Struct:
		var m map[string]json.RawMessage
		if json.Unmarshal(raw, &m) != nil {
			return path, t, err
		}
		for _, f := range reflect.VisibleFields(t) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "-" || !f.IsExported() || (f.Anonymous && name == "") {
				continue
			}
			if name == "" {
				name = f.Name
			}
			for key, v := range m {
				if key != name && !strings.EqualFold(key, name) {
					continue
				}
				if p, at, err := locate(v, f.Type, join(path, key)); err != nil {
					return p, at, err
				}
			}
		}
	case reflect.Slice, reflect.Array:
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil {
			return path, t, err
		}
		for i, v := range list {
			if p, at, err := locate(v, t.Elem(), join(path, itoa(i))); err != nil {
				return p, at, err
			}
		}
	case reflect.Map:
		var m map[string]json.RawMessage
		if json.Unmarshal(raw, &m) != nil {
			return path, t, err
		}
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if p, at, err := locate(m[key], t.Elem(), join(path, key)); err != nil {
				return p, at, err
			}
		}
	}
	return path, t, err
}

var (
	jsonReader = reflect.TypeFor[json.Unmarshaler]()
	textReader = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// selfReading reports whether t reads its own JSON.
func selfReading(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(jsonReader) || p.Implements(textReader)
}

// wanted names a type in a user's words.
func wanted(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[time.Time]():
		return "a time such as 2026-01-31T15:04:05Z"
	case reflect.TypeFor[id.ID]():
		return "an id of 24 hexadecimal digits"
	case reflect.TypeFor[json.Number]():
		return "a number"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number that is not negative"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		if selfReading(t) {
			return "a value of the documented form"
		}
		return "an object"
	}
	return "a value of the documented form"
}

// kindOf says what was found instead, when that helps.
func kindOf(err error) string {
	var ute *json.UnmarshalTypeError
	if !errors.As(err, &ute) {
		return ""
	}
	switch {
	case ute.Value == "array":
		return ", not a list"
	case ute.Value == "object":
		return ", not an object"
	case ute.Value == "bool":
		return ", not true or false"
	case ute.Value == "string":
		return ", not a string"
	case strings.HasPrefix(ute.Value, "number"):
		return ", not this number"
	}
	return ""
}
