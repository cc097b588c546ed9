package automation

import (
	"database/sql"
	"strings"

	"parley/internal/contact"
	"parley/internal/id"
	"parley/internal/store"
)

// erased ends the open runs of a person at once; what they wanted to call out is
// not sent any more.
func (s *Service) erased(tx *store.Tx, e contact.Erased) error {
	var keys []string
	for _, v := range e.IDs {
		keys = append(keys, v.String())
	}
	for _, kind := range []string{"reply", "await"} {
		if err := tx.Lock(kind, keys...); err != nil {
			return err
		}
	}
	t := &tally{}
	for _, v := range e.IDs {
		runs, err := runsOf(tx, v)
		if err != nil {
			return err
		}
		for _, r := range runs {
			if r.alive() {
				if err := s.stopRun(tx, t, r, Aborted, ExitErased, ""); err != nil {
					return err
				}
			}
			if err := s.hooks.ForgetIn(tx, r.log, r.id.String()); err != nil {
				return err
			}
		}
	}
	if err := t.flush(tx); err != nil {
		return err
	}
	// Calls that are still to be carried out find nobody.
	in, args := e.In()
	_, err := tx.Exec("UPDATE trigger_log SET phone='', email='', payload='{}', callback=NULL, callback_status='not_required', idempotency_key=NULL, error='the person was erased', "+
		"phone_key=NULL, status='failed', processed_at=?, updated_at=? WHERE tenant_id=? AND contact_id IN "+in+" AND processed_at IS NULL", append([]any{tx.Now(), tx.Now()}, args...)...)
	return err
}

// ofRules finds rows of a table by contact through an index of (tenant_id,
// automation_id, contact_id), stepping from rule to rule, deleted ones too.
func ofRules(table, columns, in string) string {
	return `WITH RECURSIVE rules(a) AS (SELECT MIN(automation_id) FROM ` + table + ` WHERE tenant_id=?1
		UNION ALL SELECT (SELECT MIN(x.automation_id) FROM ` + table + ` x WHERE x.tenant_id=?1 AND x.automation_id>rules.a) FROM rules WHERE rules.a IS NOT NULL)
		SELECT ` + columns + ` FROM rules JOIN ` + table + ` t ON t.tenant_id=?1 AND t.automation_id=rules.a AND t.contact_id IN ` + in
}

// purged takes at most limit rows of a person's runs, trigger calls and decisions
// away, with their steps and what they called out. The rules keep count of what
// went, as for what is pruned.
func (s *Service) purged(tx *store.Tx, e contact.Erased, limit int) (int, error) {
	done := 0
	for _, f := range []func(*store.Tx, contact.Erased, int) (int, error){s.purgeRuns, s.purgeCalls, s.purgeStrangers, purgeDecided} {
		n, err := f(tx, e, limit-done)
		if err != nil {
			return done, err
		}
		if done += n; done >= limit {
			break
		}
	}
	return done, nil
}

func (s *Service) purgeRuns(tx *store.Tx, e contact.Erased, limit int) (int, error) {
	type row struct {
		run, rule, log id.ID
		status         string
	}
	in, args := e.In()
	rows, err := tx.Query(ofRules("run", "t.id, t.automation_id, t.trigger_id, t.status", in)+" LIMIT ?", append(args, limit)...)
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (r row, err error) {
		return r, rows.Scan(&r.run, &r.rule, &r.log, &r.status)
	})
	if err != nil {
		return 0, err
	}
	keys := make([]string, len(list))
	for i, r := range list {
		keys[i] = r.run.String()
	}
	if err := tx.Lock("run", keys...); err != nil {
		return 0, err
	}
	for _, r := range list {
		if err := s.hooks.ForgetIn(tx, r.log, r.run.String()); err != nil {
			return 0, err
		}
		for _, q := range []string{"DELETE FROM run_branch WHERE tenant_id=? AND run_id=?", "DELETE FROM run_step WHERE tenant_id=? AND run_id=?", "DELETE FROM run WHERE tenant_id=? AND id=?"} {
			if _, err := tx.Exec(q, r.run); err != nil {
				return 0, err
			}
		}
		completed := 0
		if r.status == Completed {
			completed = 1
		}
		if _, err := tx.Exec("UPDATE automation SET runs_pruned=runs_pruned+1, completed_pruned=completed_pruned+? WHERE tenant_id=? AND id=?", completed, r.rule); err != nil {
			return 0, err
		}
	}
	return len(list), nil
}

// purgeCalls takes the calls about the person away (index trigger_log_by_contact).
func (s *Service) purgeCalls(tx *store.Tx, e contact.Erased, limit int) (int, error) {
	in, args := e.In()
	rows, err := tx.Query("SELECT id FROM trigger_log WHERE tenant_id=? AND contact_id IN "+in+" LIMIT ?", append(args, limit)...)
	return s.dropCalls(tx, rows, err)
}

// purgeStrangers takes calls about the person's addresses away that named nobody
// then: by the phone (index trigger_log_by_phone), and failed ones by the e-mail
// (index trigger_log_by_status).
func (s *Service) purgeStrangers(tx *store.Tx, e contact.Erased, limit int) (int, error) {
	done := 0
	for _, a := range e.Addresses {
		where := ""
		value := a.Value
		switch a.Kind {
		case contact.Phone:
			where = "phone_key=?"
		case contact.Email:
			where, value = "status<>'completed' AND status='failed' AND LOWER(email)=?", strings.ToLower(a.Value)
		default:
			continue
		}
		rows, err := tx.Query("SELECT id FROM trigger_log WHERE tenant_id=? AND "+where+" AND contact_id IS NULL AND created_at<=? LIMIT ?", value, e.At, limit-done)
		n, err := s.dropCalls(tx, rows, err)
		if err != nil {
			return done, err
		}
		if done += n; done >= limit {
			break
		}
	}
	return done, nil
}

func (s *Service) dropCalls(tx *store.Tx, rows *sql.Rows, err error) (int, error) {
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) })
	if err != nil {
		return 0, err
	}
	for _, v := range list {
		if err := s.hooks.ForgetIn(tx, v, v.String()); err != nil {
			return 0, err
		}
		if _, err := tx.Exec("DELETE FROM trigger_log WHERE tenant_id=? AND id=?", v); err != nil {
			return 0, err
		}
	}
	return len(list), nil
}

func purgeDecided(tx *store.Tx, e contact.Erased, limit int) (int, error) {
	in, args := e.In()
	n, err := tx.Exec("DELETE FROM rule_decision WHERE tenant_id=?1 AND (automation_id, cause) IN ("+ofRules("rule_decision", "t.automation_id, t.cause", in)+" LIMIT ?)", append(args, limit)...)
	return int(n), err
}
