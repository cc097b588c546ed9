package intake_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/agent"
	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/intake"
	"parley/internal/interaction"
	"parley/internal/store"
)

func TestALeadBecomesAContactWithCardAndWork(t *testing.T) {
	each(t, func(w world) {
		by := id.New()
		got := w.takes(func(l *intake.Lead) {
			l.Kind, l.LastName, l.Emails, l.Nin = intake.Vehicle, "Ríos", []string{"ana@example.com"}, []contact.Nin{{Type: "DNI", Number: "23345223"}}
			l.Category, l.Comments, l.Priority, l.ProviderLeadID, l.ProviderKey, l.CreatedBy = "used", "call me", ptr(2.0), "x1", "webmotors", by
			l.Data = map[string]any{"product": map[string]any{"make": "Fiat"}, "utmMedium": "cpc"}
		})
		if got.Merged || got.Absence != "" || len(got.Interactions) != 0 || got.Contact.Name() != "Ana Ríos" || got.Contact.Source != "web" {
			t.Fatalf("%+v", got)
		}
		card, err := w.cards.Card(bg, w.tenant, got.Contact.ID)
		if err != nil || card.Deal.ID.IsZero() || !card.Deal.Primary || card.Stage.ID.IsZero() {
			t.Fatalf("%+v %v", card, err)
		}
		work, err := w.handovers.Get(w.db.Read(bg, w.tenant), got.Contact.ID)
		if err != nil || work.Group != w.root.ID || work.InitialGroup != w.root.ID || work.Status != handover.Unclaimed || work.Category != "used" || work.Version != 1 || work.UserMade {
			t.Fatalf("%+v %v", work, err)
		}
		want := []string{"contact.created", "deal.created", "handover.moved", "inquiry.created"}
		if e := w.events(got.Contact.ID); !slices.Equal(e, want) {
			t.Error(e)
		}
		q := w.inquiries(got.Contact.ID)
		if len(q) != 1 || q[0].ID != got.Inquiry.ID || q[0].Face != "sales" || q[0].Kind != intake.Vehicle || q[0].Source != "web" || q[0].Key != "" {
			t.Fatalf("%+v", q)
		}
		for name, want := range map[string]any{"utmSource": "web", "comments": "call me", "priority": 2.0, "providerLeadId": "x1", "providerKey": "webmotors",
			"createdBy": by.String(), "utmMedium": "cpc", "category": "used", "firstName": "Ana"} {
			if q[0].Data[name] != want {
				t.Errorf("%s is %v, want %v", name, q[0].Data[name], want)
			}
		}
		if p, _ := q[0].Data["product"].(map[string]any); p["make"] != "Fiat" {
			t.Error(q[0].Data)
		}
	})
}

func TestAKnownPersonIsMerged(t *testing.T) {
	each(t, func(w world) {
		a := w.takes(nil)
		b := w.takes(func(l *intake.Lead) { l.FirstName, l.Phones, l.Emails = "Beto", nil, []string{"b@example.com"} })
		c := w.takes(func(l *intake.Lead) { l.FirstName, l.Emails, l.Comments = "Other", []string{"B@example.com"}, "third" })
		if !c.Merged || c.Contact.ID != a.Contact.ID || c.Contact.FirstName != "Ana" || a.Contact.ID == b.Contact.ID {
			t.Fatalf("%+v", c)
		}
		if q := w.inquiries(a.Contact.ID); len(q) != 3 || q[0].Data["comments"] != "third" {
			t.Errorf("%+v", q)
		}
		if n := strings.Count(strings.Join(w.events(a.Contact.ID), " "), "contact.created"); n != 1 {
			t.Errorf("created %d times", n)
		}
		// The same lead again is a further lead of the same person and nothing else.
		before := len(w.events(a.Contact.ID))
		again := w.takes(func(l *intake.Lead) { l.ProviderLeadID = "same" })
		twice := w.takes(func(l *intake.Lead) { l.ProviderLeadID = "same" })
		if again.Contact.ID != a.Contact.ID || twice.Inquiry.ID == again.Inquiry.ID || len(w.inquiries(a.Contact.ID)) != 5 {
			t.Errorf("%+v", twice)
		}
		if e := w.events(a.Contact.ID)[before:]; !slices.Equal(e, []string{"inquiry.created", "inquiry.created"}) {
			t.Error(e)
		}
	})
}

