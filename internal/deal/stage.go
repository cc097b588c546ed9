package deal

import (
	"context"
	"reflect"
	"slices"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// StagePatch changes a stage; nil fields stay.
type StagePatch struct {
	Name, Color *string
	Probability *int
	Won, Lost   *bool
	Default     *bool // true takes the place of the pipeline's present default
	Position    *int  // from 0; the others close up
	AutoActions *[]map[string]any
}

// AddStage adds a stage to a pipeline: behind the stage at position after, before
// the first with -1, at the end with nil. It appends stage.created. Faults:
// NotFound "pipeline"; Invalid naming the field; Conflict for a full pipeline.
func (s *Service) AddStage(ctx context.Context, tenant id.ID, actor string, pipeline id.ID, n NewStage, after *int) (Stage, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Stage, error) {
		p, err := s.pipelineLock(tx, pipeline)
		if err != nil {
			return Stage{}, err
		}
		if len(p.Stages) >= maxStages {
			return Stage{}, fault.New(fault.Conflict, "a pipeline has at most %d stages; delete one first", maxStages).Because("pipeline")
		}
		at := len(p.Stages)
		if after != nil {
			if *after < -1 {
				return Stage{}, fault.Field("insertAfterOrder", "insertAfterOrder is the order of a stage, or -1 for the first place")
			}
			at = min(*after+1, at)
		}
		st, err := s.insertStage(tx, pipeline, at, len(p.Stages) == 0, n)
		if err != nil {
			return st, err
		}
		if err := place(tx, slices.Insert(p.Stages, at, st)); err != nil {
			return st, err
		}
		return st, s.appendAbout(tx, actor, "stage.created", st.ID, id.Zero, "pipeline:"+pipeline.String())
	})
}

// place writes the positions of a pipeline's stages, in the order given.
func place(tx *store.Tx, stages []Stage) error {
	for i := range stages {
		if stages[i].Position == i {
			continue
		}
		stages[i].Position, stages[i].UpdatedAt = i, tx.Now()
		if _, err := tx.Exec("UPDATE stage SET position=?, updated_at=? WHERE tenant_id=? AND id=?", i, tx.Now(), stages[i].ID); err != nil {
			return err
		}
	}
	return nil
}

// ReorderStages puts the stages of a pipeline into the order given, which must
// name each of them once, and appends stage.updated for those that changed
// places. Faults: NotFound "pipeline"; Invalid naming "order".
func (s *Service) ReorderStages(ctx context.Context, tenant id.ID, actor string, pipeline id.ID, order []id.ID) ([]Stage, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) ([]Stage, error) {
		p, err := s.pipelineLock(tx, pipeline)
		if err != nil {
			return nil, err
		}
		at := make(map[id.ID]Stage, len(p.Stages))
		for _, st := range p.Stages {
			at[st.ID] = st
		}
		next := make([]Stage, 0, len(order))
		for _, v := range order {
			st, ok := at[v]
			if !ok {
				return nil, fault.Field("order", "the order names a stage twice, or one that is not of this pipeline")
			}
			delete(at, v)
			next = append(next, st)
		}
		if len(at) > 0 {
			return nil, fault.Field("order", "the order must name every stage of the pipeline; %d are missing", len(at))
		}
		return next, s.reordered(tx, actor, next)
	})
}

// reordered writes a new order and tells of it.
func (s *Service) reordered(tx *store.Tx, actor string, next []Stage) error {
	var moved []id.ID
	for i, st := range next {
		if st.Position != i {
			moved = append(moved, st.ID)
		}
	}
	if err := place(tx, next); err != nil {
		return err
	}
	for _, v := range moved {
		if err := s.appendAbout(tx, actor, "stage.updated", v, id.Zero, "order"); err != nil {
			return err
		}
	}
	return nil
}

// maxTogether is how many deals one change of a stage takes along in its
// transaction.
const maxTogether = 1000

