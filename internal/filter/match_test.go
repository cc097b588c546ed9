package filter

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func matcher(t testing.TB, text string) *Matcher {
	f, err := ParseMongo(parse(t, text).(map[string]any))
	if err != nil {
		t.Fatal(err)
	}
	m, err := Compile(f)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const usual = `{"status":"open","score":{"$gte":40,"$lt":90},"tags":{"$in":["vip","new"]},"address.city":{"$ne":"Pune"},"items":{"$elemMatch":{"sku":"A7","n":{"$gt":1}}},"email":{"$regex":"@example[.]com$"}}`

func usualDoc(t testing.TB) any {
	return parse(t, `{"status":"open","score":55,"tags":["old","new"],"address":{"city":"Nashik"},"items":[{"sku":"B1","n":1},{"sku":"A7","n":2}],"email":"ann@example.com"}`)
}

func TestMatchAllocatesNothing(t *testing.T) {
	m, doc := matcher(t, usual), usualDoc(t)
	if !m.Match(doc) {
		t.Fatal("the usual document does not match")
	}
	if n := testing.AllocsPerRun(100, func() { m.Match(doc) }); n != 0 {
		t.Errorf("a match allocates %v times", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	m, doc := matcher(b, usual), usualDoc(b)
	b.ReportAllocs()
	for b.Loop() {
		m.Match(doc)
	}
}

func BenchmarkConditions(b *testing.B) {
	f, err := ParseConditions([]any{map[string]any{"field": "lead.source", "operator": "eq", "value": "web"}, map[string]any{"field": "lead.score", "operator": "gte", "value": "40"}}, "")
	if err != nil {
		b.Fatal(err)
	}
	m, _ := Compile(f)
	doc := map[string]any{"lead": map[string]any{"source": "web", "score": 55.0}}
	b.ReportAllocs()
	for b.Loop() {
		m.MatchAt(doc, at, time.UTC)
	}
}

func BenchmarkSQL(b *testing.B) {
	f, err := ParseMongo(parse(b, usual).(map[string]any))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		SQL(f, cols, store.SQLite)
	}
}

func TestNumbers(t *testing.T) {
	inOrder := []any{-math.MaxFloat64, -1e19, int64(math.MinInt64), -9007199254740993.0, int64(-1), -0.5, json.Number("-0"), 5e-324, json.Number("0.1"), 1.0, 1.5, int64(1 << 53), int64(1<<53 + 1),
		int64(math.MaxInt64 - 1), uint64(math.MaxInt64), uint64(math.MaxUint64), 1e19 * 2, json.Number("1e400")}
	for i, a := range inOrder {
		for j, b := range inOrder {
			x, ok := numOf(a)
			y, ok2 := numOf(b)
			if !ok || !ok2 {
				t.Fatalf("%v or %v is no number", a, b)
			}
			if c := x.compare(y); (c < 0) != (i < j) || (c == 0) != (i == j) {
				t.Errorf("%v and %v compare as %d", a, b, c)
			}
		}
	}
	if _, ok := numOf(math.NaN()); ok {
		t.Error("NaN is a number")
	}
	got, err := Decode([]byte(`{"a":[5.0,1e2,12345678901234567890,1152921504606846976.0,0.1,1e999,9007199254740993]}`))
	want := []any{int64(5), int64(100), 12345678901234567890.0, int64(1152921504606847000), 0.1, math.MaxFloat64, int64(9007199254740993)}
	if err != nil || !same(got.(map[string]any)["a"], want) {
		t.Errorf("Decode gives %v, %v", got, err)
	}
	if _, err := Decode([]byte(`{`)); err == nil {
		t.Error("Decode takes broken JSON")
	}
}

// TestNarrowing: what rooms filter by most is exact, in both databases.
func TestNarrowing(t *testing.T) {
	for text, want := range map[string]bool{
		`{"src":"a"}`: true, `{"src":{"$in":["a","b"]}}`: true, `{"score":{"$gte":5,"$lt":10.5}}`: true, `{"flag":true}`: true, `{"tags":"vip"}`: true, `{"tags":{"$ne":"vip"}}`: true,
		`{"a":"x"}`: true, `{"a":{"$gt":5}}`: true, `{"attrs.city":{"$in":["Pune","Delhi"]}}`: true, `{"attrs.a.b":"x"}`: true, `{"a":{"$exists":true}}`: true, `{"a":null}`: true, `{"a.b":{"$size":2}}`: true,
		`{"$or":[{"a":1},{"b":{"$ne":"x"}}]}`: true, `{"$nor":[{"a":1},{"b":"x"}]}`: true,
		`{"src":{"$regex":"a"}}`: false, `{"a":{"$elemMatch":{"b":1}}}`: false, `{"a.0":1}`: false,
	} {
		f, err := ParseMongo(parse(t, text).(map[string]any))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []store.Dialect{store.SQLite, store.Postgres} {
			if where, _, exact := SQL(f, cols, d); exact != want {
				t.Errorf("%s on %s is exact: %v, want %v: %s", text, d, exact, want, where)
			}
		}
	}
	if _, args, exact := SQL(Filter{Op: Eq, Field: "a", Value: 0.1}, cols, store.SQLite); exact || len(args) != 5 {
		t.Errorf("a fraction is exact on SQLite, or its bounds are %v", args)
	}
	if where, _, exact := SQL(Filter{Op: Eq, Field: "a", Value: "x"}, Columns{}, store.SQLite); where != "1=1" || exact {
		t.Errorf("an unknown field narrows to %s", where)
	}
}

// TestLargestFilter: a filter at the limits runs in both databases.
func TestLargestFilter(t *testing.T) {
	f := Filter{Op: Or}
	for range MaxNodes - 1 {
		f.Of = append(f.Of, Filter{Op: Ne, Field: "a.b", Value: "x"})
	}
	nested := Filter{Op: Eq, Field: "a.b.c", Value: int64(1)}
	for i := range MaxDepth - 1 {
		nested = Filter{Op: []Op{And, Not, Or, Nor}[i%4], Of: []Filter{nested}}
	}
	list := make([]any, MaxValues)
	for i := range list {
		list[i] = int64(i)
	}
	words := make([]any, MaxValues)
	for i := range words {
		words[i] = "w"
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tables(t, db)
		rows := []row{{n: 1, doc: map[string]any{"a": map[string]any{"b": []any{"x", "w"}}, "n": int64(77)}}, {n: 2, doc: map[string]any{"n": "w"}}}
		tenant := id.New()
		if err := fill(db, tenant, rows); err != nil {
			t.Fatal(err)
		}
		for _, f := range []Filter{f, nested, {Op: In, Field: "n", List: list}, {Op: In, Field: "n", List: words}, {Op: Nin, Field: "tags", List: words}, {Op: All, Field: "n", List: words}, {Op: Nin, Field: "n", List: append([]any{nil}, words[1:]...)}} {
			if err := check(db, tenant, rows, f); err != nil {
				t.Errorf("%.2000s", err)
			}
		}
	}, storetest.Once())
}
