package filter

import "strings"

// targetText compiles a comparison of an expression that is a text, or NULL.
// member tells that it is an element of a list.
func (c *compiler) targetText(f *Filter, expr string, member bool) part {
	switch f.Op {
	case Equal:
		return c.text(Eq, expr, shown(f.Value))
	case AnyOf:
		return c.textIn(expr, f.List)
	case Filled:
		return exactly(expr + "<>''")
	case Over, From, Under, UpTo:
		b := boundOf(f.Op, f.Value)
		switch b.kind {
		case byNumber:
			return c.textNumber(expr, &b)
		case byDate:
			return c.textDate(expr, &b)
		}
		return grouped(c.text(b.sign(), expr, b.text))
	}
	if member && f.Op == Holds {
		return c.same(expr, shown(f.Value))
	}
	return c.look(f, expr)
}

func shownAll(list []any) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = shown(v)
	}
	return out
}

func (c *compiler) textIn(expr string, list []any) part {
	var texts []string
	rough := false
	for _, v := range list {
		if s := shown(v); bindable(s) {
			texts = append(texts, s)
		} else {
			rough = true
		}
	}
	p := never
	if texts != nil {
		p = exactly(expr+" IN ("+c.list()+")", listArg(texts))
	}
	if rough {
		return roughly(expr + " IS NOT NULL")
	}
	return p
}

// low writes a text in lower case, as far as the characters of what it is compared
// with: all of ASCII, and those others. false when they are too many.
func (c *compiler) low(expr, with string) (sql string, args []any, ok bool) {
	var from, to []rune
	seen := map[rune]bool{}
	for _, r := range with {
		if r < 0x80 || seen[r] {
			continue
		}
		seen[r] = true
		for _, o := range others(r) {
			from, to = append(from, o), append(to, r)
		}
	}
	switch {
	case len(from) > 12:
		return "", nil, false
	case c.pg:
		expr = `lower(` + expr + ` COLLATE "C")`
		if from != nil {
			return "translate(" + expr + ",?::text,?::text)", []any{string(from), string(to)}, true
		}
		return expr, nil, true
	}
	expr = "lower(" + expr + ")"
	for i := range from {
		expr = "replace(" + expr + ",?,?)"
		args = append(args, string(from[i]), string(to[i]))
	}
	return expr, args, true
}

// same compares without case.
func (c *compiler) same(expr, s string) part {
	s = folded(s)
	low, args, ok := c.low(expr, s)
	if !ok || !bindable(s) {
		return roughly(expr + " IS NOT NULL")
	}
	return exactly(low+"="+c.param("text"), append(args, s)...)
}

func (c *compiler) param(kind string) string {
	if c.pg {
		return "?::" + kind
	}
	return "?"
}

// look looks into a text: Holds, Begins, Ends and Wild.
func (c *compiler) look(f *Filter, expr string) part {
	s := folded(shown(f.Value))
	low, args, ok := c.low(expr, s)
	if !ok || !bindable(s) {
		return roughly(expr + " IS NOT NULL")
	}
	n := int64(runes(s))
	switch f.Op {
	case Holds:
		find := "instr("
		if c.pg {
			find = "strpos("
		}
		return exactly(find+low+","+c.param("text")+")>0", append(args, s)...)
	case Begins:
		return exactly("substr("+low+",1,"+c.param("int")+")="+c.param("text"), append(args, n, s)...)
	case Ends:
		if c.pg {
			return exactly("right("+low+",?::int)=?::text", append(args, n, s)...)
		}
		return exactly("substr("+low+",-?)=?", append(args, n, s)...)
	}
	var like strings.Builder
	for _, r := range wildcardOf(shown(f.Value)).chars {
		switch r {
		case any1:
			like.WriteByte('_')
		case anyN:
			like.WriteByte('%')
		case '%', '_', '!':
			like.WriteByte('!')
			fallthrough
		default:
			like.WriteRune(r)
		}
	}
	return exactly(low+" LIKE "+c.param("text")+" ESCAPE '!'", append(args, like.String())...)
}