func TestAnArchivedContactIsTakenUpAgain(t *testing.T) {
	each(t, func(w world) {
		a := w.takes(nil)
		if _, err := w.handovers.Archive(bg, w.tenant, "test", a.Contact.ID, "notInterested"); err != nil {
			t.Fatal(err)
		}
		b := w.takes(nil)
		if !b.Merged || b.Contact.Archived() || b.Work.Status != handover.Unclaimed || b.Work.ArchivingReason != "" {
			t.Fatalf("%+v", b)
		}
		card, err := w.cards.Card(bg, w.tenant, a.Contact.ID)
		if err != nil || card.Deal.Status != "open" || card.Contact.Archived() {
			t.Errorf("%+v %v", card, err)
		}
		e := w.events(a.Contact.ID)
		if n := strings.Count(strings.Join(e, " "), "contact.unarchived"); n != 1 {
			t.Errorf("taken up %d times: %v", n, e)
		}
	})
}

func TestRouting(t *testing.T) {
	each(t, func(w world) {
		south := w.group(agent.Group{Name: "Southern Group"})
		branch := w.group(agent.Group{Name: "Freedom Branch", Parent: south.ID})
		north := w.group(agent.Group{Name: "Northern Group"})
		w.group(agent.Group{Name: "Freedom Branch", Parent: north.ID})
		marcos := w.agent(agent.Agent{FirstName: "Marcos", LastName: "García", Email: "marcos@example.com", Phone: "+541145520999", Group: branch.ID})
		gone := w.agent(agent.Agent{FirstName: "Gone", Email: "gone@example.com", Group: branch.ID})
		if _, err := w.agents.Update(bg, w.tenant, "test", gone.ID, agent.Patch{Active: ptr(false)}); err != nil {
			t.Fatal(err)
		}
		n := 0
		check := func(name string, group, worker id.ID, f func(l *intake.Lead)) {
			t.Helper()
			n++
			got := w.takes(func(l *intake.Lead) {
				l.Phones = []string{"+5411455210" + string(rune('0'+n/10)) + string(rune('0'+n%10))}
				f(l)
			})
			status := handover.Unclaimed
			if !worker.IsZero() {
				status = handover.New
			}
			if got.Merged || got.Work.Group != group || got.Work.InitialGroup != group || got.Work.Agent != worker || got.Work.Status != status {
				t.Errorf("%s: %+v", name, got.Work)
			}
			c, err := w.people.Get(w.db.Read(bg, w.tenant), got.Contact.ID)
			if err != nil || c.AssignedTo != worker.String() {
				t.Errorf("%s: assigned to %q, %v", name, c.AssignedTo, err)
			}
			l := lead(f)
			if got.Inquiry.Data["agent"] != nil != (l.Agent != "") || got.Inquiry.Data["store"] != nil != (l.Store != "") {
				t.Errorf("%s: the words are lost: %v", name, got.Inquiry.Data)
			}
		}
		check("nobody", w.root.ID, id.Zero, func(*intake.Lead) {})
		check("key's group", north.ID, id.Zero, func(l *intake.Lead) { l.Group = north.ID })
		check("by e-mail", branch.ID, marcos.ID, func(l *intake.Lead) { l.Agent = "Marcos@Example.com" })
		check("by phone", branch.ID, marcos.ID, func(l *intake.Lead) { l.Agent = "+54 11 4552-0999" })
		check("by id, store elsewhere", branch.ID, marcos.ID, func(l *intake.Lead) { l.Agent, l.Store = marcos.ID.String(), "Northern Group" })
		check("an unknown agent", w.root.ID, id.Zero, func(l *intake.Lead) { l.Agent = "Marcos García" })
		check("an unknown agent with a store", north.ID, id.Zero, func(l *intake.Lead) { l.Agent, l.Store = "nobody@example.com", "northern group" })
		check("an agent who is not active", w.root.ID, id.Zero, func(l *intake.Lead) { l.Agent = "gone@example.com" })
		check("an agent outside", north.ID, id.Zero, func(l *intake.Lead) { l.Group, l.Agent = north.ID, "marcos@example.com" })
		check("company", south.ID, id.Zero, func(l *intake.Lead) { l.Company = "SOUTHERN GROUP" })
		check("store of a company", branch.ID, id.Zero, func(l *intake.Lead) { l.Company, l.Store = "Southern Group", "Freedom Branch" })
		check("two stores of a name", w.root.ID, id.Zero, func(l *intake.Lead) { l.Store = "Freedom Branch" })
		check("unknown store of a company", south.ID, id.Zero, func(l *intake.Lead) { l.Company, l.Store = "Southern Group", "Nowhere" })
		check("store by id", branch.ID, id.Zero, func(l *intake.Lead) { l.Store = branch.ID.String() })
		check("a store outside", north.ID, id.Zero, func(l *intake.Lead) { l.Group, l.Store = north.ID, "Southern Group" })
		// A further lead that names an agent gives unclaimed work to the agent, and
		// leaves work of somebody else alone.
		first := w.takes(nil)
		if got := w.takes(func(l *intake.Lead) { l.Agent = "marcos@example.com" }); got.Contact.ID != first.Contact.ID || got.Work.Agent != marcos.ID || got.Work.InitialGroup != w.root.ID {
			t.Errorf("%+v", got.Work)
		}
		bela := w.agent(agent.Agent{FirstName: "Bela", Email: "bela@example.com", Group: north.ID})
		if got := w.takes(func(l *intake.Lead) { l.Agent = bela.ID.String() }); got.Work.Agent != marcos.ID {
			t.Errorf("%+v", got.Work)
		}
	})
}

