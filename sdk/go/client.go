package parley

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strings"
)

// Client calls one server as one client (tenant).
type Client struct {
	// WhatsApp holds messages, conversations and templates.
	WhatsApp WhatsApp
	// CRM holds leads, pipelines, automations and sequences.
	CRM CRM
	// Events starts automations and manages the client's own events.
	Events *Events
	// Queue shows and mends background jobs.
	Queue *Queue
	// Health tells how the server and the client's services are.
	Health *Health
	// Realtime is the live feed; it connects when asked to.
	Realtime *Realtime

	cfg config
}

// WhatsApp groups what belongs to the inbox.
type WhatsApp struct {
	Messages      *Messages
	Conversations *Conversations
	Templates     *Templates
}

// CRM groups what belongs to leads.
type CRM struct {
	Leads       *Leads
	Pipelines   *Pipelines
	Automations *Automations
	Sequences   *Sequences
}

// New returns a client. It fails when the key is missing or a URL is none; it
// does not call the server.
func New(options ...Option) (*Client, error) {
	cfg := config{timeout: DefaultTimeout, maxRetries: DefaultMaxRetries, clock: realClock{}, jitter: rand.Float64,
		http: http.DefaultClient, log: slog.New(slog.DiscardHandler)}
	for _, o := range options {
		o(&cfg)
	}
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	if cfg.http == nil {
		cfg.http = http.DefaultClient
	}
	if cfg.log == nil {
		cfg.log = slog.New(slog.DiscardHandler)
	}
	if cfg.clock == nil {
		cfg.clock = realClock{}
	}
	cfg.http = sameHost(cfg.http)
	cfg.userAgent = strings.TrimSpace(cfg.userAgent + " parley-go/" + Version())
	c := &Client{cfg: cfg}
	c.WhatsApp = WhatsApp{&Messages{c}, &Conversations{c}, &Templates{c}}
	c.CRM = CRM{&Leads{c}, &Pipelines{c}, &Automations{c}, &Sequences{c}}
	c.Events, c.Queue, c.Health = &Events{c}, &Queue{c}, &Health{c}
	c.Realtime = newRealtime(c)
	return c, nil
}

// errRedirect marks a redirect that is not followed, now or later.
var errRedirect = errors.New("refused a redirect")

// sameHost keeps redirects on their host: net/http would carry the key's header
// to another one.
func sameHost(h *http.Client) *http.Client {
	own := *h
	check := h.CheckRedirect
	own.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if first := via[0].URL; r.URL.Host != first.Host || first.Scheme == "https" && r.URL.Scheme != "https" {
			return fmt.Errorf("%w from %s://%s to %s://%s, which would give the API key away", errRedirect, first.Scheme, first.Host, r.URL.Scheme, r.URL.Host)
		}
		if check != nil {
			return check(r, via)
		}
		if len(via) >= 10 {
			return fmt.Errorf("%w: it is the tenth", errRedirect)
		}
		return nil
	}
	return &own
}

// Version is the version of this module as the program was built with it,
// "devel" when built from its source.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == "parley/sdk/go" && d.Version != "" && d.Replace == nil {
				return d.Version
			}
		}
	}
	return "devel"
}

// Request calls any path of the server with the client's key, retries and
// errors. body is sent as JSON unless it is nil; the whole body of the answer,
// envelope included, is read into out unless it is nil.
func (c *Client) Request(ctx context.Context, method, path string, body, out any, opts ...CallOption) error {
	answer, err := c.do(ctx, newRequest(strings.ToUpper(method), path, nil, body, opts))
	if err != nil || out == nil || len(answer) == 0 {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("parley: %s %s answered with something else than expected: %w", method, path, err)
	}
	return nil
}
