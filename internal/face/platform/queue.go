package platform

import (
	"context"
	"encoding/json"
	"time"

	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/job"
)

// queueStatsView counts jobs by the platform's states (reference §2.14).
type queueStatsView struct {
	Waiting   int `json:"waiting"`
	Active    int `json:"active"`
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
	Delayed   int `json:"delayed"`
}

// jobView is a job (reference §3.20).
type jobView struct {
	record
	Queue       string  `json:"queue"`
	Status      string  `json:"status"`
	Data        jobData `json:"data"`
	Priority    int     `json:"priority"`
	RunAt       stamp   `json:"runAt"`
	Attempts    int     `json:"attempts"`
	MaxAttempts int     `json:"maxAttempts"`
	LastError   orNull  `json:"lastError"`
	CompletedAt stamp   `json:"completedAt"`
	FailedAt    stamp   `json:"failedAt"`
}

type jobData struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

// jobStatusView is what health.jobStatus reads (reference §2.14).
type jobStatusView struct {
	JobID       id.ID  `json:"jobId"`
	Status      string `json:"status"`
	Attempts    int    `json:"attempts"`
	MaxAttempts int    `json:"maxAttempts"`
	LastError   orNull `json:"lastError"`
	RunAt       stamp  `json:"runAt"`
	CompletedAt stamp  `json:"completedAt"`
	FailedAt    stamp  `json:"failedAt"`
	CreatedAt   stamp  `json:"createdAt"`
}

// queueStats counts the tenant's jobs (§4.14).
func (f *Face) queueStats(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	s, err := f.s.Jobs.Stats(ctx, r.Principal.Tenant)
	if err != nil {
		return nil, err
	}
	return dual(queueStatsView{Waiting: s.Available, Active: s.Running, Completed: s.Completed,
		Failed: s.Discarded + s.Cancelled, Delayed: s.Scheduled + s.Retryable})
}

// failedJobs answers a page of jobs that failed for good, newest failure first.
func (f *Face) failedJobs(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	page, limit, err := paging(r, 50)
	if err != nil {
		return nil, err
	}
	jobs, total, err := f.s.Jobs.Failed(ctx, r.Principal.Tenant, page, limit)
	if err != nil {
		return nil, err
	}
	out := make([]jobView, 0, len(jobs))
	for _, j := range jobs {
		out = append(out, jobOf(r.Principal.TenantCode, j))
	}
	return httpx.JSON(0, list(out, place{total: total, page: page, limit: limit})), nil
}

// retryJob runs a failed job again.
func (f *Face) retryJob(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	jid, err := pathID("job", r.Param("id"))
	if err != nil {
		return nil, err
	}
	j, err := f.s.Jobs.Retry(ctx, r.Principal.Tenant, jid)
	if err != nil {
		return nil, err
	}
	return ok(jobOf(r.Principal.TenantCode, j))
}

// activeJobs answers the jobs that run now; ours, so that one can be cancelled.
func (f *Face) activeJobs(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	jobs, err := f.s.Jobs.Running(ctx, r.Principal.Tenant)
	if err != nil {
		return nil, err
	}
	out := make([]jobView, 0, len(jobs))
	for _, j := range jobs {
		out = append(out, jobOf(r.Principal.TenantCode, j))
	}
	return whole(out)
}

// cancelJob ends a job that has not finished; ours. A running one is told to stop
// and counts as active until it has.
func (f *Face) cancelJob(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	jid, err := pathID("job", r.Param("id"))
	if err != nil {
		return nil, err
	}
	j, err := f.s.Jobs.Cancel(ctx, r.Principal.Tenant, jid)
	if err != nil {
		return nil, err
	}
	return ok(jobOf(r.Principal.TenantCode, j))
}

// deleteJob removes a job that is not running.
func (f *Face) deleteJob(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	jid, err := pathID("job", r.Param("id"))
	if err != nil {
		return nil, err
	}
	if err := f.s.Jobs.Remove(ctx, r.Principal.Tenant, jid); err != nil {
		return nil, err
	}
	return told("the job is deleted", nil)
}

// jobStatus answers where one job stands.
func (f *Face) jobStatus(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	jid, err := pathID("job", r.Param("id"))
	if err != nil {
		return nil, err
	}
	j, err := f.s.Jobs.Get(ctx, r.Principal.Tenant, jid)
	if err != nil {
		return nil, err
	}
	v := jobOf(r.Principal.TenantCode, j)
	return dual(jobStatusView{v.ID, v.Status, v.Attempts, v.MaxAttempts, v.LastError, v.RunAt, v.CompletedAt, v.FailedAt, v.CreatedAt})
}

// jobStates names our states in the platform's words (§3.20, §4.14). Cancelled
// jobs count as failed: they will not run by themselves.
var jobStates = map[job.State]string{
	job.Available: "waiting", job.Scheduled: "delayed", job.Retryable: "delayed", job.Running: "active",
	job.Completed: "completed", job.Cancelled: "failed", job.Discarded: "failed",
}

// lastMoment is the newest moment that a job tells of.
func lastMoment(j job.Job) time.Time {
	newest := j.CreatedAt
	for _, t := range []time.Time{j.StartedAt, j.FinishedAt} {
		if t.After(newest) {
			newest = t
		}
	}
	return newest
}

// onlyQueue is the queue of every job: the snapshot had several, we have one.
const onlyQueue = "default"

func jobOf(code string, j job.Job) jobView {
	out := jobView{
		record: recordOf(code, j.ID, j.CreatedAt, lastMoment(j)), Queue: onlyQueue, Status: jobStates[j.State],
		Data: jobData{j.Kind, j.Args}, Priority: j.Priority, RunAt: stamp(j.RunAt), Attempts: j.Attempt, MaxAttempts: j.MaxAttempts,
		LastError: orNull(j.LastError),
	}
	if len(j.Args) == 0 {
		out.Data.Payload = json.RawMessage("{}")
	}
	switch j.State {
	case job.Completed:
		out.CompletedAt = stamp(j.FinishedAt)
	case job.Cancelled, job.Discarded:
		out.FailedAt = stamp(j.FinishedAt)
	}
	return out
}
