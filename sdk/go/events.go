package parley

import (
	"context"
	"time"
)

// Events starts automations and manages the client's own events.
type Events struct{ c *Client }

// EventDefinition is a trigger: one of the system's or a client's own.
type EventDefinition struct {
	Record
	Name          string         `json:"name"`
	DisplayName   string         `json:"displayName"`
	Description   string         `json:"description"`
	IsSystem      bool           `json:"isSystem"`
	IsActive      bool           `json:"isActive"`
	PayloadSchema map[string]any `json:"payloadSchema"`
	MapsTo        string         `json:"mapsTo"`
	PipelineID    string         `json:"pipelineId"`
	StageID       string         `json:"stageId"`
	DefaultSource string         `json:"defaultSource"`
}

// EventAssignment makes an event of the client's own.
type EventAssignment struct {
	Name          string `json:"name"`
	DisplayName   string `json:"displayName,omitempty"`
	Description   string `json:"description,omitempty"`
	PipelineID    string `json:"pipelineId,omitempty"`
	StageID       string `json:"stageId,omitempty"`
	DefaultSource string `json:"defaultSource,omitempty"`
}

// CustomEvent is an event definition to create.
type CustomEvent struct {
	Name          string         `json:"name"`
	DisplayName   string         `json:"displayName,omitempty"`
	Description   string         `json:"description,omitempty"`
	PayloadSchema map[string]any `json:"payloadSchema,omitempty"`
}

// TriggerInput fires an event about a person, who is known by Phone, Email or
// LeadID (reference §4.4).
type TriggerInput struct {
	Trigger             string         `json:"trigger"`
	Phone               string         `json:"phone,omitempty"`
	Email               string         `json:"email,omitempty"`
	LeadID              string         `json:"leadId,omitempty"`
	Variables           map[string]any `json:"variables,omitempty"`
	Data                map[string]any `json:"data,omitempty"`
	CreateLeadIfMissing bool           `json:"createLeadIfMissing,omitempty"`
	LeadData            *LeadInput     `json:"leadData,omitempty"`
	CallbackURL         string         `json:"callbackUrl,omitempty"`
	CallbackMetadata    any            `json:"callbackMetadata,omitempty"`
	DelayMinutes        float64        `json:"delayMinutes,omitempty"`
	DelaySeconds        float64        `json:"delaySeconds,omitempty"`
	RunAt               time.Time      `json:"runAt,omitzero"`
	RequiresMeet        bool           `json:"requiresMeet,omitempty"`
	MeetConfig          map[string]any `json:"meetConfig,omitempty"`
	// LogKey is kept with the log of triggers for good: the same key never starts
	// anything twice, also after the 24 hours of IdempotencyKey.
	LogKey string `json:"idempotencyKey,omitempty"`
}

// Emission fires an event about a lead.
type Emission struct {
	EventName string         `json:"eventName"`
	LeadID    string         `json:"leadId,omitempty"`
	Phone     string         `json:"phone,omitempty"`
	Email     string         `json:"email,omitempty"`
	Payload   map[string]any `json:"payload,omitempty"`
}

// Triggered tells what a fired event met.
type Triggered struct {
	EventLogID   string    `json:"eventLogId"`
	Trigger      string    `json:"trigger"`
	LeadID       string    `json:"leadId"`
	RulesMatched int       `json:"rulesMatched"`
	Scheduled    bool      `json:"scheduled"`
	RunAt        time.Time `json:"runAt"`
	MeetLink     string    `json:"meetLink"`
	MeetWarning  string    `json:"meetWarning"`
}

// List returns the triggers of the system and of the client.
func (s *Events) List(ctx context.Context, opts ...CallOption) ([]EventDefinition, error) {
	return call[[]EventDefinition](ctx, s.c, "GET", saasPath+"/events", nil, nil, opts)
}

// Assign registers an event, or takes it up again.
func (s *Events) Assign(ctx context.Context, in EventAssignment, opts ...CallOption) (EventDefinition, error) {
	return call[EventDefinition](ctx, s.c, "POST", saasPath+"/events/assign", nil, in, opts)
}

// Unassign switches an event off.
func (s *Events) Unassign(ctx context.Context, name string, opts ...CallOption) (EventDefinition, error) {
	return call[EventDefinition](ctx, s.c, "POST", saasPath+"/events/unassign", nil, map[string]string{"name": name}, opts)
}

// UnassignBulk switches events off and returns how many it found.
func (s *Events) UnassignBulk(ctx context.Context, names []string, opts ...CallOption) (int, error) {
	out, err := call[struct{ Count int }](ctx, s.c, "POST", saasPath+"/events/unassign/bulk", nil, map[string]any{"names": names}, opts)
	return out.Count, err
}

// Trigger fires an event and starts the automations that listen to it. A person
// who is not known is an error with CodeLeadNotFound unless CreateLeadIfMissing.
func (s *Events) Trigger(ctx context.Context, in TriggerInput, opts ...CallOption) (Triggered, error) {
	return call[Triggered](ctx, s.c, "POST", saasPath+"/workflows/trigger", nil, in, opts)
}

// Emit fires a custom event about a lead.
func (s *Events) Emit(ctx context.Context, in Emission, opts ...CallOption) (Triggered, error) {
	return call[Triggered](ctx, s.c, "POST", crmPath+"/events/emit", nil, in, opts)
}

// ListCustomEvents returns the client's own event definitions.
func (s *Events) ListCustomEvents(ctx context.Context, opts ...CallOption) ([]EventDefinition, error) {
	return call[[]EventDefinition](ctx, s.c, "GET", crmPath+"/custom-events", nil, nil, opts)
}

// CreateCustomEvent makes a definition, or changes the one of the name.
func (s *Events) CreateCustomEvent(ctx context.Context, in CustomEvent, opts ...CallOption) (EventDefinition, error) {
	return call[EventDefinition](ctx, s.c, "POST", crmPath+"/custom-events", nil, in, opts)
}

// DeleteCustomEvent removes a definition.
func (s *Events) DeleteCustomEvent(ctx context.Context, id string, opts ...CallOption) error {
	return perform(ctx, s.c, "DELETE", at(crmPath+"/custom-events", id), nil, opts)
}
