package conversation_test

import (
	"testing"

	"parley/internal/channel"
	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/conversation/convtest"
	"parley/internal/deal"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// person makes a contact, or returns who has the phone.
func person(t *testing.T, w *convtest.World, phone string) id.ID {
	t.Helper()
	card, _, err := w.Cards.Upsert(bg, w.Tenant, "key:test", deal.NewCard{New: contact.New{FirstName: "Asha", Phone: "+" + phone}})
	if err != nil {
		t.Fatal(err)
	}
	return card.Contact.ID
}

// What reads a contact before it waits for its lock, while that contact is being
// merged, writes for the one that stays. SQLite has one writer and no such wait.
func TestWhoIsMergedMeanwhileIsNotWrittenTo(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		if w.DB.Dialect() != store.Postgres {
			t.Skip("one writer at a time")
		}
		w.Approve(t, "offer", "UTILITY", "Hello")
		do := map[string]func(phone string, who id.ID, has conversation.Conversation) error{
			"open by phone": func(phone string, _ id.ID, _ conversation.Conversation) error {
				_, _, err := w.Conversations.Open(bg, w.Tenant, "key:test", conversation.Open{Phone: "+" + phone})
				return err
			},
			"open for a lead": func(phone string, who id.ID, _ conversation.Conversation) error {
				_, _, err := w.Conversations.Open(bg, w.Tenant, "key:test", conversation.Open{Phone: "+" + phone, Contact: who})
				return err
			},
			"send to a phone": func(phone string, _ id.ID, _ conversation.Conversation) error {
				_, err := send(w, conversation.Send{To: "+" + phone, Template: &conversation.TemplateUse{Name: "offer"}})
				return err
			},
			"link": func(_ string, who id.ID, has conversation.Conversation) error {
				_, err := w.Conversations.Link(bg, w.Tenant, "key:test", has.ID, who)
				return err
			},
			"receive": func(phone string, _ id.ID, _ conversation.Conversation) error {
				return w.Conversations.Receive(bg, w.Account, channel.Batch{Messages: []channel.Incoming{incoming(w, "again."+phone, phone, "again")}})
			},
		}
		n := 0
		for name, act := range do {
			t.Run(name, func(t *testing.T) {
				n++
				phone := "91987650000" + string(rune('0'+n))
				stays := person(t, w, "91987651000"+string(rune('0'+n)))
				var has conversation.Conversation
				switch name {
				case "receive":
					has = w.Hello(t, phone)
				case "link":
					has = w.Hello(t, "91987652000"+string(rune('0'+n)))
				}
				goes := person(t, w, phone)
				done := make(chan error, 1)
				err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
					if _, err := w.Contacts.MergeIn(tx, "key:test", stays, goes); err != nil {
						return err
					}
					go func() { done <- act(phone, goes, has) }()
					storetest.AwaitWaiting(t, w.DB, 1)
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				at := phone
				if name == "link" {
					at = has.Address
				}
				list, _, err := w.Conversations.List(bg, w.Tenant, conversation.ListQuery{Search: at})
				if err != nil || len(list) != 1 || list[0].Contact != stays {
					t.Fatalf("the conversation is of %v, want %s (%v)", list, stays, err)
				}
			})
		}
	}, storetest.Once())
}
