package sales

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"parley/internal/httpx"
)

// columns is how one struct becomes rows (reference §1.6): nested structs are
// flattened with dots, lists of plain values are joined with "|", and whatever is
// open or repeated is compact JSON.
type columns struct {
	header []string
	paths  [][]int
}

var known sync.Map // reflect.Type -> *columns

// columnsOf returns the columns of a struct or a pointer to one, in the order of
// its fields.
func columnsOf(t reflect.Type) *columns {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if c, ok := known.Load(t); ok {
		return c.(*columns)
	}
	c := &columns{}
	c.add(t, "", nil)
	known.Store(t, c)
	return c
}

func (c *columns) add(t reflect.Type, prefix string, path []int) {
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		at := append(append([]int{}, path...), i)
		inner := field.Type
		for inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case name == "-" || !field.IsExported() && !field.Anonymous:
		case field.Anonymous && name == "" && inner.Kind() == reflect.Struct:
			c.add(inner, prefix, at)
		case inner.Kind() == reflect.Struct && !inner.Implements(marshaler) && !reflect.PointerTo(inner).Implements(marshaler):
			c.add(inner, prefix+name+".", at)
		default:
			c.header, c.paths = append(c.header, prefix+name), append(c.paths, at)
		}
	}
}

var marshaler = reflect.TypeFor[json.Marshaler]()

// row writes one value.
func (c *columns) row(v reflect.Value) []string {
	out := make([]string, len(c.paths))
	for i, path := range c.paths {
		out[i] = cell(follow(v, path))
	}
	return out
}

// follow walks to a field; the zero Value when a pointer on the way is nil.
func follow(v reflect.Value, path []int) reflect.Value {
	for _, i := range path {
		for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
			if v.IsNil() {
				return reflect.Value{}
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v
}

func cell(v reflect.Value) string {
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	switch {
	case !v.IsValid(), (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0:
		return ""
	case v.Kind() == reflect.String:
		return v.String()
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.String:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = v.Index(i).String()
		}
		return strings.Join(parts, "|")
	}
	raw, err := httpx.EncodeJSON(v.Interface())
	if err != nil {
		return ""
	}
	return strings.Trim(string(raw), `"`)
}

// writer writes the items of a list one by one.
type writer struct {
	w     http.ResponseWriter
	table *csv.Writer
	cols  *columns
	begun bool
}

func newWriter(w http.ResponseWriter, asCSV bool, item any) *writer {
	out := &writer{w: w}
	if asCSV {
		out.table, out.cols = csv.NewWriter(w), columnsOf(reflect.TypeOf(item))
	}
	return out
}

func (o *writer) begin() error {
	if o.begun {
		return nil
	}
	o.begun = true
	if o.table != nil {
		o.w.Header().Set("Content-Type", csvType)
		return o.table.Write(o.cols.header)
	}
	o.w.Header().Set("Content-Type", jsonType)
	_, err := o.w.Write([]byte("["))
	return err
}

func (o *writer) item(v any) error {
	first := !o.begun
	if err := o.begin(); err != nil {
		return err
	}
	if o.table != nil {
		return o.table.Write(o.cols.row(reflect.ValueOf(v)))
	}
	raw, err := httpx.EncodeJSON(v)
	if err != nil {
		return err
	}
	if !first {
		raw = append([]byte(","), raw...)
	}
	_, err = o.w.Write(raw)
	return err
}

func (o *writer) end() error {
	if err := o.begin(); err != nil {
		return err
	}
	if o.table != nil {
		o.table.Flush()
		return o.table.Error()
	}
	_, err := o.w.Write([]byte("]"))
	return err
}
