package targeting_test

import (
	"encoding/base64"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"parley/internal/access"
	"parley/internal/config"
	"parley/internal/id"
	"parley/test/apitest"
)

// noon is where the fake clock of these tests stands.
var noon = time.Date(2026, 4, 2, 12, 0, 0, 0, time.UTC)

const operatorToken = "the-operator-has-a-long-token"

// bearer calls as somebody with a token.
func bearer(r *apitest.Rig, token, method, path string, body any, headers ...string) apitest.Answer {
	r.Helper()
	return r.Call(method, path, body, append([]string{"Authorization", "Bearer " + token}, headers...)...)
}

// Checklist §7.10 and §7.11: a token opens its own organisation and nothing else;
// without one, or with one that has ended, 401 in JSON.
func TestAccessTokens(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true, At: noon}, func(t *testing.T, r *apitest.Rig) {
		acme, other := r.NewTenant("Acme"), r.NewTenant("Other")
		c := acme.Targeting()
		made := c.Post("/v1/access-tokens", map[string]any{"name": "shop", "assignments": []string{"targeting:read", "targeting:admin", "123:owner"}, "expires_in": 3600, "read_only": false, "token_type": "api"}).OK()
		text, tid := made.Str("token"), made.Str("id")
		if made.Status != http.StatusCreated || strings.Count(text, ".") != 2 || made.Str("name") != "shop" || made.Str("created_at") != "2026-04-02T12:00:00.000Z" ||
			made.Str("expires_at") != "2026-04-02T13:00:00.000Z" || made.Str("assignments.2") != "123:owner" || made.Str("scopes.0") != "targeting:read" || !strings.HasSuffix(text, made.Str("last4")) {
			t.Fatalf("%d %s", made.Status, made.Body)
		}
		list := bearer(r, text, "GET", "/v1/access-tokens", nil).OK()
		if got := list.List(); len(got) != 1 || got[0]["id"] != tid || got[0]["token"] != nil || strings.Contains(string(list.Body), text[len(text)-20:]) {
			t.Errorf("%s", list.Body)
		}
		if got := c.Get("/v1/access-tokens?token_type=journey").OK().List(); len(got) != 0 {
			t.Errorf("%v", got)
		}
		if got := c.Get("/v1/access-tokens?token_type=journey&token_type=api").OK().List(); len(got) != 1 {
			t.Errorf("%v", got)
		}
		// It may do what it was given.
		failed(t, bearer(r, text, "POST", "/v2/portal/portal?origin=END_CUSTOMER_PORTAL", `{"name":"x"}`), 403, "targeting:write")
		bearer(r, text, "GET", "/v2/portal/configs", nil).OK()
		if a := r.Call("GET", "/v2/portal/configs", nil, "X-API-Key", text); a.Status != 200 {
			t.Errorf("as X-API-Key: %d %s", a.Status, a.Body)
		}
		// Nobody else sees it.
		if got := other.Targeting().Get("/v1/access-tokens").OK().List(); len(got) != 0 {
			t.Errorf("another organisation sees %v", got)
		}
		failed(t, other.Targeting().Delete("/v1/access-tokens/"+tid), 404, "no such access token")
		failed(t, c.Delete("/v1/access-tokens/"+id.New().UUID()), 404, "no such access token")
		failed(t, c.Delete("/v1/access-tokens/"+c.Key.ID.UUID()), 404, "no such access token")
		failed(t, c.Delete("/v1/access-tokens/nonsense"), 404, "no such access token")
		// The header of the organisation.
		for _, name := range []string{acme.ID.UUID(), strings.ToUpper(acme.ID.UUID()), acme.ID.String(), acme.Code, strings.ToLower(acme.Code)} {
			if a := bearer(r, text, "GET", "/v2/portal/configs", nil, "x-epilot-org-id", name); a.Status != 200 {
				t.Errorf("x-epilot-org-id %s: %d %s", name, a.Status, a.Body)
			}
		}
		for _, name := range []string{other.ID.UUID(), other.Code, id.New().UUID(), "nonsense", "739224"} {
			failed(t, bearer(r, text, "GET", "/v2/portal/configs", nil, "x-epilot-org-id", name), 403, "another organization")
			failed(t, c.Get("/v2/portal/configs", "x-epilot-org-id", name), 403, "another organization")
		}
		// It lets nobody in elsewhere.
		if a := r.Call("GET", "/api/v1/prospects", nil, "X-API-Key", text); a.Status != 401 {
			t.Errorf("on the sales API: %d", a.Status)
		}
		// Wrong ones are all alike.
		dot := strings.LastIndex(text, ".")
		foreign := text[:dot] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64))
		none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + text[strings.Index(text, "."):dot] + "."
		for _, bad := range []string{"x", foreign, none, text[:len(text)-3], text + "x", "eyJ..", operatorToken, c.Token + "0"} {
			unauthorized(t, bearer(r, bad, "GET", "/v2/portal/configs", nil))
		}
		unauthorized(t, r.Call("GET", "/v1/access-tokens", nil))
		unauthorized(t, bearer(r, "", "GET", "/v1/access-tokens", nil))
		unauthorized(t, r.Call("GET", "/v1/access-tokens", nil, "Authorization", "Basic "+text))
		r.Clock.Advance(time.Hour - time.Millisecond)
		bearer(r, text, "GET", "/v2/portal/configs", nil).OK()
		r.Clock.Advance(time.Millisecond)
		unauthorized(t, bearer(r, text, "GET", "/v2/portal/configs", nil))
		unauthorized(t, bearer(r, text, "GET", "/v2/portal/configs", nil, "x-epilot-org-id", other.Code))
	})
}

