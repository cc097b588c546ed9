package interaction_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/internal/channel"
	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/conversation/convtest"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/interaction"
	"parley/internal/quote"
	"parley/internal/store"
)

func TestTheIndexHoldsTheKinds(t *testing.T) {
	var listed []string
	for part := range strings.SplitSeq(interaction.TypeList, ",") {
		listed = append(listed, strings.Trim(part, "'"))
	}
	slices.Sort(listed)
	if d := cmp.Diff(interaction.Kinds(), listed); d != "" {
		t.Errorf("the kinds and the list of the queries: %s", d)
	}
	b, err := os.ReadFile("../store/migrations/0019_interactions.sql")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), "WHERE type IN ("+interaction.TypeList+")") {
		t.Error("the index activity_interaction must hold the very list of the queries")
	}
}

// TestEveryWay: each way is one of some activity or channel, and a note that says
// how it happened becomes an activity of that way and no other.
func TestEveryWay(t *testing.T) {
	channels := map[string]string{"whatsapp": interaction.WhatsApp, "messenger": interaction.Facebook, "instagram": interaction.Instagram,
		"sms": interaction.SMS, "email": interaction.Email, "telegram": interaction.CustomApp}
	for kind, via := range channels {
		if got := interaction.OfChannel(kind); got != via {
			t.Errorf("the channel %s is %s, want %s", kind, got, via)
		}
	}
	for _, via := range interaction.Vias {
		if len(interaction.TypesOf(via)) == 0 {
			t.Errorf("no activity can be %s", via)
		}
		if typ := interaction.TypeOf(via); typ != "" && !slices.Contains(interaction.TypesOf(via), typ) {
			t.Errorf("%s is written as %s and read as something else", via, typ)
		}
	}
}

func TestEverythingIsAnInteraction(t *testing.T) {
	each(t, func(w world) {
		t := w.T
		conv := w.Hello(t, convtest.Number)
		cid := conv.Contact
		if _, err := w.work.Place(bg, w.Tenant, actor, cid, handover.Arrival{Group: w.shop.ID}); err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(time.Second)
		w.Text(t, convtest.Number, "hi")
		w.record(cid, interaction.New{Type: "note", Content: "called back"})
		w.record(cid, interaction.New{Type: "note", Content: "came by", Via: interaction.WalkIn})
		w.record(cid, interaction.New{Type: "call", Duration: 90 * time.Second})
		w.record(cid, interaction.New{Type: "question", Question: "still there?"})
		w.record(cid, interaction.New{Type: "message", Content: "elsewhere", Sender: "+91 98765 43210"})
		w.Clock.Advance(time.Second)
		if _, err := w.work.Transfer(bg, w.Tenant, actor, cid, handover.Destination{Agent: w.asha.ID}); err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(time.Second)
		if _, err := w.work.Remind(bg, w.Tenant, "agent:"+w.asha.ID.String(), cid, w.Clock.Now().Add(48*time.Hour)); err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(time.Second)
		if _, err := w.quotes.Create(bg, w.Tenant, actor, quote.New{Contact: cid, Items: []quote.Item{{Quantity: "2", Price: "0.1"}}}); err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(time.Second)
		w.activity(contact.Activity{Contact: cid, Type: "meeting_created", Title: "Viewing", Metadata: map[string]any{"startTime": "2026-03-05T10:00:00Z"}})
		w.Clock.Advance(time.Second)
		w.activity(contact.Activity{Contact: cid, Type: "stage_change", Title: "Moved"})
		w.activity(contact.Activity{Contact: cid, Type: "call_logged", Body: "no answer", Metadata: map[string]any{"duration": 65, "outcome": "missed", "direction": "outbound"}})
		w.Clock.Advance(time.Second)
		if _, err := w.work.Archive(bg, w.Tenant, actor, cid, "notInterested"); err != nil {
			t.Fatal(err)
		}
		want := []string{"other created because notInterested", "outboundCall created call of 1m5s", "visit created Viewing", "other created proposal pending",
			"other created remind 2026-03-04", "other created Transferred to Asha", "customApp received integration: elsewhere", "other opened still there?",
			"inboundCall created call of 1m30s", "walkIn created came by", "other created called back", "whatsApp pending agent: hi", "whatsApp received integration: hello"}
		got := w.of(cid)
		if d := cmp.Diff(want, brief(got)); d != "" {
			t.Errorf("the interactions of the contact (-want +got): %s", d)
		}
		if d := cmp.Diff(got, w.list(interaction.Filter{Scope: w.root.ID})); d != "" {
			t.Errorf("the whole tree shows the same: %s", d)
		}
		if d := cmp.Diff(got, w.list(interaction.Filter{Scope: w.shop.ID})); d != "" {
			t.Errorf("the group shows the same: %s", d)
		}
		if other := w.list(interaction.Filter{Scope: w.group("Other").ID}); len(other) != 0 {
			t.Errorf("another group sees %v", brief(other))
		}
		w.check(cid, got)
	})
}

