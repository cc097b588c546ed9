// Package sdk_test drives a real server through the public Go client.
package sdk_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/config"
	"parley/internal/server"
	"parley/internal/store/storetest"
	parley "parley/sdk/go"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is a running server with simulated phones, and a client of one tenant.
type house struct {
	*testing.T
	*parley.Client
	main *server.Main
	key  string
	code string
}

// each runs f against a server on SQLite and one on PostgreSQL.
func each(t *testing.T, f func(h *house)) {
	t.Run("sqlite", func(t *testing.T) { f(open(t, config.Database{Data: t.TempDir()})) })
	t.Run("postgres", func(t *testing.T) {
		if testing.Short() {
			t.Skip("PostgreSQL is left out of short runs")
		}
		f(open(t, config.Database{Data: t.TempDir(), Database: storetest.PostgresURL(t)}))
	})
}

func open(t *testing.T, d config.Database) *house {
	t.Helper()
	m, err := server.Start(context.Background(), config.Server{Database: d, Listen: "127.0.0.1:0", Roles: []string{"api", "worker", "realtime"}, Simulate: true,
		GraphURL: "https://graph.invalid", GraphAPI: "v24.0", Workers: 8, Connections: 16, MaxBody: 10 << 20, Sockets: 10, Grace: patience}, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{T: t, main: m}
	transport := &http.Transport{}
	t.Cleanup(func() {
		if h.Client != nil {
			h.Realtime.Close()
			if done := h.Realtime.Done(); done != nil {
				<-done
			}
		}
		transport.CloseIdleConnections()
		if err := m.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	// The operator's way makes the tenant, so that its simulated number is connected.
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/parley/v1/tenants", strings.NewReader(`{"name":"Acme"}`))
	r.Header.Set("Content-Type", "application/json")
	m.App().Command().ServeHTTP(w, r)
	var made struct{ ClientCode, APIKey string }
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || made.APIKey == "" {
		t.Fatalf("no tenant was made: %d %s", w.Code, w.Body)
	}
	h.code, h.key = made.ClientCode, made.APIKey
	h.Client, err = parley.New(parley.WithAPIKey(h.key), parley.WithClientCode(h.code), parley.WithBaseURL(m.URL()),
		parley.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// ctx ends when the test has waited long enough.
func (h *house) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	h.Cleanup(cancel)
	return ctx
}

// ok fails the test on an error and hands the value on.
func ok[T any](h *house) func(T, error) T {
	return func(v T, err error) T {
		h.Helper()
		if err != nil {
			h.Fatal(err)
		}
		return v
	}
}

// eventually polls until done.
func (h *house) eventually(what string, done func() bool) {
	h.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			h.Fatalf("did not happen: %s", what)
		}
	}
}

// lead makes a lead.
func (h *house) lead(name, phone string) parley.Lead {
	h.Helper()
	return ok[parley.Lead](h)(h.CRM.Leads.Create(h.ctx(), parley.LeadInput{FirstName: name, Phone: phone}))
}

// refused fails the test unless err has the status and, unless empty, the code.
func (h *house) refused(err error, status int, code string) {
	h.Helper()
	if e := apiError(err); e == nil || e.Status != status || code != "" && e.Code != code {
		h.Errorf("%v, want %d %s", err, status, code)
	}
}

func has(list []string, s string) bool { return slices.Contains(list, s) }
