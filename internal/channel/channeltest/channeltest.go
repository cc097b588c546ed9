// Package channeltest is the conformance suite that every channel passes. It
// owns what package channel promises about sending, refusing and receiving;
// only the tests of channel implementations import it. A channel's own test
// supplies a Harness around a fake of its provider that is a real server.
package channeltest

import (
	"errors"
	"testing"

	"parley/internal/channel"
	"parley/internal/fault"
	"parley/internal/id"
)

// Webhook is one request of the provider to us.
type Webhook struct {
	Header map[string][]string
	Body   []byte
}

// Harness is a channel with its provider's fake. Every subtest gets a fresh
// one; the fake must be ready to take any of Sends to Person.
type Harness struct {
	Channel channel.Channel
	// Account works. Other is another account at the same provider, with other
	// secrets. Unreachable is like Account, but nobody listens at its address.
	Account, Other, Unreachable channel.Account
	// Sends has at least one message to Person of each kind that the channel
	// can send, without id; the suite gives them ids.
	Sends []channel.Outgoing
	// Person is the address of somebody that Account may write to.
	Person string

	// Arrived counts the messages that the fake's Person received.
	Arrived func() int
	// Refuse, Throttle and Lose concern the next send: the provider refuses it
	// for good; asks to wait; takes the message and loses the answer.
	Refuse, Throttle, Lose func()
	// Posted returns the webhooks that the provider has posted so far, after
	// those under way arrived. It may be nil for a channel without Receiver.
	Posted func() []Webhook
	// Write makes somebody write to an account and returns the genuine webhook.
	// It may be nil for a channel without Receiver.
	Write func(a channel.Account, from, text string) Webhook
	// Files may be empty for a channel that is neither Uploader nor Fetcher.
	Files Files
}

// Run tests that a channel keeps what package channel promises.
func Run(t *testing.T, fresh func(t *testing.T) Harness) {
	on := func(name string, test func(*testing.T, Harness)) {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
	on("Declares", declares)
	on("SendsWhatItDeclares", sends)
	on("Refused", refused)
	on("Throttled", throttled)
	on("AnswerLost", lost)
	on("Unreachable", unreachable)
	on("GivenUpBeforeSending", givenUp)
	on("NeverPanicsOnSend", oddSends)

	h := fresh(t)
	if _, ok := h.Channel.(channel.Receiver); ok {
		rec := func(name string, test func(*testing.T, Harness, channel.Receiver)) {
			on(name, func(t *testing.T, h Harness) { test(t, h, h.Channel.(channel.Receiver)) })
		}
		rec("Signatures", signatures)
		rec("Message", message)
		rec("Replay", replay)
		rec("AnotherAccount", anotherAccount)
		rec("Receipts", receipts)
		rec("Garbage", garbage)
		rec("Challenge", challenge)
	}
	if _, ok := h.Channel.(channel.Uploader); ok {
		on("Uploads", uploads)
	}
	if _, ok := h.Channel.(channel.Fetcher); ok {
		on("Fetches", fetches)
	}
	if _, ok := h.Channel.(channel.TemplateLister); ok {
		on("Templates", templates)
	}
}

func declares(t *testing.T, h Harness) {
	c := h.Channel.Capabilities()
	if h.Channel.Kind() == "" || h.Channel.Kind() != h.Account.Kind {
		t.Errorf("kind %q of an account of kind %q", h.Channel.Kind(), h.Account.Kind)
	}
	if c.Unknown != channel.UnknownList && c.Unknown != channel.UnknownResend {
		t.Errorf("unknown policy %q", c.Unknown)
	}
	if c.ReplyWindow < 0 || c.PerSecond < 0 || c.PairGap < 0 || c.PairBurst < 0 || (c.PairGap > 0) != (c.PairBurst > 0) {
		t.Errorf("limits make no sense: %+v", c)
	}
	if c.Echo {
		if _, ok := h.Channel.(channel.Receiver); !ok {
			t.Error("a channel that reads no webhooks cannot see its echo")
		}
	}
	if c.Templates && c.ReplyWindow == 0 {
		t.Error("templates without a window they are needed for")
	}
	have := map[string]bool{}
	for _, m := range h.Sends {
		have[m.Kind] = true
	}
	need := []string{channel.Text}
	if c.Templates {
		need = append(need, channel.TemplateMsg)
	}
	if c.Media {
		need = append(need, channel.Image, channel.Video, channel.Audio, channel.Document)
	}
	if c.Reactions {
		need = append(need, channel.Reaction)
	}
	for _, kind := range need {
		if !have[kind] {
			t.Errorf("the harness has no message of kind %s, which the channel declares", kind)
		}
	}
}

// text returns a plain message to the harness's person.
func (h Harness) text() channel.Outgoing {
	return channel.Outgoing{ID: id.New(), Attempt: 1, To: h.Person, Kind: channel.Text, Text: "Hello"}
}

// outcome asserts that err is a *channel.SendError of an outcome with words.
func outcome(t *testing.T, err error, want channel.Outcome) *channel.SendError {
	t.Helper()
	var e *channel.SendError
	if !errors.As(err, &e) {
		t.Fatalf("error %v (%T) is not a *channel.SendError", err, err)
	}
	if e.Outcome != want {
		t.Fatalf("outcome %q of %q, want %q", e.Outcome, e.Title, want)
	}
	if e.Title == "" {
		t.Fatal("the error has no words")
	}
	return e
}

// code asserts that err is a fault of one of the codes.
func code(t *testing.T, err error, codes ...fault.Code) {
	t.Helper()
	e := fault.As(err)
	if e == nil {
		t.Fatalf("error %v (%T) is not a fault", err, err)
	}
	for _, c := range codes {
		if e.Code == c {
			return
		}
	}
	t.Fatalf("fault %s (%v), want one of %v", e.Code, e, codes)
}
