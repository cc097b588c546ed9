package token_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/access"
	"parley/internal/clock"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/secret"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tenant"
	"parley/internal/token"
)

func TestATokenStandsForItsKey(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		text, tok := w.issue(t, token.New{Name: "shop", Assignments: []string{token.Read, "123:owner"}, ExpiresIn: time.Hour})
		if len(text) > 1000 || !token.Looks(text) || tok.Last4 != text[len(text)-4:] || tok.Name != "shop" || !slices.Equal(tok.Scopes, []string{token.Read}) ||
			!slices.Equal(tok.Assignments, []string{token.Read, "123:owner"}) || !tok.ExpiresAt.Equal(start.Add(time.Hour).Truncate(time.Second).Add(time.Second)) {
			t.Errorf("%+v %q", tok, text)
		}
		for range 2 { // looked up, then remembered
			k, err := w.tokens.Verify(bg, text)
			if err != nil || k.ID != tok.ID || k.Tenant != w.acme.ID || k.Face != "targeting" || !slices.Equal(k.Scopes, []string{token.Read}) {
				t.Errorf("%+v, %v", k, err)
			}
		}
		list, err := w.tokens.List(bg, w.acme.ID)
		if err != nil || len(list) != 1 || list[0].ID != tok.ID || list[0].Name != "shop" || list[0].Kid != tok.Kid {
			t.Errorf("%+v, %v", list, err)
		}
		if list, err := w.tokens.List(bg, id.New()); err != nil || len(list) != 0 {
			t.Errorf("another tenant sees %+v, %v", list, err)
		}
		// What a token says of itself.
		var said map[string]any
		body, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
		if err != nil || json.Unmarshal(body, &said) != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]any{"jti": tok.ID.String(), "sub": tok.ID.UUID(), "org_id": w.acme.ID.UUID(), "scope": token.Read, "token_type": "api",
			"iat": float64(start.Unix()), "nbf": float64(start.Unix()), "exp": float64(tok.ExpiresAt.Unix())} {
			if said[name] != want {
				t.Errorf("%s is %v, want %v", name, said[name], want)
			}
		}
		if iss, _ := said["iss"].(string); !strings.HasPrefix(iss, "urn:parley:") {
			t.Errorf("iss %v", said["iss"])
		}
		// Nothing of it lies in the database.
		var hash string
		if err := w.db.Read(bg, w.acme.ID).QueryRow("SELECT hash FROM access_key WHERE tenant_id=? AND id=?", tok.ID).Scan(&hash); err != nil || hash != "id:"+tok.ID.String() {
			t.Errorf("%q, %v", hash, err)
		}
		if _, err := w.keys.Authenticate(bg, "targeting", hash); !errors.Is(err, fault.Of(fault.Unauthorized)) {
			t.Errorf("the hash itself opens the key: %v", err)
		}
	})
}

