package webhook

import (
	"context"
	"slices"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// countCap bounds how far List counts.
const countCap = 10_000

// List returns a page of a tenant's deliveries, newest first; states selects
// some. total is exact up to 10,000.
func (s *Service) List(ctx context.Context, tenant id.ID, states []string, page, limit int) (list []Record, total int, err error) {
	where, args := "tenant_id=?", []any(nil)
	for i, st := range states {
		if !slices.Contains([]string{Pending, Sending, Sent, Failed}, st) {
			return nil, 0, fault.Field("status", "a delivery is pending, sending, sent or failed")
		}
		where += map[bool]string{true: " AND state IN (?", false: ",?"}[i == 0]
		args = append(args, st)
	}
	if len(states) > 0 {
		where += ")"
		if !slices.Contains(states, Sent) {
			where += " AND state<>'sent'" // index webhook_by_state
		}
	}
	r := s.db.Read(ctx, tenant)
	if err := r.QueryRow("SELECT COUNT(*) FROM (SELECT 1 AS one FROM webhook_delivery WHERE "+where+" LIMIT ?) c", append(slices.Clone(args), countCap)...).Scan(&total); err != nil {
		return nil, 0, err
	}
	// webhook_recent is in this order.
	page, limit = max(page, 1), min(max(limit, 1), 1000)
	list, err = recordsIn(r, where[len("tenant_id=?"):]+" ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?", append(args, limit, (page-1)*limit)...)
	return list, total, err
}

// Prune deletes up to limit deliveries, of every tenant, that ended before a
// moment, and returns how many went. What is still to be sent stays.
func (s *Service) Prune(ctx context.Context, before time.Time, limit int) (int64, error) {
	return store.Write(ctx, s.db, id.Zero, func(tx *store.Tx) (int64, error) {
		return tx.System().Exec(`DELETE FROM webhook_delivery WHERE (tenant_id, id) IN
			(SELECT tenant_id, id FROM webhook_delivery WHERE state IN ('sent', 'failed') AND updated_at<? ORDER BY updated_at LIMIT ?)`, before, limit)
	})
}