// UpdateStage changes a stage and appends stage.updated with the names of what
// changed. When it begins or ends being a won or lost stage, its deals follow:
// they are won, lost or open from now on, with their events. Faults: NotFound
// "stage"; Invalid naming the field; Conflict when more than 1000 deals would
// have to follow.
func (s *Service) UpdateStage(ctx context.Context, tenant id.ID, actor string, stage id.ID, p StagePatch) (Stage, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Stage, error) {
		was, err := stageIn(tx, stage)
		if err != nil {
			return Stage{}, err
		}
		ends := p.Won != nil && *p.Won != was.Stage.Won || p.Lost != nil && *p.Lost != was.Stage.Lost
		var people []id.ID
		if ends { // contacts are locked before pipelines
			if people, err = s.lockPeople(tx, stage); err != nil {
				return Stage{}, err
			}
		}
		pl, err := s.pipelineLock(tx, was.Pipeline.ID)
		if err != nil {
			return Stage{}, err
		}
		i := slices.IndexFunc(pl.Stages, func(st Stage) bool { return st.ID == stage })
		if i < 0 {
			return Stage{}, fault.Unknown("stage")
		}
		before := pl.Stages[i]
		st, changed, err := p.apply(before)
		if err != nil || len(changed) == 0 {
			return st, err
		}
		if p.Default != nil && *p.Default != before.Default {
			if !*p.Default {
				return st, fault.Field("isDefault", "a pipeline needs a default stage; make another stage the default instead")
			}
			told, err := setEntry(tx, &pl, stage)
			if err == nil {
				err = s.entryTold(tx, actor, told, stage)
			}
			if err != nil {
				return st, err
			}
		}
		st.UpdatedAt = tx.Now()
		if _, err := tx.Exec("UPDATE stage SET name=?, color=?, probability=?, is_won=?, is_lost=?, auto_actions=?, updated_at=? WHERE tenant_id=? AND id=?",
			st.Name, st.Color, st.Probability, st.Won, st.Lost, store.JSON(st.AutoActions), st.UpdatedAt, st.ID); err != nil {
			return st, err
		}
		if p.Position != nil && *p.Position != before.Position {
			if *p.Position < 0 {
				return st, fault.Field("order", "the order of a stage counts from 0")
			}
			next := slices.Delete(slices.Clone(pl.Stages), i, i+1)
			at := min(*p.Position, len(next))
			if err := place(tx, slices.Insert(next, at, pl.Stages[i])); err != nil {
				return st, err
			}
			st.Position = at
		}
		if st.status() != before.status() {
			if err := s.follow(tx, actor, st, people); err != nil {
				return st, err
			}
		}
		return st, s.appendAbout(tx, actor, "stage.updated", st.ID, id.Zero, changed...)
	})
}

// apply returns the stage with the patch, checked, and the names of what changed.
func (p StagePatch) apply(st Stage) (Stage, []string, error) {
	var changed []string
	set(&st.Name, p.Name, "name", &changed)
	set(&st.Color, p.Color, "color", &changed)
	set(&st.Probability, p.Probability, "probability", &changed)
	set(&st.Won, p.Won, "isWon", &changed)
	set(&st.Lost, p.Lost, "isLost", &changed)
	set(&st.Default, p.Default, "isDefault", &changed)
	if p.Position != nil && *p.Position != st.Position {
		changed = append(changed, "order")
	}
	if p.AutoActions != nil && !reflect.DeepEqual(*p.AutoActions, st.AutoActions) && len(*p.AutoActions)+len(st.AutoActions) > 0 {
		st.AutoActions, changed = *p.AutoActions, append(changed, "autoActions")
	}
	return st, changed, st.check()
}

func set[T comparable](at *T, to *T, name string, changed *[]string) {
	if to != nil && *to != *at {
		*at, *changed = *to, append(*changed, name)
	}
}

// follow gives the deals of a stage the status that the stage has now.
func (s *Service) follow(tx *store.Tx, actor string, st Stage, locked []id.ID) error {
	deals, err := s.heldDeals(tx, st.ID, locked)
	if err != nil {
		return err
	}
	for _, d := range deals {
		if d.Status == Archived || d.Status == st.status() {
			continue
		}
		card, err := s.dealCard(tx, d)
		if err != nil {
			return err
		}
		if err := s.end(tx, actor, &card, st.status()); err != nil {
			return err
		}
	}
	return nil
}

// dealCard is the card of one deal, which need not be the primary one.
func (s *Service) dealCard(tx *store.Tx, d Deal) (Card, error) {
	list, err := s.cardsOf(tx, []Deal{d})
	if err != nil {
		return Card{}, err
	}
	if len(list) == 0 {
		return Card{}, fault.Unknown("contact")
	}
	return list[0], nil
}

// lockPeople locks the contacts whose deals stand in a stage.
func (s *Service) lockPeople(tx *store.Tx, stage id.ID) ([]id.ID, error) {
	deals, err := stageDeals(tx, stage)
	if err != nil {
		return nil, err
	}
	people := make([]id.ID, 0, len(deals))
	keys := make([]string, 0, len(deals))
	for _, d := range deals {
		people, keys = append(people, d.Contact), append(keys, d.Contact.String())
	}
	slices.Sort(keys)
	return people, tx.Lock("contact", slices.Compact(keys)...)
}

// heldDeals returns the deals of a stage once nobody can put another one there,
// whose contacts the caller has locked.
func (s *Service) heldDeals(tx *store.Tx, stage id.ID, locked []id.ID) ([]Deal, error) {
	var one int
	// On PostgreSQL this waits for those who hold the stage (holdStage).
	found, err := store.Found(tx.QueryRow("SELECT 1 FROM stage WHERE tenant_id=? AND id=?"+tx.Dialect().ForUpdate(), stage).Scan(&one))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fault.Unknown("stage")
	}
	deals, err := stageDeals(tx, stage)
	if err != nil {
		return nil, err
	}
	for _, d := range deals {
		if !slices.Contains(locked, d.Contact) {
			return nil, fault.New(fault.Unavailable, "somebody else is moving leads into this stage; try again")
		}
	}
	return deals, nil
}

