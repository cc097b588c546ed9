package platform

import (
	"context"
	"fmt"

	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// createPipeline makes a pipeline with the stages it names, else those of a
// template (§2.7, §3.2).
func (f *Face) createPipeline(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in pipelineInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	n := deal.NewPipeline{Name: value(in.Name), Description: value(in.Description), Default: value(in.IsDefault), Template: value(in.Template)}
	stages, at := in.Stages, "stages"
	if len(stages) == 0 {
		stages, at = in.CustomStages, "customStages"
	}
	for i, one := range stages {
		s, err := newStage(fmt.Sprintf("%s[%d]", at, i), one)
		if err != nil {
			return nil, err
		}
		n.Stages = append(n.Stages, s)
	}
	p, err := f.s.Deals.CreatePipeline(ctx, r.Principal.Tenant, actor(r), n)
	if err != nil {
		return nil, err
	}
	return created(wholeOf(r.Principal.TenantCode, p))
}

// pipeline answers one pipeline, flat and nested (§6 row 14).
func (f *Face) pipeline(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	return f.onPipeline(ctx, r, f.s.Deals.Pipeline)
}

// onPipeline answers the pipeline that the path names, after something was done
// to it.
func (f *Face) onPipeline(ctx context.Context, r *httpx.Request, do func(ctx context.Context, tenant, pipeline id.ID) (deal.Pipeline, error)) (*httpx.Response, error) {
	pid, err := pathID("pipeline", r.Param("id"))
	if err != nil {
		return nil, err
	}
	p, err := do(ctx, r.Principal.Tenant, pid)
	if err != nil {
		return nil, err
	}
	return ok(wholeOf(r.Principal.TenantCode, p))
}

// updatePipeline changes name, description and order (§2.7).
func (f *Face) updatePipeline(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in pipelineInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	return f.onPipeline(ctx, r, func(ctx context.Context, tenant, pipeline id.ID) (deal.Pipeline, error) {
		return f.s.Deals.UpdatePipeline(ctx, tenant, actor(r), pipeline, deal.PipelinePatch{Name: in.Name, Description: in.Description, Position: in.Order})
	})
}

func (f *Face) defaultPipeline(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	return f.onPipeline(ctx, r, func(ctx context.Context, tenant, pipeline id.ID) (deal.Pipeline, error) {
		return f.s.Deals.SetDefault(ctx, tenant, actor(r), pipeline)
	})
}

func (f *Face) archivePipeline(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	return f.onPipeline(ctx, r, func(ctx context.Context, tenant, pipeline id.ID) (deal.Pipeline, error) {
		return f.s.Deals.ArchivePipeline(ctx, tenant, actor(r), pipeline)
	})
}

// duplicatePipeline copies a pipeline with its stages (§2.7).
func (f *Face) duplicatePipeline(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in struct {
		Name    *string `json:"name"`
		NewName *string `json:"newName"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	pid, err := pathID("pipeline", r.Param("id"))
	if err != nil {
		return nil, err
	}
	p, err := f.s.Deals.Duplicate(ctx, r.Principal.Tenant, actor(r), pid, value(first(in.Name, in.NewName)))
	if err != nil {
		return nil, err
	}
	return created(wholeOf(r.Principal.TenantCode, p))
}

// deletePipeline deletes a pipeline that is empty and not the default (§2.7).
func (f *Face) deletePipeline(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	pid, err := pathID("pipeline", r.Param("id"))
	if err != nil {
		return nil, err
	}
	if err := f.s.Deals.DeletePipeline(ctx, r.Principal.Tenant, actor(r), pid); err != nil {
		return nil, err
	}
	return told("the pipeline is deleted", nil)
}

// pipelineInUse tells whether leads stand in a pipeline (§2.7).
func (f *Face) pipelineInUse(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	pid, err := pathID("pipeline", r.Param("id"))
	if err != nil {
		return nil, err
	}
	n, err := f.s.Deals.DealsIn(ctx, r.Principal.Tenant, pid)
	if err != nil {
		return nil, err
	}
	return dual(inUse{n > 0, n})
}

// forecast weighs a pipeline by the probabilities of its stages (§2.7).
func (f *Face) forecast(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	pid, err := pathID("pipeline", r.Param("id"))
	if err != nil {
		return nil, err
	}
	out, err := f.s.Deals.Forecast(ctx, r.Principal.Tenant, pid)
	if err != nil {
		return nil, err
	}
	return ok(forecastOf(out))
}

// stageFault says in this API's words what the room below complains about.
func stageFault(err error) error {
	if e := fault.As(err); e != nil && e.Field == "fallback" {
		c := *e
		c.Field = fallbackNames[0]
		return &c
	}
	return err
}
