package filter

import (
	"encoding/json"
	"math"
	"slices"
)

// column compiles a comparison of one column.
func (c *compiler) column(f *Filter, src Source) part {
	null := exactly(src.SQL + " IS NULL")
	switch f.Op {
	case Exists:
		if src.Missing {
			return exactly(src.SQL + " IS NOT NULL")
		}
		return always
	case Eq:
		if f.Value == nil {
			return null
		}
		return c.scalar(f.Op, src, f.Value)
	case Gt, Gte, Lt, Lte:
		return c.scalar(f.Op, src, f.Value)
	case In:
		return c.columnIn(f, src)
	case Type:
		return c.columnType(f, src)
	case Matches:
		if src.Kind == Text || src.Kind == Time {
			return roughly(src.SQL + " IS NOT NULL")
		}
		return never
	case Mod:
		if src.Kind == Int {
			return roughly(src.SQL + " IS NOT NULL")
		}
		return never
	}
	return never // size, elem: a scalar is no array
}

// scalar compares a column with a text, a number or a boolean. Other types
// never match.
func (c *compiler) scalar(op Op, src Source, v any) part {
	switch src.Kind {
	case Text:
		if s, ok := v.(string); ok {
			return c.text(op, src.bare(op, s), s)
		}
	case Int:
		if n, ok := numOf(v); ok {
			return c.whole(op, src.SQL, n)
		}
	case Bool:
		if b, ok := v.(bool); ok {
			return boolean(op, src.SQL, b)
		}
	case Time:
		if _, ok := v.(string); ok {
			return roughly(src.SQL + " IS NOT NULL")
		}
	}
	return never
}

// sign is the SQL operator of a comparison.
func sign(op Op) string {
	switch op {
	case Gt, Above:
		return ">"
	case Gte, AtLeast:
		return ">="
	case Lt, Below:
		return "<"
	case Lte, AtMost:
		return "<="
	}
	return "="
}

// text compares by byte. A text that cannot be an argument equals no row's.
func (c *compiler) text(op Op, expr, s string) part {
	if !bindable(s) {
		return roughly(expr + " IS NOT NULL")
	}
	if c.pg {
		if op != Eq && op != Is {
			expr += ` COLLATE "C"`
		}
		return exactly(expr+sign(op)+"?::text", s)
	}
	return exactly(expr+sign(op)+"?", s)
}

// whole compares an integer column with a number: a fraction lies between two
// integers, so the bound is its floor.
func (c *compiler) whole(op Op, expr string, n num) part {
	i := n.i
	if !n.whole {
		switch {
		case op == Eq || op == Is:
			return never
		case math.Abs(n.f) >= 1<<63: // beyond every integer
			if holds(op, wholeNum(0).compare(n)) {
				return exactly(expr + " IS NOT NULL")
			}
			return never
		}
		i = int64(math.Floor(n.f))
		switch op {
		case Gte:
			op = Gt
		case AtLeast:
			op = Above
		case Lt:
			op = Lte
		case Below:
			op = AtMost
		}
	}
	if c.pg {
		return exactly(expr+sign(op)+"?::bigint", i)
	}
	return exactly(expr+sign(op)+"?", i)
}

func boolean(op Op, expr string, b bool) part {
	yes, no := op == Eq && b, op == Eq && !b
	if op != Eq {
		yes, no = holds(op, 1-truth(b)), holds(op, -truth(b))
	}
	switch {
	case yes && no:
		return exactly(expr + " IS NOT NULL")
	case yes:
		return exactly(expr) // bare, so that an index of what it compares serves
	case no:
		return exactly(expr + " IS FALSE")
	}
	return never
}

// columnIn joins the texts of a list into one argument, so that the SQL text
// does not grow with it.
func (c *compiler) columnIn(f *Filter, src Source) part {
	var (
		texts []string
		parts []part
	)
	for _, v := range f.List {
		switch t := v.(type) {
		case nil:
			parts = append(parts, exactly(src.SQL+" IS NULL"))
		case Regex:
			parts = append(parts, c.column(&Filter{Op: Matches, Value: t}, src))
		case string:
			if src.Kind == Text && bindable(t) {
				texts = append(texts, t)
				continue
			}
			parts = append(parts, c.scalar(Eq, src, t))
		default:
			parts = append(parts, c.scalar(Eq, src, v))
		}
		if len(parts) > maxSplit {
			return anything
		}
	}
	if texts != nil {
		parts = append(parts, exactly(src.bare(Eq, texts...)+" IN ("+c.list()+")", listArg(texts)))
	}
	return either(parts...)
}