// stageDeals reads the deals of a stage, archived ones too, by the index
// deal_board.
func stageDeals(r store.Reader, stage id.ID) ([]Deal, error) {
	rows, err := r.Query("SELECT "+dealColumns+" FROM deal WHERE tenant_id=?1 AND pipeline_id=(SELECT pipeline_id FROM stage WHERE tenant_id=?1 AND id=?2) AND stage_id=?2 ORDER BY updated_at, id LIMIT ?3",
		stage, maxTogether+1)
	list, err := store.Collect(rows, err, scanDeal)
	if err == nil && len(list) > maxTogether {
		err = fault.New(fault.Conflict, "more than %d leads stand in this stage, archived ones included; move some of them first", maxTogether).Because("stage")
	}
	return list, err
}

// DeleteStage deletes a stage. Its deals, archived ones too, move to the fallback
// stage, of any pipeline, in the same transaction, each as an ordinary move; a
// zero fallback means that there must be none. The default stage of the pipeline
// is then its first. It returns how many deals moved, and appends stage.deleted.
// Faults: NotFound "stage" (with the field "fallback" for that one);
// Invalid naming "fallback"; Conflict when deals stand there and no
// fallback is given, when there are more than 1000 of them, and for the last
// stage of the default pipeline.
func (s *Service) DeleteStage(ctx context.Context, tenant id.ID, actor string, stage, fallback id.ID) (moved int, err error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (int, error) { return s.deleteStage(tx, actor, stage, fallback) })
}

func (s *Service) deleteStage(tx *store.Tx, actor string, stage, fallback id.ID) (int, error) {
	at, err := stageIn(tx, stage)
	if err != nil {
		return 0, err
	}
	if fallback == stage {
		return 0, fault.Field("fallback", "the leads cannot move to the stage that is deleted; name another one")
	}
	if !fallback.IsZero() {
		if _, err := stageIn(tx, fallback); err != nil {
			return 0, inFallback(err)
		}
	}
	people, err := s.lockPeople(tx, stage)
	if err != nil {
		return 0, err
	}
	if len(people) > 0 && fallback.IsZero() {
		return 0, occupied(len(people))
	}
	p, err := s.pipelineLock(tx, at.Pipeline.ID)
	if err != nil {
		return 0, err
	}
	if p.Default && len(p.Stages) < 2 {
		return 0, fault.New(fault.Conflict, "this is the last stage of the default pipeline; add another stage first").Because("stage")
	}
	deals, err := s.heldDeals(tx, stage, people)
	if err != nil {
		return 0, err
	}
	for _, d := range deals {
		card, err := s.dealCard(tx, d)
		if err == nil {
			_, err = s.move(tx, actor, card, fallback)
		}
		if err != nil {
			return 0, inFallback(err)
		}
	}
	return len(deals), s.dropStage(tx, actor, p, stage)
}

func occupied(n int) error {
	return fault.New(fault.Conflict, "%d leads stand in this stage; name the stage they move to", n).Because("stage").With("leadCount", n)
}

func inFallback(err error) error {
	if f := fault.As(err); f != nil && f.Code == fault.NotFound && f.Reason == "stage" {
		c := *f
		c.Field = "fallback"
		return &c
	}
	return err
}

// dropStage deletes an empty stage and closes the gap.
func (s *Service) dropStage(tx *store.Tx, actor string, p Pipeline, stage id.ID) error {
	if _, err := tx.Exec("DELETE FROM stage WHERE tenant_id=? AND id=?", stage); err != nil {
		return err
	}
	// The pipeline stands in it too, because that is how the key begins.
	if _, err := tx.Exec("DELETE FROM deal_tally WHERE tenant_id=? AND pipeline_id=? AND stage_id=?", p.ID, stage); err != nil {
		return err
	}
	i := slices.IndexFunc(p.Stages, func(st Stage) bool { return st.ID == stage })
	if i < 0 {
		return fault.Unknown("stage")
	}
	wasEntry := p.Stages[i].Default
	p.Stages = slices.Delete(p.Stages, i, i+1)
	if wasEntry && len(p.Stages) > 0 {
		told, err := setEntry(tx, &p, p.Stages[0].ID)
		if err == nil {
			err = s.entryTold(tx, actor, told, id.Zero)
		}
		if err != nil {
			return err
		}
	}
	if err := place(tx, p.Stages); err != nil {
		return err
	}
	return s.appendAbout(tx, actor, "stage.deleted", stage, id.Zero, "pipeline:"+p.ID.String())
}
