package storetest

import (
	"context"
	"testing"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// Behind runs second while a transaction of first is open, and commits that once
// second waits for a row of it. It runs on PostgreSQL, where writers meet, on a
// database opened with Once.
func Behind(t *testing.T, db *store.DB, tenant id.ID, first func(ctx context.Context) error, second func() error) {
	t.Helper()
	begun, commit := make(chan struct{}), make(chan struct{})
	one, two := make(chan error, 1), make(chan error, 1)
	go func() {
		one <- db.Write(context.Background(), tenant, func(tx *store.Tx) error {
			if err := first(store.Join(context.Background(), tx)); err != nil {
				return err
			}
			close(begun)
			<-commit
			return nil
		})
	}()
	select {
	case <-begun:
	case err := <-one:
		t.Fatalf("what comes first: %v", err)
	}
	go func() { two <- second() }()
	for end := time.Now().Add(time.Minute); Waiting(t, db) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Error("what comes second does not wait for what came first")
			break
		}
	}
	close(commit)
	if err := <-one; err != nil {
		t.Errorf("what came first: %v", err)
	}
	if err := <-two; err != nil {
		t.Errorf("what came second: %v", err)
	}
}
