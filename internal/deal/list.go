package deal

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// order is how a list is sorted: the column, what breaks ties, and the tables in
// the order in which a walk of the sort index meets them.
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
const join = "c.tenant_id=? AND d.tenant_id=? AND d.contact_id=c.id AND d.is_primary"

var orders = map[string]order{
	"":              {"c.score", "c.id", fromContact},      // index contact_score
	ByScore:         {"c.score", "c.id", fromContact},      // the same
	ByCreated:       {"c.created_at", "c.id", fromContact}, // index contact_created
	ByUpdated:       {"c.updated_at", "c.id", fromContact}, // index contact_updated
	ByLastContacted: {"COALESCE(c.last_contacted_at, 0)", "c.id", fromContact},
	ByValue:         {"d.value", "d.contact_id", fromDeal}, // index deal_value
}

// Bounds of the work for one list.
const (
	// fewRows is how many rows may be fetched and sorted for a page; beyond it
	// they are common enough to be met soon on a walk of the sort index.
	fewRows = 5000
	// foundLimit is how many people a search looks up before it walks.
	foundLimit = fewRows
	// aPage is how many rows are fetched and sorted without further thought.
	aPage = 250
	// countLimit is how far the cards of a common filter are counted.
	countLimit = 1000
)

// List returns a page of cards and how many there are. The total is exact when
// the filter names nothing but status, pipeline and stage, and else when it is at
// most 1,000 or the filter selects few cards; beyond it is a number larger than
// what the page reaches, as long as there is more. Pages reach the first
// contact.CountLimit cards. Only contacts with a primary deal are listed, archived
// ones only with Status Archived. Of several Tags a card needs one. Search finds
// people as contact.Candidates does: by the beginnings of words. Faults: Invalid
// naming the field of the filter.
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
	q, err := s.query(r, f)
	if err != nil {
		return nil, 0, err
	}
	begin, few, err := q.begin(r, offset+f.Limit)
	if err != nil {
		return nil, 0, err
	}
	var ids []id.ID
	var total int
	if few {
		ids, total, err = q.sorted(r, begin, by, dir, offset, f.Limit)
	} else {
		ids, total, err = q.walk(r, begin, by, dir, offset, f.Limit)
	}
	if err != nil {
		return nil, 0, err
	}
	if offset >= contact.CountLimit {
		return nil, total, contact.TooFar(total)
	}
	cards, err := s.cards(r, ids)
	return cards, total, err
}

// sorted fetches all that a beginning with few rows selects, and cuts out a page.
func (q *query) sorted(r store.Reader, b beginning, by order, dir string, offset, limit int) ([]id.ID, int, error) {
	sql, args := q.statement(b, r.Dialect(), by, dir)
	ids, err := collectIDs(r.Query(sql, args...))
	total := len(ids)
	from := min(offset, total)
	return ids[from:min(from+limit, total)], total, err
}

// walk walks the index of the sort order until a page is full.
func (q *query) walk(r store.Reader, b beginning, by order, dir string, offset, limit int) (ids []id.ID, total int, err error) {
	if offset < contact.CountLimit {
		sql, args := q.walking(r.Dialect(), by, dir)
		if ids, err = collectIDs(r.Query(sql, append(args, limit+1, offset)...)); err != nil {
			return nil, 0, err
		}
	}
	more := len(ids) > limit
	ids = ids[:min(len(ids), limit)]
	end := offset + len(ids)
	switch {
	case q.dealsOnly:
		total, err = q.deals(r)
	case !more && len(ids) > 0 || offset == 0:
		if total = end; more {
			total, err = q.count(r, b)
		}
	case b.from == "": // a page past the end of such a search
		total = offset
	default:
		total, err = q.count(r, b)
	}
	if more {
		total = max(total, end+1)
	}
	return ids, total, err
}

func collectIDs(rows *sql.Rows, err error) ([]id.ID, error) {
	return store.Collect(rows, err, func(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) })
}

// statement is the query of all ids that begin with b, sorted.
func (q *query) statement(b beginning, d store.Dialect, by order, dir string) (string, []any) {
	where, args := q.conditions("", d)
	if b.on != "" {
		where += " AND " + b.on
	}
	column := by.column
	if d == store.SQLite { // a sort, not a walk of the index that has this order
		column = "+" + column
	}
	return "SELECT c.id FROM " + b.from + " WHERE " + where + " ORDER BY " + column + " " + dir + ", " + by.tie + " " + dir,
		append(slices.Clone(b.args), args...)
}

// walking is the query of a page of ids by the index of its order; the last two
// arguments are its limit and offset.
func (q *query) walking(d store.Dialect, by order, dir string) (string, []any) {
	where, args := q.conditions(by.column, d)
	return "SELECT c.id FROM " + by.from + " WHERE " + where + " ORDER BY " + by.column + " " + dir + ", " + by.tie + " " + dir + " LIMIT ? OFFSET ?", args
}

// count counts what the query selects, through the narrowest index, one beyond
// countLimit at most.
func (q *query) count(r store.Reader, b beginning) (n int, err error) {
	if b.from == "" { // a search that finds thousands
		return countLimit + 1, nil
	}
	where, args := q.conditions("", r.Dialect())
	if b.on != "" {
		where += " AND " + b.on
	}
	args = append(append(slices.Clone(b.args), args...), countLimit+1)
	err = r.QueryRow("SELECT COUNT(*) FROM (SELECT 1 FROM "+b.from+" WHERE "+where+" LIMIT ?) AS counted", args...).Scan(&n)
	return n, err
}
