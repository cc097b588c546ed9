package main

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// flow is one kind of rule whose runs are measured, from what starts them to
// their ends.
type flow struct {
	name, file string
	rule       string // its definition, as a client posts it
	known      bool   // the people are there before the clock starts
	each       int64  // runs that one request starts
	steps      int    // of each run
	status     int
	request    func(p *parley, n int64) []byte
}

// flows are rules of three steps that wait for nothing. The first two are
// started by calls about people who are known; the runs of the third by the
// arrival of their people, and their rows are counted with the run's.
func flows() []flow {
	const tags = `"actions":[{"type":"add_tag","config":{"tag":"welcome"}},{"type":"add_tag","config":{"tag":"trial"}},{"type":"add_tag","config":{"tag":"{{source}}"}}]}`
	call := func(p *parley, n int64) []byte {
		return wire(p.addr, "/api/saas/workflows/trigger", "x-client-code: "+p.code+"\r\nx-api-key: "+p.key+"\r\n",
			fmt.Sprintf(`{"trigger":"signed_up","phone":"+91%d","variables":{"source":"website","plan":"gold"}}`, 6000000000+n))
	}
	return []flow{
		{name: "three tags, by a call", file: "runs-call", known: true, each: 1, steps: 3, status: 200, request: call,
			rule: `{"name":"Welcome","trigger":"signed_up",` + tags},
		{name: "condition, tag, update, by a call", file: "runs-flow", known: true, each: 1, steps: 3, status: 200, request: call,
			rule: `{"name":"Welcome","trigger":"signed_up","nodes":[{"id":"t","type":"trigger"},{"id":"c","type":"condition","data":{"field":"plan","operator":"eq","value":"gold"}},
				{"id":"g","type":"add_tag","data":{"tag":"{{plan}}"}},{"id":"u","type":"update_lead","data":{"fields":{"lastName":"of {{source}}"}}},{"id":"n","type":"add_tag","data":{"tag":"other"}}],
				"edges":[{"source":"t","target":"c"},{"source":"c","target":"g","sourceHandle":"yes"},{"source":"c","target":"n","sourceHandle":"no"},{"source":"g","target":"u"}]}`},
		{name: "three tags, of new people", file: "runs-event", each: 1, steps: 3, status: 201, request: leads().request,
			rule: `{"name":"Welcome","trigger":"lead_created","triggerConfig":{"includeSources":["website"]},` +
				`"actions":[{"type":"add_tag","config":{"tag":"welcome"}},{"type":"add_tag","config":{"tag":"new"}},{"type":"add_tag","config":{"tag":"{{lead.source}}"}}]}`},
	}
}

// runFigures are those of one flow, medians over the rounds; rates are runs a
// second, from the first request of a round to the end of its last run.
type runFigures struct {
	Name      string             `json:"name"`
	Rounds    int                `json:"rounds"`
	Runs      int64              `json:"runsARound"`
	Rate      float64            `json:"runsPerSecond"`
	RawRate   float64            `json:"rawRate"`
	RawRatio  float64            `json:"ratioToRaw"`
	Ratios    []float64          `json:"ratios"` // of each round
	ServerCPU float64            `json:"serverCPUMicros"`
	Group     float64            `json:"runsPerCommit"`
	Rows      map[string]float64 `json:"rowsPerRun"` // added, by table
	RowsSum   float64            `json:"rowsPerRunSum"`
}

func measureRuns(o options, dir string) (out []runFigures, err error) {
	for _, f := range flows() {
		say("runs, %s: %d rounds of %d", f.name, o.Rounds, o.Runs)
		one, err := measureFlow(o, f, filepath.Join(dir, f.file))
		if err != nil {
			return out, fmt.Errorf("%s: %w", f.name, err)
		}
		out = append(out, one)
	}
	return out, nil
}

// measureFlow starts the runs of a flow on a fresh server, and after each round
// writes the same rows raw.
func measureFlow(o options, f flow, dir string) (out runFigures, err error) {
	p, err := startParley(o.Bin, filepath.Join(dir, "parley"), o.Profile != "")
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	if err := p.furnish(); err != nil {
		return out, err
	}
	if err := p.call("/api/saas/crm/automations", f.rule); err != nil {
		return out, err
	}
	warm := max(1, o.Runs/5)
	if f.known {
		// Clients that end together may send one request more each.
		if err := p.people(warm + int64(o.Rounds)*o.Runs + int64((o.Rounds+1)*o.Clients)); err != nil {
			return out, err
		}
	}
	seen, err := newCapture(p.data)
	if err != nil {
		return out, err
	}
	defer seen.db.Close()
	r, err := newRaw(filepath.Join(dir, "raw"))
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, r.close()) }()

	var next atomic.Int64
	if _, err := p.start(o, f, &next, warm, seen.db); err != nil {
		return out, err
	}
	had, err := seen.news()
	if err != nil {
		return out, err
	}
	if _, err := r.write(had, next.Load(), 200, false); err != nil {
		return out, err
	}
	var rates, raws, cpus, groups, sums []float64
	for i := range o.Rounds {
		profiled := p.profiling(o, fmt.Sprintf("%s-%d", f.file, i))
		began, err := p.start(o, f, &next, o.Runs, seen.db)
		if err != nil {
			return out, err
		}
		if err := <-profiled; err != nil {
			return out, err
		}
		added, err := seen.news()
		if err != nil {
			return out, err
		}
		n := float64(began.runs)
		out.Rows = map[string]float64{}
		sum := 0.0
		for _, t := range added {
			out.Rows[t.name] = float64(len(t.rows)) / n
			sum += out.Rows[t.name]
		}
		if out.Rows["run"] != 1 || out.Rows["run_step"] != float64(f.steps) {
			return out, fmt.Errorf("a run has left %v rows of run and %v of run_step", out.Rows["run"], out.Rows["run_step"])
		}
		took, err := r.write(added, began.runs, n/max(1, began.groups), false)
		if err != nil {
			return out, err
		}
		rate, raw := n/began.took.Seconds(), n/took.Seconds()
		rates, raws, cpus = append(rates, rate), append(raws, raw), append(cpus, began.cpu*1e6/n)
		groups, sums = append(groups, n/max(1, began.groups)), append(sums, sum)
		out.Ratios = append(out.Ratios, rate/raw)
		out.Runs = began.runs
	}
	out.Name, out.Rounds = f.name, o.Rounds
	out.Rate, out.RawRate, out.RawRatio = median(rates), median(raws), median(out.Ratios)
	out.ServerCPU, out.Group, out.RowsSum = median(cpus), median(groups), median(sums)
	return out, nil
}

