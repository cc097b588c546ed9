package job

import (
	"database/sql"

	"parley/internal/store"
)

const columns = "tenant_id, id, kind, state, priority, unique_key, args, attempt, max_attempts, run_at, lease_until, node, cancel_requested, last_error, created_at, started_at, finished_at"

func scan(rows *sql.Rows) (*Job, error) {
	var j Job
	var args string
	err := rows.Scan(&j.Tenant, &j.ID, &j.Kind, &j.State, &j.Priority, store.Text(&j.UniqueKey), store.Text(&args),
		&j.Attempt, &j.MaxAttempts, store.Time(&j.RunAt), store.Time(&j.LeaseUntil), store.Text(&j.Node), &j.CancelRequested,
		store.Text(&j.LastError), store.Time(&j.CreatedAt), store.Time(&j.StartedAt), store.Time(&j.FinishedAt))
	j.Args = []byte(args)
	return &j, err
}