// bare is what a comparison with texts asks: the column itself when the answer is
// the same.
func (src Source) bare(op Op, texts ...string) string {
	switch op {
	case Eq, Is, Equal, AnyOf:
		if src.Bare != "" && !slices.Contains(texts, "") {
			return src.Bare
		}
	}
	return src.SQL
}

// maxSplit bounds how many conditions one list becomes.
const maxSplit = 50

// list is a subquery for the texts of one argument of JSON.
func (c *compiler) list() string {
	if c.pg {
		return `SELECT jsonb_array_elements_text(?::jsonb) COLLATE "C"`
	}
	return "SELECT value FROM json_each(?)"
}

func listArg(texts []string) string {
	b, err := json.Marshal(texts)
	if err != nil {
		return "[]"
	}
	return string(b)
}

func (c *compiler) columnType(f *Filter, src Source) part {
	var want uint16
	for _, v := range f.List {
		want |= typeBit(v.(string))
	}
	var parts []part
	if want&bitNull != 0 && !src.Missing {
		parts = append(parts, exactly(src.SQL+" IS NULL"))
	}
	set := exactly(src.SQL + " IS NOT NULL")
	switch src.Kind {
	case Text, Time:
		if want&bitText != 0 {
			parts = append(parts, set)
		}
	case Bool:
		if want&bitBool != 0 {
			parts = append(parts, set)
		}
	case Int:
		if want&bitInt != 0 {
			parts = append(parts, exactly(src.SQL+" BETWEEN -2147483648 AND 2147483647"))
		}
		if want&bitLong != 0 {
			parts = append(parts, exactly("("+src.SQL+" < -2147483648 OR "+src.SQL+" > 2147483647)"))
		}
	}
	return either(parts...)
}

// child compiles a comparison of an array of texts in a table of its own.
func (c *compiler) child(f *Filter, src Source) part {
	some := "EXISTS (SELECT 1 FROM " + src.From + ")"
	has := func(p part) part {
		if p.sql == never.sql {
			return never
		}
		p.sql = "EXISTS (SELECT 1 FROM " + src.From + " AND " + p.sql + ")"
		return p
	}
	none := never
	if src.Missing {
		none = exactly("NOT " + some)
	}
	elem := Source{Kind: Text, SQL: src.SQL}
	switch f.Op {
	case Exists:
		return none.not()
	case Eq:
		switch f.Value.(type) {
		case nil:
			return none
		case []any:
			return none.not().rough()
		}
		return has(c.scalar(Eq, elem, f.Value))
	case Gt, Gte, Lt, Lte:
		return has(c.scalar(f.Op, elem, f.Value))
	case In:
		var (
			texts []any
			parts []part
		)
		for _, v := range f.List {
			switch v.(type) {
			case nil:
				parts = append(parts, none)
			case []any:
				parts = append(parts, none.not().rough())
			default:
				texts = append(texts, v)
			}
		}
		inner := c.columnIn(&Filter{Op: In, List: texts}, elem)
		return either(append(parts, has(inner))...)
	case Type:
		var want uint16
		for _, v := range f.List {
			want |= typeBit(v.(string))
		}
		switch {
		case want&bitArray != 0:
			return none.not()
		case want&bitText != 0:
			return exactly(some)
		}
		return never
	case Matches:
		return roughly(some)
	case Size:
		n := f.Value.(int64)
		if n == 0 && src.Missing {
			return never
		}
		count := "(SELECT COUNT(*) FROM " + src.From + ")=?"
		if c.pg {
			count += "::bigint"
		}
		return exactly(count, n)
	case Elem:
		return roughly(some)
	}
	return never // mod, elemMatch: the elements are texts
}