func unauthorized(t *testing.T, a apitest.Answer) {
	t.Helper()
	if a.Status != 401 || string(a.Body) != `{"error":"Unauthorized","status":401}` {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// A token is shown once, also to whoever repeats the call with its idempotency key;
// no second one is made.
func TestRepeatedCallsDoNotShowTheTokenAgain(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true, At: noon}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Targeting()
		first := c.Post("/v1/access-tokens", `{"name":"shop"}`, "Idempotency-Key", "k1").OK()
		again := c.Post("/v1/access-tokens", `{"name":"shop"}`, "Idempotency-Key", "k1")
		failed(t, again, 409, "shown once")
		if again.Header.Get("Idempotency-Replayed") != "true" || strings.Contains(string(again.Body), first.Str("last4")+`"`) {
			t.Errorf("%v %s", again.Header, again.Body)
		}
		if got := c.Get("/v1/access-tokens").OK().List(); len(got) != 1 {
			t.Errorf("%v", got)
		}
	})
}

func TestAccessTokensAreRevokedAtOnce(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c := acme.Targeting()
		made := c.Post("/v1/access-tokens", `{"name":"x"}`).OK()
		text := made.Str("token")
		bearer(r, text, "GET", "/v2/portal/configs", nil).OK()
		gone := bearer(r, text, "DELETE", "/v1/access-tokens/"+made.Str("id"), nil).OK() // a token may end itself
		if gone.Status != 200 || gone.Str("id") != made.Str("id") || gone.Get("token") != nil || gone.Str("revoked_at") == "" {
			t.Errorf("%s", gone.Body)
		}
		unauthorized(t, bearer(r, text, "GET", "/v2/portal/configs", nil))
		c.Delete("/v1/access-tokens/" + made.Str("id")).OK() // again
		if got := c.Get("/v1/access-tokens").OK().List(); len(got) != 0 {
			t.Errorf("%v", got)
		}
	})
}

