package sales_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/internal/access"
	"parley/internal/agent"
	"parley/internal/id"
	"parley/internal/tenant"
	"parley/test/apitest"
)

// sample is the seed's own request of a lead, with its ways to reach a person.
const sample = `{"priority":0,"provider":"Webmotors","providerLeadId":"string","utmSource":"google","utmMedium":"referral","utmCampaign":"Christmas",
"firstName":"Jorge","lastName":"Letona","phones":["+54 9 11 4552 0371"],"emails":["Jorge@Example.com"],"nin":[{"type":"DNI","number":"23345223"}],
"address":"Jujuy 986","subLocality":"La Perla","locality":"Mar del Plata","region":"Buenos Aires","country":"Argentina","zipCode":"7600",
"listingTitle":"MLA 641645231 Ferrari F430","listingUrl":"https://example.com/1","comments":"I am interested.\nThanks!'","company":"Southern Group","store":"Freedom Branch",
"leadId":"old","source":"old","medium":"old","campaign":"old","history":[
{"type":"question","providerId":"q1","threadTitle":"A car","question":"Is it new?"},{"type":"note","content":"a note"},
{"type":"call","providerId":"c1","startedAt":"2019-08-24T14:15:22Z","duration":30000}],
"product":{"make":"Apple","model":"MQD32LL/A","detail":"13-inch","sku":6443034,"price":{"amount":0,"currency":"usd"}}}`

func TestALeadIsAProspect(t *testing.T) {
	apitest.Each(t, apitest.Options{}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		south := acme.Group("Southern Group", acme.Root.ID)
		branch := acme.Group("Freedom Branch", south.ID)
		c := acme.WithKey(access.NewKey{Name: "Forms"})
		a := c.Post("/lead/retail", sample).OK()
		if a.Status != 200 {
			t.Errorf("%d", a.Status)
		}
		for path, want := range map[string]any{"firstName": "Jorge", "lastName": "Letona", "status": "unclaimed", "merged": false, "account": "Acme", "accountId": acme.ID.String(),
			"group": "Freedom Branch", "groupId": branch.ID.String(), "initialGroupId": branch.ID.String(), "phones.0": "+54 9 11 4552 0371", "emails.0": "jorge@example.com",
			"nin.0.type": "DNI", "nin.0.number": "23345223", "userMade": false, "category": "general", "absenceMessage": nil, "leads.1": nil,
			"leads.0.priority": 0.0, "leads.0.utmSource": "google", "leads.0.source": "google", "leads.0.type": "retail", "leads.0.providerKey": "Webmotors",
			"leads.0.company": "Southern Group", "leads.0.store": "Freedom Branch", "leads.0.comments": "I am interested.\nThanks!'", "leads.0.createdBy": c.Key.ID.String(),
			"leads.0.product.sku": 6443034.0, "leads.0.product.price.currency": "usd", "leads.0.product.price.amount": 0.0, "leads.0.providerLeadId": "string",
			"interactions.0.output.question.question": "Is it new?", "interactions.1.output.comment": "a note", "interactions.3": nil} {
			if got := a.Get(path); got != want {
				t.Errorf("%s is %v, want %v", path, got, want)
			}
		}
		prospect := a.Str("id")
		// The reference's own case: the same phone and a new e-mail is the same
		// prospect, of whose leads only the new one is shown.
		b := c.Post("/lead/vehicle", `{"utmSource":"web","firstName":"Other","phones":["5491145520371"],"emails":["second@example.com"]}`).OK()
		for path, want := range map[string]any{"id": prospect, "merged": true, "firstName": "Jorge", "leads.0.type": "vehicle", "leads.0.utmSource": "web", "leads.1": nil,
			"emails.1": "second@example.com", "phones.1": nil, "interactions.0": nil, "groupId": branch.ID.String()} {
			if got := b.Get(path); got != want {
				t.Errorf("%s is %v, want %v", path, got, want)
			}
		}
		list := c.Get("/prospect/" + prospect).OK()
		if list.Str("leads.0.utmSource") != "google" || list.Str("leads.1.utmSource") != "web" || list.Get("merged") != nil {
			t.Errorf("%s", list.Body)
		}
		// And by the e-mail alone, and under the other base path.
		if d := r.Call("POST", "/v1/lead/insurance?api-key="+c.Token, `{"utmSource":"x","emails":["SECOND@example.com"]}`, "Content-Type", "application/json").OK(); d.Str("id") != prospect {
			t.Errorf("%s", d.Body)
		}
	})
}

