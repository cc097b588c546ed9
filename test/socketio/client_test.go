package socketio_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/internal/fault"
	"parley/internal/realtime/socketio"
)

// options let in whoever shows the key "good", into the room it names, and
// echo its events.
func options(asked chan<- *socketio.Socket) socketio.Options {
	return socketio.Options{
		Authenticate: func(_ context.Context, h socketio.Handshake) ([]string, any, error) {
			if h.Auth["key"] != "good" {
				return nil, nil, fault.New(fault.Unauthorized, "Unauthorized")
			}
			room, _ := h.Auth["room"].(string)
			return []string{room}, nil, nil
		},
		OnEvent: func(_ context.Context, s *socketio.Socket, name string, args []json.RawMessage, ack func(...any)) {
			switch name {
			case "whoami":
				asked <- s
			case "kick":
				s.Disconnect()
			default:
				ack(name, args)
				_ = s.Emit("echo "+name, args)
			}
		},
	}
}

// serve runs a server on addr until stop is called or the test ends.
func serve(t *testing.T, addr string, o socketio.Options) (s *socketio.Server, at string, stop func()) {
	t.Helper()
	var l net.Listener
	var err error
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) { // a port given up a moment ago may be taken still
		if l, err = net.Listen("tcp", addr); err == nil || time.Now().After(end) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	s = socketio.New(o)
	mux := http.NewServeMux()
	mux.Handle(socketio.DefaultPath, s)
	h := &http.Server{Handler: mux}
	go func() { _ = h.Serve(l) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
		h.Close()
	}
	t.Cleanup(stop)
	return s, l.Addr().String(), stop
}

func auth(key, room string) map[string]any { return map[string]any{"key": key, "room": room} }

func TestConnectAndRefusal(t *testing.T) {
	c := newClient(t)
	_, at, _ := serve(t, "127.0.0.1:0", options(nil))
	c.do("connect", "a", map[string]any{"url": "http://" + at, "auth": auth("good", "r")})
	if o := c.next("a", "connect"); len(o.ID) != 20 || o.Transport != "websocket" {
		t.Fatalf("connected as %+v", o)
	}
	c.do("connect", "b", map[string]any{"url": "http://" + at, "auth": auth("bad", "r")})
	o := c.next("b", "connect_error")
	if o.Message != "Unauthorized" || string(o.Data) != `{"code":"unauthorized"}` || o.Active {
		t.Fatalf("refused with %+v", o)
	}
	c.do("connect", "n", map[string]any{"url": "http://" + at, "path": "/admin", "auth": auth("good", "r")})
	if o := c.next("n", "connect_error"); o.Message != "Invalid namespace" {
		t.Fatalf("refused with %+v", o)
	}
	c.do("connect", "p", map[string]any{"url": "http://" + at, "auth": auth("good", "r"),
		"options": map[string]any{"transports": []string{"polling"}, "reconnection": false}})
	if o := c.next("p", "connect_error"); !strings.Contains(o.Message, "poll") {
		t.Fatalf("polling refused with %+v", o)
	}
}

