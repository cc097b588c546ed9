package access_test

import (
	"errors"
	"slices"
	"testing"

	"parley/internal/access"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

func ptr[T any](v T) *T { return &v }

func TestWhatAKeySaysOfItself(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		token, k, err := w.keys.Create(bg, w.acme.ID, access.NewKey{Face: "sales", Name: "My Sales App 2!", Language: "pt-BR", Rate: 90})
		if err != nil {
			t.Fatal(err)
		}
		other := access.New(w.db, w.tenants)
		got, err := other.Authenticate(bg, "sales", token)
		if err != nil || !got.Enabled || got.Provider != "my-sales-app-2" || got.Language != "pt-BR" || got.Rate != 90 {
			t.Errorf("%+v, %v", got, err)
		}
		group, user := id.New(), id.New()
		k, err = w.keys.Edit(bg, w.acme.ID, k.ID, access.Edit{Name: ptr("Renamed"), Group: &group, User: &user, Scopes: ptr([]string{"sales:leads:write"}),
			Language: ptr("es"), Rate: ptr(0), Provider: ptr("meli")})
		if err != nil || !slices.Equal(k.Scopes, []string{"sales:leads:write"}) || k.Name != "Renamed" || k.Group != group || k.User != user || !k.Enabled || k.Provider != "meli" || k.Language != "es" || k.Rate != 0 {
			t.Errorf("%+v, %v", k, err)
		}
		for _, s := range []*access.Service{w.keys, other} {
			if got, err := s.Authenticate(bg, "sales", token); err != nil || got.Name != "Renamed" || got.Group != group || got.Rate != 0 {
				t.Errorf("after the change: %+v, %v", got, err)
			}
		}
		if k, err = w.keys.Edit(bg, w.acme.ID, k.ID, access.Edit{Group: &id.Zero}); err != nil || !k.Group.IsZero() || k.User != user || k.Name != "Renamed" {
			t.Errorf("only the group was taken away: %+v, %v", k, err)
		}
		for field, e := range map[string]access.Edit{"name": {Name: ptr("a\x00")}, "scopes": {Scopes: ptr([]string{"a b"})}, "language": {Language: ptr("not a language")},
			"rate": {Rate: ptr(-1)}, "provider": {Provider: ptr("\xff")}} {
			if _, err := w.keys.Edit(bg, w.acme.ID, k.ID, e); fault.As(err) == nil || fault.As(err).Field != field {
				t.Errorf("%s: %v", field, err)
			}
		}
		if again, err := w.keys.Get(bg, w.acme.ID, k.ID); err != nil || again.Name != k.Name || again.ID != k.ID {
			t.Errorf("%+v, %v", again, err)
		}
		for what, err := range map[string]error{
			"edit": second(w.keys.Edit(bg, id.New(), k.ID, access.Edit{})), "get": second(w.keys.Get(bg, id.New(), k.ID)),
			"unknown": second(w.keys.Get(bg, w.acme.ID, id.New())),
		} {
			if !errors.Is(err, fault.Of(fault.NotFound)) {
				t.Errorf("%s of a key of somebody else: %v", what, err)
			}
		}
	})
}

func second[A any](_ A, err error) error { return err }

// A disabled key waits; every node knows at once, in both directions.
func TestADisabledKey(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		other := access.New(w.db, w.tenants)
		token, k, err := w.keys.Create(bg, w.acme.ID, access.NewKey{Face: "sales", Disabled: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, enabled := range []bool{false, true, false, true} {
			if _, err := w.keys.Edit(bg, w.acme.ID, k.ID, access.Edit{Enabled: &enabled}); err != nil {
				t.Fatal(err)
			}
			for _, s := range []*access.Service{w.keys, other} {
				_, err := s.Authenticate(bg, "sales", token)
				if f := fault.As(err); enabled && err != nil || !enabled && (f == nil || f.Code != fault.Forbidden || f.Reason != "disabled") {
					t.Errorf("enabled %v: %v", enabled, err)
				}
			}
			if _, err := other.Authenticate(bg, "platform", token); !errors.Is(err, fault.Of(fault.Unauthorized)) {
				t.Errorf("on another face: %v", err)
			}
		}
	})
}

