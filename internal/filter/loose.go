package filter

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// maxMatched is how much of a text a condition's regular expression looks at.
const maxMatched = 64 << 10

// looseNode is a condition, ready to match (reference platform 3.6).
type looseNode struct {
	op     Op
	field  string
	value  any
	folded string
	re     *regexp.Regexp // nil when the pattern is not valid: it matches nothing
	set    []any
	n      num
	isNum  bool
}

func compileLoose(f *Filter) *looseNode {
	l := &looseNode{op: f.Op, field: f.Field, value: f.Value}
	l.n, l.isNum = looseNum(f.Value)
	switch f.Op {
	case Contains, StartsWith, EndsWith:
		l.folded = fold(f.Value)
	case OneOf:
		l.set = setOf(f.Value)
	case Like:
		if p := shown(f.Value); len(p) <= MaxPattern {
			l.re, _ = regexp.Compile("(?i)" + p)
		}
	}
	return l
}

func (l *looseNode) match(e *env, v any) bool {
	if e.look != nil {
		v, _ = e.look(l.field)
	} else {
		v, _ = follow(v, l.field)
	}
	return l.test(plainly(v), e)
}

func (l *looseNode) test(v any, e *env) bool {
	missing := v == nil || v == ""
	switch l.op {
	case Present:
		return !missing
	case Absent:
		return missing
	case Is:
		return alike(v, l.value)
	case IsNot:
		return !alike(v, l.value)
	case Above, AtLeast, Below, AtMost:
		return l.ordered(v, e)
	case OneOf:
		return within(v, l.set)
	case Contains:
		if list, ok := v.([]any); ok {
			return l.member(list)
		}
		return !missing && strings.Contains(fold(v), l.folded)
	case StartsWith:
		return !missing && strings.HasPrefix(fold(v), l.folded)
	case EndsWith:
		return !missing && strings.HasSuffix(fold(v), l.folded)
	case Like:
		return !missing && l.re != nil && l.re.MatchString(cut(shown(v), maxMatched))
	case DaysAtLeast, DaysAtMost:
		days, ok := daysSince(v, e)
		if !ok || !l.isNum {
			return false
		}
		c := days.compare(l.n)
		return c == 0 || (c > 0) == (l.op == DaysAtLeast)
	}
	return false
}

// alike compares strictly, except that numbers and booleans equal their text.
func alike(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	as, aText := a.(string)
	bs, bText := b.(string)
	if aText && bText {
		return as == bs
	}
	if x, ok := a.(bool); ok && bText {
		return shown(x) == bs
	}
	if x, ok := b.(bool); ok && aText {
		return shown(x) == as
	}
	if m, ok := looseNum(a); ok {
		if n, ok := looseNum(b); ok {
			return m.compare(n) == 0
		}
	}
	return same(a, b)
}

// ordered compares numbers, or two times.
func (l *looseNode) ordered(v any, e *env) bool {
	var c int
	n, ok := looseNum(v)
	if ok && l.isNum {
		c = n.compare(l.n)
	} else {
		t, _, ok := moment(v, e.zone)
		u, _, ok2 := moment(l.value, e.zone)
		if !ok || !ok2 {
			return false
		}
		c = t.Compare(u)
	}
	return holds(l.op, c)
}

func holds(op Op, c int) bool {
	switch op {
	case Gt, Above:
		return c > 0
	case Gte, AtLeast:
		return c >= 0
	case Lt, Below:
		return c < 0
	}
	return c <= 0
}

// setOf reads an array or a comma list.
func setOf(v any) []any {
	switch t := v.(type) {
	case nil:
		return nil
	case []any:
		return t
	case string:
		var out []any
		for _, s := range strings.Split(t, ",") {
			out = append(out, strings.TrimSpace(s))
		}
		return out
	}
	return []any{v}
}

// within reports whether v, or any element of it, is in a set.
func within(v any, set []any) bool {
	if list, ok := v.([]any); ok {
		for _, x := range list {
			if within1(plainly(x), set) {
				return true
			}
		}
		return false
	}
	return within1(v, set)
}

func within1(v any, set []any) bool {
	for _, x := range set {
		if alike(x, v) {
			return true
		}
	}
	return false
}

func (l *looseNode) member(list []any) bool {
	for _, x := range list {
		if alike(x, l.value) || x != nil && l.value != nil && fold(x) == l.folded {
			return true
		}
	}
	return false
}

// daysSince reads a number of days, or the days since a time.
func daysSince(v any, e *env) (num, bool) {
	if n, ok := looseNum(v); ok {
		return n, true
	}
	t, _, ok := moment(v, e.zone)
	if !ok {
		return num{}, false
	}
	return floatNum(e.now.Sub(t).Hours() / 24)
}

func fold(v any) string { return strings.ToLower(shown(v)) }

// shown writes a value as text; arrays and objects are JSON.
func shown(v any) string {
	switch t := v.(type) {
	case nil:
		return ""
	case string:
		return t
	case bool:
		if t {
			return "true"
		}
		return "false"
	case time.Time:
		return t.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	if n, ok := numOf(v); ok {
		return n.shown()
	}
	b, err := json.Marshal(Canonical(v))
	if err != nil {
		return ""
	}
	return string(b)
}

// cut shortens s to at most n bytes without breaking a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// moment reads a time: ISO 8601 with a zone, without one (then in zone), or a date.
func moment(v any, zone *time.Location) (t time.Time, dateOnly, ok bool) {
	if t, is := v.(time.Time); is {
		return t, false, true
	}
	s, is := v.(string)
	if !is || len(s) < 10 || len(s) > 40 || s[4] != '-' || s[7] != '-' {
		return t, false, false
	}
	if zone == nil {
		zone = time.UTC
	}
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05.999999999-0700"} {
		if t, err := time.Parse(form, s); err == nil {
			return t, false, true
		}
	}
	for _, form := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04:05"} {
		if t, err := time.ParseInLocation(form, s, zone); err == nil {
			return t, false, true
		}
	}
	if t, err := time.ParseInLocation("2006-01-02", s, zone); err == nil {
		return t, true, true
	}
	return t, false, false
}
