package store_test

import (
	"path/filepath"
	"testing"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestWakesCrossNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("PostgreSQL is left out of short runs")
	}
	url := storetest.PostgresURL(t)
	open := func() *store.DB {
		db, err := store.Open(bg, store.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	a, b := open(), open()
	woken := make(chan string, 64)
	defer b.OnWake("topic", func(key string) { woken <- key })()
	// The listener may still be connecting: a wake is a hint, so repeat it.
	for i := 0; ; i++ {
		if err := a.Write(bg, id.New(), func(tx *store.Tx) error { tx.Wake("topic", "x"); return nil }); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-woken:
			if got != "x" {
				t.Fatalf("got %q", got)
			}
			return
		default:
			if i > 20000 {
				t.Fatal("the other node was never woken")
			}
		}
	}
}

func TestQueueFullIsUnavailable(t *testing.T) {
	db, err := store.Open(bg, store.Options{Path: filepath.Join(t.TempDir(), "x.db"), QueueLimit: 1, Unsynced: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	hold, held := make(chan struct{}), make(chan struct{})
	done := make(chan error, 3)
	go func() {
		done <- db.Write(bg, id.New(), func(*store.Tx) error { close(held); <-hold; return nil })
	}()
	<-held
	go func() { done <- db.Write(bg, id.New(), func(*store.Tx) error { return nil }) }()
	for {
		if n, _, _ := db.Waiting(); n == 1 {
			break
		}
	}
	err = db.Write(bg, id.New(), func(*store.Tx) error { return nil })
	if f := fault.As(err); f == nil || f.Code != fault.Unavailable || f.RetryAfter == 0 {
		t.Fatalf("want Unavailable with a time to wait, got %v", err)
	}
	close(hold)
	if e1, e2 := <-done, <-done; e1 != nil || e2 != nil {
		t.Fatal(e1, e2)
	}
}
