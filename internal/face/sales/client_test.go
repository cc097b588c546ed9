package sales_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/access"
	"parley/internal/agent"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/test/apitest"
)

// published is the request of a lead to the letter as the original's own page shows
// it (S): one event of the history with the fields of every type, all of them
// placeholders.
const published = `{"priority": 0, "provider": "Webmotors", "providerLeadId": "string", "utmSource": "google, newsletter4, billboard, ford, bmw",
"utmMedium": "referral, organic, cpc, email, social, video", "utmCampaign": "Christmas / New Year campaign", "firstName": "Jorge", "lastName": "Letona",
"phones": ["+54 9 11 4552 0371"], "nin": [{"type": "DNI", "number": "23345223"}], "address": "Jujuy 986, 1er piso, depto. \"A\"", "subLocality": "La Perla",
"locality": "Mar del Plata", "region": "Buenos Aires", "country": "Argentina", "zipCode": "7600", "listingTitle": "MLA 641645231 Ferrari F430 F1 Spyder Cabriolet",
"comments": "I am interested in the Honda Civic.", "company": "Southern Group", "store": "Freedom Branch", "leadId": "string",
"source": "google, newsletter4, billboard, ford, bmw", "medium": "cpc, banner, email newsletter, form.", "campaign": "Christmas / New Year campaign",
"history": [{"type": "question", "providerId": "string", "threadTitle": "string", "threadUrl": "string", "question": "string", "answer": "string", "delivered": true,
"cancelReason": "string", "utmSource": "google, newsletter4, billboard, ford, bmw", "startedAt": "2019-08-24T14:15:22Z", "duration": 30000, "content": "string",
"sender": "string", "recipient": "string", "attachment": {"type": "string", "url": "string", "location": { }, "contacts": { }}}],
"product": {"make": "Apple", "model": "MQD32LL/A", "detail": "13-inch MacBook Air\n8GB\n", "sku": 6443034, "price": {"amount": 0, "currency": "usd"}}}`

func TestThePublishedLeadIsTaken(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Caller()
		a := c.Post("/lead/retail", published).OK()
		for path, want := range map[string]any{"interactions.1": nil, "interactions.0.status": "answered", "interactions.0.output.question.threadUrl": "string",
			"interactions.0.output.question.answer": "string", "interactions.0.output.message": nil} {
			if got := a.Get(path); got != want {
				t.Errorf("%s is %v, want %v: %s", path, got, want, a.Body)
			}
		}
		at := "/prospect/" + a.Str("id") + "/interactions"
		// What does not count for a type is not looked at, what counts is.
		c.Post(at, `{"type":"note","content":"x","threadUrl":"javascript:alert(1)","attachment":{"type":"EXE"},"answer":"x"}`).OK()
		c.Post(at, `{"type":"question","question":"?","threadUrl":"javascript:alert(1)"}`).Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Post(at, `{"type":"call","duration":-1}`).Refused(400, "SCHEMA_VALIDATION_FAILED")
	})
}

// TestTheFirstSourceStays: what a prospect of another API shows as its one lead is
// still the first of its leads when it asks here.
func TestTheFirstSourceStays(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true, At: monday}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c, p := acme.Caller(), acme.Platform()
		pid := p.Post("/api/saas/crm/leads", `{"firstName":"Ann","phone":"919876543210","source":"website"}`).OK().Str("data._id")
		r.Clock.Advance(time.Minute)
		a := c.Post("/lead/vehicle", `{"utmSource":"portal","phones":["+919876543210"]}`).OK()
		if a.Str("id") != pid || a.Str("leads.0.utmSource") != "portal" || a.Get("leads.1") != nil {
			t.Errorf("%s", a.Body)
		}
		one := c.Get("/prospect/" + pid).OK()
		if one.Str("leads.0.utmSource") != "website" || one.Str("leads.0.created") != one.Str("created") || one.Str("leads.1.utmSource") != "portal" || one.Get("leads.2") != nil {
			t.Errorf("%s", one.Body)
		}
		// Who came by a lead has its leads alone, also when others join it.
		b := c.Post("/lead/retail", `{"utmSource":"first","emails":["b@example.com"]}`).OK()
		r.Clock.Advance(time.Minute)
		c.Post("/lead/retail", `{"utmSource":"second","emails":["b@example.com"]}`).OK()
		if got := c.Get("/prospect/" + b.Str("id")).OK(); got.Str("leads.0.utmSource") != "first" || got.Str("leads.1.utmSource") != "second" || got.Get("leads.2") != nil {
			t.Errorf("%s", got.Body)
		}
	})
}

