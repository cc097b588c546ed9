// Package filter owns the one form of a filter over documents: how it is read
// (from MongoDB's language, lists of conditions, targets, the search DSL and
// Lucene's syntax), what it means, how it narrows an SQL query, and how many of
// them are asked about one document at once (Index). It knows no noun and keeps nothing; any room and
// any face's mapping may use it.
//
// The match in memory is the meaning. SQL compiles a filter to a WHERE clause
// that selects exactly the same rows or more, never fewer; when it may select
// more, it says so and the caller asks the match about every row.
//
// Documents are what encoding/json decodes: map[string]any, []any, string,
// bool, nil and numbers (json.Number, float64 or any Go integer); a time.Time
// counts as its Unix milliseconds. A number is an int64 when it is a whole
// number in that range, otherwise the nearest float64. A room that stores
// documents stores them Canonical, so that the databases read the same numbers,
// and stores no NUL characters, which PostgreSQL cannot hold.
package filter

import (
	"bytes"
	"encoding/json"
	"fmt"

	"parley/internal/fault"
)

// Op is the kind of a node.
type Op string

// The kinds. Those of the second group compare as MongoDB does: within one
// type, by byte, looking into arrays. Those of the third group compare as
// conditions do: numbers equal their text, text without case, one value found
// by its path. A fourth group is that of the sales API (see Same), a fifth that of
// the targeting API (see Equal).
const (
	And Op = "and" // of: all of them hold; none: everything matches
	Or  Op = "or"  // of: one of them holds; none: nothing matches
	Nor Op = "nor" // of: none of them holds
	Not Op = "not" // of: the only one does not hold

	Eq        Op = "eq"
	Ne        Op = "ne"
	Gt        Op = "gt"
	Gte       Op = "gte"
	Lt        Op = "lt"
	Lte       Op = "lte"
	In        Op = "in"        // list: values and Regex patterns
	Nin       Op = "nin"       // list
	All       Op = "all"       // list
	Exists    Op = "exists"    // value: bool
	Type      Op = "type"      // list: names of types
	Size      Op = "size"      // value: the length of an array
	Mod       Op = "mod"       // list: divisor, remainder
	Matches   Op = "regex"     // value: Regex
	ElemMatch Op = "elemMatch" // of: the only one holds for one object of the array
	Elem      Op = "elem"      // of: the only one, whose fields are "", holds for one element

	Is          Op = "is"
	IsNot       Op = "isNot"
	Above       Op = "above"
	AtLeast     Op = "atLeast"
	Below       Op = "below"
	AtMost      Op = "atMost"
	OneOf       Op = "oneOf"
	Contains    Op = "contains"
	StartsWith  Op = "startsWith"
	EndsWith    Op = "endsWith"
	Like        Op = "like" // value: a regular expression, without case
	DaysAtLeast Op = "daysSinceAtLeast"
	DaysAtMost  Op = "daysSinceAtMost"
	Present     Op = "present"
	Absent      Op = "absent"
)

// Filter is one node and everything below it. The zero Filter matches every
// document.
type Filter struct {
	Op    Op       `json:"op,omitempty"`
	Field string   `json:"field,omitempty"` // dotted path; "" is the value itself, only inside Elem
	Value any      `json:"value,omitempty"`
	List  []any    `json:"list,omitempty"`
	Of    []Filter `json:"of,omitempty"`
}

// Regex is a pattern of RE2 with MongoDB's options i, m, s and x.
type Regex struct {
	Pattern string `json:"$regex"`
	Options string `json:"$options,omitempty"`
}

// The limits of a filter. What exceeds them is a fault.
const (
	MaxDepth   = 20        // nodes inside each other, also values inside each other
	MaxNodes   = 400       // nodes
	MaxValues  = 5000      // values in all lists, arrays and objects together
	MaxText    = 256 << 10 // bytes of all texts together
	MaxField   = 256       // bytes of a field's path
	MaxParts   = 16        // names in a field's path
	MaxPattern = 1000      // bytes of a regular expression
)

// UnmarshalJSON reads the form that MarshalJSON of encoding/json writes, and
// checks it.
func (f *Filter) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var raw any
	if err := d.Decode(&raw); err != nil {
		return err
	}
	out, err := nodeOf(raw, "filter", 1)
	if err != nil {
		return err
	}
	if err := out.Validate(); err != nil {
		return err
	}
	*f = out
	return nil
}

func nodeOf(raw any, at string, depth int) (f Filter, err error) {
	m, ok := raw.(map[string]any)
	if !ok {
		return f, bad(at, "%s must be an object with op, field and value", at)
	}
	if depth > MaxDepth {
		return f, tooDeep(at)
	}
	for key, v := range m {
		place := at + "." + key
		switch key {
		case "op":
			s, ok := v.(string)
			if !ok {
				return f, bad(place, "op must be a text")
			}
			f.Op = Op(s)
		case "field":
			if f.Field, ok = v.(string); !ok {
				return f, bad(place, "field must be a text")
			}
		case "value":
			f.Value = v
		case "list":
			if f.List, ok = v.([]any); !ok {
				return f, bad(place, "list must be an array")
			}
		case "of":
			list, ok := v.([]any)
			if !ok {
				return f, bad(place, "of must be an array of filters")
			}
			for i, x := range list {
				sub, err := nodeOf(x, fmt.Sprintf("%s[%d]", place, i), depth+1)
				if err != nil {
					return f, err
				}
				f.Of = append(f.Of, sub)
			}
		default:
			return f, bad(place, "%q does not belong into a filter; use op, field, value, list and of", clip(key))
		}
	}
	return f, f.settle(at)
}

// settle brings the constants of a node into the form that every parser gives
// them, so that a filter is the same before and after a round trip.
func (f *Filter) settle(at string) (err error) {
	if f.Op == Matches {
		f.Value, err = regexOf(f.Value, at+".value")
		return err
	}
	if f.Value, err = constant(f.Value, at+".value", 1); err != nil {
		return err
	}
	for i, v := range f.List {
		place := fmt.Sprintf("%s.list[%d]", at, i)
		if m, ok := v.(map[string]any); ok && (f.Op == In || f.Op == Nin) && m["$regex"] != nil {
			if f.List[i], err = regexOf(m, place); err != nil {
				return err
			}
		} else if f.List[i], err = constant(v, place, 1); err != nil {
			return err
		}
	}
	return nil
}

func bad(field, format string, args ...any) *fault.Error {
	return fault.Field(field, format, args...).Because("query")
}

func tooDeep(at string) error {
	return bad(at, "a filter must not be nested deeper than %d levels", MaxDepth)
}

// clip shortens what a user wrote for a message.
func clip(s string) string {
	const most = 60
	for i := range s {
		if i >= most {
			return s[:i] + "..."
		}
	}
	return s
}
