package deal_test

import (
	"fmt"
	"slices"
	"testing"

	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

func TestMergedPeopleKeepBothDeals(t *testing.T) {
	each(t, func(w world) {
		a := w.create(deal.NewCard{New: person("Ana", "9000000001"), Value: ptr(100.0)})
		b := w.create(deal.NewCard{New: person("Anna", "9000000002"), Value: ptr(50.25)})
		if _, err := w.people.Merge(bg, w.tenant, actor, a.Contact.ID, b.Contact.ID); err != nil {
			t.Fatal(err)
		}
		for _, cid := range []id.ID{a.Contact.ID, b.Contact.ID} { // the old id keeps working
			if c := w.card(cid); c.Contact.ID != a.Contact.ID || c.Deal.ID != a.Deal.ID {
				t.Errorf("%+v", c.Deal)
			}
		}
		board := func() (shown []id.ID, count int, value float64) {
			brd, err := w.s.Board(bg, w.tenant, a.Deal.Pipeline, 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range brd.Columns[0].Cards {
				shown = append(shown, c.Deal.ID)
				if c.Contact.ID.IsZero() {
					t.Error("a card without a person")
				}
			}
			return shown, brd.Columns[0].Count, brd.Columns[0].Value
		}
		shown, count, value := board()
		if len(shown) != 2 || count != 2 || value != 150.25 || !slices.Contains(shown, b.Deal.ID) {
			t.Errorf("the board shows %v, %d, %v", shown, count, value)
		}
		if list, total, err := w.s.List(bg, w.tenant, deal.CardFilter{}); err != nil || len(list) != 1 || total != 1 {
			t.Errorf("%d people, total %d, %v", len(list), total, err)
		}
		w.sound(t)
		w.must(w.s.Archive(bg, w.tenant, actor, a.Contact.ID))
		if shown, count, _ := board(); len(shown) != 0 || count != 0 {
			t.Errorf("an archived person is on the board: %v %d", shown, count)
		}
		w.sound(t)
		if _, _, err := w.s.Upsert(bg, w.tenant, actor, deal.NewCard{New: person("", "9000000002")}); err != nil {
			t.Fatal(err)
		}
		if shown, _, _ := board(); len(shown) != 2 {
			t.Errorf("who comes back has %v", shown)
		}
		if _, _, err := w.people.Unmerge(bg, w.tenant, actor, a.Contact.ID); err != nil {
			t.Fatal(err)
		}
		if c := w.card(b.Contact.ID); c.Contact.ID != b.Contact.ID || c.Deal.ID != b.Deal.ID || !c.Deal.Primary {
			t.Errorf("%+v", c.Deal)
		}
		if c := w.card(a.Contact.ID); c.Deal.ID != a.Deal.ID {
			t.Errorf("%+v", c.Deal)
		}
		w.sound(t)
	})
}

// Who is taken apart again is on the board or put away with all deals, as the person
// is, whatever happened to the one that they were.
func TestUnmergedDealsAreAsTheirPeople(t *testing.T) {
	cases := map[string]struct {
		before func(w world, a, b id.ID) // in the place of nothing
		since  func(w world, a id.ID)
		want   [2]bool // put away
	}{
		"the survivor was put away":   {before: func(w world, a, b id.ID) { w.must(w.s.Archive(bg, w.tenant, actor, a)) }, want: [2]bool{true, false}},
		"the other was put away":      {before: func(w world, a, b id.ID) { w.must(w.s.Archive(bg, w.tenant, actor, b)) }, want: [2]bool{false, true}},
		"they were put away together": {since: func(w world, a id.ID) { w.must(w.s.Archive(bg, w.tenant, actor, a)) }, want: [2]bool{true, false}},
	}
	each(t, func(w world) {
		n := 0
		for name, c := range cases {
			n += 2
			a := w.create(deal.NewCard{New: person("Ana", fmt.Sprint(9000000000+n)), Value: ptr(1.0)})
			b := w.create(deal.NewCard{New: person("Bo", fmt.Sprint(9000000001+n)), Value: ptr(2.0)})
			if c.before != nil {
				c.before(w, a.Contact.ID, b.Contact.ID)
			}
			if _, err := w.people.Merge(bg, w.tenant, actor, a.Contact.ID, b.Contact.ID); err != nil {
				t.Fatal(err)
			}
			if c.since != nil {
				c.since(w, a.Contact.ID)
			}
			if _, _, err := w.people.Unmerge(bg, w.tenant, actor, a.Contact.ID); err != nil {
				t.Fatal(err)
			}
			for i, was := range []deal.Card{a, b} {
				now := w.card(was.Contact.ID)
				if now.Contact.Archived() != c.want[i] || (now.Deal.Status == deal.Archived) != c.want[i] || now.Deal.ID != was.Deal.ID {
					t.Errorf("%s: of %d the contact is put away: %v, the deal is %s", name, i, now.Contact.Archived(), now.Deal.Status)
				}
				back, _, err := w.s.Upsert(bg, w.tenant, actor, deal.NewCard{New: person("", was.Contact.Phone())})
				if err != nil || back.Contact.Archived() || back.Deal.Status != deal.Open || back.Deal.ID != was.Deal.ID {
					t.Errorf("%s: who comes back has %+v %v", name, back.Deal, err)
				}
			}
			w.sound(t)
		}
	})
}

func TestSurvivorWithoutDeal(t *testing.T) {
	each(t, func(w world) {
		bare, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (contact.Contact, error) {
			return w.people.CreateIn(tx, actor, person("Ana", "9000000001"))
		})
		if err != nil {
			t.Fatal(err)
		}
		b := w.create(deal.NewCard{New: person("Anna", "9000000002")})
		if _, err := w.people.Merge(bg, w.tenant, actor, b.Contact.ID, bare.ID); err != nil {
			t.Fatal(err)
		}
		if c := w.card(bare.ID); c.Deal.ID != b.Deal.ID || !c.Deal.Primary {
			t.Errorf("%+v", c.Deal)
		}
		w.sound(t)
		if _, _, err := w.people.Unmerge(bg, w.tenant, actor, bare.ID); err != nil {
			t.Fatal(err)
		}
		if c := w.card(bare.ID); !c.Deal.ID.IsZero() {
			t.Errorf("%+v", c.Deal)
		}
		if c := w.card(b.Contact.ID); c.Deal.ID != b.Deal.ID || !c.Deal.Primary {
			t.Errorf("%+v", c.Deal)
		}
		w.sound(t)
	})
}

func TestConvert(t *testing.T) {
	each(t, func(w world) {
		a := w.create(deal.NewCard{New: person("Ana", "9000000001")})
		c := w.must(w.s.Convert(bg, w.tenant, actor, a.Contact.ID, deal.Lost, "too dear"))
		if c.Stage.Name != "Lost" || c.Deal.Status != deal.Lost || c.Deal.ConvertedAt.IsZero() {
			t.Errorf("%+v", c.Deal)
		}
		n := len(w.events(a.Contact.ID))
		w.must(w.s.Convert(bg, w.tenant, actor, a.Contact.ID, deal.Lost, "again"))
		if m := len(w.events(a.Contact.ID)); m != n {
			t.Errorf("the same outcome made %d events", m-n)
		}
		p := w.pipeline(deal.NewPipeline{Name: "P", Stages: []deal.NewStage{{Name: "Only"}}})
		b := w.create(deal.NewCard{New: person("Bo", "9000000002"), Pipeline: p.ID})
		c = w.must(w.s.Convert(bg, w.tenant, actor, b.Contact.ID, deal.Won, ""))
		if c.Stage.Name != "Only" || c.Deal.Status != deal.Won {
			t.Errorf("%+v", c.Deal)
		}
		if ev := w.events(b.Contact.ID); ev[len(ev)-1] != "deal.won" {
			t.Error(ev)
		}
		_, err := w.s.Convert(bg, w.tenant, actor, b.Contact.ID, "maybe", "")
		w.wantFault(err, fault.Invalid, "outcome", "")
		moved, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (deal.Card, error) {
			return w.s.MoveToPipelineIn(tx, actor, a.Contact.ID, p.ID, id.Zero)
		})
		if err != nil || moved.Deal.Pipeline != p.ID || moved.Deal.Status != deal.Open || !moved.Deal.ConvertedAt.IsZero() {
			t.Errorf("%+v %v", moved.Deal, err)
		}
		w.sound(t)
	})
}

