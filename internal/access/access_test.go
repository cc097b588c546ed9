package access_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/access"
	"parley/internal/clock"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/secret"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

type world struct {
	db      *store.DB
	tenants *tenant.Service
	keys    *access.Service
	acme    tenant.Tenant
}

func each(t *testing.T, f func(t *testing.T, w world), opts ...storetest.Option) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		box, err := secret.NewBox([]byte(strings.Repeat("k", secret.KeySize)))
		if err != nil {
			t.Fatal(err)
		}
		w := world{db: db, tenants: tenant.New(db, box)}
		w.keys = access.New(db, w.tenants)
		if w.acme, err = w.tenants.Create(bg, tenant.NewTenant{Name: "Acme"}); err != nil {
			t.Fatal(err)
		}
		f(t, w)
	}, opts...)
}

func TestAKeyOpensItsFaceOnly(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		group, user := id.New(), id.New()
		token, k, err := w.keys.Create(bg, w.acme.ID, access.NewKey{Face: "platform", Name: "shop", Group: group, User: user})
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^erix_[0-9a-f]{64}$`).MatchString(token) {
			t.Errorf("token %q", token)
		}
		sales, _, err := w.keys.Create(bg, w.acme.ID, access.NewKey{Face: "sales", Scopes: []string{"sales:leads:write"}})
		if err != nil || !regexp.MustCompile(`^parley_sales_[0-9a-f]{64}$`).MatchString(sales) {
			t.Errorf("token %q, %v", sales, err)
		}
		for range 2 { // looked up, then remembered
			got, err := w.keys.Authenticate(bg, "platform", token)
			if err != nil {
				t.Fatal(err)
			}
			if got.ID != k.ID || got.Tenant != w.acme.ID || got.TenantCode != w.acme.Code || got.TenantStatus != "active" || got.Group != group || got.User != user ||
				!slices.Equal(got.Scopes, []string{"platform:*"}) || !got.CreatedAt.Equal(k.CreatedAt) {
				t.Errorf("%+v", got)
			}
			got.Scopes[0] = "spoiled"
			for _, bad := range []struct{ face, token string }{{"sales", token}, {"platform", sales}, {"platform", ""}, {"platform", token[:len(token)-1]},
				{"platform", strings.ToUpper(token)}, {"platform", strings.Repeat("x", 1<<20)}, {"platform", "erix_\x00' OR 1=1"}} {
				if _, err := w.keys.Authenticate(bg, bad.face, bad.token); !errors.Is(err, fault.Of(fault.Unauthorized)) {
					t.Errorf("%s with %.20q: %v", bad.face, bad.token, err)
				}
			}
		}
		var stored string
		if err := w.db.Read(bg, w.acme.ID).QueryRow("SELECT hash FROM access_key WHERE tenant_id=? AND id=?", k.ID).Scan(&stored); err != nil || strings.Contains(stored, token[5:]) {
			t.Errorf("stored %q, %v", stored, err)
		}
		list, err := w.keys.List(bg, w.acme.ID)
		if err != nil || len(list) != 2 || list[0].Name != "shop" {
			t.Errorf("%+v, %v", list, err)
		}
		if list, _ := w.keys.List(bg, id.New()); len(list) != 0 {
			t.Error("another tenant sees the keys")
		}
	})
}

func TestRevocationEndsAKeyOnEveryNode(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		other := access.New(w.db, w.tenants)
		token, k, err := w.keys.Create(bg, w.acme.ID, access.NewKey{Face: "platform"})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []*access.Service{w.keys, other} {
			if _, err := s.Authenticate(bg, "platform", token); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.keys.Revoke(bg, id.New(), k.ID); !errors.Is(err, fault.Of(fault.NotFound)) {
			t.Errorf("another tenant's revocation: %v", err)
		}
		for range 2 {
			if err := w.keys.Revoke(bg, w.acme.ID, k.ID); err != nil {
				t.Fatal(err)
			}
		}
		for _, s := range []*access.Service{w.keys, other} {
			if _, err := s.Authenticate(bg, "platform", token); !errors.Is(err, fault.Of(fault.Unauthorized)) {
				t.Errorf("a revoked key: %v", err)
			}
		}
		list, _ := w.keys.List(bg, w.acme.ID)
		if len(list) != 1 || list[0].RevokedAt.IsZero() {
			t.Errorf("%+v", list)
		}
	})
}

// A node that misses the notification forgets by itself.
func TestTheCacheExpires(t *testing.T) {
	fake := clock.NewFake(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	each(t, func(t *testing.T, w world) {
		token, k, err := w.keys.Create(bg, w.acme.ID, access.NewKey{Face: "bot"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.keys.Authenticate(bg, "bot", token); err != nil {
			t.Fatal(err)
		}
		if err := w.db.Write(bg, w.acme.ID, func(tx *store.Tx) error { // without a wake
			_, err := tx.Exec("UPDATE access_key SET revoked_at=? WHERE tenant_id=? AND id=?", tx.Now(), k.ID)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.keys.Authenticate(bg, "bot", token); err != nil {
			t.Errorf("not cached: %v", err)
		}
		fake.Advance(5 * time.Second)
		if _, err := w.keys.Authenticate(bg, "bot", token); !errors.Is(err, fault.Of(fault.Unauthorized)) {
			t.Errorf("still valid: %v", err)
		}
	}, storetest.Clock(fake))
}

func TestASuspendedTenantIsForbidden(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		token, _, err := w.keys.Create(bg, w.acme.ID, access.NewKey{Face: "platform"})
		if err != nil {
			t.Fatal(err)
		}
		for status, want := range map[string]error{tenant.Suspended: fault.Of(fault.Forbidden), tenant.Terminated: fault.Of(fault.Forbidden), tenant.Active: nil, tenant.Pending: nil} {
			if _, err := w.tenants.Change(bg, w.acme.ID, tenant.Edit{Status: &status}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.keys.Authenticate(bg, "platform", token); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", status, err, want)
			}
		}
	})
}

func TestBadKeysNameTheirField(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		for field, n := range map[string]access.NewKey{
			"face":   {Face: "fax"},
			"scopes": {Face: "sales", Scopes: []string{"a b"}},
			"name":   {Face: "sales", Name: "a\x00b"},
		} {
			_, _, err := w.keys.Create(bg, w.acme.ID, n)
			if f := fault.As(err); f == nil || f.Code != fault.Invalid || f.Field != field {
				t.Errorf("%s: %v", field, err)
			}
		}
		if _, _, err := w.keys.Create(bg, id.New(), access.NewKey{Face: "sales"}); !errors.Is(err, fault.Of(fault.NotFound)) {
			t.Errorf("unknown tenant: %v", err)
		}
	})
}
