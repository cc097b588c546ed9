package bulk

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/automation"
	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/conversation/convtest"
	"parley/internal/deal"
	"parley/internal/egress"
	"parley/internal/egress/poster"
	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/outbox"
	"parley/internal/record"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

type world struct {
	testing.TB
	*convtest.World
	s       *Service
	rules   *automation.Service
	records *record.Service
	people  int
}

func (w *world) Log(args ...any) { w.TB.Log(args...) }

func newWorld(t testing.TB, db *store.DB, now *clock.Fake) *world {
	t.Helper()
	w := convtest.New(t, db, now, outbox.Options{})
	client := egress.New(egress.Options{AllowLoopback: true, Timeout: time.Minute})
	t.Cleanup(client.Close)
	hooks := webhook.NewService(db, w.Log, w.Tenants, poster.New(client))
	rules := automation.NewService(db, w.Log, w.Contacts, w.Cards, w.Conversations, hooks, w.Tenants, now)
	records := record.NewService(db, w.Log, w.Contacts)
	entities := entity.NewService(db, w.Contacts, records)
	rules.ReadEntities(entities.Documents)
	return &world{TB: t, World: w, s: NewService(db, w.Log, w.Contacts, records, entities, rules), rules: rules, records: records}
}

func each(t *testing.T, f func(w *world)) {
	now := clock.NewFake(convtest.Start)
	storetest.Each(t, func(t *testing.T, db *store.DB) { f(newWorld(t, db, now)) }, storetest.Clock(now))
}

func (w *world) person(tags ...string) id.ID {
	w.Helper()
	w.people++
	c, _, err := w.Cards.Upsert(bg, w.Tenant, "key:test", deal.NewCard{New: contact.New{FirstName: fmt.Sprintf("P%d", w.people), Phone: fmt.Sprintf("+9198%08d", w.people), Tags: tags}})
	if err != nil {
		w.Fatal(err)
	}
	return c.Contact.ID
}

func (w *world) crowd(n int, tags ...string) []id.ID {
	w.Helper()
	out := make([]id.ID, n)
	for i := range out {
		out[i] = w.person(tags...)
	}
	return out
}

// flow makes a flow of the given actions.
func (w *world) flow(actions ...any) id.ID {
	w.Helper()
	f, err := w.rules.CreateFlow(bg, w.Tenant, "key:test", map[string]any{"flow_name": "Offer", "actions": actions,
		"schedules": []any{map[string]any{"id": "hour", "duration": 1.0, "unit": "hours"}}})
	if err != nil {
		w.Fatal(err)
	}
	return f.Rule.ID
}

func tagging() any {
	return map[string]any{"id": "tag", "type": "add_tag", "config": map[string]any{"tag": "offered"}}
}

func waitingHour() any {
	return map[string]any{"id": "later", "type": "add_tag", "schedule_id": "hour", "config": map[string]any{"tag": "later"}}
}

func tagged(tag string) filter.Filter {
	f, _, err := filter.ParseTarget(map[string]any{"filter": map[string]any{"items": []any{map[string]any{"key": "_tags", "operator": "equals", "value": tag}}}})
	if err != nil {
		panic(err)
	}
	return f
}

func refs(ids ...id.ID) []entity.Ref {
	out := make([]entity.Ref, len(ids))
	for i, v := range ids {
		out[i] = entity.Ref{Schema: entity.Contact, ID: v}
	}
	return out
}

func (w *world) create(n New) Job {
	w.Helper()
	j, err := w.s.Create(bg, w.Tenant, "key:test", n)
	if err != nil {
		w.Fatal(err)
	}
	return j
}

func (w *world) get(job id.ID) Job {
	w.Helper()
	j, err := w.s.Get(w.DB.Read(bg, w.Tenant), job)
	if err != nil {
		w.Fatal(err)
	}
	return j
}

func (w *world) items(job id.ID) map[id.ID]Item {
	w.Helper()
	list, err := w.s.Summary(w.DB.Read(bg, w.Tenant), job, 10_000)
	if err != nil {
		w.Fatal(err)
	}
	out := map[id.ID]Item{}
	for _, it := range list {
		out[it.Entity] = it
	}
	return out
}

// once carries a job on by one transaction, and reports whether it would go on.
func (w *world) once(jobID id.ID, size int) bool {
	w.Helper()
	p := pace{size: size}
	wait, done, err := w.s.advance(bg, w.Tenant, jobID, &p)
	if err != nil {
		w.Fatal(err)
	}
	return wait == 0 && !done
}

// drain carries a job on as far as it goes now.
func (w *world) drain(jobID id.ID, size int) Job {
	w.Helper()
	for range 10_000 {
		if !w.once(jobID, size) {
			return w.get(jobID)
		}
	}
	w.Fatal("the job does not come to an end")
	return Job{}
}

func (w *world) tags(c id.ID) []string {
	w.Helper()
	p, err := w.Contacts.Get(w.DB.Read(bg, w.Tenant), c)
	if err != nil {
		w.Fatal(err)
	}
	return p.Tags
}

func wantFault(t testing.TB, err error, code fault.Code, field, reason string) {
	t.Helper()
	f := fault.As(err)
	if f == nil || f.Code != code || f.Field != field || f.Reason != reason {
		t.Errorf("got %v, want %s of %q because of %q", err, code, field, reason)
	}
}

// told is a follower that keeps what it is told, in a table so that what is undone
// is forgotten with it.
type told struct {
	owner  id.ID
	refuse map[id.ID]bool
	fail   error
}

func (f *told) follower() Follower {
	mark := func(tx *store.Tx, what string, v id.ID, status string) error {
		_, err := tx.Exec("INSERT INTO told (tenant_id, what, entity, status) VALUES (?,?,?,?)", what, v.String(), status)
		return err
	}
	return Follower{
		Owns: func(_ *store.Tx, owner id.ID) (bool, error) { return owner == f.owner, nil },
		Begin: func(tx *store.Tx, j Job, batch []Item) ([]bool, error) {
			if f.fail != nil {
				return nil, f.fail
			}
			out := make([]bool, len(batch))
			for i, it := range batch {
				out[i] = !f.refuse[it.Entity]
				if err := mark(tx, "begin", it.Entity, it.Status); err != nil {
					return nil, err
				}
			}
			return out, nil
		},
		Began: func(tx *store.Tx, j Job, batch []Item) error {
			for _, it := range batch {
				if it.Run.IsZero() == (it.Error == "") {
					return errors.New("a started item without a run, or a refused one without an error")
				}
				if err := mark(tx, "began", it.Entity, it.Status); err != nil {
					return err
				}
			}
			return nil
		},
		Moved: func(tx *store.Tx, j Job, list []automation.Moved) error {
			for _, m := range list {
				if err := mark(tx, "moved", m.Entity, m.Status); err != nil {
					return err
				}
			}
			return nil
		},
		Ended: func(tx *store.Tx, j Job) error { return mark(tx, "ended", j.ID, j.Status) },
	}
}

// follow makes a follower whose words are in a table of the test.
func (w *world) follow() *told {
	w.Helper()
	err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
		_, err := tx.System().Exec("CREATE TABLE IF NOT EXISTS told (tenant_id TEXT, what TEXT, entity TEXT, status TEXT)")
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	f := &told{owner: id.New(), refuse: map[id.ID]bool{}}
	w.s.Follow(f.follower())
	return f
}

func (w *world) heard(what, status string) int {
	w.Helper()
	var n int
	if err := w.DB.Read(bg, w.Tenant).QueryRow("SELECT COUNT(*) FROM told WHERE tenant_id=? AND what=? AND status=?", what, status).Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}