func TestAbsenceAndRoundRobin(t *testing.T) {
	each(t, func(w world) {
		day := agent.Hours{}
		shop := w.group(agent.Group{Name: "Shop", Method: agent.RoundRobin, AbsenceMessage: "We are closed", Hours: day})
		a, b := w.agent(agent.Agent{FirstName: "A", Group: shop.ID}), w.agent(agent.Agent{FirstName: "B", Group: shop.ID})
		seen := map[id.ID]int{}
		for i := range 4 {
			got := w.takes(func(l *intake.Lead) { l.Group, l.Phones = shop.ID, []string{"+54114552037" + string(rune('0'+i))} })
			seen[got.Work.Agent]++
		}
		if seen[a.ID] != 2 || seen[b.ID] != 2 {
			t.Errorf("%v", seen)
		}
		for _, x := range []id.ID{a.ID, b.ID} {
			if _, err := w.agents.Update(bg, w.tenant, "test", x, agent.Patch{Active: ptr(false)}); err != nil {
				t.Fatal(err)
			}
		}
		got := w.takes(func(l *intake.Lead) { l.Group, l.Phones = shop.ID, []string{"+541145520389"} })
		if got.Absence != "We are closed" || !got.Work.Agent.IsZero() {
			t.Errorf("%+v", got)
		}
		// A known person hears it too.
		if again := w.takes(func(l *intake.Lead) { l.Group, l.Phones = shop.ID, []string{"+541145520389"} }); !again.Merged || again.Absence != "We are closed" {
			t.Errorf("%+v", again)
		}
	})
}

