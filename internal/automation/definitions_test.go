package automation

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/id"
)

func (w *world) define(f DefinitionForm) Definition {
	w.Helper()
	d, err := w.s.Define(bg, w.Tenant, "key:test", f)
	if err != nil {
		w.Fatal(err)
	}
	return d
}

func text(s string) *string { return &s }

func (w *world) stages() (deal.Pipeline, []deal.Stage) {
	w.Helper()
	list, err := w.Cards.Pipelines(bg, w.Tenant)
	if err != nil || len(list) == 0 {
		w.Fatal(err)
	}
	return list[0], list[0].Stages
}

func (w *world) card(cid id.ID) deal.Card {
	w.Helper()
	c, err := w.Cards.Card(bg, w.Tenant, cid)
	if err != nil {
		w.Fatal(err)
	}
	return c
}

func TestDefine(t *testing.T) {
	each(t, func(w *world) {
		p, st := w.stages()
		d := w.define(DefinitionForm{Name: "order_paid", Stage: &st[2].ID, DefaultSource: text("shop"), MapsTo: text("payment_captured")})
		if d.DisplayName != "Order paid" || d.Pipeline != p.ID || d.Stage != st[2].ID || !d.Active {
			w.Errorf("%+v", d)
		}
		off, err := w.s.Unassign(bg, w.Tenant, "key:test", "order_paid")
		if err != nil || off.Active {
			w.Errorf("%+v %v", off, err)
		}
		again := w.define(DefinitionForm{Name: "order_paid", Description: text("Paid.")}) // switches it on, keeps the rest
		if again.ID != d.ID || !again.Active || again.Stage != st[2].ID || again.DefaultSource != "shop" || again.Description != "Paid." {
			w.Errorf("%+v", again)
		}
		for _, name := range append(slices.Clone(reservedEvents), "lead.created", "", "two words", strings.Repeat("x", 101)) {
			_, err := w.s.Define(bg, w.Tenant, "key:test", DefinitionForm{Name: name})
			if f := fault.As(err); f == nil || f.Code != fault.Invalid || f.Field != "name" {
				w.Errorf("%q: %v", name, err)
			}
		}
		unknown := id.New()
		for field, f := range map[string]DefinitionForm{"pipelineId": {Name: "x", Pipeline: &unknown}, "stageId": {Name: "x", Stage: &unknown}} {
			_, err := w.s.Define(bg, w.Tenant, "key:test", f)
			if e := fault.As(err); e == nil || e.Code != fault.NotFound || e.Field != field {
				w.Errorf("%s: %v", field, err)
			}
		}
		for field, m := range map[string]map[string]any{
			"payloadSchema.type":                          {"type": "text"},
			"payloadSchema.properties.n.minimum":          {"properties": map[string]any{"n": map[string]any{"minimum": "1"}}},
			"payloadSchema.properties.n":                  {"properties": map[string]any{"n": 1}},
			"payloadSchema.required":                      {"required": true},
			"payloadSchema.$ref":                          {"$ref": "#/x"},
			"payloadSchema.items.pattern":                 {"items": map[string]any{"pattern": "("}},
			"payloadSchema.anyOf[0].additionalProperties": {"anyOf": []any{map[string]any{"additionalProperties": 3}}},
		} {
			_, err := w.s.Define(bg, w.Tenant, "key:test", DefinitionForm{Name: "x", PayloadSchema: &m})
			w.wantFault(err, fault.Invalid, field, "")
		}
		w.define(DefinitionForm{Name: "form_submitted"}) // built in, not reserved: shown once
		list, err := w.s.AvailableEvents(bg, w.Tenant)
		if err != nil || len(list) != len(builtIn)+1 {
			w.Errorf("%d %v", len(list), err)
		}
		n, err := w.s.UnassignMany(bg, w.Tenant, "key:test", []string{"order_paid", "form_submitted", "nobody", "order_paid"})
		if err != nil || n != 2 {
			w.Errorf("%d %v", n, err)
		}
		if err := w.s.DeleteDefinition(bg, w.Tenant, "key:test", d.ID); err != nil {
			w.Error(err)
		}
		w.wantFault(w.s.DeleteDefinition(bg, w.Tenant, "key:test", d.ID), fault.NotFound, "", "event")
		_, err = w.s.Unassign(bg, w.Tenant, "key:test", "order_paid")
		w.wantFault(err, fault.NotFound, "", "event")
	})
}

