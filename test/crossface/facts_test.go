package crossface

import (
	"fmt"
	"strings"
)

// way is one way to write a fact, or to read it: by which API and how. A reader
// returns what it saw; "" is that it saw the fact.
type way struct {
	face, how string
	write     func(w *world, p *person)
	read      func(w *world, p *person) string
}

// fact is something that every API must see, whoever wrote it.
type fact struct {
	name string
	// known says that the person is there before; "" means that the fact makes them
	// known.
	known         string
	writes, reads []way
}

const (
	platform = "platform"
	sales    = "sales"
	person_  = "person" // by WhatsApp
)

func writes(face, how string, f func(w *world, p *person)) way {
	return way{face: face, how: how, write: f}
}
func reads(face, how string, f func(w *world, p *person) string) way {
	return way{face: face, how: how, read: f}
}

// want compares what was seen with what should be.
func want(what string, got, want any) string {
	if fmt.Sprint(got) == fmt.Sprint(want) {
		return ""
	}
	return fmt.Sprintf("%s is %v, not %v", what, got, want)
}

func contains(what, in, part string) string {
	if strings.Contains(in, part) {
		return ""
	}
	return fmt.Sprintf("%s lacks %q: %.600s", what, part, in)
}

// byPhone finds the person's id on the platform API.
func byPhone(w *world, p *person) string {
	return w.platform.Get(leads + "/phone/" + p.phone).Str("data._id")
}

// note writes a note of the person by the sales API.
func note(w *world, p *person) {
	w.sales.Post("/prospect/"+p.id+"/interactions", map[string]any{"type": "note", "content": "likes tea, says " + p.first}).OK()
}

