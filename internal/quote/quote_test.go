package quote_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"parley/internal/agent"
	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/conversation/convtest"
	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/outbox"
	"parley/internal/quote"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

const actor = "key:test"

type world struct {
	*testing.T
	*convtest.World
	agents *agent.Service
	work   *handover.Service
	s      *quote.Service
	groups []agent.Group
	phones *int
}

func each(t *testing.T, f func(w world), opts ...storetest.Option) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c, _ := db.Clock().(*clock.Fake)
		w := world{T: t, World: convtest.New(t, db, c, outbox.Options{}), phones: new(int)}
		w.agents = agent.NewService(db, w.Log, w.Tenants)
		w.work = handover.NewService(db, w.Log, w.Contacts, w.Cards, w.agents)
		w.s = quote.NewService(db, w.Log, w.Contacts, w.agents, w.work)
		root, err := w.agents.Root(bg, w.Tenant)
		if err != nil {
			t.Fatal(err)
		}
		w.groups = append(w.groups, root)
		for _, name := range []string{"North", "South"} {
			g, err := w.agents.CreateGroup(bg, w.Tenant, actor, agent.Group{Name: name})
			if err != nil {
				t.Fatal(err)
			}
			w.groups = append(w.groups, g)
		}
		f(w)
	}, append(opts, storetest.Clock(clock.NewFake(convtest.Start)))...)
}

func (w world) person(group id.ID) id.ID {
	w.Helper()
	*w.phones++
	cid, err := store.Write(bg, w.DB, w.Tenant, func(tx *store.Tx) (id.ID, error) {
		card, err := w.Cards.CreateIn(tx, actor, deal.NewCard{New: contact.New{FirstName: "P", Phone: fmt.Sprintf("+9198%08d", *w.phones)}})
		if err != nil {
			return id.Zero, err
		}
		_, err = w.work.PlaceIn(tx, actor, card.Contact.ID, handover.Arrival{Group: group})
		return card.Contact.ID, err
	})
	if err != nil {
		w.Fatal(err)
	}
	return cid
}

func (w world) r() store.Reader { return w.s.Reads(bg, w.Tenant) }

func (w world) make(cid id.ID, items ...quote.Item) quote.Quote {
	w.Helper()
	q, err := w.s.Create(bg, w.Tenant, actor, quote.New{Contact: cid, Items: items})
	if err != nil {
		w.Fatal(err)
	}
	return q
}

var one = quote.Item{Quantity: "1", Price: "1"}

func TestTotals(t *testing.T) {
	each(t, func(w world) {
		cid := w.person(w.groups[1].ID)
		for _, c := range []struct {
			want  string
			items []quote.Item
		}{
			{"0.3", []quote.Item{{Quantity: "3", Price: "0.1"}}},
			{"0.3", []quote.Item{{Quantity: "1", Price: "0.1"}, {Quantity: "1", Price: "0.2"}}},
			{"0", []quote.Item{{Quantity: "2"}}},
			{"90", []quote.Item{{Quantity: "1", Price: "100"}, {Quantity: "1", Price: "-10.00"}}},
			{"1000000000000000000000000", []quote.Item{{Quantity: "1e12", Price: "1000000000000"}}},
			{"0.000000000001", []quote.Item{{Quantity: "0.000001", Price: "0.000001"}}},
		} {
			if q := w.make(cid, c.items...); q.Total != c.want {
				w.Errorf("%+v come to %s, want %s", c.items, q.Total, c.want)
			}
		}
	}, storetest.Once())
}

// TestTotalsAreExact compares with fractions, whatever the digits.
func TestTotalsAreExact(t *testing.T) {
	each(t, func(w world) {
		cid := w.person(w.groups[1].ID)
		rng := rand.New(rand.NewPCG(1, 1))
		number := func(low int64) string {
			return fmt.Sprintf("%d.%06d", low+rng.Int64N(1_000_000_000), rng.IntN(1_000_000))
		}
		for range 50 {
			var items []quote.Item
			want := new(big.Rat)
			for range 1 + rng.IntN(20) {
				it := quote.Item{Quantity: number(1), Price: number(-500_000_000)}
				q, _ := new(big.Rat).SetString(it.Quantity)
				p, _ := new(big.Rat).SetString(it.Price)
				want.Add(want, q.Mul(q, p))
				items = append(items, it)
			}
			got, ok := new(big.Rat).SetString(w.make(cid, items...).Total)
			if !ok || got.Cmp(want) != 0 {
				w.Fatalf("%v come to %s, want %s", items, got, want.FloatString(12))
			}
		}
	}, storetest.Once())
}

