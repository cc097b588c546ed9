package e2e_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"parley/internal/access"
	"parley/internal/config"
	"parley/internal/server"
	"parley/internal/tenant"
)

// inProcess runs a server inside the test, for what only the house itself can
// tell, such as a secret.
func inProcess(t *testing.T, d config.Database) *server.Main {
	t.Helper()
	if d.Data == "" {
		d.Data = t.TempDir()
	}
	m, err := server.Start(context.Background(), config.Server{Database: d, Listen: "127.0.0.1:0", Roles: []string{"api", "worker", "realtime"}, Simulate: true,
		GraphURL: "https://graph.invalid", GraphAPI: "v24.0", Workers: 8, Connections: 16, MaxBody: 1 << 20, Sockets: 10, Grace: patience}, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return m
}

// called is a callback as it arrived.
type called struct {
	method, signature string
	body              []byte
	fields            map[string]any
}

func TestSignedCallbacks(t *testing.T) {
	var mu sync.Mutex
	var got []called
	refuse := 1 // the first attempt is lost, and made again
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		c := called{method: r.Method, signature: r.Header.Get("x-ecodrix-signature"), body: b}
		_ = json.Unmarshal(b, &c.fields)
		mu.Lock()
		defer mu.Unlock()
		if refuse > 0 {
			refuse--
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		got = append(got, c)
	}))
	defer receiver.Close()

	m := inProcess(t, config.Database{})
	ctx := context.Background()
	app := m.App()
	made, err := app.Tenants.Create(ctx, tenant.NewTenant{Name: "A"})
	if err != nil {
		t.Fatal(err)
	}
	key, _, err := app.Access.Create(ctx, made.ID, access.NewKey{Face: "platform"})
	if err != nil {
		t.Fatal(err)
	}
	secret, err := app.Tenants.Secret(app.DB.Read(ctx, made.ID), tenant.WebhookSecret)
	if err != nil {
		t.Fatal(err)
	}
	a := &api{t: t, url: m.URL(), code: made.Code, key: key}
	a.ok("POST", "/api/saas/crm/automations", map[string]any{"name": "Tag", "trigger": "order_paid", "isActive": true,
		"nodes": []any{map[string]any{"id": "s", "type": "trigger"}, map[string]any{"id": "t", "type": "add_tag", "data": map[string]any{"tag": "paid"}}, map[string]any{"id": "e", "type": "end"}},
		"edges": []any{map[string]any{"source": "s", "target": "t"}, map[string]any{"source": "t", "target": "e"}}})
	fired := a.ok("POST", "/api/saas/workflows/trigger", map[string]any{"trigger": "order_paid", "phone": "+919876543210", "createLeadIfMissing": true,
		"callbackUrl": receiver.URL + "/hook?x=1", "callbackMetadata": map[string]any{"order": "ORD-123", "ü": "<&>"}})
	if fired.at("data", "rulesMatched") != 1.0 {
		t.Fatalf("fired %s", fired.body)
	}
	eventually(t, "two callbacks arrive", func() bool { mu.Lock(); defer mu.Unlock(); return len(got) >= 2 })
	mu.Lock()
	defer mu.Unlock()
	for i, status := range []string{"processing", "completed"} {
		c := got[i]
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(c.body)
		if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); c.signature != want {
			t.Errorf("callback %d is signed %q, want %q", i, c.signature, want)
		}
		if c.method != http.MethodPut || c.fields["status"] != status {
			t.Errorf("callback %d is %s %s, want PUT with the status %s", i, c.method, c.body, status)
		}
		if a := (answer{json: c.fields}); a.text("eventLogId") != fired.text("data", "eventLogId") {
			t.Errorf("callback %d names another call: %s", i, c.body)
		}
	}
	if len(got) != 2 {
		t.Errorf("%d callbacks arrived", len(got))
	}
	t.Logf("the last: %s", got[1].body)
}
