package realtime

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"parley/internal/clock"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/realtime/socketio"
	"parley/internal/secret"
	"parley/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

var bg = context.Background()

// plain is a face of three messages for each event: one for the tenant's room,
// one that is never there, and one for the tenant's room and the room that the
// event names.
type plain struct {
	mu       sync.Mutex
	tenants  map[string]id.ID
	revoked  map[string]bool
	made     atomic.Int64
	breaking atomic.Bool
}

func (f *plain) Admit(_ context.Context, h socketio.Handshake) (Guest, error) {
	key, _ := h.Auth["key"].(string)
	if key == "" {
		return Guest{}, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return Guest{Tenant: f.tenants[key], Token: key}, nil
}

func (f *plain) Check(_ context.Context, token string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.revoked[token] {
		return fault.New(fault.Unauthorized, "revoked")
	}
	return nil
}

func (f *plain) Translate(e event.Event) []Push {
	if e.Type != "n.happened" {
		return nil
	}
	body := func(name string) func(context.Context) (Body, error) {
		return func(context.Context) (Body, error) {
			f.made.Add(1)
			if f.breaking.Load() {
				return Body{}, fmt.Errorf("the database is away")
			}
			b := Body{Args: []any{map[string]string{"n": e.Changed[0] + name}}}
			if name == "c" {
				b.Rooms = []string{e.Subject.String()}
			}
			return b, nil
		}
	}
	gone := func(context.Context) (Body, error) { return Body{}, fault.Unknown("row") }
	return []Push{{Event: "n", Make: body("a")}, {Event: "never", Make: gone}, {Event: "n", Narrow: true, Make: body("c")}}
}

func (f *plain) SocketEvent(ctx context.Context, s *Seat, name string, args []json.RawMessage, ack func(args ...any)) {
	var room, after string
	_ = json.Unmarshal(args[0], &room)
	if len(args) > 1 {
		_ = json.Unmarshal(args[1], &after)
	}
	if name == "leave" {
		s.Leave(room)
		ack("left")
		return
	}
	if key, ok := strings.CutPrefix(room, "key "); ok {
		f.mu.Lock()
		tenant := f.tenants[key]
		f.mu.Unlock()
		if !s.Enter(Guest{Tenant: tenant, Token: key}) {
			ack("another's")
			return
		}
		room = ""
	}
	j, err := s.Join(ctx, room, after)
	if err != nil {
		ack(err.Error())
		return
	}
	ack(j.Offset, j.Recovered)
}

// node is one server over a database.
type node struct {
	d    *Dispatcher
	url  string
	stop func()
}

var box, _ = secret.NewBox([]byte(strings.Repeat("k", secret.KeySize)))

func newNode(t testing.TB, db *store.DB, f Face) *node {
	t.Helper()
	n := &node{}
	s := socketio.New(socketio.Options{Clock: db.Clock(), SendQueue: 64, PingInterval: 24 * time.Hour,
		Authenticate: func(ctx context.Context, h socketio.Handshake) (socketio.Entry, error) { return n.d.Handshake(ctx, h) },
		OnEvent: func(ctx context.Context, k *socketio.Socket, name string, args []json.RawMessage, ack func(...any)) {
			n.d.SocketEvent(ctx, k, name, args, ack)
		}})
	n.d = New(db, s, f, box, slog.New(slog.DiscardHandler))
	h := httptest.NewServer(s)
	n.url = "ws" + strings.TrimPrefix(h.URL, "http") + "/socket.io/?EIO=4&transport=websocket"
	ctx, cancel := context.WithCancel(bg)
	var running sync.WaitGroup
	running.Go(func() {
		if err := n.d.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	var once sync.Once
	n.stop = func() {
		once.Do(func() {
			cancel()
			running.Wait()
			end, over := context.WithTimeout(bg, patience)
			defer over()
			if err := s.Close(end); err != nil {
				t.Error(err)
			}
			h.Close()
		})
	}
	t.Cleanup(n.stop)
	return n
}

// world is a database with a feed and tenants.
type world struct {
	t    testing.TB
	db   *store.DB
	log  *event.Log
	face *plain
}

func newWorld(t testing.TB, db *store.DB, tenants ...string) *world {
	w := &world{t: t, db: db, log: event.NewLog(), face: &plain{tenants: map[string]id.ID{}, revoked: map[string]bool{}}}
	for _, name := range tenants {
		w.face.tenants[name] = id.New()
	}
	return w
}

// add writes event n of a tenant about a room.
func (w *world) add(tenant string, n int, room id.ID) {
	w.t.Helper()
	w.write(tenant, "n.happened", strconv.Itoa(n), room)
}

func (w *world) write(tenant, typ, n string, room id.ID) {
	if room.IsZero() {
		room = id.New()
	}
	err := w.db.Write(bg, w.face.tenants[tenant], func(tx *store.Tx) error {
		_, err := w.log.Append(tx, event.New{Type: typ, Subject: room, Changed: []string{n}, Actor: "system"})
		return err
	})
	if err != nil {
		w.t.Error(err)
	}
}

// told waits until a node has told all that is written.
func (w *world) told(n *node) {
	w.t.Helper()
	end, err := event.End(w.db.Read(bg, id.Zero))
	if err != nil {
		w.t.Fatal(err)
	}
	eventually(w.t, "the node has told the feed", func() bool {
		at, _ := n.d.position(bg)
		return !at.Before(end)
	})
}

// ticking advances a clock until the returned function is called.
func ticking(fake *clock.Fake, step time.Duration) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
				fake.Advance(step)
			}
		}
	}()
	return func() { close(done); <-ended }
}