// A token makes none that may do more, or lives longer, than itself.
func TestAccessTokensDoNotGrow(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true, At: noon}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c := acme.Targeting("read", "admin")
		failed(t, c.Post("/v1/access-tokens", `{"name":"x","assignments":["targeting:write"]}`), 403, "targeting:write")
		failed(t, c.Post("/v1/access-tokens", `{"name":"x","assignments":["admin"]}`), 403, "targeting:write")
		same := c.Post("/v1/access-tokens", `{"name":"x","expires_in":60}`).OK()
		if same.Str("scopes.0") != "targeting:read" || same.Str("scopes.1") != "targeting:admin" || same.Get("scopes.2") != nil {
			t.Errorf("%s", same.Body)
		}
		child := bearer(r, same.Str("token"), "POST", "/v1/access-tokens", `{"name":"y","assignments":[]}`).OK()
		if child.Str("expires_at") != same.Str("expires_at") || child.Get("scopes.2") != nil {
			t.Errorf("%s", child.Body)
		}
		failed(t, bearer(r, same.Str("token"), "POST", "/v1/access-tokens", `{"name":"y","expires_in":61}`), 403, "outlives")
		failed(t, bearer(r, same.Str("token"), "POST", "/v1/access-tokens", `{"name":"y","assignments":["targeting:write"]}`), 403, "targeting:write")
		reader := c.Post("/v1/access-tokens", `{"name":"r","read_only":true,"assignments":["targeting:write"]}`).OK()
		if reader.Str("scopes.0") != "targeting:read" || reader.Get("scopes.1") != nil || reader.Get("read_only") != true {
			t.Errorf("%s", reader.Body)
		}
		failed(t, bearer(r, reader.Str("token"), "POST", "/v1/access-tokens", `{"name":"y"}`), 403, "targeting:admin")
		failed(t, bearer(r, reader.Str("token"), "GET", "/v1/access-tokens", nil), 403, "targeting:admin")
		// Roles of elsewhere give nothing.
		strange := c.Post("/v1/access-tokens", `{"name":"s","assignments":["739224:owner"]}`).OK()
		if strange.Str("assignments.0") != "739224:owner" || strange.Get("scopes.0") != nil {
			t.Errorf("%s", strange.Body)
		}
		failed(t, bearer(r, strange.Str("token"), "GET", "/v2/portal/configs", nil), 403, "targeting:read")
		failed(t, acme.Targeting("read", "write").Post("/v1/access-tokens", `{"name":"x"}`), 403, "targeting:admin")
		for body, words := range map[string]string{
			`{}`: "name", `{"name":""}`: "name", `{"name":null}`: "name", `{"name":7}`: "name", `{"name":"a\u0000"}`: "", `{"name":"x","expires_in":0}`: "expires_in",
			`{"name":"x","expires_in":-5}`: "expires_in", `{"name":"x","expires_in":1e12}`: "expires_in", `{"name":"x","expires_in":"soon"}`: "expires_in",
			`{"name":"x","token_type":"journey"}`: "token_type", `{"name":"x","assignments":"targeting:read"}`: "assignments", `{"name":"x","assignments":[""]}`: "assignment",
			`{"name":"` + strings.Repeat("x", 201) + `"}`: "name", `{`: "JSON", `[]`: "",
		} {
			if a := c.Post("/v1/access-tokens", body); a.Status != 400 || a.Get("status") != 400.0 || !strings.Contains(a.Str("error"), words) {
				t.Errorf("%s: %d %s", body, a.Status, a.Body)
			}
		}
	})
}

// Bound keys make bound tokens.
func TestAccessTokensKeepTheirHoldersBonds(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		ann := acme.Agent("Ann", "Arbor", id.Zero)
		c := acme.WithKey(access.NewKey{Face: "targeting", User: ann.ID, Rate: 77})
		made := c.Post("/v1/access-tokens", `{"name":"x"}`).OK()
		list, err := r.App.Access.List(t.Context(), acme.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range list {
			if k.Proven && (k.User != ann.ID || k.Rate != 77 || k.ID.UUID() != made.Str("id")) {
				t.Errorf("%+v", k)
			}
		}
	})
}

func TestJWKS(t *testing.T) {
	var public string
	known := func(c *config.Server) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close() // for the server
		_, port, _ := strings.Cut(l.Addr().String(), ":")
		c.Listen, c.Public = l.Addr().String(), "http://localhost:"+port
		public = c.Public
	}
	apitest.Each(t, apitest.Options{Quiet: true, Config: known}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		first := r.Call("GET", "/v1/access-tokens/.well-known/jwks.json", nil).OK()
		if first.Get("keys.1") != nil || first.Str("keys.0.alg") != "ES256" || first.Header.Get("Cache-Control") != "public, max-age=60" {
			t.Errorf("%s", first.Body)
		}
		about := r.Call("GET", "/v1/access-tokens/.well-known/openid-configuration", nil).OK()
		if about.Str("issuer") != public+"/v1/access-tokens" || about.Str("jwks_uri") != public+"/v1/access-tokens/.well-known/jwks.json" {
			t.Errorf("%s", about.Body)
		}
		text := acme.Targeting().Post("/v1/access-tokens", `{"name":"x"}`).OK().Str("token")
		if _, err := r.App.Tokens.Rotate(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		second := r.Call("GET", "/v1/access-tokens/.well-known/jwks.json", nil).OK()
		if second.Str("keys.1.kid") != first.Str("keys.0.kid") || second.Str("keys.0.kid") == first.Str("keys.0.kid") {
			t.Errorf("%s", second.Body)
		}
		bearer(r, text, "GET", "/v2/portal/configs", nil).OK()
		if strings.Contains(string(second.Body), `"d"`) {
			t.Error("the private half is told")
		}
	})
}

