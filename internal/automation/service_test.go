package automation

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/internal/channel"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/tenant"
)

func contextWithCancel() (context.Context, context.CancelFunc) { return context.WithCancel(bg) }

func TestRules(t *testing.T) {
	each(t, func(w *world) {
		form := `{"name":"R","description":"d","trigger":"go","isActive":false,"nodes":[{"id":"a","type":"add_tag","data":{"tag":"x","label":"L\u0000"},"position":{"x":1.5,"y":2},"zIndex":3}],"edges":[],"_canvas":{"zoom":0.5,"list":[1,null,"a"]},"tags":["t"]}`
		r := w.rule(form)
		want := def(w, strings.ReplaceAll(form, `\u0000`, ""))
		delete(want, "isActive")
		if d := cmp.Diff(want, r.Definition); d != "" {
			w.Error(d)
		}
		got, err := w.s.Get(bg, w.Tenant, r.ID)
		if err != nil {
			w.Fatal(err)
		}
		if d := cmp.Diff(r, got); d != "" || got.Active || got.Version != 1 {
			w.Errorf("%s %+v", d, got)
		}
		update := func(patch string) Rule {
			w.Helper()
			r, err := w.s.Update(bg, w.Tenant, "key:test", r.ID, def(w, patch))
			if err != nil {
				w.Fatal(err)
			}
			return r
		}
		if r := update(`{"name":"R2","_canvas":null,"nodes":[{"id":"a","type":"add_tag","data":{"tag":"x","label":"moved"}}]}`); r.Version != 1 || r.Name != "R2" || r.Definition["_canvas"] != nil || r.Description != "d" {
			w.Errorf("%+v", r)
		}
		if r := update(`{"isActive":true,"nodes":[{"id":"a","type":"add_tag","data":{"tag":"y"}}]}`); r.Version != 2 || !r.Active {
			w.Errorf("%+v", r)
		}
		_, err = w.s.Update(bg, w.Tenant, "key:test", r.ID, def(w, `{"nodes":[{"id":"a","type":"?"}]}`))
		w.wantFault(err, fault.Invalid, "nodes[0].type", "")
		for field, text := range map[string]string{"name": `{"trigger":"x"}`, "trigger": `{"name":"x"}`} {
			_, err := w.s.Create(bg, w.Tenant, "key:test", def(w, text))
			w.wantFault(err, fault.Invalid, field, "missing")
		}
		for field, text := range map[string]string{"name": `{"name":5,"trigger":"x"}`, "isActive": `{"name":"x","trigger":"x","isActive":"yes"}`, "description": `{"name":"x","trigger":"x","description":[]}`} {
			_, err := w.s.Create(bg, w.Tenant, "key:test", def(w, text))
			w.wantFault(err, fault.Invalid, field, "")
		}
		_, err = w.s.Create(bg, w.Tenant, "key:test", def(w, `{"name":"x","trigger":"a b"}`))
		w.wantFault(err, fault.Invalid, "trigger", "trigger")

		two := w.rule(`{"name":"S","nodes":[{"id":"t","type":"trigger","data":{"trigger":"other"}}]}`)
		list := func(q RuleQuery) (names []string) {
			w.Helper()
			rules, err := w.s.List(bg, w.Tenant, q)
			if err != nil {
				w.Fatal(err)
			}
			for _, r := range rules {
				names = append(names, r.Name)
			}
			return names
		}
		on, off := true, false
		if _, err := w.s.Toggle(bg, w.Tenant, "key:test", two.ID, nil); err != nil {
			w.Fatal(err)
		}
		for _, c := range []struct {
			q    RuleQuery
			want []string
		}{{RuleQuery{}, []string{"S", "R2"}}, {RuleQuery{Trigger: "go"}, []string{"R2"}}, {RuleQuery{Active: &on}, []string{"R2"}}, {RuleQuery{Active: &off}, []string{"S"}}, {RuleQuery{Trigger: "go", Active: &off}, nil}} {
			if got := list(c.q); !slices.Equal(got, c.want) {
				w.Errorf("%+v: %q", c.q, got)
			}
		}
		if r, err := w.s.Toggle(bg, w.Tenant, "key:test", two.ID, &off); err != nil || r.Active {
			w.Errorf("%+v %v", r, err)
		}

		// Another tenant's id is an unknown id.
		other, err := w.Tenants.Create(bg, tenant.NewTenant{Name: "Other"})
		if err != nil {
			w.Fatal(err)
		}
		w.lead()
		w.fire(Call{Trigger: "go", Phone: phone})
		w.settled()
		run := w.run(r.ID)
		for _, x := range []struct{ tenant, rule, run id.ID }{{other.ID, r.ID, run.ID}, {w.Tenant, id.New(), id.New()}} {
			_, err1 := w.s.Get(bg, x.tenant, x.rule)
			_, err2 := w.s.Update(bg, x.tenant, "key:test", x.rule, map[string]any{})
			_, err3 := w.s.Toggle(bg, x.tenant, "key:test", x.rule, nil)
			_, _, err4 := w.s.Runs(bg, x.tenant, x.rule, "", 1, 10)
			for _, err := range []error{err1, err2, err3, err4, w.s.Delete(bg, x.tenant, "key:test", x.rule)} {
				w.wantFault(err, fault.NotFound, "", "automation")
			}
			_, err = w.s.Run(bg, x.tenant, x.run)
			w.wantFault(err, fault.NotFound, "", "run")
		}
		_, _, err = w.s.Runs(bg, w.Tenant, r.ID, "sleeping", 1, 10)
		w.wantFault(err, fault.Invalid, "status", "")
		if n := w.Events(w, "automation.created") + 10*w.Events(w, "automation.updated"); n != 2+30 {
			w.Errorf("events %d", n)
		}
	})
}

