package conversation_test

import (
	"slices"
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

// Also when the provider takes a while to bring it, and we have written again.
func TestAReplyThatComesLateStandsBehindWhatItAnswers(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		c := w.Hello(t, "919876543210")
		w.Clock.Advance(time.Minute - time.Duration(w.Clock.Now().Nanosecond()) + 300*time.Millisecond)
		w.Text(t, c.Address, "How are you?")
		late := incoming(w, "reply", c.Address, "Fine")
		late.At = w.Clock.Now().Truncate(time.Second)
		w.Clock.Advance(5 * time.Second)
		w.Receive(t, channel.Batch{Messages: []channel.Incoming{late}})
		if got, err := w.Conversations.Get(bg, w.Tenant, c.ID); err != nil || got.Last.Text != "Fine" {
			t.Errorf("the last message is %+v, %v", got.Last, err)
		}

		w.Clock.Advance(300 * time.Millisecond)
		w.Text(t, c.Address, "And you?")
		late = incoming(w, "second", c.Address, "Me too")
		late.At = w.Clock.Now().Truncate(time.Second)
		w.Clock.Advance(2 * time.Second)
		w.Text(t, c.Address, "Still there?")
		w.Clock.Advance(2 * time.Second)
		w.Receive(t, channel.Batch{Messages: []channel.Incoming{late}})
		list, _, err := w.Conversations.Messages(bg, w.Tenant, c.ID, conversation.MessageQuery{Limit: 10})
		var texts []string
		for _, m := range list {
			texts = append(texts, m.Text)
		}
		want := []string{"How are you?", "Fine", "And you?", "Me too", "Still there?"}
		if err != nil || len(texts) < 5 || !slices.Equal(texts[len(texts)-5:], want) {
			t.Errorf("the order is %q, %v", texts, err)
		}
	})
}
