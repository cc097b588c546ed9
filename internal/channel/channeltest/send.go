package channeltest

import (
	"context"
	"testing"

	"parley/internal/channel"
	"parley/internal/id"
)

func sends(t *testing.T, h Harness) {
	seen := map[string]bool{}
	for _, m := range h.Sends {
		m.ID, m.Attempt = id.New(), 1
		before := h.Arrived()
		r, err := h.Channel.Send(context.Background(), h.Account, m)
		if err != nil {
			t.Errorf("%s: %v", m.Kind, err)
			continue
		}
		if r.ProviderID == "" || seen[r.ProviderID] {
			t.Errorf("%s: provider id %q is empty or not new", m.Kind, r.ProviderID)
		}
		seen[r.ProviderID] = true
		if got := h.Arrived() - before; got != 1 {
			t.Errorf("%s: %d messages arrived, want 1", m.Kind, got)
		}
	}
}

func refused(t *testing.T, h Harness) {
	h.Refuse()
	_, err := h.Channel.Send(context.Background(), h.Account, h.text())
	outcome(t, err, channel.Refused)
	if n := h.Arrived(); n != 0 {
		t.Errorf("%d messages arrived though refused", n)
	}
	if _, err := h.Channel.Send(context.Background(), h.Account, h.text()); err != nil {
		t.Errorf("the next message: %v", err)
	}
}

func throttled(t *testing.T, h Harness) {
	h.Throttle()
	_, err := h.Channel.Send(context.Background(), h.Account, h.text())
	if e := outcome(t, err, channel.Retry); e.RetryAfter < 0 {
		t.Errorf("retry after %s", e.RetryAfter)
	}
	if n := h.Arrived(); n != 0 {
		t.Errorf("%d messages arrived though throttled", n)
	}
}

// lost is the case the guarantees turn on: the message went out and nobody
// told us so. With Echo a receipt must clear it up.
func lost(t *testing.T, h Harness) {
	h.Lose()
	m := h.text()
	_, err := h.Channel.Send(context.Background(), h.Account, m)
	outcome(t, err, channel.Unknown)
	if n := h.Arrived(); n != 1 {
		t.Fatalf("the harness lost the message itself: %d arrived", n)
	}
	if !h.Channel.Capabilities().Echo {
		return
	}
	rec := h.Channel.(channel.Receiver)
	for _, w := range h.Posted() {
		b, err := rec.Parse(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range b.Receipts {
			if r.Echo == m.ID.String() && r.ProviderID != "" && r.Account == h.Account.ExternalID {
				return
			}
		}
	}
	t.Error("no receipt echoes our message id")
}

func unreachable(t *testing.T, h Harness) {
	_, err := h.Channel.Send(context.Background(), h.Unreachable, h.text())
	outcome(t, err, channel.Retry)
	if n := h.Arrived(); n != 0 {
		t.Errorf("%d messages arrived", n)
	}
}

func givenUp(t *testing.T, h Harness) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := h.Channel.Send(ctx, h.Account, h.text())
	outcome(t, err, channel.Retry)
	if n := h.Arrived(); n != 0 {
		t.Errorf("%d messages arrived", n)
	}
}

// oddSends hands over messages that cannot be sent: each must be refused, or
// wait for a better set-up, and never arrive.
func oddSends(t *testing.T, h Harness) {
	kinds := []string{
		"", "fax", channel.Text, channel.Image, channel.Video, channel.Audio, channel.Document, channel.Sticker,
		channel.Location, channel.Contacts, channel.Button, channel.Interactive, channel.Reaction, channel.TemplateMsg, channel.Unsupported,
	}
	for _, kind := range kinds {
		for _, m := range []channel.Outgoing{
			{Kind: kind}, {Kind: kind, To: h.Person},
			{Kind: kind, To: h.Person, Media: &channel.Media{}, Template: &channel.TemplateSend{}},
		} {
			m.ID = id.New()
			_, err := h.Channel.Send(context.Background(), h.Account, m)
			outcome(t, err, channel.Refused)
		}
	}
	if n := h.Arrived(); n != 0 {
		t.Errorf("%d messages arrived", n)
	}
	bare := h.Account
	bare.Secrets, bare.Settings = nil, nil
	_, err := h.Channel.Send(context.Background(), bare, h.text())
	if e := outcome(t, err, channel.Retry); !e.AccountWide {
		t.Error("an account without secrets must wait as a whole")
	}
}
