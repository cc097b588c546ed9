package crossface

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"parley/test/apitest"
)

var update = flag.Bool("update", false, "write docs/crossface.md")

// Every way to write a fact is seen by every way to read it.
func TestWhatOneWritesEveryOtherReads(t *testing.T) {
	apitest.Each(t, apitest.Options{Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		w := newWorld(t, r)
		for _, f := range facts {
			befores := []string{""}
			if f.known != "" {
				befores = []string{platform, sales, targeting}
			}
			for _, write := range f.writes {
				for _, before := range befores {
					t.Run(fmt.Sprintf("%s/%s %s/known by %s", f.name, write.face, write.how, before), func(t *testing.T) {
						w := w.in(t)
						p := newPerson()
						if before != "" {
							w.known(p, before)
						}
						write.write(w, p)
						for _, read := range f.reads {
							w.sees(read, p)
						}
					})
				}
			}
		}
	})
}

// sees waits until a reader sees the fact: reactions follow a write within
// moments.
func (w *world) sees(read way, p *person) {
	w.Helper()
	missing := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(15 * time.Millisecond) {
		if missing = read.read(w, p); missing == "" {
			return
		}
	}
	w.Errorf("%s, %s: %s", read.face, read.how, missing)
}

const head = `# What one API writes, every other reads

There is one contact per person, whichever API tells of them. This page is written from the table of test/crossface, which tries
every way to write a fact against every way to read it, on SQLite and on PostgreSQL, for people who came by any of them.

| Fact | Written by | Read by |
|---|---|---|
`

// The published table is the tested one.
func TestTheTableIsPublished(t *testing.T) {
	var b strings.Builder
	b.WriteString(head)
	for _, f := range facts {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", f.name, cell(f.writes), cell(f.reads))
	}
	const file = "../../docs/crossface.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(file); err != nil || string(have) != b.String() {
		t.Errorf("docs/crossface.md is not the table of facts (%v); run go test ./test/crossface -run TestTheTableIsPublished -update", err)
	}
}

func cell(ways []way) string {
	var out []string
	for _, w := range ways {
		out = append(out, w.face+": `"+w.how+"`")
	}
	return strings.Join(out, "<br>")
}