var facts = []fact{
	{name: "A new person", writes: []way{
		writes(platform, "POST leads", func(w *world, p *person) { w.platform.Post(leads, p.lead()).OK() }),
		writes(platform, "POST leads/upsert", func(w *world, p *person) {
			w.platform.Post(leads+"/upsert", map[string]any{"leadData": p.lead()}).OK()
		}),
		writes(platform, "POST leads/bulk", func(w *world, p *person) {
			w.platform.Post(leads+"/bulk", map[string]any{"leads": []any{p.lead()}}).OK()
		}),
		writes(sales, "POST lead/retail", func(w *world, p *person) { w.sales.Post("/lead/retail", p.prospect()).OK() }),
		writes(sales, "POST lead/vehicle", func(w *world, p *person) { w.sales.Post("/lead/vehicle", p.prospect()).OK() }),
	}, reads: []way{
		reads(platform, "GET leads/phone/{phone}", func(w *world, p *person) string {
			a := w.platform.Get(leads + "/phone/" + p.phone)
			return want("the name", a.Get("data.fullName"), p.first+" "+p.last) + want("the e-mail", a.Get("data.email"), p.email)
		}),
		reads(platform, "live: crm.lead_created", func(w *world, p *person) string {
			return w.hears("crm.lead_created", byPhone(w, p), p.phone)
		}),
		reads(platform, "GET leads?search=", func(w *world, p *person) string {
			return want("the hit", w.platform.Get(leads+"?search="+p.first).Get("data.0.phone"), p.phone)
		}),
		reads(platform, "GET pipelines/{id}/board", func(w *world, p *person) string {
			id := w.platform.Get("/api/saas/crm/pipelines").Str("data.0._id")
			return contains("the board", string(w.platform.Get("/api/saas/crm/pipelines/"+id+"/board").Body), p.phone)
		}),
		reads(platform, "a lead_created rule ran once", func(w *world, p *person) string {
			return want("the tags", w.platform.Get(leads+"/phone/"+p.phone).Get("data.tags"), "[greeted]")
		}),
		reads(sales, "GET prospects?phoneNumber=", func(w *world, p *person) string {
			a := w.sales.Get("/prospects?phoneNumber=%2B" + p.phone)
			return want("the name", a.Get("0.firstName"), p.first) + want("how many", len(a.List()), 1)
		}),
		reads(sales, "GET prospects?search=", func(w *world, p *person) string {
			return want("the hit", w.sales.Get("/prospects?search="+p.email).Get("0.lastName"), p.last)
		}),
		reads(sales, "GET prospect-by", func(w *world, p *person) string {
			return want("the id", w.sales.Get("/prospect-by?email="+p.email).Str("id"), byPhone(w, p))
		}),
		reads(sales, "GET prospect/{id}", func(w *world, p *person) string {
			return want("the status", w.sales.Get("/prospect/"+byPhone(w, p)).Get("status"), "unclaimed")
		}),
		reads(sales, "a notification of topic prospects, created", func(w *world, p *person) string {
			return w.notified(`"type":"created"`, `"topic":"prospects"`, p.first)
		}),
	}},
	{name: "A new name", known: "either", writes: []way{
		writes(platform, "PATCH leads/{id}", func(w *world, p *person) {
			w.platform.Patch(leads+"/"+p.id, map[string]any{"firstName": "Grace", "lastName": p.first}).OK()
		}),
		writes(sales, "PATCH prospect/{id}", func(w *world, p *person) {
			w.sales.Patch("/prospect/"+p.id, map[string]any{"firstName": "Grace", "lastName": p.first}).OK()
		}),
	}, reads: []way{
		reads(platform, "GET leads/{id}", func(w *world, p *person) string {
			return want("the name", w.platform.Get(leads+"/"+p.id).Get("data.fullName"), "Grace "+p.first)
		}),
		reads(platform, "live: crm.lead_updated", func(w *world, p *person) string { return w.hears("crm.lead_updated", p.id, "firstName") }),
		reads(sales, "GET prospect/{id}", func(w *world, p *person) string {
			a := w.sales.Get("/prospect/" + p.id)
			return want("the name", fmt.Sprint(a.Get("firstName"), " ", a.Get("lastName")), "Grace "+p.first)
		}),
		reads(sales, "a notification of topic prospects, updated", func(w *world, p *person) string {
			return w.notified(`"type":"updated"`, `"topic":"prospects"`, p.first, "Grace")
		}),
	}},
	{name: "A field of the tenant's own", known: "either", writes: []way{
		writes(platform, "PATCH leads/{id} customFields", func(w *world, p *person) {
			w.platform.Patch(leads+"/"+p.id, map[string]any{"customFields": map[string]any{"shoe": 43}}).OK()
		}),
		writes(sales, "PATCH prospect/{id}/additionalData", func(w *world, p *person) {
			w.sales.Patch("/prospect/"+p.id+"/additionalData", map[string]any{"shoe": 43}).OK()
		}),
	}, reads: []way{
		reads(platform, "GET leads/{id}", func(w *world, p *person) string {
			return want("the field", w.platform.Get(leads+"/"+p.id).Get("data.customFields.shoe"), 43)
		}),
		reads(sales, "GET prospects?additionalData=", func(w *world, p *person) string {
			return want("the hit", w.sales.Get("/prospects?phoneNumber="+p.phone+"&additionalData[]=shoe>=43").Get("0.additionalData.shoe"), 43)
		}),
	}},
	{name: "Who works on it", known: "either", writes: []way{
		writes(platform, "PATCH leads/{id} assignedTo", func(w *world, p *person) {
			w.platform.Patch(leads+"/"+p.id, map[string]any{"assignedTo": w.ann.ID.String()}).OK()
		}),
		writes(sales, "POST prospect/{id}/transfer", func(w *world, p *person) {
			w.sales.Post("/prospect/"+p.id+"/transfer", map[string]any{"user": w.ann.ID.String()}).OK()
		}),
		writes(sales, "POST prospect/{id}/as-user/claim", func(w *world, p *person) {
			w.user.Post("/prospect/"+p.id+"/as-user/claim", map[string]any{}).OK()
		}),
	}, reads: []way{
		reads(platform, "GET leads/{id}", func(w *world, p *person) string {
			return want("the agent", w.platform.Get(leads+"/"+p.id).Get("data.assignedTo"), w.ann.ID)
		}),
		reads(sales, "GET prospects?agent=", func(w *world, p *person) string {
			return contains("the list", string(w.sales.Get("/prospects?agent="+w.ann.ID.String()).Body), p.id)
		}),
		reads(sales, "GET prospect/{id}", func(w *world, p *person) string {
			return want("the agent", w.sales.Get("/prospect/"+p.id).Get("agent.firstName"), "Ann")
		}),
	}},
	{name: "It is put away", known: "either", writes: []way{
		writes(platform, "DELETE leads/{id}", func(w *world, p *person) { w.platform.Delete(leads + "/" + p.id).OK() }),
		writes(sales, "POST prospect/{id}/as-user/archive", func(w *world, p *person) {
			w.user.Post("/prospect/"+p.id+"/as-user/archive", map[string]any{"archivingReason": "converted"}).OK()
		}),
	}, reads: []way{
		reads(platform, "GET leads/{id}", func(w *world, p *person) string {
			return want("isArchived", w.platform.Get(leads+"/"+p.id).Get("data.isArchived"), true)
		}),
		reads(sales, "GET prospects?status=archived", func(w *world, p *person) string {
			return contains("the list", string(w.sales.Get("/prospects?status=archived").Body), p.id)
		}),
	}},
	{name: "It is taken up again", known: "either", writes: []way{
		writes(person_, "a message on WhatsApp", func(w *world, p *person) { w.putAway(p); w.texts(p, "hello again") }),
		writes(platform, "POST leads/upsert", func(w *world, p *person) {
			w.putAway(p)
			w.platform.Post(leads+"/upsert", map[string]any{"leadData": p.lead()}).OK()
		}),
		writes(sales, "POST lead/retail", func(w *world, p *person) {
			w.putAway(p)
			w.sales.Post("/lead/retail", p.prospect()).OK()
		}),
		writes(sales, "POST prospect/{id}/as-user/unarchive", func(w *world, p *person) {
			w.putAway(p)
			w.user.Post("/prospect/"+p.id+"/as-user/unarchive", map[string]any{}).OK()
		}),
	}, reads: []way{
		reads(platform, "GET leads/{id}", func(w *world, p *person) string {
			return want("isArchived", w.platform.Get(leads+"/"+p.id).Get("data.isArchived"), false)
		}),
		reads(sales, "GET prospect/{id}", func(w *world, p *person) string {
			if s := w.sales.Get("/prospect/" + p.id).Str("status"); s == "archived" || s == "" {
				return "the status is " + s
			}
			return ""
		}),
	}},
	{name: "A note", known: "either", writes: []way{
		writes(platform, "POST leads/upsert moduleInfo.message", func(w *world, p *person) {
			w.platform.Post(leads+"/upsert", map[string]any{"leadData": p.lead(), "moduleInfo": map[string]any{"message": "likes tea, says " + p.first}}).OK()
		}),
		writes(sales, "POST prospect/{id}/interactions note", note),
	}, reads: []way{
		reads(sales, "GET prospect/{id}/interactions?via=other", func(w *world, p *person) string {
			return contains("the list", string(w.sales.Get("/prospect/"+p.id+"/interactions?via=other").Body), "likes tea, says "+p.first)
		}),
	}},
	{name: "What an agent noted or did", known: "either", writes: []way{
		writes(sales, "POST prospect/{id}/interactions note", note),
		writes(sales, "POST prospect/{id}/interactions call", func(w *world, p *person) {
			note(w, p)
			w.sales.Post("/prospect/"+p.id+"/interactions", map[string]any{"type": "call", "startedAt": "2026-01-02T03:04:05.000Z", "duration": 61_000}).OK()
		}),
	}, reads: []way{
		reads(platform, "GET leads/{id}/timeline", func(w *world, p *person) string {
			return contains("the timeline", string(w.platform.Get(leads+"/"+p.id+"/timeline").Body), "likes tea, says "+p.first)
		}),
		reads(sales, "a notification of topic interactions", func(w *world, p *person) string {
			return w.notified(`"topic":"interactions"`, "likes tea, says "+p.first)
		}),
	}},
	{name: "A message from the person", known: "either", writes: []way{
		writes(person_, "a message on WhatsApp", func(w *world, p *person) { w.texts(p, "are you open, asks "+p.first) }),
	}, reads: []way{
		reads(platform, "GET conversations/{id}/messages", func(w *world, p *person) string { return w.inbox(p, "are you open, asks "+p.first) }),
		reads(platform, "live: whatsapp.message_received", func(w *world, p *person) string {
			return w.hears("whatsapp.message_received", p.id, "are you open, asks "+p.first)
		}),
		reads(sales, "GET prospect/{id}/interactions?via=whatsApp", func(w *world, p *person) string {
			a := string(w.sales.Get("/prospect/" + p.id + "/interactions?via=whatsApp").Body)
			return contains("the list", a, "are you open, asks "+p.first) + contains("the list", a, `"performer":"integration"`)
		}),
		reads(sales, "GET prospect/{id} whatsAppDueAt", func(w *world, p *person) string {
			if w.sales.Get("/prospect/"+p.id).Str("whatsAppDueAt") == "" {
				return "there is no window"
			}
			return ""
		}),
		reads(sales, "a notification of topic interactions", func(w *world, p *person) string {
			return w.notified(`"topic":"interactions"`, `"type":"created"`, "are you open, asks "+p.first)
		}),
	}},
	{name: "An answer to the person", known: "either", writes: []way{
		writes(platform, "POST chat/send", func(w *world, p *person) {
			w.opened(p)
			w.platform.Post(chat+"/send", map[string]any{"to": "+" + p.phone, "text": "until six, " + p.first}).OK()
		}),
		writes(sales, "POST prospect/{id}/messaging/whatsapp", func(w *world, p *person) {
			w.opened(p)
			w.sales.Post("/prospect/"+p.id+"/messaging/whatsapp", map[string]any{"content": "until six, " + p.first}).OK()
		}),
	}, reads: []way{
		reads(platform, "GET conversations/{id}/messages", func(w *world, p *person) string { return w.inbox(p, "until six, "+p.first) }),
		reads(platform, "live: whatsapp.message_sent", func(w *world, p *person) string { return w.hears("whatsapp.message_sent", p.phone) }),
		reads(sales, "GET prospect/{id}/interactions?via=whatsApp", func(w *world, p *person) string {
			a := string(w.sales.Get("/prospect/" + p.id + "/interactions?via=whatsApp").Body)
			return contains("the list", a, "until six, "+p.first) + contains("the list", a, `"performer":"agent"`)
		}),
		reads(sales, "GET prospect/{id} firstContactedAt", func(w *world, p *person) string {
			if w.sales.Get("/prospect/"+p.id).Str("firstContactedAt") == "" {
				return "nobody contacted the person"
			}
			return ""
		}),
		reads(sales, "a notification of topic interactions", func(w *world, p *person) string {
			return w.notified(`"topic":"interactions"`, "until six, "+p.first)
		}),
		reads(person_, "the phone", func(w *world, p *person) string {
			return contains("the phone", string(w.tenant.Call("GET", "/_sim/inbox?to="+p.phone, nil).Body), "until six, "+p.first)
		}),
	}},
	{name: "A template to the person", known: "either", writes: []way{
		writes(platform, "POST chat/send templateName", func(w *world, p *person) {
			w.platform.Post(chat+"/send", map[string]any{"to": "+" + p.phone, "templateName": "appointment_reminder", "language": "en_US", "variables": []string{p.first, "noon"}}).OK()
		}),
		writes(sales, "POST prospect/{id}/messaging/whatsapp/notification", func(w *world, p *person) {
			w.sales.Post("/prospect/"+p.id+"/messaging/whatsapp/notification", map[string]any{"key": "appointment_reminder",
				"parameters": map[string]string{"1": p.first, "2": "noon"}}).OK()
		}),
	}, reads: []way{
		reads(platform, "GET conversations/{id}/messages", func(w *world, p *person) string {
			return w.inbox(p, "appointment_reminder") + w.inbox(p, "Hello "+p.first)
		}),
		reads(sales, "GET prospect/{id}/interactions?via=whatsApp", func(w *world, p *person) string {
			a := w.sales.Get("/prospect/" + p.id + "/interactions?via=whatsApp")
			return want("the template", a.Get("0.output.message.template"), "appointment_reminder") + contains("the text", a.Str("0.output.message.body"), "Hello "+p.first)
		}),
		reads(sales, "GET prospect/{id} firstContactedAt", func(w *world, p *person) string {
			if w.sales.Get("/prospect/"+p.id).Str("firstContactedAt") == "" {
				return "nobody contacted the person"
			}
			return ""
		}),
		reads(sales, "a notification of topic interactions", func(w *world, p *person) string {
			return w.notified(`"topic":"interactions"`, `"template":"appointment_reminder"`, "Hello "+p.first)
		}),
		reads(person_, "the phone", func(w *world, p *person) string {
			return contains("the phone", string(w.tenant.Call("GET", "/_sim/inbox?to="+p.phone, nil).Body), p.first)
		}),
	}},
	messengerMessage, messengerAnswer, twoChannels,
	{name: "Two are one person", known: "either", writes: []way{
		writes(platform, "POST leads/{id}/merge", func(w *world, p *person) {
			w.second(p)
			w.platform.Post(leads+"/"+p.id+"/merge", map[string]any{"leadId": p.other}).OK()
		}),
		writes(sales, "POST lead/retail that names both", func(w *world, p *person) {
			w.second(p)
			both := p.prospect()
			both["emails"] = []string{p.email, "second." + p.email}
			w.sales.Post("/lead/retail", both).OK()
		}),
	}, reads: []way{
		reads(platform, "GET leads/{id}, both ids", func(w *world, p *person) string {
			return want("the other id", w.platform.Get(leads+"/"+p.other).Get("data._id"), p.id)
		}),
		reads(sales, "GET prospect/{id}, both ids", func(w *world, p *person) string {
			a := w.sales.Get("/prospect/" + p.other)
			return want("the other id", a.Get("id"), p.id) + contains("the e-mails", fmt.Sprint(a.Get("emails")), "second."+p.email)
		}),
	}},
	{name: "The person is erased", known: "either", writes: []way{
		writes(sales, "DELETE prospect/{id}", func(w *world, p *person) { w.sales.Delete("/prospect/" + p.id).OK() }),
		writes(sales, "DELETE prospect/{id}, who wrote on two channels", func(w *world, p *person) {
			w.joined(p)
			w.sales.Delete("/prospect/" + p.id).OK()
		}),
	}, reads: []way{
		reads(platform, "GET conversations has none", func(w *world, p *person) string {
			all := string(w.platform.Get(chat + "/conversations?limit=200").Body)
			if strings.Contains(all, p.first) || strings.Contains(all, p.phone) || strings.Contains(all, p.id) {
				return "there is a conversation: " + all
			}
			return ""
		}),
		reads(platform, "GET leads/{id} is 404", func(w *world, p *person) string {
			return want("the answer", w.platform.Get(leads+"/"+p.id).Status, 404)
		}),
		reads(platform, "GET leads?search= finds nobody", func(w *world, p *person) string {
			return want("the hits", w.platform.Get(leads+"?search="+p.first).Get("data"), "[]")
		}),
		reads(sales, "GET prospect/{id} is 404", func(w *world, p *person) string {
			return want("the answer", w.sales.Get("/prospect/"+p.id).Status, 404)
		}),
		reads(sales, "GET prospects?phoneNumber= finds nobody", func(w *world, p *person) string {
			return want("the hits", len(w.sales.Get("/prospects?phoneNumber="+p.phone).List()), 0)
		}),
	}},
}
