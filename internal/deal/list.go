package deal

import (
	"context"
	"database/sql"
	"strings"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// order is how a list is sorted: the table whose index has this order, its key and
// what breaks ties.
type order struct {
	deals bool   // the table is deal, else contact
	key   string // an expression of columns of that table, each written with its alias
	tie   string
	// covers: the index tells the source and the agent too.
	covers bool
}

var orders = map[string]order{
	"":              {key: "c.score", tie: "id"},                    // index contact_score
	ByScore:         {key: "c.score", tie: "id"},                    // the same; contact_source or contact_assigned when asked for
	ByCreated:       {key: "c.created_at", tie: "id", covers: true}, // index contact_created
	ByUpdated:       {key: "c.updated_at", tie: "id", covers: true}, // index contact_updated
	ByLastContacted: {key: "COALESCE(c.last_contacted_at, 0)", tie: "id"},
	ByValue:         {key: "d.value", tie: "contact_id", deals: true}, // index deal_value
}

// alias is the order's table in a query.
func (o order) alias() string {
	if o.deals {
		return "d"
	}
	return "c"
}

// bounds of the work for one list, in rows.
type bounds struct {
	page    int // so many are fetched and sorted without further thought
	few     int // no more are fetched before a walk was tried
	walk    int // how far a walk goes at first, beyond the page's own offset
	most    int // the most that are fetched or walked for any page
	hits    int // how far the cards of a common filter are counted
	counted int // the most that are looked at for that count
}

var work = bounds{page: 250, few: 5000, walk: 10_000, most: 250_000, hits: 500, counted: 1000}

// List returns a page of cards and how many there are. The total is exact when
// the filter names nothing but status, pipeline and stage, when the page is the
// last one, and when its narrowest condition selects at most 250 cards; else it may
// be less than the truth, but is larger than what the page reaches as long as there
// is more. Cards of a common filter are counted up to 500. Pages reach the first contact.CountLimit cards. Only contacts with a primary deal are listed, archived
// ones only with Status Archived. Of several Tags a card needs one. Search finds
// people as contact.Candidates does: by the beginnings of words. The work is bounded
// whatever is asked: at most 250,000 cards are looked at for a page, and nearly
// always a few thousand at most. Faults: Invalid naming the field of the filter, and
// naming "filter" when several conditions, each of which very many cards meet, are so
// rare together that this does not suffice.
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
	ids, total, err := q.page(r, by, dir, offset, f.Limit)
	if err != nil {
		return nil, 0, err
	}
	if offset >= contact.CountLimit {
		return nil, total, contact.TooFar(total)
	}
	cards, err := s.cards(r, ids)
	return cards, total, err
}

// page finds the ids of a page and the total.
func (q *query) page(r store.Reader, by order, dir string, offset, limit int) (ids []id.ID, total int, err error) {
	end := min(offset, contact.CountLimit) + limit
	b, fetch, err := q.begin(r, by, end)
	switch {
	case err != nil || b.known && b.rows == 0:
		return nil, 0, err
	case fetch:
		sql, args := q.sorting(b, r.Dialect(), by, dir)
		ids, err = collectIDs(r.Query(sql, args...))
		from := min(offset, len(ids))
		return ids[from:min(from+limit, len(ids))], len(ids), err
	}
	if offset < contact.CountLimit {
		if ids, err = q.find(r, q.through(by, b), by, dir, offset, limit); err != nil {
			return nil, 0, err
		}
	}
	more := len(ids) > limit
	ids = ids[:min(len(ids), limit)]
	end = offset + len(ids)
	switch {
	case q.dealsOnly:
		total, err = q.deals(r)
	case !more && len(ids) > 0 || offset == 0:
		if total = end; more {
			total, err = q.count(r, b)
		}
	case b.from == nil: // a page past the end of such a search
		total = offset
	default:
		total, err = q.count(r, b)
	}
	if more {
		total = max(total, end+1)
	}
	return ids, total, err
}

// find walks an index in the order of the list until a page is full, and one more. A
// walk that goes too far is given up for the rows of the narrowest condition, which
// are sorted if they are not too many either.
func (q *query) find(r store.Reader, through *beginning, by order, dir string, offset, limit int) ([]id.ID, error) {
	bound := work.walk + 4*offset
	if by.covers && through == nil && q.agentOrSource {
		bound += 4 * work.walk // rows that the index alone rejects
	}
	bound = min(bound, work.most)
	ids, all, err := q.walk(r, through, by, dir, offset, limit+1, bound)
	if err != nil || all {
		return ids, err
	}
	b, err := q.narrowest(r)
	if err != nil {
		return nil, err
	}
	if b.known {
		sql, args := q.sorting(b, r.Dialect(), by, dir)
		return collectIDs(r.Query(sql+" LIMIT ? OFFSET ?", append(args, limit+1, offset)...))
	}
	if bound < work.most {
		if ids, all, err = q.walk(r, through, by, dir, offset, limit+1, work.most); err != nil || all {
			return ids, err
		}
	}
	return nil, fault.Field("filter", "very many leads meet each of these conditions and hardly any meets all of them, so that finding them takes too long; narrow the filter, for example by the date of creation or an agent")
}

// walk walks the first rows of an order, and reports whether that was enough: the
// page is full or there were no more rows.
func (q *query) walk(r store.Reader, through *beginning, by order, dir string, offset, n, bound int) (ids []id.ID, all bool, err error) {
	sql, args, rows, rowArgs := q.walking(r.Dialect(), through, by, dir, bound)
	ids, err = collectIDs(r.Query(sql, append(args, n, offset)...))
	if err != nil || len(ids) == n {
		return ids, true, err
	}
	var met int
	err = r.QueryRow("SELECT COUNT(*) FROM ("+rows+") AS met", rowArgs...).Scan(&met)
	return ids, met < bound, err
}

func collectIDs(rows *sql.Rows, err error) ([]id.ID, error) {
	return store.Collect(rows, err, func(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) })
}