func TestHistoryBecomesInteractions(t *testing.T) {
	each(t, func(w world) {
		got := w.takes(func(l *intake.Lead) {
			l.History = []interaction.New{
				{Type: "question", ProviderID: "q1", Question: "Is it new?", ThreadTitle: "A Ferrari"},
				{Type: "note", Content: "came by the site"},
				{Type: "call", ProviderID: "c1", StartedAt: start.Add(-time.Hour), Duration: 30 * time.Second},
			}
		})
		if len(got.Interactions) != 3 || got.Interactions[0].Output.Question == nil || got.Interactions[1].Output.Comment != "came by the site" {
			t.Fatalf("%+v", got.Interactions)
		}
		e := w.events(got.Contact.ID)
		if e[0] != "contact.created" || strings.Count(strings.Join(e, " "), "interaction.created")+strings.Count(strings.Join(e, " "), "note.created") != 3 {
			t.Error(e)
		}
		_, err := w.take(func(l *intake.Lead) {
			l.Phones = []string{"+541145520372"}
			l.History = []interaction.New{{Type: "note", Content: "fine"}, {Type: "nonsense"}}
		})
		w.wantFault(err, fault.Invalid, "history[1].type")
		// Nothing of it stays.
		_, found, err := w.people.Find(w.db.Read(bg, w.tenant), contact.Phone, "541145520372")
		if err != nil || found {
			t.Error("half a lead", err)
		}
	})
}

func TestLeadsThatAreRefused(t *testing.T) {
	each(t, func(w world) {
		for _, c := range []struct {
			field string
			f     func(l *intake.Lead)
		}{
			{"type", func(l *intake.Lead) { l.Kind = "boat" }},
			{"utmSource", func(l *intake.Lead) { l.Source = " " }},
			{"phones", func(l *intake.Lead) { l.Phones = nil }},
			{"firstName", func(l *intake.Lead) { l.FirstName = strings.Repeat("x", 300) }},
			{"category", func(l *intake.Lead) { l.Category = strings.Repeat("x", 300) }},
			{"nin[0].type", func(l *intake.Lead) { l.Nin = []contact.Nin{{Type: "X", Number: "1"}} }},
			{"data", func(l *intake.Lead) { l.Data = map[string]any{"product": strings.Repeat("x", 70<<10)} }},
			{"history", func(l *intake.Lead) { l.History = make([]interaction.New, 201) }},
		} {
			_, err := w.take(c.f)
			w.wantFault(err, fault.Invalid, c.field)
		}
		var n int
		if err := w.db.Read(bg, w.tenant).QueryRow("SELECT (SELECT COUNT(*) FROM contact WHERE tenant_id=?1)+(SELECT COUNT(*) FROM inquiry WHERE tenant_id=?1)+(SELECT COUNT(*) FROM identity WHERE tenant_id=?1)").Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows stay, %v", n, err)
		}
	})
}

// A group that leaves between the look and the hold costs no lead.
func TestALeadOfAGroupThatIsGone(t *testing.T) {
	each(t, func(w world) {
		got := w.takes(func(l *intake.Lead) { l.Group = id.New() })
		if got.Work.Group != w.root.ID {
			t.Errorf("%+v", got.Work)
		}
	})
}

// A contact of another face that a lead touches gets work and a card.
func TestAContactOfAnotherFace(t *testing.T) {
	each(t, func(w world) {
		c, err := store.Write(bg, w.db, w.tenant, func(tx *store.Tx) (contact.Contact, error) {
			return w.people.CreateIn(tx, "key:platform", contact.New{FirstName: "Ana", Phone: "+541145520371"})
		})
		if err != nil {
			t.Fatal(err)
		}
		got := w.takes(nil)
		card, err := w.cards.Card(bg, w.tenant, c.ID)
		if !got.Merged || got.Contact.ID != c.ID || got.Work.Group != w.root.ID || err != nil || card.Deal.ID.IsZero() {
			t.Errorf("%+v %+v %v", got, card, err)
		}
	})
}

func TestTheFirstCategoryIsThatOfTheMoment(t *testing.T) {
	each(t, func(w world) {
		for i, key := range []string{"general", "cars", "boats"} {
			if i > 0 {
				if _, err := w.handovers.SetWords(bg, w.tenant, "test", handover.Categories, []handover.Word{{Key: key}, {Key: "other"}}); err != nil {
					t.Fatal(err)
				}
			}
			for n := range 2 {
				if got := w.takes(func(l *intake.Lead) { l.Phones = []string{"+54114552037" + string(rune('0'+2*i+n))} }); got.Work.Category != key {
					t.Errorf("%q, want %q", got.Work.Category, key)
				}
			}
		}
	})
}
