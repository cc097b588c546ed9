// Package interaction shows everything that passed between a contact and us as
// one list: messages of every channel, calls, notes, questions, visits, transfers,
// reminders, quotes. It owns no table. An interaction is a row of message, note or
// activity, under that row's own id, read when somebody asks: whatever any face
// writes is an interaction at once, and there is no copy that could differ.
//
// New ones come in through RecordIn, which writes the row where it belongs: a note
// becomes a note, everything else an activity of the timeline. A message recorded
// here happened elsewhere: it is not sent, opens no free-reply window and belongs
// to no conversation (docs/decisions/0023-interactions-are-read.md).
//
// Which activities are interactions is the table kinds; those that only mirror
// another row, such as whatsapp_sent, are not.
package interaction

import (
	"context"
	"time"

	"parley/internal/agent"
	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/event"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/quote"
	"parley/internal/store"
)

// Ways in which an interaction happened (sales reference §2.3).
const (
	WalkIn       = "walkIn"
	SMS          = "sms"
	WhatsApp     = "whatsApp"
	Email        = "email"
	TestDrive    = "testDrive"
	Visit        = "visit"
	PhoneCall    = "phoneCall" // a call of unknown direction
	OutboundCall = "outboundCall"
	InboundCall  = "inboundCall"
	Facebook     = "facebook"
	Other        = "other"
	Instagram    = "instagram"
	WebAction    = "webAction"
	CustomApp    = "customApp"
)

// Vias lists them all.
var Vias = []string{WalkIn, SMS, WhatsApp, Email, TestDrive, Visit, PhoneCall, OutboundCall, InboundCall, Facebook, Other, Instagram, WebAction, CustomApp}

// Statuses. A message is pending, sent, received, read, failed or deleted; a
// question opened, answered or cancelled; everything else was Created
// (reference §3.3, §3.4).
const (
	Created   = "created"
	Pending   = "pending"
	Sent      = "sent"
	Received  = "received"
	Read      = "read"
	Failed    = "failed"
	Deleted   = "deleted"
	Opened    = "opened"
	Answered  = "answered"
	Cancelled = "cancelled"
)

// Statuses lists them all.
var Statuses = []string{Created, Pending, Sent, Received, Read, Failed, Deleted, Opened, Answered, Cancelled}

// Kinds of a New.
const (
	KindQuestion = "question"
	KindNote     = "note"
	KindCall     = "call"
	KindMessage  = "message"
)

// New is something that happened between a contact and us, as another system
// tells it (reference §3.4, NewEvent). Kind decides which fields count.
type New struct {
	Type string `json:"type"` // question, note, call, message

	ProviderID  string `json:"providerId,omitempty"`
	ThreadTitle string `json:"threadTitle,omitempty"`
	ThreadURL   string `json:"threadUrl,omitempty"`
	Question    string `json:"question,omitempty"`
	// Answer and CancelReason close a question; at most one of them.
	Answer       string        `json:"answer,omitempty"`
	Delivered    *bool         `json:"delivered,omitempty"`
	CancelReason string        `json:"cancelReason,omitempty"`
	UTMSource    string        `json:"utmSource,omitempty"`
	StartedAt    time.Time     `json:"startedAt,omitzero"`
	Duration     time.Duration `json:"-"` // of a call, whole milliseconds
	RecordingURL string        `json:"recordingUrl,omitempty"`
	Content      string        `json:"content,omitempty"` // of a note or a message
	RepliesTo    string        `json:"repliesTo,omitempty"`
	Sender       string        `json:"sender,omitempty"`
	Recipient    string        `json:"recipient,omitempty"`
	Attachment   *Attachment   `json:"attachment,omitempty"`
	// Rich holds the parts of a message that are shown as they came: keys
	// channelInteraction, list, buttons, productList, order.
	Rich map[string]any `json:"rich,omitempty"`
	// Via says how it happened; "" derives it from the rest.
	Via string `json:"via,omitempty"`
	// At is when it happened, for histories; zero is StartedAt, else now.
	At time.Time `json:"-"`
}

// Attachment is a file of a message (reference §3.3).
type Attachment struct {
	Type     string         `json:"type,omitempty"` // FILE, IMAGE, AUDIO, VIDEO
	URL      string         `json:"url,omitempty"`
	Location map[string]any `json:"location,omitempty"`
	Contacts any            `json:"contacts,omitempty"`
}

