package conversation_test

import (
	"encoding/json"
	"errors"
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
	"parley/internal/tenant"
)

// refused wants a fault of a code, a field and a reason.
func refused(t *testing.T, err error, code fault.Code, field, reason string) {
	t.Helper()
	f := fault.As(err)
	if f == nil || f.Code != code || f.Field != field || reason != "" && f.Reason != reason {
		t.Fatalf("got %#v (%v), want %s of %q, reason %q", f, err, code, field, reason)
	}
}

func send(w *convtest.World, in conversation.Send) (conversation.Message, error) {
	return w.Conversations.Send(bg, w.Tenant, "key:test", in)
}

func TestSendFaults(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		_, err := send(w, conversation.Send{Text: "x"})
		refused(t, err, fault.Invalid, "to", "missing")
		_, err = send(w, conversation.Send{To: convtest.Number, Text: "x"})
		refused(t, err, fault.WindowClosed, "", "")
		_, err = send(w, conversation.Send{Conversation: id.New(), Text: "x"})
		refused(t, err, fault.NotFound, "", "conversation")
		_, err = send(w, conversation.Send{Contact: id.New(), Text: "x"})
		refused(t, err, fault.NotFound, "", "contact")
		c := w.Hello(t, convtest.Number)
		_, err = send(w, conversation.Send{Conversation: c.ID, Text: "  "})
		refused(t, err, fault.Invalid, "text", "missing")
		_, err = send(w, conversation.Send{Conversation: c.ID, Text: "a\x00"})
		refused(t, err, fault.Invalid, "text", "")
		_, err = send(w, conversation.Send{Conversation: c.ID, Text: "a", Metadata: map[string]any{"k": "a\x00"}})
		refused(t, err, fault.Invalid, "metadata", "")
		_, err = send(w, conversation.Send{Conversation: c.ID, Media: &channel.Media{}})
		refused(t, err, fault.Invalid, "mediaUrl", "missing")
		_, err = send(w, conversation.Send{Conversation: c.ID, Kind: "hologram", Media: &channel.Media{URL: "https://x/y"}})
		refused(t, err, fault.Invalid, "mediaType", "")
		_, err = send(w, conversation.Send{Conversation: c.ID, Text: "a", ReplyTo: id.New()})
		refused(t, err, fault.Invalid, "replyToId", "")
		_, err = send(w, conversation.Send{Conversation: c.ID, Channel: "pigeon", To: "1", Text: "a"})
		if err != nil {
			t.Fatalf("a conversation brings its channel: %v", err)
		}
		_, err = send(w, conversation.Send{Channel: "pigeon", To: convtest.Number, Text: "a"})
		refused(t, err, fault.Invalid, "channel", "")
		_, err = send(w, conversation.Send{To: convtest.Number, Template: &conversation.TemplateUse{Name: "nope"}})
		refused(t, err, fault.Invalid, "templateName", "")
		ten, err := w.Tenants.Create(bg, tenant.NewTenant{Name: "Empty"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Conversations.Send(bg, ten.ID, "key:t", conversation.Send{To: convtest.Number, Text: "x"})
		refused(t, err, fault.Unready, "", "account")
		if n := w.Count(t, "outbox", "1=1"); n != 1 {
			t.Fatalf("%d rows; a refused send writes nothing", n)
		}
	})
}

func TestSendByContactFormsAndReply(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		c := w.Hello(t, convtest.Number)
		first, err := send(w, conversation.Send{Contact: c.Contact, Text: "one", Metadata: map[string]any{"a": 1}})
		if err != nil || first.Conversation != c.ID || first.Status != "queued" || first.SentBy != "key:test" {
			t.Fatalf("%+v %v", first, err)
		}
		second, err := send(w, conversation.Send{To: "98765 43210", Text: "see", Media: &channel.Media{URL: "https://example.com/a.pdf?x=1"}, ReplyTo: c.Last.ID, SentBy: "automation"})
		if err != nil || second.Conversation != c.ID || second.Kind != "document" || second.Media.Caption != "see" || second.SentBy != "automation" {
			t.Fatalf("%+v %v", second, err)
		}
		if second.ReplyTo != c.Last.ID || second.ReplyToProvider == "" {
			t.Fatalf("reply %+v", second)
		}
		got, err := w.Conversations.Get(bg, w.Tenant, c.ID)
		if err != nil || got.Messages != 3 || got.Last.ID != second.ID || got.Unread != 1 {
			t.Fatalf("%+v %v", got, err)
		}
		work, _, err := w.Outbox.Claim(bg, laneOf(w), 5)
		for ; err == nil && len(work) > 0; work, _, err = w.Outbox.Claim(bg, laneOf(w), 5) {
			for _, do := range work {
				do(bg)
			}
		}
		sent := w.Channel.Sent()
		if err != nil || len(sent) != 2 || sent[1].ReplyTo != second.ReplyToProvider || sent[1].Media.URL != "https://example.com/a.pdf?x=1" {
			t.Fatalf("%+v %v", sent, err)
		}
		if _, err := w.Conversations.React(bg, w.Tenant, "key:test", first.ID, "🎉"); err != nil {
			t.Fatal(err)
		}
		if m := w.Message(t, first.ID); len(m.Reactions) != 1 || m.Reactions[0].By != conversation.Business {
			t.Fatalf("%+v", m.Reactions)
		}
	})
}

