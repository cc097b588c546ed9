package deal

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// order is how a list is sorted: the column, and the table that the query
// begins with, so that it walks an index in that order and stops at the limit.
type order struct {
	column string
	tie    string
	from   string
}

// SQLite takes the tables of a CROSS JOIN in the order written; for PostgreSQL
// it is an ordinary join, which it orders by its statistics.
const (
	fromContact = "contact c CROSS JOIN deal d"
	fromDeal    = "deal d CROSS JOIN contact c"
)

// join binds a contact and its primary deal together.
const join = "c.tenant_id=? AND d.tenant_id=c.tenant_id AND d.contact_id=c.id AND d.is_primary"

// listed are the statuses of cards that are not archived; named one by one, an
// index can find them.
const listed = "('open','won','lost')"

var orders = map[string]order{
	"":              {"c.score", "c.id", fromContact},
	ByScore:         {"c.score", "c.id", fromContact},
	ByCreated:       {"c.created_at", "c.id", fromContact},
	ByUpdated:       {"c.updated_at", "c.id", fromContact},
	ByLastContacted: {"COALESCE(c.last_contacted_at, 0)", "c.id", fromContact},
	ByValue:         {"d.value", "d.contact_id", fromDeal},
}

// maxSearch bounds the text of a search, in characters.
const maxSearch = 200

// List returns a page of cards and how many there are: exactly up to
// contact.CountLimit, one more for all that is beyond, where pages do not
// reach. Only contacts with a primary deal are listed, archived ones only with
// Status Archived. Of several Tags a card needs one. Search looks for a part of
// the names, the phones (in any form) and the e-mail addresses, whatever case
// and accents. Faults: Invalid naming the field of the filter.
func (s *Service) List(ctx context.Context, tenant id.ID, f CardFilter) ([]Card, int, error) {
	offset, err := contact.Page(&f.Page, &f.Limit)
	if err != nil {
		return nil, 0, err
	}
	by, ok := orders[f.SortBy]
	if !ok {
		return nil, 0, fault.Field("sortBy", "sort by one of score, createdAt, updatedAt, dealValue, lastContactedAt")
	}
	dir := "DESC"
	switch strings.ToLower(f.SortDir) {
	case "", "desc":
	case "asc":
		dir = "ASC"
	default:
		return nil, 0, fault.Field("sortDir", "the direction is asc or desc")
	}
	r := s.db.Read(ctx, tenant)
	q, err := f.query(r.Dialect())
	if err != nil {
		return nil, 0, err
	}
	var ids []id.ID
	if offset < contact.CountLimit {
		few, err := q.few(r)
		if err != nil {
			return nil, 0, err
		}
		rows, err := r.Query(q.page(by, dir, few), append(slices.Clip(q.args), f.Limit, offset)...)
		ids, err = store.Collect(rows, err, func(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) })
		if err != nil {
			return nil, 0, err
		}
	}
	total := offset + len(ids)
	if len(ids) == f.Limit || len(ids) == 0 && offset > 0 {
		if total, err = q.count(r); err != nil {
			return nil, 0, err
		}
	}
	if offset >= contact.CountLimit {
		return nil, total, contact.TooFar(total)
	}
	cards, err := s.cards(r, ids)
	return cards, total, err
}

// query is the condition of a list.
type query struct {
	where  string
	args   []any
	deals  int  // how much of where, behind the join, looks at the deal alone
	given  int  // and how many args that takes
	narrow bool // may select few of the tenant's deals
}

func (q *query) and(cond string, args ...any) {
	q.where += " AND " + cond
	q.args = append(q.args, args...)
}

// fewDeals is how many deals are sooner sorted than found by walking contacts.
const fewDeals = 2000

// few reports whether so few deals qualify that the list begins with them.
func (q *query) few(r store.Reader) (bool, error) {
	if !q.narrow {
		return false, nil
	}
	n, err := q.countDeals(r, fewDeals+1)
	return n <= fewDeals, err
}