func TestDefineAtOnce(t *testing.T) {
	each(t, func(w *world) {
		var wg sync.WaitGroup
		ids := make([]id.ID, 8)
		for i := range ids {
			wg.Add(1)
			go func() {
				defer wg.Done()
				d, err := w.s.Define(bg, w.Tenant, "key:test", DefinitionForm{Name: "same"})
				if err != nil {
					w.Error(err)
				}
				ids[i] = d.ID
			}()
		}
		wg.Wait()
		for _, v := range ids {
			if v != ids[0] {
				t.Errorf("two definitions of one name: %v", ids)
			}
		}
	})
}

func TestFireByDefinition(t *testing.T) {
	each(t, func(w *world) {
		_, st := w.stages()
		own := w.rule(`{"name":"own","trigger":"order_paid","actions":[{"type":"add_tag","config":{"tag":"own"}}]}`)
		other := w.rule(`{"name":"mapped","trigger":"payment_captured","actions":[{"type":"add_tag","config":{"tag":"mapped"}}]}`)
		bus := w.rule(`{"name":"bus","trigger":"payment.captured","actions":[{"type":"add_tag","config":{"tag":"bus"}}]}`)
		w.define(DefinitionForm{Name: "order_paid", Stage: &st[3].ID, DefaultSource: text("shop"), MapsTo: text("payment_captured")})
		f := w.fire(Call{Trigger: "order_paid", Phone: phone, CreateIfMissing: true})
		if f.RulesMatched != 3 {
			w.Errorf("%+v", f)
		}
		if c := w.card(f.Contact); c.Deal.Stage != st[3].ID || c.Contact.Source != "shop" {
			w.Errorf("stage %s, source %q", c.Stage.Name, c.Contact.Source)
		}
		w.settled()
		for _, r := range []Rule{own, other, bus} {
			w.run(r.ID)
		}
		// What the call says goes before what the definition says.
		f = w.fire(Call{Trigger: "order_paid", Phone: "+919876500001", CreateIfMissing: true, LeadData: map[string]any{"source": "fair", "stageId": st[1].ID.String()}})
		if c := w.card(f.Contact); c.Deal.Stage != st[1].ID || c.Contact.Source != "fair" {
			w.Errorf("stage %s, source %q", c.Stage.Name, c.Contact.Source)
		}
		// Switched off: taken, and nothing starts.
		if _, err := w.s.Unassign(bg, w.Tenant, "key:test", "order_paid"); err != nil {
			w.Fatal(err)
		}
		before := w.Count(w, "run", "1=1")
		f = w.fire(Call{Trigger: "order_paid", Phone: phone})
		w.settled()
		if l := w.log(f.LogID); f.RulesMatched != 0 || l.Status != logCompleted || w.Count(w, "run", "1=1") != before {
			w.Errorf("%+v %+v", f, l)
		}
	})
}

