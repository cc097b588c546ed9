package store_test

import (
	"errors"
	"testing"

	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestAMemoNeverTellsWhatIsNoLongerSo(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tenant, other := id.New(), id.New()
		var memo store.Memo[string]
		loads := 0
		read := func(tx *store.Tx) (string, bool, error) {
			return memo.Get(tx, func() (s string, found bool, err error) {
				loads++
				found, err = store.Found(tx.QueryRow("SELECT sealed FROM tenant_secret WHERE tenant_id=? AND name=?", "x").Scan(&s))
				return s, found, err
			})
		}
		see := func(tenant id.ID, want string) {
			t.Helper()
			if err := db.Write(bg, tenant, func(tx *store.Tx) error {
				got, _, err := read(tx)
				if err == nil && got != want {
					t.Errorf("the memo says %q, want %q", got, want)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		set := func(v string, end error) {
			t.Helper()
			if err := db.Write(bg, tenant, func(tx *store.Tx) error {
				memo.Forget(tx)
				if _, err := tx.Exec("INSERT INTO tenant_secret (tenant_id, name, sealed, updated_at) VALUES (?,'x',?,0) ON CONFLICT (tenant_id, name) DO UPDATE SET sealed=excluded.sealed", v); err != nil {
					return err
				}
				if got, _, err := read(tx); err != nil || got != v { // its own change
					t.Errorf("inside, the memo says %q (%v), want %q", got, err, v)
				}
				return end
			}); !errors.Is(err, end) {
				t.Fatal(err)
			}
		}
		see(tenant, "")
		set("a", nil)
		see(tenant, "a")
		see(other, "")
		set("b", errors.New("undone"))
		see(tenant, "a")
		set("c", nil)
		see(tenant, "c")
		loads = 0
		for i := 0; i < 10; i++ {
			see(tenant, "c")
		}
		if remembers := db.Dialect() == store.SQLite; remembers != (loads == 0) {
			t.Errorf("ten looks loaded %d times", loads)
		}
	}, storetest.Once())
}