func TestALeadIsACardThatFiresItsRulesOnce(t *testing.T) {
	apitest.Each(t, apitest.Options{}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c, p := acme.Caller("leads:write"), acme.Platform()
		rule := p.Post("/api/saas/crm/automations", `{"name":"Greet","trigger":"lead_created","nodes":[{"id":"tag","type":"action","data":{"type":"add_tag","config":{"tag":"greeted"}}}],"edges":[]}`).OK().Str("data._id")
		a := c.Post("/lead/real-estate", `{"utmSource":"web","firstName":"Ana","phones":["+541145520371"]}`).OK()
		tags := func() []any {
			got, _ := p.Get("/api/saas/crm/leads/" + a.Str("id")).OK().Get("data.tags").([]any)
			return got
		}
		r.Eventually("the rule has run", func() bool { return len(tags()) == 1 })
		for range 3 {
			if b := c.Post("/lead/retail", `{"utmSource":"web","phones":["+541145520371"],"emails":["ana@example.com"]}`).OK(); b.Get("merged") != true {
				t.Errorf("%s", b.Body)
			}
		}
		// Another person, whose run is behind all that the repeated leads could have set off.
		z := c.Post("/lead/retail", `{"utmSource":"web","phones":["+541145520379"]}`).OK()
		runs := func() []any {
			got, _ := p.Get("/api/saas/crm/automations/" + rule + "/runs").OK().Get("data").([]any)
			return got
		}
		r.Eventually("the second person's rule has run", func() bool {
			got, _ := p.Get("/api/saas/crm/leads/" + z.Str("id")).OK().Get("data.tags").([]any)
			return len(got) == 1
		})
		if n := len(runs()); n != 2 {
			t.Errorf("%d runs for two people", n)
		}
		board := p.Get("/api/saas/crm/leads").OK()
		if !strings.Contains(string(board.Body), a.Str("id")) || !strings.Contains(string(board.Body), z.Str("id")) {
			t.Errorf("%s", board.Body)
		}
		told, _ := p.Get("/api/saas/crm/leads/" + a.Str("id") + "/timeline").OK().Get("items").([]any)
		created := 0
		for _, e := range told {
			if m, _ := e.(map[string]any); m["type"] == "lead_created" {
				created++
			}
		}
		if created != 1 {
			t.Errorf("created %d times: %v", created, told)
		}
	})
}

