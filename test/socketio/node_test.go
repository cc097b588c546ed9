package socketio_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = time.Minute

var install sync.Once

// modules makes sure that the client is installed.
func modules(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the JavaScript client; run without -short")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed")
	}
	install.Do(func() {
		if _, err := os.Stat("node_modules/socket.io-client/package.json"); err == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
		defer cancel()
		out, err := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund").CombinedOutput()
		if err != nil {
			t.Errorf("npm ci: %v\n%s", err, out)
		}
	})
	if _, err := os.Stat("node_modules/socket.io-client/package.json"); err != nil {
		t.Fatal("socket.io-client is not installed: run npm ci in test/socketio")
	}
}

// observation is a line that client.mjs prints.
type observation struct {
	Who, What, ID, Transport, Name, Message string
	Active, Recovered                       bool
	Data                                    json.RawMessage
	Args                                    []any
}

// client is a node process that holds any number of named sockets.
type client struct {
	t     *testing.T
	stdin io.WriteCloser
	seen  chan observation
}

func newClient(t *testing.T) *client {
	t.Helper()
	modules(t)
	cmd := exec.Command("node", "client.mjs")
	cmd.Stderr = os.Stderr
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
	c := &client{t: t, stdin: stdin, seen: make(chan observation, 1000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var o observation
			if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
				t.Errorf("client printed %q", lines.Text())
				continue
			}
			c.seen <- o
		}
	}()
	t.Cleanup(func() {
		stdin.Close() // the process ends with its input
		<-done
		if err := cmd.Wait(); err != nil {
			t.Errorf("client: %v", err)
		}
	})
	return c
}

// do sends a command; see client.mjs for what there is.
func (c *client) do(what, who string, more map[string]any) {
	c.t.Helper()
	command := map[string]any{"do": what, "who": who}
	for k, v := range more {
		command[k] = v
	}
	b, err := json.Marshal(command)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.stdin.Write(append(b, '\n')); err != nil {
		c.t.Fatal(err)
	}
}

// next returns the next observation, which must be of that socket and kind.
func (c *client) next(who, what string) observation {
	c.t.Helper()
	select {
	case o := <-c.seen:
		if o.Who != who || o.What != what {
			c.t.Fatalf("observed %+v, want %s of %s", o, what, who)
		}
		return o
	case <-time.After(patience):
		c.t.Fatalf("%s of %s was not observed", what, who)
	}
	panic("unreachable")
}

// skipTo is next after any number of observations of another kind.
func (c *client) skipTo(who, what, skip string) observation {
	c.t.Helper()
	for {
		select {
		case o := <-c.seen:
			if o.What == skip {
				continue
			}
			if o.Who != who || o.What != what {
				c.t.Fatalf("observed %+v, want %s of %s", o, what, who)
			}
			return o
		case <-time.After(patience):
			c.t.Fatalf("%s of %s was not observed", what, who)
		}
	}
}
