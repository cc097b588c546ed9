package event

import (
	"context"
	"database/sql"
	"testing"

	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestFollowingGoesStraightToItsPlace: a reader at the end of a long feed must
// not read the feed again, which nothing but its slowness would tell.
func TestFollowingGoesStraightToItsPlace(t *testing.T) {
	r := storetest.SQLite(t).Read(context.Background(), id.Zero).All()
	order := inOrder(store.SQLite, " DESC")
	for query, by := range map[string]string{
		"WHERE " + follows(store.SQLite) + " ORDER BY xid, seq":                   "SEARCH event USING INTEGER PRIMARY KEY (rowid>?)",
		"WHERE tenant_id='x' AND " + follows(store.SQLite) + " ORDER BY xid, seq": "SEARCH event USING INDEX event_by_tenant (tenant_id=? AND xid=? AND seq>?)",
		"WHERE 0=? AND 1=? ORDER BY " + order:                                     "SCAN event",
	} {
		rows, err := r.Query("EXPLAIN QUERY PLAN SELECT "+columns+" FROM event "+query+" LIMIT ?", 0, 1, 10)
		steps, err := store.Collect(rows, err, func(rows *sql.Rows) (step string, err error) {
			var x int
			return step, rows.Scan(&x, &x, &x, &step)
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(steps) != 1 || steps[0] != by { // no second step: nothing is sorted
			t.Errorf("%q: %q, want %q", query, steps, by)
		}
	}
}
