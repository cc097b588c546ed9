package sales_test

import (
	"testing"

	"parley/internal/tenant"
	"parley/test/apitest"
)

// The first key of this API makes every contact of the account a prospect: those
// who were there before it, archived ones too, and those who come after it.
func TestPlatformContactsAreProspects(t *testing.T) {
	apitest.Each(t, apitest.Options{}, func(t *testing.T, r *apitest.Rig) {
		made, err := r.App.Tenants.Create(bg, tenant.NewTenant{Name: "Acme"}) // without groups
		if err != nil {
			t.Fatal(err)
		}
		acme := &apitest.Tenant{Rig: r, Tenant: made}
		p := acme.Platform()
		lead := func(phone string) string {
			t.Helper()
			return p.Post("/api/saas/crm/leads", map[string]any{"firstName": "P", "phone": phone}).OK().Str("data._id")
		}
		before, archived := lead("9876500001"), lead("9876500002")
		p.Delete("/api/saas/crm/leads/" + archived).OK()
		c := acme.Caller()
		if g := c.Get("/integration").OK(); g.Str("group") != "Acme" {
			t.Errorf("the first group: %s", g.Body)
		}
		after := lead("9876500003")
		statuses := func() map[string]string {
			out := map[string]string{}
			for _, m := range c.Get("/prospects").OK().List() {
				out[m["id"].(string)], _ = m["status"].(string)
			}
			return out
		}
		r.Eventually("all three are prospects", func() bool { return len(statuses()) == 3 })
		same(t, statuses(), map[string]string{before: "unclaimed", archived: "archived", after: "unclaimed"})
		if a := c.Get("/prospect/" + before).OK(); a.Str("phones.0") == "" || a.Str("firstName") != "P" {
			t.Errorf("%s", a.Body)
		}
		acme.Caller() // a second key changes nothing
		if got := len(c.Get("/groups").OK().List()); got != 1 {
			t.Errorf("%d groups", got)
		}
	})
}
