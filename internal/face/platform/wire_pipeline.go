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
}

type stage struct {
	record
	PipelineID  id.ID    `json:"pipelineId"`
	Name        string   `json:"name"`
	Order       int      `json:"order"`
	Color       string   `json:"color"`
	IsDefault   bool     `json:"isDefault"`
	IsWon       bool     `json:"isWon"`
	IsLost      bool     `json:"isLost"`
	Probability int      `json:"probability"`
	AutoActions []string `json:"autoActions"` // always empty: automations react to stages
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
