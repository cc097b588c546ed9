package automation

import (
	"context"
	"encoding/json"
	"time"

	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
	"parley/internal/webhook"
)

// The statuses of a trigger call's log (reference 3.12).
const (
	logReceived   = "received"
	logScheduled  = "scheduled"
	logProcessing = "processing"
	logCompleted  = "completed"
	logPartial    = "partial" // some of its runs failed
	logFailed     = "failed"
)

// The callback statuses of a log. "pending" means that deliveries are under way.
const (
	callbackNone    = "not_required"
	callbackPending = "pending"
	callbackSent    = "sent"
	callbackFailed  = "failed"
)

// logRow is a trigger_log row.
type logRow struct {
	id, contact                                   id.ID
	trigger, phone, email, status, callbackStatus string
	phoneKey, key, err                            string
	matched, open, failed                         int
	call                                          Call
	callback                                      *callback
	runAt, processed, created, updated            time.Time
	stored                                        bool // a row is there
}

// callback is where a call wants to hear how it went.
type callback struct {
	URL      string `json:"url"`
	Method   string `json:"method"`
	Metadata any    `json:"metadata,omitempty"`
}

const logColumns = "id, trigger_name, phone, email, contact_id, status, rules_matched, runs_open, runs_failed, payload, callback, callback_status, idempotency_key, error, run_at, processed_at, created_at, updated_at, phone_key"

func scanLog(row scanner) (*logRow, bool, error) {
	l := &logRow{stored: true}
	ok, err := store.Found(row.Scan(&l.id, &l.trigger, &l.phone, &l.email, &l.contact, &l.status, &l.matched, &l.open, &l.failed, store.JSON(&l.call), store.JSON(&l.callback),
		&l.callbackStatus, store.Text(&l.key), store.Text(&l.err), store.Time(&l.runAt), store.Time(&l.processed), store.Time(&l.created), store.Time(&l.updated), store.Text(&l.phoneKey)))
	return l, ok, err
}

func lockLog(tx *store.Tx, log id.ID) (*logRow, bool, error) {
	return scanLog(tx.QueryRow("SELECT "+logColumns+" FROM trigger_log WHERE tenant_id=? AND id=?"+tx.Dialect().ForUpdate(), log))
}

func logByKey(r store.Reader, key string) (*logRow, bool, error) {
	return scanLog(r.QueryRow("SELECT "+logColumns+" FROM trigger_log WHERE tenant_id=? AND idempotency_key=?", key))
}

// insertLog returns false when the idempotency key is taken.
func insertLog(tx *store.Tx, l *logRow) (bool, error) {
	var cb any
	if l.callback != nil {
		cb = store.JSON(l.callback)
	}
	n, err := tx.Exec(`INSERT INTO trigger_log (tenant_id, id, trigger_name, phone, email, contact_id, status, rules_matched, runs_open, runs_failed, payload, callback, callback_status, idempotency_key, error, run_at, processed_at, created_at, updated_at, phone_key)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (tenant_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING`,
		l.id, l.trigger, l.phone, l.email, l.contact, l.status, l.matched, l.open, l.failed, store.JSON(l.call), cb, l.callbackStatus, store.NullText(l.key), store.NullText(l.err),
		l.runAt, l.processed, tx.Now(), tx.Now(), l.phoneKey)
	return n > 0, err
}

func saveLog(tx *store.Tx, l *logRow) error {
	if !l.stored {
		l.stored = true
		_, err := insertLog(tx, l)
		return err
	}
	_, err := tx.Exec(`UPDATE trigger_log SET contact_id=?, status=?, rules_matched=?, runs_open=?, runs_failed=?, callback_status=?, idempotency_key=?, error=?, run_at=?, processed_at=?, updated_at=?, phone_key=?
		WHERE tenant_id=? AND id=?`,
		l.contact, l.status, l.matched, l.open, l.failed, l.callbackStatus, store.NullText(l.key), store.NullText(l.err), l.runAt, l.processed, tx.Now(), l.phoneKey, l.id)
	return err
}

// runEnded counts a run of a call as ended, and closes the log with the last.
func (s *Service) runEnded(tx *store.Tx, log id.ID, failed bool) error {
	l, ok, err := lockLog(tx, log)
	if err != nil || !ok {
		return err
	}
	l.open--
	if failed {
		l.failed++
	}
	if l.open > 0 {
		return saveLog(tx, l)
	}
	return s.closeLog(tx, l)
}

// closeLog gives a call its final status and tells its callback.
func (s *Service) closeLog(tx *store.Tx, l *logRow) error {
	var runs int
	if l.failed > 0 {
		if err := tx.QueryRow("SELECT COUNT(*) FROM run WHERE tenant_id=? AND trigger_id=?", l.id).Scan(&runs); err != nil {
			return err
		}
	}
	told := logCompleted
	switch {
	case l.failed == 0:
		l.status = logCompleted
	case l.failed >= runs:
		l.status, told = logFailed, logFailed
	default:
		l.status = logPartial
	}
	l.processed = tx.Now()
	if err := saveLog(tx, l); err != nil {
		return err
	}
	return s.call(tx, l, told)
}

// call writes a callback about a trigger call, if it asked for one (reference 4.4.9).
func (s *Service) call(tx *store.Tx, l *logRow, status string) error {
	if l.callback == nil {
		return nil
	}
	m := map[string]any{"status": status, "trigger": l.trigger, "rulesMatched": l.matched, "eventLogId": l.id.String(), "metadata": l.callback.Metadata}
	if status != logProcessing {
		m["leadId"], m["runsFailed"] = l.contact.String(), l.failed
		if l.err != "" {
			m["error"] = l.err
		}
	}
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = s.hooks.DeliverIn(tx, webhook.Delivery{URL: l.callback.URL, Method: l.callback.Method, Event: "trigger." + status, Subject: l.id.String(),
		Body: body, Policy: "platform", TriggerID: l.id})
	return err
}

// handleCallback keeps a log's callback status by its deliveries.
func (s *Service) handleCallback(ctx context.Context, j *job.Job) error {
	var e event.Event
	if err := j.Decode(&e); err != nil {
		return err
	}
	log := changedID(e, "trigger:")
	return s.db.Write(ctx, j.Tenant, func(tx *store.Tx) error {
		// Two deliveries may end at once: whoever comes second sees both.
		l, ok, err := lockLog(tx, log)
		if err != nil {
			return err
		}
		if !ok {
			return j.Complete(tx)
		}
		list, err := s.hooks.OfTrigger(tx, log)
		if err != nil {
			return err
		}
		status := callbackSent
		if l.processed.IsZero() {
			status = callbackPending // the last callback is still to come
		}
		for _, d := range list {
			switch d.State {
			case webhook.Failed:
				status = callbackFailed
			case webhook.Pending, webhook.Sending:
				if status == callbackSent {
					status = callbackPending
				}
			}
		}
		if _, err := tx.Exec("UPDATE trigger_log SET callback_status=?, updated_at=? WHERE tenant_id=? AND id=?", status, tx.Now(), log); err != nil {
			return err
		}
		return j.Complete(tx)
	})
}
