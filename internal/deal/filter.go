package deal

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/store"
)

// query is the condition of a list, and the ways to begin it.
type query struct {
	conds []condition
	// begins are the indexes by which rows can be found that may be few.
	begins []beginning
	// dealsOnly: nothing but status, pipeline and stage is asked, which the tally
	// counts by the condition tallied.
	dealsOnly  bool
	tallied    string
	talliedArg []any
}

// condition is one condition on c or d. A "~" stands before a column whose index
// must not be used when the list walks the index of its order instead.
type condition struct {
	sql  string
	args []any
}

// beginning is how a query begins with an index that may select few rows.
type beginning struct {
	name  string
	from  string // the tables, joined in order
	on    string // how the first table is bound to c
	args  []any  // of from
	probe string // counts the rows, up to a limit; "" means that rows is known
	parg  []any
	rows  int
}

func (q *query) and(sql string, args ...any) {
	q.conds = append(q.conds, condition{sql: sql, args: args})
}

// conditions writes the join with all conditions. walked is the column whose index the list walks, "" for none.
func (q *query) conditions(walked string, d store.Dialect) (string, []any) {
	where, args := join, []any(nil)
	mark := ""
	if walked != "" && d == store.SQLite { // PostgreSQL knows the figures itself
		mark = "+"
	}
	for _, c := range q.conds {
		sql := c.sql
		if walked != "" {
			sql = strings.ReplaceAll(sql, "~"+walked, walked) // that index is the one to use
		}
		where += " AND " + strings.ReplaceAll(sql, "~", mark)
		args = append(args, c.args...)
	}
	return where, args
}

// begin picks the index to begin with: the one that selects the fewest rows, by
// looking at up to fewRows of each. few reports whether to fetch and sort these
// is less work than to walk the sort index up to the end of the page: a walk meets
// one of them in every all/rows cards, and costs about half as much a card.
func (q *query) begin(r store.Reader, end int) (best beginning, few bool, err error) {
	least := fewRows + 1
	for i, b := range q.begins {
		if b.probe != "" {
			if err := r.QueryRow("SELECT COUNT(*) FROM (SELECT 1 FROM "+b.probe+" LIMIT ?) AS counted", append(slices.Clone(b.parg), least)...).Scan(&b.rows); err != nil {
				return best, false, err
			}
		}
		if i == 0 || b.rows < least {
			best, least = b, min(least, b.rows)
		}
	}
	switch {
	case len(q.begins) == 0 || best.rows > fewRows:
		return best, false, nil
	case best.rows <= aPage:
		return best, true, nil
	}
	all, err := all(r)
	return best, 2*best.rows*best.rows <= end*all, err
}

// all counts the tenant's cards, by the tally.
func all(r store.Reader) (n int, err error) {
	sums, err := tallies(r, "")
	for _, t := range sums {
		n += t.primaries
	}
	return n, err
}

// deals counts the cards that qualify, by the tally.
func (q *query) deals(r store.Reader) (n int, err error) {
	sums, err := tallies(r, q.tallied, q.talliedArg...)
	for _, t := range sums {
		n += t.primaries
	}
	return n, err
}

// query compiles the filter. Whether a card is archived is the deal's status
// alone, so that lists, boards and totals agree.
func (s *Service) query(r store.Reader, f CardFilter) (q query, err error) {
	if err := q.standing(r, f); err != nil {
		return q, err
	}
	for _, v := range []string{f.Source, f.AssignedTo} {
		if _, err := contact.Line("filter", v, 1000); err != nil {
			return q, err
		}
	}
	n := len(q.conds)
	if f.Source != "" { // index contact_source
		q.and("~c.source = ?", f.Source)
		q.begins = append(q.begins, beginning{name: "source", from: fromContact, probe: "contact c WHERE c.tenant_id=? AND c.source = ?", parg: []any{f.Source}})
	}
	if f.AssignedTo != "" { // index contact_assigned
		q.and("~c.assigned_to = ?", f.AssignedTo)
		q.begins = append(q.begins, beginning{name: "assigned", from: fromContact, probe: "contact c WHERE c.tenant_id=? AND c.assigned_to = ?", parg: []any{f.AssignedTo}})
	}
	if f.MinScore != nil { // index contact_score
		q.and("~c.score >= ?", *f.MinScore)
		q.begins = append(q.begins, beginning{name: "score", from: fromContact, probe: "contact c WHERE c.tenant_id=? AND c.score >= ?", parg: []any{*f.MinScore}})
	}
	q.created(f)
	q.refs(f)
	tags, err := contact.Tags("tags", f.Tags)
	if err != nil {
		return q, err
	}
	q.tags(tags)
	if err := s.search(r, &q, f.Search); err != nil {
		return q, err
	}
	q.dealsOnly = len(q.conds) == n
	return q, nil
}

