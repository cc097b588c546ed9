package deal_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store/storetest"
	"parley/internal/verify"
)

// sound checks what `parley verify` promises of pipelines, stages and deals.
func (w world) sound(t rapid.TB) {
	t.Helper()
	rep, err := verify.Run(bg, w.db)
	if err != nil || !rep.OK {
		t.Fatalf("%v: %+v", err, rep.Breaks)
	}
}

func TestTemplates(t *testing.T) {
	each(t, func(w world) {
		for _, name := range deal.Templates() {
			p, err := w.s.CreatePipeline(bg, w.tenant, actor, deal.NewPipeline{Name: name, Template: name})
			if err != nil {
				t.Fatal(name, err)
			}
			if name == "custom" {
				if len(p.Stages) != 0 {
					t.Error("custom has stages")
				}
				continue
			}
			won, lost, last := 0, 0, -1
			for i, st := range p.Stages {
				switch {
				case st.Won:
					won++
					if st.Probability != 100 {
						t.Errorf("%s: won at %d", name, st.Probability)
					}
				case st.Lost:
					lost++
					if st.Probability != 0 {
						t.Errorf("%s: lost at %d", name, st.Probability)
					}
				case st.Probability <= last:
					t.Errorf("%s: %s does not ascend", name, st.Name)
				}
				last = st.Probability
				if st.Position != i || st.Default != (i == 0) {
					t.Errorf("%s: %+v", name, st)
				}
			}
			if won != 1 || lost < 1 || len(p.Stages) < 6 || len(p.Stages) > 8 {
				t.Errorf("%s: %d won, %d lost, %d stages", name, won, lost, len(p.Stages))
			}
		}
		_, err := w.s.CreatePipeline(bg, w.tenant, actor, deal.NewPipeline{Name: "x", Template: "none"})
		w.wantFault(err, fault.Invalid, "template", "")
		_, err = w.s.CreatePipeline(bg, w.tenant, actor, deal.NewPipeline{Name: "x", Template: "custom", Default: true})
		w.wantFault(err, fault.Invalid, "isDefault", "")
		w.sound(t)
	})
}

// A default pipeline without stages never keeps a person out.
func TestSomebodyAlwaysFindsAPlace(t *testing.T) {
	each(t, func(w world) {
		empty := w.pipeline(deal.NewPipeline{Name: "Empty", Template: "custom"})
		if !empty.Default {
			t.Fatal("the first pipeline is not the default")
		}
		c := w.create(deal.NewCard{New: person("Ana", "9000000001")})
		if c.Deal.Pipeline == empty.ID || c.Stage.Name != "New Lead" {
			t.Errorf("%+v", c.Stage)
		}
		st, err := w.s.AddStage(bg, w.tenant, actor, empty.ID, deal.NewStage{Name: "First"}, nil)
		if err != nil || !st.Default {
			t.Fatal(st, err)
		}
		if c := w.create(deal.NewCard{New: person("Bo", "9000000002")}); c.Deal.Stage != st.ID {
			t.Errorf("the default pipeline is not used: %+v", c.Stage)
		}
		w.sound(t)
	})
}

