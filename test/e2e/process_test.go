package e2e_test

import (
	"bytes"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// text is a buffer that a process fills while a test reads it.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (x *text) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.Write(p)
}

func (x *text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.String()
}

// process is a running `parley serve`.
type process struct {
	t              testing.TB
	cmd            *exec.Cmd
	stdout, stderr text
	url            string
	data           []string // the flags that name its data
	ended          chan struct{}
}

var readyLine = regexp.MustCompile(`msg="?ready"? url=(\S+)`)

// launch starts a server without waiting for it. data are the flags that name
// the data, env what to add to the environment.
func launch(t testing.TB, data, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, data: data, ended: make(chan struct{})}
	p.cmd = exec.Command(program, with([]string{"serve"}, data, args)...)
	p.cmd.Env, p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = environ(env...), t.TempDir(), &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(p.ended); _ = p.cmd.Wait() }()
	t.Cleanup(func() {
		if p.running() {
			p.stop()
		}
		if t.Failed() {
			t.Logf("log of the server:\n%s", tail(p.stderr.String(), 8))
		}
	})
	return p
}

// serve starts a server on a free port and waits until it is ready.
func serve(t testing.TB, data []string, args ...string) *process {
	t.Helper()
	p := launch(t, data, nil, with([]string{"--listen", "127.0.0.1:0"}, args)...)
	p.ready()
	return p
}

// ready waits for the log to tell the address, and for /readyz.
func (p *process) ready() {
	p.t.Helper()
	eventually(p.t, "the server gets ready", func() bool {
		if !p.running() {
			p.t.Fatalf("the server ended with %d: %s", p.cmd.ProcessState.ExitCode(), p.stderr.String())
		}
		if m := readyLine.FindStringSubmatch(p.stderr.String()); m != nil {
			p.url = m[1]
		}
		return p.url != ""
	})
	if r := get(p.t, p.url+"/readyz"); r.status != 200 {
		p.t.Fatalf("/readyz answers %d %s", r.status, r.body)
	}
}

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// stop asks the server to end and returns its exit code.
func (p *process) stop() int {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	return p.wait()
}

// kill ends the server without asking.
func (p *process) kill() {
	p.t.Helper()
	_ = p.cmd.Process.Kill()
	p.wait()
}

func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.ended
		p.t.Errorf("the server did not end:\n%s", tail(p.stderr.String(), 8))
	}
	return p.cmd.ProcessState.ExitCode()
}

// parley runs a command on this server's data.
func (p *process) parley(args ...string) string {
	p.t.Helper()
	return parley(p.t, with(args, p.data)...)
}

// tenant makes a tenant and returns the way to call the API with its key.
func (p *process) tenant(name string) *api {
	p.t.Helper()
	made := parleyJSON[map[string]any](p.t, with([]string{"tenant", "create", "--name", name}, p.data)...)
	return &api{t: p.t, url: p.url, code: made["clientCode"].(string), key: made["apiKey"].(string), id: made["tenantId"].(string)}
}

// verify checks every invariant.
func (p *process) verify() {
	p.t.Helper()
	if out := p.parley("verify"); !strings.Contains(out, "invariants hold") {
		p.t.Fatalf("verify printed %q", out)
	}
}

func tail(s string, lines int) string {
	all := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