// check holds each interaction to itself read alone, and to who did it.
func (w world) check(cid id.ID, list []interaction.Interaction) {
	w.Helper()
	seen := map[id.ID]bool{}
	for _, i := range list {
		one, err := w.s.Get(w.r(), cid, i.ID)
		if err != nil {
			w.Fatal(err)
		}
		if d := cmp.Diff(i, one); d != "" {
			w.Errorf("read alone: %s", d)
		}
		if seen[i.ID] {
			w.Errorf("%s is there twice", i.ID)
		}
		seen[i.ID] = true
	}
	transfer := list[5]
	if transfer.Output.ToAgent != w.asha.ID || transfer.Output.ToGroup != w.shop.ID {
		w.Errorf("the transfer: %+v", transfer.Output)
	}
	if r := list[4]; r.Agent != w.asha.ID || r.DueAt.Sub(r.CreatedAt) != 48*time.Hour {
		w.Errorf("the reminder: %+v", r)
	}
	if p := list[3].Output.Proposal; p.Items[0].Price != "0.1" || p.FirstCreatedAt.IsZero() {
		w.Errorf("the proposal: %+v", p)
	}
	if v := list[2]; !v.Output.VisitScheduled.Equal(time.Date(2026, 3, 5, 10, 0, 0, 0, time.UTC)) || !v.DueAt.Equal(v.Output.VisitScheduled) {
		w.Errorf("the visit: %+v", v)
	}
	if m := list[len(list)-1].Output.Message; m.Sender != convtest.Number || m.Recipient != w.Account.ExternalID || !m.Delivered {
		w.Errorf("the first message: %+v", m)
	}
}

func (w world) activity(a contact.Activity) {
	w.Helper()
	if err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
		_, err := w.Contacts.AddActivityIn(tx, a)
		return err
	}); err != nil {
		w.Fatal(err)
	}
}

// TestWhoHadTheContact: what the contact did belongs to whoever had the contact
// then, however often it was handed on since.
func TestWhoHadTheContact(t *testing.T) {
	each(t, func(w world) {
		t := w.T
		cid := w.person(convtest.Number, w.shop.ID)
		early := w.record(cid, interaction.New{Type: "question", Question: "anybody?"})
		w.Clock.Advance(time.Second)
		if _, err := w.work.Claim(bg, w.Tenant, actor, cid, w.asha.ID); err != nil {
			t.Fatal(err)
		}
		late := w.record(cid, interaction.New{Type: "question", Question: "and now?"})
		w.Clock.Advance(time.Second)
		if _, err := w.work.Transfer(bg, w.Tenant, actor, cid, handover.Destination{Group: w.root.ID}); err != nil {
			t.Fatal(err)
		}
		got := map[id.ID]id.ID{}
		for _, i := range w.of(cid) {
			got[i.ID] = i.Agent
		}
		if !got[early.ID].IsZero() || got[late.ID] != w.asha.ID {
			t.Errorf("the agents of the questions: %v, %v", got[early.ID], got[late.ID])
		}
		mine := w.list(interaction.Filter{Agent: w.asha.ID})
		if len(mine) != 1 || mine[0].ID != late.ID {
			t.Errorf("the agent's own: %v", brief(mine))
		}
	})
}

