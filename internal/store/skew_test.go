package store_test

import (
	"testing"
	"time"

	"parley/internal/clock"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// Nodes whose machines disagree about the time write the same time.
func TestNodesGoByTheDatabasesClock(t *testing.T) {
	if testing.Short() {
		t.Skip("PostgreSQL is left out of short runs")
	}
	url := storetest.PostgresURL(t)
	now := func(c clock.Clock) (written, read time.Time) {
		t.Helper()
		db, err := store.Open(bg, store.Options{URL: url, Clock: c})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.Write(bg, id.New(), func(tx *store.Tx) error { written = tx.Now(); return nil }); err != nil {
			t.Fatal(err)
		}
		return written, db.Clock().Now()
	}
	begun := clock.Real{}.Now()
	for _, wrong := range []time.Duration{0, 40 * time.Minute, -40 * time.Minute} {
		written, read := now(clock.NewShifted(clock.Real{}, wrong))
		for _, got := range []time.Time{written, read} {
			if d := got.Sub(begun); d < -time.Second || d > 30*time.Second {
				t.Errorf("a machine that is %s ahead says it is %s, %s off", wrong, got, d)
			}
		}
	}
	// A test's clock is the one that counts.
	still := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	if written, _ := now(clock.NewFake(still)); !written.Equal(still) {
		t.Errorf("a fake clock says %s", written)
	}
}
