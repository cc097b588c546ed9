package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestLongPollingUpgrade connects the published client by its own defaults:
// it begins with long polling and changes to a WebSocket, and loses nothing
// meanwhile; a client that polls only hears the same.
func TestLongPollingUpgrade(t *testing.T) {
	ears := listen(t)
	p := serve(t, []string{"--data", t.TempDir()}, "--simulate")
	me := p.tenant("Acme")
	auth := map[string]any{"apiKey": me.key, "clientCode": me.code}
	ears.do("connect", "polling", map[string]any{"url": p.url, "auth": auth, "options": map[string]any{"transports": []string{"polling"}}})
	if o := ears.next("polling"); o.What != "connect" || o.Transport != "polling" {
		t.Fatalf("observed %+v", o)
	}
	// Leads come in while one client after the other connects and changes.
	var written atomic.Int64
	enough, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-enough:
				return
			default:
				me.call("POST", "/api/crm/leads", map[string]any{"firstName": fmt.Sprintf("n%d", i), "phone": fmt.Sprintf("+9198%08d", i)})
				written.Add(1)
			}
		}
	}()
	clients := []string{"default"}
	for i := range 8 {
		clients = append(clients, fmt.Sprintf("client%d", i))
	}
	for _, who := range clients {
		ears.do("connect", who, map[string]any{"url": p.url, "auth": auth, "options": map[string]any{"showUpgrade": true}})
		ears.of(who, "connect")
		if o := ears.of(who, "upgrade"); o.Transport != "websocket" {
			t.Errorf("%s changes to %s", who, o.Transport)
		}
		before := written.Load()
		eventually(t, "leads come in", func() bool { return written.Load() > before })
	}
	close(enough)
	<-done
	me.ok("POST", "/api/crm/leads", map[string]any{"firstName": "last", "phone": "+919700000000"})
	for _, who := range append(clients, "polling") {
		eventually(t, who+" hears the last lead", func() bool { return strings.HasSuffix(ears.leads(who), " last") })
	}
	all := ears.leads("polling")
	if names := strings.Fields(all); int64(len(names)) != written.Load()+1 || names[0] != "n0" {
		t.Errorf("the client that polls heard %d of %d leads: %s", len(names), written.Load()+1, all)
	}
	for _, who := range clients { // from its connection on, all of them
		if got := ears.leads(who); !strings.HasSuffix(all, got) {
			t.Errorf("%s heard %s", who, got)
		}
	}
	for _, who := range []string{"default", "polling"} {
		ears.do("ask", who, map[string]any{"name": "join-room", "args": []any{me.code}})
		if o := ears.of(who, "ack"); o.arg("success") != true || o.arg("room") != me.code {
			t.Fatalf("%s: the answer to join-room is %+v", who, o)
		}
	}
	if code := p.stop(); code != 0 { // a poll that waits must not hold it
		t.Errorf("ended with %d: %s", code, tail(p.stderr.String(), 5))
	}
}

// leads lists the first names of the leads that a socket was told of, in order.
func (l *listener) leads(who string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var names []string
	for _, o := range l.seen[who] {
		if o.What == "event" && o.Name == "crm.lead_created" {
			names = append(names, fmt.Sprint(o.arg("firstName")))
		}
	}
	return strings.Join(names, " ")
}

// made is an observation of a kind that a socket has made, if it has.
func (l *listener) made(who, what string) *observation {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.seen[who] {
		if o := l.seen[who][i]; o.What == what {
			return &o
		}
	}
	return nil
}

// of waits for the first observation of a kind.
func (l *listener) of(who, what string) (o observation) {
	l.t.Helper()
	eventually(l.t, who+" observes "+what, func() bool {
		found := l.made(who, what)
		if found != nil {
			o = *found
		}
		return found != nil
	})
	return o
}

// connects lists whether each connection of a socket resumed the one before.
func (l *listener) connects(who string) (recovered []bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.seen[who] {
		if o.What == "connect" {
			recovered = append(recovered, o.Recovered)
		}
	}
	return recovered
}

