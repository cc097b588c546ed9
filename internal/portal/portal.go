// Package portal owns the portals of a tenant and the widgets on them: what a
// portal is called, where it stands, and which campaigns its widgets show. The pages
// themselves are somebody else's program; what it keeps here is kept and not read.
// Faces call it; a campaign counts as delivered while a widget refers to it.
//
// Events: portal.created, portal.updated, with the portal as subject.
package portal

import (
	"context"
	"time"

	"parley/internal/campaign"
	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/segment"
	"parley/internal/store"
)

// Origins (targeting reference §4.9). A tenant has at most one portal of each.
const (
	EndCustomer = "END_CUSTOMER_PORTAL"
	Installer   = "INSTALLER_PORTAL"
)

// Origins lists them all.
var Origins = []string{EndCustomer, Installer}

// Portal is one portal of a tenant.
type Portal struct {
	ID        id.ID
	Origin    string
	Name      string
	Domain    string
	Enabled   bool
	Extra     map[string]any // what else was given: pages, design, settings
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Usage is a portal with those of its widgets that refer to a campaign.
type Usage struct {
	Portal  Portal
	Widgets []Widget
}

// Service is the room's door. It is safe for concurrent use.
type Service struct {
	db        *store.DB
	log       *event.Log
	campaigns *campaign.Service
	segments  *segment.Service
}

// NewService returns the room's service.
func NewService(db *store.DB, log *event.Log, campaigns *campaign.Service, segments *segment.Service) *Service {
	return &Service{db: db, log: log, campaigns: campaigns, segments: segments}
}

// Reads returns a handle for a tenant's reads, for callers that have no
// transaction.
func (s *Service) Reads(ctx context.Context, tenant id.ID) store.Reader {
	return s.db.Read(ctx, tenant)
}
