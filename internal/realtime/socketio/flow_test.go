package socketio

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/clock"
)

func only(t *testing.T, s *Server) *session {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sessions) != 1 {
		t.Fatalf("%d sessions, want one", len(s.sessions))
	}
	for _, sess := range s.sessions {
		return sess
	}
	return nil
}

// look reads a field of a session under its lock.
func look[T any](s *session, f func() T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f()
}

func TestHeartbeat(t *testing.T) {
	fake := clock.NewFake(time.Unix(1_800_000_000, 0))
	reasons := make(chan string, 1)
	s, url := start(t, Options{Clock: fake, OnDisconnect: func(_ context.Context, _ *Socket, r string) { reasons <- r }})
	p := join(t, url, "")
	sess := only(t, s)
	for range 3 {
		eventually(t, "no ping is awaited", func() bool { return look(sess, func() bool { return !sess.pinged }) })
		fake.Advance(DefaultPingInterval - time.Millisecond)
		if look(sess, func() bool { return sess.pinged }) {
			t.Fatal("pinged too early")
		}
		fake.Advance(time.Millisecond)
		p.want("2")
		fake.Advance(DefaultPingTimeout - time.Millisecond)
		p.write("3")
	}
	eventually(t, "the pong has come", func() bool { return look(sess, func() bool { return !sess.pinged }) })
	fake.Advance(DefaultPingInterval)
	p.want("2")
	fake.Advance(DefaultPingTimeout)
	if got := <-reasons; got != ReasonPingTimeout {
		t.Fatalf("reason is %q", got)
	}
	if _, err := p.tryRead(); err == nil {
		t.Fatal("the connection is still open")
	}
}

func TestConnectTimeout(t *testing.T) {
	fake := clock.NewFake(time.Unix(1_800_000_000, 0))
	s, url := start(t, Options{Clock: fake, PingInterval: time.Hour})
	idle, busy := dial(t, url), join(t, url, "")
	fake.Advance(DefaultConnectTimeout)
	if msg, err := idle.tryRead(); err == nil {
		t.Fatalf("read %q", msg)
	}
	eventually(t, "the idle connection is gone", func() bool { return s.Stats().Connections == 1 })
	fake.Advance(2*time.Hour - DefaultConnectTimeout)
	busy.want("2")
}

func TestGoodbyeIsNotAwaitedForever(t *testing.T) {
	fake := clock.NewFake(time.Unix(1_800_000_000, 0))
	s, url := start(t, Options{Clock: fake})
	join(t, url, "") // never reads again, so never answers
	sess := only(t, s)
	closed := make(chan error, 1)
	go func() { closed <- s.Close(context.Background()) }()
	eventually(t, "the session is closing", func() bool { return look(sess, func() bool { return sess.state == stateClosing }) })
	fake.Advance(closeWait)
	select {
	case err := <-closed:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(4 * time.Second): // the library alone would wait for 5 s
		t.Fatal("Close still waits")
	}
}

func TestSlowClientIsCutAlone(t *testing.T) {
	reasons := make(chan string, 2)
	s, url := start(t, Options{
		Authenticate: byRoom,
		SendQueue:    4,
		OnDisconnect: func(_ context.Context, k *Socket, r string) {
			reasons <- k.Session().(map[string]any)["n"].(string) + ": " + r
		},
	})
	fast, _ := join(t, url, `{"room":"r","n":"fast"}`), join(t, url, `{"room":"r","n":"slow"}`)
	fast.conn.SetReadLimit(-1)
	big := strings.Repeat("x", 500_000)
	sent := 0
	for ; s.Stats().Dropped == 0; sent++ {
		if sent == 1000 {
			t.Fatal("the slow client took 500 MB")
		}
		before := time.Now()
		s.Emit("r", "big", sent, big)
		if took := time.Since(before); took > 20*time.Second {
			t.Fatalf("Emit took %s", took)
		}
		if got, want := fast.read(), fmt.Sprintf(`42["big",%d,`, sent); !strings.HasPrefix(got, want) {
			t.Fatalf("the fast client read %.40q, want %s", got, want)
		}
	}
	if got := <-reasons; got != "slow: "+ReasonSlow {
		t.Fatal(got)
	}
	eventually(t, "the slow client has left the room", func() bool { return s.Stats().Connections == 1 })
	if n := s.Emit("r", "on"); n != 1 {
		t.Fatalf("delivered %d", n)
	}
	fast.want(`42["on"]`)
}

