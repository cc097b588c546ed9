package parley

import (
	"context"
	"time"
)

const queuePath = saasPath + "/queue"

// Queue shows and mends background jobs.
type Queue struct{ c *Client }

// Job is one background job (reference §3.20).
type Job struct {
	Record
	Queue       string         `json:"queue"`
	Status      string         `json:"status"` // waiting, active, completed or failed
	Data        map[string]any `json:"data"`
	Priority    int            `json:"priority"`
	RunAt       time.Time      `json:"runAt"`
	Attempts    int            `json:"attempts"`
	MaxAttempts int            `json:"maxAttempts"`
	LastError   string         `json:"lastError"`
	CompletedAt time.Time      `json:"completedAt"`
	FailedAt    time.Time      `json:"failedAt"`
}

// QueueStats counts jobs by their state.
type QueueStats struct {
	Waiting   int `json:"waiting"`
	Active    int `json:"active"`
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
	Delayed   int `json:"delayed"`
}

// Stats counts jobs by their state.
func (s *Queue) Stats(ctx context.Context, opts ...CallOption) (QueueStats, error) {
	return call[QueueStats](ctx, s.c, "GET", queuePath+"/stats", nil, nil, opts)
}

// ListFailed returns one page of the failed jobs, newest first.
func (s *Queue) ListFailed(ctx context.Context, page, limit int, opts ...CallOption) (Page[Job], error) {
	return list[Job](ctx, s.c, queuePath+"/failed", newParams().number("page", page).number("limit", limit), opts)
}

// RetryJob makes a failed job run again.
func (s *Queue) RetryJob(ctx context.Context, id string, opts ...CallOption) (Job, error) {
	return call[Job](ctx, s.c, "POST", at(queuePath, id, "retry"), nil, nil, opts)
}

// DeleteJob removes a job that is not active.
func (s *Queue) DeleteJob(ctx context.Context, id string, opts ...CallOption) error {
	return perform(ctx, s.c, "DELETE", at(queuePath, id), nil, opts)
}

// Health tells how the server and the client's services are.
type Health struct{ c *Client }

// SystemHealth is the state of the server (reference §4.15).
type SystemHealth struct {
	Status     string    `json:"status"` // ok, degraded or error
	Version    string    `json:"version"`
	Env        string    `json:"env"`
	Uptime     float64   `json:"uptime"` // seconds
	DB         string    `json:"db"`
	QueueDepth int       `json:"queueDepth"`
	Timestamp  time.Time `json:"timestamp"`
}

// ClientHealth is the state of the client's services.
type ClientHealth struct {
	ClientCode        string            `json:"clientCode"`
	Services          map[string]string `json:"services"`
	ActiveAutomations int               `json:"activeAutomations"`
	QueueDepth        int               `json:"queueDepth"`
	Timestamp         time.Time         `json:"timestamp"`
}

// JobStatus is where a job stands.
type JobStatus struct {
	JobID       string    `json:"jobId"`
	Status      string    `json:"status"`
	Attempts    int       `json:"attempts"`
	MaxAttempts int       `json:"maxAttempts"`
	LastError   string    `json:"lastError"`
	RunAt       time.Time `json:"runAt"`
	CompletedAt time.Time `json:"completedAt"`
	FailedAt    time.Time `json:"failedAt"`
	CreatedAt   time.Time `json:"createdAt"`
}

// System returns the state of the server.
func (s *Health) System(ctx context.Context, opts ...CallOption) (SystemHealth, error) {
	return call[SystemHealth](ctx, s.c, "GET", saasPath+"/health", nil, nil, opts)
}

// Client returns the state of the client's services.
func (s *Health) Client(ctx context.Context, opts ...CallOption) (ClientHealth, error) {
	return call[ClientHealth](ctx, s.c, "GET", saasPath+"/health/client", nil, nil, opts)
}

// JobStatus tells where a job stands.
func (s *Health) JobStatus(ctx context.Context, id string, opts ...CallOption) (JobStatus, error) {
	return call[JobStatus](ctx, s.c, "GET", at(saasPath+"/jobs/status", id), nil, nil, opts)
}