// TestAUserWhoLeft: nobody acts as an agent who is not active any more.
func TestAUserWhoLeft(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		w := newCrew(r)
		bg := context.Background()
		c := w.WithKey(access.NewKey{Group: w.north.ID, User: w.asha.ID})
		p := lead(c, map[string]any{"phones": phones("+919876543210")})
		at := "/prospect/" + p + "/as-user/"
		refused := func(when string) {
			t.Helper()
			for _, a := range []apitest.Answer{c.Get("/as-user/transfer"), c.Get("/as-user/labels"), c.Get("/as-user/archiving-reasons"),
				c.Post(at+"label", map[string]any{"label": "hot"}), c.Post(at+"archive", map[string]any{"archivingReason": "converted"}),
				c.Post(at+"transfer", map[string]any{"group": w.north.ID.String()}), c.Post(at+"claim", map[string]any{}), c.Post(at+"unarchive", map[string]any{}),
				c.Post(at+"reminder", map[string]any{"at": nil}), c.Get("/as-user/reports"), c.Get(at + "buttons"), c.Get("/as-user/notifications")} {
				if a.Refused(409, "INTEGRATION_HAS_NO_USER"); !strings.Contains(a.Str("message"), "not active") {
					t.Errorf("%s: %s", when, a.Body)
				}
			}
			c.Get("/prospect/" + p).OK() // the key itself goes on
		}
		c.Get("/as-user/labels").OK()
		no, yes := false, true
		if _, err := r.App.Agents.Update(bg, w.ID, "test", w.asha.ID, agent.Patch{Active: &no}); err != nil {
			t.Fatal(err)
		}
		refused("inactive")
		if _, err := r.App.Agents.Update(bg, w.ID, "test", w.asha.ID, agent.Patch{Active: &yes}); err != nil {
			t.Fatal(err)
		}
		c.Post(at+"label", map[string]any{"label": "hot"}).OK()
	})
}

// TestARepeatedLeadAfterARefresh: a repeated call is the same call, whichever
// secret of the key it brings and wherever it brings it.
func TestARepeatedLeadAfterARefresh(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c := acme.Caller()
		post := func(query, token string) apitest.Answer {
			headers := []string{"Idempotency-Key", "lead-1"}
			if token != "" {
				headers = append(headers, "X-API-Key", token)
			}
			return r.Call("POST", "/api/v1/lead/retail"+query, `{"utmSource":"x","phones":["+919876543210"]}`, headers...)
		}
		first := post("?api-key="+c.Token, "").OK()
		again := func(what string, a apitest.Answer) {
			t.Helper()
			if a.Status != http.StatusOK || string(a.Body) != string(first.Body) || a.Header.Get("Idempotency-Replayed") != "true" {
				t.Errorf("%s: %d %s", what, a.Status, a.Body)
			}
		}
		again("the same", post("?api-key="+c.Token, ""))
		again("in the header", post("", c.Token))
		token, _, err := r.App.Access.Refresh(context.Background(), acme.ID, c.Key.ID)
		if err != nil {
			t.Fatal(err)
		}
		post("?api-key="+c.Token, "").Refused(401, "INVALID_API_KEY")
		again("the new secret", post("?api-key="+token, ""))
		again("the new secret in the header", post("", token))
		again("escaped", post("?api%2Dkey="+token, ""))
		post("?format=csv&api-key="+token, "").Refused(409, "CONFLICT") // another call
	})
}

