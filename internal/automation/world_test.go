package automation

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/channel"
	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/conversation/convtest"
	"parley/internal/deal"
	"parley/internal/egress"
	"parley/internal/egress/poster"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/outbox"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

const phone = "+91 98765 43210"

type world struct {
	testing.TB
	*convtest.World
	s     *Service
	hooks *webhook.Service
}

// Log is the test's, not the feed.
func (w *world) Log(args ...any) { w.TB.Log(args...) }

func newWorld(t testing.TB, db *store.DB, now *clock.Fake) *world {
	t.Helper()
	w := convtest.New(t, db, now, outbox.Options{})
	client := egress.New(egress.Options{AllowLoopback: true, Timeout: time.Minute})
	t.Cleanup(client.Close)
	hooks := webhook.NewService(db, w.Log, w.Tenants, poster.New(client))
	return &world{t, w, NewService(db, w.Log, w.Contacts, w.Cards, w.Conversations, hooks, w.Tenants, now), hooks}
}

func each(t *testing.T, f func(w *world)) {
	now := clock.NewFake(convtest.Start)
	storetest.Each(t, func(t *testing.T, db *store.DB) { f(newWorld(t, db, now)) }, storetest.Clock(now))
}

// drain carries out every due job of this room, as the runner would, until none
// is due. It returns the errors of failed attempts.
func (w *world) drain() (errs []error) {
	w.Helper()
	handlers := map[string]func(context.Context, *job.Job) error{
		"react.automation": w.s.handleEvent, "react.automation_callback": w.s.handleCallback, "react." + answerReactor: w.s.handleAnswer, kindStep: w.s.handleStep, kindFire: w.s.handleFire, kindQuietOf: w.s.handleQuietOf}
	for range 5000 {
		j, ok := w.claim()
		if !ok {
			return errs
		}
		err := handlers[j.Kind](bg, j)
		if err == nil {
			continue
		}
		errs = append(errs, err)
		w.exec("UPDATE job SET state='retryable', run_at=? WHERE tenant_id=? AND id=?", w.Clock.Now().Add(time.Minute), j.ID)
	}
	w.Fatal("the jobs do not come to an end")
	return nil
}

func (w *world) claim() (*job.Job, bool) {
	w.Helper()
	type found struct {
		j  job.Job
		ok bool
	}
	v, err := store.Write(bg, w.DB, w.Tenant, func(tx *store.Tx) (f found, err error) {
		f.j.Tenant, f.j.Node = w.Tenant, "test"
		f.ok, err = store.Found(tx.QueryRow(`UPDATE job SET state='running', attempt=attempt+1, node='test' WHERE tenant_id=? AND id=(
			SELECT id FROM job WHERE tenant_id=?1 AND state IN ('available','scheduled','retryable') AND run_at<=? AND (kind LIKE 'react.automation%' OR kind LIKE 'automation.%')
			ORDER BY run_at, RANDOM() LIMIT 1`+tx.Dialect().SkipLocked()+`) RETURNING id, kind, args, attempt`, tx.Now()).Scan(&f.j.ID, &f.j.Kind, store.JSON(&f.j.Args), &f.j.Attempt))
		return f, err
	})
	if err != nil {
		w.Fatal(err)
	}
	return &v.j, v.ok
}

func (w *world) exec(query string, args ...any) {
	w.Helper()
	err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
}

// settled drains and wants no error.
func (w *world) settled() {
	w.Helper()
	for _, err := range w.drain() {
		w.Errorf("a job failed: %v", err)
	}
}

func (w *world) later(d time.Duration) {
	w.Helper()
	w.Clock.Advance(d)
	w.settled()
}

func (w *world) rule(text string) Rule {
	w.Helper()
	r, err := w.s.Create(bg, w.Tenant, "key:test", def(w, text))
	if err != nil {
		w.Fatal(err)
	}
	return r
}

func (w *world) lead(tags ...string) deal.Card {
	w.Helper()
	c, _, err := w.Cards.Upsert(bg, w.Tenant, "key:test", deal.NewCard{New: contact.New{FirstName: "Asha", Phone: phone, Source: "website", Tags: tags}})
	if err != nil {
		w.Fatal(err)
	}
	return c
}

