package platform

import (
	"context"
	"strings"

	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// updateLead changes the given fields; a stageId moves the lead (§4.2).
func (f *Face) updateLead(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	contact, err := pathID("lead", r.Param("id"))
	if err != nil {
		return nil, err
	}
	var in leadInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	patch, err := cardPatch(in, explicitNulls(r.Body))
	if err != nil {
		return nil, err
	}
	if patch.FirstName != nil && strings.TrimSpace(*patch.FirstName) == "" {
		return nil, fault.Field("firstName", "firstName must not be empty")
	}
	if in.Phone != nil {
		if err := f.checkPhone(ctx, r, "phone", *in.Phone); err != nil {
			return nil, err
		}
	}
	if err := f.resolveStage(ctx, r, contact, in, &patch); err != nil {
		return nil, err
	}
	card, err := f.s.Deals.Update(ctx, r.Principal.Tenant, actor(r), contact, patch)
	if err != nil {
		return nil, leadFault(err)
	}
	return ok(leadOf(r.Principal.TenantCode, card))
}

// resolveStage turns a pipelineId and a status of a patch into a move, or refuses what
// a patch cannot say.
func (f *Face) resolveStage(ctx context.Context, r *httpx.Request, contact id.ID, in leadInput, patch *deal.CardPatch) error {
	if value(in.PipelineID) == "" && value(in.Status) == "" {
		return nil
	}
	now, err := f.s.Deals.Card(ctx, r.Principal.Tenant, contact)
	if err != nil {
		return err
	}
	if s := value(in.Status); s != "" {
		want, err := statusFilter(s)
		if err != nil {
			return err
		}
		if want != statusOf(now) && patch.Stage == nil {
			return fault.Field("status", "status follows from the stage: send the stageId of a won, lost or open stage, or delete the lead to archive it")
		}
	}
	pid, err := bodyID("pipeline", "pipelineId", value(in.PipelineID))
	if err != nil || pid.IsZero() {
		return err
	}
	p, err := f.s.Deals.Pipeline(ctx, r.Principal.Tenant, pid)
	if err != nil {
		return elsewhere(err, "pipeline", "pipelineId")
	}
	if patch.Stage != nil {
		for _, s := range p.Stages {
			if s.ID == *patch.Stage {
				return nil
			}
		}
		all, err := f.s.Deals.Pipelines(ctx, r.Principal.Tenant)
		if err == nil {
			err = standsIn(all, deal.NewCard{Stage: *patch.Stage}) // a stage of nobody is unknown, not misplaced
		}
		if err == nil {
			err = fault.Field("stageId", "stageId must name a stage of the pipeline that pipelineId names")
		}
		return err
	}
	if pid == now.Deal.Pipeline {
		return nil
	}
	for i, s := range p.Stages {
		if s.Default || (i == 0 && patch.Stage == nil) {
			stage := s.ID
			patch.Stage = &stage
		}
	}
	if patch.Stage == nil {
		return fault.Field("pipelineId", "this pipeline has no stages yet; add one first")
	}
	return nil
}
