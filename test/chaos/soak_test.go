package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// summary is one line of docs/soak.md.
type summary struct {
	name                      string
	kills, facts, lost, twice int
	begun                     time.Time
}

const soakHead = `# Soak runs

Each line is one run of ` + "`make soak`" + ` (test/chaos): the real binary was killed, or lost its power with everything unsynced,
under mixed load; "lost" counts acknowledged facts that were gone afterwards, "twice" effects that happened more than once.
A commit with a plus had changes that were not committed.

| date | commit | run | kills | acknowledged facts | lost | twice | duration |
|---|---|---|---:|---:|---:|---:|---:|
`

// record appends the run to docs/soak.md when this is a soak.
func (s summary) record(t testing.TB) {
	t.Helper()
	if !soak() {
		return
	}
	root := strings.TrimSpace(git(t, "rev-parse", "--show-toplevel"))
	commit := strings.TrimSpace(git(t, "rev-parse", "--short", "HEAD"))
	if git(t, "status", "--porcelain", "--", ".", ":!docs/soak.md") != "" {
		commit += "+"
	}
	file := filepath.Join(root, "docs", "soak.md")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	line := fmt.Sprintf("| %s | %s | %s | %d | %d | %d | %d | %s |\n", time.Now().UTC().Format(time.DateOnly), commit, s.name, s.kills, s.facts, s.lost, s.twice,
		time.Since(s.begun).Round(time.Second))
	if info, err := f.Stat(); err == nil && info.Size() == 0 {
		line = soakHead + line
	}
	if _, err := f.WriteString(line); err != nil {
		t.Fatal(err)
	}
}

func git(t testing.TB, args ...string) string {
	t.Helper()
	top, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		t.Fatalf("git rev-parse: %v", err)
	}
	out, err := exec.Command("git", append([]string{"-C", strings.TrimSpace(string(top))}, args...)...).Output()
	if err != nil {
		t.Fatalf("git %v: %v", args, err)
	}
	return string(out)
}
