// Package loopback is a provider that is no provider: a channel whose messages go
// nowhere and are taken at once, so that messaging can be built, shown and tested
// without a carrier. An account of any kind whose setting "provider" is "loopback"
// is its; what people write is put in by the administration (sales reference §5).
// The server alone imports it.
//
// It keeps what it was given last, per account and node, and can be told how the
// next send ends.
package loopback

import (
	"context"
	"sync"

	"parley/internal/channel"
	"parley/internal/id"
)

// Provider is the value of the setting ProviderSetting of the accounts of this
// package.
const (
	ProviderSetting = "provider"
	Provider        = "loopback"
)

// StateSetting set to Down makes an account unreachable.
const (
	StateSetting = "state"
	Down         = "down"
)

// Owns reports whether an account is one of this package's.
func Owns(a channel.Account) bool { return a.Settings[ProviderSetting] == Provider }

// kept bounds the messages that are remembered of an account.
const kept = 1000

// Channel takes messages under the rules of one kind of channel. It is safe for
// concurrent use.
type Channel struct {
	kind string
	caps channel.Capabilities

	mu    sync.Mutex
	sent  map[id.ID][]channel.Outgoing
	count int
	next  []ending
}

type ending struct {
	err     channel.SendError
	arrives bool
}

var _ channel.Channel = (*Channel)(nil)

// New returns a channel of a kind. It reads no webhooks, so nothing of what it
// sends is echoed; what becomes unknown stays listed.
func New(kind string, caps channel.Capabilities) *Channel {
	caps.Echo, caps.Unknown = false, channel.UnknownList
	return &Channel{kind: kind, caps: caps, sent: map[id.ID][]channel.Outgoing{}}
}

// Kind implements channel.Channel.
func (c *Channel) Kind() string { return c.kind }

// Capabilities implements channel.Channel.
func (c *Channel) Capabilities() channel.Capabilities { return c.caps }

// Fail makes the next send end with err; arrives says that the message is taken
// all the same, as when an answer is lost.
func (c *Channel) Fail(err channel.SendError, arrives bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = append(c.next, ending{err, arrives})
}

// Sent returns what an account sent on this node, the oldest first and at most
// 1000.
func (c *Channel) Sent(account id.ID) []channel.Outgoing {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]channel.Outgoing(nil), c.sent[account]...)
}

// Arrived returns how many messages were taken, of all accounts.
func (c *Channel) Arrived() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// Send implements channel.Channel.
func (c *Channel) Send(ctx context.Context, a channel.Account, m channel.Outgoing) (channel.Result, error) {
	switch {
	case !Owns(a):
		return channel.Result{}, &channel.SendError{Outcome: channel.Retry, AccountWide: true, Title: "the account is not one of the loopback provider; connect it anew"}
	case m.To == "" || !whole(m):
		return channel.Result{}, &channel.SendError{Outcome: channel.Refused, Title: "there is nothing in this message that could be sent"}
	case ctx.Err() != nil:
		return channel.Result{}, &channel.SendError{Outcome: channel.Retry, Title: "given up before it was sent"}
	case a.Settings[StateSetting] == Down:
		return channel.Result{}, &channel.SendError{Outcome: channel.Retry, Title: "the account is set to be unreachable"}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var end *ending
	if len(c.next) > 0 {
		end, c.next = &c.next[0], c.next[1:]
	}
	if end == nil || end.arrives {
		c.count++
		list := append(c.sent[a.ID], m)
		c.sent[a.ID] = list[max(0, len(list)-kept):]
	}
	if end != nil {
		err := end.err
		return channel.Result{}, &err
	}
	return channel.Result{ProviderID: "loopback:" + m.ID.String()}, nil
}

// whole reports whether a message has what its kind needs.
func whole(m channel.Outgoing) bool {
	switch m.Kind {
	case channel.Text:
		return m.Text != ""
	case channel.Image, channel.Video, channel.Audio, channel.Document, channel.Sticker:
		return m.Media != nil && (m.Media.URL != "" || m.Media.ID != "" || m.Media.File != nil)
	case channel.TemplateMsg:
		return m.Template != nil && m.Template.Name != ""
	case channel.Reaction:
		return m.ReplyTo != ""
	case channel.Interactive:
		return m.Prompt != nil
	}
	return false
}