func TestEventsWaitInOrderAndBounded(t *testing.T) {
	const events = 3 * maxWaitingCalls
	gate := make(chan struct{})
	var got []string
	done := make(chan struct{})
	s, url := start(t, Options{OnEvent: func(_ context.Context, _ *Socket, _ string, args []json.RawMessage, _ func(...any)) {
		<-gate
		if got = append(got, string(args[0])); len(got) == events {
			close(done)
		}
	}})
	p := join(t, url, "")
	sess := only(t, s)
	for i := range events {
		p.write(fmt.Sprintf(`42["n",%d]`, i))
	}
	eventually(t, "the queue is full", func() bool { return look(sess, func() bool { return len(sess.calls.waiting) == maxWaitingCalls }) })
	for range events {
		gate <- struct{}{}
		if n := look(sess, func() int { return len(sess.calls.waiting) }); n > maxWaitingCalls {
			t.Fatalf("%d events wait", n)
		}
	}
	<-done
	for i, g := range got {
		if g != fmt.Sprint(i) {
			t.Fatalf("event %d is %s", i, g)
		}
	}
}

func TestWaitingEventsAreBoundedInBytes(t *testing.T) {
	gate := make(chan struct{})
	var ran sync.WaitGroup
	ran.Add(10)
	s, url := start(t, Options{MaxPayload: 1000, OnEvent: func(context.Context, *Socket, string, []json.RawMessage, func(...any)) {
		<-gate
		ran.Done()
	}})
	p := join(t, url, "")
	sess := only(t, s)
	for range 10 {
		p.write(`42["n","` + strings.Repeat("x", 400) + `"]`)
	}
	eventually(t, "two of 409 bytes wait", func() bool { return look(sess, func() bool { return len(sess.calls.waiting) == 2 }) })
	for range 10 {
		gate <- struct{}{}
		if n := look(sess, func() int64 { return sess.calls.bytes }); n > 1000 {
			t.Fatalf("%d bytes wait", n)
		}
	}
	ran.Wait()
}

// A connection that ends while its reader is held back must not stay.
func TestHeldBackReaderEnds(t *testing.T) {
	gate := make(chan struct{})
	ended := make(chan string, 1)
	s, url := start(t, Options{
		OnEvent:      func(context.Context, *Socket, string, []json.RawMessage, func(...any)) { <-gate },
		OnDisconnect: func(_ context.Context, _ *Socket, r string) { ended <- r },
	})
	p := join(t, url, "")
	sess := only(t, s)
	for range 2 * maxWaitingCalls {
		p.write(`42["n"]`)
	}
	eventually(t, "the queue is full", func() bool { return look(sess, func() bool { return len(sess.calls.waiting) == maxWaitingCalls }) })
	sess.kill(ReasonSlow)
	eventually(t, "the connection is gone", func() bool { return s.Stats().Connections == 0 })
	select {
	case r := <-ended:
		t.Fatalf("OnDisconnect (%s) came during OnEvent", r)
	default:
	}
	close(gate)
	if r := <-ended; r != ReasonSlow {
		t.Fatalf("reason is %q", r)
	}
}

// A client hears that it is connected before any event, and misses none after.
func TestConnectComesFirstAndNothingIsMissed(t *testing.T) {
	s, url := start(t, Options{Authenticate: byRoom})
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				s.Emit("r", "noise")
				time.Sleep(20 * time.Microsecond)
			}
		}
	}()
	for range 100 {
		p := join(t, url, `{"room":"r"}`) // fails unless CONNECT is the first answer
		if n := s.Emit("r", "mark"); n < 1 {
			t.Fatal("a client that is connected was missed")
		}
		for p.read() != `42["mark"]` {
		}
		_ = p.conn.CloseNow()
	}
	close(stop)
	<-stopped
}

func TestManyAtOnce(t *testing.T) {
	s, url := start(t, Options{Authenticate: byRoom, OnEvent: func(_ context.Context, k *Socket, name string, _ []json.RawMessage, ack func(...any)) {
		k.Join(name)
		_ = k.Emit("hi")
		k.Rooms()
		k.Leave(name)
		ack()
	}})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 5 {
				p := join(t, url, fmt.Sprintf(`{"room":"%d"}`, i%3))
				p.write(fmt.Sprintf(`420["%d"]`, j%2))
				for !strings.HasPrefix(p.read(), "430[]") {
				}
				s.Emit("0", "x", j)
				s.Emit("1", "y")
				s.Stats()
				if j%2 == 0 {
					p.write("41")
				}
				_ = p.conn.CloseNow()
			}
		})
	}
	wg.Wait()
	eventually(t, "everybody is gone", func() bool { return s.Stats() == Stats{} })
}
