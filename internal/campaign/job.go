package campaign

import (
	"parley/internal/bulk"
	"parley/internal/id"
	"parley/internal/store"
)

// JobView is where a campaign's last activation stands.
type JobView struct {
	Status     string // "" for a campaign that has no job
	Executions []Execution
}

// Execution is one run of a job.
type Execution struct {
	Run    id.ID
	Status string
}

// MaxExecutions is how many executions a JobView holds at most.
const MaxExecutions = 1000

// Words of the campaign's job (reference §4.2).
var jobWords = map[string]string{bulk.Approval: "queued", bulk.Querying: "queued", bulk.Loaded: "queued", bulk.Executing: "processing", bulk.Watching: "processing",
	bulk.Reporting: "send_report", bulk.Finished: "finished", bulk.Failed: "failed", bulk.Cancelled: "cancelled"}

// Job tells where a campaign's last activation stands. NotFound.
func (s *Service) Job(r store.Reader, cid id.ID) (JobView, error) {
	v := JobView{Executions: []Execution{}}
	c, err := read(r, cid, "")
	if err != nil {
		return v, err
	}
	j, err := s.jobOf(r, c)
	if err != nil || j.ID.IsZero() {
		return v, err
	}
	v.Status = jobWords[j.Status]
	items, err := s.jobs.Summary(r, j.ID, MaxExecutions)
	for _, it := range items {
		if !it.Run.IsZero() {
			v.Executions = append(v.Executions, Execution{it.Run, it.Status})
		}
	}
	return v, err
}
