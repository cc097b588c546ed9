package platform

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"parley/internal/automation"
	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// createLead makes one lead, or many when the body is a list (§2.6).
func (f *Face) createLead(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	if b := bytes.TrimSpace(r.Body); len(b) > 0 && b[0] == '[' {
		return f.createLeads(ctx, r)
	}
	n, err := f.readNewLead(ctx, r, r.Body)
	if err != nil {
		return nil, err
	}
	card, err := f.s.Deals.Create(ctx, r.Principal.Tenant, actor(r), n)
	if err != nil {
		return nil, leadFault(err)
	}
	return created(leadOf(r.Principal.TenantCode, card))
}

// readNewLead reads and checks one lead to create.
func (f *Face) readNewLead(ctx context.Context, r *httpx.Request, body []byte) (deal.NewCard, error) {
	t, err := f.s.Tenants.ByCode(ctx, r.Principal.TenantCode)
	if err != nil {
		return deal.NewCard{}, err
	}
	return newLead(body, t.Settings.Region)
}

func newLead(body []byte, region string) (deal.NewCard, error) {
	var in leadInput
	if err := httpx.DecodeJSON(body, &in); err != nil {
		return deal.NewCard{}, err
	}
	var all fault.Collector
	if value(in.FirstName) == "" && value(in.Name) == "" {
		all.Add(fault.Missing("firstName"))
	}
	if value(in.Phone) == "" {
		all.Add(fault.Missing("phone"))
	} else {
		all.Add(phoneRule(region, "phone", *in.Phone))
	}
	if s, err := statusFilter(value(in.Status)); err != nil {
		all.Add(err)
	} else if s != "" && s != deal.Open {
		all.Add(fault.Field("status", "a new lead is open; name the stageId of a %s stage instead", s))
	}
	n, err := newCard(in)
	all.Add(err)
	if err != nil && fault.As(err) == nil {
		return n, err
	}
	return n, all.Err()
}

// maxBulk is how many leads one call may create (reference §2.6, import).
const maxBulk = 1000

// createLeads makes many leads. Every lead is checked before the first is
// stored, against the others and against the people who are known; each is
// then a transaction of its own.
func (f *Face) createLeads(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	items, err := leadItems(r.Body)
	if err != nil {
		return nil, err
	}
	cards, err := f.readNewLeads(ctx, r, items)
	if err != nil {
		return nil, err
	}
	out := make([]lead, 0, len(cards))
	for i, n := range cards {
		card, err := f.s.Deals.Create(ctx, r.Principal.Tenant, actor(r), n)
		if err != nil {
			return nil, under(leadFault(err), item(i))
		}
		out = append(out, leadOf(r.Principal.TenantCode, card))
	}
	return created(out)
}

func item(i int) string { return fmt.Sprintf("leads[%d]", i) }

// leadItems reads a bare list or {leads: [...]}.
func leadItems(body []byte) ([]json.RawMessage, error) {
	var items []json.RawMessage
	if b := bytes.TrimSpace(body); len(b) > 0 && b[0] == '[' {
		if err := httpx.DecodeJSON(body, &items); err != nil {
			return nil, err
		}
	} else {
		var in struct {
			Leads []json.RawMessage `json:"leads"`
		}
		if err := httpx.DecodeJSON(body, &in); err != nil {
			return nil, err
		}
		items = in.Leads
	}
	switch {
	case len(items) == 0:
		return nil, fault.Missing("leads")
	case len(items) > maxBulk:
		return nil, fault.Field("leads", "leads must hold at most %d leads; send them in several calls", maxBulk)
	}
	return items, nil
}

// readNewLeads reads and checks all leads of a call.
func (f *Face) readNewLeads(ctx context.Context, r *httpx.Request, items []json.RawMessage) ([]deal.NewCard, error) {
	t, err := f.s.Tenants.ByCode(ctx, r.Principal.TenantCode)
	if err != nil {
		return nil, err
	}
	pipelines, err := f.s.Deals.Pipelines(ctx, r.Principal.Tenant)
	if err != nil {
		return nil, err
	}
	cards := make([]deal.NewCard, len(items))
	seen := map[string]int{}
	for i, raw := range items {
		if cards[i], err = newLead(raw, t.Settings.Region); err != nil {
			return nil, under(err, item(i))
		}
		if err := standsIn(pipelines, cards[i]); err != nil {
			return nil, under(err, item(i))
		}
		key := phoneKey(t.Settings.Region, cards[i].Phone)
		if j, twice := seen[key]; twice {
			return nil, under(taken("the phone stands in leads[%d] as well", j), item(i))
		}
		seen[key] = i
		known, err := f.s.Deals.CardByPhone(ctx, r.Principal.Tenant, cards[i].Phone)
		switch e := fault.As(err); {
		case err == nil && !known.Contact.Archived():
			return nil, under(taken("a lead with this phone exists").With("contactId", known.Contact.ID), item(i))
		case err != nil && (e == nil || e.Code != fault.NotFound):
			return nil, err
		}
	}
	return cards, nil
}

func taken(format string, args ...any) *fault.Error {
	e := fault.New(fault.Conflict, format, args...).Because("phone")
	e.Field = "phone"
	return e
}