// TestWordsOfTheWire: whoever reads this API's documents knows prospects, no
// contacts, and what is sent as additionalData is called that.
func TestWordsOfTheWire(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		w := newCrew(r)
		c := w.Caller()
		p := lead(c, map[string]any{"phones": phones("+919876543210")})
		lead(c, map[string]any{"phones": phones("+919876543211"), "emails": []string{"b@example.com"}})
		asha, boss := w.As(w.asha), w.WithKey(access.NewKey{User: w.bela.ID})
		c.Post("/prospect/"+p+"/transfer", map[string]any{"user": w.asha.ID.String()}).OK()
		long := strings.Repeat("x", 200)
		for _, a := range []apitest.Answer{
			c.Patch("/prospect/"+p, map[string]any{"phone": "+919876543211"}), c.Patch("/prospect/"+p, map[string]any{"email": "b@example.com"}),
			boss.Post("/prospect/"+p+"/as-user/claim", map[string]any{}),
			c.Patch("/prospect/"+p+"/additionalData", map[string]any{long: 1}), c.Patch("/prospect/"+p+"/additionalData", map[string]any{"": 1}),
			c.Patch("/prospect/"+p+"/additionalData", map[string]any{"a": strings.Repeat("x", 70000)}),
		} {
			if a.Status < 400 || a.Status > 499 || strings.Contains(a.Str("message"), "contact") || strings.Contains(a.Str("message"), "attributes") {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		}
		asha.Post("/prospect/"+p+"/as-user/archive", map[string]any{"archivingReason": "converted"}).OK()
		if a := asha.Post("/prospect/"+p+"/as-user/claim", map[string]any{}); a.Status != 409 || strings.Contains(a.Str("message"), "contact") {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		// What would find nobody in a lead is no phone of a prospect.
		for _, phone := range []string{"0000", "12", "00000000"} {
			c.Patch("/prospect/"+p, map[string]any{"phone": phone}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		}
	})
}

// TestKeysAndTheirGroups: a group is not deleted under its keys, whoever is faster,
// and no key is bound to what is gone.
func TestKeysAndTheirGroups(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		bg, boss := context.Background(), acme.Caller()
		gone, who := acme.Group("Gone", acme.Root.ID), acme.Agent("Asha", "Rao", acme.Root.ID)
		if _, err := store.Write(bg, r.App.DB, acme.ID, func(tx *store.Tx) (agent.Agent, error) { return r.App.Agents.DeleteIn(tx, "test", who.ID) }); err != nil {
			t.Fatal(err)
		}
		if _, err := r.App.Agents.DeleteGroup(bg, acme.ID, "test", gone.ID); err != nil {
			t.Fatal(err)
		}
		for field, n := range map[string]access.NewKey{"group": {Face: "sales", Group: gone.ID}, "user": {Face: "sales", User: who.ID}} {
			if _, _, err := r.App.Access.Create(bg, acme.ID, n); fault.As(err) == nil || fault.As(err).Field != field {
				t.Errorf("a key of a %s that is gone: %v", field, err)
			}
			if _, err := r.App.Access.Edit(bg, acme.ID, boss.Key.ID, access.Edit{Group: &n.Group, User: &n.User}); fault.As(err) == nil || fault.As(err).Field != field {
				t.Errorf("a key that moves to a %s that is gone: %v", field, err)
			}
		}
		// Both at once: either the key is there or the group is not.
		for i := range 10 {
			g := acme.Group(fmt.Sprint("Shop ", i), acme.Root.ID)
			var made, deleted error
			var both sync.WaitGroup
			both.Go(func() { _, _, made = r.App.Access.Create(bg, acme.ID, access.NewKey{Face: "sales", Group: g.ID}) })
			both.Go(func() { _, deleted = r.App.Agents.DeleteGroup(bg, acme.ID, "test", g.ID) })
			both.Wait()
			if (made == nil) == (deleted == nil) || made != nil && fault.As(made) == nil || deleted != nil && fault.As(deleted) == nil {
				t.Errorf("round %d: the key: %v; the deletion: %v", i, made, deleted)
			}
		}
		held := acme.Group("Held", acme.Root.ID)
		acme.In(held.ID)
		if a := boss.Delete("/admin/group/"+held.ID.String()).Refused(409, "CONFLICT"); !strings.Contains(a.Str("message"), "belongs to the group") {
			t.Errorf("%s", a.Body)
		}
	})
}
