package deal

import (
	"context"
	"slices"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// PipelinePatch changes a pipeline; nil fields stay.
type PipelinePatch struct {
	Name, Description *string
	Position          *int // from 0; the others close up
}

// pipelineLock locks the order and the default of the tenant's pipelines, and
// the stages of one of them. It comes after the locks of contacts.
func (s *Service) pipelineLock(tx *store.Tx, pipeline id.ID) (Pipeline, error) {
	if err := tx.Lock("pipeline", "default", pipeline.String()); err != nil {
		return Pipeline{}, err
	}
	s.usual.Forget(tx)
	return s.PipelineIn(tx, pipeline)
}

// UpdatePipeline changes a pipeline and appends pipeline.updated with the names
// of what changed. Faults: NotFound; Invalid naming "name", "description" or
// "order".
func (s *Service) UpdatePipeline(ctx context.Context, tenant id.ID, actor string, pipeline id.ID, p PipelinePatch) (Pipeline, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Pipeline, error) {
		now, err := s.pipelineLock(tx, pipeline)
		if err != nil {
			return now, err
		}
		var changed []string
		if p.Name != nil {
			name, err := pipelineName(*p.Name)
			if err != nil {
				return now, err
			}
			if name != now.Name {
				now.Name, changed = name, append(changed, "name")
			}
		}
		if p.Description != nil {
			text, err := contact.Line("description", *p.Description, 2000)
			if err != nil {
				return now, err
			}
			if text != now.Description {
				now.Description, changed = text, append(changed, "description")
			}
		}
		if p.Position != nil && *p.Position != now.Position {
			if now.Position, err = arrange(tx, pipeline, *p.Position); err != nil {
				return now, err
			}
			changed = append(changed, "order")
		}
		if len(changed) == 0 {
			return now, nil
		}
		now.UpdatedAt = tx.Now()
		if _, err := tx.Exec("UPDATE pipeline SET name=?, description=?, updated_at=? WHERE tenant_id=? AND id=?", now.Name, now.Description, now.UpdatedAt, pipeline); err != nil {
			return now, err
		}
		return now, s.appendAbout(tx, actor, "pipeline.updated", pipeline, id.Zero, changed...)
	})
}

// arrange puts a pipeline at a place among the others and closes the gaps.
func arrange(tx *store.Tx, pipeline id.ID, place int) (int, error) {
	all, err := pipelines(tx, "")
	if err != nil {
		return 0, err
	}
	if place < 0 {
		return 0, fault.Field("order", "the order of a pipeline counts from 0")
	}
	ids := make([]id.ID, 0, len(all))
	for _, p := range all {
		if p.ID != pipeline {
			ids = append(ids, p.ID)
		}
	}
	place = min(place, len(ids))
	ids = slices.Insert(ids, place, pipeline)
	at := map[id.ID]int{}
	for _, p := range all {
		at[p.ID] = p.Position
	}
	for i, v := range ids {
		if at[v] == i {
			continue
		}
		if _, err := tx.Exec("UPDATE pipeline SET position=? WHERE tenant_id=? AND id=?", i, v); err != nil {
			return 0, err
		}
	}
	return place, nil
}

// SetDefault makes a pipeline the one where cards without a pipeline go, and
// appends pipeline.updated for it and for the one before. Faults: NotFound;
// Conflict for an archived pipeline or one without stages.
func (s *Service) SetDefault(ctx context.Context, tenant id.ID, actor string, pipeline id.ID) (Pipeline, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Pipeline, error) {
		p, err := s.pipelineLock(tx, pipeline)
		switch {
		case err != nil || p.Default:
			return p, err
		case !p.Active:
			return p, fault.New(fault.Conflict, "an archived pipeline cannot be the default one").Because("pipeline")
		case len(p.Stages) == 0:
			return p, fault.New(fault.Conflict, "a pipeline without stages cannot be the default one; add a stage first").Because("pipeline")
		}
		before, err := pipelines(tx, " AND p.is_default")
		if err != nil {
			return p, err
		}
		if _, err := tx.Exec("UPDATE pipeline SET is_default=?, updated_at=? WHERE tenant_id=? AND is_default", false, tx.Now()); err != nil {
			return p, err
		}
		p.Default, p.UpdatedAt = true, tx.Now()
		if _, err := tx.Exec("UPDATE pipeline SET is_default=?, updated_at=? WHERE tenant_id=? AND id=?", true, p.UpdatedAt, pipeline); err != nil {
			return p, err
		}
		for _, old := range append(before, p) {
			if err := s.appendAbout(tx, actor, "pipeline.updated", old.ID, id.Zero, "isDefault"); err != nil {
				return p, err
			}
		}
		return p, nil
	})
}

// ArchivePipeline puts a pipeline away: its deals stay where they stand and can
// be moved, but no card begins there by itself. Archiving again changes nothing.
// Faults: NotFound; Conflict for the default pipeline.
func (s *Service) ArchivePipeline(ctx context.Context, tenant id.ID, actor string, pipeline id.ID) (Pipeline, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Pipeline, error) {
		p, err := s.pipelineLock(tx, pipeline)
		if err != nil || !p.Active {
			return p, err
		}
		if p.Default {
			return p, fault.New(fault.Conflict, "the default pipeline cannot be archived; make another one the default first").Because("pipeline")
		}
		p.Active, p.UpdatedAt = false, tx.Now()
		if _, err := tx.Exec("UPDATE pipeline SET is_active=?, updated_at=? WHERE tenant_id=? AND id=?", false, p.UpdatedAt, pipeline); err != nil {
			return p, err
		}
		return p, s.appendAbout(tx, actor, "pipeline.updated", pipeline, id.Zero, "isActive")
	})
}

