package webhook

import (
	"database/sql"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// Record is a delivery as it stands.
type Record struct {
	ID             id.ID
	Delivery       Delivery
	State          string
	Attempts       int
	NextAt         time.Time // when it may go (again), for Pending
	ResponseStatus int       // 0 when there was no answer yet
	ResponseBody   string    // at most 2 kB
	LastError      string
	Signature      string // "sha256=..." of the last attempt
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// OfTrigger returns the deliveries that answer a trigger call, oldest first.
func (s *Service) OfTrigger(r store.Reader, trigger id.ID) ([]Record, error) {
	return records(r, "trigger_id=?", trigger)
}

func records(r store.Reader, where string, args ...any) ([]Record, error) {
	return recordsIn(r, " AND "+where+" ORDER BY id", args...)
}

func recordsIn(r store.Reader, rest string, args ...any) ([]Record, error) {
	rows, err := r.Query(`SELECT id, endpoint, url, method, event, subject, policy, COALESCE((SELECT b.body FROM webhook_body b WHERE b.tenant_id=webhook_delivery.tenant_id AND b.id=webhook_delivery.body_id), body),
			body_id, trigger_id, state, attempt, next_at, COALESCE(response_status, 0), response_body, last_error, signature, created_at, updated_at
		FROM webhook_delivery WHERE tenant_id=?`+rest, args...)
	return store.Collect(rows, err, func(rows *sql.Rows) (v Record, err error) {
		var body string
		d := &v.Delivery
		err = rows.Scan(&v.ID, &d.Lane, &d.URL, &d.Method, &d.Event, &d.Subject, &d.Policy, &body, &d.Shared, &d.TriggerID, &v.State, &v.Attempts, store.Time(&v.NextAt), &v.ResponseStatus,
			store.Text(&v.ResponseBody), store.Text(&v.LastError), store.Text(&v.Signature), store.Time(&v.CreatedAt), store.Time(&v.UpdatedAt))
		d.Body = []byte(body)
		return v, err
	})
}
