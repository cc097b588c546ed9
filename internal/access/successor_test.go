package access_test

import (
	"errors"
	"testing"

	"parley/internal/access"
	"parley/internal/fault"
	"parley/internal/store"
)

// opens says whether a token opens a key on both nodes.
func opens(t *testing.T, nodes []*access.Service, token string, key access.Key, want error) {
	t.Helper()
	for range 2 { // looked up, then remembered
		for i, s := range nodes {
			got, err := s.Authenticate(bg, "sales", token)
			if !errors.Is(err, want) || want == nil && got.ID != key.ID {
				t.Errorf("node %d: %v, %v; want %v", i, got.ID, err, want)
			}
		}
	}
}

// A key with an offered token is opened by both, until one of them ends; an end
// counts on every node at once.
func TestAnOfferedTokenOpensBesideTheFirst(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		nodes := []*access.Service{w.keys, access.New(w.db, w.tenants)}
		shut, off := fault.Of(fault.Unauthorized), fault.Of(fault.Forbidden)
		first, k, err := w.keys.Create(bg, w.acme.ID, access.NewKey{Face: "sales"})
		if err != nil {
			t.Fatal(err)
		}
		offer := func() string {
			token, err := store.Write(bg, w.db, w.acme.ID, func(tx *store.Tx) (string, error) { return w.keys.OfferIn(tx, k.ID) })
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		do := func(f func(tx *store.Tx) error) {
			t.Helper()
			if err := w.db.Write(bg, w.acme.ID, f); err != nil {
				t.Fatal(err)
			}
		}
		enable := func(on bool) {
			if _, err := w.keys.Edit(bg, w.acme.ID, k.ID, access.Edit{Enabled: &on}); err != nil {
				t.Fatal(err)
			}
		}
		dropped := offer()
		opens(t, nodes, dropped, k, nil)
		do(func(tx *store.Tx) error { return w.keys.WithdrawIn(tx, k.ID) })
		opens(t, nodes, dropped, k, shut)

		old := offer()
		second := offer()
		opens(t, nodes, old, k, shut)
		opens(t, nodes, first, k, nil)
		opens(t, nodes, second, k, nil)
		enable(false)
		opens(t, nodes, second, k, off)
		enable(true)
		opens(t, nodes, second, k, nil)

		do(func(tx *store.Tx) error { return w.keys.TakeIn(tx, k.ID) })
		opens(t, nodes, first, k, shut)
		opens(t, nodes, second, k, nil)
		if err := w.db.Write(bg, w.acme.ID, func(tx *store.Tx) error { return w.keys.TakeIn(tx, k.ID) }); !errors.Is(err, fault.Of(fault.Conflict)) {
			t.Errorf("taking nothing: %v", err)
		}

		third := offer()
		opens(t, nodes, third, k, nil)
		fresh, _, err := w.keys.Refresh(bg, w.acme.ID, k.ID)
		if err != nil {
			t.Fatal(err)
		}
		opens(t, nodes, third, k, shut)
		opens(t, nodes, second, k, shut)
		opens(t, nodes, fresh, k, nil)

		last := offer()
		opens(t, nodes, last, k, nil)
		if err := w.keys.Revoke(bg, w.acme.ID, k.ID); err != nil {
			t.Fatal(err)
		}
		opens(t, nodes, last, k, shut)
		opens(t, nodes, fresh, k, shut)
		if err := w.db.Write(bg, w.acme.ID, func(tx *store.Tx) error { _, err := w.keys.OfferIn(tx, k.ID); return err }); !errors.Is(err, fault.Of(fault.NotFound)) {
			t.Errorf("an offer for a revoked key: %v", err)
		}
	})
}
