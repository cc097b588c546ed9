package filter

import (
	"slices"
	"time"
)

// loose compiles a condition. It follows one path, so its superset is mostly
// "there is a value"; equality with a text is what matters for speed.
func (c *compiler) loose(f *Filter, src Source, path []seg, neg bool) part {
	if f.Op == IsNot || f.Op == Absent {
		f = &Filter{Op: map[Op]Op{IsNot: Is, Absent: Present}[f.Op], Field: f.Field, Value: f.Value}
		neg = !neg
	}
	switch {
	case f.Op == OneOf && slices.Contains(setOf(f.Value), nil): // null is in it, and so is what is missing
		return anything
	case src.Kind == JSON && len(path) == 1:
		r, ok := c.rows(src, path)
		if !ok {
			return anything
		}
		return c.looseJSON(f, r).flip(neg)
	case src.Kind == JSON || len(path) > 0:
		return anything
	case src.Kind == Child:
		return c.looseChild(f, src).flip(neg)
	}
	return c.looseColumn(f, src).flip(neg)
}

// strictText returns the text of a constant that equals nothing but that text:
// no number, no boolean.
func strictText(v any) (string, bool) {
	s, ok := v.(string)
	_, isNum := looseNum(v)
	return s, ok && !isNum && s != "true" && s != "false"
}

func (c *compiler) looseJSON(f *Filter, r rows) part {
	value := r.has(both(c.is("m", "null").not(), c.jsonText(Eq, "m", "").not()))
	some := r.has(c.is("m", "null").not())
	switch f.Op {
	case Present:
		return value
	case Is:
		if f.Value == nil {
			return some.not()
		}
		if s, ok := strictText(f.Value); ok {
			return r.has(c.jsonText(Eq, "m", s))
		}
		return some.rough()
	case Above, AtLeast, Below, AtMost:
		if n, ok := looseNum(f.Value); ok {
			return r.has(either(c.jsonNum(f.Op, "m", n), c.is("m", "text").rough()))
		}
		return r.has(c.is("m", "text")).rough()
	case OneOf:
		return some.rough()
	}
	return value.rough()
}

// looseColumn compiles a condition on one column.
func (c *compiler) looseColumn(f *Filter, src Source) part {
	set := exactly(src.SQL + " IS NOT NULL")
	if src.Kind == Text {
		set = exactly("(" + src.SQL + " IS NOT NULL AND " + src.SQL + "<>'')")
	}
	n, isNum := looseNum(f.Value)
	switch f.Op {
	case Present:
		return set
	case Is:
		if f.Value == nil {
			return exactly(src.SQL + " IS NULL")
		}
		if s, ok := strictText(f.Value); ok {
			switch src.Kind {
			case Text:
				return c.text(Eq, src.bare(Is, s), s)
			case Int, Bool:
				return never
			}
		}
		if src.Kind == Int && isNum {
			return c.whole(Eq, src.SQL, n)
		}
		return roughly(src.SQL + " IS NOT NULL")
	case Above, AtLeast, Below, AtMost:
		switch src.Kind {
		case Int:
			if isNum {
				return c.whole(f.Op, src.SQL, n)
			}
			return never // a number and a time do not compare
		case Bool:
			return never
		case Time:
			return c.bound(f.Op, src.SQL, f.Value)
		}
	case OneOf:
		if p, ok := c.looseIn(f, src); ok {
			return p
		}
		return roughly(src.SQL + " IS NOT NULL")
	case DaysAtLeast, DaysAtMost:
		return c.days(f, src, n, isNum)
	}
	return set.rough()
}

// looseIn serves a set of texts that equal only themselves.
func (c *compiler) looseIn(f *Filter, src Source) (part, bool) {
	if src.Kind != Text {
		return part{}, false
	}
	set := setOf(f.Value)
	for _, v := range set {
		if s, ok := strictText(v); !ok || !bindable(s) {
			return part{}, false
		}
	}
	return c.columnIn(&Filter{Op: In, List: set}, src), true
}

// bound compares times.
func (c *compiler) bound(op Op, expr string, v any) part {
	t, _, ok := moment(v, c.cols.Zone)
	if !ok {
		return never
	}
	n, _ := floatNum(float64(t.UnixMilli()))
	if r := t.Nanosecond() % int(time.Millisecond); r != 0 {
		n = num{f: float64(n.i) + 0.5} // between two milliseconds
	}
	return c.whole(op, expr, n)
}

// days turns a number of days into a time, a second to either side of which the
// match decides.
func (c *compiler) days(f *Filter, src Source, n num, isNum bool) part {
	switch {
	case !isNum || src.Kind == Bool:
		return never
	case src.Kind == Int: // a number of days
		op := AtLeast
		if f.Op == DaysAtMost {
			op = AtMost
		}
		return c.whole(op, src.SQL, n)
	case src.Kind != Time:
		return roughly(src.SQL + " IS NOT NULL")
	}
	far := 1e6 * 24 * float64(time.Hour/time.Millisecond) // a million days
	ms := float64(c.cols.Now.UnixMilli()) - max(-far, min(n.float()*24*float64(time.Hour/time.Millisecond), far))
	if f.Op == DaysAtLeast {
		return c.whole(AtMost, src.SQL, wholeNum(int64(ms)+1000)).rough()
	}
	return c.whole(AtLeast, src.SQL, wholeNum(int64(ms)-1000)).rough()
}

// looseChild compiles a condition on an array of texts: only membership looks
// into it.
func (c *compiler) looseChild(f *Filter, src Source) part {
	some := "EXISTS (SELECT 1 FROM " + src.From + ")"
	switch f.Op {
	case Present:
		if src.Missing {
			return exactly(some)
		}
		return always
	case OneOf:
		set := setOf(f.Value)
		elem := Source{Kind: Text, SQL: src.SQL}
		if p, ok := c.looseIn(&Filter{Value: f.Value}, elem); ok && len(set) > 0 {
			p.sql = "EXISTS (SELECT 1 FROM " + src.From + " AND " + p.sql + ")"
			return p
		}
		return roughly(some)
	case Contains:
		return roughly(some)
	case Above, AtLeast, Below, AtMost, DaysAtLeast, DaysAtMost:
		return never
	}
	return anything
}
