package outbox

import (
	"context"
	"time"

	"parley/internal/channel"
	"parley/internal/id"
	"parley/internal/outbox/ledger"
	"parley/internal/store"
)

// rescueBatch bounds the rows that one sweep settles.
const rescueBatch = 200

// Rescue implements job.Ledger: attempts whose lease ended become unknown, or
// are queued again where the provider dedupes; unknown ones of a channel that
// resends follow once they had time to settle.
func (o *Outbox) Rescue(ctx context.Context) (int, error) {
	return o.rescue(ctx, o.clock.Now())
}

// RescueAll is Rescue for every attempt, whether its lease has ended or not. A
// server that knows it is alone with its database (SQLite) calls it at its
// start, before the lanes run: whoever held those leases is dead.
func (o *Outbox) RescueAll(ctx context.Context) (int, error) {
	const forever = 100 * 365 * 24 * time.Hour
	total := 0
	for {
		n, err := o.rescue(ctx, o.clock.Now().Add(forever))
		total += n
		if err != nil || n < rescueBatch {
			return total, err
		}
	}
}

func (o *Outbox) rescue(ctx context.Context, leasedBefore time.Time) (int, error) {
	var resend []string
	for kind, ch := range o.channels {
		if ch.Capabilities().Unknown == channel.UnknownResend {
			resend = append(resend, kind)
		}
	}
	stale, err := ledger.Overdue(o.db.Read(ctx, id.Zero), leasedBefore, o.clock.Now().Add(-o.o.Settle), resend, o.o.MaxFailures-1, rescueBatch)
	if err != nil {
		return 0, err
	}
	byTenant := map[id.ID][]ledger.Stale{}
	for _, s := range stale {
		byTenant[s.Tenant] = append(byTenant[s.Tenant], s)
	}
	total := 0
	for tenant, list := range byTenant {
		n, err := store.Write(ctx, o.db, tenant, func(tx *store.Tx) (int, error) {
			n := 0
			for _, s := range list {
				ok, err := o.settleIn(tx, s, leasedBefore)
				if err != nil {
					return 0, err
				}
				if ok {
					n++
				}
			}
			return n, nil
		})
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// settleIn settles one attempt, unless its outcome or a receipt came first.
func (o *Outbox) settleIn(tx *store.Tx, s ledger.Stale, leasedBefore time.Time) (bool, error) {
	if err := o.messages.LockIn(tx, s.ID); err != nil {
		return false, err
	}
	row, found, err := ledger.Get(tx, s.ID)
	if err != nil || !found || row.State != s.State || row.Attempt != s.Attempt || row.State == ledger.Sending && row.LeaseUntil.After(leasedBefore) {
		return false, err
	}
	caps := o.capabilities(s.Kind)
	c := o.doubtful(tx.Now(), caps, row.Attempt, row.Failures)
	if row.State == ledger.Unknown {
		caps.Echo = false // its receipt had time enough
		if c = o.doubtful(tx.Now(), caps, row.Attempt, row.Failures); c.To == ledger.Unknown {
			return false, nil // out of tries: it stays listed
		}
	}
	c.From = []string{row.State}
	ok, err := ledger.ApplyIn(tx, s.ID, c)
	if err != nil || !ok {
		return false, err
	}
	if c.To == ledger.Unknown {
		return true, o.messages.UncertainIn(tx, actor, s.ID, &uncertain)
	}
	return true, o.messages.UncertainIn(tx, actor, s.ID, nil)
}
