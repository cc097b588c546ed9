package filter

import (
	"encoding/json"
	"strconv"
	"strings"
)

// target compiles a comparison of the fifth group.
func (c *compiler) target(f *Filter, src Source, path []seg, neg bool) part {
	for i := range path {
		path[i].index = -1 // here a number is only a name
	}
	switch {
	case src.Kind == JSON:
		return c.targetJSON(f, src, path).flip(neg)
	case len(path) > 0: // texts and scalars have no fields
		return never.flip(neg)
	case src.Kind == Child:
		p := c.targetText(f, src.SQL, true)
		if p.sql != never.sql {
			p.sql = "EXISTS (SELECT 1 FROM " + src.From + " AND " + p.sql + ")"
		}
		return p.flip(neg)
	}
	return c.targetColumn(f, src).flip(neg)
}

// order5 is the comparison of SQL for one of this group.
var order5 = map[Op]Op{Over: Gt, From: Gte, Under: Lt, UpTo: Lte}

func (c *compiler) targetColumn(f *Filter, src Source) part {
	set := exactly(src.SQL + " IS NOT NULL")
	switch src.Kind {
	case Text:
		texts := []string{shown(f.Value)}
		if f.Op == AnyOf {
			texts = shownAll(f.List)
		}
		return c.targetText(f, src.bare(f.Op, texts...), false)
	case Int:
		return c.targetInt(f, src)
	case Bool:
		var k constants
		switch f.Op {
		case Filled:
			return set
		case Equal:
			k.add(f.Value)
		case AnyOf:
			for _, v := range f.List {
				k.add(v)
			}
		default:
			return never
		}
		return either(boolean2(src.SQL, "TRUE", k.hasText("true")), boolean2(src.SQL, "FALSE", k.hasText("false")))
	case Time:
		return c.targetTime(f, src, set)
	}
	return set.rough()
}

func boolean2(expr, word string, wanted bool) part {
	if !wanted {
		return never
	}
	return exactly(expr + " IS " + word)
}

func (c *compiler) targetInt(f *Filter, src Source) part {
	switch f.Op {
	case Filled:
		return exactly(src.SQL + " IS NOT NULL")
	case Equal:
		if n, ok := written10(f.Value); ok {
			return c.whole(Eq, src.SQL, n)
		}
		return never
	case AnyOf:
		var list []int64
		for _, v := range f.List {
			if n, ok := written10(v); ok && n.whole {
				list = append(list, n.i)
			}
		}
		if list == nil {
			return never
		}
		b, _ := json.Marshal(list)
		if c.pg {
			return exactly(src.SQL+" IN (SELECT jsonb_array_elements_text(?::jsonb)::bigint)", string(b))
		}
		return exactly(src.SQL+" IN (SELECT value FROM json_each(?))", string(b))
	case Over, From, Under, UpTo:
		if b := boundOf(f.Op, f.Value); b.kind == byNumber {
			return c.whole(order5[f.Op], src.SQL, b.n)
		}
		return never
	}
	return c.digits(f, src.SQL)
}

// digits looks into a whole number's text.
func (c *compiler) digits(f *Filter, expr string) part {
	if strings.ContainsFunc(shown(f.Value), func(r rune) bool { return !strings.ContainsRune(`0123456789-*?\`, r) }) {
		return never
	}
	most := strconv.Itoa(safe)
	p := c.look(f, "CAST("+expr+" AS TEXT)")
	p.sql = "(" + expr + " BETWEEN -" + most + " AND " + most + " AND " + p.sql + ")"
	return p
}

// targetTime compares moments, which documents show as texts of one form.
func (c *compiler) targetTime(f *Filter, src Source, set part) part {
	list := f.List
	switch f.Op {
	case Filled:
		return set
	case Equal:
		list = []any{f.Value}
	case AnyOf:
	case Over, From, Under, UpTo:
		switch b := boundOf(f.Op, f.Value); b.kind {
		case byDate:
			return c.whole(b.sign(), src.SQL, b.n)
		case byNumber:
			return never
		}
		return set.rough()
	default:
		return set.rough()
	}
	var parts []part
	for _, v := range list {
		s, _ := v.(string)
		if len(s) != len("2006-01-02T15:04:05.000Z") || !strings.HasSuffix(s, "Z") || s[19] != '.' {
			continue
		}
		if ms, _, ok := isoMoment(s); ok {
			parts = append(parts, c.whole(Eq, src.SQL, wholeNum(ms)))
		}
		if len(parts) > maxSplit {
			return set.rough()
		}
	}
	return either(parts...)
}

// sign is the comparison that a bound became.
func (b *bound) sign() Op {
	switch {
	case b.low && b.equal:
		return Gte
	case b.low:
		return Gt
	case b.equal:
		return Lte
	}
	return Lt
}
