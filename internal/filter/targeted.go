package filter

import (
	"cmp"
	"strings"
	"time"
	"unicode/utf8"
)

// The kinds of the fifth group have the meaning of the targeting API (targeting
// reference §5.1): a value, or an element of a list, at a dotted path that goes
// through lists; negations are Not around them. A constant is mostly a text there,
// so it also equals the number or the boolean that it writes.
const (
	Equal  Op = "equal"  // value: exactly this text, number or boolean
	AnyOf  Op = "anyOf"  // list: one of them, exactly
	Holds  Op = "holds"  // text within text, without case; of a list a whole member
	Begins Op = "begins" // without case
	Ends   Op = "ends"   // without case
	Wild   Op = "wild"   // a pattern of * and ? for the whole text, without case; \ takes the next one as it is
	Over   Op = "over"   // the constant decides: numbers, or ISO dates, or texts by byte
	From   Op = "from"   // as Over, or the same
	Under  Op = "under"  // as Over
	UpTo   Op = "upTo"   // as Over, or the same
	Filled Op = "filled" // there is more than null, "", [] or {}
)

func (o Op) targeting() bool {
	switch o {
	case Equal, AnyOf, Holds, Begins, Ends, Wild, Over, From, Under, UpTo, Filled:
		return true
	}
	return false
}

// targetShape checks the operand of a filter of this group.
func targetShape(f *Filter, at string) error {
	if err := field(f.Field, at+".field", false); err != nil {
		return err
	}
	switch {
	case f.Op != AnyOf && f.List != nil:
		return bad(at+".list", "%s takes no list", f.Op)
	case f.Op == AnyOf || f.Op == Filled:
		if f.Value != nil {
			return bad(at+".value", "%s takes no value", f.Op)
		}
		for i, v := range f.List {
			if !plain(v) {
				return bad(at+".list", "the value %d of %s must be a text, a number or a boolean", i, f.Op)
			}
		}
	case !plain(f.Value):
		return bad(at+".value", "%s takes a text, a number or a boolean", f.Op)
	case f.Op == Holds || f.Op == Begins || f.Op == Ends:
		if shown(f.Value) == "" {
			return bad(at+".value", "%s takes a text that is not empty", f.Op)
		}
	case f.Op == Wild:
		return patternShape(f.Value, at+".value")
	}
	return nil
}

// plain reports whether a value is a text, a number or a boolean.
func plain(v any) bool {
	switch kindOf(v) {
	case kindText, kindNumber, kindBool:
		return true
	}
	return false
}

// targetNode is a filter of this group, ready to match.
type targetNode struct {
	op    Op
	field string
	path  []string
	fixed constants
	text  string // folded, of Holds, Begins and Ends
	n     num    // of Holds
	isNum bool
	wild  wildcard
	bound bound
}

func newTarget(f *Filter) *targetNode {
	t := &targetNode{op: f.Op, field: f.Field, path: strings.Split(f.Field, ".")}
	switch f.Op {
	case Equal:
		t.fixed.add(f.Value)
	case AnyOf:
		for _, v := range f.List {
			t.fixed.add(v)
		}
	case Holds, Begins, Ends:
		t.text = folded(shown(f.Value))
		t.n, t.isNum = written10(f.Value)
	case Wild:
		t.wild = wildcardOf(shown(f.Value))
	case Over, From, Under, UpTo:
		t.bound = boundOf(f.Op, f.Value)
	}
	return t
}

// constants is what an equality compares with.
type constants struct {
	text    string
	n       num
	isNum   bool
	several bool
	texts   map[string]struct{}
	nums    map[num]struct{}
}

func (c *constants) add(v any) {
	text := shown(v)
	n, isNum := written10(v)
	if c.texts == nil {
		c.text, c.n, c.isNum = text, n, isNum
		c.texts, c.nums = map[string]struct{}{}, map[num]struct{}{}
	} else {
		c.several = true
	}
	c.texts[text] = struct{}{}
	if isNum {
		c.nums[n] = struct{}{}
	}
}

