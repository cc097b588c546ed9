package entity_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"parley/internal/entity"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// hint is a field of a document with its value, so that filters meet.
type hint struct {
	field string
	value any
}

func hints(v any, at string, out []hint) []hint {
	switch t := v.(type) {
	case map[string]any:
		for k, x := range t {
			place := k
			if at != "" {
				place = at + "." + k
			}
			out = hints(x, place, append(out, hint{place, x}))
		}
	case []any:
		for _, x := range t {
			out = hints(x, at, append(out, hint{at, x}))
		}
	}
	return out
}

type generator struct {
	hints []hint
	// tried and taken count the filters of each parser.
	tried, taken map[string]int
}

func (g *generator) hint(t *rapid.T) hint {
	h := rapid.SampledFrom(g.hints).Draw(t, "hint")
	if rapid.IntRange(0, 3).Draw(t, "other value") == 0 {
		h.value = rapid.SampledFrom(g.hints).Draw(t, "its value").value
	}
	if rapid.IntRange(0, 19).Draw(t, "nowhere") == 0 {
		h.field += ".x"
	}
	return h
}

func (g *generator) word(t *rapid.T) string { return fmt.Sprint(g.scalar(t)) }

func (g *generator) scalar(t *rapid.T) any {
	for range 20 {
		switch v := g.hint(t).value.(type) {
		case string, bool, int64, float64:
			return v
		}
	}
	return "red"
}

func (g *generator) value(t *rapid.T, h hint) any {
	switch h.value.(type) {
	case string, bool, int64, float64:
		return h.value
	}
	return g.scalar(t)
}

var operators = []string{"equals", "equals", "not_equals", "=", "!=", "any_of", "none_of", "in", "not_in", "contains", "not_contains", "~", "!~", "starts_with", "ends_with",
	"greater_than", "less_than", "greater_than_or_equals", "less_than_or_equals", "is_empty", "is_not_empty"}

// target draws the filters of a target.
func (g *generator) target(t *rapid.T) (filter.Filter, error) {
	var items []any
	for range rapid.IntRange(1, 3).Draw(t, "items") {
		h := g.hint(t)
		op := rapid.SampledFrom(operators).Draw(t, "operator")
		item := map[string]any{"key": h.field, "operator": op, "value": fmt.Sprint(g.value(t, h))}
		if slices.Contains([]string{"any_of", "none_of", "in", "not_in"}, op) {
			item["value"] = []any{fmt.Sprint(g.value(t, h)), g.word(t)}
		}
		items = append(items, item)
	}
	f, empty, err := filter.ParseTarget(map[string]any{"filter": map[string]any{"items": items, "combination": rapid.SampledFrom([]string{"AND", "or"}).Draw(t, "combination")}})
	if err == nil && empty {
		t.Fatalf("%v is empty", items)
	}
	return f, err
}

// search draws a filter of the entity API.
func (g *generator) search(t *rapid.T) (filter.Filter, error) {
	return filter.ParseSearch([]any{g.element(t, 2)}, "filter")
}

func (g *generator) element(t *rapid.T, depth int) map[string]any {
	n := 7
	if depth == 0 {
		n = 4
	}
	h := g.hint(t)
	switch rapid.IntRange(0, n).Draw(t, "element") {
	case 0, 1:
		return map[string]any{"term": map[string]any{h.field: g.value(t, h)}}
	case 2:
		return map[string]any{"terms": map[string]any{h.field: []any{g.value(t, h), g.scalar(t)}}}
	case 3:
		return map[string]any{"range": map[string]any{h.field: map[string]any{rapid.SampledFrom([]string{"gt", "gte", "lt", "lte"}).Draw(t, "bound"): g.value(t, h)}}}
	case 4:
		return map[string]any{"exists": map[string]any{"field": h.field}}
	case 5:
		return map[string]any{"$and": []any{g.element(t, depth-1), g.element(t, depth-1)}}
	case 6:
		return map[string]any{"$or": []any{g.element(t, depth-1), g.element(t, depth-1)}}
	}
	return map[string]any{"$not": []any{g.element(t, depth-1)}}
}

// lucene draws a query string.
func (g *generator) lucene(t *rapid.T) (filter.Filter, error) {
	f, text, err := filter.ParseLucene(g.clause(t, 2))
	if text != "" {
		t.Fatalf("%q is bare words", text)
	}
	return f, err
}

func (g *generator) clause(t *rapid.T, depth int) string {
	n := 7
	if depth == 0 {
		n = 4
	}
	h := g.hint(t)
	quoted := func(v any) string {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(fmt.Sprint(v)) + `"`
	}
	field := strings.NewReplacer(" ", `\ `, ":", `\:`).Replace(h.field)
	switch rapid.IntRange(0, n).Draw(t, "clause") {
	case 0, 1:
		return field + ":" + quoted(g.value(t, h))
	case 2:
		return field + ":" + rapid.SampledFrom([]string{"r*", "*e*", "?ed", "*", "an?", "5"}).Draw(t, "pattern")
	case 3:
		return field + ":[" + quoted(g.value(t, h)) + " TO *]"
	case 4:
		return "_exists_:" + field
	case 5:
		return "(" + g.clause(t, depth-1) + " AND " + g.clause(t, depth-1) + ")"
	case 6:
		return "(" + g.clause(t, depth-1) + " OR " + g.clause(t, depth-1) + ")"
	}
	return "(NOT " + g.clause(t, depth-1) + ")"
}

