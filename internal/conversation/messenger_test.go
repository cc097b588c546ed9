package conversation_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"parley/internal/account"
	"parley/internal/channel"
	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/conversation/convtest"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/outbox"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// page is a World whose second channel has addresses that are no phones.
type page struct {
	*convtest.World
	page channel.Account
}

func withPage(t *testing.T, db *store.DB, c *clock.Fake) page {
	w := convtest.NewWith(t, db, c, outbox.Options{}, "messenger")
	a, err := w.Accounts.Connect(context.Background(), w.Tenant, account.NewAccount{Kind: "messenger", ExternalID: id.New().String(),
		Secrets: map[string]string{"token": "t", "appSecret": "s"}})
	if err != nil {
		t.Fatal(err)
	}
	return page{w, a}
}

func (p page) receive(t *testing.T, b channel.Batch) {
	t.Helper()
	if err := p.Conversations.Receive(context.Background(), p.page, b); err != nil {
		t.Fatal(err)
	}
}

// says receives a text and returns its conversation.
func (p page) says(t *testing.T, from, text string) conversation.Conversation {
	t.Helper()
	p.receive(t, channel.Batch{Messages: []channel.Incoming{{Account: p.page.ExternalID, ProviderID: "m_" + id.New().String(), From: from, At: p.Clock.Now(), Kind: channel.Text, Text: text}}})
	list, _, err := p.Conversations.List(context.Background(), p.Tenant, conversation.ListQuery{Search: from})
	list = slices.DeleteFunc(list, func(c conversation.Conversation) bool { return c.Channel != "messenger" })
	if err != nil || len(list) != 1 {
		t.Fatalf("the conversation of %s: %v %v", from, list, err)
	}
	return list[0]
}

// drain hands over what waits.
func (p page) drain(t *testing.T) {
	t.Helper()
	work, _, err := p.Outbox.Claim(context.Background(), job.Lane{Tenant: p.Tenant, Name: p.page.ID.String()}, 10)
	if err != nil || len(work) == 0 {
		t.Fatalf("%d to hand over: %v", len(work), err)
	}
	for _, w := range work {
		w(context.Background())
	}
}

func (p page) reads() store.Reader { return p.DB.Read(context.Background(), p.Tenant) }

// A page-scoped id looks like a phone and is none: it makes a contact of its own,
// who is found, merged and written to by it.
func TestAddressIsAnIdentity(t *testing.T) {
	c := clock.NewFake(convtest.Start)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		p, bg := withPage(t, db, c), context.Background()
		p.Hello(t, convtest.Number) // the same digits on WhatsApp are somebody else
		talk := p.says(t, "7316505551234", "hi")
		who, err := p.Contacts.Get(p.reads(), talk.Contact)
		if err != nil || who.Phone() != "" || len(who.Identities) != 1 || who.Identities[0].Kind != contact.Messenger || who.Identities[0].Value != "7316505551234" || !who.Identities[0].Claimed {
			t.Fatalf("%+v %v", who, err)
		}
		same := p.says(t, convtest.Number, "hi")
		if phone, found, err := p.Contacts.Find(p.reads(), contact.Phone, convtest.Number); err != nil || !found || phone.ID == same.Contact {
			t.Errorf("a page-scoped id was taken for the phone %s", convtest.Number)
		}
		if again := p.says(t, "7316505551234", "again"); again.ID != talk.ID || again.Contact != who.ID || again.Messages != 2 {
			t.Errorf("%+v", again)
		}
		for _, s := range []conversation.Send{{Contact: who.ID, Channel: "messenger", Text: "a"}, {To: "7316505551234", Channel: "messenger", Text: "b"}, {Conversation: talk.ID, Text: "c"}} {
			if m, err := p.Conversations.Send(bg, p.Tenant, "key:test", s); err != nil || m.Conversation != talk.ID || m.Contact != who.ID {
				t.Errorf("%+v: %+v %v", s, m, err)
			}
		}
		_, err = p.Conversations.Send(bg, p.Tenant, "key:test", conversation.Send{Contact: who.ID, Text: "on WhatsApp"})
		if e := fault.As(err); e == nil || e.Field != "to" {
			t.Errorf("written to without a phone: %v", err)
		}
		if _, _, err := p.Conversations.Open(bg, p.Tenant, "key:test", conversation.Open{Phone: "+919876543210", Channel: "messenger"}); !errors.Is(err, fault.Of(fault.Invalid)) {
			t.Errorf("a page cannot begin: %v", err)
		}
		// Two channels of one person.
		hello := p.Hello(t, "919812345678")
		one, err := p.Contacts.Merge(bg, p.Tenant, "key:test", who.ID, hello.Contact)
		if err != nil {
			t.Fatal(err)
		}
		reaches, err := p.Conversations.Reaches(p.reads(), one.ID)
		if err != nil || len(reaches) != 2 || reaches["messenger"].Conversation != talk.ID || reaches["whatsapp"].Conversation != hello.ID || !reaches["messenger"].Open {
			t.Errorf("%+v %v", reaches, err)
		}
		windows, err := p.Conversations.Windows(p.reads(), []id.ID{one.ID, same.Contact, id.New()})
		end := p.Clock.Now().Add(24 * time.Hour)
		if err != nil || len(windows) != 2 || !windows[one.ID]["messenger"].Equal(end) || !windows[one.ID]["whatsapp"].Equal(end) || len(windows[same.Contact]) != 1 {
			t.Errorf("%v %v", windows, err)
		}
		if again := p.says(t, "7316505551234", "after the merge"); again.Contact != one.ID {
			t.Errorf("%+v", again)
		}
		if _, _, err := p.Contacts.Unmerge(bg, p.Tenant, "key:test", one.ID); err != nil {
			t.Fatal(err)
		}
		if n := p.Count(t, "identity", "kind='messenger' AND is_primary AND claimed"); n != 2 {
			t.Errorf("%d identities after the merge was taken back", n)
		}
	}, storetest.Clock(c))
}