// Whatever is done to pipelines, stages and deals: positions have no gap, one
// stage is the default, every deal stands in a stage that is there.
func TestStagesStayWhole(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), event.NewLog())
	phone := 0
	rapid.Check(t, func(t *rapid.T) {
		p, err := w.s.CreatePipeline(bg, w.tenant, actor, deal.NewPipeline{Name: "P", Stages: []deal.NewStage{{Name: "A"}, {Name: "B"}, {Name: "C", Won: true}}})
		if err != nil {
			t.Fatal(err)
		}
		var cards []id.ID
		now := func() deal.Pipeline {
			p, err := w.s.Pipeline(bg, w.tenant, p.ID)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		stage := func(t *rapid.T) id.ID {
			list := now().Stages
			if len(list) == 0 {
				t.Skip()
			}
			return rapid.SampledFrom(list).Draw(t, "stage").ID
		}
		refusable := func(err error) {
			if err != nil && fault.As(err) == nil {
				t.Fatal(err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				at := rapid.IntRange(-1, 8).Draw(t, "after")
				_, err := w.s.AddStage(bg, w.tenant, actor, p.ID, deal.NewStage{Name: "N", Lost: rapid.Bool().Draw(t, "lost")}, &at)
				refusable(err)
			},
			"reorder": func(t *rapid.T) {
				var order []id.ID
				for _, s := range now().Stages {
					order = append(order, s.ID)
				}
				order = rapid.Permutation(order).Draw(t, "order")
				got, err := w.s.ReorderStages(bg, w.tenant, actor, p.ID, order)
				if err != nil && len(order) > 0 || len(got) != len(order) {
					t.Fatal(got, err)
				}
				for i, s := range now().Stages {
					if s.ID != order[i] {
						t.Fatal("another order")
					}
				}
			},
			"update": func(t *rapid.T) {
				_, err := w.s.UpdateStage(bg, w.tenant, actor, stage(t), deal.StagePatch{Position: ptr(rapid.IntRange(0, 9).Draw(t, "place")),
					Won: rapid.SampledFrom([]*bool{nil, ptr(true), ptr(false)}).Draw(t, "won"), Default: rapid.SampledFrom([]*bool{nil, ptr(true)}).Draw(t, "default")})
				refusable(err)
			},
			"card": func(t *rapid.T) {
				phone++
				c, err := w.s.Create(bg, w.tenant, actor, deal.NewCard{New: person("P", fmt.Sprint(9100000000+phone)), Stage: stage(t), Value: ptr(rapid.Float64Range(0, 1e6).Draw(t, "value"))})
				if err != nil {
					t.Fatal(err)
				}
				cards = append(cards, c.Contact.ID)
			},
			"move": func(t *rapid.T) {
				if len(cards) == 0 {
					t.Skip()
				}
				_, err := w.move(rapid.SampledFrom(cards).Draw(t, "card"), stage(t))
				refusable(err)
			},
			"end": func(t *rapid.T) {
				if len(cards) == 0 {
					t.Skip()
				}
				cid := rapid.SampledFrom(cards).Draw(t, "card")
				if rapid.Bool().Draw(t, "archive") {
					_, err := w.s.Archive(bg, w.tenant, actor, cid)
					refusable(err)
					return
				}
				_, err := w.s.Convert(bg, w.tenant, actor, cid, rapid.SampledFrom([]string{deal.Won, deal.Lost}).Draw(t, "outcome"), "")
				refusable(err)
			},
			"delete": func(t *rapid.T) {
				victim, to := stage(t), id.Zero
				if rapid.Bool().Draw(t, "fallback") {
					to = stage(t)
				}
				_, err := w.s.DeleteStage(bg, w.tenant, actor, victim, to)
				refusable(err)
			},
			"": func(t *rapid.T) {
				list, defaults := now().Stages, 0
				for i, s := range list {
					if s.Position != i {
						t.Fatalf("stage %d has position %d", i, s.Position)
					}
					if s.Default {
						defaults++
					}
				}
				if len(list) > 0 && defaults != 1 {
					t.Fatalf("%d default stages", defaults)
				}
				for _, cid := range cards {
					c, err := w.s.Card(bg, w.tenant, cid)
					if err != nil || !slices.ContainsFunc(list, func(s deal.Stage) bool { return s.ID == c.Deal.Stage }) {
						t.Fatalf("a deal stands nowhere: %+v %v", c.Deal, err)
					}
				}
			},
		})
		w.sound(t)
	})
}

