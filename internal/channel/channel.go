// Package channel is the border between Parley and messaging providers. It
// owns the interface Channel and the neutral shapes of messages, receipts and
// templates; each provider has a package below it that implements them and is
// imported by the server alone. The rooms conversation and outbox speak these
// shapes and know no provider.
package channel

import (
	"context"
	"io"
	"time"

	"parley/internal/id"
)

// Account is one connected account of a tenant at a provider, e.g. one
// WhatsApp phone number.
type Account struct {
	ID         id.ID
	Tenant     id.ID
	Kind       string            // "whatsapp", ...
	ExternalID string            // the provider's name for it: Meta's phone_number_id
	Settings   map[string]string // public configuration, keys documented by the implementation
	Secrets    map[string]string // unsealed secrets, keys documented by the implementation; never logged
}

// Capabilities declares what a channel can do and which rules its provider
// enforces. The outbox enforces them; a channel only declares.
type Capabilities struct {
	Templates   bool
	Media       bool
	Reactions   bool
	ReplyWindow time.Duration // free text is allowed this long after the contact's last message; 0 = always
	Echo        bool          // receipts carry our own message id, so an attempt left unknown is resolved by its receipt
	Unknown     UnknownPolicy // what to do with an unknown attempt that no receipt resolves
	PerSecond   float64       // sends per second and account that the provider accepts; 0 = unlimited
	PairGap     time.Duration // least time between two messages to one person at a steady rate; 0 = none
	// PairBurst is how many messages to one person may go within one PairGap. A
	// burst borrows: after n messages the person is closed until n × PairGap
	// have passed since its first. It is not a bucket that fills up meanwhile.
	PairBurst int
	// Identity is the kind of a contact's identity that an address of this channel
	// is; "" means a phone number.
	Identity string
}

// UnknownPolicy says what becomes of a send whose outcome stays unknown.
type UnknownPolicy string

// The policies.
const (
	UnknownList   UnknownPolicy = "list"   // keep it listed for a person to decide; never sent twice
	UnknownResend UnknownPolicy = "resend" // the provider dedupes by our id: send again
)

// Message kinds, shared by incoming and outgoing messages.
const (
	Text        = "text"
	Image       = "image"
	Video       = "video"
	Audio       = "audio"
	Document    = "document"
	Sticker     = "sticker"
	Location    = "location"
	Contacts    = "contacts"
	Button      = "button"
	Interactive = "interactive"
	Reaction    = "reaction"
	TemplateMsg = "template"
	OrderMsg    = "order" // a cart; incoming only
	Unsupported = "unsupported"
)

// Outgoing is one message to hand to a provider.
type Outgoing struct {
	ID       id.ID // our message id; echoed by providers that can
	Attempt  int   // from 1
	To       string
	Kind     string
	Text     string
	Media    *Media
	Template *TemplateSend
	ReplyTo  string // provider id of the message this one answers
	Reaction string // emoji, for Kind Reaction, on the message ReplyTo
	// Prompt is the content of Kind Interactive.
	Prompt *Prompt
}

// Media names a file: by public URL, by the provider's id, or as one that is
// kept here.
type Media struct {
	URL      string
	ID       string
	MIME     string
	Caption  string
	Filename string
	Own      id.ID `json:",omitzero"` // in package media
	File     *File `json:"-"`         // the bytes of Own, when a message is handed over
}

