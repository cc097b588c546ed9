package deal_test

import (
	"context"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tenant/tenanttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

const actor = "key:test"

type world struct {
	testing.TB
	db     *store.DB
	people *contact.Service
	s      *deal.Service
	tenant id.ID
}

func newWorld(t testing.TB, db *store.DB, log *event.Log) world {
	t.Helper()
	tenants, a := tenanttest.New(t, db)
	people := contact.NewService(db, log, tenants)
	return world{t, db, people, deal.NewService(db, log, people, tenants), a.ID}
}

func each(t *testing.T, f func(w world), opts ...storetest.Option) {
	storetest.Each(t, func(t *testing.T, db *store.DB) { f(newWorld(t, db, event.NewLog())) }, opts...)
}

func (w world) must(c deal.Card, err error) deal.Card {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	return c
}

func (w world) create(n deal.NewCard) deal.Card {
	w.Helper()
	return w.must(w.s.Create(bg, w.tenant, actor, n))
}

func (w world) card(cid id.ID) deal.Card {
	w.Helper()
	return w.must(w.s.Card(bg, w.tenant, cid))
}

func (w world) move(cid, stage id.ID) (deal.Card, error) {
	return store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (deal.Card, error) { return w.s.MoveIn(tx, actor, cid, stage) })
}

func (w world) pipeline(n deal.NewPipeline) deal.Pipeline {
	w.Helper()
	p, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (deal.Pipeline, error) { return w.s.CreatePipelineIn(tx, n) })
	if err != nil {
		w.Fatal(err)
	}
	return p
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
		out = append(out, strings.TrimSpace(list[i].Type+" "+strings.Join(list[i].Changed, " ")))
	}
	return out
}

func (w world) wantFault(err error, code fault.Code, field, reason string) *fault.Error {
	w.Helper()
	f := fault.As(err)
	if f == nil || f.Code != code || f.Field != field || f.Reason != reason {
		w.Errorf("got %v, want %s of %q because of %q", err, code, field, reason)
		return &fault.Error{}
	}
	return f
}

func ptr[T any](v T) *T { return &v }

func person(first, phone string) contact.New { return contact.New{FirstName: first, Phone: phone} }
