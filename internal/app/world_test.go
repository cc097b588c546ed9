package app_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/access"
	"parley/internal/agent"
	"parley/internal/app"
	"parley/internal/app/apptest"
	"parley/internal/automation"
	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/egress"
	"parley/internal/egress/poster"
	"parley/internal/event"
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
	db      *store.DB
	clock   *clock.Fake
	keys    *access.Service
	people  *contact.Service
	agents  *agent.Service
	works   *handover.Service
	s       *app.Service
	fired   *fires
	backend *apptest.Backend
	tenant  id.ID
	shop    agent.Group
	other   agent.Group
	app     app.App
	own     app.Secrets
}

// fires remembers what rules were started by.
type fires struct {
	sync.Mutex
	calls []automation.Call
}

func (f *fires) FireIn(tx *store.Tx, _ string, c automation.Call) (automation.Fired, error) {
	tx.After(func() {
		f.Lock()
		defer f.Unlock()
		f.calls = append(f.calls, c)
	})
	return automation.Fired{}, nil
}

// each gives a tenant with a registered app whose backend runs. The app calls it
// through real HTTP; jobs run when a test says so (work).
func each(t *testing.T, f func(t *testing.T, w *world)) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		fake, _ := db.Clock().(*clock.Fake)
		tenants, a := tenanttest.New(t, db)
		var err error
		log := event.NewLog()
		w := &world{T: t, db: db, clock: fake, tenant: a.ID, fired: &fires{}}
		w.keys = access.New(db, tenants)
		w.people = contact.NewService(db, log, tenants)
		cards := deal.NewService(db, log, w.people, tenants)
		w.agents = agent.NewService(db, log, tenants)
		w.works = handover.NewService(db, log, w.people, cards, w.agents)
		client := egress.New(egress.Options{AllowLoopback: true, MaxRedirects: -1, Timeout: time.Minute})
		t.Cleanup(client.Close)
		w.s = app.NewService(db, log, app.Rooms{Tenants: tenants, Access: w.keys, Agents: w.agents, Contacts: w.people, Handovers: w.works,
			Automations: w.fired, Caller: poster.New(client)})
		w.backend = apptest.New(t, "cal", "s3cret")
		w.app, w.own, err = w.s.Register(bg, w.tenant, actor, app.NewApp{App: app.App{Developer: "acme", Key: "calendar", Name: app.Localized{"en": "Calendar"},
			BaseURL: w.backend.URL, ClientID: "cal", Scopes: []string{"sales:leads:write"}}, Secrets: app.Secrets{ClientSecret: "s3cret", PrivateKey: "app-private-key-1"}})
		if err != nil {
			t.Fatal(err)
		}
		w.shop, w.other = w.group("Shop"), w.group("Other")
		f(t, w)
	}, storetest.Clock(clock.NewFake(start)))
}

func (w *world) group(name string) agent.Group {
	w.Helper()
	g, err := w.agents.CreateGroup(bg, w.tenant, actor, agent.Group{Name: name})
	if err != nil {
		w.Fatal(err)
	}
	return g
}

func (w *world) agent(name, role string, group id.ID) agent.Agent {
	w.Helper()
	a, err := w.agents.Create(bg, w.tenant, actor, agent.Agent{FirstName: name, Group: group, Role: role})
	if err != nil {
		w.Fatal(err)
	}
	return a
}

// work runs jobs until the test, or the returned function, ends.
func (w *world) work() (stop func()) {
	w.Helper()
	r := job.NewRunner(w.db, job.Options{Node: id.New().String(), Clock: w.clock, Workers: 4})
	w.s.RegisterJobs(r)
	ctx, cancel := context.WithCancel(bg)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				w.Errorf("Run: %v", err)
			}
		})
	}
	w.Cleanup(stop)
	return stop
}

// until polls a condition.
func (w *world) until(what string, ok func() bool) {
	w.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("never came true: %s", what)
		}
	}
}

func (w *world) install(n app.NewInstance) app.Instance {
	w.Helper()
	if n.Group.IsZero() {
		n.Group = w.shop.ID
	}
	i, err := w.s.Install(bg, w.tenant, actor, w.app.ID, n)
	if err != nil {
		w.Fatal(err)
	}
	return i
}

// installed is install for an app that has confirmed.
func (w *world) installed() app.Instance {
	w.Helper()
	i := w.install(app.NewInstance{})
	return w.settled(i.ID)
}

func (w *world) get(instance id.ID) app.Instance {
	w.Helper()
	i, err := w.s.Instance(w.s.Reads(bg, w.tenant), instance)
	if err != nil {
		w.Fatal(err)
	}
	return i
}

// settled waits until nothing is owed.
func (w *world) settled(instance id.ID) app.Instance {
	w.Helper()
	w.until("the app has confirmed everything", func() bool { return w.get(instance).Owes == "" })
	return w.get(instance)
}

// failed waits for the given number of failed tries.
func (w *world) failed(instance id.ID, tries int) app.Instance {
	w.Helper()
	w.until("a try has failed", func() bool { return w.get(instance).Tries >= tries })
	return w.get(instance)
}

// knows holds the app to a number of keys, of which each opens.
func (w *world) knows(n int) {
	w.Helper()
	w.backend.Lock()
	defer w.backend.Unlock()
	if len(w.backend.Keys) != n {
		w.Errorf("the app knows %d keys", len(w.backend.Keys))
	}
	for key := range w.backend.Keys {
		if !w.opens(key) {
			w.Error("the app has a key that does not open")
		}
	}
}

// opens reports whether a token opens a key now.
func (w *world) opens(token string) bool {
	w.Helper()
	_, err := w.keys.Authenticate(bg, "sales", token)
	return err == nil
}

// jobs counts the unfinished jobs of this room.
func (w *world) jobs() (n int) {
	w.Helper()
	if err := w.db.Read(bg, w.tenant).QueryRow("SELECT COUNT(*) FROM job WHERE tenant_id=? AND kind='app.tell' AND state IN ('available','scheduled','running','retryable')").Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}
