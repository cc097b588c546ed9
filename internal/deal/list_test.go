package deal_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// names lists a filter's cards by their first names, and the total.
func (w world) names(f deal.CardFilter) string {
	w.Helper()
	list, total, err := w.s.List(bg, w.tenant, f)
	if err != nil {
		w.Fatal(err)
	}
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = c.Contact.FirstName
		if c.Deal.ID.IsZero() || c.Stage.ID != c.Deal.Stage || c.Pipeline.ID != c.Deal.Pipeline || len(c.Deal.History) == 0 {
			w.Errorf("an incomplete card: %+v", c)
		}
	}
	return strings.Join(append(out, fmt.Sprint(total)), " ")
}

func TestListFiltersAndSorts(t *testing.T) {
	fake := clock.NewFake(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	each(t, func(w world) {
		start := fake.Now()
		add := func(n contact.New, value float64, score int, last time.Time) deal.Card {
			fake.Advance(time.Hour)
			c := w.create(deal.NewCard{New: n, Value: &value})
			p := deal.CardPatch{Patch: contact.Patch{Score: &score}}
			if !last.IsZero() {
				p.LastContactedAt = &last
			}
			return w.must(w.s.Update(bg, w.tenant, actor, c.Contact.ID, p))
		}
		at := start.Add(-time.Hour)
		a := add(contact.New{FirstName: "Ana", LastName: "Müller", Phone: "9000000001", Email: "ana_1@x.de", Source: "web", Tags: []string{"vip", "x"}, AssignedTo: "u1"}, 30, 50, time.Time{})
		b := add(contact.New{FirstName: "Bo", LastName: "100%", Phone: "+4915112345678", Source: "web", Tags: []string{"x"}}, 10, 90, at)
		c := add(contact.New{FirstName: "Cy", Phone: "9000000003", Tags: []string{"other"}}, 20, 10, at.Add(time.Minute))
		d := add(contact.New{FirstName: "Di", Phone: "9000000004"}, 10, 50, time.Time{})
		p, _ := w.s.Pipeline(bg, w.tenant, a.Deal.Pipeline)
		fake.Advance(time.Hour)
		w.must(w.move(b.Contact.ID, p.Stages[5].ID))
		w.must(w.s.Archive(bg, w.tenant, actor, d.Contact.ID))
		_ = c
		for _, x := range []struct {
			want string
			f    deal.CardFilter
		}{
			{"Bo Ana Cy 3", deal.CardFilter{}},
			{"Cy Ana Bo 3", deal.CardFilter{SortBy: deal.ByScore, SortDir: "ASC"}},
			{"Cy Bo Ana 3", deal.CardFilter{SortBy: deal.ByCreated}},
			{"Ana Bo Cy 3", deal.CardFilter{SortBy: deal.ByCreated, SortDir: "asc"}},
			{"Bo Cy Ana 3", deal.CardFilter{SortBy: deal.ByUpdated}},
			{"Ana Cy Bo 3", deal.CardFilter{SortBy: deal.ByValue}},
			{"Bo Cy Ana 3", deal.CardFilter{SortBy: deal.ByValue, SortDir: "asc"}},
			{"Cy Bo Ana 3", deal.CardFilter{SortBy: deal.ByLastContacted}},
			{"Ana Bo Cy 3", deal.CardFilter{SortBy: deal.ByLastContacted, SortDir: "asc"}},
			{"Bo 3", deal.CardFilter{Limit: 1}},
			{"Ana 3", deal.CardFilter{Limit: 1, Page: 2}},
			{"3", deal.CardFilter{Limit: 2, Page: 3}},
			{"3", deal.CardFilter{Limit: 1000, Page: 1 << 40}},
			{"Di 1", deal.CardFilter{Status: deal.Archived}},
			{"Bo 1", deal.CardFilter{Status: deal.Won}},
			{"Ana Cy 2", deal.CardFilter{Status: deal.Open}},
			{"Ana Cy 2", deal.CardFilter{Stage: p.Stages[0].ID}},
			{"Bo Ana Cy 3", deal.CardFilter{Pipeline: p.ID}},
			{"0", deal.CardFilter{Pipeline: id.New()}},
			{"0", deal.CardFilter{Status: deal.Lost, Pipeline: p.ID}},
			{"Bo Ana 2", deal.CardFilter{Source: "web"}},
			{"Ana 1", deal.CardFilter{AssignedTo: "u1"}},
			{"Bo Ana 2", deal.CardFilter{Tags: []string{"x", "vip"}}},
			{"Ana Cy 2", deal.CardFilter{Tags: []string{"vip", "other"}}},
			{"0", deal.CardFilter{Tags: []string{"none"}}},
			{"Bo Ana 2", deal.CardFilter{MinScore: ptr(50)}},
			{"Ana 1", deal.CardFilter{Search: "muller"}},
			{"Ana 1", deal.CardFilter{Search: " ANA  mü"}},
			{"Ana 1", deal.CardFilter{Search: "ana_1"}},
			{"0", deal.CardFilter{Search: "ana%1"}},
			{"Bo 1", deal.CardFilter{Search: "100%"}},
			{"0", deal.CardFilter{Search: `\`}},
			{"Bo 1", deal.CardFilter{Search: "+49 (151) 123-45678"}},
			{"Ana Cy 2", deal.CardFilter{Search: "90000 000"}},
			{"Ana 1", deal.CardFilter{Search: "090000 00001"}},
			{"Cy Bo 2", deal.CardFilter{From: start.Add(2 * time.Hour), SortBy: deal.ByCreated}},
			{"Ana 1", deal.CardFilter{To: start.Add(time.Hour)}},
			{"Bo 1", deal.CardFilter{From: start.Add(2 * time.Hour), To: start.Add(2 * time.Hour)}},
		} {
			if got := w.names(x.f); got != x.want {
				w.Errorf("%+v:\n got %q\nwant %q", x.f, got, x.want)
			}
		}
		for field, f := range map[string]deal.CardFilter{"sortBy": {SortBy: "name; DROP TABLE deal"}, "sortDir": {SortDir: "up"}, "status": {Status: "new"}, "limit": {Limit: 1001}, "page": {Page: -1},
			"search": {Search: strings.Repeat("x", 201)}, "tags": {Tags: []string{"\x00"}}, "filter": {Source: "\xff"}} {
			_, _, err := w.s.List(bg, w.tenant, f)
			w.wantFault(err, fault.Invalid, field, "")
		}
		if _, n, err := w.s.List(bg, id.New(), deal.CardFilter{}); n != 0 || err != nil {
			w.Errorf("another tenant sees %d, %v", n, err)
		}
	}, storetest.Clock(fake))
}

func TestBoardAddsUp(t *testing.T) {
	each(t, func(w world) {
		var last deal.Card
		for i := range 7 {
			last = w.create(deal.NewCard{New: person(fmt.Sprint("P", i), fmt.Sprint("900000000", i)), Value: ptr(float64(i))})
		}
		p, _ := w.s.Pipeline(bg, w.tenant, last.Deal.Pipeline)
		w.must(w.move(last.Contact.ID, p.Stages[2].ID))
		b, err := w.s.Board(bg, w.tenant, p.ID, 3)
		if err != nil || b.Pipeline.ID != p.ID || len(b.Columns) != 7 {
			w.Fatalf("%+v, %v", b, err)
		}
		for i, col := range b.Columns {
			if col.Stage.ID != p.Stages[i].ID {
				w.Errorf("column %d is %s", i, col.Stage.Name)
			}
			var names []string
			for _, c := range col.Cards {
				names = append(names, c.Contact.FirstName)
			}
			want, count, value := []string(nil), 0, 0.0
			switch i {
			case 0:
				want, count, value = []string{"P5", "P4", "P3"}, 6, 15
			case 2:
				want, count, value = []string{"P6"}, 1, 6
			}
			if !slices.Equal(names, want) || col.Count != count || col.Value != value {
				w.Errorf("column %d: %v %d %v", i, names, col.Count, col.Value)
			}
		}
		_, err = w.s.Board(bg, w.tenant, id.New(), 3)
		w.wantFault(err, fault.NotFound, "", "pipeline")
		_, err = w.s.Board(bg, w.tenant, p.ID, 201)
		w.wantFault(err, fault.Invalid, "limit", "")
		if _, err := w.s.Pipeline(bg, id.New(), p.ID); fault.As(err) == nil {
			w.Error("another tenant reads the pipeline")
		}
	})
}

// BenchmarkList measures pages of a large tenant: go test -bench List -run ^$.
func BenchmarkList(b *testing.B) {
	for _, d := range []struct {
		name string
		open func(testing.TB, ...storetest.Option) *store.DB
	}{{"sqlite", storetest.SQLite}, {"postgres", storetest.Postgres}} {
		b.Run(d.name, func(b *testing.B) {
			w := newWorld(b, d.open(b, storetest.Once()), event.NewLog())
			const people = 50_000
			for from := 0; from < people; from += 250 {
				if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
					for i := from; i < from+250; i++ {
						v, score := rand.Float64()*1e6, rand.IntN(101)
						c, err := w.s.CreateIn(tx, actor, deal.NewCard{New: person(fmt.Sprint("Person ", i), fmt.Sprint("98", 10_000_000+i)), Value: &v})
						if err == nil {
							_, _, err = w.people.UpdateIn(tx, actor, c.Contact.ID, contact.Patch{Score: &score})
						}
						if err != nil {
							return err
						}
					}
					return nil
				}); err != nil {
					b.Fatal(err)
				}
			}
			p, _ := w.s.Pipelines(bg, w.tenant)
			for name, f := range map[string]deal.CardFilter{"score": {}, "value": {SortBy: deal.ByValue}, "page1000": {Page: 1000}, "search": {Search: "person 4999"}, "stage": {Stage: p[0].Stages[0].ID}, "lastContacted": {SortBy: deal.ByLastContacted}} {
				b.Run(name, func(b *testing.B) {
					for b.Loop() {
						if _, _, err := w.s.List(bg, w.tenant, f); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
			b.Run("board", func(b *testing.B) {
				for b.Loop() {
					if _, err := w.s.Board(bg, w.tenant, p[0].ID, 50); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
