package sales

import (
	"encoding/json"
	"reflect"
	"strings"
	"sync"

	"parley/internal/httpx"
)

// columns is how one struct becomes rows (reference §1.6): nested structs are
// flattened with dots, lists of plain values are joined with "|", and whatever is
// open or repeated is compact JSON. What is no struct is one column, "value".
type columns struct {
	header []string
	paths  [][]int
}

var known sync.Map // reflect.Type -> *columns

// columnsOf returns the columns of a struct or a pointer to one, in the order of
// its fields.
func columnsOf(t reflect.Type) *columns {
	t = pointedTo(t)
	if c, ok := known.Load(t); ok {
		return c.(*columns)
	}
	c := &columns{}
	if flat(t) {
		c.add(t, "", nil, []reflect.Type{t})
	} else {
		c.header, c.paths = []string{"value"}, [][]int{nil}
	}
	known.Store(t, c)
	return c
}

// add appends the columns of a struct; outer are the structs around it, so that
// one which holds itself ends as JSON.
func (c *columns) add(t reflect.Type, prefix string, path []int, outer []reflect.Type) {
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		at := append(append([]int{}, path...), i)
		inner := pointedTo(field.Type)
		held := false
		for _, o := range outer {
			held = held || o == inner
		}
		switch {
		case name == "-" || !field.IsExported() && !field.Anonymous:
		case field.Anonymous && name == "" && inner.Kind() == reflect.Struct:
			c.add(inner, prefix, at, append(outer, inner))
		case flat(inner) && !held:
			c.add(inner, prefix+nameOf(field, name)+".", at, append(outer, inner))
		default:
			c.header, c.paths = append(c.header, prefix+nameOf(field, name)), append(c.paths, at)
		}
	}
}

func nameOf(field reflect.StructField, tag string) string {
	if tag == "" {
		return field.Name
	}
	return tag
}

func pointedTo(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

var marshaler = reflect.TypeFor[json.Marshaler]()

// flat reports whether a type becomes columns of its own.
func flat(t reflect.Type) bool { return t.Kind() == reflect.Struct && !marshals(t) }

func marshals(t reflect.Type) bool {
	return t.Implements(marshaler) || reflect.PointerTo(t).Implements(marshaler)
}

// row appends one value.
func (c *columns) row(to []byte, v reflect.Value) []byte {
	cells := make([]string, len(c.paths))
	for i, path := range c.paths {
		cells[i] = cell(follow(v, path))
	}
	return line4180(to, cells)
}

// line4180 appends a line of RFC 4180. Line breaks inside of values stay as they
// are, and a line of one empty value is no empty line.
func line4180(to []byte, cells []string) []byte {
	for i, s := range cells {
		if i > 0 {
			to = append(to, ',')
		}
		if !strings.ContainsAny(s, ",\"\r\n") && (s != "" || len(cells) > 1) && !strings.HasPrefix(s, " ") && !strings.HasSuffix(s, " ") {
			to = append(to, s...)
			continue
		}
		to = append(to, '"')
		to = append(to, strings.ReplaceAll(s, `"`, `""`)...)
		to = append(to, '"')
	}
	return append(to, '\r', '\n')
}

// follow walks to a field; the zero Value when a pointer on the way is nil.
func follow(v reflect.Value, path []int) reflect.Value {
	for _, i := range path {
		if v = reach(v); !v.IsValid() {
			return v
		}
		v = v.Field(i)
	}
	return v
}

// reach follows pointers and interfaces; the zero Value behind a nil one.
func reach(v reflect.Value) reflect.Value {
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		v = v.Elem() // of nil: the zero Value
	}
	return v
}

func cell(v reflect.Value) string {
	v = reach(v)
	switch {
	case !v.IsValid(), (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0:
		return ""
	case v.Kind() == reflect.String && !marshals(v.Type()):
		return v.String()
	case v.Kind() == reflect.Slice && !marshals(v.Type()):
		if s, ok := joined(v); ok {
			return s
		}
	}
	raw, err := httpx.EncodeJSON(v.Interface())
	if err != nil || string(raw) == "null" {
		return ""
	}
	var s string
	if raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// joined joins a list of plain values; not ok when one of them is not plain.
func joined(v reflect.Value) (string, bool) {
	parts := make([]string, v.Len())
	for i := range parts {
		e := reach(v.Index(i))
		if !e.IsValid() {
			continue
		}
		switch e.Kind() {
		case reflect.Slice, reflect.Array, reflect.Map:
			return "", false
		case reflect.Struct:
			if !marshals(e.Type()) {
				return "", false
			}
		}
		parts[i] = cell(e)
	}
	return strings.Join(parts, "|"), true
}
