package platform

import (
	"encoding/json"

	"parley/internal/id"
)

// lead is a contact with its primary deal (reference §3.1, §3.22).
type lead struct {
	record
	FirstName       string         `json:"firstName"`
	LastName        string         `json:"lastName"`
	FullName        string         `json:"fullName"`
	Email           orNull         `json:"email"`
	Phone           string         `json:"phone"` // "" for a contact that has none
	PipelineID      ref            `json:"pipelineId"`
	StageID         ref            `json:"stageId"`
	Pipeline        *pipelineBrief `json:"pipeline"`
	Stage           *stageBrief    `json:"stage"`
	Status          string         `json:"status"`
	DealValue       float64        `json:"dealValue"`
	Value           float64        `json:"value"` // alias of dealValue
	Currency        string         `json:"currency"`
	DealTitle       string         `json:"dealTitle"`
	Source          string         `json:"source"`
	AssignedTo      orNull         `json:"assignedTo"`
	Tags            []string       `json:"tags"`
	Metadata        map[string]any `json:"metadata"`
	Score           score          `json:"score"`
	LastContactedAt stamp          `json:"lastContactedAt"`
	ConvertedAt     stamp          `json:"convertedAt"`
	IsArchived      bool           `json:"isArchived"`
	DynamicFields   map[string]any `json:"dynamicFields"`
	CustomFields    map[string]any `json:"customFields"` // alias of dynamicFields
	EnteredStageAt  stamp          `json:"enteredStageAt"`
	StageHistory    []stageStay    `json:"stageHistory"`
	AISummary       *struct{}      `json:"aiSummary"` // always null: no provider writes one
}

// score is an object with total; the parts are not computed (reference §3.1).
type score struct {
	Total         int   `json:"total"`
	Recency       int   `json:"recency"`
	Engagement    int   `json:"engagement"`
	StageDepth    int   `json:"stageDepth"`
	DealSize      int   `json:"dealSize"`
	SourceQuality int   `json:"sourceQuality"`
	UpdatedAt     stamp `json:"updatedAt"`
}

type stageStay struct {
	StageID    id.ID  `json:"stageId"`
	EnteredAt  stamp  `json:"enteredAt"`
	LeftAt     stamp  `json:"leftAt"`
	DurationMs *int64 `json:"durationMs"` // null while the stay lasts
}

// pipelineBrief and stageBrief are what a lead shows of where it stands
// (reference §6 row 13: ids in pipelineId and stageId, objects here).
type pipelineBrief struct {
	OID       id.ID  `json:"_id"`
	ID        id.ID  `json:"id"`
	Name      string `json:"name"`
	IsDefault bool   `json:"isDefault"`
}

type stageBrief struct {
	OID         id.ID  `json:"_id"`
	ID          id.ID  `json:"id"`
	Name        string `json:"name"`
	Color       string `json:"color"`
	Probability int    `json:"probability"`
	IsWon       bool   `json:"isWon"`
	IsLost      bool   `json:"isLost"`
	Order       int    `json:"order"`
}

// leadInput is a lead as clients send it. Fields that we compute (score, stage
// history ...) may be sent back to us and are ignored.
type leadInput struct {
	Name          *string                    `json:"name"`
	FirstName     *string                    `json:"firstName"`
	LastName      *string                    `json:"lastName"`
	Email         *string                    `json:"email"`
	Phone         *string                    `json:"phone"`
	PipelineID    *string                    `json:"pipelineId"`
	StageID       *string                    `json:"stageId"`
	Status        *string                    `json:"status"`
	DealValue     *float64                   `json:"dealValue"`
	Value         *float64                   `json:"value"`
	Currency      *string                    `json:"currency"`
	DealTitle     *string                    `json:"dealTitle"`
	Source        *string                    `json:"source"`
	AssignedTo    *string                    `json:"assignedTo"`
	Tags          *[]string                  `json:"tags"`
	Metadata      map[string]json.RawMessage `json:"metadata"`
	DynamicFields map[string]any             `json:"dynamicFields"`
	CustomFields  map[string]any             `json:"customFields"`
}

// upsertInput is the body of leads/upsert (reference §2.6, §4.2).
type upsertInput struct {
	LeadData   json.RawMessage `json:"leadData"`
	ModuleInfo map[string]any  `json:"moduleInfo"`
	Trigger    *string         `json:"trigger"`
	PipelineID *string         `json:"pipelineId"`
	StageID    *string         `json:"stageId"`
}

// activity is one entry of a timeline (reference §3.10).
type activity struct {
	record
	LeadID      id.ID          `json:"leadId"`
	Kind        string         `json:"kind"`
	Type        string         `json:"type"`
	Title       string         `json:"title"`
	Body        string         `json:"body"`
	Metadata    map[string]any `json:"metadata"`
	IsPinned    bool           `json:"isPinned"`
	PerformedBy string         `json:"performedBy"`
	CreatedBy   string         `json:"createdBy"`
}
