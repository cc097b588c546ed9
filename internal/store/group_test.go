package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// Calls of one group that change something and then fail, that fail before they
// change anything, that panic, and that succeed: each gets its own end, whether
// the group ran with savepoints or without.
func TestAMixedGroupGivesEachItsEnd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tenant := id.New()
		var refused error = errors.New("refused")
		for round := 0; round < 6; round++ {
			if round%2 == 1 { // a fault before any change leaves the group as it is
				refused = fault.New(fault.Conflict, "refused")
			}
			hold, held := make(chan struct{}), make(chan struct{})
			var wg sync.WaitGroup
			wg.Add(1)
			go func() { // keeps the writer busy until the group has gathered
				defer wg.Done()
				_ = db.Write(bg, tenant, func(tx *store.Tx) error {
					select {
					case <-held:
					default:
						close(held)
						<-hold
					}
					return nil
				})
			}()
			<-held
			var mu sync.Mutex
			ran := map[string]int{}
			for i := 0; i < 40; i++ {
				wg.Add(1)
				go func() {
					defer wg.Done()
					name := fmt.Sprintf("%d-%d", round, i)
					defer func() {
						if p := recover(); (p != nil) != (i%4 == 3) {
							t.Errorf("call %d: panic %v", i, p)
						}
					}()
					err := db.Write(bg, tenant, func(tx *store.Tx) error {
						tx.After(func() { mu.Lock(); ran[name]++; mu.Unlock() })
						if i%4 == 1 {
							return refused // before it changed anything
						}
						if err := putSecret(tx, name, "x"); err != nil {
							return err
						}
						switch i % 4 {
						case 2:
							return refused
						case 3:
							panic("ouch")
						}
						return nil
					})
					if want := i%4 == 0; (err == nil) != want || (!want && !errors.Is(err, refused)) {
						t.Errorf("call %d: %v", i, err)
					}
				}()
			}
			close(hold)
			wg.Wait()
			for i := 0; i < 40; i++ {
				name := fmt.Sprintf("%d-%d", round, i)
				want := 0
				if i%4 == 0 {
					want = 1
				}
				var rows int
				if err := db.Read(bg, tenant).QueryRow("SELECT COUNT(*) FROM tenant_secret WHERE tenant_id=? AND name=?", name).Scan(&rows); err != nil {
					t.Fatal(err)
				}
				if rows != want || ran[name] != want {
					t.Errorf("call %s left %d rows and %d hooks, want %d", name, rows, ran[name], want)
				}
			}
		}
	}, storetest.Once())
}
