package bulk

import (
	"context"
	"crypto/subtle"
	"time"

	"parley/internal/automation"
	"parley/internal/contact"
	"parley/internal/entity"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/record"
	"parley/internal/secret"
	"parley/internal/store"
)

// Service is the room's door. It is safe for concurrent use.
type Service struct {
	db        *store.DB
	log       *event.Log
	contacts  *contact.Service
	records   *record.Service
	entities  *entity.Service
	rules     *automation.Service
	followers []Follower
}

// NewService returns the room's service, which follows the runs of its jobs.
func NewService(db *store.DB, log *event.Log, contacts *contact.Service, records *record.Service, entities *entity.Service, rules *automation.Service) *Service {
	s := &Service{db: db, log: log, contacts: contacts, records: records, entities: entities, rules: rules}
	rules.OnMoved(s.moved)
	return s
}

// Follow registers a follower, before the service is used.
func (s *Service) Follow(f Follower) { s.followers = append(s.followers, f) }

// kindAdvance carries a job on.
const kindAdvance = "bulk.advance"

// RegisterJobs gives the runner the handlers of this room's jobs.
func (s *Service) RegisterJobs(r *job.Runner) {
	r.Register(job.Kind{Name: kindAdvance, Handle: s.handleAdvance, Timeout: 5 * time.Minute, Backoff: backoff, Discarded: s.discarded})
}

func backoff(attempt int) time.Duration { return time.Second << min(attempt, 6) }

// attempts of an advance that makes no headway at all; with backoff half an hour.
const attempts = 30

type advanceArgs struct {
	Job id.ID `json:"job"`
}

// Create is CreateIn in a transaction of its own.
func (s *Service) Create(ctx context.Context, tenant id.ID, actor string, n New) (Job, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Job, error) {
		j, _, err := s.CreateIn(tx, actor, n)
		return j, err
	})
}

// CreateIn makes a job and returns the token that approves or cancels it. Faults:
// NotFound "automation"; Conflict with the Reason "automation_disabled"; Invalid
// naming "entities_refs".
func (s *Service) CreateIn(tx *store.Tx, actor string, n New) (Job, string, error) {
	if len(n.Refs) > maxRefs {
		return Job{}, "", fault.Field("entities_refs", "entities_refs must not hold more than %d entities; select more by entities_filter", maxRefs)
	}
	if n.Schema == "" && len(n.Refs) == 0 {
		return Job{}, "", fault.Field("entities_refs", "entities_refs, entities_query or entities_filter is required: for whom the flow is to run")
	}
	if err := s.rules.LaunchableIn(tx, n.Rule, n.Schema); err != nil {
		return Job{}, "", err
	}
	j := Job{ID: id.New(), Rule: n.Rule, Owner: n.Owner, Actor: actor, Status: Approval, Schema: n.Schema, Filter: n.Filter,
		Token: secret.NewToken("bulk_", 18), CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
	if n.Approved {
		j.Status = Querying
	}
	if err := insert(tx, j, n.Refs); err != nil {
		return j, "", err
	}
	if n.Approved {
		if err := s.carryOn(tx, j.ID); err != nil {
			return j, "", err
		}
	}
	return j, j.Token, s.tell(tx, "bulk_job.created", actor, j)
}

// LockIn takes a job's lock. Whoever has a lock of its own that a Follower's calls
// take as well takes this one first, and then its own.
func (s *Service) LockIn(tx *store.Tx, job id.ID) error { return tx.Lock("bulk_job", job.String()) }

// ApproveIn lets a job that waits for approval begin. Faults: NotFound "bulk job";
// Invalid naming "task_token"; Conflict when it does not wait for approval.
func (s *Service) ApproveIn(tx *store.Tx, actor string, job id.ID, token string) (Job, error) {
	j, err := s.open(tx, job, token)
	if err != nil {
		return j, err
	}
	if j.Status != Approval {
		return j, fault.New(fault.Conflict, "the job is %s; only a job in approval can be approved", j.Status)
	}
	j.Status = Querying
	if err := save(tx, &j); err != nil {
		return j, err
	}
	if err := s.carryOn(tx, j.ID); err != nil {
		return j, err
	}
	return j, s.tell(tx, "bulk_job.updated", actor, j)
}

// CancelIn ends a job: nothing of it starts any more, and its open runs are
// cancelled soon. Faults as for ApproveIn; Conflict when it is over.
func (s *Service) CancelIn(tx *store.Tx, actor string, job id.ID, token string) (Job, error) {
	j, err := s.open(tx, job, token)
	if err != nil {
		return j, err
	}
	if j.Over() {
		return j, fault.New(fault.Conflict, "the job is %s already; only a job under way can be cancelled", j.Status)
	}
	if err := s.end(tx, actor, &j, Cancelled, ""); err != nil {
		return j, err
	}
	return j, s.carryOn(tx, j.ID)
}

// open locks and reads a job for whoever has its token.
func (s *Service) open(tx *store.Tx, job id.ID, token string) (Job, error) {
	if err := s.LockIn(tx, job); err != nil {
		return Job{}, err
	}
	j, err := get(tx, job)
	if err == nil && subtle.ConstantTimeCompare([]byte(token), []byte(j.Token)) != 1 {
		err = fault.Field("task_token", "task_token is not the token of this job")
	}
	return j, err
}

// Approve is ApproveIn in a transaction of its own.
func (s *Service) Approve(ctx context.Context, tenant id.ID, actor string, job id.ID, token string) (Job, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Job, error) { return s.ApproveIn(tx, actor, job, token) })
}

