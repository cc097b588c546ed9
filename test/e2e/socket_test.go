package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// scripts is the folder of the JavaScript client and its packages.
const scripts = "../socketio"

var install sync.Once

// observation is a line that client.mjs prints.
type observation struct {
	Who, What, Transport, Name, Message string
	Recovered                           bool // a connection that resumed the one before
	Args                                []any
}

// arg is a field of the first argument.
func (o observation) arg(name string) any {
	if len(o.Args) == 0 {
		return nil
	}
	m, _ := o.Args[0].(map[string]any)
	return m[name]
}

// listener is a node process with any number of named sockets.
type listener struct {
	t     testing.TB
	stdin io.WriteCloser
	mu    sync.Mutex
	seen  map[string][]observation // by socket
	taken map[string]int
}

// listen starts the JavaScript client.
func listen(t testing.TB) *listener {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the JavaScript client; run without -short")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed")
	}
	have := filepath.Join(scripts, "node_modules/socket.io-client/package.json")
	install.Do(func() {
		if _, err := os.Stat(have); err == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
		defer cancel()
		npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
		npm.Dir = scripts
		if out, err := npm.CombinedOutput(); err != nil {
			t.Errorf("npm ci: %v\n%s", err, out)
		}
	})
	if _, err := os.Stat(have); err != nil {
		t.Fatal("socket.io-client is not installed: run npm ci in test/socketio")
	}
	cmd := exec.Command("node", "client.mjs")
	cmd.Dir, cmd.Stderr = scripts, os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l := &listener{t: t, stdin: stdin, seen: map[string][]observation{}, taken: map[string]int{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var o observation
			if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
				t.Errorf("the client printed %q", lines.Text())
				continue
			}
			l.mu.Lock()
			l.seen[o.Who] = append(l.seen[o.Who], o)
			l.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		stdin.Close() // the process ends with its input
		<-done
		if err := cmd.Wait(); err != nil {
			t.Errorf("the client: %v", err)
		}
		if t.Failed() {
			t.Logf("the sockets observed %+v", l.seen)
		}
	})
	return l
}

// do sends a command; client.mjs tells what there is.
func (l *listener) do(what, who string, more map[string]any) {
	l.t.Helper()
	line := map[string]any{"do": what, "who": who}
	for k, v := range more {
		line[k] = v
	}
	b, err := json.Marshal(line)
	if err == nil {
		_, err = l.stdin.Write(append(b, '\n'))
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// connect opens a socket as the SDK does, by the client's own choice of
// transports, and waits for it to be let in.
func (l *listener) connect(who, url string, auth map[string]any) {
	l.t.Helper()
	l.do("connect", who, map[string]any{"url": url, "auth": auth})
	if o := l.next(who); o.What != "connect" {
		l.t.Fatalf("%s observed %+v instead of a connection", who, o)
	}
}

// next is the next observation of a socket.
func (l *listener) next(who string) (o observation) {
	l.t.Helper()
	eventually(l.t, who+" observes something", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.taken[who] == len(l.seen[who]) {
			return false
		}
		o = l.seen[who][l.taken[who]]
		l.taken[who]++
		return true
	})
	return o
}

// event waits for an event of a name and returns it; others before it are skipped.
func (l *listener) event(who, name string) observation {
	l.t.Helper()
	for {
		if o := l.next(who); o.What == "event" && o.Name == name {
			return o
		} else if o.What != "event" {
			l.t.Fatalf("%s observed %+v, waiting for %s", who, o, name)
		}
	}
}

// heard lists the names of all events of a socket so far.
func (l *listener) heard(who string) (names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.seen[who] {
		if o.What == "event" {
			names = append(names, o.Name)
		}
	}
	return names
}
