package deal

import (
	"database/sql"

	"parley/internal/id"
	"parley/internal/store"
)

// tally is what the table deal_tally keeps of the deals that stand in a stage in
// one status. The database's triggers keep it (docs/decisions/0012).
type tally struct {
	pipeline, stage id.ID
	status          string
	deals           int
	primaries       int // cards: deals that a list of cards shows
	value           float64
}

// tallies reads the tallies that a condition selects: a few rows, whatever the
// number of deals.
func tallies(r store.Reader, where string, args ...any) ([]tally, error) {
	rows, err := r.Query("SELECT pipeline_id, stage_id, status, SUM(deals), SUM(primaries), SUM(CAST(whole AS DOUBLE PRECISION)), SUM(CAST(millionths AS DOUBLE PRECISION))"+
		" FROM deal_tally WHERE tenant_id=?"+where+" GROUP BY pipeline_id, stage_id, status", args...)
	return store.Collect(rows, err, func(rows *sql.Rows) (t tally, err error) {
		var whole, millionths float64
		err = rows.Scan(&t.pipeline, &t.stage, &t.status, &t.deals, &t.primaries, &whole, &millionths)
		t.value = whole + millionths/1e6
		return t, err
	})
}
