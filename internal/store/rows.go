package store

import (
	"database/sql"
	"strings"
)

// InsertRows inserts many rows by few statements and returns how many were
// stored. into names the table and its columns, "t (tenant_id, a, b)"; each row
// holds the values of the columns but the tenant's; suffix, such as "ON CONFLICT
// DO NOTHING", may be empty.
func InsertRows(tx *Tx, into string, rows [][]any, suffix string) (int64, error) {
	var stored int64
	for len(rows) > 0 {
		n := atOnce(len(rows))
		done, err := affected(tx.c.exec(tx.ctx, rowsText(tx.Dialect(), into, "", len(rows[0]), n, suffix), tx.flat(rows[:n])))
		if err != nil {
			return stored, err
		}
		stored += done
		rows = rows[n:]
	}
	return stored, nil
}

// InsertFedRows is InsertFed for many rows: into names the tenant_id and the xid
// first, and the rows hold the values of the other columns. When told, it returns
// where each row stands in the feed, in the order given.
func (tx *Tx) InsertFedRows(into string, rows [][]any, told bool) (places [][2]int64, err error) {
	d := tx.Dialect()
	xid := "," + d.XID()
	for len(rows) > 0 {
		n := atOnce(len(rows))
		switch {
		case d == SQLite:
			res, err := tx.c.exec(tx.ctx, rowsText(d, into, xid, len(rows[0]), n, ""), tx.flat(rows[:n]))
			if err != nil {
				return nil, err
			}
			last, err := res.LastInsertId()
			if err != nil {
				return nil, err
			}
			// Nobody else writes, and each row is counted one above the largest.
			for i := range n {
				places = append(places, [2]int64{0, last - int64(n-1-i)})
			}
		case !told:
			if _, err := tx.c.exec(tx.ctx, rowsText(d, into, xid, len(rows[0]), n, ""), tx.flat(rows[:n])); err != nil {
				return nil, err
			}
		default:
			got, err := tx.c.query(tx.ctx, rowsText(d, into, xid, len(rows[0]), n, "RETURNING xid, seq"), tx.flat(rows[:n]))
			list, err := Collect(got, err, func(r *sql.Rows) (p [2]int64, err error) { return p, r.Scan(&p[0], &p[1]) })
			if err != nil {
				return nil, err
			}
			places = append(places, list...)
		}
		rows = rows[n:]
	}
	return places, nil
}

// atOnce returns how many of n rows one statement takes: a power of two, so that
// few statements are prepared.
func atOnce(n int) int {
	at := 128
	for at > n {
		at /= 2
	}
	return at
}

// flat returns the values of rows in one list, each row's behind the tenant.
func (tx *Tx) flat(rows [][]any) []any {
	args := make([]any, 0, len(rows)*(len(rows[0])+1))
	var tenant any = tx.tenant // made an interface once
	for _, row := range rows {
		args = append(args, tenant)
		for _, v := range row {
			args = append(args, value(v))
		}
	}
	return args
}

// rowsText is the statement that inserts n rows of width values besides the
// tenant's. Its placeholders have no numbers: SQLite looks each number up in a
// list of all of them, which takes longer than the insert.
//
// On SQLite a row that is refused ends the statement and leaves the rows before
// it (OR FAIL). Undoing these alone takes a copy of every page that the statement
// touches, and is for nothing: after an error the whole closure is undone.
func rowsText(d Dialect, into, fixed string, width, n int, suffix string) string {
	if !strings.Contains(into, "(tenant_id,") {
		panic("store: these rows do not name their tenant first: " + into)
	}
	insert := "INSERT INTO "
	if d == SQLite {
		insert = "INSERT OR FAIL INTO "
	}
	row := "(?" + fixed + strings.Repeat(",?", width) + ")"
	return insert + into + " VALUES " + row + strings.Repeat(","+row, n-1) + " " + suffix
}
