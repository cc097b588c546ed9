package sales

import "parley/internal/agent"

// agentWire is an agent (reference §3.2).
type agentWire struct {
	ID         string         `json:"id"`
	FirstName  string         `json:"firstName"`
	LastName   string         `json:"lastName"`
	Email      string         `json:"email,omitempty"`
	Phone      string         `json:"phone,omitempty"`
	LegacyID   string         `json:"legacyId,omitempty"`
	ExternalID map[string]any `json:"externalId,omitempty"`
	AppFields  map[string]any `json:"appFields,omitempty"`
}

// agentOf writes an agent; the cell phone stands in for a missing phone.
func agentOf(a agent.Agent) *agentWire {
	w := &agentWire{ID: a.ID.String(), FirstName: a.FirstName, LastName: a.LastName, Email: a.Email, Phone: a.Phone,
		LegacyID: a.LegacyID, ExternalID: a.ExternalID, AppFields: a.AppFields}
	if w.Phone == "" {
		w.Phone = a.CellPhone
	}
	return w
}
