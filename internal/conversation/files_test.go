package conversation_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"parley/internal/channel"
	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/conversation/convtest"
	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// soon advances the clock until ok; the jobs run beside.
func soon(t *testing.T, w *convtest.World, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		w.Clock.Advance(time.Second)
	}
}

// picture receives a message with a file that the provider has.
func picture(t *testing.T, w *convtest.World) conversation.Message {
	t.Helper()
	w.Receive(t, channel.Batch{Messages: []channel.Incoming{{Account: w.Account.ExternalID, ProviderID: "in.file", From: convtest.Number, At: w.Clock.Now(),
		Kind: channel.Document, Text: "look", Media: &channel.Media{ID: "f1", URL: "https://provider.example/f1", MIME: "application/pdf", Caption: "look"}}}})
	list, _, err := w.Conversations.List(bg, w.Tenant, conversation.ListQuery{})
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	return w.Message(t, list[0].Last.ID)
}

func TestAContactsFileIsFetched(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		data := convtest.PDF(600_000)
		w.Channel.OnFetch(func(n int, m channel.Media) (channel.Download, error) {
			switch n {
			case 1: // away for a moment
				return channel.Download{}, &channel.SendError{Outcome: channel.Retry, Title: "busy"}
			case 2: // breaks off in the middle
				d, err := convtest.Given(data, "application/pdf")
				d.Body = io.NopCloser(io.MultiReader(bytes.NewReader(data[:300_000]), broken{}))
				return d, err
			case 3: // arrives damaged
				d, err := convtest.Given(data[:len(data)-1], "application/pdf")
				d.Size = int64(len(data))
				return d, err
			}
			if m.ID != "f1" {
				t.Errorf("fetched %+v", m)
			}
			return convtest.Given(data, "application/pdf; x=y")
		})
		m := picture(t, w)
		if m.Media == nil || !m.Media.File.IsZero() || m.Media.URL != "" || m.Media.ProviderID != "f1" {
			t.Fatalf("before: %+v", m.Media)
		}
		defer w.Runner(10 * time.Millisecond)()
		soon(t, w, "the file is here", func() bool { return !w.Message(t, m.ID).Media.File.IsZero() })
		m = w.Message(t, m.ID)
		r, err := w.Conversations.Files().Open(bg, w.Tenant, m.Media.File)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, data) || m.Media.Size != int64(len(data)) || m.Media.MIME != "application/pdf" || m.Media.Link == "" {
			t.Fatalf("%d bytes, %+v, %v", len(got), m.Media, err)
		}
		if n := w.Count(t, "media", "1=1"); n != 1 || w.Events(t, "message.updated") != 1 {
			t.Fatalf("%d files, %d events", n, w.Events(t, "message.updated"))
		}
		if _, down := w.Channel.Carried(); down != 4 {
			t.Fatalf("%d fetches", down)
		}
	})
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestAFileThatDoesNotComeIsShown(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		for name, f := range map[string]func(int, channel.Media) (channel.Download, error){
			"refused": nil,
			"away": func(int, channel.Media) (channel.Download, error) {
				return channel.Download{}, &channel.SendError{Outcome: channel.Retry, Title: "the provider is away"}
			},
		} {
			w.Channel.OnFetch(f)
			m := picture(t, w)
			stop := w.Runner(10 * time.Millisecond)
			soon(t, w, "the failure shows ("+name+")", func() bool { return w.Message(t, m.ID).Media.Missing != "" })
			stop()
			if m = w.Message(t, m.ID); m.Error == nil || !strings.Contains(m.Error.Title, "could not be fetched") || m.Status != conversation.Delivered {
				t.Fatalf("%s: %+v", name, m)
			}
			if _, err := w.Conversations.Delete(bg, w.Tenant, "key:test", []id.ID{m.Conversation}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestOwnFilesInMessages(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Hello(t, convtest.Number)
		f := w.Upload(t, 1000)
		link := w.Conversations.Files().Link(w.Tenant, f.ID)
		m, err := send(w, conversation.Send{To: "+" + convtest.Number, Media: &channel.Media{URL: "https://crm.example" + link, Caption: "our offer"}})
		if err != nil || m.Kind != channel.Document || m.Media.File != f.ID || m.Media.Filename != "offer.pdf" || m.Media.Link == "" || m.Media.URL != "" {
			t.Fatalf("%+v %+v %v", m, m.Media, err)
		}
		for _, bad := range []channel.Media{{Own: id.New()}, {URL: "http://files.example/x.pdf"}, {URL: "ftp://files.example/x.pdf"}, {URL: "https://me:secret@files.example/x"}, {URL: "/media/" + f.ID.String()}} {
			_, err := send(w, conversation.Send{To: "+" + convtest.Number, Media: &bad})
			refused(t, err, fault.Invalid, "mediaUrl", "")
		}
		_, err = send(w, conversation.Send{To: "+" + convtest.Number, Kind: channel.Image, Media: &channel.Media{Own: f.ID}})
		refused(t, err, fault.Invalid, "mediaType", "")
		// A file lives as long as a message names it.
		w.Clock.Advance(30 * 24 * time.Hour)
		if _, err := w.Conversations.Files().Sweep(bg); err != nil || w.Count(t, "media", "1=1") != 1 {
			t.Fatalf("%v, %d files", err, w.Count(t, "media", "1=1"))
		}
		if _, err := w.Conversations.Delete(bg, w.Tenant, "key:test", []id.ID{m.Conversation}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Conversations.Files().Sweep(bg); err != nil || w.Count(t, "media", "1=1") != 0 || w.Count(t, "media_chunk", "1=1") != 0 {
			t.Fatalf("%v, %d files", err, w.Count(t, "media", "1=1"))
		}
	})
}

// A merge moves the conversations, and undoing it gives them back; what was said
// keeps the contact that it was said to.
func TestConversationsFollowMerges(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		kept := w.Hello(t, "919000000001")
		w.Clock.Advance(time.Second)
		lost := w.Hello(t, "919000000002")
		if _, err := w.Contacts.Merge(bg, w.Tenant, "key:test", kept.Contact, lost.Contact); err != nil {
			t.Fatal(err)
		}
		c, err := w.Conversations.Get(bg, w.Tenant, lost.ID)
		if err != nil || c.Contact != kept.Contact || !c.LastInboundAt.Equal(lost.LastInboundAt) || c.Last.Contact != lost.Contact {
			t.Fatalf("after the merge: %+v %v", c, err)
		}
		if m, err := send(w, conversation.Send{Conversation: lost.ID, Text: "still open"}); err != nil || m.Contact != kept.Contact {
			t.Fatalf("a send after the merge: %+v %v", m, err)
		}
		if m, err := send(w, conversation.Send{Contact: lost.Contact, Channel: "whatsapp", Text: "by the old id"}); err != nil || m.Contact != kept.Contact {
			t.Fatalf("a send to the old id: %+v %v", m, err)
		}
		if _, _, err := w.Contacts.Unmerge(bg, w.Tenant, "key:test", kept.Contact); err != nil {
			t.Fatal(err)
		}
		for _, was := range []conversation.Conversation{kept, lost} {
			if c, err := w.Conversations.Get(bg, w.Tenant, was.ID); err != nil || c.Contact != was.Contact {
				t.Fatalf("after taking it back: %+v %v", c, err)
			}
		}
	})
}

// A contact who appears gets the conversation that ran with nobody.
func TestAContactFindsItsConversation(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		c, _, err := w.Conversations.Open(bg, w.Tenant, "key:test", conversation.Open{Phone: "+919000000007"})
		if err != nil || !c.Contact.IsZero() {
			t.Fatalf("%+v %v", c, err)
		}
		other, _, err := w.Conversations.Open(bg, w.Tenant, "key:test", conversation.Open{Phone: "+919000000008"})
		if err != nil {
			t.Fatal(err)
		}
		card, err := store.Write(bg, w.DB, w.Tenant, func(tx *store.Tx) (deal.Card, error) {
			return w.Cards.CreateIn(tx, "key:test", deal.NewCard{New: contact.New{FirstName: "Asha", Phone: "+919000000007"}})
		})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Runner(10 * time.Millisecond)()
		soon(t, w, "the conversation is linked", func() bool {
			c, err := w.Conversations.Get(bg, w.Tenant, c.ID)
			return err == nil && c.Contact == card.Contact.ID
		})
		if c, err := w.Conversations.Get(bg, w.Tenant, other.ID); err != nil || !c.Contact.IsZero() {
			t.Fatalf("the other one: %+v %v", c, err)
		}
	})
}
