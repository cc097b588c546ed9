package platform

import (
	"encoding/json"

	"parley/internal/id"
)

// customEvent is what a tenant says about an event of its own (reference §3.12).
type customEvent struct {
	record
	eventFields
}

type eventFields struct {
	Name          string         `json:"name"`
	DisplayName   string         `json:"displayName"`
	Description   string         `json:"description"`
	PayloadSchema map[string]any `json:"payloadSchema"`
	IsActive      bool           `json:"isActive"`
	IsSystem      bool           `json:"isSystem"`
	MapsTo        orNull         `json:"mapsTo"`
	PipelineID    ref            `json:"pipelineId"`
	StageID       ref            `json:"stageId"`
	DefaultSource orNull         `json:"defaultSource"`
}

// availableEvent is a row of events.list: a built-in trigger has no id.
type availableEvent struct {
	OID ref `json:"_id"`
	ID  ref `json:"id"`
	eventFields
}

// eventInput is the body of events.assign and of createCustomEvent.
type eventInput struct {
	Name          *string         `json:"name"`
	DisplayName   *string         `json:"displayName"`
	Description   *string         `json:"description"`
	PayloadSchema *map[string]any `json:"payloadSchema"`
	MapsTo        *string         `json:"mapsTo"`
	PipelineID    *string         `json:"pipelineId"`
	StageID       *string         `json:"stageId"`
	DefaultSource *string         `json:"defaultSource"`
	IsSystem      *bool           `json:"isSystem"`
}

type unassignInput struct {
	Name  *string  `json:"name"`
	Names []string `json:"names"`
}

// emitInput is the body of emit: what a trigger call takes, under further names
// (reference §2.12, §6 row 27).
type emitInput struct {
	triggerInput
	EventName *string        `json:"eventName"`
	Name      *string        `json:"name"`
	Event     *string        `json:"event"`
	Payload   map[string]any `json:"payload"`
}

// eventLog is what became of a trigger call (reference §3.12).
type eventLog struct {
	record
	Trigger        string          `json:"trigger"`
	Phone          orNull          `json:"phone"`
	Email          orNull          `json:"email"`
	LeadID         ref             `json:"leadId"`
	Status         string          `json:"status"`
	RulesMatched   int             `json:"rulesMatched"`
	JobsCreated    int             `json:"jobsCreated"` // the runs that began
	RunsOpen       int             `json:"runsOpen"`
	RunsFailed     int             `json:"runsFailed"`
	MeetLink       orNull          `json:"meetLink"`
	CallbackURL    orNull          `json:"callbackUrl"`
	CallbackStatus string          `json:"callbackStatus"`
	Payload        eventLogPayload `json:"payload"`
	Error          orNull          `json:"error"`
	IdempotencyKey orNull          `json:"idempotencyKey"`
	RunAt          stamp           `json:"runAt"`
	ProcessedAt    stamp           `json:"processedAt"`
}

type eventLogPayload struct {
	Variables map[string]any `json:"variables"`
	Data      map[string]any `json:"data"`
	LeadData  map[string]any `json:"leadData,omitempty"`
	Metadata  any            `json:"callbackMetadata,omitempty"`
}

// eventStats are the figures of trigger calls (reference §2.14).
type eventStats struct {
	TotalEvents int            `json:"totalEvents"`
	ByTrigger   []triggerStats `json:"byTrigger"`
	ByStatus    []statusStats  `json:"byStatus"`
}

type triggerStats struct {
	Trigger     string  `json:"trigger"`
	Count       int     `json:"count"`
	SuccessRate float64 `json:"successRate"`
}

type statusStats struct {
	Status string `json:"status"`
	Count  int    `json:"count"`
}

// callbackLog is one delivery to another system (reference §3.12).
type callbackLog struct {
	record
	CallbackURL    string          `json:"callbackUrl"`
	Method         string          `json:"method"`
	Event          string          `json:"event"`
	Payload        json.RawMessage `json:"payload"`
	JobID          id.ID           `json:"jobId"`
	EnrollmentID   ref             `json:"enrollmentId"`
	EventLogID     ref             `json:"eventLogId"`
	ResponseStatus *int            `json:"responseStatus"`
	ResponseBody   orNull          `json:"responseBody"`
	Status         string          `json:"status"` // sent, failed, pending_retry
	Attempts       int             `json:"attempts"`
	LastAttemptAt  stamp           `json:"lastAttemptAt"`
	NextAttemptAt  stamp           `json:"nextAttemptAt"`
	Error          orNull          `json:"error"`
	Signature      orNull          `json:"signature"`
}

// explanation says why an automation did or did not start. It is our own.
type explanation struct {
	RuleID      id.ID   `json:"ruleId"`
	RuleName    string  `json:"ruleName"`
	RuleVersion int     `json:"ruleVersion"` // when it was decided; the present one otherwise
	LeadID      ref     `json:"leadId"`
	EventLogID  ref     `json:"eventLogId"`
	Outcome     string  `json:"outcome"`
	Explanation string  `json:"explanation"`
	Recorded    bool    `json:"recorded"`
	DecidedAt   stamp   `json:"decidedAt"`
	Checks      []check `json:"checks"`
	Now         []check `json:"now"`
	Run         *run    `json:"run"`
}

type check struct {
	Name     string `json:"name"`
	Field    orNull `json:"field"`
	Operator orNull `json:"operator"`
	Expected any    `json:"expected"`
	Actual   any    `json:"actual"`
	Passed   bool   `json:"passed"`
	Note     orNull `json:"note"`
}
