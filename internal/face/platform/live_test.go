package platform_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley/internal/channel"
	"parley/internal/conversation"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/realtime"
	"parley/internal/realtime/socketio"
	"parley/internal/secret"
	"parley/test/platformtest"
)

// Every message that an event of a story is told as, in both families, holds
// what the reference says (§5.2, §5.3).
func TestWhatLiveClientsAreTold(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c, saved := r.NewTenant("Acme"), map[string]string{}
		account := c.Connect("15550001")
		r.Work()
		play(t, c, saved, []scene{
			{name: "sync", method: "POST", path: "/api/saas/whatsapp/templates/sync", status: 200},
			{name: "a lead", method: "POST", path: "/api/crm/leads", status: 201, body: `{"firstName":"Priya","phone":"+919876543210"}`, save: map[string]string{"lead": "data._id"}},
			{name: "a tag", method: "PATCH", path: "/api/crm/leads/{lead}", status: 200, body: `{"tags":["vip"]}`},
			{name: "a template", method: "POST", path: "/api/saas/chat/send", status: 200, body: `{"to":"9876543210","templateName":"welcome","variables":["a","b"]}`,
				save: map[string]string{"conversation": "conversationId", "message": "data.message._id"}},
		})
		in := channel.Incoming{Account: account.ExternalID, ProviderID: "wamid.1", From: "919876543210", ProfileName: "Priya", At: time.Now(), Kind: channel.Text, Text: "hello"}
		if err := r.Conversations.Receive(context.Background(), account, channel.Batch{Messages: []channel.Incoming{in}}); err != nil {
			t.Fatal(err)
		}
		told := map[string]string{}
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			events, err := event.After(r.DB.Read(context.Background(), c.ID), event.Cursor{}, 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				for _, p := range r.Face.Translate(e) {
					body, err := p.Make(context.Background())
					if err != nil {
						t.Fatalf("%s as %s: %v", e.Type, p.Event, err)
					}
					if p.Narrow != (len(body.Rooms) == 1) || p.Narrow && body.Rooms[0] != saved["conversation"] {
						t.Fatalf("%s as %s is told in %v", e.Type, p.Event, body.Rooms)
					}
					payload, err := json.Marshal(body.Args[0])
					if err != nil {
						t.Fatal(err)
					}
					told[p.Event] += e.Type + " " + string(payload) + "\n"
				}
			}
			if told["message_sent"] != "" && told["conversation_updated"] != "" || time.Now().After(end) {
				break
			}
		}
		for name, want := range map[string][]string{
			"crm.lead_created":          {`"leadId":"{lead}"`, `"_id":"{lead}"`, `"phone":"919876543210"`, `"firstName":"Priya"`, `"source":`},
			"crm.lead_updated":          {`"leadId":"{lead}"`, `"stageName":"`, `"stageId":`, `"pipelineId":`, `"status":`, `"changes":[`, "contact.tag_added"},
			"lead_update":               {`"_id":"{lead}"`, `"tags":["vip"]`, `"stageHistory":[`},
			"whatsapp.message_received": {`"from":"919876543210"`, `"body":"hello"`, `"conversationId":"{conversation}"`, `"messageId":`, `"leadId":"{lead}"`, `"type":"text"`, `"timestamp":`},
			"whatsapp.message_sent":     {`"to":"919876543210"`, `"messageId":"{message}"`, `"conversationId":"{conversation}"`, `"status":`},
			"new_message":               {`"_id":"{conversation}"`, `"lastMessage":"hello"`, `"message":{"_id":"`, `"text":"hello"`, `"clientCode":"` + c.Code + `"`, "message.queued", "message.received"},
			"conversation_updated":      {`"_id":"{conversation}"`, `"unreadCount":`},
			"message_sent":              {`"_id":"{message}"`, `"direction":"outbound"`, `"statusHistory":[`},
			"message_status_update":     {`"messageId":"{message}"`, `"conversationId":"{conversation}"`, `"status":"`, `"statusHistory":[`, `"whatsappMessageId":"`},
		} {
			for _, w := range want {
				for k, v := range saved {
					w = strings.ReplaceAll(w, "{"+k+"}", v)
				}
				if !strings.Contains(told[name], w) {
					t.Errorf("%s lacks %s:\n%s", name, w, told[name])
				}
			}
		}
	})
}

