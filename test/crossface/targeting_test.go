package crossface

import (
	"fmt"

	"parley/internal/id"
)

const targeting = "targeting"

// uuid is an id as the targeting API writes it.
func uuid(hex string) string {
	v, err := id.Parse(hex)
	if err != nil {
		return hex
	}
	return v.UUID()
}

// hex is an id of the targeting API as the others write it.
func hex(uuid string) string {
	v, _, err := id.FromUUID(uuid)
	if err != nil {
		return uuid
	}
	return v.String()
}

// entityBody is the person as a body of the targeting API.
func (p *person) entityBody() map[string]any {
	return map[string]any{"first_name": p.first, "last_name": p.last, "email": p.email, "phone": "+" + p.phone}
}

// entity is where the targeting API shows the person.
func (p *person) entity() string { return "/v1/entity/contact/" + uuid(p.id) }

// target makes a target of contacts that satisfy every item, once by its name.
func (w *world) target(name string, items ...map[string]any) string {
	w.Helper()
	w.made.Lock()
	defer w.made.Unlock()
	if v, ok := w.made.targets[name]; ok {
		return v
	}
	v := w.targets.Post("/v1/target", map[string]any{"name": name, "entity_schema": "contact",
		"entity_filters": map[string]any{"filter": map[string]any{"combination": "AND", "items": items}}}).OK().Str("id")
	w.made.targets[name] = v
	return v
}

func item(key, operator string, value any) map[string]any {
	return map[string]any{"key": key, "operator": operator, "value": value}
}

// matches says whether a target contains the person.
func (w *world) matches(target string, p *person, wanted bool) string {
	a := w.targets.Post("/v1/target:match", map[string]any{"target_ids": []string{target},
		"entity_refs": []map[string]any{{"entity_id": uuid(p.id), "entity_schema": "contact"}}})
	return want("hits of the target", a.Get("hits"), map[bool]int{true: 1, false: 0}[wanted])
}

// byName is the target of the people with the person's first name.
func (w *world) byName(p *person) string {
	return w.target("named "+p.first, item("first_name", "equals", p.first))
}

// inTarget reads whether a target of the person's own contains it.
func inTarget(how string, items func(p *person) []map[string]any) way {
	return reads(targeting, "POST target:match "+how, func(w *world, p *person) string {
		if p.id == "" {
			p.id = byPhone(w, p)
		}
		return w.matches(w.target(how+" "+p.first, items(p)...), p, true)
	})
}

// shown reads an attribute of the entity.
func shown(attribute string, value func(p *person) any) way {
	return reads(targeting, "GET entity/contact/{id} "+attribute, func(w *world, p *person) string {
		if p.id == "" {
			p.id = byPhone(w, p)
		}
		return want("the entity's "+attribute, w.targets.Get(p.entity()).Get("entity."+attribute), value(p))
	})
}

