package automation

import (
	"context"
	"database/sql"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// Keep says how long finished things are kept; zero is for ever. What is still
// open is never pruned, however old.
type Keep struct {
	Runs      time.Duration // of runs that have ended, with their steps
	Triggers  time.Duration // of trigger calls that have ended; never before their runs
	Decisions time.Duration // why rules did not start
}

const pruneBatch = 200 // rows of one transaction

// Prune deletes what is older than keep says, over every tenant, in small
// transactions. It returns how many rows of each kind went.
func (s *Service) Prune(ctx context.Context, keep Keep) (runs, triggers, decisions int64, err error) {
	for _, p := range []struct {
		keep time.Duration
		done *int64
		f    func(tx *store.Tx, before time.Time) (int64, error)
	}{{keep.Runs, &runs, pruneRuns}, {keep.Triggers, &triggers, pruneTriggers}, {keep.Decisions, &decisions, pruneDecisions}} {
		for p.keep > 0 {
			n, err := store.Write(ctx, s.db, id.Zero, func(tx *store.Tx) (int64, error) { return p.f(tx, tx.Now().Add(-p.keep)) })
			if err != nil {
				return runs, triggers, decisions, err
			}
			if *p.done += n; n < pruneBatch {
				break
			}
		}
	}
	return runs, triggers, decisions, nil
}

// pruneRuns keeps the runs of a call that has not ended: it counts them when it
// does. The rules keep count of what went.
func pruneRuns(tx *store.Tx, before time.Time) (n int64, err error) {
	type ended struct {
		tenant, run, rule id.ID
		status            string
	}
	rows, err := tx.System().Query(`SELECT r.tenant_id, r.id, r.automation_id, r.status FROM run r WHERE r.completed_at<?
		AND NOT EXISTS (SELECT 1 FROM trigger_log l WHERE l.tenant_id=r.tenant_id AND l.id=r.trigger_id AND l.processed_at IS NULL) ORDER BY r.completed_at LIMIT ?`, before, pruneBatch)
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (e ended, err error) {
		return e, rows.Scan(&e.tenant, &e.run, &e.rule, &e.status)
	})
	if err != nil {
		return 0, err
	}
	for _, e := range list {
		t := tx.For(e.tenant)
		// A failed run may have been taken up again a moment ago.
		gone, err := t.Exec("DELETE FROM run WHERE tenant_id=? AND id=? AND completed_at<?", e.run, before)
		if err != nil {
			return 0, err
		}
		if gone == 0 {
			continue
		}
		if _, err := t.Exec("DELETE FROM run_step WHERE tenant_id=? AND run_id=?", e.run); err != nil {
			return 0, err
		}
		completed := 0
		if e.status == Completed {
			completed = 1
		}
		if _, err := t.Exec("UPDATE automation SET runs_pruned=runs_pruned+1, completed_pruned=completed_pruned+? WHERE tenant_id=? AND id=?", completed, e.rule); err != nil {
			return 0, err
		}
	}
	return int64(len(list)), nil
}

// pruneTriggers keeps calls that still have runs, so that a run's call is there.
func pruneTriggers(tx *store.Tx, before time.Time) (int64, error) {
	return tx.System().Exec(`DELETE FROM trigger_log WHERE (tenant_id, id) IN (SELECT l.tenant_id, l.id FROM trigger_log l WHERE l.processed_at<?
		AND NOT EXISTS (SELECT 1 FROM run r WHERE r.tenant_id=l.tenant_id AND r.trigger_id=l.id) ORDER BY l.processed_at LIMIT ?)`, before, pruneBatch)
}

func pruneDecisions(tx *store.Tx, before time.Time) (int64, error) {
	return tx.System().Exec(`DELETE FROM rule_decision WHERE (tenant_id, automation_id, cause) IN
		(SELECT tenant_id, automation_id, cause FROM rule_decision WHERE at<? ORDER BY at LIMIT ?)`, before, pruneBatch)
}