func (c *constants) hasText(s string) bool {
	if c.several {
		_, ok := c.texts[s]
		return ok
	}
	return c.texts != nil && c.text == s
}

func (c *constants) hasNum(n num) bool {
	if c.several {
		_, ok := c.nums[n]
		return ok
	}
	return c.isNum && n == c.n
}

func (t *targetNode) match(e *env, v any) bool {
	if e.look != nil {
		v, _ = e.look(t.field)
		return t.at(plainly(v))
	}
	return t.walk(v, t.path)
}

// walk goes down objects, and through the objects of arrays.
func (t *targetNode) walk(v any, path []string) bool {
	if len(path) == 0 {
		return t.at(plainly(v))
	}
	switch d := plainly(v).(type) {
	case map[string]any:
		x, ok := d[path[0]]
		return ok && t.walk(x, path[1:])
	case []any:
		for _, x := range d {
			m, ok := plainly(x).(map[string]any)
			if !ok {
				continue
			}
			if y, ok := m[path[0]]; ok && t.walk(y, path[1:]) {
				return true
			}
		}
	}
	return false
}

// at tests the value at the end of the path, or the elements of a list there.
func (t *targetNode) at(v any) bool {
	list, ok := v.([]any)
	if !ok {
		return t.test(v, false)
	}
	for _, x := range list {
		if t.test(plainly(x), true) {
			return true
		}
	}
	return false
}

func (t *targetNode) test(v any, member bool) bool {
	if w, ok := v.(time.Time); ok {
		v = shown(w)
	}
	switch t.op {
	case Equal, AnyOf:
		switch x := v.(type) {
		case string:
			return t.fixed.hasText(x)
		case bool:
			return t.fixed.hasText(shown(x))
		}
		n, ok := numOf(v)
		return ok && t.fixed.hasNum(n)
	case Filled:
		switch x := v.(type) {
		case nil:
			return false
		case string:
			return x != ""
		case map[string]any:
			return len(x) > 0
		case []any:
			return len(x) > 0
		}
		return true
	case Holds:
		if member {
			return t.member(v)
		}
	case Over, From, Under, UpTo:
		return t.bound.holds(v)
	}
	s, ok := legible(v)
	if !ok {
		return false
	}
	switch t.op {
	case Holds:
		return strings.Contains(folded(s), t.text)
	case Begins:
		return strings.HasPrefix(folded(s), t.text)
	case Ends:
		return strings.HasSuffix(folded(s), t.text)
	}
	return t.wild.match(folded(s))
}

// member tells whether an element of a list is the text of Holds, but for case.
func (t *targetNode) member(v any) bool {
	switch x := v.(type) {
	case string:
		return folded(x) == t.text
	case bool:
		return shown(x) == t.text
	}
	n, ok := numOf(v)
	return ok && t.isNum && n == t.n
}

// legible is the text that one may look into: texts, and the digits of whole
// numbers, of which databases and Go have the same idea.
func legible(v any) (string, bool) {
	if s, ok := v.(string); ok {
		return s, true
	}
	n, ok := numOf(v)
	if !ok || !n.whole || n.i < -safe || n.i > safe {
		return "", false
	}
	return n.text(), true
}

// shortDigits is how many digits a text may have to count as a number: every such
// decimal is a double of its own, so that databases and Go agree.
const shortDigits = 15

// decimal reads a text such as 12, -3 or 0.50, and counts its digits. Spaces,
// signs of plus, exponents and thousands are no part of it.
func decimal(s string) (n num, digits int, ok bool) {
	dot := false
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '-' && i == 0:
		case c == '.' && !dot && digits > 0 && i < len(s)-1:
			dot = true
		default:
			return n, 0, false
		}
	}
	if digits == 0 || len(s) > 64 {
		return n, 0, false
	}
	n, ok = textNum(s)
	return n, digits, ok
}

// written10 reads a constant that is a number, or the decimal of one.
func written10(v any) (num, bool) {
	if s, ok := v.(string); ok {
		n, _, ok := decimal(s)
		return n, ok
	}
	return numOf(v)
}

