package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"parley/internal/verify"
)

// proc is the real binary serving one data folder at one port, started and
// killed as often as a test likes.
type proc struct {
	bin, data, database, graph string
	listen, url                string
	env                        []string
	log                        *os.File
	cmd                        *exec.Cmd
	exited                     chan struct{}
	down                       atomic.Bool // on purpose: its requests may fail
}

func newProc(t testing.TB, bin, database, graph string) *proc {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	dir, err := os.MkdirTemp(work, "data") // short: the command socket stands in it
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(work, filepath.Base(dir)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	p := &proc{bin: bin, data: dir, database: database, graph: graph, listen: addr, url: "http://" + addr, log: log}
	p.down.Store(true)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the server's last words:\n%s", p.tail(40))
			if keep := os.Getenv("PARLEY_KEEP"); keep != "" { // for looking at what went wrong
				_ = os.CopyFS(filepath.Join(keep, filepath.Base(dir)), os.DirFS(dir))
			}
		}
		_ = log.Close()
	})
	return p
}

// launch starts the server without waiting for it.
func (p *proc) launch(t testing.TB) {
	t.Helper()
	p.cmd = exec.Command(p.bin, "serve", "--listen", p.listen, "--graph-url", p.graph, "--egress-allow", "127.0.0.1/32")
	p.cmd.Env = append(p.environ(), "PARLEY_RATE=0", "PARLEY_TRIGGER_RATE=0", "PARLEY_LOG_LEVEL=warn")
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cmd, exited := p.cmd, make(chan struct{})
	p.exited = exited
	go func() { _ = cmd.Wait(); close(exited) }()
}

func (p *proc) environ() []string {
	env := append(os.Environ(), "PARLEY_DATA="+p.data)
	if p.database != "" {
		env = append(env, "PARLEY_DATABASE="+p.database)
	}
	return append(env, p.env...)
}

// start starts the server and waits until it is ready.
func (p *proc) start(t testing.TB) {
	t.Helper()
	p.launch(t)
	p.await(t)
}

func (p *proc) await(t testing.TB) {
	t.Helper()
	begun := time.Now()
	for {
		if p.ready() {
			p.down.Store(false)
			return
		}
		select {
		case <-p.exited:
			t.Fatalf("the server ended by itself:\n%s", p.tail(20))
		default:
		}
		if time.Since(begun) > time.Minute {
			t.Fatalf("the server was not ready within a minute:\n%s", p.tail(20))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

var probe = &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func (p *proc) ready() bool {
	resp, err := probe.Get(p.url + "/readyz")
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// kill ends the server as a crash would.
func (p *proc) kill() {
	p.down.Store(true)
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	<-p.exited
	p.cmd = nil
}

// stop ends the server as its operator would.
func (p *proc) stop(t testing.TB) {
	t.Helper()
	p.down.Store(true)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.exited:
	case <-time.After(time.Minute):
		t.Fatalf("the server did not stop within a minute:\n%s", p.tail(20))
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the server stopped with code %d:\n%s", code, p.tail(20))
	}
	p.cmd = nil
}

func (p *proc) tail(lines int) string {
	b, _ := os.ReadFile(p.log.Name())
	all := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// commandTime bounds a command: most end in a second, an import of a soak in a minute.
const commandTime = 5 * time.Minute

// try runs a command of the binary on the server's data folder.
func (p *proc) try(env []string, args ...string) (stdout, stderr string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.bin, args...)
	cmd.Env = append(p.environ(), env...)
	var out, bad bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &bad
	if err = cmd.Run(); ctx.Err() != nil {
		err = fmt.Errorf("no answer within %s: %w", commandTime, err)
	}
	return out.String(), strings.TrimSpace(bad.String()), err
}

func (p *proc) run(t testing.TB, args ...string) string {
	t.Helper()
	out, bad, err := p.try(nil, args...)
	if err != nil {
		t.Fatalf("parley %s: %v: %s", strings.Join(args, " "), err, bad)
	}
	return out
}

// verify runs `parley verify --json` and returns what it found broken.
func (p *proc) verify(t testing.TB) []string {
	t.Helper()
	out, bad, err := p.try(nil, "verify", "--json")
	var rep verify.Report
	if jerr := json.Unmarshal([]byte(out), &rep); jerr != nil {
		t.Fatalf("parley verify: %v: %s", err, bad)
	}
	if rep.Checked != len(verify.Invariants) {
		t.Errorf("parley verify checked %d invariants of %d", rep.Checked, len(verify.Invariants))
	}
	if rep.OK != (err == nil) {
		t.Errorf("parley verify says ok=%v and ends with %v", rep.OK, err)
	}
	var found []string
	for _, b := range rep.Breaks {
		found = append(found, fmt.Sprintf("verify: %s: row %s: %s", b.Invariant, b.Row, b.Detail))
	}
	return found
}
