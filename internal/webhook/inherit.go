package webhook

import (
	"context"

	"parley/internal/id"
	"parley/internal/store"
)

// RescueAll is Rescue for every delivery at work, whatever its lease. Only a
// process that is alone with the database may call it, at its start.
func (s *Service) RescueAll(ctx context.Context) (int, error) {
	if err := s.db.Write(ctx, id.Zero, func(tx *store.Tx) error {
		_, err := tx.System().Exec("UPDATE webhook_delivery SET lease_until=0 WHERE state='sending'")
		return err
	}); err != nil {
		return 0, err
	}
	for total := 0; ; {
		n, err := s.Rescue(ctx)
		if total += n; err != nil || n == 0 {
			return total, err
		}
	}
}
