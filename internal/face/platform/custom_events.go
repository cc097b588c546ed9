package platform

import (
	"context"

	"parley/internal/automation"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// listEvents answers what a rule can wait for: built-in triggers and the
// tenant's own events (§2.12).
func (f *Face) listEvents(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	all, err := f.s.Automations.AvailableEvents(ctx, r.Principal.Tenant)
	if err != nil {
		return nil, err
	}
	out := make([]availableEvent, 0, len(all))
	for _, d := range all {
		out = append(out, availableEvent{ref(d.ID), ref(d.ID), eventFieldsOf(d)})
	}
	return whole(out)
}

// assignEvent makes an event of the tenant's own, or changes it, and switches it
// on; createCustomEvent is the same under another name (§2.12).
func (f *Face) assignEvent(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in eventInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	form, err := in.form(explicitNulls(r.Body))
	if err != nil {
		return nil, err
	}
	d, err := f.s.Automations.Define(ctx, r.Principal.Tenant, actor(r), form)
	if err != nil {
		return nil, err
	}
	return ok(customEventOf(r.Principal.TenantCode, d))
}

// form reads the body; null takes a setting away.
func (in *eventInput) form(nulls map[string]bool) (automation.DefinitionForm, error) {
	form := automation.DefinitionForm{Name: value(in.Name), DisplayName: in.DisplayName, Description: in.Description, MapsTo: in.MapsTo,
		DefaultSource: in.DefaultSource, PayloadSchema: in.PayloadSchema, System: in.IsSystem}
	if form.Name == "" {
		return form, fault.Missing("name")
	}
	for _, x := range []struct {
		noun, field string
		from        *string
		to          **id.ID
	}{{"pipeline", "pipelineId", in.PipelineID, &form.Pipeline}, {"stage", "stageId", in.StageID, &form.Stage}} {
		if x.from == nil && !nulls[x.field] {
			continue
		}
		v, err := bodyID(x.noun, x.field, value(x.from))
		if err != nil {
			return form, err
		}
		*x.to = &v
	}
	empty, none := "", map[string]any(nil)
	for field, to := range map[string]**string{"description": &form.Description, "mapsTo": &form.MapsTo, "defaultSource": &form.DefaultSource} {
		if nulls[field] {
			*to = &empty
		}
	}
	if nulls["payloadSchema"] {
		form.PayloadSchema = &none
	}
	return form, nil
}

// unassignEvent switches an event off: its calls are taken and start nothing.
func (f *Face) unassignEvent(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in unassignInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if value(in.Name) == "" {
		return nil, fault.Missing("name")
	}
	d, err := f.s.Automations.Unassign(ctx, r.Principal.Tenant, actor(r), *in.Name)
	if err != nil {
		return nil, err
	}
	return ok(customEventOf(r.Principal.TenantCode, d))
}

// unassignEvents switches several events off and tells how many were on.
func (f *Face) unassignEvents(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in unassignInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if in.Names == nil {
		return nil, fault.Missing("names")
	}
	n, err := f.s.Automations.UnassignMany(ctx, r.Principal.Tenant, actor(r), in.Names)
	if err != nil {
		return nil, err
	}
	return told("events unassigned", map[string]int{"count": n})
}

// listCustomEvents answers the tenant's own events, those switched off too.
func (f *Face) listCustomEvents(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	all, err := f.s.Automations.Definitions(ctx, r.Principal.Tenant)
	if err != nil {
		return nil, err
	}
	out := make([]customEvent, 0, len(all))
	for _, d := range all {
		out = append(out, customEventOf(r.Principal.TenantCode, d))
	}
	return whole(out)
}

// deleteCustomEvent takes an event of the tenant's own away.
func (f *Face) deleteCustomEvent(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	eid, err := pathID("event", r.Param("id"))
	if err != nil {
		return nil, err
	}
	if err := f.s.Automations.DeleteDefinition(ctx, r.Principal.Tenant, actor(r), eid); err != nil {
		return nil, err
	}
	return told("custom event deleted", nil)
}

func customEventOf(code string, d automation.Definition) customEvent {
	return customEvent{recordOf(code, d.ID, d.CreatedAt, d.UpdatedAt), eventFieldsOf(d)}
}

func eventFieldsOf(d automation.Definition) eventFields {
	return eventFields{Name: d.Name, DisplayName: d.DisplayName, Description: d.Description, PayloadSchema: d.PayloadSchema, IsActive: d.Active, IsSystem: d.System,
		MapsTo: orNull(d.MapsTo), PipelineID: ref(d.Pipeline), StageID: ref(d.Stage), DefaultSource: orNull(d.DefaultSource)}
}
