package deal

import (
	"math"

	"parley/internal/id"
	"parley/internal/store"
)

// insertMany writes new deals and tallies them. On PostgreSQL a trigger tallies
// once per statement. SQLite's works row by row, which takes as long as a third of
// the inserting, so the batch holds it back and adds up by itself: within one
// transaction of the one writer, so that nobody meets the trigger held.
func insertMany(tx *store.Tx, made []Deal) error {
	if len(made) == 0 {
		return nil
	}
	rows := make([][]any, len(made))
	for i := range made {
		rows[i] = made[i].row()
	}
	hold := tx.Dialect() == store.SQLite
	if hold {
		if _, err := tx.System().Exec("INSERT INTO deal_tally_held (one) VALUES (1)"); err != nil {
			return err
		}
	}
	if _, err := store.InsertRows(tx, dealInto, rows, ""); err != nil || !hold {
		return err
	}
	if _, err := tx.System().Exec("DELETE FROM deal_tally_held"); err != nil {
		return err
	}
	return addUp(tx, made)
}

// addUp adds new deals to SQLite's tally, as its trigger would.
func addUp(tx *store.Tx, made []Deal) error {
	type place struct {
		pipeline, stage id.ID
		status          string
	}
	type sum struct{ deals, primaries, whole, millionths int64 }
	sums := map[place]*sum{}
	for i := range made {
		d := &made[i]
		at := place{d.Pipeline, d.Stage, d.Status}
		if sums[at] == nil {
			sums[at] = &sum{}
		}
		whole, millionths := parts(d.Value)
		t := sums[at]
		t.deals, t.whole, t.millionths = t.deals+1, t.whole+whole, t.millionths+millionths
		if d.Primary {
			t.primaries++
		}
	}
	for at, t := range sums {
		_, err := tx.Exec("INSERT INTO deal_tally (tenant_id, pipeline_id, stage_id, status, slot, deals, primaries, whole, millionths) VALUES (?,?,?,?,0,?,?,?,?)"+
			" ON CONFLICT (tenant_id, pipeline_id, stage_id, status, slot) DO UPDATE SET deals=deals+excluded.deals, primaries=primaries+excluded.primaries,"+
			" whole=whole+excluded.whole, millionths=millionths+excluded.millionths",
			at.pipeline, at.stage, at.status, t.deals, t.primaries, t.whole, t.millionths)
		if err != nil {
			return err
		}
	}
	return nil
}

// parts splits a value into whole units and millionths exactly as the triggers
// do: what a trigger takes away later must be what was added here.
func parts(v float64) (whole, millionths int64) {
	whole = int64(v)
	rest := (v - math.Trunc(v)) * 1e6
	return whole, int64(float64(rest) + 0.5) // SQLite's ROUND of what is not negative
}
