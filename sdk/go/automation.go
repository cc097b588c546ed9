package parley

import "time"

// Automation is a rule (reference §3.3). Conditions, actions, steps, nodes and
// edges are open maps: every key comes back as it was sent.
type Automation struct {
	Record
	Name                 string           `json:"name"`
	Description          string           `json:"description"`
	Trigger              string           `json:"trigger"`
	TriggerConfig        map[string]any   `json:"triggerConfig"`
	Conditions           []map[string]any `json:"conditions"`
	ConditionLogic       string           `json:"conditionLogic"`
	Actions              []map[string]any `json:"actions"`
	IsSequence           bool             `json:"isSequence"`
	Steps                []map[string]any `json:"steps"`
	Nodes                []map[string]any `json:"nodes"`
	Edges                []map[string]any `json:"edges"`
	IsActive             bool             `json:"isActive"`
	Version              int              `json:"version"`
	TotalEnrollments     int              `json:"totalEnrollments"`
	ActiveEnrollments    int              `json:"activeEnrollments"`
	CompletedEnrollments int              `json:"completedEnrollments"`
	ExecutionCount       int              `json:"executionCount"`
	LastExecutedAt       time.Time        `json:"lastExecutedAt"`
}

// AutomationInput is a rule to create: a graph of Nodes and Edges, or the flat
// form of Actions, or Steps with IsSequence.
type AutomationInput struct {
	Name           string           `json:"name"`
	Trigger        string           `json:"trigger"`
	Description    string           `json:"description,omitempty"`
	TriggerConfig  map[string]any   `json:"triggerConfig,omitempty"`
	Conditions     []map[string]any `json:"conditions,omitempty"`
	ConditionLogic string           `json:"conditionLogic,omitempty"` // AND (default) or OR
	Actions        []map[string]any `json:"actions,omitempty"`
	IsSequence     bool             `json:"isSequence,omitempty"`
	Steps          []map[string]any `json:"steps,omitempty"`
	Nodes          []map[string]any `json:"nodes,omitempty"`
	Edges          []map[string]any `json:"edges,omitempty"`
	IsActive       *bool            `json:"isActive,omitempty"` // true unless given
}

// AutomationUpdate changes a rule.
type AutomationUpdate struct {
	Name           Field[string]           `json:"name,omitzero"`
	Trigger        Field[string]           `json:"trigger,omitzero"`
	Description    Field[string]           `json:"description,omitzero"`
	TriggerConfig  Field[map[string]any]   `json:"triggerConfig,omitzero"`
	Conditions     Field[[]map[string]any] `json:"conditions,omitzero"`
	ConditionLogic Field[string]           `json:"conditionLogic,omitzero"`
	Actions        Field[[]map[string]any] `json:"actions,omitzero"`
	IsSequence     Field[bool]             `json:"isSequence,omitzero"`
	Steps          Field[[]map[string]any] `json:"steps,omitzero"`
	Nodes          Field[[]map[string]any] `json:"nodes,omitzero"`
	Edges          Field[[]map[string]any] `json:"edges,omitzero"`
	IsActive       Field[bool]             `json:"isActive,omitzero"`
}

// AutomationFilter selects rules.
type AutomationFilter struct {
	Trigger     string
	IsActive    *bool
	Page, Limit int
}

// TestResult is what a rule would do with a lead (a dry run).
type TestResult struct {
	Passed          bool             `json:"passed"`
	ConditionResult any              `json:"conditionResult"`
	ActionsWouldRun []map[string]any `json:"actionsWouldRun"`
}

// Run is one walk of a lead through a rule (reference §3.9).
type Run struct {
	Record
	RuleID         string                `json:"ruleId"`
	RuleName       string                `json:"ruleName"`
	RuleVersion    int                   `json:"ruleVersion"`
	LeadID         string                `json:"leadId"`
	TriggeredBy    string                `json:"triggeredBy"`
	EventLogID     string                `json:"eventLogId"`
	Trigger        string                `json:"trigger"`
	Status         string                `json:"status"` // running, waiting, paused, completed, failed or aborted
	CurrentNodeIDs []string              `json:"currentNodeIds"`
	WaitingFor     *WaitingFor           `json:"waitingFor"`
	NodeResults    map[string]NodeResult `json:"nodeResults"`
	Variables      map[string]any        `json:"variables"`
	Error          string                `json:"error"`
	StartedAt      time.Time             `json:"startedAt"`
	CompletedAt    time.Time             `json:"completedAt"`
}

// WaitingFor is what a waiting run waits for.
type WaitingFor struct {
	NodeID    string    `json:"nodeId"`
	EventName string    `json:"eventName"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// NodeResult is what a node of a run did.
type NodeResult struct {
	Status      string         `json:"status"`
	Type        string         `json:"type"`
	StartedAt   time.Time      `json:"startedAt"`
	CompletedAt time.Time      `json:"completedAt"`
	Output      map[string]any `json:"output"`
	Error       string         `json:"error"`
}

// Enrollment is a lead's way through a sequence (reference §3.8).
type Enrollment struct {
	Record
	RuleID       string           `json:"ruleId"`
	LeadID       string           `json:"leadId"`
	Phone        string           `json:"phone"`
	Email        string           `json:"email"`
	Trigger      string           `json:"trigger"`
	EventData    map[string]any   `json:"eventData"`
	CurrentStep  int              `json:"currentStep"`
	TotalSteps   int              `json:"totalSteps"`
	Status       string           `json:"status"` // active, completed, exited, failed or paused
	StepResults  []map[string]any `json:"stepResults"`
	NextStepAt   time.Time        `json:"nextStepAt"`
	ExitReason   string           `json:"exitReason"`
	CompletedAt  time.Time        `json:"completedAt"`
	EnrollmentID string           `json:"enrollmentId"` // the id again, in the answer to Enroll
}

// EnrollmentFilter selects enrollments.
type EnrollmentFilter struct {
	Status             string
	StartDate, EndDate time.Time
	Page, Limit        int
}

// RunFilter selects runs.
type RunFilter struct {
	Status      string
	Page, Limit int
}

// Resumed tells which runs an event woke.
type Resumed struct {
	Resumed int      `json:"resumed"`
	RunIDs  []string `json:"runIds"`
}
