package platform

import (
	"context"

	"parley/internal/deal"
	"parley/internal/httpx"
)

// listPipelines answers every pipeline with its stages (§2.7).
func (f *Face) listPipelines(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	all, err := f.s.Deals.Pipelines(ctx, r.Principal.Tenant)
	if err != nil {
		return nil, err
	}
	counts, err := f.s.Deals.Counts(ctx, r.Principal.Tenant)
	if err != nil {
		return nil, err
	}
	out := make([]pipeline, 0, len(all))
	for _, p := range all {
		shown, n := pipelineOf(r.Principal.TenantCode, p), counts[p.ID]
		shown.LeadCount = &n
		out = append(out, shown)
	}
	return whole(out)
}

// boardLeads is how many leads a column shows unless limit says otherwise, and
// boardLimit the most it shows; its counts are of all of them.
const (
	boardLeads = 100
	boardLimit = 200
)

// board answers a pipeline with its leads by stage (§2.7).
func (f *Face) board(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	limit, err := r.QueryInt("limit", boardLeads, 1, boardLimit)
	if err != nil {
		return nil, err
	}
	pid, err := pathID("pipeline", r.Param("id"))
	if err != nil {
		return nil, err
	}
	b, err := f.s.Deals.Board(ctx, r.Principal.Tenant, pid, limit)
	if err != nil {
		return nil, err
	}
	return ok(boardOf(r.Principal.TenantCode, b))
}

func pipelineOf(code string, p deal.Pipeline) pipeline {
	out := pipeline{record: recordOf(code, p.ID, p.CreatedAt, p.UpdatedAt), Name: p.Name, Description: p.Description,
		Order: p.Position, IsDefault: p.Default, IsActive: p.Active, Stages: []stage{}}
	for _, s := range p.Stages {
		out.Stages = append(out.Stages, stageOf(code, s))
	}
	return out
}

func stageOf(code string, s deal.Stage) stage {
	return stage{record: recordOf(code, s.ID, s.CreatedAt, s.UpdatedAt), PipelineID: s.Pipeline, Name: s.Name, Order: s.Position,
		Color: s.Color, IsDefault: s.Default, IsWon: s.Won, IsLost: s.Lost, Probability: s.Probability, AutoActions: orNoActions(s.AutoActions)}
}

func boardOf(code string, b deal.Board) boardView {
	out := boardView{Pipeline: pipelineOf(code, b.Pipeline), Columns: []column{}}
	for _, c := range b.Columns {
		out.Columns = append(out.Columns, column{Stage: stageOf(code, c.Stage), Leads: leadsOf(code, c.Cards),
			LeadCount: c.Count, Total: c.Count, TotalValue: c.Value})
	}
	return out
}

func stagesOf(code string, list []deal.Stage) []stage {
	out := make([]stage, 0, len(list))
	for _, s := range list {
		out = append(out, stageOf(code, s))
	}
	return out
}

func orNoActions(list []map[string]any) []map[string]any {
	if list == nil {
		return []map[string]any{}
	}
	return list
}

func wholeOf(code string, p deal.Pipeline) wholePipeline {
	shown := pipelineOf(code, p)
	return wholePipeline{shown, shown}
}

func forecastOf(f deal.Forecast) forecast {
	out := forecast{Rows: []forecastRow{}, GrandTotal: f.Expected, TotalPipeline: f.Total}
	for _, row := range f.Rows {
		out.Rows = append(out.Rows, forecastRow{StageID: row.Stage.ID, StageName: row.Stage.Name, StageColor: row.Stage.Color, Probability: row.Stage.Probability,
			TotalValue: row.Total, ExpectedRevenue: row.Expected, LeadCount: row.Count, Total: row.Count})
	}
	return out
}
