package server

import (
	"context"
	"encoding/json"

	"parley/internal/campaign"
	"parley/internal/entity"
	"parley/internal/id"
	"parley/internal/segment"
	"parley/internal/token"
)

// demoFlow is what the demo campaign does with each person that its target selects.
const demoFlow = `{
  "name": "Invite the interested", "trigger": "demo_invitation",
  "nodes": [
    {"id": "start", "type": "trigger"},
    {"id": "invite", "type": "send_whatsapp", "data": {"text": "Hello {{lead.firstName}}, join our guided tour on Friday."}},
    {"id": "invited", "type": "add_tag", "data": {"tag": "invited"}},
    {"id": "done", "type": "end"}
  ],
  "edges": [
    {"source": "start", "target": "invite"},
    {"source": "invite", "target": "invited"},
    {"source": "invited", "target": "done"}
  ]
}`

// demoTargeting seeds what the targeting API needs to be tried: a target of those
// whom the demo rule tagged as interested, a campaign that writes to them, and a token
// that may do everything.
func demoTargeting(ctx context.Context, app *App, tenant id.ID) (jwt, campaignID string, err error) {
	target, err := app.Segments.Create(ctx, tenant, "system", segment.New{Name: "Interested people", Schema: entity.Contact, CreatedBy: "system",
		Filters: map[string]any{"filter": map[string]any{"combination": "AND",
			"items": []any{map[string]any{"key": "_tags", "operator": "equals", "value": "interested"}}}}})
	if err != nil {
		return "", "", err
	}
	var rule map[string]any
	if err := json.Unmarshal([]byte(demoFlow), &rule); err != nil {
		return "", "", err
	}
	flow, err := app.Automations.Create(ctx, tenant, "system", rule)
	if err != nil {
		return "", "", err
	}
	c, err := app.Campaigns.Create(ctx, tenant, "system", campaign.New{Attributes: map[string]any{"name": "Guided tour", "flow_id": flow.ID.UUID(),
		"target": map[string]any{"$relation": []any{map[string]any{"entity_id": target.ID.UUID()}}}}})
	if err != nil {
		return "", "", err
	}
	jwt, err = demoToken(ctx, app, tenant)
	return jwt, c.ID.UUID(), err
}

// demoToken makes a token of the targeting API, which may do everything.
func demoToken(ctx context.Context, app *App, tenant id.ID) (string, error) {
	text, _, err := app.Tokens.Issue(ctx, tenant, token.New{Name: "demo"})
	return text, err
}
