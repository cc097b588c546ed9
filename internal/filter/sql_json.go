package filter

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// maxSteps is how deep a path is followed in SQL.
const maxSteps = 6

// rows selects the values that a path leads to in a JSON column, through
// arrays. The last one has the alias m.
type rows struct {
	from  string
	where string
	keys  []any
}

// rows returns false for paths that SQL does not follow: those that a number
// may lead into an array, long ones, and names that cannot be arguments.
func (c *compiler) rows(src Source, path []seg) (rows, bool) {
	var (
		r     rows
		from  []string
		where []string
	)
	if len(path) == 0 || len(path) > maxSteps {
		return r, false
	}
	last := ""
	for i, s := range path {
		if s.index >= 0 && i > 0 || !bindable(s.key) {
			return r, false
		}
		m, u := "m"+strconv.Itoa(i), "u"+strconv.Itoa(i)
		if i == len(path)-1 {
			m = "m"
		}
		switch {
		case c.pg:
			obj := src.SQL
			if i > 0 {
				obj = u + ".v"
				from = append(from, "jsonb_array_elements(CASE jsonb_typeof("+last+".v) WHEN 'array' THEN "+last+
					".v WHEN 'object' THEN jsonb_build_array("+last+".v) ELSE '[]'::jsonb END) "+u+"(v)")
			}
			from = append(from, "LATERAL (SELECT CASE WHEN jsonb_typeof("+obj+")='object' THEN "+obj+" -> ?::text END AS v) "+m)
			where = append(where, m+".v IS NOT NULL")
		case i == 0:
			from = append(from, "json_each("+src.SQL+") "+m)
			where = append(where, m+".key=?")
		default:
			from = append(from, "json_each(CASE "+last+".type WHEN 'array' THEN "+last+".value WHEN 'object' THEN '['||"+last+".value||']' ELSE '[]' END) "+u,
				"json_each(CASE "+u+".type WHEN 'object' THEN "+u+".value ELSE '{}' END) "+m)
			where = append(where, m+".key=?")
		}
		r.keys = append(r.keys, s.key)
		last = m
	}
	r.from, r.where = strings.Join(from, ", "), strings.Join(where, " AND ")
	return r, true
}

// has holds when one of the values satisfies p, which looks at m.
func (r rows) has(p part) part {
	if p.sql == never.sql {
		return never
	}
	sql := "EXISTS (SELECT 1 FROM " + r.from + " WHERE " + r.where
	if p.sql != always.sql {
		sql += " AND " + p.sql
	}
	return part{sql + ")", append(append([]any{}, r.keys...), p.args...), p.exact}
}

// deep holds when the value m, or an element of it if it is an array, satisfies
// the condition that test writes for an alias.
func (c *compiler) deep(test func(alias string) part) part {
	own, inner := test("m"), test("x")
	if inner.sql == never.sql {
		return own
	}
	from := "json_each(CASE m.type WHEN 'array' THEN m.value ELSE '[]' END) x"
	if c.pg {
		from = "jsonb_array_elements(CASE jsonb_typeof(m.v) WHEN 'array' THEN m.v ELSE '[]'::jsonb END) x(v)"
	}
	inner.sql = "EXISTS (SELECT 1 FROM " + from + " WHERE " + inner.sql + ")"
	return either(own, inner)
}

