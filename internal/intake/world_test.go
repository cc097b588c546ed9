package intake_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/agent"
	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/intake"
	"parley/internal/interaction"
	"parley/internal/quote"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tenant/tenanttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	bg    = context.Background()
	start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) // a Monday
)

const actor = "key:test"

type world struct {
	*testing.T
	db        *store.DB
	log       *event.Log
	people    *contact.Service
	cards     *deal.Service
	agents    *agent.Service
	handovers *handover.Service
	s         *intake.Service
	tenant    id.ID
	root      agent.Group
}

func newWorld(t testing.TB, db *store.DB) world {
	t.Helper()
	tenants, a := tenanttest.New(t, db)
	var err error
	w := world{db: db, log: event.NewLog(), tenant: a.ID}
	w.people = contact.NewService(db, w.log, tenants)
	w.cards = deal.NewService(db, w.log, w.people, tenants)
	w.agents = agent.NewService(db, w.log, tenants)
	w.handovers = handover.NewService(db, w.log, w.people, w.cards, w.agents)
	quotes := quote.NewService(db, w.log, w.people, w.agents, w.handovers)
	// No conversation is needed to record a history.
	w.s = intake.NewService(db, w.log, w.people, w.cards, w.agents, w.handovers, interaction.NewService(db, w.log, w.people, nil, w.agents, w.handovers, quotes))
	if w.root, err = w.agents.Root(bg, w.tenant); err != nil {
		t.Fatal(err)
	}
	return w
}

func each(t *testing.T, f func(w world)) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		w.T = t
		f(w)
	}, storetest.Clock(clock.NewFake(start)))
}

// lead is a complete one, changed by f.
func lead(f func(l *intake.Lead)) intake.Lead {
	l := intake.Lead{Kind: intake.Retail, FirstName: "Ana", Phones: []string{"+541145520371"}, Source: "web"}
	if f != nil {
		f(&l)
	}
	return l
}

func (w world) take(f func(l *intake.Lead)) (intake.Taken, error) {
	return w.s.Take(bg, w.tenant, actor, lead(f))
}

func (w world) takes(f func(l *intake.Lead)) intake.Taken {
	w.Helper()
	got, err := w.take(f)
	if err != nil {
		w.Fatal(err)
	}
	return got
}

func (w world) group(g agent.Group) agent.Group {
	w.Helper()
	if g.Parent.IsZero() {
		g.Parent = w.root.ID
	}
	g, err := w.agents.CreateGroup(bg, w.tenant, "test", g)
	if err != nil {
		w.Fatal(err)
	}
	return g
}

func (w world) agent(a agent.Agent) agent.Agent {
	w.Helper()
	a, err := w.agents.Create(bg, w.tenant, "test", a)
	if err != nil {
		w.Fatal(err)
	}
	return a
}

// events returns the types of all events of a contact, oldest first.
func (w world) events(cid id.ID) (out []string) {
	w.Helper()
	list, err := event.OfContact(w.db.Read(bg, w.tenant), cid, 1000)
	if err != nil {
		w.Fatal(err)
	}
	for i := len(list) - 1; i >= 0; i-- {
		out = append(out, list[i].Type)
	}
	return out
}

func (w world) inquiries(cid id.ID) []contact.Inquiry {
	w.Helper()
	list, _, err := w.people.Inquiries(bg, w.tenant, cid, 1, 100)
	if err != nil {
		w.Fatal(err)
	}
	return list
}

func (w world) wantFault(err error, code fault.Code, field string) {
	w.Helper()
	if f := fault.As(err); f == nil || f.Code != code || f.Field != field {
		w.Errorf("got %v (%+v), want %s of %q", err, f, code, field)
	}
}

func ptr[T any](v T) *T { return &v }
