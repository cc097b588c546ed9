package platform

import (
	"context"
	"encoding/json"
	"strings"

	"parley/internal/conversation"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/realtime"
	"parley/internal/realtime/socketio"
)

// Live turns an event of the feed into the messages that the SDK subscribes to
// (seed 000, "Standard Event Reference"; reference §5.2). The room of a tenant is
// its client code.
func (f *Face) Live(ctx context.Context, e event.Event) ([]realtime.Push, error) {
	var name string
	var payload any
	var err error
	switch e.Type {
	case "message.received":
		name, payload, err = f.liveReceived(ctx, e)
	case "message.sent":
		name, payload, err = f.liveSent(ctx, e)
	case "contact.created":
		name, payload, err = f.liveLead(ctx, e, "crm.lead_created")
	case "contact.updated", "contact.archived", "contact.unarchived", "contact.tag_added", "contact.tag_removed", "deal.moved", "deal.updated":
		name, payload, err = f.liveLead(ctx, e, "crm.lead_updated")
	case "run.failed":
		name, payload, err = f.liveFailed(ctx, e)
	default:
		return nil, nil
	}
	if fault.As(err) != nil && fault.As(err).Code == fault.NotFound {
		return nil, nil // it was erased since
	}
	if err != nil {
		return nil, err
	}
	code, err := f.codeOf(ctx, e.Tenant)
	if err != nil {
		return nil, err
	}
	return []realtime.Push{{Room: code, Event: name, Payload: payload}}, nil
}

func (f *Face) codeOf(ctx context.Context, tenant id.ID) (string, error) {
	t, err := f.s.Tenants.ByID(ctx, tenant)
	return t.Code, err
}

func (f *Face) liveReceived(ctx context.Context, e event.Event) (string, any, error) {
	m, c, err := f.messageOf(ctx, e)
	if err != nil {
		return "", nil, err
	}
	return "whatsapp.message_received", map[string]any{"from": c.Address, "body": m.Text, "conversationId": c.ID, "messageId": m.ID,
		"leadId": m.Contact, "type": m.Kind, "name": c.Name, "timestamp": stamp(m.CreatedAt), "whatsappMessageId": m.ProviderID}, nil
}

func (f *Face) liveSent(ctx context.Context, e event.Event) (string, any, error) {
	m, c, err := f.messageOf(ctx, e)
	if err != nil {
		return "", nil, err
	}
	return "whatsapp.message_sent", map[string]any{"to": c.Address, "messageId": m.ID, "conversationId": c.ID, "status": m.Status,
		"leadId": m.Contact, "whatsappMessageId": m.ProviderID}, nil
}

func (f *Face) messageOf(ctx context.Context, e event.Event) (m conversation.Message, c conversation.Conversation, err error) {
	if m, err = f.s.Conversations.Message(ctx, e.Tenant, e.Subject); err != nil {
		return m, c, err
	}
	c, err = f.s.Conversations.Get(ctx, e.Tenant, m.Conversation)
	return m, c, err
}

func (f *Face) liveLead(ctx context.Context, e event.Event, name string) (string, any, error) {
	card, err := f.s.Deals.Card(ctx, e.Tenant, e.Contact)
	if err != nil {
		return "", nil, err
	}
	c := card.Contact
	out := map[string]any{"leadId": c.ID, "_id": c.ID, "phone": c.Phone(), "firstName": c.FirstName, "source": c.Source,
		"stageId": card.Stage.ID, "stageName": card.Stage.Name, "pipelineId": card.Pipeline.ID, "status": card.Deal.Status}
	if name == "crm.lead_updated" {
		out["changes"] = append([]string{}, e.Changed...)
	}
	return name, out, nil
}

func (f *Face) liveFailed(ctx context.Context, e event.Event) (string, any, error) {
	run, err := f.s.Automations.Run(ctx, e.Tenant, e.Subject)
	if err != nil {
		return "", nil, err
	}
	return "automation.failed", map[string]any{"trigger": run.Trigger, "reason": run.Error, "leadId": run.Contact, "ruleId": run.Rule, "runId": run.ID}, nil
}

