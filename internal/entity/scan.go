package entity

import (
	"database/sql"
	"strings"

	"parley/internal/id"
	"parley/internal/store"
)

// hit is an entity that matches.
type hit struct {
	id     id.ID
	schema string
	key    int64 // the value of the order's column
	title  string
	doc    Doc // when it was read
}

// order is the order of a list along an index: by a column and then by id, or by
// id alone.
type order struct {
	column string // "" for none
	desc   bool
}

// mark is a place in an order. The zero mark is before everything.
type mark struct {
	key int64
	id  string
	set bool
}

// beyond writes the condition for what follows a mark, or for what does not go
// beyond it.
func (o order) beyond(t *table, m mark, not bool) (string, []any) {
	if !m.set {
		return "", nil
	}
	sign := ">"
	switch {
	case o.desc && not:
		sign = ">="
	case o.desc:
		sign = "<"
	case not:
		sign = "<="
	}
	if o.column == "" {
		return " AND " + t.name + ".id" + sign + "?", []any{m.id}
	}
	return " AND (" + o.column + ", " + t.name + ".id)" + sign + "(?,?)", []any{m.key, m.id}
}

func (o order) by(t *table) string {
	way := ""
	if o.desc {
		way = " DESC"
	}
	if o.column == "" {
		return " ORDER BY " + t.name + ".id" + way
	}
	return " ORDER BY " + o.column + way + ", " + t.name + ".id" + way
}

func (o order) selected() string {
	if o.column == "" {
		return "0"
	}
	return o.column
}

// scan walks the matching rows of a table in an order. It passes a window of rows
// after the other, so that a filter that finds nothing costs no more than its
// budget.
type scan struct {
	r     store.Reader
	ask   *asked
	order order
	at    mark // where it stands
	left  int  // what it may still cost, in rows
	step  int  // rows of a window
	few   int  // rows of a query
	// also, when set, is asked about rows that matched otherwise.
	also func([]hit) ([]hit, error)
	done bool // nothing is left
}

// cost of a document, in rows that SQL passes.
const cost = 8

// run calls yield for matching entities in order until it returns false, the
// budget is spent, or nothing is left; at is then where another scan goes on.
func (s *scan) run(yield func(hit) bool) error {
	for s.left > 0 && !s.done {
		edge, more, err := s.edge()
		if err != nil {
			return err
		}
		on, err := s.window(edge, yield)
		if err != nil || !on {
			return err
		}
		s.left -= s.step
		if !more {
			s.done = true
		}
		s.at = edge
	}
	return nil
}

// edge is the last row of the next window; more tells that rows may follow it.
func (s *scan) edge() (mark, bool, error) {
	t := s.ask.t
	of, args := s.ask.of()
	from, values := s.order.beyond(t, s.at, false)
	live := ""
	if t.scope != "" {
		live = " AND " + t.live // the index of a schema holds living rows only
	}
	var m mark
	found, err := store.Found(s.r.QueryRow("SELECT "+s.order.selected()+", "+t.name+".id FROM "+t.name+" WHERE "+t.name+".tenant_id=?"+live+of+from+s.order.by(t)+" LIMIT 1 OFFSET ?",
		append(append(args, values...), s.step-1)...).Scan(&m.key, &m.id))
	m.set = found
	return m, found, err
}

