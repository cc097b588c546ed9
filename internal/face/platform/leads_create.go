package platform

import (
	"bytes"
	"context"
	"strings"

	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/httpx"
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
	return newLead(body, f.region(ctx, r))
}

func newLead(body []byte, region regionOf) (deal.NewCard, error) {
	var in leadInput
	if err := httpx.DecodeJSON(body, &in); err != nil {
		return deal.NewCard{}, err
	}
	var all fault.Collector
	if strings.TrimSpace(value(in.FirstName)) == "" && strings.TrimSpace(value(in.Name)) == "" {
		all.Add(fault.Missing("firstName"))
	}
	if value(in.Phone) == "" {
		all.Add(fault.Missing("phone"))
	} else {
		err := phoneRule(region, "phone", *in.Phone)
		if all.Add(err); err != nil && fault.As(err) == nil {
			return deal.NewCard{}, err
		}
	}
	all.Add(newStatus(in, "a new lead"))
	n, err := newCard(in)
	all.Add(err)
	if err != nil && fault.As(err) == nil {
		return n, err
	}
	return n, all.Err()
}

// newStatus refuses the status of a lead that is stored with none of its own.
func newStatus(in leadInput, which string) error {
	switch s, err := statusFilter(value(in.Status)); {
	case err != nil || s == "" || s == deal.Open:
		return err
	case s == deal.Archived:
		return fault.Field("status", "%s is open; store it and delete it then to archive it", which)
	default:
		return fault.Field("status", "%s is open; name the stageId of a stage that is %s instead", which, s)
	}
}

// leadFault says in this API's words what the rooms below complain about.
func leadFault(err error) error {
	err = elsewhere(elsewhere(err, "stage", "stageId"), "pipeline", "pipelineId")
	if e := fault.As(err); e != nil && e.Code == fault.Conflict && e.Details["contactId"] != nil {
		c := *e
		c.Message = "a lead with this " + c.Reason + " exists already; change that lead instead"
		err = &c
	}
	return fault.Renamed(err, map[string]string{"stage": "stageId", "pipeline": "pipelineId", "value": "dealValue", "title": "dealTitle", "attributes": "dynamicFields",
		"refs": "metadata.refs", "extra": "metadata.extra"})
}
