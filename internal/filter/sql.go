package filter

import (
	"strings"
	"time"

	"parley/internal/store"
)

// Kind is what a Source holds.
type Kind int

// The kinds of sources.
const (
	Text  Kind = iota // a text column; its order is by byte (COLLATE "C")
	Int               // an integer column
	Bool              // a boolean column
	Time              // Unix milliseconds that documents show as 2006-01-02T15:04:05.000Z
	JSON              // a JSON column: an object, or NULL
	Child             // texts of a child table that documents show as an array
)

// Source tells where a field of the documents is stored. Its texts are
// constants of the program.
type Source struct {
	Kind Kind
	// SQL is the column or an expression, qualified by its table: contact.source.
	// For a Child it is the column of the element.
	SQL string
	// Bare is the column of a Text whose SQL is NULLIF(column, ''): what equals a
	// text that is not empty is asked of it, so that its index serves.
	Bare string
	// From selects a Child's rows of the outer row, and names the tenant by the
	// outer row's: contact_tag t WHERE t.tenant_id=contact.tenant_id AND
	// t.contact_id=contact.id
	From string
	// Missing tells that documents lack the field where the column is NULL, or
	// the child table has no rows; otherwise they show null, or an empty array.
	Missing bool
}

// Columns maps fields of the documents to where they are stored. A name is the
// beginning of the fields it covers, at a dot: "attributes" covers
// attributes.city; "" covers everything else. What no name covers is not
// narrowed by SQL.
type Columns struct {
	Fields map[string]Source
	// Now and Zone are those given to MatchAt.
	Now  time.Time
	Zone *time.Location
}

// maxArgs bounds a query's arguments: SQLite takes 32766.
const maxArgs = 8000

// SQL compiles a filter to a condition for a WHERE clause with its arguments,
// one for each ? in order. The condition holds for every row whose document the
// filter matches, and when exact for no other; otherwise the caller asks the
// Matcher about each row. Nothing of the filter's texts is in the SQL text.
//
// Exact presumes that documents are stored Canonical.
func SQL(f Filter, cols Columns, d store.Dialect) (where string, args []any, exact bool) {
	c := &compiler{cols: cols, pg: d == store.Postgres}
	p := c.node(&f, false)
	if len(p.args) > maxArgs {
		p = anything
	}
	return p.sql, p.args, p.exact
}

type compiler struct {
	cols Columns
	pg   bool
}

// part is a piece of a condition. An inexact one holds for more rows.
type part struct {
	sql   string
	args  []any
	exact bool
}

var (
	anything = part{sql: "1=1"} // all rows, to be rechecked
	always   = part{sql: "1=1", exact: true}
	never    = part{sql: "1=0", exact: true}
)

func exactly(sql string, args ...any) part { return part{sql, args, true} }
func roughly(sql string, args ...any) part { return part{sql, args, false} }

// rough is p as a mere superset.
func (p part) rough() part {
	p.exact = false
	return p
}

// not is the complement. That of a superset is unknown, hence everything.
func (p part) not() part {
	switch {
	case !p.exact:
		return anything
	case p.sql == always.sql:
		return never
	case p.sql == never.sql:
		return always
	}
	return exactly("(("+p.sql+") IS NOT TRUE)", p.args...)
}

// flip is p, or its complement.
func (p part) flip(neg bool) part {
	if neg {
		return p.not()
	}
	return p
}

// both and either join parts; an inexact 1=1 stays visible in exact.
func both(parts ...part) part   { return joined(" AND ", never.sql, always, parts) }
func either(parts ...part) part { return joined(" OR ", always.sql, never, parts) }

