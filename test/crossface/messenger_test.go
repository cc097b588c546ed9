package crossface

import "fmt"

// The facts of Messenger, where a person has no phone: who writes there is a
// contact with a page-scoped id.

var messengerMessage = fact{name: "A message from the person on Messenger", writes: []way{
	writes(person_, "a message on Messenger", func(w *world, p *person) { w.says(p, "are you open, asks "+p.first) }),
}, reads: []way{
	reads(platform, "GET leads?search=", func(w *world, p *person) string {
		return want("the name", w.platform.Get(leads+"?search="+p.first).Get("data.0.fullName"), p.first+" "+p.last)
	}),
	reads(platform, "a lead_created rule ran once", func(w *world, p *person) string {
		return want("the tags", w.platform.Get(leads+"?search="+p.first).Get("data.0.tags"), "[greeted]")
	}),
	reads(platform, "GET conversations/{id}/messages", func(w *world, p *person) string { return w.spoken(p, "are you open, asks "+p.first) }),
	reads(sales, "GET prospects?search=", func(w *world, p *person) string {
		return want("the hit", w.sales.Get("/prospects?search="+p.first).Get("0.lastName"), p.last)
	}),
	reads(sales, "GET prospect/{id}/interactions?via=facebook", func(w *world, p *person) string {
		a := string(w.sales.Get("/prospect/" + w.prospect(p) + "/interactions?via=facebook").Body)
		return contains("the list", a, "are you open, asks "+p.first) + contains("the list", a, `"performer":"integration"`)
	}),
	reads(sales, "GET prospect/{id} facebookDueAt", func(w *world, p *person) string {
		if w.sales.Get("/prospect/"+w.prospect(p)).Str("facebookDueAt") == "" {
			return "there is no window"
		}
		return ""
	}),
	reads(sales, "a notification of topic interactions", func(w *world, p *person) string {
		return w.notified(`"topic":"interactions"`, `"type":"created"`, `"via":"facebook"`, "are you open, asks "+p.first)
	}),
}}

var messengerAnswer = fact{name: "An answer on Messenger", writes: []way{
	writes(platform, "POST chat/send conversationId", func(w *world, p *person) {
		w.wrote(p)
		w.platform.Post(chat+"/send", map[string]any{"conversationId": w.thread(p), "text": "until six, " + p.first}).OK()
	}),
	writes(sales, "POST prospect/{id}/messaging/facebook", func(w *world, p *person) {
		w.wrote(p)
		w.sales.Post("/prospect/"+w.prospect(p)+"/messaging/facebook", map[string]any{"content": "until six, " + p.first}).OK()
	}),
}, reads: []way{
	reads(platform, "GET conversations/{id}/messages", func(w *world, p *person) string { return w.spoken(p, "until six, "+p.first) }),
	reads(sales, "GET prospect/{id}/interactions?via=facebook", func(w *world, p *person) string {
		a := string(w.sales.Get("/prospect/" + w.prospect(p) + "/interactions?via=facebook").Body)
		return contains("the list", a, "until six, "+p.first) + contains("the list", a, `"performer":"agent"`)
	}),
	reads(sales, "GET prospect/{id} firstContactedAt", func(w *world, p *person) string {
		if w.sales.Get("/prospect/"+w.prospect(p)).Str("firstContactedAt") == "" {
			return "nobody contacted the person"
		}
		return ""
	}),
	reads(sales, "a notification of topic interactions", func(w *world, p *person) string {
		return w.notified(`"topic":"interactions"`, "until six, "+p.first)
	}),
	reads(person_, "Messenger", func(w *world, p *person) string {
		return contains("Messenger", string(w.tenant.Call("GET", "/_sim/messenger/inbox?to="+p.psid(), nil).Body), "until six, "+p.first)
	}),
}}