func (w *world) fire(c Call) Fired {
	w.Helper()
	f, err := w.s.Fire(bg, w.Tenant, "key:test", c)
	if err != nil {
		w.Fatal(err)
	}
	return f
}

// runs returns a rule's runs with their steps, oldest first.
func (w *world) runs(rule id.ID) []Run {
	w.Helper()
	list, total, err := w.s.Runs(bg, w.Tenant, rule, "", 1, 200)
	if err != nil || total != len(list) {
		w.Fatal(total, len(list), err)
	}
	out := make([]Run, len(list))
	for i, r := range list {
		if out[len(list)-1-i], err = w.s.Run(bg, w.Tenant, r.ID); err != nil {
			w.Fatal(err)
		}
	}
	return out
}

func (w *world) run(rule id.ID) Run {
	w.Helper()
	list := w.runs(rule)
	if len(list) != 1 {
		w.Fatalf("%d runs", len(list))
	}
	return list[0]
}

// story tells a run in a line: "completed a=completed b=failed".
func story(r Run) string {
	s := r.Status
	for _, st := range r.Steps {
		s += " " + st.Node + "=" + st.Status
	}
	return s
}

func (w *world) wantStory(rule id.ID, want string) Run {
	w.Helper()
	r := w.run(rule)
	if got := story(r); got != want {
		w.Errorf("got  %s (%s)\nwant %s", got, r.Error, want)
	}
	return r
}

func (w *world) tags(c id.ID) []string {
	w.Helper()
	p, err := w.Contacts.Get(w.DB.Read(bg, w.Tenant), c)
	if err != nil {
		w.Fatal(err)
	}
	return p.Tags
}

// texts returns what the outbox holds, oldest first.
func (w *world) texts() []string {
	w.Helper()
	rows, err := w.DB.Read(bg, w.Tenant).Query("SELECT m.text FROM message m JOIN outbox o ON o.tenant_id=m.tenant_id AND o.id=m.id WHERE m.tenant_id=? ORDER BY m.id")
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (s string, err error) { return s, rows.Scan(&s) })
	if err != nil {
		w.Fatal(err)
	}
	return list
}

// says receives a text from the person.
func (w *world) says(text string) {
	w.Helper()
	w.Receive(w, channel.Batch{Messages: []channel.Incoming{{Account: w.Account.ExternalID, ProviderID: "in." + id.New().String(), From: convtest.Number,
		ProfileName: "Asha", At: w.Clock.Now(), Kind: channel.Text, Text: text}}})
}

func (w *world) log(l id.ID) TriggerLog {
	w.Helper()
	v, err := w.s.Log(bg, w.Tenant, l)
	if err != nil {
		w.Fatal(err)
	}
	return v
}

func (w *world) wantFault(err error, code fault.Code, field, reason string) *fault.Error {
	w.Helper()
	f := fault.As(err)
	if f == nil || f.Code != code || f.Field != field || f.Reason != reason {
		w.Errorf("got %v, want %s of %q because of %q", err, code, field, reason)
		return &fault.Error{}
	}
	return f
}