func TestScore(t *testing.T) {
	each(t, func(w world) {
		n := person("Ana", "9000000001")
		n.Email = "ana@x.de"
		a := w.create(deal.NewCard{New: n})
		for range 2 {
			s, err := w.s.Rescore(bg, w.tenant, actor, a.Contact.ID)
			if err != nil || s.Total != 40 || len(s.Breakdown) != 3 {
				t.Fatalf("%+v %v", s, err)
			}
		}
		want := "contact.scored score:40 from:0"
		if ev := w.events(a.Contact.ID); ev[len(ev)-1] != want {
			t.Errorf("%v, not %s", ev, want)
		}
		conf := deal.Scoring{Rules: []deal.Rule{{Field: "tags", Operator: "contains", Value: "VIP", Points: 50}, {Field: "dealValue", Operator: "greater_than", Value: "10", Points: 80},
			{Field: "metadata.extra.plan", Operator: "not_exists", Points: -7}, {Field: "source", Operator: "not_equals", Value: "Other", Points: 9}, {Field: "score", Operator: "nonsense", Points: 99}}}
		card := w.card(a.Contact.ID)
		card.Contact.Tags, card.Deal.Value = []string{"vip"}, 11
		if s := conf.Of(card); s.Total != 100 || s.Breakdown[2].Applied != -7 || s.Breakdown[3].Matched || s.Breakdown[4].Matched {
			t.Errorf("%+v", s)
		}
	})
}
