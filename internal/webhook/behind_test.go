package webhook_test

import (
	"context"
	"testing"
	"time"

	"parley/internal/clock"
	"parley/internal/egress"
	"parley/internal/egress/poster"
	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tenant/tenanttest"
	"parley/internal/webhook"
)

// met is a world on PostgreSQL whose transactions may stay open.
func met(t *testing.T) *world {
	if testing.Short() {
		t.Skip("PostgreSQL is left out of short runs")
	}
	now := clock.NewFake(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	db := storetest.Postgres(t, storetest.Clock(now), storetest.Once())
	tenants, a := tenanttest.New(t, db)
	client := egress.New(egress.Options{AllowLoopback: true})
	t.Cleanup(client.Close)
	return &world{TB: t, db: db, clock: now, tenants: tenants, s: webhook.NewService(db, event.NewLog(), tenants, poster.New(client)), tenant: a.ID}
}

// A person is erased while a lane claims: what was still to be sent of that person
// has failed, and is not taken back from there.
func TestWhatIsErasedDuringAClaimIsNotSent(t *testing.T) {
	w := met(t)
	v := w.share("http://127.0.0.1:1/x", "one", "lane")[0]
	var work []job.Work
	storetest.Behind(t, w.db, w.tenant,
		func(ctx context.Context) error {
			return w.db.Write(ctx, w.tenant, func(tx *store.Tx) error { return w.s.EraseIn(tx, []string{"one"}) })
		},
		func() (err error) {
			work, _, err = w.s.Claim(bg, job.Lane{Tenant: w.tenant, Name: "lane"}, 5)
			return err
		})
	if r := w.get(v); r.State != webhook.Failed || len(work) != 0 {
		t.Errorf("the delivery about somebody who was erased is %s, and %d calls are made", r.State, len(work))
	}
}

// A delivery is made again in the moment in which it is pruned: it stays.
func TestWhatIsReplayedIsNotPruned(t *testing.T) {
	w := met(t)
	v := w.share("http://127.0.0.1:1/x", "one", "lane")[0]
	if err := w.db.Write(bg, id.Zero, func(tx *store.Tx) error {
		_, err := tx.System().Exec("UPDATE webhook_delivery SET state='sent'")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Hour)
	storetest.Behind(t, w.db, w.tenant,
		func(ctx context.Context) error { _, err := w.s.Replay(ctx, w.tenant, v); return err },
		func() error { _, err := w.s.Prune(bg, w.clock.Now(), 100); return err })
	if r := w.get(v); r.State != webhook.Pending {
		t.Errorf("what was to be sent again is %s", r.State)
	}
}
