// Package platformtest stands the platform face up over real services, a real
// database and real HTTP on loopback, for the face's own tests and for those of
// test/contract and test/isolation. Meta alone is simulated. Only tests import
// it.
package platformtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"parley/internal/access"
	"parley/internal/account"
	"parley/internal/automation"
	"parley/internal/channel"
	"parley/internal/channel/whatsapp"
	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/deal"
	"parley/internal/egress"
	"parley/internal/egress/poster"
	"parley/internal/event"
	"parley/internal/face/files"
	"parley/internal/face/platform"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/idempotency"
	"parley/internal/job"
	"parley/internal/outbox"
	"parley/internal/secret"
	"parley/internal/simulator"
	"parley/internal/store"
	"parley/internal/tenant"
	"parley/internal/webhook"
)

// Rig is a running face.
type Rig struct {
	testing.TB
	DB            *store.DB
	Tenants       *tenant.Service
	Access        *access.Service
	Contacts      *contact.Service
	Deals         *deal.Service
	Accounts      *account.Service
	Conversations *conversation.Service
	Automations   *automation.Service
	Jobs          *job.Console
	Feed          *event.Log
	Face          *platform.Face
	Sim           *simulator.Simulator
	URL           string
	Client        *http.Client

	runner *job.Runner
	lanes  *job.Lanes
}

// Options change a Rig.
type Options struct {
	Limits func(name string) httpx.Rate // none by default
	CORS   *httpx.CORS
	Down   bool // the system says that its database is away
	// Transport wraps the client's transport, to watch exchanges.
	Transport func(next http.RoundTripper) http.RoundTripper
}

// New starts a face over db; it ends with the test.
func New(t testing.TB, db *store.DB, o Options) *Rig {
	t.Helper()
	box, err := secret.NewBox(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	outside := egress.New(egress.Options{AllowLoopback: true})
	t.Cleanup(outside.Close)
	sim := simulator.New(simulator.Options{Doer: outside})
	t.Cleanup(sim.Close)
	graph := httptest.NewServer(sim.Handler())
	t.Cleanup(graph.Close)
	wa := whatsapp.New(outside, graph.URL, "v24.0", db.Clock())
	channels := map[string]channel.Channel{wa.Kind(): wa}

	r := &Rig{TB: t, DB: db, Sim: sim, Feed: event.NewLog()}
	r.Tenants = tenant.New(db, box)
	r.Access = access.New(db, r.Tenants)
	r.Contacts = contact.NewService(db, r.Feed, r.Tenants)
	r.Deals = deal.NewService(db, r.Feed, r.Contacts, r.Tenants)
	r.Accounts = account.New(db, r.Tenants)
	r.Conversations = conversation.NewService(db, r.Feed, r.Contacts, r.Deals, r.Tenants, r.Accounts,
		conversation.NewTemplates(db, r.Accounts, channels))
	gate := outbox.New(db, channels, r.Accounts, r.Contacts, r.Conversations, outbox.Options{})
	hooks := webhook.NewService(db, r.Feed, r.Tenants, poster.New(outside))
	r.Automations = automation.NewService(db, r.Feed, r.Contacts, r.Deals, r.Conversations, hooks, r.Tenants, db.Clock())
	idem := idempotency.New(db)
	r.runner = job.NewRunner(db, job.Options{Node: id.New().String(), Workers: 4, Poll: 20 * time.Millisecond})
	r.Jobs = job.NewConsole(db, r.runner)
	r.Automations.RegisterJobs(r.runner)
	r.Conversations.RegisterJobs(r.runner)
	idem.RegisterJobs(r.runner)
	r.lanes = job.NewLanes(db, job.LaneOptions{Node: id.New().String()})
	r.lanes.Add(gate)
	r.lanes.Add(hooks)

	r.Face = platform.New(platform.Services{Access: r.Access, Tenants: r.Tenants, Contacts: r.Contacts, Deals: r.Deals,
		Accounts: r.Accounts, Conversations: r.Conversations, Automations: r.Automations, Webhooks: hooks, Jobs: r.Jobs,
		System: system{r.Jobs, o.Down}, Clock: db.Clock(), CORS: o.CORS})
	handler, err := httpx.NewHandler(httpx.Options{Log: slog.New(slog.DiscardHandler), Clock: db.Clock(), Idempotency: idem, Limits: o.Limits}, r.Face.HTTP(), files.HTTP(r.Conversations.Files()))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	r.URL, r.Client = server.URL, server.Client()
	if o.Transport != nil {
		r.Client.Transport = o.Transport(r.Client.Transport)
	}
	r.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return r
}

// Work runs jobs and lanes until the test ends.
func (r *Rig) Work() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{}, 2)
	go func() { _ = r.runner.Run(ctx); done <- struct{}{} }()
	go func() { r.lanes.Run(ctx); done <- struct{}{} }()
	r.Cleanup(func() { stop(); <-done; <-done })
}

