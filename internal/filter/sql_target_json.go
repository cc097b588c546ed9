package filter

import "encoding/json"

// targetJSON compiles a comparison of a path in a JSON column.
func (c *compiler) targetJSON(f *Filter, src Source, path []seg) part {
	r, ok := c.rows(src, path)
	if !ok {
		return anything
	}
	return r.has(c.deep(func(a string) part { return c.targetValue(f, a) }))
}

// targetValue compares a value, m, or an element of a list, x.
func (c *compiler) targetValue(f *Filter, a string) part {
	member := a != "m"
	expr := a + ".value"
	if c.pg {
		expr = "(" + a + ".v #>> '{}')"
	}
	text := func() part { return c.guarded(c.is(a, "text"), c.targetText(f, expr, member)) }
	switch f.Op {
	case Filled:
		return c.filled(a, member)
	case Equal:
		return either(text(), c.equalOther(a, f.Value))
	case AnyOf:
		return c.anyOfValue(f, a, text())
	case Over, From, Under, UpTo:
		b := boundOf(f.Op, f.Value)
		if b.kind != byNumber {
			return text()
		}
		return either(text(), c.jsonNum(b.sign(), a, b.n))
	case Holds:
		if member {
			return either(text(), c.equalOther(a, folded(shown(f.Value))))
		}
	}
	if c.digits(f, "0").sql == never.sql {
		return text()
	}
	if c.pg {
		number := a + ".v::numeric"
		p := c.digits(f, number)
		// The text is that of JSON: CAST of a numeric gives the same digits.
		p.sql = "CASE WHEN jsonb_typeof(" + a + ".v)='number' THEN " + number + "=trunc(" + number + ") AND " + p.sql + " ELSE FALSE END"
		return either(text(), p)
	}
	return either(text(), grouped(both(exactly("typeof("+a+".value)='integer'"), c.is(a, "number"), c.digits(f, a+".value"))))
}

// guarded asks a question only about values of a type. PostgreSQL may otherwise
// ask in any order.
func (c *compiler) guarded(is, p part) part {
	if p.sql == never.sql {
		return never
	}
	return grouped(both(is, p))
}

// equalOther compares with the number and the boolean that a constant writes.
func (c *compiler) equalOther(a string, v any) part {
	if n, ok := written10(v); ok {
		return c.jsonNum(Eq, a, n)
	}
	if s := shown(v); s == "true" || s == "false" {
		return c.jsonBool(Eq, a, s == "true")
	}
	return never
}

func (c *compiler) anyOfValue(f *Filter, a string, text part) part {
	parts := []part{text}
	var whole []int64
	bools := map[string]bool{}
	for _, v := range f.List {
		n, ok := written10(v)
		switch s := shown(v); {
		case ok && n.whole && n.i >= -safe && n.i <= safe:
			whole = append(whole, n.i)
		case ok:
			parts = append(parts, c.jsonNum(Eq, a, n))
		case s == "true" || s == "false":
			bools[s] = true
		}
		if len(parts) > maxSplit {
			return roughly("1=1")
		}
	}
	if whole != nil {
		b, _ := json.Marshal(whole)
		in := exactly(a+".value IN (SELECT value FROM json_each(?))", string(b))
		if c.pg {
			in = exactly(a+".v IN (SELECT jsonb_array_elements(?::jsonb))", string(b))
		}
		parts = append(parts, grouped(both(c.is(a, "number"), in)))
	}
	for _, s := range []string{"true", "false"} {
		if bools[s] {
			parts = append(parts, c.jsonBool(Eq, a, s == "true"))
		}
	}
	return either(parts...)
}

// filled holds for more than null, "" and {}, and for an element besides [].
func (c *compiler) filled(a string, member bool) part {
	if c.pg {
		sql := a + `.v NOT IN ('null'::jsonb,'""'::jsonb,'{}'::jsonb,'[]'::jsonb)`
		if !member {
			sql += " AND jsonb_typeof(" + a + ".v)<>'array'"
		}
		return exactly("(" + sql + ")")
	}
	sql := "(" + a + ".type IN ('integer','real','true','false') OR " + a + ".type='text' AND " + a + ".value<>'' OR " + a + ".type='object' AND " + a + ".value<>'{}'"
	if member {
		sql += " OR " + a + ".type='array' AND " + a + ".value<>'[]'"
	}
	return exactly(sql + ")")
}
