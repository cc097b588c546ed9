package handover

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"

	"parley/internal/fault"
	"parley/internal/store"
)

// errEnough, from the function of a walk, ends it without an error.
var errEnough = errors.New("enough")

// walkPage is how many rows a walk hands on at once.
const walkPage = 500

// Walk calls each with the rows of a list from the last created to the first, some
// hundred at a time, without a cap: memory stays the same however long the list is.
// It reads page by page and holds no snapshot: what is created meanwhile is not met,
// what moves meanwhile is met as it is then. Limit does not count. An error of each
// ends it. Faults are those of List.
func (s *Service) Walk(r store.Reader, f Filter, each func(page []Work) error) error {
	return s.walk(r, f, false, walkPage, each)
}

// walk is Walk in either direction; want is how many rows the caller looks for.
func (s *Service) walk(r store.Reader, f Filter, rising bool, want int, each func(page []Work) error) error {
	if f.Status != "" && !slices.Contains(Statuses, f.Status) {
		return fault.Field("status", "status must be one of %s", strings.Join(Statuses, ", "))
	}
	keep, err := s.narrow(r, &f)
	if err != nil {
		return err
	}
	q, some, err := s.query(r, f)
	if err != nil || !some {
		return err
	}
	w := walker{r: r, q: q, rising: rising, branches: make([]cursor, len(q.each)), size: max(20, min(walkPage, 2*want/len(q.each)))}
	if len(q.each) == 1 {
		w.size = min(walkPage, want)
	}
	if keep != nil {
		w.size = walkPage
	}
	for {
		page, err := w.next(min(walkPage, max(want, w.size)))
		if err != nil || len(page) == 0 {
			return err
		}
		if keep != nil {
			if page, err = keep(page); err != nil {
				return err
			}
		}
		if len(page) == 0 {
			continue
		}
		if err := each(page); err == errEnough {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// walker reads the branches of a query side by side, each in pages along its index,
// and merges them by the order of the list.
type walker struct {
	r        store.Reader
	q        query
	rising   bool
	branches []cursor
	size     int // rows of one read of a branch
}

// cursor is how far a branch is read.
type cursor struct {
	rows []Work // read and not taken yet
	at   Work   // the last one read
	done bool
}

// next returns at most n rows, none when the list is at its end.
func (w *walker) next(n int) ([]Work, error) {
	var out []Work
	for len(out) < n {
		best := -1
		for i := range w.branches {
			c := &w.branches[i]
			if len(c.rows) == 0 && !c.done {
				if err := w.fill(i); err != nil {
					return nil, err
				}
			}
			if len(c.rows) > 0 && (best < 0 || w.before(c.rows[0], w.branches[best].rows[0])) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		c := &w.branches[best]
		out, c.rows = append(out, c.rows[0]), c.rows[1:]
	}
	return out, nil
}

// before tells the order of two rows.
func (w *walker) before(a, b Work) bool {
	c := a.CreatedAt.Compare(b.CreatedAt)
	if c == 0 {
		c = bytes.Compare(a.Contact[:], b.Contact[:])
	}
	return c < 0 == w.rising
}

func (w *walker) fill(i int) error {
	c := &w.branches[i]
	text, args := w.text(i)
	list, err := collect(w.r.Query(text, args...))
	if err != nil {
		return err
	}
	c.rows, c.done = list, len(list) < w.size
	if w.q.each[i].whole {
		c.done = true
		slices.SortFunc(list, func(a, b Work) int {
			if w.before(a, b) {
				return -1
			}
			return 1
		})
	}
	if len(list) > 0 {
		c.at = list[len(list)-1]
	}
	return nil
}

// text is the statement that reads a branch on. Where it goes on takes the place
// of the bound that the branch began with: one bound is what an index takes.
func (w *walker) text(i int) (string, []any) {
	b, low, high := w.q.each[i], w.q.low, w.q.high
	order, beyond, moving := " ORDER BY created_at DESC, contact_id DESC", "<", &high
	if w.rising {
		order, beyond, moving = " ORDER BY created_at, contact_id", ">", &low
	}
	if at := w.branches[i].at; !at.Contact.IsZero() {
		*moving = bound{"(created_at, contact_id) " + beyond + " (?,?)", []any{at.CreatedAt, at.Contact}}
	}
	conditions := []bound{low, high, {strings.Join(w.q.where, " AND "), w.q.args}}
	if b.whole {
		// The limit keeps the databases from any index but the key's.
		text, args := "SELECT "+columns+" FROM (SELECT * FROM handover WHERE tenant_id=? AND "+b.where+" LIMIT 100000) AS those", b.args
		where, more := all(conditions)
		if where != "" {
			text += " WHERE " + where
		}
		return text, append(slices.Clone(args), more...)
	}
	where, args := all(append([]bound{{"tenant_id=?", nil}, {b.where, b.args}}, conditions...))
	return "SELECT " + columns + " FROM handover WHERE " + where + order + " LIMIT " + strconv.Itoa(w.size), args
}

// all joins conditions; empty ones do not bind.
func all(conditions []bound) (string, []any) {
	var where []string
	var args []any
	for _, c := range conditions {
		if c.where != "" {
			where, args = append(where, c.where), append(args, c.args...)
		}
	}
	return strings.Join(where, " AND "), args
}
