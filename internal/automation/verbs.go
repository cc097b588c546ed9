package automation

import (
	"context"
	"slices"
	"time"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// Pause stops a run for a while: it keeps its place, its timers and what it
// waits for. What comes in the meantime counts; the steps behind it are taken
// when the run is resumed. Conflict unless it is running or waiting.
func (s *Service) Pause(ctx context.Context, tenant id.ID, actor string, run id.ID) (Run, error) {
	return s.verb(ctx, tenant, run, func(tx *store.Tx, t *tally, r *row) error { return s.pause(tx, actor, r) })
}

// Resume lets a run go on: a paused one where it stood, one that waits without
// waiting any longer, a failed one from the node that failed. Conflict otherwise.
func (s *Service) Resume(ctx context.Context, tenant id.ID, actor string, run id.ID) (Run, error) {
	return s.verb(ctx, tenant, run, func(tx *store.Tx, t *tally, r *row) error {
		switch r.status {
		case Paused:
			return s.unpause(tx, actor, r)
		case Waiting:
			return s.skipWaits(tx, t, r)
		case Failed:
			return s.again(tx, t, actor, r)
		case Running:
			return fault.New(fault.Conflict, "the run is under way; only a paused, waiting or failed run can be resumed")
		}
		return fault.New(fault.Conflict, "the run is %s; only a paused, waiting or failed run can be resumed", r.status)
	})
}

// Retry takes a failed run up again from the node that failed. Conflict unless
// it failed.
func (s *Service) Retry(ctx context.Context, tenant id.ID, actor string, run id.ID) (Run, error) {
	return s.verb(ctx, tenant, run, func(tx *store.Tx, t *tally, r *row) error {
		if r.status != Failed {
			return fault.New(fault.Conflict, "the run is %s; only a failed run can be retried", r.status)
		}
		return s.again(tx, t, actor, r)
	})
}

// Abort ends a run for good. Conflict when it has ended already.
func (s *Service) Abort(ctx context.Context, tenant id.ID, actor string, run id.ID) (Run, error) {
	return s.verb(ctx, tenant, run, func(tx *store.Tx, t *tally, r *row) error {
		if !r.alive() {
			return fault.New(fault.Conflict, "the run is %s; a run that has ended cannot be aborted", r.status)
		}
		return s.stopRun(tx, t, r, Aborted, ExitAborted, "aborted by "+actor)
	})
}

// row is a run's row, where a parameter's name hides the type.
type row = run

// verb carries out a person's order on a locked run, with its contact held.
func (s *Service) verb(ctx context.Context, tenant, runID id.ID, f func(tx *store.Tx, t *tally, r *row) error) (Run, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Run, error) {
		r, _, ok, err := s.holdRun(tx, runID)
		if err != nil {
			return Run{}, err
		}
		if !ok {
			return Run{}, fault.Unknown("run")
		}
		t := &tally{}
		if err := f(tx, t, r); err != nil {
			return Run{}, err
		}
		if err := t.flush(tx); err != nil {
			return Run{}, err
		}
		return readRun(tx, runID)
	})
}

func (s *Service) pause(tx *store.Tx, actor string, r *run) error {
	if !r.open() {
		return fault.New(fault.Conflict, "the run is %s; only a running or waiting run can be paused", r.status)
	}
	r.status = Paused
	branches, err := branchesOf(tx, r.id)
	if err != nil {
		return err
	}
	for _, b := range branches {
		// One that is being carried out right now waits for our lock and then
		// finds the run paused.
		if err := job.WithdrawIn(tx, kindStep, stepKey(r.id, b.turn)); err != nil {
			return err
		}
	}
	if err := saveRun(tx, r); err != nil {
		return err
	}
	return s.ordered(tx, actor, r)
}

// unpause wakes every branch at its own time, or now when that has passed.
func (s *Service) unpause(tx *store.Tx, actor string, r *run) error {
	branches, err := branchesOf(tx, r.id)
	if err != nil {
		return err
	}
	for _, b := range branches {
		if err := wakeBranch(tx, r.id, b); err != nil {
			return err
		}
	}
	r.status = Waiting
	if r.waits < r.branches {
		r.status = Running
	}
	if err := saveRun(tx, r); err != nil {
		return err
	}
	return s.ordered(tx, actor, r)
}

// ordered tells of a verb that moved no branch.
func (s *Service) ordered(tx *store.Tx, actor string, r *run) error {
	t := &tally{}
	if err := s.note(tx, t, r); err != nil {
		return err
	}
	if err := t.flush(tx); err != nil {
		return err
	}
	_, err := s.log.Append(tx, event.New{Type: "run.updated", Subject: r.id, Contact: r.contact, Changed: []string{"status:" + r.status}, Actor: actor, Cause: r.cause})
	return err
}

