package deal_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestCreateMakesPersonDealAndPipeline(t *testing.T) {
	each(t, func(w world) {
		c := w.create(deal.NewCard{New: person("Asha", "9876543210"), Value: ptr(1500.5), Title: "Roof"})
		if c.Deal.Status != deal.Open || c.Deal.Value != 1500.5 || c.Deal.Currency != "INR" || c.Deal.Title != "Roof" || !c.Deal.Primary ||
			c.Pipeline.Name != "Sales Pipeline" || !c.Pipeline.Default || c.Stage.Name != "New Lead" || len(c.Deal.History) != 1 || c.Deal.Stage != c.Stage.ID {
			w.Errorf("%+v", c)
		}
		if diff := cmp.Diff(c, w.card(c.Contact.ID)); diff != "" {
			w.Errorf("what was answered is not what is stored: %s", diff)
		}
		if by, err := w.s.CardByPhone(bg, w.tenant, "+91 98765-43210"); err != nil || by.Contact.ID != c.Contact.ID || by.Deal.ID != c.Deal.ID {
			w.Errorf("%+v, %v", by, err)
		}
		if got := w.events(c.Contact.ID); !slices.Equal(got, []string{"contact.created", "deal.created"}) {
			w.Error(got)
		}
		line, _, err := w.people.Timeline(bg, w.tenant, c.Contact.ID, 1, 10)
		if err != nil || len(line) != 1 || line[0].Type != "lead_created" || line[0].Title != "Lead created" || line[0].PerformedBy != actor {
			w.Errorf("%+v, %v", line, err)
		}
		list, err := w.s.Pipelines(bg, w.tenant)
		if err != nil || len(list) != 1 {
			w.Fatalf("%+v, %v", list, err)
		}
		var names []string
		for i, st := range list[0].Stages {
			names = append(names, fmt.Sprint(st.Name, " ", st.Probability, st.Won, st.Lost))
			if st.Position != i || st.Default != (i == 0) || st.Color != "#3b82f6" {
				w.Errorf("%+v", st)
			}
		}
		want := []string{"New Lead 10 false false", "Contacted 25 false false", "Qualified 40 false false", "Proposal Sent 60 false false",
			"Negotiation 80 false false", "Won 100 true false", "Lost 0 false true"}
		if !slices.Equal(names, want) {
			w.Errorf("%q", names)
		}
		for _, err := range []error{second(w.s.Card(bg, id.New(), c.Contact.ID)), second(w.s.Card(bg, w.tenant, id.New())), second(w.s.CardByPhone(bg, w.tenant, "123456"))} {
			w.wantFault(err, fault.NotFound, "", "contact")
		}
	})
}

func second[T any](_ T, err error) error { return err }

// Reactors look at the card when they hear of the contact.
func TestTheContactIsToldOfWithItsDeal(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		log := event.NewLog()
		var s *deal.Service
		var seen atomic.Int64
		log.Register(event.Reactor{Name: "look", Types: []string{"contact.created", "contact.unarchived"}, Wants: func(tx *store.Tx, e event.Event) (bool, error) {
			c, err := s.CardIn(tx, e.Contact)
			if err == nil && (c.Deal.ID.IsZero() || c.Deal.Status != deal.Open) {
				t.Errorf("%s: %+v", e.Type, c.Deal)
			}
			seen.Add(1)
			return false, err
		}})
		w := newWorld(t, db, log)
		s = w.s
		c := w.create(deal.NewCard{New: person("A", "9000000001")})
		w.must(w.s.Archive(bg, w.tenant, actor, c.Contact.ID))
		w.create(deal.NewCard{New: person("B", "9000000001")})
		if seen.Load() != 2 {
			t.Errorf("%d looks", seen.Load())
		}
	}, storetest.Once())
}

