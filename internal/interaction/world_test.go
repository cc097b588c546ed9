package interaction_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/agent"
	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/conversation/convtest"
	"parley/internal/deal"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/interaction"
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
	quotes *quote.Service
	s      *interaction.Service
	root   agent.Group
	shop   agent.Group
	asha   agent.Agent
}

func build(t *testing.T, db *store.DB) world {
	c, ok := db.Clock().(*clock.Fake)
	if !ok {
		t.Fatal("the clock is not ours")
	}
	w := world{T: t, World: convtest.New(t, db, c, outbox.Options{})}
	w.agents = agent.NewService(db, w.Log, w.Tenants)
	w.work = handover.NewService(db, w.Log, w.Contacts, w.Cards, w.agents)
	w.quotes = quote.NewService(db, w.Log, w.Contacts, w.agents, w.work)
	w.s = interaction.NewService(db, w.Log, w.Contacts, w.Conversations, w.agents, w.work, w.quotes)
	var err error
	if w.root, err = w.agents.Root(bg, w.Tenant); err != nil {
		t.Fatal(err)
	}
	w.shop = w.group("Shop")
	if w.asha, err = w.agents.Create(bg, w.Tenant, actor, agent.Agent{FirstName: "Asha", Group: w.shop.ID}); err != nil {
		t.Fatal(err)
	}
	return w
}

func each(t *testing.T, f func(w world), opts ...storetest.Option) {
	storetest.Each(t, func(t *testing.T, db *store.DB) { f(build(t, db)) },
		append(opts, storetest.Clock(clock.NewFake(convtest.Start)))...)
}

func (w world) group(name string) agent.Group {
	w.Helper()
	g, err := w.agents.CreateGroup(bg, w.Tenant, actor, agent.Group{Name: name})
	if err != nil {
		w.Fatal(err)
	}
	return g
}

// person makes a contact with a phone, whose work is in a group.
func (w world) person(phone string, group id.ID) id.ID {
	w.Helper()
	c, err := store.Write(bg, w.DB, w.Tenant, func(tx *store.Tx) (id.ID, error) {
		card, err := w.Cards.CreateIn(tx, actor, deal.NewCard{New: contact.New{FirstName: "P", Phone: "+" + phone}})
		if err != nil {
			return id.Zero, err
		}
		_, err = w.work.PlaceIn(tx, actor, card.Contact.ID, handover.Arrival{Group: group})
		return card.Contact.ID, err
	})
	if err != nil {
		w.Fatal(err)
	}
	return c
}

func (w world) r() store.Reader { return w.s.Reads(bg, w.Tenant) }

func (w world) record(cid id.ID, n interaction.New) interaction.Interaction {
	w.Helper()
	w.Clock.Advance(time.Second)
	i, err := w.s.Record(bg, w.Tenant, actor, cid, n)
	if err != nil {
		w.Fatal(err)
	}
	return i
}

func (w world) list(f interaction.Filter) []interaction.Interaction {
	w.Helper()
	list, err := w.s.List(w.r(), f)
	if err != nil {
		w.Fatal(err)
	}
	return list
}

func (w world) of(cid id.ID) []interaction.Interaction {
	w.Helper()
	list, err := w.s.OfContact(w.r(), cid, interaction.Filter{})
	if err != nil {
		w.Fatal(err)
	}
	return list
}

// brief writes interactions as "via status text".
func brief(list []interaction.Interaction) (out []string) {
	for _, i := range list {
		o := i.Output
		text := o.Comment
		switch {
		case o.Message != nil:
			text = o.Message.Performer + ": " + o.Message.Content + o.Message.Body
		case o.Question != nil:
			text = o.Question.Question
		case o.Call != nil:
			text = fmt.Sprint("call of ", o.Call.Duration)
		case o.Proposal != nil:
			text = "proposal " + o.Proposal.Status
		case !o.Reminder.IsZero():
			text = "remind " + o.Reminder.Format(time.DateOnly)
		case o.RejectionReason != "":
			text = "because " + o.RejectionReason
		}
		out = append(out, i.Via+" "+i.Status+" "+text)
	}
	return out
}
