package parley

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// feed is a Socket.IO server as socket.io 4.6 and later behaves: it gives a pid,
// puts an offset behind the arguments of each broadcast, and repeats to a client
// that comes back what it has missed.
type feed struct {
	*httptest.Server
	t         *testing.T
	mu        sync.Mutex
	log       []string // broadcasts so far; the offset is the index
	forget    bool     // the next client is not recovered
	refuse    string   // CONNECT_ERROR data
	auths     []map[string]any
	live      *websocket.Conn
	goodbyes  int
	connected chan struct{}
}

func newFeed(t *testing.T) *feed {
	f := &feed{t: t, connected: make(chan struct{}, 100)}
	f.Server = httptest.NewServer(http.HandlerFunc(f.accept))
	t.Cleanup(f.Close)
	return f
}

func (f *feed) accept(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/socket.io/" || r.URL.Query().Get("EIO") != "4" || r.URL.Query().Get("transport") != "websocket" {
		w.WriteHeader(404)
		return
	}
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer ws.CloseNow()
	ctx := context.Background()
	_ = ws.Write(ctx, websocket.MessageText, []byte(`0{"sid":"e","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`))
	for {
		_, b, err := ws.Read(ctx)
		if err != nil {
			return
		}
		switch {
		case bytes.HasPrefix(b, []byte("40")):
			var auth map[string]any
			_ = json.Unmarshal(b[2:], &auth)
			f.mu.Lock()
			f.auths = append(f.auths, auth)
			if f.refuse != "" {
				_ = ws.Write(ctx, websocket.MessageText, []byte("44"+f.refuse))
				f.mu.Unlock()
				continue
			}
			pid, from := fmt.Sprintf("pid%d", len(f.auths)), len(f.log)
			if auth["pid"] != nil && !f.forget {
				pid = auth["pid"].(string)
				from = 0
				if o, ok := auth["offset"].(string); ok {
					_, _ = fmt.Sscan(o, &from)
					from++
				}
			}
			f.forget = false
			_ = ws.Write(ctx, websocket.MessageText, []byte(`2`))
			_ = ws.Write(ctx, websocket.MessageText, []byte(`40{"sid":"s","pid":"`+pid+`"}`))
			for i := from; i < len(f.log); i++ {
				_ = ws.Write(ctx, websocket.MessageText, f.frame(i))
			}
			f.live = ws
			f.mu.Unlock()
			f.connected <- struct{}{}
		case bytes.HasPrefix(b, []byte("41")):
			f.mu.Lock()
			f.goodbyes++
			f.mu.Unlock()
			return
		case bytes.HasPrefix(b, []byte("42")):
			id, rest, _ := strings.Cut(string(b[2:]), "[")
			if strings.Contains(rest, "silent") {
				continue
			}
			answer := `[{"success":true}]`
			if strings.Contains(rest, "secret-room") {
				answer = `[{"success":false,"code":"UNAUTHORIZED","message":"not yours"}]`
			}
			_ = ws.Write(ctx, websocket.MessageText, []byte("43"+id+answer))
		}
	}
}

func (f *feed) frame(i int) []byte {
	return []byte(fmt.Sprintf(`42["n",{"n":%s},"%d"]`, f.log[i], i))
}

// tell broadcasts; whoever is not connected gets it on return.
func (f *feed) tell(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, fmt.Sprint(n))
	if f.live != nil {
		_ = f.live.Write(context.Background(), websocket.MessageText, f.frame(len(f.log)-1))
	}
}

// cut breaks the connection.
func (f *feed) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.live.CloseNow()
	f.live = nil
}

func (f *feed) raw(s string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.live.Write(context.Background(), websocket.MessageText, []byte(s))
}

func await[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(time.Minute):
		t.Fatalf("waited in vain for %s", what)
	}
	panic("unreachable")
}

func watch(t *testing.T, f *feed, opts ...Option) (*Client, chan int) {
	t.Helper()
	c, _ := client(t, f.URL, opts...)
	got := make(chan int, 10000)
	Handle(c.Realtime, "n", func(v struct{ N int }) { got <- v.N })
	t.Cleanup(c.Realtime.Close)
	return c, got
}