// TestOptOutAndSendInOneTransaction: a caller may go on after a fault, and
// nothing of the refused send stays.
func TestRefusedSendLeavesItsTransactionUsable(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
			card, err := w.Cards.CreateIn(tx, "key:t", newCard("+"+convtest.Number))
			if err != nil {
				return err
			}
			if _, err := w.Conversations.SendIn(tx, "run:x", conversation.Send{Contact: card.Contact.ID, Text: "x"}); fault.As(err) == nil {
				return errors.New("free text outside the window was accepted")
			}
			_, err = w.Contacts.ConsentIn(tx, card.Contact.ID, contact.Consent{Channel: "whatsapp", State: contact.Out, Source: "key:t"})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := w.Count(t, "conversation", "1=1") + w.Count(t, "message", "1=1") + w.Count(t, "outbox", "1=1"); n != 0 {
			t.Fatalf("%d rows of a refused send", n)
		}
	})
}

func approved(name, language, body string) channel.Template {
	return channel.Template{ProviderID: "p." + name + language, Name: name, Language: language, Status: "APPROVED", Category: "UTILITY", HeaderType: "NONE", BodyText: body,
		Components: json.RawMessage(`[{"type":"BODY"}]`)}
}

func TestTemplatesSyncAndSend(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		welcome := approved("welcome", "en_US", "Hi {{1}}, order {{2}} of {{1}}")
		welcome.HeaderType, welcome.HeaderText = "TEXT", "For {{1}}"
		welcome.Buttons = []channel.TemplateButton{{Type: "QUICK_REPLY", Text: "ok"}, {Type: "URL", Text: "track", URL: "https://x.test/{{1}}"}}
		named := approved("named", "en", "Dear {{first_name}}, {{amount}} due")
		pending := approved("pending", "en", "soon")
		pending.Status = "pending"
		picture := approved("picture", "en", "look")
		picture.HeaderType = "IMAGE"
		w.Channel.Hold(nil, welcome, named, pending, picture)
		res, err := w.Templates.Sync(bg, w.Tenant)
		if err != nil || res.Synced != 4 || res.Updated != 0 || strings.Join(res.New, ",") != "named,pending,picture,welcome" {
			t.Fatalf("%+v %v", res, err)
		}
		list, err := w.Templates.List(bg, w.Tenant, conversation.TemplateQuery{Status: "approved"})
		if err != nil || len(list) != 3 {
			t.Fatalf("%+v %v", list, err)
		}
		tpl, err := w.Templates.Get(w.DB.Read(bg, w.Tenant), "welcome")
		if err != nil || tpl.Variables != 4 || tpl.MappingStatus != "unmapped" || tpl.Positions[3].Component != "BUTTON" || tpl.Positions[3].Index != 1 {
			t.Fatalf("%+v %v", tpl, err)
		}
		m, err := send(w, conversation.Send{To: convtest.Number, Template: &conversation.TemplateUse{Name: "welcome", Values: []string{"H", "Asha", "42", "t/9"}}})
		if err != nil || m.Text != "Hi Asha, order 42 of Asha" || m.Template.Language != "en_US" || len(m.Template.Variables) != 4 || m.Kind != "template" {
			t.Fatalf("%+v %v", m, err)
		}
		use := func(u conversation.TemplateUse, media *channel.Media) error {
			_, err := send(w, conversation.Send{To: convtest.Number, Template: &u, Media: media})
			return err
		}
		refused(t, use(conversation.TemplateUse{Name: "welcome", Values: []string{"1"}}, nil), fault.Invalid, "variables", "")
		refused(t, use(conversation.TemplateUse{Name: "welcome", Language: "fr"}, nil), fault.Invalid, "templateLanguage", "")
		refused(t, use(conversation.TemplateUse{Name: "pending"}, nil), fault.Unready, "", "template")
		refused(t, use(conversation.TemplateUse{Name: "picture"}, nil), fault.Invalid, "mediaUrl", "")
		refused(t, use(conversation.TemplateUse{Name: "named", Named: map[string]string{"first_name": "A"}}, nil), fault.Invalid, "variables", "")
		if err := use(conversation.TemplateUse{Name: "picture"}, &channel.Media{URL: "https://x/y.png"}); err != nil {
			t.Fatal(err)
		}
		for _, u := range []conversation.TemplateUse{
			{Name: "named", Language: "en_US", Named: map[string]string{"amount": "10", "first_name": "Asha"}},
			{Name: "named", Named: map[string]string{"1": "Asha", "2": "10"}},
			{Name: "named", Named: map[string]string{"v10": "10", "v9": "Asha"}},
			{Name: "named", Named: map[string]string{"first_name": "Asha", "sum": "10"}},
		} {
			m, err := send(w, conversation.Send{To: convtest.Number, Template: &u})
			if err != nil || m.Text != "Dear Asha, 10 due" {
				t.Fatalf("%v: %q %v", u.Named, m.Text, err)
			}
		}
		if _, err := w.Templates.SetMapping(bg, w.Tenant, "named", []conversation.Mapping{{Position: 1, Label: "who", Source: "crm", Field: "firstName"}, {Position: 2, Source: "static", Static: "99"}}, "use_fallback"); err != nil {
			t.Fatal(err)
		}
		m, err = send(w, conversation.Send{To: convtest.Number, Template: &conversation.TemplateUse{Name: "named", Named: map[string]string{"who": "Ravi"}}})
		if err != nil || m.Text != "Dear Ravi, 99 due" {
			t.Fatalf("%q %v", m.Text, err)
		}
		_, err = w.Templates.SetMapping(bg, w.Tenant, "named", []conversation.Mapping{{Position: 3}}, "")
		refused(t, err, fault.Invalid, "mappings[0].position", "")

		named.BodyText = "Dear {{first_name}}"
		w.Channel.Hold(nil, named, welcome)
		res, err = w.Templates.Sync(bg, w.Tenant)
		if err != nil || res.Synced != 2 || res.Updated != 2 || strings.Join(res.Outdated, "") != "named" || strings.Join(res.Removed, ",") != "pending,picture" || len(res.New) != 0 {
			t.Fatalf("%+v %v", res, err)
		}
		if tpl, err = w.Templates.Get(w.DB.Read(bg, w.Tenant), "named"); err != nil || tpl.MappingStatus != "outdated" || len(tpl.Mapping) != 2 {
			t.Fatalf("%+v %v", tpl, err)
		}
		w.Channel.Hold(fault.New(fault.Unavailable, "down"))
		_, err = w.Templates.Sync(bg, w.Tenant)
		refused(t, err, fault.Unavailable, "", "")
		if n := w.Count(t, "template", "1=1"); n != 2 {
			t.Fatalf("a failed listing left %d templates, want 2", n)
		}
	})
}

