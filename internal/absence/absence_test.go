package absence_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/absence"
	"parley/internal/agent"
	"parley/internal/channel"
	"parley/internal/clock"
	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/conversation/convtest"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/outbox"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

const (
	closed = "We are closed until nine."
	away   = "The workshop opens at seven."
)

// world is a tenant with two groups, each with a text and an agent. The clock
// stands at nine on a Monday.
type world struct {
	*testing.T
	*convtest.World
	agents         *agent.Service
	handovers      *handover.Service
	absences       *absence.Service
	shop, workshop agent.Group
	ann, bob       agent.Agent
	monday         time.Time
	threads        map[id.ID]id.ID // conversations by their contacts
}

func each(t *testing.T, f func(w *world)) {
	now := clock.NewFake(convtest.Start)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		monday := convtest.Start // each database has a week of its own
		for monday.Before(now.Now()) {
			monday = monday.AddDate(0, 0, 7)
		}
		now.Advance(monday.Sub(now.Now()))
		w := &world{T: t, monday: monday, threads: map[id.ID]id.ID{}, World: convtest.New(t, db, now, outbox.Options{})}
		w.agents = agent.NewService(db, w.World.Log, w.Tenants)
		w.handovers = handover.NewService(db, w.World.Log, w.Contacts, w.Cards, w.agents)
		w.absences = absence.NewService(db, w.World.Log, w.Contacts, w.agents, w.handovers, w.Conversations)
		root, err := w.agents.Root(bg, w.Tenant)
		if err != nil {
			t.Fatal(err)
		}
		w.shop, w.ann = w.staffed("Shop", root.ID, closed)
		w.workshop, w.bob = w.staffed("Workshop", root.ID, away)
		text := closed // who comes by a message comes to the root
		if _, err := w.agents.UpdateGroup(bg, w.Tenant, "test", root.ID, agent.GroupPatch{AbsenceMessage: &text}); err != nil {
			t.Fatal(err)
		}
		w.drain() // the first group adopts who is there, and tells nobody
		f(w)
	}, storetest.Clock(now))
}

// staffed makes a group that works on Mondays from ten to eleven, with an agent.
func (w *world) staffed(name string, parent id.ID, text string) (agent.Group, agent.Agent) {
	w.Helper()
	g, err := w.agents.CreateGroup(bg, w.Tenant, "test", agent.Group{Name: name, Parent: parent, AbsenceMessage: text, Timezone: "UTC",
		Hours: agent.Hours{{Day: time.Monday, From: 600, To: 660}}})
	if err != nil {
		w.Fatal(err)
	}
	a, err := w.agents.Create(bg, w.Tenant, "test", agent.Agent{FirstName: name, Group: g.ID})
	if err != nil {
		w.Fatal(err)
	}
	return g, a
}

// Helper, Fatal and Fatalf have two owners.
func (w *world) Helper()                      { w.T.Helper() }
func (w *world) Fatal(args ...any)            { w.T.Helper(); w.T.Fatal(args...) }
func (w *world) Fatalf(f string, args ...any) { w.T.Helper(); w.T.Fatalf(f, args...) }
func (w *world) writes(text string) (c id.ID) { w.Helper(); return w.writesFrom(convtest.Number, text) }

// at goes to some hours after nine of some days after the first Monday.
func (w *world) at(days int, hours float64) {
	w.Clock.Advance(w.monday.AddDate(0, 0, days).Add(time.Duration(hours * float64(time.Hour))).Sub(w.Clock.Now()))
}

// told returns what the person was sent, in order.
func (w *world) told(cid id.ID) (texts []string) {
	w.Helper()
	w.drain()
	page, _, err := w.Conversations.Messages(bg, w.Tenant, w.threads[cid], conversation.MessageQuery{Limit: 200})
	if err != nil {
		w.Fatal(err)
	}
	slices.SortStableFunc(page, func(a, b conversation.Message) int { return a.CreatedAt.Compare(b.CreatedAt) })
	for _, m := range page {
		if m.Direction == conversation.Outbound {
			texts = append(texts, m.Text)
		}
	}
	return texts
}

// writesFrom has somebody write, and returns the contact.
func (w *world) writesFrom(from, text string) id.ID {
	w.Helper()
	w.Receive(w, channel.Batch{Messages: []channel.Incoming{{Account: w.Account.ExternalID, ProviderID: "in." + id.New().String(), From: from,
		ProfileName: "Asha", At: w.Clock.Now(), Kind: channel.Text, Text: text}}})
	list, _, err := w.Conversations.List(bg, w.Tenant, conversation.ListQuery{Search: from})
	if err != nil || len(list) != 1 {
		w.Fatal(list, err)
	}
	w.drain()
	w.threads[list[0].Contact] = list[0].ID
	return list[0].Contact
}

// inquires adds an inquiry of a contact, who is taken up again.
func (w *world) inquires(cid id.ID) {
	w.Helper()
	if err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
		if _, err := w.handovers.PlaceIn(tx, "test", cid, handover.Arrival{Group: w.shop.ID}); err != nil {
			return err
		}
		_, _, err := w.Contacts.AddInquiryIn(tx, "test", contact.Inquiry{Contact: cid, Face: "sales", Kind: "retail", Source: "web", At: tx.Now()})
		return err
	}); err != nil {
		w.Fatal(err)
	}
}

func (w *world) expect(cid id.ID, when string, want ...string) {
	w.Helper()
	if got := w.told(cid); !slices.Equal(got, want) {
		w.Errorf("%s the person was told %q, not %q", when, got, want)
	}
}

