package platform_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"parley/internal/access"
	"parley/internal/httpx"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tenant"
	"parley/test/platformtest"
)

func TestKeys(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c, other := r.NewTenant("Acme"), r.NewTenant("Other")
		const path = "/api/saas/crm/pipelines"
		lower := strings.ToLower(c.Code)
		for name, headers := range map[string][]string{
			"x-api-key alone":        {"x-api-key", c.Token},
			"with the client code":   {"x-api-key", c.Token, "x-client-code", c.Code},
			"code in lower case":     {"x-api-key", c.Token, "x-client-code", lower},
			"the later spellings":    {"x-erix-api-key", c.Token, "x-erix-client-code", c.Code},
			"Authorization: Bearer":  {"Authorization", "Bearer " + c.Token},
			"bearer of another case": {"Authorization", "bearer  " + c.Token},
		} {
			if a := r.Call("GET", path, nil, headers...); a.Status != 200 {
				t.Errorf("%s: %d %s", name, a.Status, a.Body)
			}
		}
		sales, _, err := r.Access.Create(context.Background(), c.ID, access.NewKey{Face: "sales"})
		if err != nil {
			t.Fatal(err)
		}
		revoked := c.WithKey()
		keys, err := r.Access.List(context.Background(), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if k.Face == "platform" && k.ID.String() > keys[0].ID.String() {
				if err := r.Access.Revoke(context.Background(), c.ID, k.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
		var first []byte
		for name, headers := range map[string][]string{
			"no key":                       nil,
			"a wrong key":                  {"x-api-key", "erix_" + strings.Repeat("0", 64)},
			"a revoked key":                {"x-api-key", revoked.Token},
			"a key of another face":        {"x-api-key", sales},
			"another tenant's client code": {"x-api-key", c.Token, "x-client-code", other.Code},
			"an unknown client code":       {"x-api-key", c.Token, "x-client-code", "ERIX_CLNT_AAAAAA"},
			"two codes that disagree":      {"x-api-key", c.Token, "x-client-code", c.Code, "x-erix-client-code", other.Code},
			"basic authorization":          {"Authorization", "Basic " + c.Token},
			"the code alone":               {"x-client-code", c.Code},
		} {
			a := r.Call("GET", path, nil, headers...)
			if a.Status != 401 || a.Str(t, "code") != "UNAUTHORIZED" {
				t.Errorf("%s: %d %s", name, a.Status, a.Body)
			}
			if first == nil {
				first = a.Body
			} else if string(first) != string(a.Body) {
				t.Errorf("%s answers differently: %s and %s", name, first, a.Body)
			}
		}
		if _, err := r.Tenants.Change(context.Background(), c.ID, tenant.Edit{Status: new(tenant.Suspended)}); err != nil {
			t.Fatal(err)
		}
		platformtest.Eventually(t, "the suspension is known", func() bool {
			a := r.Call("GET", path, nil, "x-api-key", c.Token)
			return a.Status == 403 && a.Str(t, "code") == "FORBIDDEN"
		})
		if a := other.Do("GET", path, nil); a.Status != 200 {
			t.Errorf("the other tenant suffers: %d %s", a.Status, a.Body)
		}
	})
}

func TestPathsThatNobodyServes(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c := r.NewTenant("Acme")
		play(t, c, nil, []scene{
			{name: "an experimental route", method: "POST", path: "/api/saas/beta-feature", status: 404, body: `{"experimentalFlag":true}`, want: []string{`"success":false`, `"code":"NOT_FOUND"`}},
			{name: "the bare prefix", method: "GET", path: "/api", status: 404, want: []string{`"code":"NOT_FOUND"`}},
			{name: "a noun that is not there", method: "GET", path: "/api/crm/notes/1", status: 404, want: []string{`"code":"NOT_FOUND"`}},
			{name: "a wrong method", method: "PUT", path: "/api/crm/leads", status: 405, want: []string{`"code":"METHOD_NOT_ALLOWED"`}},
		})
	})
}

