package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

func putSecret(tx *store.Tx, name, v string) error {
	_, err := tx.Exec("INSERT INTO tenant_secret (tenant_id, name, sealed, updated_at) VALUES (?,?,?,?)", name, v, tx.Now())
	return err
}

func count(t *testing.T, r store.Reader) (n int) {
	t.Helper()
	if err := r.QueryRow("SELECT COUNT(*) FROM tenant_secret WHERE tenant_id=?").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWriteCommitsOrUndoesAll(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tenant := id.New()
		boom := errors.New("boom")
		err := db.Write(bg, tenant, func(tx *store.Tx) error {
			if err := putSecret(tx, "a", "1"); err != nil {
				return err
			}
			return boom
		})
		if !errors.Is(err, boom) {
			t.Fatalf("want the closure's error, got %v", err)
		}
		if n := count(t, db.Read(bg, tenant)); n != 0 {
			t.Fatalf("%d rows of an undone write", n)
		}
		if err := db.Write(bg, tenant, func(tx *store.Tx) error { return putSecret(tx, "a", "1") }); err != nil {
			t.Fatal(err)
		}
		if n := count(t, db.Read(bg, tenant)); n != 1 {
			t.Fatalf("%d rows, want 1", n)
		}
		if n := count(t, db.Read(bg, id.New())); n != 0 {
			t.Fatalf("another tenant sees %d rows", n)
		}
	})
}

func TestClosuresRunTwiceInTests(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		runs := 0
		if err := db.Write(bg, id.New(), func(tx *store.Tx) error {
			runs++
			return putSecret(tx, "a", "1")
		}); err != nil {
			t.Fatal(err)
		}
		if runs != 2 {
			t.Fatalf("the closure ran %d times, want 2", runs)
		}
	})
}

func TestNeighboursSurviveEachOther(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tenant := id.New()
		var wg sync.WaitGroup
		var ok, bad atomic.Int64
		for i := 0; i < 200; i++ {
			wg.Add(1)
			go func() {
				defer wg.Done()
				err := db.Write(bg, tenant, func(tx *store.Tx) error {
					if err := putSecret(tx, fmt.Sprint(i), "x"); err != nil {
						return err
					}
					if i%3 == 0 {
						return errors.New("refused")
					}
					return nil
				})
				if err == nil {
					ok.Add(1)
				} else {
					bad.Add(1)
				}
			}()
		}
		wg.Wait()
		if ok.Load() != 133 || bad.Load() != 67 {
			t.Fatalf("ok %d, refused %d; want 133 and 67", ok.Load(), bad.Load())
		}
		if n := count(t, db.Read(bg, tenant)); n != 133 {
			t.Fatalf("%d rows, want 133", n)
		}
	})
}

func TestNestedWriteIsAnError(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		err := db.Write(bg, id.New(), func(tx *store.Tx) error {
			return db.Write(bg, id.New(), func(*store.Tx) error { return nil })
		})
		if err == nil || !strings.Contains(err.Error(), "inside a Write") {
			t.Fatalf("a nested write must be refused, got %v", err)
		}
	})
}

// Outside tests the defect shows too, after a moment, instead of a server that hangs.
func TestNestedWriteIsAnErrorInProduction(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tenant := id.New()
		err := db.Write(bg, tenant, func(tx *store.Tx) error {
			return db.Write(bg, id.New(), func(*store.Tx) error { return nil })
		})
		if err == nil || !strings.Contains(err.Error(), "inside a Write") {
			t.Fatalf("a nested write must be refused, got %v", err)
		}
		if err := db.Write(bg, tenant, func(tx *store.Tx) error { return putSecret(tx, "a", "1") }); err != nil {
			t.Fatalf("the database must go on: %v", err)
		}
	}, storetest.Once())
}

func TestJoinedWritesAreOneTransaction(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tenant := id.New()
		hooks := 0
		run := func(end error) error {
			hooks = 0
			return db.Write(bg, tenant, func(tx *store.Tx) error {
				ctx := store.Join(bg, tx)
				if err := db.Write(ctx, tenant, func(tx *store.Tx) error {
					tx.After(func() { hooks++ })
					return putSecret(tx, "kept", "1")
				}); err != nil {
					return err
				}
				// This part fails and takes only itself back.
				_ = db.Write(ctx, tenant, func(tx *store.Tx) error {
					tx.After(func() { hooks += 100 })
					if err := putSecret(tx, "dropped", "1"); err != nil {
						return err
					}
					return errors.New("no")
				})
				if n := count(t, db.Read(ctx, tenant)); n != 1 {
					return fmt.Errorf("inside: %d rows, want 1", n)
				}
				return end
			})
		}
		if err := run(errors.New("undo")); err == nil || err.Error() != "undo" {
			t.Fatal(err)
		}
		if n := count(t, db.Read(bg, tenant)); n != 0 || hooks != 0 {
			t.Fatalf("%d rows and %d hooks after an undone whole", n, hooks)
		}
		if err := run(nil); err != nil {
			t.Fatal(err)
		}
		if n := count(t, db.Read(bg, tenant)); n != 1 || hooks != 1 {
			t.Fatalf("%d rows, %d hooks; want 1 and 1", n, hooks)
		}
	})
}