func TestBadCardsNameTheirField(t *testing.T) {
	each(t, func(w world) {
		c := w.create(deal.NewCard{New: person("A", "9000000001")})
		other := w.pipeline(deal.NewPipeline{Name: "Other"})
		for _, v := range []float64{-1, math.NaN(), math.Inf(1), 1.1e15} {
			_, err := w.s.Create(bg, w.tenant, actor, deal.NewCard{New: person("B", "9000000002"), Value: &v})
			w.wantFault(err, fault.Invalid, "value", "")
			_, err = w.s.Update(bg, w.tenant, actor, c.Contact.ID, deal.CardPatch{Value: &v})
			w.wantFault(err, fault.Invalid, "value", "")
		}
		_, err := w.s.Create(bg, w.tenant, actor, deal.NewCard{New: person("B", "9000000002"), Currency: "rupees"})
		w.wantFault(err, fault.Invalid, "currency", "")
		_, err = w.s.Create(bg, w.tenant, actor, deal.NewCard{New: person("B", "9000000002"), Title: "a\x00"})
		w.wantFault(err, fault.Invalid, "title", "")
		_, err = w.s.Create(bg, w.tenant, actor, deal.NewCard{New: person("B", "9000000002"), Stage: id.New()})
		w.wantFault(err, fault.NotFound, "", "stage")
		_, err = w.s.Create(bg, w.tenant, actor, deal.NewCard{New: person("B", "9000000002"), Pipeline: id.New()})
		w.wantFault(err, fault.NotFound, "", "pipeline")
		_, err = w.s.Create(bg, w.tenant, actor, deal.NewCard{New: person("B", "9000000002"), Pipeline: other.ID, Stage: c.Stage.ID})
		w.wantFault(err, fault.Invalid, "stage", "")
		_, err = w.s.Create(bg, w.tenant, actor, deal.NewCard{New: person("B", "+919000000001")})
		if f := w.wantFault(err, fault.Conflict, "phone", "phone"); f.Details["contactId"] != c.Contact.ID.String() {
			w.Errorf("%+v", f)
		}
		_, err = w.move(c.Contact.ID, id.New())
		w.wantFault(err, fault.NotFound, "", "stage")
		_, err = w.move(id.New(), c.Stage.ID)
		w.wantFault(err, fault.NotFound, "", "contact")
		if got := w.events(c.Contact.ID); len(got) != 2 {
			w.Error(got)
		}
		if _, n, _ := w.s.List(bg, w.tenant, deal.CardFilter{}); n != 1 {
			w.Errorf("%d cards after refusals", n)
		}
	})
}

