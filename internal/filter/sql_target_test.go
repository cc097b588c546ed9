package filter

import (
	"os"
	"testing"
	"time"

	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// targetFilters asks every constant with every operator of the fifth group.
func targetFilters(fields []string, constants []any) []Filter {
	var out []Filter
	for _, name := range fields {
		for i, v := range constants {
			out = append(out, Filter{Op: Equal, Field: name, Value: v}, Filter{Op: AnyOf, Field: name, List: []any{v, constants[(i+7)%len(constants)], constants[(i+19)%len(constants)]}})
			for _, op := range []Op{Over, From, Under, UpTo} {
				out = append(out, Filter{Op: op, Field: name, Value: v})
			}
			if shown(v) == "" {
				continue
			}
			for _, op := range []Op{Holds, Begins, Ends} {
				out = append(out, Filter{Op: op, Field: name, Value: v})
			}
			out = append(out, Filter{Op: Wild, Field: name, Value: "?" + escaped(shown(v)) + "*"}, Filter{Op: Wild, Field: name, Value: "*" + escaped(shown(v)) + "?"})
		}
		out = append(out, Filter{Op: Filled, Field: name}, Filter{Op: AnyOf, Field: name})
	}
	return out
}

// TestTargetTable: every operator of the fifth group with every constant on every
// value, in texts, arrays, child tables and JSON, in both databases.
func TestTargetTable(t *testing.T) {
	var values []any
	for _, s := range texts {
		values = append(values, s)
	}
	values = append(values, true, false)
	values = append(values, numbers...)
	constants := values
	docs := append(values, nil, []any{}, map[string]any{}, []any{nil}, []any{""}, []any{[]any{}}, []any{map[string]any{}}, []any{[]any{"a"}}, map[string]any{"b": 1}, []any{"a", int64(5)}, []any{"VIP", true}, []any{0.5, "0.1"})
	var rows []row
	for i, v := range docs {
		r := row{n: i, src: texts[i%len(texts)], score: int64(i - 5), doc: map[string]any{"a": Canonical(v), "b": []any{map[string]any{"c": Canonical(v)}, "x"}}, tags: []string{texts[i%len(texts)], "x"}}
		if i%2 == 0 {
			r.seen = at.AddDate(0, 0, i-60).UnixMilli()
			r.flag = i%4 == 0
		}
		rows = append(rows, r)
	}
	if os.Getenv("PARLEY_SOAK") == "" { // every constant once in a while
		constants = nil
		for i := int(time.Now().Unix() % 6); i < len(values); i += 6 {
			constants = append(constants, values[i])
		}
	}
	filters := targetFilters([]string{"a", "b.c", "src", "tags", "seen", "flag", "score", "src.x", "tags.0", "attrs.a"}, constants)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tables(t, db)
		tenant := id.New()
		if err := fill(db, tenant, rows); err != nil {
			t.Fatal(err)
		}
		failed, inexact := 0, 0
		for i, f := range filters {
			if _, _, exact := SQL(f, cols, db.Dialect()); !exact {
				inexact++
			}
			if i%5 == 0 {
				f = Filter{Op: Not, Of: []Filter{f}}
			}
			if err := check(db, tenant, rows, f); err != nil {
				t.Errorf("%.1500s", err)
				if failed++; failed > 10 {
					t.FailNow()
				}
			}
		}
		t.Logf("%d of %d filters are not exact", inexact, len(filters))
	}, storetest.Once())
}

// TestTargetNarrowing: what audiences are counted by is exact, in both databases.
func TestTargetNarrowing(t *testing.T) {
	for _, name := range []string{"src", "opt", "tags", "labels", "a", "attrs.city", "attrs.a.b"} {
		for _, f := range []Filter{{Op: Equal, Value: "x"}, {Op: Equal, Value: "5"}, {Op: Equal, Value: int64(5)}, {Op: Equal, Value: true}, {Op: AnyOf, List: []any{"a", "5", "true"}}, {Op: Holds, Value: "Müller"},
			{Op: Begins, Value: "49"}, {Op: Ends, Value: "x"}, {Op: Wild, Value: "a*b?"}, {Op: Over, Value: "50"}, {Op: UpTo, Value: int64(50)}, {Op: From, Value: "2026-01-31"}, {Op: Under, Value: "2026-01-31T10:00:00+02:00"}, {Op: Over, Value: "m"}, {Op: Filled}} {
			f.Field = name
			exactIn(t, f)
			exactIn(t, Filter{Op: Nor, Of: []Filter{f, {Op: Equal, Field: "src", Value: "b"}}})
		}
	}
	for _, f := range []Filter{{Op: Equal, Field: "score", Value: "5"}, {Op: AnyOf, Field: "score", List: []any{"5", "x"}}, {Op: Over, Field: "score", Value: "5.5"}, {Op: Begins, Field: "score", Value: "5"}, {Op: Filled, Field: "score"},
		{Op: Equal, Field: "flag", Value: "true"}, {Op: Over, Field: "seen", Value: "2026-01-31"}, {Op: Equal, Field: "seen", Value: "2026-11-11T12:00:00.000Z"}, {Op: Filled, Field: "seen"}} {
		exactIn(t, f)
	}
}

func exactIn(t *testing.T, f Filter) {
	t.Helper()
	for _, d := range []store.Dialect{store.SQLite, store.Postgres} {
		if where, _, exact := SQL(f, cols, d); !exact || where == anything.sql {
			t.Errorf("%s on %s is not exact: %s", written(f), d, where)
		}
	}
}
