package targeting_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"parley/internal/id"
	"parley/test/apitest"
)

// shown is an organisation with a campaign whose target selects the contacts with the
// tag vip.
type shown struct {
	*apitest.Caller
	target, campaign string
}

func show(t *apitest.Tenant) shown {
	t.Helper()
	s := shown{Caller: t.Targeting()}
	s.target = s.Post("/v1/target", `{"name":"VIPs","entity_schema":"contact","entity_filters":{"filter":{"items":[{"key":"_tags","operator":"equals","value":"vip"}]}}}`).OK().Str("id")
	s.campaign = s.Post("/v1/entity/campaign", `{"name":"Switch","target":{"$relation":[{"entity_id":"`+s.target+`"}]}}`).OK().Str("_id")
	return s
}

func (s shown) contact(name, tag string) string {
	s.Helper()
	return s.Post("/v1/entity/contact", `{"first_name":"`+name+`","email":"`+id.New().String()+`@example.com","_tags":["`+tag+`"]}`).OK().Str("_id")
}

// tell tells a status of entities, written "schema:id".
func (s shown) tell(status string, refs ...string) apitest.Answer {
	s.Helper()
	list := make([]string, len(refs))
	for i, r := range refs {
		schema, v, _ := strings.Cut(r, ":")
		list[i] = fmt.Sprintf(`{"entity_id":%q,"entity_schema":%q}`, v, schema)
	}
	return s.Put("/v2/portal/campaign/"+s.campaign+"/entity:status", `{"status":"`+status+`","entity_refs":[`+strings.Join(list, ",")+`]}`)
}

func (s shown) status(who string) string {
	s.Helper()
	a := s.Get("/v1/campaign/" + s.campaign + "/recipients").OK()
	for i := range a.Get("results").([]any) {
		if at := fmt.Sprint("results.", i, "."); a.Str(at+"entity_id") == who {
			return a.Str(at + "portal_status")
		}
	}
	return "none"
}

func TestCampaignPortals(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		s, stranger := show(r.NewTenant("Acme")), r.NewTenant("Other").Targeting()
		used := "/v1/campaign/" + s.campaign + "/portals"
		if a := s.Get(used).OK(); string(a.Body) != `[]` {
			t.Errorf("used nowhere: %s", a.Body)
		}
		widgets := func(c *apitest.Caller, origin string, list ...string) {
			t.Helper()
			c.Post("/v2/portal/widgets?origin="+origin, `{"widgets":[`+strings.Join(list, ",")+`]}`).OK()
		}
		w := func(name, typ string, at int, campaign string) string {
			return fmt.Sprintf(`{"id":%q,"type":%q,"listIndex":%d,"headline":{"en":"%s!"},"campaign_id":%q}`, name, typ, at, name, campaign)
		}
		s.Post("/v2/portal/portal?origin=INSTALLER_PORTAL", `{"name":"Installers","domain":"i.example.com","enabled":false}`).OK()
		widgets(s.Caller, "INSTALLER_PORTAL", w("late", "CAMPAIGN_WIDGET", 5, s.campaign), w("other", "CAMPAIGN_WIDGET", 0, id.New().UUID()),
			w("early", "PRODUCT_RECOMMENDATIONS_WIDGET", 1, strings.ToUpper(s.campaign)), w("teaser", "TEASER_WIDGET", 0, s.campaign))
		widgets(s.Caller, "END_CUSTOMER_PORTAL", `{"id":"bare","type":"CAMPAIGN_WIDGET","listIndex":0,"headline":{},"campaign_id":"`+s.campaign+`"}`)
		// Another organisation's widget of this campaign is nobody's use of it.
		widgets(stranger, "END_CUSTOMER_PORTAL", w("foreign", "CAMPAIGN_WIDGET", 0, s.campaign))
		want := `[{"portal":{"origin":"END_CUSTOMER_PORTAL","domain":"","name":""},"widgets":[{"id":"bare"}]},` +
			`{"portal":{"origin":"INSTALLER_PORTAL","domain":"i.example.com","name":"Installers"},"widgets":[{"id":"early","headline":{"en":"early!"}},{"id":"late","headline":{"en":"late!"}}]}]`
		if a := s.Get(used).OK(); string(a.Body) != want {
			t.Errorf("used %s", a.Body)
		}
		for _, v := range []string{id.New().UUID(), "b8c01433-5556-4e2b-aad4-6f5348d1df84", s.target} {
			if a := s.Get("/v1/campaign/" + v + "/portals"); a.Status != http.StatusBadRequest || string(a.Body) != `{"code":"CAMPAIGN_NOT_FOUND"}` {
				t.Errorf("of %s: %d %s", v, a.Status, a.Body)
			}
		}
		if a := stranger.Get(used); a.Status != http.StatusBadRequest || string(a.Body) != `{"code":"CAMPAIGN_NOT_FOUND"}` {
			t.Errorf("for a stranger: %d %s", a.Status, a.Body)
		}
		if a := s.Get("/v1/campaign/me/portals"); a.Status != http.StatusBadRequest || a.Str("message") == "" || a.Get("code") != nil {
			t.Errorf("no UUID: %d %s", a.Status, a.Body)
		}
		// A widget is a way of delivery: without one there is none.
		if a := s.Post("/v1/campaign/"+s.campaign+"/status", `{"status":"active"}`).OK(); a.Str("campaign.status") != "active" {
			t.Errorf("activated: %s", a.Body)
		}
		s.Post("/v1/campaign/"+s.campaign+"/status", `{"status":"inactive"}`).OK()
		widgets(s.Caller, "INSTALLER_PORTAL")
		widgets(s.Caller, "END_CUSTOMER_PORTAL")
		if a := s.Post("/v1/campaign/"+s.campaign+"/status", `{"status":"active"}`); string(a.Body) != `{"code":"CAMPAIGN_HAS_NO_DELIVERY_METHOD"}` {
			t.Errorf("activated again: %d %s", a.Status, a.Body)
		}
		// A deleted campaign leaves its widgets, which refer to nothing.
		widgets(s.Caller, "END_CUSTOMER_PORTAL", w("kept", "CAMPAIGN_WIDGET", 0, s.campaign))
		s.Delete("/v1/entity/campaign/" + s.campaign).OK()
		if a := s.Get(used); string(a.Body) != `{"code":"CAMPAIGN_NOT_FOUND"}` {
			t.Errorf("of a deleted campaign: %d %s", a.Status, a.Body)
		}
		kept := s.Get("/v2/portal/widgets?origin=END_CUSTOMER_PORTAL").OK()
		if kept.Str("widgets.0.id") != "kept" {
			t.Errorf("the widget went: %s", kept.Body)
		}
		s.Post("/v2/portal/widgets?origin=END_CUSTOMER_PORTAL", kept.Body).OK()
	})
}

