package server

import (
	"context"

	"parley/internal/campaign"
	"parley/internal/id"
	"parley/internal/store"
)

// delivers lets a campaign that is set up make the widget and the flow that deliver
// it, in its own transaction.
func (a *App) delivers() campaign.Channels {
	return campaign.Channels{Widget: a.Portals.WidgetIn, Flow: a.mailBy}
}

// mailBy makes a flow that sends a template to those for whom it is launched.
func (a *App) mailBy(tx *store.Tx, actor string, f campaign.Flow) (id.ID, error) {
	flow, err := a.Automations.CreateFlow(store.Join(context.Background(), tx), tx.Tenant(), actor, map[string]any{
		"flow_name": f.Name, "enabled": true, "entity_schema": f.Schema, "triggers": []any{map[string]any{"type": "entity_manual"}},
		"actions": []any{map[string]any{"id": "email", "type": "send-email", "config": map[string]any{"email_template_id": f.Template}}}})
	return flow.Rule.ID, err
}
