package outbox_test

import (
	"testing"

	"parley/internal/channel"
	"parley/internal/conversation"
	"parley/internal/conversation/convtest"
	"parley/internal/fault"
	"parley/internal/outbox/ledger"
)

// A message whose channel was disconnected meanwhile cannot be sent again: it would
// wait for ever.
func TestNothingIsSentAgainThroughADisconnectedChannel(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Hello(t, convtest.Number)
		w.Channel.Answer(func(channel.Outgoing) (channel.Result, error) {
			return channel.Result{}, &channel.SendError{Outcome: channel.Unknown, Title: "the connection broke"}
		})
		m := w.Text(t, convtest.Number, "hm")
		drain(t, w)
		want(t, w, m.ID, ledger.Unknown, conversation.Queued)
		if err := w.Conversations.Disconnect(bg, w.Tenant, "key:op", w.Account.ID); err != nil {
			t.Fatal(err)
		}
		if f := fault.As(w.Outbox.Retry(bg, w.Tenant, "key:op", m.ID)); f == nil || f.Code != fault.Conflict {
			t.Errorf("sending it again: %v", f)
		}
		want(t, w, m.ID, ledger.Unknown, conversation.Queued)
		if err := w.Outbox.Cancel(bg, w.Tenant, "key:op", m.ID); err != nil {
			t.Errorf("giving it up: %v", err)
		}
	})
}
