package entity_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/record"
	"parley/internal/store"
)

func (w *world) search(q entity.Query) entity.Result {
	w.Helper()
	res, err := w.s.Search(w.r(), q)
	if err != nil {
		w.Fatalf("%+v: %v", q, err)
	}
	return res
}

// found writes the hits and the titles of a page.
func found(res entity.Result) string {
	var out []string
	for _, d := range res.Docs {
		out = append(out, d["_title"].(string))
	}
	return fmt.Sprint(res.Hits, " ", strings.Join(out, ","))
}

func lucene(t testing.TB, q string) entity.Query {
	t.Helper()
	f, text, err := filter.ParseLucene(q)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return entity.Query{Filter: f, Text: text, Size: 10}
}

func TestSearch(t *testing.T) {
	each(t, func(w *world) {
		for i, name := range []string{"Ana Lima", "Bob Lima", "Ana Rosa"} {
			first, last, _ := strings.Cut(name, " ")
			w.card(deal.NewCard{New: contact.New{FirstName: first, LastName: last, Phone: fmt.Sprintf("+551198765000%d", i), Tags: []string{strings.ToLower(first)},
				Attributes: map[string]any{"n": []any{3, "x", 1}[i]}}})
		}
		for i, title := range []string{"Lima bean", "Order of Ana"} {
			w.record(record.New{Schema: "order", Title: title, Attributes: map[string]any{"n": 2, "even": i%2 == 0}})
		}
		for _, c := range []struct {
			q, sort  string
			desc     bool
			from, to int
			want     string
		}{
			{q: "*", want: "5 Order of Ana,Lima bean,Ana Rosa,Bob Lima,Ana Lima"},
			{q: "*", sort: "_id", want: "5 Ana Lima,Bob Lima,Ana Rosa,Lima bean,Order of Ana"},
			{q: "*", sort: "_created_at", desc: true, want: "5 Order of Ana,Lima bean,Ana Rosa,Bob Lima,Ana Lima"},
			{q: "*", sort: "_updated_at", want: "5 Ana Lima,Bob Lima,Ana Rosa,Lima bean,Order of Ana"},
			{q: "*", sort: "_title", want: "5 Ana Lima,Ana Rosa,Bob Lima,Lima bean,Order of Ana"},
			{q: "*", sort: "_title", from: 1, to: 2, want: "5 Ana Rosa,Bob Lima"},
			{q: "*", sort: "_title", to: -1, want: "5 "},
			{q: "*", sort: "n", want: "5 Ana Rosa,Lima bean,Order of Ana,Ana Lima,Bob Lima"},
			{q: "*", sort: "n", desc: true, want: "5 Bob Lima,Ana Lima,Order of Ana,Lima bean,Ana Rosa"},
			{q: "*", sort: "even", want: "5 Order of Ana,Lima bean,Ana Lima,Bob Lima,Ana Rosa"}, // those without are last
			{q: "*", sort: "even", desc: true, want: "5 Lima bean,Order of Ana,Ana Rosa,Bob Lima,Ana Lima"},
			{q: "ana", want: "3 Order of Ana,Ana Rosa,Ana Lima"},
			{q: "lima ana", want: "1 Ana Lima"},
			{q: "bean", want: "1 Lima bean"},
			{q: "nobody", want: "0 "},
			{q: "_schema:contact AND _tags:ana", want: "2 Ana Rosa,Ana Lima"},
			{q: "_schema:(contact OR order) AND n:2", want: "2 Order of Ana,Lima bean"},
			{q: "_schema:meter", want: "0 "},
			{q: "NOT _schema:contact", want: "2 Order of Ana,Lima bean"},
			{q: "_title:*lima*", sort: "_id", want: "3 Ana Lima,Bob Lima,Lima bean"},
			{q: "last_name:lima OR even:true", want: "1 Lima bean"}, // exactly: lima is not Lima
			{q: "*", from: 4, want: "5 Ana Lima"},
			{q: "*", from: 9, want: "5 "},
		} {
			q := lucene(t, c.q)
			q.Sort, q.Desc, q.From = c.sort, c.desc, c.from
			if c.to != 0 {
				q.Size = max(0, c.to)
			}
			if got := found(w.search(q)); got != c.want {
				t.Errorf("%s %s %v %d: %s, want %s", c.q, c.sort, c.desc, c.from, got, c.want)
			}
		}
		for _, c := range []struct {
			q     entity.Query
			field string
		}{{entity.Query{Size: entity.MaxSize + 1}, "size"}, {entity.Query{Size: -1}, "size"}, {entity.Query{From: -1}, "from"}, {entity.Query{From: entity.MaxHits, Size: 1}, "from"},
			{entity.Query{From: 1<<63 - 1, Size: 10}, "from"}, {entity.Query{Text: strings.Repeat("a ", 101)}, "q"}} {
			if _, err := w.s.Search(w.r(), c.q); fault.As(err) == nil || fault.As(err).Field != c.field {
				t.Errorf("%+v: %v", c.q, err)
			}
		}
	})
}

