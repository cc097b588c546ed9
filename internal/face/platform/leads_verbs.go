package platform

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// leadByRef answers the newest lead with a reference of any name (§2.6, §6 row 8).
func (f *Face) leadByRef(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	card, err := f.s.Deals.CardByRef(ctx, r.Principal.Tenant, r.Param("key"), r.Param("value"))
	if err != nil {
		return nil, err
	}
	return ok(leadOf(r.Principal.TenantCode, card))
}

// patchLead applies a patch to the lead that the path names.
func (f *Face) patchLead(ctx context.Context, r *httpx.Request, p deal.CardPatch) (*httpx.Response, error) {
	cid, err := pathID("lead", r.Param("id"))
	if err != nil {
		return nil, err
	}
	card, err := f.s.Deals.Update(ctx, r.Principal.Tenant, actor(r), cid, p)
	if err != nil {
		return nil, leadFault(err)
	}
	return ok(leadOf(r.Principal.TenantCode, card))
}

// updateMetadata merges refs and extra key by key; null removes a key (§2.6).
// Flat keys are keys of extra, as everywhere; the body may also stand in
// "metadata".
func (f *Face) updateMetadata(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in map[string]json.RawMessage
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if inner, ok := in["metadata"]; ok && len(in) == 1 {
		in = nil
		if err := httpx.DecodeJSON(inner, &in); err != nil {
			return nil, under(err, "metadata")
		}
	}
	refs, extra, err := readMetadata(in)
	if err != nil {
		return nil, err
	}
	return f.patchLead(ctx, r, deal.CardPatch{Patch: contact.Patch{Refs: refs, Extra: extra}})
}

// moveLead moves a lead to a stage (§2.6, §4.2).
func (f *Face) moveLead(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in struct {
		StageID       *string `json:"stageId"`
		TargetStageID *string `json:"targetStageId"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	to := value(first(in.StageID, in.TargetStageID))
	if to == "" {
		return nil, fault.Missing("stageId")
	}
	stage, err := bodyID("stage", "stageId", to)
	if err != nil {
		return nil, err
	}
	return f.patchLead(ctx, r, deal.CardPatch{Stage: &stage})
}

// convertLead ends a lead as won or lost (§2.6, §4.2).
func (f *Face) convertLead(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in struct {
		Outcome *string `json:"outcome"`
		Reason  *string `json:"reason"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if value(in.Outcome) == "" {
		return nil, fault.Missing("outcome")
	}
	cid, err := pathID("lead", r.Param("id"))
	if err != nil {
		return nil, err
	}
	card, err := f.s.Deals.Convert(ctx, r.Principal.Tenant, actor(r), cid, strings.ToLower(strings.TrimSpace(*in.Outcome)), value(in.Reason))
	if err != nil {
		return nil, leadFault(err)
	}
	return ok(leadOf(r.Principal.TenantCode, card))
}

// tagLead adds and removes tags (§2.6, §4.2).
func (f *Face) tagLead(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in struct {
		Add    []string `json:"add"`
		Remove []string `json:"remove"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	return f.patchLead(ctx, r, deal.CardPatch{AddTags: in.Add, RemoveTags: in.Remove})
}

// scoreLead scores a lead anew and says how (§2.6, §4.3).
func (f *Face) scoreLead(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	cid, err := pathID("lead", r.Param("id"))
	if err != nil {
		return nil, err
	}
	s, err := f.s.Deals.Rescore(ctx, r.Principal.Tenant, actor(r), cid)
	if err != nil {
		return nil, err
	}
	card, err := f.s.Deals.Card(ctx, r.Principal.Tenant, cid)
	if err != nil {
		return nil, err
	}
	out := scoredLead{lead: leadOf(r.Principal.TenantCode, card), Breakdown: []scorePart{}}
	for _, b := range s.Breakdown {
		out.Breakdown = append(out.Breakdown, scorePart{b.Label, b.Field, b.Matched, b.Points, b.Applied})
	}
	return ok(out)
}

// bulkDelete archives leads. The ids stand in the body, {ids: [...]} or a bare
// list, or, because some proxies drop bodies of DELETE, in the query (§2.6).
func (f *Face) bulkDelete(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	given, err := idList(r, "leadIds")
	if err != nil {
		return nil, err
	}
	if len(given) == 0 {
		return nil, fault.Missing("ids")
	}
	ids := make([]id.ID, 0, len(given))
	for _, s := range given {
		if v, err := pathID("lead", s); err == nil { // what cannot be an id is nobody's
			ids = append(ids, v)
		}
	}
	if len(given) > maxBulk {
		return nil, fault.Field("ids", "ids must hold at most %d leads; send them in several calls", maxBulk)
	}
	n, err := f.s.Deals.ArchiveMany(ctx, r.Principal.Tenant, actor(r), ids)
	if err != nil {
		return nil, err
	}
	return dual(putAway{n})
}

// idList reads the ids of a bulk call: {ids: [...]}, an alias of ids, a bare list
// and, for DELETE, the query.
func idList(r *httpx.Request, alias string) ([]string, error) {
	var given []string
	if b := bytes.TrimSpace(r.Body); len(b) > 0 && b[0] == '[' {
		if err := httpx.DecodeJSON(b, &given); err != nil {
			return nil, err
		}
	} else {
		var in map[string]json.RawMessage
		if err := r.Decode(&in); err != nil {
			return nil, err
		}
		for _, name := range []string{"ids", alias} {
			var list []string
			if err := httpx.DecodeJSON(in[name], &list); err != nil {
				return nil, under(err, name)
			}
			if given == nil {
				given = list
			}
		}
	}
	return append(given, commaList(r.QueryList("ids"))...), nil
}

// stageLeads answers a page of the leads of one stage (§2.6).
func (f *Face) stageLeads(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	q, nothing, err := leadFilter(r)
	if err != nil {
		return nil, err
	}
	pid, err := pathID("pipeline", r.Param("id"))
	if err != nil {
		return nil, err
	}
	p, err := f.s.Deals.Pipeline(ctx, r.Principal.Tenant, pid)
	if err != nil {
		return nil, err
	}
	stage, err := pathID("stage", r.Param("stage"))
	if err != nil {
		return nil, err
	}
	if !has(p, stage) {
		return nil, fault.Unknown("stage")
	}
	q.Pipeline, q.Stage = pid, stage
	return f.leadPage(ctx, r, q, nothing)
}

func has(p deal.Pipeline, stage id.ID) bool {
	for _, s := range p.Stages {
		if s.ID == stage {
			return true
		}
	}
	return false
}

// leadFields answers what a lead consists of, for mappings and conditions (§2.6).
func (f *Face) leadFields(context.Context, *httpx.Request) (*httpx.Response, error) {
	return whole(fieldsOfLead)
}