// A refreshed key is the same one with another token; the old one dies at once.
func TestRefresh(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		other := access.New(w.db, w.tenants)
		old, k, err := w.keys.Create(bg, w.acme.ID, access.NewKey{Face: "sales", Name: "app", Scopes: []string{"sales:leads:write"}, Rate: 5})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []*access.Service{w.keys, other} {
			if _, err := s.Authenticate(bg, "sales", old); err != nil {
				t.Fatal(err)
			}
		}
		token, got, err := w.keys.Refresh(bg, w.acme.ID, k.ID)
		if err != nil || token == old || got.ID != k.ID || got.Rate != 5 {
			t.Fatalf("%+v, %v", got, err)
		}
		for _, s := range []*access.Service{w.keys, other} {
			if _, err := s.Authenticate(bg, "sales", old); !errors.Is(err, fault.Of(fault.Unauthorized)) {
				t.Errorf("the old token: %v", err)
			}
			if a, err := s.Authenticate(bg, "sales", token); err != nil || a.ID != k.ID || a.Name != "app" {
				t.Errorf("the new token: %+v, %v", a, err)
			}
		}
		if list, err := w.keys.List(bg, w.acme.ID); err != nil || len(list) != 1 {
			t.Errorf("%+v, %v", list, err)
		}
		if _, _, err := w.keys.Refresh(bg, id.New(), k.ID); !errors.Is(err, fault.Of(fault.NotFound)) {
			t.Errorf("of somebody else: %v", err)
		}
		if err := w.keys.Revoke(bg, w.acme.ID, k.ID); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.keys.Refresh(bg, w.acme.ID, k.ID); !errors.Is(err, fault.Of(fault.NotFound)) {
			t.Errorf("of a revoked key: %v", err)
		}
		if _, err := w.keys.Edit(bg, w.acme.ID, k.ID, access.Edit{Enabled: ptr(true)}); !errors.Is(err, fault.Of(fault.NotFound)) {
			t.Errorf("a revoked key was changed: %v", err)
		}
	})
}

// Rotation keeps what the key said of itself.
func TestRotationKeepsSettings(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		_, k, err := w.keys.Create(bg, w.acme.ID, access.NewKey{Face: "sales", Name: "app", Provider: "meli", Language: "es", Rate: 5})
		if err != nil {
			t.Fatal(err)
		}
		token, _, err := w.keys.Rotate(bg, w.acme.ID, k.ID)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := w.keys.Authenticate(bg, "sales", token); err != nil || a.Provider != "meli" || a.Language != "es" || a.Rate != 5 {
			t.Errorf("%+v, %v", a, err)
		}
	})
}

// Who takes part in the making of a key does so in its transaction.
func TestOnMade(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		var told []string
		refuse := false
		w.keys.OnMade(func(_ *store.Tx, k access.Key) error {
			if told = append(told, k.Face+" "+k.Provider); refuse {
				return fault.New(fault.Conflict, "no")
			}
			return nil
		})
		if _, _, err := w.keys.Create(bg, w.acme.ID, access.NewKey{Face: "bot", Name: "B"}); err != nil || !slices.Contains(told, "bot b") {
			t.Errorf("%v, %v", told, err)
		}
		refuse = true
		if _, _, err := w.keys.Create(bg, w.acme.ID, access.NewKey{Face: "bot"}); !errors.Is(err, fault.Of(fault.Conflict)) {
			t.Errorf("%v", err)
		}
		if list, _ := w.keys.List(bg, w.acme.ID); len(list) != 1 {
			t.Errorf("the refused key is there: %+v", list)
		}
	})
}
