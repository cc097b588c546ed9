package filter

import (
	"testing"
	"time"

	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestSQLTable runs the reference's rows, and every operator with telling
// constants on every kind of column, over fixed rows in both databases.
func TestSQLTable(t *testing.T) {
	var golden, rows []row
	for _, c := range mongoCases {
		for _, text := range append(append([]string{}, c.yes...), c.no...) {
			doc := Canonical(parse(t, text)).(map[string]any)
			golden = append(golden, row{n: len(golden), doc: doc, attrs: doc, src: "z"})
		}
	}
	flags, opts := []any{nil, true, false}, []any{nil, "", "a", "5", "true"}
	tags := [][]string{nil, {"vip"}, {"a", "5"}, {"VIP", "new", ""}}
	for i := range 60 {
		r := row{doc: map[string]any{}, src: texts[i%len(texts)], opt: opts[i%5], score: []int64{0, 5, -1, 1 << 40, 1<<53 + 1, 6, -1 << 31}[i%7], flag: flags[i%3], tags: tags[i%4], labels: tags[(i+1)%4]}
		if i%2 > 0 {
			r.seen = at.Add(-time.Duration(i)*8*time.Hour - time.Duration(i%4-1)*time.Millisecond).UnixMilli()
			r.doc["a"] = Canonical(append(append([]any{}, numbers...), "", "5", "x", true, false, nil)[i/2])
		}
		r.n = i
		rows = append(rows, r)
	}
	var asked, filters []Filter
	for _, c := range mongoCases {
		f, err := ParseMongo(parse(t, c.filter).(map[string]any))
		if err != nil {
			t.Fatal(err)
		}
		asked = append(asked, f)
	}
	constants := []any{nil, true, false, int64(0), int64(5), 5.5, int64(10), "a", "5", "", "vip", "true", "2026-11-11T12:00:00.000Z", "2026-11-11", int64(1<<53 + 1), 1e19, -1e19, 0.1, []any{"vip"}, map[string]any{}, "\x00"}
	for _, name := range append([]string{"a", "attrs.a", "b.c", "src.x", "tags.0"}, fields...) {
		for _, v := range constants {
			for _, op := range []Op{Eq, Ne, Gt, Gte, Lt, Lte, Is, IsNot, Above, AtLeast, Below, AtMost, OneOf, Contains, StartsWith, EndsWith, Like, DaysAtLeast, DaysAtMost} {
				if k := kindOf(v); (k == kindArray || k == kindObject) && (op == Gt || op == Gte || op == Lt || op == Lte) {
					continue
				}
				filters = append(filters, Filter{Op: op, Field: name, Value: v})
			}
			if plain(v) {
				for _, op := range []Op{Equal, Holds, Begins, Ends, Over, From, Under, UpTo} {
					if v != "" || !(op == Holds || op == Begins || op == Ends) {
						filters = append(filters, Filter{Op: op, Field: name, Value: v})
					}
				}
				filters = append(filters, Filter{Op: AnyOf, Field: name, List: []any{v, "new", "6"}}, Filter{Op: Wild, Field: name, Value: "?*" + escaped(shown(v)) + "*"})
			}
			filters = append(filters, Filter{Op: In, Field: name, List: []any{v, "new"}}, Filter{Op: Nin, Field: name, List: []any{v, int64(6)}}, Filter{Op: All, Field: name, List: []any{v, "5"}})
		}
		for _, kind := range typeNames[:10] {
			filters = append(filters, Filter{Op: Type, Field: name, List: []any{kind}})
		}
		filters = append(filters, Filter{Op: Exists, Field: name, Value: true}, Filter{Op: Exists, Field: name, Value: false}, Filter{Op: Present, Field: name}, Filter{Op: Filled, Field: name}, Filter{Op: Absent, Field: name},
			Filter{Op: Size, Field: name, Value: int64(0)}, Filter{Op: Size, Field: name, Value: int64(2)}, Filter{Op: Mod, Field: name, List: []any{int64(5), int64(0)}}, Filter{Op: Matches, Field: name, Value: Regex{Pattern: "a"}},
			Filter{Op: Elem, Field: name, Of: []Filter{{Op: Eq, Value: "vip"}}}, Filter{Op: ElemMatch, Field: name, Of: []Filter{{Op: Eq, Field: "b", Value: int64(1)}}})
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tables(t, db)
		failed := 0
		for _, part := range []struct {
			rows    []row
			filters []Filter
		}{{golden, asked}, {rows, filters}} {
			tenant := id.New()
			if err := fill(db, tenant, part.rows); err != nil {
				t.Fatal(err)
			}
			for _, f := range part.filters {
				for _, g := range []Filter{f, {Op: Not, Of: []Filter{f}}} {
					if err := check(db, tenant, part.rows, g); err != nil {
						t.Errorf("%.1500s", err)
						if failed++; failed > 10 {
							t.FailNow()
						}
					}
				}
			}
		}
	}, storetest.Once())
}
