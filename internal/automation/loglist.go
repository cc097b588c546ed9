package automation

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// TriggerLog is what became of a trigger call (reference 3.12).
type TriggerLog struct {
	ID             id.ID
	Trigger        string
	Phone          string // in its normal form when it is known, else as it was sent
	Email          string // as it was sent
	Contact        id.ID  // the living one; the log itself keeps the id of then
	Status         string // received, scheduled, processing, completed, partial, failed
	RulesMatched   int
	RunsStarted    int // of those that are kept
	RunsOpen       int
	RunsFailed     int
	Call           Call // what came in
	CallbackURL    string
	CallbackStatus string // not_required, pending, sent, failed
	IdempotencyKey string
	Error          string
	RunAt          time.Time
	ProcessedAt    time.Time
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// LogQuery selects trigger logs; zero fields select nothing out.
type LogQuery struct {
	Trigger, Status string
	Phone           string    // in any form
	From, Until     time.Time // of the call: from, and before
	Page, Limit     int       // from 1; at most 1000
}

// LogStatuses are the statuses of a trigger log.
var LogStatuses = []string{logReceived, logScheduled, logProcessing, logCompleted, logPartial, logFailed}

// Log returns what became of a trigger call, or fault NotFound.
func (s *Service) Log(ctx context.Context, tenant, log id.ID) (TriggerLog, error) {
	r := s.db.Read(ctx, tenant)
	l, ok, err := scanLog(r.QueryRow("SELECT "+logColumns+" FROM trigger_log WHERE tenant_id=? AND id=?", log))
	if err != nil {
		return TriggerLog{}, err
	}
	if !ok {
		return TriggerLog{}, fault.Unknown("trigger log")
	}
	list := []TriggerLog{l.public()}
	err = s.complete(r, list)
	return list[0], err
}

// Logs returns a page of trigger logs, newest first. total is exact up to 10,000.
func (s *Service) Logs(ctx context.Context, tenant id.ID, q LogQuery) (list []TriggerLog, total int, err error) {
	r := s.db.Read(ctx, tenant)
	where, args, err := s.logWhere(r, q)
	if err != nil {
		return nil, 0, err
	}
	page, limit := max(q.Page, 1), min(max(q.Limit, 1), maxRuns)
	count := append(args[:len(args):len(args)], totalCap)
	if err := r.QueryRow("SELECT COUNT(*) FROM (SELECT 1 AS one FROM trigger_log WHERE "+where+" LIMIT ?) c", count...).Scan(&total); err != nil {
		return nil, 0, err
	}
	// trigger_log_recent, _by_name, _by_phone or _by_status, each in the order of the page.
	rows, err := r.Query("SELECT "+logColumns+" FROM trigger_log WHERE "+where+" ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?", append(args, limit, (page-1)*limit)...)
	list, err = store.Collect(rows, err, func(rows *sql.Rows) (TriggerLog, error) {
		l, _, err := scanLog(rows)
		return l.public(), err
	})
	if err != nil {
		return nil, 0, err
	}
	return list, total, s.complete(r, list)
}

func (s *Service) logWhere(r store.Reader, q LogQuery) (string, []any, error) {
	where, args := "tenant_id=?", []any(nil)
	for _, c := range []struct{ column, value string }{{"trigger_name", q.Trigger}, {"status", q.Status}} {
		if c.value != "" {
			where += " AND " + c.column + "=?"
			args = append(args, storable(c.value))
		}
	}
	if q.Status != "" && q.Status != logCompleted {
		where += " AND status<>'completed'" // index trigger_log_by_status
	}
	if phone := strings.TrimSpace(q.Phone); phone != "" {
		key, err := s.contacts.KeyOf(r, phone)
		if fault.As(err) != nil {
			key = storable(phone) // finds what was refused as well
		} else if err != nil {
			return "", nil, err
		}
		where += " AND phone_key=?"
		args = append(args, key)
	}
	if !q.From.IsZero() {
		where += " AND created_at>=?"
		args = append(args, q.From)
	}
	if !q.Until.IsZero() {
		where += " AND created_at<?"
		args = append(args, q.Until)
	}
	return where, args, nil
}

func (l *logRow) public() TriggerLog {
	v := TriggerLog{ID: l.id, Trigger: l.trigger, Phone: l.phoneKey, Email: l.email, Contact: l.contact, Status: l.status, RulesMatched: l.matched,
		RunsOpen: l.open, RunsFailed: l.failed, Call: l.call, CallbackStatus: l.callbackStatus, IdempotencyKey: l.key, Error: l.err,
		RunAt: l.runAt, ProcessedAt: l.processed, CreatedAt: l.created, UpdatedAt: l.updated}
	if v.Phone == "" {
		v.Phone = l.phone
	}
	if l.callback != nil {
		v.CallbackURL = l.callback.URL
	}
	return v
}

// complete fills in what a log's own row does not hold.
func (s *Service) complete(r store.Reader, list []TriggerLog) error {
	ids := make([]id.ID, 0, len(list))
	for _, l := range list {
		if !l.Contact.IsZero() {
			ids = append(ids, l.Contact)
		}
	}
	living, err := s.contacts.ResolveMany(r, ids)
	if err != nil {
		return err
	}
	for i := range list {
		if to, merged := living[list[i].Contact]; merged {
			list[i].Contact = to
		}
	}
	return countRuns(r, list)
}

// countRuns fills in how many runs each call started, from run_by_trigger.
func countRuns(r store.Reader, list []TriggerLog) error {
	if len(list) == 0 {
		return nil
	}
	at := make(map[id.ID]*TriggerLog, len(list))
	marks, args := make([]string, len(list)), make([]any, len(list))
	for i := range list {
		at[list[i].ID], marks[i], args[i] = &list[i], "?", list[i].ID
	}
	rows, err := r.Query("SELECT trigger_id, COUNT(*) FROM run WHERE tenant_id=? AND trigger_id IN ("+strings.Join(marks, ",")+") GROUP BY trigger_id", args...)
	_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
		var log id.ID
		var n int
		if err = rows.Scan(&log, &n); err == nil && at[log] != nil {
			at[log].RunsStarted = n
		}
		return
	})
	return err
}

