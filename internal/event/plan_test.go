package event

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestFollowingGoesStraightToItsPlace: a reader at the end of a long feed must
// not read the feed again, which nothing but its slowness would tell.
func TestFollowingGoesStraightToItsPlace(t *testing.T) {
	r := storetest.SQLite(t).Read(context.Background(), id.Zero).All()
	for _, tenant := range []string{"", "tenant_id='x' AND "} {
		rows, err := r.Query("EXPLAIN QUERY PLAN SELECT "+columns+" FROM event WHERE "+tenant+follows(store.SQLite)+" ORDER BY xid, seq LIMIT ?", 0, 1, 10)
		steps, err := store.Collect(rows, err, func(rows *sql.Rows) (step string, err error) {
			var x int
			return step, rows.Scan(&x, &x, &x, &step)
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(steps) != 1 || !strings.Contains(steps[0], "SEARCH") || !strings.Contains(steps[0], "xid=? AND seq>?") {
			t.Errorf("%q: %q", tenant, steps)
		}
	}
}