func TestScopes(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		reader := token.Holder{Key: id.New(), Scopes: []string{token.Read, token.Admin}}
		for what, c := range map[string]struct {
			n    token.New
			want []string
			code fault.Code
		}{
			"everything":          {token.New{}, []string{token.Read, token.Write, token.Admin}, ""},
			"what the holder has": {token.New{By: reader}, []string{token.Read, token.Admin}, ""},
			"of a wild holder":    {token.New{By: token.Holder{Key: id.New(), Scopes: []string{"targeting:*"}}}, []string{token.Read, token.Write, token.Admin}, ""},
			"roles":               {token.New{Assignments: []string{token.Write, token.Read}}, []string{token.Read, token.Write}, ""},
			"admin":               {token.New{Assignments: []string{"admin"}}, []string{token.Read, token.Write, token.Admin}, ""},
			"read only":           {token.New{ReadOnly: true, Assignments: []string{token.Write}}, []string{token.Read}, ""},
			"unknown roles":       {token.New{Assignments: []string{"77:owner"}}, []string{}, ""},
			"more than himself":   {token.New{Assignments: []string{token.Write}, By: reader}, nil, fault.Forbidden},
			"admin beyond him":    {token.New{Assignments: []string{"admin"}, By: reader}, nil, fault.Forbidden},
			"read only beyond":    {token.New{ReadOnly: true, By: token.Holder{Key: id.New(), Scopes: []string{token.Admin}}}, nil, fault.Forbidden},
			"no role":             {token.New{Assignments: []string{""}}, nil, fault.Invalid},
			"many roles":          {token.New{Assignments: make([]string, 101)}, nil, fault.Invalid},
			"too long":            {token.New{ExpiresIn: token.MaxLife + time.Second}, nil, fault.Invalid},
			"too short":           {token.New{ExpiresIn: -time.Second}, nil, fault.Invalid},
		} {
			c.n.Name = "x"
			text, tok, err := w.tokens.Issue(bg, w.acme.ID, c.n)
			if f := fault.As(err); c.code != "" && (f == nil || f.Code != c.code) || c.code == "" && (err != nil || !slices.Equal(tok.Scopes, c.want)) {
				t.Errorf("%s: %+v, %v", what, tok.Scopes, err)
			}
			if c.code == "" {
				k, err := w.tokens.Verify(bg, text)
				if err != nil || len(c.want) == 0 && !slices.Equal(k.Scopes, []string{"targeting:none"}) {
					t.Errorf("%s: %+v, %v", what, k, err)
				}
			}
		}
		if _, _, err := w.tokens.Issue(bg, w.acme.ID, token.New{Name: " "}); fault.As(err) == nil || fault.As(err).Field != "name" {
			t.Errorf("no name: %v", err)
		}
		if _, _, err := w.tokens.Issue(bg, id.New(), token.New{Name: "x"}); !errors.Is(err, fault.Of(fault.NotFound)) {
			t.Errorf("no such tenant: %v", err)
		}
	})
}

func TestATokenEnds(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		text, tok := w.issue(t, token.New{ExpiresIn: time.Minute})
		w.clock.Advance(tok.ExpiresAt.Sub(w.clock.Now()) - time.Millisecond)
		if _, err := w.tokens.Verify(bg, text); err != nil {
			t.Errorf("a moment before: %v", err)
		}
		w.clock.Advance(time.Millisecond)
		refuses(t, w.tokens, "at its end", text)
	})
}

// A token that a node with a faster clock made is taken, one of tomorrow is not.
func TestATokenBegins(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		text, _ := w.issue(t, token.New{})
		w.clock.Advance(-20 * time.Second)
		if _, err := w.tokens.Verify(bg, text); err != nil {
			t.Errorf("20 s ahead: %v", err)
		}
		w.clock.Advance(-time.Hour)
		refuses(t, w.tokens, "an hour ahead", text)
	})
}

func TestATokenDoesNotProlongItself(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		_, short := w.issue(t, token.New{ExpiresIn: time.Minute})
		by := token.Holder{Key: short.ID, Scopes: short.Scopes}
		if _, tok := w.issue(t, token.New{By: by}); !tok.ExpiresAt.Equal(short.ExpiresAt) || tok.MadeBy != short.ID {
			t.Errorf("%+v", tok)
		}
		if _, tok := w.issue(t, token.New{By: by, ExpiresIn: time.Second}); !tok.ExpiresAt.Before(short.ExpiresAt) {
			t.Errorf("%+v", tok)
		}
		if _, _, err := w.tokens.Issue(bg, w.acme.ID, token.New{Name: "x", By: by, ExpiresIn: time.Hour}); !errors.Is(err, fault.Of(fault.Forbidden)) {
			t.Errorf("%v", err)
		}
	})
}