func TestCORSAndLimits(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := platformtest.New(t, db, platformtest.Options{
			Limits: func(name string) httpx.Rate {
				return map[string]httpx.Rate{"general": {PerMinute: 3}, "trigger": {PerMinute: 1}}[name]
			},
			CORS: &httpx.CORS{Origins: []string{"https://app.example"}, Credentials: true},
		})
		c := r.NewTenant("Acme")
		a := r.Call("OPTIONS", "/api/saas/crm/leads", nil, "Origin", "https://app.example", "Access-Control-Request-Method", "POST",
			"Access-Control-Request-Headers", "x-api-key, x-sdk-version")
		if a.Status != 204 || a.Header.Get("Access-Control-Allow-Origin") != "https://app.example" || a.Header.Get("Access-Control-Allow-Credentials") != "true" ||
			a.Header.Get("Access-Control-Allow-Headers") != "x-api-key, x-sdk-version" || a.Header.Get("Access-Control-Max-Age") != "86400" {
			t.Errorf("preflight: %d %v", a.Status, a.Header)
		}
		a = c.Do("GET", "/api/crm/pipelines", nil, "Origin", "https://elsewhere.example")
		if a.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("another origin is let in: %v", a.Header)
		}
		if a = c.Do("GET", "/api/crm/pipelines", nil, "Origin", "https://app.example"); !strings.Contains(a.Header.Get("Access-Control-Expose-Headers"), "Retry-After") {
			t.Errorf("headers are not exposed: %v", a.Header)
		}
		c.Do("GET", "/api/crm/pipelines", nil)
		if a = c.Do("GET", "/api/crm/pipelines", nil); a.Status != 429 || a.Str(t, "code") != "RATE_LIMITED" || a.Header.Get("Retry-After") == "" {
			t.Errorf("the fourth call: %d %s %v", a.Status, a.Body, a.Header)
		}
		// Triggers have a bucket of their own.
		trigger := map[string]any{"trigger": "t", "phone": "9876543210", "createLeadIfMissing": true}
		if a = c.Do("POST", "/api/saas/workflows/trigger", trigger); a.Status != 200 {
			t.Errorf("first trigger: %d %s", a.Status, a.Body)
		}
		if a = c.Do("POST", "/api/saas/workflows/trigger", trigger); a.Status != http.StatusTooManyRequests {
			t.Errorf("second trigger: %d %s", a.Status, a.Body)
		}
	})
}

func TestIdempotencyKeys(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig) {
		c := r.NewTenant("Acme")
		body := `{"firstName":"A","phone":"9876543210"}`
		first := c.Do("POST", "/api/crm/leads", body, "Idempotency-Key", "k1")
		again := c.Do("POST", "/api/crm/leads", body, "X-Idempotency-Key", "k1")
		if first.Status != 201 || again.Status != 201 || string(first.Body) != string(again.Body) || again.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%d %s\n%d %s", first.Status, first.Body, again.Status, again.Body)
		}
		if a := c.Do("POST", "/api/crm/leads", `{"firstName":"B","phone":"9876543210"}`, "Idempotency-Key", "k1"); a.Status != 409 || a.Str(t, "code") != "CONFLICT" {
			t.Errorf("another body: %d %s", a.Status, a.Body)
		}
		many := `[{"firstName":"A","phone":"9876543211"},{"firstName":"B","phone":"9876543212"}]`
		if a := c.Do("POST", "/api/crm/leads", many, "Idempotency-Key", "k2"); a.Status != 201 {
			t.Errorf("many: %d %s", a.Status, a.Body)
		}
		if a := c.Do("POST", "/api/crm/leads", many, "Idempotency-Key", "k2"); a.Status != 201 || a.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("many again: %d %s", a.Status, a.Body)
		}
	})
}
