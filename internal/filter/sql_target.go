package filter

import (
	"encoding/json"
	"math"
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
		return c.targetText(f, src.SQL, false)
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

// textNumber compares a text that is a short decimal with a number.
func (c *compiler) textNumber(expr string, b *bound) part {
	op := sign(b.sign())
	if c.pg {
		digits := " AND length(translate(" + expr + ",'-.',''))<=" + strconv.Itoa(shortDigits)
		return exactly("CASE WHEN "+expr+" ~ '^-{0,1}[0-9]+([.][0-9]+){0,1}$'"+digits+" THEN "+expr+"::numeric"+op+"?::numeric ELSE FALSE END", b.n.text())
	}
	y := "substr(" + expr + ",1+(" + expr + " GLOB '-*'))"
	shape := y + " GLOB '[0-9]*' AND " + y + " NOT GLOB '*[^0-9.]*' AND " + y + " NOT GLOB '*.*.*' AND " + y + " GLOB '*[0-9]' AND length(replace(" + y + ",'.',''))<=" + strconv.Itoa(shortDigits)
	value := "CAST(" + expr + " AS REAL)"
	if b.n.whole && b.n.i >= -safe && b.n.i <= safe {
		return exactly("("+shape+" AND "+value+op+"?)", b.n.i)
	}
	// Two short decimals lie at least four doubles apart. SQLite may be wrong about
	// the last bit, so the bound is between them.
	at := b.n.float()
	if b.low == b.equal { // >= and <
		at = away(at, math.Inf(-1))
	} else {
		at = away(at, math.Inf(1))
	}
	_, digits, ok := decimal(b.text)
	if ok && digits <= shortDigits {
		return exactly("("+shape+" AND "+value+op+"?)", at)
	}
	// The bound may be between two doubles of short decimals' neighbours.
	if b.low {
		return roughly("("+shape+" AND "+value+">=?)", away(b.n.float(), math.Inf(-1)))
	}
	return roughly("("+shape+" AND "+value+"<=?)", away(b.n.float(), math.Inf(1)))
}

func away(f, to float64) float64 { return math.Nextafter(math.Nextafter(f, to), to) }

const (
	days29 = "^[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))"
	clock  = "(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9}){0,1}(Z|[-+](0[0-9]|1[0-4]):[0-5][0-9]){0,1}){0,1}$"
	dateG  = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
	clockG = "T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]"
	zoneG  = "[-+][0-9][0-9]:[0-9][0-9]"
)

// textDate compares a text that is a date or a moment, read as isoMoment does.
func (c *compiler) textDate(expr string, b *bound) part {
	op := sign(b.sign())
	if c.pg {
		leap := "CASE WHEN substr(dx,6,5)='02-29' THEN substr(dx,1,4)::int % 4=0 AND (substr(dx,1,4)::int % 100<>0 OR substr(dx,1,4)::int % 400=0) ELSE TRUE END"
		valid := "CASE WHEN dx ~ '" + days29 + clock + "' AND substr(dx,1,4)<>'0000' THEN " + leap + " ELSE FALSE END"
		ms := "EXTRACT(EPOCH FROM (regexp_replace(dx,'[.][0-9]+','')||CASE WHEN dx ~ '(Z|" + zoneP + ")$' THEN '' ELSE 'Z' END)::timestamptz)::bigint*1000" +
			"+coalesce(rpad(substring(dx from '[.]([0-9]{1,3})'),3,'0'),'0')::int"
		return exactly("EXISTS (SELECT 1 FROM (SELECT "+expr+" AS dx) d WHERE CASE WHEN "+valid+" THEN "+ms+op+"?::bigint ELSE FALSE END)", b.n.i)
	}
	// dx is the text, dz its zone, df its fraction.
	from := "(SELECT dx, dz, substr(dt,1,length(dt)-length(dz)) AS df FROM (SELECT dx, dt, CASE WHEN dt GLOB '*Z' THEN 'Z' WHEN dt GLOB '*" + zoneG +
		"' THEN substr(dt,-6) ELSE '' END AS dz FROM (SELECT " + expr + " AS dx, substr(" + expr + ",20) AS dt)))"
	valid := "dx GLOB '" + dateG + "*' AND date(substr(dx,1,10))=substr(dx,1,10) AND dx>='0001' AND (length(dx)=10 OR dx GLOB '" + dateG + clockG +
		"*' AND substr(dx,12,2)<'24' AND (df='' OR length(df)<=10 AND df GLOB '.[0-9]*' AND substr(df,2) NOT GLOB '*[^0-9]*'))"
	ms := "unixepoch(substr(dx,1,19)||dz)*1000+CAST(substr(substr(df,2)||'000',1,3) AS INTEGER)"
	return exactly("EXISTS (SELECT 1 FROM "+from+" WHERE "+valid+" AND "+ms+op+"?)", b.n.i)
}

const zoneP = "[-+][0-9]{2}:[0-9]{2}"

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