// A watermark settles what was handed over before it, once, and nothing behind it.
func TestWatermark(t *testing.T) {
	c := clock.NewFake(convtest.Start)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		p, bg := withPage(t, db, c), context.Background()
		talk := p.says(t, "7316505551234", "hi")
		send := func() conversation.Message {
			m, err := p.Conversations.Send(bg, p.Tenant, "key:test", conversation.Send{Conversation: talk.ID, Text: "x"})
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		first := send()
		p.drain(t)
		c.Advance(time.Minute)
		mark := c.Now()
		c.Advance(time.Minute)
		second, waiting := send(), id.Zero
		p.drain(t)
		waiting = send().ID
		news := func(status string, upTo time.Time) {
			p.receive(t, channel.Batch{Receipts: []channel.Receipt{{Account: p.page.ExternalID, Status: status, At: c.Now(), To: "7316505551234", UpTo: upTo}}})
		}
		check := func(what string, want ...string) {
			t.Helper()
			for i, m := range []id.ID{first.ID, second.ID, waiting} {
				if got := p.Message(t, m).Status; got != want[i] {
					t.Errorf("%s: message %d is %s, want %s", what, i, got, want[i])
				}
			}
		}
		news("delivered", mark)
		check("delivered", "delivered", "sent", "queued")
		news("read", mark)
		news("read", mark)
		news("delivered", mark)
		check("read", "read", "sent", "queued")
		if h := p.Message(t, first.ID).History; len(h) != 4 {
			t.Errorf("the history is %v", h)
		}
		news("read", c.Now())
		check("all", "read", "read", "queued")
		p.receive(t, channel.Batch{Receipts: []channel.Receipt{{Account: p.page.ExternalID, Status: "read", At: c.Now(), To: "999", UpTo: c.Now()}}}) // nobody
	}, storetest.Clock(c))
}

// A cart is kept beside its message and goes with its conversation.
func TestOrders(t *testing.T) {
	c := clock.NewFake(convtest.Start)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w, bg := convtest.New(t, db, c, outbox.Options{}), context.Background()
		talk := w.Hello(t, convtest.Number)
		cart := channel.Incoming{Account: w.Account.ExternalID, ProviderID: "wamid.cart", From: convtest.Number, At: c.Now(), Kind: channel.OrderMsg, Text: "please\x00",
			Order: &channel.Order{Catalog: "c\x001", Items: []channel.OrderItem{{Product: "sku", Quantity: "2", Price: "30", Currency: "USD"}}}}
		w.Receive(t, channel.Batch{Messages: []channel.Incoming{cart, cart}})
		w.Receive(t, channel.Batch{Messages: []channel.Incoming{cart}})
		orders := func(who id.ID) []conversation.Order {
			t.Helper()
			list, err := w.Conversations.Orders(w.DB.Read(bg, w.Tenant), who, 10)
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		got := orders(talk.Contact)
		if len(got) != 1 || got[0].Catalog != "c1" || got[0].Text != "please" || len(got[0].Items) != 1 || got[0].Items[0].Quantity != "2" {
			t.Fatalf("%+v", got)
		}
		other := w.Hello(t, "919812345678")
		one, err := w.Contacts.Merge(bg, w.Tenant, "key:test", talk.Contact, other.Contact)
		if err != nil || len(orders(one.ID)) != 1 {
			t.Errorf("after a merge: %v %v", orders(one.ID), err)
		}
		if _, err := w.Conversations.Delete(bg, w.Tenant, "key:test", []id.ID{talk.ID}); err != nil {
			t.Fatal(err)
		}
		if n := w.Count(t, "message_order", "1=1"); n != 0 {
			t.Errorf("%d carts of a deleted conversation", n)
		}
	}, storetest.Clock(c))
}
