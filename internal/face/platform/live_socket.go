package platform

import (
	"context"
	"encoding/json"
	"strings"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/realtime"
	"parley/internal/realtime/socketio"
)

var _ realtime.Face = (*Face)(nil)

// Admit lets a socket into its tenant. The key may come in any of the places
// that clients are known to use (reference §5.1): auth, query, headers. Without a
// key the client is let in and hears nothing; with a wrong one it is refused.
func (f *Face) Admit(ctx context.Context, h socketio.Handshake) (realtime.Guest, error) {
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
		token, _ = httpx.Bearer(h.Header)
	}
	if token == "" {
		return realtime.Guest{}, nil
	}
	return f.guest(ctx, token, first("clientCode", "x-client-code", "x-erix-client-code", "x-socket-client-code"))
}

// liveGuest is what the face keeps with a socket.
type liveGuest struct{ code string }

// guest checks a socket's key like a request's.
func (f *Face) guest(ctx context.Context, token, code string) (realtime.Guest, error) {
	token = strings.TrimSpace(token)
	key, err := f.s.Access.Authenticate(ctx, Name, token)
	if err != nil {
		if fault.As(err) != nil {
			return realtime.Guest{}, fault.New(fault.Unauthorized, "Unauthorized")
		}
		return realtime.Guest{}, err
	}
	if code = strings.ToUpper(strings.TrimSpace(code)); code != "" && code != key.TenantCode {
		return realtime.Guest{}, fault.New(fault.Unauthorized, "Unauthorized")
	}
	return realtime.Guest{Tenant: key.Tenant, Token: token, Data: liveGuest{key.TenantCode}}, nil
}

// Check implements realtime.Face.
func (f *Face) Check(ctx context.Context, token string) error {
	_, err := f.guest(ctx, token, "")
	return err
}

// SocketEvent answers what clients send: join-room and leave-room with a client
// code or a conversation id, and join, the older spelling (reference §5.1). A
// room of another tenant is refused like one that does not exist. send-message
// is ignored, as there.
func (f *Face) SocketEvent(ctx context.Context, s *realtime.Seat, name string, args []json.RawMessage, ack func(args ...any)) {
	in := readRoom(args)
	switch name {
	case "join-room", "join":
		room, err := f.roomFor(ctx, s, in)
		if err != nil {
			ack(refusedRoom(err))
			return
		}
		joined, err := s.Join(ctx, room, in.After)
		if err != nil {
			ack(refusedRoom(err))
			return
		}
		ack(map[string]any{"success": true, "room": in.name(), "offset": joined.Offset, "recovered": joined.Recovered})
	case "leave-room":
		if g, ok := s.Guest().Data.(liveGuest); ok {
			if strings.EqualFold(in.name(), g.code) {
				s.Leave("")
			} else if cid, err := id.Parse(in.name()); err == nil {
				s.Leave(cid.String())
			}
		}
		ack(map[string]any{"success": true, "room": in.name()})
	case "send-message":
		ack(map[string]any{"success": false, "code": "NOT_FOUND", "message": "messages are sent by POST /api/saas/chat/send"})
	default:
		ack(map[string]any{"success": false, "code": "NOT_FOUND", "message": "this event is not known; send join-room or leave-room"})
	}
}

// roomInput is what a client joins: join-room("CODE"), join-room(conversationId),
// or join-room({apiKey, clientCode, conversationId, after}).
type roomInput struct {
	APIKey         string `json:"apiKey"`
	ClientCode     string `json:"clientCode"`
	ConversationID string `json:"conversationId"`
	Room           string `json:"room"`
	After          string `json:"after"`
}

func readRoom(args []json.RawMessage) (in roomInput) {
	if len(args) == 0 {
		return in
	}
	if json.Unmarshal(args[0], &in.Room) != nil {
		in = roomInput{}
		_ = json.Unmarshal(args[0], &in) // what is not there is refused as an unknown room
	}
	in.Room = strings.TrimSpace(in.Room)
	return in
}

func (in roomInput) name() string {
	switch {
	case in.ConversationID != "":
		return in.ConversationID
	case in.Room != "":
		return in.Room
	}
	return in.ClientCode
}

// roomFor names the room below the tenant that a client asks for, "" for the
// tenant's own.
func (f *Face) roomFor(ctx context.Context, s *realtime.Seat, in roomInput) (string, error) {
	unauthorized := fault.New(fault.Unauthorized, "connect with auth: {apiKey, clientCode} to join this room")
	g := s.Guest()
	if in.APIKey != "" && g.Tenant.IsZero() {
		var err error
		if g, err = f.guest(ctx, in.APIKey, in.ClientCode); err != nil {
			return "", err
		}
	}
	data, known := g.Data.(liveGuest)
	if !known {
		return "", unauthorized
	}
	room := ""
	if name := in.name(); name == "" && in.APIKey == "" {
		return "", unauthorized
	} else if name != "" && !strings.EqualFold(name, data.code) {
		cid, err := id.Parse(name)
		if err != nil {
			return "", unauthorized
		}
		if _, err := f.s.Conversations.Get(ctx, g.Tenant, cid); err != nil {
			if fault.As(err) != nil {
				return "", unauthorized
			}
			return "", err
		}
		room = cid.String()
	}
	if !s.Enter(g) {
		return "", unauthorized
	}
	return room, nil
}

func refusedRoom(err error) map[string]any {
	f := fault.As(err)
	if f == nil {
		return map[string]any{"success": false, "code": "INTERNAL_ERROR", "message": "something went wrong on the server; try again"}
	}
	return map[string]any{"success": false, "code": strings.ToUpper(string(f.Code)), "message": f.Message}
}
