package filter

import (
	"strings"
	"time"
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
