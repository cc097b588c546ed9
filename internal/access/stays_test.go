package access_test

import (
	"testing"

	"parley/internal/access"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/secret"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// A key is rotated for those for whom it acts also when the agent has left: it
// leaked perhaps, and what it is bound to does not change.
func TestAKeyOfWhoHasLeftIsRotated(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		left := false
		w.keys.OnBound(func(_ *store.Tx, _, user id.ID) error {
			if left && !user.IsZero() {
				return fault.Field("user", "there is no such agent")
			}
			return nil
		})
		user := id.New()
		old, k, err := w.keys.Create(bg, w.acme.ID, access.NewKey{Face: "sales", User: user})
		if err != nil {
			t.Fatal(err)
		}
		left = true
		token, next, err := w.keys.Rotate(bg, w.acme.ID, k.ID)
		if err != nil || next.User != user {
			t.Fatalf("%+v, %v", next, err)
		}
		opens(t, []*access.Service{w.keys}, token, next, nil)
		opens(t, []*access.Service{w.keys}, old, k, fault.Of(fault.Unauthorized))
	})
}

// A key that is revoked while it gets another token ends under that one too, at
// once and on every node.
func TestARevocationBesideARefresh(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		if w.db.Dialect() != store.Postgres {
			t.Skip("one writer at a time")
		}
		for name, renew := range map[string]func(tx *store.Tx, key id.ID) (string, error){
			"refresh": func(tx *store.Tx, key id.ID) (string, error) {
				token, _, err := w.keys.RefreshIn(tx, key)
				return token, err
			},
			"offer": func(tx *store.Tx, key id.ID) (string, error) { return w.keys.OfferIn(tx, key) },
		} {
			_, k, err := w.keys.Create(bg, w.acme.ID, access.NewKey{Face: "sales"})
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan string, 100)
			cancel := w.db.OnWake("access", func(hash string) { ended <- hash })
			done := make(chan error, 1)
			token, err := store.Write(bg, w.db, w.acme.ID, func(tx *store.Tx) (string, error) {
				token, err := renew(tx, k.ID)
				if err != nil {
					return "", err
				}
				go func() { done <- w.keys.Revoke(bg, w.acme.ID, k.ID) }()
				storetest.Beside(t, w.db, done)
				return token, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			cancel()
			close(ended)
			told := false
			for hash := range ended {
				told = told || hash == secret.Hash(token)
			}
			if !told {
				t.Errorf("%s: nobody was told that the new token ended", name)
			}
			if _, err := w.keys.Authenticate(bg, "sales", token); fault.As(err) == nil {
				t.Errorf("%s: the new token opens a revoked key", name)
			}
		}
	}, storetest.Once())
}