func TestPayloadSchema(t *testing.T) {
	each(t, func(w *world) {
		w.lead()
		schema := map[string]any{"type": "object", "required": []any{"amount"}, "additionalProperties": false, "properties": map[string]any{
			"amount": map[string]any{"type": "number", "exclusiveMinimum": 0.0}, "currency": map[string]any{"enum": []any{"INR", "EUR"}},
			"items": map[string]any{"type": "array", "maxItems": 2.0, "items": map[string]any{"type": "object", "required": []any{"sku"}}},
			"email": map[string]any{"type": []any{"string", "null"}, "format": "email"}}}
		w.define(DefinitionForm{Name: "paid", PayloadSchema: &schema})
		for field, c := range map[string]Call{
			"variables.amount":       {Variables: map[string]any{"currency": "INR"}},
			"data.amount":            {Data: map[string]any{"amount": 0.0}},
			"variables.currency":     {Variables: map[string]any{"amount": 1.0, "currency": "USD"}},
			"variables.items[1].sku": {Variables: map[string]any{"amount": 1.0, "items": []any{map[string]any{"sku": "a"}, map[string]any{}}}},
			"variables.items":        {Variables: map[string]any{"amount": 1.0, "items": []any{1.0, 2.0, 3.0}}},
			"data.email":             {Variables: map[string]any{"amount": 1.0}, Data: map[string]any{"email": "nobody"}},
			"data.color":             {Variables: map[string]any{"amount": 1.0}, Data: map[string]any{"color": "red"}},
		} {
			c.Trigger, c.Phone = "paid", phone
			_, err := w.s.Fire(bg, w.Tenant, "key:test", c)
			w.wantFault(err, fault.Invalid, field, "")
		}
		if n := w.Count(w, "trigger_log", "1=1"); n != 0 {
			w.Errorf("%d refused calls were logged", n)
		}
		w.fire(Call{Trigger: "paid", Phone: phone, Variables: map[string]any{"amount": 5.0, "currency": "EUR", "items": []any{map[string]any{"sku": "a"}}, "email": nil}})
	})
}

func TestUpsertFires(t *testing.T) {
	each(t, func(w *world) {
		_, st := w.stages()
		r := w.rule(`{"name":"x","trigger":"enrolled","conditions":[{"field":"lead.stage.name","operator":"eq","value":"` + st[2].Name + `"}],"actions":[{"type":"add_tag","config":{"tag":"in"}}]}`)
		schema := map[string]any{"required": []any{"course"}}
		w.define(DefinitionForm{Name: "enrolled", Stage: &st[2].ID, DefaultSource: text("campus"), PayloadSchema: &schema})
		n := deal.NewCard{New: contact.New{Phone: phone, FirstName: "Asha"}}
		// One transaction: what the trigger refuses is not stored either.
		_, _, _, err := w.s.Upsert(bg, w.Tenant, "key:test", n, Call{Trigger: "enrolled"})
		w.wantFault(err, fault.Invalid, "variables.course", "")
		if c := w.Count(w, "contact", "1=1") + w.Count(w, "trigger_log", "1=1"); c != 0 {
			w.Errorf("%d rows of an upsert that was refused", c)
		}
		card, created, f, err := w.s.Upsert(bg, w.Tenant, "key:test", n, Call{Trigger: "enrolled", Variables: map[string]any{"course": "Go"}})
		if err != nil || !created || card.Deal.Stage != st[2].ID || card.Contact.Source != "campus" || f.RulesMatched != 1 || f.Contact != card.Contact.ID {
			w.Errorf("%+v %+v %v", card, f, err)
		}
		w.settled()
		w.wantStory(r.ID, "completed action-1=completed")
		// Known: the stage moves as the definition says, the source stays.
		if _, err := w.Cards.Update(bg, w.Tenant, "key:test", card.Contact.ID, deal.CardPatch{Stage: &st[0].ID}); err != nil {
			w.Fatal(err)
		}
		w.define(DefinitionForm{Name: "enrolled", DefaultSource: text("other")})
		card, created, _, err = w.s.Upsert(bg, w.Tenant, "key:test", n, Call{Trigger: "enrolled", Variables: map[string]any{"course": "Go"}})
		if err != nil || created || card.Deal.Stage != st[2].ID || card.Contact.Source != "campus" {
			w.Errorf("%s %q %v", card.Stage.Name, card.Contact.Source, err)
		}
	})
}