// standing compiles what is asked of the deal.
func (q *query) standing(r store.Reader, f CardFilter) error {
	switch f.Status {
	case "":
		q.and("d.status <> 'archived'")
		q.tallied = " AND status <> 'archived'"
	case Open:
		q.and("~d.status = 'open'")
		q.and("d.status <> 'archived'") // by which the index deal_live is found
		q.tallied = " AND status = 'open'"
	case Won, Lost:
		q.and("~d.status = ?", f.Status)
		q.and("d.status <> 'open' AND d.status <> 'archived'") // index deal_ended
		q.tallied, q.talliedArg = " AND status = ?", []any{f.Status}
	case Archived:
		q.and("~d.status = ?", f.Status)
		q.and("d.status <> 'open'")
		q.tallied, q.talliedArg = " AND status = ?", []any{f.Status}
	default:
		return fault.Field("status", "the status of a lead is open, won, lost or archived")
	}
	if !f.Pipeline.IsZero() { // index deal_board
		q.and("~d.pipeline_id = ?", f.Pipeline)
		q.tallied, q.talliedArg = q.tallied+" AND pipeline_id = ?", append(q.talliedArg, f.Pipeline)
	}
	if !f.Stage.IsZero() { // index deal_live
		q.and("~d.stage_id = ?", f.Stage)
		q.tallied, q.talliedArg = q.tallied+" AND stage_id = ?", append(q.talliedArg, f.Stage)
	}
	if f.Pipeline.IsZero() && f.Stage.IsZero() && (f.Status == "" || f.Status == Open) {
		return nil // nearly all of them
	}
	n, err := q.deals(r)
	q.begins = append(q.begins, beginning{name: "deal", from: fromDeal, rows: n})
	return err
}

// created compiles the range of creation, by the index contact_created.
func (q *query) created(f CardFilter) {
	if f.From.IsZero() && f.To.IsZero() {
		return
	}
	probe, args := "contact c WHERE c.tenant_id=?", []any(nil)
	if !f.From.IsZero() {
		q.and("~c.created_at >= ?", f.From)
		probe, args = probe+" AND c.created_at >= ?", append(args, f.From)
	}
	if !f.To.IsZero() {
		q.and("~c.created_at <= ?", f.To)
		probe, args = probe+" AND c.created_at <= ?", append(args, f.To)
	}
	q.begins = append(q.begins, beginning{name: "created", from: fromContact, probe: probe, parg: args})
}

// refs compiles references, by the key of contact_ref.
func (q *query) refs(f CardFilter) {
	for _, name := range slices.Sorted(maps.Keys(f.Refs)) {
		args := []any{name, f.Refs[name]}
		q.and("EXISTS (SELECT 1 FROM contact_ref r WHERE r.tenant_id=? AND r.name=? AND r.value=? AND r.contact_id=c.id)", args...)
		q.begins = append(q.begins, beginning{name: "ref", from: "(SELECT y.contact_id FROM contact_ref y WHERE y.tenant_id=? AND y.name=? AND y.value=?) x CROSS JOIN " + fromContact,
			on: "c.id=x.contact_id", args: args, probe: "contact_ref y WHERE y.tenant_id=? AND y.name=? AND y.value=?", parg: args})
	}
}

// tags compiles tags, by the index contact_tag_by_tag.
func (q *query) tags(tags []string) {
	if len(tags) == 0 {
		return
	}
	args := make([]any, len(tags))
	for i, t := range tags {
		args[i] = t
	}
	in := " IN (?" + strings.Repeat(",?", len(tags)-1) + ")"
	q.and("EXISTS (SELECT 1 FROM contact_tag t WHERE t.tenant_id=? AND t.contact_id=c.id AND t.tag"+in+")", args...)
	q.begins = append(q.begins, beginning{name: "tag", from: "(SELECT DISTINCT y.contact_id FROM contact_tag y WHERE y.tenant_id=? AND y.tag" + in + ") x CROSS JOIN " + fromContact,
		on: "c.id=x.contact_id", args: args, probe: "contact_tag y WHERE y.tenant_id=? AND y.tag" + in, parg: args})
}

// maxSearch bounds the text of a search, in characters.
const maxSearch = 200

// search compiles a search: the people whom it finds are fetched, unless they are
// so many that a walk meets them soon.
func (s *Service) search(r store.Reader, q *query, text string) error {
	text, err := contact.Line("search", text, maxSearch)
	if err != nil {
		return err
	}
	folded := contact.Fold(text)
	if folded == "" {
		return nil
	}
	ids, more, err := s.contacts.Candidates(r, text, foundLimit)
	if err != nil {
		return err
	}
	if more {
		for _, word := range strings.Fields(folded) {
			q.begun(word)
		}
		return nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	if ids == nil {
		list = []byte("[]")
	}
	from := "json_each(?) x"
	if r.Dialect() == store.Postgres {
		from = "jsonb_array_elements_text(CAST(CAST(? AS TEXT) AS JSONB)) AS x(value)"
	}
	// The condition stands for the case that another beginning is chosen.
	among := "c.id IN (SELECT x.value FROM " + from + ")"
	q.and(among, string(list))
	q.begins = append(q.begins, beginning{name: "search", from: from + " CROSS JOIN " + fromContact, on: "c.id=x.value", args: []any{string(list)}, rows: len(ids)})
	return nil
}

var escapes = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// begun is the condition that a word of what a contact is searched by begins with
// a text; for digits, also behind the country's prefix, which is up to three
// digits long.
func (q *query) begun(word string) {
	const like = `' ' || c.search_name LIKE ? ESCAPE '\'`
	if digits := phoneDigits(word); digits != "" {
		q.and("("+like+" OR "+like+")", "% "+escapes.Replace(word)+"%", "% %"+escapes.Replace(digits)+"%")
		return
	}
	if strings.HasPrefix(word, "@") {
		q.and(like, "%"+escapes.Replace(word)+"%")
		return
	}
	q.and(like, "% "+escapes.Replace(word)+"%")
}

// phoneDigits returns the digits of text that looks like a phone, without
// leading zeros, which stand for "outside" or "long distance"; else "".
func phoneDigits(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case strings.ContainsRune("+-() ./", r):
		default:
			return ""
		}
	}
	if d := strings.TrimLeft(b.String(), "0"); len(d) >= 3 {
		return d
	}
	return ""
}