// DeletePipeline deletes a pipeline with its stages and appends stage.deleted for
// each and pipeline.deleted. Faults: NotFound; Conflict for the default pipeline
// and for one that deals stand in, archived ones too.
func (s *Service) DeletePipeline(ctx context.Context, tenant id.ID, actor string, pipeline id.ID) error {
	return s.db.Write(ctx, tenant, func(tx *store.Tx) error {
		p, err := s.pipelineLock(tx, pipeline)
		if err != nil {
			return err
		}
		if p.Default {
			return fault.New(fault.Conflict, "the default pipeline cannot be deleted; make another one the default first").Because("pipeline")
		}
		// The stages first: who is about to put a deal there commits before we count.
		if _, err := tx.Exec("DELETE FROM stage WHERE tenant_id=? AND pipeline_id=?", pipeline); err != nil {
			return err
		}
		n, err := inPipeline(tx, pipeline)
		if err != nil {
			return err
		}
		if n > 0 {
			return fault.New(fault.Conflict, "%d leads stand in this pipeline, archived ones included; move them to another one first", n).Because("pipeline").With("leadCount", n)
		}
		if _, err := tx.Exec("DELETE FROM deal_tally WHERE tenant_id=? AND pipeline_id=?", pipeline); err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM pipeline WHERE tenant_id=? AND id=?", pipeline); err != nil {
			return err
		}
		for _, st := range p.Stages {
			if err := s.appendAbout(tx, actor, "stage.deleted", st.ID, id.Zero, "pipeline:"+pipeline.String()); err != nil {
				return err
			}
		}
		return s.appendAbout(tx, actor, "pipeline.deleted", pipeline, id.Zero)
	})
}

// inPipeline counts the deals of a pipeline, archived ones too, by the index
// deal_board.
func inPipeline(r store.Reader, pipeline id.ID) (n int, err error) {
	err = r.QueryRow("SELECT COUNT(*) FROM deal WHERE tenant_id=? AND pipeline_id=?", pipeline).Scan(&n)
	return n, err
}

// DealsIn tells how many deals stand in a pipeline, archived ones included,
// because these keep it from being deleted too. NotFound.
func (s *Service) DealsIn(ctx context.Context, tenant, pipeline id.ID) (int, error) {
	r := s.db.Read(ctx, tenant)
	if _, err := s.PipelineIn(r, pipeline); err != nil {
		return 0, err
	}
	sums, err := tallies(r, " AND pipeline_id=?", pipeline)
	n := 0
	for _, t := range sums {
		n += t.deals
	}
	return n, err
}

// Duplicate makes a pipeline with the stages of another one and no deals; a name
// of "" is the other's with " (copy)". Faults: NotFound; Invalid naming "name".
func (s *Service) Duplicate(ctx context.Context, tenant id.ID, actor string, pipeline id.ID, name string) (Pipeline, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Pipeline, error) {
		from, err := s.PipelineIn(tx, pipeline)
		if err != nil {
			return from, err
		}
		n := NewPipeline{Name: name, Description: from.Description, Template: "custom"}
		if n.Name == "" {
			n.Name = cut(from.Name, 190) + " (copy)"
		}
		entry := id.Zero
		for _, st := range from.Stages {
			n.Stages = append(n.Stages, NewStage{Name: st.Name, Color: st.Color, Probability: st.Probability, Won: st.Won, Lost: st.Lost, AutoActions: st.AutoActions})
			if st.Default {
				entry = st.ID
			}
		}
		p, err := s.createPipeline(tx, actor, n)
		if err != nil {
			return p, err
		}
		for i, st := range from.Stages {
			if st.ID == entry && i > 0 {
				_, err = setEntry(tx, &p, p.Stages[i].ID) // part of pipeline.created
			}
		}
		return p, err
	})
}

// setEntry makes a stage the one where a pipeline's cards begin, and returns the
// stages that changed by it.
func setEntry(tx *store.Tx, p *Pipeline, stage id.ID) (changed []id.ID, err error) {
	for i := range p.Stages {
		st := &p.Stages[i]
		if want := st.ID == stage; st.Default != want {
			st.Default, st.UpdatedAt = want, tx.Now()
			if _, err := tx.Exec("UPDATE stage SET is_default=?, updated_at=? WHERE tenant_id=? AND id=?", want, st.UpdatedAt, st.ID); err != nil {
				return nil, err
			}
			changed = append(changed, st.ID)
		}
	}
	return changed, nil
}

// entryTold tells of the stages that became the default one or ceased to be it,
// but for the one whose event says so already.
func (s *Service) entryTold(tx *store.Tx, actor string, changed []id.ID, but id.ID) error {
	for _, v := range changed {
		if v == but {
			continue
		}
		if err := s.appendAbout(tx, actor, "stage.updated", v, id.Zero, "isDefault"); err != nil {
			return err
		}
	}
	return nil
}

// cut shortens text to at most n characters.
func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}
