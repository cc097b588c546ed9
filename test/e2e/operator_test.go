package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"parley/test/contract"
)

// operator calls the operator's routes with a token.
func operator(t *testing.T, p *process, header, token string) func(method, path, body string) answer {
	spec, err := contract.Load("admin")
	if err != nil {
		t.Fatal(err)
	}
	watch := contract.NewTransport(t, spec, http.DefaultTransport)
	c := &http.Client{Transport: watch}
	t.Cleanup(func() { http.DefaultTransport.(*http.Transport).CloseIdleConnections() })
	return func(method, path, body string) answer {
		t.Helper()
		r, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("content-type", "application/json")
		r.Header.Set(header, token)
		old := client
		client = c
		defer func() { client = old }()
		a, err := send(r)
		if err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		return a
	}
}

func expect(t *testing.T, a answer, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("answered %d %s, not %d", a.status, a.body, status)
	}
	return a
}

const operatorToken = "the-operator's-own-token-0123456789"

// The platform's spelling: a client is made, used, configured, rotated, ended.
func TestOperatorManagesClients(t *testing.T) {
	p := launch(t, []string{"--data", t.TempDir()}, []string{"PARLEY_ADMIN_TOKEN=" + operatorToken}, "--listen", "127.0.0.1:0", "--simulate")
	p.ready()
	call := operator(t, p, "x-core-api-key", operatorToken)
	made := expect(t, call("POST", "/api/clients", `{"name":"Acme","business":{"industry":"retail"},"plan":{"name":"Growth"},"tags":["pilot"]}`), 201)
	code, key := made.text("data", "clientCode"), made.text("data", "apiKey")
	if code == "" || key == "" || made.text("data", "plan", "name") != "Growth" {
		t.Fatalf("made %s", made.body)
	}
	a := &api{t: t, url: p.url, code: code, key: key}
	a.get("/api/saas/crm/pipelines")

	// What is refused leaves no client behind.
	expect(t, call("POST", "/api/clients", `{"name":"Half","labels":{"l":"`+strings.Repeat("x", 70_000)+`"}}`), 400)
	expect(t, call("POST", "/api/clients", `{"name":"Half","status":"asleep"}`), 400)
	if n := expect(t, call("GET", "/api/clients/count", ""), 200); n.at("count") != 1.0 || !strings.HasPrefix(n.text("clientCode"), "ERIX_CLNT_") {
		t.Errorf("count: %s", n.body)
	}
	if l := expect(t, call("GET", "/api/clients", ""), 200).list("data"); len(l) != 1 || l[0]["apiKey"] != nil {
		t.Errorf("list: %v", l)
	}
	renamed := expect(t, call("PATCH", "/api/clients/"+made.text("data", "_id")+"/identity", `{"name":"Acme Ltd","business":{"industry":null,"website":"acme.example"}}`), 200)
	if renamed.text("data", "name") != "Acme Ltd" || renamed.at("data", "business", "industry") != nil || renamed.text("data", "business", "website") != "acme.example" {
		t.Errorf("renamed: %s", renamed.body)
	}
	expect(t, call("PATCH", "/api/clients/"+code+"/identity", `{"clientCode":"OTHER"}`), 400)
	// What is refused changes nothing, not even what stands before it.
	expect(t, call("PATCH", "/api/clients/"+code+"/identity", `{"name":"Half","labels":{"l":"`+strings.Repeat("x", 70_000)+`"}}`), 400)
	if now := expect(t, call("GET", "/api/clients/"+code, ""), 200); now.text("data", "name") != "Acme Ltd" {
		t.Errorf("a refused change gave the name %q", now.text("data", "name"))
	}

	cfg := expect(t, call("PATCH", "/api/clients/"+code+"/config", `{"workers":{"maxParallelTasks":7},"timezone":"Europe/Vienna"}`), 200)
	if cfg.at("data", "workers", "maxParallelTasks") != 7.0 || cfg.text("data", "timezone") != "Europe/Vienna" || cfg.text("data", "currency") != "INR" {
		t.Errorf("config: %s", cfg.body)
	}
	if bad := expect(t, call("PATCH", "/api/clients/"+code+"/config", `{"workers":{"maxParallelTasks":-1}}`), 400); bad.at("errors", "workers.maxParallelTasks") == nil {
		t.Errorf("bad config: %s", bad.body)
	}

	rotated := expect(t, call("POST", "/api/clients/"+code+"/api-key", ""), 200)
	if s := a.call("GET", "/api/saas/crm/pipelines", nil).status; s != 401 {
		t.Errorf("the rotated key still answers %d", s)
	}
	a.key = rotated.text("apiKey")
	a.get("/api/saas/crm/pipelines")
	if k := expect(t, call("GET", "/api/clients/"+code+"/api-key", ""), 200); strings.Contains(k.body, a.key) || k.at("data", "hasKey") != true {
		t.Errorf("the key is shown again: %s", k.body)
	}

	expect(t, call("DELETE", "/api/clients/"+code, ""), 200)
	if s := a.call("GET", "/api/saas/crm/pipelines", nil).status; s != 403 {
		t.Errorf("the key of a terminated client answers %d", s)
	}
	expect(t, call("GET", "/api/clients/ERIX_CLNT_ZZZZZZ", ""), 404)
	for _, wrong := range []string{"", "x", operatorToken + "x", a.key} {
		expect(t, operator(t, p, "x-core-api-key", wrong)("GET", "/api/clients", ""), 401)
	}
	p.verify()
}

