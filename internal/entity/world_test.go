package entity_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"

	"parley/internal/agent"
	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/entity"
	"parley/internal/event"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/record"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tenant/tenanttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

const actor = "key:test"

type world struct {
	testing.TB
	db      *store.DB
	log     *event.Log
	people  *contact.Service
	cards   *deal.Service
	agents  *agent.Service
	work    *handover.Service
	records *record.Service
	s       *entity.Service
	tenant  id.ID
	shop    agent.Group
	depot   agent.Group
	asha    agent.Agent
}

func newWorld(t testing.TB, db *store.DB) *world {
	t.Helper()
	tenants, a := tenanttest.New(t, db)
	var err error
	w := &world{TB: t, db: db, log: event.NewLog(), tenant: a.ID}
	w.people = contact.NewService(db, w.log, tenants)
	w.cards = deal.NewService(db, w.log, w.people, tenants)
	w.agents = agent.NewService(db, w.log, tenants)
	w.work = handover.NewService(db, w.log, w.people, w.cards, w.agents)
	w.records = record.NewService(db, w.log, w.people)
	w.s = entity.NewService(db, w.people, w.records)
	if _, err := w.agents.Root(bg, w.tenant); err != nil {
		t.Fatal(err)
	}
	w.shop, err = w.agents.CreateGroup(bg, w.tenant, actor, agent.Group{Name: "Shop"})
	w.check(err)
	w.depot, err = w.agents.CreateGroup(bg, w.tenant, actor, agent.Group{Name: "Depot", DisplayName: "The depot"})
	w.check(err)
	w.asha, err = w.agents.Create(bg, w.tenant, actor, agent.Agent{FirstName: "Asha", LastName: "Rao", Group: w.shop.ID})
	w.check(err)
	return w
}

func each(t *testing.T, f func(w *world), opts ...storetest.Option) {
	storetest.Each(t, func(t *testing.T, db *store.DB) { f(newWorld(t, db)) }, opts...)
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) r() store.Reader { return w.s.Reads(bg, w.tenant) }

func (w *world) card(n deal.NewCard) deal.Card {
	w.Helper()
	c, err := w.cards.Create(bg, w.tenant, actor, n)
	w.check(err)
	return c
}

func (w *world) write(f func(tx *store.Tx) error) {
	w.Helper()
	w.check(w.db.Write(bg, w.tenant, f))
}

func (w *world) record(n record.New) record.Record {
	w.Helper()
	rec, err := w.records.Create(bg, w.tenant, actor, n)
	w.check(err)
	return rec
}

func (w *world) doc(schema string, v id.ID) entity.Doc {
	w.Helper()
	m, err := w.s.Documents(w.r(), schema, []id.ID{v})
	w.check(err)
	return m[v]
}

// attributes are drawn so that they meet the filters of the property test.
func attributes(rnd *rand.Rand) map[string]any {
	out := map[string]any{}
	scalar := func() any {
		list := []any{"red", "Red", "blue", "5", "2026-01-05", "2026-01-05T10:00:00Z", "", "a b", true, false, nil, 5, 7, -1, 2.5, 1e6, 9007199254740993, "9007199254740993", "ключ", "100%", "it's"}
		return list[rnd.IntN(len(list))]
	}
	value := func() any {
		switch rnd.IntN(6) {
		case 0:
			return []any{scalar(), scalar()}
		case 1:
			return map[string]any{"city": scalar(), "zip": scalar()}
		case 2:
			return []any{map[string]any{"city": scalar()}, map[string]any{"city": scalar()}, "red"}
		case 3:
			return []any{}
		}
		return scalar()
	}
	names := []string{"color", "size", "address", "items", "status", "_tags", "color.x", "due", "0", "sp ace"}
	for range rnd.IntN(6) {
		out[names[rnd.IntN(len(names))]] = value()
	}
	return out
}

// populate makes people in every shape, and records of two schemas.
func (w *world) populate(rnd *rand.Rand, people, records int) {
	w.Helper()
	names := []string{"Ana", "Bob", "ana", "Zoë", ""}
	tags := []string{"vip", "new", "VIP", "5"}
	some := func(list []string) string { return list[rnd.IntN(len(list))] }
	for i := range people {
		n := deal.NewCard{New: contact.New{FirstName: some(names), LastName: some([]string{"Lima", "de Souza", "", ""}), Source: some([]string{"web", "fair", "5"}),
			Attributes: attributes(rnd)}}
		if rnd.IntN(4) > 0 {
			n.Phone = fmt.Sprintf("+55119%08d", rnd.IntN(50)+100*i)
		}
		if n.Phone == "" || rnd.IntN(2) == 0 {
			n.Email = fmt.Sprintf("p%d.%d@%s", i, rnd.IntN(10), some([]string{"example.com", "x.org"}))
		}
		for range rnd.IntN(3) {
			n.Tags = append(n.Tags, some(tags))
		}
		if rnd.IntN(2) == 0 {
			v := []float64{0, 5, 7.5, 1e6}[rnd.IntN(4)]
			n.Value = &v
		}
		var cid id.ID
		if rnd.IntN(6) == 0 { // a person without a deal
			w.write(func(tx *store.Tx) error {
				c, err := w.people.CreateIn(tx, actor, n.New)
				cid = c.ID
				return err
			})
		} else {
			cid = w.card(n).Contact.ID
		}
		if rnd.IntN(3) > 0 {
			a := handover.Arrival{Group: w.shop.ID}
			if rnd.IntN(3) == 0 {
				a.Group = w.depot.ID
			} else if rnd.IntN(2) == 0 {
				a.Agent = w.asha.ID
			}
			_, err := w.work.Place(bg, w.tenant, actor, cid, a)
			w.check(err)
		}
		if rnd.IntN(3) == 0 {
			w.write(func(tx *store.Tx) error {
				_, _, err := w.people.AmendIn(tx, actor, cid, contact.Amendment{Phone: fmt.Sprintf("+5521900%06d", i), Email: fmt.Sprintf("second%d@example.com", i)})
				return err
			})
		}
		switch rnd.IntN(12) {
		case 0:
			_, err := w.cards.Archive(bg, w.tenant, actor, cid)
			w.check(err)
		case 1:
			_, err := w.people.Erase(bg, w.tenant, actor, cid)
			w.check(err)
		case 2, 3:
			w.write(func(tx *store.Tx) error {
				_, err := w.cards.UpdateIn(tx, actor, cid, deal.CardPatch{Patch: contact.Patch{Score: ptr(rnd.IntN(100))}})
				return err
			})
		}
	}
	for range records {
		n := record.New{Schema: some([]string{"order", "order", "meter"}), Attributes: attributes(rnd)}
		delete(n.Attributes, "_tags")
		for range rnd.IntN(3) {
			n.Tags = append(n.Tags, some(tags))
		}
		n.Title = some([]string{"First", "second one", "100%", ""})
		rec := w.record(n)
		if rnd.IntN(8) == 0 {
			_, err := w.records.Delete(bg, w.tenant, actor, rec.Schema, rec.ID)
			w.check(err)
		}
	}
}

func ptr[T any](v T) *T { return &v }
