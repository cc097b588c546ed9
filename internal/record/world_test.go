package record_test

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/record"
	"parley/internal/secret"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

const actor = "key:test"

// begin is where the clock of a world stands.
var begin = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

type world struct {
	testing.TB
	db       *store.DB
	clock    *clock.Fake
	tenants  *tenant.Service
	contacts *contact.Service
	deals    *deal.Service
	s        *record.Service
	people   *record.People
	tenant   id.ID
}

func each(t *testing.T, f func(t *testing.T, w world)) {
	now := clock.NewFake(begin)
	storetest.Each(t, func(t *testing.T, db *store.DB) { f(t, newWorld(t, db, now)) }, storetest.Clock(now))
}

func newWorld(t testing.TB, db *store.DB, now *clock.Fake) world {
	t.Helper()
	box, err := secret.NewBox([]byte(strings.Repeat("k", secret.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	w := world{TB: t, db: db, clock: now, tenants: tenant.New(db, box)}
	log := event.NewLog()
	w.contacts = contact.NewService(db, log, w.tenants)
	w.deals = deal.NewService(db, log, w.contacts, w.tenants)
	w.s = record.NewService(db, log, w.contacts)
	w.people = record.NewPeople(db, w.contacts, w.deals)
	w.tenant = w.newTenant("Acme")
	return w
}

func (w world) newTenant(name string) id.ID {
	w.Helper()
	a, err := w.tenants.Create(bg, tenant.NewTenant{Name: name})
	if err != nil {
		w.Fatal(err)
	}
	return a.ID
}

func (w world) r() store.Reader { return w.s.Reads(bg, w.tenant) }

func (w world) create(schema string, attributes map[string]any, tags ...string) record.Record {
	w.Helper()
	rec, err := w.s.Create(bg, w.tenant, actor, record.New{Schema: schema, Attributes: attributes, Tags: tags})
	if err != nil {
		w.Fatal(err)
	}
	return rec
}

func (w world) update(rid id.ID, p record.Patch) (record.Record, error) {
	return w.s.Update(bg, w.tenant, actor, "", rid, p)
}

func (w world) must(rec record.Record, err error) record.Record {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	return rec
}

func (w world) refused(err error, code fault.Code, field, reason string) {
	w.Helper()
	f := fault.As(err)
	if f == nil || f.Code != code || f.Field != field || f.Reason != reason {
		w.Errorf("got %v, want %s of %q because of %q", err, code, field, reason)
	}
}

// index returns "name=key" of every entry of a schema with its record.
func (w world) index(schema string) map[id.ID][]string {
	w.Helper()
	rows, err := w.r().Query("SELECT name, value, record_id FROM record_attribute WHERE tenant_id=? AND schema=?", schema)
	out := map[id.ID][]string{}
	_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
		var name, key string
		var rid id.ID
		if err = rows.Scan(&name, &key, &rid); err == nil {
			out[rid] = append(out[rid], name+"="+key)
		}
		return
	})
	if err != nil {
		w.Fatal(err)
	}
	for _, list := range out {
		slices.Sort(list)
	}
	return out
}

// events returns "type changed..." of the tenant's events about records, oldest first.
func (w world) events() []string {
	w.Helper()
	rows, err := w.r().Query("SELECT type, changed FROM event WHERE tenant_id=? AND type LIKE 'record.%' ORDER BY seq")
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (s string, err error) {
		var typ string
		var names []string
		err = rows.Scan(&typ, store.JSON(&names))
		return typ + " " + strings.Join(names, " "), err
	})
	if err != nil {
		w.Fatal(err)
	}
	return list
}

func (w world) person(first, phone string) contact.Contact {
	w.Helper()
	c, err := w.people.Create(bg, w.tenant, actor, record.Person{FirstName: &first, Phone: &phone})
	if err != nil {
		w.Fatal(err)
	}
	return c
}

func ptr[T any](v T) *T { return &v }

// refers is a $relation to entities.
func refers(to ...id.ID) map[string]any {
	var list []any
	for _, v := range to {
		list = append(list, map[string]any{"entity_id": v.UUID()})
	}
	return map[string]any{"$relation": list}
}