// Credentials of a client connect its WhatsApp number and are never shown again.
func TestOperatorKeepsSecrets(t *testing.T) {
	p := launch(t, []string{"--data", t.TempDir()}, []string{"PARLEY_ADMIN_TOKEN=" + operatorToken}, "--listen", "127.0.0.1:0")
	p.ready()
	call := operator(t, p, "x-core-api-key", operatorToken)
	code := expect(t, call("POST", "/api/clients", `{"name":"Acme"}`), 201).text("data", "clientCode")
	path := "/api/clients/" + code + "/secrets"
	before := expect(t, call("GET", path, ""), 200)
	if before.at("data", "whatsappToken") != nil || before.text("data", "automationWebhookSecret") != "********" {
		t.Errorf("before: %s", before.body)
	}
	set := expect(t, call("POST", path, `{"whatsappPhoneNumberId":"1055","whatsappBusinessId":"2077","whatsappToken":"EAAG-very-secret","whatsappAppSecret":"app-secret","whatsappWebhookToken":"say-this","smtpPort":587,"smtpSecure":true,"customSecrets":{"CRM":"custom-secret"}}`), 200)
	for _, hidden := range []string{"EAAG-very-secret", "app-secret", "say-this", "custom-secret"} {
		if strings.Contains(set.body, hidden) {
			t.Errorf("%q is shown: %s", hidden, set.body)
		}
	}
	if set.text("data", "whatsappPhoneNumberId") != "1055" || set.text("data", "whatsappToken") != "********" || set.text("data", "smtpPort") != "587" ||
		set.text("data", "customSecrets", "CRM") != "********" {
		t.Errorf("set: %s", set.body)
	}
	// Meta's handshake answers now: the number is connected.
	shake := get(t, p.url+"/api/saas/whatsapp/webhook?hub.mode=subscribe&hub.verify_token=say-this&hub.challenge=42")
	if shake.status != 200 || shake.body != "42" {
		t.Errorf("the handshake answers %d %q", shake.status, shake.body)
	}
	kept := expect(t, call("PATCH", path, `{"whatsappToken":"********","smtpPort":null,"customSecrets":{"CRM":""}}`), 200)
	if kept.text("data", "whatsappToken") != "********" || kept.at("data", "smtpPort") != nil || kept.at("data", "customSecrets", "CRM") != nil {
		t.Errorf("kept: %s", kept.body)
	}
	if bad := expect(t, call("PUT", path, `{"watsappToken":"x"}`), 400); bad.at("errors", "watsappToken") == nil {
		t.Errorf("an unknown name: %s", bad.body)
	}
	expect(t, call("PUT", path, `{"automationWebhookSecret":null}`), 409)
	if log := p.stderr.String(); strings.Contains(log, "EAAG-very-secret") || strings.Contains(log, operatorToken) {
		t.Error("the log shows a secret")
	}
}

