// Package campaign owns campaigns of kind target (DESIGN §3): what is to be brought
// to the entities that a target selects, how it is delivered, and the ledger of its
// recipients, one for each entity, with what became of it in an automation, on a
// portal and in a user interface.
//
// An activation is one bulk job, made in the transaction that makes the campaign
// "activating"; the job's recipients are written with the runs that they stand for,
// and follow them in the transactions in which these move. Both state machines are
// drawn in docs/state-machines.md. Faces and the portal room call it.
//
// Events: campaign.created, campaign.updated, campaign.moved, campaign.deleted and
// campaign.purged with the campaign as subject, recipient.updated with the campaign as
// subject when a person's portal or user interface told of something.
package campaign

import (
	"time"

	"parley/internal/id"
)

// Schema is the campaigns' name among entities.
const Schema = "campaign"

// Statuses of a campaign (targeting reference §3.2).
const (
	Draft      = "draft"
	Activating = "activating" // its bulk job is under way
	Active     = "active"
	Inactive   = "inactive"
)

// Statuses of a recipient's execution (reference §2.1). None is "".
const (
	Pending    = "pending"
	InProgress = "in_progress"
	Success    = "success"
	Failed     = "failed"
	Cancelled  = "cancelled"
)

// AutomationStatuses lists them all.
var AutomationStatuses = []string{Pending, InProgress, Success, Failed, Cancelled}

// Statuses of a recipient on a portal; all but Sent also in a user interface.
const (
	Sent      = "sent"
	Seen      = "seen"
	Dismissed = "dismissed"
	Clicked   = "clicked"
)

// PortalStatuses lists them all, in their order.
var PortalStatuses = []string{Sent, Seen, Dismissed, Clicked}

// UIStatuses lists those of a user interface.
var UIStatuses = []string{Seen, Dismissed, Clicked}

// EmailStatuses are those of a recipient's e-mail (reference §2.2).
var EmailStatuses = []string{Sent, "delivered", "bounced", "complained", Failed}

// Relation is one entity that a campaign relates to.
type Relation struct {
	Entity string   `json:"entity_id"`
	Tags   []string `json:"_tags,omitempty"`
}

// Campaign is what is to be brought to whom.
type Campaign struct {
	ID        id.ID
	Name      string
	Goal      string
	Status    string
	StartDate string // YYYY-MM-DD, "" when not told; both dates inform and do nothing
	EndDate   string
	Flow      string // the automation that delivers it, as it was written
	Job       id.ID  // the bulk job of the last activation
	// Target is the relation as it was written, TargetID the target that it leads
	// to: zero for none, and for one that is no id of ours.
	Target   []Relation
	TargetID id.ID
	// NextBestAction is what discover offers of the campaign; nil for nothing.
	NextBestAction map[string]any
	Tags           []string       // nil when never told
	Extra          map[string]any // further attributes, as they were given
	Owner          id.ID          // the user who made it, zero for a key of nobody
	CreatedBy      string
	CreatedAt      time.Time
	UpdatedAt      time.Time

	token   string // approves or cancels the job
	deleted time.Time
}

// Recipient is an entity that a campaign reached. A status that it does not have is
// "".
type Recipient struct {
	Campaign         id.ID
	Entity           id.ID
	Schema           string
	Title            string
	AutomationStatus string
	Run              id.ID  // whose status it follows, zero for none
	Execution        string // what a caller wrote as the execution instead
	PortalStatus     string
	PortalAt         time.Time // when PortalStatus changed
	PortalState      map[string]any
	UIStatus         string
	UIAt             time.Time
	UIBefore         string // what UIStatus was before it was dismissed
	CreatedAt        time.Time
	UpdatedAt        time.Time

	starts int   // how often it was started
	place  int64 // in the campaign's list; it stays when the entity is merged
}
