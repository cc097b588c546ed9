package deal

import (
	"slices"
	"strings"

	"parley/internal/store"
)

// beginning is how a query begins with an index that may select few rows.
type beginning struct {
	name string
	// from writes the tables of the query, beginning with this index, and the
	// conditions that remain. At most bound rows of the index are read, all of them
	// when it is 0.
	from func(q *query, d store.Dialect, bound int) (from, where string, args []any)
	// column is the one whose conditions the index answers, "" for none, and ordered
	// the key by which the index is ordered then.
	column, ordered string
	// rows is how many rows the index selects, when that is known.
	rows  int
	known bool
	ids   string // for lists of ids: the query of them
	iargs []any
}

// contacts is a beginning by an index of contact.
func contacts(name, column, ordered string) beginning {
	return beginning{name: name, column: column, ordered: ordered, from: func(q *query, d store.Dialect, bound int) (string, string, []any) {
		inner, args, where, rest := q.split(d, column)
		if bound == 0 {
			where = "c.tenant_id=? AND " + inner + " AND " + ofContact + where
			return "contact c CROSS JOIN " + dealCard(d), where, append(args, rest...)
		}
		from := "(SELECT " + wanted("id", where, "c.", contactColumns) + " FROM contact c WHERE c.tenant_id=? AND " + inner + " LIMIT ?) c CROSS JOIN " + dealCard(d)
		return from, ofContact + where, append(append(args, bound), rest...)
	}}
}

// listed is a beginning by a query of contact ids, which stands for the condition
// that is marked with its column.
func listed(name, column, ids string, iargs []any) beginning {
	return beginning{name: name, column: column, ids: ids, iargs: iargs, from: func(q *query, d store.Dialect, bound int) (string, string, []any) {
		_, _, where, rest := q.split(d, column)
		list, args := ids, slices.Clone(iargs)
		if bound > 0 {
			list += " LIMIT ?"
			args = append(args, bound)
		}
		if bound > 0 && !strings.Contains(where, "c.") { // to count, the contact need not be seen
			return "(" + list + ") x CROSS JOIN " + dealCard(d), "d.tenant_id=? AND d.contact_id=x.contact_id AND d.is_primary" + where, append(args, rest...)
		}
		return "(" + list + ") x CROSS JOIN contact c CROSS JOIN " + dealCard(d), "c.tenant_id=? AND c.id=x.contact_id AND " + ofContact + where, append(args, rest...)
	}}
}

// standing is the beginning by what is asked of the deal. SQLite, which has no
// figures, is told the index: it would take deal_card, which has all columns, and
// read all of it.
func standing(f CardFilter) func(*query, store.Dialect, int) (string, string, []any) {
	index := "deal_board"
	switch {
	case !f.Stage.IsZero() && f.Status != Archived:
		index = "deal_live"
	case f.Status != "" && f.Status != Open:
		index = "deal_ended"
	}
	return func(q *query, d store.Dialect, bound int) (string, string, []any) {
		inner, args, where, rest := q.split(d, "d.status", "d.pipeline_id", "d.stage_id")
		table := "deal d"
		if d == store.SQLite {
			table += " INDEXED BY " + index
		}
		if bound == 0 {
			return table + " CROSS JOIN contact c", "d.tenant_id=? AND " + inner + " AND " + ofDeal + where, append(args, rest...)
		}
		return "(SELECT contact_id, is_primary FROM " + table + " WHERE d.tenant_id=? AND " + inner + " LIMIT ?) d CROSS JOIN contact c", ofDeal + where, append(append(args, bound), rest...)
	}
}

// The conditions that bind a contact and its primary deal together.
const (
	ofContact = "d.tenant_id=? AND d.contact_id=c.id AND d.is_primary"
	ofDeal    = "c.tenant_id=? AND c.id=d.contact_id AND d.is_primary"
)

var (
	contactColumns  = []string{"source", "assigned_to", "score", "created_at", "search_name", "first_name", "last_name"}
	dealCardColumns = []string{"status", "stage_id", "pipeline_id", "is_primary"}
)

// dealCard is the table deal for what is asked of a contact's primary deal. SQLite,
// which takes the tables of a CROSS JOIN in the order written, would go through
// deal_primary to the row itself; PostgreSQL decides by its statistics.
func dealCard(d store.Dialect) string {
	if d == store.SQLite {
		return "deal d INDEXED BY deal_card"
	}
	return "deal d"
}

// wanted names the columns that an inner query must give to its conditions, so that
// it reads no row if its index has them.
func wanted(first, where, alias string, columns []string) string {
	out := first
	for _, c := range columns {
		if strings.Contains(where, alias+c) {
			out += ", " + c
		}
	}
	return out
}

// split writes the conditions on some columns, whose index is to be used, and, after
// an AND, all others, whose indexes are not.
func (q *query) split(d store.Dialect, columns ...string) (inner string, args []any, where string, rest []any) {
	mark := ""
	if d == store.SQLite { // PostgreSQL knows the figures itself
		mark = "+"
	}
	var in []string
	for _, c := range q.conds {
		if c.column != "" && slices.Contains(columns, c.column) {
			in = append(in, strings.ReplaceAll(c.sql, "~", ""))
			args = append(args, c.args...)
			continue
		}
		where += " AND " + strings.ReplaceAll(c.sql, "~", mark)
		rest = append(rest, c.args...)
	}
	return strings.Join(in, " AND "), args, where, rest
}

