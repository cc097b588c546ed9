package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// work is a folder that ends with the process.
var work string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "parleychaos")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	work = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

var built struct {
	sync.Mutex
	at map[string]string
}

// build returns the path of a program of this module, built once.
func build(t testing.TB, pkg string, tags string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	name := filepath.Base(pkg) + tags
	if p := built.at[name]; p != "" {
		return p
	}
	out := filepath.Join(work, name)
	cmd := exec.Command("go", "build", "-tags", tags, "-o", out, pkg)
	cmd.Env = os.Environ()
	if tags == "mattn" {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=1")
	}
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, b)
	}
	if built.at == nil {
		built.at = map[string]string{}
	}
	built.at[name] = out
	return out
}

func parley(t testing.TB) string { return build(t, "parley/cmd/parley", "") }

// long skips a test that starts and kills real servers in a short run.
func long(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts and kills real servers; left out of short runs")
	}
}

func soak() bool { return os.Getenv("PARLEY_SOAK") != "" }

// count is the number of rounds: the small one, the one of a soak, or PARLEY_KILLS.
func count(t testing.TB, small, full int) int {
	t.Helper()
	if s := os.Getenv("PARLEY_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			t.Fatalf("PARLEY_KILLS must be a number of kills, not %q", s)
		}
		return n
	}
	if soak() {
		return full
	}
	return small
}

// dice returns the run's random choices and logs how to repeat them.
func dice(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("PARLEY_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("PARLEY_SEED must be a number, not %q", s)
		}
		seed = n
	}
	t.Logf("seed %d (PARLEY_SEED repeats it)", seed)
	return rand.New(rand.NewPCG(seed, 7))
}

// eventually waits until ok or fails with what.
func eventually(t testing.TB, within time.Duration, what string, ok func() (bool, string)) {
	t.Helper()
	end := time.Now().Add(within)
	for {
		done, state := ok()
		if done {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s did not come within %s: %s", what, within, state)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func contains(s string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}
