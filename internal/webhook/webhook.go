// Package webhook owns deliveries: HTTP calls that tell other systems what
// happened. A delivery is written in the transaction of the fact it tells of,
// signed with the tenant's secret, and drained by lanes, one lane per endpoint.
// Deliveries of one (endpoint, subject) go one after the other; a receiver that
// hangs holds up its own endpoint and nobody else's.
//
// Reactions call DeliverIn; the server gives the Service to job.Lanes as a
// Ledger. The state machine is drawn in docs/state-machines.md. A delivery is
// made at least once: its id travels in a header, so that a receiver can drop
// the second of two.
package webhook

import (
	"context"
	"sync"
	"time"

	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// SecretName is the tenant's secret that signs every delivery.
const SecretName = "webhook_secret"

// The states of a delivery.
const (
	Pending = "pending" // waits for its turn or its next attempt
	Sending = "sending" // leased: an attempt is under way
	Sent    = "sent"    // the receiver answered with what its policy calls success
	Failed  = "failed"  // refused, or its attempts are used up
)

// Delivery is one call to make.
type Delivery struct {
	URL       string // http or https
	Method    string // PUT, POST or PATCH (a call: GET and DELETE too); empty means POST
	Event     string // what it tells of; travels in the header x-parley-event
	Subject   string // deliveries of one subject to one endpoint keep their order
	Body      []byte // JSON, sent and signed byte for byte
	Policy    string // a name of Policies; empty means DefaultPolicy
	TriggerID id.ID  // the trigger call it answers, zero when none
	// Lane is the endpoint's queue; "" is made of the URL's scheme, host and port.
	// Receivers behind one host that must not hold each other up name their own.
	Lane string
	// Shared is a body of KeepBodyIn, in the place of Body.
	Shared id.ID
	// Headers travel beside our own; see CheckHeaders.
	Headers map[string]string
}

// Request is one HTTP call to make.
type Request struct {
	Method  string
	URL     string
	Header  map[string]string
	Body    []byte
	Timeout time.Duration // bounds the whole call
	// Stay answers a redirect instead of following it.
	Stay bool
}

// Response is what a receiver answered. Body may be cut short.
type Response struct {
	Status int
	Body   []byte
}

// Sender makes HTTP calls; the server's goes through egress. A fault of code
// Invalid says that the call is not allowed and was not made (a private address,
// a bad redirect): it is not tried again. Any other error is.
type Sender interface {
	Post(ctx context.Context, r Request) (Response, error)
}

// Secrets reads a tenant's secrets; *tenant.Service does.
type Secrets interface {
	Secret(r store.Reader, name string) (string, error)
}

const (
	ledgerName = "webhook"
	inFlight   = 8                // deliveries of one endpoint at work at once
	slack      = 30 * time.Second // a lease outlives its attempt's timeout by this
	maxBody    = 1 << 20          // bytes of a delivery's body
	maxURL     = 2048             // bytes of a URL
	keptBody   = 2 << 10          // bytes kept of a response
	keptError  = 500              // bytes kept of an error
)

// Service is the room's door and its ledger. It is safe for concurrent use.
type Service struct {
	db      *store.DB
	log     *event.Log
	secrets Secrets
	sender  Sender
	alive   map[string]Alive // by policy
	mu      sync.Mutex
	ended   map[job.Lane][]ended // what no Claim has recorded yet
}

var (
	_ job.Ledger  = (*Service)(nil)
	_ job.Settler = (*Service)(nil)
)

// NewService returns the room. Deliveries leave through sender.
func NewService(db *store.DB, log *event.Log, secrets Secrets, sender Sender) *Service {
	return &Service{db: db, log: log, secrets: secrets, sender: sender, alive: map[string]Alive{}, ended: map[job.Lane][]ended{}}
}