// json compiles a comparison of a path in a JSON column.
func (c *compiler) json(f *Filter, src Source, path []seg, neg bool) part {
	r, ok := c.rows(src, path)
	if !ok {
		return anything
	}
	value := func(test func(string) part) part { return r.has(c.deep(test)) }
	var p part
	switch f.Op {
	case Exists:
		p = r.has(always)
	case Eq:
		if f.Value == nil {
			return c.jsonNull(r, len(path), neg)
		}
		p = value(func(a string) part { return c.jsonEq(a, f.Value) })
	case Gt, Gte, Lt, Lte:
		p = value(func(a string) part { return c.jsonOrder(f.Op, a, f.Value) })
	case In:
		return c.jsonIn(f, r, len(path), neg)
	case Type:
		p = value(func(a string) part { return c.jsonType(a, f.List) })
	case Matches:
		p = value(func(a string) part { return c.is(a, "text") }).rough()
	case Mod:
		p = value(func(a string) part { return c.is(a, "number") }).rough()
	case Size:
		p = r.has(c.jsonSize(f.Value.(int64)))
	case Elem, ElemMatch:
		p = r.has(c.is("m", "array")).rough()
	default:
		return anything
	}
	return p.flip(neg)
}

// jsonNull: null matches where nothing is, too. Through arrays the two are not
// each other's complement in SQL, so deeper paths get a superset either way.
func (c *compiler) jsonNull(r rows, depth int, neg bool) part {
	null := r.has(c.deep(func(a string) part { return c.is(a, "null") }))
	if depth == 1 {
		return either(r.has(always).not(), null).flip(neg)
	}
	if neg {
		return null.not().rough()
	}
	return anything
}

// is holds for a value of a type: text, number, bool, null, array or object.
func (c *compiler) is(alias, kind string) part {
	if c.pg {
		name := map[string]string{"text": "string", "bool": "boolean"}[kind]
		if name == "" {
			name = kind
		}
		return exactly("jsonb_typeof(" + alias + ".v)='" + name + "'")
	}
	switch kind {
	case "number":
		return exactly(alias + ".type IN ('integer','real')")
	case "bool":
		return exactly(alias + ".type IN ('true','false')")
	}
	return exactly(alias + ".type='" + kind + "'")
}

func (c *compiler) jsonEq(alias string, v any) part {
	switch t := v.(type) {
	case nil:
		return c.is(alias, "null")
	case string:
		return c.jsonText(Eq, alias, t)
	case bool:
		return c.jsonBool(Eq, alias, t)
	case map[string]any:
		return c.jsonWhole(alias, "object", t)
	case []any:
		return c.jsonWhole(alias, "array", t)
	}
	n, _ := numOf(v)
	return c.jsonNum(Eq, alias, n)
}

// jsonWhole compares arrays and objects: PostgreSQL by value, SQLite only by
// type, because its texts differ by the order of keys and the form of numbers.
func (c *compiler) jsonWhole(alias, kind string, v any) part {
	if c.pg && storable(v) {
		if b, err := json.Marshal(v); err == nil {
			return exactly(alias+".v=?::jsonb", string(b))
		}
	}
	return c.is(alias, kind).rough()
}

// storable reports whether every text within v can be an argument.
func storable(v any) bool {
	switch t := v.(type) {
	case string:
		return bindable(t)
	case []any:
		for _, x := range t {
			if !storable(x) {
				return false
			}
		}
	case map[string]any:
		for k, x := range t {
			if !bindable(k) || !storable(x) {
				return false
			}
		}
	}
	return true
}

func (c *compiler) jsonOrder(op Op, alias string, v any) part {
	switch t := v.(type) {
	case string:
		return c.jsonText(op, alias, t)
	case bool:
		return c.jsonBool(op, alias, t)
	}
	n, ok := numOf(v)
	if !ok {
		return never
	}
	return c.jsonNum(op, alias, n)
}

func (c *compiler) jsonText(op Op, alias, s string) part {
	value := alias + ".value"
	if c.pg {
		value = "(" + alias + ".v #>> '{}')"
	}
	return grouped(both(c.is(alias, "text"), c.text(op, value, s)))
}

func (c *compiler) jsonBool(op Op, alias string, b bool) part {
	yes, no := op == Eq && b, op == Eq && !b
	if op != Eq {
		yes, no = holds(op, 1-truth(b)), holds(op, -truth(b))
	}
	switch {
	case yes && no:
		return c.is(alias, "bool")
	case !yes && !no:
		return never
	case c.pg:
		return exactly(alias + ".v='" + strconv.FormatBool(yes) + "'::jsonb")
	}
	return exactly(alias + ".type='" + strconv.FormatBool(yes) + "'")
}

