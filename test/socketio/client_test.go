package socketio_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/internal/fault"
	"parley/internal/realtime/socketio"
)

// letIn lets in whoever shows the key "good", into the room it names, and
// echo its events.
func letIn(asked chan<- *socketio.Socket) socketio.Options {
	return socketio.Options{
		Authenticate: func(_ context.Context, h socketio.Handshake) (socketio.Entry, error) {
			if h.Auth["key"] != "good" {
				return socketio.Entry{}, fault.New(fault.Unauthorized, "Unauthorized")
			}
			room, _ := h.Auth["room"].(string)
			return socketio.Entry{Rooms: []string{room}}, nil
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
	_, at, _ := serve(t, "127.0.0.1:0", letIn(nil))
	c.do("connect", "a", map[string]any{"url": "http://" + at, "auth": auth("good", "r")})
	// It begins by polling and changes over at once, so either may be seen here.
	if o := c.next("a", "connect"); len(o.ID) != 20 || o.Transport != "polling" && o.Transport != "websocket" {
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
}

// ways are the transports that clients choose.
var ways = map[string]map[string]any{
	"polling":   {"transports": []string{"polling"}},
	"websocket": {"transports": []string{"websocket"}},
	"upgrade":   {"showUpgrade": true},
}

func TestEveryTransport(t *testing.T) {
	for name, options := range ways {
		t.Run(name, func(t *testing.T) {
			c := newClient(t)
			s, at, _ := serve(t, "127.0.0.1:0", letIn(nil))
			c.do("connect", "a", map[string]any{"url": "http://" + at, "auth": auth("good", "r"), "options": options})
			want := []string{"connect " + name}
			if name == "upgrade" { // either may come first
				want = []string{"connect polling", "upgrade websocket"}
			}
			for range want {
				select {
				case o := <-c.seen:
					if got := o.What + " " + o.Transport; !slices.Contains(want, got) && got != "connect websocket" || name == "polling" && o.Transport != name {
						t.Fatalf("observed %+v", o)
					}
				case <-time.After(patience):
					t.Fatal("it does not connect")
				}
			}
			// A burst in both directions, in order, with answers.
			const burst = 300
			for i := range burst {
				s.Emit("r", "down", i)
				c.do("ask", "a", map[string]any{"name": "sum", "args": []any{i}})
			}
			down, acks, echoes := 0, 0, 0
			for down < burst || acks < burst || echoes < burst {
				select {
				case o := <-c.seen:
					switch {
					case o.What == "event" && o.Name == "down" && o.Args[0] == float64(down):
						down++
					case o.What == "event" && o.Name == "echo sum" && cmp.Equal(o.Args, []any{[]any{float64(echoes)}}):
						echoes++
					case o.What == "ack" && cmp.Equal(o.Args, []any{"sum", []any{float64(acks)}}):
						acks++
					default:
						t.Fatalf("observed %+v after %d, %d, %d", o, down, acks, echoes)
					}
				case <-time.After(patience):
					t.Fatalf("heard %d, %d, %d", down, acks, echoes)
				}
			}
			c.do("disconnect", "a", nil)
			if o := c.next("a", "disconnect"); o.Message != "io client disconnect" {
				t.Fatalf("observed %+v", o)
			}
			for end := time.Now().Add(patience); s.Stats().Connections > 0; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("the connection is still there")
				}
			}
		})
	}
}

// The client keeps the last argument of an event as its offset when it has a
// pid, shows both when it comes back, and takes the same pid for a recovery. Its
// handlers see the offset, as they do with the reference server.
func TestConnectionStateRecovery(t *testing.T) {
	for name, options := range ways {
		t.Run(name, func(t *testing.T) {
			shown := make(chan map[string]any, 10)
			o := letIn(nil)
			o.Authenticate = func(_ context.Context, h socketio.Handshake) (socketio.Entry, error) {
				shown <- h.Auth
				return socketio.Entry{PID: "a pid", Rooms: []string{"r"}}, nil
			}
			c := newClient(t)
			s, at, _ := serve(t, "127.0.0.1:0", o)
			c.do("connect", "a", map[string]any{"url": "http://" + at, "auth": auth("good", "r"), "options": options})
			if o := c.skipTo("a", "connect", "upgrade"); o.Recovered {
				t.Fatal("the first connection is a recovery")
			}
			if d := cmp.Diff(auth("good", "r"), <-shown); d != "" {
				t.Fatal(d)
			}
			m, err := socketio.NewMessage("news", socketio.Offset{Major: 7, Minor: 8, Index: 1}, map[string]any{"x": 1})
			if err != nil {
				t.Fatal(err)
			}
			if n := s.Send(m, "r", "another"); n != 1 {
				t.Fatalf("delivered %d", n)
			}
			if d := cmp.Diff([]any{map[string]any{"x": 1.0}, "7.8.1"}, c.skipTo("a", "event", "upgrade").Args); d != "" {
				t.Fatal(d)
			}
			c.do("drop", "a", nil)
			c.skipTo("a", "disconnect", "upgrade")
			if o := c.skipTo("a", "connect", "upgrade"); !o.Recovered {
				t.Fatal("the second connection is none")
			}
			want := auth("good", "r")
			want["pid"], want["offset"] = "a pid", "7.8.1"
			if d := cmp.Diff(want, <-shown); d != "" {
				t.Fatal(d)
			}
		})
	}
}

func TestRooms(t *testing.T) {
	c := newClient(t)
	s, at, _ := serve(t, "127.0.0.1:0", letIn(nil))
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
	_, at, _ := serve(t, "127.0.0.1:0", letIn(asked))
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
	s, at, _ := serve(t, "127.0.0.1:0", letIn(nil))
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
	// "transport error" when its next payload meets a session that is gone.
	if o := c.next("a", "disconnect"); o.Message != "transport close" && o.Message != "transport error" || !o.Active {
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
	o := letIn(nil)
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
	_, at, stop := serve(t, "127.0.0.1:0", letIn(nil))
	c.do("connect", "a", map[string]any{"url": "http://" + at, "auth": auth("good", "r")})
	first := c.next("a", "connect").ID
	stop()
	if o := c.next("a", "disconnect"); o.Message != "transport close" && o.Message != "transport error" || !o.Active {
		t.Fatalf("observed %+v", o)
	}
	s, _, _ := serve(t, at, letIn(nil))
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
