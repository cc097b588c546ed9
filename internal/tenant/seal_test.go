package tenant_test

import (
	"context"
	"errors"
	"testing"

	"parley/internal/fault"
	"parley/internal/secret"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tenant"
)

func TestAnotherSealingKeyIsRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		service := func(key string) *tenant.Service {
			box, err := secret.NewBox([]byte(key))
			if err != nil {
				t.Fatal(err)
			}
			return tenant.New(db, box)
		}
		first, other := service("0123456789abcdef0123456789abcdef"), service("another key another key another!")
		for i := 0; i < 2; i++ {
			if err := first.CheckSeal(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if err := other.CheckSeal(context.Background()); !errors.Is(err, fault.Of(fault.Unready)) {
			t.Fatalf("another key must be refused: %v", err)
		}
		if err := first.CheckSeal(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}
