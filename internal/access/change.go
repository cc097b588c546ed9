package access

import (
	"context"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/secret"
	"parley/internal/store"
)

// Edit changes a key; nil fields stay. A zero Group or User binds the key to none.
type Edit struct {
	Name        *string
	Group, User *id.ID
	Scopes      *[]string // empty: everything the face offers
	Enabled     *bool
	Provider    *string // "": made of the name
	Language    *string
	Rate        *int
}

// OnMade makes a room take part whenever a key is made, in the transaction that
// makes it. Call it before the first use.
func (s *Service) OnMade(f func(tx *store.Tx, k Key) error) { s.made = append(s.made, f) }

// OnBound makes a room check the group and the agent that a key is bound to, in the
// transaction that binds it; what does not change is the zero id. Call it before the
// first use.
func (s *Service) OnBound(f func(tx *store.Tx, group, agent id.ID) error) {
	s.bound = append(s.bound, f)
}

// bind asks the rooms of OnBound.
func (s *Service) bind(tx *store.Tx, group, agent id.ID) error {
	for _, f := range s.bound {
		if err := f(tx, group, agent); err != nil {
			return err
		}
	}
	return nil
}

// InGroup reports whether a key that was not revoked belongs to a group. A tenant
// has few keys.
func (s *Service) InGroup(r store.Reader, group id.ID) (bool, error) {
	var one int
	return store.Found(r.QueryRow("SELECT 1 FROM access_key WHERE tenant_id=? AND group_id=? AND revoked_at IS NULL LIMIT 1", group).Scan(&one))
}

// Get returns a key, a revoked one too. NotFound for one that the tenant does not
// have.
func (s *Service) Get(ctx context.Context, tenant, key id.ID) (Key, error) {
	return get(s.db.Read(ctx, tenant), key)
}

// GetIn is Get inside a transaction.
func (s *Service) GetIn(tx *store.Tx, key id.ID) (Key, error) { return get(tx, key) }

// Edit changes a key that was not revoked; every node knows at once. Faults:
// NotFound; Invalid naming "scopes", "name", "provider", "language" or "rate"; those
// of OnBound.
func (s *Service) Edit(ctx context.Context, tenant, key id.ID, e Edit) (Key, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Key, error) { return s.EditIn(tx, key, e) })
}

// EditIn is Edit inside a transaction.
func (s *Service) EditIn(tx *store.Tx, key id.ID, e Edit) (Key, error) {
	if err := lock(tx, key); err != nil {
		return Key{}, err
	}
	k, err := valid(tx, key)
	if err != nil {
		return Key{}, err
	}
	n := NewKey{Face: k.Face, Scopes: k.Scopes, Group: k.Group, User: k.User, Name: k.Name, Disabled: !k.Enabled, Provider: k.Provider, Language: k.Language, Rate: k.Rate}
	put(&n.Name, e.Name)
	put(&n.Group, e.Group)
	put(&n.User, e.User)
	put(&n.Scopes, e.Scopes)
	put(&n.Provider, e.Provider)
	put(&n.Language, e.Language)
	put(&n.Rate, e.Rate)
	if e.Enabled != nil {
		n.Disabled = !*e.Enabled
	}
	if n, err = n.checked(); err != nil {
		return Key{}, err
	}
	group, agent := n.Group, n.User
	if group == k.Group {
		group = id.Zero
	}
	if agent == k.User {
		agent = id.Zero
	}
	if err := s.bind(tx, group, agent); err != nil {
		return Key{}, err
	}
	if _, err := tx.Exec("UPDATE access_key SET scopes=?, group_id=?, user_id=?, name=?, enabled=?, provider=?, language=?, rate=? WHERE tenant_id=? AND id=?",
		store.JSON(n.Scopes), n.Group, n.User, n.Name, !n.Disabled, n.Provider, n.Language, n.Rate, key); err != nil {
		return Key{}, err
	}
	if err := told(tx, key); err != nil {
		return Key{}, err
	}
	return get(tx, key)
}

// Refresh gives a key another token, which is stored nowhere, and ends the one it
// had at once on every node; the key stays the same otherwise. NotFound for a key
// that the tenant does not have or that was revoked.
func (s *Service) Refresh(ctx context.Context, tenant, key id.ID) (token string, k Key, err error) {
	m, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (m made, err error) {
		m.token, m.key, err = s.RefreshIn(tx, key)
		return m, err
	})
	return m.token, m.key, err
}

// RefreshIn is Refresh inside a transaction.
func (s *Service) RefreshIn(tx *store.Tx, key id.ID) (token string, k Key, err error) {
	if err := lock(tx, key); err != nil {
		return "", Key{}, err
	}
	if k, err = valid(tx, key); err != nil {
		return "", Key{}, err
	}
	if k.Proven {
		return "", Key{}, unrenewable()
	}
	if err := told(tx, key); err != nil { // of the token that ends
		return "", Key{}, err
	}
	if err := withdraw(tx, key); err != nil {
		return "", Key{}, err
	}
	token = newToken(k.Face)
	_, err = tx.Exec("UPDATE access_key SET hash=? WHERE tenant_id=? AND id=?", secret.Hash(token), key)
	return token, k, err
}

// RevokeIn is Revoke inside a transaction.
func (s *Service) RevokeIn(tx *store.Tx, key id.ID) error { return revoke(tx, key) }

// RevokedIn reports whether a key was revoked, and keeps that so until the commit.
func (s *Service) RevokedIn(tx *store.Tx, key id.ID) (bool, error) {
	if err := lock(tx, key); err != nil {
		return false, err
	}
	var one int
	return store.Found(tx.QueryRow("SELECT 1 FROM access_key WHERE tenant_id=? AND id=? AND revoked_at IS NOT NULL", key).Scan(&one))
}

// lock makes changes of one key run one after the other.
func lock(tx *store.Tx, key id.ID) error { return tx.Lock("access", key.String()) }

// told makes every node forget what it knows of a key under its present token.
func told(tx *store.Tx, key id.ID) error {
	var hash string
	if err := tx.QueryRow("SELECT hash FROM access_key WHERE tenant_id=? AND id=?", key).Scan(&hash); err != nil {
		return err
	}
	tx.Wake(topic, hash)
	return toldOffer(tx, key)
}

func get(r store.Reader, key id.ID) (Key, error) {
	k, err := scan(r.QueryRow("SELECT "+columns+" FROM access_key k JOIN tenant t ON t.tenant_id=k.tenant_id WHERE k.tenant_id=? AND k.id=?", key))
	found, err := store.Found(err)
	if err == nil && !found {
		err = fault.Unknown("key")
	}
	if err != nil {
		return Key{}, err
	}
	return k, nil
}

// valid is get for a key that was not revoked.
func valid(r store.Reader, key id.ID) (Key, error) {
	k, err := get(r, key)
	if err == nil && !k.RevokedAt.IsZero() {
		return Key{}, fault.Unknown("key")
	}
	return k, err
}

func put[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}
