// Package agent owns the people of a tenant who answer: the tree of groups, the
// agents in them, office hours, presence, and whose turn it is. Faces manage both
// through it; handover asks it whom to give a contact to.
//
// A tenant's tree has one root, which is made when it is first needed. A group
// sees itself and everything below it (Within, Subtree). Whatever a group or an
// agent does not say for itself, the nearest group above says: hours and time
// zone. Deleted groups and agents keep their rows, since histories name them, and
// are found by their ids alone.
package agent

import (
	"context"
	"sync"
	"time"

	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/tenant"
)

// Ways in which a group gives new contacts to its agents (reference §4.2).
const (
	Manual     = "manual"     // whoever claims one first
	Radar      = "radar"      // offered to one agent at a time
	RoundRobin = "roundRobin" // to the agent who has waited longest
)

// Roles of agents.
const (
	RoleOwner = "owner"
	RoleAdmin = "admin"
	RoleAgent = "agent"
)

// Types of groups (reference §3.5, GroupNode).
const (
	TypeStore        = "store"
	TypeLeadProvider = "leadProvider"
	TypeGroup        = "group"
	TypeOEM          = "OEM"
)

// DefaultTimeout is how long a radar offer stands when the group does not say.
const DefaultTimeout = time.Minute

// Group is a node of the tenant's tree.
type Group struct {
	ID          id.ID
	Parent      id.ID // zero for the root
	Name        string
	DisplayName string // what people outside see; "" for the name
	Types       []string
	Timezone    string // IANA; "" asks the group above
	CountryCode string // ISO 3166
	Language    string
	Hours       Hours // empty asks the group above
	// AbsenceMessage is what a person is told who comes while nobody works.
	AbsenceMessage string
	Method         string        // Manual, Radar or RoundRobin
	Timeout        time.Duration // of a Radar offer
	// ReassignAfter is how long after archiving a contact still returns to the
	// agent it had; zero: forever.
	ReassignAfter time.Duration
	// CloseInactiveAfter is how long nothing may happen to a contact before it is
	// archived; zero: forever.
	CloseInactiveAfter time.Duration
	CreatedAt          time.Time
	UpdatedAt          time.Time
	DeletedAt          time.Time
}

// Root reports whether g is the top of the tree.
func (g Group) Root() bool { return g.Parent.IsZero() }

// Shown is the name that people outside see.
func (g Group) Shown() string {
	if g.DisplayName != "" {
		return g.DisplayName
	}
	return g.Name
}

// Node is a group with where it stands: the groups above it, the nearest first,
// and all below it, oldest ids first.
type Node struct {
	Group
	Ancestors   []id.ID
	Descendants []id.ID
}

// Agent is a person of the tenant who answers contacts.
type Agent struct {
	ID        id.ID
	Group     id.ID
	FirstName string
	LastName  string
	Email     string // lower case
	Phone     string // as given
	CellPhone string
	Role      string
	Active    bool
	Timezone  string // IANA; "" asks the group
	Hours     Hours  // empty asks the group
	LegacyID  string
	// ExternalID and AppFields are open maps of other systems and of apps.
	ExternalID  map[string]any
	AppFields   map[string]any
	OnlineUntil time.Time // zero: offline
	Paused      bool
	CreatedAt   time.Time
	UpdatedAt   time.Time
	DeletedAt   time.Time
}

// Name returns first and last name.
func (a Agent) Name() string {
	switch {
	case a.LastName == "":
		return a.FirstName
	case a.FirstName == "":
		return a.LastName
	}
	return a.FirstName + " " + a.LastName
}

// Online reports whether the agent is there at a moment.
func (a Agent) Online(at time.Time) bool { return a.Active && a.OnlineUntil.After(at) }

// Holder is a room whose rows lean on groups and agents: it is asked before one
// is deleted, in the transaction that deletes it and behind its row's lock.
type Holder struct {
	Name  string
	Group func(r store.Reader, group id.ID) (bool, error) // has the group contacts?
	Agent func(r store.Reader, agent id.ID) (bool, error) // has the agent open contacts?
	// Refusal is what to say of a group that something leans on, with its Reason; ""
	// is that it has contacts.
	Refusal, Reason string
}

// Service is the room's door. It is safe for concurrent use.
type Service struct {
	db      *store.DB
	log     *event.Log
	tenants *tenant.Service
	holders []Holder
	used    store.Memo[bool]
	groups  store.Memo[map[id.ID]Group]
	zones   sync.Map // name -> *time.Location
}

// NewService returns the room's service.
func NewService(db *store.DB, log *event.Log, tenants *tenant.Service) *Service {
	return &Service{db: db, log: log, tenants: tenants}
}

// Hold makes a room be asked before groups and agents are deleted. Call it before
// the first use.
func (s *Service) Hold(h Holder) { s.holders = append(s.holders, h) }

// Reads returns a handle for a tenant's reads, for callers that have no
// transaction.
func (s *Service) Reads(ctx context.Context, tenant id.ID) store.Reader {
	return s.db.Read(ctx, tenant)
}

func (s *Service) append(tx *store.Tx, actor, typ string, subject id.ID, changed ...string) error {
	_, err := s.log.Append(tx, event.New{Type: typ, Subject: subject, Changed: changed, Actor: actor})
	return err
}
