package entity

import (
	"database/sql"
	"fmt"
	"maps"
	"strings"

	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
)

// kind is how a field is stored, scanned and shown.
type kind int

const (
	text  kind = iota // a text; NULL is a field that the document lacks
	whole             // an integer
	real              // a number that no Source compares: SQL leaves it to the match
	yes               // a boolean
	at                // Unix milliseconds, shown as a moment
	ident             // an id, shown as a UUID: a UUID ends in a checksum, which SQL does not know
	list              // texts of a child table, shown as an array, also an empty one
	open              // attributes: an object
	fixed             // made in Go; SQL leaves it to the match
)

// field is one field of a document beside the SQL that holds it. Both the document
// and the filter's columns are made of it, so that they cannot differ.
type field struct {
	name string
	kind kind
	sql  string
	bare string // see filter.Source.Bare
	from string // of a list: see filter.Source.From
	// probe looks the rows with a value up by an index; trim is what the value is
	// shown with and stored without.
	probe, trim string
}

// join is a table that stands beside the main one. Its alias is what the
// expressions of fields that need it begin with.
type join struct{ alias, on string }

// table is a kind of entity: where it lies and what it shows.
type table struct {
	name   string
	live   string            // which rows are entities
	scope  string            // which are of the schema that is asked for; "" for a table of one schema
	orders map[string]string // fields that a list is sorted by along an index
	joins  []join            // each after those that it needs
	fields []field
	title  string // the expression of _title
	owner  string // the agent who owns it, "NULL" for a table without owners
	// lists fills in the fields of kind list of the rows that have just been read.
	lists func(r store.Reader, in string, args []any, out map[id.ID]Doc) error

	// made by ready
	columns filter.Columns
	names   map[string]bool
	made    map[string]bool // those that SQL leaves to the match
	reals   map[string]string
	selects string // the scalar fields, in order
	all     string // the main table with every join
}

const opaque = "NULL"

// hidden begins the name under which SQL looks for an id as it is stored. No
// filter of a user can name it, because no text of a filter in SQL holds a NUL.
const hidden = "\x00"

// ready makes what follows from the declaration.
func (t table) ready() *table {
	t.columns = filter.Columns{Fields: map[string]filter.Source{}}
	t.names, t.made, t.reals = map[string]bool{}, map[string]bool{}, map[string]string{}
	var exprs []string
	for _, f := range t.fields {
		t.names[f.name], t.made[f.name] = true, f.kind == fixed || f.kind == real || f.kind == ident
		switch f.kind {
		case list:
			t.columns.Fields[f.name] = filter.Source{Kind: filter.Child, SQL: f.sql, From: f.from}
			continue
		case text:
			t.columns.Fields[f.name] = filter.Source{Kind: filter.Text, SQL: f.sql, Bare: f.bare, Missing: true}
		case whole:
			t.columns.Fields[f.name] = filter.Source{Kind: filter.Int, SQL: f.sql, Missing: true}
		case yes:
			t.columns.Fields[f.name] = filter.Source{Kind: filter.Bool, SQL: f.sql, Missing: true}
		case at:
			t.columns.Fields[f.name] = filter.Source{Kind: filter.Time, SQL: f.sql, Missing: true}
		case open:
			// The attributes stand under a name of their own, and at the top, where they
			// cover what no other name does.
			t.columns.Fields[f.name] = filter.Source{Kind: filter.JSON, SQL: f.sql}
			t.columns.Fields[""] = filter.Source{Kind: filter.JSON, SQL: f.sql}
		case ident:
			t.columns.Fields[hidden+f.name] = filter.Source{Kind: filter.Text, SQL: f.sql, Missing: true}
			t.columns.Fields[f.name] = filter.Source{Kind: filter.JSON, SQL: opaque}
		case real:
			t.reals[f.name] = f.sql
			t.columns.Fields[f.name] = filter.Source{Kind: filter.JSON, SQL: opaque}
		case fixed:
			t.columns.Fields[f.name] = filter.Source{Kind: filter.JSON, SQL: opaque}
		}
		if f.kind != fixed {
			exprs = append(exprs, f.sql)
		}
	}
	t.selects = strings.Join(exprs, ", ")
	t.all = t.name
	for _, j := range t.joins {
		t.all += " LEFT JOIN " + j.on
	}
	return &t
}