func TestOrganizations(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true, Config: func(c *config.Server) { c.AdminToken = operatorToken }}, func(t *testing.T, r *apitest.Rig) {
		acme, other := r.NewTenant("Acme"), r.NewTenant("Other")
		c := acme.Targeting()
		list := c.Get("/v1/admin/organizations").OK()
		if list.Get("hits") != 1.0 || list.Str("results.0.id") != acme.ID.UUID() || list.Str("results.0.code") != acme.Code || list.Str("results.0.status") != "active" {
			t.Errorf("%s", list.Body)
		}
		for _, name := range []string{acme.ID.UUID(), acme.ID.String(), acme.Code} {
			if a := c.Get("/v1/admin/organizations/" + name).OK(); a.Str("name") != "Acme" {
				t.Errorf("%s: %s", name, a.Body)
			}
		}
		if a := c.Patch("/v1/admin/organizations/"+acme.ID.UUID(), `{"name":"Acme GmbH"}`).OK(); a.Str("name") != "Acme GmbH" {
			t.Errorf("%s", a.Body)
		}
		failed(t, c.Patch("/v1/admin/organizations/"+acme.ID.UUID(), `{"name":" "}`), 400, "name")
		for _, name := range []string{other.ID.UUID(), other.Code, id.New().UUID(), "nonsense"} {
			failed(t, c.Get("/v1/admin/organizations/"+name), 404, "there is no such organization")
			failed(t, c.Patch("/v1/admin/organizations/"+name, `{"name":"Mine"}`), 404, "there is no such organization")
		}
		failed(t, c.Post("/v1/admin/organizations", `{"name":"New"}`), 403, "operator")
		failed(t, acme.Targeting("read", "write").Get("/v1/admin/organizations"), 403, "targeting:admin")
		// The operator.
		if a := bearer(r, operatorToken, "GET", "/v1/admin/organizations", nil).OK(); a.Get("hits") != 2.0 {
			t.Errorf("%s", a.Body)
		}
		made := bearer(r, operatorToken, "POST", "/v1/admin/organizations", `{"name":"New","code":"newco"}`).OK()
		if made.Status != 201 || made.Str("code") != "NEWCO" {
			t.Errorf("%d %s", made.Status, made.Body)
		}
		if a := bearer(r, made.Str("token"), "GET", "/v1/admin/organizations", nil).OK(); a.Str("results.0.id") != made.Str("id") {
			t.Errorf("%s", a.Body)
		}
		failed(t, bearer(r, operatorToken, "POST", "/v1/admin/organizations", `{"name":"New","code":"newco"}`), 409, "taken")
		failed(t, bearer(r, operatorToken, "POST", "/v1/admin/organizations", `{}`), 400, "name")
		if a := bearer(r, operatorToken, "PATCH", "/v1/admin/organizations/"+other.Code, `{"name":"Another"}`).OK(); a.Str("name") != "Another" {
			t.Errorf("%s", a.Body)
		}
		// Elsewhere it opens nothing.
		for _, path := range []string{"/v1/access-tokens", "/v1/admin/users", "/v2/portal/configs", "/v1/admin/organizationsx"} {
			if a := bearer(r, operatorToken, "GET", path, nil); a.Status != 401 && a.Status != 404 {
				t.Errorf("%s: %d %s", path, a.Status, a.Body)
			}
		}
	})
}

