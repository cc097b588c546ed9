package chaos

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// TestBackup takes backups of a server under load and restores them: into a
// fresh folder, and through the running server.
func TestBackup(t *testing.T) {
	long(t)
	w := newWorld(t)
	p := newProc(t, parley(t), "", w.base)
	p.start(t)
	c := w.setUp(t, p)
	l := begin(t, w, c)
	eventually(t, time.Minute, "some load", func() (bool, string) { return l.j.facts() > 150 && len(l.j.copied().fired) > 5, "" })
	before := l.j.copied() // acknowledged before the backup began
	file := filepath.Join(t.TempDir(), "monday.db")
	p.run(t, "backup", file)
	during := l.j.facts()
	later := l.j.copied()
	eventually(t, time.Minute, "more load", func() (bool, string) { later = l.j.copied(); return len(later.leads) > len(before.leads)+20, "" })
	second := filepath.Join(t.TempDir(), "tuesday.db")
	p.run(t, "backup", second)
	l.stop()
	if len(l.j.wrong) > 0 {
		t.Fatalf("under load: %v", l.j.wrong)
	}
	quiet(t, w, c, time.Minute)
	t.Logf("%d facts before the backup, %d when it ended, %d before the second, %d at the end", before.facts(), during, later.facts(), l.j.facts())
	if _, bad, err := p.try(nil, "backup", file); err == nil || !contains(bad, "exists already") {
		t.Errorf("a backup over an existing file: %v %s", err, bad)
	}

	t.Run("into a fresh folder", func(t *testing.T) {
		for name, b := range map[string]struct {
			file string
			j    *journal
		}{"first": {file, before}, "second": {second, later}} {
			q := newProc(t, parley(t), "", w.base)
			duplicate(t, filepath.Join(p.data, "secret.key"), filepath.Join(q.data, "secret.key"))
			if err := os.Chmod(filepath.Join(q.data, "secret.key"), 0o600); err != nil {
				t.Fatal(err)
			}
			q.run(t, "restore", b.file)
			if broken := q.verify(t); len(broken) > 0 {
				t.Errorf("%s: %v", name, broken)
			}
			integrity(t, filepath.Join(q.data, "parley.db"))
			q.start(t)
			holds(t, c.at(q), b.j)
			q.stop(t)
		}
	})
	t.Run("refused", func(t *testing.T) { refusals(t, c, l.j, file) })
	t.Run("through the running server", func(t *testing.T) {
		var extra leadRow
		c.must(t, "POST", "/api/saas/crm/leads", "", map[string]any{"firstName": "Late", "phone": "+919999900000"}, &extra)
		p.run(t, "restore", second)
		if !p.ready() {
			t.Error("the server is not ready after the restore")
		}
		if broken := p.verify(t); len(broken) > 0 {
			t.Errorf("%v", broken)
		}
		holds(t, c, later)
		a, err := c.call(context.Background(), "GET", "/api/saas/crm/leads/"+extra.ID, "", nil)
		if err != nil || a.status != http.StatusNotFound {
			t.Errorf("a lead younger than the backup: %v %d %s", err, a.status, a.body)
		}
		// What was replaced is kept beside it, and is still whole.
		old := opened(t, store.Options{Path: filepath.Join(p.data, "parley.db.before-restore")})
		defer old.Close()
		var n int
		if err := old.Read(context.Background(), id.Zero).All().QueryRow("SELECT COUNT(*) FROM contact WHERE id=?", extra.ID).Scan(&n); err != nil || n != 1 {
			t.Errorf("the former database: %v, %d leads of 1", err, n)
		}
		c.must(t, "POST", "/api/saas/crm/leads", "", map[string]any{"firstName": "After", "phone": "+919999900001"}, nil)
	})
	p.stop(t)
}

// at is the same client at another server.
func (c *tenant) at(p *proc) *tenant {
	other := *c
	other.p, other.url = p, p.url
	return &other
}

// holds checks that a server has every fact of a journal.
func holds(t *testing.T, c *tenant, j *journal) {
	t.Helper()
	f := &findings{}
	checkLeads(t, c, j, f)
	logs, messages, wamids := map[string]bool{}, map[string]string{}, map[string]string{}
	for _, r := range pages[runRow](t, c, "/api/saas/crm/automations/"+c.rule+"/runs") {
		logs[r.EventLogID] = true
	}
	for _, m := range c.messages(t) {
		messages[m.ID], wamids[m.WhatsappMessageID] = m.Text, m.Text
	}
	for token, x := range j.fired {
		if !logs[x.log] {
			f.lose("trigger %s", token)
		}
	}
	for token, m := range j.sends {
		if !strings.Contains(messages[m], token) {
			f.lose("send %s", token)
		}
	}
	for wamid, text := range j.inbound {
		if wamids[wamid] != text {
			f.lose("inbound %s", text)
		}
	}
	f.report(t)
}

// refusals restores what must not be restored, with the server and without: one
// clear sentence, and the data stays.
func refusals(t *testing.T, c *tenant, j *journal, good string) {
	dir := t.TempDir()
	garbage, newer, foreign, broken := filepath.Join(dir, "garbage.db"), filepath.Join(dir, "newer.db"), filepath.Join(dir, "foreign.db"), filepath.Join(dir, "broken.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("this is not a database\n", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	change := func(file, q string) {
		db := opened(t, store.Options{Path: file})
		defer db.Close()
		if err := db.Write(context.Background(), id.Zero, func(tx *store.Tx) error { _, err := tx.System().Exec(q); return err }); err != nil {
			t.Fatal(err)
		}
	}
	change(foreign, "CREATE TABLE somebody (name TEXT)")
	duplicate(t, good, newer)
	change(newer, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, TRUE)")
	duplicate(t, good, broken)
	change(broken, "DELETE FROM contact")
	for _, live := range []bool{true, false} {
		if !live {
			c.p.stop(t)
		}
		for file, says := range map[string]string{garbage: "is not a Parley backup", foreign: "is not a Parley backup", newer: "newer Parley", broken: "breaks invariants"} {
			_, bad, err := c.p.try(nil, "restore", file)
			if err == nil || !contains(bad, says) || strings.Contains(bad, "\n") {
				t.Errorf("restore of %s (server running: %v): %v %q", filepath.Base(file), live, err, bad)
			}
		}
		if !live {
			c.p.start(t)
		}
		eventually(t, time.Minute, "the server", func() (bool, string) { return c.p.ready(), "not ready" })
		holds(t, c, j)
		if left, _ := filepath.Glob(filepath.Join(c.p.data, "*.restore*")); len(left) > 0 {
			for _, f := range left {
				if !strings.Contains(f, "before-restore") {
					t.Errorf("left behind: %s", f)
				}
			}
		}
	}
}