// also are the targeting API's ways to write and to read the facts of the table.
var also = map[string]fact{
	"A new person": {writes: []way{
		writes(targeting, "POST entity/contact", func(w *world, p *person) {
			w.targets.Post("/v1/entity/contact", p.entityBody()).OK()
		}),
	}, reads: []way{
		shown("email", func(p *person) any { return p.email }),
		shown("phone", func(p *person) any { return "+" + p.phone }),
		inTarget("by phone", func(p *person) []map[string]any { return []map[string]any{item("phone", "equals", "+"+p.phone)} }),
		reads(targeting, "POST entity:search", func(w *world, p *person) string {
			a := w.targets.Post("/v1/entity:search", map[string]any{"q": "_schema:contact AND first_name:" + p.first})
			return want("hits", a.Get("hits"), 1) + want("the hit", a.Get("results.0.email"), p.email)
		}),
		reads(targeting, "POST entity:list", func(w *world, p *person) string {
			a := w.targets.Post("/v1/entity:list", map[string]any{"filter": []map[string]any{{"term": map[string]any{"_schema": "contact"}}, {"term": map[string]any{"email": p.email}}}})
			return want("the hit", a.Get("results.0.first_name"), p.first)
		}),
	}},
	"A new name": {writes: []way{
		writes(targeting, "PATCH entity/contact/{id}", func(w *world, p *person) {
			w.targets.Patch(p.entity(), map[string]any{"first_name": "Grace", "last_name": p.first}).OK()
		}),
	}, reads: []way{
		shown("_title", func(p *person) any { return "Grace " + p.first }),
		inTarget("by name", func(p *person) []map[string]any {
			return []map[string]any{item("first_name", "equals", "Grace"), item("last_name", "equals", p.first)}
		}),
	}},
	"A field of the tenant's own": {writes: []way{
		writes(targeting, "PATCH entity/contact/{id} shoe", func(w *world, p *person) { w.targets.Patch(p.entity(), map[string]any{"shoe": 43}).OK() }),
	}, reads: []way{
		shown("additional.shoe", func(p *person) any { return 43 }),
		inTarget("by a field", func(p *person) []map[string]any {
			return []map[string]any{item("shoe", "greater_than", "42"), item("first_name", "equals", p.first)}
		}),
	}},
	"Who works on it": {reads: []way{
		inTarget("by agent", func(p *person) []map[string]any {
			return []map[string]any{item("agent", "equals", "Ann Arbor"), item("first_name", "equals", p.first)}
		}),
	}},
	"It is put away": {writes: []way{
		writes(targeting, "DELETE entity/contact/{id}", func(w *world, p *person) { w.targets.Delete(p.entity()).OK() }),
	}, reads: []way{
		inTarget("by archived", func(p *person) []map[string]any {
			return []map[string]any{item("archived", "equals", "true"), item("first_name", "equals", p.first)}
		}),
	}},
	"It is taken up again": {reads: []way{
		inTarget("by not archived", func(p *person) []map[string]any {
			return []map[string]any{item("archived", "equals", "false"), item("first_name", "equals", p.first)}
		}),
	}},
	"Two are one person": {reads: []way{
		reads(targeting, "GET entity/contact/{id}, both ids", func(w *world, p *person) string {
			return want("the other id", w.targets.Get("/v1/entity/contact/"+uuid(p.other)).Get("entity._id"), uuid(p.id))
		}),
		reads(targeting, "POST target:match, both ids", func(w *world, p *person) string {
			t := w.byName(p)
			other := *p
			other.id = p.other
			return w.matches(t, p, true) + w.matches(t, &other, true)
		}),
	}},
	"The person is erased": {writes: []way{
		writes(targeting, "DELETE entity/contact/{id}?purge=true", func(w *world, p *person) { w.targets.Delete(p.entity() + "?purge=true").OK() }),
	}, reads: []way{
		reads(targeting, "GET entity/contact/{id} is 404", func(w *world, p *person) string {
			return want("the answer", w.targets.Get(p.entity()).Status, 404)
		}),
		reads(targeting, "POST target:match finds nobody", func(w *world, p *person) string { return w.matches(w.byName(p), p, false) }),
	}},
}

// The table is told by all of the APIs together.
func init() {
	for i, f := range facts {
		more := also[f.name]
		facts[i].writes, facts[i].reads = append(f.writes, more.writes...), append(f.reads, more.reads...)
		delete(also, f.name)
	}
	for name := range also {
		panic("no fact is called " + name)
	}
	facts = append(facts, tagged, campaigned)
}

