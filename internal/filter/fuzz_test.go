package filter

import (
	"bytes"
	"encoding/json"
	"testing"

	"parley/internal/fault"
)

func decode(b []byte) any {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

// used does with a parsed filter what a room does, and wants no panic.
func used(t *testing.T, f Filter, err error) {
	if err != nil {
		if fault.As(err) == nil {
			t.Fatalf("not a fault: %v", err)
		}
		return
	}
	m, err := Compile(f)
	if err != nil {
		t.Fatalf("%s was parsed but does not compile: %v", written(f), err)
	}
	for _, doc := range []any{nil, 5, map[string]any{"a": []any{map[string]any{"b": 1.5}, "x", nil}, "c": json.Number("1e5")}} {
		m.MatchAt(doc, at, nil)
	}
	checkText(t, f)
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var g Filter
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatalf("%s is not read again: %v", b, err)
	}
}

func FuzzMongo(f *testing.F) {
	for _, c := range mongoCases {
		f.Add([]byte(c.filter))
	}
	f.Add([]byte(`{"attrs.it's\";--":{"$in":["' OR 1=1 --",{"$regex":"a b","$options":"x"}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, ok := decode(b).(map[string]any); ok {
			got, err := ParseMongo(m)
			used(t, got, err)
		}
	})
}

func FuzzConditions(f *testing.F) {
	for _, c := range conditionCases {
		b, _ := json.Marshal([]any{map[string]any{"field": c.field, "operator": c.op, "value": c.value}})
		f.Add(b, "OR")
	}
	f.Fuzz(func(t *testing.T, b []byte, logic string) {
		if list, ok := decode(b).([]any); ok {
			got, err := ParseConditions(list, logic)
			used(t, got, err)
		}
	})
}

func FuzzStored(f *testing.F) {
	for _, c := range mongoCases {
		if m, ok := decode([]byte(c.filter)).(map[string]any); ok {
			got, _ := ParseMongo(m)
			f.Add([]byte(written(got)))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var got Filter
		if err := got.UnmarshalJSON(b); err == nil {
			used(t, got, nil)
		}
	})
}
