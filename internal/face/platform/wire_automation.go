package platform

import (
	"encoding/json"
	"time"

	"parley/internal/id"
)

// ruleInput are the types of an automation's form (reference §3.3). The form
// itself is kept whole, with every key that its author sent.
type ruleInput struct {
	Name           *string                    `json:"name"`
	Description    *string                    `json:"description"`
	Trigger        *string                    `json:"trigger"`
	TriggerConfig  map[string]json.RawMessage `json:"triggerConfig"`
	Conditions     []json.RawMessage          `json:"conditions"`
	ConditionLogic *string                    `json:"conditionLogic"`
	Actions        []json.RawMessage          `json:"actions"`
	IsSequence     *bool                      `json:"isSequence"`
	Steps          []json.RawMessage          `json:"steps"`
	Nodes          []json.RawMessage          `json:"nodes"`
	Edges          []json.RawMessage          `json:"edges"`
	IsActive       *bool                      `json:"isActive"`
}

// run is one walk of a lead through an automation (reference §3.9).
type run struct {
	record
	RuleID         id.ID                 `json:"ruleId"`
	WorkflowID     id.ID                 `json:"workflowId"` // alias of ruleId
	RuleName       string                `json:"ruleName"`
	RuleVersion    int                   `json:"ruleVersion"`
	LeadID         id.ID                 `json:"leadId"`
	TriggeredBy    string                `json:"triggeredBy"` // "trigger" for a call, "event" otherwise
	Origin         orNull                `json:"origin"`      // "stage" for what a stage's autoActions do
	EventLogID     ref                   `json:"eventLogId"`
	Trigger        string                `json:"trigger"`
	Status         string                `json:"status"`
	CurrentNodeIDs []string              `json:"currentNodeIds"`
	WaitingFor     *waitingFor           `json:"waitingFor"`
	NodeResults    map[string]nodeResult `json:"nodeResults"`
	Variables      map[string]any        `json:"variables"`
	Error          orNull                `json:"error"`
	ExitReason     orNull                `json:"exitReason"` // ours: why it ended before its last node
	StartedAt      stamp                 `json:"startedAt"`
	CompletedAt    stamp                 `json:"completedAt"`
}

type waitingFor struct {
	NodeID    string `json:"nodeId"`
	EventName orNull `json:"eventName"` // null while a delay passes
	ExpiresAt stamp  `json:"expiresAt"`
}

type nodeResult struct {
	Status      string         `json:"status"`
	Type        string         `json:"type"`
	StartedAt   stamp          `json:"startedAt"`
	CompletedAt stamp          `json:"completedAt"`
	Output      map[string]any `json:"output"`
	Error       orNull         `json:"error"`
}

// toggleInput is the optional body of toggle (reference §2.8).
type toggleInput struct {
	IsActive *bool `json:"isActive"`
}

// triggerInput is the body of a trigger call (reference §4.4).
type triggerInput struct {
	Trigger             *string         `json:"trigger"`
	Phone               *string         `json:"phone"`
	Email               *string         `json:"email"`
	LeadID              *string         `json:"leadId"`
	Variables           map[string]any  `json:"variables"`
	Data                map[string]any  `json:"data"`
	CreateLeadIfMissing bool            `json:"createLeadIfMissing"`
	LeadData            json.RawMessage `json:"leadData"`
	CallbackURL         *string         `json:"callbackUrl"`
	CallbackMethod      *string         `json:"callbackMethod"`
	CallbackMetadata    any             `json:"callbackMetadata"`
	DelayMinutes        float64         `json:"delayMinutes"`
	DelaySeconds        float64         `json:"delaySeconds"`
	RunAt               *time.Time      `json:"runAt"`
	RequiresMeet        bool            `json:"requiresMeet"`
	MeetConfig          map[string]any  `json:"meetConfig"`
	IdempotencyKey      *string         `json:"idempotencyKey"`
}

// fired answers a trigger call.
type fired struct {
	EventLogID   id.ID  `json:"eventLogId"`
	Trigger      string `json:"trigger"`
	LeadID       ref    `json:"leadId"`
	RulesMatched int    `json:"rulesMatched"`
	Scheduled    bool   `json:"scheduled,omitempty"`
	RunAt        *stamp `json:"runAt,omitempty"`
	MeetWarning  string `json:"meetWarning,omitempty"`
}
