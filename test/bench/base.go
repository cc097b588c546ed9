package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// baseFigures are those of a large base of contacts.
type baseFigures struct {
	Contacts  int         `json:"contacts"`
	Import    moveFigures `json:"import"`
	Export    moveFigures `json:"export"`
	DatabaseB int64       `json:"databaseBytes"`
	Calls     []callTimes `json:"calls"`
	Own       int64       `json:"ownMemory"` // of the server after the calls, without mapped pages
	RSS       int64       `json:"rss"`       // with them
}

// moveFigures are those of `parley import` or `export` without a server beside it.
type moveFigures struct {
	PerSecond float64 `json:"perSecond"`
	CPUus     float64 `json:"cpuMicros"`     // a row
	PeakOwn   int64   `json:"peakOwnMemory"` // without mapped pages of the database file
	PeakRSS   int64   `json:"peakRSS"`
}

// callTimes are those of one call of the API, one after the other by one client.
type callTimes struct {
	Name   string  `json:"name"`
	P50ms  float64 `json:"p50Ms"`
	P99ms  float64 `json:"p99Ms"`
	CPUms  float64 `json:"serverCPUMs"` // a call
	Answer int     `json:"bytes"`
	BareMs float64 `json:"bareP50Ms,omitempty"` // of a bare net/http server that gives the same answer
	body   []byte  // the last answer
}

// measureBase fills a database by the import command, and measures lists,
// searches, the board and the export on it.
func measureBase(o options, dir string) (f *baseFigures, err error) {
	f = &baseFigures{Contacts: o.Contacts}
	data := filepath.Join(dir, "base")
	p, took, err := populated(o, dir, "base")
	if err != nil {
		return nil, err
	}
	f.Import = took
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(filepath.Join(data, "parley.db"+suffix)); err == nil {
			f.DatabaseB += info.Size()
		}
	}
	if p, err = restartParley(p, false); err != nil {
		return nil, err
	}
	f.Calls, err = p.calls(o)
	if err == nil {
		f.RSS, err = p.rss()
	}
	if err == nil {
		f.Own, err = anonymous(p.cmd.Process.Pid)
	}
	if err = errors.Join(err, p.stop()); err != nil {
		return nil, err
	}
	say("base: exporting")
	f.Export, err = move(p, o.Contacts, "export", filepath.Join(dir, "out.csv"))
	return f, err
}

// populated makes a data folder with a tenant whose contacts the import command
// took in. The server of it has ended.
func populated(o options, dir, name string) (p *parley, m moveFigures, err error) {
	if p, err = startParley(o.Bin, filepath.Join(dir, name), false); err != nil { // makes the folder, the tenant, its pipeline
		return nil, m, err
	}
	err = p.furnish()
	if err == nil {
		_, err = p.fetch("/api/saas/crm/pipelines")
	}
	if err = errors.Join(err, p.stop()); err != nil {
		return nil, m, err
	}
	file := filepath.Join(dir, name+".csv")
	if err := writePeople(file, o.Contacts); err != nil {
		return nil, m, err
	}
	say("%s: importing %d contacts", name, o.Contacts)
	m, err = move(p, o.Contacts, "import", file)
	return p, m, err
}

// restartParley starts a server on the folder of an earlier one, whose tenant
// and key stay.
func restartParley(was *parley, profile bool) (*parley, error) {
	p, err := startParley(was.bin, was.data, profile)
	if err == nil {
		p.code, p.key, p.sales = was.code, was.key, was.sales
	}
	return p, err
}

// move runs import or export in a process of its own, without a server.
func move(p *parley, rows int, verb, file string) (m moveFigures, err error) {
	cmd := exec.Command(p.bin, verb, file, "--data", p.data, "--tenant", p.code)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	begun := time.Now()
	if err := spawn(cmd); err != nil {
		return m, err
	}
	ended, looked := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(looked)
		for {
			select {
			case <-ended:
				return
			case <-time.After(50 * time.Millisecond):
			}
			if own, err := anonymous(cmd.Process.Pid); err == nil {
				m.PeakOwn = max(m.PeakOwn, own)
			}
		}
	}()
	err = cmd.Wait()
	close(ended)
	<-looked
	if err != nil {
		return m, fmt.Errorf("parley %s: %w: %s", verb, err, said.String()[max(0, said.Len()-500):])
	}
	use := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	m.PerSecond = float64(rows) / time.Since(begun).Seconds()
	m.CPUus = float64((cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Microseconds()) / float64(rows)
	m.PeakRSS = use.Maxrss << 10
	return m, nil
}

