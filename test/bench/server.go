package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// children are the processes that must not outlive this one.
var children struct {
	sync.Mutex
	list []*exec.Cmd
}

func spawn(c *exec.Cmd) error {
	children.Lock()
	defer children.Unlock()
	if err := c.Start(); err != nil {
		return err
	}
	children.list = append(children.list, c)
	return nil
}

// endAll kills what still runs, on the way out of a failure.
func endAll() {
	children.Lock()
	defer children.Unlock()
	for _, c := range children.list {
		if c.ProcessState == nil {
			_ = c.Process.Kill()
		}
	}
}

// process is a server under measurement.
type process struct {
	cmd  *exec.Cmd
	addr string       // host:port
	end  func() error // how to end it; nil means a SIGTERM
}

// stop ends a process gently and waits for it.
func (p *process) stop() error {
	if p.end != nil {
		_ = p.end()
	} else {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
	}
	return p.cmd.Wait()
}

// cpu is the processor time a process has used, in seconds.
func (p *process) cpu() (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 13 {
		return 0, errors.New("the process's stat cannot be read")
	}
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100, nil // Linux counts in hundredths for every program
}

// rss is the memory a process holds, in bytes.
func (p *process) rss() (int64, error) { return memory(p.cmd.Process.Pid, "VmRSS:") }

// anonymous is the memory of a process that is its own: without the pages of the
// database file that are mapped, which the system takes back when it needs them.
func anonymous(pid int) (int64, error) { return memory(pid, "RssAnon:") }

func memory(pid int, field string) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(b), "\n") {
		if rest, ok := strings.CutPrefix(line, field); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("the process's memory cannot be read")
}

// selfCPU is the processor time this process has used, in seconds.
func selfCPU() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// freePort returns a loopback address that was free a moment ago.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// parley is a running Parley with its tenant.
type parley struct {
	process
	bin, data  string
	pprof      string
	code, key  string
	sales      string // a key of the sales API, "" without
	startNanos int64
}

// account is the WhatsApp account of the measured tenant.
const (
	accountID = "105500000000001"
	wabaID    = "207700000000002"
	appSecret = "bench-app-secret"
)

// startParley runs `parley serve` on a data folder and returns when /readyz
// answers 200. Rates are off, because one key makes all the load; the rest is
// as an operator gets it, the log of every request included.
func startParley(bin, data string, profile bool) (*parley, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	p := &parley{bin: bin, data: data}
	if p.addr, err = freePort(); err != nil {
		return nil, err
	}
	args := []string{"serve", "--data", data, "--listen", p.addr, "--rate", "0", "--sales-rate", "0", "--graph-url", "http://127.0.0.1:9"}
	if profile {
		if p.pprof, err = freePort(); err != nil {
			return nil, err
		}
		args = append(args, "--pprof", p.pprof)
	}
	log, err := os.OpenFile(filepath.Join(data, "bench.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd = exec.Command(bin, args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	begun := time.Now()
	if err := spawn(p.cmd); err != nil {
		return nil, fmt.Errorf("%w; run `make build` first", err)
	}
	for {
		if resp, err := get("http://" + p.addr + "/readyz"); err == nil && resp.status == http.StatusOK {
			p.startNanos = time.Since(begun).Nanoseconds()
			return p, nil
		}
		if time.Since(begun) > 20*time.Second {
			_ = p.stop()
			return nil, fmt.Errorf("the server was not ready after 20 s: %s", tail(filepath.Join(data, "bench.log")))
		}
		time.Sleep(time.Millisecond)
	}
}

// stop ends the server gently; it must end well.
func (p *parley) stop() error {
	if err := p.process.stop(); err != nil {
		return fmt.Errorf("the server ended badly: %w: %s", err, tail(filepath.Join(p.data, "bench.log")))
	}
	return nil
}

func tail(file string) string {
	b, _ := os.ReadFile(file)
	return string(b[max(0, len(b)-800):])
}

type answer struct {
	status int
	body   []byte
}

var plainHTTP = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}

func get(url string) (answer, error) {
	resp, err := plainHTTP.Get(url)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, b}, err
}

// furnish makes the tenant and its WhatsApp account by the command line.
func (p *parley) furnish() error {
	out, err := p.command("tenant", "create", "--name", "Bench", "--json")
	if err != nil {
		return err
	}
	var t struct{ ClientCode, APIKey string }
	if err := json.Unmarshal(out, &t); err != nil {
		return err
	}
	p.code, p.key = t.ClientCode, t.APIKey
	_, err = p.command("channel", "connect", "--tenant", p.code, "--phone-number-id", accountID, "--waba-id", wabaID)
	return err
}

func (p *parley) command(args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, p.bin, append(args, "--data", p.data)...)
	c.Env = append(os.Environ(), "PARLEY_WHATSAPP_TOKEN=bench-token", "PARLEY_WHATSAPP_APP_SECRET="+appSecret)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("parley %s: %w: %s", args[0], err, stderr.String())
	}
	return out, nil
}

// writes is what the server's writer has done so far.
type writes struct{ groups, calls float64 }

var metricLine = regexp.MustCompile(`(?m)^(?:parley_)+(write_groups_total|writes_total) (\S+)$`)

func (p *parley) writes() (w writes, err error) {
	a, err := get("http://" + p.addr + "/metrics")
	if err != nil {
		return w, err
	}
	found := 0
	for _, m := range metricLine.FindAllStringSubmatch(string(a.body), -1) {
		v, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return w, err
		}
		found++
		if m[1] == "writes_total" {
			w.calls = v
		} else {
			w.groups = v
		}
	}
	if found != 2 {
		return w, errors.New("/metrics does not tell the writer's groups")
	}
	return w, nil
}

// profileCPU writes a CPU profile of the next d to a file.
func (p *parley) profileCPU(file string, d time.Duration) error {
	a, err := get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", p.pprof, max(1, int(d.Seconds()))))
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("the profile was refused with status %d", a.status)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(file, a.body, 0o644)
}