// page is the statement of one page of ids.
func (q *query) page(by order, dir string, few bool) string {
	from := by.from
	if few {
		from = fromDeal
	}
	return "SELECT c.id FROM " + from + " WHERE " + q.where + " ORDER BY " + by.column + " " + dir + ", " + by.tie + " " + dir + " LIMIT ? OFFSET ?"
}

// query compiles the filter. Whether a card is archived is the deal's status
// alone, so that lists, boards and totals agree.
func (f *CardFilter) query(d store.Dialect) (q query, err error) {
	q.where = join
	switch f.Status {
	case "":
		q.and("d.status IN " + listed)
	case Open, Won, Lost, Archived:
		q.and("d.status = ?", f.Status)
		q.narrow = f.Status != Open // most are open
	default:
		return q, fault.Field("status", "the status of a lead is open, won, lost or archived")
	}
	if !f.Pipeline.IsZero() {
		q.and("d.pipeline_id = ?", f.Pipeline)
		q.narrow = true
	}
	if !f.Stage.IsZero() {
		q.and("d.stage_id = ?", f.Stage)
		q.narrow = true
	}
	q.deals, q.given = len(q.where), len(q.args)
	if f.Source != "" {
		q.and("c.source = ?", f.Source)
	}
	if f.AssignedTo != "" {
		q.and("c.assigned_to = ?", f.AssignedTo)
	}
	if f.MinScore != nil {
		q.and("c.score >= ?", *f.MinScore)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Refs)) {
		if !slices.Contains(RefFilters, name) {
			return q, fault.Field(name, "leads can be filtered by the references %s", strings.Join(RefFilters, ", "))
		}
		q.and(d.JSONText("c.refs", name)+" = ?", f.Refs[name])
	}
	if !f.From.IsZero() {
		q.and("c.created_at >= ?", f.From)
	}
	if !f.To.IsZero() {
		q.and("c.created_at <= ?", f.To)
	}
	tags, err := contact.Tags("tags", f.Tags)
	if err != nil {
		return q, err
	}
	if n := len(tags); n > 0 {
		args := make([]any, n)
		for i, t := range tags {
			args[i] = t
		}
		q.and("EXISTS (SELECT 1 FROM contact_tag t WHERE t.tenant_id=c.tenant_id AND t.contact_id=c.id AND t.tag IN (?"+strings.Repeat(",?", n-1)+"))", args...)
	}
	if err := q.search(f.Search); err != nil {
		return q, err
	}
	for _, v := range []string{f.Source, f.AssignedTo} {
		if _, err := contact.Line("filter", v, 1000); err != nil {
			return q, err
		}
	}
	return q, nil
}

func (q *query) search(text string) error {
	text, err := contact.Line("search", text, maxSearch)
	if err != nil {
		return err
	}
	folded := contact.Fold(text)
	if folded == "" {
		return nil
	}
	const like = `c.search_name LIKE ? ESCAPE '\'`
	if digits := phoneDigits(folded); digits != "" && digits != folded {
		q.and("("+like+" OR "+like+")", pattern(folded), pattern(digits))
		return nil
	}
	q.and(like, pattern(folded))
	return nil
}

var escapes = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func pattern(s string) string { return "%" + escapes.Replace(s) + "%" }

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

// count counts what the filter selects, one beyond the limit at most.
func (q *query) count(r store.Reader) (n int, err error) {
	if len(q.where) == q.deals { // no condition looks at the contact
		return q.countDeals(r, contact.CountLimit+1)
	}
	err = r.QueryRow("SELECT COUNT(*) FROM (SELECT 1 FROM "+fromContact+" WHERE "+q.where+" LIMIT ?) AS counted", append(slices.Clip(q.args), contact.CountLimit+1)...).Scan(&n)
	return n, err
}

// countDeals counts the deals that qualify by themselves, up to limit. The index
// deal_totals answers it.
func (q *query) countDeals(r store.Reader, limit int) (n int, err error) {
	err = r.QueryRow("SELECT COUNT(*) FROM (SELECT 1 FROM deal d WHERE d.tenant_id=? AND d.is_primary"+q.where[len(join):q.deals]+" LIMIT ?) AS counted",
		append(slices.Clip(q.args[:q.given]), limit)...).Scan(&n)
	return n, err
}