func TestMergedInteractions(t *testing.T) {
	each(t, func(w world) {
		t := w.T
		a, b := w.person("919800000001", w.shop.ID), w.person("919800000002", w.root.ID)
		w.Hello(t, "919800000002")
		w.record(a, interaction.New{Type: "note", Content: "of a"})
		w.record(b, interaction.New{Type: "call"})
		w.Clock.Advance(time.Second)
		if _, err := w.quotes.Create(bg, w.Tenant, actor, quote.New{Contact: b, Items: []quote.Item{{Quantity: "1"}}}); err != nil {
			t.Fatal(err)
		}
		own, others := brief(w.of(a)), brief(w.of(b))
		if len(own) != 1 || len(others) != 3 {
			t.Fatalf("before: %v, %v", own, others)
		}
		if _, err := w.Contacts.Merge(bg, w.Tenant, actor, a, b); err != nil {
			t.Fatal(err)
		}
		both := w.of(b)
		if d := cmp.Diff(brief(w.of(a)), brief(both)); d != "" || len(both) != 4 {
			t.Errorf("merged, under both ids: %v %s", brief(both), d)
		}
		for _, i := range both {
			if i.Contact != a {
				t.Errorf("%s belongs to %s", i.ID, i.Contact)
			}
		}
		if got := w.list(interaction.Filter{Scope: w.shop.ID}); len(got) != 4 {
			t.Errorf("the survivor's group sees %v", brief(got))
		}
		if _, _, err := w.Contacts.Unmerge(bg, w.Tenant, actor, a); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(own, brief(w.of(a))); d != "" {
			t.Errorf("taken apart, the survivor: %s", d)
		}
		if d := cmp.Diff(others, brief(w.of(b))); d != "" {
			t.Errorf("taken apart, the other: %s", d)
		}
	})
}

// TestChoices: what we let a person choose from is shown as it is sent here.
func TestChoices(t *testing.T) {
	each(t, func(w world) {
		w.Hello(t, convtest.Number)
		for want, p := range map[string]channel.Prompt{
			`{"buttons":{"body":"Which?","buttons":[{"id":"a","title":"A"}],"footer":"f","header":"h"}}`: {Kind: channel.ReplyButtons, Header: "h", Body: "Which?", Footer: "f", Buttons: []channel.Choice{{ID: "a", Title: "A"}}},
			`{"list":{"body":"Which?","button":"Open","sections":[{"rows":[{"description":"d","id":"a","title":"A"}],"title":"S"}]}}`: {Kind: channel.RowList, Body: "Which?", Button: "Open",
				Sections: []channel.ChoiceSection{{Title: "S", Rows: []channel.Choice{{ID: "a", Title: "A", Description: "d"}}}}},
			`{"productList":{"body":"Buy","catalogId":"c","header":"h","sections":[{"productItems":[{"productId":"p1"}],"title":"S"}]}}`: {Kind: channel.ProductList, Header: "h", Body: "Buy", Catalog: "c",
				Sections: []channel.ChoiceSection{{Title: "S", Products: []string{"p1"}}}},
		} {
			m, err := w.Conversations.Send(bg, w.Tenant, actor, conversation.Send{To: "+" + convtest.Number, Prompt: &p})
			if err != nil {
				w.Fatal(err)
			}
			list, err := w.s.OfMessages(w.r(), []id.ID{m.ID})
			if err != nil || len(list) != 1 {
				w.Fatal(list, err)
			}
			got, err := json.Marshal(list[0].Output.Message.Rich)
			if err != nil || string(got) != want {
				w.Errorf("%s, want %s (%v)", got, want, err)
			}
		}
	})
}

// TestWhoWroteIt: messages of automations and bots say so, those of agents name
// the agent.
func TestWhoWroteIt(t *testing.T) {
	each(t, func(w world) {
		w.Hello(t, convtest.Number)
		agent := "agent:" + w.asha.ID.String()
		for by, bot := range map[string]bool{"automation": true, "bot:x": true, "run:x": true, "system": true, actor: false, agent: false} {
			m, err := w.Conversations.Send(bg, w.Tenant, by, conversation.Send{To: "+" + convtest.Number, Text: "hi", SentBy: by})
			if err != nil {
				w.Fatal(err)
			}
			list, err := w.s.OfMessages(w.r(), []id.ID{m.ID})
			if err != nil || len(list) != 1 || list[0].Bot != bot || (list[0].Agent == w.asha.ID) != (by == agent) {
				w.Errorf("by %s: %+v %v", by, list, err)
			}
		}
	})
}