func TestRooms(t *testing.T) {
	c := newClient(t)
	s, at, _ := serve(t, "127.0.0.1:0", options(nil))
	for _, who := range []string{"a", "b", "other"} {
		room := "tenant"
		if who == "other" {
			room = "another"
		}
		c.do("connect", who, map[string]any{"url": "http://" + at, "auth": auth("good", room)})
		c.next(who, "connect")
	}
	if n := s.Emit("tenant", "crm.lead_created", map[string]any{"name": "Zoë <&> 🦜", "n": 1.5}, nil, []int{1}); n != 2 {
		t.Fatalf("delivered %d", n)
	}
	// What reaches the other room next proves that the first event did not.
	if n := s.EmitRaw("another", "only.other", json.RawMessage(`{"x":{"y":[true]}}`)); n != 1 {
		t.Fatalf("delivered %d", n)
	}
	got := map[string][]any{}
	for range 3 {
		o := <-c.seen
		if o.What != "event" || got[o.Who] != nil {
			t.Fatalf("observed %+v", o)
		}
		got[o.Who] = append([]any{o.Name}, o.Args...)
	}
	lead := []any{"crm.lead_created", map[string]any{"name": "Zoë <&> 🦜", "n": 1.5}, nil, []any{1.0}}
	want := map[string][]any{"a": lead, "b": lead, "other": {"only.other", map[string]any{"x": map[string]any{"y": []any{true}}}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
}

func TestEmitAndAcksBothWays(t *testing.T) {
	asked := make(chan *socketio.Socket, 1)
	c := newClient(t)
	_, at, _ := serve(t, "127.0.0.1:0", options(asked))
	c.do("connect", "a", map[string]any{"url": "http://" + at, "auth": auth("good", "r")})
	id := c.next("a", "connect").ID

	c.do("emit", "a", map[string]any{"name": "plain", "args": []any{"x", map[string]any{"deep": []int{1}}}})
	o := c.next("a", "event")
	if d := cmp.Diff([]any{[]any{"x", map[string]any{"deep": []any{1.0}}}}, o.Args); d != "" || o.Name != "echo plain" {
		t.Fatal(o.Name, d)
	}
	c.do("ask", "a", map[string]any{"name": "sum", "args": []any{1, 2}})
	if d := cmp.Diff([]any{"sum", []any{1.0, 2.0}}, c.next("a", "ack").Args); d != "" {
		t.Fatal(d)
	}
	c.next("a", "event")

	c.do("emit", "a", map[string]any{"name": "whoami"})
	s := <-asked
	if s.ID() != id || !slices.Equal(s.Rooms(), []string{"r"}) {
		t.Fatalf("socket %s in %v", s.ID(), s.Rooms())
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := s.EmitWithAck(ctx, "question", 1, 2, 3)
	if err != nil || len(answer) != 2 || string(answer[0]) != `"from client"` || string(answer[1]) != "3" {
		t.Fatalf("answer %s, %v", answer, err)
	}
	c.next("a", "event")
}

func TestDisconnects(t *testing.T) {
	c := newClient(t)
	s, at, _ := serve(t, "127.0.0.1:0", options(nil))
	c.do("connect", "a", map[string]any{"url": "http://" + at, "auth": auth("good", "r")})
	c.next("a", "connect")
	c.do("emit", "a", map[string]any{"name": "kick"})
	if o := c.next("a", "disconnect"); o.Message != "io server disconnect" || o.Active {
		t.Fatalf("observed %+v", o)
	}
	c.do("reconnect", "a", nil)
	c.next("a", "connect")
	c.do("disconnect", "a", nil)
	if o := c.next("a", "disconnect"); o.Message != "io client disconnect" {
		t.Fatalf("observed %+v", o)
	}
	c.do("reconnect", "a", nil)
	c.next("a", "connect")
	c.do("binary", "a", map[string]any{"name": "blob"}) // refused; the client comes back
	if o := c.next("a", "disconnect"); o.Message != "transport close" || !o.Active {
		t.Fatalf("observed %+v", o)
	}
	c.next("a", "connect")
	if n := s.Emit("r", "back"); n != 1 {
		t.Fatalf("delivered %d", n)
	}
	c.next("a", "event")
}

func TestHeartbeatKeepsTheClient(t *testing.T) {
	c := newClient(t)
	o := options(nil)
	o.PingInterval, o.PingTimeout = 10*time.Millisecond, patience
	_, at, _ := serve(t, "127.0.0.1:0", o)
	c.do("connect", "a", map[string]any{"url": "http://" + at, "auth": auth("good", "r"), "options": map[string]any{"showPings": true}})
	c.skipTo("a", "connect", "ping")
	for range 5 { // the server pings again only after a pong
		c.next("a", "ping")
	}
}

func TestReconnectAfterRestart(t *testing.T) {
	c := newClient(t)
	_, at, stop := serve(t, "127.0.0.1:0", options(nil))
	c.do("connect", "a", map[string]any{"url": "http://" + at, "auth": auth("good", "r")})
	first := c.next("a", "connect").ID
	stop()
	if o := c.next("a", "disconnect"); o.Message != "transport close" || !o.Active {
		t.Fatalf("observed %+v", o)
	}
	s, _, _ := serve(t, at, options(nil))
	if again := c.skipTo("a", "connect", "connect_error").ID; again == first {
		t.Fatal("the socket id did not change")
	}
	if n := s.Emit("r", "after", 1); n != 1 {
		t.Fatalf("delivered %d", n)
	}
	if o := c.next("a", "event"); o.Name != "after" {
		t.Fatalf("observed %+v", o)
	}
}
