package parley

import "context"

const pipelinePath = crmPath + "/pipelines"

// Pipeline is a sequence of stages (reference §3.2).
type Pipeline struct {
	Record
	Name        string  `json:"name"`
	Description string  `json:"description"`
	Order       int     `json:"order"`
	IsDefault   bool    `json:"isDefault"`
	IsActive    bool    `json:"isActive"`
	Stages      []Stage `json:"stages"`
	LeadCount   int     `json:"leadCount"`
}

// Stage is one step of a pipeline.
type Stage struct {
	Record
	PipelineID  string           `json:"pipelineId"`
	Name        string           `json:"name"`
	Order       int              `json:"order"`
	Color       string           `json:"color"`
	IsDefault   bool             `json:"isDefault"`
	IsWon       bool             `json:"isWon"`
	IsLost      bool             `json:"isLost"`
	Probability float64          `json:"probability"` // 0 to 100
	AutoActions []map[string]any `json:"autoActions"`
}

// PipelineInput is a pipeline to create. Template names a set of stages, such as
// sales; Stages gives them instead.
type PipelineInput struct {
	Name        string       `json:"name"`
	Description string       `json:"description,omitempty"`
	IsDefault   bool         `json:"isDefault,omitempty"`
	Template    string       `json:"template,omitempty"`
	Stages      []StageInput `json:"stages,omitempty"`
}

// PipelineUpdate changes a pipeline.
type PipelineUpdate struct {
	Name        Field[string] `json:"name,omitzero"`
	Description Field[string] `json:"description,omitzero"`
	Order       Field[int]    `json:"order,omitzero"`
}

// StageInput is a stage to add, at the end unless InsertAfterOrder says where.
type StageInput struct {
	Name             string           `json:"name"`
	Color            string           `json:"color,omitempty"`
	Probability      float64          `json:"probability,omitempty"`
	IsWon            bool             `json:"isWon,omitempty"`
	IsLost           bool             `json:"isLost,omitempty"`
	InsertAfterOrder *int             `json:"insertAfterOrder,omitempty"`
	AutoActions      []map[string]any `json:"autoActions,omitempty"`
}

// StageUpdate changes a stage.
type StageUpdate struct {
	Name        Field[string]           `json:"name,omitzero"`
	Color       Field[string]           `json:"color,omitzero"`
	Probability Field[float64]          `json:"probability,omitzero"`
	IsWon       Field[bool]             `json:"isWon,omitzero"`
	IsLost      Field[bool]             `json:"isLost,omitzero"`
	AutoActions Field[[]map[string]any] `json:"autoActions,omitzero"`
}

// Board is a pipeline with the leads of each stage.
type Board struct {
	Pipeline Pipeline      `json:"pipeline"`
	Columns  []BoardColumn `json:"columns"`
}

// BoardColumn is a stage of a board. LeadCount and TotalValue are of all its
// leads, of which Leads shows the first.
type BoardColumn struct {
	Stage      Stage   `json:"stage"`
	Leads      []Lead  `json:"leads"`
	LeadCount  int     `json:"leadCount"`
	TotalValue float64 `json:"totalValue"`
}

// Forecast is what the open deals of a pipeline promise.
type Forecast struct {
	Rows          []ForecastRow `json:"rows"`
	GrandTotal    float64       `json:"grandTotal"`
	TotalPipeline float64       `json:"totalPipeline"`
}

// ForecastRow is the forecast of one stage.
type ForecastRow struct {
	StageID         string  `json:"stageId"`
	StageName       string  `json:"stageName"`
	StageColor      string  `json:"stageColor"`
	Probability     float64 `json:"probability"`
	TotalValue      float64 `json:"totalValue"`
	ExpectedRevenue float64 `json:"expectedRevenue"`
	LeadCount       int     `json:"leadCount"`
}

// Pipelines holds pipelines and their stages.
type Pipelines struct{ c *Client }

// List returns all pipelines with their stages.
func (s *Pipelines) List(ctx context.Context, opts ...CallOption) ([]Pipeline, error) {
	return call[[]Pipeline](ctx, s.c, "GET", pipelinePath, nil, nil, opts)
}

// Create makes a pipeline.
func (s *Pipelines) Create(ctx context.Context, in PipelineInput, opts ...CallOption) (Pipeline, error) {
	return call[Pipeline](ctx, s.c, "POST", pipelinePath, nil, in, opts)
}

