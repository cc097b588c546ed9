package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestMain lets the test program become the bare server, as the real one does.
func TestMain(m *testing.M) {
	if bound, err := becomeBound(os.Args); bound {
		if err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestTheHarnessWorks runs every part with tiny counts against the real binary.
// It says nothing about speed.
func TestTheHarnessWorks(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary and starts servers")
	}
	bin := filepath.Join(t.TempDir(), "parley")
	build := exec.Command("go", "build", "-o", bin, "parley/cmd/parley")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	t.Cleanup(endAll)
	r, err := measure(options{Bin: bin, Clients: 8, Rounds: 1, Stretch: 300 * time.Millisecond, Warm: 50 * time.Millisecond,
		Known: 50, Jobs: 40, Paced: 5, Starts: 1, Sockets: 12, Runs: 20, Postgres: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Loads) != 3 || len(r.Jobs) != 2 || r.Start == nil || r.Sockets == nil {
		t.Fatalf("parts are missing: %+v", r)
	}
	for _, f := range r.Loads {
		if f.Rate <= 0 || f.RawRate <= 0 || f.BareRate <= 0 || f.P50ms <= 0 || f.P99ms < f.P50ms || f.Group < 0.5 || f.RSS < 1<<20 {
			t.Errorf("%s: %+v", f.Name, f)
		}
	}
	// What a request leaves behind is counted, not assumed: these are its facts.
	want := []map[string]float64{
		{"contact": 1, "identity": 2, "deal": 1, "deal_stage": 1, "contact_tag": 1},
		{"contact": 1, "identity": 1, "conversation": 1, "message": 1},
		{"message": 1, "contact": 0, "conversation": 0},
	}
	for i, f := range r.Loads {
		for table, n := range want[i] {
			if f.Rows[table] != n {
				t.Errorf("%s adds %v rows of %s, want %v", f.Name, f.Rows[table], table, n)
			}
		}
	}
	if len(r.Runs) != 3 {
		t.Fatalf("runs: %+v", r.Runs)
	}
	for i, f := range r.Runs {
		if f.Runs < 20 || f.Rate <= 0 || f.RawRate <= 0 || len(f.Ratios) != 1 || f.Group < 0.5 {
			t.Errorf("%+v", f)
		}
		for table, n := range []map[string]float64{
			{"run": 1, "run_step": 3, "contact_tag": 3, "trigger_log": 1, "contact": 0},
			{"run": 1, "run_step": 3, "contact_tag": 1, "trigger_log": 1, "contact": 0},
			{"run": 1, "run_step": 3, "contact_tag": 4, "trigger_log": 0, "contact": 1},
		}[i] {
			if f.Rows[table] != n {
				t.Errorf("a run of %s adds %v rows of %s, want %v", f.Name, f.Rows[table], table, n)
			}
		}
	}
	for _, f := range r.Jobs {
		if f.PerSecond <= 0 || f.StartP50ms <= 0 || f.StartP99ms < f.StartP50ms {
			t.Errorf("%+v", f)
		}
	}
	if s := r.Sockets; s.Deliveries < 12 || s.Deliveries%12 != 0 || s.PerSecond <= 0 || s.BareRate <= 0 || s.Bytes < 20 {
		t.Errorf("%+v", s)
	}
	if r.Start.ReadyMs <= 0 || r.Start.IdleRSS < 1<<20 || r.Start.BinaryBytes < 1<<20 || r.Start.Leads == 0 {
		t.Errorf("%+v", r.Start)
	}
	few := options{Bin: bin, Clients: 4, Rounds: 1, Stretch: 200 * time.Millisecond, Warm: 50 * time.Millisecond, Contacts: 60}
	if r.Sales, err = measureSales(few, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if len(r.Sales.Loads) != 3 || r.Sales.Adopted <= 0 {
		t.Fatalf("%+v", r.Sales)
	}
	for i, f := range r.Sales.Loads {
		if f.Rate <= 0 || f.RawRate <= 0 || f.BareRate <= 0 || f.Rows["inquiry"] != 1 || i < 2 && f.Rows["contact"] != float64(1-i) || i == 0 && f.Rows["deal"] != 1 {
			t.Errorf("%+v", f)
		}
	}
	var page bytes.Buffer
	r.print(&page)
	for _, must := range []string{"| lead ingest |", "| webhook, known people |", "| postgres |", "| three tags, by a call |", "| sales lead, known people |", "ratio to raw", "same cores"} {
		if !strings.Contains(page.String(), must) {
			t.Errorf("the page lacks %q:\n%s", must, page.String())
		}
	}
	if b, err := json.Marshal(r); err != nil || !bytes.Contains(b, []byte(`"ratioToRaw"`)) {
		t.Errorf("%v: %s", err, b)
	}
}

// TestAStretchReportsRefusals: a server that answers otherwise must not be measured.
func TestAStretchReportsRefusals(t *testing.T) {
	p, err := startBare([]byte(`{"ok":true}`), 200)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	}()
	request := func(body string) func(int64) []byte {
		return func(int64) []byte { return wire(p.addr, "/", "", body) }
	}
	s, err := post(p.addr, 4, 50*time.Millisecond, new(atomic.Int64), 0, 200, request(`{"a":1}`))
	if err != nil || s.n == 0 || string(s.answer) != `{"ok":true}` {
		t.Fatalf("%v %+v", err, s)
	}
	if _, err := post(p.addr, 4, 50*time.Millisecond, new(atomic.Int64), 0, 201, request(`{"a":1}`)); err == nil || !strings.Contains(err.Error(), "answered 200 instead of 201") {
		t.Errorf("another status must end the stretch: %v", err)
	}
	if _, err := post(p.addr, 4, 50*time.Millisecond, new(atomic.Int64), 0, 200, request(`not JSON`)); err == nil {
		t.Error("a refused body must end the stretch")
	}
}

func TestQuantile(t *testing.T) {
	var all []time.Duration
	for i := 1; i <= 1000; i++ {
		all = append(all, time.Duration(i))
	}
	if a, b, c := quantile(all, 0.5), quantile(all, 0.99), quantile(all[:1], 0.99); a != 501 || b != 991 || c != 1 || quantile(nil, 0.5) != 0 {
		t.Errorf("%d %d %d", a, b, c)
	}
}