// Cancel is CancelIn in a transaction of its own.
func (s *Service) Cancel(ctx context.Context, tenant id.ID, actor string, job id.ID, token string) (Job, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Job, error) { return s.CancelIn(tx, actor, job, token) })
}

// Reads returns a handle for a tenant's reads, for callers that have no
// transaction.
func (s *Service) Reads(ctx context.Context, tenant id.ID) store.Reader {
	return s.db.Read(ctx, tenant)
}

// Get returns a job. NotFound "bulk job".
func (s *Service) Get(r store.Reader, job id.ID) (Job, error) {
	j, err := get(r, job)
	if err != nil || j.Started == 0 {
		return j, err
	}
	return j, r.QueryRow("SELECT COUNT(*) FROM bulk_item WHERE tenant_id=? AND job_id=? AND is_open", job).Scan(&j.Open)
}

// Summary returns the entities of a job whose turn has come, by id, at most limit.
func (s *Service) Summary(r store.Reader, job id.ID, limit int) ([]Item, error) {
	return summary(r, job, limit)
}

// carryOn owes a job its advance.
func (s *Service) carryOn(tx *store.Tx, jobID id.ID) error {
	_, _, err := job.Enqueue(tx, job.New{Kind: kindAdvance, Args: advanceArgs{jobID}, UniqueKey: jobID.String(), Priority: 6, MaxAttempts: attempts})
	return err
}

func (s *Service) tell(tx *store.Tx, typ, actor string, j Job) error {
	_, err := s.log.Append(tx, event.New{Type: typ, Subject: j.ID, Actor: actor, Changed: []string{"status:" + j.Status}})
	return err
}

// followerOf returns who takes part in the jobs of an owner; the zero Follower when
// nobody does.
func (s *Service) followerOf(tx *store.Tx, owner id.ID) (Follower, error) {
	if owner.IsZero() {
		return Follower{}, nil
	}
	for _, f := range s.followers {
		if ok, err := f.Owns(tx, owner); err != nil || ok {
			return f, err
		}
	}
	return Follower{}, nil
}

// end brings a locked job to its last status.
func (s *Service) end(tx *store.Tx, actor string, j *Job, status, problem string) error {
	j.Status, j.Error, j.EndedAt = status, problem, tx.Now()
	if err := save(tx, j); err != nil {
		return err
	}
	f, err := s.followerOf(tx, j.Owner)
	if err != nil {
		return err
	}
	if f.Ended != nil {
		if err := f.Ended(tx, *j); err != nil {
			return err
		}
	}
	return s.tell(tx, "bulk_job.updated", actor, *j)
}
