package socketio

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// wrapped is what middleware does to a ResponseWriter.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A client may send its first packet together with the upgrade, and the server
// may stand behind middleware that wraps the response.
func TestUpgradeBehindMiddlewareWithEarlyData(t *testing.T) {
	events := make(chan string, 2)
	s := New(Options{OnEvent: func(_ context.Context, _ *Socket, name string, _ []json.RawMessage, _ func(...any)) { events <- name }})
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.ServeHTTP(wrapped{w}, r) }))
	defer h.Close()
	defer s.Close(context.Background())
	c, err := net.Dial("tcp", h.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	frame := func(s string) string { return string([]byte{0x81, 0x80 | byte(len(s)), 0, 0, 0, 0}) + s }
	fmt.Fprintf(c, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n%s", frame("40"))
	buf, got := make([]byte, 4096), ""
	for !strings.Contains(got, `40{"sid":"`) {
		n, err := c.Read(buf)
		if err != nil {
			t.Fatalf("%v after %q", err, got)
		}
		got += string(buf[:n])
	}
	fmt.Fprint(c, frame(`42["first"]`)+frame(`42["second"]`))
	if a, b := <-events, <-events; a != "first" || b != "second" {
		t.Fatalf("events %s, %s", a, b)
	}
}

// The published client polls no more once its probe is answered, and does not
// look at a WebSocket that closes before it has changed over: it would learn of
// the server's end by the missing heartbeat only.
func TestCloseWaitsForAnUpgradeUnderWay(t *testing.T) {
	s, ws := start(t, Options{Authenticate: byRoom})
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
	eventually(t, "no poll is there", func() bool { return look(sess, func() bool { return !sess.poll.getting }) })
	s.Emit("r", "last words")
	closed := make(chan error, 1)
	go func() { closed <- s.Close(context.Background()) }()
	eventually(t, "the server closes", func() bool { return look(sess, func() bool { return sess.state != stateOpen }) })
	up.write("5")
	up.want(`42["last words"]`)
	up.wantClosed(closeGoingAway)
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
}

func TestUpgradeThatCannotBe(t *testing.T) {
	s, _ := start(t, Options{})
	r := httptest.NewRequest("GET", "/socket.io/?EIO=4&transport=websocket", nil)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	w := httptest.NewRecorder() // cannot be taken over
	s.ServeHTTP(wrapped{w}, r)
	if w.Code != 500 || !strings.Contains(w.Body.String(), "cannot be upgraded") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}

	h := httptest.NewServer(s)
	defer h.Close()
	req, _ := http.NewRequest("GET", h.URL+"/socket.io/?EIO=4&transport=websocket", nil)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket") // but no key
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 400 {
		t.Fatalf("answered %d", res.StatusCode)
	}
	if got := s.Stats().Connections; got != 0 {
		t.Fatalf("%d connections", got)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}
