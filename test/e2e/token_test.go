package e2e_test

import (
	"net/http"
	"strings"
	"testing"
)

type tokenMade struct {
	Token, ID, Name, Last4, ExpiresAt, RevokedAt string
	Scopes                                       []string
	ReadOnly                                     bool
}

// TestTokens makes access tokens before a server ran and beside one; they open it,
// also after it was started anew and its signing key was changed, until they are revoked.
func TestTokens(t *testing.T) {
	eachDatabase(t, func(t *testing.T, data []string) {
		acme := parleyJSON[tenantMade](t, with([]string{"tenant", "create", "--name", "Acme"}, data)...)
		token := func(flags string) tokenMade {
			t.Helper()
			return parleyJSON[tokenMade](t, with(words("token create --tenant "+acme.ClientCode+" "+flags), data)...)
		}
		before := token("--name before")
		p := serve(t, data)
		status := func(m tokenMade, path string) int {
			t.Helper()
			r, err := http.NewRequest("GET", p.url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+m.Token)
			a, err := send(r)
			if err != nil {
				t.Fatal(err)
			}
			return a.status
		}
		const tokens, portals = "/v1/access-tokens", "/v2/portal/configs"
		beside := token("--read-only --expires-in 1h")
		if before.Name != "before" || len(before.Scopes) != 3 || !beside.ReadOnly || strings.Join(beside.Scopes, " ") != "targeting:read" || !strings.HasSuffix(beside.Token, beside.Last4) {
			t.Errorf("%+v %+v", before, beside)
		}
		if status(before, tokens) != 200 || status(beside, portals) != 200 || status(beside, tokens) != 403 {
			t.Errorf("%d %d %d", status(before, tokens), status(beside, portals), status(beside, tokens))
		}
		if out := parley(t, with(words("token rotate"), data)...); !strings.Contains(out, "from now on") {
			t.Error(out)
		}
		if code := p.stop(); code != 0 {
			t.Fatalf("the server ended with %d", code)
		}
		p = serve(t, data)
		after := token("--scopes read,targeting:write --expires-in 3600")
		if status(before, tokens) != 200 || status(after, portals) != 200 || strings.Join(after.Scopes, " ") != "targeting:read targeting:write" {
			t.Errorf("%d %d %v", status(before, tokens), status(after, portals), after.Scopes)
		}
		parley(t, with(words("token revoke "+before.ID+" --tenant "+acme.ClientCode), data)...)
		eventually(t, "the revoked token is refused", func() bool { return status(before, tokens) == 401 })
		list := parley(t, with(words("token list --tenant "+acme.ClientCode), data)...)
		if strings.Count(list, "\n") != 3 || strings.Count(list, "revoked") != 1 || strings.Contains(list, before.Token[:40]) {
			t.Errorf("the tokens are\n%s", list)
		}
		parley(t, with(words("token rotate --now"), data)...)
		eventually(t, "the tokens of the former key are refused", func() bool { return status(after, portals) == 401 && status(beside, portals) == 401 })
		if status(token(""), portals) != 200 {
			t.Error("a token of the new key does not open")
		}
		for _, flags := range []string{"--scopes nonsense", "--expires-in soon", "--expires-in 0", "--expires-in 11000d"} {
			if r := command(t, nil, with(words("token create --tenant "+acme.ClientCode+" "+flags), data)...); r.code == 0 {
				t.Errorf("%s was taken", flags)
			}
		}
		p.verify()
	})
}

// Over the network the operator does the same.
func TestOperatorManagesTokens(t *testing.T) {
	p := launch(t, []string{"--data", t.TempDir()}, []string{"PARLEY_ADMIN_TOKEN=" + operatorToken}, "--listen", "127.0.0.1:0")
	p.ready()
	call := operator(t, p, "Authorization", "Bearer "+operatorToken)
	code := expect(t, call("POST", "/parley/v1/tenants", `{"name":"Acme"}`), 201).text("clientCode")
	path := "/parley/v1/tenants/" + code + "/tokens"
	made := expect(t, call("POST", path, `{"name":"shop","scopes":["targeting:read"],"expiresIn":60}`), 201)
	if made.text("token") == "" || made.text("last4") == "" {
		t.Errorf("%s", made.body)
	}
	expect(t, call("POST", path, `{}`), 400)
	expect(t, call("POST", path, `{"name":"x","scopes":["sales:*"]}`), 400)
	expect(t, call("POST", path, `{"name":"x","expiresIn":-1}`), 400)
	if list := expect(t, call("GET", path, ""), 200); strings.Contains(string(list.body), made.text("token")) || !strings.Contains(string(list.body), made.text("id")) {
		t.Errorf("%s", list.body)
	}
	expect(t, call("DELETE", path+"/"+made.text("id"), ""), 204)
	expect(t, call("DELETE", path+"/nonsense", ""), 404)
	if turn := expect(t, call("POST", "/parley/v1/tokens/rotate", `{"now":true}`), 200); turn.text("kid") == "" {
		t.Errorf("%s", turn.body)
	}
	stranger := operator(t, p, "Authorization", "Bearer nobody")
	expect(t, stranger("POST", "/parley/v1/tokens/rotate", `{}`), 401)
	expect(t, stranger("GET", path, ""), 401)
	p.verify()
}
