package platformtest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"parley/internal/id"
	"parley/internal/store"
)

// Rows counts the rows of every table, to prove that a refused call stored
// nothing.
func (r *Rig) Rows() map[string]int {
	r.Helper()
	raw := r.DB.Read(context.Background(), id.Zero).All()
	q := "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%'"
	if r.DB.Dialect() == store.Postgres {
		q = "SELECT table_name FROM information_schema.tables WHERE table_schema='public'"
	}
	rows, err := raw.Query(q)
	if err != nil {
		r.Fatal(err)
	}
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			r.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		r.Fatal(err)
	}
	_ = rows.Close()
	out := map[string]int{}
	for _, name := range names {
		var n int
		if err := raw.QueryRow("SELECT COUNT(*) FROM " + name).Scan(&n); err != nil {
			r.Fatal(err)
		}
		out[name] = n
	}
	return out
}

// Diff tells which tables differ, "" when none; tables in except may.
func Diff(before, after map[string]int, except ...string) string {
	var out []string
	for name, n := range after {
		if n != before[name] && !slices.Contains(except, name) {
			out = append(out, fmt.Sprintf("%s %d -> %d", name, before[name], n))
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