func TestPanicReachesItsCallerAlone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tenant := id.New()
		func() {
			defer func() {
				if p := recover(); p == nil || !strings.Contains(fmt.Sprint(p), "kaboom") {
					t.Errorf("the caller must see the panic, got %v", p)
				}
			}()
			_ = db.Write(bg, tenant, func(tx *store.Tx) error { panic("kaboom") })
		}()
		if err := db.Write(bg, tenant, func(tx *store.Tx) error { return putSecret(tx, "a", "1") }); err != nil {
			t.Fatalf("the database must go on: %v", err)
		}
	})
}

func TestACancelledCallerCannotUndoACommit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tenant := id.New()
		ctx, cancel := context.WithCancel(bg)
		err := db.Write(ctx, tenant, func(tx *store.Tx) error {
			cancel()
			return putSecret(tx, "a", "1")
		})
		if n := count(t, db.Read(bg, tenant)); err != nil || n != 1 {
			t.Fatalf("err %v, rows %d; a begun write must commit and say so", err, n)
		}
		if err := db.Write(ctx, tenant, func(tx *store.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Fatalf("a cancelled caller must not begin: %v", err)
		}
	})
}

func TestLocksMakeReadThenWriteSafe(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tenant := id.New()
		if err := db.Write(bg, tenant, func(tx *store.Tx) error { return putSecret(tx, "n", "0") }); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := 0; i < 40; i++ {
			wg.Add(1)
			go func() {
				defer wg.Done()
				if err := db.Write(bg, tenant, func(tx *store.Tx) error {
					if err := tx.Lock("counter", "b", "a"); err != nil {
						return err
					}
					var s string
					if err := tx.QueryRow("SELECT sealed FROM tenant_secret WHERE tenant_id=? AND name=?", "n").Scan(&s); err != nil {
						return err
					}
					var n int
					_, _ = fmt.Sscan(s, &n)
					_, err := tx.Exec("UPDATE tenant_secret SET sealed=? WHERE tenant_id=? AND name=?", fmt.Sprint(n+1), "n")

					return err
				}); err != nil {
					t.Error(err)
				}
			}()
		}
		wg.Wait()
		var s string
		if err := db.Read(bg, tenant).QueryRow("SELECT sealed FROM tenant_secret WHERE tenant_id=?").Scan(&s); err != nil || s != "40" {
			t.Fatalf("counter is %q (%v), want 40: an update was lost", s, err)
		}
	}, storetest.Once())
}

func TestValuesRoundTrip(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tenant := id.New()
		at := time.UnixMilli(1_700_000_000_123).UTC()
		type doc struct {
			A string
			N *int
			L []string
		}
		in := doc{A: "é<&>\u2028", L: []string{"x"}}
		if err := db.Write(bg, tenant, func(tx *store.Tx) error {
			_, err := tx.Exec("INSERT INTO tenant (tenant_id, code, name, status, settings, created_at, updated_at) VALUES (?,?,?,?,?,?,?)",
				"CODE", "what? 'quoted ?'", "active", store.JSON(in), at, time.Time{}.Add(time.Hour))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		var out doc
		var name string
		var got time.Time
		if err := db.Read(bg, tenant).QueryRow("SELECT name, settings, created_at FROM tenant WHERE tenant_id=? AND name LIKE '%?%'").
			Scan(&name, store.JSON(&out), store.Time(&got)); err != nil {
			t.Fatal(err)
		}
		if out.A != in.A || out.N != nil || len(out.L) != 1 || !got.Equal(at) || name != "what? 'quoted ?'" {
			t.Fatalf("got %+v %v %q", out, got, name)
		}
	})
}

func TestWakesReachSubscribersAfterTheCommit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		woken := make(chan string, 10)
		stop := db.OnWake("topic", func(key string) { woken <- key })
		defer stop()
		_ = db.Write(bg, id.New(), func(tx *store.Tx) error { tx.Wake("topic", "undone"); return errors.New("no") })
		if err := db.Write(bg, id.New(), func(tx *store.Tx) error { tx.Wake("topic", "done"); return nil }); err != nil {
			t.Fatal(err)
		}
		if got := <-woken; got != "done" || len(woken) != 0 {
			t.Fatalf("woken with %q and %d more", got, len(woken))
		}
	})
}

func TestMigrateIsRepeatable(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if n, err := db.Migrate(bg); err != nil || n != 0 {
			t.Fatalf("a second migration took %d steps: %v", n, err)
		}
		have, want, err := db.SchemaVersion(bg)
		if err != nil || have != want || want == 0 {
			t.Fatalf("version %d of %d: %v", have, want, err)
		}
	})
}
