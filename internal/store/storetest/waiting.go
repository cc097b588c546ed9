package storetest

import (
	"context"
	"testing"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// Waiting counts the transactions of a PostgreSQL database that wait for a lock.
func Waiting(t testing.TB, db *store.DB) (n int) {
	t.Helper()
	err := db.Read(context.Background(), id.Zero).All().QueryRow("SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type='Lock' AND datname=current_database()").Scan(&n)
	if err != nil {
		t.Error(err)
	}
	return n
}

// AwaitWaiting waits until n transactions wait for a lock.
func AwaitWaiting(t testing.TB, db *store.DB, n int) {
	t.Helper()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); {
		if Waiting(t, db) >= n {
			return
		}
	}
	t.Fatalf("%d transactions never waited for a lock", n)
}

// Beside waits until somebody waits for a lock, or has ended without one and told
// done, which keeps what it was told. It may be called inside a transaction.
func Beside(t testing.TB, db *store.DB, done chan error) {
	t.Helper()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); {
		if len(done) > 0 || Waiting(t, db) > 0 {
			return
		}
	}
	t.Error("nobody came to wait")
}