// words of made-up names.
var (
	given  = strings.Fields("Priya Arjun Ananya Rohan Kavya Ishaan Meera Vikram Sara Daniel Lucia Mateo Sofia Diego Emma Liam Olivia Noah Ava Ethan Fatima Omar Aisha Yusuf Chen Wei Mei Hiro Yuki Ken")
	family = strings.Fields("Sharma Patel Gupta Singh Kumar Reddy Iyer Nair Das Roy Garcia Lopez Martinez Gonzalez Perez Smith Jones Brown Taylor Wilson Khan Ali Ahmed Hassan Wang Li Zhang Tanaka Sato Suzuki")
	stages = []string{"New Lead", "Contacted", "Qualified", "Proposal Sent", "Negotiation", "Won", "Lost"}
)

// writePeople writes a CSV of people: 900 names, 20 sources, a common tag and
// rare ones, every stage.
func writePeople(file string, n int) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintln(w, "phone,email,firstName,lastName,source,tags,stage,dealValue,city")
	for i := range n {
		tag := "customer"
		switch {
		case i%3 > 0:
			tag = ""
		case i%3000 == 0:
			tag = "customer;vip-" + strconv.Itoa(i/3000%50)
		}
		fmt.Fprintf(w, "+9198%08d,p%d@example.com,%s,%s%d,source-%d,%s,%s,%d,city-%d\n", i, i, given[i%len(given)], family[i/len(given)%len(family)], i/900,
			i%20, tag, stages[i%len(stages)], i%10000, i%300)
	}
	return errors.Join(w.Flush(), f.Close())
}

// fetch asks the API once.
func (p *parley) fetch(path string) ([]byte, error) { return p.fetchWith(path, p.key) }

func (p *parley) fetchWith(path, key string) ([]byte, error) {
	r, err := http.NewRequest("GET", "http://"+p.addr+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("x-api-key", key)
	resp, err := keepAlive.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var b strings.Builder
	if _, err := bufio.NewReader(resp.Body).WriteTo(&b); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s answers %d: %.300s", path, resp.StatusCode, b.String())
	}
	return []byte(b.String()), nil
}

var keepAlive = &http.Client{Timeout: 2 * time.Minute}

