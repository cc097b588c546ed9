package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
)

// pipe is a transport that keeps what is written.
type pipe struct {
	mu     sync.Mutex
	out    []string
	code   int
	broken error
	ended  chan struct{}
	once   sync.Once
}

var _ transport = (*pipe)(nil)

func newPipe() *pipe { return &pipe{ended: make(chan struct{})} }

func (p *pipe) write(next func() ([]byte, bool)) error {
	for {
		b, ok := next()
		if !ok {
			return nil
		}
		if p.broken != nil {
			return p.broken
		}
		p.mu.Lock()
		p.out = append(p.out, string(b))
		p.mu.Unlock()
	}
}

func (p *pipe) close(code int, _ string) {
	p.mu.Lock()
	p.code = code
	p.mu.Unlock()
	p.kill()
}

func (p *pipe) kill() { p.once.Do(func() { close(p.ended) }) }

// attach puts a session over p, as ServeHTTP does over a WebSocket.
func attach(t testing.TB, s *Server, p *pipe) *session {
	if f := s.reserve(); f != nil {
		t.Fatal(f.Message)
	}
	sess := newSession(s, newID(), p, &Handshake{})
	s.admit(sess)
	sess.open()
	go func() {
		<-p.ended
		sess.finish(ReasonTransportClose)
	}()
	return sess
}

func TestBrokenTransportEndsTheSession(t *testing.T) {
	s := New(Options{})
	p := newPipe()
	p.broken = errors.New("broken")
	attach(t, s, p)
	eventually(t, "the session is gone", func() bool { return s.Stats().Connections == 0 })
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// The queue reuses its memory: a session that is always one message behind
// must not grow.
func TestQueueDoesNotGrow(t *testing.T) {
	s := &session{}
	s.push([]byte("0"))
	for range 100_000 {
		s.push([]byte("1"))
		if _, ok := s.next(); !ok {
			t.Fatal("the queue is empty")
		}
	}
	if c := cap(s.queue); c > 8 || len(s.queue)-s.head != 1 {
		t.Fatalf("the queue holds %d of %d", len(s.queue)-s.head, c)
	}
}

// Whatever a client sends, in whatever order, nothing panics and the session
// ends cleanly. Messages are separated by new lines; a leading 0x01 makes one
// binary.
func FuzzSession(f *testing.F) {
	for _, s := range []string{
		"40\n42[\"a\"]\n41", "40{\"k\":1}\n420[\"a\",{}]\n3\n6\n1", "40/x,\n40\n40", "2\n5", "\x01abc", "4", "40\n430[]\n43[]", "40\n451-[\"a\"]", "42[\"early\"]",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		var panicked bool
		s := New(Options{
			MaxPayload: 1 << 20,
			OnEvent: func(_ context.Context, k *Socket, name string, args []json.RawMessage, ack func(...any)) {
				k.Join(name)
				ack(args)
			},
			Logger: panicLogger(&panicked),
		})
		p := newPipe()
		sess := attach(t, s, p)
		for len(script) > 0 {
			n := 0
			for n < len(script) && script[n] != '\n' {
				n++
			}
			msg := script[:n]
			script = script[min(n+1, len(script)):]
			binary := len(msg) > 0 && msg[0] == 1
			sess.receive(msg, binary)
			clear(msg) // it was only lent
		}
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if panicked {
			t.Fatal("a panic was caught")
		}
		if s.Stats() != (Stats{}) {
			t.Fatalf("stats are %+v", s.Stats())
		}
		if len(p.out) > 0 && p.out[0][0] != engineOpen {
			t.Fatalf("the first message is %s", p.out[0])
		}
		for _, m := range p.out {
			if m[0] == engineOpen || m[0] == enginePing || len(m) < 2 {
				continue
			}
			if !json.Valid([]byte(payloadOf(m))) {
				t.Fatalf("sent %q", m)
			}
		}
	})
}

// payloadOf returns the JSON of a message that the server sent, null without.
func payloadOf(m string) string {
	m = m[2:]
	if m != "" && m[0] == '/' {
		i := strings.IndexByte(m, ',')
		m = m[i+1:]
	}
	if m = strings.TrimLeft(m, "0123456789"); m == "" {
		return "null"
	}
	return m
}

// panicLogger notes whether the session layer caught a panic.
func panicLogger(seen *bool) *slog.Logger {
	return slog.New(panicHandler{slog.DiscardHandler, seen})
}

type panicHandler struct {
	slog.Handler
	seen *bool
}

func (h panicHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h panicHandler) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		*h.seen = true
	}
	return nil
}

// The answer to CONNECT waits until the rooms are joined, even when something
// else is sent meanwhile.
func TestConnectIsAnsweredAfterTheRoomsAreJoined(t *testing.T) {
	s := New(Options{Authenticate: byRoom})
	p := newPipe()
	sess := attach(t, s, p)
	out := func() []string {
		p.mu.Lock()
		defer p.mu.Unlock()
		return slices.Clone(p.out)
	}
	eventually(t, "the handshake is sent", func() bool { return len(out()) == 1 })
	s.hub.mu.Lock() // nobody can join
	sess.receive([]byte(`40{"room":"r"}`), false)
	eventually(t, "the client is let in", func() bool { return look(sess, func() bool { return sess.connectState == connectDone }) })
	sess.enqueue(pingPacket)
	eventually(t, "the writer has nothing to do", func() bool { return look(sess, func() bool { return !sess.writing }) })
	if got := out(); len(got) != 1 {
		t.Fatalf("sent %q before the room was joined", got)
	}
	s.hub.mu.Unlock()
	eventually(t, "the rest is sent", func() bool { return len(out()) == 3 })
	if got := out(); !strings.HasPrefix(got[1], "40{") || got[2] != "2" {
		t.Fatalf("sent %q", got)
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}