// sound checks what must hold of every run at any time.
func (w *world) sound() error {
	r := w.DB.Read(bg, w.Tenant)
	for name, query := range map[string]string{
		"a finished run has branches":       "SELECT COUNT(*) FROM run r JOIN run_branch b ON b.tenant_id=r.tenant_id AND b.run_id=r.id WHERE r.tenant_id=? AND r.completed_at IS NOT NULL",
		"an open run has no branch":         "SELECT COUNT(*) FROM run r WHERE r.tenant_id=? AND r.status IN ('running','waiting','paused') AND NOT EXISTS (SELECT 1 FROM run_branch b WHERE b.tenant_id=r.tenant_id AND b.run_id=r.id)",
		"a waiting run has a ready branch":  "SELECT COUNT(*) FROM run r JOIN run_branch b ON b.tenant_id=r.tenant_id AND b.run_id=r.id WHERE r.tenant_id=? AND r.status='waiting' AND b.state='ready'",
		"a running run has none":            "SELECT COUNT(*) FROM run r WHERE r.tenant_id=? AND r.status='running' AND NOT EXISTS (SELECT 1 FROM run_branch b WHERE b.tenant_id=r.tenant_id AND b.run_id=r.id AND b.state='ready')",
		"a node began twice":                "SELECT COUNT(*) FROM (SELECT run_id FROM run_step WHERE tenant_id=? AND status<>'retried' GROUP BY run_id, node HAVING COUNT(*)>1) x",
		"an ended run has a waiting step":   "SELECT COUNT(*) FROM run r JOIN run_step s ON s.tenant_id=r.tenant_id AND s.run_id=r.id WHERE r.tenant_id=? AND r.completed_at IS NOT NULL AND s.status='waiting'",
		"a waiting branch has no such step": "SELECT COUNT(*) FROM run_branch b WHERE b.tenant_id=? AND b.state='waiting' AND NOT EXISTS (SELECT 1 FROM run_step s WHERE s.tenant_id=b.tenant_id AND s.run_id=b.run_id AND s.position=b.step AND s.node=b.node AND s.status='waiting')",
		"a branch waits for nobody":         "SELECT COUNT(*) FROM run_branch b WHERE b.tenant_id=? AND b.wait_key IS NULL AND NOT EXISTS (SELECT 1 FROM run p WHERE p.tenant_id=b.tenant_id AND p.id=b.run_id AND p.status='paused') AND NOT EXISTS (SELECT 1 FROM job j WHERE j.tenant_id=b.tenant_id AND j.unique_key='run:' || b.run_id || ':' || CAST(b.turn AS TEXT) AND j.state IN ('available','scheduled','retryable','running'))",
		"a timeout has no job":              "SELECT COUNT(*) FROM run_branch b WHERE b.tenant_id=? AND b.resume_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM run p WHERE p.tenant_id=b.tenant_id AND p.id=b.run_id AND p.status='paused') AND NOT EXISTS (SELECT 1 FROM job j WHERE j.tenant_id=b.tenant_id AND j.unique_key='run:' || b.run_id || ':' || CAST(b.turn AS TEXT) AND j.state IN ('available','scheduled','retryable','running'))",
		"a finished run has a goal":         "SELECT COUNT(*) FROM run r WHERE r.tenant_id=? AND r.completed_at IS NOT NULL AND r.goal_key IS NOT NULL",
		"a run miscounts its steps":         "SELECT COUNT(*) FROM run r WHERE r.tenant_id=? AND r.steps<>(SELECT COUNT(*) FROM run_step s WHERE s.tenant_id=r.tenant_id AND s.run_id=r.id)",
		"an event wait names another":       "SELECT COUNT(*) FROM run_branch b JOIN run r ON r.tenant_id=b.tenant_id AND r.id=b.run_id WHERE b.tenant_id=? AND b.wait_event IS NOT NULL AND (b.wait_rule<>r.automation_id OR b.wait_key<>'event:' || r.contact_id || ':' || b.wait_event)",
		"a rule miscounts its runs":         "SELECT COUNT(*) FROM automation a WHERE a.tenant_id=? AND (a.runs_open<>(SELECT COUNT(*) FROM run r WHERE r.tenant_id=a.tenant_id AND r.automation_id=a.id AND r.completed_at IS NULL) OR a.runs_started<>(SELECT COUNT(*) FROM run r WHERE r.tenant_id=a.tenant_id AND r.automation_id=a.id) OR a.runs_completed<>(SELECT COUNT(*) FROM run r WHERE r.tenant_id=a.tenant_id AND r.automation_id=a.id AND r.status='completed'))",
		"a trigger log miscounts":           "SELECT COUNT(*) FROM trigger_log l WHERE l.tenant_id=? AND l.runs_open<>(SELECT COUNT(*) FROM run r WHERE r.tenant_id=l.tenant_id AND r.trigger_id=l.id AND r.completed_at IS NULL)",
	} {
		var n int
		if err := r.QueryRow(query).Scan(&n); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if n > 0 {
			return fmt.Errorf("%s (%d)", name, n)
		}
	}
	return nil
}
