package deal

import (
	"context"
	"database/sql"
	"slices"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Pipelines returns the tenant's pipelines with their stages, by position. A
// tenant without an active one gets one from the template "sales".
func (s *Service) Pipelines(ctx context.Context, tenant id.ID) ([]Pipeline, error) {
	list, err := pipelines(s.db.Read(ctx, tenant), "")
	if err != nil || slices.ContainsFunc(list, func(p Pipeline) bool { return p.Active }) {
		return list, err
	}
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) ([]Pipeline, error) {
		if _, _, err := s.DefaultIn(tx); err != nil {
			return nil, err
		}
		return pipelines(tx, "")
	})
}

// Pipeline returns one pipeline with its stages. NotFound.
func (s *Service) Pipeline(ctx context.Context, tenant, pipeline id.ID) (Pipeline, error) {
	return s.PipelineIn(s.db.Read(ctx, tenant), pipeline)
}

// PipelineIn is Pipeline on a reader.
func (s *Service) PipelineIn(r store.Reader, pipeline id.ID) (Pipeline, error) {
	return one(pipelines(r, " AND p.id=?", pipeline))
}

func one(list []Pipeline, err error) (Pipeline, error) {
	if err != nil {
		return Pipeline{}, err
	}
	if len(list) == 0 {
		return Pipeline{}, fault.Unknown("pipeline")
	}
	return list[0], nil
}

// DefaultIn returns the pipeline and the stage where cards without one begin:
// the default pipeline when it is active and has stages, else the oldest such one,
// else a new one from the template "sales" (reference §4.2); and its default stage,
// else its first. However many ask at once, one pipeline is made.
func (s *Service) DefaultIn(tx *store.Tx) (Pipeline, Stage, error) {
	p, err := defaultPipeline(tx)
	if err != nil {
		return Pipeline{}, Stage{}, err
	}
	if p.ID.IsZero() {
		if err := tx.Lock("pipeline", "default"); err != nil {
			return Pipeline{}, Stage{}, err
		}
		if p, err = defaultPipeline(tx); err != nil {
			return Pipeline{}, Stage{}, err
		}
	}
	if p.ID.IsZero() {
		if p, err = s.CreatePipelineIn(tx, NewPipeline{Name: "Sales Pipeline"}); err != nil {
			return Pipeline{}, Stage{}, err
		}
	}
	st, err := p.entry()
	return p, st, err
}

// defaultID is the pipeline where cards without one begin. One without stages is
// passed over: a person who writes to us must find a place.
const defaultID = "(SELECT q.id FROM pipeline q WHERE q.tenant_id=?1 AND q.is_active AND EXISTS (SELECT 1 FROM stage x WHERE x.tenant_id=q.tenant_id AND x.pipeline_id=q.id)" +
	" ORDER BY q.is_default DESC, q.created_at, q.id LIMIT 1)"

func defaultPipeline(r store.Reader) (Pipeline, error) {
	list, err := pipelines(r, " AND p.id = "+defaultID)
	if err != nil || len(list) == 0 {
		return Pipeline{}, err
	}
	return list[0], nil
}

// entry is the stage where a pipeline's cards begin.
func (p *Pipeline) entry() (Stage, error) {
	for _, st := range p.Stages {
		if st.Default {
			return st, nil
		}
	}
	if len(p.Stages) == 0 {
		return Stage{}, fault.New(fault.Unready, "the pipeline %q has no stages; add one first", p.Name).Because("pipeline")
	}
	return p.Stages[0], nil
}

const (
	pipelineColumns = "p.id, p.name, p.description, p.position, p.is_default, p.is_active, p.created_at, p.updated_at"
	stageColumns    = "s.id, s.pipeline_id, s.name, s.color, s.position, s.probability, s.is_default, s.is_won, s.is_lost, s.auto_actions, s.created_at, s.updated_at"
)

func (p *Pipeline) fields() []any {
	return []any{&p.ID, &p.Name, &p.Description, &p.Position, &p.Default, &p.Active, store.Time(&p.CreatedAt), store.Time(&p.UpdatedAt)}
}

func (s *Stage) fields() []any {
	return []any{&s.ID, &s.Pipeline, &s.Name, &s.Color, &s.Position, &s.Probability, &s.Default, &s.Won, &s.Lost, store.JSON(&s.AutoActions), store.Time(&s.CreatedAt), store.Time(&s.UpdatedAt)}
}

// pipelines reads pipelines, by position, and then their stages.
func pipelines(r store.Reader, where string, args ...any) ([]Pipeline, error) {
	rows, err := r.Query("SELECT "+pipelineColumns+" FROM pipeline p WHERE p.tenant_id=?"+where+" ORDER BY p.position, p.id", args...)
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (p Pipeline, err error) { return p, rows.Scan(p.fields()...) })
	if err != nil || len(list) == 0 {
		return nil, err
	}
	at := map[id.ID]*Pipeline{}
	ids := make([]id.ID, len(list))
	for i := range list {
		ids[i], at[list[i].ID] = list[i].ID, &list[i]
	}
	places, values := contact.Among(ids)
	rows, err = r.Query("SELECT "+stageColumns+" FROM stage s WHERE s.tenant_id=? AND s.pipeline_id IN "+places+" ORDER BY s.pipeline_id, s.position, s.id", values...)
	stages, err := store.Collect(rows, err, func(rows *sql.Rows) (st Stage, err error) { return st, rows.Scan(st.fields()...) })
	for _, st := range stages {
		p := at[st.Pipeline]
		p.Stages = append(p.Stages, st)
	}
	return list, err
}

