package conversation_test

import (
	"testing"
	"time"

	"parley/internal/channel"
	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/conversation/convtest"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func erase(t *testing.T, w *convtest.World, who id.ID) {
	t.Helper()
	if _, err := w.Contacts.Erase(bg, w.Tenant, "key:test", who); err != nil {
		t.Fatal(err)
	}
}

func wantsNone(t *testing.T, w *convtest.World, who id.ID, purpose string) bool {
	t.Helper()
	out, err := w.Contacts.Refused(w.DB.Read(bg, w.Tenant), who, "whatsapp", purpose)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A conversation that somebody linked with another person keeps messages of the
// one it had before. When that one is erased, receipts of those messages still
// count, and with them everything else that the provider delivers.
func TestReceiptsOutliveWhoTheMessageWasSentTo(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		c := w.Hello(t, convtest.Number)
		sent, failed, leaves := w.Text(t, convtest.Number, "one"), w.Text(t, convtest.Number, "two"), w.Text(t, convtest.Number, "three")
		other := person(t, w, "919876500001")
		if _, err := w.Conversations.Link(bg, w.Tenant, "key:test", c.ID, other); err != nil {
			t.Fatal(err)
		}
		erase(t, w, c.Contact)
		w.Receive(t, channel.Batch{
			Receipts: []channel.Receipt{
				{Account: w.Account.ExternalID, ProviderID: "wamid.1", Echo: sent.ID.String(), Status: "delivered", At: w.Clock.Now()},
				{Account: w.Account.ExternalID, ProviderID: "wamid.2", Echo: failed.ID.String(), Status: "failed", At: w.Clock.Now(),
					Err: &channel.SendError{Outcome: channel.Refused, Code: 131050, Title: "no marketing"}},
			},
			Messages: []channel.Incoming{incoming(w, "in.beside", "919876500002", "I came in the same webhook")},
		})
		if got := w.Message(t, sent.ID); got.Status != "delivered" {
			t.Errorf("%+v", got)
		}
		if got := w.Message(t, failed.ID); got.Status != "failed" {
			t.Errorf("%+v", got)
		}
		if n := w.Count(t, "message", "provider_id='in.beside'"); n != 1 {
			t.Error("the message beside the receipts was not stored")
		}
		if err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
			return w.Conversations.AcceptedIn(tx, "system", leaves.ID, "wamid.3")
		}); err != nil {
			t.Errorf("the provider took a message: %v", err)
		}
	})
}

// Each change of mind counts, whoever else told of one in the same webhook, and
// for whoever the conversation at the address is linked with: that person's
// consent is what a message there is held against.
func TestAPreferenceConcernsWhoIsAtTheAddress(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		plain := w.Hello(t, convtest.Number)
		hidden, linked := w.Hello(t, "IN.hidden-number"), w.Hello(t, "919876500003")
		friend, agent := person(t, w, "919876500004"), person(t, w, "919876500005")
		for conv, who := range map[id.ID]id.ID{hidden.ID: friend, linked.ID: agent} {
			if _, err := w.Conversations.Link(bg, w.Tenant, "key:test", conv, who); err != nil {
				t.Fatal(err)
			}
		}
		var all []channel.Preference
		for i, from := range []string{"IN.nobody", "IN.hidden-number", "919876500003", convtest.Number} {
			all = append(all, channel.Preference{Account: w.Account.ExternalID, From: from, At: w.Clock.Now().Add(time.Duration(i-10) * time.Second)})
		}
		w.Receive(t, channel.Batch{Preferences: all})
		for name, who := range map[string]id.ID{"plain": plain.Contact, "hidden": friend, "linked": agent} {
			if !wantsNone(t, w, who, conversation.ForMarketing) || wantsNone(t, w, who, conversation.ForService) {
				t.Errorf("the stop of %s was not kept", name)
			}
		}
	})
}

