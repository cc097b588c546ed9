package interaction_test

import (
	"errors"
	"testing"
	"time"

	"parley/internal/contact"
	"parley/internal/conversation/convtest"
	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/interaction"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func ptr[T any](v T) *T { return &v }

func (w world) update(cid, iid id.ID, u interaction.Update) (interaction.Interaction, error) {
	return w.s.Update(bg, w.Tenant, actor, cid, iid, u)
}

func (w world) moves(typ string, subject id.ID) (n int) {
	w.Helper()
	if err := w.r().QueryRow("SELECT COUNT(*) FROM event WHERE tenant_id=? AND type=? AND subject=?", typ, subject).Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}

// TestStatusesOfAMessage tries every step from every status: none falls.
func TestStatusesOfAMessage(t *testing.T) {
	each(t, func(w world) {
		t := w.T
		cid := w.person(convtest.Number, w.shop.ID)
		order := []string{interaction.Pending, interaction.Sent, interaction.Failed, interaction.Received, interaction.Read, interaction.Deleted}
		for n, from := range order {
			for m, to := range order {
				i := w.record(cid, interaction.New{Type: "message", Content: "x", Recipient: convtest.Number})
				if n > 1 || n == 1 && i.Status != from {
					if _, err := w.update(cid, i.ID, interaction.Update{Type: "message", Status: from}); err != nil {
						t.Fatalf("to %s: %v", from, err)
					}
				}
				start := max(n, 1) // an outbound one begins as sent
				before := w.moves("interaction.updated", i.ID)
				got, err := w.update(cid, i.ID, interaction.Update{Type: "message", Status: to})
				after := w.moves("interaction.updated", i.ID) - before
				switch {
				case m < start:
					if !errors.Is(err, fault.Of(fault.Conflict)) || after != 0 {
						t.Errorf("%s to %s: %v, %d events", order[start], to, err, after)
					}
				case err != nil || got.Status != to || got.Output.Message.Delivered != (to == interaction.Received || to == interaction.Read):
					t.Errorf("%s to %s: %+v %v", order[start], to, got, err)
				case (m > start) != (after == 1):
					t.Errorf("%s to %s: %d events", order[start], to, after)
				}
			}
		}
	}, storetest.Once())
}

func TestUpdatesOfAMessage(t *testing.T) {
	each(t, func(w world) {
		t := w.T
		cid := w.person(convtest.Number, w.shop.ID)
		i := w.record(cid, interaction.New{Type: "message", Content: "x", Recipient: convtest.Number})
		for _, bad := range []struct {
			u     interaction.Update
			field string
		}{
			{interaction.Update{}, "type"},
			{interaction.Update{Type: "call"}, "type"},
			{interaction.Update{Type: "question", Answer: ptr("a")}, "type"},
			{interaction.Update{Type: "message", Status: "gone"}, "status"},
			{interaction.Update{Type: "message", Status: "created"}, "status"},
			{interaction.Update{Type: "message", Status: "failed", Delivered: ptr(true)}, "delivered"},
			{interaction.Update{Type: "message", Status: "received", Delivered: ptr(false)}, "delivered"},
			{interaction.Update{Type: "message", Error: "why"}, "error"},
			{interaction.Update{Type: "message", Answer: ptr("a")}, "answer"},
		} {
			_, err := w.update(cid, i.ID, bad.u)
			if f := fault.As(err); f == nil || f.Code != fault.Invalid || f.Field != bad.field {
				t.Errorf("%+v: %v, want a complaint of %s", bad.u, err, bad.field)
			}
		}
		if !i.FinishedAt.IsZero() {
			t.Errorf("on its way: %+v", i)
		}
		got, err := w.update(cid, i.ID, interaction.Update{Type: "message", Status: "failed", Error: "no route"})
		if err != nil || !got.FinishedAt.Equal(w.Clock.Now()) || got.Status != interaction.Failed || got.Output.Message.Error != "no route" {
			t.Errorf("failed: %+v %v", got, err)
		}
		got, err = w.update(cid, i.ID, interaction.Update{Type: "message", Delivered: ptr(true)})
		if err != nil || got.Status != interaction.Received || got.Output.Message.Error != "" {
			t.Errorf("delivered after all: %+v %v", got, err)
		}
		conv := w.Hello(t, convtest.Number)
		real := w.of(conv.Contact)[0]
		if _, err := w.update(cid, real.ID, interaction.Update{Type: "message", Status: "deleted"}); !errors.Is(err, fault.Of(fault.Conflict)) {
			t.Errorf("a message of a channel: %v", err)
		}
		other := w.person("919800000009", w.shop.ID)
		if _, err := w.update(other, i.ID, interaction.Update{Type: "message", Status: "read"}); !errors.Is(err, fault.Of(fault.NotFound)) {
			t.Errorf("somebody else's: %v", err)
		}
	})
}

func TestQuestions(t *testing.T) {
	each(t, func(w world) {
		t := w.T
		cid := w.person(convtest.Number, w.shop.ID)
		ask := func(n interaction.New) id.ID {
			n.Type, n.Question = "question", "how much?"
			return w.record(cid, n).ID
		}
		steps := func(q id.ID, list ...struct {
			u    interaction.Update
			want string // a status, or a code
		}) {
			t.Helper()
			for _, s := range list {
				s.u.Type = "question"
				i, err := w.update(cid, q, s.u)
				got := i.Status
				if f := fault.As(err); f != nil {
					got = string(f.Code)
				} else if err != nil {
					t.Fatal(err)
				}
				if got != s.want {
					t.Errorf("%+v: %s, want %s (%v)", s.u, got, s.want, err)
				}
			}
		}
		type step = struct {
			u    interaction.Update
			want string
		}
		answer, again, reason := ptr("ten"), ptr("twelve"), ptr("sold")
		steps(ask(interaction.New{}), step{interaction.Update{}, "opened"}, step{interaction.Update{Delivered: ptr(true)}, "invalid"},
			step{interaction.Update{Answer: answer, CancelReason: reason}, "invalid"}, step{interaction.Update{Answer: ptr(" ")}, "invalid"},
			step{interaction.Update{Answer: answer}, "answered"}, step{interaction.Update{Answer: again}, "answered"},
			step{interaction.Update{CancelReason: reason}, "conflict"}, step{interaction.Update{Delivered: ptr(true)}, "answered"},
			step{interaction.Update{Answer: answer}, "conflict"}, step{interaction.Update{Answer: again}, "answered"},
			step{interaction.Update{Delivered: ptr(false)}, "conflict"})
		steps(ask(interaction.New{}), step{interaction.Update{CancelReason: reason}, "cancelled"}, step{interaction.Update{CancelReason: reason}, "cancelled"},
			step{interaction.Update{Answer: answer}, "conflict"}, step{interaction.Update{CancelReason: answer}, "conflict"})
		q := ask(interaction.New{Answer: "ten", Delivered: ptr(true)})
		got, err := w.s.Get(w.r(), cid, q)
		if err != nil || got.Status != interaction.Answered || got.FinishedAt.IsZero() || !*got.Output.Question.Delivered {
			t.Errorf("asked and answered: %+v %v", got, err)
		}
	})
}

// TestWhatARecordMoves: what the contact did takes it up again, what we did
// contacts it, and a note does neither.
func TestWhatARecordMoves(t *testing.T) {
	each(t, func(w world) {
		t := w.T
		cid := w.person(convtest.Number, w.shop.ID)
		if _, err := w.work.Archive(bg, w.Tenant, actor, cid, "notInterested"); err != nil {
			t.Fatal(err)
		}
		note := w.record(cid, interaction.New{Type: "note", Content: "x"})
		if v, _ := w.work.Get(w.r(), cid); v.Status != handover.Archived || !v.FirstContactedAt.IsZero() {
			t.Errorf("after a note: %+v", v)
		}
		if w.moves("note.created", note.ID) != 1 || w.moves("interaction.created", note.ID) != 0 {
			t.Error("a note has one event, its own")
		}
		call := w.record(cid, interaction.New{Type: "call"})
		if v, _ := w.work.Get(w.r(), cid); v.Status != handover.Unclaimed || !v.FirstContactedAt.IsZero() {
			t.Errorf("after a call of the contact: %+v", v)
		}
		if w.moves("interaction.created", call.ID) != 1 {
			t.Error("a call has its event")
		}
		out := w.record(cid, interaction.New{Type: "message", Content: "x", Recipient: convtest.Number, RepliesTo: call.ID.String()})
		if v, _ := w.work.Get(w.r(), cid); v.FirstContactedAt.IsZero() {
			t.Errorf("after a message of ours: %+v", v)
		}
		if !out.Proactive || out.Output.Message.Performer != interaction.ByUs || out.Output.Message.RepliesTo != call.ID.String() {
			t.Errorf("a message of ours: %+v", out)
		}
		notes, _, err := w.Contacts.Notes(bg, w.Tenant, cid, 1, 10)
		if err != nil || len(notes) != 1 || notes[0].ID != note.ID {
			t.Errorf("the contact's notes: %v %v", notes, err)
		}
		types := map[string]int{}
		list, _, err := w.Contacts.Timeline(bg, w.Tenant, cid, 1, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range list {
			types[a.Type]++
		}
		if types["note_added"] != 1 || types["call_logged"] != 1 || types["message"] != 1 {
			t.Errorf("the timeline: %v", types)
		}
	})
}

func TestBadEvents(t *testing.T) {
	each(t, func(w world) {
		t := w.T
		cid := w.person(convtest.Number, w.shop.ID)
		for _, c := range []struct {
			n     interaction.New
			field string
		}{
			{interaction.New{}, "type"},
			{interaction.New{Type: "fax"}, "type"},
			{interaction.New{Type: "note"}, "content"},
			{interaction.New{Type: "note", Content: "x", Via: "pigeon"}, "via"},
			{interaction.New{Type: "note", Content: "x", Via: interaction.InboundCall}, "via"},
			{interaction.New{Type: "question"}, "question"},
			{interaction.New{Type: "question", Question: "?", ThreadURL: "ftp://x/y"}, "threadUrl"},
			{interaction.New{Type: "call", Duration: -time.Second}, "duration"},
			{interaction.New{Type: "call", RecordingURL: "javascript:alert(1)"}, "recordingUrl"},
			{interaction.New{Type: "call", Via: interaction.Email}, "via"},
			{interaction.New{Type: "message"}, "content"},
			{interaction.New{Type: "message", Attachment: &interaction.Attachment{Type: "EXE"}}, "attachment.type"},
			{interaction.New{Type: "message", Content: "a\x00b"}, "content"},
			{interaction.New{Type: "message", Content: "x", Rich: map[string]any{"order": string(make([]byte, 70_000))}}, "attachment"},
		} {
			_, err := w.s.Record(bg, w.Tenant, actor, cid, c.n)
			if f := fault.As(err); f == nil || f.Code != fault.Invalid || f.Field != c.field {
				t.Errorf("%+v: %v, want a complaint of %s", c.n.Type, err, c.field)
			}
		}
		if got := w.of(cid); len(got) != 0 {
			t.Errorf("refused events left %v", brief(got))
		}
		if _, err := w.s.Record(bg, w.Tenant, actor, id.New(), interaction.New{Type: "note", Content: "x"}); !errors.Is(err, fault.Of(fault.NotFound)) {
			t.Errorf("nobody's: %v", err)
		}
	})
}

func TestErasedLeavesNothing(t *testing.T) {
	each(t, func(w world) {
		t := w.T
		cid := w.person(convtest.Number, w.shop.ID)
		w.record(cid, interaction.New{Type: "note", Content: "x"})
		w.record(cid, interaction.New{Type: "call"})
		// More than one transaction takes away.
		if err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
			for range 700 {
				if _, err := w.Contacts.AddActivityIn(tx, contact.Activity{Contact: cid, Type: "call_logged", Title: "Call"}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			w.Fatal(err)
		}
		if _, err := store.Write(bg, w.DB, w.Tenant, func(tx *store.Tx) (contact.Contact, error) { return w.Contacts.EraseIn(tx, actor, cid) }); err != nil {
			t.Fatal(err)
		}
		if got := w.list(interaction.Filter{}); len(got) != 0 {
			t.Errorf("left: %d", len(got))
		}
		if n := w.Count(t, "activity", "contact_id=?", cid); n == 0 {
			t.Error("one transaction took everything: this test shows nothing")
		}
	})
}

// TestDirections: who wrote a message follows from its addresses, and how it came
// from what it says.
func TestDirections(t *testing.T) {
	each(t, func(w world) {
		cid := w.person(convtest.Number, w.shop.ID)
		for _, c := range []struct {
			n    interaction.New
			want string // performer, status, via
		}{
			{interaction.New{}, "integration received customApp"},
			{interaction.New{Sender: "+91 98765-43210", Recipient: "+911140000000"}, "integration received customApp"},
			{interaction.New{Sender: "098765 43210"}, "integration received customApp"},
			{interaction.New{Sender: "somebody"}, "integration received customApp"},
			{interaction.New{Sender: "somebody", Recipient: convtest.Number}, "agent sent customApp"},
			{interaction.New{Recipient: "somebody"}, "agent sent customApp"},
			{interaction.New{Recipient: convtest.Number, Delivered: ptr(true)}, "agent received customApp"},
			{interaction.New{Recipient: convtest.Number, Delivered: ptr(false)}, "agent sent customApp"},
			{interaction.New{RepliesTo: "x"}, "agent sent customApp"},
			{interaction.New{Sender: convtest.Number, RepliesTo: "x"}, "integration received customApp"},
			{interaction.New{Sender: "a@example.com"}, "integration received email"},
			{interaction.New{Via: interaction.SMS}, "integration received sms"},
			{interaction.New{Rich: map[string]any{"channelInteraction": map[string]any{"channelName": "Instagram", "type": "story"}}}, "integration received instagram"},
		} {
			c.n.Type, c.n.Content = "message", "x"
			i := w.record(cid, c.n)
			m := i.Output.Message
			if got := m.Performer + " " + i.Status + " " + i.Via; got != c.want || m.Via != i.Via || i.Proactive != (m.Performer == interaction.ByUs) {
				t.Errorf("%+v: %s, want %s", c.n, got, c.want)
			}
		}
	})
}
