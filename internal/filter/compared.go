package filter

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"parley/internal/fault"
)

// The kinds of the fourth group compare as the sales API does (sales reference
// §4.5): as numbers when both sides are, as days or moments when both are
// (DD/MM/YYYY or ISO 8601), else as text by byte. An array holds what one of its
// elements does; what is missing, null or an object holds nothing.
const (
	Same       Op = "same"
	More       Op = "more"
	MoreOrSame Op = "moreOrSame"
	Less       Op = "less"
	LessOrSame Op = "lessOrSame"
	Includes   Op = "includes" // text within text, without case
)

var compared = map[string]Op{"=": Same, ">": More, ">=": MoreOrSame, "<": Less, "<=": LessOrSame, "~": Includes}

func (o Op) compared() bool {
	switch o {
	case Same, More, MoreOrSame, Less, LessOrSame, Includes:
		return true
	}
	return false
}

// MaxComparisons is how many comparisons a list may hold.
const MaxComparisons = 50

// ParseComparisons reads a list of FIELD OPERATOR VALUE without spaces between,
// "birthdate>=01/01/1990", joined by AND (sales reference §4.5). The operator is
// the first of =, >=, >, <=, < and ~ behind the field. An empty list matches
// everything. Faults name field and the place, "additionalData[0]".
func ParseComparisons(field string, list []string) (Filter, error) {
	if len(list) > MaxComparisons {
		return Filter{}, bad(field, "%s may hold at most %d comparisons", field, MaxComparisons)
	}
	out := Filter{Op: And}
	for i, text := range list {
		at := field + "[" + strconv.Itoa(i) + "]"
		f, err := parseComparison(strings.TrimSpace(text), at)
		if err != nil {
			return Filter{}, err
		}
		out.Of = append(out.Of, f)
	}
	switch len(out.Of) {
	case 0:
		return Filter{}, nil
	case 1:
		out = out.Of[0]
	}
	if err := out.Validate(); err != nil {
		return Filter{}, replaced(err, field)
	}
	return out, nil
}

func parseComparison(text, at string) (Filter, error) {
	const form = "%s must have the form FIELD, then one of = >= > <= < ~, then VALUE, such as finance=1; got %q"
	n := strings.IndexAny(text, "=<>~")
	if n <= 0 || strings.HasSuffix(text[:n], "!") {
		return Filter{}, bad(at, form, at, clip(text))
	}
	sign, value := text[n:n+1], text[n+1:]
	if (sign == ">" || sign == "<") && strings.HasPrefix(value, "=") {
		sign, value = sign+"=", value[1:]
	}
	if strings.ContainsAny(value[:min(1, len(value))], "=<>~") {
		return Filter{}, bad(at, form, at, clip(text))
	}
	f := Filter{Op: compared[sign], Field: strings.TrimSpace(text[:n]), Value: strings.TrimSpace(value)}
	if err := f.Validate(); err != nil {
		if w := fault.As(err); w != nil {
			return f, bad(at, "%s: %s", at, w.Message)
		}
		return f, err
	}
	return f, nil
}

// compareNode is a filter of this group, ready to match.
type compareNode struct {
	op   Op
	path string
	side side
}

// side is one side of a comparison, read in each way that it can be.
type side struct {
	text  string
	n     num
	isNum bool
	at    time.Time
	isDay bool
}

func sideOf(v any) (s side, ok bool) {
	switch v.(type) {
	case nil, map[string]any, []any:
		return s, false
	}
	s.text = shown(v)
	s.n, s.isNum = looseNum(v)
	s.at, s.isDay = dayOf(s.text)
	return s, true
}

// dayOf reads DD/MM/YYYY and what moment reads; a time without a zone is UTC.
func dayOf(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if len(s) >= 8 && len(s) <= 10 && strings.Count(s, "/") == 2 {
		t, err := time.Parse("2/1/2006", s)
		return t, err == nil
	}
	t, _, ok := moment(s, time.UTC)
	return t, ok
}

