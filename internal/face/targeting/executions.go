package targeting

import (
	"context"
	"net/http"

	"parley/internal/automation"
	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// execution is a run on the wire (reference §4.3).
type execution struct {
	ID              string         `json:"id"`
	FlowID          string         `json:"flow_id"`
	FlowName        string         `json:"flow_name"`
	EntityID        *string        `json:"entity_id"`
	EntitySchema    string         `json:"entity_schema"`
	ContactID       *string        `json:"contact_id"`
	OrgID           string         `json:"org_id"`
	ExecutionStatus string         `json:"execution_status"`
	TriggerEvent    triggerEvent   `json:"trigger_event"`
	TriggerContext  map[string]any `json:"trigger_context"`
	CurrentActionID *string        `json:"current_action_id"`
	ResumesAt       *string        `json:"resumes_at,omitempty"`
	JobID           *string        `json:"job_id,omitempty"`
	Error           string         `json:"error,omitempty"`
	Actions         []execAction   `json:"actions,omitempty"`
	CreatedAt       *string        `json:"created_at"`
	UpdatedAt       *string        `json:"updated_at"`
	FinishedAt      *string        `json:"finished_at,omitempty"`
}

type triggerEvent struct {
	Type     string `json:"type"`
	EntityID string `json:"entity_id,omitempty"`
	Name     string `json:"name,omitempty"`
}

type execAction struct {
	ID              string         `json:"id"`
	Type            string         `json:"type"`
	Name            string         `json:"name,omitempty"`
	ExecutionStatus string         `json:"execution_status"`
	Error           string         `json:"error,omitempty"`
	Outputs         map[string]any `json:"outputs,omitempty"`
	StartedAt       *string        `json:"started_at,omitempty"`
	UpdatedAt       *string        `json:"updated_at,omitempty"`
}

// uuid writes an id, nil for none.
func uuid(v id.ID) *string {
	if v.IsZero() {
		return nil
	}
	s := v.UUID()
	return &s
}

func showRun(r *httpx.Request, e automation.Execution) execution {
	out := execution{ID: e.ID.UUID(), FlowID: e.Flow.UUID(), FlowName: e.FlowName, EntityID: uuid(e.Entity), EntitySchema: e.Schema, ContactID: uuid(e.Contact), OrgID: org(r),
		ExecutionStatus: e.Status, TriggerEvent: triggerEvent{Type: "manual"}, TriggerContext: map[string]any{}, ResumesAt: moment(e.ResumeAt), JobID: uuid(e.Owner), Error: e.Error,
		CreatedAt: moment(e.CreatedAt), UpdatedAt: moment(e.UpdatedAt), FinishedAt: moment(e.CompletedAt)}
	if e.Trigger != automation.TriggerManual {
		out.TriggerEvent = triggerEvent{Type: "custom", Name: e.Trigger}
	}
	if out.EntityID != nil {
		out.TriggerEvent.EntityID = *out.EntityID
	}
	if e.Current != "" {
		out.CurrentActionID = &e.Current
	}
	for _, a := range e.Actions {
		changed := a.CompletedAt
		if changed.IsZero() {
			changed = a.StartedAt
		}
		out.Actions = append(out.Actions, execAction{ID: a.ID, Type: a.Type, Name: a.Name, ExecutionStatus: a.Status, Error: a.Error, Outputs: a.Output,
			StartedAt: moment(a.StartedAt), UpdatedAt: moment(changed)})
	}
	return out
}

// startBody asks for one execution.
type startBody struct {
	FlowID       string `json:"flow_id"`
	EntityID     string `json:"entity_id"`
	EntitySchema string `json:"entity_schema"`
}

// startExecution runs a flow for one entity: 201.
func (f *Face) startExecution(ctx context.Context, r *httpx.Request, body startBody) (*httpx.Response, error) {
	if body.FlowID == "" {
		return nil, fault.Missing("flow_id")
	}
	if body.EntityID == "" {
		return nil, fault.Missing("entity_id")
	}
	flow, err := parseAnyID("automation", body.FlowID)
	if err != nil {
		return nil, err
	}
	of, err := parseUUID("entity_id", "entity", body.EntityID)
	if err != nil {
		return nil, err
	}
	e, err := f.s.Bulk.Start(ctx, r.Principal.Tenant, actor(r), flow, entity.Ref{Schema: body.EntitySchema, ID: of})
	if err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusCreated, showRun(r, e)), nil
}

func executionID(r *httpx.Request) (id.ID, error) {
	return parseAnyID("run", r.Param("execution_id"))
}

func (f *Face) showExecution(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	v, err := executionID(r)
	if err != nil {
		return nil, err
	}
	e, err := f.s.Automations.Execution(ctx, r.Principal.Tenant, v)
	if err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusOK, showRun(r, e)), nil
}

// cancelExecution ends an execution for good.
func (f *Face) cancelExecution(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	v, err := executionID(r)
	if err != nil {
		return nil, err
	}
	if _, err := f.s.Automations.Cancel(ctx, r.Principal.Tenant, actor(r), v); err != nil {
		return nil, err
	}
	return httpx.Empty(http.StatusNoContent), nil
}

// executions lists executions, newest first: of an entity, of a flow, or all.
func (f *Face) executions(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	from, size, err := pageOf(r)
	if err != nil {
		return nil, err
	}
	q := automation.ExecQuery{From: from, Size: size}
	none := func(err error) bool { e := fault.As(err); return e != nil && e.Code == fault.NotFound }
	if text := r.Query().Get("entity_id"); text != "" {
		if q.Entity, err = parseUUID("entity_id", "entity", text); err != nil && !none(err) {
			return nil, err
		}
	}
	if text := r.Query().Get("flow_id"); text != "" && err == nil {
		q.Flow, err = parseAnyID("automation", text)
	}
	list, total := []automation.Execution{}, 0
	if err == nil { // else nobody has the id
		if list, total, err = f.s.Automations.Executions(ctx, r.Principal.Tenant, q); err != nil {
			return nil, err
		}
	}
	out := make([]execution, len(list))
	for i, v := range list {
		out[i] = showRun(r, v)
	}
	return httpx.JSON(http.StatusOK, map[string]any{"total": total, "results": out}), nil
}