// Two who change the same stages at once leave them whole.
func TestStagesAtOnce(t *testing.T) {
	each(t, func(w world) {
		p := w.pipeline(deal.NewPipeline{Name: "P", Stages: []deal.NewStage{{Name: "A"}, {Name: "B"}, {Name: "C"}, {Name: "D", Won: true}}})
		var cards []id.ID
		for i := range 8 {
			cards = append(cards, w.create(deal.NewCard{New: person("P", fmt.Sprint(9200000000+i)), Stage: p.Stages[i%3].ID, Value: ptr(1.1)}).Contact.ID)
		}
		ids := make([]id.ID, len(p.Stages))
		for i, s := range p.Stages {
			ids[i] = s.ID
		}
		var group sync.WaitGroup
		for n := range 6 {
			group.Go(func() {
				for i := range 12 {
					var err error
					switch (n + i) % 4 {
					case 0:
						_, err = w.move(cards[(n*3+i)%len(cards)], ids[i%4])
					case 1:
						order := slices.Clone(ids)
						order[0], order[n%4] = order[n%4], order[0]
						_, err = w.s.ReorderStages(bg, w.tenant, actor, p.ID, order)
					case 2:
						if i > 6 {
							_, err = w.s.DeleteStage(bg, w.tenant, actor, ids[n%2], ids[2])
						}
					case 3:
						_, err = w.s.UpdateStage(bg, w.tenant, actor, ids[2], deal.StagePatch{Won: ptr(i%2 == 0)})
					}
					if err != nil && fault.As(err) == nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		w.sound(t)
	}, storetest.Once())
}

func TestDeletingAStageMovesItsDeals(t *testing.T) {
	each(t, func(w world) {
		p := w.pipeline(deal.NewPipeline{Name: "P", Default: true})
		a := w.create(deal.NewCard{New: person("Ana", "9000000001"), Value: ptr(10.5)})
		gone := w.create(deal.NewCard{New: person("Bo", "9000000002")})
		w.must(w.s.Archive(bg, w.tenant, actor, gone.Contact.ID))
		_, err := w.s.DeleteStage(bg, w.tenant, actor, p.Stages[0].ID, id.Zero)
		w.wantFault(err, fault.Conflict, "", "stage")
		_, err = w.s.DeleteStage(bg, w.tenant, actor, p.Stages[0].ID, p.Stages[0].ID)
		w.wantFault(err, fault.Invalid, "fallback", "")
		_, err = w.s.DeleteStage(bg, w.tenant, actor, p.Stages[0].ID, id.New())
		w.wantFault(err, fault.NotFound, "fallback", "stage")
		n, err := w.s.DeleteStage(bg, w.tenant, actor, p.Stages[0].ID, p.Stages[5].ID)
		if err != nil || n != 2 {
			t.Fatal(n, err)
		}
		got := w.card(a.Contact.ID)
		if got.Deal.Status != deal.Won || got.Deal.Stage != p.Stages[5].ID || len(got.Deal.History) != 2 {
			t.Errorf("%+v", got.Deal)
		}
		if got := w.card(gone.Contact.ID); got.Deal.Status != deal.Archived || got.Deal.Stage != p.Stages[5].ID {
			t.Errorf("the archived one: %+v", got.Deal)
		}
		if ev := w.events(a.Contact.ID); !slices.Contains(ev, "deal.won") {
			t.Error(ev)
		}
		rest, err := w.s.Pipeline(bg, w.tenant, p.ID)
		if err != nil || len(rest.Stages) != 6 || !rest.Stages[0].Default || rest.Stages[5].Position != 5 {
			t.Errorf("%+v %v", rest.Stages, err)
		}
		w.sound(t)
	})
}

func TestTooManyDealsForOneTransaction(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t, storetest.Once()), event.NewLog())
	p := w.pipeline(deal.NewPipeline{Name: "P", Default: true})
	rows := make([]deal.NewCard, 1001)
	for i := range rows {
		rows[i].New = person("P", fmt.Sprint(9300000000+i))
	}
	if res, err := w.s.Import(bg, w.tenant, actor, rows); err != nil || res.Created != 1001 {
		t.Fatal(res, err)
	}
	_, err := w.s.DeleteStage(bg, w.tenant, actor, p.Stages[0].ID, p.Stages[1].ID)
	w.wantFault(err, fault.Conflict, "", "stage")
	_, err = w.s.UpdateStage(bg, w.tenant, actor, p.Stages[0].ID, deal.StagePatch{Won: ptr(true)})
	w.wantFault(err, fault.Conflict, "", "stage")
	b, err := w.s.Board(bg, w.tenant, p.ID, 1)
	if err != nil || b.Columns[0].Count != 1001 {
		t.Error(b.Columns[0].Count, err)
	}
	list, total, err := w.s.List(bg, w.tenant, deal.CardFilter{Stage: p.Stages[0].ID, Limit: 1000, Page: 2})
	if err != nil || len(list) != 1 || total != 1001 {
		t.Error(len(list), total, err)
	}
}

// Whatever takes the place of a default is told of for both of them.
func TestTheFormerDefaultIsToldOf(t *testing.T) {
	each(t, func(w world) {
		count := func(typ string, subject id.ID) (n int) {
			err := w.db.Read(bg, w.tenant).QueryRow("SELECT COUNT(*) FROM event WHERE tenant_id=? AND type=? AND subject=?", typ, subject).Scan(&n)
			if err != nil {
				w.Fatal(err)
			}
			return n
		}
		first, err := w.s.CreatePipeline(bg, w.tenant, actor, deal.NewPipeline{Name: "First"})
		if err != nil {
			w.Fatal(err)
		}
		if _, err := w.s.CreatePipeline(bg, w.tenant, actor, deal.NewPipeline{Name: "Second", Default: true}); err != nil {
			w.Fatal(err)
		}
		if n := count("pipeline.updated", first.ID); n != 1 {
			w.Errorf("the former default pipeline: %d events", n)
		}
		a, b := first.Stages[0].ID, first.Stages[1].ID
		if _, err := w.s.UpdateStage(bg, w.tenant, actor, b, deal.StagePatch{Default: ptr(true)}); err != nil {
			w.Fatal(err)
		}
		if x, y := count("stage.updated", a), count("stage.updated", b); x != 1 || y != 1 {
			w.Errorf("the former default stage: %d events, the new one: %d", x, y)
		}
		if _, err := w.s.DeleteStage(bg, w.tenant, actor, b, id.Zero); err != nil {
			w.Fatal(err)
		}
		if n := count("stage.updated", a); n != 2 {
			w.Errorf("the stage that became the default one by a deletion: %d events", n)
		}
		w.sound(w)
	})
}
