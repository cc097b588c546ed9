package campaign_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/automation"
	"parley/internal/bulk"
	"parley/internal/campaign"
	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/conversation/convtest"
	"parley/internal/deal"
	"parley/internal/egress"
	"parley/internal/egress/poster"
	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/job/jobtest"
	"parley/internal/outbox"
	"parley/internal/record"
	"parley/internal/segment"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/verify"
	"parley/internal/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

const actor = "key:test"

type world struct {
	testing.TB
	*convtest.World
	rules    *automation.Service
	records  *record.Service
	entities *entity.Service
	targets  *segment.Service
	jobs     *bulk.Service
	s        *campaign.Service
	people   *int
	shown    map[id.ID]bool // campaigns that a widget shows
}

func (w *world) Log(args ...any) { w.TB.Log(args...) }

func newWorld(t testing.TB, db *store.DB, now *clock.Fake) *world {
	t.Helper()
	c := convtest.New(t, db, now, outbox.Options{})
	client := egress.New(egress.Options{AllowLoopback: true, Timeout: time.Minute})
	t.Cleanup(client.Close)
	hooks := webhook.NewService(db, c.Log, c.Tenants, poster.New(client))
	w := &world{TB: t, World: c, people: new(int), shown: map[id.ID]bool{}}
	w.rules = automation.NewService(db, c.Log, c.Contacts, c.Cards, c.Conversations, hooks, c.Tenants, now)
	w.records = record.NewService(db, c.Log, c.Contacts)
	w.entities = entity.NewService(db, c.Contacts, w.records)
	w.targets = segment.NewService(db, c.Log, c.Contacts, w.entities)
	w.entities.Serve("target", w.targets)
	w.rules.ReadEntities(w.entities.Documents)
	w.jobs = bulk.NewService(db, c.Log, c.Contacts, w.records, w.entities, w.rules)
	w.s = campaign.NewService(db, c.Log, campaign.Rooms{Contacts: c.Contacts, Records: w.records, Entities: w.entities, Segments: w.targets, Automations: w.rules, Bulk: w.jobs})
	w.entities.Serve(campaign.Schema, w.s)
	w.s.DeliveredBy(func(_ store.Reader, cid id.ID) (bool, error) { return w.shown[cid], nil })
	return w
}

func each(t *testing.T, f func(w *world), opts ...storetest.Option) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c, _ := db.Clock().(*clock.Fake)
		f(newWorld(t, db, c))
	}, append(opts, storetest.Clock(clock.NewFake(convtest.Start)))...)
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) r() store.Reader { return w.s.Reads(bg, w.Tenant) }

// work runs the rooms' jobs until something holds; the clock goes on meanwhile.
func (w *world) work(until func() bool) {
	w.Helper()
	r := job.NewRunner(w.DB, job.Options{Node: id.New().String(), Workers: 4, Alone: true})
	w.Contacts.RegisterJobs(r)
	w.rules.RegisterJobs(r)
	w.jobs.RegisterJobs(r)
	w.s.RegisterJobs(r)
	ctx, stop := context.WithCancel(bg)
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	ok := false
	for deadline := time.Now().Add(time.Minute); !ok && time.Now().Before(deadline); {
		if ok = until(); !ok {
			jobtest.Pace(w, w.DB, w.Clock, 100*time.Millisecond)
		}
	}
	stop()
	w.check(<-done)
	if !ok {
		rows, err := w.DB.Read(bg, w.Tenant).Query("SELECT kind || ' ' || state || ' ' || COALESCE(CAST(last_error AS TEXT),'') FROM job WHERE tenant_id=? AND state NOT IN ('completed')")
		list, _ := store.Collect(rows, err, func(rows *sql.Rows) (s string, err error) { return s, rows.Scan(&s) })
		w.Fatalf("waited in vain; jobs: %v", list)
	}
}

func (w *world) status(cid id.ID) string {
	w.Helper()
	c, err := w.s.Get(w.r(), cid)
	w.check(err)
	return c.Status
}

// person makes a contact with a tag.
func (w *world) person(name, tag string) id.ID {
	w.Helper()
	*w.people++
	c, _, err := w.Cards.Upsert(bg, w.Tenant, actor, deal.NewCard{New: contact.New{FirstName: name, Phone: fmt.Sprintf("+9198%08d", *w.people), Tags: []string{tag}}})
	w.check(err)
	return c.Contact.ID
}

// rule makes an automation.
func (w *world) rule(actions string) automation.Rule {
	w.Helper()
	var def map[string]any
	w.check(json.Unmarshal([]byte(`{"name":"flow","trigger":"go",`+actions+`}`), &def))
	r, err := w.rules.Create(bg, w.Tenant, actor, def)
	w.check(err)
	return r
}

const (
	tags  = `"actions":[{"type":"add_tag","config":{"tag":"got"}}]`
	fails = `"actions":[{"type":"send_whatsapp","config":{"text":"hi"}}]`
	waits = `"nodes":[{"id":"w","type":"wait_event","data":{"eventName":"paid"}},{"id":"a","type":"add_tag","data":{"tag":"paid"}}],"edges":[{"source":"w","target":"a"}]`
)

// target makes a target of the people with a tag.
func (w *world) target(tag string) segment.Segment {
	w.Helper()
	t, err := w.targets.Create(bg, w.Tenant, actor, segment.New{Name: tag, Schema: entity.Contact, CreatedBy: actor,
		Filters: map[string]any{"filter": map[string]any{"items": []any{map[string]any{"key": "_tags", "operator": "equals", "value": tag}}}}})
	w.check(err)
	return t
}

func relate(v id.ID) map[string]any {
	return map[string]any{"$relation": []any{map[string]any{"entity_id": v.UUID()}}}
}

// campaign makes a draft over the people with a tag; rule may be zero.
func (w *world) campaign(tag string, rule id.ID) campaign.Campaign {
	w.Helper()
	attrs := map[string]any{"name": "C " + tag, "target": relate(w.target(tag).ID)}
	if !rule.IsZero() {
		attrs["flow_id"] = rule.UUID()
	}
	c, err := w.s.Create(bg, w.Tenant, actor, campaign.New{Attributes: attrs})
	w.check(err)
	return c
}

func (w *world) set(cid id.ID, to string) (campaign.Campaign, error) {
	return w.s.SetStatus(bg, w.Tenant, actor, cid, to)
}

// refused wants a fault with a reason.
func (w *world) refused(err error, reason string) {
	w.Helper()
	if f := fault.As(err); f == nil || f.Reason != reason {
		w.Errorf("want a refusal because of %s: %v", reason, err)
	}
}

func (w *world) recipient(cid, who id.ID) campaign.Recipient {
	w.Helper()
	v, err := w.s.Recipient(w.r(), cid, who)
	w.check(err)
	return v
}

func (w *world) exec(query string, args ...any) {
	w.Helper()
	w.check(w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	}))
}

// whole looks at what must never be false.
func (w *world) whole() {
	w.Helper()
	for _, inv := range verify.Invariants {
		if !strings.HasPrefix(inv.Name, "campaign-") {
			continue
		}
		rows, err := w.r().All().Query(inv.Query)
		broken, err := store.Collect(rows, err, func(rows *sql.Rows) (b [3]string, err error) { return b, rows.Scan(&b[0], &b[1], &b[2]) })
		w.check(err)
		if len(broken) > 0 {
			w.Errorf("%s is broken: %v", inv.Name, broken)
		}
	}
}
