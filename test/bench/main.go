// Command bench measures Parley: durable lead ingest and webhook
// acknowledgement over real HTTP against the real binary, background jobs on
// both databases, the start, memory at rest and the size of the binary. Beside
// each rate stands its ratio to a bound measured in the same run, because
// absolute figures on shared machines say nothing: the same rows written raw in
// groups of the same size, and a bare net/http server that reads the same
// requests and gives the same answers.
//
// `make bench` runs it; it imports the rooms it measures and nobody imports it.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// options say what to measure and for how long.
type options struct {
	Bin     string        // the parley binary
	Dir     string        // where data goes; a fresh folder below it
	Clients int           // connections that post at once
	Rounds  int           // each is one stretch of every kind; the medians count
	Stretch time.Duration // of posting to the server, a round
	Warm    time.Duration
	Known   int64 // people who write again
	Jobs    int   // no-op jobs to run on SQLite; a quarter of them on PostgreSQL
	Paced   int   // jobs enqueued one by one, for the time to the start
	Starts  int
	// Notifications are those to each of the endpoints.
	Notifications int
	Sockets       int
	Contacts      int
	Calls         int
	Runs          int64 // of rules of three steps, a round of each kind
	Postgres      bool
	Only          string // comma-separated parts: leads, webhooks, runs, jobs, start, sockets, base, sales, notifications and targeting (only when named)
	JSON          string // file for the figures
	Profile       string // folder for CPU profiles of the server, "" for none
}

func (o options) wants(part string) bool {
	return o.Only == "" || strings.Contains(","+o.Only+",", ","+part+",")
}

func main() {
	if bound, err := becomeBound(os.Args); bound {
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.StringVar(&o.Bin, "bin", "bin/parley", "the parley binary to measure")
	flag.StringVar(&o.Dir, "dir", "", "folder for the data, on the disk that matters (default: the system's folder for temporary files)")
	flag.IntVar(&o.Clients, "clients", 128, "connections that post at once")
	flag.IntVar(&o.Rounds, "rounds", 3, "rounds of each load; medians are shown")
	flag.DurationVar(&o.Stretch, "stretch", 5*time.Second, "how long a round posts to the server")
	flag.DurationVar(&o.Warm, "warm", time.Second, "how long to post before measuring")
	flag.Int64Var(&o.Known, "known", 2000, "people who have written before, in the load of known people")
	flag.IntVar(&o.Jobs, "jobs", 20000, "no-op jobs to run on SQLite; a quarter of them on PostgreSQL")
	flag.IntVar(&o.Paced, "paced", 600, "jobs enqueued one by one, for the time from enqueue to start")
	flag.IntVar(&o.Notifications, "notifications", 50_000, "notifications to each of 20 endpoints")
	flag.IntVar(&o.Starts, "starts", 7, "starts to take the median of")
	flag.BoolVar(&o.Postgres, "postgres", true, "measure jobs on PostgreSQL too")
	flag.IntVar(&o.Contacts, "contacts", 1_000_000, "contacts of the large base, and prospects of the sales API's")
	flag.IntVar(&o.Calls, "calls", 200, "calls of each kind on the large base")
	flag.IntVar(&o.Sockets, "sockets", 5000, "live connections at once; each needs a file handle on either side")
	flag.Int64Var(&o.Runs, "runs", 6000, "runs of rules of three steps, in each round of each kind")
	flag.StringVar(&o.Only, "only", "", "parts to run, with commas between: leads,webhooks,runs,jobs,start,sockets,base,sales,notifications,targeting; the last four only when they are named")
	flag.StringVar(&o.JSON, "json", "", "write the figures to this `file` as JSON")
	flag.StringVar(&o.Profile, "profile", "", "write CPU profiles of the server's measured rounds to this `folder`")
	flag.Parse()

	// Ctrl-C must not leave servers behind: cleaning up happens on the way out.
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	failed := make(chan error, 1)
	go func() { failed <- run(o) }()
	var err error
	select {
	case err = <-failed:
	case s := <-stop:
		endAll() // then the part at work fails, and cleans up
		select {
		case <-failed:
		case <-time.After(5 * time.Second):
		}
		err = fmt.Errorf("stopped by %s", s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options) (err error) {
	defer endAll()
	r, err := measure(o)
	if err != nil {
		if r != nil {
			r.print(os.Stdout) // what was found before is worth keeping
		}
		return err
	}
	r.print(os.Stdout)
	if o.JSON == "" {
		return nil
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.JSON, append(b, '\n'), 0o644)
}

// measure runs the parts that o asks for, in a folder that it removes. When one
// fails, the report holds those before it.
func measure(o options) (r *report, err error) {
	if o.Clients < 1 || o.Rounds < 1 || o.Stretch <= 0 || o.Jobs < 4 || o.Known < 1 || o.Paced < 1 || o.Starts < 1 || o.Sockets < 1 || o.Runs < 1 {
		return nil, errors.New("every count must be at least 1, jobs at least 4, and a stretch must take time")
	}
	dir, err := os.MkdirTemp(o.Dir, "parleybench")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	begun := time.Now()
	if r, err = newReport(o, dir); err != nil {
		return nil, err
	}
	for _, l := range []load{leads(), webhooks(), replies(o.Known)} {
		if !o.wants(l.part) {
			continue
		}
		say("%s: %d rounds", l.name, o.Rounds)
		f, err := measureLoad(o, l, filepath.Join(dir, l.file()))
		if err != nil {
			return r, fmt.Errorf("%s: %w", l.name, err)
		}
		r.Loads = append(r.Loads, f)
	}
	if o.wants("runs") {
		if r.Runs, err = measureRuns(o, dir); err != nil {
			return r, fmt.Errorf("runs: %w", err)
		}
	}
	if o.wants("jobs") {
		if r.Jobs, err = measureJobs(o, dir); err != nil {
			return r, fmt.Errorf("jobs: %w", err)
		}
	}
	if o.wants("start") {
		say("start: %d times", o.Starts)
		if r.Start, err = measureStart(o, filepath.Join(dir, "start")); err != nil {
			return r, fmt.Errorf("start: %w", err)
		}
	}
	if o.wants("sockets") {
		say("sockets: %d connections, %d rounds", o.Sockets, o.Rounds)
		if r.Sockets, err = measureSockets(o, dir); err != nil {
			return r, fmt.Errorf("sockets: %w", err)
		}
	}
	if o.Only != "" && o.wants("base") { // it takes a while
		if r.Base, err = measureBase(o, dir); err != nil {
			return r, fmt.Errorf("base: %w", err)
		}
	}
	if o.Only != "" && o.wants("sales") { // so does this
		if r.Sales, err = measureSales(o, dir); err != nil {
			return r, fmt.Errorf("sales: %w", err)
		}
	}
	if o.Only != "" && o.wants("notifications") {
		if r.Notifications, err = measureNotifications(o, dir); err != nil {
			return r, fmt.Errorf("notifications: %w", err)
		}
	}
	if o.Only != "" && o.wants("targeting") {
		if r.Targeting, err = measureTargeting(o, dir); err != nil {
			return r, fmt.Errorf("targeting: %w", err)
		}
	}
	r.Seconds = time.Since(begun).Seconds()
	return r, nil
}

// say tells on stderr what goes on; the figures alone go to stdout.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: %5.1f s  %s\n", time.Since(launched).Seconds(), fmt.Sprintf(format, args...))
}

var launched = time.Now()
