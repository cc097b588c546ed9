package socketio

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley/internal/clock"
)

// poll is a client that polls.
type pollPeer struct {
	t    testing.TB
	base string // with EIO, without transport
	sid  string
	c    *http.Client
}

func newPoller(t testing.TB, ws string) *pollPeer {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{}, Timeout: patience}
	t.Cleanup(c.CloseIdleConnections)
	p := &pollPeer{t: t, c: c, base: "http" + strings.TrimSuffix(strings.TrimPrefix(ws, "ws"), "&transport=websocket")}
	status, body := p.do("GET", "")
	var open struct {
		SID      string
		Upgrades []string
	}
	if status != 200 || !strings.HasPrefix(body, "0{") || json.Unmarshal([]byte(body[1:]), &open) != nil {
		t.Fatalf("handshake: %d %q", status, body)
	}
	if fmt.Sprint(open.Upgrades) != "[websocket]" {
		t.Fatalf("upgrades are %v", open.Upgrades)
	}
	p.sid = open.SID
	// A session that nobody polls would make the server's Close wait.
	t.Cleanup(func() { _, _, _ = p.try(context.Background(), "POST", "1") })
	return p
}

func (p *pollPeer) url(transport string) string {
	u := p.base + "&transport=" + transport
	if p.sid != "" {
		u += "&sid=" + p.sid
	}
	return u
}

func (p *pollPeer) do(method, body string) (int, string) {
	p.t.Helper()
	status, got, err := p.try(context.Background(), method, body)
	if err != nil {
		p.t.Fatal(err)
	}
	return status, got
}

