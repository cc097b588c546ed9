// Package bulk owns jobs that start a rule once for every entity of an audience:
// the job, the snapshot of its audience, and where each entity's execution stands.
// Campaigns and the targeting face call the Service; nobody else writes its
// tables. The state machine of a job is drawn in docs/state-machines.md.
//
// A job writes its audience down first and then starts runs in batches, each in one
// transaction with what its followers write. Both are carried on by a durable job
// that may die at any point: what was committed is not done again.
package bulk

import (
	"time"

	"parley/internal/automation"
	"parley/internal/entity"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
)

// The statuses of a job, in their order; the last two can follow any that is not
// over (targeting reference §4.2).
const (
	Approval  = "approval"          // waits for somebody's word
	Querying  = "querying_entities" // its audience is being written down
	Loaded    = "entities_loaded"   // the audience is complete
	Executing = "executing"         // runs are being started
	Watching  = "monitoring"        // every run was started; some may be open
	Reporting = "send_report"       // no run is open
	Finished  = "finished"
	Failed    = "failed"
	Cancelled = "cancelled"
)

// Statuses lists them in their order.
var Statuses = []string{Approval, Querying, Loaded, Executing, Watching, Reporting, Finished, Failed, Cancelled}

// Over reports whether a job's status is its last.
func Over(status string) bool {
	return status == Finished || status == Failed || status == Cancelled
}

// Job starts a rule for each entity of an audience.
type Job struct {
	ID, Rule  id.ID
	Owner     id.ID // whom it belongs to, such as a campaign, or zero
	Actor     string
	Status    string
	Schema    string        // of the audience that Filter selects; "" for one of refs
	Filter    filter.Filter // with Schema
	Total     int64         // entities found so far
	Started   int64         // of them whose run began
	Refused   int64         // of them for whom nothing began
	Open      int64         // of Started whose run has not ended; only from Get
	Error     string        // why it failed
	Token     string        // of Approve and Cancel
	CreatedAt time.Time
	UpdatedAt time.Time
	EndedAt   time.Time // zero while it is not over

	loaded   int64 // of Refs
	loadedTo id.ID // the last entity that the walk has passed
	ranTo    id.ID // the last entity whose run was to begin
}

// Over reports whether nothing follows any more.
func (j Job) Over() bool { return Over(j.Status) }

// New is a job to make: with Refs, or with Schema and Filter.
type New struct {
	Rule     id.ID
	Owner    id.ID
	Refs     []entity.Ref
	Schema   string
	Filter   filter.Filter
	Approved bool // nobody's word is needed
}

// Item is one entity of a job.
type Item struct {
	Entity id.ID // as the audience had it; a merge does not change it
	Schema string
	Run    id.ID  // zero until it began, and where nothing did
	Status string // of automation.Exec...
	Error  string
	At     time.Time // of its last change
}

// Follower takes part in the jobs of its owners, in the transactions in which
// things happen to them.
type Follower struct {
	// Owns reports whether an owner is the follower's.
	Owns func(tx *store.Tx, owner id.ID) (bool, error)
	// Begin is called before the runs of a batch start and says which of them are
	// to: start[i] for batch[i]; nil is all. Optional, as the following are.
	Begin func(tx *store.Tx, j Job, batch []Item) (start []bool, err error)
	// Began is called when those that were to start have started, or were refused,
	// with these alone. Run, Status and Error tell; an inline run may have ended.
	Began func(tx *store.Tx, j Job, batch []Item) error
	// Moved is called for every later change of the status of the job's runs.
	Moved func(tx *store.Tx, j Job, list []automation.Moved) error
	// Ended is called once, when the job is finished, failed or cancelled.
	Ended func(tx *store.Tx, j Job) error
}

// Bounds.
const (
	maxRefs  = 10_000 // of a job; a larger audience is a filter
	loadPage = 512    // entities written down in one transaction
	minBatch = 16     // runs begun in one transaction
	maxBatch = 256
	sweepAt  = 100 // runs ended in one transaction
)
