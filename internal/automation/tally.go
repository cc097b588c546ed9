package automation

import (
	"bytes"
	"slices"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// tally gathers the changes of rules' counters. They are written last in a
// transaction and in the order of ids: many runs of one rule meet in its row.
type tally struct {
	list []count
	// inline lets runs take their first steps in the transaction that starts
	// them. A job that failed before leaves each run to a job of its own, so that
	// one that cannot go on holds up no other.
	inline bool
	failed int // runs of a call that began and failed here
	// moved is what the owners of runs are still to be told, by tell.
	moved []Moved
	tell  func(tx *store.Tx, list []Moved) error
}

type count struct {
	rule                     id.ID
	started, open, completed int
}

func (t *tally) of(rule id.ID) *count {
	for i := range t.list {
		if t.list[i].rule == rule {
			return &t.list[i]
		}
	}
	t.list = append(t.list, count{rule: rule})
	return &t.list[len(t.list)-1]
}

func (t *tally) began(rule id.ID) {
	c := t.of(rule)
	c.started++
	c.open++
}

func (t *tally) ended(rule id.ID, completed bool) {
	c := t.of(rule)
	c.open--
	if completed {
		c.completed++
	}
}

// reasonDeleted marks what comes out right when it is tried again.
const reasonDeleted = "rule_deleted"

// flush tells the owners of runs and writes the counters. Unavailable with reasonDeleted when a rule went away
// while a run of it began.
func (t *tally) flush(tx *store.Tx) error {
	if list := t.moved; len(list) > 0 {
		t.moved = nil
		if err := t.tell(tx, list); err != nil {
			return err
		}
	}
	slices.SortFunc(t.list, func(a, b count) int { return bytes.Compare(a.rule[:], b.rule[:]) })
	for _, c := range t.list {
		last := any(nil)
		if c.started > 0 {
			last = tx.Now()
		}
		n, err := tx.Exec(`UPDATE automation SET runs_started=runs_started+?, runs_open=runs_open+?, runs_completed=runs_completed+?, last_run_at=COALESCE(?, last_run_at)
			WHERE tenant_id=? AND id=?`, c.started, c.open, c.completed, last, c.rule)
		if err != nil {
			return err
		}
		if n == 0 && c.started > 0 { // its deletion did not see the run that begins here
			return fault.New(fault.Unavailable, "an automation was deleted in this very moment; try again").Because(reasonDeleted).After(time.Second)
		}
	}
	t.list = nil
	return nil
}
