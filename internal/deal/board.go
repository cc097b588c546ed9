package deal

import (
	"context"
	"database/sql"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Bounds of a board's columns.
const (
	defaultColumn = 50
	maxColumn     = 200
)

// Board returns a pipeline with the cards of every stage, the last changed ones
// first and at most limitPerStage of them (0 means 50, at most 200), and the
// number and value of all of a stage's cards. Values are added up as numbers,
// whatever their currencies. Archived cards are left out. NotFound names
// "pipeline"; Invalid names "limit".
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
	rows, err := r.Query("SELECT stage_id, COUNT(*), SUM(value) FROM deal WHERE tenant_id=? AND pipeline_id=? AND is_primary AND status IN "+listed+" GROUP BY stage_id", pipeline)
	sums := map[id.ID]Column{}
	if _, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
		var c Column
		if err = rows.Scan(&c.Stage.ID, &c.Count, &c.Value); err == nil {
			sums[c.Stage.ID] = c
		}
		return
	}); err != nil {
		return Board{}, err
	}
	var all []id.ID
	ends := make([]int, len(p.Stages)) // where each column's cards end in all
	for i, st := range p.Stages {
		if sums[st.ID].Count > 0 {
			// Unlike listed, this condition leads SQLite to deal_board and its order.
			rows, err := r.Query("SELECT contact_id FROM deal WHERE tenant_id=? AND pipeline_id=? AND stage_id=? AND is_primary AND status <> 'archived' ORDER BY updated_at DESC, id DESC LIMIT ?",
				pipeline, st.ID, limitPerStage)
			ids, err := store.Collect(rows, err, func(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) })
			if err != nil {
				return Board{}, err
			}
			all = append(all, ids...)
		}
		ends[i] = len(all)
	}
	cards, err := s.cards(r, all)
	if err != nil {
		return Board{}, err
	}
	byContact := make(map[id.ID]Card, len(cards))
	for _, c := range cards {
		byContact[c.Contact.ID] = c
	}
	b := Board{Pipeline: p, Columns: make([]Column, len(p.Stages))}
	begin := 0
	for i, st := range p.Stages {
		col := Column{Stage: st, Count: sums[st.ID].Count, Value: sums[st.ID].Value}
		for _, cid := range all[begin:ends[i]] {
			// A card that moved between the queries stands in its new stage only.
			if c, ok := byContact[cid]; ok && c.Deal.Stage == st.ID && c.Deal.Status != Archived {
				col.Cards = append(col.Cards, c)
			}
		}
		begin, b.Columns[i] = ends[i], col
	}
	return b, nil
}
