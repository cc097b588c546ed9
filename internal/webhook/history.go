package webhook

import (
	"context"
	"slices"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// countCap bounds how far List counts.
const countCap = 10_000

// List returns a page of a tenant's deliveries that have bodies of their own,
// newest first; states selects some. total is exact up to 10,000. Those with shared
// bodies are in Log.
func (s *Service) List(ctx context.Context, tenant id.ID, states []string, page, limit int) (list []Record, total int, err error) {
	where, args := "tenant_id=? AND body_id IS NULL", []any(nil)
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
	// webhook_own_recent is in this order.
	page, limit = max(page, 1), min(max(limit, 1), 1000)
	list, err = recordsIn(r, where[len("tenant_id=?"):]+" ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?", append(args, limit, (page-1)*limit)...)
	return list, total, err
}

// Prune deletes up to limit deliveries, of every tenant, that ended before a
// moment, and the bodies that nobody shares any more, and returns how many went.
// What is still to be sent stays.
func (s *Service) Prune(ctx context.Context, before time.Time, limit int) (int64, error) {
	return store.Write(ctx, s.db, id.Zero, func(tx *store.Tx) (int64, error) {
		// Asked twice, for one that is replayed meanwhile (see Claim).
		n, err := tx.System().Exec(`DELETE FROM webhook_delivery WHERE COALESCE(state, '') IN ('sent', 'failed') AND (tenant_id, id) IN
			(SELECT tenant_id, id FROM webhook_delivery WHERE state IN ('sent', 'failed') AND updated_at<? ORDER BY updated_at LIMIT ?)`, before, limit)
		if err != nil {
			return n, err
		}
		bodies, err := tx.System().Exec(`DELETE FROM webhook_body WHERE (tenant_id, id) IN (SELECT b.tenant_id, b.id FROM webhook_body b WHERE b.created_at<?
			AND NOT EXISTS (SELECT 1 FROM webhook_delivery d WHERE d.tenant_id=b.tenant_id AND d.subject=b.subject AND d.body_id=b.id) ORDER BY b.created_at LIMIT ?)`, before, limit)
		return n + bodies, err
	})
}

// LogQuery narrows Log; zero fields do not.
type LogQuery struct {
	Lanes         []string // at most 1000
	Subject       string
	Events        []string
	States        []string
	After, Before time.Time // when it was written, both ends included
	// Older and Newer are deliveries; those written before or after them are listed.
	Older, Newer id.ID
	Limit        int // 0: 100, at most 1000
}

// Log returns deliveries with shared bodies, newest first: along webhook_of_lane,
// webhook_of_subject or the key of the table, of which ids grow with time. With
// Newer and without Older it is the page that follows Newer. Faults: Invalid
// naming "status".
func (s *Service) Log(ctx context.Context, tenant id.ID, q LogQuery) ([]Record, error) {
	where, args := " AND body_id IS NOT NULL", []any(nil)
	put := func(cond string, v any) { where, args = where+" AND "+cond, append(args, v) }
	in := func(column string, values []string) {
		if len(values) > 0 {
			where += " AND " + column + " IN (?" + strings.Repeat(",?", len(values)-1) + ")"
			for _, v := range values {
				args = append(args, v)
			}
		}
	}
	in("endpoint", q.Lanes)
	if q.Subject != "" {
		put("subject=?", q.Subject)
	}
	in("event", q.Events)
	if !q.After.IsZero() {
		put("created_at>=?", q.After)
	}
	if !q.Before.IsZero() {
		put("created_at<=?", q.Before)
	}
	if !q.Older.IsZero() {
		put("id<?", q.Older)
	}
	if !q.Newer.IsZero() {
		put("id>?", q.Newer)
	}
	for _, st := range q.States {
		if !slices.Contains([]string{Pending, Sending, Sent, Failed}, st) {
			return nil, fault.Field("status", "a delivery is pending, sending, sent or failed")
		}
	}
	in("state", q.States)
	if len(q.States) > 0 && !slices.Contains(q.States, Sent) {
		where += " AND state<>'sent'"
	}
	if q.Limit <= 0 {
		q.Limit = 100
	}
	onwards := !q.Newer.IsZero() && q.Older.IsZero()
	order := " ORDER BY id DESC LIMIT ?"
	if onwards {
		order = " ORDER BY id LIMIT ?"
	}
	list, err := recordsIn(s.db.Read(ctx, tenant), where+order, append(args, min(q.Limit, 1000))...)
	if onwards {
		slices.Reverse(list)
	}
	return list, err
}

// Replay makes a delivery with a shared body again, from its first attempt, also
// one that was sent; one that waits goes at once. It keeps its id, so that a
// receiver which has it can tell. Faults: NotFound; Conflict with Reason "sending"
// while an attempt is under way, "ended" when nobody wants its lane any more,
// "erased" when its body is gone.
func (s *Service) Replay(ctx context.Context, tenant, delivery id.ID) (Record, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Record, error) {
		v, err := s.Delivered(tx, delivery)
		if err == nil && v.Delivery.Shared.IsZero() {
			err = fault.Unknown("delivery")
		}
		if err != nil {
			return v, err
		}
		switch {
		case len(v.Delivery.Body) == 0:
			return v, fault.New(fault.Conflict, "the person whom this delivery was about was erased").Because("erased")
		case v.State == Sending:
			return v, fault.New(fault.Conflict, "an attempt of this delivery is under way; look again in a moment").Because("sending")
		}
		if alive, ok := s.alive[v.Delivery.Policy]; ok {
			if yes, err := alive(tx, v.Delivery.Lane); err != nil || !yes {
				if err == nil {
					err = fault.New(fault.Conflict, "the subscription of this delivery has ended; make a new one").Because("ended")
				}
				return v, err
			}
		}
		n, err := tx.Exec("UPDATE webhook_delivery SET state='pending', attempt=0, next_at=?, last_error=NULL, updated_at=? WHERE tenant_id=? AND id=? AND state<>'sending'", tx.Now(), tx.Now(), delivery)
		if err != nil {
			return v, err
		}
		if n == 0 {
			return v, fault.New(fault.Conflict, "an attempt of this delivery is under way; look again in a moment").Because("sending")
		}
		job.WakeLane(tx, ledgerName, v.Delivery.Lane)
		return s.Delivered(tx, delivery)
	})
}
