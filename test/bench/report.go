package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
	"time"

	"parley/internal/telemetry"
)

// report is everything that a run found.
type report struct {
	At      time.Time      `json:"at"`
	Cores   int            `json:"cores"`
	Go      string         `json:"go"`
	Commit  string         `json:"commit"`
	Clients int            `json:"clients"`
	SyncP50 float64        `json:"fsyncP50Ms"` // of 4 KB appended to a file, on the disk of the data
	SyncP99 float64        `json:"fsyncP99Ms"`
	Loads   []loadFigures  `json:"loads,omitempty"`
	Runs    []runFigures   `json:"runs,omitempty"`
	Jobs    []jobFigures   `json:"jobs,omitempty"`
	Start   *startFigures  `json:"start,omitempty"`
	Sockets *socketFigures `json:"sockets,omitempty"`
	Base    *baseFigures   `json:"base,omitempty"`
	Sales   *salesFigures  `json:"sales,omitempty"`
	// Notifications are those to subscriptions of the sales API.
	Notifications *notifyFigures `json:"notifications,omitempty"`
	// Targeting are those of targets on a large base, and of activations.
	Targeting *targetingFigures `json:"targeting,omitempty"`

	Seconds float64 `json:"seconds"` // of the whole run
}

// loadFigures are the medians over the rounds of a load; rates a second,
// processor times in microseconds a request.
type loadFigures struct {
	Name      string             `json:"name"`
	Rounds    int                `json:"rounds"`
	Rate      float64            `json:"rate"`
	P50ms     float64            `json:"p50Ms"`
	P99ms     float64            `json:"p99Ms"`
	RawRate   float64            `json:"rawRate"`
	RawRatio  float64            `json:"ratioToRaw"`
	BareRate  float64            `json:"bareRate"`
	BareRatio float64            `json:"ratioToBare"`
	BareP50ms float64            `json:"bareP50Ms"`
	ServerCPU float64            `json:"serverCPUMicros"`
	ClientCPU float64            `json:"clientCPUMicros"`
	BareCPU   float64            `json:"bareCPUMicros"`
	Group     float64            `json:"requestsPerCommit"`
	Rows      map[string]float64 `json:"rowsPerRequest"` // added, by table
	RowsSum   float64            `json:"rowsPerRequestSum"`
	RSS       int64              `json:"rss"`
}

func (f *loadFigures) sum(l load, rounds []round) {
	mid := func(of func(round) float64) float64 {
		var all []float64
		for _, r := range rounds {
			all = append(all, of(r))
		}
		slices.Sort(all)
		return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
	}
	f.Name, f.Rounds = l.name, len(rounds)
	f.Rate = mid(func(r round) float64 { return r.Rate })
	f.P50ms = mid(func(r round) float64 { return r.P50ms })
	f.P99ms = mid(func(r round) float64 { return r.P99ms })
	f.RawRate = mid(func(r round) float64 { return r.RawRate })
	f.BareRate = mid(func(r round) float64 { return r.BareRate })
	f.BareP50ms = mid(func(r round) float64 { return r.BareP50ms })
	// Ratios are taken within a round, where the machine was the same.
	f.RawRatio = mid(func(r round) float64 { return r.Rate / r.RawRate })
	f.BareRatio = mid(func(r round) float64 { return r.Rate / r.BareRate })
	f.ServerCPU = mid(func(r round) float64 { return r.ServerCPU })
	f.ClientCPU = mid(func(r round) float64 { return r.ClientCPU })
	f.BareCPU = mid(func(r round) float64 { return r.BareCPU })
	f.Group = mid(func(r round) float64 { return r.Group })
	f.RowsSum = mid(func(r round) float64 { return r.Rows })
	f.RSS = int64(mid(func(r round) float64 { return float64(r.RSS) }))
}

func newReport(o options, dir string) (*report, error) {
	b := telemetry.BuildInfo()
	r := &report{At: time.Now().UTC().Truncate(time.Second), Cores: runtime.NumCPU(), Go: runtime.Version(), Commit: b.Commit, Clients: o.Clients}
	file, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	block := make([]byte, 4096)
	var took []time.Duration
	for begun := time.Now(); len(took) < 200 && time.Since(begun) < 2*time.Second; {
		at := time.Now()
		if _, err := file.Write(block); err != nil {
			return nil, err
		}
		if err := file.Sync(); err != nil {
			return nil, err
		}
		took = append(took, time.Since(at))
	}
	slices.Sort(took)
	r.SyncP50, r.SyncP99 = millis(quantile(took, 0.5)), millis(quantile(took, 0.99))
	return r, nil
}

