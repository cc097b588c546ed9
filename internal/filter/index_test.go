package filter

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestIndexFindsWhatMatches: whatever was put, replaced and deleted, an index finds
// for a document what asking every filter finds.
func TestIndexFindsWhatMatches(t *testing.T) {
	found, asked, all := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var docs []any
		var pool []hint
		for range 4 {
			r := genRow().Draw(t, "row")
			docs = append(docs, r.document())
			pool = hints(r.document(), "", pool)
		}
		docs = append(docs, nil, 5, []any{docs[0], "x"})
		x, filters := NewIndex[int](), map[int]*Matcher{}
		for range 25 {
			key := rapid.IntRange(0, 15).Draw(t, "key")
			if rapid.IntRange(0, 5).Draw(t, "delete") == 0 {
				x.Delete(key)
				delete(filters, key)
				continue
			}
			f := targeted(t, genFilter(2, false, pool).Draw(t, "filter"), pool)
			if rapid.IntRange(0, 9).Draw(t, "of any group") == 0 {
				if g := genFilter(2, false, pool).Draw(t, "any filter"); !g.NeedsNow() {
					f = g
				}
			}
			if err := x.Put(key, f); err != nil {
				t.Fatal(err)
			}
			filters[key], _ = Compile(f)
		}
		if x.Put(1, Filter{Op: Equal}) == nil {
			t.Fatal("a wrong filter was put")
		}
		asked, all = asked+len(x.asked), all+x.Len()
		for range 2 { // what a match leaves behind must not disturb the next one
			for _, d := range docs {
				var want []int
				for key, m := range filters {
					if m.Match(d) {
						want = append(want, key)
					}
				}
				got := x.Match(d)
				slices.Sort(got)
				slices.Sort(want)
				found += len(want)
				if !slices.Equal(got, want) {
					t.Fatalf("the index finds %v, not %v, for %v", got, want, d)
				}
			}
		}
		for key := range 16 {
			x.Delete(key)
		}
		if len(x.asked) != 0 || x.Len() != 0 || len(x.Match(docs[0])) != 0 {
			t.Fatal("an emptied index still holds something")
		}
		for name, a := range x.fields {
			n := len(a.texts) + len(a.nums) + len(a.filled)
			for _, r := range a.ranges {
				n += len(r[0]) + len(r[1])
			}
			if n > 0 {
				t.Fatalf("the emptied index still has entries of %s", name)
			}
		}
	})
	t.Logf("%d found; %d of %d filters without a probe", found, asked, all)
	if found < 200 || asked*2 > all {
		t.Errorf("%d found, %d of %d filters without a probe: the test proves little", found, asked, all)
	}
}

// realistic draws a target as tenants write them.
func realistic(r *rand.Rand) Filter {
	one := func(field string, n int) Filter {
		return Filter{Op: Equal, Field: field, Value: fmt.Sprint(field, r.IntN(n))}
	}
	several := func(field string, n int) Filter {
		f := Filter{Op: AnyOf, Field: field}
		for range 2 + r.IntN(3) {
			f.List = append(f.List, fmt.Sprint(field, r.IntN(n)))
		}
		return f
	}
	day := func(op Op) Filter {
		return Filter{Op: op, Field: "_created_at", Value: time.Date(2024, 1, 1+r.IntN(1000), 0, 0, 0, 0, time.UTC).Format(time.DateOnly)}
	}
	part := func() Filter {
		switch r.IntN(10) {
		case 0, 1:
			return one("status", 8)
		case 2:
			return one("label", 40)
		case 3:
			return one("group", 30)
		case 4:
			return one("_tags", 200)
		case 5:
			return one("city", 500)
		case 6:
			return several("_tags", 200)
		case 7:
			return several("city", 500)
		case 8:
			return Filter{Op: []Op{Over, UpTo}[r.IntN(2)], Field: "score", Value: fmt.Sprint(r.IntN(100))}
		}
		return day([]Op{From, Under}[r.IntN(2)])
	}
	switch n := r.IntN(100); {
	case n < 3: // only with negation
		return Filter{Op: Not, Of: []Filter{one("status", 8)}}
	case n < 6: // only with contains
		return Filter{Op: Holds, Field: "_title", Value: fmt.Sprint("name", r.IntN(100))}
	case n < 20:
		return part()
	case n < 30:
		return Filter{Op: And, Of: []Filter{part(), {Op: Not, Of: []Filter{one("label", 40)}}}}
	case n < 45:
		return Filter{Op: Or, Of: []Filter{part(), part()}}
	case n < 75:
		return Filter{Op: And, Of: []Filter{part(), part()}}
	}
	return Filter{Op: And, Of: []Filter{part(), {Op: Or, Of: []Filter{part(), part()}}, part()}}
}

func realisticDoc(r *rand.Rand) map[string]any {
	text := func(name string, n int) any { return fmt.Sprint(name, r.IntN(n)) }
	return map[string]any{"_id": text("id", 1000000), "_schema": "contact", "_title": text("Name", 1000), "status": text("status", 8), "label": text("label", 40), "group": text("group", 30),
		"_tags": []any{text("_tags", 200), text("_tags", 200), text("_tags", 200)}, "city": text("city", 500), "score": int64(r.IntN(100)), "email": text("mail", 1000),
		"_created_at": time.Date(2024, 1, 1+r.IntN(1000), 9, 0, 0, 0, time.UTC).Format("2006-01-02T15:04:05.000Z"), "additional": map[string]any{"city": "x"}}
}

// BenchmarkIndex matches one document with 10,000 targets, and reports how many
// times longer asking each of them takes.
func BenchmarkIndex(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	x := NewIndex[int]()
	var list []*Matcher
	for i := range 10_000 {
		f := realistic(r)
		m, err := Compile(f)
		if err != nil {
			b.Fatal(err)
		}
		if err := x.Put(i, f); err != nil {
			b.Fatal(err)
		}
		list = append(list, m)
	}
	docs := make([]any, 100)
	for i := range docs {
		docs[i] = realisticDoc(r)
	}
	walk := func(doc any) (n int) {
		for _, m := range list {
			if m.Match(doc) {
				n++
			}
		}
		return n
	}
	hits := 0
	for _, d := range docs {
		n := walk(d)
		if hits += n; len(x.Match(d)) != n {
			b.Fatal("the index finds something else")
		}
	}
	start := time.Now()
	for _, d := range docs {
		walk(d)
	}
	walked := time.Since(start) / time.Duration(len(docs))
	b.ResetTimer()
	i := 0
	for b.Loop() {
		x.Match(docs[i%len(docs)])
		i++
	}
	b.ReportMetric(float64(walked)/(float64(b.Elapsed())/float64(i)), "times-faster")
	b.ReportMetric(float64(hits)/float64(len(docs)), "matches/doc")
}