// skipWaits moves on every branch that waits, along the way of what it waits for.
func (s *Service) skipWaits(tx *store.Tx, t *tally, r *run) error {
	w, err := s.walk(tx, r, t)
	if err != nil {
		return err
	}
	branches, err := branchesOf(tx, r.id)
	if err != nil {
		return err
	}
	for _, b := range branches {
		n := w.g.Nodes[b.node]
		if b.state != branchWaiting || n == nil {
			continue
		}
		if _, ok, err := takeBranch(tx, r, b.turn); err != nil || !ok {
			return err
		}
		if !b.resumeAt.IsZero() {
			if err := job.WithdrawIn(tx, kindStep, stepKey(r.id, b.turn)); err != nil {
				return err
			}
		}
		if n.Kind == nodeAction && b.waitKey == "" { // it failed: its next attempt comes now
			if err := w.finish(b, StepRetried, nil, ""); err != nil {
				return err
			}
			if err := w.later([]string{b.node}); err != nil {
				return err
			}
			continue
		}
		if err := w.finish(b, StepCompleted, map[string]any{"skipped": true, "timedOut": false}, ""); err != nil {
			return err
		}
		next := slices.Clone(n.Next[handleDefault])
		if n.Kind == nodeReply {
			next = append(next, n.Next[handleReply]...)
		}
		if err := w.later(next); err != nil {
			return err
		}
	}
	return w.settle()
}

// again opens a failed run: its failed nodes begin once more, unless an edge
// "error" was followed from them. A run that never came to a node begins anew. Whose
// contact was merged since goes on for the survivor.
func (s *Service) again(tx *store.Tx, t *tally, actor string, r *run) error {
	if _, ok, err := s.graphOf(tx, r.rule, r.version); err != nil {
		return err
	} else if !ok {
		return fault.New(fault.Conflict, "the automation of this run is gone; it cannot be retried")
	}
	if to, err := s.resolvedContact(tx, r.contact); err != nil {
		return err
	} else if to != r.contact {
		if err := reassign(tx, r, r.contact, to); err != nil {
			return err
		}
		r.contact = to
	}
	w, err := s.walk(tx, r, t)
	if err != nil {
		return err
	}
	if err := s.freeToOpen(tx, r); err != nil {
		return err
	}
	rows, err := tx.Query("SELECT node FROM run_step WHERE tenant_id=? AND run_id=? AND status=? ORDER BY position", r.id, StepFailed)
	failedAt, err := collectTexts(rows, err)
	if err != nil {
		return err
	}
	todo := slices.DeleteFunc(failedAt, func(nid string) bool {
		n := w.g.Nodes[nid]
		return n == nil || len(n.Next[handleError]) > 0 || n.OnFail == failContinue || n.OnFail == failRetry
	})
	if len(todo) == 0 {
		if r.steps > 0 {
			return fault.New(fault.Conflict, "no node of this run can be begun once more")
		}
		todo = []string{""}
	}
	for _, nid := range todo {
		if _, err := tx.Exec("UPDATE run_step SET status=? WHERE tenant_id=? AND run_id=? AND node=? AND status=?", StepRetried, r.id, nid, StepFailed); err != nil {
			return err
		}
	}
	r.status, r.err, r.exit, r.finished = Running, "", "", time.Time{}
	return s.reopen(tx, t, w, todo)
}

// reopen makes a finished run open again: the rule and the trigger call count it.
func (s *Service) reopen(tx *store.Tx, t *tally, w *walk, todo []string) error {
	r := w.r
	if n := w.g.Nodes[w.g.Goal]; n != nil {
		r.goal = goalKey(r.contact, n.Event)
	}
	t.of(r.rule).open++
	if !r.log.IsZero() {
		l, ok, err := lockLog(tx, r.log)
		if err != nil {
			return err
		}
		if ok {
			// The call's log ends once more, with its callback, when the run does.
			l.open, l.failed, l.status, l.processed = l.open+1, max(0, l.failed-1), logProcessing, time.Time{}
			if err := saveLog(tx, l); err != nil {
				return err
			}
		}
	}
	if err := w.later(todo); err != nil {
		return err
	}
	return w.settle()
}

// freeToOpen refuses to open a second run of a sequence for a contact.
func (s *Service) freeToOpen(tx *store.Tx, r *run) error {
	if !r.enrolled {
		return nil
	}
	if err := tx.Lock("enrollment", r.rule.String()+r.contact.String()); err != nil {
		return err
	}
	var other id.ID
	found, err := store.Found(tx.QueryRow("SELECT id FROM run WHERE tenant_id=? AND automation_id=? AND contact_id=? AND enrollment AND completed_at IS NULL", r.rule, r.contact).Scan(&other))
	if err == nil && found {
		err = fault.New(fault.Conflict, "the lead is in this sequence by another enrollment; it cannot be in it twice").With("enrollmentId", other.String())
	}
	return err
}
