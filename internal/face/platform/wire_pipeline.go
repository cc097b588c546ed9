package platform

import "parley/internal/id"

// pipeline and stage follow reference §3.2.
type pipeline struct {
	record
	Name        string  `json:"name"`
	Description string  `json:"description"`
	Order       int     `json:"order"`
	IsDefault   bool    `json:"isDefault"`
	IsActive    bool    `json:"isActive"`
	Stages      []stage `json:"stages"`
	LeadCount   *int    `json:"leadCount,omitempty"` // in the list only
}

// wholePipeline is a pipeline that also stands under its own name, because the
// reference's snapshot nests it (§6 row 14).
type wholePipeline struct {
	pipeline
	Pipeline pipeline `json:"pipeline"`
}

type stage struct {
	record
	PipelineID  id.ID            `json:"pipelineId"`
	Name        string           `json:"name"`
	Order       int              `json:"order"`
	Color       string           `json:"color"`
	IsDefault   bool             `json:"isDefault"`
	IsWon       bool             `json:"isWon"`
	IsLost      bool             `json:"isLost"`
	Probability int              `json:"probability"`
	AutoActions []map[string]any `json:"autoActions"` // {type, delayMinutes, config}
}

// boardView is what clients draw (reference §2.7, §3.22): a board without
// columns counts as not loaded.
type boardView struct {
	Pipeline pipeline `json:"pipeline"`
	Columns  []column `json:"columns"`
}

type column struct {
	Stage      stage   `json:"stage"`
	Leads      []lead  `json:"leads"`
	LeadCount  int     `json:"leadCount"`
	Total      int     `json:"total"` // alias of leadCount
	TotalValue float64 `json:"totalValue"`
}

// forecast follows reference §2.7.
type forecast struct {
	Rows          []forecastRow `json:"rows"`
	GrandTotal    float64       `json:"grandTotal"`
	TotalPipeline float64       `json:"totalPipeline"`
}

type forecastRow struct {
	StageID         id.ID   `json:"stageId"`
	StageName       string  `json:"stageName"`
	StageColor      string  `json:"stageColor"`
	Probability     int     `json:"probability"`
	TotalValue      float64 `json:"totalValue"`
	ExpectedRevenue float64 `json:"expectedRevenue"`
	LeadCount       int     `json:"leadCount"`
	Total           int     `json:"total"` // alias of leadCount (§3.22)
}

type inUse struct {
	InUse     bool `json:"inUse"`
	LeadCount int  `json:"leadCount"`
}

type movedLeads struct {
	MovedLeads int `json:"movedLeads"`
}

// pipelineInput is a pipeline as clients send it. Order is read by updates only,
// template and stages by creation only.
type pipelineInput struct {
	Name         *string      `json:"name"`
	Description  *string      `json:"description"`
	IsDefault    *bool        `json:"isDefault"`
	Order        *int         `json:"order"`
	Template     *string      `json:"template"`
	Stages       []stageInput `json:"stages"`
	CustomStages []stageInput `json:"customStages"`
}

type stageInput struct {
	Name             *string           `json:"name"`
	Color            *string           `json:"color"`
	Probability      *float64          `json:"probability"`
	IsWon            *bool             `json:"isWon"`
	IsLost           *bool             `json:"isLost"`
	IsDefault        *bool             `json:"isDefault"`
	Order            *int              `json:"order"`
	InsertAfterOrder *int              `json:"insertAfterOrder"`
	AutoActions      *[]map[string]any `json:"autoActions"`
}
