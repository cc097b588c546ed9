package interaction

import (
	"database/sql"
	"strconv"
	"strings"

	"parley/internal/store"
)

// found is a row that may be an interaction.
type found struct {
	place
	table string // message, activity or note
}

// stream gives the rows of one source in the order of the list, a few at a time.
type stream struct {
	table  string
	rising bool
	left   span // what was not looked at yet
	size   int  // rows of one fill
	buffer []found
	done   bool
	fill   func(r store.Reader, st *stream) error
}

// head returns the next row without taking it.
func (st *stream) head(r store.Reader) (f found, ok bool, err error) {
	for len(st.buffer) == 0 && !st.done {
		if err := st.fill(r, st); err != nil {
			return f, false, err
		}
	}
	if len(st.buffer) == 0 {
		return f, false, nil
	}
	return st.buffer[0], true, nil
}

// pass moves the bound from which the rest is looked at.
func (st *stream) pass(p place) {
	if st.rising {
		st.left.low = p
	} else {
		st.left.high = p
	}
}

// between are the conditions for the rest of a span, with the columns of an alias;
// end, when there is one, is the last row of it instead of the far bound. The
// row-value comparison begins where the last fill ended, in the middle of a
// millisecond if need be, and the plain one bounds the other side: of each side an
// index takes one.
func (st *stream) between(alias string, end *place) (where string, args []any) {
	at, row := alias+"created_at", "("+alias+"created_at, "+alias+"id)"
	near, far := st.left.high, st.left.low
	ahead, upTo, short := "<(?,?) AND ", ">=? AND ", ">(?,?)"
	if st.rising {
		near, far = far, near
		ahead, upTo, short = ">(?,?) AND ", "<=? AND ", "<(?,?)"
	}
	if end != nil {
		far, short = *end, short[:1]+"=(?,?)"
	}
	return row + ahead + at + upTo + row + short, []any{near.at, near.id, far.at, far.at, far.id}
}

func (st *stream) order(alias string) string {
	down := " DESC"
	if st.rising {
		down = ""
	}
	return " ORDER BY " + alias + "created_at" + down + ", " + alias + "id" + down
}

func (st *stream) collect(rows *sql.Rows, err error) error {
	st.buffer, err = store.Collect(rows, err, func(rows *sql.Rows) (f found, err error) {
		f.table = st.table
		return f, rows.Scan(&f.at, &f.id)
	})
	return err
}

// branch is one part of a stream: conditions that name the beginning of an index,
// each of them followed by AND.
type branch struct {
	where string
	args  []any
}

// direct reads along an index whose beginning each branch names, in the order of
// the list: a fill costs at most size entries of each branch.
func direct(table string, branches []branch) *stream {
	return &stream{table: table, size: fillSize, fill: func(r store.Reader, st *stream) error {
		between, bounds := st.between("", nil)
		tail := st.order("") + " LIMIT " + strconv.Itoa(st.size)
		var parts []string
		var args []any
		for _, b := range branches {
			parts = append(parts, "SELECT created_at, id FROM "+table+" WHERE tenant_id=? AND "+b.where+between+tail)
			args = append(append(args, b.args...), bounds...)
		}
		q := parts[0]
		if len(parts) > 1 {
			q = "SELECT created_at, id FROM (SELECT * FROM (" + strings.Join(parts, ") AS b UNION ALL SELECT * FROM (") + ") AS b) AS u" + tail
		}
		if err := st.collect(r.Query(q, args...)); err != nil {
			return err
		}
		if len(st.buffer) < st.size {
			st.done = true
		} else {
			st.pass(st.buffer[len(st.buffer)-1].place)
		}
		return nil
	}}
}

// sieve joins other tables to a row t of a walk and says which rows go through. It
// is read in the order it is written (CROSS JOIN), from the row to its contact.
type sieve struct {
	join  string
	where string // each condition preceded by AND
	args  []any
}

// walk reads a stretch of entries along the index that the branch begins, and
// keeps what the sieve lets through: a fill costs that stretch, however rare what
// is looked for is. While it finds nothing the stretches grow.
func walk(table string, b branch, keep sieve) *stream {
	return &stream{table: table, size: fillSize, fill: func(r store.Reader, st *stream) error {
		var end place
		between, bounds := st.between("", nil)
		more, err := store.Found(r.QueryRow("SELECT created_at, id FROM "+table+" WHERE tenant_id=? AND "+b.where+between+st.order("")+
			" LIMIT 1 OFFSET "+strconv.Itoa(st.size-1), append(append([]any{}, b.args...), bounds...)...).Scan(&end.at, &end.id))
		if err != nil {
			return err
		}
		last := &end
		if !more {
			last = nil
		}
		between, bounds = st.between("t.", last)
		args := append(append(append([]any{}, b.args...), bounds...), keep.args...)
		if err := st.collect(r.Query("SELECT t.created_at, t.id FROM "+table+" t "+keep.join+" WHERE t.tenant_id=? AND "+b.where+between+keep.where+st.order("t."), args...)); err != nil {
			return err
		}
		if st.done = !more; more {
			st.pass(end)
			st.size = min(st.size*2, longest)
		}
		return nil
	}}
}

const (
	fillSize = 500
	longest  = 8000
)