// The list of messages depends on the event alone, so that an offset counts the
// same on every node and at every time.
func TestTranslationNeedsNoRows(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c := r.NewTenant("Acme")
		for typ, want := range map[string]string{
			"contact.created": "crm.lead_created lead_update", "contact.updated": "crm.lead_updated lead_update", "contact.merged": "crm.lead_updated lead_update",
			"contact.scored": "crm.lead_updated lead_update", "deal.created": "lead_update", "deal.moved": "crm.lead_updated lead_update",
			"message.received": "whatsapp.message_received new_message", "message.queued": "new_message",
			"message.sent": "whatsapp.message_sent message_sent message_status_update", "message.failed": "message_failed message_status_update",
			"message.read": "message_status_update", "message.updated": "message_updated",
			"conversation.created": "conversation_updated", "conversation.owned": "conversation_updated", "conversation.deleted": "conversation_deleted",
			"agent.notified": "agent_notification", "agent.updated": "", "run.started": "workflow-run-update", "run.failed": "automation.failed workflow-run-update",
			"trigger.fired": "", "webhook.delivered": "", "pipeline.updated": "",
		} {
			e := event.Event{Tenant: c.ID, Type: typ, Subject: id.New(), Contact: id.New()}
			var names []string
			for _, p := range r.Face.Translate(e) {
				names = append(names, p.Event)
				body, err := p.Make(context.Background())
				switch f := fault.As(err); {
				case typ == "conversation.deleted": // all there is to say is its id
					if err != nil || len(body.Rooms) != 1 {
						t.Errorf("%s: %v %v", typ, body, err)
					}
				case f == nil || f.Code != fault.NotFound:
					t.Errorf("%s as %s without a row: %v", typ, p.Event, err)
				}
			}
			if got := strings.Join(names, " "); got != want {
				t.Errorf("%s is told as %q, want %q", typ, got, want)
			}
		}
	})
}