// guest is a client with bare packets that keeps what connection state recovery
// keeps: the pid and the last offset.
type guest struct {
	t           testing.TB
	conn        *websocket.Conn
	pid, offset string
	recovered   bool
	heard       []string // the n of every message, in order
	acks        []string
}

func (g *guest) connect(url string, auth map[string]any) {
	g.t.Helper()
	if g.pid != "" {
		auth["pid"] = g.pid
		if g.offset != "" {
			auth["offset"] = g.offset
		}
	}
	ctx, cancel := context.WithTimeout(bg, patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	g.conn = conn
	g.t.Cleanup(func() { _ = conn.CloseNow() })
	b, _ := json.Marshal(auth)
	g.write("40" + string(b))
	for {
		msg := g.packet()
		if rest, ok := strings.CutPrefix(msg, "40"); ok {
			var hello struct{ PID string }
			_ = json.Unmarshal([]byte(rest), &hello)
			g.recovered = hello.PID != "" && hello.PID == g.pid
			g.pid = hello.PID
			return
		}
		if strings.HasPrefix(msg, "44") {
			g.t.Fatalf("refused: %s", msg)
		}
	}
}

func (g *guest) write(msg string) {
	g.t.Helper()
	if err := g.conn.Write(bg, websocket.MessageText, []byte(msg)); err != nil {
		g.t.Fatal(err)
	}
}

func (g *guest) packet() string {
	g.t.Helper()
	msg, err := g.tryPacket()
	if err != nil {
		g.t.Fatalf("%v; heard %d: %v", err, len(g.heard), last(g.heard, 5))
	}
	return msg
}

// tryHear is hear for a connection that may have ended.
func (g *guest) tryHear() error {
	msg, err := g.tryPacket()
	if err == nil {
		g.take(msg)
	}
	return err
}

func (g *guest) tryPacket() (string, error) {
	ctx, cancel := context.WithTimeout(bg, patience)
	defer cancel()
	_, b, err := g.conn.Read(ctx)
	return string(b), err
}

// hear takes one message.
func (g *guest) hear() (name string, args []any) {
	g.t.Helper()
	for name == "" {
		name, args = g.take(g.packet())
	}
	return name, args
}

func (g *guest) take(msg string) (name string, args []any) {
	switch {
	case strings.HasPrefix(msg, "43"):
		g.acks = append(g.acks, strings.TrimLeft(msg[2:], "0123456789"))
		return "ack", nil
	case strings.HasPrefix(msg, "42"):
		var all []any
		if err := json.Unmarshal([]byte(msg[2:]), &all); err != nil {
			g.t.Error(err)
			return "", nil
		}
		name, args = all[0].(string), all[1:]
		if g.pid != "" {
			g.offset = args[len(args)-1].(string)
		}
		if name == "n" {
			g.heard = append(g.heard, args[0].(map[string]any)["n"].(string))
		}
	}
	return name, args
}

// until hears on until that message, which it returns the offset of.
func (g *guest) until(n string) (offset string) {
	g.t.Helper()
	for len(g.heard) == 0 || g.heard[len(g.heard)-1] != n {
		_, args := g.hear()
		if len(args) > 0 {
			offset, _ = args[len(args)-1].(string)
		}
	}
	return offset
}

// ask emits an event and waits for the answer.
func (g *guest) ask(name string, args ...string) string {
	g.t.Helper()
	b, _ := json.Marshal(append([]string{name}, args...))
	g.write("427" + string(b))
	for n := len(g.acks); len(g.acks) == n; {
		g.hear()
	}
	return g.acks[len(g.acks)-1]
}

func (g *guest) hangUp() { _ = g.conn.CloseNow() }

func last[T any](s []T, n int) []T { return s[max(0, len(s)-n):] }

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not: %s", what)
		}
	}
}