func TestRevocationEndsATokenOnEveryNode(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		keys := access.New(w.db, w.ten)
		other := token.NewService(w.db, w.ten, keys, token.Options{})
		text, tok := w.issue(t, token.New{})
		for _, s := range []*token.Service{w.tokens, other} {
			if _, err := s.Verify(bg, text); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.tokens.Revoke(bg, id.New(), tok.ID); !errors.Is(err, fault.Of(fault.NotFound)) {
			t.Errorf("by another tenant: %v", err)
		}
		if _, k, err := w.keys.Create(bg, w.acme.ID, access.NewKey{Face: "targeting"}); err != nil || !errors.Is(w.tokens.Revoke(bg, w.acme.ID, k.ID), fault.Of(fault.NotFound)) {
			t.Errorf("a key is no token: %v", err)
		}
		for range 2 {
			if err := w.tokens.Revoke(bg, w.acme.ID, tok.ID); err != nil {
				t.Fatal(err)
			}
		}
		refuses(t, w.tokens, "revoked", text)
		refuses(t, other, "revoked on another node", text)
		if got, err := other.Get(bg, w.acme.ID, tok.ID); err != nil || got.RevokedAt.IsZero() {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// Two nodes of one database: what one revokes or rotates the other knows at once,
// although its clock stands still and nothing that it remembers grows old.
func TestNodesHearOfEachOther(t *testing.T) {
	if testing.Short() {
		t.Skip("PostgreSQL is left out of short runs")
	}
	c := clock.NewFake(start)
	url := storetest.PostgresURL(t)
	node := func() *store.DB {
		db, err := store.Open(bg, store.Options{URL: url, Clock: c})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		if _, err := db.Migrate(bg); err != nil {
			t.Fatal(err)
		}
		return db
	}
	w := build(t, node(), c)
	far := node()
	ten := tenant.New(far, w.box)
	other := token.NewService(far, ten, access.New(far, ten), token.Options{})
	gone := func(what, text string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if _, err := other.Verify(bg, text); errors.Is(err, fault.Of(fault.Unauthorized)) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s on one node opens on another", what)
			}
		}
	}
	one, tok := w.issue(t, token.New{})
	two, _ := w.issue(t, token.New{})
	for _, text := range []string{one, two} {
		if _, err := other.Verify(bg, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.tokens.Revoke(bg, w.acme.ID, tok.ID); err != nil {
		t.Fatal(err)
	}
	gone("what was revoked", one)
	if _, err := other.Verify(bg, two); err != nil {
		t.Error(err)
	}
	if _, err := w.tokens.Rotate(bg, true); err != nil {
		t.Fatal(err)
	}
	gone("what a key signed that was ended", two)
	three, _ := w.issue(t, token.New{})
	if _, err := other.Verify(bg, three); err != nil {
		t.Errorf("of a key that this node has not met: %v", err)
	}
}

func TestASuspendedTenantAndADisabledKey(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		text, tok := w.issue(t, token.New{})
		off, on := false, true
		if _, err := w.keys.Edit(bg, w.acme.ID, tok.ID, access.Edit{Enabled: &off}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.tokens.Verify(bg, text); !errors.Is(err, fault.Of(fault.Forbidden)) {
			t.Errorf("disabled: %v", err)
		}
		if _, err := w.keys.Edit(bg, w.acme.ID, tok.ID, access.Edit{Enabled: &on}); err != nil {
			t.Fatal(err)
		}
		suspended := tenant.Suspended
		if _, err := w.ten.Change(bg, w.acme.ID, tenant.Edit{Status: &suspended}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.tokens.Verify(bg, text); !errors.Is(err, fault.Of(fault.Forbidden)) {
			t.Errorf("suspended: %v", err)
		}
		// Nobody can put an ordinary key in a token's place.
		for what, f := range map[string]func() error{
			"rotate":  func() error { _, _, err := w.keys.Rotate(bg, w.acme.ID, tok.ID); return err },
			"refresh": func() error { _, _, err := w.keys.Refresh(bg, w.acme.ID, tok.ID); return err },
			"offer": func() error {
				return w.db.Write(bg, w.acme.ID, func(tx *store.Tx) error { _, err := w.keys.OfferIn(tx, tok.ID); return err })
			},
		} {
			if err := f(); !errors.Is(err, fault.Of(fault.Conflict)) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

func TestRotation(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		other := token.NewService(w.db, w.ten, access.New(w.db, w.ten), token.Options{})
		if keys, err := w.tokens.JWKS(bg); err != nil || len(keys) != 0 {
			t.Errorf("%+v, %v", keys, err)
		}
		for range 2 {
			if err := w.tokens.Ready(bg); err != nil {
				t.Fatal(err)
			}
		}
		old, first := w.issue(t, token.New{ExpiresIn: time.Hour})
		long, _ := w.issue(t, token.New{ExpiresIn: 2 * time.Hour})
		if _, err := other.Verify(bg, old); err != nil {
			t.Fatal(err)
		}
		was, err := w.tokens.Issuer(bg)
		if err != nil {
			t.Fatal(err)
		}
		turn, err := w.tokens.Rotate(bg, false)
		if err != nil || turn.Kid == first.Kid || turn.Revoked != 0 {
			t.Fatalf("%+v, %v", turn, err)
		}
		text, second := w.issue(t, token.New{ExpiresIn: 3 * time.Hour})
		if second.Kid != turn.Kid {
			t.Errorf("signed by %s, want %s", second.Kid, turn.Kid)
		}
		if now, err := w.tokens.Issuer(bg); err != nil || now != was {
			t.Errorf("the issuer was %s and is %s, %v", was, now, err)
		}
		kids := func() (out []string) {
			keys, err := other.JWKS(bg)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range keys {
				out = append(out, k.Kid)
			}
			return out
		}
		for _, s := range []*token.Service{w.tokens, other} {
			for what, text := range map[string]string{"old": old, "long": long, "new": text} {
				if _, err := s.Verify(bg, text); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
		}
		if got := kids(); !slices.Equal(got, []string{turn.Kid, first.Kid}) {
			t.Errorf("JWKS %v", got)
		}
		w.clock.Advance(2*time.Hour + time.Second) // the last token of the first key has ended
		if got := kids(); !slices.Equal(got, []string{turn.Kid}) {
			t.Errorf("JWKS %v", got)
		}
		if _, err := w.tokens.Verify(bg, text); err != nil {
			t.Error(err)
		}
	})
}

// A key that leaked ends at once, with what it signed.
func TestRotationNow(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		other := token.NewService(w.db, w.ten, access.New(w.db, w.ten), token.Options{})
		one, _ := w.issue(t, token.New{})
		if _, err := w.tokens.Rotate(bg, false); err != nil {
			t.Fatal(err)
		}
		two, tok := w.issue(t, token.New{})
		gone, dead := w.issue(t, token.New{})
		if err := w.tokens.Revoke(bg, w.acme.ID, dead.ID); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{one, two} {
			if _, err := other.Verify(bg, text); err != nil {
				t.Fatal(err)
			}
		}
		turn, err := w.tokens.Rotate(bg, true)
		if err != nil || turn.Revoked != 2 {
			t.Fatalf("%+v, %v", turn, err)
		}
		for _, s := range []*token.Service{w.tokens, other} {
			for _, text := range []string{one, two, gone} {
				refuses(t, s, "after the end of its key", text)
			}
		}
		if keys, err := other.JWKS(bg); err != nil || len(keys) != 1 || keys[0].Kid != turn.Kid {
			t.Errorf("%+v, %v", keys, err)
		}
		if got, err := other.Get(bg, w.acme.ID, tok.ID); err != nil || got.RevokedAt.IsZero() {
			t.Errorf("%+v, %v", got, err)
		}
		text, _ := w.issue(t, token.New{})
		if _, err := other.Verify(bg, text); err != nil {
			t.Error(err)
		}
	})
}

// Tokens that are made while the key changes are each signed by one that verifies as
// long as they live.
func TestIssuingWhileRotating(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		const makers, each = 4, 8
		texts := make(chan string, makers*each)
		var g sync.WaitGroup
		for range makers {
			g.Go(func() {
				for range each {
					text, _, err := w.tokens.Issue(bg, w.acme.ID, token.New{Name: "x", ExpiresIn: time.Hour})
					if err != nil {
						t.Error(err)
						return
					}
					texts <- text
				}
			})
		}
		g.Go(func() {
			for range each {
				if _, err := w.tokens.Rotate(bg, false); err != nil {
					t.Error(err)
				}
			}
		})
		g.Wait()
		close(texts)
		w.clock.Advance(time.Hour - time.Second)
		fresh := token.NewService(w.db, w.ten, access.New(w.db, w.ten), token.Options{})
		n := 0
		for text := range texts {
			n++
			if _, err := fresh.Verify(bg, text); err != nil {
				t.Errorf("token %d: %v", n, err)
			}
		}
		if n != makers*each {
			t.Errorf("%d tokens", n)
		}
	})
}

// A server that others know by a URL names it; one that is told so later does from the next key on.
func TestIssuer(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		text, _ := w.issue(t, token.New{})
		urn, _ := w.tokens.Issuer(bg)
		moved := token.NewService(w.db, w.ten, w.keys, token.Options{URL: "https://crm.example.com/"})
		if got, err := moved.Issuer(bg); err != nil || got != urn {
			t.Errorf("%s, %v", got, err)
		}
		if _, err := moved.Rotate(bg, false); err != nil {
			t.Fatal(err)
		}
		if got, err := moved.Issuer(bg); err != nil || got != "https://crm.example.com/v1/access-tokens" {
			t.Errorf("%s, %v", got, err)
		}
		if _, err := moved.Verify(bg, text); err != nil {
			t.Errorf("a token of the former issuer: %v", err)
		}
	})
}

