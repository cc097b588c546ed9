package tenant

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/secret"
	"parley/internal/store"
)

// maxSecret bounds a secret, in bytes.
const maxSecret = 64 << 10

// SetSecretIn seals and stores a secret of tx's tenant, in place of an earlier
// one of the name. Faults: Invalid naming the secret.
func (s *Service) SetSecretIn(tx *store.Tx, name, value string) error {
	if name == "" || len(name) > 100 || strings.ContainsRune(name, 0) {
		return fault.Field("name", "a secret needs a name of at most 100 characters")
	}
	if value == "" || len(value) > maxSecret {
		return fault.Field(name, "a secret must hold 1 to %d bytes", maxSecret)
	}
	sealed, err := s.SealFor(tx.Tenant(), name, value)
	if err != nil {
		return err
	}
	_, err = tx.Exec("INSERT INTO tenant_secret (tenant_id, name, sealed, updated_at) VALUES (?,?,?,?) "+
		"ON CONFLICT (tenant_id, name) DO UPDATE SET sealed=excluded.sealed, updated_at=excluded.updated_at", name, sealed, tx.Now())
	return err
}

// Secret returns a secret of r's tenant in the clear, or NotFound when none of
// the name is set.
func (s *Service) Secret(r store.Reader, name string) (string, error) {
	var sealed string
	ok, err := store.Found(r.QueryRow("SELECT sealed FROM tenant_secret WHERE tenant_id=? AND name=?", name).Scan(&sealed))
	if err != nil {
		return "", err
	}
	if !ok {
		return "", fault.Unknown("secret")
	}
	return s.OpenFor(r.Tenant(), name, sealed)
}

// SecretInfo tells that a secret is set, never what it is.
type SecretInfo struct {
	Name      string
	UpdatedAt time.Time
}

// Secrets lists the names of r's tenant's secrets, in order.
func (s *Service) Secrets(r store.Reader) ([]SecretInfo, error) {
	rows, err := r.Query("SELECT name, updated_at FROM tenant_secret WHERE tenant_id=? ORDER BY name")
	return store.Collect(rows, err, func(r *sql.Rows) (i SecretInfo, err error) {
		return i, r.Scan(&i.Name, store.Time(&i.UpdatedAt))
	})
}

// SecretNames is Secrets for callers without a handle on the database.
func (s *Service) SecretNames(ctx context.Context, tenant id.ID) ([]SecretInfo, error) {
	return s.Secrets(s.db.Read(ctx, tenant))
}

// SetSecret is SetSecretIn as one transaction.
func (s *Service) SetSecret(ctx context.Context, tenant id.ID, name, value string) error {
	return s.db.Write(ctx, tenant, func(tx *store.Tx) error {
		if _, err := s.Get(tx); err != nil {
			return err
		}
		return s.SetSecretIn(tx, name, value)
	})
}

// DropSecretIn takes a secret of tx's tenant away; NotFound when it is not set.
// The secret that signs webhooks can only be replaced, since every delivery needs
// it: a Conflict.
func (s *Service) DropSecretIn(tx *store.Tx, name string) error {
	if name == WebhookSecret {
		return fault.New(fault.Conflict, "the secret that signs webhooks cannot be removed; set a new one instead")
	}
	n, err := tx.Exec("DELETE FROM tenant_secret WHERE tenant_id=? AND name=?", name)
	if err == nil && n == 0 {
		err = fault.Unknown("secret")
	}
	return err
}

// DropSecret is DropSecretIn as one transaction.
func (s *Service) DropSecret(ctx context.Context, tenant id.ID, name string) error {
	return s.db.Write(ctx, tenant, func(tx *store.Tx) error { return s.DropSecretIn(tx, name) })
}

// SealFor seals a value for one tenant and one name; it opens nowhere else.
func (s *Service) SealFor(tenant id.ID, name, value string) (string, error) {
	return s.box.Seal(value, secret.Place(tenant.String(), name)), nil
}

// OpenFor opens what SealFor sealed for the same tenant and name.
func (s *Service) OpenFor(tenant id.ID, name, sealed string) (string, error) {
	return s.box.Open(sealed, secret.Place(tenant.String(), name))
}