func TestBadQuotes(t *testing.T) {
	each(t, func(w world) {
		cid := w.person(w.groups[1].ID)
		for _, c := range []struct {
			n     quote.New
			field string
		}{
			{quote.New{}, "items"},
			{quote.New{Items: []quote.Item{{}}}, "items[0].quantity"},
			{quote.New{Items: []quote.Item{one, {Quantity: "0"}}}, "items[1].quantity"},
			{quote.New{Items: []quote.Item{{Quantity: "-1"}}}, "items[0].quantity"},
			{quote.New{Items: []quote.Item{{Quantity: "NaN"}}}, "items[0].quantity"},
			{quote.New{Items: []quote.Item{{Quantity: "1e99"}}}, "items[0].quantity"},
			{quote.New{Items: []quote.Item{{Quantity: "1e999999999"}}}, "items[0].quantity"},
			{quote.New{Items: []quote.Item{{Quantity: "1/3"}}}, "items[0].quantity"},
			{quote.New{Items: []quote.Item{{Quantity: "1", Price: "0.1234567"}}}, "items[0].price"},
			{quote.New{Items: []quote.Item{{Quantity: "1", Price: "1e-7"}}}, "items[0].price"},
			{quote.New{Items: []quote.Item{{Quantity: "1", Price: "1000000000001"}}}, "items[0].price"},
			{quote.New{Items: []quote.Item{{Quantity: "1", Concept: strings.Repeat("x", 1001)}}}, "items[0].concept"},
			{quote.New{Items: []quote.Item{{Quantity: "1", Currency: "dollars"}}}, "items[0].price.currency"},
			{quote.New{Items: []quote.Item{{Quantity: "1", Currency: "usd"}, {Quantity: "1", Currency: "eur"}}}, "items[1].price.currency"},
			{quote.New{Items: slices.Repeat([]quote.Item{one}, 501)}, "items"},
			{quote.New{Items: []quote.Item{one}, Status: "open"}, "status"},
			{quote.New{Items: []quote.Item{one}, Data: map[string]any{"x": strings.Repeat("x", 70_000)}}, "additionalData"},
			{quote.New{Items: []quote.Item{{Quantity: "1", Product: map[string]any{"x": "a\x00"}}}}, "items"},
		} {
			c.n.Contact = cid
			_, err := w.s.Create(bg, w.Tenant, actor, c.n)
			f := fault.As(err)
			if f != nil && len(f.Fields) > 0 {
				f = f.Fields[0]
			}
			if f == nil || f.Code != fault.Invalid || f.Field != c.field {
				w.Errorf("want a complaint of %s: %v", c.field, err)
			}
		}
		if n := w.Count(w.T, "quote", "1=1"); n != 0 {
			w.Errorf("%d quotes were made", n)
		}
		if _, err := w.s.Create(bg, w.Tenant, actor, quote.New{Contact: id.New(), Items: []quote.Item{one}}); !errors.Is(err, fault.Of(fault.NotFound)) {
			w.Errorf("nobody's: %v", err)
		}
	})
}

// TestDecisions tries every step from every status.
func TestDecisions(t *testing.T) {
	each(t, func(w world) {
		cid := w.person(w.groups[1].ID)
		for _, from := range quote.Statuses {
			for _, to := range append([]string{""}, quote.Statuses...) {
				q, err := w.s.Create(bg, w.Tenant, actor, quote.New{Contact: cid, Status: from, Items: []quote.Item{one}})
				if err != nil {
					w.Fatal(err)
				}
				w.Clock.Advance(time.Minute)
				got, err := w.s.Decide(bg, w.Tenant, actor, cid, q.ID, to)
				events := w.Count(w.T, "event", "type='quote.updated' AND subject=?", q.ID)
				switch {
				case to == "" || to == quote.Pending:
					if f := fault.As(err); f == nil || f.Code != fault.Invalid || f.Field != "status" {
						w.Errorf("%s to %q: %v", from, to, err)
					}
				case from == to:
					if d := cmp.Diff(q, got); err != nil || d != "" || events != 0 {
						w.Errorf("%s again: %v %s", to, err, d)
					}
				case from == quote.Pending:
					at := map[string]time.Time{quote.Accepted: got.AcceptedAt, quote.Rejected: got.RejectedAt}
					if err != nil || got.Status != to || !at[to].Equal(w.Clock.Now()) || !got.FinishedAt().Equal(at[to]) || events != 1 {
						w.Errorf("%s: %+v %v, %d events", to, got, err, events)
					}
				default:
					if !errors.Is(err, fault.Of(fault.Conflict)) || events != 0 {
						w.Errorf("%s to %s: %v", from, to, err)
					}
				}
			}
		}
		if _, err := w.s.Decide(bg, w.Tenant, actor, w.person(w.groups[1].ID), w.make(cid, one).ID, quote.Accepted); !errors.Is(err, fault.Of(fault.NotFound)) {
			w.Errorf("somebody else's: %v", err)
		}
	})
}

