package conversation_test

import (
	"testing"
	"time"

	"parley/internal/channel"
	"parley/internal/conversation"
	"parley/internal/conversation/convtest"
)

// Providers tell time in whole seconds. A reply must still stand behind the
// message that it answers, when both fall into one second.
func TestAReplyInTheSameSecondStandsBehind(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		c := w.Hello(t, "919876543210")
		w.Clock.Advance(time.Minute - time.Duration(w.Clock.Now().Nanosecond()) + 300*time.Millisecond)
		asked := w.Text(t, c.Address, "How are you?")
		w.Clock.Advance(400 * time.Millisecond)
		in := incoming(w, "reply", c.Address, "Fine")
		in.At = w.Clock.Now().Truncate(time.Second)
		w.Receive(t, channel.Batch{Messages: []channel.Incoming{in}})
		list, _, err := w.Conversations.Messages(bg, w.Tenant, c.ID, conversation.MessageQuery{Limit: 10})
		if err != nil || len(list) != 3 {
			t.Fatalf("%d messages, %v", len(list), err)
		}
		if list[1].ID != asked.ID || list[2].Text != "Fine" {
			t.Fatalf("order: %q, %q, %q", list[0].Text, list[1].Text, list[2].Text)
		}
	})
}