// joined leaves out the neutral parts, and ends at a part that decides alone.
func joined(word, decides string, neutral part, parts []part) part {
	out := part{exact: true}
	var texts []string
	for _, p := range parts {
		if p.sql == decides {
			return p
		}
	}
	for _, p := range parts {
		out.exact = out.exact && p.exact
		if p.sql != neutral.sql {
			texts = append(texts, p.sql)
			out.args = append(out.args, p.args...)
		}
	}
	switch len(texts) {
	case 0:
		out.sql = neutral.sql
	case 1:
		out.sql = texts[0]
	default:
		out.sql = "(" + strings.Join(texts, word) + ")"
	}
	return out
}

// node compiles f, or its complement: a superset cannot be complemented, so
// the negation goes down to the leaves.
func (c *compiler) node(f *Filter, neg bool) part {
	switch f.Op {
	case "":
		return always.flip(neg)
	case Not, Nor:
		neg = !neg
	case And, Or:
	default:
		return c.leaf(f, neg)
	}
	parts := make([]part, len(f.Of))
	for i := range f.Of {
		parts[i] = c.node(&f.Of[i], neg)
	}
	if (f.Op == And) != neg {
		return both(parts...)
	}
	return either(parts...)
}

// leaf compiles one comparison.
func (c *compiler) leaf(f *Filter, neg bool) part {
	src, path, ok := c.source(f)
	if !ok {
		return anything
	}
	switch {
	case f.Op.loose():
		return c.loose(f, src, path, neg)
	case f.Op.targeting():
		return c.target(f, src, path, neg)
	case f.Op.compared(): // an index of Keys serves these
		return anything
	}
	switch f.Op {
	case Ne:
		return c.leaf(&Filter{Op: Eq, Field: f.Field, Value: f.Value}, !neg)
	case Nin:
		return c.leaf(&Filter{Op: In, Field: f.Field, List: f.List}, !neg)
	case Exists:
		if f.Value == false {
			return c.leaf(&Filter{Op: Exists, Field: f.Field, Value: true}, !neg)
		}
	case All:
		return c.all(f, neg)
	case Gte, Lte:
		if f.Value == nil { // null is as much as null, and nothing else
			return c.leaf(&Filter{Op: Eq, Field: f.Field}, neg)
		}
	case Gt, Lt:
		if f.Value == nil {
			return never.flip(neg)
		}
	}
	switch {
	case src.Kind == JSON:
		return c.json(f, src, path, neg)
	case src.Kind == Child && len(path) > 0:
		return anything
	case src.Kind == Child:
		return c.child(f, src).flip(neg)
	case len(path) > 0: // a scalar has no fields
		return absent(f).flip(neg)
	}
	return c.column(f, src).flip(neg)
}

// all is one equality for each value; the list may not be negated as a whole.
func (c *compiler) all(f *Filter, neg bool) part {
	if len(f.List) == 0 {
		return never.flip(neg)
	}
	parts := make([]part, len(f.List))
	for i, v := range f.List {
		parts[i] = c.leaf(&Filter{Op: Eq, Field: f.Field, Value: v}, neg)
	}
	if neg {
		return either(parts...)
	}
	return both(parts...)
}

// absent decides a comparison with a field that no document has.
func absent(f *Filter) part {
	l := f.Op == Eq && f.Value == nil
	if f.Op == In {
		for _, v := range f.List {
			l = l || v == nil
		}
	}
	if l {
		return always
	}
	return never
}

// source finds the longest name that covers a field, and the rest of the path.
func (c *compiler) source(f *Filter) (src Source, rest []seg, ok bool) {
	name := f.Field
	for {
		if src, ok = c.cols.Fields[name]; ok {
			return src, segments(strings.TrimPrefix(f.Field[len(name):], ".")), true
		}
		if name == "" {
			return src, nil, false
		}
		name = name[:max(0, strings.LastIndexByte(name, '.'))]
	}
}

// bindable reports whether a text can be an argument: PostgreSQL knows no NUL,
// and neither takes bytes that are not UTF-8.
func bindable(s string) bool {
	return !strings.ContainsRune(s, 0) && strings.ToValidUTF8(s, "") == s
}