func TestAPortalTellsWhatItShowed(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		s := show(r.NewTenant("Acme"))
		ada, bela, carl := s.contact("Ada", "vip"), s.contact("Bela", "vip"), s.contact("Carl", "new")
		counts := func(a apitest.Answer, updated, failed int) {
			t.Helper()
			want := fmt.Sprintf(`{"success":%v,"updated":%d,"failed":%d,"total":%d}`, failed == 0, updated, failed, updated+failed)
			if a.Status != http.StatusOK || string(a.Body) != want {
				t.Errorf("%d %s, want %s", a.Status, a.Body, want)
			}
		}
		counts(s.tell("seen", "contact:"+ada, "contact:"+ada, "contact:"+carl, "contract:"+bela, "contact:"+id.New().UUID(), "contact:b8c01433-5556-4e2b-aad4-6f5348d1df84"), 1, 4)
		if got := s.status(ada) + " " + s.status(bela) + " " + s.status(carl); got != "seen none none" {
			t.Errorf("stand at %s", got)
		}
		counts(s.tell("seen", "contact:"+ada), 1, 0)
		counts(s.tell("clicked", "contact:"+ada, "contact:"+bela), 2, 0)
		counts(s.tell("dismissed", "contact:"+ada, "contact:"+bela), 0, 2)
		counts(s.tell("seen"), 0, 0)
		if got := s.status(ada) + " " + s.status(bela); got != "clicked clicked" {
			t.Errorf("stand at %s", got)
		}
		// Who is a recipient stays one when the target does not select him any more.
		dora := s.contact("Dora", "vip")
		counts(s.tell("seen", "contact:"+dora), 1, 0)
		s.Patch("/v1/entity/contact/"+dora, `{"_tags":["old"]}`).OK()
		counts(s.tell("dismissed", "contact:"+dora), 1, 0)

		path := "/v2/portal/campaign/" + s.campaign + "/entity:status"
		refs := `"entity_refs":[{"entity_id":"` + ada + `","entity_schema":"contact"}]`
		for body, words := range map[string]string{
			`{` + refs + `}`: "status is required", `{"status":"sent",` + refs + `}`: "status must be one of", `{"status":"seen"}`: "entity_refs is required",
			`{"status":"seen","entity_refs":[{"entity_id":"me","entity_schema":"contact"}]}`: "must be a UUID", `{"status":"seen","entity_refs":[{"entity_id":"` + ada + `"}]}`: "entity_schema",
			`{"status":"seen","entity_refs":[{"entity_schema":"contact"}]}`: "entity_id", `{"status":"seen","entity_refs":{}}`: "must be a list", `{"status":5,` + refs + `}`: "must be a string",
			`{"status":"seen","entity_refs":[` + strings.Repeat(`{"entity_id":"`+ada+`","entity_schema":"contact"},`, 100) + `{"entity_id":"` + bela + `","entity_schema":"contact"}]}`: "at most 100",
		} {
			failed(t, s.Put(path, body), http.StatusBadRequest, words)
		}
		for _, v := range []string{id.New().UUID(), "b8c01433-5556-4e2b-aad4-6f5348d1df84"} {
			failed(t, s.Put("/v2/portal/campaign/"+v+"/entity:status", `{"status":"seen",`+refs+`}`), http.StatusNotFound, "campaign")
		}
		failed(t, r.NewTenant("Other").Targeting().Put(path, `{"status":"seen",`+refs+`}`), http.StatusNotFound, "campaign")
		failed(t, s.Put("/v2/portal/campaign/me/entity:status", `{"status":"seen",`+refs+`}`), http.StatusBadRequest, "UUID")
		failed(t, s.Targeting("read").Put(path, `{"status":"seen",`+refs+`}`), http.StatusForbidden, "targeting:write")
		// The colon may be escaped.
		counts(s.Put(strings.Replace(path, ":", "%3A", 1), `{"status":"clicked",`+refs+`}`), 1, 0)
	})
}

// TestTwoLastWords: of two final statuses at the same time one is written, whoever is
// first.
func TestTwoLastWords(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		s := show(r.NewTenant("Acme"))
		for range 5 {
			who := s.contact("Ada", "vip")
			var won sync.Map
			var wg sync.WaitGroup
			for _, status := range []string{"dismissed", "clicked"} {
				wg.Go(func() { won.Store(status, s.tell(status, "contact:"+who).Get("updated")) })
			}
			wg.Wait()
			is := s.status(who)
			won.Range(func(status, n any) bool {
				if (n == 1.0) != (status == is) {
					t.Errorf("%s wrote %v, and the recipient is %s", status, n, is)
				}
				return true
			})
		}
	})
}
