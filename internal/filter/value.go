package filter

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// kind is the type of a value, as MongoDB brackets comparisons.
type kind uint8

const (
	kindOther kind = iota
	kindNull
	kindNumber
	kindText
	kindObject
	kindArray
	kindBool
)

func kindOf(v any) kind {
	switch v.(type) {
	case nil:
		return kindNull
	case string:
		return kindText
	case float64, int64, json.Number:
		return kindNumber
	case map[string]any:
		return kindObject
	case []any:
		return kindArray
	case bool:
		return kindBool
	}
	if _, ok := numOf(v); ok {
		return kindNumber
	}
	return kindOther
}

// plainly turns the few other shapes that Go code puts into documents into
// those of encoding/json.
func plainly(v any) any {
	switch t := v.(type) {
	case nil, string, float64, int64, bool, json.Number, map[string]any, []any:
		return v
	case []string:
		out := make([]any, len(t))
		for i, s := range t {
			out[i] = s
		}
		return out
	case map[string]string:
		out := make(map[string]any, len(t))
		for k, s := range t {
			out[k] = s
		}
		return out
	case []map[string]any:
		out := make([]any, len(t))
		for i, m := range t {
			out[i] = m
		}
		return out
	}
	return v
}

// same reports whether two values are equal: numbers by value, objects whatever
// the order of their keys.
func same(a, b any) bool {
	a, b = plainly(a), plainly(b)
	switch x := a.(type) {
	case nil:
		return b == nil
	case string:
		y, ok := b.(string)
		return ok && x == y
	case bool:
		y, ok := b.(bool)
		return ok && x == y
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !same(x[i], y[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, v := range x {
			if w, ok := y[k]; !ok || !same(v, w) {
				return false
			}
		}
		return true
	}
	m, ok := numOf(a)
	n, ok2 := numOf(b)
	return ok && ok2 && m.compare(n) == 0
}

// order compares two texts, two numbers or two booleans; ok is false for any
// other pair.
func order(a, b any) (c int, ok bool) {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return cmp.Compare(x, y), true
		}
		return 0, false
	case bool:
		if y, ok := b.(bool); ok {
			return truth(x) - truth(y), true
		}
		return 0, false
	}
	m, ok := numOf(a)
	n, ok2 := numOf(b)
	return m.compare(n), ok && ok2
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Decode reads a document of JSON in its canonical form.
func Decode(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return Canonical(v), nil
}

// Canonical returns a copy of a decoded document in which every number is an
// int64 or a float64, the form in which documents must be stored: the databases
// and the match then read the same number. A whole number beyond int64 and a
// fraction of more than 17 digits become the nearest float64.
func Canonical(v any) any {
	switch t := plainly(v).(type) {
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, x := range t {
			out[k] = Canonical(x)
		}
		return out
	case []any:
		out := make([]any, len(t))
		for i, x := range t {
			out[i] = Canonical(x)
		}
		return out
	default:
		if n, ok := numOf(t); ok {
			// JSON has no infinity: the farthest number takes its place.
			n.f = max(-math.MaxFloat64, min(n.f, math.MaxFloat64))
			return n.value()
		}
		return t
	}
}

// constant brings a value of a filter into canonical form and unwraps the
// wrappers of MongoDB's extended JSON: an id becomes its text, a date its
// milliseconds (reference bot-runtime 4.1).
func constant(v any, at string, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, tooDeep(at)
	}
	switch t := plainly(v).(type) {
	case nil, string, bool, Regex:
		return t, nil
	case map[string]any:
		if w, ok, err := unwrapped(t, at); ok || err != nil {
			return w, err
		}
		out := make(map[string]any, len(t))
		for k, x := range t {
			c, err := constant(x, at+"."+k, depth+1)
			if err != nil {
				return nil, err
			}
			out[k] = c
		}
		return out, nil
	case []any:
		out := make([]any, len(t))
		for i, x := range t {
			c, err := constant(x, fmt.Sprintf("%s[%d]", at, i), depth+1)
			if err != nil {
				return nil, err
			}
			out[i] = c
		}
		return out, nil
	default:
		n, ok := numOf(t)
		if !ok || math.IsInf(n.f, 0) {
			return nil, bad(at, "%s must be a text, a number within a double's range, true, false, null, an array or an object", at)
		}
		return n.value(), nil
	}
}

// unwrapped reads {"$oid": ...}, {"$date": ...}, {"$numberLong": ...} and
// the ObjectId objects of JavaScript drivers.
func unwrapped(m map[string]any, at string) (any, bool, error) {
	if kind, _ := m["_bsontype"].(string); kind == "ObjectId" || kind == "ObjectID" {
		if s, ok := m["id"].(string); ok {
			return s, true, nil
		}
		return nil, false, bad(at, "the ObjectId at %s must carry its id as text", at)
	}
	if len(m) != 1 {
		return nil, false, nil
	}
	for key, v := range m {
		s, isText := v.(string)
		switch key {
		case "$oid":
			if isText {
				return s, true, nil
			}
			return nil, false, bad(at, "$oid must be a text")
		case "$numberLong", "$numberInt", "$numberDouble", "$numberDecimal":
			n, ok := looseNum(v)
			if !ok {
				return nil, false, bad(at, "%s must be the text of a number", key)
			}
			return n.value(), true, nil
		case "$date":
			n, ok := dateOf(v)
			if !ok {
				return nil, false, bad(at, "$date must be a time such as 2026-01-31T12:00:00Z, or milliseconds")
			}
			return n, true, nil
		}
	}
	return nil, false, nil
}

func dateOf(v any) (any, bool) {
	if m, ok := v.(map[string]any); ok && len(m) == 1 {
		v = m["$numberLong"]
		if s, ok := v.(string); ok {
			v = json.Number(s)
		}
	}
	if t, _, ok := moment(v, time.UTC); ok {
		return t.UnixMilli(), true
	}
	if _, text := v.(string); text {
		return nil, false
	}
	n, ok := numOf(v)
	return n.value(), ok && !math.IsInf(n.f, 0)
}
