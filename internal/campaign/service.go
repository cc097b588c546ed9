package campaign

import (
	"context"

	"parley/internal/automation"
	"parley/internal/bulk"
	"parley/internal/contact"
	"parley/internal/entity"
	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/record"
	"parley/internal/segment"
	"parley/internal/store"
)

// Rooms are those that campaigns ask.
type Rooms struct {
	Contacts    *contact.Service
	Records     *record.Service
	Entities    *entity.Service
	Segments    *segment.Service
	Automations *automation.Service
	Bulk        *bulk.Service
}

// Service is the room's door. It is safe for concurrent use.
type Service struct {
	db          *store.DB
	log         *event.Log
	contacts    *contact.Service
	records     *record.Service
	entities    *entity.Service
	segments    *segment.Service
	automations *automation.Service
	jobs        *bulk.Service
	// delivered tells whether a widget of a portal shows a campaign; nil: none does.
	delivered func(r store.Reader, campaign id.ID) (bool, error)
	channels  Channels
}

// NewService returns the room's service. It takes part in its bulk jobs, in the moves
// of its runs, and in merges and the erasing of people; titles follow the feed.
func NewService(db *store.DB, log *event.Log, rooms Rooms) *Service {
	s := &Service{db: db, log: log, contacts: rooms.Contacts, records: rooms.Records, entities: rooms.Entities, segments: rooms.Segments,
		automations: rooms.Automations, jobs: rooms.Bulk}
	s.jobs.Follow(s.follower())
	s.automations.OnMoved(s.moved)
	s.contacts.Follow(contact.Follower{Name: "campaign", Merge: s.merged, Unmerge: s.unmerged, Erase: erased})
	log.Register(event.Reactor{Name: titleReactor, Types: retitle, Wants: titled, Priority: 7})
	return s
}

// DeliveredBy lets the portal room tell whether a widget refers to a campaign. Call it
// before the first use.
func (s *Service) DeliveredBy(f func(r store.Reader, campaign id.ID) (bool, error)) { s.delivered = f }

// Reads returns a handle for a tenant's reads, for callers that have no transaction.
func (s *Service) Reads(ctx context.Context, tenant id.ID) store.Reader {
	return s.db.Read(ctx, tenant)
}
