package sales_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/account"
	"parley/internal/agent"
	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/id"
	"parley/test/apitest"
)

var messagingStart = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// talk is a tenant with a WhatsApp number and a page at the simulated Meta, and a
// caller of the whole API.
type talk struct {
	*apitest.Caller
	number, page string
}

func newTalk(t *testing.T, r *apitest.Rig) *talk {
	t.Helper()
	c := r.NewTenant("Acme").Caller()
	k := &talk{Caller: c}
	c.Eventually("the tenant is arranged at the simulated Meta", func() bool {
		list, err := c.App.Accounts.List(context.Background(), c.ID)
		for _, a := range list {
			if a.Kind == "whatsapp" {
				k.number = a.ExternalID
			} else {
				k.page = a.ExternalID
			}
		}
		return err == nil && k.number != "" && k.page != "" && strings.Contains(string(c.Call("GET", "/_sim/accounts", nil).Body), k.number) &&
			strings.Contains(string(c.Call("GET", "/_sim/pages", nil).Body), k.page) && len(c.Get("/messaging/channels").List()) > 0 &&
			len(c.Get("/messaging/channels").OK().JSON().([]any)[0].(map[string]any)["templates"].([]any)) > 0
	})
	return k
}

// lead posts a lead with a phone and returns its prospect.
func (k *talk) lead(first, phone string) string {
	k.Helper()
	return k.Post("/lead/retail", map[string]any{"utmSource": "web", "firstName": first, "phones": []string{phone}}).OK().Str("id")
}

func (k *talk) writes(phone, text string) {
	k.Helper()
	if a := k.Call("POST", "/_sim/reply", map[string]any{"from": phone, "to": k.number, "text": text}); a.Get("accepted") != true {
		k.Fatalf("the webhook was refused: %s", a.Body)
	}
}

func (k *talk) inbox(path, to string) []map[string]any {
	k.Helper()
	var out []map[string]any
	for _, m := range k.Call("GET", path+"?to="+to, nil).OK().Get("messages").([]any) {
		out = append(out, m.(map[string]any))
	}
	return out
}

// arrives waits for the n-th message of a person and returns it.
func (k *talk) arrives(path, to string, n int) map[string]any {
	k.Helper()
	k.Eventually(fmt.Sprintf("message %d of %s arrives", n, to), func() bool { return len(k.inbox(path, to)) >= n })
	return k.inbox(path, to)[n-1]
}

// TestWindow is §4.9 and §7, 8: 24 h and a second are refused, a template is
// taken, a reply reopens.
func TestWindow(t *testing.T) {
	apitest.Each(t, apitest.Options{At: messagingStart, Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		k := newTalk(t, r)
		p := "/prospect/" + k.lead("Asha", "+919876543210") + "/messaging/whatsapp"
		k.Post(p, map[string]any{"content": "hello"}).Refused(409, "CONVERSATION_WINDOW_CLOSED")
		k.writes("919876543210", "hi")
		r.Clock.Advance(24*time.Hour - time.Second)
		sent := k.Post(p, map[string]any{"content": "in time"}).OK()
		if sent.Str("0.via") != "whatsApp" || sent.Str("0.output.message.content") != "in time" || sent.Get("0.proactive") != true ||
			sent.Str("0.output.message.performer") != "agent" || !slices.Contains([]string{"pending", "sent", "received", "read"}, sent.Str("0.status")) || len(sent.List()) != 1 {
			t.Errorf("the interaction is %s", sent.Body)
		}
		if m := k.arrives("/_sim/inbox", "919876543210", 1); m["text"] != "in time" {
			t.Errorf("the phone shows %v", m)
		}
		r.Clock.Advance(2 * time.Second)
		k.Post(p, map[string]any{"content": "late"}).Refused(409, "CONVERSATION_WINDOW_CLOSED")
		k.Post(p+"/notification", map[string]any{"key": "hello_world"}).OK()
		k.arrives("/_sim/inbox", "919876543210", 2)
		k.Post(p, map[string]any{"content": "a template opens nothing"}).Refused(409, "CONVERSATION_WINDOW_CLOSED")
		k.writes("919876543210", "back again")
		k.Post(p, map[string]any{"content": "open"}).OK()
		k.arrives("/_sim/inbox", "919876543210", 3)
	})
}