func TestProductsOfEveryKind(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		if _, err := r.App.Tenants.Configure(context.Background(), acme.ID, tenant.Settings{Currency: "ARS", Distance: "mi"}); err != nil {
			t.Fatal(err)
		}
		c := acme.Caller("leads:write")
		if d := c.Get("/leads/defaults").OK(); d.Str("currency") != "ars" || d.Str("distance") != "mi" {
			t.Errorf("%s", d.Body)
		}
		n := 0
		for _, x := range []struct {
			path, product string
			want          string // path=value; "" is refused, at the field named
			field         string
		}{
			{"retail", `{"sku":"A-1","price":{"amount":10.5}}`, "price.currency=ars", ""},
			{"retail", `{"sku":12345678901234567890}`, "sku=12345678901234567890", ""},
			{"retail", `{"price":{"amount":1,"currency":"USD"},"colour":"red","deep":{"x":[1,2.5]}}`, "price.currency=usd", ""},
			{"retail", `{"deep":{"x":[1,2.5]}}`, "deep.x.1=2.5", ""},
			{"retail", `{"price":{"currency":"usd"}}`, "", "product.price.amount"},
			{"retail", `{"price":{"amount":"10"}}`, "", "product.price.amount"},
			{"retail", `{"price":{"amount":1,"currency":"dollars"}}`, "", "product.price.currency"},
			{"retail", `{"price":5}`, "", "product.price"},
			{"retail", `{"make":5}`, "", "product.make"},
			{"retail", `{"sku":{}}`, "", "product.sku"},
			{"retail", `"a car"`, "", "product"},
			{"insurance", `{"detail":"life"}`, "detail=life", ""},
			{"vehicle", `{"condition":"used","fuelType":"naturalGas","odometer":{"amount":5}}`, "odometer.unit=mi", ""},
			{"vehicle", `{"odometer":{"amount":5,"unit":"km"},"tradeInVehicle":{"make":"Fiat"},"finance":{"paymentMonthLength":12},"reservation":{"type":"x","amount":1,"currency":"EUR"},"modelYear":2019}`, "reservation.currency=eur", ""},
			{"vehicle", `{"odometer":{"unit":"km"}}`, "", "product.odometer.amount"},
			{"vehicle", `{"odometer":{"amount":5,"unit":"miles"}}`, "", "product.odometer.unit"},
			{"vehicle", `{"condition":"old"}`, "", "product.condition"},
			{"vehicle", `{"fuelType":"petrol"}`, "", "product.fuelType"},
			{"vehicle", `{"finance":{"paymentMonthLength":"12"}}`, "", "product.finance.paymentMonthLength"},
			{"saving-plan", `{"goodType":"vehicle","monthlyPaymentsEstimate":{"upperEstimate":9}}`, "monthlyPaymentsEstimate.currency=ars", ""},
			{"saving-plan", `{"creditAmountEstimate":{"lowerEstimate":9}}`, "", "product.creditAmountEstimate.upperEstimate"},
			{"saving-plan", `{"goodType":"boat"}`, "", "product.goodType"},
			{"real-estate", `{"title":"A flat","type":"residential"}`, "type=residential", ""},
			{"real-estate", `{"type":"castle"}`, "", "product.type"},
		} {
			n++
			body := fmt.Sprintf(`{"utmSource":"web","phones":["+5411455203%02d"],"product":%s}`, n, x.product)
			if x.want == "" {
				a := c.Post("/lead/"+x.path, body).Refused(400, "SCHEMA_VALIDATION_FAILED")
				if !strings.HasPrefix(a.Str("message"), x.field+" ") {
					t.Errorf("%s %s: %s", x.path, x.product, a.Body)
				}
				continue
			}
			a := c.Post("/lead/"+x.path, body).OK()
			path, want, _ := strings.Cut(x.want, "=")
			kind := map[string]string{"saving-plan": "savingPlan", "real-estate": "realEstate"}[x.path]
			if kind == "" {
				kind = x.path
			}
			if got := fmt.Sprint(a.Get("leads.0.product." + path)); got != want || a.Str("leads.0.type") != kind {
				t.Errorf("%s %s: %s", x.path, x.product, a.Body)
			}
		}
	})
}

func TestLeadsThatCannotBeTaken(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c := acme.Caller("leads:write")
		for body, field := range map[string]string{
			``:                    "utmSource",
			`{}`:                  "utmSource",
			`{"utmSource":" "}`:   "utmSource",
			`{"utmSource":"web"}`: "phones",
			`{"utmSource":"web","phones":["n/a","0"],"emails":["no tiene"]}`: "phones",
			`{"utmSource":"web","nin":[{"type":"DNI","number":"1"}]}`:        "phones",
			`{"utmSource":5}`:                                                                                "utmSource",
			`{"utmSource":"web","phones":"+54"}`:                                                             "phones",
			`{"utmSource":"web","phones":[5]}`:                                                               "phones.0",
			`{"utmSource":"web","priority":"high","phones":["+541145520371"]}`:                               "priority",
			`{"utmSource":"web","phones":["+541145520371"],"nin":[{"type":"SSN"}]}`:                          "nin",
			`{"utmSource":"web","phones":["+541145520371"],"history":{}}`:                                    "history",
			`{"utmSource":"web","phones":["+541145520371"],"history":[{}]}`:                                  "history",
			`{"utmSource":"web","phones":["+541145520371"],"history":[{"type":"x"}]}`:                        "history",
			`{"utmSource":"web","phones":["+541145520371"],"callIn":"yes"}`:                                  "callIn",
			`{"utmSource":"web","phones":["+541145520371"],"comments":"` + strings.Repeat("x", 20001) + `"}`: "comments",
			`{"utmSource":"web","phones":["` + strings.Repeat("1,", 5000) + `"]}`:                            "phones",
			`{"utmSource":"` + strings.Repeat("x", 201) + `","phones":["+541145520371"]}`:                    "utmSource",
			`[]`: "", `{"utmSource":`: "",
		} {
			a := c.Post("/lead/retail", body).Refused(400, "SCHEMA_VALIDATION_FAILED")
			if !strings.Contains(a.Str("message"), field) || a.Str("summary") != "ValidationError" {
				t.Errorf("%.80s: %s", body, a.Body)
			}
		}
		var n int
		if err := r.App.DB.Read(context.Background(), acme.ID).QueryRow("SELECT COUNT(*) FROM contact WHERE tenant_id=?").Scan(&n); err != nil || n != 0 {
			t.Errorf("%d contacts, %v", n, err)
		}
		acme.Caller("prospects:read").Post("/lead/retail", sample).Refused(403, "INVALID_SCOPE")
		acme.Caller("prospects:read").Get("/leads/categories").Refused(403, "INVALID_SCOPE")
		r.Call("POST", "/api/v1/lead/retail", sample).Refused(401, "INVALID_API_KEY")
		c.Post("/lead/boat", sample).Refused(404, "NOT_FOUND")
		c.Post("/lead/retail?format=xml", sample).Refused(400, "SCHEMA_VALIDATION_FAILED")
	})
}

