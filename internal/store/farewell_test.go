package store_test

import (
	"testing"
	"time"

	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// A command ends right after its change: the other nodes hear of it all the same.
func TestAWakeIsToldBeforeTheEnd(t *testing.T) {
	url := storetest.PostgresURL(t)
	open := func() *store.DB {
		db, err := store.Open(bg, store.Options{URL: url, MaxConns: 2})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	server := open()
	defer server.Close()
	heard := make(chan string, 100)
	defer server.OnWake("news", func(key string) {
		select {
		case heard <- key:
		default:
		}
	})()
	wake := func(db *store.DB, key string) {
		if err := db.Write(bg, id.New(), func(tx *store.Tx) error { tx.Wake("news", key); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	hears := func(key string, again func()) {
		t.Helper()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); {
			if again != nil {
				again()
			}
			select {
			case got := <-heard:
				if got == key {
					return
				}
			case <-time.After(50 * time.Millisecond):
			}
		}
		t.Fatalf("the server did not hear %q", key)
	}
	first := open()
	defer first.Close()
	hears("it listens", func() { wake(first, "it listens") }) // listening begins a moment after opening
	command := open()
	wake(command, "the command's")
	if err := command.Close(); err != nil {
		t.Fatal(err)
	}
	hears("the command's", nil)
}
