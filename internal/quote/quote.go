// Package quote owns the offers that are made to a contact: their items, what
// they come to, and whether they were accepted. A quote is pending until it is
// accepted or rejected, once and for good (docs/state-machines.md). Faces call it;
// interaction shows a quote as a proposal of the contact's timeline.
//
// Events: quote.created, quote.updated, with the quote as subject.
package quote

import (
	"context"
	"time"

	"parley/internal/agent"
	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/store"
)

// Statuses (sales reference §3.5).
const (
	Pending  = "pending"
	Accepted = "accepted"
	Rejected = "rejected"
)

// Statuses lists them all.
var Statuses = []string{Pending, Accepted, Rejected}

// Quote is an offer to a contact.
type Quote struct {
	ID      id.ID
	Contact id.ID
	Status  string
	Items   []Item
	// Total is the sum of quantity times price over the items, exact: a decimal
	// number as text, such as "1200.05".
	Total      string
	Data       map[string]any // additionalData
	CreatedAt  time.Time
	AcceptedAt time.Time
	RejectedAt time.Time
	UpdatedAt  time.Time
	CreatedBy  string // actor
}

// FinishedAt is when the quote was accepted or rejected; zero while pending.
func (q Quote) FinishedAt() time.Time {
	if q.AcceptedAt.IsZero() {
		return q.RejectedAt
	}
	return q.AcceptedAt
}

// Item is one line of a quote. Quantity and Price are decimal numbers as text.
type Item struct {
	Quantity string         `json:"quantity"`
	Price    string         `json:"price,omitempty"`    // of one, "" when not told
	Currency string         `json:"currency,omitempty"` // lower-case ISO 4217, "" when not told
	Concept  string         `json:"concept,omitempty"`
	Code     string         `json:"code,omitempty"`
	Product  map[string]any `json:"product,omitempty"`
}

// New is a quote to make.
type New struct {
	Contact id.ID
	Status  string // "" is pending
	Items   []Item
	Data    map[string]any
}

// Service is the room's door. It is safe for concurrent use.
type Service struct {
	db        *store.DB
	log       *event.Log
	contacts  *contact.Service
	agents    *agent.Service
	handovers *handover.Service
}

// NewService returns the room's service. It takes part in merges.
func NewService(db *store.DB, log *event.Log, contacts *contact.Service, agents *agent.Service, handovers *handover.Service) *Service {
	s := &Service{db: db, log: log, contacts: contacts, agents: agents, handovers: handovers}
	s.follow()
	return s
}

// Reads returns a handle for a tenant's reads, for callers that have no
// transaction.
func (s *Service) Reads(ctx context.Context, tenant id.ID) store.Reader {
	return s.db.Read(ctx, tenant)
}
