package automation

import (
	"slices"
	"strings"
	"testing"

	"parley/internal/channel"
	"parley/internal/conversation"
	"parley/internal/store"
)

// A mapping that computes, transforms, and reads the stage and the results of
// earlier steps is the template's own: automations resolve it as previews do.
func TestMappedTemplate(t *testing.T) {
	each(t, func(w *world) {
		w.Channel.Hold(nil, channel.Template{ProviderID: "m", Name: "m", Language: "en", Status: "APPROVED", Category: "UTILITY", HeaderType: "NONE", BodyText: "{{1}}|{{2}}|{{3}}|{{4}}"})
		if _, err := w.Templates.Sync(bg, w.Tenant); err != nil {
			w.Fatal(err)
		}
		if _, err := w.Templates.SetMapping(bg, w.Tenant, "m", []conversation.Mapping{{Position: 1, Source: "computed", Formula: `concat(lead.firstName, "-", vars.orderId)`},
			{Position: 2, Source: "crm", Collection: "stages", Field: "name", Transform: "uppercase"}, {Position: 3, Source: "system", Field: "made"},
			{Position: 4, Source: "trigger", Field: "city"}}, ""); err != nil {
			w.Fatal(err)
		}
		w.lead()
		all := w.rule(`{"name":"a","trigger":"go","actions":[{"type":"send_whatsapp","config":{"templateName":"m"}}]}`)
		own := w.rule(`{"name":"b","trigger":"go","actions":[{"type":"send_whatsapp","config":{"templateName":"m","variables":{"4":"{{city}}!"}}}]}`)
		w.fire(Call{Trigger: "go", Phone: phone, Variables: map[string]any{"order_id": "x", "orderId": "A-7", "city": "Pune", "resolved": map[string]any{"made": "by hand"}}})
		w.settled()
		got := w.texts()
		slices.Sort(got)
		if want := []string{"Asha-A-7|NEW LEAD|by hand|Pune", "Asha-A-7|NEW LEAD|by hand|Pune!"}; !slices.Equal(got, want) {
			w.Errorf("%q, %+v, %+v", got, w.run(all.ID), w.run(own.ID))
		}
	})
}

// With unlessAgent an automation keeps silent while a person has the conversation.
func TestUnlessAgent(t *testing.T) {
	each(t, func(w *world) {
		c := w.lead()
		w.says("hi")
		talk, err := w.Conversations.Send(bg, w.Tenant, "key:test", conversation.Send{Contact: c.Contact.ID, Text: "hello"})
		if err != nil {
			w.Fatal(err)
		}
		quiet := w.rule(`{"name":"a","trigger":"go","actions":[{"type":"send_whatsapp","config":{"text":"from a","unlessAgent":true}}]}`)
		loud := w.rule(`{"name":"b","trigger":"go","actions":[{"type":"send_whatsapp","config":{"text":"from b"}}]}`)
		w.fire(Call{Trigger: "go", Phone: phone})
		w.settled()
		w.wantStory(quiet.ID, "completed action-1=completed")
		if err := w.DB.Write(bg, w.Tenant, func(tx *store.Tx) error {
			_, err := w.Conversations.TakeIn(tx, "key:test", talk.Conversation, "ann")
			return err
		}); err != nil {
			w.Fatal(err)
		}
		w.fire(Call{Trigger: "go", Phone: phone})
		w.settled()
		if r := w.runs(quiet.ID)[1]; r.Status != Failed || !strings.Contains(r.Error, "agent") {
			w.Errorf("%+v", r)
		}
		if r := w.runs(loud.ID)[1]; r.Status != Completed {
			w.Errorf("%+v", r)
		}
		_, err = w.s.Create(bg, w.Tenant, "key:test", map[string]any{"name": "x", "trigger": "y", "actions": []any{map[string]any{"type": "send_whatsapp", "config": map[string]any{"text": "t", "unlessAgent": "yes"}}}})
		w.wantFault(err, "invalid", "actions[0].config.unlessAgent", "")
	})
}