// LogStats are figures of trigger calls.
type LogStats struct {
	Total     int
	ByTrigger []TriggerStat // the most frequent first
	ByStatus  []StatusStat
}

// TriggerStat are the figures of one trigger.
type TriggerStat struct {
	Trigger string
	Count   int
	Success float64 // 0 to 1: of the calls that ended, how many without a failure
}

// StatusStat counts the calls that stand in one status.
type StatusStat struct {
	Status string
	Count  int
}

// LogFigures counts the trigger calls made from one moment and before another;
// zero means no bound. It reads trigger_log_figures alone.
func (s *Service) LogFigures(ctx context.Context, tenant id.ID, from, until time.Time) (LogStats, error) {
	where, args, err := s.logWhere(nil, LogQuery{From: from, Until: until})
	if err != nil {
		return LogStats{}, err
	}
	type row struct {
		trigger, status string
		n               int
	}
	rows, err := s.db.Read(ctx, tenant).Query("SELECT trigger_name, status, COUNT(*) FROM trigger_log WHERE "+where+" GROUP BY trigger_name, status ORDER BY trigger_name, status", args...)
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (v row, err error) { return v, rows.Scan(&v.trigger, &v.status, &v.n) })
	if err != nil {
		return LogStats{}, err
	}
	var st LogStats
	type tallied struct{ all, ended, well int }
	by, status := map[string]*tallied{}, map[string]int{}
	for _, v := range list {
		t := by[v.trigger]
		if t == nil {
			t = &tallied{}
			by[v.trigger] = t
		}
		st.Total += v.n
		t.all += v.n
		status[v.status] += v.n
		switch v.status {
		case logCompleted:
			t.well += v.n
			fallthrough
		case logPartial, logFailed:
			t.ended += v.n
		}
	}
	for _, name := range sortedKeys(by) {
		t, v := by[name], TriggerStat{Trigger: name, Count: by[name].all}
		if t.ended > 0 {
			v.Success = float64(t.well) / float64(t.ended)
		}
		st.ByTrigger = append(st.ByTrigger, v)
	}
	sortByCount(st.ByTrigger)
	for _, name := range LogStatuses {
		if n := status[name]; n > 0 {
			st.ByStatus = append(st.ByStatus, StatusStat{name, n})
		}
	}
	return st, nil
}

func sortByCount(list []TriggerStat) {
	slices.SortStableFunc(list, func(a, b TriggerStat) int { return b.Count - a.Count })
}
