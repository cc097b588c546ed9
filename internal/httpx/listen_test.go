package httpx

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestServeDrains(t *testing.T) {
	entered, release, wsEnded := make(chan struct{}), make(chan struct{}), make(chan struct{})
	s, err := NewHandler(Options{Log: slog.New(slog.DiscardHandler)}, face("x", []string{"/"},
		Route{Method: "GET", Pattern: "/slow", Public: true, Handler: func(context.Context, *Request) (*Response, error) {
			close(entered)
			<-release
			return JSON(200, "done"), nil
		}},
		Route{Method: "GET", Pattern: "/fast", Public: true, Handler: echo},
		Route{Method: "GET", Pattern: "/healthz", Public: true, Always: true, Handler: echo},
		Route{Method: "GET", Pattern: "/ws", Public: true, Raw: func(w http.ResponseWriter, r *http.Request) {
			c, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
			rw.Flush()
			<-From(r.Context()).Draining()
			close(wsEnded)
		}},
	))
	if err != nil {
		t.Fatal(err)
	}
	ln := must(net.Listen("tcp", "127.0.0.1:0"))
	url := "http://" + ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(ctx, ln, s, ServeOptions{Grace: 20 * time.Second, Linger: 300 * time.Millisecond})
	}()

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	slow := make(chan string, 1)
	go func() {
		resp, err := client.Get(url + "/slow")
		if err != nil {
			slow <- err.Error()
			return
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		slow <- string(b)
	}()
	<-entered
	ws := must(net.Dial("tcp", ln.Addr().String()))
	defer ws.Close()
	fmt.Fprint(ws, "GET /ws HTTP/1.1\r\nHost: x\r\n\r\n")
	if line, err := bufio.NewReader(ws).ReadString('\n'); err != nil || !strings.Contains(line, "101") {
		t.Fatal(line, err)
	}
	cancel()
	<-wsEnded // draining has begun, and the listener lingers
	resp, err := client.Get(url + "/fast")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "2" || resp.Header.Get("Content-Type") != contentJSON {
		t.Errorf("while draining: %d %v", resp.StatusCode, resp.Header)
	}
	resp, err = client.Get(url + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("health while draining: %d", resp.StatusCode)
	}
	select {
	case err := <-ended:
		t.Fatalf("ended with a request running: %v", err)
	default:
	}
	close(release)
	if got := <-slow; got != `"done"` {
		t.Errorf("the running request got %q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := client.Get(url + "/fast"); err == nil {
		t.Error("still listening")
	}
}

func TestServeCutsOffAfterGrace(t *testing.T) {
	entered := make(chan struct{})
	left := make(chan struct{})
	s, err := NewHandler(Options{Log: slog.New(slog.DiscardHandler)}, face("x", []string{"/"},
		Route{Method: "GET", Pattern: "/stuck", Public: true, Handler: func(ctx context.Context, _ *Request) (*Response, error) {
			defer close(left)
			close(entered)
			<-ctx.Done()
			return nil, ctx.Err()
		}}))
	if err != nil {
		t.Fatal(err)
	}
	ln := must(net.Listen("tcp", "127.0.0.1:0"))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, ln, s, ServeOptions{Grace: 20 * time.Millisecond}) }()
	got := make(chan error, 1)
	go func() {
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + ln.Addr().String() + "/stuck")
		if err == nil {
			resp.Body.Close()
		}
		got <- err
	}()
	<-entered
	cancel()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("got %v", err)
	}
	<-left // closing the connection cancels the request's context
	if <-got == nil {
		t.Error("the stuck request was answered")
	}
}

func TestServeReportsADeadListener(t *testing.T) {
	ln := must(net.Listen("tcp", "127.0.0.1:0"))
	ln.Close()
	if err := Serve(context.Background(), ln, http.NotFoundHandler(), ServeOptions{}); err == nil {
		t.Error("no error")
	}
}

// tally is a Metrics.
type tally struct {
	running atomic.Int64
	seen    chan string
}

func (m *tally) Began(face string) func(string, string, int, time.Duration) {
	m.running.Add(1)
	return func(method, pattern string, status int, _ time.Duration) {
		m.running.Add(-1)
		m.seen <- fmt.Sprint(face, " ", method, " ", pattern, " ", status)
	}
}

func TestBusyCapAndMetrics(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	m := &tally{seen: make(chan string, 10)}
	f := start(t, Options{MaxInFlight: 1, Metrics: m}, face("x", []string{"/"},
		Route{Method: "GET", Pattern: "/slow", Public: true, Handler: func(context.Context, *Request) (*Response, error) {
			close(entered)
			<-release
			return nil, nil
		}},
		Route{Method: "GET", Pattern: "/fast/{id}", Public: true, Handler: echo},
		Route{Method: "GET", Pattern: "/ready", Public: true, Always: true, Handler: echo}))
	first := make(chan int, 1)
	go func() { first <- f.do("GET", "/slow", "").status }()
	<-entered
	if a := f.do("GET", "/fast/1", ""); a.status != 503 || a.header.Get("Retry-After") != "1" || a.envelope(t).Reason != "busy" {
		t.Errorf("over the cap: %d %s", a.status, a.body)
	}
	if a := f.do("GET", "/ready", ""); a.status != 200 {
		t.Errorf("health over the cap: %d", a.status)
	}
	close(release)
	if st := <-first; st != 204 {
		t.Errorf("the running one: %d", st)
	}
	if err := f.server.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	if a := f.do("BREW", "/fast/1", ""); a.status != 405 {
		t.Errorf("%d", a.status)
	}
	got := map[string]bool{}
	for range 4 {
		got[<-m.seen] = true
	}
	for _, want := range []string{"x GET /slow 204", "x GET /fast/{id} 503", "x GET /ready 200", "x OTHER  405"} {
		if !got[want] {
			t.Errorf("metrics lack %q: %v", want, got)
		}
	}
	if m.running.Load() != 0 {
		t.Errorf("%d still running", m.running.Load())
	}
}
