package platform_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/internal/channel"
	"parley/internal/simulator"
	"parley/test/platformtest"
)

func TestMessages(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c, saved := r.NewTenant("Acme"), map[string]string{}
		const send = "/api/saas/chat/send"
		play(t, c, saved, []scene{
			{name: "without an account", method: "POST", path: send, status: 422, body: `{"to":"+919876543210","templateName":"welcome","variables":["a","b"]}`, want: []string{`"code":"UNPROCESSABLE"`}},
			{name: "sync without an account", method: "POST", path: "/api/saas/chat/templates/sync", status: 400, want: []string{`"success":false`, `"code":"VALIDATION_ERROR"`}},
			{name: "no conversations", method: "GET", path: "/api/saas/chat/conversations", status: 200, want: []string{`"data":[]`, `"hasMore":false`}},
		})
		account := c.Connect("15550001")
		templates := len(simulator.DemoTemplates())
		play(t, c, saved, []scene{
			{name: "sync", method: "POST", path: "/api/saas/whatsapp/templates/sync", status: 200, want: []string{fmt.Sprintf(`"synced":%d`, templates), `"welcome"`, `"outdated":[]`}},
			{name: "sync again", method: "POST", path: "/api/saas/chat/templates/sync", status: 200, want: []string{fmt.Sprintf(`"synced":%d`, templates), fmt.Sprintf(`"updated":%d`, templates), `"new":[]`}},
			{name: "templates", method: "GET", path: "/api/saas/chat/templates?status=approved&mappingStatus=mapped", status: 200, want: []string{`"name":"hello_world"`, `"variablesCount":0`}, forbid: []string{`"old_offer"`, `"name":"welcome"`}},
			{name: "paused templates", method: "GET", path: "/api/saas/whatsapp/templates?status=PAUSED&channel=whatsapp", status: 200, want: []string{`"old_offer"`, `"total":1`, `"variablePositions":[1]`}},
			{name: "a template", method: "POST", path: send, status: 200, body: `{"to":"+91 98765 43210","templateName":"welcome","language":"en_US","variables":["Priya",20],"metadata":{"m":1}}`,
				want: []string{`"status":"queued"`, `"messageType":"template"`, `"templateName":"welcome"`, `"variables":["Priya","20"]`, `"message":{"_id":"`, `"direction":"outbound"`, `"whatsappMessageId":null`, `"metadata":{"m":1}`},
				save: map[string]string{"message": "data.message._id", "conversation": "conversationId"}},
			{name: "free text outside the window", method: "POST", path: send, status: 422, body: `{"conversationId":"{conversation}","text":"Hi"}`, want: []string{`"code":"UNPROCESSABLE"`, "template"}},
			{name: "an unknown template", method: "POST", path: send, status: 400, body: `{"to":"9876543210","templateName":"nope"}`, want: []string{`"templateName":[`}},
			{name: "a paused template", method: "POST", path: send, status: 422, body: `{"to":"9876543210","templateName":"old_offer","variables":["x"]}`},
			{name: "an unknown language", method: "POST", path: send, status: 400, body: `{"to":"9876543210","templateName":"welcome","templateLanguage":"xx","variables":["a","b"]}`, want: []string{`"templateLanguage":[`}},
			{name: "too few variables", method: "POST", path: send, status: 400, body: `{"to":"9876543210","templateName":"welcome","variables":["a"]}`, want: []string{`"variables":[`}},
			{name: "a variable of the wrong type", method: "POST", path: send, status: 400, body: `{"to":"9876543210","templateName":"welcome","variables":["a",{}]}`, want: []string{`"variables[1]":[`}},
			{name: "nobody", method: "POST", path: send, status: 400, body: `{"text":"Hi"}`, want: []string{`"code":"MISSING_REQUIRED"`, `"to":[`}},
			{name: "nothing", method: "POST", path: send, status: 400, body: `{"to":"9876543210"}`, want: []string{`"text":[`}},
			{name: "a bad phone", method: "POST", path: send, status: 400, body: `{"to":"12","text":"x"}`, want: []string{`"code":"INVALID_PHONE"`, `"to":[`}},
			{name: "an unknown conversation", method: "POST", path: send, status: 404, body: `{"conversationId":"aaaaaaaaaaaaaaaaaaaaaaaa","text":"x"}`, want: []string{`"conversationId":["there is no such conversation"]`}},
			{name: "a malformed conversation", method: "POST", path: send, status: 404, body: `{"conversationId":"c","text":"x"}`, want: []string{`"conversationId":["there is no such conversation"]`}},
			{name: "a media type that is none", method: "POST", path: send, status: 400, body: `{"to":"9876543210","mediaUrl":"https://x.example/a.bin","mediaType":"hologram"}`, want: []string{`"mediaType":[`}},
		})
		now := time.Now().Add(-time.Minute)
		var batch channel.Batch
		for i := range 3 {
			batch.Messages = append(batch.Messages, channel.Incoming{Account: account.ExternalID, ProviderID: fmt.Sprintf("wamid.in%d", i), From: "919876543210", ProfileName: "Priya",
				At: now.Add(time.Duration(i) * time.Second), Kind: channel.Text, Text: fmt.Sprintf("reply %d", i)})
		}
		if err := r.Conversations.Receive(context.Background(), account, batch); err != nil {
			t.Fatal(err)
		}
		play(t, c, saved, []scene{
			{name: "free text inside it", method: "POST", path: send, status: 200, body: `{"to":"9876543210","text":"Hi","replyToId":"{message}"}`, want: []string{`"text":"Hi"`, `"replyTo":"{message}"`, `"type":"text"`}},
			{name: "a file", method: "POST", path: send, status: 200, body: `{"conversationId":"{conversation}","mediaUrl":"https://x.example/a.pdf","mediaType":"document","filename":"a.pdf","caption":"see"}`,
				want: []string{`"mediaType":"document"`, `"caption":"see"`, `"filename":"a.pdf"`, `"mediaUrl":"https://x.example/a.pdf"`}},
			{name: "a reply to nothing", method: "POST", path: send, status: 400, body: `{"to":"9876543210","text":"Hi","replyToId":"aaaaaaaaaaaaaaaaaaaaaaaa"}`, want: []string{`"replyToId":[`}},
			{name: "the inbox", method: "GET", path: "/api/saas/chat/conversations?limit=20&status=open", status: 200,
				want: []string{`"_id":"{conversation}"`, `"phone":"919876543210"`, `"unreadCount":3`, `"lastMessageSender":"admin"`, `"channel":"whatsapp"`, `"status":"open"`, `"limit":20`}, forbid: []string{`"lastUserMessageAt":null`}},
			{name: "closed ones", method: "GET", path: "/api/saas/chat/conversations?status=resolved", status: 200, want: []string{`"data":[]`}},
			{name: "by search", method: "GET", path: "/api/saas/chat/conversations?search=987654", status: 200, want: []string{`"_id":"{conversation}"`}},
			{name: "a status that is none", method: "GET", path: "/api/saas/chat/conversations?status=lost", status: 400, want: []string{`"status":[`}},
			{name: "a cursor that is none", method: "GET", path: "/api/saas/chat/conversations?after=x", status: 400, want: []string{`"after":[`}},
			{name: "before by time", method: "GET", path: "/api/saas/chat/conversations?before=2020-01-01T00:00:00Z", status: 200, want: []string{`"data":[]`}},
			{name: "the messages", method: "GET", path: "/api/saas/chat/conversations/{conversation}/messages", status: 200, want: []string{`"reply 0"`, `"reply 2"`, `"direction":"inbound"`, `"total":6`, `"hasMore":false`}},
			{name: "the newest two", method: "GET", path: "/api/saas/chat/conversations/{conversation}/messages?limit=2", status: 200, want: []string{`"hasMore":true`, `"nextCursor":"`}, forbid: []string{`"welcome"`}},
			{name: "older ones", method: "GET", path: "/api/saas/chat/conversations/{conversation}/messages?before={message}", status: 200, forbid: []string{`"text":"Hi"`}},
			{name: "after a time", method: "GET", path: "/api/saas/chat/conversations/{conversation}/messages?after=2020-01-01T00:00:00Z&limit=4", status: 200, want: []string{`"hasMore":true`}},
			{name: "a bound that is none", method: "GET", path: "/api/saas/chat/conversations/{conversation}/messages?before=yesterday", status: 400, want: []string{`"before":[`}},
			{name: "messages of nobody", method: "GET", path: "/api/saas/chat/conversations/zzz/messages", status: 404, want: []string{`"there is no such conversation"`}},
		})
		if a := c.Do("GET", "/api/saas/chat/conversations/"+saved["conversation"]+"/messages", nil); strings.Index(string(a.Body), "reply 0") > strings.Index(string(a.Body), "reply 2") {
			t.Errorf("messages are not in order: %s", a.Body)
		}
	})
}