// Handshake lets a socket into its tenant's room. The key may come in any of the
// places that clients are known to use (reference §5.1). Without a key the client
// is let in and hears nothing; with a wrong one it is refused.
func (f *Face) Handshake(ctx context.Context, h socketio.Handshake) (rooms []string, session any, err error) {
	first := func(auth string, headers ...string) string {
		if s, ok := h.Auth[auth].(string); ok && s != "" {
			return s
		}
		if s := h.Query.Get(auth); s != "" {
			return s
		}
		for _, name := range headers {
			if s := h.Header.Get(name); s != "" {
				return s
			}
		}
		return ""
	}
	token := first("apiKey", "x-api-key", "x-erix-api-key")
	if token == "" {
		token = first("token", "x-socket-token")
	}
	if token == "" {
		return nil, nil, nil
	}
	p, err := f.admit(ctx, token, first("clientCode", "x-client-code", "x-erix-client-code", "x-socket-client-code"))
	if err != nil {
		return nil, nil, err
	}
	return []string{p.TenantCode}, p, nil
}

// admit checks a socket's key like a request's.
func (f *Face) admit(ctx context.Context, token, code string) (*httpx.Principal, error) {
	key, err := f.s.Access.Authenticate(ctx, Name, strings.TrimSpace(token))
	if err != nil {
		if fault.As(err) != nil {
			return nil, fault.New(fault.Unauthorized, "Unauthorized")
		}
		return nil, err
	}
	if code = strings.ToUpper(strings.TrimSpace(code)); code != "" && code != key.TenantCode {
		return nil, fault.New(fault.Unauthorized, "Unauthorized")
	}
	return &httpx.Principal{Tenant: key.Tenant, TenantCode: key.TenantCode, Key: key.ID, Face: Name, Scopes: key.Scopes}, nil
}

// SocketEvent answers what clients send: join-room and leave-room with a client
// code or a conversation id, and join, the older spelling (reference §5.1). A
// room of another tenant is refused like one that does not exist.
func (f *Face) SocketEvent(ctx context.Context, s *socketio.Socket, name string, args []json.RawMessage, ack func(args ...any)) {
	room, token := roomOf(args)
	switch name {
	case "join-room", "join":
		if f.mayJoin(ctx, s, room, token) {
			s.Join(room)
			ack(map[string]any{"success": true, "room": room})
			return
		}
		ack(map[string]any{"success": false, "code": "UNAUTHORIZED", "message": "connect with auth: {apiKey, clientCode} to join this room"})
	case "leave-room":
		s.Leave(room)
		ack(map[string]any{"success": true, "room": room})
	}
}

// roomOf reads the room, and a key if the client gives one with it:
// join-room("CODE") or join-room({apiKey, clientCode}).
func roomOf(args []json.RawMessage) (room, token string) {
	if len(args) == 0 {
		return "", ""
	}
	if json.Unmarshal(args[0], &room) == nil {
		return room, ""
	}
	var o struct{ APIKey, ClientCode, ConversationID string }
	_ = json.Unmarshal(args[0], &o)
	if o.ConversationID != "" {
		return o.ConversationID, o.APIKey
	}
	return o.ClientCode, o.APIKey
}

func (f *Face) mayJoin(ctx context.Context, s *socketio.Socket, room, token string) bool {
	p, _ := s.Session().(*httpx.Principal)
	if p == nil && token != "" {
		admitted, err := f.admit(ctx, token, "")
		if err != nil {
			return false
		}
		p = admitted
	}
	if p == nil || room == "" {
		return false
	}
	if strings.EqualFold(room, p.TenantCode) {
		return true
	}
	conv, err := id.Parse(room)
	if err != nil {
		return false
	}
	_, err = f.s.Conversations.Get(ctx, p.Tenant, conv)
	return err == nil
}
