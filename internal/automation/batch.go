package automation

import (
	"time"

	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/store"
)

// batch gathers what many runs write that begin in one transaction: rows that go
// in by few statements, at its end.
type batch struct {
	runs       []*run
	steps      [][]any
	news       []event.New
	activities []contact.Activity
}

// addSteps takes over the steps of a walk.
func (b *batch) addSteps(w *walk) {
	first := w.r.steps - len(w.steps)
	for i, st := range w.steps {
		var out any
		if st.Output != nil {
			out = store.JSON(st.Output)
		}
		b.steps = append(b.steps, []any{w.r.id, first + i, st.Node, st.Kind, st.Status, out, store.NullText(st.Error), st.StartedAt, st.CompletedAt})
	}
	w.steps = nil
}

// apart lets a walk write its steps itself from now on, for it is about to change
// them on disk.
func (b *batch) apart(w *walk) {
	if b != nil {
		w.batch = nil
	}
}

// write puts everything on disk. Unavailable when another transaction has started
// one of the runs in this very moment.
func (b *batch) write(s *Service, tx *store.Tx) error {
	rows := make([][]any, len(b.runs))
	for i, r := range b.runs {
		rows[i] = []any{r.id, r.rule, r.version, r.contact.String(), r.log, r.trigger, r.cause, r.status, r.steps, r.turns, r.depth, store.JSON(r.vars), store.NullText(r.err),
			r.started, tx.Now(), r.finished, r.enrolled, store.NullText(r.exit), store.NullText(r.goal), r.schema, r.entity, r.owner}
		r.unwritten = false
	}
	n, err := store.InsertRows(tx, `run (tenant_id, id, automation_id, version, contact_id, trigger_id, trigger_name, cause, status, steps, turns, depth, variables, error,
		started_at, updated_at, completed_at, enrollment, exit_reason, goal_key, entity_schema, entity_id, owner_id)`, rows, "ON CONFLICT DO NOTHING")
	if err != nil {
		return err
	}
	if n < int64(len(rows)) {
		return fault.New(fault.Unavailable, "an execution of this flow is being started in this very moment; try again").After(time.Second)
	}
	if _, err := store.InsertRows(tx, "run_step (tenant_id, run_id, position, node, kind, status, output, error, started_at, completed_at)", b.steps, ""); err != nil {
		return err
	}
	if err := s.contacts.RecordManyIn(tx, b.activities); err != nil {
		return err
	}
	return s.log.AppendMany(tx, b.news)
}