func TestMoveFollowsTheStage(t *testing.T) {
	fake := clock.NewFake(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	each(t, func(w world) {
		c := w.create(deal.NewCard{New: person("A", "9000000001")})
		p, err := w.s.Pipeline(bg, w.tenant, c.Deal.Pipeline)
		if err != nil {
			w.Fatal(err)
		}
		lead, talk, won, lost := p.Stages[0].ID, p.Stages[1].ID, p.Stages[5].ID, p.Stages[6].ID
		start := fake.Now()
		fake.Advance(time.Hour)
		if same := w.must(w.move(c.Contact.ID, lead)); len(same.Deal.History) != 1 || !same.Deal.UpdatedAt.Equal(start) {
			w.Errorf("the same stage is no move: %+v", same.Deal)
		}
		for _, st := range []id.ID{talk, won, lost, talk} {
			got := w.must(w.move(c.Contact.ID, st))
			if diff := cmp.Diff(got, w.card(c.Contact.ID)); diff != "" {
				w.Error(diff)
			}
			want := map[id.ID]string{talk: deal.Open, won: deal.Won, lost: deal.Lost}[st]
			converted := fake.Now()
			if want == deal.Open {
				converted = time.Time{}
			}
			if got.Deal.Status != want || !got.Deal.ConvertedAt.Equal(converted) || !got.Deal.EnteredStageAt.Equal(fake.Now()) || !got.Contact.UpdatedAt.Equal(fake.Now()) {
				w.Errorf("%+v", got.Deal)
			}
			fake.Advance(time.Minute)
		}
		h := w.card(c.Contact.ID).Deal.History
		want := []deal.StageSpan{{Stage: lead, EnteredAt: start, LeftAt: start.Add(time.Hour)}, {Stage: talk, EnteredAt: start.Add(60 * time.Minute), LeftAt: start.Add(61 * time.Minute)},
			{Stage: won, EnteredAt: start.Add(61 * time.Minute), LeftAt: start.Add(62 * time.Minute)}, {Stage: lost, EnteredAt: start.Add(62 * time.Minute), LeftAt: start.Add(63 * time.Minute)},
			{Stage: talk, EnteredAt: start.Add(63 * time.Minute)}}
		if diff := cmp.Diff(want, h); diff != "" {
			w.Error(diff)
		}
		ev := func(to, from id.ID) string { return "deal.moved stage:" + to.String() + " from:" + from.String() }
		if got := w.events(c.Contact.ID); !slices.Equal(got, []string{"contact.created", "deal.created", ev(talk, lead), ev(won, talk), "deal.won", ev(lost, won), "deal.lost", ev(talk, lost)}) {
			w.Errorf("%q", got)
		}
		line, _, _ := w.people.Timeline(bg, w.tenant, c.Contact.ID, 1, 1)
		if line[0].Type != "stage_change" || line[0].Metadata["fromStageId"] != lost.String() || line[0].Metadata["toStageId"] != talk.String() || line[0].Title != "Moved from Lost to Contacted" {
			w.Errorf("%+v", line[0])
		}
		other := w.pipeline(deal.NewPipeline{Name: "Other", Stages: []deal.NewStage{{Name: "Only", Probability: 5}}})
		if got := w.must(w.move(c.Contact.ID, other.Stages[0].ID)); got.Pipeline.ID != other.ID || got.Deal.Pipeline != other.ID {
			w.Errorf("%+v", got)
		}
	}, storetest.Clock(fake))
}

func TestUpsertAppliesWhatIsGiven(t *testing.T) {
	each(t, func(w world) {
		first, created, err := w.s.Upsert(bg, w.tenant, actor, deal.NewCard{New: contact.New{Phone: "9000000001", Tags: []string{"a"}, Refs: map[string]string{"k": "1"}, Extra: map[string]any{"x": 1}}})
		if err != nil || !created || first.Contact.FirstName != "919000000001" {
			w.Fatalf("%+v %v %v", first, created, err)
		}
		other := w.pipeline(deal.NewPipeline{Name: "Other"})
		second, created, err := w.s.Upsert(bg, w.tenant, actor, deal.NewCard{New: contact.New{FirstName: "Asha", Phone: "+91 9000000001", Email: "A@x.de", Source: "web", Tags: []string{"b"},
			Refs: map[string]string{"l": "2"}, Extra: map[string]any{"x": nil, "y": 2}}, Pipeline: other.ID, Value: ptr(9.0), Currency: "usd", Title: "T"})
		if err != nil || created || second.Contact.ID != first.Contact.ID {
			w.Fatalf("%+v %v %v", second, created, err)
		}
		if diff := cmp.Diff(second, w.card(first.Contact.ID)); diff != "" {
			w.Error(diff)
		}
		c, d := second.Contact, second.Deal
		if c.FirstName != "Asha" || c.Email() != "a@x.de" || c.Source != "web" || !slices.Equal(c.Tags, []string{"a", "b"}) || len(c.Refs) != 2 || len(c.Extra) != 1 ||
			d.Pipeline != other.ID || d.Stage != other.Stages[0].ID || d.Value != 9 || d.Currency != "USD" || d.Title != "T" {
			w.Errorf("%+v", second)
		}
		want := []string{"contact.created", "deal.created", "contact.updated firstName source refs.l extra.x extra.y email", "contact.tag_added tag:b",
			"deal.updated value currency title", "deal.moved stage:" + d.Stage.String() + " from:" + first.Deal.Stage.String()}
		if got := w.events(c.ID); !slices.Equal(got, want) {
			w.Errorf("%q", got)
		}
		third, _, err := w.s.Upsert(bg, w.tenant, actor, deal.NewCard{New: contact.New{Phone: "9000000001"}, Pipeline: other.ID})
		if err != nil || third.Contact.FirstName != "Asha" || len(w.events(c.ID)) != len(want) {
			w.Errorf("nothing was given, but: %+v, %v", third, err)
		}
		set := w.must(w.s.Update(bg, w.tenant, actor, c.ID, deal.CardPatch{SetTags: &[]string{"b", "z"}}))
		if !slices.Equal(set.Contact.Tags, []string{"b", "z"}) {
			w.Error(set.Contact.Tags)
		}
	})
}

func TestArchivedCardsLeaveAndComeBack(t *testing.T) {
	each(t, func(w world) {
		c := w.create(deal.NewCard{New: person("A", "9000000001")})
		p, _ := w.s.Pipeline(bg, w.tenant, c.Deal.Pipeline)
		w.must(w.move(c.Contact.ID, p.Stages[5].ID)) // won
		for range 2 {
			got := w.must(w.s.Archive(bg, w.tenant, actor, c.Contact.ID))
			if got.Deal.Status != deal.Archived || !got.Contact.Archived() || got.Deal.ArchivedAt.IsZero() {
				w.Errorf("%+v", got)
			}
			if diff := cmp.Diff(got, w.card(c.Contact.ID)); diff != "" {
				w.Error(diff)
			}
		}
		moved := w.must(w.move(c.Contact.ID, p.Stages[1].ID))
		if moved.Deal.Status != deal.Archived || moved.Deal.Stage != p.Stages[1].ID {
			w.Errorf("%+v", moved.Deal)
		}
		w.must(w.move(c.Contact.ID, p.Stages[5].ID))
		if list, n, err := w.s.List(bg, w.tenant, deal.CardFilter{}); err != nil || n != 0 || len(list) != 0 {
			w.Errorf("still listed: %d, %v", n, err)
		}
		if list, n, err := w.s.List(bg, w.tenant, deal.CardFilter{Status: deal.Archived}); err != nil || n != 1 || len(list) != 1 {
			w.Errorf("not listed as archived: %d, %v", n, err)
		}
		if b, err := w.s.Board(bg, w.tenant, p.ID, 10); err != nil || b.Columns[5].Count != 0 || len(b.Columns[5].Cards) != 0 {
			w.Errorf("still on the board: %+v, %v", b, err)
		}
		back := w.create(deal.NewCard{New: person("B", "9000000001"), Value: ptr(5.0)})
		if back.Contact.ID != c.Contact.ID || back.Deal.ID != c.Deal.ID || back.Deal.Status != deal.Won || !back.Deal.ArchivedAt.IsZero() || back.Contact.FirstName != "B" || back.Deal.Value != 5 {
			w.Errorf("%+v", back)
		}
		if diff := cmp.Diff(back, w.card(c.Contact.ID)); diff != "" {
			w.Error(diff)
		}
		_, err := w.s.Archive(bg, w.tenant, actor, id.New())
		w.wantFault(err, fault.NotFound, "", "contact")
		tail := w.events(c.Contact.ID)
		tail = tail[len(tail)-4:]
		if !slices.Equal(tail, []string{"contact.unarchived", "contact.updated firstName", "deal.updated status", "deal.updated value"}) {
			w.Errorf("%q", tail)
		}
	})
}

// A contact of another room gets its card with the first change.
func TestAContactWithoutACard(t *testing.T) {
	each(t, func(w world) {
		c, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (contact.Contact, error) {
			return w.people.CreateIn(tx, actor, person("A", "9000000001"))
		})
		if err != nil {
			w.Fatal(err)
		}
		if got := w.card(c.ID); !got.Deal.ID.IsZero() || got.Deal.Status != deal.Open || got.Deal.Currency != "INR" {
			w.Errorf("%+v", got.Deal)
		}
		if got := w.must(w.s.Archive(bg, w.tenant, actor, c.ID)); !got.Contact.Archived() {
			w.Errorf("%+v", got)
		}
		got := w.must(w.s.Create(bg, w.tenant, actor, deal.NewCard{New: person("A", "9000000001")}))
		if got.Deal.ID.IsZero() || got.Contact.ID != c.ID {
			w.Errorf("%+v", got)
		}
		if _, n, _ := w.s.List(bg, w.tenant, deal.CardFilter{}); n != 1 {
			w.Errorf("%d listed", n)
		}
	})
}

func TestOneDefaultPipelineAndOneCardUnderARace(t *testing.T) {
	each(t, func(w world) {
		const n = 300
		var wg sync.WaitGroup
		var made, conflicts atomic.Int64
		for i := range n {
			wg.Go(func() {
				if i%3 == 0 {
					if _, err := w.s.Pipelines(bg, w.tenant); err != nil {
						w.Error(err)
					}
				}
				_, err := w.s.Create(bg, w.tenant, actor, deal.NewCard{New: person("A", fmt.Sprint("90000000", 10+i%2))})
				switch {
				case err == nil:
					made.Add(1)
				case errors.Is(err, fault.Of(fault.Conflict)):
					conflicts.Add(1)
				default:
					w.Error(err)
				}
			})
		}
		wg.Wait()
		if made.Load() != 2 || conflicts.Load() != n-2 {
			w.Errorf("%d made, %d conflicts", made.Load(), conflicts.Load())
		}
		if list, err := w.s.Pipelines(bg, w.tenant); err != nil || len(list) != 1 || len(list[0].Stages) != 7 {
			w.Errorf("%d pipelines, %v", len(list), err)
		}
	}, storetest.Once())
}