// Pages of any order together are what the match in memory says, sorted.
func TestPagesOfASearchAreTheMatches(t *testing.T) {
	each(t, func(w *world) {
		w.populate(rand.New(rand.NewPCG(5, 5)), 60, 40)
		type entry struct {
			id  id.ID
			doc entity.Doc
		}
		var all []entry
		for _, schema := range []string{entity.Contact, "order", "meter"} {
			for _, f := range w.all(schema, filter.Filter{}) {
				all = append(all, entry{f.ID, w.doc(schema, f.ID)})
			}
		}
		for _, q := range []string{"*", "_schema:contact", "NOT _tags:vip", "color:*", "_schema:order AND _tags:(vip OR new)", "status:unclaimed OR color:red", "_title:*a*"} {
			for _, sort := range []string{"", "_id", "_created_at", "_updated_at", "color"} {
				for _, desc := range []bool{false, true} {
					query := lucene(t, q)
					query.Sort, query.Desc = sort, desc
					m, err := filter.Compile(query.Filter)
					w.check(err)
					want := map[string]bool{}
					for _, e := range all {
						if m.Match(e.doc) {
							want[e.id.UUID()] = true
						}
					}
					var got []string
					for query.Size = 7; ; query.From += 7 {
						res := w.search(query)
						if int(res.Hits) != len(want) {
							t.Fatalf("%s: %d hits, want %d", q, res.Hits, len(want))
						}
						for _, d := range res.Docs {
							got = append(got, d["_id"].(string))
						}
						if len(res.Docs) < 7 {
							break
						}
					}
					seen := slices.Compact(slices.Sorted(slices.Values(got)))
					if len(seen) != len(got) || len(got) != len(want) || slices.ContainsFunc(got, func(v string) bool { return !want[v] }) {
						t.Fatalf("%s by %q %v: %d of %d, %d twice", q, sort, desc, len(got), len(want), len(got)-len(seen))
					}
					if sort == "" || sort == "_id" {
						ids := make([]id.ID, len(got))
						for i, v := range got {
							ids[i], _, _ = id.FromUUID(v)
						}
						if falling := desc || sort == ""; !slices.IsSortedFunc(ids, func(a, b id.ID) int {
							if falling {
								a, b = b, a
							}
							return bytes.Compare(a[:], b[:])
						}) {
							t.Errorf("%s by %q %v is not sorted", q, sort, desc)
						}
					}
				}
			}
		}
	})
}

// small is a schema that another room keeps.
type small struct{ docs []entity.Doc }

func (s small) All(r store.Reader, limit int) ([]entity.Doc, error) { return s.docs, nil }

func (s small) Documents(r store.Reader, ids []id.ID) (map[id.ID]entity.Doc, error) {
	out := map[id.ID]entity.Doc{}
	for _, d := range s.docs {
		if v, _, _ := id.FromUUID(d["_id"].(string)); slices.Contains(ids, v) {
			out[v] = d
		}
	}
	return out, nil
}

func TestASmallSchemaIsServed(t *testing.T) {
	each(t, func(w *world) {
		first := w.record(record.New{Schema: "order", Title: "First"}).ID
		var docs []entity.Doc
		for _, name := range []string{"Spring", "Summer"} {
			docs = append(docs, entity.Doc{"_id": id.New().UUID(), "_schema": "campaign", "_title": name, "name": name})
		}
		w.s.Serve("campaign", small{docs})
		last := w.record(record.New{Schema: "order", Title: "Last"}).ID
		if got := found(w.search(lucene(t, "*"))); got != "4 Last,Summer,Spring,First" {
			t.Errorf("everything: %s, %s %s", got, first, last)
		}
		if got := found(w.search(lucene(t, "spr"))); got != "1 Spring" {
			t.Errorf("by word: %s", got)
		}
		f := filter.Filter{Op: filter.Equal, Field: "name", Value: "Summer"}
		if list := w.all("campaign", f); len(list) != 1 || list[0].Title != "Summer" || w.doc("campaign", list[0].ID)["name"] != "Summer" {
			t.Errorf("walks %v", list)
		}
		if n, err := w.s.Count(w.r(), "campaign", filter.Filter{}); n != 2 || err != nil {
			t.Errorf("counts %d, %v", n, err)
		}
		page, next, err := w.s.Walk(w.r(), "campaign", filter.Filter{}, id.Zero, 1)
		if err != nil || len(page) != 1 || next != page[0].ID {
			t.Errorf("%v %v %v", page, next, err)
		}
	})
}
