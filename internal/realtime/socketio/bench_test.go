package socketio

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// crowd is how many clients the benchmarks connect.
var crowd = 1000

// thin is a client that costs next to nothing, so that what is measured is the
// server: it upgrades by hand and sends unmasked bytes under a mask of zero.
func thin(t testing.TB, addr string, first string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "GET %s?EIO=4&transport=websocket HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", DefaultPath, addr)
	head := make([]byte, 0, 512)
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		var b [1]byte
		if _, err := c.Read(b[:]); err != nil {
			t.Fatalf("%v after %q", err, head)
		}
		head = append(head, b[0])
	}
	if first != "" {
		if _, err := c.Write(append([]byte{0x81, 0x80 | byte(len(first)), 0, 0, 0, 0}, first...)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// skipFrames reads n frames of less than 126 bytes.
func skipFrames(t testing.TB, c net.Conn, n int) {
	t.Helper()
	for range n {
		var h [2]byte
		if _, err := io.ReadFull(c, h[:]); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, c, int64(h[1])); err != nil {
			t.Fatal(err)
		}
	}
}

// bare is the bound: the same WebSocket library with nothing around it.
type bare struct {
	mu    sync.Mutex
	conns []*websocket.Conn
}

func (s *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	s.mu.Lock()
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	for {
		if _, _, err := c.Read(context.Background()); err != nil {
			_ = c.CloseNow()
			return
		}
	}
}

// emit writes to all from as many goroutines as there are processors.
func (s *bare) emit(b *testing.B, msg []byte) {
	var wg sync.WaitGroup
	n := runtime.GOMAXPROCS(0)
	for i := range n {
		wg.Go(func() {
			for j := i; j < len(s.conns); j += n {
				if err := s.conns[j].Write(context.Background(), websocket.MessageText, msg); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// rig is a server with its crowd connected.
type rig struct {
	conns []net.Conn
	emit  func(b *testing.B)
	stop  func()
}

var benchPayload = json.RawMessage(`{"messageId":"65f1c0ffee65f1c0ffee65f1","leadId":"65f1c0ffee65f1c0ffee65f2","type":"text","name":"Anna Example","body":"` +
	strings.Repeat("hello ", 20) + `","timestamp":"2026-01-02T03:04:05.000Z"}`)

func benchMessage() []byte {
	m, _ := encodeEvent("whatsapp.message_received", 0, false, []any{benchPayload})
	return m
}

func bareRig(t testing.TB) *rig {
	s := &bare{}
	h := httptest.NewServer(s)
	r := &rig{emit: func(b *testing.B) { s.emit(b, benchMessage()) }}
	for range crowd {
		r.conns = append(r.conns, thin(t, h.Listener.Addr().String(), ""))
	}
	eventually(t, "all are connected", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.conns) == crowd })
	r.stop = func() { r.hangUp(); h.Close() }
	return r
}

func ourRig(t testing.TB) *rig {
	s := New(Options{
		SendQueue:    1 << 16, // the crowd shares two processors with the server: measure, do not cut
		Authenticate: func(context.Context, Handshake) (Entry, error) { return Entry{Rooms: []string{"r"}}, nil },
	})
	h := httptest.NewServer(s)
	r := &rig{emit: func(b *testing.B) {
		if n := s.EmitRaw("r", "whatsapp.message_received", benchPayload); n != crowd {
			b.Fatalf("delivered %d", n)
		}
	}}
	for range crowd {
		c := thin(t, h.Listener.Addr().String(), "40")
		skipFrames(t, c, 2)
		r.conns = append(r.conns, c)
	}
	r.stop = func() {
		r.hangUp()
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
		h.Close()
	}
	return r
}

// tcpRig is a crowd of connections that nobody serves.
func tcpRig(t testing.TB) *rig {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{}
	for range crowd {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		a, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		r.conns = append(r.conns, c, a)
	}
	r.stop = func() { r.hangUp(); l.Close() }
	return r
}

func (r *rig) hangUp() {
	for _, c := range r.conns {
		c.Close()
	}
}

// BenchmarkFanOut emits one event to a room of 1,000, until everybody has it.
func BenchmarkFanOut(b *testing.B) {
	for _, c := range []struct {
		name string
		rig  func(testing.TB) *rig
	}{{"bare", bareRig}, {"ours", ourRig}} {
		b.Run(c.name, func(b *testing.B) {
			r := c.rig(b)
			var bytesRead atomic.Int64
			var readers sync.WaitGroup
			for _, conn := range r.conns {
				readers.Go(func() {
					buf := make([]byte, 4096)
					for {
						n, err := conn.Read(buf)
						bytesRead.Add(int64(n))
						if err != nil {
							return
						}
					}
				})
			}
			size := int64(len(benchMessage()) + 4) // a frame's header is 4 bytes at this size
			await := func(events int) {
				for bytesRead.Load() < int64(events)*int64(crowd)*size {
					time.Sleep(50 * time.Microsecond)
				}
			}
			var inEmit time.Duration
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				await(i - 16)
				before := time.Now()
				r.emit(b)
				inEmit += time.Since(before)
			}
			await(b.N)
			b.StopTimer()
			b.ReportMetric(float64(b.N)*float64(crowd)/b.Elapsed().Seconds(), "deliveries/s")
			b.ReportMetric(float64(inEmit.Nanoseconds())/float64(b.N)/float64(crowd), "emit-ns/socket")
			r.stop()
			readers.Wait()
		})
	}
}

// BenchmarkIdleConnection measures the memory of 1,000 idle connections: heap
// and stacks of the process, the thin client's part included, which the case
// "tcp" shows alone.
func BenchmarkIdleConnection(b *testing.B) {
	for _, c := range []struct {
		name string
		rig  func(testing.TB) *rig
	}{{"tcp", tcpRig}, {"bare", bareRig}, {"ours", ourRig}} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				before, stacks, goroutines := footprint()
				r := c.rig(b)
				after, stacksAfter, goroutinesAfter := footprint()
				b.ReportMetric(float64(after-before)/float64(crowd), "heap-B/conn")
				b.ReportMetric(float64(stacksAfter-stacks)/float64(crowd), "stack-B/conn")
				b.ReportMetric(float64(goroutinesAfter-goroutines)/float64(crowd), "goroutines/conn")
				r.stop()
			}
		})
	}
}

