package verify_test

import (
	"context"
	"testing"

	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/verify"
)

// Every query must run on both databases, and an empty one breaks nothing.
// That each can fail is proved where there is data to break, in test/chaos.
func TestAnEmptyDatabaseHolds(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		rep, err := verify.Run(context.Background(), db)
		if err != nil || !rep.OK || rep.Checked != len(verify.Invariants) {
			t.Fatalf("%+v %v", rep, err)
		}
	})
}
