package filter

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// probe is one question about a document that an Index answers by a look-up.
type probe struct {
	field string
	kind  probeKind
	text  string
	n     num
	bound bound
}

type probeKind uint8

const (
	isText   probeKind = iota // the value is this text, or a boolean that writes it
	isNumber                  // the value is this number
	isWithin                  // the value is within a bound
	isThere                   // there is a value
)

// plan is how a filter is found: by one of its probes. cost is how many filters
// such a document finds beside it, about.
type plan struct {
	probes []probe
	cost   int
	sure   bool
}

// plan chooses the probes of a filter; ok is false when it has none, because it may
// match a document for what that lacks.
func (x *Index[K]) plan(f *Filter) (p plan, ok bool) {
	switch f.Op {
	case And:
		for i := range f.Of {
			if one, found := x.plan(&f.Of[i]); found && (!ok || one.cost < p.cost) {
				p, ok = one, true
				p.sure = p.sure && len(f.Of) == 1
			}
		}
		return p, ok
	case Or:
		p.sure = true
		for i := range f.Of {
			one, found := x.plan(&f.Of[i])
			if !found {
				return plan{}, false
			}
			p.probes = append(p.probes, one.probes...)
			p.cost += one.cost
			p.sure = p.sure && one.sure
		}
		return p, true
	case Equal:
		return x.equals(f.Field, []any{f.Value}), true
	case AnyOf:
		return x.equals(f.Field, f.List), true
	case Over, From, Under, UpTo:
		b := boundOf(f.Op, f.Value)
		a := x.field(f.Field)
		return plan{probes: []probe{{field: f.Field, kind: isWithin, bound: b}}, cost: 8 + len(*a.side(&b))/2, sure: true}, true
	case Filled, Holds, Begins, Ends, Wild:
		return plan{probes: []probe{{field: f.Field, kind: isThere}}, cost: 64 + len(x.field(f.Field).filled), sure: f.Op == Filled}, true
	}
	return p, false
}

func (x *Index[K]) equals(field string, values []any) plan {
	p := plan{sure: true}
	a := x.field(field)
	texts, nums := map[string]bool{}, map[num]bool{}
	for _, v := range values {
		if s := shown(v); !texts[s] {
			texts[s] = true
			p.probes = append(p.probes, probe{field: field, kind: isText, text: s})
			p.cost += 1 + len(a.texts[s])
		}
		if n, ok := written10(v); ok && !nums[n] {
			nums[n] = true
			p.probes = append(p.probes, probe{field: field, kind: isNumber, n: n})
			p.cost += 1 + len(a.nums[n])
		}
	}
	return p
}

// indexed is one field of an Index: who is found by which of its values.
type indexed struct {
	path   []string
	texts  map[string][]uint32
	nums   map[num][]uint32
	ranges [3][2][]edge // by boundKind, and from it upwards or downwards; in order
	filled []uint32
}

// edge is the bound of one filter.
type edge struct {
	n     num
	text  string
	equal bool
	slot  uint32
}

func newIndexed(field string) *indexed {
	return &indexed{path: strings.Split(field, "."), texts: map[string][]uint32{}, nums: map[num][]uint32{}}
}

func (a *indexed) side(b *bound) *[]edge { return &a.ranges[b.kind][truth(b.low)] }

// place orders edges so that those that hold for a value are the first ones of the
// bounds from below, and the last ones of the others.
func (b *bound) place(e, o edge) int {
	c := cmp.Compare(e.text, o.text)
	if b.kind != byText {
		c = e.n.compare(o.n)
	}
	if c == 0 && e.equal != o.equal {
		c = 1
		if e.equal == b.low {
			c = -1
		}
	}
	return c
}

func (a *indexed) add(p probe, slot uint32) {
	switch p.kind {
	case isText:
		a.texts[p.text] = append(a.texts[p.text], slot)
	case isNumber:
		a.nums[p.n] = append(a.nums[p.n], slot)
	case isThere:
		a.filled = append(a.filled, slot)
	case isWithin:
		list := a.side(&p.bound)
		e := edge{p.bound.n, p.bound.text, p.bound.equal, slot}
		i, _ := slices.BinarySearchFunc(*list, e, p.bound.place)
		*list = slices.Insert(*list, i, e)
	}
}

func (a *indexed) remove(p probe, slot uint32) {
	switch p.kind {
	case isText:
		if a.texts[p.text] = without(a.texts[p.text], slot); len(a.texts[p.text]) == 0 {
			delete(a.texts, p.text)
		}
	case isNumber:
		if a.nums[p.n] = without(a.nums[p.n], slot); len(a.nums[p.n]) == 0 {
			delete(a.nums, p.n)
		}
	case isThere:
		a.filled = without(a.filled, slot)
	case isWithin:
		list := a.side(&p.bound)
		*list = slices.DeleteFunc(*list, func(e edge) bool { return e.slot == slot })
	}
}

// value looks up one value that a field's path leads to.
func (m *matching[K]) value(a *indexed, v any) {
	switch t := v.(type) {
	case nil:
		return
	case map[string]any:
		m.full = m.full || len(t) > 0
		return
	case []any:
		m.full = m.full || len(t) > 0
		return
	case time.Time:
		v = shown(t)
	}
	s, isString := v.(string)
	m.full = m.full || !isString || s != ""
	switch {
	case isString:
		m.hits(a.texts[s])
		m.edges(a, byText, edge{text: s})
		if len(a.ranges[byDate][0])+len(a.ranges[byDate][1]) > 0 {
			if ms, _, ok := isoMoment(s); ok {
				m.edges(a, byDate, edge{n: wholeNum(ms)})
			}
		}
	case v == true:
		m.hits(a.texts["true"])
	case v == false:
		m.hits(a.texts["false"])
	default:
		if n, ok := numOf(v); ok {
			m.hits(a.nums[n])
		}
	}
	if n, ok := countable(v); ok {
		m.edges(a, byNumber, edge{n: n})
	}
}

// edges finds the bounds that hold for a value.
func (m *matching[K]) edges(a *indexed, kind boundKind, v edge) {
	compare := func(e *edge) int {
		if kind == byText {
			return cmp.Compare(v.text, e.text)
		}
		return v.n.compare(e.n)
	}
	upwards, downwards := a.ranges[kind][1], a.ranges[kind][0]
	for i := range upwards {
		if c := compare(&upwards[i]); c < 0 || c == 0 && !upwards[i].equal {
			break
		}
		m.hit(upwards[i].slot)
	}
	for i := len(downwards) - 1; i >= 0; i-- {
		if c := compare(&downwards[i]); c > 0 || c == 0 && !downwards[i].equal {
			break
		}
		m.hit(downwards[i].slot)
	}
}
