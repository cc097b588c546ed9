package automation

import (
	"fmt"
	"slices"

	"parley/internal/contact"
	"parley/internal/conversation/variables"
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
	held  bool  // the contact's lock is ours, and the card was read behind it
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
	sc := scopeOf(variables.Lead(o.card), o.vars, tx.Now(), set)
	passed := 0 // nodes, by all the runs that begin here
	held := o.held
	now := &o.card // as the runs before have left it; nil: not known
	if !held {
		now = nil
	}
	for i := range rules {
		c := &rules[i]
		if v := c.judge(o.facts, sc, tx.Now(), set.Location()); v != nil {
			if err := s.declined(tx, c, o, v); err != nil {
				return open, err
			}
			continue
		}
		if o.depth > maxDepth {
			// Rules that set each other off would go on for ever.
			if _, err := s.log.Append(tx, event.New{Type: "automation.loop_stopped", Subject: c.id, Contact: o.card.Contact.ID, Actor: "system", Cause: o.cause}); err != nil {
				return open, err
			}
			if err := s.declined(tx, c, o, looped(o.depth)); err != nil {
				return open, err
			}
			continue
		}
		r := &run{id: id.New(), rule: c.id, version: c.version, contact: o.card.Contact.ID, log: o.log, trigger: o.trigger,
			cause: o.cause, status: Running, depth: o.depth, vars: o.vars, started: tx.Now(), enrolled: c.graph.Enrolls}
		if !held {
			// Nobody merges the person away before the run is there to move along.
			if o.card.Contact.ID, held, err = s.hold(tx, o.card.Contact.ID); err != nil || !held {
				return open, err // gone
			}
			r.contact = o.card.Contact.ID
		}
		if n := c.graph.Nodes[c.graph.Goal]; n != nil {
			r.goal = goalKey(r.contact, n.Event)
		}
		fresh, err := insertRun(tx, r)
		if err != nil {
			return open, err
		}
		if !fresh {
			if r.enrolled {
				if err := s.enrolledAlready(tx, c, o); err != nil {
					return open, err
				}
			}
			continue
		}
		if len(c.graph.Unusable) > 0 {
			if err := s.declined(tx, c, o, unusable(c.graph.Unusable)); err != nil {
				return open, err
			}
		}
		t.began(c.id)
		w := &walk{s: s, tx: tx, r: r, g: c.graph, set: set, tally: t, budget: stepsPerTx - passed, inline: t.inline && passed < stepsPerTx, held: true, card: now}
		if w.inline {
			// The call's row is written behind its runs: those that end here are
			// not counted in it one by one.
			r.log = id.Zero
		}
		if err := w.begin(c.name); err != nil {
			return open, err
		}
		r.log, now = o.log, w.card
		if !o.log.IsZero() && w.inline && !r.alive() && r.status != Completed {
			t.failed++
		}
		passed += r.steps
		if r.open() {
			open++
		}
	}
	return open, nil
}

// remember leaves the beginning on the person's timeline.
func (w *walk) remember(name string) error {
	if w.r.contact.IsZero() {
		return nil
	}
	a := contact.Activity{Contact: w.r.contact, Type: "automation_triggered", Title: "Automation started: " + name,
		Metadata: map[string]any{"automationId": w.r.rule.String(), "runId": w.r.id.String(), "trigger": w.r.trigger}, PerformedBy: "system"}
	if w.batch != nil {
		w.batch.activities = append(w.batch.activities, a)
		return nil
	}
	_, err := w.s.contacts.RecordIn(w.tx, a)
	if err != nil && fault.As(err) == nil {
		return err
	}
	return nil
}

// begin tells of a new run and takes its first steps, or leaves them to a job.
func (w *walk) begin(name string) error {
	if !w.inline {
		if err := w.tell("run.started"); err != nil {
			return err
		}
	}
	if err := w.remember(name); err != nil {
		return err
	}
	if w.inline {
		if err := w.pass(w.g.Starts); err != nil {
			return err
		}
		return w.settle()
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
	err := w.end(Completed)
	w.r.log = log
	return err
}

// abortBatch is how many runs of a rule that is going away end in one transaction.
const abortBatch = 200

// abortSome ends open runs of a rule that is going away, at most abortBatch, and
// returns how many there were. Index run_by_status.
func (s *Service) abortSome(tx *store.Tx, t *tally, rule id.ID) (int, error) {
	rows, err := tx.Query("SELECT id FROM run WHERE tenant_id=? AND automation_id=? AND status IN ('running','waiting','paused') AND status<>'completed' LIMIT ?", rule, abortBatch)
	list, err := collectTexts(rows, err)
	if err != nil {
		return 0, err
	}
	slices.Sort(list)
	if err := tx.Lock("run", list...); err != nil {
		return 0, err
	}
	for _, text := range list {
		runID, err := id.Parse(text)
		if err != nil {
			return 0, err
		}
		if err := s.stop(tx, t, runID, Aborted, ExitDeleted, "the automation was deleted"); err != nil {
			return 0, err
		}
	}
	return len(list), nil
}

// stop ends a locked run from outside: its branches are gone, so whatever still
// comes for them finds nothing.
func (s *Service) stop(tx *store.Tx, t *tally, runID id.ID, status, exit, reason string) error {
	r, ok, err := loadRun(tx, runID)
	if err != nil || !ok || !r.alive() {
		return err
	}
	return s.stopRun(tx, t, r, status, exit, reason)
}

func (s *Service) stopRun(tx *store.Tx, t *tally, r *run, status, exit, reason string) error {
	w := &walk{s: s, tx: tx, r: r, tally: t}
	if err := w.clear(StepFailed, reason); err != nil {
		return err
	}
	r.err, r.exit = reason, exit
	return w.end(status)
}

// stepDiscarded fails the run whose step could not be carried out at all.
func (s *Service) stepDiscarded(tx *store.Tx, j *job.Job, cause error) error {
	var a stepArgs
	if err := j.Decode(&a); err != nil {
		return nil // it never named a run
	}
	tx = tx.For(j.Tenant)
	r, ok, err := lockRun(tx, a.Run)
	if err != nil || !ok {
		return err
	}
	reason := cut(storable(fmt.Sprintf("the step could not be carried out: %v", cause)), 1000)
	t := &tally{}
	if err := s.discard(tx, t, r, a.Turn, reason); err != nil {
		return err
	}
	return t.flush(tx)
}

// discard fails a run for one of its branches. The nodes that its ready branches
// were to begin get a failed step, so that a retry knows where to go on.
func (s *Service) discard(tx *store.Tx, t *tally, r *run, turn int, reason string) error {
	branches, err := branchesOf(tx, r.id)
	if err != nil || !slices.ContainsFunc(branches, func(b branch) bool { return b.turn == turn }) {
		return err // the branch has moved on
	}
	w := &walk{s: s, tx: tx, r: r, tally: t}
	g, _, err := s.graphOf(tx, r.rule, r.version)
	if err != nil {
		return err
	}
	for _, b := range branches {
		if b.state == branchReady && b.node != "" && g != nil && g.Nodes[b.node] != nil {
			w.record(b.node, g.Nodes[b.node].name(), StepFailed, nil, reason)
		}
	}
	if err := w.clear(StepFailed, reason); err != nil {
		return err
	}
	r.err = reason
	return w.end(Failed)
}