// system is what the server says of itself.
type system struct {
	jobs *job.Console
	down bool
}

func (s system) Status(ctx context.Context) platform.SystemStatus {
	depth, err := s.jobs.Depth(ctx)
	out := platform.SystemStatus{Version: "1.2.3", Env: "test", Uptime: 90 * time.Second, DB: "connected", QueueDepth: depth}
	if err != nil || s.down {
		out.DB = "disconnected"
	}
	return out
}

// Tenant is a client with a key to call with.
type Tenant struct {
	*Rig
	tenant.Tenant
	Token string
}

// NewTenant makes a tenant and a key with the scopes, all of them by default.
func (r *Rig) NewTenant(name string, scopes ...string) *Tenant {
	r.Helper()
	t, err := r.Tenants.Create(context.Background(), tenant.NewTenant{Name: name})
	if err != nil {
		r.Fatal(err)
	}
	return (&Tenant{Rig: r, Tenant: t}).WithKey(scopes...)
}

// WithKey returns the tenant calling with a new key.
func (t *Tenant) WithKey(scopes ...string) *Tenant {
	t.Helper()
	token, _, err := t.Access.Create(context.Background(), t.ID, access.NewKey{Face: platform.Name, Scopes: scopes})
	if err != nil {
		t.Fatal(err)
	}
	return &Tenant{Rig: t.Rig, Tenant: t.Tenant, Token: token}
}

// Connect gives the tenant a simulated WhatsApp number with the demo templates.
func (t *Tenant) Connect(number string) channel.Account {
	t.Helper()
	waba := "waba" + number
	sim := simulator.Account{PhoneNumberID: "pn" + number, WABAID: waba, DisplayPhone: number, Token: "token" + number, AppSecret: "secret" + number}
	if err := t.Sim.AddAccount(sim); err != nil {
		t.Fatal(err)
	}
	if err := t.Sim.LoadDemoTemplates(waba); err != nil {
		t.Fatal(err)
	}
	a, err := t.Accounts.Connect(context.Background(), t.ID, account.NewAccount{Kind: whatsapp.Kind, ExternalID: sim.PhoneNumberID,
		Settings: map[string]string{"wabaId": waba}, Secrets: map[string]string{"token": sim.Token, "appSecret": sim.AppSecret, "verifyToken": "v" + number}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do calls with the tenant's key. body is marshalled unless it is a string,
// []byte or nil; headers come in pairs, and an empty value takes one away.
func (t *Tenant) Do(method, path string, body any, headers ...string) Answer {
	t.Helper()
	return t.Call(method, path, body, append([]string{"x-api-key", t.Token, "x-client-code", t.Code}, headers...)...)
}

// Call calls without a key.
func (r *Rig) Call(method, path string, body any, headers ...string) Answer {
	r.Helper()
	var rd io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		rd = strings.NewReader(b)
	case []byte:
		rd = bytes.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			r.Fatal(err)
		}
		rd = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, r.URL+path, rd)
	if err != nil {
		r.Fatal(err)
	}
	if rd != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
		} else {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	resp, err := r.Client.Do(req)
	if err != nil {
		r.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		r.Fatal(err)
	}
	return Answer{resp.StatusCode, resp.Header, raw}
}

// Map reads the body as an object.
func (a Answer) Map(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(a.Body, &m); err != nil {
		t.Fatalf("%d %s is no object: %v", a.Status, a.Body, err)
	}
	return m
}

// Get reads a value by its dotted path, "data.tags.0"; nil when absent.
func (a Answer) Get(t testing.TB, path string) any {
	t.Helper()
	var v any = a.Map(t)
	for _, part := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[part]
		case []any:
			var i int
			if _, err := fmt.Sscan(part, &i); err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// Str is Get as text.
func (a Answer) Str(t testing.TB, path string) string {
	t.Helper()
	s, _ := a.Get(t, path).(string)
	return s
}

// Eventually polls until ok or a deadline.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
