package deal

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// NewPipeline describes a pipeline to make. Without Stages it gets those of the
// Template, without one those of "sales". The tenant's first pipeline becomes the
// default one.
type NewPipeline struct {
	Name        string
	Description string
	Default     bool   // takes the place of the present default
	Template    string // see Templates; looked at only without Stages
	Stages      []NewStage
}

// NewStage describes a stage; the first one of a pipeline is its default.
type NewStage struct {
	Name        string
	Color       string // default #3b82f6
	Probability int    // percent
	Won, Lost   bool
	AutoActions []map[string]any
}

// DefaultColor is the colour of stages that name none (reference §3.2).
const DefaultColor = "#3b82f6"

// Bounds of what a pipeline holds, and of how many a tenant has.
const (
	maxPipelines   = 200
	maxStages      = 100
	maxAutoActions = 50
	maxActionsJSON = 64 << 10 // bytes of JSON of a stage's AutoActions
)

// salesTemplate is the stage template "sales" (reference §3.2).
var salesTemplate = []NewStage{
	{Name: "New Lead", Probability: 10},
	{Name: "Contacted", Probability: 25},
	{Name: "Qualified", Probability: 40},
	{Name: "Proposal Sent", Probability: 60},
	{Name: "Negotiation", Probability: 80},
	{Name: "Won", Probability: 100, Won: true},
	{Name: "Lost", Probability: 0, Lost: true},
}

var colorForm = regexp.MustCompile(`^#[0-9a-fA-F]{3,8}$`)

// CreatePipeline makes an active pipeline behind the others and appends
// pipeline.created, and pipeline.updated for the default one whose place it takes. Faults: Invalid naming "name", "description", "template" or
// "stages"; Conflict when the tenant has 200 of them.
func (s *Service) CreatePipeline(ctx context.Context, tenant id.ID, actor string, n NewPipeline) (Pipeline, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Pipeline, error) { return s.createPipeline(tx, actor, n) })
}

// CreatePipelineIn is CreatePipeline inside a transaction, for what the system
// makes by itself.
func (s *Service) CreatePipelineIn(tx *store.Tx, n NewPipeline) (Pipeline, error) {
	return s.createPipeline(tx, "system", n)
}

func (s *Service) createPipeline(tx *store.Tx, actor string, n NewPipeline) (p Pipeline, err error) {
	p = Pipeline{ID: id.New(), Active: true, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
	if p.Name, err = pipelineName(n.Name); err != nil {
		return p, err
	}
	if p.Description, err = contact.Line("description", n.Description, 2000); err != nil {
		return p, err
	}
	if len(n.Stages) == 0 {
		if n.Stages, err = templateStages(n.Template); err != nil {
			return p, err
		}
	}
	if len(n.Stages) > maxStages {
		return p, fault.Field("stages", "a pipeline has at most %d stages", maxStages)
	}
	if n.Default && len(n.Stages) == 0 {
		return p, fault.Field("isDefault", "a pipeline without stages cannot be the default one; name its stages")
	}
	if err := tx.Lock("pipeline", "default"); err != nil {
		return p, err
	}
	var count, defaults int
	if err := tx.QueryRow("SELECT COUNT(*), COUNT(CASE WHEN is_default THEN 1 END), COALESCE(MAX(position)+1, 0) FROM pipeline WHERE tenant_id=?").Scan(&count, &defaults, &p.Position); err != nil {
		return p, err
	}
	if count >= maxPipelines {
		return p, fault.New(fault.Conflict, "there are %d pipelines already; delete one first", count)
	}
	p.Default = n.Default || defaults == 0
	s.usual.Forget(tx)
	var before []Pipeline // that ceases to be the default one
	if p.Default && defaults > 0 {
		if before, err = pipelines(tx, " AND p.is_default"); err != nil {
			return p, err
		}
		if _, err := tx.Exec("UPDATE pipeline SET is_default=?, updated_at=? WHERE tenant_id=? AND is_default", false, tx.Now()); err != nil {
			return p, err
		}
	}
	rows, err := tx.Exec("INSERT INTO pipeline (tenant_id, id, name, description, position, is_default, is_active, created_at, updated_at) VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
		p.ID, p.Name, p.Description, p.Position, p.Default, p.Active, p.CreatedAt, p.UpdatedAt)
	if err != nil {
		return p, err
	}
	if rows == 0 { // the unique index pipeline_default
		return p, fault.New(fault.Unavailable, "somebody else is changing the default pipeline; try again")
	}
	for i, ns := range n.Stages {
		st, err := s.insertStage(tx, p.ID, i, i == 0, ns)
		if err != nil {
			return p, inStages(err)
		}
		p.Stages = append(p.Stages, st)
	}
	if err := s.appendAbout(tx, actor, "pipeline.created", p.ID, id.Zero); err != nil {
		return p, err
	}
	for _, old := range before {
		if err := s.appendAbout(tx, actor, "pipeline.updated", old.ID, id.Zero, "isDefault"); err != nil {
			return p, err
		}
	}
	return p, nil
}

func pipelineName(s string) (string, error) {
	name, err := contact.Line("name", s, 200)
	if err == nil && name == "" {
		err = fault.Missing("name")
	}
	return name, err
}

// inStages says of a fault in one stage that it lies in the list of stages.
func inStages(err error) error {
	if f := fault.As(err); f != nil {
		c := *f
		c.Field = "stages"
		return &c
	}
	return err
}

// insertStage checks and writes one stage.
func (s *Service) insertStage(tx *store.Tx, pipeline id.ID, position int, isDefault bool, n NewStage) (Stage, error) {
	st := Stage{ID: id.New(), Pipeline: pipeline, Name: n.Name, Color: n.Color, Position: position, Probability: n.Probability,
		Default: isDefault, Won: n.Won, Lost: n.Lost, AutoActions: n.AutoActions, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
	if err := st.check(); err != nil {
		return st, err
	}
	_, err := tx.Exec("INSERT INTO stage (tenant_id, id, pipeline_id, name, color, position, probability, is_default, is_won, is_lost, auto_actions, created_at, updated_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
		st.ID, st.Pipeline, st.Name, st.Color, st.Position, st.Probability, st.Default, st.Won, st.Lost, store.JSON(st.AutoActions), st.CreatedAt, st.UpdatedAt)
	return st, err
}

// check cleans what a stage says of itself.
func (st *Stage) check() (err error) {
	if st.Name, err = contact.Line("name", st.Name, 200); err != nil {
		return err
	}
	if st.Color = strings.TrimSpace(st.Color); st.Color == "" {
		st.Color = DefaultColor
	}
	if st.AutoActions == nil {
		st.AutoActions = []map[string]any{}
	}
	switch {
	case st.Name == "":
		return fault.Field("name", "every stage needs a name")
	case st.Probability < 0 || st.Probability > 100:
		return fault.Field("probability", "the probability of a stage is 0 to 100 percent")
	case st.Won && st.Lost:
		return fault.Field("isLost", "a stage cannot be both won and lost")
	case !colorForm.MatchString(st.Color):
		return fault.Field("color", "the colour of a stage has the form %s", DefaultColor)
	case len(st.AutoActions) > maxAutoActions:
		return fault.Field("autoActions", "a stage has at most %d automatic actions", maxAutoActions)
	}
	b, err := json.Marshal(st.AutoActions)
	if err != nil || len(b) > maxActionsJSON || strings.Contains(string(b), `\u0000`) {
		return fault.Field("autoActions", "autoActions must be plain JSON of at most %d bytes", maxActionsJSON)
	}
	return nil
}
