// Package storetest opens real databases for tests: a SQLite file in a folder
// of the test, and a PostgreSQL database in a throw-away cluster that the test
// process starts from installed binaries and that ends with it. Only tests
// import it.
package storetest

import (
	"context"
	"path/filepath"
	"testing"

	"parley/internal/clock"
	"parley/internal/store"
)

// Option changes how a test's database is opened.
type Option func(*store.Options)

// Clock injects a clock.
func Clock(c clock.Clock) Option { return func(o *store.Options) { o.Clock = c } }

// Once runs closures once instead of twice, for tests that count or measure.
func Once() Option { return func(o *store.Options) { o.Twice = false } }

// Each runs f on SQLite and on PostgreSQL: the same answers are expected. In
// short mode it runs on SQLite alone.
func Each(t *testing.T, f func(t *testing.T, db *store.DB), opts ...Option) {
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t, opts...)) })
	t.Run("postgres", func(t *testing.T) {
		if testing.Short() {
			t.Skip("PostgreSQL is left out of short runs")
		}
		f(t, Postgres(t, opts...))
	})
}

// SQLite returns a migrated SQLite database that ends with the test.
func SQLite(t testing.TB, opts ...Option) *store.DB {
	t.Helper()
	return open(t, store.Options{Path: filepath.Join(t.TempDir(), "parley.db")}, opts)
}

// Postgres returns a migrated, empty PostgreSQL database that is the test's own
// until it ends.
func Postgres(t testing.TB, opts ...Option) *store.DB {
	t.Helper()
	return open(t, store.Options{URL: pooled(t)}, opts)
}

func open(t testing.TB, o store.Options, opts []Option) *store.DB {
	t.Helper()
	o.Twice, o.Unsynced = true, true
	for _, f := range opts {
		f(&o)
	}
	db, err := store.Open(context.Background(), o)
	if err != nil {
		t.Fatalf("open the test database: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the test database: %v", err)
		}
	})
	if _, err := db.Migrate(context.Background()); err != nil {
		t.Fatalf("migrate the test database: %v", err)
	}
	return db
}
