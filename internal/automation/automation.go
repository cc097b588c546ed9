// Package automation owns rules and their runs, and the trigger calls that other
// systems make. A rule is the author's form, compiled to a graph; every change of
// the graph is a new version, and a run keeps the version it began with. A run is
// one contact's walk through a rule. A step's effect and the run's advance are
// one transaction, so a step happens exactly once.
//
// Rules start by events of the feed (a reactor named "automation") or by Fire.
// Faces call the Service; nobody else writes its tables. What actions do, they do
// through the doors of contact and conversation. The state machine of a run is
// drawn in docs/state-machines.md.
package automation

import (
	"context"
	"time"

	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
	"parley/internal/tenant"
	"parley/internal/webhook"
)

// Rule is an automation as its author sees it.
type Rule struct {
	ID          id.ID
	Name        string
	Description string
	Trigger     string
	Active      bool
	Version     int // from 1; grows when the compiled graph changes
	// Definition is the author's whole form with every key that was sent, except
	// isActive, which Active tells.
	Definition    map[string]any
	RunsStarted   int64
	ActiveRuns    int64
	CompletedRuns int64
	LastRunAt     time.Time // zero: never
	CreatedAt     time.Time
	UpdatedAt     time.Time
	Origin        string // "" for an author's own; see OriginStage
	OriginID      id.ID  // the row that it belongs to
}

// RuleQuery selects rules; zero fields select nothing out.
type RuleQuery struct {
	Trigger string
	Active  *bool
}

// The statuses of a run. Paused and Aborted belong to a person's actions.
const (
	Running   = "running"   // a branch is ready for its next step
	Waiting   = "waiting"   // every open branch waits for a time, a reply, an event or an answer
	Paused    = "paused"    // stopped by a person, may go on
	Completed = "completed" // every branch reached its end
	Failed    = "failed"    // every branch ended, one of them by a failed step
	Aborted   = "aborted"   // stopped by a person for good
)

// The statuses of a step.
const (
	StepWaiting   = "waiting"
	StepCompleted = "completed"
	StepFailed    = "failed"
	StepSkipped   = "skipped" // its conditions did not hold, or its time was long past
	StepRetried   = "retried" // failed, and the node was begun once more
)

// Reasons for which a run ends before its last node.
const (
	ExitGoal      = "goal_reached"       // completed
	ExitCondition = "exit_condition_met" // completed: a step's exitSequenceIf held
	ExitUnenroll  = "manual_unenroll"    // aborted
	ExitAborted   = "aborted"            // aborted by a person
	ExitDeleted   = "rule_deleted"       // aborted
	ExitErased    = "erased"             // aborted: the person was erased
	ExitMerged    = "merged"             // aborted: the contact was merged with one that is in the rule already
	ExitSkipped   = "conditions_not_met" // completed: it was launched, and the rule's conditions did not hold
	ExitCancelled = "cancelled"          // aborted with its owner
)

// Run is one contact's walk through a rule. Node, WaitKey and ResumeAt tell of
// the branch that moves next; Branches tells of all.
type Run struct {
	ID          id.ID
	Rule        id.ID
	RuleName    string
	Version     int
	Contact     id.ID
	TriggerLog  id.ID // the trigger call that started it, zero when an event did
	Trigger     string
	Origin      string // of its rule, "" for an author's own
	Status      string
	Node        string
	WaitKey     string    // "reply:<contact>", "event:<contact>:<name>", "delivery:<id>" while it waits for that
	ResumeAt    time.Time // when a wait ends by itself, zero when it does not
	Variables   map[string]any
	Error       string // the first failure
	ExitReason  string // of Exit..., "" for a run that went to its last node
	Enrollment  bool   // a run of a sequence
	Schema      string // of Entity
	Entity      id.ID  // of a launched run: what it is about, as it was asked for
	Owner       id.ID  // of a launched run: whose books follow it, or zero
	Branches    []Branch
	Steps       []Step // only from Service.Run; oldest first
	StartedAt   time.Time
	UpdatedAt   time.Time
	CompletedAt time.Time
}

// Branch is where an open run stands; a run has several after a fork.
type Branch struct {
	Node     string
	Waiting  bool
	WaitKey  string
	Event    string // the name of the event it waits for
	ResumeAt time.Time
	Since    time.Time
}