// nodeKey is the key that seals secrets, which the nodes of one database share.
var nodeKey = []string{"PARLEY_SECRET_KEY=" + strings.Repeat("5e", 32)}

// TestResumeAcrossNodes kills the server that clients are connected to, while
// leads come in: at another node, or at the same after a restart, they hear
// every lead once and in order. Some of them lose their connection once more.
func TestResumeAcrossNodes(t *testing.T) {
	start := func(t *testing.T, data ...string) *process {
		p := launch(t, data, nodeKey, "--listen", "127.0.0.1:0", "--simulate")
		p.ready()
		return p
	}
	t.Run("postgres", func(t *testing.T) {
		url := postgres(t)
		node := func() *process { return start(t, "--data", t.TempDir(), "--database", url) }
		a, b := node(), node()
		resumes(t, a, func() *process {
			a.kill()
			return b
		})
	})
	t.Run("sqlite", func(t *testing.T) {
		data := []string{"--data", t.TempDir()}
		a := start(t, data...)
		resumes(t, a, func() *process {
			a.kill()
			return start(t, data...)
		})
	})
}

func resumes(t *testing.T, a *process, failover func() *process) {
	ears := listen(t)
	r := command(t, nodeKey, with([]string{"tenant", "create", "--name", "Acme", "--json"}, a.data)...)
	var made struct{ ClientCode, APIKey string }
	if err := json.Unmarshal([]byte(r.stdout), &made); err != nil {
		t.Fatalf("%v: %+v", err, r)
	}
	me := &api{t: t, code: made.ClientCode, key: made.APIKey}
	way := newForwarder(t)
	way.to(a.url)
	auth := map[string]any{"apiKey": me.key, "clientCode": me.code}
	sockets := map[string]map[string]any{"default": {}, "polling": {"transports": []string{"polling"}}, "websocket": {"transports": []string{"websocket"}}}
	for who, options := range sockets {
		ears.do("connect", who, map[string]any{"url": way.url, "auth": auth, "options": options})
		ears.of(who, "connect")
	}

	const leads = 240
	var at atomic.Pointer[string]
	at.Store(&a.url)
	var written atomic.Int64
	failed := make(chan error, 1)
	go func() {
		defer close(failed)
		for i := range leads {
			if err := write(&at, me, i); err != nil {
				failed <- err
				return
			}
			written.Add(1)
		}
	}()
	atLeast := func(n int64) {
		eventually(t, "leads come in", func() bool { return written.Load() >= n })
	}
	atLeast(60)
	way.to("")
	b := failover()
	at.Store(&b.url)
	way.to(b.url)
	atLeast(150)
	for who := range sockets {
		ears.do("drop", who, nil)
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range leads {
		want = append(want, fmt.Sprintf("n%d", i))
	}
	for who := range sockets {
		eventually(t, who+" hears the last lead", func() bool { return strings.HasSuffix(ears.leads(who), want[leads-1]) })
		if got := ears.leads(who); got != strings.Join(want, " ") {
			t.Errorf("%s heard %s", who, got)
		}
		recovered := ears.connects(who)
		if len(recovered) < 3 || recovered[0] {
			t.Errorf("%s: its connections are %v", who, recovered)
		}
		for _, r := range recovered[1:] {
			if !r {
				t.Errorf("%s: its connections are %v", who, recovered)
			}
		}
	}
}

// write makes a lead, as often as it takes: a server that was killed may have
// written it and not said so.
func write(at *atomic.Pointer[string], me *api, n int) error {
	body, _ := json.Marshal(map[string]any{"firstName": fmt.Sprintf("n%d", n), "phone": fmt.Sprintf("+9199%08d", n)})
	c := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		req, err := http.NewRequest("POST", *at.Load()+"/api/crm/leads", bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("x-api-key", me.key)
		req.Header.Set("x-client-code", me.code)
		res, err := c.Do(req)
		if err == nil {
			text, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode < 300 || res.StatusCode == http.StatusConflict {
				return nil
			}
			err = fmt.Errorf("lead %d: %d %s", n, res.StatusCode, text)
		}
		if time.Now().After(end) {
			return err
		}
	}
}
