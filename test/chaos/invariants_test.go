package chaos

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/verify"
)

// corruptions breaks each published invariant, by one row. What a unique index
// guards needs the index gone first. Several texts are several ways to break it.
var corruptions = map[string][]string{
	"identity-owner":   {"UPDATE identity SET contact_id='nobody' WHERE value=(SELECT MIN(value) FROM identity)"},
	"identity-claim":   {"DROP INDEX identity_claim; UPDATE identity SET value=(SELECT MAX(value) FROM identity) WHERE value=(SELECT MIN(value) FROM identity)"},
	"identity-primary": {"UPDATE identity SET is_primary=FALSE WHERE value=(SELECT MIN(value) FROM identity)"},
	"contact-tenant":   {"UPDATE contact SET tenant_id='nobody' WHERE id=(SELECT MIN(id) FROM contact)"},
	"contact-event":    {"DELETE FROM event WHERE type='contact.created' AND subject=(SELECT MIN(id) FROM contact)"},
	"tag-owner":        {"UPDATE contact_tag SET contact_id='nobody'"},
	"activity-owner":   {"UPDATE activity SET contact_id='nobody' WHERE id=(SELECT MIN(id) FROM activity)"},
	"pipeline-default": {
		"UPDATE pipeline SET is_default=FALSE",
		"UPDATE stage SET is_default=TRUE WHERE id=(SELECT MIN(id) FROM stage WHERE NOT is_default)",
	},
	"deal-place": {
		"UPDATE deal SET stage_id='nowhere' WHERE id=(SELECT MIN(id) FROM deal)",
		"UPDATE deal SET contact_id='nobody' WHERE id=(SELECT MIN(id) FROM deal)",
	},
	"deal-primary": {"UPDATE deal SET is_primary=FALSE WHERE id=(SELECT MIN(id) FROM deal)"},
	"deal-history": {
		"UPDATE deal_stage SET left_at=1 WHERE deal_id=(SELECT MIN(id) FROM deal)",
		"UPDATE deal_stage SET stage_id='elsewhere' WHERE deal_id=(SELECT MIN(id) FROM deal)",
	},
	"conversation-contact": {"UPDATE conversation SET contact_id='nobody' WHERE id=(SELECT MIN(id) FROM conversation WHERE contact_id IS NOT NULL)"},
	"message-conversation": {"UPDATE message SET conversation_id='nowhere' WHERE id=(SELECT MIN(id) FROM message)"},
	"conversation-count": {
		"UPDATE conversation SET messages=messages+1 WHERE id=(SELECT MIN(id) FROM conversation)",
		"UPDATE conversation SET last_message_id='another' WHERE id=(SELECT MIN(id) FROM conversation)",
	},
	"message-once": {`DROP INDEX message_provider; UPDATE message SET provider_id=(SELECT MAX(provider_id) FROM message)
		WHERE provider_id=(SELECT MIN(provider_id) FROM message)`},
	"message-event": {
		"DELETE FROM event WHERE type='message.received'",
		"DELETE FROM event WHERE type='message.queued' AND subject=(SELECT MIN(id) FROM message WHERE direction='outbound')",
	},
	"outgoing-accountable": {
		"DELETE FROM outbox WHERE id=(SELECT MIN(id) FROM outbox)",
		"UPDATE outbox SET state='queued' WHERE id=(SELECT MIN(id) FROM outbox WHERE state='sent')",
		"UPDATE message SET status='failed' WHERE id=(SELECT MIN(id) FROM outbox WHERE state='sent')",
	},
	"outbox-message": {"DELETE FROM message WHERE id=(SELECT MIN(id) FROM outbox)"},
	"outbox-intent": {
		"UPDATE outbox SET attempt=0 WHERE id=(SELECT MIN(id) FROM outbox WHERE state='sent')",
		"UPDATE outbox SET state='sending', lease_until=NULL WHERE id=(SELECT MIN(id) FROM outbox)",
	},
	"run-version": {
		"DELETE FROM automation_version",
		"UPDATE run SET contact_id='nobody' WHERE id=(SELECT MIN(id) FROM run)",
	},
	"run-cause": {"DROP INDEX run_cause; UPDATE run SET cause=(SELECT MAX(cause) FROM run) WHERE cause=(SELECT MIN(cause) FROM run)"},
	"run-awake": {
		"DELETE FROM job WHERE kind='automation.step' AND unique_key=(SELECT 'run:' || run_id || ':' || turn FROM run_branch)",
		"DELETE FROM run_branch",
		"UPDATE run SET status='completed' WHERE status='waiting'",
	},
	"rule-runs": {"UPDATE automation SET runs_open=runs_open+1"},
	"run-steps": {"DELETE FROM run_step WHERE run_id=(SELECT MIN(id) FROM run) AND position=0"},
	"trigger-runs": {"UPDATE trigger_log SET runs_open=runs_open+1 WHERE id=(SELECT MIN(id) FROM trigger_log)",
		"UPDATE trigger_log SET status='processing' WHERE status='completed'",
		"UPDATE trigger_log SET status='completed' WHERE status='processing'",
		"UPDATE run SET trigger_id=NULL WHERE status='waiting'"},
	"webhook-intent": {
		"UPDATE webhook_delivery SET attempt=0 WHERE id=(SELECT MIN(id) FROM webhook_delivery)",
		"UPDATE webhook_delivery SET state='lost' WHERE id=(SELECT MIN(id) FROM webhook_delivery)",
	},
	"job-lease": {
		"UPDATE job SET state='running' WHERE id=(SELECT MIN(id) FROM job WHERE state='scheduled')",
		"UPDATE job SET finished_at=NULL WHERE id=(SELECT MIN(id) FROM job WHERE state='completed')",
	},
	"key-tenant": {
		"UPDATE access_key SET tenant_id='nobody'",
		"UPDATE tenant_secret SET tenant_id='nobody'",
	},
}