// Step is one node that a run came through.
type Step struct {
	Node        string
	Kind        string // of the node, or of its action: "condition", "delay", "send_whatsapp"
	Status      string
	Output      map[string]any
	Error       string
	StartedAt   time.Time
	CompletedAt time.Time
}

// Call is a trigger call of another system (seed 000, trigger webhook).
type Call struct {
	Trigger          string // required: no white space, at most 100 characters
	Phone, Email     string // raw; one of Phone, Email and Lead is required
	Lead             id.ID
	Variables, Data  map[string]any // Data is put into the variables as text
	CreateIfMissing  bool
	LeadData         map[string]any // firstName, lastName, source ... of a person to create
	CallbackURL      string
	CallbackMethod   string // PUT (default), POST or PATCH
	CallbackMetadata any    // returned in every callback
	DelayMinutes     float64
	DelaySeconds     float64
	RunAt            time.Time
	IdempotencyKey   string // the same key returns the earlier result
}

// Fired is the answer to a Call.
type Fired struct {
	LogID        id.ID
	Trigger      string
	Contact      id.ID
	RulesMatched int // active rules of the trigger, before their filters and conditions
	Scheduled    bool
	RunAt        time.Time // when a scheduled call fires
	Replayed     bool      // the idempotency key was known: nothing new happened
}

// Service is the room's door. It is safe for concurrent use.
type Service struct {
	db       *store.DB
	log      *event.Log
	contacts *contact.Service
	cards    *deal.Service
	inbox    Inbox
	hooks    *webhook.Service
	tenants  *tenant.Service
	clock    clock.Clock
	// triggers are the names that the tenant listens to. Whatever changes a rule
	// or an event's definition forgets them.
	triggers store.Memo[listens]
	graphs   graphs
	// segmentName names a segment; nil names none.
	segmentName func(ctx context.Context, tenant, segment id.ID) (string, error)
	// watchers are told when runs with an owner move; documents reads entities.
	watchers  []func(tx *store.Tx, list []Moved) error
	documents Documents
}

// Bounds.
const (
	maxDepth     = 10        // runs that start each other by their effects (reference 4.5)
	maxNodes     = 500       // of a graph
	maxEdges     = 2000      // of a graph
	maxName      = 200       // characters of a rule's name
	maxTrigger   = 100       // characters of a trigger's name
	maxVariables = 256 << 10 // bytes of a run's variables as JSON
	maxForm      = 1 << 20   // bytes of a definition as JSON
	maxRuns      = 1000      // runs of a page; a shorter cap would hide rows from whoever stops at a short page (reference 1.4)
	stepsPerTx   = 32        // nodes passed in one transaction
	maxDelay     = 366 * 24 * time.Hour
)

// Kinds of jobs.
const (
	kindStep = "automation.step"
	kindFire = "automation.fire"
)

// RegisterJobs gives the runner the handlers of this room's jobs.
func (s *Service) RegisterJobs(r *job.Runner) {
	r.Register(job.Kind{Name: "react." + reactorName, Handle: s.handleEvent, Timeout: time.Minute, Backoff: backoff})
	r.Register(job.Kind{Name: "react." + callbackReactor, Handle: s.handleCallback, Timeout: time.Minute, Backoff: backoff})
	r.Register(job.Kind{Name: "react." + answerReactor, Handle: s.handleAnswer, Timeout: time.Minute, Backoff: backoff})
	r.Register(job.Kind{Name: kindStep, Handle: s.handleStep, Timeout: time.Minute, Backoff: backoff, Discarded: s.stepDiscarded})
	r.Register(job.Kind{Name: kindFire, Handle: s.handleFire, Timeout: time.Minute, Backoff: backoff, Discarded: s.fireDiscarded})
	r.Register(job.Kind{Name: kindQuiet, Handle: s.handleQuiet, Timeout: time.Minute, Backoff: backoff})
	r.Register(job.Kind{Name: kindQuietOf, Handle: s.handleQuietOf, Timeout: 2 * time.Minute, Backoff: backoff})
	r.Cron(kindQuiet, "7,22,37,52 * * * *", job.New{Kind: kindQuiet, UniqueKey: "quiet", Priority: 7})
}

// backoff is short at first: what fails here for want of the database is
// usually well again in a moment.
func backoff(attempt int) time.Duration { return time.Second << min(attempt, 9) }

// attempts of this room's jobs; with backoff they span about half an hour.
const attempts = 12
