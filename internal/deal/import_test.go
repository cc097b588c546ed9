package deal_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"parley/internal/deal"
	"parley/internal/id"
)

func TestImport(t *testing.T) {
	each(t, func(w world) {
		old := w.create(deal.NewCard{New: person("Old", "9000000000"), Value: ptr(1.0)})
		gone := w.create(deal.NewCard{New: person("Gone", "9000000009")})
		w.must(w.s.Archive(bg, w.tenant, actor, gone.Contact.ID))
		p, err := w.s.Pipelines(bg, w.tenant)
		if err != nil {
			t.Fatal(err)
		}
		won := p[0].Stages[5].ID
		row := func(first, phone string) deal.NewCard { return deal.NewCard{New: person(first, phone)} }
		rows := []deal.NewCard{row("New name", "9000000000"), row("", "9000000001"), row("Bad", "x"), row("Back", "9000000009"), row("Won", "9000000002"), row("Nowhere", "9000000003"), row("Again", "9000000001"), row("Dear", "9000000004")}
		rows[0].Value, rows[0].Stage, rows[0].Tags, rows[0].Refs, rows[0].Extra = ptr(9.5), won, []string{"t"}, map[string]string{"orderId": "O"}, map[string]any{"k": "v"}
		rows[4].Stage, rows[4].Tags, rows[4].Title, rows[4].Currency = won, []string{"t"}, "Roof", "eur"
		rows[5].Stage = id.New()
		rows[6].Source = "second"
		rows[7].Value = ptr(-1.0)
		res, err := w.s.Import(bg, w.tenant, actor, rows)
		if err != nil || res.Created != 2 || res.Updated != 3 || res.Failed != 3 {
			t.Fatalf("%+v %v", res, err)
		}
		var bad []string
		for _, e := range res.Errors {
			bad = append(bad, fmt.Sprint(e.Row, e.Field))
			if e.Message == "" {
				t.Errorf("%+v", e)
			}
		}
		if !slices.Equal(bad, []string{"2phone", "5stage", "7value"}) {
			t.Errorf("%v", bad)
		}
		c := w.card(old.Contact.ID)
		if c.Contact.FirstName != "New name" || c.Deal.Value != 9.5 || c.Deal.Stage != old.Deal.Stage || len(c.Contact.Tags)+len(c.Contact.Refs) != 0 || c.Contact.Extra["k"] != "v" {
			t.Errorf("%+v", c)
		}
		if c := w.card(gone.Contact.ID); c.Contact.Archived() || c.Deal.Status != deal.Open || c.Contact.FirstName != "Back" {
			t.Errorf("%+v", c)
		}
		c, err = w.s.CardByPhone(bg, w.tenant, "9000000002")
		if err != nil || c.Deal.Status != deal.Won || c.Deal.ConvertedAt.IsZero() || c.Deal.Title != "Roof" || c.Deal.Currency != "EUR" || !slices.Equal(c.Contact.Tags, []string{"t"}) || len(c.Deal.History) != 1 {
			t.Errorf("%+v %v", c, err)
		}
		ev := w.events(c.Contact.ID)
		if !slices.Contains(ev, "deal.created") || !slices.Contains(ev, "deal.won") {
			t.Error(ev)
		}
		if c, err = w.s.CardByPhone(bg, w.tenant, "9000000001"); err != nil || c.Contact.FirstName != "Again" || c.Contact.Source != "second" {
			t.Errorf("%+v %v", c.Contact, err)
		}
		res, err = w.s.Import(bg, w.tenant, actor, rows)
		if err != nil || res.Created != 0 || res.Updated != 5 || res.Failed != 3 {
			t.Errorf("once more: %+v %v", res, err)
		}
		w.sound(t)
	})
}

// Many batches: rows are told by their place in the whole.
func TestLongImport(t *testing.T) {
	each(t, func(w world) {
		rows := make([]deal.NewCard, 1203)
		for i := range rows {
			rows[i].New = person(fmt.Sprint("Person ", i), fmt.Sprint(9400000000+i))
		}
		rows[700].Title = strings.Repeat("x", 301)
		res, err := w.s.Import(bg, w.tenant, actor, rows)
		if err != nil || res.Created != 1202 || res.Failed != 1 || len(res.Errors) != 1 || res.Errors[0].Row != 700 || res.Errors[0].Field != "title" {
			t.Fatalf("%+v %v", res, err)
		}
		for filter, want := range map[*deal.CardFilter]int{{}: 1202, {Source: "other"}: 501, {Source: "other", Page: 49}: 1202} {
			list, total, err := w.s.List(bg, w.tenant, *filter)
			if err != nil || total < want || len(list) == 0 {
				t.Errorf("%+v: %d rows, total %d, want %d, %v", *filter, len(list), total, want, err)
			}
		}
		seen := map[id.ID]bool{}
		for page := 1; ; page++ { // whoever pages until the total says so misses nobody
			list, total, err := w.s.List(bg, w.tenant, deal.CardFilter{Source: "other", Limit: 100, Page: page})
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range list {
				seen[c.Contact.ID] = true
			}
			if page*100 >= total {
				break
			}
		}
		if len(seen) != 1202 {
			t.Errorf("paging meets %d of 1202", len(seen))
		}
	})
}