// free draws a filter of the other groups.
func (g *generator) free(t *rapid.T) (filter.Filter, error) {
	h := g.hint(t)
	op := rapid.SampledFrom([]filter.Op{filter.Exists, filter.Eq, filter.Ne, filter.Gt, filter.Lte, filter.Is, filter.IsNot, filter.AtLeast, filter.Below, filter.Contains, filter.Present, filter.Absent,
		filter.Same, filter.More, filter.Includes, filter.In, filter.Nin, filter.Equal, filter.AnyOf, filter.Holds, filter.Begins, filter.Ends, filter.Over, filter.UpTo, filter.Filled}).Draw(t, "op")
	f := filter.Filter{Op: op, Field: h.field}
	switch op {
	case filter.Present, filter.Absent, filter.Filled:
	case filter.Exists:
		f.Value = rapid.Bool().Draw(t, "there")
	case filter.In, filter.Nin, filter.AnyOf:
		f.List = []any{g.value(t, h), g.scalar(t)}
	default:
		f.Value = g.value(t, h)
	}
	if rapid.IntRange(0, 3).Draw(t, "not") == 0 {
		f = filter.Filter{Op: filter.Not, Of: []filter.Filter{f}}
	}
	return f, f.Validate()
}

func (g *generator) draw(t *rapid.T) (filter.Filter, bool) {
	names := []string{"target", "search", "lucene", "free"}
	name := rapid.SampledFrom(names).Draw(t, "parser")
	f, err := map[string]func(*rapid.T) (filter.Filter, error){"target": g.target, "search": g.search, "lucene": g.lucene, "free": g.free}[name](t)
	g.tried[name]++
	if err == nil {
		g.taken[name]++
	}
	return f, err == nil
}

// What the match in memory says of every document is what Walk enumerates and what
// Count counts.
func TestMatchInMemoryIsEnumerationIsCount(t *testing.T) {
	filters, rounds := 1, 1
	if os.Getenv("PARLEY_SOAK") != "" {
		filters, rounds = 10, 10
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for round := range rounds {
			w, seed := newWorld(t, db), rand.Uint64()
			t.Logf("round %d, population %d", round, seed)
			w.populate(rand.New(rand.NewPCG(seed, 1)), 70, 50)
			matches(t, w, filters)
		}
	}, storetest.Once())
}

func matches(t *testing.T, w *world, filters int) {
	schemas := []string{entity.Contact, "order", "meter"}
	docs := map[string]map[id.ID]entity.Doc{}
	g := &generator{tried: map[string]int{}, taken: map[string]int{}}
	pairs := 0
	for _, schema := range schemas {
		docs[schema] = map[id.ID]entity.Doc{}
		for _, f := range w.all(schema, filter.Filter{}) {
			d := w.doc(schema, f.ID)
			if d == nil || d["_title"] != f.Title {
				t.Fatalf("%s %s has the title %q and the document %v", schema, f.ID, f.Title, d)
			}
			docs[schema][f.ID] = d
			g.hints = hints(d, "", g.hints)
		}
		if len(docs[schema]) == 0 {
			t.Fatalf("there is no %s", schema)
		}
	}
	slices.SortFunc(g.hints, func(a, b hint) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	rapid.Check(t, func(rt *rapid.T) {
		for range filters {
			f, ok := g.draw(rt)
			if !ok {
				continue
			}
			m, err := filter.Compile(f)
			if err != nil {
				rt.Fatal(err)
			}
			if w.s.Usual(); rapid.Bool().Draw(rt, "many have it") {
				w.s.Narrowness(rapid.IntRange(1, 3).Draw(rt, "few"), rapid.SampledFrom([]int{1, 20, 1000}).Draw(rt, "many"), 5)
			}
			for _, schema := range schemas {
				want := []string{}
				for v, d := range docs[schema] {
					if pairs++; m.MatchAt(d, w.r().Now(), time.UTC) {
						want = append(want, v.String())
					}
				}
				slices.Sort(want)
				got := []string{}
				for _, x := range w.all(schema, f) {
					got = append(got, x.ID.String())
				}
				if !slices.Equal(got, want) {
					rt.Fatalf("%+v of %s\nwalks %d, %d match\n%s", f, schema, len(got), len(want), w.differ(schema, docs[schema], got, want))
				}
				if n, err := w.s.Count(w.r(), schema, f); err != nil || int(n) != len(want) {
					rt.Fatalf("%+v of %s: counts %d, %v; %d match", f, schema, n, err, len(want))
				}
			}
		}
	})
	t.Logf("%d pairs; filters %v of %v", pairs, g.taken, g.tried)
	for name, n := range g.tried {
		if g.taken[name]*2 < n {
			t.Errorf("of %d filters of %s only %d were taken", n, name, g.taken[name])
		}
	}
}

func (w *world) differ(schema string, docs map[id.ID]entity.Doc, got, want []string) string {
	var out strings.Builder
	for v, d := range docs {
		if s := v.String(); slices.Contains(got, s) != slices.Contains(want, s) {
			fmt.Fprintf(&out, "%s: %#v\n", s, d)
			break
		}
	}
	return out.String()
}

// all walks with small pages.
func (w *world) all(schema string, f filter.Filter) (out []entity.Found) {
	w.Helper()
	after := id.Zero
	for {
		page, next, err := w.s.Walk(w.r(), schema, f, after, 17)
		if err != nil {
			w.Fatalf("%+v of %s: %v", f, schema, err)
		}
		out = append(out, page...)
		if next.IsZero() {
			return out
		}
		if next.String() <= after.String() {
			w.Fatalf("the walk stands still at %s", next)
		}
		after = next
	}
}
