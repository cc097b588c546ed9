package filter

import (
	"strconv"
	"strings"
	"time"
)

// Matcher is a filter made ready to be asked about documents. It is safe for
// concurrent use and, but for conditions on long texts, allocates nothing.
type Matcher struct{ root node }

// Compile checks a filter and makes it ready.
func Compile(f Filter) (*Matcher, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	root, err := compile(&f)
	if err != nil {
		return nil, err
	}
	return &Matcher{root: root}, nil
}

// Match reports whether a document matches. Use MatchAt for filters that
// NeedsNow, or whose conditions compare times written without a zone.
func (m *Matcher) Match(doc any) bool { return m.root.match(timeless, plainly(doc)) }

var timeless = &env{zone: time.UTC}

// MatchAt reports whether a document matches at a moment. Times without a zone
// are read in zone.
func (m *Matcher) MatchAt(doc any, now time.Time, zone *time.Location) bool {
	return m.root.match(&env{now: now, zone: zone}, plainly(doc))
}

// MatchScope is MatchAt for conditions whose fields look finds, which knows
// more roots than one document has. Operators of MongoDB find nothing in it.
func (m *Matcher) MatchScope(look func(field string) (any, bool), now time.Time, zone *time.Location) bool {
	return m.root.match(&env{now: now, zone: zone, look: look}, nil)
}

// env is what one match knows besides its document.
type env struct {
	look func(field string) (any, bool)
	now  time.Time
	zone *time.Location
}

type node interface {
	match(e *env, v any) bool
}

type (
	andNode []node
	orNode  []node
	notNode struct{ of node }
)

func (n andNode) match(e *env, v any) bool {
	for _, x := range n {
		if !x.match(e, v) {
			return false
		}
	}
	return true
}

func (n orNode) match(e *env, v any) bool {
	for _, x := range n {
		if x.match(e, v) {
			return true
		}
	}
	return false
}

func (n notNode) match(e *env, v any) bool { return !n.of.match(e, v) }

func compile(f *Filter) (node, error) {
	switch f.Op {
	case "":
		return andNode(nil), nil
	case And, Or, Nor, Not:
		of := make([]node, len(f.Of))
		for i := range f.Of {
			var err error
			if of[i], err = compile(&f.Of[i]); err != nil {
				return nil, err
			}
		}
		switch f.Op {
		case And:
			return andNode(of), nil
		case Or:
			return orNode(of), nil
		}
		return notNode{orNode(of)}, nil
	case Ne:
		return notNode{newLeaf(Eq, f)}, nil
	case Nin:
		l, err := listLeaf(In, f)
		return notNode{l}, err
	case In:
		return listLeaf(In, f)
	case All:
		var of andNode
		for _, v := range f.List {
			of = append(of, newLeaf(Eq, &Filter{Field: f.Field, Value: v}))
		}
		if of == nil {
			return orNode(nil), nil // $all: [] matches nothing
		}
		return of, nil
	case Exists:
		l := newLeaf(Exists, f)
		if f.Value == false {
			return notNode{l}, nil
		}
		return l, nil
	case Elem, ElemMatch:
		l := newLeaf(f.Op, f)
		var err error
		l.of, err = compile(&f.Of[0])
		return l, err
	case Matches:
		l := newLeaf(Matches, f)
		var err error
		l.re, err = f.Value.(Regex).compile("value")
		return l, err
	}
	if f.Op.loose() {
		return compileLoose(f), nil
	}
	if f.Op.compared() {
		return newComparison(f), nil
	}
	if f.Op.targeting() {
		return newTarget(f), nil
	}
	return newLeaf(f.Op, f), nil
}

// seg is one name of a path; index is the number it may also be, or -1.
type seg struct {
	key   string
	index int
}

func segments(field string) []seg {
	if field == "" {
		return nil
	}
	var out []seg
	for _, key := range strings.Split(field, ".") {
		s := seg{key: key, index: -1}
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && strconv.Itoa(i) == key {
			s.index = i
		}
		out = append(out, s)
	}
	return out
}

// follow finds the one value at a dotted path, as conditions do: a key that is
// the whole rest of the path wins over the path through it.
func follow(v any, path string) (any, bool) {
	for n := 0; path != ""; n++ {
		if n >= MaxParts {
			return nil, false
		}
		switch t := plainly(v).(type) {
		case map[string]any:
			if x, ok := t[path]; ok {
				return x, true
			}
			first, rest, more := strings.Cut(path, ".")
			x, ok := t[first]
			if !ok || !more {
				return nil, false
			}
			v, path = x, rest
		case []any:
			first, rest, _ := strings.Cut(path, ".")
			i, err := strconv.Atoi(first)
			if err != nil || i < 0 || i >= len(t) {
				return nil, false
			}
			v, path = t[i], rest
		default:
			return nil, false
		}
	}
	return v, true
}
