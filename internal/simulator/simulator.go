// Package simulator fakes the outside world as real HTTP servers, so that
// Parley can be tried, demonstrated and tested without a provider's account.
// It owns a fake of Meta's Graph API, WhatsApp and Messenger, with the phones behind it: it enforces the
// documented limits, sends signed webhooks, goes wrong on request and can be
// asked what the phones received.
//
// It knows the documented payloads and nothing of the channel packages, so that
// it cannot agree with their mistakes. The commands serve --simulate and
// simulate run it; tests use its Go methods.
//
// State lives in memory and is bounded: a ring of messages for each phone, a
// cap on phones, on pending webhooks and on the webhook log.
package simulator

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"parley/internal/clock"
)

// Doer posts a webhook. Package egress builds the real one; it must be allowed
// to reach the server's address.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Limits are the rules that the simulated Meta enforces. A zero field means the
// documented default; a negative one switches the rule off.
type Limits struct {
	Window    time.Duration // free text after the person's last message; 24 h
	PairGap   time.Duration // steady gap between messages to one person; 6 s
	PairBurst int           // messages to one person within one PairGap; 45
	PerSecond int           // messages per second and number; 80
}

// Options configure a Simulator. Only Doer is required.
type Options struct {
	Clock       clock.Clock   // real or virtual time; the machine's by default
	Doer        Doer          // posts webhooks
	PublicURL   string        // prefix of links in answers; by default the request's own host
	Logger      *slog.Logger  // silent by default
	Seed        uint64        // makes ids and disorder repeatable
	Limits      Limits        //
	StatusDelay time.Duration // pause before each further status of a message; 0 by default
	NoRead      bool          // phones do not report reading
	RetryBase   time.Duration // first pause before a refused webhook is repeated; 1 s
	Workers     int           // webhooks posted at once; 4
	RingSize    int           // messages kept for each phone; 50
	MaxPhones   int           // phones remembered; the oldest is forgotten first; 100000
	MaxPending  int           // webhooks waiting; further ones are dropped and logged; 100000
	LogSize     int           // webhook attempts kept; 1000
}

// Simulator is a running fake world. Close it to stop its goroutines.
type Simulator struct {
	opt   Options
	clock clock.Clock
	log   *slog.Logger

	mu        sync.Mutex
	rng       *rand.Rand
	accounts  map[string]*Account // by phone number id
	order     []string            // phone number ids as registered
	pages     map[string]*Page    // by page id
	pageOrder []string
	templates map[string][]Template
	phones    map[phoneKey]*phone
	phoneAge  []phoneKey // as first seen
	rates     map[string]*bucket
	media     *mediaStore
	faults    faultState
	sentTo    map[string]string   // phone -> the number that wrote to it last
	profiles  map[string]profile  // people on Messenger, by page-scoped id
	sent      map[string][]string // their messages' files, by message id
	post      *postman
	nextID    uint64
}

// New returns a simulator whose webhook workers run until Close.
func New(opt Options) *Simulator {
	if opt.Clock == nil {
		opt.Clock = clock.Real{}
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	l := &opt.Limits
	fallback(&l.Window, 24*time.Hour)
	fallback(&l.PairGap, 6*time.Second)
	fallback(&l.PairBurst, 45)
	fallback(&l.PerSecond, 80)
	fallback(&opt.RetryBase, time.Second)
	fallback(&opt.Workers, 4)
	fallback(&opt.RingSize, 50)
	fallback(&opt.MaxPhones, 100_000)
	fallback(&opt.MaxPending, 100_000)
	fallback(&opt.LogSize, 1000)
	s := &Simulator{opt: opt, clock: opt.Clock, log: opt.Logger}
	s.clear()
	s.post = newPostman(&s.opt)
	return s
}

func fallback[T int | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

// clear brings every map to its first state; the caller holds mu or is alone.
func (s *Simulator) clear() {
	s.rng = rand.New(rand.NewPCG(s.opt.Seed, 0x9e3779b97f4a7c15))
	s.accounts = map[string]*Account{}
	s.order = nil
	s.templates = map[string][]Template{}
	s.pages, s.pageOrder = map[string]*Page{}, nil
	s.clearTraffic()
}

// clearTraffic forgets messages, faults and limits, and keeps the set-up.
func (s *Simulator) clearTraffic() {
	s.phones = map[phoneKey]*phone{}
	s.phoneAge = nil
	s.rates = map[string]*bucket{}
	s.media = newMediaStore()
	s.faults = faultState{}
	s.sentTo = map[string]string{}
	s.profiles, s.sent = map[string]profile{}, map[string][]string{}
}

// Reset forgets messages, open windows, opt-outs, faults, pending webhooks and
// the webhook log. With everything, accounts and templates go too.
func (s *Simulator) Reset(everything bool) {
	s.mu.Lock()
	if everything {
		s.clear()
	} else {
		s.clearTraffic()
	}
	s.mu.Unlock()
	s.post.reset()
}

// Close stops the webhook workers and waits for them. Webhooks that wait are
// not sent.
func (s *Simulator) Close() { s.post.close() }

// Idle waits until no webhook is under way or due now; those that wait for a
// later time do not count. It returns ctx's error when that ends first.
func (s *Simulator) Idle(ctx context.Context) error { return s.post.idle(ctx) }

// Webhooks returns the attempts to deliver webhooks, oldest first, as far as
// the log reaches back.
func (s *Simulator) Webhooks() []Attempt { return s.post.attempts() }