// sockets serves the face's live side.
func sockets(t *testing.T, r *platformtest.Rig) (base string) {
	box, err := secret.NewBox([]byte(strings.Repeat("s", secret.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	var live *realtime.Dispatcher
	s := socketio.New(socketio.Options{
		Authenticate: func(ctx context.Context, h socketio.Handshake) (socketio.Entry, error) { return live.Handshake(ctx, h) },
		OnEvent: func(ctx context.Context, k *socketio.Socket, name string, args []json.RawMessage, ack func(...any)) {
			live.SocketEvent(ctx, k, name, args, ack)
		}})
	live = realtime.New(r.DB, s, r.Face, box, slog.New(slog.DiscardHandler))
	h := httptest.NewServer(s)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = live.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		_ = s.Close(context.Background())
		h.Close()
	})
	return "ws" + strings.TrimPrefix(h.URL, "http") + "/socket.io/?EIO=4&transport=websocket"
}

// dialLive connects and returns the answer to CONNECT, and a way to ask.
func dialLive(t *testing.T, to string, header http.Header, auth map[string]any) (hello string, ask func(name string, arg any) string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	conn, _, err := websocket.Dial(ctx, to, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	read := func(prefix string) string {
		for {
			_, b, err := conn.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(string(b), prefix) {
				return string(b)
			}
		}
	}
	send := func(s string) {
		if err := conn.Write(ctx, websocket.MessageText, []byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	b, _ := json.Marshal(auth)
	send("40" + string(b))
	n := 0
	return read("4"), func(name string, arg any) string {
		n++
		b, _ := json.Marshal([]any{name, arg})
		send(fmt.Sprintf("42%d%s", n, b))
		return read(fmt.Sprintf("43%d", n))
	}
}

// talk opens a conversation of a tenant.
func talk(t *testing.T, c *platformtest.Tenant) string {
	t.Helper()
	talk, _, err := c.Conversations.Open(context.Background(), c.ID, "system", conversation.Open{Phone: "+919876543210"})
	if err != nil {
		t.Fatal(err)
	}
	return talk.ID.String()
}

func TestKeysAndRoomsOfSockets(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		to := sockets(t, r)
		acme, other := r.NewTenant("Acme"), r.NewTenant("Other")
		hers := talk(t, other)
		mine := talk(t, acme)
		for name, carry := range map[string]func(q url.Values, h http.Header, a map[string]any){
			"auth": func(_ url.Values, _ http.Header, a map[string]any) {
				a["apiKey"], a["clientCode"] = acme.Token, strings.ToLower(acme.Code)
			},
			"auth token": func(_ url.Values, _ http.Header, a map[string]any) { a["token"] = acme.Token },
			"query": func(q url.Values, _ http.Header, _ map[string]any) {
				q.Set("apiKey", acme.Token)
				q.Set("clientCode", acme.Code)
			},
			"query token": func(q url.Values, _ http.Header, _ map[string]any) { q.Set("token", acme.Token) },
			"headers": func(_ url.Values, h http.Header, _ map[string]any) {
				h.Set("x-api-key", acme.Token)
				h.Set("x-client-code", acme.Code)
			},
			"socket headers": func(_ url.Values, h http.Header, _ map[string]any) {
				h.Set("x-socket-token", acme.Token)
				h.Set("x-socket-client-code", acme.Code)
			},
			"later headers": func(_ url.Values, h http.Header, _ map[string]any) {
				h.Set("x-erix-api-key", acme.Token)
				h.Set("x-erix-client-code", acme.Code)
			},
			"a bearer":        func(_ url.Values, h http.Header, _ map[string]any) { h.Set("Authorization", "Bearer "+acme.Token) },
			"key of the join": nil,
		} {
			q, h, a := url.Values{}, http.Header{}, map[string]any{}
			if carry != nil {
				carry(q, h, a)
			}
			hello, ask := dialLive(t, to+"&"+q.Encode(), h, a)
			if strings.Contains(hello, `"pid":"`) != (carry != nil) || !strings.HasPrefix(hello, "40") {
				t.Errorf("%s: %s", name, hello)
			}
			if carry == nil {
				for _, room := range []any{acme.Code, mine, map[string]any{"conversationId": mine}, map[string]any{"apiKey": "erix_wrong", "clientCode": acme.Code},
					map[string]any{"apiKey": acme.Token, "clientCode": other.Code}, map[string]any{}, 7, nil} {
					if got := ask("join-room", room); !strings.Contains(got, `"success":false`) {
						t.Errorf("without a key, %v: %s", room, got)
					}
				}
				if got := ask("join-room", map[string]any{"apiKey": acme.Token, "clientCode": acme.Code}); !strings.Contains(got, `"success":true`) {
					t.Errorf("%s: %s", name, got)
				}
			}
			for _, room := range []any{acme.Code, strings.ToLower(acme.Code), mine, map[string]any{"conversationId": mine}} {
				if got := ask("join", room); !strings.Contains(got, `"success":true`) || !strings.Contains(got, `"offset":"`) {
					t.Errorf("%s, %v: %s", name, room, got)
				}
			}
			for _, room := range []any{other.Code, hers, other.ID.String(), "nonsense", "", map[string]any{"apiKey": other.Token, "clientCode": other.Code}, map[string]any{"conversationId": hers}} {
				if got := ask("join-room", room); !strings.Contains(got, `"success":false`) || !strings.Contains(got, `"code":"UNAUTHORIZED"`) {
					t.Errorf("%s, %v: %s", name, room, got)
				}
			}
			if got := ask("leave-room", mine); !strings.Contains(got, `"success":true`) {
				t.Errorf("%s: %s", name, got)
			}
			if got := ask("send-message", map[string]any{"text": "x"}); !strings.Contains(got, `"success":false`) || !strings.Contains(got, "POST /api/saas/chat/send\"") {
				t.Errorf("%s: %s", name, got)
			}
			if got := ask("hello", nil); !strings.Contains(got, `"code":"NOT_FOUND"`) {
				t.Errorf("%s: %s", name, got)
			}
		}
		for _, wrong := range []map[string]any{{"apiKey": "erix_wrong"}, {"apiKey": acme.Token, "clientCode": other.Code}, {"token": "x"}} {
			if hello, _ := dialLive(t, to, nil, wrong); hello != `44{"message":"Unauthorized","data":{"code":"unauthorized"}}` {
				t.Errorf("%v: %s", wrong, hello)
			}
		}
	})
}
