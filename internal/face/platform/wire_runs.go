package platform

import (
	"encoding/json"

	"parley/internal/id"
)

// ruleIDs names automations to delete (reference §2.8).
type ruleIDs struct {
	IDs []string `json:"ids"`
}

type deletedRules struct {
	Deleted int `json:"deleted"`
}

// testInput is the body of a rehearsal; lead may be the whole object too.
type testInput struct {
	LeadID string `json:"leadId"`
	Lead   struct {
		ID  string `json:"id"`
		OID string `json:"_id"`
	} `json:"lead"`
	Variables map[string]any `json:"variables"`
}

// rehearsal answers test (reference §2.8); path and what it holds are ours.
type rehearsal struct {
	RuleID          id.ID      `json:"ruleId"`
	LeadID          id.ID      `json:"leadId"`
	Passed          bool       `json:"passed"`
	ConditionResult bool       `json:"conditionResult"`
	Conditions      []checked  `json:"conditions"`
	Would           []wouldRun `json:"actionsWouldRun"`
	Path            []pathStop `json:"path"`
	Status          orNull     `json:"status"`
	ExitReason      orNull     `json:"exitReason"`
	Error           orNull     `json:"error"`
}

type checked struct {
	Field    string `json:"field"`
	Operator string `json:"operator"`
	Value    any    `json:"value"`
	Actual   any    `json:"actual"`
	Passed   bool   `json:"passed"`
}

type wouldRun struct {
	NodeID     string         `json:"nodeId"`
	Type       string         `json:"type"`
	StepNumber int            `json:"stepNumber,omitempty"`
	Output     map[string]any `json:"output"`
	Text       orNull         `json:"text"`
}

type pathStop struct {
	NodeID string         `json:"nodeId"`
	Type   string         `json:"type"`
	Status string         `json:"status"`
	Output map[string]any `json:"output"`
	Text   orNull         `json:"text"`
	Error  orNull         `json:"error"`
}

// webhookEventInput is the body of webhook-event; event is read as eventName.
type webhookEventInput struct {
	EventName string          `json:"eventName"`
	Event     string          `json:"event"`
	Payload   json.RawMessage `json:"payload"`
}

type resumed struct {
	Resumed int     `json:"resumed"`
	RunIDs  []id.ID `json:"runIds"`
}

// enrollInput is the body of sequences.enroll; sequenceId is read as ruleId.
type enrollInput struct {
	LeadID     string         `json:"leadId"`
	RuleID     string         `json:"ruleId"`
	SequenceID string         `json:"sequenceId"`
	Variables  map[string]any `json:"variables"`
}

// enrollment is a run of a sequence (reference §3.8).
type enrollment struct {
	record
	EnrollmentID      id.ID          `json:"enrollmentId"`
	RuleID            id.ID          `json:"ruleId"`
	RuleName          string         `json:"ruleName"`
	LeadID            id.ID          `json:"leadId"`
	Phone             string         `json:"phone"`
	Email             orNull         `json:"email"`
	Trigger           string         `json:"trigger"`
	EventData         map[string]any `json:"eventData"`
	ResolvedVariables map[string]any `json:"resolvedVariables"`
	CurrentStep       int            `json:"currentStep"`
	TotalSteps        int            `json:"totalSteps"`
	Status            string         `json:"status"`
	StepResults       []stepResult   `json:"stepResults"`
	NextStepAt        stamp          `json:"nextStepAt"`
	ExitReason        orNull         `json:"exitReason"`
	Error             orNull         `json:"error"`
	CompletedAt       stamp          `json:"completedAt"`
}

type stepResult struct {
	StepNumber int            `json:"stepNumber"`
	Status     string         `json:"status"`
	ExecutedAt stamp          `json:"executedAt"`
	Result     map[string]any `json:"result"`
	Error      orNull         `json:"error"`
}
