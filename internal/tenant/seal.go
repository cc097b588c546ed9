package tenant

import (
	"context"
	"errors"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/secret"
	"parley/internal/store"
)

// sealProbe is sealed once and opened at every start.
const sealProbe = "sealing-key"

// CheckSeal proves that the sealing key is the one that this database's secrets
// were sealed with; the first call on a database settles which one that is. A
// server with another key would run and fail at the first secret it needs. The
// fault is Unready.
func (s *Service) CheckSeal(ctx context.Context) error {
	place := secret.Place("installation", sealProbe)
	err := s.db.Write(ctx, id.Zero, func(tx *store.Tx) error {
		sealed := s.box.Seal(sealProbe, place)
		if _, err := tx.System().Exec("INSERT INTO installation (name, value) VALUES (?,?) ON CONFLICT (name) DO NOTHING", sealProbe, sealed); err != nil {
			return err
		}
		if err := tx.System().QueryRow("SELECT value FROM installation WHERE name=?", sealProbe).Scan(&sealed); err != nil {
			return err
		}
		_, err := s.box.Open(sealed, place)
		return err
	})
	if errors.Is(err, secret.ErrSealed) {
		return fault.New(fault.Unready, "this database was sealed with another key: bring back its secret.key, or set PARLEY_SECRET_KEY to it")
	}
	return err
}