func TestMergedQuotes(t *testing.T) {
	each(t, func(w world) {
		a, b := w.person(w.groups[1].ID), w.person(w.groups[2].ID)
		mine, theirs := w.make(a, one), w.make(b, one)
		if _, err := w.Contacts.Merge(bg, w.Tenant, actor, a, b); err != nil {
			w.Fatal(err)
		}
		since := w.make(b, one)
		of := func(cid id.ID) (out []id.ID) {
			list, err := w.s.OfContact(w.r(), cid, quote.Filter{})
			if err != nil {
				w.Fatal(err)
			}
			for _, q := range list {
				out = append(out, q.ID)
			}
			slices.SortFunc(out, func(a, b id.ID) int { return strings.Compare(a.String(), b.String()) })
			return out
		}
		if d := cmp.Diff([]id.ID{mine.ID, theirs.ID, since.ID}, of(b)); d != "" {
			w.Errorf("merged: %s", d)
		}
		if _, err := w.s.Decide(bg, w.Tenant, actor, b, theirs.ID, quote.Accepted); err != nil {
			w.Errorf("under the old id: %v", err)
		}
		if _, _, err := w.Contacts.Unmerge(bg, w.Tenant, actor, a); err != nil {
			w.Fatal(err)
		}
		if d := cmp.Diff([]id.ID{theirs.ID}, of(b)); d != "" {
			w.Errorf("taken apart, the other: %s", d)
		}
		if d := cmp.Diff([]id.ID{mine.ID, since.ID}, of(a)); d != "" {
			w.Errorf("taken apart, the survivor: %s", d)
		}
		if _, err := w.Contacts.Erase(bg, w.Tenant, actor, a); err != nil {
			w.Fatal(err)
		}
		if n := w.Count(w.T, "quote", "contact_id=?", a); n != 0 {
			w.Errorf("%d quotes of an erased contact", n)
		}
	})
}

// TestLists holds every plan to a list that was filtered and cut by hand.
func TestLists(t *testing.T) {
	each(t, func(w world) {
		rng := rand.New(rand.NewPCG(5, 6))
		var all []quote.Quote
		groupOf := map[id.ID]id.ID{}
		var people []id.ID
		for n := range 12 {
			g := w.groups[n%3].ID
			p := w.person(g)
			people, groupOf[p] = append(people, p), g
		}
		for range 120 {
			if rng.IntN(2) == 0 { // some at the same moment
				w.Clock.Advance(time.Second)
			}
			q := w.make(people[rng.IntN(len(people))], one)
			if to := quote.Statuses[rng.IntN(3)]; to != quote.Pending {
				var err error
				if q, err = w.s.Decide(bg, w.Tenant, actor, q.Contact, q.ID, to); err != nil {
					w.Fatal(err)
				}
			}
			all = append(all, q)
		}
		slices.SortFunc(all, func(a, b quote.Quote) int {
			if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
				return c
			}
			return strings.Compare(b.ID.String(), a.ID.String())
		})
		defer quote.Few(quote.Few(0))
		for n := range 200 {
			quote.Few([]int{0, 2000}[n%2])
			f := quote.Filter{Limit: []int{0, 1, 5, 30, 500}[rng.IntN(5)], Status: append(quote.Statuses, "", "", "")[rng.IntN(6)],
				Scope: []id.ID{id.Zero, w.groups[0].ID, w.groups[1].ID, w.groups[2].ID}[rng.IntN(4)]}
			pick := func() quote.Quote { return all[rng.IntN(len(all))] }
			for _, m := range []struct {
				to *time.Time
				at time.Time
			}{{&f.CreatedAfter, pick().CreatedAt}, {&f.CreatedBefore, pick().CreatedAt}, {&f.AcceptedAfter, pick().AcceptedAt}, {&f.AcceptedBefore, pick().AcceptedAt},
				{&f.RejectedAfter, pick().RejectedAt}, {&f.RejectedBefore, pick().RejectedAt}} {
				if rng.IntN(6) == 0 {
					*m.to = m.at
				}
			}
			for _, c := range []*id.ID{&f.Before, &f.After} {
				if rng.IntN(3) == 0 {
					*c = pick().ID
				}
			}
			want := byHand(all, f, groupOf, w.groups[0].ID)
			got := []string{}
			if err := w.s.Walk(w.r(), f, func(page []quote.Quote) error {
				for _, q := range page {
					got = append(got, q.ID.String())
				}
				return nil
			}); err != nil {
				w.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				w.Fatalf("%d: %+v: %s", n, f, d)
			}
		}
	}, storetest.Once())
}

func byHand(all []quote.Quote, f quote.Filter, groupOf map[id.ID]id.ID, root id.ID) []string {
	place := map[id.ID]int{}
	for n, q := range all {
		place[q.ID] = n
	}
	in := func(at, after, before time.Time) bool {
		return (after.IsZero() || !at.IsZero() && !at.Before(after)) && (before.IsZero() || !at.IsZero() && !at.After(before))
	}
	out := []string{}
	for n, q := range all {
		if (f.Scope.IsZero() || f.Scope == root || groupOf[q.Contact] == f.Scope) && (f.Status == "" || f.Status == q.Status) &&
			in(q.CreatedAt, f.CreatedAfter, f.CreatedBefore) && in(q.AcceptedAt, f.AcceptedAfter, f.AcceptedBefore) && in(q.RejectedAt, f.RejectedAfter, f.RejectedBefore) &&
			(f.Before.IsZero() || n > place[f.Before]) && (f.After.IsZero() || n < place[f.After]) {
			out = append(out, q.ID.String())
		}
	}
	if f.Limit > 0 && len(out) > f.Limit {
		if !f.After.IsZero() && f.Before.IsZero() {
			return out[len(out)-f.Limit:]
		}
		return out[:f.Limit]
	}
	return out
}