// jsonNum compares numbers. PostgreSQL compares decimals, as documents are
// written. SQLite compares whole numbers up to 2^53 exactly; for the others it
// gets bounds a little wider than its reading of decimals could be wrong.
func (c *compiler) jsonNum(op Op, alias string, n num) part {
	number := c.is(alias, "number")
	switch {
	case c.pg:
		return grouped(both(number, exactly(alias+".v"+sign(op)+"?::jsonb", n.text())))
	case n.whole && n.i >= -safe && n.i <= safe:
		return grouped(both(number, exactly(alias+".value"+sign(op)+"?", n.i)))
	}
	f := n.float()
	lo, hi := f, f
	for range 3 {
		lo, hi = math.Nextafter(lo, math.Inf(-1)), math.Nextafter(hi, math.Inf(1))
	}
	var bound part
	switch op {
	case Gt, Gte, Above, AtLeast:
		bound = roughly(alias+".value>=?", lo)
	case Lt, Lte, Below, AtMost:
		bound = roughly(alias+".value<=?", hi)
	default:
		bound = roughly(alias+".value BETWEEN ? AND ?", lo, hi)
	}
	return grouped(both(number, bound))
}

// grouped keeps a part together whatever it is joined with.
func grouped(p part) part {
	if !strings.HasPrefix(p.sql, "(") {
		p.sql = "(" + p.sql + ")"
	}
	return p
}

func (c *compiler) jsonIn(f *Filter, r rows, depth int, neg bool) part {
	var (
		texts []string
		other []any
		null  bool
	)
	for _, v := range f.List {
		s, isText := v.(string)
		switch {
		case v == nil:
			null = true
		case isText && bindable(s):
			texts = append(texts, s)
		default:
			other = append(other, v)
		}
	}
	if len(other) > maxSplit {
		return anything
	}
	p := r.has(c.deep(func(a string) part {
		var parts []part
		if texts != nil {
			value := a + ".value"
			if c.pg {
				value = "(" + a + ".v #>> '{}')"
			}
			parts = append(parts, grouped(both(c.is(a, "text"), exactly(value+" IN ("+c.list()+")", listArg(texts)))))
		}
		for _, v := range other {
			if _, ok := v.(Regex); ok {
				parts = append(parts, c.is(a, "text").rough())
			} else {
				parts = append(parts, c.jsonEq(a, v))
			}
		}
		return either(parts...)
	}))
	if !null {
		return p.flip(neg)
	}
	if neg {
		return both(p.not(), c.jsonNull(r, depth, true))
	}
	return either(p, c.jsonNull(r, depth, false))
}

func (c *compiler) jsonType(alias string, names []any) part {
	var want uint16
	for _, v := range names {
		want |= typeBit(v.(string))
	}
	var parts []part
	for _, t := range []struct {
		kind string
		bit  uint16
	}{{"text", bitText}, {"bool", bitBool}, {"object", bitObject}, {"array", bitArray}, {"null", bitNull}} {
		if want&t.bit != 0 {
			parts = append(parts, c.is(alias, t.kind))
		}
	}
	if some := want & bitNumber; some != 0 {
		p := c.is(alias, "number")
		p.exact = some == bitNumber
		parts = append(parts, p)
	}
	return either(parts...)
}

func (c *compiler) jsonSize(n int64) part {
	if n > math.MaxInt32 {
		return never
	}
	if c.pg {
		return exactly("CASE WHEN jsonb_typeof(m.v)='array' THEN jsonb_array_length(m.v)=?::int ELSE FALSE END", n)
	}
	return exactly("CASE WHEN m.type='array' THEN json_array_length(m.value)=? ELSE 0 END", n)
}
