package conversation

import (
	"time"

	"parley/internal/channel"
	"parley/internal/id"
)

// Directions of a message.
const (
	Inbound  = "inbound"
	Outbound = "outbound"
)

// Statuses of a message (platform reference §3.14). An inbound message is
// "delivered", or "read" once an agent has read it.
const (
	Queued    = "queued"
	Sent      = "sent"
	Delivered = "delivered"
	Read      = "read"
	Failed    = "failed"
)

// Statuses of a conversation.
const (
	StatusOpen   = "open"
	StatusClosed = "closed"
)

// Conversation is the exchange with one address on one channel.
type Conversation struct {
	ID            id.ID
	Contact       id.ID // zero when nobody is known at the address yet
	Channel       string
	Account       id.ID  // the account through which it runs
	Address       string // digits of the phone for WhatsApp
	Name          string
	Status        string // StatusOpen or StatusClosed
	Unread        int    // inbound messages nobody has read
	Messages      int
	Last          *Message
	LastMessageAt time.Time
	LastInboundAt time.Time // opens the free-reply window
	Owner         Owner     // who answers
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// Message is one message of a conversation.
type Message struct {
	ID              id.ID
	Conversation    id.ID
	Contact         id.ID
	Direction       string // Inbound or Outbound
	Kind            string // a message kind of package channel
	Text            string
	Media           *Media
	Template        *TemplateData
	ProviderID      string // e.g. a wamid; "" until the provider has taken it
	ReplyTo         id.ID
	ReplyToProvider string
	SentBy          string // "key:<id>", "run:<id>", ..., or "contact"
	Status          string
	History         []StatusAt // each status once, in order of time
	Error           *SendFailure
	Reactions       []Reaction
	Metadata        map[string]any
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// Media is a file of a message: one that is kept here (File), one that lies
// elsewhere (URL), or a contact's that the provider has until it has been
// fetched (ProviderID alone).
type Media struct {
	File       id.ID  `json:"-"` // in package media; a column of its own
	URL        string `json:"url,omitempty"`
	ProviderID string `json:"providerId,omitempty"`
	MIME       string `json:"mime,omitempty"`
	Caption    string `json:"caption,omitempty"`
	Filename   string `json:"filename,omitempty"`
	Size       int64  `json:"size,omitempty"` // bytes, of a File
	Link       string `json:"-"`              // where a File can be read for some days; see media.Link
	// Missing says why a contact's file could not be fetched.
	Missing string `json:"missing,omitempty"`
}

// TemplateData is what a sent template looked like.
type TemplateData struct {
	Name       string                   `json:"name"`
	Language   string                   `json:"language"`
	HeaderType string                   `json:"headerType,omitempty"`
	Footer     string                   `json:"footer,omitempty"`
	Buttons    []channel.TemplateButton `json:"buttons,omitempty"`
	Variables  []string                 `json:"variables"`
}

// StatusAt is one entry of a message's history.
type StatusAt struct {
	Status string    `json:"status"`
	At     time.Time `json:"timestamp"`
}

// SendFailure says why a message failed, or that its outcome is unknown.
type SendFailure struct {
	Code  int    `json:"code"` // the provider's code, 0 when the refusal is ours
	Title string `json:"title"`
}

// Business is the sender of our own reactions: a provider knows one per account,
// whoever of us gave it.
const Business = "business"

// Reaction is an emoji that somebody put on a message.
type Reaction struct {
	Emoji string    `json:"emoji"`
	By    string    `json:"reactBy"` // the contact's address, or Business
	At    time.Time `json:"at"`
	// Mark orders reactions of the same second: the reaction's provider id.
	Mark string `json:"mark,omitempty"`
}

// Send is a message to send. One of To, Conversation and Contact is required;
// exactly one of Text, Media, Template and Prompt makes its content (a Text beside
// Media is the caption; Media beside Template is the file of its header).
type Send struct {
	To           string // a phone in any form, or an address as the channel writes it
	Conversation id.ID
	Contact      id.ID
	Channel      string // "" = "whatsapp"; a Conversation brings its own
	Text         string
	Kind         string // of Media: image, video, audio, document, sticker; "" = by MIME type or file name
	Media        *channel.Media
	Template     *TemplateUse
	Prompt       *channel.Prompt // something to choose from, instead of Text
	// Account is the account that a conversation begins with; one that has begun
	// keeps its own. Zero: the tenant's newest of the channel.
	Account  id.ID
	ReplyTo  id.ID
	Metadata map[string]any
	SentBy   string // "" = the actor
	// Bot says that a bot speaks: it is refused unless the bot owns the
	// conversation. UnlessAgent refuses the message while an agent owns it.
	// Both are Conflict with Reason "owner".
	Bot         bool
	UnlessAgent bool
}

// TemplateUse names a template and its values, either in order of the
// positions or by name.
type TemplateUse struct {
	Name     string
	Language string // "" = the stored template's own
	Values   []string
	Named    map[string]string
	// Vars and Resolved are what the mapping of the template may take values
	// from beside the contact: the variables of a trigger and the results of
	// earlier steps. See Context.
	Vars     map[string]any
	Resolved map[string]any
}

// ListQuery selects conversations.
type ListQuery struct {
	Status string // "open", "closed", "" = both; "resolved" means closed, "waiting" open
	Search string // part of the name or of the address
	Limit  int    // default 50, at most 200
	Before string // a cursor that List returned, or an ISO time
	Owner  string // OwnerBot, OwnerQueue or OwnerAgent; "" = all
	Agent  string // of the owner; "" = all
}

// MessageQuery selects messages of a conversation.
type MessageQuery struct {
	Limit    int // default 50, at most 200
	Before   time.Time
	After    time.Time
	BeforeID id.ID // wins over Before
	AfterID  id.ID // wins over After
}

// Template is a stored message template (platform reference §3.15).
type Template struct {
	ID            id.ID
	Channel       string
	Name          string
	Language      string
	ProviderID    string
	Status        string // APPROVED, PENDING, REJECTED, PAUSED, DISABLED
	Category      string // MARKETING, UTILITY, AUTHENTICATION
	HeaderType    string // NONE, TEXT, IMAGE, VIDEO, DOCUMENT
	HeaderText    string
	BodyText      string
	FooterText    string
	Buttons       []channel.TemplateButton
	Components    []byte // the provider's JSON; nil when unknown
	Variables     int
	Positions     []Position // of the placeholders, derived
	Mapping       []Mapping
	MappingStatus string // unmapped, partial, complete, outdated
	OnEmpty       string // skip_send, use_fallback, send_anyway
	Active        bool
	Subject       string // of an e-mail
	ContentType   string // of an e-mail: text or html
	Attachments   []map[string]any
	LastSyncedAt  time.Time // zero: no provider has it, it was made here
	MappedAt      time.Time
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// Position is one place of a template that wants a value.
type Position struct {
	Position  int    `json:"position"`       // 1-based over the whole template: header, body, buttons
	Name      string `json:"name"`           // what stands between the braces: "1" or "first_name"
	Component string `json:"componentType"`  // HEADER, BODY, BUTTON
	Index     int    `json:"componentIndex"` // of the button; 0 elsewhere
	Original  int    `json:"originalIndex"`  // 1-based within the component
}

// Mapping says where the value of a position comes from (platform reference
// §3.15, VariableMapping).
type Mapping struct {
	Position   int    `json:"position"`
	Original   int    `json:"originalIndex,omitempty"`
	Component  string `json:"componentType,omitempty"`
	Index      int    `json:"componentIndex,omitempty"`
	Label      string `json:"label,omitempty"`
	Source     string `json:"source,omitempty"`
	Collection string `json:"collection,omitempty"`
	Field      string `json:"field,omitempty"`
	Static     string `json:"staticValue,omitempty"`
	Formula    string `json:"formula,omitempty"`
	Fallback   string `json:"fallback,omitempty"`
	Required   bool   `json:"required,omitempty"`
	Transform  string `json:"transform,omitempty"`
}

// TemplateQuery selects templates; "" selects all. Status and MappingStatus
// are compared without case, and "mapped" means complete (reference §3.22).
type TemplateQuery struct {
	Status        string
	MappingStatus string
	Channel       string
}

// SyncResult is what a synchronisation of templates changed, by name.
type SyncResult struct {
	Synced   int // templates at the provider
	Updated  int // of those, known before
	Outdated []string
	New      []string
	Removed  []string
}

// Open asks for the conversation with a phone.
type Open struct {
	Phone   string
	Name    string
	Contact id.ID  // whom to link it with; zero = whoever the phone finds
	Channel string // "" = "whatsapp"
}