// TestTemplates is §4.8 and §7, 7.
func TestTemplates(t *testing.T) {
	apitest.Each(t, apitest.Options{At: messagingStart, Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		k := newTalk(t, r)
		pid := k.lead("Asha", "+919876543210")
		p := "/prospect/" + pid + "/messaging/whatsapp/notification"
		send := func(key string, parameters map[string]any) apitest.Answer {
			return k.Post(p, map[string]any{"key": key, "parameters": parameters})
		}
		for _, v := range []string{"a    b", "a\nb", "a\rb", "a\tb"} {
			send("welcome", map[string]any{"1": v, "2": "x"}).Refused(400, "INVALID_TEMPLATE_PARAMETER")
			send("welcome", map[string]any{"1": "x", "2": "y", "unknown": v}).Refused(400, "INVALID_TEMPLATE_PARAMETER")
		}
		send("", nil).Refused(400, "SCHEMA_VALIDATION_FAILED")
		send("no_such", nil).Refused(400, "SCHEMA_VALIDATION_FAILED")
		send("old_offer", map[string]any{"1": "x"}).Refused(400, "SCHEMA_VALIDATION_FAILED") // paused
		send("welcome", map[string]any{"1": "only one"}).Refused(400, "INVALID_TEMPLATE_PARAMETER")
		sent := send("welcome", map[string]any{"1": "three   spaces", "2": "solar"}).OK()
		if sent.Str("0.output.message.template") != "welcome" || !strings.Contains(sent.Str("0.output.message.body"), "three   spaces") {
			t.Errorf("the interaction is %s", sent.Body)
		}
		n := 1
		shown := func(want string) {
			t.Helper()
			if m := k.arrives("/_sim/inbox", "919876543210", n); !strings.Contains(m["text"].(string), want) {
				t.Errorf("the phone shows %q, want %q in it", m["text"], want)
			}
			n++
		}
		shown("three   spaces")
		// Mapped: the prospect's own data, then the default, then refused.
		_, err := k.App.Conversations.Templates().SetMapping(context.Background(), k.ID, "welcome", []conversation.Mapping{
			{Position: 1, Source: "crm", Field: "firstName"}, {Position: 2, Label: "prospect.style", Source: "manual", Fallback: "anything"}}, "")
		if err != nil {
			t.Fatal(err)
		}
		var body string
		for _, x := range k.Get("/messaging/channels").OK().Get("0.templates").([]any) {
			if m := x.(map[string]any); m["key"] == "welcome" {
				body, _ = m["body"].(string)
			}
		}
		if !strings.Contains(body, "{{prospect.firstName}}") || !strings.Contains(body, "{{prospect.style}}") {
			t.Errorf("the body is %q", body)
		}
		send("welcome", nil).OK()
		shown("Hi Asha, thank you for your interest in anything")
		k.Patch("/prospect/"+pid+"/additionalData", map[string]any{"style": "modern"}).OK()
		send("welcome", nil).OK()
		shown("interest in modern")
		send("welcome", map[string]any{"prospect.firstName": "Jonathan", "prospect.style": ""}).OK()
		shown("Hi Jonathan, thank you for your interest in modern")
		if _, err := k.App.Conversations.Templates().SetMapping(context.Background(), k.ID, "welcome", []conversation.Mapping{
			{Position: 1, Source: "crm", Field: "lastName"}, {Position: 2, Source: "static", Static: "x"}}, ""); err != nil {
			t.Fatal(err)
		}
		send("welcome", nil).Refused(400, "INVALID_TEMPLATE_PARAMETER")
	})
}