func TestConversationsPageByCursor(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		for i := range 7 {
			if i%2 == 0 { // pairs of the same moment
				w.Clock.Advance(time.Second)
			}
			w.Hello(t, "91900000000"+string(rune('0'+i)))
		}
		var seen []string
		cursor := ""
		for pages := 0; ; pages++ {
			items, next, err := w.Conversations.List(bg, w.Tenant, conversation.ListQuery{Limit: 2, Before: cursor, Status: "open"})
			if err != nil || pages > 5 {
				t.Fatal(pages, err)
			}
			for _, c := range items {
				seen = append(seen, c.Address[11:])
			}
			if cursor = next; next == "" {
				break
			}
		}
		if got := strings.Join(seen, ""); got != "6543210" {
			t.Fatalf("order %s", got)
		}
		items, _, err := w.Conversations.List(bg, w.Tenant, conversation.ListQuery{Before: w.Clock.Now().Format(time.RFC3339)})
		if err != nil || len(items) != 6 {
			t.Fatalf("%d before an ISO time: %v", len(items), err)
		}
		_, _, err = w.Conversations.List(bg, w.Tenant, conversation.ListQuery{Before: "yesterday"})
		refused(t, err, fault.Invalid, "after", "")
		_, _, err = w.Conversations.List(bg, w.Tenant, conversation.ListQuery{Status: "lost"})
		refused(t, err, fault.Invalid, "status", "")
		if items, _, err = w.Conversations.List(bg, w.Tenant, conversation.ListQuery{Search: "ASHA"}); err != nil || len(items) != 7 {
			t.Fatalf("%d found by name: %v", len(items), err)
		}
		if items, _, err = w.Conversations.List(bg, w.Tenant, conversation.ListQuery{Search: "+91 90000-0000 3"}); err != nil || len(items) != 1 {
			t.Fatalf("%d found by a phone as people write it: %v", len(items), err)
		}
		if items, _, err = w.Conversations.List(bg, w.Tenant, conversation.ListQuery{Search: "%"}); err != nil || len(items) != 0 {
			t.Fatalf("%d found by a wildcard: %v", len(items), err)
		}
		if _, err := w.Conversations.Get(bg, id.New(), items0(t, w)); fault.As(err) == nil {
			t.Fatal("another tenant sees the conversation")
		}
	})
}

