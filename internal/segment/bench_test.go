package segment

import (
	"fmt"
	"testing"

	"parley/internal/entity"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/record"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// targets makes n realistic segments of people: a city or a range of postal codes,
// a tariff, how much they use, a tag.
func (w *world) targets(n int, schema string) []id.ID {
	w.Helper()
	item := func(key, operator string, value any) any {
		return map[string]any{"key": key, "operator": operator, "value": value}
	}
	var out []id.ID
	for at := 0; at < n; at += 500 {
		w.write(func(tx *store.Tx) error {
			out = out[:at]
			for i := at; i < min(n, at+500); i++ {
				items := []any{item("tariff", "equals", fmt.Sprint("tariff ", i%50)), item("usage", "greater_than", i%5000)}
				switch i % 4 {
				case 0:
					items = append(items, item("address.city", "any_of", []any{fmt.Sprint("city ", i%300), fmt.Sprint("city ", (i+1)%300)}))
				case 1:
					items = []any{item("zip", "greater_than_or_equals", 10_000+i), item("zip", "less_than", 10_020+i)}
				case 2:
					items = append(items, item("_tags", "equals", fmt.Sprint("tag ", i%100)))
				}
				v, err := w.s.CreateIn(tx, actor, New{Name: fmt.Sprint("target ", i), Schema: schema, Filters: map[string]any{"filter": map[string]any{"items": items, "combination": "AND"}}})
				if err != nil {
					return err
				}
				out = append(out, v.ID)
			}
			return nil
		})
	}
	return out
}

func customer(i int) map[string]any {
	return map[string]any{"tariff": fmt.Sprint("tariff ", i%50), "usage": i % 5000, "zip": 10_000 + i, "address": map[string]any{"city": fmt.Sprint("city ", i%300)}}
}

// BenchmarkContaining asks which of 10,000 segments contain a person. The share
// of the match itself is told apart from reading the person.
func BenchmarkContaining(b *testing.B) {
	w := newWorld(b, storetest.SQLite(b, storetest.Once()))
	w.targets(10_000, "contact")
	var people []id.ID
	for i := range 100 {
		people = append(people, w.person(customer(i*97)))
	}
	docs, err := w.entities.Documents(w.r(), "contact", people)
	w.check(err)
	if _, err := w.s.Containing(w.r(), person(people[0])); err != nil {
		b.Fatal(err)
	}
	b.Run("whole", func(b *testing.B) {
		hits := 0
		for i := range b.N {
			found, err := w.s.Containing(w.r(), person(people[i%len(people)]))
			if err != nil {
				b.Fatal(err)
			}
			hits += len(found)
		}
		b.ReportMetric(float64(hits)/float64(b.N), "segments/op")
	})
	b.Run("index", func(b *testing.B) {
		for i := range b.N {
			if err := w.s.with(w.r(), func(v *set) error { v.containing("contact", docs[people[i%len(people)]]); return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("walk", func(b *testing.B) { // what it would cost to ask each
		all, err := list(w.r(), id.Zero, MaxSegments)
		w.check(err)
		var each []*filter.Matcher
		for _, v := range all {
			m, err := filter.Compile(v.Filter)
			w.check(err)
			each = append(each, m)
		}
		b.ResetTimer()
		for i := range b.N {
			for _, m := range each {
				m.Match(docs[people[i%len(people)]])
			}
		}
	})
	b.Run("afterOneChange", func(b *testing.B) {
		all, err := list(w.r(), id.Zero, 1)
		w.check(err)
		for i := range b.N {
			_, err := w.s.Update(bg, w.tenant, actor, all[0].ID, Change{Name: ptr(fmt.Sprint("name ", i))})
			w.check(err)
			if _, err := w.s.Containing(w.r(), person(people[0])); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("cold", func(b *testing.B) {
		for range b.N {
			s := newService(w)
			if _, err := s.Containing(w.r(), person(people[0])); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkMatch asks which of 100 segments contain a person or his contract.
func BenchmarkMatch(b *testing.B) {
	w := newWorld(b, storetest.SQLite(b, storetest.Once()))
	ids := append(w.targets(50, "contact"), w.targets(50, "contract")...)
	v := w.person(customer(3))
	rec, err := w.records.Create(bg, w.tenant, actor, record.New{Schema: "contract", Attributes: customer(4)})
	w.check(err)
	refs := []entity.Ref{person(v), {Schema: "contract", ID: rec.ID}}
	hits := 0
	for range b.N {
		found, err := w.s.Match(w.r(), refs, ids)
		if err != nil {
			b.Fatal(err)
		}
		hits += len(found)
	}
	b.ReportMetric(float64(hits)/float64(b.N), "segments/op")
}

// BenchmarkLane compares people who changed with 1,000 segments.
func BenchmarkLane(b *testing.B) {
	w := newWorld(b, storetest.SQLite(b, storetest.Once()))
	w.targets(1000, "contact")
	w.settled()
	var people []id.ID
	for i := range 200 {
		people = append(people, w.person(customer(i)))
	}
	w.settled()
	b.ResetTimer()
	for i := range b.N {
		b.StopTimer()
		for j, v := range people {
			w.set(v, map[string]any{"zip": 20_000 + (i*31+j)%1000})
		}
		b.StartTimer()
		if done, _, err := w.s.step(bg, w.tenant); err != nil || !done {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(people)), "µs/entity")
}
