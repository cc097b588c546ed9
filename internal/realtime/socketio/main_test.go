package socketio

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = time.Minute

// start serves o on a loopback port until the test ends.
func start(t testing.TB, o Options) (*Server, string) {
	t.Helper()
	s := New(o)
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
		h.Close()
	})
	return s, "ws" + strings.TrimPrefix(h.URL, "http") + DefaultPath + "?EIO=4&transport=websocket"
}

// peer is a client that speaks bare packets.
type peer struct {
	t    testing.TB
	conn *websocket.Conn
}

// dial opens the WebSocket and reads the Engine.IO handshake.
func dial(t testing.TB, url string) *peer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	p := &peer{t, conn}
	if got := p.read(); !strings.HasPrefix(got, `0{"sid":"`) {
		t.Fatalf("handshake is %q", got)
	}
	return p
}

// join dials and connects with an auth payload, which may be empty.
func join(t testing.TB, url, auth string) *peer {
	t.Helper()
	p := dial(t, url)
	p.write("40" + auth)
	if got := p.read(); !strings.HasPrefix(got, `40{"sid":"`) {
		t.Fatalf("answer to CONNECT is %q", got)
	}
	return p
}

func (p *peer) write(msg string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.conn.Write(ctx, websocket.MessageText, []byte(msg)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) tryRead() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, b, err := p.conn.Read(ctx)
	return string(b), err
}

func (p *peer) read() string {
	p.t.Helper()
	msg, err := p.tryRead()
	if err != nil {
		p.t.Fatal(err)
	}
	return msg
}

func (p *peer) want(msg string) {
	p.t.Helper()
	if got := p.read(); got != msg {
		p.t.Fatalf("read %q, want %q", got, msg)
	}
}

// wantClosed reads on until the server closes with the code.
func (p *peer) wantClosed(code websocket.StatusCode) {
	p.t.Helper()
	for {
		msg, err := p.tryRead()
		if err == nil {
			p.t.Logf("before the close: %q", msg)
			continue
		}
		if got := websocket.CloseStatus(err); got != code {
			p.t.Fatalf("closed with %d (%v), want %d", got, err, code)
		}
		return
	}
}

// eventually polls until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not: %s", what)
		}
	}
}

// byRoom lets everybody in, into the room the client names.
func byRoom(_ context.Context, h Handshake) (Entry, error) {
	room, _ := h.Auth["room"].(string)
	return Entry{Rooms: []string{room}, Session: h.Auth}, nil
}

func raw(s ...string) []json.RawMessage {
	out := []json.RawMessage{}
	for _, x := range s {
		out = append(out, json.RawMessage(x))
	}
	return out
}