// Parley's own spelling, beside the command line on the same server.
func TestOperatorRoutesOfParley(t *testing.T) {
	p := launch(t, []string{"--data", t.TempDir()}, []string{"PARLEY_ADMIN_TOKEN=" + operatorToken}, "--listen", "127.0.0.1:0")
	p.ready()
	call := operator(t, p, "Authorization", "Bearer "+operatorToken)
	const tenants = "/parley/v1/tenants"
	made := expect(t, call("POST", tenants, `{"name":"Acme","code":"acme"}`), 201)
	if made.text("clientCode") != "ACME" || made.text("apiKey") == "" {
		t.Fatalf("made %s", made.body)
	}
	if again := expect(t, call("POST", tenants, `{"name":"Acme","code":"acme"}`), 409); again.text("error", "code") != "conflict" {
		t.Errorf("again: %s", again.body)
	}
	changed := expect(t, call("PATCH", tenants+"/acme", `{"name":"Acme Ltd","settings":{"region":"AT"}}`), 200)
	if changed.text("name") != "Acme Ltd" || changed.text("settings", "region") != "AT" || changed.text("settings", "currency") != "INR" {
		t.Errorf("changed: %s", changed.body)
	}
	key := expect(t, call("POST", tenants+"/ACME/keys", `{"face":"platform","scopes":["platform:crm:read"],"name":"reader"}`), 201)
	fresh := expect(t, call("POST", tenants+"/ACME/keys/"+key.text("id")+"/rotate", ""), 201)
	if fresh.text("name") != "reader" || fresh.text("apiKey") == key.text("apiKey") || fresh.at("scopes", 0) != "platform:crm:read" {
		t.Errorf("rotated: %s", fresh.body)
	}
	expect(t, call("POST", tenants+"/ACME/keys/"+key.text("id")+"/rotate", ""), 404)
	expect(t, call("DELETE", tenants+"/ACME/keys/"+fresh.text("id"), ""), 204)
	expect(t, call("PUT", tenants+"/ACME/secrets/crm", `{"value":"very-secret"}`), 204)
	if s := expect(t, call("GET", tenants+"/ACME/secrets", ""), 200); !strings.Contains(s.body, `"crm"`) || strings.Contains(s.body, "very-secret") {
		t.Errorf("secrets: %s", s.body)
	}
	expect(t, call("DELETE", tenants+"/ACME/secrets/crm", ""), 204)
	expect(t, call("DELETE", tenants+"/ACME/secrets/crm", ""), 404)
	expect(t, call("PATCH", tenants+"/ACME", `{"status":"asleep"}`), 400)
	expect(t, call("GET", tenants+"/NOBODY", ""), 404)
	// What touches files of the server is for its socket alone.
	for _, path := range []string{"verify", "status", "backup", "restore"} {
		for _, method := range []string{"GET", "POST"} {
			r, err := http.NewRequest(method, p.url+"/parley/v1/"+path, strings.NewReader(`{"file":"/tmp/x"}`))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+operatorToken)
			if a, err := send(r); err != nil || a.status != 404 {
				t.Errorf("%s /parley/v1/%s answers %d, %v on the public port", method, path, a.status, err)
			}
		}
	}
	if out := p.parley("tenant", "list"); !strings.Contains(out, "Acme Ltd") {
		t.Errorf("the command line shows %q", out)
	}
}

// A server without a token lets nobody in, not even with an empty one.
func TestNoOperatorToken(t *testing.T) {
	p := serve(t, []string{"--data", t.TempDir()})
	for _, token := range []string{"", "Bearer ", "Bearer x"} {
		r, err := http.NewRequest("GET", p.url+"/parley/v1/tenants", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", token)
		a, err := send(r)
		if err != nil {
			t.Fatal(err)
		}
		if a.status != 401 || !strings.Contains(a.body, "PARLEY_ADMIN_TOKEN") {
			t.Errorf("%q answers %d %s", token, a.status, a.body)
		}
	}
	if r := command(t, []string{"PARLEY_ADMIN_TOKEN=short"}, "serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0"); r.code == 0 || !strings.Contains(r.stderr, "24 characters") {
		t.Errorf("a short token: %d %s", r.code, r.stderr)
	}
}
