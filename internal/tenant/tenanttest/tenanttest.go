// Package tenanttest makes the tenant that a room's tests stand on. Only tests import
// it.
package tenanttest

import (
	"context"
	"strings"
	"testing"

	"parley/internal/secret"
	"parley/internal/store"
	"parley/internal/tenant"
)

// New returns the room of tenants over a database, with one tenant, Acme, in it.
func New(t testing.TB, db *store.DB) (*tenant.Service, tenant.Tenant) {
	t.Helper()
	box, err := secret.NewBox([]byte(strings.Repeat("k", secret.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	tenants := tenant.New(db, box)
	a, err := tenants.Create(context.Background(), tenant.NewTenant{Name: "Acme"})
	if err != nil {
		t.Fatal(err)
	}
	return tenants, a
}