func TestAFeedResumesWithoutGapOrRepeat(t *testing.T) {
	f := newFeed(t)
	c, got := watch(t, f)
	met := make(chan Connected, 10)
	c.Realtime.OnConnect(func(m Connected) { met <- m })
	if err := c.Realtime.Connect(ctx(t)); err != nil {
		t.Fatal(err)
	}
	await(t, "the connection", f.connected)
	if m := await(t, "the first connection", met); !m.First || m.Recovered {
		t.Errorf("%+v", m)
	}
	for n := range 5 {
		f.tell(n)
	}
	for n := range 5 {
		if v := await(t, "an event", got); v != n {
			t.Fatalf("got %d, want %d", v, n)
		}
	}
	f.cut()
	for n := 5; n < 9; n++ {
		f.tell(n)
	}
	await(t, "the connection again", f.connected)
	if m := await(t, "the second connection", met); m.First || !m.Recovered {
		t.Errorf("%+v", m)
	}
	f.tell(9)
	for n := 5; n < 10; n++ {
		if v := await(t, "an event", got); v != n {
			t.Fatalf("got %d, want %d", v, n)
		}
	}
	f.mu.Lock()
	a := f.auths
	f.mu.Unlock()
	if a[0]["apiKey"] != "erix_test" || a[0]["clientCode"] != "ERIX_CLNT_AAAAAA" || a[0]["pid"] != nil || a[1]["pid"] != "pid1" || a[1]["offset"] != "4" {
		t.Errorf("%v", a)
	}

	// A server that has forgotten the client says so, and the old offset is gone.
	f.mu.Lock()
	f.forget = true
	f.mu.Unlock()
	f.cut()
	await(t, "the connection again", f.connected)
	if m := await(t, "the third connection", met); m.First || m.Recovered {
		t.Errorf("%+v", m)
	}
	f.cut()
	await(t, "the connection again", f.connected)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.auths[3]["pid"] != "pid3" || f.auths[3]["offset"] != nil {
		t.Errorf("%v", f.auths[3])
	}
}

func TestCallbacksRunInOrderAndMayPanic(t *testing.T) {
	var logged bytes.Buffer
	f := newFeed(t)
	c, got := watch(t, f, WithLogger(slog.New(slog.NewTextHandler(&logged, nil))))
	r := c.Realtime
	var every []string
	done := make(chan struct{})
	r.On("n", func(e Event) {
		if len(e.Args) != 1 {
			t.Errorf("%d arguments; the offset is no argument", len(e.Args))
		}
		panic("boom")
	})
	all := r.On("*", func(e Event) {
		if every = append(every, e.Name); e.Name == "last" {
			close(done)
		}
	})
	off := r.On("n", func(Event) { t.Error("called after Off") })
	off.Off()
	r.On("gone", func(Event) { t.Error("called after Off") })
	r.Off("gone")
	if err := r.Connect(ctx(t)); err != nil {
		t.Fatal(err)
	}
	await(t, "the connection", f.connected)
	f.tell(1)
	f.raw(`42["gone"]`)
	f.raw(`2`)
	f.raw(`42["last"]`)
	await(t, "the last event", done)
	all.Off()
	if v := await(t, "the event", got); v != 1 || !slices.Equal(every, []string{"n", "gone", "last"}) {
		t.Errorf("%d, %v", v, every)
	}
	r.Close()
	await(t, "the end", r.Done())
	if !strings.Contains(logged.String(), "boom") {
		t.Errorf("the panic was not logged: %s", logged.String())
	}
}

func TestEmitWaitsForTheAnswer(t *testing.T) {
	f := newFeed(t)
	c, _ := watch(t, f)
	r := c.Realtime
	open := make(chan Connected, 10)
	r.OnConnect(func(m Connected) { open <- m })
	if _, err := r.Emit(ctx(t), "x"); !errors.Is(err, ErrDisconnected) {
		t.Error(err)
	}
	if err := r.Connect(ctx(t)); err != nil {
		t.Fatal(err)
	}
	await(t, "the connection", f.connected)
	if err := r.Connect(ctx(t)); err == nil {
		t.Error("connected twice")
	}
	for range 3 {
		if a, err := r.Emit(ctx(t), "x", map[string]int{"a": 1}); err != nil || string(a[0]) != `{"success":true}` {
			t.Errorf("%s %v", a, err)
		}
	}
	if err := r.JoinRoom(ctx(t), "room"); err != nil {
		t.Error(err)
	}
	var e *APIError
	if err := r.JoinRoom(ctx(t), "secret-room"); !errors.As(err, &e) || e.Code != CodeUnauthorized || e.Message != "not yours" {
		t.Error(err)
	}
	lost := make(chan error, 1)
	go func() { _, err := r.Emit(context.Background(), "silent"); lost <- err }()
	r.mu.Lock()
	conn := r.conn
	r.mu.Unlock()
	for { // until the call waits
		conn.mu.Lock()
		n := len(conn.acks)
		conn.mu.Unlock()
		if n == 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	f.cut()
	if err := await(t, "the call's end", lost); !errors.Is(err, ErrDisconnected) {
		t.Error(err)
	}
	for await(t, "the connection again", open).First {
	}
	r.Close()
	await(t, "the end", r.Done())
	if _, err := r.Emit(ctx(t), "x"); !errors.Is(err, ErrClosed) || r.Err() != nil {
		t.Error(err, r.Err())
	}
	if err := r.Connect(ctx(t)); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		f.mu.Lock()
		n := f.goodbyes
		f.mu.Unlock()
		if n == 1 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no goodbye was said")
		}
	}
}

