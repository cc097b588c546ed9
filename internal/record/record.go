// Package record owns the documents of a tenant that have no declared shape: what
// the targeting API calls entities of any schema but contact, campaign and target.
// It also writes contacts as the entities of schema contact that they are shown as
// (People); they stay contacts and lie in that room alone.
//
// A record holds open attributes, tags and a title that follows from them. One that
// was deleted is put away and can be taken back; one that was purged is gone. Every
// scalar of a living record is in an index (see Entries), so that a narrow filter
// reads few records. Records refer to other entities by attributes of the form
// {"$relation": [{"entity_id": UUID}]}; such a reference follows a contact that is
// merged to the survivor, and goes when the person is erased.
//
// Events: record.created, record.updated, record.deleted, record.restored,
// record.purged, with the record as subject and, in Changed, "schema:<slug>" and
// the names of attributes.
package record

import (
	"context"
	"regexp"
	"time"

	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Record is a document.
type Record struct {
	ID         id.ID
	Schema     string
	Title      string
	Tags       []string       // sorted
	Attributes map[string]any // canonical (filter.Canonical)
	Owner      id.ID          // the agent for whom it was made, zero when none
	CreatedBy  string         // actor
	CreatedAt  time.Time
	UpdatedAt  time.Time // grows with every change
	DeletedAt  time.Time // zero: not deleted
}

// New is a record to make.
type New struct {
	Schema     string
	Title      string // for a record whose attributes name none, see Record.Title
	Tags       []string
	Attributes map[string]any // members that are null stay out
	Owner      id.ID
}

// Patch changes a record.
type Patch struct {
	Title *string
	Tags  *[]string // nil: as they are
	// Attributes are a JSON merge patch (RFC 7396): objects are merged, null takes
	// away, everything else replaces.
	Attributes map[string]any
	// Seen, when set, is the UpdatedAt that the caller has read: a record that changed
	// since is a Conflict.
	Seen time.Time
	// Restore takes a deleted record back first; without it such a record is unknown.
	Restore bool
}

// Bounds of a record.
const (
	MaxJSON  = 256 << 10 // bytes of JSON of all attributes
	MaxDepth = 32        // objects and arrays inside each other
	MaxNames = 1000      // attributes
	maxName  = 200       // characters of an attribute's name
	maxTitle = 500       // characters
)

// slug is the form of a schema's name (targeting reference §5.2).
var slug = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,100}$`)

// CheckSchema refuses what is no name of a schema. Invalid naming "slug".
func CheckSchema(s string) error {
	if !slug.MatchString(s) {
		return fault.Field("slug", "slug must have 1 to 100 letters, digits, _ and -")
	}
	return nil
}

// Service is the room's door. It is safe for concurrent use.
type Service struct {
	db       *store.DB
	log      *event.Log
	contacts *contact.Service
}

// NewService returns the room's service. It takes part in merges and the erasing of
// people.
func NewService(db *store.DB, log *event.Log, contacts *contact.Service) *Service {
	s := &Service{db: db, log: log, contacts: contacts}
	s.follow()
	return s
}

// Reads returns a handle for a tenant's reads, for callers that have no
// transaction.
func (s *Service) Reads(ctx context.Context, tenant id.ID) store.Reader {
	return s.db.Read(ctx, tenant)
}