// window yields the matching rows up to an edge, all that follow when it is none.
// on tells whether to go on behind it.
func (s *scan) window(edge mark, yield func(hit) bool) (on bool, err error) {
	t := s.ask.t
	upTo, ends := s.order.beyond(t, edge, true)
	of, scope := s.ask.of()
	from := t.joined(s.ask.sql + " " + t.title)
	if s.few <= 0 || s.few > batch {
		s.few = batch
	}
	for {
		after, begins := s.order.beyond(t, s.at, false)
		args := append(append(append([]any{}, scope...), begins...), ends...)
		args = append(append(args, s.ask.args...), s.few)
		rows, err := s.r.Query("SELECT "+t.name+".id, "+s.order.selected()+", "+t.title+" FROM "+from+" WHERE "+t.name+".tenant_id=? AND "+t.live+of+after+upTo+
			" AND "+s.ask.sql+s.order.by(t)+" LIMIT ?", args...)
		list, err := store.Collect(rows, err, func(rows *sql.Rows) (h hit, err error) {
			return h, rows.Scan(&h.id, &h.key, store.Text(&h.title))
		})
		if err != nil {
			return false, err
		}
		n := len(list)
		var last mark
		if n > 0 {
			last = markOf(list[n-1])
		}
		if !s.ask.exact {
			s.left -= cost * n
			if list, err = s.ask.among(s.r, list); err != nil {
				return false, err
			}
		}
		if s.also != nil && len(list) > 0 {
			s.left -= cost * len(list)
			if list, err = s.also(list); err != nil {
				return false, err
			}
		}
		for _, h := range list {
			if !yield(h) {
				s.at = markOf(h)
				return false, nil
			}
		}
		if n < s.few {
			return true, nil
		}
		s.at = last
		if s.left <= 0 {
			return false, nil
		}
		s.few = batch
	}
}

// count counts the matching rows of the whole table in SQL, up to most of them or
// as far as the budget goes; the filter is exact.
func (s *scan) count(most int64) (n int64, err error) {
	t := s.ask.t
	from := t.joined(s.ask.sql)
	of, scope := s.ask.of()
	c := &scan{r: s.r, ask: s.ask, order: s.order, step: s.step}
	for left := budget; left > 0 && n < most; left -= c.step {
		edge, more, err := c.edge()
		if err != nil {
			return 0, err
		}
		after, begins := c.order.beyond(t, c.at, false)
		upTo, ends := c.order.beyond(t, edge, true)
		args := append(append(append([]any{}, scope...), begins...), ends...)
		args = append(append(args, s.ask.args...), most-n)
		var some int64
		if err := s.r.QueryRow("SELECT COUNT(*) FROM (SELECT 1 FROM "+from+" WHERE "+t.name+".tenant_id=? AND "+t.live+of+after+upTo+" AND "+s.ask.sql+" LIMIT ?) AS counted", args...).Scan(&some); err != nil {
			return 0, err
		}
		if n += some; !more {
			break
		}
		c.at = edge
	}
	return n, nil
}

func markOf(h hit) mark { return mark{h.key, h.id.String(), true} }

// among returns those of some hits whose documents match, with the documents.
func (a *asked) among(r store.Reader, list []hit) ([]hit, error) {
	out := list[:0]
	docs := make(map[id.ID]Doc, len(list))
	ids := make([]id.ID, len(list))
	for i, h := range list {
		ids[i] = h.id
	}
	for i := 0; i < len(ids); i += batch {
		if err := a.t.load(r, ids[i:min(i+batch, len(ids))], a.schema, docs); err != nil {
			return nil, err
		}
	}
	for _, h := range list {
		if d := docs[h.id]; d != nil && a.matches(d) {
			h.doc = d
			out = append(out, h)
		}
	}
	return out, nil
}

// count counts the matching rows in SQL; the filter is exact.
func (a *asked) count(r store.Reader) (n int64, err error) {
	t := a.t
	of, args := a.of()
	err = r.QueryRow("SELECT COUNT(*) FROM "+t.joined(a.sql)+" WHERE "+t.name+".tenant_id=? AND "+t.live+of+" AND "+a.sql, append(args, a.args...)...).Scan(&n)
	return n, err
}

// title of a document.
func title(d Doc) string {
	s, _ := d["_title"].(string)
	return s
}

// identOf is the id of a document.
func identOf(d Doc) id.ID {
	s, _ := d["_id"].(string)
	v, _, _ := id.FromUUID(strings.ToLower(s))
	return v
}
