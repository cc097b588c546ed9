package conversation_test

import (
	"slices"
	"strings"
	"testing"

	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/conversation/convtest"
	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/store"
)

func TestAMappingSuppliesTheValues(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		card, err := store.Write(bg, w.DB, w.Tenant, func(tx *store.Tx) (deal.Card, error) {
			return w.Cards.CreateIn(tx, "key:test", deal.NewCard{New: contact.New{FirstName: "Asha", Phone: "+" + convtest.Number, Attributes: map[string]any{"city": "Pune"}}})
		})
		if err != nil {
			t.Fatal(err)
		}
		tpl := w.Approve(t, "order", "UTILITY", "{{1}}, {{2}}, {{3}}, {{4}}, {{5}}, {{6}}")
		use := func(u conversation.TemplateUse) ([]string, error) {
			u.Name = "order"
			m, err := send(w, conversation.Send{Contact: card.Contact.ID, Template: &u})
			if err != nil {
				return nil, err
			}
			return m.Template.Variables, nil
		}
		_, err = use(conversation.TemplateUse{})
		refused(t, err, fault.Invalid, "variables", "")
		all := []conversation.Mapping{
			{Position: 1, Source: "crm", Field: "firstName", Transform: "uppercase"},
			{Position: 2, Source: "crm", Field: "city"},
			{Position: 3, Source: "static", Static: "Parley"},
			{Position: 4, Source: "computed", Formula: `concat("#", vars.orderId)`},
			{Position: 5, Source: "trigger", Field: "orderId", Required: true},
			{Position: 6, Source: "manual", Label: "gift", Fallback: "nothing\n more"},
		}
		got, err := w.Templates.SetMapping(bg, w.Tenant, "order", all, "")
		if err != nil || got.MappingStatus != "complete" || got.MappedAt.IsZero() {
			t.Fatalf("%+v %v", got, err)
		}
		// A path in a formula is taken as it stands, a field is found in either spelling.
		values, err := use(conversation.TemplateUse{Vars: map[string]any{"order_id": "O-7"}})
		if err != nil || values[3] != "#" || values[4] != "O-7" {
			t.Fatalf("%q %v", values, err)
		}
		values, err = use(conversation.TemplateUse{Vars: map[string]any{"orderId": "O-7"}})
		if err != nil || !slices.Equal(values, []string{"ASHA", "Pune", "Parley", "#O-7", "O-7", "nothing more"}) {
			t.Fatalf("%q %v", values, err)
		}
		values, err = use(conversation.TemplateUse{Named: map[string]string{"gift": "a pen", "5": "five", "orderId": "O-8"}})
		if err != nil || !slices.Equal(values, []string{"ASHA", "Pune", "Parley", "#O-8", "five", "a pen"}) {
			t.Fatalf("%q %v", values, err)
		}
		// What is missing blocks by policy, and always when it is required.
		_, err = use(conversation.TemplateUse{})
		refused(t, err, fault.Unready, "", "template")
		all[4].Required = false
		if _, err := w.Templates.SetMapping(bg, w.Tenant, "order", all, conversation.SendAnyway); err != nil {
			t.Fatal(err)
		}
		if values, err = use(conversation.TemplateUse{}); err != nil || values[4] != "-" {
			t.Fatalf("%q %v", values, err)
		}
		p, err := w.Templates.Preview(bg, w.Tenant, tpl.ID.String(), conversation.Context{Lead: map[string]any{"firstName": "Bela"}})
		if err != nil || p.Values[0] != "BELA" || p.Values[1] != "-" || !strings.HasPrefix(p.Text, "BELA, ") {
			t.Fatalf("%+v %v", p, err)
		}
		if ready, issues, err := w.Templates.Validate(bg, w.Tenant, "order"); err != nil || !ready {
			t.Fatalf("%v %+v %v", ready, issues, err)
		}
		for field, bad := range map[string]conversation.Mapping{
			"mappings[0].position": {Position: 7, Source: "static", Static: "x"}, "mappings[0].source": {Position: 1, Source: "magic"},
			"mappings[0].formula": {Position: 1, Source: "computed", Formula: "evil()"}, "mappings[0].transform": {Position: 1, Source: "crm", Field: "x", Transform: "rot13"},
			"mappings[0].collection": {Position: 1, Source: "crm", Field: "x", Collection: "secrets"},
		} {
			_, err := w.Templates.SetMapping(bg, w.Tenant, "order", []conversation.Mapping{bad}, "")
			refused(t, err, fault.Invalid, field, "")
		}
	})
}

func TestTemplatesMadeHere(t *testing.T) {
	each(t, func(t *testing.T, w *convtest.World) {
		text := func(s string) *string { return &s }
		_, err := w.Templates.Create(bg, w.Tenant, conversation.TemplatePatch{Name: text("Bad Name"), BodyText: text("x")})
		refused(t, err, fault.Invalid, "name", "")
		tpl, err := w.Templates.Create(bg, w.Tenant, conversation.TemplatePatch{Name: text("hello"), BodyText: text("Hi {{1}}")})
		if err != nil || tpl.Status != "PENDING" || tpl.Variables != 1 || tpl.MappingStatus != "unmapped" {
			t.Fatalf("%+v %v", tpl, err)
		}
		_, err = w.Templates.Create(bg, w.Tenant, conversation.TemplatePatch{Name: text("hello"), BodyText: text("again")})
		refused(t, err, fault.Conflict, "", "")
		if _, err := send(w, conversation.Send{To: "+" + convtest.Number, Template: &conversation.TemplateUse{Name: "hello", Values: []string{"x"}}}); fault.As(err) == nil || fault.As(err).Code != fault.Unready {
			t.Fatalf("a template without review was sent: %v", err)
		}
		if tpl, err = w.Templates.Update(bg, w.Tenant, "hello", conversation.TemplatePatch{BodyText: text("Hi {{1}} {{2}}")}); err != nil || tpl.Variables != 2 {
			t.Fatalf("%+v %v", tpl, err)
		}
		w.Channel.Hold(nil) // the provider has none: what it never had stays
		if s, err := w.Templates.Sync(bg, w.Tenant); err != nil || len(s.Removed) != 0 {
			t.Fatalf("%+v %v", s, err)
		}
		mail, err := w.Templates.Create(bg, w.Tenant, conversation.TemplatePatch{Name: text("News of May"), Channel: text("email"), Subject: text("News"), BodyText: text("<p>{{1}}</p>")})
		if err != nil || mail.Status != "APPROVED" || mail.ContentType != "html" {
			t.Fatalf("%+v %v", mail, err)
		}
		if name, err := w.Templates.Delete(bg, w.Tenant, "hello"); err != nil || name != "hello" {
			t.Fatal(name, err)
		}
		if _, err := w.Templates.Find(bg, w.Tenant, tpl.ID.String()); fault.As(err) == nil {
			t.Fatal("it is still there")
		}
	})
}