func newComparison(f *Filter) *compareNode {
	s, _ := sideOf(f.Value)
	return &compareNode{f.Op, f.Field, s}
}

func (c *compareNode) match(e *env, v any) bool {
	if e.look != nil {
		v, _ = e.look(c.path)
	} else {
		v, _ = follow(v, c.path)
	}
	if list, ok := plainly(v).([]any); ok {
		return slices.ContainsFunc(list, func(x any) bool { return c.test(plainly(x)) })
	}
	return c.test(plainly(v))
}

func (c *compareNode) test(v any) bool {
	s, ok := sideOf(v)
	switch {
	case !ok:
		return false
	case c.op == Includes:
		return strings.Contains(strings.ToLower(s.text), strings.ToLower(c.side.text))
	case s.isNum && c.side.isNum:
		return c.holds(s.n.compare(c.side.n))
	case s.isDay && c.side.isDay:
		return c.holds(s.at.Compare(c.side.at))
	}
	return c.holds(cmp.Compare(s.text, c.side.text))
}

func (c *compareNode) holds(d int) bool {
	switch c.op {
	case Same:
		return d == 0
	case More:
		return d > 0
	case MoreOrSame:
		return d >= 0
	case Less:
		return d < 0
	}
	return d <= 0
}

// maxKey is how much of a text is in its key, in bytes.
const maxKey = 64

// Keys are the sortable texts under which an index of values finds a value for
// comparisons of the fourth and the fifth group: one for its text, and one more for a number and
// for a day. None for what such a comparison never holds for.
func Keys(v any) []string {
	s, ok := sideOf(plainly(v))
	if !ok {
		return nil
	}
	out := []string{textKey(s.text)}
	if s.isNum {
		out = append(out, numKey(s.n))
	}
	if s.isDay {
		out = append(out, dayKey(s.at))
	}
	return out
}

// Span is a range of keys, both ends included.
type Span struct{ Low, High string }

// Spans are ranges of keys: every value for which a comparison of the fourth or the
// fifth group holds has a key in one of them. Other values may have one too. None
// tells that keys do not help.
func Spans(f Filter) []Span {
	if f.Op.targeting() {
		return targetSpans(&f)
	}
	s, ok := sideOf(f.Value)
	if !ok {
		return nil
	}
	span := func(key, first, last string) Span {
		switch f.Op {
		case Same:
			return Span{key, key}
		case More, MoreOrSame:
			return Span{key, last}
		case Less, LessOrSame:
			return Span{first, key}
		}
		return Span{first, last}
	}
	text := span(textKey(s.text), "t", "t"+beyond)
	if long := cut(s.text, maxKey-utf8.UTFMax); f.Op == Includes {
		return []Span{{"t", "t" + beyond}}
	} else if long != s.text { // its key, or that of a text like it, is cut
		text = span(textKey(long), "t", "t"+beyond)
		if f.Op != More && f.Op != MoreOrSame {
			text.High += beyond
		}
	}
	out := []Span{text}
	if s.isNum {
		out = append(out, span(numKey(s.n), "n", "n"+beyond))
	}
	if s.isDay {
		out = append(out, span(dayKey(s.at), "d", "d"+beyond))
	}
	return out
}

// beyond is behind every text.
const beyond = "\U0010FFFF"

func textKey(s string) string {
	if s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), ""); len(s) > maxKey {
		s = cut(s, maxKey)
	}
	return "t" + s
}

// numKey orders as the nearest float64 does: two numbers that differ by less have
// one key.
func numKey(n num) string {
	bits := math.Float64bits(n.float() + 0) // -0 is 0
	if bits>>63 == 1 {
		bits = ^bits
	} else {
		bits |= 1 << 63
	}
	return "n" + sortable(bits)
}

func dayKey(t time.Time) string { return "d" + sortable(uint64(t.UnixMilli())+1<<63) }

func sortable(v uint64) string {
	return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, v))
}
