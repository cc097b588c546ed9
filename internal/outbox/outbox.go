package outbox

import (
	"log/slog"
	"sync"
	"time"

	"parley/internal/account"
	"parley/internal/channel"
	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/job"
	"parley/internal/store"
)

// Name names the ledger in leases and wakes.
const Name = account.Ledger

// Options tunes an Outbox; zero values take the defaults.
type Options struct {
	// SendTimeout bounds one channel.Send (default 45 s).
	SendTimeout time.Duration
	// Lease is how long an attempt may stay without an outcome before Rescue
	// settles it (default 2 min). It must be well above SendTimeout.
	Lease time.Duration
	// Settle is how long an unknown attempt of a channel with the policy resend
	// waits for its receipt before it is sent again (default 2 min).
	Settle time.Duration
	// MaxFailures is how many retryable refusals of a message itself end it
	// (default 8). Refusals of the whole account do not count.
	MaxFailures int
	Logger      *slog.Logger
}

// Outbox is the gate. It is safe for concurrent use.
type Outbox struct {
	db       *store.DB
	channels map[string]channel.Channel
	accounts *account.Service
	contacts *contact.Service
	messages *conversation.Service
	clock    clock.Clock
	o        Options
	pace     *pace
	carried  sync.Map // uploads under way on this node: account and file
}

var _ job.Ledger = (*Outbox)(nil)

// New returns the gate over the channels by kind. Events of messages are
// appended by way of messages.
func New(db *store.DB, channels map[string]channel.Channel, accounts *account.Service, contacts *contact.Service,
	messages *conversation.Service, o Options) *Outbox {
	if o.SendTimeout <= 0 {
		o.SendTimeout = 45 * time.Second
	}
	if o.Lease <= 0 {
		o.Lease = 2 * time.Minute
	}
	if o.Settle <= 0 {
		o.Settle = 2 * time.Minute
	}
	if o.MaxFailures <= 0 {
		o.MaxFailures = 8
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Outbox{db: db, channels: channels, accounts: accounts, contacts: contacts, messages: messages,
		clock: db.Clock(), o: o, pace: newPace()}
}

// Name implements job.Ledger.
func (o *Outbox) Name() string { return Name }
