package segment

import (
	"log/slog"
	"slices"

	"parley/internal/contact"
	"parley/internal/entity"
	"parley/internal/event"
	"parley/internal/job"
	"parley/internal/store"
)

// Service is the room's door and its ledger. It is safe for concurrent use.
type Service struct {
	db       *store.DB
	feed     *event.Log
	contacts *contact.Service
	entities *entity.Service
	// schemas are those that the tenant's segments select; an empty list is
	// remembered too.
	schemas  store.Memo[[]string]
	sets     sets
	matchers matchers
	page     int // of a walk over entities that are to be known
	log      *slog.Logger
}

var (
	_ job.Ledger    = (*Service)(nil)
	_ entity.Source = (*Service)(nil)
)

// NewService returns the room. It reacts to the feed and takes part in merges.
// Give it to job.Lanes as a Ledger, and to entities as the Source of "target".
func NewService(db *store.DB, feed *event.Log, contacts *contact.Service, entities *entity.Service) *Service {
	s := &Service{db: db, feed: feed, contacts: contacts, entities: entities, page: perPage, log: slog.New(slog.DiscardHandler)}
	feed.Register(event.Reactor{Name: ledgerName, Types: slices.Concat(entity.ChangedBy, names), OweAll: s.owe})
	contacts.Follow(contact.Follower{Name: ledgerName, Last: true, Merge: s.merge, Unmerge: s.unmerge, Erase: s.erase})
	return s
}

// Logger makes the room tell of entities that it cannot compare.
func (s *Service) Logger(l *slog.Logger) { s.log = l }
