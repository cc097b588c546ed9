package account

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Integrate stores credentials of a tenant and connects what they make up, in one
// transaction. set holds the secrets to store by name, nil to take one away; a
// name that is taken away twice stays away. link sees all of the tenant's secrets
// as they are then and returns the accounts to connect; it may run more than once.
// Faults: those of tenant.SetSecretIn and Connect; NotFound for an unknown tenant.
func (s *Service) Integrate(ctx context.Context, tenantID id.ID, set map[string]*string, link func(all map[string]string) []NewAccount) error {
	return s.db.Write(ctx, tenantID, func(tx *store.Tx) error {
		if err := tx.Lock("tenant", tenantID.String()); err != nil {
			return err
		}
		if _, err := s.tenants.Get(tx); err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(set)) {
			var err error
			if v := set[name]; v != nil {
				err = s.tenants.SetSecretIn(tx, name, *v)
			} else if err = s.tenants.DropSecretIn(tx, name); fault.As(err) != nil && fault.As(err).Code == fault.NotFound {
				err = nil
			}
			if err != nil {
				return err
			}
		}
		all, err := s.secrets(tx)
		if err != nil {
			return err
		}
		for _, n := range link(all) {
			if _, err := s.connectIn(tx, n, true); err != nil {
				return err
			}
		}
		return nil
	})
}

// Credentials returns the tenant's secrets in the clear, by name, for an adapter
// that shows which of them are set. They must not be shown or logged.
func (s *Service) Credentials(ctx context.Context, tenantID id.ID) (map[string]string, error) {
	return s.secrets(s.db.Read(ctx, tenantID))
}

func (s *Service) secrets(r store.Reader) (map[string]string, error) {
	list, err := s.tenants.Secrets(r)
	if err != nil {
		return nil, err
	}
	all := make(map[string]string, len(list))
	for _, i := range list {
		if all[i.Name], err = s.tenants.Secret(r, i.Name); err != nil {
			return nil, fmt.Errorf("account: the secret %s: %w", i.Name, err)
		}
	}
	return all, nil
}
