package platform

import (
	"context"
	"encoding/json"
	"strings"

	"parley/internal/automation"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// deleteRule takes an automation away; its open runs end as aborted.
func (f *Face) deleteRule(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	rid, err := pathID("automation", r.Param("id"))
	if err != nil {
		return nil, err
	}
	if err := f.s.Automations.Delete(ctx, r.Principal.Tenant, actor(r), rid); err != nil {
		return nil, err
	}
	return told("the automation was deleted", nil)
}

// deleteRules takes many automations away; unknown ids are passed over.
func (f *Face) deleteRules(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in ruleIDs
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if in.IDs == nil {
		return nil, fault.Missing("ids")
	}
	if len(in.IDs) > maxLimit {
		return nil, fault.Field("ids", "ids must not hold more than %d ids", maxLimit)
	}
	var ids []id.ID
	for _, s := range in.IDs {
		if v, err := id.Parse(s); err == nil {
			ids = append(ids, v)
		}
	}
	n, err := f.s.Automations.DeleteMany(ctx, r.Principal.Tenant, actor(r), ids)
	if err != nil {
		return nil, err
	}
	return dual(deletedRules{n})
}

// testRule rehearses an automation for a lead and changes nothing (§2.8).
func (f *Face) testRule(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	rid, err := pathID("automation", r.Param("id"))
	if err != nil {
		return nil, err
	}
	var in testInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	text := in.LeadID
	if text == "" {
		text = in.Lead.ID
	}
	if text == "" {
		text = in.Lead.OID
	}
	if text == "" {
		return nil, fault.Missing("leadId")
	}
	lead, err := bodyID("lead", "leadId", text)
	if err != nil {
		return nil, err
	}
	t, err := f.s.Automations.Test(ctx, r.Principal.Tenant, rid, lead, in.Variables)
	if err != nil {
		return nil, elsewhere(err, "lead", "leadId")
	}
	return dual(rehearsalOf(t))
}

func rehearsalOf(t automation.Rehearsal) rehearsal {
	out := rehearsal{Passed: t.Passed, ConditionResult: t.Passed, Conditions: []checked{}, Would: []wouldRun{}, Path: []pathStop{},
		Status: orNull(t.Status), Error: orNull(t.Error), ExitReason: orNull(t.Exit), RuleID: t.Rule, LeadID: t.Contact}
	for _, c := range t.Checks {
		out.Conditions = append(out.Conditions, checked{c.Field, c.Operator, c.Expected, c.Actual, c.Passed})
	}
	for _, s := range t.Path {
		out.Path = append(out.Path, pathStop{s.Node, s.Kind, s.Status, orNone(s.Output), orNull(s.Text), orNull(s.Error)})
		if s.Action {
			out.Would = append(out.Would, wouldRun{s.Node, s.Kind, s.Step, orNone(s.Output), orNull(s.Text)})
		}
	}
	return out
}

// runVerb answers a run after an order: resume, abort, pause, retry.
func (f *Face) runVerb(order func(ctx context.Context, tenant id.ID, actor string, run id.ID) (automation.Run, error)) httpx.Handler {
	return func(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
		rid, err := pathID("run", r.Param("id"))
		if err != nil {
			return nil, err
		}
		one, err := order(ctx, r.Principal.Tenant, actor(r), rid)
		if err != nil {
			return nil, err
		}
		return ok(runOf(r.Principal.TenantCode, one))
	}
}

// webhookEvent moves on the runs that wait for an event (§4.8). The name is in
// the path, and the body is the payload; or both are in the body.
func (f *Face) webhookEvent(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	rid, err := pathID("automation", r.Param("id"))
	if err != nil {
		return nil, err
	}
	name, payload := r.Param("eventName"), map[string]any{}
	if name != "" {
		if err := r.Decode(&payload); err != nil {
			return nil, err
		}
	} else {
		var in webhookEventInput
		if err := r.Decode(&in); err != nil {
			return nil, err
		}
		if name = strings.TrimSpace(in.EventName); name == "" {
			name = strings.TrimSpace(in.Event)
		}
		if len(in.Payload) > 0 && string(in.Payload) != "null" {
			if err := json.Unmarshal(in.Payload, &payload); err != nil {
				return nil, fault.Field("payload", "payload must be an object")
			}
		}
	}
	runs, err := f.s.Automations.WebhookEvent(ctx, r.Principal.Tenant, rid, name, payload)
	if err != nil {
		return nil, err
	}
	if runs == nil {
		runs = []id.ID{}
	}
	return dual(resumed{len(runs), runs})
}