func TestUsers(t *testing.T) {
	apitest.Each(t, apitest.Options{}, func(t *testing.T, r *apitest.Rig) {
		acme, other := r.NewTenant("Acme"), r.NewTenant("Other")
		c := acme.Targeting()
		if a := c.Get("/v1/admin/users").OK(); string(a.Body) != `{"hits":0,"results":[]}` {
			t.Errorf("%s", a.Body)
		}
		ann := c.Post("/v1/admin/users", `{"name":"Ann van Arbor","email":"Ann@Example.com","role":"admin"}`).OK()
		uid := ann.Str("id")
		if ann.Status != 201 || ann.Str("first_name") != "Ann" || ann.Str("last_name") != "van Arbor" || ann.Str("email") != "ann@example.com" || ann.Str("role") != "admin" ||
			ann.Get("active") != true || ann.Str("_org") != acme.ID.UUID() || ann.Str("group_id") != acme.Root.ID.UUID() {
			t.Errorf("%s", ann.Body)
		}
		// What is wrong is told in this API's words.
		failed(t, c.Post("/v1/admin/users", map[string]any{"name": strings.Repeat("a", 300)}), 400, "first_name must not be longer")
		failed(t, c.Post("/v1/admin/users", map[string]any{"name": "a " + strings.Repeat("b", 300)}), 400, "last_name must not be longer")
		failed(t, c.Post("/v1/admin/users", `{"name":"Al","email":"ann@example.com"}`), 409, "another user has this e-mail address")
		ben := c.Post("/v1/admin/users", map[string]any{"first_name": "Ben", "active": false, "group_id": acme.Root.ID.UUID()}).OK()
		if ben.Get("active") != false || ben.Str("name") != "Ben" {
			t.Errorf("%s", ben.Body)
		}
		if a := c.Get("/v1/admin/users").OK(); a.Get("hits") != 2.0 || a.Str("results.0.id") != uid {
			t.Errorf("%s", a.Body)
		}
		if a := c.Get("/v1/admin/users?active=true").OK(); a.Get("hits") != 1.0 {
			t.Errorf("%s", a.Body)
		}
		failed(t, c.Get("/v1/admin/users?active=maybe"), 400, "active")
		if a := c.Patch("/v1/admin/users/"+uid, `{"last_name":"Arbor","email":null,"phone":"+4930123456"}`).OK(); a.Str("name") != "Ann Arbor" || a.Str("email") != "ann@example.com" {
			t.Errorf("%s", a.Body)
		}
		if a := c.Get("/v1/admin/users/" + uid).OK(); a.Str("phone") != "+4930123456" {
			t.Errorf("%s", a.Body)
		}
		failed(t, c.Post("/v1/admin/users", `{"first_name":"Eve","email":"ann@example.com"}`), 409, "e-mail")
		failed(t, c.Post("/v1/admin/users", `{}`), 400, "first_name")
		failed(t, c.Post("/v1/admin/users", `{"first_name":"Eve","role":"king"}`), 400, "role")
		failed(t, c.Post("/v1/admin/users", `{"first_name":"Eve","group_id":"`+other.Root.ID.UUID()+`"}`), 400, "group_id")
		failed(t, c.Post("/v1/admin/users", `{"first_name":"Eve","group_id":"x"}`), 400, "group_id")
		theirs := other.Agent("Carl", "", id.Zero)
		for _, name := range []string{theirs.ID.UUID(), id.New().UUID(), "nonsense"} {
			failed(t, c.Get("/v1/admin/users/"+name), 404, "there is no such user")
			failed(t, c.Patch("/v1/admin/users/"+name, `{"first_name":"x"}`), 404, "there is no such user")
			failed(t, c.Delete("/v1/admin/users/"+name), 404, "there is no such user")
		}
		// A user with contacts goes when somebody takes them.
		annID, _, err := id.FromUUID(uid)
		if err != nil {
			t.Fatal(err)
		}
		acme.Caller().Post("/lead/retail", map[string]any{"utmSource": "x", "phones": []string{"+5511900000001"}, "agent": annID.String()}).OK()
		failed(t, c.Delete("/v1/admin/users/"+uid), 409, "transfer_to")
		failed(t, c.Delete("/v1/admin/users/"+uid+"?transfer_to="+id.New().UUID()), 400, "transfer_to")
		failed(t, c.Delete("/v1/admin/users/"+uid+"?transfer_to=x"), 400, "transfer_to")
		if a := c.Patch("/v1/admin/users/"+ben.Str("id"), `{"active":true}`).OK(); a.Get("active") != true {
			t.Errorf("%s", a.Body)
		}
		if a := c.Delete("/v1/admin/users/" + uid + "?transfer_to=" + ben.Str("id")).OK(); a.Get("deleting") != true {
			t.Errorf("%s", a.Body)
		}
		r.Eventually("the user is gone", func() bool { return c.Get("/v1/admin/users/"+uid).Status == 404 })
		c.Delete("/v1/admin/users/" + c.Post("/v1/admin/users", `{"first_name":"Zoe"}`).OK().Str("id")).OK()
		failed(t, acme.Targeting("read", "write").Get("/v1/admin/users"), 403, "targeting:admin")
	})
}
