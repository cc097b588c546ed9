package deal

import (
	"context"

	"parley/internal/id"
)

// Forecast is what a pipeline promises (reference §2.7).
type Forecast struct {
	Rows     []ForecastRow // by position of the stage
	Expected float64       // of all rows
	Total    float64
}

// ForecastRow is one stage of a forecast. Archived deals are left out; values
// are added up as numbers, whatever their currencies.
type ForecastRow struct {
	Stage    Stage
	Count    int
	Total    float64
	Expected float64 // Total by the stage's probability
}

// Forecast weighs the deals of a pipeline by the probabilities of their stages.
// NotFound.
func (s *Service) Forecast(ctx context.Context, tenant, pipeline id.ID) (Forecast, error) {
	r := s.db.Read(ctx, tenant)
	p, err := s.PipelineIn(r, pipeline)
	if err != nil {
		return Forecast{}, err
	}
	sums, err := tallies(r, " AND pipeline_id=? AND status <> 'archived'", pipeline)
	if err != nil {
		return Forecast{}, err
	}
	var f Forecast
	for _, st := range p.Stages {
		row := ForecastRow{Stage: st}
		for _, t := range sums {
			if t.stage == st.ID {
				row.Count += t.deals
				row.Total += t.value
			}
		}
		row.Expected = row.Total * float64(st.Probability) / 100
		f.Expected += row.Expected
		f.Total += row.Total
		f.Rows = append(f.Rows, row)
	}
	return f, nil
}

// Counts tells how many deals stand in each pipeline, archived ones left out.
func (s *Service) Counts(ctx context.Context, tenant id.ID) (map[id.ID]int, error) {
	sums, err := tallies(s.db.Read(ctx, tenant), " AND status <> 'archived'")
	out := map[id.ID]int{}
	for _, t := range sums {
		out[t.pipeline] += t.deals
	}
	return out, err
}