// TestVersions changes and deletes a rule under its runs.
func TestVersions(t *testing.T) {
	each(t, func(w *world) {
		r := w.rule(`{"name":"R","trigger":"go","actions":[{"type":"add_tag","delayMinutes":5,"config":{"tag":"one"}}]}`)
		c := w.lead()
		w.fire(Call{Trigger: "go", Phone: phone})
		w.settled()
		if _, err := w.s.Update(bg, w.Tenant, "key:test", r.ID, def(w, `{"actions":[{"type":"add_tag","delayMinutes":5,"config":{"tag":"two"}}]}`)); err != nil {
			w.Fatal(err)
		}
		w.later(5 * time.Minute)
		if got := w.tags(c.Contact.ID); !slices.Equal(got, []string{"one"}) {
			w.Errorf("the run did not keep its version: %q", got)
		}
		f := w.fire(Call{Trigger: "go", Phone: phone})
		w.settled()
		if list := w.runs(r.ID); len(list) != 2 || list[0].Version != 1 || list[1].Version != 2 || list[1].Status != Waiting {
			w.Errorf("%+v", list)
		}
		open := w.runs(r.ID)[1].ID
		if err := w.s.Delete(bg, w.Tenant, "key:test", r.ID); err != nil {
			w.Fatal(err)
		}
		w.later(time.Hour)
		run, err := w.s.Run(bg, w.Tenant, open)
		if err != nil || story(run) != "aborted delay-1=failed" || run.Error == "" {
			w.Errorf("%s %v", story(run), err)
		}
		if l := w.log(f.LogID); l.Status != logFailed || l.RunsOpen != 0 {
			w.Errorf("%+v", l)
		}
		if got := w.tags(c.Contact.ID); !slices.Equal(got, []string{"one"}) {
			w.Errorf("%q", got)
		}
	})
}

func TestTemplates(t *testing.T) {
	each(t, func(w *world) {
		tpl := func(name, status string) channel.Template {
			return channel.Template{ProviderID: name, Name: name, Language: "en", Status: status, Category: "UTILITY", HeaderType: "NONE", BodyText: "Hi {{1}}, order {{2}}"}
		}
		w.Channel.Hold(nil, tpl("ready", "APPROVED"), tpl("raw", "PENDING"), tpl("mapped", "APPROVED"))
		if _, err := w.Templates.Sync(bg, w.Tenant); err != nil {
			w.Fatal(err)
		}
		_, err := w.Templates.SetMapping(bg, w.Tenant, "mapped", mapping(), "")
		if err != nil {
			w.Fatal(err)
		}
		w.lead()
		list := w.rule(`{"name":"a","trigger":"go","actions":[{"type":"send_whatsapp","config":{"templateName":"ready","languageCode":"en","variables":["{{lead.firstName}}","{{orderId}}"]}}]}`)
		named := w.rule(`{"name":"b","trigger":"go","actions":[{"type":"send_whatsapp","config":{"templateName":"ready","variables":{"1":"{{lead.firstName}}","2":"named"}}}]}`)
		mapped := w.rule(`{"name":"c","trigger":"go","actions":[{"type":"send_whatsapp","config":{"templateName":"mapped"}}]}`)
		raw := w.rule(`{"name":"d","trigger":"go","actions":[{"type":"send_whatsapp","config":{"templateName":"raw","variables":["a","b"]}}]}`)
		short := w.rule(`{"name":"e","trigger":"go","actions":[{"type":"send_whatsapp","config":{"templateName":"ready","variables":["a"]}}]}`)
		w.fire(Call{Trigger: "go", Phone: phone, Variables: map[string]any{"orderId": "A-7"}})
		w.settled()
		got := w.texts()
		slices.Sort(got)
		if want := []string{"Hi Asha, order A-7", "Hi Asha, order A-7", "Hi Asha, order named"}; !slices.Equal(got, want) {
			w.Errorf("%q", got)
		}
		for _, r := range []Rule{list, named, mapped} {
			w.wantStory(r.ID, "completed action-1=completed")
		}
		if r := w.wantStory(raw.ID, "failed action-1=failed"); !strings.Contains(r.Error, "pending") {
			w.Errorf("%q", r.Error)
		}
		if r := w.wantStory(short.ID, "failed action-1=failed"); !strings.Contains(r.Error, "2 values") {
			w.Errorf("%q", r.Error)
		}
	})
}