// TestFacebook is the other channel: a stranger on Messenger is a prospect with a
// name, writes and is answered, and closes like WhatsApp.
func TestFacebook(t *testing.T) {
	apitest.Each(t, apitest.Options{At: messagingStart, Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		k := newTalk(t, r)
		const psid = "7316505551234"
		says := func(body map[string]any) {
			t.Helper()
			body["from"], body["to"] = psid, k.page
			if a := k.Call("POST", "/_sim/messenger/reply", body); a.Get("accepted") != true {
				t.Fatalf("the webhook was refused: %s", a.Body)
			}
		}
		says(map[string]any{"text": "is it still there?", "firstName": "Maria", "lastName": "Silva"})
		var who map[string]any
		k.Eventually("Maria is a prospect", func() bool {
			list := k.Get("/prospects?limit=10").OK().List()
			if len(list) == 1 && list[0]["firstName"] == "Maria" && list[0]["lastName"] == "Silva" {
				who = list[0]
			}
			return who != nil
		})
		p := "/prospect/" + who["id"].(string)
		if got := k.Get(p + "/messaging/channels").OK().List(); len(got) != 1 || got[0]["channel"] != "facebook" || got[0]["channelId"] != k.page {
			t.Errorf("the channels are %v", got)
		}
		if phones, _ := who["phones"].([]any); len(phones) > 0 {
			t.Errorf("a page-scoped id is shown as a phone: %v", phones)
		}
		if due := k.Get(p).OK().Str("facebookDueAt"); due != "2026-03-03T09:00:00.000Z" {
			t.Errorf("facebookDueAt is %q", due)
		}
		k.Post(p+"/messaging/whatsapp", map[string]any{"content": "x"}).Refused(404, "NOT_FOUND")
		k.Post(p+"/messaging/instagram", map[string]any{"content": "x"}).Refused(404, "NOT_FOUND")
		k.Post(p+"/messaging/telex", map[string]any{"content": "x"}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		if a := k.Post(p+"/messaging/facebook", map[string]any{"content": "it is"}).OK(); a.Str("0.via") != "facebook" {
			t.Errorf("the interaction is %s", a.Body)
		}
		if m := k.arrives("/_sim/messenger/inbox", psid, 1); m["text"] != "it is" {
			t.Errorf("Maria reads %v", m)
		}
		k.Post(p+"/messaging/facebook", map[string]any{"buttons": map[string]any{"body": "Visit?", "buttons": []any{map[string]any{"id": "yes", "title": "Yes"}}}}).OK()
		k.arrives("/_sim/messenger/inbox", psid, 2)
		k.Post(p+"/messaging/facebook", map[string]any{"productList": map[string]any{"body": "b", "header": "h", "catalogId": "1",
			"sections": []any{map[string]any{"title": "t", "productItems": []any{map[string]any{"productId": "1"}}}}}}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		says(map[string]any{"text": "Yes", "payload": "yes"})
		k.Eventually("the press of the button is an interaction", func() bool {
			return strings.Contains(string(k.Get(p+"/interactions?via=facebook").OK().Body), `"content":"Yes"`)
		})
		k.Eventually("the answers were read", func() bool {
			list := k.Get(p + "/interactions?via=facebook").OK().List()
			read := 0
			for _, i := range list {
				if i["proactive"] == true && i["status"] == "read" {
					read++
				}
			}
			return read == 2
		})
		k.Post(p+"/messaging/facebook/notification", map[string]any{"key": "hello_world"}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		r.Clock.Advance(24*time.Hour + time.Second)
		k.Post(p+"/messaging/facebook", map[string]any{"content": "late"}).Refused(409, "CONVERSATION_WINDOW_CLOSED")
		if k.Get(p).OK().Get("facebookDueAt") != nil {
			t.Error("a closed window is still shown")
		}
		// The other API shows the same conversation.
		chat := k.Platform()
		list := chat.Get("/api/saas/chat/conversations").OK()
		if list.Str("data.conversations.0.channel") != "messenger" && !strings.Contains(string(list.Body), `"channel":"messenger"`) {
			t.Errorf("the platform's inbox shows %s", list.Body)
		}
	})
}

// TestChoices: what a person chooses from travels, comes back as a payload, and an
// order is kept.
func TestChoices(t *testing.T) {
	apitest.Each(t, apitest.Options{At: messagingStart, Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		k := newTalk(t, r)
		pid := k.lead("Asha", "+919876543210")
		k.writes("919876543210", "hi")
		p := "/prospect/" + pid + "/messaging/whatsapp"
		row := func(id string) map[string]any {
			return map[string]any{"id": id, "title": "Row " + id, "description": "about " + id}
		}
		list := map[string]any{"header": "H", "body": "Which?", "footer": "F", "button": "Choose",
			"sections": []any{map[string]any{"title": "One", "rows": []any{row("a"), row("b")}}}}
		for _, bad := range []map[string]any{
			{}, {"content": " "}, {"content": "x", "list": list}, {"list": map[string]any{"button": "x", "sections": []any{}}},
			{"buttons": map[string]any{"body": "b", "buttons": []any{}}},
			{"buttons": map[string]any{"body": "b", "buttons": []any{row("1"), row("1")}}},
			{"list": map[string]any{"body": "b", "button": strings.Repeat("x", 21), "sections": []any{map[string]any{"title": "One", "rows": []any{row("a")}}}}},
			{"productList": map[string]any{"body": "b", "catalogId": "1", "sections": []any{map[string]any{"title": "t", "productItems": []any{map[string]any{"productId": "1"}}}}}},
		} {
			k.Post(p, bad).Refused(400, "SCHEMA_VALIDATION_FAILED")
		}
		sent := k.Post(p, map[string]any{"list": list}).OK()
		if sent.Str("0.output.message.list.sections.0.rows.1.id") != "b" || sent.Str("0.output.message.list.button") != "Choose" {
			t.Errorf("the interaction is %s", sent.Body)
		}
		if m := k.arrives("/_sim/inbox", "919876543210", 1); m["type"] != "interactive" || !strings.Contains(fmt.Sprint(m["content"]), "Row b") {
			t.Errorf("the phone shows %v", m)
		}
		k.Post(p, map[string]any{"buttons": map[string]any{"body": "b", "buttons": []any{map[string]any{"id": "y", "title": "Yes"}}}}).OK()
		k.Post(p, map[string]any{"productList": map[string]any{"header": "h", "body": "b", "catalogId": "1",
			"sections": []any{map[string]any{"title": "t", "productItems": []any{map[string]any{"productId": "sku-1"}}}}}}).OK()
		k.arrives("/_sim/inbox", "919876543210", 3)
		reply := func(message map[string]any) {
			t.Helper()
			if a := k.Call("POST", "/_sim/reply", map[string]any{"from": "919876543210", "to": k.number, "message": message}); a.Get("accepted") != true {
				t.Fatalf("the webhook was refused: %s", a.Body)
			}
		}
		reply(map[string]any{"type": "interactive", "interactive": map[string]any{"type": "list_reply", "list_reply": map[string]any{"id": "b", "title": "Row b"}}})
		k.Eventually("the choice is here", func() bool {
			return strings.Contains(string(k.Get("/prospect/"+pid+"/interactions?via=whatsApp").OK().Body), `"content":"Row b"`)
		})
		if got := k.Get("/prospect/" + pid + "/orders").OK().List(); len(got) != 0 {
			t.Errorf("orders before any: %v", got)
		}
		order := func(catalog string) {
			reply(map[string]any{"type": "order", "order": map[string]any{"catalog_id": catalog, "text": "please", "product_items": []any{
				map[string]any{"product_retailer_id": "sku-1", "quantity": 2, "item_price": 30, "currency": "USD"}}}})
		}
		order("c1")
		r.Clock.Advance(time.Minute)
		order("c2")
		got := k.Get("/prospect/" + pid + "/orders").OK()
		if len(got.List()) != 2 || got.Str("0.items.0.product_catalog") != "c2" || got.Str("1.items.0.product_catalog") != "c1" ||
			got.Str("0.items.0.retailer_id") != "sku-1" || got.Str("0.items.0.price") != "30 USD" || got.Get("0.items.0.quantity") != 2.0 {
			t.Errorf("orders are %s", got.Body)
		}
		if got := k.Get("/prospect/" + pid + "/orders?limit=1").OK().List(); len(got) != 1 {
			t.Errorf("limit=1 gives %d", len(got))
		}
		if a := k.Get("/prospect/" + pid + "/interactions?via=whatsApp").OK(); !strings.Contains(string(a.Body), `"itemPrice":30`) {
			t.Errorf("no interaction shows the order: %s", a.Body)
		}
	})
}

// TestSendFile: POST, GET with a body, and what is wrong.
func TestSendFile(t *testing.T) {
	apitest.Each(t, apitest.Options{At: messagingStart, Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		k := newTalk(t, r)
		p := "/prospect/" + k.lead("Asha", "+919876543210") + "/messaging/whatsapp/send-file"
		photo := "\xff\xd8\xff\xe0" + strings.Repeat("pixel", 1000)
		form := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"image.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n" + photo + "\r\n--b--\r\n"
		typ := []string{"Content-Type", "multipart/form-data; boundary=b"}
		k.Do("POST", p, form, typ...).Refused(409, "CONVERSATION_WINDOW_CLOSED")
		k.writes("919876543210", "hi")
		for i, method := range []string{"POST", "GET"} {
			a := k.Do(method, p, form, typ...).OK()
			if a.Str("0.output.message.attachment.type") != "IMAGE" || a.Str("0.output.message.attachment.url") == "" || a.Str("0.via") != "whatsApp" {
				t.Errorf("%s: the interaction is %s", method, a.Body)
			}
			if m := k.arrives("/_sim/inbox", "919876543210", i+1); m["type"] != "image" {
				t.Errorf("%s: the phone shows %v", method, m)
			}
		}
		k.Do("GET", p, nil).Refused(400, "SCHEMA_VALIDATION_FAILED")
		k.Do("POST", p, strings.ReplaceAll(form, `name="file"`, `name="other"`), typ...).Refused(400, "SCHEMA_VALIDATION_FAILED")
		k.Do("POST", p, form[:len(form)-3000], typ...).Refused(400, "SCHEMA_VALIDATION_FAILED")
		for _, broken := range []string{"", "--b", "--b\r\nfoo", "--b\r\nContent-Disposition: form-data; name=\"file\"\r\nfoo\r\n\r\nx\r\n--b--\r\n",
			"--b\r\n" + strings.Repeat("X-Long: "+strings.Repeat("a", 900)+"\r\n", 20_000) + "\r\nx\r\n--b--\r\n"} {
			k.Do("POST", p, broken, typ...).Refused(400, "SCHEMA_VALIDATION_FAILED")
		}
	})
}

// TestFirstContact: what an integration sends is the first contact; what a rule or
// the absence message sends is not. The absence message goes once for an arrival.
func TestFirstContact(t *testing.T) {
	apitest.Each(t, apitest.Options{At: messagingStart, Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		k := newTalk(t, r)
		const text = "We are closed until nine."
		say := text // nobody works in a group without agents
		if _, err := k.App.Agents.UpdateGroup(context.Background(), k.ID, "test", k.Root.ID, agent.GroupPatch{AbsenceMessage: &say}); err != nil {
			t.Fatal(err)
		}
		k.writes("919876543210", "anybody there?")
		k.arrives("/_sim/inbox", "919876543210", 1)
		pid := k.Get("/prospects?limit=1").OK().Str("0.id")
		p := "/prospect/" + pid
		k.Eventually("it is noted", func() bool { return k.Get(p).OK().Str("sentWorkingHourMessage") != "" })
		k.writes("919876543210", "hello?")
		if k.Get(p).OK().Get("firstContactedAt") != nil {
			t.Error("the absence message counts as a contact")
		}
		sent := k.Post(p+"/messaging/whatsapp", map[string]any{"content": "here we are"}).OK()
		k.Eventually("the answer is the first contact", func() bool { return k.Get(p).OK().Str("firstContactedAt") != "" })
		k.arrives("/_sim/inbox", "919876543210", 2)
		box := k.inbox("/_sim/inbox", "919876543210")
		if len(box) != 2 || box[0]["text"] != text || box[1]["text"] != "here we are" {
			t.Errorf("the phone shows %v (sent %s)", box, sent.Body)
		}
		// A further lead is a further arrival; without a text nobody is told.
		r.Clock.Advance(time.Minute)
		if again := k.lead("Asha", "+919876543210"); again != pid {
			t.Fatalf("the lead ended in %s, not %s", again, pid)
		}
		if m := k.arrives("/_sim/inbox", "919876543210", 3); m["text"] != text {
			t.Errorf("the phone shows %v", m)
		}
		say = ""
		if _, err := k.App.Agents.UpdateGroup(context.Background(), k.ID, "test", k.Root.ID, agent.GroupPatch{AbsenceMessage: &say}); err != nil {
			t.Fatal(err)
		}
		r.Clock.Advance(time.Minute)
		k.lead("Asha", "+919876543210")
		k.Post(p+"/messaging/whatsapp", map[string]any{"content": "the last"}).OK()
		if m := k.arrives("/_sim/inbox", "919876543210", 4); m["text"] != "the last" {
			t.Errorf("the phone shows %v", m)
		}
	})
}

// TestChannelGroups: an account of a group serves it and what lies below it.
func TestChannelGroups(t *testing.T) {
	apitest.Each(t, apitest.Options{At: messagingStart, Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		k := newTalk(t, r)
		ctx := context.Background()
		north, south := k.Group("North", id.Zero), k.Group("South", id.Zero)
		shop := k.Group("Shop", north.ID)
		own, err := k.App.Accounts.Connect(ctx, k.ID, account.NewAccount{Kind: "whatsapp", ExternalID: "number-" + k.ID.String(),
			Settings: map[string]string{"wabaId": "north", "group": north.ID.String()}, Secrets: map[string]string{"token": "t", "appSecret": "s", "verifyToken": "v"}})
		if err != nil {
			t.Fatal(err)
		}
		ids := func(c *apitest.Caller, path string) (out []string) {
			t.Helper()
			for _, v := range c.Get(path).OK().List() {
				out = append(out, v["channelId"].(string))
			}
			return out
		}
		all, others := []string{k.number, own.ExternalID, k.page}, []string{k.number, k.page}
		for name, tc := range map[string]struct {
			c    *apitest.Caller
			want []string
		}{"everything": {k.Caller, all}, "the group": {k.In(north.ID), all}, "below it": {k.In(shop.ID), all}, "beside it": {k.In(south.ID), others}} {
			if got := ids(tc.c, "/messaging/channels"); !slices.Equal(got, tc.want) {
				t.Errorf("%s sees %v, want %v", name, got, tc.want)
			}
		}
		lead := func(c *apitest.Caller, phone string) string {
			t.Helper()
			return "/prospect/" + c.Post("/lead/retail", map[string]any{"utmSource": "web", "firstName": "A", "phones": []string{phone}}).OK().Str("id") + "/messaging"
		}
		p := lead(k.In(shop.ID), "+919876543210")
		if got := ids(k.Caller, p+"/channels"); !slices.Equal(got, []string{own.ExternalID}) {
			t.Errorf("a prospect of the shop is reached by %v", got)
		}
		if got := ids(k.Caller, lead(k.In(south.ID), "+919876543211")+"/channels"); !slices.Equal(got, []string{k.number}) {
			t.Errorf("a prospect of the south is reached by %v", got)
		}
		// The message begins where the list says, and a conversation goes on there.
		k.Post(p+"/whatsapp/notification", map[string]any{"key": "hello_world"}).OK()
		list, _, err := k.App.Conversations.List(ctx, k.ID, conversation.ListQuery{Search: "919876543210"})
		if err != nil || len(list) != 1 || list[0].Account != own.ID {
			t.Fatalf("the conversation runs through %+v %v", list, err)
		}
		k.In(south.ID).Post(p+"/whatsapp", map[string]any{"content": "x"}).Refused(404, "NOT_FOUND") // not theirs
		k.Tenant.Caller("prospects:read").Get("/messaging/channels").Refused(403, "INVALID_SCOPE")
		// Who refused messages is not written to.
		if _, err := k.App.Contacts.SetConsent(ctx, k.ID, list[0].Contact, contact.Consent{Channel: "whatsapp", Purpose: "service", State: contact.Out, Source: "test"}); err != nil {
			t.Fatal(err)
		}
		k.Post(p+"/whatsapp/notification", map[string]any{"key": "hello_world"}).Refused(409, "PROSPECT_OPTED_OUT")
	})
}
