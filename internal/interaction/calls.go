package interaction

import (
	"context"

	"parley/internal/id"
	"parley/internal/store"
)

// Record is RecordIn in a transaction of its own.
func (s *Service) Record(ctx context.Context, tenant id.ID, actor string, cid id.ID, n New) (Interaction, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Interaction, error) { return s.RecordIn(tx, actor, cid, n) })
}

// Update is UpdateIn in a transaction of its own.
func (s *Service) Update(ctx context.Context, tenant id.ID, actor string, cid, iid id.ID, u Update) (Interaction, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Interaction, error) { return s.UpdateIn(tx, actor, cid, iid, u) })
}