// base runs a small story through the real server: two triggers, one answered
// and called back, a stranger who writes, leads, sends. The server is stopped.
func base(t *testing.T, database string) *proc {
	t.Helper()
	w := newWorld(t)
	p := newProc(t, parley(t), database, w.base)
	p.start(t)
	c := w.setUp(t, p)
	l := &load{t: t, w: w, c: c, j: newJournal(), ctx: context.Background()}
	l.fire(0, 4)
	l.fire(0, 3) // nobody answers it
	l.createLead(0, 2)
	l.write(0, 5)
	l.upsert(0, 6)
	l.send(0, 7)
	eventually(t, 30*time.Second, "the answer", func() (bool, string) {
		l.reply(0, 0)
		return len(l.j.copied().inbound) == 2, fmt.Sprint(l.j.inbound)
	})
	// The timeline's tag and the callbacks come by themselves.
	quiet(t, w, c, time.Minute)
	check(t, w, c, l.j).report(t)
	p.stop(t)
	if t.Failed() {
		t.FailNow()
	}
	return p
}

// TestInvariants breaks every published invariant in a copy of a healthy base
// and sees verify name it.
func TestInvariants(t *testing.T) {
	long(t)
	t.Run("sqlite", func(t *testing.T) {
		p := base(t, "")
		file := filepath.Join(p.data, "parley.db")
		each(t, func(t *testing.T) store.Options {
			at := filepath.Join(t.TempDir(), "copy.db")
			for _, suffix := range []string{"", "-wal"} {
				duplicate(t, file+suffix, at+suffix)
			}
			return store.Options{Path: at, Unsynced: true}
		})
		t.Run("command", func(t *testing.T) { named(t, p) })
	})
	t.Run("postgres", func(t *testing.T) {
		url := storetest.PostgresURL(t)
		base(t, url)
		healthy := strings.TrimPrefix(url[:strings.Index(url, "?")], "postgres://postgres@/")
		each(t, func(t *testing.T) store.Options {
			ctx, name := context.Background(), "c"+id.New().String()
			if err := store.Admin(ctx, strings.Replace(url, healthy, "postgres", 1), "CREATE DATABASE "+name+" TEMPLATE "+healthy+" STRATEGY file_copy"); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = store.Admin(ctx, strings.Replace(url, healthy, "postgres", 1), "DROP DATABASE "+name+" WITH (FORCE)")
			})
			return store.Options{URL: strings.Replace(url, healthy, name, 1), MaxConns: 2}
		})
	})
}

func each(t *testing.T, copied func(t *testing.T) store.Options) {
	t.Run("healthy", func(t *testing.T) {
		if rep := verified(t, copied(t), ""); !rep.OK || rep.Checked != len(verify.Invariants) {
			t.Errorf("the healthy base: %+v", rep)
		}
	})
	for _, inv := range verify.Invariants {
		if len(corruptions[inv.Name]) == 0 {
			t.Errorf("%s has no corruption here: nothing proves that verify would see it broken", inv.Name)
		}
		for i, q := range corruptions[inv.Name] {
			t.Run(fmt.Sprint(inv.Name, "/", i+1), func(t *testing.T) {
				rep := verified(t, copied(t), q)
				if rep.OK || !slices.Contains(rep.Broken, inv.Name) {
					t.Errorf("%s: verify names %v", q, rep.Broken)
				}
				if !slices.ContainsFunc(rep.Breaks, func(b verify.Break) bool { return b.Invariant == inv.Name && b.Tenant != "" && b.Row != "" }) {
					t.Errorf("no row of %s is named: %+v", inv.Name, rep.Breaks)
				}
			})
		}
	}
	for name := range corruptions {
		if !slices.ContainsFunc(verify.Invariants, func(i verify.Invariant) bool { return i.Name == name }) {
			t.Errorf("there is a corruption for %s, which is no published invariant", name)
		}
	}
}

// verified applies statements to a copy and verifies it.
func verified(t *testing.T, o store.Options, statements string) verify.Report {
	t.Helper()
	ctx := context.Background()
	db := opened(t, o)
	defer db.Close()
	for _, q := range strings.Split(statements, ";") {
		if strings.TrimSpace(q) == "" {
			continue
		}
		n, err := store.Write(ctx, db, id.Zero, func(tx *store.Tx) (int64, error) { return tx.System().Exec(q) })
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		if n == 0 && !strings.HasPrefix(q, "DROP") {
			t.Fatalf("%s: the base has no such row", q)
		}
	}
	rep, err := verify.Run(ctx, db)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// named checks the command on a broken base: it fails and names the invariant.
func named(t *testing.T, p *proc) {
	verified(t, p.options(), corruptions["run-steps"][0])
	out, bad, err := p.try(nil, "verify")
	if err == nil || !contains(bad, "broken", "run-steps") || !contains(out, "run-steps") || strings.Contains(bad, "\n") {
		t.Errorf("parley verify of a broken base: %v\n%s\n%s", err, out, bad)
	}
}