// begin picks the index to begin with: the one that selects the fewest rows, by
// looking at up to work.few of each. fetch reports whether to fetch and sort these is
// less work than to walk the order's index up to the end of the page: a walk meets
// one of them in every all/rows cards, and costs as much a card, or a twelfth if the
// index tells what is asked.
func (q *query) begin(r store.Reader, by order, end int) (best beginning, fetch bool, err error) {
	if best, err = q.probe(r, work.few); err != nil || !best.known {
		return best, false, err
	}
	if best.rows <= work.page {
		return best, true, nil
	}
	if best.ordered == by.key {
		return best, false, nil
	}
	all, err := all(r)
	price := 1
	if by.covers && q.agentOrSource {
		price = 12
	}
	return best, price*best.rows*best.rows <= end*all, err
}

// probe finds the narrowest beginning, reading at most limit rows of each. It is
// known if it selects no more; else it is the one that selects the fewest as a rule.
func (q *query) probe(r store.Reader, limit int) (best beginning, err error) {
	least, found := limit, -1
	for i := range q.begins {
		b := &q.begins[i]
		if !b.known {
			rows, args := q.rowsOf(b, r.Dialect())
			var n int
			if err := r.QueryRow("SELECT COUNT(*) FROM ("+rows+" LIMIT ?) AS counted", append(args, least+1)...).Scan(&n); err != nil {
				return best, err
			}
			if n <= least {
				b.rows, b.known = n, true
			}
		}
		if b.known && b.rows <= least {
			found, least = i, b.rows
		}
	}
	if found >= 0 {
		return q.begins[found], nil
	}
	for _, name := range []string{"deal", "score", "created", "source", "ref", "tag", "assigned"} {
		for _, b := range q.begins {
			if b.name == name {
				best = b
			}
		}
	}
	best.known = false
	return best, nil
}

// through is the beginning whose index has an order, if there is one, and of several
// the one that was found narrowest.
func (q *query) through(by order, best beginning) *beginning {
	if best.ordered == by.key {
		return &best
	}
	for _, name := range []string{"assigned", "source"} {
		for i := range q.begins {
			if b := &q.begins[i]; b.name == name && b.ordered == by.key {
				return b
			}
		}
	}
	return nil
}

// rowsOf is the query of the rows of a beginning's index.
func (q *query) rowsOf(b *beginning, d store.Dialect) (string, []any) {
	if b.ids != "" {
		return b.ids, slices.Clone(b.iargs)
	}
	inner, args, _, _ := q.split(d, b.column)
	return "SELECT 1 FROM contact c WHERE c.tenant_id=? AND " + inner, args
}

// narrowest finds the narrowest beginning after a walk went too far; it is not known
// if all of them select more than work.most rows.
func (q *query) narrowest(r store.Reader) (best beginning, err error) {
	for _, limit := range []int{work.most / 12, work.most / 3, work.most} {
		if best, err = q.probe(r, limit); err != nil || best.known {
			return best, err
		}
		if q.further != nil {
			b, err := q.further(limit)
			if err != nil || b != nil {
				q.further = nil
				if b != nil {
					return *b, nil
				}
				return best, err
			}
		}
	}
	best.known = false
	return best, nil
}

// sorting is the query of all ids that begin with b, sorted.
func (q *query) sorting(b beginning, d store.Dialect, by order, dir string) (string, []any) {
	from, where, args := b.from(q, d, 0)
	key := by.key
	if d == store.SQLite { // a sort, not a walk of the index that has this order
		key = "+" + key
	}
	if by.deals { // the value stands in the row
		from = strings.Replace(from, " INDEXED BY deal_card", "", 1)
	}
	return "SELECT c.id FROM " + from + " WHERE " + where + " ORDER BY " + key + " " + dir + ", c.id " + dir, args
}

// walking is the query of a page of ids by the index of its order, of which at most
// bound rows are met; its last two arguments are the limit and the offset. rows is
// the query of the rows met.
func (q *query) walking(d store.Dialect, through *beginning, by order, dir string, bound int) (sql string, args []any, rows string, rowArgs []any) {
	columns := []string{by.key}
	if through != nil {
		columns = append(columns, through.column)
	}
	inner, args, where, rest := q.split(d, columns...)
	t := by.alias()
	table, known, join, other := "contact", contactColumns, ofContact, " CROSS JOIN "+dealCard(d)
	if by.deals {
		table, known, join, other = "deal", dealCardColumns, ofDeal, " CROSS JOIN contact c"
	}
	from := " FROM " + table + " " + t + " WHERE " + t + ".tenant_id=?"
	if inner != "" {
		from += " AND " + inner
	}
	rows, rowArgs = "SELECT 1"+from+" LIMIT ?", append(slices.Clone(args), bound)
	tail := " ORDER BY " + by.key + " " + dir + ", " + t + "." + by.tie + " " + dir + " LIMIT ?"
	sql = "SELECT c.id FROM (SELECT " + wanted(t+"."+by.tie, join+where, t+".", known) + ", " + by.key + " AS sorted" + from + tail + ") " + t + other + " WHERE " + join + where +
		" ORDER BY " + t + ".sorted " + dir + ", " + t + "." + by.tie + " " + dir + " LIMIT ? OFFSET ?"
	return sql, append(append(args, bound), rest...), rows, rowArgs
}

// count counts what the query selects, through its narrowest index: work.hits and one
// at most, and among at most work.counted rows.
func (q *query) count(r store.Reader, b beginning) (n int, err error) {
	if b.from == nil { // a search that finds thousands
		return work.hits + 1, nil
	}
	from, where, args := b.from(q, r.Dialect(), work.counted)
	err = r.QueryRow("SELECT COUNT(*) FROM (SELECT 1 FROM "+from+" WHERE "+where+" LIMIT ?) AS counted", append(args, work.hits+1)...).Scan(&n)
	return n, err
}