// BenchmarkFiveThousand is BenchmarkIdleConnection at 5,000 connections, both
// ends in this process; "polling" are sessions between two polls.
func BenchmarkFiveThousand(b *testing.B) {
	defer func(n int) { crowd = n }(crowd)
	crowd = 5000
	for _, c := range []struct {
		name string
		rig  func(testing.TB) *rig
	}{{"tcp", tcpRig}, {"ours", ourRig}, {"polling", pollingRig}} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				before, stacks, goroutines := footprint()
				r := c.rig(b)
				after, stacksAfter, goroutinesAfter := footprint()
				b.ReportMetric(float64(after-before)/float64(crowd), "heap-B/conn")
				b.ReportMetric(float64(stacksAfter-stacks)/float64(crowd), "stack-B/conn")
				b.ReportMetric(float64(goroutinesAfter-goroutines)/float64(crowd), "goroutines/conn")
				r.stop()
			}
		})
	}
}

// pollingRig is a crowd of sessions that poll, between two polls.
func pollingRig(t testing.TB) *rig {
	s := New(Options{Authenticate: func(context.Context, Handshake) (Entry, error) { return Entry{Rooms: []string{"r"}}, nil }})
	ask := func(method, sid, body string) {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(method, DefaultPath+"?EIO=4&transport=polling"+sid, strings.NewReader(body)))
		if w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	for range crowd {
		ask("GET", "", "")
	}
	s.mu.Lock()
	var sids []string
	for sid := range s.sessions {
		sids = append(sids, "&sid="+sid)
	}
	s.mu.Unlock()
	for _, sid := range sids {
		ask("POST", sid, "40")
		ask("GET", sid, "")
	}
	return &rig{stop: func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}}
}

func footprint() (heap, stack int64, goroutines int) {
	for range 3 { // finalizers, pools, and stacks that shrink
		runtime.GC()
		time.Sleep(20 * time.Millisecond)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), int64(m.StackInuse), runtime.NumGoroutine()
}

// An idle connection holds one goroutine; a timer, a writer or a handler that
// stays would cost as much again.
func TestIdleConnectionHoldsOneGoroutine(t *testing.T) {
	s, url := start(t, Options{})
	addr := strings.TrimPrefix(url, "ws://")
	addr = addr[:strings.IndexByte(addr, '/')]
	const n = 50
	for range n {
		c := thin(t, addr, "40")
		skipFrames(t, c, 2)
		t.Cleanup(func() { c.Close() })
	}
	if got := s.Stats().Connections; got != n {
		t.Fatalf("%d connections", got)
	}
	eventually(t, "one goroutine for each connection, and the heartbeat's", func() bool { return ours() == n+1 })
}

// ours counts the goroutines that run code of this package or handle a
// request.
func ours() (n int) {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	for _, g := range strings.Split(string(buf), "\n\n") {
		if strings.Contains(g, "/socketio.(*") || strings.Contains(g, "net/http.(*conn).serve") {
			n++
		}
	}
	return n
}