// File is a file to hand to a provider.
type File struct {
	Name string
	MIME string
	Size int64 // bytes
	// Open returns the bytes from the beginning; it may be called again.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Download is a contact's file on its way in from a provider.
type Download struct {
	Body     io.ReadCloser // at most MaxBody of the caller's client; the reader bounds it further
	MIME     string        // what the provider says it is
	Filename string
	Size     int64  // bytes, 0 when the provider does not say
	SHA256   string // lower-case hex, "" when the provider does not say
}

// TemplateSend names an approved template and the values of its placeholders.
type TemplateSend struct {
	Name     string
	Language string
	Header   []string // values of the header's placeholders, in order
	// HeaderKind is Image, Video or Document for a template whose header is a
	// file, and HeaderMedia is that file; both are empty otherwise.
	HeaderKind  string
	HeaderMedia *Media
	Body        []string // values of the body's placeholders, in order
	Buttons     []ButtonValue
}

// ButtonValue fills the placeholder of one URL button.
type ButtonValue struct {
	Index int
	Value string
}

// Result is a provider's acceptance of a message.
type Result struct {
	ProviderID string // e.g. a wamid
}

// Outcome classifies a failed send.
type Outcome string

// The outcomes of a failed send.
const (
	Retry   Outcome = "retry"   // certainly not sent; try again later
	Refused Outcome = "refused" // certainly not sent and never will be
	Unknown Outcome = "unknown" // may have been sent: only a receipt can tell
)

// SendError is the only error type that Send returns for a provider's answer.
type SendError struct {
	Outcome    Outcome
	Code       int    // the provider's code, e.g. 131047
	Title      string // the provider's words
	RetryAfter time.Duration
	// AccountWide is true when the whole account must pause, not only this
	// person's messages (throughput limits, an invalid token).
	AccountWide bool
}

// Error returns the provider's words.
func (e *SendError) Error() string { return e.Title }

// Incoming is one message from a person.
type Incoming struct {
	Account     string // Account.ExternalID
	ProviderID  string
	From        string // the person's channel address: digits of the phone for WhatsApp
	ProfileName string
	At          time.Time
	Kind        string
	Text        string // body, caption, button title, maps link or contact names
	Media       *Media
	ReplyTo     string // provider id
	Reaction    string // emoji; "" on a Reaction removes it
	Payload     string // the developer's own id of a pressed button or list row
	Order       *Order `json:",omitempty"` // of Kind OrderMsg
}

// Preference is a person's change of mind about marketing messages, made at
// the provider. The provider enforces it; consent must know it.
type Preference struct {
	Account   string
	From      string // as Incoming.From
	At        time.Time
	Marketing bool // true: they may come again; false: stop them
}

// Receipt is a provider's news about a message we sent.
type Receipt struct {
	Account    string
	ProviderID string
	Echo       string // our message id, when the provider returned it
	Status     string // "sent", "delivered", "read", "failed"
	At         time.Time
	To         string
	Err        *SendError // for "failed"
	// UpTo, when set, makes it the news of every message to To that was sent until
	// then; ProviderID and Echo are empty.
	UpTo time.Time `json:",omitzero"`
}

// Batch is what one webhook carried.
type Batch struct {
	Messages    []Incoming
	Receipts    []Receipt
	Preferences []Preference
}

// Template is one message template as the provider has it.
type Template struct {
	ProviderID string
	Name       string
	Language   string
	Status     string // APPROVED, PENDING, REJECTED, PAUSED, DISABLED
	Category   string // MARKETING, UTILITY, AUTHENTICATION
	HeaderType string // NONE, TEXT, IMAGE, VIDEO, DOCUMENT
	HeaderText string
	BodyText   string
	FooterText string
	Buttons    []TemplateButton
	Components []byte // the provider's JSON, unchanged
}

// TemplateButton is one button of a template.
type TemplateButton struct {
	Type  string `json:"type"` // URL, PHONE_NUMBER, QUICK_REPLY
	Text  string `json:"text"`
	URL   string `json:"url,omitempty"`
	Phone string `json:"phoneNumber,omitempty"`
}

// Channel sends messages through one kind of provider. Implementations are
// stateless and safe for concurrent use.
type Channel interface {
	Kind() string
	Capabilities() Capabilities
	// Send hands one message over. A non-nil error is a *SendError.
	Send(ctx context.Context, a Account, m Outgoing) (Result, error)
}

// Receiver reads a provider's webhooks. The order is fixed: name the accounts
// (unverified), verify the raw bytes with each one's secret, then parse.
type Receiver interface {
	// Accounts returns the distinct external ids that an unverified body names.
	// A body that is not this provider's is a fault.
	Accounts(body []byte) ([]string, error)
	// Verify checks the signature over the raw bytes in constant time.
	Verify(header map[string][]string, body []byte, a Account) error
	// Parse reads a verified body.
	Parse(body []byte) (Batch, error)
	// Challenge answers the provider's subscription handshake: the text to
	// return when the query carries an account's verify token.
	Challenge(query map[string][]string, verifyToken string) (answer string, ok bool)
}

// Uploader is a channel whose provider takes files before the messages that
// name them. Uploading again is harmless: nobody is sent anything.
type Uploader interface {
	// Upload returns the provider's id of the file and how long it is good. A
	// non-nil error is a *SendError, and never Unknown.
	Upload(ctx context.Context, a Account, f File) (providerID string, good time.Duration, err error)
}

// Fetcher is a channel whose provider keeps the files that people send until
// somebody fetches them.
type Fetcher interface {
	// Fetch opens a file by its provider id, or by its URL. A non-nil error is a
	// *SendError: Refused when the file is not to be had any more.
	Fetch(ctx context.Context, a Account, m Media) (Download, error)
}

// TemplateLister is a channel whose provider keeps templates.
type TemplateLister interface {
	Templates(ctx context.Context, a Account) ([]Template, error)
}