func TestDeprecatedNames(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Caller()
		a := c.Post("/lead/retail", `{"leadId":"L1","source":"ford","medium":"cpc","campaign":"xmas","callIn":{"providerId":"c9","duration":1000},"phones":["+541145520371"]}`).OK()
		for path, want := range map[string]any{"leads.0.utmSource": "ford", "leads.0.source": "ford", "leads.0.utmMedium": "cpc", "leads.0.utmCampaign": "xmas", "leads.0.providerLeadId": "L1", "interactions.1": nil} {
			if got := a.Get(path); got != want {
				t.Errorf("%s is %v, want %v", path, got, want)
			}
		}
		if via := a.Str("interactions.0.via"); !strings.HasSuffix(strings.ToLower(via), "call") {
			t.Errorf("%s", a.Body)
		}
		b := c.Post("/lead/retail", `{"leadId":"L1","providerLeadId":"L2","source":"ford","utmSource":"bmw","callIn":{"duration":1},"history":[{"type":"call","duration":5}],"phones":["+541145520371"]}`).OK()
		if b.Str("leads.0.utmSource") != "bmw" || b.Str("leads.0.providerLeadId") != "L2" || b.Get("interactions.1") != nil || b.Get("interactions.0") == nil {
			t.Errorf("%s", b.Body)
		}
	})
}

func TestTheSameLeadTwice(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c := acme.Caller()
		body := `{"utmSource":"web","providerLeadId":"P1","phones":["+541145520371"]}`
		a := c.Post("/lead/retail", body, "Idempotency-Key", "k1").OK()
		b := c.Post("/lead/retail", body, "Idempotency-Key", "k1").OK()
		if string(a.Body) != string(b.Body) {
			t.Errorf("%s\n%s", a.Body, b.Body)
		}
		if d := c.Post("/lead/retail", body).OK(); d.Get("merged") != true || d.Str("id") != a.Str("id") {
			t.Errorf("%s", d.Body)
		}
		cid, _ := id.Parse(a.Str("id"))
		list, _, err := r.App.Contacts.Inquiries(context.Background(), acme.ID, cid, 1, 10)
		if err != nil || len(list) != 2 {
			t.Errorf("%d leads, %v", len(list), err)
		}
	})
}

func TestALeadAsATable(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Caller("leads:write")
		a := c.Post("/lead/retail?format=csv", sample, "Accept", "application/json").OK()
		rows, err := csv.NewReader(strings.NewReader(string(a.Body))).ReadAll()
		if err != nil || len(rows) != 2 || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/csv") {
			t.Fatalf("%s %v", a.Body, err)
		}
		at := map[string]string{}
		for i, name := range rows[0] {
			at[name] = rows[1][i]
		}
		if at["firstName"] != "Jorge" || at["merged"] != "false" || at["phones"] != "+54 9 11 4552 0371" || !strings.Contains(at["leads"], "google") || !strings.Contains(at["interactions"], "Is it new?") {
			t.Errorf("%v", at)
		}
	})
}

func TestWhatAnAccountOffersToLeads(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Caller("leads:write")
		if a := c.Get("/leads/categories").OK(); string(a.Body) != `["general"]` && strings.TrimSpace(string(a.Body)) != `["general"]` {
			t.Errorf("%s", a.Body)
		}
		if a := c.Get("/leads/categories?detailed=true").OK(); a.Str("0.name") != "general" || a.Str("0.description") != "General" {
			t.Errorf("%s", a.Body)
		}
		if a := c.Get("/leads/categories?format=csv").OK(); strings.Join(strings.Fields(string(a.Body)), " ") != "name,description general,General" {
			t.Errorf("%s", a.Body)
		}
		if a := c.Get("/leads/defaults").OK(); a.Str("currency") != "inr" || a.Str("distance") != "km" {
			t.Errorf("%s", a.Body)
		}
		if a := c.Get("/industries").OK(); len(a.List()) != 5 || a.Str("4.name") != "realEstate" {
			t.Errorf("%s", a.Body)
		}
		c.Get("/leads/categories?detailed=maybe").Refused(400, "SCHEMA_VALIDATION_FAILED")
	})
}