func items0(t *testing.T, w *convtest.World) id.ID {
	t.Helper()
	items, _, err := w.Conversations.List(bg, w.Tenant, conversation.ListQuery{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	return items[0].ID
}

func TestMessagesPage(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		c := w.Hello(t, convtest.Number)
		for _, s := range []string{"1", "2", "3", "4", "5"} {
			w.Clock.Advance(time.Second)
			w.Text(t, convtest.Number, s)
		}
		read := func(q conversation.MessageQuery) (string, bool, []conversation.Message) {
			items, more, err := w.Conversations.Messages(bg, w.Tenant, c.ID, q)
			if err != nil {
				t.Fatal(err)
			}
			out := ""
			for _, m := range items {
				out += m.Text
			}
			return out, more, items
		}
		got, more, items := read(conversation.MessageQuery{Limit: 2})
		if got != "45" || !more {
			t.Fatalf("%q %v", got, more)
		}
		if got, more, _ := read(conversation.MessageQuery{Limit: 10, BeforeID: items[0].ID}); got != "hello123" || more {
			t.Fatalf("%q %v", got, more)
		}
		if got, more, _ := read(conversation.MessageQuery{Limit: 2, After: c.LastMessageAt}); got != "12" || !more {
			t.Fatalf("%q %v", got, more)
		}
		if got, _, _ := read(conversation.MessageQuery{Before: items[0].CreatedAt}); got != "hello123" {
			t.Fatalf("%q", got)
		}
		// From a message on, in either direction, even among those of one moment.
		one, _, first := read(conversation.MessageQuery{Limit: 1, After: c.LastMessageAt.Add(-time.Second)})
		if got, more, _ := read(conversation.MessageQuery{Limit: 4, AfterID: first[0].ID}); one+got != "hello1234" || !more {
			t.Fatalf("%q %v", one+got, more)
		}
		_, _, err := w.Conversations.Messages(bg, w.Tenant, c.ID, conversation.MessageQuery{BeforeID: id.New()})
		refused(t, err, fault.Invalid, "before", "")
		_, _, err = w.Conversations.Messages(bg, w.Tenant, c.ID, conversation.MessageQuery{AfterID: id.New()})
		refused(t, err, fault.Invalid, "after", "")
		_, _, err = w.Conversations.Messages(bg, w.Tenant, id.New(), conversation.MessageQuery{})
		refused(t, err, fault.NotFound, "", "conversation")
	})
}

func TestOpenLinkReadDelete(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		c, created, err := w.Conversations.Open(bg, w.Tenant, "key:t", conversation.Open{Phone: "98765 43210", Name: "Somebody"})
		if err != nil || !created || c.Address != convtest.Number || c.Name != "Somebody" || !c.Contact.IsZero() {
			t.Fatalf("%+v %v %v", c, created, err)
		}
		again, created, err := w.Conversations.Open(bg, w.Tenant, "key:t", conversation.Open{Phone: "+" + convtest.Number})
		if err != nil || created || again.ID != c.ID {
			t.Fatalf("%+v %v %v", again, created, err)
		}
		var card deal.Card
		if card, err = w.Cards.Create(bg, w.Tenant, "key:t", newCard("+919000000009")); err != nil {
			t.Fatal(err)
		}
		if c, err = w.Conversations.Link(bg, w.Tenant, "key:t", c.ID, card.Contact.ID); err != nil || c.Contact != card.Contact.ID {
			t.Fatalf("%+v %v", c, err)
		}
		got := w.Hello(t, convtest.Number)
		if got.Contact != card.Contact.ID || got.Unread != 1 {
			t.Fatalf("an inbound message took the link away: %+v", got)
		}
		if got, err = w.Conversations.MarkRead(bg, w.Tenant, "key:t", c.ID); err != nil || got.Unread != 0 {
			t.Fatalf("%+v %v", got, err)
		}
		if m, err := w.Conversations.Star(bg, w.Tenant, "key:t", got.Last.ID, true); err != nil || m.Metadata["isStarred"] != true {
			t.Fatalf("%+v %v", m, err)
		}
		w.Text(t, convtest.Number, "not sent any more")
		n, err := w.Conversations.Delete(bg, w.Tenant, "key:t", []id.ID{c.ID, id.New()})
		if err != nil || n != 1 || w.Count(t, "outbox", "1=1")+w.Count(t, "message", "1=1") != 0 {
			t.Fatalf("%d %v", n, err)
		}
		_, _, err = w.Conversations.Open(bg, w.Tenant, "key:t", conversation.Open{})
		refused(t, err, fault.Invalid, "phone", "missing")
	})
}

func newCard(phone string) deal.NewCard {
	return deal.NewCard{New: contact.New{FirstName: "Ravi", Phone: phone}}
}
