package targeting_test

import (
	"testing"

	"parley/test/apitest"
)

// assign-entity names a user as this API spells ids; the work on the person goes to
// that user.
func TestFlowsAssignPeople(t *testing.T) {
	apitest.Each(t, apitest.Options{}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c := acme.Targeting()
		ann := acme.Agent("Ann", "Arbor", acme.Root.ID)
		person := c.Post("/v1/entity/contact", map[string]any{"first_name": "Asha", "email": "asha@example.com"}).OK().Str("_id")
		c.Eventually("the person is placed", func() bool { return c.Get("/v1/entity/contact/"+person).Str("entity.group_id") != "" })
		flow := c.Post("/v1/automation/flows", map[string]any{"flow_name": "Assign", "entity_schema": "contact",
			"actions": []any{map[string]any{"type": "assign-entity", "config": map[string]any{"user_id": ann.ID.UUID()}}}}).OK().Str("id")
		c.Post("/v1/automation/executions", map[string]any{"flow_id": flow, "entity_id": person}).OK()
		c.Eventually("Ann works on the person", func() bool {
			a := c.Get("/v1/entity/contact/" + person)
			return a.Str("entity.agent_id") == ann.ID.UUID() && a.Str("entity.agent") == "Ann Arbor"
		})
	})
}