// placement is where a deal stands.
type placement struct {
	Pipeline Pipeline // without Stages
	Stage    Stage
}

// placements returns stages with their pipelines. IDs that the tenant does not
// have are left out.
func placements(r store.Reader, stages []id.ID) (map[id.ID]placement, error) {
	out := make(map[id.ID]placement, len(stages))
	if len(stages) == 0 {
		return out, nil
	}
	places, args := contact.Among(stages)
	rows, err := r.Query("SELECT "+pipelineColumns+", "+stageColumns+" FROM stage s JOIN pipeline p ON p.tenant_id=s.tenant_id AND p.id=s.pipeline_id WHERE s.tenant_id=? AND s.id IN "+places, args...)
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (p placement, err error) {
		return p, rows.Scan(append(p.Pipeline.fields(), p.Stage.fields()...)...)
	})
	for _, p := range list {
		out[p.Stage.ID] = p
	}
	return out, err
}

// holdStage makes a stage stay as it is until the commit: whoever deletes it or makes
// it a won or lost one waits, and whoever came after a deletion is told. Every
// statement that puts a deal into a stage comes after it, as the last lock but the
// outbox's. SQLite has one writer.
func holdStage(tx *store.Tx, stage id.ID) error {
	_, _, err := heldStage(tx, stage)
	return err
}

// heldStage is holdStage that tells what the stage is now.
func heldStage(tx *store.Tx, stage id.ID) (won, lost bool, err error) {
	if tx.Dialect() == store.SQLite {
		return false, false, nil
	}
	found, err := store.Found(tx.QueryRow("SELECT is_won, is_lost FROM stage WHERE tenant_id=? AND id=? FOR SHARE", stage).Scan(&won, &lost))
	if err == nil && !found {
		err = fault.Unknown("stage")
	}
	return won, lost, err
}

// hold is holdStage for a card that is to begin where place found, by the pipeline and
// the stage that somebody named, and returns where that is now: the stage may have
// become a won or lost one, and one that nobody named may have given way to another.
func (s *Service) hold(tx *store.Tx, at placement, pipeline, stage id.ID) (placement, error) {
	if tx.Dialect() == store.SQLite { // nobody else writes
		return at, nil
	}
	for {
		won, lost, err := heldStage(tx, at.Stage.ID)
		if f := fault.As(err); f != nil && f.Code == fault.NotFound && stage.IsZero() {
			if at, err = s.place(tx, pipeline, stage); err != nil {
				return at, err
			}
			continue
		}
		at.Stage.Won, at.Stage.Lost = won, lost
		return at, err
	}
}

func stageIn(r store.Reader, stage id.ID) (placement, error) {
	m, err := placements(r, []id.ID{stage})
	if err != nil {
		return placement{}, err
	}
	p, ok := m[stage]
	if !ok {
		return placement{}, fault.Unknown("stage")
	}
	return p, nil
}

// place finds where a card shall begin.
func (s *Service) place(tx *store.Tx, pipeline, stage id.ID) (placement, error) {
	switch {
	case !stage.IsZero():
		p, err := stageIn(tx, stage)
		if err == nil && !pipeline.IsZero() && pipeline != p.Pipeline.ID {
			err = fault.Field("stage", "the stage belongs to another pipeline; name a stage of the given one")
		}
		return p, err
	case !pipeline.IsZero():
		p, err := s.PipelineIn(tx, pipeline)
		if err != nil {
			return placement{}, err
		}
		st, err := p.entry()
		p.Stages = nil
		return placement{p, st}, err
	}
	if at, found, err := s.usual.Get(tx, func() (placement, bool, error) { return usual(tx) }); err != nil || found {
		return at, err
	}
	p, st, err := s.DefaultIn(tx)
	p.Stages = nil
	return placement{p, st}, err
}

// usual is DefaultIn where there is nothing to make: one row instead of a
// pipeline with all its stages, because every new card asks for it.
func usual(r store.Reader) (at placement, found bool, err error) {
	found, err = store.Found(r.QueryRow("SELECT " + pipelineColumns + ", " + stageColumns + " FROM pipeline p JOIN stage s ON s.tenant_id=p.tenant_id AND s.pipeline_id=p.id" +
		" WHERE p.tenant_id=?1 AND p.id = " + defaultID + " ORDER BY s.is_default DESC, s.position, s.id LIMIT 1").
		Scan(append(at.Pipeline.fields(), at.Stage.fields()...)...))
	return at, found, err
}
