package automation

import (
	"fmt"

	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// occasion is what may start rules: a happening to a person.
type occasion struct {
	happening
	card  deal.Card
	cause string // the same cause never starts a rule twice
	depth int
	log   id.ID // of the trigger call, zero for an event
}

// start begins a run of every rule that the occasion passes, and returns how
// many of them are open.
func (s *Service) start(tx *store.Tx, t *tally, rules []candidate, o occasion) (open int, err error) {
	if len(rules) == 0 {
		return 0, nil
	}
	set, err := s.tenants.SettingsOf(tx)
	if err != nil {
		return 0, err
	}
	sc := scopeOf(leadOf(o.card), o.vars, tx.Now(), set)
	for i := range rules {
		c := &rules[i]
		if !c.graph.Filter.pass(o.facts) || !c.graph.When.pass(sc, tx.Now(), set.Location()) {
			continue
		}
		if o.depth > maxDepth {
			// Rules that set each other off would go on for ever.
			if _, err := s.log.Append(tx, event.New{Type: "automation.loop_stopped", Subject: c.id, Contact: o.card.Contact.ID, Actor: "system", Cause: o.cause}); err != nil {
				return open, err
			}
			continue
		}
		r := &run{id: id.New(), rule: c.id, version: c.version, contact: o.card.Contact.ID, log: o.log, trigger: o.trigger,
			cause: o.cause, status: Running, depth: o.depth, vars: o.vars, started: tx.Now()}
		fresh, err := insertRun(tx, r)
		if err != nil {
			return open, err
		}
		if !fresh {
			continue
		}
		t.began(c.id)
		w := &walk{s: s, tx: tx, r: r, g: &c.graph, set: set, tally: t}
		if err := w.begin(c.name); err != nil {
			return open, err
		}
		if r.open() {
			open++
		}
	}
	return open, nil
}

// begin tells of a new run and leaves its first nodes to a job.
func (w *walk) begin(name string) error {
	if err := w.tell("run.started"); err != nil {
		return err
	}
	_, err := w.s.contacts.RecordIn(w.tx, contact.Activity{Contact: w.r.contact, Type: "automation_triggered", Title: "Automation started: " + name,
		Metadata: map[string]any{"automationId": w.r.rule.String(), "runId": w.r.id.String(), "trigger": w.r.trigger}, PerformedBy: "system"})
	if err != nil && fault.As(err) == nil {
		return err
	}
	if len(w.g.Starts) > 0 {
		if err := w.later([]string{""}); err != nil {
			return err
		}
		return saveRun(w.tx, w.r)
	}
	// An empty rule is done at once. Its trigger call counts only open runs.
	log := w.r.log
	w.r.log = id.Zero
	err = w.end(Completed)
	w.r.log = log
	return err
}

// abortAll ends every open run of a rule that is going away.
func (s *Service) abortAll(tx *store.Tx, rule id.ID) error {
	rows, err := tx.Query("SELECT id FROM run WHERE tenant_id=? AND automation_id=? AND status IN ('running','waiting','paused') ORDER BY id", rule)
	list, err := collectTexts(rows, err)
	if err != nil {
		return err
	}
	if err := tx.Lock("run", list...); err != nil {
		return err
	}
	for _, text := range list {
		runID, err := id.Parse(text)
		if err != nil {
			return err
		}
		if err := s.stop(tx, &tally{}, runID, Aborted, "the automation was deleted"); err != nil {
			return err
		}
	}
	return nil
}

// stop ends a locked run from outside: its branches are gone, so whatever job
// still comes for them finds nothing.
func (s *Service) stop(tx *store.Tx, t *tally, runID id.ID, status, reason string) error {
	r, ok, err := loadRun(tx, runID)
	if err != nil || !ok || !r.open() && r.status != Paused {
		return err
	}
	branches, err := branchesOf(tx, runID)
	if err != nil {
		return err
	}
	for _, b := range branches {
		if err := job.WithdrawIn(tx, kindStep, stepKey(runID, b.turn)); err != nil {
			return err
		}
	}
	if _, err := tx.Exec("DELETE FROM run_branch WHERE tenant_id=? AND run_id=?", runID); err != nil {
		return err
	}
	if _, err := tx.Exec("UPDATE run_step SET status=?, error=?, completed_at=? WHERE tenant_id=? AND run_id=? AND status=?",
		StepFailed, reason, tx.Now(), runID, StepWaiting); err != nil {
		return err
	}
	r.err = reason
	return (&walk{s: s, tx: tx, r: r, tally: t}).end(status)
}

// stepDiscarded fails the run whose step could not be carried out at all.
func (s *Service) stepDiscarded(tx *store.Tx, j *job.Job, cause error) error {
	var a stepArgs
	if err := j.Decode(&a); err != nil {
		return nil // it never named a run
	}
	tx = tx.For(j.Tenant)
	if err := tx.Lock("run", a.Run.String()); err != nil {
		return err
	}
	if _, ok, err := takeBranch(tx, a.Run, a.Turn); err != nil || !ok {
		return err // the branch has moved on
	}
	t := &tally{}
	if err := s.stop(tx, t, a.Run, Failed, cut(storable(fmt.Sprintf("the step could not be carried out: %v", cause)), 1000)); err != nil {
		return err
	}
	return t.flush(tx)
}