// joined is the main table with the joins that a piece of SQL needs.
func (t *table) joined(text string) string {
	need := make([]bool, len(t.joins))
	for i := len(t.joins) - 1; i >= 0; i-- {
		if strings.Contains(text, t.joins[i].alias+".") {
			need[i] = true
			text += t.joins[i].on
		}
	}
	out := t.name
	for i, j := range t.joins {
		if need[i] {
			out += " LEFT JOIN " + j.on
		}
	}
	return out
}

// hoisted tells whether an open attribute also stands at the top of the document:
// unless a field has its name, or a path through a field could mean it.
func (t *table) hoisted(name string) bool {
	first, _, _ := strings.Cut(name, ".")
	return name != "" && !t.names[name] && !t.names[first]
}

// cell scans one field.
type cell struct {
	kind kind
	s    sql.NullString
	n    sql.NullInt64
	f    sql.NullFloat64
	b    sql.NullBool
	id   id.ID
}

func (c *cell) target() any {
	switch c.kind {
	case whole, at:
		return &c.n
	case real:
		return &c.f
	case yes:
		return &c.b
	case ident:
		return &c.id
	}
	return &c.s
}

// scan reads one row into a document; extra are targets in front of the fields.
func (t *table) scan(rows *sql.Rows, extra ...any) (Doc, error) {
	cells := make([]cell, len(t.fields))
	targets := make([]any, 0, len(extra)+len(t.fields))
	targets = append(targets, extra...)
	for i, f := range t.fields {
		if cells[i].kind = f.kind; f.kind != list && f.kind != fixed {
			targets = append(targets, cells[i].target())
		}
	}
	if err := rows.Scan(targets...); err != nil {
		return nil, err
	}
	doc := make(Doc, len(t.fields)+8)
	for i, f := range t.fields {
		c := &cells[i]
		switch {
		case f.kind == list:
			doc[f.name] = []any{}
		case f.kind == text && c.s.Valid:
			doc[f.name] = c.s.String
		case f.kind == whole && c.n.Valid:
			doc[f.name] = c.n.Int64
		case f.kind == real && c.f.Valid:
			doc[f.name] = filter.Canonical(c.f.Float64)
		case f.kind == yes && c.b.Valid:
			doc[f.name] = c.b.Bool
		case f.kind == at && c.n.Valid:
			doc[f.name] = moment(c.n.Int64)
		case f.kind == ident && !c.id.IsZero():
			doc[f.name] = c.id.UUID()
		case f.kind == open:
			if err := t.attach(doc, f.name, c.s.String); err != nil {
				return nil, err
			}
		}
	}
	return doc, nil
}

// attach puts open attributes into a document.
func (t *table) attach(doc Doc, name, stored string) error {
	attrs := map[string]any{}
	if stored != "" && stored != "{}" {
		v, err := filter.Decode([]byte(stored))
		if err != nil {
			return fmt.Errorf("entity: attributes of a %s: %w", t.name, err)
		}
		if m, ok := v.(map[string]any); ok {
			attrs = m
		}
	}
	if name != "" {
		doc[name] = attrs
	}
	for k, v := range attrs {
		if t.hoisted(k) {
			doc[k] = v
		}
	}
	return nil
}

// system adds what every entity shows.
func system(doc Doc, tenant, owner id.ID) {
	org := tenant.UUID()
	by := map[string]any{"org_id": org}
	if !owner.IsZero() {
		by["user_id"] = owner.UUID()
	}
	doc["_org"], doc["_owners"] = org, []any{by}
	doc["_acl"] = map[string]any{"view": []any{}, "edit": []any{}, "delete": []any{}}
}

// asked is a filter made ready for both ways of asking, over one schema.
type asked struct {
	t       *table
	schema  string
	sql     string
	args    []any
	exact   bool
	matches func(Doc) bool
}

// ask compiles a filter over the table.
func (t *table) ask(r store.Reader, schema string, f filter.Filter) (*asked, error) {
	m, err := filter.Compile(f)
	if err != nil {
		return nil, err
	}
	made := maps.Clone(t.columns.Fields)
	f = t.stored(f, made)
	cols := filter.Columns{Fields: made, Now: r.Now(), Zone: zone}
	a := &asked{t: t, schema: schema, matches: func(d Doc) bool { return m.MatchAt(d, cols.Now, zone) }}
	a.sql, a.args, a.exact = filter.SQL(f, cols, r.Dialect())
	return a, nil
}

// of is the condition for the rows of the schema, with its arguments.
func (a *asked) of() (string, []any) {
	if a.t.scope == "" {
		return "", nil
	}
	return " AND " + a.t.scope, []any{a.schema}
}