// twoChannels: who is known by a phone and writes on Messenger is one person once
// they are merged.
var twoChannels = fact{name: "One person on WhatsApp and Messenger", known: "either", writes: []way{
	writes(platform, "POST leads/{id}/merge", (*world).joined),
}, reads: []way{
	reads(sales, "GET prospect/{id}, both windows", func(w *world, p *person) string {
		a := w.sales.Get("/prospect/" + p.id)
		if a.Str("whatsAppDueAt") == "" || a.Str("facebookDueAt") == "" {
			return fmt.Sprintf("the windows are %v and %v", a.Get("whatsAppDueAt"), a.Get("facebookDueAt"))
		}
		return ""
	}),
	reads(sales, "GET prospect/{id}/messaging/channels", func(w *world, p *person) string {
		a := w.sales.Get("/prospect/" + p.id + "/messaging/channels")
		return want("the first", a.Get("0.channel"), "whatsapp") + want("the second", a.Get("1.channel"), "facebook")
	}),
	reads(sales, "GET prospect/{id}/interactions", func(w *world, p *person) string {
		a := string(w.sales.Get("/prospect/" + p.id + "/interactions").Body)
		return contains("the list", a, "hi from "+p.first) + contains("the list", a, "it is me, "+p.first)
	}),
	reads(platform, "GET conversations/{id}/messages, both", func(w *world, p *person) string {
		return w.inbox(p, "hi from "+p.first) + w.spoken(p, "it is me, "+p.first)
	}),
	reads(platform, "GET leads?search= finds one", func(w *world, p *person) string {
		return want("the hits", len(list(w.platform.Get(leads+"?search="+p.first).Get("data"))), 1)
	}),
}}

// psid is the person's page-scoped id, which no phone is part of.
func (p *person) psid() string { return "7316505" + p.phone[len(p.phone)-5:] }

// says has the person write on Messenger, by the simulated provider.
func (w *world) says(p *person, text string) {
	w.Helper()
	accounts, err := w.tenant.App.Accounts.List(w.Context(), w.tenant.ID)
	page := ""
	for _, a := range accounts {
		if a.Kind == "messenger" {
			page = a.ExternalID
		}
	}
	if err != nil || page == "" {
		w.Fatal("the tenant has no page", err)
	}
	w.Eventually("the webhook is taken", func() bool {
		return w.tenant.Call("POST", "/_sim/messenger/reply", map[string]any{"from": p.psid(), "to": page, "text": text, "firstName": p.first, "lastName": p.last}).Get("accepted") == true
	})
}

// prospect finds the person's id on the sales API, "" while there is none.
func (w *world) prospect(p *person) string {
	return w.sales.Get("/prospects?search=" + p.first + "&limit=1").Str("0.id")
}

// joined makes one of who wrote on WhatsApp and who wrote on Messenger.
func (w *world) joined(p *person) {
	w.Helper()
	w.opened(p)
	w.says(p, "it is me, "+p.first)
	w.Eventually("the page's contact is there", func() bool { return w.stranger(p) != "" })
	w.platform.Post(leads+"/"+p.id+"/merge", map[string]any{"leadId": w.stranger(p)}).OK()
}

// stranger finds the contact that Messenger made of a person who is known besides.
func (w *world) stranger(p *person) string {
	for _, v := range w.sales.Get("/prospects?search=" + p.first).List() {
		if v["id"] != p.id {
			return v["id"].(string)
		}
	}
	return ""
}

// wrote opens the window on Messenger.
func (w *world) wrote(p *person) {
	w.Helper()
	w.says(p, "hi from "+p.first)
	w.Eventually("the window is open", func() bool {
		v := w.prospect(p)
		return v != "" && w.sales.Get("/prospect/"+v).Str("facebookDueAt") != "" && w.thread(p) != ""
	})
}

// thread finds the person's conversation on Messenger on the platform API.
func (w *world) thread(p *person) string {
	who := w.prospect(p)
	for _, c := range list(w.platform.Get(chat + "/conversations?limit=100").Get("data")) {
		if c["channel"] == "messenger" && c["leadId"] == who {
			return c["_id"].(string)
		}
	}
	return ""
}

// spoken looks for a text in it.
func (w *world) spoken(p *person, part string) string {
	v := w.thread(p)
	if v == "" {
		return "there is no conversation on Messenger"
	}
	return contains("the conversation", string(w.platform.Get(chat+"/conversations/"+v+"/messages").Body), part)
}
