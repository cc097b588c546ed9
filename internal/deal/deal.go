// Package deal owns pipelines, their stages, and the deals that stand in them.
// A contact's primary deal together with the contact is a Card: what the
// platform API calls a lead. Faces, conversations and automations change cards
// through this room, so that person and deal change in one transaction.
//
// A contact that another room made without a card has a card without a deal
// when it is read by id, and gets its deal with the first change made here;
// lists and boards show it from then on.
package deal

import (
	"time"

	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/tenant"
)

// Statuses of a deal.
const (
	Open     = "open"
	Won      = "won"
	Lost     = "lost"
	Archived = "archived"
)

// Pipeline is a row of stages.
type Pipeline struct {
	ID          id.ID
	Name        string
	Description string
	Position    int  // from 0
	Default     bool // where cards without a pipeline go; at most one per tenant
	Active      bool
	Stages      []Stage // by position
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Stage is one column of a pipeline.
type Stage struct {
	ID          id.ID
	Pipeline    id.ID
	Name        string
	Color       string // "#3b82f6"
	Position    int    // from 0
	Probability int    // percent
	Default     bool   // where new cards begin
	Won, Lost   bool   // entering it ends the deal so
	// AutoActions are what the stage wants done when a card enters it, as they
	// were sent: {type, delayMinutes, config} (reference §3.2). Automations run them.
	AutoActions []map[string]any
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// status is what a deal in the stage is.
func (s *Stage) status() string {
	switch {
	case s.Won:
		return Won
	case s.Lost:
		return Lost
	}
	return Open
}

// Deal is a chance of business with one contact.
type Deal struct {
	ID             id.ID
	Contact        id.ID
	Pipeline       id.ID
	Stage          id.ID
	Status         string // open, won, lost or archived
	Title          string
	Value          float64 // in Currency, 0 to 1e15
	Currency       string  // ISO 4217
	Primary        bool
	EnteredStageAt time.Time
	ConvertedAt    time.Time // when it was won or lost; zero while it is neither
	ArchivedAt     time.Time
	CreatedAt      time.Time
	UpdatedAt      time.Time
	History        []StageSpan // oldest first; the last one is the present stage
}

// StageSpan is a stay in a stage. LeftAt is zero while it lasts.
type StageSpan struct {
	Stage     id.ID
	EnteredAt time.Time
	LeftAt    time.Time
}

// Card is a person with the primary deal. Pipeline comes without its Stages.
type Card struct {
	Contact  contact.Contact
	Deal     Deal
	Pipeline Pipeline
	Stage    Stage
}

// NewCard describes a person and the deal to begin with. Without a Stage the
// pipeline's default stage is meant; without a Pipeline, the default pipeline.
type NewCard struct {
	contact.New
	Pipeline, Stage id.ID
	Value           *float64
	Currency, Title string
	// Note and Activity are written to the timeline by Upsert, as a note and as an
	// entry of the type "system" (reference §4.2, moduleInfo).
	Note, Activity string
}

// CardPatch changes a card; nil fields stay. SetTags replaces all tags and goes
// before AddTags and RemoveTags.
type CardPatch struct {
	contact.Patch
	Stage               *id.ID
	Value               *float64
	Currency, Title     *string
	AddTags, RemoveTags []string
	SetTags             *[]string
}

// Orders of a list of cards.
const (
	ByScore         = "score" // the default
	ByCreated       = "createdAt"
	ByUpdated       = "updatedAt"
	ByValue         = "dealValue"
	ByLastContacted = "lastContactedAt" // never contacted counts as earliest
)

// CardFilter selects cards; zero fields select nothing out.
type CardFilter struct {
	Status             string // open, won, lost or archived; "" is all but archived
	Pipeline, Stage    id.ID
	Source, AssignedTo string
	Tags               []string // cards with any of them
	MinScore           *int
	Refs               map[string]string // cards with all of them
	Search             string            // beginnings of words of the name, of a phone or of an e-mail address
	From, To           time.Time         // of the contact's creation, both inclusive
	SortBy             string            // see ByScore
	SortDir            string            // "asc" or "desc", the default
	Page               int               // from 1, the default
	Limit              int               // 1 to 1000, default 25
}

// RefFilters are the references of a contact that a list can be narrowed by
// (platform reference §2.6).
var RefFilters = []string{"appointmentId", "bookingId", "orderId", "meetingId"}

// Board is a pipeline with its cards.
type Board struct {
	Pipeline Pipeline
	Columns  []Column // by position of the stage
}

// Column is a stage with its newest cards, and what all of its cards amount to.
type Column struct {
	Stage Stage
	Cards []Card
	Count int
	Value float64
}

// Service is the room's door. It is safe for concurrent use.
type Service struct {
	db       *store.DB
	log      *event.Log
	contacts *contact.Service
	tenants  *tenant.Service
	// usual is where new cards stand. Whatever changes a pipeline or a stage
	// forgets it.
	usual store.Memo[placement]
}

// NewService returns the room's service.
func NewService(db *store.DB, log *event.Log, contacts *contact.Service, tenants *tenant.Service) *Service {
	s := &Service{db: db, log: log, contacts: contacts, tenants: tenants}
	contacts.Follow(s.follower())
	return s
}