func TestARefusedKey(t *testing.T) {
	f := newFeed(t)
	f.refuse = `{"message":"Unauthorized","data":{"code":"unauthorized"}}`
	c, _ := watch(t, f)
	var auth *AuthenticationError
	if err := c.Realtime.Connect(ctx(t)); !errors.As(err, &auth) || auth.Code != CodeUnauthorized {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.refuse = ""
	f.mu.Unlock()
	if err := c.Realtime.Connect(ctx(t)); err != nil { // it may be tried again
		t.Fatal(err)
	}
	await(t, "the connection", f.connected)
	// A key that is revoked while the feed is open ends it.
	f.mu.Lock()
	f.refuse = `{"message":"Unauthorized"}`
	f.mu.Unlock()
	f.cut()
	await(t, "the end", c.Realtime.Done())
	if err := c.Realtime.Err(); !errors.As(err, &auth) {
		t.Error(err)
	}
}

func TestTheServerMayEndAFeed(t *testing.T) {
	f := newFeed(t)
	c, _ := watch(t, f)
	told := make(chan error, 1)
	c.Realtime.OnDisconnect(func(err error) { told <- err })
	if err := c.Realtime.Connect(ctx(t)); err != nil {
		t.Fatal(err)
	}
	await(t, "the connection", f.connected)
	f.raw("41")
	if err := await(t, "the word", told); err == nil {
		t.Error("no reason")
	}
	await(t, "the end", c.Realtime.Done())
	if err := c.Realtime.Err(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestCallbacksThatLagLoseNothing(t *testing.T) {
	f := newFeed(t)
	c, _ := client(t, f.URL)
	t.Cleanup(c.Realtime.Close)
	const n = maxWaiting * 2
	gate, done := make(chan struct{}), make(chan struct{})
	next := 0
	Handle(c.Realtime, "n", func(v struct{ N int }) {
		if next == 0 {
			<-gate
		}
		if v.N != next {
			t.Errorf("got %d, want %d", v.N, next)
		}
		if next++; next == n {
			close(done)
		}
	})
	interrupted := make(chan error, 100)
	c.Realtime.OnDisconnect(func(err error) { interrupted <- err })
	if err := c.Realtime.Connect(ctx(t)); err != nil {
		t.Fatal(err)
	}
	await(t, "the connection", f.connected)
	go func() {
		for i := range n {
			f.tell(i)
		}
	}()
	for c.Realtime.waiting() < maxWaiting { // the queue is full
		time.Sleep(time.Millisecond)
	}
	close(gate)
	await(t, "every event", done)
	if err := <-interrupted; !errors.Is(err, errSlow) {
		t.Error(err)
	}
}

func TestWhatIsNoSocketIO(t *testing.T) {
	for _, b := range []string{"", "9", "2/other,[1]", "2[", `2{"a":1}`, `2[1]`, "212345678901234567890[1]"} {
		p, err := parsePacket([]byte(b))
		if err == nil {
			_, _, err = p.event()
		}
		if !errors.Is(err, errPacket) {
			t.Errorf("%q: %+v %v", b, p, err)
		}
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }))
	defer s.Close()
	c, _ := client(t, s.URL)
	var e *APIError
	if err := c.Realtime.Connect(ctx(t)); !errors.As(err, &e) || e.Status != 503 {
		t.Error(err)
	}
}

func FuzzPacket(f *testing.F) {
	for _, s := range []string{`0{"sid":"x"}`, `2["a",{"b":1},"3.4"]`, `31[]`, `4{"message":"no"}`, `2/,5["a"]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		if p, err := parsePacket(b); err == nil {
			_, _, _ = p.event()
		}
	})
}