// Whoever refused and was erased is not written to either: the address is
// unknown, its refusal is not.
func TestAnErasedRefusalHoldsForTheBareAddress(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		w.Approve(t, "offer", "MARKETING", "Buy")
		w.Approve(t, "bill", "UTILITY", "Your bill")
		who := person(t, w, convtest.Number)
		if _, err := w.Contacts.SetConsent(bg, w.Tenant, who, contact.Consent{Channel: "whatsapp", Purpose: contact.Marketing, State: contact.Out, Source: "test"}); err != nil {
			t.Fatal(err)
		}
		erase(t, w, who)
		_, err := send(w, conversation.Send{To: "+" + convtest.Number, Template: &conversation.TemplateUse{Name: "offer"}})
		refused(t, err, fault.Forbidden, "", "consent")
		if _, err := send(w, conversation.Send{To: "+" + convtest.Number, Template: &conversation.TemplateUse{Name: "bill"}}); err != nil {
			t.Errorf("what was never refused: %v", err)
		}
		// Also where the conversation has begun meanwhile.
		_, err = send(w, conversation.Send{To: "+" + convtest.Number, Template: &conversation.TemplateUse{Name: "offer"}})
		refused(t, err, fault.Forbidden, "", "consent")
	})
}

// Whoever is put away comes back by writing from any address that is theirs, not
// from the first alone.
func TestWritingFromASecondNumberUnarchives(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		stays := person(t, w, "919876500006")
		c := w.Hello(t, convtest.Number)
		if err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
			_, err := w.Contacts.MergeIn(tx, "key:test", stays, c.Contact)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Cards.Archive(bg, w.Tenant, "key:test", stays); err != nil {
			t.Fatal(err)
		}
		again := w.Hello(t, convtest.Number)
		p, err := w.Contacts.Get(w.DB.Read(bg, w.Tenant), stays)
		if err != nil || p.Archived() || again.ID != c.ID || again.Contact != stays {
			t.Errorf("archived %v, conversation of %s, want %s: %v", p.Archived(), again.Contact, stays, err)
		}
	})
}

// A message that is promised while its channel is taken away would wait for ever:
// the channel stays, or the message is refused.
func TestDisconnectingBesideAPromise(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		if w.DB.Dialect() != store.Postgres {
			t.Skip("one writer at a time")
		}
		w.Hello(t, convtest.Number)
		done := make(chan error, 1)
		err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
			if _, err := w.Conversations.SendIn(tx, "key:test", conversation.Send{To: "+" + convtest.Number, Text: "hello"}); err != nil {
				return err
			}
			go func() { done <- w.Conversations.Disconnect(bg, w.Tenant, "key:test", w.Account.ID) }()
			storetest.Beside(t, w.DB, done)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		refused(t, <-done, fault.Conflict, "", "messages")

		// The other way round the message finds no channel.
		if err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
			_, err := tx.Exec("UPDATE outbox SET state='sent' WHERE tenant_id=?")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		err = w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
			if err := w.Accounts.DisconnectIn(tx, w.Account.ID); err != nil {
				return err
			}
			go func() {
				_, err := send(w, conversation.Send{To: "+" + convtest.Number, Text: "anybody?"})
				done <- err
			}()
			storetest.Beside(t, w.DB, done)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		refused(t, <-done, fault.Unready, "", "account")
	}, storetest.Once())
}

// Whoever comes into being while somebody opens a conversation at that number, or
// sends a message there, is the one that it runs with.
func TestAConversationBesideANewContact(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		if w.DB.Dialect() != store.Postgres {
			t.Skip("one writer at a time")
		}
		w.Approve(t, "welcome", "UTILITY", "Welcome")
		for phone, act := range map[string]func(to string) error{
			"919876500010": func(to string) error {
				_, _, err := w.Conversations.Open(bg, w.Tenant, "key:test", conversation.Open{Phone: to})
				return err
			},
			"919876500011": func(to string) error {
				_, err := send(w, conversation.Send{To: to, Template: &conversation.TemplateUse{Name: "welcome"}})
				return err
			},
		} {
			done := make(chan error, 1)
			who, err := store.Write(bg, w.DB, w.Tenant, func(tx *store.Tx) (id.ID, error) {
				card, _, err := w.Cards.EnsureIn(tx, "key:test", newCard("+"+phone))
				if err != nil {
					return id.Zero, err
				}
				go func() { done <- act("+" + phone) }()
				storetest.Beside(t, w.DB, done)
				return card.Contact.ID, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			list, _, err := w.Conversations.List(bg, w.Tenant, conversation.ListQuery{Search: phone})
			if err != nil || len(list) != 1 || list[0].Contact != who {
				t.Errorf("%s: the conversation is of %v, want %s (%v)", phone, list, who, err)
			}
		}
	}, storetest.Once())
}
