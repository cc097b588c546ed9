package outbox_test

import (
	"testing"
	"time"

	"parley/internal/channel"
	"parley/internal/conversation"
	"parley/internal/conversation/convtest"
	"parley/internal/media"
	"parley/internal/outbox/ledger"
)

// offer promises a message with a file of ours.
func offer(t *testing.T, w *convtest.World, to string, f media.File) conversation.Message {
	t.Helper()
	m, err := w.Conversations.Send(bg, w.Tenant, "key:test", conversation.Send{To: "+" + to, Media: &channel.Media{Own: f.ID}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A file goes up once, however many messages carry it, and before any of them.
func TestAFileGoesUpBeforeItsMessage(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		f := w.Upload(t, 600_000)
		var ms []conversation.Message
		for _, to := range []string{"919000000001", "919000000002", "919000000003"} {
			w.Hello(t, to)
			ms = append(ms, offer(t, w, to, f))
		}
		after := w.Text(t, "919000000001", "as promised")
		w.Channel.OnUpload(func(n int, got []byte) (string, error) {
			if len(got) != 600_000 || len(w.Channel.Sent()) != 0 {
				t.Errorf("upload %d of %d bytes after %d sends", n, len(got), len(w.Channel.Sent()))
			}
			return "up", nil
		})
		drain(t, w)
		w.Clock.Advance(2 * time.Second) // those that waited for another's upload ask again
		drain(t, w)
		for _, m := range ms {
			want(t, w, m.ID, ledger.Sent, conversation.Sent)
		}
		want(t, w, after.ID, ledger.Sent, conversation.Sent)
		if up, _ := w.Channel.Carried(); up != 1 {
			t.Fatalf("%d uploads", up)
		}
		var order []string
		for _, s := range w.Channel.Sent() {
			if s.Kind == channel.Document && (s.Media.ID != "up" || s.Media.File != nil) {
				t.Errorf("handed over %+v", s.Media)
			}
			if s.To == "919000000001" {
				order = append(order, s.Kind)
			}
		}
		if len(order) != 2 || order[0] != channel.Document {
			t.Fatalf("the conversation's order is %v", order)
		}
	})
}

// A server that dies during an upload leaves the message queued: the upload is
// repeated, the message sent once, and nothing is unknown.
func TestACrashDuringAnUpload(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Hello(t, convtest.Number)
		m := offer(t, w, convtest.Number, w.Upload(t, 1000))
		if work := claim(t, w, 5); len(work) != 1 {
			t.Fatalf("%d pieces of work", len(work))
		} // claimed, and never run: the node is dead
		want(t, w, m.ID, ledger.Queued, conversation.Queued)
		if n := drain(t, w); n != 0 {
			t.Fatal("the upload was taken for lost at once")
		}
		if n, err := w.Outbox.RescueAll(bg); err != nil || n != 0 {
			t.Fatalf("rescued %d %v", n, err)
		}
		w.Clock.Advance(2 * time.Minute)
		drain(t, w)
		want(t, w, m.ID, ledger.Sent, conversation.Sent)
		if up, _ := w.Channel.Carried(); up != 1 || len(w.Channel.Sent()) != 1 || row(t, w, m.ID).Attempt != 1 {
			t.Fatalf("%d uploads, %d sends", up, len(w.Channel.Sent()))
		}
	})
}

func TestUploadsThatFail(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Hello(t, convtest.Number)
		f := w.Upload(t, 1000)
		m := offer(t, w, convtest.Number, f)
		w.Channel.OnUpload(func(n int, _ []byte) (string, error) {
			if n < 3 {
				return "", &channel.SendError{Outcome: channel.Unknown, Title: "the answer broke off"}
			}
			return "up", nil
		})
		for i := 0; i < 10 && row(t, w, m.ID).State == ledger.Queued; i++ {
			drain(t, w)
			w.Clock.Advance(10 * time.Second)
		}
		want(t, w, m.ID, ledger.Sent, conversation.Sent)
		// One that the provider refuses fails the message, without ever sending it.
		w.Channel.OnUpload(func(int, []byte) (string, error) {
			return "", &channel.SendError{Outcome: channel.Refused, Code: 131053, Title: "unsupported"}
		})
		m = offer(t, w, convtest.Number, w.Upload(t, 2000))
		drain(t, w)
		if got := want(t, w, m.ID, ledger.Failed, conversation.Failed); got.Error == nil || got.Error.Code != 131053 || len(w.Channel.Sent()) != 1 {
			t.Fatalf("%+v, %d sends", got.Error, len(w.Channel.Sent()))
		}
		// A message refused for a file that the provider forgot makes the next upload anew.
		w.Channel.OnUpload(nil)
		w.Channel.Answer(func(channel.Outgoing) (channel.Result, error) {
			return channel.Result{}, &channel.SendError{Outcome: channel.Refused, Code: 131009, Title: "no media with this id"}
		})
		offer(t, w, convtest.Number, f)
		drain(t, w)
		w.Channel.Answer(nil)
		before, _ := w.Channel.Carried()
		last := offer(t, w, convtest.Number, f)
		drain(t, w)
		want(t, w, last.ID, ledger.Sent, conversation.Sent)
		if up, _ := w.Channel.Carried(); up != before+1 {
			t.Fatalf("%d uploads, then %d", before, up)
		}
	})
}
