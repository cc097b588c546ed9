package targetingclient_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

var install sync.Once

const runtime = "node_modules/openapi-client-axios/package.json"

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
		if _, err := os.Stat(runtime); err == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
		defer cancel()
		out, err := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund").CombinedOutput()
		if err != nil {
			t.Errorf("npm ci: %v\n%s", err, out)
		}
	})
	if _, err := os.Stat(runtime); err != nil {
		t.Fatal("openapi-client-axios is not installed: run npm ci in test/targetingclient")
	}
}

// definition is the contract that the client is built from.
func definition(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("testdata/definition.json")
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// client is a node process that holds the vendor's client.
type client struct {
	*testing.T
	doc   *openapi3.T
	stdin io.Writer
	lines *bufio.Scanner
	seen  map[string]int // calls by operationId
}

// answer is what an operation resolved or was refused with.
type answer struct {
	Status       int
	Data         any
	Method, Path string
}

func newClient(t *testing.T, url, token string) *client {
	t.Helper()
	modules(t)
	cmd := exec.Command("node", "client.mjs", url, token)
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
	t.Cleanup(func() {
		stdin.Close() // the process ends with its input
		if err := cmd.Wait(); err != nil {
			t.Errorf("client: %v", err)
		}
	})
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	return &client{T: t, doc: definition(t), stdin: stdin, lines: lines, seen: map[string]int{}}
}

// with returns the client for a part of its test.
func (c *client) with(t *testing.T) *client {
	part := *c
	part.T = t
	return &part
}

// o is an object of JSON.
type o = map[string]any

// call calls client[op](params, data) and holds what came back against the contract.
func (c *client) call(op string, params, data any) answer {
	c.Helper()
	c.seen[op]++
	b, err := json.Marshal(o{"op": op, "params": params, "data": data})
	if err != nil {
		c.Fatal(err)
	}
	if _, err := c.stdin.Write(append(b, '\n')); err != nil {
		c.Fatal(err)
	}
	if !c.lines.Scan() {
		c.Fatalf("%s: the client said nothing: %v", op, c.lines.Err())
	}
	var a answer
	if err := json.Unmarshal(c.lines.Bytes(), &a); err != nil {
		c.Fatalf("%s: the client printed %q", op, c.lines.Text())
	}
	if err := c.promised(op, a); err != nil {
		c.Errorf("%s answered %d %v: %v", op, a.Status, a.Data, err)
	}
	return a
}

// promised tells whether the contract has such an answer.
func (c *client) promised(op string, a answer) error {
	for _, item := range c.doc.Paths.Map() {
		for _, declared := range item.Operations() {
			if declared.OperationID != op {
				continue
			}
			r := declared.Responses.Status(a.Status)
			if r == nil {
				return fmt.Errorf("the contract does not know this status")
			}
			return r.Value.Content.Get("application/json").Schema.Value.VisitJSON(a.Data)
		}
	}
	return fmt.Errorf("the contract does not know this operation")
}

// ok is call for what must succeed with a status.
func (c *client) ok(status int, op string, params, data any) answer {
	c.Helper()
	a := c.call(op, params, data)
	if a.Status != status {
		c.Fatalf("%s answered %d %v, want %d", op, a.Status, a.Data, status)
	}
	return a
}

// refused is call for what must be refused, with a code or with "" for a message.
func (c *client) refused(status int, code, op string, params, data any) {
	c.Helper()
	a := c.call(op, params, data)
	got, _ := a.get("code").(string)
	message, _ := a.get("message").(string)
	if a.Status != status || got != code || (code == "") == (message == "") {
		c.Errorf("%s answered %d %v, want %d %s", op, a.Status, a.Data, status, code)
	}
}

// get reads a value by its dotted path, "results.0.campaign.id".
func (a answer) get(path string) any {
	v := a.Data
	for part := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case o:
			v = x[part]
		case []any:
			var i int
			if _, err := fmt.Sscan(part, &i); err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func (a answer) str(path string) string {
	s, _ := a.get(path).(string)
	return s
}