func (p *pollPeer) try(ctx context.Context, method, body string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, p.url("polling"), strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if method == "GET" {
		req.Body = nil
	}
	res, err := p.c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

func (p *pollPeer) post(packets ...string) {
	p.t.Helper()
	if status, body := p.do("POST", strings.Join(packets, "\x1e")); status != 200 || body != "ok" {
		p.t.Fatalf("POST: %d %q", status, body)
	}
}

func (p *pollPeer) get() string {
	p.t.Helper()
	status, body := p.do("GET", "")
	if status != 200 {
		p.t.Fatalf("GET: %d %q", status, body)
	}
	return body
}

// later polls in the background.
func (p *pollPeer) later() <-chan string {
	out := make(chan string, 1)
	go func() {
		status, body, err := p.try(context.Background(), "GET", "")
		out <- fmt.Sprintf("%d %s %v", status, body, err)
	}()
	return out
}

func (p *pollPeer) wantGone() {
	p.t.Helper()
	if status, body := p.do("GET", ""); status != 400 || !strings.Contains(body, `"code":1`) {
		p.t.Fatalf("the session is still there: %d %q", status, body)
	}
}

func waits(s *session) func() bool {
	return func() bool { return look(s, func() bool { return s.poll != nil && s.poll.waiting != nil }) }
}

func waitingNow(s *Server) bool {
	for _, k := range s.Sockets() {
		if waits(k.sess)() {
			return true
		}
	}
	return false
}

func joinPolling(t testing.TB, ws, auth string) *pollPeer {
	t.Helper()
	p := newPoller(t, ws)
	p.post("40" + auth)
	if got := p.get(); !strings.HasPrefix(got, `40{"sid":"`) {
		t.Fatalf("answer to CONNECT is %q", got)
	}
	return p
}

func TestPolling(t *testing.T) {
	s, ws := start(t, Options{Authenticate: byRoom, OnEvent: func(_ context.Context, k *Socket, name string, args []json.RawMessage, ack func(...any)) {
		ack(name, args)
	}})
	p := joinPolling(t, ws, `{"room":"r"}`)
	sess := only(t, s)

	poll := p.later()
	eventually(t, "the poll waits", waits(sess))
	if n := s.Emit("r", "hi", map[string]any{"é": 1}); n != 1 {
		t.Fatalf("delivered %d", n)
	}
	if got := <-poll; got != `200 42["hi",{"é":1}] <nil>` {
		t.Fatal(got)
	}
	// Several packets in one payload, either way.
	p.post(`421["a",1]`, `422["b"]`)
	var got []string
	for len(got) < 2 {
		got = append(got, strings.Split(p.get(), "\x1e")...)
	}
	if strings.Join(got, " ") != `431["a",[1]] 432["b",[]]` {
		t.Fatal(got)
	}
	s.Emit("r", "1")
	s.Emit("r", "2")
	if got := p.get(); got != "42[\"1\"]\x1e42[\"2\"]" {
		t.Fatalf("%q", got)
	}
	p.post("1") // the client goes
	p.wantGone()
	if n := s.Emit("r", "3"); n != 0 {
		t.Fatalf("delivered %d", n)
	}
}

func TestPollingHeartbeat(t *testing.T) {
	fake := clock.NewFake(time.Unix(1_800_000_000, 0))
	reasons := make(chan string, 1)
	s, ws := start(t, Options{Clock: fake, OnDisconnect: func(_ context.Context, _ *Socket, r string) { reasons <- r }})
	p := joinPolling(t, ws, "")
	sess := only(t, s)
	poll := p.later()
	eventually(t, "the poll waits", waits(sess))
	fake.Advance(DefaultPingInterval)
	if got := <-poll; got != "200 2 <nil>" {
		t.Fatal(got)
	}
	p.post("3")
	fake.Advance(DefaultPingInterval)
	if got := p.get(); got != "2" {
		t.Fatal(got)
	}
	poll = p.later()
	eventually(t, "the poll waits", waits(sess))
	fake.Advance(DefaultPingTimeout) // no pong
	if got := <-poll; got != "200 1 <nil>" {
		t.Fatal(got)
	}
	if r := <-reasons; r != ReasonPingTimeout {
		t.Fatal(r)
	}
	p.wantGone()
	eventually(t, "the session is gone", func() bool { return s.Stats().Connections == 0 })
}

func TestPollingAbuse(t *testing.T) {
	s, ws := start(t, Options{MaxPayload: 1000, Authenticate: byRoom, SendQueue: 8})
	for name, abuse := range map[string]func(p *pollPeer){
		"two polls": func(p *pollPeer) {
			first := p.later()
			eventually(t, "the poll waits", waits(only(t, s)))
			if status, body := p.do("GET", ""); status != 400 || !strings.Contains(body, `"code":3`) {
				t.Errorf("the second poll: %d %s", status, body)
			}
			if got := <-first; got != "200 1 <nil>" {
				t.Errorf("the first poll: %s", got)
			}
		},
		"two payloads": func(p *pollPeer) {
			sess := only(t, s)
			r, w := io.Pipe()
			first := make(chan int, 1)
			go func() {
				res, err := p.c.Post(p.url("polling"), "text/plain", r)
				if err != nil {
					first <- 0
					return
				}
				res.Body.Close()
				first <- res.StatusCode
			}()
			eventually(t, "the first is read", func() bool { return look(sess, func() bool { return sess.poll.posting }) })
			if status, body := p.do("POST", "3"); status != 400 || !strings.Contains(body, `"code":3`) {
				t.Errorf("the second payload: %d %s", status, body)
			}
			w.Close()
			<-first
		},
		"too large": func(p *pollPeer) {
			if status, _ := p.do("POST", `42["`+strings.Repeat("x", 2000)+`"]`); status != 413 {
				t.Errorf("status %d", status)
			}
			if got := p.get(); got != "1" {
				t.Errorf("got %q", got)
			}
		},
		"binary": func(p *pollPeer) {
			p.post("bAQID")
			if got := p.get(); got != "1" {
				t.Errorf("got %q", got)
			}
		},
		"malformed": func(p *pollPeer) {
			p.post(`42["ok"]`, `42{`, `42["never"]`)
			if got := p.get(); got != "1" {
				t.Errorf("got %q", got)
			}
		},
		"nobody polls": func(p *pollPeer) {
			for range 9 {
				s.Emit("r", "x")
			}
		},
		"gone while it waits": func(p *pollPeer) {
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { _, _, err := p.try(ctx, "GET", ""); done <- err }()
			eventually(t, "the poll waits", waits(only(t, s)))
			cancel()
			if <-done == nil {
				t.Error("the poll was answered")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := joinPolling(t, ws, `{"room":"r"}`)
			abuse(p)
			eventually(t, "the session is gone", func() bool { return s.Stats().Connections == 0 })
			p.wantGone()
		})
	}
	if s.Stats().Dropped != 1 {
		t.Errorf("%d dropped, want the one that did not poll", s.Stats().Dropped)
	}
}

func TestPollingShutdown(t *testing.T) {
	s, ws := start(t, Options{Authenticate: byRoom})
	waiting, away := joinPolling(t, ws, `{"room":"w"}`), joinPolling(t, ws, `{"room":"a"}`)
	poll := waiting.later()
	eventually(t, "the poll waits", func() bool { return waitingNow(s) })
	s.Emit("w", "last words")
	if got := <-poll; got != `200 42["last words"] <nil>` {
		t.Fatal(got)
	}
	poll = waiting.later()
	eventually(t, "the poll waits again", func() bool { return waitingNow(s) })
	closed := make(chan error, 1)
	go func() { closed <- s.Close(context.Background()) }()
	if got := <-poll; got != "200 1 <nil>" {
		t.Fatal(got)
	}
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	away.wantGone()
}

func TestPollingEndsWhenTheServerDrains(t *testing.T) {
	drain := make(chan struct{})
	s, ws := start(t, Options{Draining: func(*http.Request) <-chan struct{} { return drain }})
	p := joinPolling(t, ws, "")
	poll := p.later()
	eventually(t, "the poll waits", waits(only(t, s)))
	close(drain)
	if got := <-poll; got != "200 1 <nil>" {
		t.Fatal(got)
	}
}

func TestPollingCORS(t *testing.T) {
	s := New(Options{AllowOrigin: func(o string) bool { return o == "https://app.example" }})
	defer s.Close(context.Background())
	for origin, want := range map[string]int{"https://app.example": 200, "https://evil.example": 403, "": 200} {
		r := httptest.NewRequest("GET", "/socket.io/?EIO=4&transport=polling", nil)
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		allowed := w.Header().Get("Access-Control-Allow-Origin")
		if w.Code != want || (allowed == origin) != (want == 200) || (origin != "" && want == 200) != (w.Header().Get("Access-Control-Allow-Credentials") == "true") {
			t.Errorf("%q: %d %v", origin, w.Code, w.Header())
		}
	}
	r := httptest.NewRequest("OPTIONS", "/socket.io/?EIO=4&transport=polling", nil)
	r.Header.Set("Origin", "https://app.example")
	r.Header.Set("Access-Control-Request-Headers", "x-api-key")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != 204 || w.Header().Get("Access-Control-Allow-Headers") != "x-api-key" {
		t.Errorf("preflight: %d %v", w.Code, w.Header())
	}
}

func TestUpgrade(t *testing.T) {
	s, ws := start(t, Options{Authenticate: byRoom, OnEvent: func(_ context.Context, _ *Socket, name string, _ []json.RawMessage, ack func(...any)) { ack(name) }})
	p := joinPolling(t, ws, `{"room":"r"}`)
	sess := only(t, s)
	poll := p.later()
	eventually(t, "the poll waits", waits(sess))

	up := probe(t, p)
	up.write("2probe")
	up.want("3probe")
	if got := <-poll; got != "200 6 <nil>" {
		t.Fatalf("the poll ended with %s", got)
	}
	if _, _, err := websocket.Dial(context.Background(), p.url("websocket"), nil); err == nil {
		t.Fatal("a second probe was taken")
	}
	s.Emit("r", "between") // neither transport may take it yet but the next
	up.write("5")
	up.want(`42["between"]`)
	up.write(`427["ask"]`)
	up.want(`437["ask"]`)
	if status, body := p.do("GET", ""); status != 400 || !strings.Contains(body, `"code":3`) {
		t.Fatalf("a poll after the upgrade: %d %s", status, body)
	}
	if status, _ := p.do("POST", "3"); status != 400 {
		t.Fatalf("a payload after the upgrade: %d", status)
	}
	s.Emit("r", "on")
	up.want(`42["on"]`)
	_ = up.conn.CloseNow()
	eventually(t, "the session is gone", func() bool { return s.Stats().Connections == 0 })
	p.wantGone()
}

// probe opens the WebSocket beside a polling session.
func probe(t testing.TB, p *pollPeer) *peer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(p.url("websocket"), "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &peer{t, conn}
}

func TestFailedUpgradeLeavesPolling(t *testing.T) {
	fake := clock.NewFake(time.Unix(1_800_000_000, 0))
	s, ws := start(t, Options{Authenticate: byRoom, Clock: fake})
	p := joinPolling(t, ws, `{"room":"r"}`)
	sess := only(t, s)
	unprobed := func() bool { return look(sess, func() bool { return sess.poll.probe == nil && !sess.poll.upgrading }) }
	for name, fail := range map[string]func(up *peer){
		"another word":  func(up *peer) { up.write("2prob") },
		"a long word":   func(up *peer) { up.write("2probe and more") },
		"no upgrade":    func(up *peer) { up.write("2probe"); up.want("3probe"); up.write("6") },
		"gone":          func(up *peer) { up.write("2probe"); up.want("3probe"); _ = up.conn.CloseNow() },
		"never a word":  func(up *peer) { fake.Advance(DefaultUpgradeTimeout) },
		"never upgrade": func(up *peer) { up.write("2probe"); up.want("3probe"); fake.Advance(DefaultUpgradeTimeout) },
	} {
		t.Run(name, func(t *testing.T) {
			up := probe(t, p)
			eventually(t, "the probe is known", func() bool {
				return look(sess, func() bool { _, ok := sess.poll.probe.(*wsTransport); return ok })
			})
			fail(up)
			eventually(t, "the probe is given up", unprobed)
			s.Emit("r", "still")
			if got := p.get(); got != `42["still"]` && got != `2` {
				t.Fatalf("got %q", got)
			}
		})
	}
}

// The end of a session during a probe ends the probe.
func TestSessionEndsDuringProbe(t *testing.T) {
	s, ws := start(t, Options{})
	p := joinPolling(t, ws, "")
	up := probe(t, p)
	up.write("2probe")
	up.want("3probe")
	p.post("1")
	if _, err := up.tryRead(); err == nil {
		t.Fatal("the probe is still open")
	}
	eventually(t, "the session is gone", func() bool { return s.Stats().Connections == 0 })
}

func FuzzPayload(f *testing.F) {
	for _, s := range []string{"40\x1e42[\"a\"]", "bAAA", "\x1e\x1e", "1\x1e40", "42", "3\x1e3", strings.Repeat("40\x1e", 20)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var panicked bool
		s := New(Options{MaxPayload: 1 << 16, Logger: panicLogger(&panicked)})
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/socket.io/?EIO=4&transport=polling", nil))
		sid := only(t, s).id
		w = httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("POST", "/socket.io/?EIO=4&transport=polling&sid="+sid, bytes.NewReader(payload)))
		if w.Code != 200 && w.Code != 413 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Close(ctx)
		if panicked {
			t.Fatal("a panic was caught")
		}
	})
}
