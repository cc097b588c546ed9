package chaos

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"parley/internal/id"
	"parley/internal/store"
)

// opened opens a database as it is, beside a running server or instead of one.
func opened(t testing.TB, o store.Options) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func (p *proc) options() store.Options {
	return store.Options{Path: filepath.Join(p.data, "parley.db"), URL: p.database, MaxConns: 2, Readers: 1}
}

// open tells what the ledgers still have to do, "" when nothing. It opens the
// database beside the server, so it must not be called before the last kill: a
// second user of the file would spare SQLite its recovery.
func (p *proc) open(t testing.TB) string {
	t.Helper()
	db := opened(t, p.options())
	defer db.Close()
	r := db.Read(context.Background(), id.Zero).All()
	for what, q := range map[string]string{
		"messages":  "SELECT COUNT(*) FROM outbox WHERE state IN ('queued','sending')",
		"callbacks": "SELECT COUNT(*) FROM webhook_delivery WHERE state IN ('pending','sending')",
		// The timer of a wait that a reply ended stays until its time and then finds nothing.
		"jobs": "SELECT COUNT(*) FROM job WHERE state IN ('available','running','retryable') AND kind NOT LIKE '%sweep%' OR state='scheduled' AND kind<>'automation.step'",
	} {
		var n int
		if err := r.QueryRow(q).Scan(&n); err != nil {
			return err.Error()
		}
		if n > 0 {
			return fmt.Sprintf("%d %s are not done", n, what)
		}
	}
	return ""
}

// twins finds rows that one cause wrote twice, where only the tables show it.
func (p *proc) twins(t testing.TB) []string {
	t.Helper()
	db := opened(t, p.options())
	defer db.Close()
	var found []string
	for what, q := range map[string]string{
		"timeline entry": `SELECT MIN(type || ' ' || title || ' ' || body || ' ' || CAST(metadata AS TEXT) || ' ' || id), COUNT(*) FROM activity WHERE NOT (type IN ('lead_created','handover') AND contact_id IN (SELECT survivor_id FROM contact_merge)) GROUP BY tenant_id, contact_id, type, title, body, CAST(metadata AS TEXT) HAVING COUNT(*) > 1`,
		"trigger call":   `SELECT MIN(id), COUNT(*) FROM trigger_log WHERE status <> 'failed' GROUP BY tenant_id, phone HAVING COUNT(*) > 1`,
		"creation event": `SELECT MIN(subject), COUNT(*) FROM event WHERE type IN ('contact.created','message.received','message.queued') GROUP BY tenant_id, type, subject HAVING COUNT(*) > 1`,
		"identity":       `SELECT MIN(contact_id), COUNT(*) FROM identity GROUP BY tenant_id, kind, value HAVING COUNT(*) > 1`,
		"run step":       `SELECT MIN(run_id), COUNT(*) FROM run_step GROUP BY tenant_id, run_id, node HAVING COUNT(*) > 1`,
		"callback":       `SELECT MIN(id), COUNT(*) FROM webhook_delivery WHERE body_id IS NULL GROUP BY tenant_id, subject, event HAVING COUNT(*) > 1`,
	} {
		rows, err := db.Read(context.Background(), id.Zero).All().Query(q)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		for rows.Next() {
			var one string
			var n int
			if err := rows.Scan(&one, &n); err != nil {
				t.Fatal(err)
			}
			found = append(found, fmt.Sprintf("%s %s is there %d times", what, one, n))
		}
		if err := rows.Err(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		_ = rows.Close()
	}
	return found
}

// age makes as if the leases of a dead server had ended: what waits for them
// need not wait for the clock.
func age(t testing.TB, p *proc) {
	t.Helper()
	db := opened(t, p.options())
	defer db.Close()
	for _, q := range []string{
		"UPDATE lane SET lease_until=0",
		"UPDATE job SET lease_until=0 WHERE state='running'",
		"UPDATE outbox SET lease_until=0 WHERE state='sending'",
		"UPDATE webhook_delivery SET lease_until=0 WHERE state='sending'",
	} {
		if err := db.Write(context.Background(), id.Zero, func(tx *store.Tx) error { _, err := tx.System().Exec(q); return err }); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// integrity runs SQLite's own check on a copy, so that the files themselves stay
// as the cut left them.
func integrity(t testing.TB, file string) {
	t.Helper()
	at := filepath.Join(t.TempDir(), "copy.db")
	for _, suffix := range []string{"", "-wal"} {
		duplicate(t, file+suffix, at+suffix)
	}
	db := opened(t, store.Options{Path: at})
	defer db.Close()
	var verdict string
	if err := db.Read(context.Background(), id.Zero).All().QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity_check: %v %s", err, verdict)
	}
}

// duplicate copies a file if it is there.
func duplicate(t testing.TB, from, to string) {
	t.Helper()
	src, err := os.Open(from)
	if os.IsNotExist(err) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(dst, src); err != nil {
		t.Fatal(err)
	}
	if err := dst.Close(); err != nil {
		t.Fatal(err)
	}
}