// flight is one round: runs from what starts them to their ends.
type flight struct {
	runs        int64
	took        time.Duration
	cpu, groups float64
}

// start makes requests that start so many runs, or a few more, and returns when
// the last run has completed.
func (p *parley) start(o options, f flow, next *atomic.Int64, runs int64, db *sql.DB) (t flight, err error) {
	before, err := p.writes()
	if err != nil {
		return t, err
	}
	cpu, err := p.cpu()
	if err != nil {
		return t, err
	}
	begun := time.Now()
	s, err := post(p.addr, o.Clients, 0, next, next.Load()+(runs+f.each-1)/f.each, f.status, func(n int64) []byte { return f.request(p, n) })
	if err != nil {
		return t, err
	}
	t.runs = s.n * f.each
	all := next.Load() * f.each
	// Cheap questions, for they are asked while the clock runs: the last rowid,
	// and the index of open runs.
	err = until(2*time.Minute, func() (bool, error) {
		var last, open sql.NullInt64
		if err := db.QueryRow("SELECT MAX(rowid) FROM run").Scan(&last); err != nil || last.Int64 < all {
			return false, err
		}
		err := db.QueryRow("SELECT COUNT(*) FROM run INDEXED BY run_open WHERE completed_at IS NULL").Scan(&open)
		return open.Int64 == 0, err
	})
	if err != nil {
		return t, err
	}
	t.took = time.Since(begun)
	var done int64
	if err := db.QueryRow("SELECT COUNT(*) FROM run WHERE status='completed' AND steps=?", f.steps).Scan(&done); err != nil || done != all {
		return t, errors.Join(err, fmt.Errorf("%d runs of %d have completed in %d steps", done, all, f.steps))
	}
	after, err := p.writes()
	if err != nil {
		return t, err
	}
	used, err := p.cpu()
	t.cpu, t.groups = used-cpu, after.groups-before.groups
	return t, err
}

// people makes so many people, by the phones that calls name.
func (p *parley) people(n int64) error {
	const batch = 500
	for from := int64(0); from < n; from += batch {
		var b bytes.Buffer
		for i := from; i < min(n, from+batch); i++ {
			fmt.Fprintf(&b, `,{"firstName":"Asha","lastName":"Rao %d","phone":"+91%d","source":"website"}`, i, 6000000000+i)
		}
		if err := p.call("/api/saas/crm/leads/bulk", "["+b.String()[1:]+"]"); err != nil {
			return err
		}
	}
	return nil
}

// call makes one request of what a measurement needs beforehand.
func (p *parley) call(path, body string) error {
	req, err := http.NewRequest("POST", "http://"+p.addr+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "X-Client-Code": {p.code}, "X-Api-Key": {p.key}}
	resp, err := plainHTTP.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s answered %d: %.300s", path, resp.StatusCode, b)
	}
	return err
}

// profiling writes a CPU profile of a second from now on, when one is asked for.
func (p *parley) profiling(o options, name string) <-chan error {
	done := make(chan error, 1)
	if o.Profile == "" {
		done <- nil
		return done
	}
	if err := os.MkdirAll(o.Profile, 0o755); err != nil {
		done <- err
		return done
	}
	go func() { done <- p.profileCPU(filepath.Join(o.Profile, name+".pprof"), time.Second) }()
	return done
}

// printRuns writes the figures of runs.
func printRuns(p func(format string, args ...any), list []runFigures) {
	p("\n| Runs of three steps | runs/s | the same rows raw, runs/s | **ratio to raw** | of each round | runs in a commit | rows a run | server CPU µs a run |")
	p("|---|---:|---:|---:|---|---:|---:|---:|")
	for _, f := range list {
		var each []string
		for _, r := range f.Ratios {
			each = append(each, fmt.Sprintf("%.2f", r))
		}
		p("| %s | %.0f | %.0f | **%.2f** | %s | %.1f | %.1f | %.0f |", f.Name, f.Rate, f.RawRate, f.RawRatio, strings.Join(each, " "), f.Group, f.RowsSum, f.ServerCPU)
	}
	p("\nRows that one run adds, with what started it:")
	for _, f := range list {
		p("- %s: %s", f.Name, rowList(f.Rows))
	}
}
