package handover

import (
	"context"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// Place is PlaceIn in a transaction of its own.
func (s *Service) Place(ctx context.Context, tenant id.ID, actor string, cid id.ID, n Arrival) (Arrived, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Arrived, error) { return s.PlaceIn(tx, actor, cid, n) })
}

// Claim is ClaimIn in a transaction of its own.
func (s *Service) Claim(ctx context.Context, tenant id.ID, actor string, cid, agent id.ID) (Work, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Work, error) { return s.ClaimIn(tx, actor, cid, agent) })
}

// Transfer is TransferIn in a transaction of its own.
func (s *Service) Transfer(ctx context.Context, tenant id.ID, actor string, cid id.ID, to Destination) (Work, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Work, error) { return s.TransferIn(tx, actor, cid, to) })
}

// Archive is ArchiveIn in a transaction of its own.
func (s *Service) Archive(ctx context.Context, tenant id.ID, actor string, cid id.ID, reason string) (Work, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Work, error) { return s.ArchiveIn(tx, actor, cid, reason) })
}

// Unarchive is UnarchiveIn in a transaction of its own.
func (s *Service) Unarchive(ctx context.Context, tenant id.ID, actor string, cid id.ID) (Work, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Work, error) { return s.UnarchiveIn(tx, actor, cid) })
}

// Label is LabelIn in a transaction of its own.
func (s *Service) Label(ctx context.Context, tenant id.ID, actor string, cid id.ID, label string) (Work, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Work, error) { return s.LabelIn(tx, actor, cid, label) })
}

// Categorize is CategorizeIn in a transaction of its own.
func (s *Service) Categorize(ctx context.Context, tenant id.ID, actor string, cid id.ID, category string) (Work, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Work, error) { return s.CategorizeIn(tx, actor, cid, category) })
}

// Remind is RemindIn in a transaction of its own.
func (s *Service) Remind(ctx context.Context, tenant id.ID, actor string, cid id.ID, at time.Time) (Work, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Work, error) { return s.RemindIn(tx, actor, cid, at) })
}
