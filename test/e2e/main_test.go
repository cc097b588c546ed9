package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/store/storetest"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// program is the path of the built binary.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "parley-e2e")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "parley")
	if out, err := exec.Command("go", "build", "-o", program, "parley/cmd/parley").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// environ is this process's environment without settings of Parley.
func environ(more ...string) []string {
	var out []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PARLEY_") {
			out = append(out, v)
		}
	}
	return append(out, more...)
}

// result is what a command left behind.
type result struct {
	stdout, stderr string
	code           int
}

// command runs the program to its end.
func command(t testing.TB, env []string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, program, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr, c.Env, c.Dir = &out, &errs, environ(env...), t.TempDir()
	err := c.Run()
	var exit *exec.ExitError
	if ctx.Err() != nil || (err != nil && !errors.As(err, &exit)) {
		t.Fatalf("parley %s: %v\n%s", strings.Join(args, " "), errors.Join(err, ctx.Err()), errs.String())
	}
	return result{out.String(), errs.String(), c.ProcessState.ExitCode()}
}

// parley runs a command that must succeed without a word on stderr and returns
// what it printed.
func parley(t testing.TB, args ...string) string {
	t.Helper()
	r := command(t, nil, args...)
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("parley %s: exit %d\nstdout: %s\nstderr: %s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// parleyJSON is parley for a command that prints one JSON value.
func parleyJSON[T any](t testing.TB, args ...string) (out T) {
	t.Helper()
	text := parley(t, append(args, "--json")...)
	d := json.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&out); err != nil {
		t.Fatalf("parley %s printed %q: %v", strings.Join(args, " "), text, err)
	}
	if d.More() {
		t.Fatalf("parley %s printed more than one JSON value: %s", strings.Join(args, " "), text)
	}
	return out
}

// eventually polls until done returns true.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("did not happen: %s", what)
		}
	}
}

// eachDatabase runs f with the flags that choose SQLite, then PostgreSQL.
func eachDatabase(t *testing.T, f func(t *testing.T, flags []string)) {
	t.Run("sqlite", func(t *testing.T) { f(t, []string{"--data", t.TempDir()}) })
	t.Run("postgres", func(t *testing.T) {
		f(t, []string{"--data", t.TempDir(), "--database", postgres(t)})
	})
}

// postgres returns a fresh PostgreSQL database.
func postgres(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("PostgreSQL is left out of short runs")
	}
	return storetest.PostgresURL(t)
}

// with joins lists of arguments.
func with(lists ...[]string) (out []string) {
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

func words(s string) []string { return strings.Fields(s) }
