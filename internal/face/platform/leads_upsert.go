package platform

import (
	"context"
	"encoding/json"
	"maps"
	"strconv"
	"strings"

	"parley/internal/automation"
	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/httpx"
)

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
	var card deal.Card
	var isNew bool
	if call == nil {
		card, isNew, err = f.s.Deals.Upsert(ctx, r.Principal.Tenant, actor(r), n)
	} else { // one transaction: the lead and what its trigger owes
		card, isNew, _, err = f.s.Automations.Upsert(ctx, r.Principal.Tenant, actor(r), n, *call)
	}
	if err != nil {
		err = leadFault(err)
		if call != nil {
			err = orDefect(in.whence(err), "TRIGGER_FAILED")
		}
		return nil, err
	}
	if isNew {
		return created(leadOf(r.Principal.TenantCode, card))
	}
	return ok(leadOf(r.Principal.TenantCode, card))
}

// whence gives the fault of a trigger's variable the field of the body that it
// came from.
func (in *upsertInput) whence(err error) error {
	f := fault.As(err)
	if f == nil {
		return err
	}
	name, is := strings.CutPrefix(f.Field, "variables.")
	if !is {
		return err
	}
	root := "leadData."
	if _, there := in.ModuleInfo[name]; there {
		root = "moduleInfo."
	}
	c := *f
	c.Field, c.Message = root+name, strings.Replace(f.Message, f.Field, root+name, 1)
	return &c
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
	if err := f.upsertStatus(ctx, r, data, in); err != nil {
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
	n.Note, n.Activity = text(in.ModuleInfo["message"]), text(in.ModuleInfo["activityNote"])
	for key, ref := range moduleRefs(in.ModuleInfo) {
		if n.Refs == nil {
			n.Refs = map[string]string{}
		}
		n.Refs[key] = ref
	}
	return n, nil
}

// upsertStatus refuses a status that the upsert would not lead to: it follows
// from the stage, and clients send back the one that a lead has.
func (f *Face) upsertStatus(ctx context.Context, r *httpx.Request, data leadInput, in upsertInput) error {
	want, err := statusFilter(value(data.Status))
	if err != nil || want == "" || want == deal.Open || value(first(in.StageID, data.StageID)) != "" {
		return err
	}
	known, err := f.s.Deals.CardByPhone(ctx, r.Principal.Tenant, *data.Phone)
	if e := fault.As(err); e != nil && e.Code == fault.NotFound {
		return newStatus(data, "a new lead")
	}
	if err == nil && statusOf(known) != want {
		err = fault.Field("status", "status follows from the stage: send the stageId of a won, lost or open stage, or delete the lead to archive it")
	}
	return err
}

// upsertCall is the trigger that an upsert fires: its variables are the lead's
// data with the module's.
func upsertCall(in upsertInput) (*automation.Call, error) {
	if value(in.Trigger) == "" {
		return nil, nil
	}
	if err := checkTrigger(*in.Trigger); err != nil {
		return nil, err // before the lead is stored
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
		if v := idText(info[field]); v != "" {
			return map[string]string{key: v}
		}
	}
	return nil
}

// idText is an id of somebody else's system, which may be a number.
func idText(v any) string {
	if n, is := v.(float64); is {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return text(v)
}