// calls measures what people look at all day.
func (p *parley) calls(o options) ([]callTimes, error) {
	b, err := p.fetch("/api/saas/crm/pipelines")
	if err != nil {
		return nil, err
	}
	var all struct {
		Data []struct {
			ID     string `json:"id"`
			Stages []struct {
				ID string `json:"id"`
			} `json:"stages"`
		} `json:"data"`
	}
	if err := json.Unmarshal(b, &all); err != nil || len(all.Data) == 0 {
		return nil, fmt.Errorf("no pipeline: %w: %.200s", err, b)
	}
	pipe, stage := all.Data[0].ID, all.Data[0].Stages[2].ID
	n := o.Contacts
	const list = "/api/saas/crm/leads?limit=25"
	var out []callTimes
	for _, c := range []struct {
		name string
		path func(i int) string
	}{
		{"list by score", func(int) string { return list }},
		{"list by creation", func(int) string { return list + "&sortBy=createdAt" }},
		{"list by change", func(int) string { return list + "&sortBy=updatedAt" }},
		{"list by value", func(int) string { return list + "&sortBy=dealValue" }},
		{"list by last contact", func(int) string { return list + "&sortBy=lastContactedAt" }},
		{"list of a stage", func(int) string { return list + "&stageId=" + stage }},
		{"list of a common tag", func(int) string { return list + "&tags=customer" }},
		{"list of a rare tag", func(i int) string { return list + "&tags=vip-" + strconv.Itoa(i%50) }},
		{"list of a source", func(i int) string { return list + "&source=source-" + strconv.Itoa(i%20) }},
		{"list of a source in a stage", func(i int) string {
			return list + "&stageId=" + stage + "&source=source-" + strconv.Itoa(i%20)
		}},
		{"list of the last day", func(int) string { return list + "&startDate=" + time.Now().UTC().Format(time.DateOnly) }},
		{"page 400 of the list", func(int) string { return list + "&page=400" }},
		{"search: a common first name", func(i int) string { return list + "&search=" + given[i%len(given)] }},
		{"search: a full name", func(i int) string {
			k := i * 7919 % n
			return list + "&search=" + url.QueryEscape(given[k%len(given)]+" "+family[k/len(given)%len(family)]+strconv.Itoa(k/900))
		}},
		{"search: the beginning of a phone", func(i int) string { return list + "&search=" + fmt.Sprintf("98%06d", i*7919%n/100) }},
		{"search: an e-mail", func(i int) string {
			return list + "&search=" + url.QueryEscape(fmt.Sprintf("p%d@example.com", i*7919%n))
		}},
		{"search: nobody", func(i int) string { return list + "&search=zzyzx" + strconv.Itoa(i) }},
		{"lead by phone", func(i int) string { return "/api/saas/crm/leads/phone/" + fmt.Sprintf("9198%08d", i*7919%n) }},
		{"board, 50 a column", func(int) string { return "/api/saas/crm/pipelines/" + pipe + "/board?limit=50" }},
		{"forecast", func(int) string { return "/api/saas/crm/pipelines/" + pipe + "/forecast" }},
	} {
		one, err := p.times(c.name, o.Calls, c.path)
		if err != nil {
			return out, err
		}
		out = append(out, one)
	}
	return out, nil
}

func (p *parley) times(name string, n int, path func(i int) string) (c callTimes, err error) {
	return p.timesWith(name, n, p.key, path)
}

// patience bounds the time spent on the calls of one kind, of which there are 20 at
// least.
const patience = 8 * time.Second

func (p *parley) timesWith(name string, n int, key string, path func(i int) string) (c callTimes, err error) {
	c.Name = name
	took := make([]time.Duration, 0, n)
	for i := range 3 { // what is asked all day is warm
		if _, err := p.fetchWith(path(i), key); err != nil {
			return c, err
		}
	}
	before, err := p.cpu()
	if err != nil {
		return c, err
	}
	for i, all := 0, time.Now(); i < n && (i < 20 || time.Since(all) < patience); i++ {
		begun := time.Now()
		b, err := p.fetchWith(path(i), key)
		if err != nil {
			return c, err
		}
		took = append(took, time.Since(begun))
		c.Answer, c.body = len(b), b
	}
	after, err := p.cpu()
	slices.Sort(took)
	c.P50ms, c.P99ms, c.CPUms = millis(quantile(took, 0.5)), millis(quantile(took, 0.99)), (after-before)*1e3/float64(max(1, len(took)))
	return c, err
}

// print writes the figures of a large base.
func (f *baseFigures) print(p func(format string, args ...any)) {
	p("\n%d contacts with a deal each: %.1f GB on SQLite. After the calls the server holds %.0f MB of its own, %.0f MB with the mapped pages of the file.", f.Contacts, float64(f.DatabaseB)/1e9,
		float64(f.Own)/1e6, float64(f.RSS)/1e6)
	p("\n| | rows/s | CPU µs a row | peak memory of its own | with mapped pages of the file |")
	p("|---|---:|---:|---:|---:|")
	for _, m := range []struct {
		name string
		moveFigures
	}{{"import", f.Import}, {"export", f.Export}} {
		p("| %s | %.0f | %.0f | %.0f MB | %.0f MB |", m.name, m.PerSecond, m.CPUus, float64(m.PeakOwn)/1e6, float64(m.PeakRSS)/1e6)
	}
	p("\n| Call, one client | p50 ms | p99 ms | server CPU ms |")
	p("|---|---:|---:|---:|")
	for _, c := range f.Calls {
		p("| %s | %.1f | %.1f | %.1f |", c.Name, c.P50ms, c.P99ms, c.CPUms)
	}
}