// standsIn checks that the pipeline and stage of a card exist.
func standsIn(all []deal.Pipeline, n deal.NewCard) error {
	pipeline, stage := n.Pipeline.IsZero(), n.Stage.IsZero()
	for _, p := range all {
		pipeline = pipeline || p.ID == n.Pipeline
		for _, s := range p.Stages {
			stage = stage || s.ID == n.Stage
		}
	}
	if !pipeline {
		return elsewhere(fault.Unknown("pipeline"), "pipeline", "pipelineId")
	}
	if !stage {
		return elsewhere(fault.Unknown("stage"), "stage", "stageId")
	}
	return nil
}

// upsertLead creates a lead or changes the one with the phone, then fires the
// trigger if one is named (§4.2).
func (f *Face) upsertLead(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in upsertInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if len(in.LeadData) == 0 || string(in.LeadData) == "null" {
		return nil, fault.Missing("leadData")
	}
	n, err := f.readUpsert(ctx, r, in)
	if err != nil {
		return nil, err
	}
	call, err := upsertCall(in)
	if err != nil {
		return nil, err
	}
	card, isNew, err := f.s.Deals.Upsert(ctx, r.Principal.Tenant, actor(r), n)
	if err != nil {
		return nil, leadFault(err)
	}
	if call != nil {
		call.Lead = card.Contact.ID
		if _, err := f.s.Automations.Fire(ctx, r.Principal.Tenant, actor(r), *call); err != nil {
			return nil, orDefect(err, "TRIGGER_FAILED")
		}
	}
	if isNew {
		return created(leadOf(r.Principal.TenantCode, card))
	}
	return ok(leadOf(r.Principal.TenantCode, card))
}

// readUpsert reads the person of an upsert: only the phone is required, because
// a known person's name stays.
func (f *Face) readUpsert(ctx context.Context, r *httpx.Request, in upsertInput) (deal.NewCard, error) {
	var data leadInput
	if err := httpx.DecodeJSON(in.LeadData, &data); err != nil {
		return deal.NewCard{}, under(err, "leadData")
	}
	if value(data.Phone) == "" {
		return deal.NewCard{}, fault.Missing("leadData.phone")
	}
	if err := f.checkPhone(ctx, r, "leadData.phone", *data.Phone); err != nil {
		return deal.NewCard{}, err
	}
	n, err := newCard(data)
	if err != nil {
		return n, under(err, "leadData")
	}
	if in.PipelineID != nil {
		if n.Pipeline, err = bodyID("pipeline", "pipelineId", *in.PipelineID); err != nil {
			return n, err
		}
	}
	if in.StageID != nil {
		if n.Stage, err = bodyID("stage", "stageId", *in.StageID); err != nil {
			return n, err
		}
	}
	for key, ref := range moduleRefs(in.ModuleInfo) {
		if n.Refs == nil {
			n.Refs = map[string]string{}
		}
		n.Refs[key] = ref
	}
	return n, nil
}

// upsertCall is the trigger that an upsert fires: its variables are the lead's
// data with the module's.
func upsertCall(in upsertInput) (*automation.Call, error) {
	if value(in.Trigger) == "" {
		return nil, nil
	}
	variables := map[string]any{}
	if err := json.Unmarshal(in.LeadData, &variables); err != nil {
		return nil, fault.Field("leadData", "leadData must be an object")
	}
	maps.Copy(variables, in.ModuleInfo)
	return &automation.Call{Trigger: *in.Trigger, Variables: variables}, nil
}

// moduleKeys says into which reference the id of a module goes (§4.2).
var moduleKeys = map[string]string{
	"service_enrollment":    "orderId",
	"product_purchase":      "orderId",
	"doctor_consultation":   "appointmentId",
	"volunteer_application": "volunteerId",
	"user_registration":     "userId",
}

// moduleRefs reads the reference out of a moduleInfo. No source names its
// fields, so the module may stand in module, type or name, and the id under the
// reference's own name, id or moduleId.
func moduleRefs(info map[string]any) map[string]string {
	var key string
	for _, field := range []string{"module", "type", "name"} {
		if k, known := moduleKeys[text(info[field])]; known {
			key = k
			break
		}
	}
	if key == "" {
		return nil
	}
	for _, field := range []string{key, "id", "moduleId"} {
		if v := text(info[field]); v != "" {
			return map[string]string{key: v}
		}
	}
	return nil
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
		return fault.Field("stageId", "stageId must name a stage of the pipeline that pipelineId names")
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

// leadFault says in this API's words what the rooms below complain about.
func leadFault(err error) error {
	err = elsewhere(elsewhere(err, "stage", "stageId"), "pipeline", "pipelineId")
	if e := fault.As(err); e != nil && e.Code == fault.Conflict && e.Details["contactId"] != nil {
		c := *e
		c.Message = "a lead with this " + c.Reason + " exists already; change that lead instead"
		err = &c
	}
	return renamed(err, map[string]string{"stage": "stageId", "pipeline": "pipelineId", "value": "dealValue", "title": "dealTitle", "attributes": "dynamicFields",
		"refs": "metadata.refs", "extra": "metadata.extra"})
}
