package loopback

import (
	"context"
	"time"

	"parley/internal/channel"
	"parley/internal/id"
)

// Carrier is a real channel as this package can stand in for it.
type Carrier interface {
	channel.Channel
	channel.Uploader
	channel.Fetcher
	channel.Checker
}

// beside serves the accounts of the loopback provider itself and leaves all others
// to the carrier. Rules and limits are the carrier's.
type beside struct {
	Carrier
	own *Channel
}

// Over returns a carrier that serves loopback accounts too, and the channel that
// stands behind them. What else the carrier can do (keep templates, tell who writes)
// it can still.
func Over(c Carrier) (channel.Channel, *Channel) {
	b := beside{c, New(c.Kind(), c.Capabilities())}
	lister, lists := c.(channel.TemplateLister)
	asked, knows := c.(channel.Profiler)
	switch {
	case lists && knows:
		return struct {
			beside
			templates
			profiles
		}{b, templates{lister}, profiles{asked}}, b.own
	case lists:
		return struct {
			beside
			templates
		}{b, templates{lister}}, b.own
	case knows:
		return struct {
			beside
			profiles
		}{b, profiles{asked}}, b.own
	}
	return b, b.own
}

// Send implements channel.Channel.
func (b beside) Send(ctx context.Context, a channel.Account, m channel.Outgoing) (channel.Result, error) {
	if Owns(a) {
		return b.own.Send(ctx, a, m)
	}
	return b.Carrier.Send(ctx, a, m)
}

// Upload implements channel.Uploader: a file that goes nowhere needs no room.
func (b beside) Upload(ctx context.Context, a channel.Account, f channel.File) (string, time.Duration, error) {
	if Owns(a) {
		return "loopback:" + id.New().String(), 24 * time.Hour, nil
	}
	return b.Carrier.Upload(ctx, a, f)
}

// Fetch implements channel.Fetcher: nobody keeps files of injected messages.
func (b beside) Fetch(ctx context.Context, a channel.Account, m channel.Media) (channel.Download, error) {
	if Owns(a) {
		return channel.Download{}, &channel.SendError{Outcome: channel.Refused, Title: "the loopback provider keeps no files"}
	}
	return b.Carrier.Fetch(ctx, a, m)
}

// templates asks the carrier for templates of its own accounts alone.
type templates struct{ carrier channel.TemplateLister }

// Templates implements channel.TemplateLister: those of a loopback account are
// written here.
func (t templates) Templates(ctx context.Context, a channel.Account) ([]channel.Template, error) {
	if Owns(a) {
		return nil, nil
	}
	return t.carrier.Templates(ctx, a)
}

type profiles struct{ carrier channel.Profiler }

// Profile implements channel.Profiler: who writes is said with what is put in.
func (p profiles) Profile(ctx context.Context, a channel.Account, address string) (channel.Profile, error) {
	if Owns(a) {
		return channel.Profile{}, &channel.SendError{Outcome: channel.Refused, Title: "the loopback provider knows nobody"}
	}
	return p.carrier.Profile(ctx, a, address)
}