// print writes the figures as Markdown, as docs/performance.md shows them.
func (r *report) print(w io.Writer) {
	p := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	p("Measured %s, commit %s, %s, %d cores, %d clients. The clients run on the same cores as the server.", r.At.Format("2006-01-02 15:04 MST"), or(r.Commit, head()), r.Go, r.Cores, r.Clients)
	p("An fsync of 4 KB takes %.2f ms (p50), %.2f ms (p99) on this disk. The run took %.0f s.", r.SyncP50, r.SyncP99, r.Seconds)
	if len(r.Loads) > 0 {
		p("\n| Load | requests/s | p50 ms | p99 ms | the same rows raw, requests/s | **ratio to raw** | bare net/http, requests/s | **ratio to bare** |")
		p("|---|---:|---:|---:|---:|---:|---:|---:|")
		for _, f := range r.Loads {
			p("| %s | %.0f | %.1f | %.1f | %.0f | **%.2f** | %.0f | **%.2f** |", f.Name, f.Rate, f.P50ms, f.P99ms, f.RawRate, f.RawRatio, f.BareRate, f.BareRatio)
		}
		p("\n| Load | requests in a commit | rows a request | server CPU µs | client CPU µs | bare server CPU µs | server RSS MB |")
		p("|---|---:|---:|---:|---:|---:|---:|")
		for _, f := range r.Loads {
			p("| %s | %.0f | %.1f | %.0f | %.0f | %.0f | %.0f |", f.Name, f.Group, f.RowsSum, f.ServerCPU, f.ClientCPU, f.BareCPU, float64(f.RSS)/1e6)
		}
		p("\nRows that one request adds:")
		for _, f := range r.Loads {
			p("- %s: %s", f.Name, rowList(f.Rows))
		}
	}
	if len(r.Runs) > 0 {
		printRuns(p, r.Runs)
	}
	if len(r.Jobs) > 0 {
		p("\n| No-op jobs on | jobs/s | CPU µs a job | enqueue to start p50 ms | p99 ms |")
		p("|---|---:|---:|---:|---:|")
		for _, f := range r.Jobs {
			p("| %s | %.0f | %.0f | %.2f | %.2f |", f.Database, f.PerSecond, f.CPUus, f.StartP50ms, f.StartP99ms)
		}
	}
	if s := r.Start; s != nil {
		p("\n| Start to ready (median) | worst | idle RSS | binary |")
		p("|---:|---:|---:|---:|")
		p("| %.0f ms | %.0f ms | %.0f MB | %.1f MB |", s.ReadyMs, s.WorstMs, float64(s.IdleRSS)/1e6, float64(s.BinaryBytes)/1e6)
	}
	if r.Sockets != nil {
		r.Sockets.print(p)
	}
	if r.Base != nil {
		r.Base.print(p)
	}
	if r.Sales != nil {
		r.Sales.print(p)
	}
	if r.Notifications != nil {
		r.Notifications.print(p)
	}
	if r.Targeting != nil {
		r.Targeting.print(p)
	}
}

// print writes the figures of live delivery.
func (s *socketFigures) print(p func(format string, args ...any)) {
	p("\n| Connections | opened/s | deliveries/s | bytes each | plain writes, deliveries/s | **ratio** | server CPU µs a delivery | memory a connection | RSS idle, open, under load |")
	p("|---:|---:|---:|---:|---:|---:|---:|---:|---|")
	p("| %d | %.0f | %.0f | %.0f | %.0f | **%.2f** | %.1f | %.1f KB | %.0f, %.0f, %.0f MB |", s.Connections, s.ConnectPerSec, s.PerSecond, s.Bytes, s.BareRate, s.Ratio,
		s.ServerCPU, float64(s.PerConnection)/1e3, float64(s.IdleRSS)/1e6, float64(s.OpenRSS)/1e6, float64(s.LoadRSS)/1e6)
}

func rowList(rows map[string]float64) string {
	var out []string
	for name, n := range rows {
		if n >= 0.01 {
			out = append(out, fmt.Sprintf("%s %.3g", name, n))
		}
	}
	sort.Strings(out)
	return strings.Join(out, ", ")
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// head names the checkout's commit, for a program that was built without it.
func head() string {
	out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