// Pages longer than the room's own are put together without loss.
func TestLongPages(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c := r.NewTenant("Acme")
		account := c.Connect("15550002")
		now := time.Now().Add(-time.Hour)
		const n = 230
		var batch channel.Batch
		for i := range n {
			batch.Messages = append(batch.Messages,
				channel.Incoming{Account: account.ExternalID, ProviderID: fmt.Sprintf("wamid.one%d", i), From: "919876500000", At: now.Add(time.Duration(i/3) * time.Second), Kind: channel.Text, Text: "x"},
				channel.Incoming{Account: account.ExternalID, ProviderID: fmt.Sprintf("wamid.each%d", i), From: fmt.Sprintf("9198766%05d", i), At: now, Kind: channel.Text, Text: "y"})
		}
		if err := r.Conversations.Receive(context.Background(), account, batch); err != nil {
			t.Fatal(err)
		}
		for _, limit := range []int{1000, 231, 210} {
			a := c.Do("GET", fmt.Sprintf("/api/saas/chat/conversations?limit=%d", limit), nil)
			if got := len(a.Get(t, "data").([]any)); got != min(limit, n+1) || a.Get(t, "hasMore") != (limit < n+1) {
				t.Errorf("limit %d: %d conversations, hasMore %v", limit, got, a.Get(t, "hasMore"))
			}
		}
		one := c.Do("GET", "/api/saas/chat/conversations?search=919876500000", nil).Str(t, "data.0._id")
		for _, query := range []string{"", "&after=2020-01-01T00:00:00Z"} {
			a := c.Do("GET", "/api/saas/chat/conversations/"+one+"/messages?limit=1000"+query, nil)
			if got := len(a.Get(t, "data").([]any)); got != n || a.Get(t, "hasMore") != false {
				t.Errorf("%q: %d messages, hasMore %v", query, got, a.Get(t, "hasMore"))
			}
		}
	})
}
