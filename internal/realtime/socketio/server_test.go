package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"parley/internal/fault"
)

func TestHandshakeIsShown(t *testing.T) {
	seen := make(chan Handshake, 1)
	_, url := start(t, Options{Authenticate: func(_ context.Context, h Handshake) (Entry, error) {
		seen <- h
		return Entry{}, nil
	}})
	join(t, url+"&apiKey=q", `{"token":"k","n":1}`)
	h := <-seen
	if d := cmp.Diff(map[string]any{"token": "k", "n": 1.0}, h.Auth); d != "" {
		t.Error(d)
	}
	if h.Query.Get("apiKey") != "q" || h.Header.Get("Upgrade") != "websocket" || !strings.HasPrefix(h.RemoteAddr, "127.0.0.1:") {
		t.Errorf("handshake is %+v", h)
	}
}

func TestRefusedConnects(t *testing.T) {
	_, url := start(t, Options{Authenticate: func(_ context.Context, h Handshake) (Entry, error) {
		switch h.Auth["key"] {
		case "good":
			return Entry{}, nil
		case "down":
			return Entry{}, errors.New("secret detail of the database")
		}
		return Entry{}, fmt.Errorf("wrapped: %w", fault.New(fault.Unauthorized, "Unauthorized"))
	}})
	p := dial(t, url)
	p.write(`40{"key":"bad"}`)
	p.want(`44{"message":"Unauthorized","data":{"code":"unauthorized"}}`)
	p.write(`40{"key":"down"}`)
	p.want(`44{"message":"Internal error: try again later"}`)
	p.write(`40/admin,{"key":"good"}`)
	p.want(`44/admin,{"message":"Invalid namespace"}`)
	p.write(`40{"key":"good"}`)
	if got := p.read(); !strings.HasPrefix(got, `40{"sid":"`) {
		t.Fatalf("answer is %q", got)
	}
	for range 2 * maxRefusals { // asking for what there is not tries no key
		p.write("40/admin,")
		p.want(`44/admin,{"message":"Invalid namespace"}`)
	}

	p = dial(t, url)
	for range maxRefusals {
		p.write("40")
		p.want(`44{"message":"Unauthorized","data":{"code":"unauthorized"}}`)
	}
	p.wantClosed(websocket.StatusPolicyViolation)
}

