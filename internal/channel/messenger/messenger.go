// Package messenger speaks the Messenger Platform of Meta: it sends messages in
// the name of a Facebook page, reads Meta's webhooks, brings and fetches files
// and asks who a person is. It owns the wire shapes and the meaning of Meta's
// error codes, and keeps no state. Only the server and its tests import it;
// everybody else speaks package channel.
//
// Account.ExternalID is the page's id. Account.Settings may hold "baseUrl" and
// "version". Account.Secrets holds "token" (the page's access token), "appSecret"
// (to verify webhooks) and "verifyToken" (for the subscription handshake). The
// app is to be subscribed to the page's fields messages, messaging_postbacks,
// message_deliveries, message_reads, message_reactions and message_echoes; the
// echoes are what resolves a send whose answer was lost.
//
// A person's address is the page-scoped id: digits that mean nothing on another
// page. It is an identity of its own kind (contact.Messenger).
package messenger

import (
	"net/url"
	"strings"
	"time"

	"parley/internal/channel"
	"parley/internal/channel/meta"
	"parley/internal/clock"
)

// Kind is the name of this channel, and of the identity that its addresses are.
const Kind = "messenger"

// Defaults of the Graph API.
const (
	DefaultBaseURL = "https://graph.facebook.com"
	DefaultVersion = "v24.0"
)

// Channel implements the interfaces below. It is safe for concurrent use.
type Channel struct {
	doer    meta.Doer
	files   meta.Doer // of WithFiles; nil = doer
	baseURL string
	version string
	clock   clock.Clock
}

var (
	_ channel.Channel  = (*Channel)(nil)
	_ channel.Receiver = (*Channel)(nil)
	_ channel.Uploader = (*Channel)(nil)
	_ channel.Fetcher  = (*Channel)(nil)
	_ channel.Checker  = (*Channel)(nil)
	_ channel.Profiler = (*Channel)(nil)
)

// New returns a channel that reaches Meta through doer. An empty baseURL or
// version means the default; an account's settings override both.
func New(doer meta.Doer, baseURL, version string, c clock.Clock) *Channel {
	if baseURL == "" {
		baseURL = DefaultBaseURL
	}
	if version == "" {
		version = DefaultVersion
	}
	return &Channel{doer: doer, baseURL: baseURL, version: version, clock: c}
}

// WithFiles makes files travel by a client of their own, whose time and size
// are bounded for files; without it they go the way of messages.
func (c *Channel) WithFiles(doer meta.Doer) *Channel {
	out := *c
	out.files = doer
	return &out
}

func (c *Channel) filesDoer() meta.Doer {
	if c.files != nil {
		return c.files
	}
	return c.doer
}

// Kind returns "messenger".
func (c *Channel) Kind() string { return Kind }

// Capabilities declares Meta's documented limits: the standard messaging window
// of 24 hours and 300 texts a second for each page (Messenger Platform, "Rate
// limits"; sound and film have a limit of their own, which Meta tells by 613).
// There are no templates that a page could send later than that, and no
// reactions of ours.
//
// The Send API has no idempotency key. The message's metadata comes back in its
// echo, which resolves an attempt that stayed unknown; without an echo it is
// listed and never repeated.
func (c *Channel) Capabilities() channel.Capabilities {
	return channel.Capabilities{
		Media:       true,
		ReplyWindow: 24 * time.Hour,
		Echo:        true,
		Unknown:     channel.UnknownList,
		PerSecond:   300,
		Identity:    Kind,
	}
}

// base is where the account's Graph API is.
func (c *Channel) base(a channel.Account) (*url.URL, error) {
	base := c.baseURL
	if s := a.Settings["baseUrl"]; s != "" {
		base = s
	}
	return url.Parse(strings.TrimRight(base, "/"))
}

// endpoint returns the URL of an edge of a Graph object; an empty edge is the
// object itself.
func (c *Channel) endpoint(a channel.Account, object, edge string) (*url.URL, error) {
	u, err := c.base(a)
	if err != nil {
		return nil, err
	}
	version := c.version
	if s := a.Settings["version"]; s != "" {
		version = s
	}
	u = u.JoinPath(url.PathEscape(version), url.PathEscape(object))
	if edge != "" {
		u = u.JoinPath(edge)
	}
	return u, nil
}
