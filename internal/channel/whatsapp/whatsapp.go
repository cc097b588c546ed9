// Package whatsapp speaks the WhatsApp Cloud API of Meta: it sends messages,
// reads Meta's webhooks and lists message templates. It owns the wire shapes
// and the meaning of Meta's error codes, and keeps no state. Only the server
// and its tests import it; everybody else speaks package channel.
//
// Account.ExternalID is Meta's phone_number_id. Account.Settings may hold
// "wabaId" (needed for templates), "baseUrl" and "version". Account.Secrets
// holds "token" (to send), "appSecret" (to verify webhooks) and "verifyToken"
// (for the subscription handshake).
package whatsapp

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"parley/internal/channel"
	"parley/internal/clock"
)

// Kind is the name of this channel.
const Kind = "whatsapp"

// Defaults of the Graph API.
const (
	DefaultBaseURL = "https://graph.facebook.com"
	DefaultVersion = "v24.0"
)

// Doer makes one HTTP exchange. Package egress builds the real one.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Channel implements channel.Channel, channel.Receiver and
// channel.TemplateLister. It is safe for concurrent use.
type Channel struct {
	doer    Doer
	files   Doer // of WithFiles; nil = doer
	baseURL string
	version string
	clock   clock.Clock
}

var (
	_ channel.Channel        = (*Channel)(nil)
	_ channel.Receiver       = (*Channel)(nil)
	_ channel.TemplateLister = (*Channel)(nil)
	_ channel.Checker        = (*Channel)(nil)
)

// New returns a channel that reaches Meta through doer. An empty baseURL or
// version means the default; an account's settings override both.
func New(doer Doer, baseURL, version string, c clock.Clock) *Channel {
	if baseURL == "" {
		baseURL = DefaultBaseURL
	}
	if version == "" {
		version = DefaultVersion
	}
	return &Channel{doer: doer, baseURL: baseURL, version: version, clock: c}
}

// Kind returns "whatsapp".
func (c *Channel) Kind() string { return Kind }

// Capabilities declares Meta's documented limits: the customer service window
// of 24 hours, 80 messages a second for each number by default, and one message
// in 6 seconds to one person with bursts of 45 (Meta Cloud API, "Messaging
// limits", "Throughput", "Pair rate limits").
//
// The Cloud API has no idempotency key, so an attempt that stays unknown is
// listed and never repeated.
func (c *Channel) Capabilities() channel.Capabilities {
	return channel.Capabilities{
		Templates:   true,
		Media:       true,
		Reactions:   true,
		ReplyWindow: 24 * time.Hour,
		Echo:        true,
		Unknown:     channel.UnknownList,
		PerSecond:   80,
		PairGap:     6 * time.Second,
		PairBurst:   45,
	}
}

// endpoint returns the URL of an edge of a Graph object of the account.
func (c *Channel) endpoint(a channel.Account, object, edge string) (*url.URL, error) {
	base, version := c.baseURL, c.version
	if s := a.Settings["baseUrl"]; s != "" {
		base = s
	}
	if s := a.Settings["version"]; s != "" {
		version = s
	}
	u, err := url.Parse(strings.TrimRight(base, "/"))
	if err != nil {
		return nil, err
	}
	return u.JoinPath(url.PathEscape(version), url.PathEscape(object), edge), nil
}
