package store_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"parley/internal/id"
	"parley/internal/store"
)

// A statement is planned once, not at every call: beside one that has its limit
// written into the text, one that is given it costs the same.
func BenchmarkLimit(b *testing.B) {
	db, err := store.Open(bg, store.Options{Path: filepath.Join(b.TempDir(), "x.db"), Unsynced: true})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(bg); err != nil {
		b.Fatal(err)
	}
	r := db.Read(bg, id.New())
	for name, query := range map[string]string{"given": "SELECT id FROM contact WHERE tenant_id=? ORDER BY id LIMIT ?", "written": "SELECT id FROM contact WHERE tenant_id=? ORDER BY id LIMIT 5"} {
		b.Run(name, func(b *testing.B) {
			for i := range b.N {
				var args []any
				if name == "given" {
					args = []any{1 + i%9}
				}
				rows, err := r.Query(query, args...)
				if err != nil {
					b.Fatal(err)
				}
				_ = rows.Close()
			}
		})
	}
}

// Limits hold as they are given, in every spelling.
func TestLimitsHold(t *testing.T) {
	db, err := store.Open(bg, store.Options{Path: filepath.Join(t.TempDir(), "x.db"), Unsynced: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(bg); err != nil {
		t.Fatal(err)
	}
	const ten = "WITH RECURSIVE n(tenant_id, i) AS (SELECT ?1, 1 UNION ALL SELECT tenant_id, i+1 FROM n WHERE i<10) "
	r := db.Read(bg, id.New())
	for _, limit := range []int{0, 1, 7, 10, 20} {
		for _, query := range []string{"SELECT COUNT(*) FROM (SELECT i FROM n WHERE tenant_id=?1 LIMIT ?)", "SELECT COUNT(*) FROM (SELECT i FROM n WHERE tenant_id=?1 ORDER BY i limit ?2 OFFSET 0)"} {
			var n int
			if err := r.QueryRow(ten+query, limit).Scan(&n); err != nil || n != min(limit, 10) {
				t.Errorf("%s gave %d rows of at most %d: %v", fmt.Sprint(query), n, limit, err)
			}
		}
	}
}