func TestBadRequestsAreAnswered(t *testing.T) {
	_, ws := start(t, Options{})
	base, _ := url.Parse("http" + strings.TrimPrefix(ws, "ws"))
	for _, c := range []struct {
		method, query, origin string
		upgrade               bool
		status, code          int
		message               string
	}{
		{"GET", "EIO=4&transport=webtransport", "", false, 400, 0, "Transport unknown"},
		{"POST", "EIO=4&transport=polling&sid=x", "", false, 400, 1, "Session ID unknown"},
		{"GET", "EIO=4&transport=polling&sid=x", "", false, 400, 1, "Session ID unknown"},
		{"POST", "EIO=4&transport=polling", "", false, 400, 2, "Bad handshake method"},
		{"PUT", "EIO=4&transport=polling&sid=x", "", false, 400, 2, "Bad handshake method"},
		{"GET", "EIO=3&transport=polling", "", false, 400, 5, "Unsupported protocol version"},
		{"GET", "EIO=4&transport=polling", "https://evil.example", false, 403, 4, "Forbidden"},
		{"GET", "", "", false, 400, 0, "Transport unknown"},
		{"GET", "EIO=3&transport=websocket", "", true, 400, 5, "Unsupported protocol version"},
		{"GET", "EIO=4&transport=websocket&sid=x", "", true, 400, 1, "Session ID unknown"},
		{"POST", "EIO=4&transport=websocket", "", true, 400, 2, "Bad handshake method"},
		{"GET", "EIO=4&transport=websocket", "", false, 400, 3, "Bad request"},
		{"GET", "EIO=4&transport=websocket", "https://evil.example", true, 403, 4, "Forbidden"},
	} {
		u := *base
		u.RawQuery = c.query
		req, _ := http.NewRequest(c.method, u.String(), nil)
		if c.upgrade {
			req.Header.Set("Connection", "Upgrade")
			req.Header.Set("Upgrade", "websocket")
		}
		if c.origin != "" {
			req.Header.Set("Origin", c.origin)
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		var got struct {
			Code    *int
			Message string
		}
		if err := json.Unmarshal(body, &got); err != nil || got.Code == nil {
			t.Fatalf("%+v: body %q", c, body)
		}
		if res.StatusCode != c.status || *got.Code != c.code || !strings.Contains(got.Message, c.message) {
			t.Errorf("%+v: %d %s", c, res.StatusCode, body)
		}
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

func TestOrigins(t *testing.T) {
	_, open := start(t, Options{AllowOrigin: func(o string) bool { return o == "https://app.example" }})
	_, closed := start(t, Options{})
	u, _ := url.Parse(closed)
	for _, c := range []struct {
		url, origin string
		ok          bool
	}{
		{open, "https://app.example", true}, {open, "https://evil.example", false}, {open, "", true},
		{closed, "http://" + u.Host, true}, {closed, "https://app.example", false}, {closed, "null", false},
	} {
		opts := &websocket.DialOptions{HTTPHeader: http.Header{}}
		if c.origin != "" {
			opts.HTTPHeader.Set("Origin", c.origin)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		conn, _, err := websocket.Dial(ctx, c.url, opts)
		if (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
		if err == nil {
			conn.CloseNow()
		}
		cancel()
	}
}

func TestRooms(t *testing.T) {
	var socks = make(chan *Socket, 2)
	s, url := start(t, Options{
		Authenticate: byRoom,
		OnEvent:      func(_ context.Context, k *Socket, _ string, _ []json.RawMessage, _ func(...any)) { socks <- k },
	})
	a, b := join(t, url, `{"room":"a"}`), join(t, url, `{"room":"b"}`)
	if n := s.Emit("a", "x", map[string]any{"k": "<1>"}, 2); n != 1 {
		t.Fatalf("delivered %d", n)
	}
	if n := s.EmitRaw("b", "y", json.RawMessage(`{"j": 1}`)); n != 1 {
		t.Fatalf("delivered %d", n)
	}
	s.EmitRaw("b", "z", nil)
	if n := s.Emit("nobody", "x"); n != 0 {
		t.Fatalf("delivered %d into an empty room", n)
	}
	if n := s.EmitRaw("a", "x", json.RawMessage(`{`)); n != 0 {
		t.Fatalf("delivered %d of what is not JSON", n)
	}
	a.want(`42["x",{"k":"<1>"},2]`)
	b.want(`42["y",{"j":1}]`)
	b.want(`42["z"]`)

	a.write(`42["me"]`)
	k := <-socks
	k.Join("b", "c", "b")
	if got := k.Rooms(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Fatalf("rooms are %v", got)
	}
	if n := s.Emit("b", "both"); n != 2 {
		t.Fatalf("delivered %d", n)
	}
	a.want(`42["both"]`)
	b.want(`42["both"]`)
	k.Leave("b", "none")
	if n := s.Emit("b", "one"); n != 1 {
		t.Fatalf("delivered %d after Leave", n)
	}
	b.want(`42["one"]`)
	if got := s.Stats(); got != (Stats{Connections: 2, Rooms: 3}) {
		t.Fatalf("stats are %+v", got)
	}
	a.conn.CloseNow()
	eventually(t, "the rooms of a closed socket are gone", func() bool { return s.Stats() == Stats{Connections: 1, Rooms: 1} })
	k.Join("late")
	if got := k.Rooms(); len(got) != 0 || s.Stats().Rooms != 1 {
		t.Fatalf("a gone socket is in %v", got)
	}
	if err := k.Emit("x"); err != ErrDisconnected {
		t.Fatalf("Emit to a gone socket: %v", err)
	}
}

func TestAcks(t *testing.T) {
	answers := make(chan string, 4)
	_, url := start(t, Options{
		Authenticate: byRoom,
		OnEvent: func(ctx context.Context, k *Socket, name string, args []json.RawMessage, ack func(...any)) {
			switch name {
			case "sum":
				ack(len(args), "ok")
				ack("again") // only the first counts
			case "ask": // waits for the client inside the callback
				got, err := k.EmitWithAck(ctx, "question", 1)
				answers <- fmt.Sprintf("%s %v", got, err)
				ack()
			case "impatient":
				ctx, cancel := context.WithCancel(ctx)
				cancel()
				_, err := k.EmitWithAck(ctx, "unanswered")
				answers <- err.Error()
			case "gone":
				_, err := k.EmitWithAck(context.Background(), "unanswered")
				answers <- err.Error()
			}
		},
	})
	p := join(t, url, "")
	p.write(`420["sum",1,{}]`)
	p.want(`430[2,"ok"]`)
	p.write(`42["sum"]`) // asks for no answer
	p.write(`439999["unknown"]`)
	p.write(`4217["ask"]`)
	p.want(`421["question",1]`)
	p.write(`431["forty",2]`)
	p.want(`4317[]`)
	if got := <-answers; got != `["forty" 2] <nil>` && got != `[[34 102 111 114 116 121 34] [50]] <nil>` {
		t.Fatalf("the answer was %s", got)
	}
	p.write(`42["impatient"]`)
	p.want(`422["unanswered"]`)
	if got := <-answers; got != context.Canceled.Error() {
		t.Fatalf("the answer was %s", got)
	}
	p.write(`42["gone"]`)
	p.want(`423["unanswered"]`)
	p.conn.CloseNow()
	if got := <-answers; got != ErrDisconnected.Error() {
		t.Fatalf("the answer was %s", got)
	}
}

func TestBrokenProtocolClosesOnlyItsConnection(t *testing.T) {
	s, url := start(t, Options{Authenticate: byRoom, MaxPayload: 2000})
	other := join(t, url, `{"room":"r"}`)
	for _, c := range []struct {
		connect bool
		msg     string
		code    websocket.StatusCode
	}{
		{false, "", closeProtocol},
		{false, "2", closeProtocol},      // only the server pings
		{false, "2probe", closeProtocol}, // no polling session to upgrade
		{false, "5", closeProtocol},
		{false, "0{}", closeProtocol},
		{false, "9", closeProtocol},
		{false, "3x", closeProtocol},
		{false, `42["early"]`, closeProtocol},
		{false, "41", closeProtocol},
		{false, "4", closeProtocol},
		{true, "40", closeProtocol}, // a second CONNECT
		{true, `42/other,["x"]`, closeProtocol},
		{true, "42{}", closeProtocol},
		{true, `42["` + "\xc3\x28" + `"]`, closeProtocol},
		{true, "44{}", closeProtocol},
		{true, `451-["x",{"_placeholder":true,"num":0}]`, closeUnsupported},
		{true, `461-1[]`, closeUnsupported},
		{true, `42["` + strings.Repeat("x", 3000) + `"]`, websocket.StatusMessageTooBig},
		{true, "41", closeNormal},
		{false, "1", closeNormal},
	} {
		p := dial(t, url)
		if c.connect {
			p.write("40")
			p.read()
		}
		p.write(c.msg)
		p.wantClosed(c.code)
	}
	p := join(t, url, "")
	if err := p.conn.Write(context.Background(), websocket.MessageBinary, []byte{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	p.wantClosed(closeUnsupported)

	fits := `42["` + strings.Repeat("x", 2000-6) + `"]`
	other.write(fits)
	other.write("6")
	if n := s.Emit("r", "still"); n != 1 {
		t.Fatalf("delivered %d", n)
	}
	other.want(`42["still"]`)
	eventually(t, "only one connection is left", func() bool { return s.Stats().Connections == 1 })
}

func TestPanicsCostOneConnection(t *testing.T) {
	reasons := make(chan string, 1)
	_, url := start(t, Options{
		OnEvent:      func(context.Context, *Socket, string, []json.RawMessage, func(...any)) { panic("boom") },
		OnDisconnect: func(_ context.Context, _ *Socket, reason string) { reasons <- reason },
	})
	p := join(t, url, "")
	p.write(`42["x"]`)
	p.wantClosed(closeInternal)
	if got := <-reasons; got != ReasonPanic {
		t.Fatalf("reason is %q", got)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	s, url := start(t, Options{MaxConnections: 2})
	a := dial(t, url)
	dial(t, url)
	_, res, err := websocket.Dial(context.Background(), url, nil)
	if err == nil || res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Fatalf("the third connection: %v %v", res, err)
	}
	a.conn.CloseNow()
	eventually(t, "the place is free", func() bool { return s.Stats().Connections == 1 })
	dial(t, url)
}

func TestDisconnectReasons(t *testing.T) {
	type end struct{ session, reason string }
	ends := make(chan end, 1)
	_, url := start(t, Options{
		Authenticate: func(_ context.Context, h Handshake) (Entry, error) { return Entry{Session: h.Auth["n"]}, nil },
		OnEvent: func(_ context.Context, k *Socket, _ string, _ []json.RawMessage, _ func(...any)) {
			_ = k.Emit("bye")
			k.Disconnect()
			k.Disconnect()
		},
		OnDisconnect: func(ctx context.Context, k *Socket, reason string) {
			if ctx.Err() != nil {
				t.Error("OnDisconnect came with an ended context")
			}
			ends <- end{k.Session().(string), reason}
		},
	})
	p := join(t, url, `{"n":"server"}`)
	p.write(`42["out"]`)
	p.want(`42["bye"]`)
	p.want(`41`)
	p.wantClosed(closeNormal)
	if got := <-ends; got != (end{"server", ReasonServer}) {
		t.Fatal(got)
	}
	p = join(t, url, `{"n":"client"}`)
	p.write("41")
	p.wantClosed(closeNormal)
	if got := <-ends; got != (end{"client", ReasonClient}) {
		t.Fatal(got)
	}
	p = join(t, url, `{"n":"cut"}`)
	p.conn.CloseNow()
	if got := <-ends; got != (end{"cut", ReasonTransportClose}) {
		t.Fatal(got)
	}
	p = join(t, url, `{"n":"broken"}`)
	p.write("42")
	p.wantClosed(closeProtocol)
	if got := <-ends; got != (end{"broken", ReasonParseError}) {
		t.Fatal(got)
	}
}

func TestClose(t *testing.T) {
	reasons := make(chan string, 2)
	s, url := start(t, Options{
		Authenticate: byRoom,
		OnDisconnect: func(_ context.Context, _ *Socket, reason string) { reasons <- reason },
	})
	p, idle := join(t, url, `{"room":"r"}`), dial(t, url)
	s.Emit("r", "last")
	closed := make(chan error)
	go func() { closed <- s.Close(context.Background()) }()
	p.want(`42["last"]`)
	p.wantClosed(closeGoingAway)
	idle.wantClosed(closeGoingAway)
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	if got := <-reasons; got != ReasonShutdown || len(reasons) != 0 {
		t.Fatalf("reason is %q, %d more", got, len(reasons))
	}
	if _, res, err := websocket.Dial(context.Background(), url, nil); err == nil || res.StatusCode != 503 {
		t.Fatalf("a closed server answers %v %v", res, err)
	}
	if n := s.Emit("r", "x"); n != 0 || s.Stats() != (Stats{}) {
		t.Fatalf("delivered %d, stats %+v", n, s.Stats())
	}
}

func TestCloseOutOfPatience(t *testing.T) {
	stuck, ended := make(chan struct{}), make(chan struct{})
	s, url := start(t, Options{OnEvent: func(ctx context.Context, k *Socket, _ string, _ []json.RawMessage, _ func(...any)) {
		close(stuck)
		<-ctx.Done()
		close(ended)
	}})
	silent := join(t, url, "") // never reads, so never answers the goodbye
	silent.write(`42["x"]`)
	<-stuck
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Close: %v", err)
	}
	<-ended
	eventually(t, "the connection is gone", func() bool { return s.Stats().Connections == 0 })
}
