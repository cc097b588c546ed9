// Package handover owns who works on a contact: the group that it came to and the
// one it is in, the agent, where the work stands, and every move of that. Faces
// move contacts through it; it asks agent whose turn it is.
//
// A contact has one row here, from its first inquiry on: at the latest the
// reactor of contact.created puts it into the tenant's first group, once the
// tenant has groups. The states and moves are one machine (docs/state-machines.md):
// each move is one version, one entry of the history, one event handover.moved
// and one activity, in one transaction under the contact's lock.
//
// contact.AssignedTo is free text of the platform API. This package alone keeps
// it in step (save): it holds the id of the agent here. The other way round, text
// that is the id of an active agent moves the contact to that agent (react).
package handover

import (
	"context"
	"time"

	"parley/internal/agent"
	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/store"
)

// Where the work on a contact stands (reference §4.2).
const (
	Unclaimed  = "unclaimed"  // no agent
	New        = "new"        // an agent, who has done nothing yet
	FollowUp   = "followUp"   // an agent is at it
	Processing = "processing" // a task holds it; nothing moves meanwhile
	Archived   = "archived"   // closed; the agent stays known
)

// Statuses lists them all.
var Statuses = []string{Unclaimed, New, FollowUp, Processing, Archived}

// Moves, as the history and the events name them.
const (
	Placed      = "placed"      // the first inquiry
	Assigned    = "assigned"    // by the group's method, or by an inquiry that names the agent
	Offered     = "offered"     // radar: to the next agent, or to everybody
	Claimed     = "claimed"     // an agent took it
	Transferred = "transferred" // to a group or an agent
	Contacted   = "contacted"   // the first message of ours
	Archiving   = "archived"
	Unarchived  = "unarchived"
	Labelled    = "labelled"
	Categorised = "categorised"
	Reminded    = "reminded"  // a reminder was set or taken away
	Absence     = "absence"   // the absence message was sent
	Blocked     = "blocked"   // into Processing
	Unblocked   = "unblocked" // out of it
	Merged      = "merged"    // got the work of a contact that was merged into this one
	Unmerged    = "unmerged"
)

// ReasonInactive archives what was quiet for too long.
const ReasonInactive = "inactive"

// Work is who works on a contact and how far it is.
type Work struct {
	Contact      id.ID
	Group        id.ID
	InitialGroup id.ID // never changes
	Agent        id.ID // zero: nobody
	Status       string
	Label        string // key of a label, ""
	Category     string
	// ArchivingReason is set while archived, unless the contact was put away
	// somewhere else.
	ArchivingReason  string
	UserMade         bool // by an agent, not by an inquiry
	AssignedAt       time.Time
	ClaimedAt        time.Time
	TransferredAt    time.Time
	FirstContactedAt time.Time
	ArchivedAt       time.Time
	NextReminder     time.Time
	AbsenceSentAt    time.Time // the wire's sentWorkingHourMessage
	ActiveAt         time.Time // something last happened; to the hour for messages
	OfferedTo        id.ID     // radar: who alone may claim it
	OfferUntil       time.Time
	Version          int // counts the moves
	CreatedAt        time.Time
	UpdatedAt        time.Time

	offered []id.ID // radar: who was asked in this round
	held    string  // Processing: the status before
}

// Change is one field of a move.
type Change struct {
	Field string `json:"field"`
	From  string `json:"from"`
	To    string `json:"to"`
}

// Entry is one move of the history.
type Entry struct {
	Contact id.ID // as it was called then
	Version int
	Move    string
	Status  string
	Group   id.ID
	Agent   id.ID
	Changes []Change
	Actor   string
	At      time.Time
}

// Service is the room's door. It is safe for concurrent use.
type Service struct {
	db       *store.DB
	log      *event.Log
	contacts *contact.Service
	cards    *deal.Service
	agents   *agent.Service
	reactJob string
	// few is how many contacts a list fetches by what is known of them instead of
	// meeting them in its order: MaxList, less in tests.
	few int
	// usual remembers the tenant's first category; SetWords forgets it.
	usual store.Memo[string]
}

// NewService returns the room's service. It takes part in merges and is asked
// before groups and agents are deleted.
func NewService(db *store.DB, log *event.Log, contacts *contact.Service, cards *deal.Service, agents *agent.Service) *Service {
	s := &Service{db: db, log: log, contacts: contacts, cards: cards, agents: agents, few: MaxList}
	contacts.Follow(contact.Follower{Name: "handover", Merge: s.merge, Unmerge: s.unmerge, Erase: s.erase, Purge: purge})
	agents.Hold(agent.Holder{Name: "handover", Group: s.groupHasContacts, Agent: s.agentHasContacts})
	s.reactJob = log.Register(event.Reactor{Name: "handover", Wants: s.wants, Types: []string{"contact.created", "contact.updated", "contact.archived",
		"contact.unarchived", "contact.merged", "contact.unmerged", "message.received", "message.queued", "group.created"}})
	return s
}

// Reads returns a handle for a tenant's reads, for callers that have no
// transaction.
func (s *Service) Reads(ctx context.Context, tenant id.ID) store.Reader {
	return s.db.Read(ctx, tenant)
}

func (s *Service) groupHasContacts(r store.Reader, group id.ID) (bool, error) {
	var one int
	return store.Found(r.QueryRow("SELECT 1 FROM handover WHERE tenant_id=? AND group_id=? LIMIT 1", group).Scan(&one))
}

func (s *Service) agentHasContacts(r store.Reader, agent id.ID) (bool, error) {
	var one int
	return store.Found(r.QueryRow("SELECT 1 FROM handover WHERE tenant_id=? AND agent_id=? AND status<>'archived' LIMIT 1", agent).Scan(&one))
}

// state is what a merge keeps of a row that has no place any more: ids, words and
// times, nothing of the person.
type state struct {
	Work    Work
	Offered []id.ID
	Held    string
}

func (w Work) state() state { return state{w, w.offered, w.held} }

func (s state) work() Work {
	w := s.Work
	w.offered, w.held = s.Offered, s.Held
	return w
}