func TestALeadIsRoutedWithinTheKeysGroups(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		north := acme.Group("North", acme.Root.ID)
		shop := acme.Group("Shop", north.ID)
		south := acme.Group("South", acme.Root.ID)
		asha, err := r.App.Agents.Create(context.Background(), acme.ID, "test", agent.Agent{FirstName: "Asha", LastName: "Rao", Email: "asha@example.com", Group: shop.ID})
		if err != nil {
			t.Fatal(err)
		}
		c := acme.In(north.ID, "leads:write", "prospects:read")
		n := 0
		check := func(more string, group agent.Group, status string) apitest.Answer {
			t.Helper()
			n++
			a := c.Post("/lead/retail", fmt.Sprintf(`{"utmSource":"web","phones":["+5411455203%02d"]%s}`, n, more)).OK()
			if a.Str("groupId") != group.ID.String() || a.Str("initialGroupId") != group.ID.String() || a.Str("status") != status {
				t.Errorf("%s: %s", more, a.Body)
			}
			return a
		}
		check(``, north, "unclaimed")
		check(`,"store":"shop"`, shop, "unclaimed")
		check(`,"store":"South"`, north, "unclaimed")
		a := check(`,"agent":"ASHA@example.com"`, shop, "new")
		if a.Str("agent.id") != asha.ID.String() || a.Str("leads.0.agent") != "ASHA@example.com" || a.Str("assigned") == "" {
			t.Errorf("%s", a.Body)
		}
		if b := check(`,"agent":"Marcos García"`, north, "unclaimed"); b.Str("leads.0.agent") != "Marcos García" || b.Get("agent") != nil {
			t.Errorf("%s", b.Body)
		}
		// A person of another branch stays there; the key is told of the lead that it
		// sent, and cannot look the prospect up.
		theirs := acme.In(south.ID, "leads:write").Post("/lead/retail", `{"utmSource":"web","phones":["+541145520399"]}`).OK()
		ours := c.Post("/lead/retail", `{"utmSource":"web","phones":["+541145520399"]}`).OK()
		if ours.Str("id") != theirs.Str("id") || ours.Str("groupId") != south.ID.String() {
			t.Errorf("%s", ours.Body)
		}
		c.Get("/prospect/"+ours.Str("id")).Refused(404, "NOT_FOUND")
		// Its agent's key signs in the agent's name.
		if d := acme.As(asha, "leads:write").Post("/lead/retail", `{"utmSource":"web","phones":["+541145520398"]}`).OK(); d.Str("leads.0.createdBy") != asha.ID.String() {
			t.Errorf("%s", d.Body)
		}
	})
}

// TestTheAnswerIsTheProspect: what a lead is answered is what a look afterwards
// shows, but for its leads.
func TestTheAnswerIsTheProspect(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c := acme.Caller()
		check := func(a apitest.Answer) {
			t.Helper()
			got, _ := a.OK().JSON().(map[string]any)
			want, _ := c.Get("/prospect/" + a.Str("id")).OK().JSON().(map[string]any)
			for _, name := range []string{"leads", "merged", "interactions"} {
				delete(got, name)
				delete(want, name)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		}
		check(c.Post("/lead/retail", sample))
		check(c.Post("/lead/retail", `{"utmSource":"web","phones":["+541145520379","+541145520371"],"emails":["z@example.com","a@example.com"],"nin":[{"type":"CUIL","number":"1"}]}`))
		b := c.Post("/lead/retail", `{"utmSource":"web","firstName":"Beto","emails":["beto@example.com"],"phones":["+541145520300"]}`)
		check(b)
		check(c.Post("/lead/retail", `{"utmSource":"web","emails":["beto@example.com","jorge@example.com"]}`)) // two become one
		if _, err := r.App.Handovers.Archive(context.Background(), acme.ID, "test", idOf(t, b.Str("id")), "notInterested"); err != nil {
			t.Fatal(err)
		}
		check(c.Post("/lead/retail", `{"utmSource":"web","emails":["beto@example.com"]}`))
	})
}

func idOf(t *testing.T, s string) id.ID {
	t.Helper()
	v, err := id.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
