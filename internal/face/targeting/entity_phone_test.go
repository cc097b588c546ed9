package targeting_test

import (
	"strings"
	"testing"

	"parley/test/apitest"
)

// A phone that is no phone makes nobody, and changes nobody.
func TestShortPhonesAreRefused(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Targeting()
		person := "/v1/entity/contact/" + c.Post("/v1/entity/contact", map[string]any{"email": "asha@example.com"}).OK().Str("_id")
		for _, a := range []apitest.Answer{
			c.Post("/v1/entity/contact", map[string]any{"phone": "+12", "first_name": "N"}),
			c.Patch(person, map[string]any{"phone": "12"}),
			c.Patch("/v1/entity/contact:upsert", map[string]any{"unique_key": []string{"email"}, "entity": map[string]any{"email": "asha@example.com", "phone": "+1"}}),
		} {
			if a.Status != 400 || !strings.Contains(a.Str("error"), "phone") {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		}
		if v := c.Get(person).OK().Get("entity.phone"); v != nil {
			t.Errorf("the phone is %v", v)
		}
	})
}