// Retrieve returns a pipeline with its stages.
func (s *Pipelines) Retrieve(ctx context.Context, id string, opts ...CallOption) (Pipeline, error) {
	return call[Pipeline](ctx, s.c, "GET", at(pipelinePath, id), nil, nil, opts)
}

// Update changes a pipeline.
func (s *Pipelines) Update(ctx context.Context, id string, in PipelineUpdate, opts ...CallOption) (Pipeline, error) {
	return call[Pipeline](ctx, s.c, "PATCH", at(pipelinePath, id), nil, in, opts)
}

// Delete removes a pipeline. The default one, and one with leads, is a conflict.
func (s *Pipelines) Delete(ctx context.Context, id string, opts ...CallOption) error {
	return perform(ctx, s.c, "DELETE", at(pipelinePath, id), nil, opts)
}

// SetDefault makes a pipeline the one that new leads enter.
func (s *Pipelines) SetDefault(ctx context.Context, id string, opts ...CallOption) (Pipeline, error) {
	return call[Pipeline](ctx, s.c, "PATCH", at(pipelinePath, id, "default"), nil, nil, opts)
}

// Archive takes a pipeline out of use. The default one is a conflict.
func (s *Pipelines) Archive(ctx context.Context, id string, opts ...CallOption) (Pipeline, error) {
	return call[Pipeline](ctx, s.c, "PATCH", at(pipelinePath, id, "archive"), nil, nil, opts)
}

// Duplicate copies a pipeline and its stages, without leads.
func (s *Pipelines) Duplicate(ctx context.Context, id, name string, opts ...CallOption) (Pipeline, error) {
	return call[Pipeline](ctx, s.c, "POST", at(pipelinePath, id, "duplicate"), nil, map[string]string{"name": name}, opts)
}

// Board returns the leads of a pipeline by stage.
func (s *Pipelines) Board(ctx context.Context, id string, opts ...CallOption) (Board, error) {
	return call[Board](ctx, s.c, "GET", at(pipelinePath, id, "board"), nil, nil, opts)
}

// Forecast returns what the open deals of a pipeline promise.
func (s *Pipelines) Forecast(ctx context.Context, id string, opts ...CallOption) (Forecast, error) {
	return call[Forecast](ctx, s.c, "GET", at(pipelinePath, id, "forecast"), nil, nil, opts)
}

// AddStage adds a stage to a pipeline.
func (s *Pipelines) AddStage(ctx context.Context, id string, in StageInput, opts ...CallOption) (Stage, error) {
	return call[Stage](ctx, s.c, "POST", at(pipelinePath, id, "stages"), nil, in, opts)
}

// ReorderStages puts the stages of a pipeline into the order of stageIDs.
func (s *Pipelines) ReorderStages(ctx context.Context, id string, stageIDs []string, opts ...CallOption) ([]Stage, error) {
	return call[[]Stage](ctx, s.c, "PATCH", at(pipelinePath, id, "stages", "reorder"), nil, map[string]any{"order": stageIDs}, opts)
}

// UpdateStage changes a stage.
func (s *Pipelines) UpdateStage(ctx context.Context, stageID string, in StageUpdate, opts ...CallOption) (Stage, error) {
	return call[Stage](ctx, s.c, "PATCH", at(crmPath+"/stages", stageID), nil, in, opts)
}

// DeleteStage removes a stage and moves its leads to another, which may be empty
// when it has none, and returns how many it moved.
func (s *Pipelines) DeleteStage(ctx context.Context, stageID, fallbackStageID string, opts ...CallOption) (int, error) {
	q := newParams().text("moveLeadsToStageId", fallbackStageID) // a proxy may drop the body of a DELETE
	out, err := call[struct{ MovedLeads int }](ctx, s.c, "DELETE", at(crmPath+"/stages", stageID), q.Values, nil, opts)
	return out.MovedLeads, err
}

// StageLeads returns one page of the leads of a stage.
func (s *Pipelines) StageLeads(ctx context.Context, id, stageID string, page, limit int, opts ...CallOption) (Page[Lead], error) {
	return list[Lead](ctx, s.c, at(pipelinePath, id, "stages", stageID, "leads"), newParams().number("page", page).number("limit", limit), opts)
}