// Update changes a recorded message or question (reference §3.4, UpdateEvent).
// Nil fields stay.
type Update struct {
	Type         string // message or question
	Delivered    *bool
	Status       string // of a message: pending, sent, received, read, failed, deleted
	Error        string
	Answer       *string
	CancelReason *string
}

// Interaction is one thing that passed between a contact and us.
type Interaction struct {
	ID      id.ID
	Contact id.ID // the living one
	// Agent did it, or, for what the contact did, had the contact at that moment;
	// zero when nobody.
	Agent      id.ID
	Bot        bool // a bot or an automation did it
	Actor      string
	CreatedAt  time.Time
	DueAt      time.Time // a reminder or a visit
	StartedAt  time.Time
	FinishedAt time.Time
	UpdatedAt  time.Time
	Status     string
	Proactive  bool // we began it, not the contact
	Via        string
	Output     Output
}

// Output is what came of an interaction; zero fields do not apply (reference §3.3).
type Output struct {
	Comment         string
	Reminder        time.Time
	VisitScheduled  time.Time
	Question        *Question
	Message         *Message
	Call            *Call
	RejectionReason string
	Proposal        *Proposal
	Status          string
	VisitSuccessful *bool
	CallSuccessful  *bool
	WebAction       string
	ToAgent         id.ID // transferedTo
	ToGroup         id.ID
	Response        string
	Conversations   []Thread
	CustomEvent     map[string]any
}

// Question is a question that a person asked at a portal, and its answer.
type Question struct {
	ID           string
	ProviderID   string
	ThreadTitle  string
	ThreadURL    string
	Question     string
	Answer       string
	Delivered    *bool
	CancelReason string
}

// Performers of a message: the original calls the contact's side integration.
const (
	ByContact = "integration"
	ByUs      = "agent"
)

// Message is a message of a conversation, or one that happened elsewhere.
type Message struct {
	ProviderID string
	Template   string // its name
	Body       string // the text of a template as it was sent
	Content    string
	Delivered  bool
	Sender     string
	Recipient  string
	Attachment *Attachment
	Via        string
	Performer  string // ByContact or ByUs
	RepliesTo  string
	Error      string
	Rich       map[string]any
	// Recorded says that it happened elsewhere: RecordIn wrote it, nothing sends it.
	Recorded bool
}

// Call is a phone call; the wire tells it by startedAt and finishedAt.
type Call struct {
	ProviderID   string
	UTMSource    string
	Duration     time.Duration
	RecordingURL string
}

// Proposal is a quote as it is now.
type Proposal struct {
	Quote          id.ID
	FirstCreatedAt time.Time
	Items          []quote.Item
	Status         string
}

// Thread is the conversation in which a message was.
type Thread struct {
	ID           id.ID
	Channel      string
	ProviderName string
	Title        string
}

// Filter narrows a list; zero fields do not. All must hold; ranges include both
// ends.
type Filter struct {
	Scope                       id.ID // the key's group: it and what is below
	Agent                       id.ID
	Status                      string
	Via                         []string
	CreatedAfter, CreatedBefore time.Time
	// Before and After are interactions or contacts: only what was created before
	// or after them is shown, never themselves.
	Before, After id.ID
	Limit         int // 0: no limit; more than MaxList is cut to it
}

// MaxList is how many rows a limited list holds at most (reference §4.6).
const MaxList = 5000

// Service is the room's door. It is safe for concurrent use.
type Service struct {
	db            *store.DB
	log           *event.Log
	contacts      *contact.Service
	conversations *conversation.Service
	agents        *agent.Service
	handovers     *handover.Service
	quotes        *quote.Service
}

// NewService returns the room's service.
func NewService(db *store.DB, log *event.Log, contacts *contact.Service, conversations *conversation.Service, agents *agent.Service, handovers *handover.Service, quotes *quote.Service) *Service {
	return &Service{db: db, log: log, contacts: contacts, conversations: conversations, agents: agents, handovers: handovers, quotes: quotes}
}

// Reads returns a handle for a tenant's reads, for callers that have no
// transaction.
func (s *Service) Reads(ctx context.Context, tenant id.ID) store.Reader {
	return s.db.Read(ctx, tenant)
}
