package contact_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tenant"
	"parley/internal/tenant/tenanttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

const actor = "key:test"

type world struct {
	*testing.T
	db      *store.DB
	s       *contact.Service
	log     *event.Log
	tenants *tenant.Service
	tenant  id.ID
}

func newWorld(t *testing.T, db *store.DB) world {
	t.Helper()
	w := newHouse(t, db)
	w.T = t
	return w
}

func newHouse(t testing.TB, db *store.DB) world {
	t.Helper()
	tenants, a := tenanttest.New(t, db)
	log := event.NewLog()
	return world{db: db, s: contact.NewService(db, log, tenants), log: log, tenants: tenants, tenant: a.ID}
}

func each(t *testing.T, f func(w world), opts ...storetest.Option) {
	storetest.Each(t, func(t *testing.T, db *store.DB) { f(newWorld(t, db)) }, opts...)
}

func (w world) create(n contact.New) (contact.Contact, error) {
	return store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (contact.Contact, error) { return w.s.CreateIn(tx, actor, n) })
}

func (w world) must(c contact.Contact, err error) contact.Contact {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	return c
}

func (w world) update(cid id.ID, p contact.Patch) (c contact.Contact, changed []string, err error) {
	c, err = store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (contact.Contact, error) {
		c, names, err := w.s.UpdateIn(tx, actor, cid, p)
		changed = names
		return c, err
	})
	return c, changed, err
}

func (w world) tag(cid id.ID, add, remove []string) (contact.Contact, error) {
	return store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (contact.Contact, error) { return w.s.TagIn(tx, actor, cid, add, remove) })
}

func (w world) archive(cid id.ID) (contact.Contact, error) {
	return store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (contact.Contact, error) { return w.s.ArchiveIn(tx, actor, cid) })
}

// reads returns the contact as another reader finds it.
func (w world) reads(cid id.ID) contact.Contact {
	w.Helper()
	return w.must(w.s.Get(w.db.Read(bg, w.tenant), cid))
}

// events returns "type changed..." of a contact's events, oldest first.
func (w world) events(cid id.ID) []string {
	w.Helper()
	list, err := event.OfContact(w.db.Read(bg, w.tenant), cid, 1000)
	if err != nil {
		w.Fatal(err)
	}
	var out []string
	for i := len(list) - 1; i >= 0; i-- {
		e := list[i]
		if !strings.HasPrefix(e.Type, "contact.") {
			continue
		}
		if e.Actor == "" || e.Subject != cid || e.Contact != cid {
			w.Errorf("event %+v", e)
		}
		out = append(out, strings.TrimSpace(e.Type+" "+strings.Join(e.Changed, " ")))
	}
	return out
}

func (w world) wantFault(err error, code fault.Code, field string) *fault.Error {
	w.Helper()
	f := fault.As(err)
	if f == nil || f.Code != code || f.Field != field {
		w.Errorf("got %v, want %s of %q", err, code, field)
		return &fault.Error{}
	}
	return f
}

func ptr[T any](v T) *T { return &v }

func scanID(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) }

func scanText(rows *sql.Rows) (v string, err error) { return v, rows.Scan(&v) }
