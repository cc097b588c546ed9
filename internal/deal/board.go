package deal

import (
	"context"
	"slices"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Bounds of a board's columns.
const (
	defaultColumn = 50
	maxColumn     = 200
)

// Board returns a pipeline with the deals of every stage as cards, the last
// changed ones first and at most limitPerStage of them (0 means 50, at most 200),
// and the number and value of all of a stage's deals. A merged person may have
// several deals: each is a card of its own, with the same contact. Values are
// added up as numbers, whatever their currencies. Archived deals are left out.
// NotFound names "pipeline"; Invalid names "limit".
func (s *Service) Board(ctx context.Context, tenant, pipeline id.ID, limitPerStage int) (Board, error) {
	if limitPerStage == 0 {
		limitPerStage = defaultColumn
	}
	if limitPerStage < 1 || limitPerStage > maxColumn {
		return Board{}, fault.Field("limit", "a column of the board shows 1 to %d leads", maxColumn)
	}
	r := s.db.Read(ctx, tenant)
	p, err := s.PipelineIn(r, pipeline)
	if err != nil {
		return Board{}, err
	}
	sums, err := tallies(r, " AND pipeline_id=? AND status <> 'archived'", pipeline)
	if err != nil {
		return Board{}, err
	}
	b := Board{Pipeline: p, Columns: make([]Column, len(p.Stages))}
	at := make(map[id.ID]*Column, len(p.Stages))
	var all []Deal
	for i, st := range p.Stages {
		b.Columns[i] = Column{Stage: st}
		col := &b.Columns[i]
		at[st.ID] = col
		for _, t := range sums {
			if t.stage == st.ID {
				col.Count += t.deals
				col.Value += t.value
			}
		}
		deals, err := column(r, st.ID, limitPerStage)
		if err != nil {
			return Board{}, err
		}
		all = append(all, deals...)
	}
	cards, err := s.cardsOf(r, all)
	if err != nil {
		return Board{}, err
	}
	seen := make(map[id.ID]bool, len(cards))
	for _, c := range cards {
		// A deal that moved between the queries stands in one stage only.
		if col := at[c.Deal.Stage]; col != nil && !seen[c.Deal.ID] {
			seen[c.Deal.ID] = true
			col.Cards = append(col.Cards, c)
		}
	}
	for i := range b.Columns { // nor is it counted less than it is shown
		b.Columns[i].Count = max(b.Columns[i].Count, len(b.Columns[i].Cards))
	}
	return b, nil
}

// column reads the deals of a stage that a board shows, by the index deal_live.
func column(r store.Reader, stage id.ID, limit int) ([]Deal, error) {
	rows, err := r.Query("SELECT "+dealColumns+" FROM deal WHERE tenant_id=? AND stage_id=? AND status <> 'archived' ORDER BY updated_at DESC, id DESC LIMIT ?", stage, limit)
	list, err := store.Collect(rows, err, scanDeal)
	return slices.Clip(list), err
}