// What signs is sealed, and another server's key does not open it.
func TestTheSigningKeyIsSealed(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		_, tok := w.issue(t, token.New{})
		var sealed string
		if err := w.db.Read(bg, id.Zero).QueryRow("SELECT private_key FROM signing_key WHERE tenant_id=? AND kid=?", tok.Kid).Scan(&sealed); err != nil || !strings.HasPrefix(sealed, "v1:") {
			t.Fatalf("%q, %v", sealed, err)
		}
		if plain, err := w.box.Open(sealed, secret.Place("", "signing-key:"+tok.Kid)); err != nil || strings.Contains(sealed, plain) {
			t.Errorf("%v", err)
		}
		box, err := secret.NewBox([]byte(strings.Repeat("x", secret.KeySize)))
		if err != nil {
			t.Fatal(err)
		}
		foreign := token.NewService(w.db, tenant.New(w.db, box), w.keys, token.Options{})
		if _, _, err := foreign.Issue(bg, w.acme.ID, token.New{Name: "x"}); !errors.Is(err, fault.Of(fault.Unready)) {
			t.Errorf("%v", err)
		}
		if err := foreign.Ready(bg); !errors.Is(err, fault.Of(fault.Unready)) {
			t.Errorf("%v", err)
		}
	})
}

func TestSignUp(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		made, text, tok, err := w.tokens.SignUp(bg, tenant.NewTenant{Name: "New", Code: "NEWCO"}, token.New{Name: "first"})
		if err != nil || made.Code != "NEWCO" {
			t.Fatalf("%+v, %v", made, err)
		}
		if k, err := w.tokens.Verify(bg, text); err != nil || k.Tenant != made.ID || k.ID != tok.ID {
			t.Errorf("%+v, %v", k, err)
		}
		if _, _, _, err := w.tokens.SignUp(bg, tenant.NewTenant{Name: "Again", Code: "NEWCO"}, token.New{Name: "first"}); !errors.Is(err, fault.Of(fault.Conflict)) {
			t.Errorf("%v", err)
		}
	})
}

func FuzzVerify(f *testing.F) {
	c := clock.NewFake(start)
	w := build(f, storetest.SQLite(f, storetest.Clock(c)), c)
	text, tok := w.issue(f, token.New{})
	f.Add(text)
	f.Add("")
	f.Add("..")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add(text[:len(text)-2])
	f.Add(strings.Replace(text, ".", "..", 1))
	head, _, _ := strings.Cut(text, ".")
	f.Add(head + ".e30.AAAA")
	body := text[:strings.LastIndex(text, ".")]
	f.Fuzz(func(t *testing.T, s string) {
		k, err := w.tokens.Verify(bg, s)
		if err == nil && (k.ID != tok.ID || s[:strings.LastIndex(s, ".")] != body) {
			t.Fatalf("%q opens %+v", s, k)
		}
		if err != nil && !errors.Is(err, fault.Of(fault.Unauthorized)) {
			t.Fatalf("%q: %v", s, err)
		}
	})
}
