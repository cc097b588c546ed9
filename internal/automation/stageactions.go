package automation

import (
	"encoding/json"
	"fmt"
	"strings"

	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// OriginStage is the origin of the hidden rule that carries out what a stage
// wants done when a lead enters it (reference 3.2, 6 row 37). Authors see and
// change the stage, never the rule; its runs say where they come from.
const OriginStage = "stage"

// CheckActions returns a fault naming the field, such as
// "autoActions[1].config.tag", of the first action that could not be carried
// out.
func CheckActions(field string, actions []map[string]any) error {
	for i, a := range actions {
		if _, err := readForm(stageForm("check", id.Zero, []any{a})); err != nil {
			return moved(err, "actions[0]", fmt.Sprintf("%s[%d]", field, i))
		}
	}
	return nil
}

// moved gives a fault's field another beginning.
func moved(err error, from, to string) error {
	f := fault.As(err)
	if f == nil || !strings.HasPrefix(f.Field, from) {
		return err
	}
	c := *f
	c.Field = to + strings.TrimPrefix(f.Field, from)
	c.Message = strings.ReplaceAll(f.Message, f.Field, c.Field)
	return &c
}

func stageForm(name string, stage id.ID, actions []any) map[string]any {
	return map[string]any{"name": name, "trigger": "stage_enter", "triggerConfig": map[string]any{"stageId": stage.String()}, "actions": actions}
}

// stageWants reports whether an event is a move into a stage that has actions.
func (s *Service) stageWants(tx *store.Tx, e event.Event) (bool, error) {
	if e.Type != "deal.moved" {
		return false, nil
	}
	_, st, err := s.cards.StageIn(tx, changedID(e, "stage:"))
	if f := fault.As(err); f != nil && f.Code == fault.NotFound {
		return false, nil
	}
	return len(st.AutoActions) > 0, err
}

// stageRule brings the rule of a stage that somebody enters in step with what
// the stage says now, in the transaction that starts it: so what the stage says
// is what runs, without anything in between that could be late.
func (s *Service) stageRule(tx *store.Tx, h happening) ([]candidate, error) {
	if h.trigger != "stage_enter" {
		return nil, nil
	}
	stage, err := id.Parse(h.facts.stage)
	if err != nil {
		return nil, nil
	}
	if err := s.syncStage(tx, stage); err != nil {
		return nil, err
	}
	return s.candidatesWhere(tx, "origin=? AND origin_id=?", OriginStage, stage)
}

func (s *Service) syncStage(tx *store.Tx, stage id.ID) error {
	p, st, err := s.cards.StageIn(tx, stage)
	if f := fault.As(err); f != nil && f.Code == fault.NotFound {
		st = deal.Stage{ID: stage} // gone: nothing is to be done there
	} else if err != nil {
		return err
	}
	was, known, err := ownedRule(tx, OriginStage, stage)
	if err != nil || !known && len(st.AutoActions) == 0 || known && same(was, p, st) {
		return err
	}
	if err := tx.Lock("stage_rule", stage.String()); err != nil {
		return err
	}
	if was, known, err = ownedRule(tx, OriginStage, stage); err != nil || known && same(was, p, st) {
		return err
	}
	return s.saveStageRule(tx, was, known, p, st)
}

// same reports whether a rule does what its stage says.
func same(r Rule, p deal.Pipeline, st deal.Stage) bool {
	want, err := json.Marshal(st.AutoActions)
	have, err2 := json.Marshal(r.Definition["autoActions"])
	return err == nil && err2 == nil && r.Active == (len(st.AutoActions) > 0) && (string(want) == string(have) && r.Name == stageName(p, st) || !r.Active)
}

func stageName(p deal.Pipeline, st deal.Stage) string {
	return cut("Stage "+st.Name+" of "+p.Name, maxName)
}

func (s *Service) saveStageRule(tx *store.Tx, r Rule, known bool, p deal.Pipeline, st deal.Stage) error {
	usable, problems := []any{}, []string(nil)
	for i, a := range st.AutoActions {
		if err := CheckActions("autoActions", []map[string]any{a}); err != nil {
			problems = append(problems, fmt.Sprintf("autoActions[%d]: %v", i, err))
			continue
		}
		usable = append(usable, a)
	}
	form := stageForm(stageName(p, st), st.ID, usable)
	form["autoActions"] = st.AutoActions
	f, err := readForm(form)
	if err != nil {
		return err
	}
	f.graph.Unusable = problems
	if f.stored, err = json.Marshal(f.graph); err != nil {
		return err
	}
	active := len(st.AutoActions) > 0
	if !known {
		r = Rule{ID: id.New(), Name: f.name, Trigger: f.trigger, Active: active, Version: 1, Definition: f.def, Origin: OriginStage, OriginID: st.ID, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
		if err := s.insertRule(tx, &r); err != nil {
			return err
		}
		return insertVersion(tx, r.ID, 1, f)
	}
	r.Name, r.Active, r.Definition, r.UpdatedAt = f.name, active, f.def, tx.Now()
	if unchanged, err := sameGraph(tx, r, f.graph); err != nil {
		return err
	} else if !unchanged {
		r.Version++
		if err := insertVersion(tx, r.ID, r.Version, f); err != nil {
			return err
		}
	}
	return s.updateRule(tx, &r)
}

// ownedRule returns the rule that belongs to something else.
func ownedRule(r store.Reader, origin string, owner id.ID) (Rule, bool, error) {
	v, err := scanRule(r.QueryRow("SELECT "+ruleColumns+" FROM automation WHERE tenant_id=? AND origin=? AND origin_id=?", origin, owner))
	ok, err := store.Found(err)
	return v, ok, err
}

// ownedElsewhere refuses what an author may not do to a rule that belongs to
// something else.
func ownedElsewhere(r Rule) error {
	if r.Origin == "" {
		return nil
	}
	return fault.New(fault.Conflict, "this automation belongs to a %s; change the %s's autoActions instead", r.Origin, r.Origin)
}

// unusable is the verdict on those actions of a stage that cannot be carried out.
func unusable(problems []string) *verdict {
	return &verdict{Outcome: OutcomeUnusable, Note: "of the stage's actions these could not be carried out: " + cut(strings.Join(problems, "; "), 800)}
}