// drain runs the jobs until none is due.
func (w *world) drain() {
	w.Helper()
	ctx, cancel := context.WithCancel(bg)
	r := job.NewRunner(w.DB, job.Options{Node: id.New().String(), Clock: w.Clock, Workers: 2})
	w.handovers.RegisterJobs(r)
	w.absences.RegisterJobs(r)
	w.Contacts.RegisterJobs(r)
	w.Conversations.RegisterJobs(r)
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	due := 1
	for deadline := time.Now().Add(20 * time.Second); due > 0 && time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if err := w.DB.Read(bg, w.Tenant).QueryRow("SELECT COUNT(*) FROM job WHERE tenant_id=? AND state IN ('available','running','retryable') AND run_at<=?", w.Clock.Now()).Scan(&due); err != nil {
			w.Fatal(err)
		}
	}
	cancel()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		w.Fatal(err)
	}
	if due > 0 {
		w.Fatalf("%d jobs are still due", due)
	}
}

// TestOnceForAnArrival: a first message is answered once, however much is written.
func TestOnceForAnArrival(t *testing.T) {
	each(t, func(w *world) {
		w.at(0, 0)
		c := w.writes("anybody there?")
		w.expect(c, "at nine", closed)
		w.writes("hello?")
		w.at(0, 12)
		w.writes("HELLO?")
		w.expect(c, "however often they write,", closed)
		work, err := w.handovers.Get(w.DB.Read(bg, w.Tenant), c)
		if err != nil || !work.AbsenceSentAt.Equal(w.monday) || !work.FirstContactedAt.IsZero() {
			w.Errorf("%+v %v", work, err)
		}
	})
}

// TestATransferIsAnArrival: who is given to somebody who does not work is told so
// at once where the window is open, else when they write; once.
func TestATransferIsAnArrival(t *testing.T) {
	each(t, func(w *world) {
		w.at(0, 0)
		c := w.writes("my car is broken")
		w.expect(c, "at nine", closed)
		give := func(to handover.Destination) {
			w.Helper()
			if _, err := w.handovers.Transfer(bg, w.Tenant, "agent:"+w.ann.ID.String(), c, to); err != nil {
				w.Fatal(err)
			}
		}
		w.at(0, 0.2)
		give(handover.Destination{Group: w.workshop.ID})
		w.expect(c, "given to the workshop,", closed, away)
		w.writes("so?")
		w.expect(c, "writing again,", closed, away)
		w.at(0, 1.5) // half past ten: they work
		give(handover.Destination{Agent: w.ann.ID})
		w.expect(c, "given to somebody who works,", closed, away)
		w.at(0, 3)
		w.writes("thank you")
		w.expect(c, "writing when that one has gone,", closed, away, closed)
		w.at(3, 0) // the window has closed
		give(handover.Destination{Agent: w.bob.ID})
		w.expect(c, "given away outside of the window,", closed, away, closed)
		w.at(3, 1)
		w.writes("hello?")
		w.writes("hello?!")
		w.expect(c, "writing then,", closed, away, closed, away)
	})
}

// TestAReturnIsAnArrival: who comes back from the archive, by a message or by an
// inquiry, is told again; so is who inquires again.
func TestAReturnIsAnArrival(t *testing.T) {
	each(t, func(w *world) {
		archive := func(c id.ID) {
			w.Helper()
			if _, err := w.handovers.Archive(bg, w.Tenant, "test", c, "converted"); err != nil {
				w.Fatal(err)
			}
		}
		w.at(0, 0)
		c := w.writes("hello")
		w.expect(c, "at nine", closed)
		archive(c)
		w.at(1, 0)
		w.writes("it is me again")
		w.writes("hello?")
		w.expect(c, "back by a message,", closed, closed)

		archive(c)
		w.at(4, 0) // the window has closed
		w.inquires(c)
		w.expect(c, "back by an inquiry outside of the window,", closed, closed)
		w.at(4, 1)
		w.writes("did you get my inquiry?")
		w.writes("hello?")
		w.expect(c, "writing then,", closed, closed, closed)

		w.at(4, 2) // inside
		w.inquires(c)
		w.expect(c, "inquiring again,", closed, closed, closed, closed)
		w.at(8, 0)
		w.inquires(c)
		w.at(8, 1)
		w.writes("I inquired again")
		w.writes("hello?")
		w.expect(c, "writing after an inquiry outside of the window,", closed, closed, closed, closed, closed)

		archive(c)
		w.at(8, 2)
		if _, err := w.handovers.Unarchive(bg, w.Tenant, "test", c); err != nil {
			w.Fatal(err)
		}
		w.expect(c, "taken up by somebody,", closed, closed, closed, closed, closed, closed)
	})
}

// TestWhoWantsNothingIsToldNothing: neither is it noted, nor told hours later by a
// server that was down.
func TestWhoWantsNothingIsToldNothing(t *testing.T) {
	each(t, func(w *world) {
		w.at(0, 0)
		c := w.writes("hello")
		w.expect(c, "at nine", closed)
		out := func(state string) {
			w.Helper()
			if err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
				_, err := w.Contacts.ConsentIn(tx, c, contact.Consent{Channel: "whatsapp", Purpose: "service", State: state, Source: "test"})
				return err
			}); err != nil {
				w.Fatal(err)
			}
		}
		out(contact.Out)
		w.at(0, 0.2)
		w.inquires(c)
		w.expect(c, "who refused everything,", closed)
		if work, err := w.handovers.Get(w.DB.Read(bg, w.Tenant), c); err != nil || !work.AbsenceSentAt.Equal(w.monday) {
			w.Errorf("%+v %v", work, err)
		}
		out(contact.In)
		w.inquires(c)
		w.at(0, 1.9) // the job runs long after
		w.expect(c, "hours later", closed)
	})
}