// bound is one side of a range. The constant's kind decides what is compared.
type bound struct {
	kind  boundKind
	low   bool // from the bound upwards
	equal bool // the bound itself belongs to it
	n     num  // of numbers; of dates their milliseconds
	text  string
}

type boundKind uint8

const (
	byText boundKind = iota
	byNumber
	byDate
)

func boundOf(op Op, v any) bound {
	b := bound{low: op == Over || op == From, equal: op == From || op == UpTo, text: shown(v)}
	if n, ok := written10(v); ok {
		b.kind, b.n = byNumber, n
		return b
	}
	ms, day, ok := isoMoment(b.text)
	if !ok {
		return b
	}
	b.kind = byDate
	// A date is the whole day: what is later than it comes after its end.
	if after := op == Over || op == UpTo; after && day {
		ms += int64(24 * time.Hour / time.Millisecond)
		b.equal = !b.equal
	}
	b.n = wholeNum(ms)
	return b
}

func (b *bound) within(c int) bool {
	switch {
	case c == 0:
		return b.equal
	case b.low:
		return c > 0
	}
	return c < 0
}

func (b *bound) holds(v any) bool {
	s, isText := v.(string)
	switch b.kind {
	case byText:
		return isText && b.within(cmp.Compare(s, b.text))
	case byDate:
		if !isText {
			return false
		}
		ms, _, ok := isoMoment(s)
		return ok && b.within(cmp.Compare(ms, b.n.i))
	}
	n, ok := countable(v)
	return ok && b.within(n.compare(b.n))
}

// countable reads a value that counts as a number: one, or a short decimal.
func countable(v any) (num, bool) {
	if s, ok := v.(string); ok {
		n, digits, ok := decimal(s)
		return n, ok && digits <= shortDigits
	}
	return numOf(v)
}

// isoMoment reads 2006-01-02, 2006-01-02T15:04:05 and the latter with a fraction
// and a zone, Z or +02:00; without a zone it is UTC. Milliseconds are its measure.
func isoMoment(s string) (ms int64, day, ok bool) {
	if len(s) < 10 || len(s) > 35 || !shaped(s[:10], "0000-00-00") || s[:4] == "0000" {
		return 0, false, false
	}
	date, err := time.Parse(time.DateOnly, s[:10])
	if err != nil {
		return 0, false, false
	}
	ms = date.UnixMilli()
	if len(s) == 10 {
		return ms, true, true
	}
	if len(s) < 19 || !shaped(s[10:19], "T00:00:00") {
		return 0, false, false
	}
	h, m, sec := two(s[11:]), two(s[14:]), two(s[17:])
	if h > 23 || m > 59 || sec > 59 {
		return 0, false, false
	}
	ms += int64((h*60+m)*60+sec) * 1000
	rest := s[19:]
	if strings.HasPrefix(rest, ".") {
		n := 1
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		if n == 1 || n > 10 {
			return 0, false, false
		}
		for i, unit := 1, int64(100); i < min(n, 4); i, unit = i+1, unit/10 {
			ms += int64(rest[i]-'0') * unit
		}
		rest = rest[n:]
	}
	if rest == "" || rest == "Z" {
		return ms, false, true
	}
	if !shaped(rest[1:], "00:00") || rest[0] != '+' && rest[0] != '-' {
		return 0, false, false
	}
	h, m = two(rest[1:]), two(rest[4:])
	off := int64(h*60+m) * int64(time.Minute/time.Millisecond)
	if rest[0] == '+' {
		off = -off
	}
	return ms + off, false, h <= 14 && m <= 59
}

// shaped compares with a form in which 0 stands for any digit.
func shaped(s, form string) bool {
	if len(s) != len(form) {
		return false
	}
	for i := range len(s) {
		if form[i] == '0' && (s[i] < '0' || s[i] > '9') || form[i] != '0' && s[i] != form[i] {
			return false
		}
	}
	return true
}

func two(s string) int { return int(s[0]-'0')*10 + int(s[1]-'0') }

// runes counts the characters of a text, as databases do.
func runes(s string) int { return utf8.RuneCountInString(s) }
