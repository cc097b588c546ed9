package e2e_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// slow is a request of which the server has read the head and half of the body.
type slow struct {
	t     *testing.T
	conn  net.Conn
	phone string
	rest  string
}

func begin(t *testing.T, a *api, phone string) *slow {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	body := fmt.Sprintf(`{"firstName":"Slow","phone":%q}`, phone)
	fmt.Fprintf(c, "POST /api/saas/crm/leads HTTP/1.1\r\nHost: parley\r\nx-client-code: %s\r\nx-api-key: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		a.code, a.key, len(body), body[:len(body)/2])
	return &slow{t, c, phone, body[len(body)/2:]}
}

// end sends the rest and returns the status of the answer.
func (s *slow) end() int {
	s.t.Helper()
	_ = s.conn.SetDeadline(time.Now().Add(patience))
	if _, err := s.conn.Write([]byte(s.rest)); err != nil {
		s.t.Fatalf("a request that was let in is cut off: %v", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(s.conn), nil)
	if err != nil {
		s.t.Fatalf("a request that was let in is not answered: %v", err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// TestStopUnderLoad ends a server while it works. Whoever was let in gets an
// answer, even who takes his time; whoever was told 201 finds the lead after the
// restart.
func TestStopUnderLoad(t *testing.T) {
	eachDatabase(t, func(t *testing.T, data []string) {
		p := serve(t, data, "--rate", "0")
		a := p.tenant("A")
		var waiting []*slow
		for i := range 8 {
			waiting = append(waiting, begin(t, a, fmt.Sprintf("98765432%02d", i)))
		}
		each := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
		var mu sync.Mutex
		var kept []string
		var refused, unseen int
		var asked time.Time // when the server was asked to stop
		var wg sync.WaitGroup
		for worker := range 16 {
			wg.Go(func() {
				for i := 0; ; i++ {
					phone, begun := fmt.Sprintf("9%02d%07d", worker, i), time.Now()
					resp, err := each.Do(a.request("POST", "/api/saas/crm/leads", map[string]any{"firstName": "A", "phone": phone}))
					mu.Lock()
					switch {
					case err != nil:
						// The door is closed. Who stood before it when it closed, queued by the
						// system and unseen by the server, is reset.
						if unseen++; asked.IsZero() || begun.Before(asked.Add(-2*time.Second)) {
							t.Errorf("not answered: %v", err)
						}
					case resp.StatusCode == 201:
						kept = append(kept, phone)
					case resp.StatusCode == 503:
						refused++
					default:
						t.Errorf("answered %d", resp.StatusCode)
					}
					mu.Unlock()
					if err != nil {
						return
					}
					resp.Body.Close()
				}
			})
		}
		eventually(t, "the load runs", func() bool { mu.Lock(); defer mu.Unlock(); return len(kept) > 200 })
		mu.Lock()
		asked = time.Now()
		mu.Unlock()
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		wg.Wait() // every worker has found the door closed
		for _, s := range waiting {
			if status := s.end(); status != 201 {
				t.Errorf("a request that was let in is answered %d", status)
			}
			kept = append(kept, s.phone)
		}
		if code := p.wait(); code != 0 {
			t.Fatalf("the server ended with %d: %s", code, tail(p.stderr.String(), 5))
		}
		t.Logf("%d leads made, %d told to come back, %d before a closed door", len(kept), refused, unseen)
		if strings.Contains(p.stderr.String(), "level=ERROR") {
			t.Errorf("the log complains:\n%s", tail(p.stderr.String(), 20))
		}
		if again := command(t, nil, with([]string{"verify"}, data)...); again.code != 0 {
			t.Fatalf("verify after the stop: %+v", again)
		}
		p = serve(t, data, "--rate", "0")
		a.url = p.url
		p.verify()
		for _, phone := range kept {
			if got := a.call("GET", "/api/saas/crm/leads/phone/"+phone, nil); got.status != 200 {
				t.Fatalf("the lead %s, answered 201, is gone: %d", phone, got.status)
			}
		}
	})
}

// TestStartAfterAnything starts where another server ended badly.
func TestStartAfterAnything(t *testing.T) {
	data := []string{"--data", t.TempDir()}
	p := serve(t, data)
	a := p.tenant("A")
	lead := a.ok("POST", "/api/saas/crm/leads", map[string]any{"firstName": "A", "phone": "9123456780"}).text("data", "id")
	socket := filepath.Join(data[1], "parley.sock")
	if s, err := os.Stat(socket); err != nil || s.Mode().Type() != os.ModeSocket || s.Mode().Perm() != 0o600 {
		t.Fatalf("the command socket: %v, %v", s, err)
	}
	p.kill()
	if _, err := os.Stat(socket); err != nil {
		t.Fatal("the kill left no socket behind; the test proves nothing")
	}
	parley(t, with([]string{"verify"}, data)...) // a command beside the stale socket
	p = serve(t, data)
	a.url = p.url
	a.get("/api/saas/crm/leads/" + lead)
	p.verify()
	if code := p.stop(); code != 0 {
		t.Fatalf("ended with %d", code)
	}
	if err := os.WriteFile(socket, []byte("not a socket"), 0o600); err != nil {
		t.Fatal(err)
	}
	p = serve(t, data)
	p.verify()
	// The address it had is free at once.
	at := strings.TrimPrefix(p.url, "http://")
	p.kill()
	p = launch(t, data, nil, "--listen", at)
	p.ready()
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	if code := p.wait(); code != 0 {
		t.Fatalf("SIGINT ends with %d", code)
	}
	// A folder whose path is too long for a socket.
	long := []string{"--data", filepath.Join(t.TempDir(), strings.Repeat("long/", 30))}
	p = serve(t, long)
	p.verify()
	if code := p.stop(); code != 0 {
		t.Fatalf("ended with %d", code)
	}
}

// TestStopEndsIdleConnections holds a connection open and silent.
func TestStopEndsIdleConnections(t *testing.T) {
	p := serve(t, []string{"--data", t.TempDir()})
	c, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	begun := time.Now()
	if code := p.stop(); code != 0 || time.Since(begun) > 15*time.Second {
		t.Fatalf("ended with %d after %v", code, time.Since(begun))
	}
}
