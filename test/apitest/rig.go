// Package apitest stands a whole server up, over a real database and real HTTP
// on loopback, for tests of the sales and the targeting API: those of the faces, of
// test/isolation and of test/crossface. Every exchange of its clients is held against
// the published description of the API that it belongs to. Only tests import it.
package apitest

import (
	"context"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"parley/internal/clock"
	"parley/internal/config"
	"parley/internal/server"
	"parley/internal/store/storetest"
	"parley/test/contract"
)

// Rig is a running server.
type Rig struct {
	testing.TB
	Main   *server.Main
	App    *server.App
	URL    string
	Clock  *clock.Fake  // nil without Options.At
	Client *http.Client // checks what it sees
	// Sales watches the exchanges of the sales API: Seen and Unseen operations.
	Sales *contract.Transport
	// Targeting watches those of the targeting API.
	Targeting *contract.Transport
}

// Options change a Rig.
type Options struct {
	// At makes the server's clock a fake one that stands there.
	At time.Time
	// Quiet runs no jobs and sends nothing: what a test sees is what its request
	// wrote. Work runs them.
	Quiet bool
	// Simulate connects the fake providers, gives every tenant a WhatsApp number
	// there, and lets webhooks reach loopback.
	Simulate bool
	// Config changes the server's settings.
	Config func(c *config.Server)
	Logger *slog.Logger
}

// Each runs f against a server on SQLite and one on PostgreSQL; in short mode on
// SQLite alone.
func Each(t *testing.T, o Options, f func(t *testing.T, r *Rig)) {
	t.Run("sqlite", func(t *testing.T) { f(t, New(t, o, "")) })
	t.Run("postgres", func(t *testing.T) {
		if testing.Short() {
			t.Skip("PostgreSQL is left out of short runs")
		}
		f(t, New(t, o, storetest.PostgresURL(t)))
	})
}

// New starts a server on a database URL, or on SQLite with none; it ends with the
// test. Every write closure runs twice.
func New(t testing.TB, o Options, database string) *Rig {
	t.Helper()
	cfg := config.Server{Database: config.Database{Data: t.TempDir(), Database: database}, Listen: "127.0.0.1:0",
		Roles: []string{config.RoleAPI, config.RoleWorker, config.RoleRealtime}, Simulate: o.Simulate,
		GraphURL: "http://127.0.0.1:1", GraphAPI: "v24.0", Workers: 4, Connections: 8, Sockets: 100, MaxBody: 10 << 20, Grace: 5 * time.Second, Env: "test"}
	if o.Quiet {
		cfg.Roles = []string{config.RoleAPI}
	}
	if o.Config != nil {
		o.Config(&cfg)
	}
	r := &Rig{TB: t}
	so := server.Options{Logger: o.Logger, Twice: true}
	if !o.At.IsZero() {
		r.Clock = clock.NewFake(o.At)
		so.Clock = r.Clock
	}
	var err error
	if r.Main, err = server.Start(context.Background(), cfg, so); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if r.Client != nil {
			r.Client.CloseIdleConnections()
		}
		if err := r.Main.Close(); err != nil {
			t.Errorf("the server did not stop well: %v", err)
		}
	})
	r.App, r.URL = r.Main.App(), r.Main.URL()
	r.Client = r.checked()
	return r
}

// checked returns a client that holds every exchange against the description of
// its API, and follows no redirect.
func (r *Rig) checked() *http.Client {
	plain := http.DefaultTransport.(*http.Transport).Clone()
	load := func(name string) *contract.Transport {
		spec, err := contract.Load(name)
		if err != nil {
			r.Fatal(err)
		}
		return contract.NewTransport(r, spec, plain)
	}
	r.Sales, r.Targeting = load("sales"), load("targeting")
	return &http.Client{Transport: byPath{plain, r.Sales, load("platform"), r.Targeting}, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// byPath sends a request by the transport that knows its API.
type byPath struct {
	plain                      *http.Transport
	sales, platform, targeting http.RoundTripper
}

// targeting is where the targeting API lives.
var targeting = regexp.MustCompile(`^/(v1/(campaign|target|entity|automation|access-tokens|admin/(organizations|users))|v[23]/portal)`)

func (b byPath) RoundTrip(req *http.Request) (*http.Response, error) {
	path := req.URL.Path
	switch {
	case targeting.MatchString(path):
		return b.targeting.RoundTrip(req)
	case strings.HasPrefix(path, "/api/v1/"), strings.HasPrefix(path, "/v1/"), path == "/swagger.json":
		return b.sales.RoundTrip(req)
	case strings.HasPrefix(path, "/api/saas/"), strings.HasPrefix(path, "/api/crm/"):
		return b.platform.RoundTrip(req)
	}
	return b.plain.RoundTrip(req)
}

// CloseIdleConnections makes http.Client's own reach the transport below.
func (b byPath) CloseIdleConnections() { b.plain.CloseIdleConnections() }

// Eventually polls until ok, or fails the test after a deadline.
func (r *Rig) Eventually(what string, ok func() bool) {
	r.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("waited in vain until %s", what)
		}
	}
}
