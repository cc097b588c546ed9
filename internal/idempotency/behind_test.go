package idempotency_test

import (
	"context"
	"testing"
	"time"

	"parley/internal/clock"
	"parley/internal/id"
	"parley/internal/idempotency"
	"parley/internal/store/storetest"
)

// A key whose time is over is used anew in the moment in which old answers are
// swept away: the new answer stays.
func TestAnAnswerUnderAnOldKeyIsNotSweptAway(t *testing.T) {
	if testing.Short() {
		t.Skip("PostgreSQL is left out of short runs")
	}
	fake := clock.NewFake(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	db := storetest.Postgres(t, storetest.Clock(fake), storetest.Once())
	r := rig{db, idempotency.New(db), id.New(), id.New()}
	if _, _, err := r.ledger.Do(bg, r.claim("k", "{}"), r.put(nil)); err != nil {
		t.Fatal(err)
	}
	fake.Advance(idempotency.Keep + time.Second)
	storetest.Behind(t, db, r.tenant,
		func(ctx context.Context) error {
			_, _, err := r.ledger.Do(ctx, r.claim("k", "{}"), r.put(nil))
			return err
		},
		func() error { return r.ledger.Sweep(bg) })
	if _, replayed, err := r.ledger.Do(bg, r.claim("k", "{}"), r.put(nil)); err != nil || !replayed || r.rows(t) != 2 {
		t.Errorf("the repeated request was carried out again: replayed %v, %d effects: %v", replayed, r.rows(t), err)
	}
}