// tagged is a fact that only a target asks for: a tag, wherever it was set.
var tagged = fact{name: "A tag", known: "either", writes: []way{
	writes(platform, "PATCH leads/{id} tags", func(w *world, p *person) {
		w.platform.Patch(leads+"/"+p.id+"/tags", map[string]any{"add": []string{"vip"}}).OK()
	}),
	writes(targeting, "PATCH entity/contact/{id} _tags", func(w *world, p *person) {
		w.targets.Patch(p.entity(), map[string]any{"_tags": []string{"vip"}}).OK()
	}),
}, reads: []way{
	reads(platform, "GET leads/{id}", func(w *world, p *person) string {
		return contains("the tags", fmt.Sprint(w.platform.Get(leads+"/"+p.id).Get("data.tags")), "vip")
	}),
	inTarget("by tag", func(p *person) []map[string]any {
		return []map[string]any{item("_tags", "equals", "vip"), item("first_name", "equals", p.first)}
	}),
	reads(targeting, "live: an automation of segment_entered ran", func(w *world, p *person) string {
		return contains("the tags", fmt.Sprint(w.platform.Get(leads+"/"+p.id).Get("data.tags")), "welcomed")
	}),
}}

// campaigned is the fact that a campaign came to the person.
var campaigned = fact{name: "A campaign came to the person", known: "either", writes: []way{
	writes(targeting, "POST campaign/{id}/status active", func(w *world, p *person) { w.campaigns(p) }),
}, reads: []way{
	reads(targeting, "GET campaign/{id}/recipients", func(w *world, p *person) string {
		a := w.targets.Get("/v1/campaign/" + p.campaign + "/recipients")
		return want("recipients", a.Get("total"), 1) + want("the recipient", a.Get("results.0.entity_id"), uuid(p.id)) +
			want("its status", a.Get("results.0.automation_status"), "success")
	}),
	reads(targeting, "GET campaign/{id}/job", func(w *world, p *person) string {
		return want("the job", w.targets.Get("/v1/campaign/"+p.campaign+"/job").Get("status"), "finished")
	}),
	reads(targeting, "GET entity/campaign/{id} status", func(w *world, p *person) string {
		return want("the campaign", w.targets.Get("/v1/entity/campaign/"+p.campaign).Get("entity.status"), "active")
	}),
	reads(person_, "the phone", func(w *world, p *person) string {
		a := w.tenant.Call("GET", "/_sim/inbox?to="+p.phone, nil)
		return want("messages", len(list(a.Get("messages"))), 1) + contains("the phone", string(a.Body), p.first)
	}),
	reads(platform, "GET conversations/{id}/messages", func(w *world, p *person) string { return w.inbox(p, "Hello "+p.first) }),
	reads(sales, "GET prospect/{id}/interactions?via=whatsApp", func(w *world, p *person) string {
		a := w.sales.Get("/prospect/" + p.id + "/interactions?via=whatsApp")
		return want("the template", a.Get("0.output.message.template"), "appointment_reminder") + contains("the text", a.Str("0.output.message.body"), "Hello "+p.first)
	}),
	reads(sales, "a notification of topic interactions", func(w *world, p *person) string {
		return w.notified(`"topic":"interactions"`, `"template":"appointment_reminder"`, "Hello "+p.first)
	}),
}}

// campaigns activates a campaign over the person alone, which sends a template.
func (w *world) campaigns(p *person) {
	w.Helper()
	flow := w.targets.Post("/v1/automation/flows", map[string]any{"flow_name": "remind " + p.first, "enabled": true, "entity_schema": "contact",
		"triggers": []map[string]any{{"type": "entity_manual"}},
		"actions": []map[string]any{{"type": "send-message", "name": "remind", "config": map[string]any{"channel": "whatsapp",
			"template": map[string]any{"name": "appointment_reminder", "language": "en_US", "variables": []string{"{{entity.first_name}}", "noon"}}}}}}).OK().Str("id")
	p.campaign = w.targets.Post("/v1/entity/campaign", map[string]any{"name": "to " + p.first, "flow_id": flow,
		"target": map[string]any{"$relation": []map[string]any{{"entity_id": w.byName(p)}}}}).OK().Str("_id")
	w.targets.Post("/v1/campaign/"+p.campaign+"/status", map[string]any{"status": "active"}).OK()
}
