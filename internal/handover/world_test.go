package handover_test

import (
	"context"
	"fmt"
	"slices"
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
	"parley/internal/job"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tenant/tenanttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	bg    = context.Background()
	start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
)

const actor = "key:test"

type world struct {
	*testing.T
	db     *store.DB
	clock  *clock.Fake
	log    *event.Log
	people *contact.Service
	cards  *deal.Service
	agents *agent.Service
	s      *handover.Service
	tenant id.ID
	root   agent.Group
	shop   agent.Group // round robin would be said so
	asha   agent.Agent
	bela   agent.Agent
}

// house is a tenant without groups.
func house(t *testing.T, db *store.DB, c *clock.Fake) world {
	t.Helper()
	tenants, a := tenanttest.New(t, db)
	w := world{T: t, db: db, clock: c, log: event.NewLog(), tenant: a.ID}
	w.people = contact.NewService(db, w.log, tenants)
	w.cards = deal.NewService(db, w.log, w.people, tenants)
	w.agents = agent.NewService(db, w.log, tenants)
	w.s = handover.NewService(db, w.log, w.people, w.cards, w.agents)
	return w
}

func each(t *testing.T, f func(w world), opts ...storetest.Option) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c, ok := db.Clock().(*clock.Fake)
		if !ok {
			t.Fatal("the clock is not ours")
		}
		w := house(t, db, c)
		w.settle()
		f(w)
	}, append(opts, storetest.Clock(clock.NewFake(start)))...)
}

// settle makes groups and agents.
func (w *world) settle() {
	w.Helper()
	var err error
	if w.root, err = w.agents.Root(bg, w.tenant); err != nil {
		w.Fatal(err)
	}
	w.shop = w.group(agent.Group{Name: "Shop", AbsenceMessage: "Back at nine"})
	w.asha, w.bela = w.agent("Asha", w.shop.ID), w.agent("Bela", w.shop.ID)
}

func (w world) group(g agent.Group) agent.Group {
	w.Helper()
	g, err := w.agents.CreateGroup(bg, w.tenant, actor, g)
	if err != nil {
		w.Fatal(err)
	}
	return g
}

func (w world) agent(name string, group id.ID) agent.Agent {
	w.Helper()
	a, err := w.agents.Create(bg, w.tenant, actor, agent.Agent{FirstName: name, Group: group})
	if err != nil {
		w.Fatal(err)
	}
	return a
}

func (w world) method(g id.ID, p agent.GroupPatch) {
	w.Helper()
	if _, err := w.agents.UpdateGroup(bg, w.tenant, actor, g, p); err != nil {
		w.Fatal(err)
	}
}

var phones = 0

func (w world) person() id.ID {
	w.Helper()
	phones++
	c, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (deal.Card, error) {
		return w.cards.CreateIn(tx, actor, deal.NewCard{New: contact.New{FirstName: "P", Phone: fmt.Sprintf("+9198%08d", phones)}})
	})
	if err != nil {
		w.Fatal(err)
	}
	return c.Contact.ID
}

func (w world) place(cid id.ID, n handover.Arrival) handover.Arrived {
	w.Helper()
	a, err := w.s.Place(bg, w.tenant, actor, cid, n)
	if err != nil {
		w.Fatal(err)
	}
	return a
}

// placed is a new person whose work is in the shop.
func (w world) placed(n handover.Arrival) handover.Work {
	w.Helper()
	if n.Group.IsZero() {
		n.Group = w.shop.ID
	}
	return w.place(w.person(), n).Work
}

type move func(tx *store.Tx) (handover.Work, error)

func (w world) try(m move) (handover.Work, error) { return store.Write(bg, w.db, w.tenant, m) }

func (w world) must(v handover.Work, err error) handover.Work {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	return v
}

func (w world) r() store.Reader { return w.s.Reads(bg, w.tenant) }

func (w world) get(cid id.ID) handover.Work {
	w.Helper()
	return w.must(w.s.Get(w.r(), cid))
}

// contact checks that the contact agrees with the work, and returns it.
func (w world) contact(cid id.ID) contact.Contact {
	w.Helper()
	c, err := w.people.Get(w.r(), cid)
	if err != nil {
		w.Fatal(err)
	}
	v := w.get(cid)
	if c.AssignedTo != v.Agent.String() || v.Status != handover.Processing && c.Archived() != (v.Status == handover.Archived) {
		w.Errorf("the contact says %q, archived %v; the work %+v", c.AssignedTo, c.Archived(), v)
	}
	return c
}

// moves returns the history as "move status", and checks it against the work, the
// events and the timeline.
func (w world) moves(cid id.ID) (out []string) {
	w.Helper()
	list, err := w.s.History(w.r(), cid, 0)
	if err != nil {
		w.Fatal(err)
	}
	for _, e := range list {
		out = append(out, e.Move+" "+e.Status)
	}
	events, err := event.OfContact(w.r(), cid, 1000)
	if err != nil {
		w.Fatal(err)
	}
	n := 0
	for _, e := range events {
		if e.Type == "handover.moved" {
			n++
		}
	}
	notes, _, err := w.people.Timeline(bg, w.tenant, cid, 1, 1000)
	if err != nil {
		w.Fatal(err)
	}
	k := 0
	for _, a := range notes {
		if a.Type == "handover" {
			k++
		}
	}
	if v := w.get(cid); len(list) != v.Version || list[len(list)-1].Status != v.Status || n != v.Version || k != v.Version {
		w.Errorf("version %d, %d entries, %d events, %d activities", v.Version, len(list), n, k)
	}
	return out
}

func (w world) wantMoves(cid id.ID, want ...string) {
	w.Helper()
	if got := w.moves(cid); !slices.Equal(got, want) {
		w.Errorf("history %q, want %q", got, want)
	}
}

func (w world) wantFault(err error, code fault.Code, field, reason string) {
	w.Helper()
	f := fault.As(err)
	if f == nil || f.Code != code || f.Field != field || reason != "" && f.Reason != reason {
		w.Errorf("got %v (%+v), want %s of %q because of %q", err, f, code, field, reason)
	}
}

// settled runs the jobs until none is due.
func (w world) settled(until func() bool) {
	w.Helper()
	ctx, cancel := context.WithCancel(bg)
	r := job.NewRunner(w.db, job.Options{Node: id.New().String(), Clock: w.clock, Workers: 2})
	w.s.RegisterJobs(r)
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	deadline := time.Now().Add(time.Minute)
	for !until() && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
		w.clock.Advance(time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		w.Error(err)
	}
	if !until() {
		w.Error("it did not come about")
	}
}

func ptr[T any](v T) *T { return &v }
