package filter

import (
	"math"
	"regexp"
)

// leaf is one comparison of MongoDB's language, ready to match.
type leaf struct {
	op      Op
	path    []seg
	value   any
	n       num
	isNum   bool
	missing bool // what a path that leads nowhere counts as
	texts   map[string]struct{}
	rest    []any // values of a list that are not texts
	res     []*regexp.Regexp
	re      *regexp.Regexp
	types   uint16
	div     int64
	rem     int64
	of      node
}

func newLeaf(op Op, f *Filter) *leaf {
	l := &leaf{op: op, path: segments(f.Field), value: f.Value}
	l.n, l.isNum = numOf(f.Value)
	switch op {
	case Eq, Gte, Lte:
		l.missing = f.Value == nil
	case Type:
		for _, v := range f.List {
			l.types |= typeBit(v.(string))
		}
	case Mod:
		l.div, l.rem = f.List[0].(int64), f.List[1].(int64)
	}
	return l
}

func listLeaf(op Op, f *Filter) (*leaf, error) {
	l := &leaf{op: op, path: segments(f.Field), texts: map[string]struct{}{}}
	for _, v := range f.List {
		switch t := v.(type) {
		case string:
			l.texts[t] = struct{}{}
		case Regex:
			re, err := t.compile("list")
			if err != nil {
				return nil, err
			}
			l.res = append(l.res, re)
		default:
			l.missing = l.missing || v == nil
			l.rest = append(l.rest, v)
		}
	}
	return l, nil
}

func (l *leaf) match(e *env, v any) bool { return l.walk(e, v, 0) }

// walk tests every value that the path leads to, through arrays too. What an
// array holds besides objects is not looked into, and does not count as missing.
func (l *leaf) walk(e *env, v any, i int) bool {
	if i == len(l.path) {
		return l.at(e, plainly(v))
	}
	s := &l.path[i]
	switch t := plainly(v).(type) {
	case map[string]any:
		x, ok := t[s.key]
		if !ok {
			return l.missing
		}
		return l.walk(e, x, i+1)
	case []any:
		if s.index >= 0 && s.index < len(t) && l.walk(e, t[s.index], i+1) {
			return true
		}
		for _, x := range t {
			if m, ok := plainly(x).(map[string]any); ok && l.walk(e, m, i) {
				return true
			}
		}
		return false
	}
	return l.missing
}

// at tests the value at the end of a path, and if it is an array its elements.
func (l *leaf) at(e *env, v any) bool {
	list, isArray := v.([]any)
	switch l.op {
	case Exists:
		return true
	case Size:
		return isArray && int64(len(list)) == l.n.i
	case Elem, ElemMatch:
		for _, x := range list {
			x = plainly(x)
			if l.op == ElemMatch && kindOf(x) != kindObject {
				continue
			}
			if l.of.match(e, x) {
				return true
			}
		}
		return false
	}
	if isArray && len(l.path) > 0 {
		for _, x := range list {
			if l.test(plainly(x)) {
				return true
			}
		}
	}
	return l.test(v)
}

func (l *leaf) test(v any) bool {
	switch l.op {
	case Eq:
		if l.isNum {
			n, ok := numOf(v)
			return ok && n.compare(l.n) == 0
		}
		return same(l.value, v)
	case Gt, Gte, Lt, Lte:
		if l.value == nil {
			return v == nil && l.missing
		}
		if l.isNum {
			n, ok := numOf(v)
			return ok && holds(l.op, n.compare(l.n))
		}
		c, ok := order(v, l.value)
		return ok && holds(l.op, c)
	case In:
		return l.listed(v)
	case Matches:
		s, ok := v.(string)
		return ok && l.re.MatchString(s)
	case Type:
		return l.types&bitsOf(v) != 0
	case Mod:
		n, ok := numOf(v)
		i, fits := n.integer()
		return ok && fits && l.remainder(i) == l.rem
	}
	return false
}

func (l *leaf) remainder(i int64) int64 {
	if l.div == -1 {
		return 0 // the quotient of the least int64 would not fit
	}
	return i % l.div
}

func (l *leaf) listed(v any) bool {
	if s, ok := v.(string); ok {
		if _, ok := l.texts[s]; ok {
			return true
		}
		for _, re := range l.res {
			if re.MatchString(s) {
				return true
			}
		}
		return false
	}
	for _, x := range l.rest {
		if same(x, v) {
			return true
		}
	}
	return false
}

const (
	bitText uint16 = 1 << iota
	bitInt
	bitLong
	bitDouble
	bitBool
	bitObject
	bitArray
	bitNull
	bitNumber = bitInt | bitLong | bitDouble
)

func typeBit(name string) uint16 {
	switch name {
	case "string":
		return bitText
	case "number":
		return bitNumber
	case "int":
		return bitInt
	case "long":
		return bitLong
	case "double":
		return bitDouble
	case "bool":
		return bitBool
	case "object":
		return bitObject
	case "array":
		return bitArray
	case "null":
		return bitNull
	}
	return 0 // a type that documents cannot hold
}

// bitsOf names the type of a value. A whole number is an int within 32 bits, a
// long within 64; every other number is a double.
func bitsOf(v any) uint16 {
	switch kindOf(v) {
	case kindText:
		return bitText
	case kindBool:
		return bitBool
	case kindObject:
		return bitObject
	case kindArray:
		return bitArray
	case kindNull:
		return bitNull
	case kindNumber:
		n, _ := numOf(v)
		switch {
		case n.whole && n.i >= math.MinInt32 && n.i <= math.MaxInt32:
			return bitInt
		case n.whole:
			return bitLong
		}
		return bitDouble
	}
	return 0
}
