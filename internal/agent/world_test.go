package agent_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/agent"
	"parley/internal/clock"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tenant"
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
	db      *store.DB
	clock   *clock.Fake
	tenants *tenant.Service
	s       *agent.Service
	tenant  id.ID
	root    agent.Group
}

func each(t *testing.T, f func(w world), opts ...storetest.Option) {
	c := clock.NewFake(start)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tenants, a := tenanttest.New(t, db)
		var err error
		w := world{T: t, db: db, clock: c, tenants: tenants, s: agent.NewService(db, event.NewLog(), tenants), tenant: a.ID}
		if w.root, err = w.s.Root(bg, w.tenant); err != nil {
			t.Fatal(err)
		}
		f(w)
	}, append(opts, storetest.Clock(c))...)
}

func (w world) r() store.Reader { return w.s.Reads(bg, w.tenant) }

func (w world) group(g agent.Group) agent.Group {
	w.Helper()
	g, err := w.s.CreateGroup(bg, w.tenant, actor, g)
	if err != nil {
		w.Fatal(err)
	}
	return g
}

func (w world) agent(a agent.Agent) agent.Agent {
	w.Helper()
	if a.FirstName == "" {
		a.FirstName = "Asha"
	}
	a, err := w.s.Create(bg, w.tenant, actor, a)
	if err != nil {
		w.Fatal(err)
	}
	return a
}

func (w world) edit(g id.ID, p agent.GroupPatch) agent.Group {
	w.Helper()
	v, err := w.s.UpdateGroup(bg, w.tenant, actor, g, p)
	if err != nil {
		w.Fatal(err)
	}
	return v
}

func (w world) change(a id.ID, p agent.Patch) agent.Agent {
	w.Helper()
	v, err := w.s.Update(bg, w.tenant, actor, a, p)
	if err != nil {
		w.Fatal(err)
	}
	return v
}

// events returns "type changed..." of a subject, oldest first.
func (w world) events(subject id.ID) (out []string) {
	w.Helper()
	list, err := event.After(w.r(), event.Cursor{}, 10_000)
	if err != nil {
		w.Fatal(err)
	}
	for _, e := range list {
		if e.Subject == subject {
			out = append(out, strings.TrimSpace(e.Type+" "+strings.Join(e.Changed, " ")))
		}
	}
	return out
}

func (w world) wantFault(err error, code fault.Code, field, reason string) {
	w.Helper()
	f := fault.As(err)
	if f == nil || f.Code != code || f.Field != field || reason != "" && f.Reason != reason {
		w.Errorf("got %v (%+v), want %s of %q because of %q", err, f, code, field, reason)
	}
}

func ptr[T any](v T) *T { return &v }
