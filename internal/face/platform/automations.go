package platform

import (
	"context"
	"maps"
	"strings"
	"time"

	"parley/internal/automation"
	"parley/internal/httpx"
)

// createRule makes an automation of the author's whole form (§2.8, §3.3).
func (f *Face) createRule(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	form, err := readForm(r)
	if err != nil {
		return nil, err
	}
	rule, err := f.s.Automations.Create(ctx, r.Principal.Tenant, actor(r), form)
	if err != nil {
		return nil, err
	}
	return created(ruleOf(r.Principal.TenantCode, rule))
}

// readForm reads the author's form: types are checked here, meaning below.
func readForm(r *httpx.Request) (map[string]any, error) {
	var typed ruleInput
	if err := r.Decode(&typed); err != nil {
		return nil, err
	}
	form := map[string]any{}
	return form, r.Decode(&form)
}

// listRules answers every automation, narrowed by trigger and isActive.
func (f *Face) listRules(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	q := automation.RuleQuery{Trigger: r.QueryString("trigger")}
	if r.QueryString("isActive") != "" {
		active, err := r.QueryBool("isActive", true)
		if err != nil {
			return nil, err
		}
		q.Active = &active
	}
	rules, err := f.s.Automations.List(ctx, r.Principal.Tenant, q)
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, 0, len(rules))
	for _, rule := range rules {
		out = append(out, ruleOf(r.Principal.TenantCode, rule))
	}
	return whole(out)
}

// rule answers one automation.
func (f *Face) rule(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	rid, err := pathID("automation", r.Param("id"))
	if err != nil {
		return nil, err
	}
	rule, err := f.s.Automations.Get(ctx, r.Principal.Tenant, rid)
	if err != nil {
		return nil, err
	}
	return ok(ruleOf(r.Principal.TenantCode, rule))
}

// updateRule changes the given keys of the form.
func (f *Face) updateRule(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	rid, err := pathID("automation", r.Param("id"))
	if err != nil {
		return nil, err
	}
	patch, err := readForm(r)
	if err != nil {
		return nil, err
	}
	rule, err := f.s.Automations.Update(ctx, r.Principal.Tenant, actor(r), rid, patch)
	if err != nil {
		return nil, err
	}
	return ok(ruleOf(r.Principal.TenantCode, rule))
}

// toggleRule turns an automation on or off; isActive says which.
func (f *Face) toggleRule(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	rid, err := pathID("automation", r.Param("id"))
	if err != nil {
		return nil, err
	}
	var in toggleInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	rule, err := f.s.Automations.Toggle(ctx, r.Principal.Tenant, actor(r), rid, in.IsActive)
	if err != nil {
		return nil, err
	}
	return ok(ruleOf(r.Principal.TenantCode, rule))
}

// listRuns answers a page of an automation's runs, newest first.
func (f *Face) listRuns(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	page, limit, err := paging(r, 20)
	if err != nil {
		return nil, err
	}
	status, err := oneOf(r, "status", "", automation.Running, automation.Waiting, automation.Paused, automation.Completed,
		automation.Failed, automation.Aborted)
	if err != nil {
		return nil, err
	}
	rid, err := pathID("automation", r.Param("id"))
	if err != nil {
		return nil, err
	}
	runs, total, err := f.s.Automations.Runs(ctx, r.Principal.Tenant, rid, status, page, limit)
	if err != nil {
		return nil, err
	}
	out := make([]run, 0, len(runs))
	for _, one := range runs {
		out = append(out, runOf(r.Principal.TenantCode, one))
	}
	return httpx.JSON(0, list(out, place{total: total, page: page, limit: limit})), nil
}

// run answers one run with the result of every node it came through.
func (f *Face) run(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	rid, err := pathID("run", r.Param("id"))
	if err != nil {
		return nil, err
	}
	one, err := f.s.Automations.Run(ctx, r.Principal.Tenant, rid)
	if err != nil {
		return nil, err
	}
	return ok(runOf(r.Principal.TenantCode, one))
}

// ruleOf shows a rule: the form as its author sent it, unknown keys included,
// under what we keep of it (§3.3, §3.22).
func ruleOf(code string, a automation.Rule) map[string]any {
	out := map[string]any{
		"triggerConfig": map[string]any{}, "conditions": []any{}, "conditionLogic": "AND", "actions": []any{},
		"isSequence": false, "steps": []any{}, "nodes": []any{}, "edges": []any{},
	}
	for k, v := range a.Definition {
		if v != nil {
			out[k] = v
		}
	}
	maps.Copy(out, map[string]any{
		"_id": a.ID, "id": a.ID, "clientCode": code, "createdAt": stamp(a.CreatedAt), "updatedAt": stamp(a.UpdatedAt),
		"name": a.Name, "description": a.Description, "trigger": a.Trigger, "isActive": a.Active, "version": a.Version,
		"totalEnrollments": a.RunsStarted, "activeEnrollments": a.ActiveRuns, "completedEnrollments": a.CompletedRuns,
		"executionCount": a.RunsStarted, "runCount": a.RunsStarted,
		"lastExecutedAt": stamp(a.LastRunAt), "lastRunAt": stamp(a.LastRunAt),
	})
	return out
}

func runOf(code string, a automation.Run) run {
	out := run{
		record: recordOf(code, a.ID, a.StartedAt, lastChange(a)), RuleID: a.Rule, WorkflowID: a.Rule, RuleName: a.RuleName,
		RuleVersion: a.Version, LeadID: a.Contact, TriggeredBy: "event", Origin: orNull(a.Origin), EventLogID: ref(a.TriggerLog), Trigger: a.Trigger,
		Status: a.Status, CurrentNodeIDs: []string{}, NodeResults: map[string]nodeResult{}, Variables: orNone(a.Variables),
		Error: orNull(a.Error), ExitReason: orNull(a.ExitReason), StartedAt: stamp(a.StartedAt), CompletedAt: stamp(a.CompletedAt),
	}
	if !a.TriggerLog.IsZero() {
		out.TriggeredBy = "trigger"
	}
	for _, b := range a.Branches {
		out.CurrentNodeIDs = append(out.CurrentNodeIDs, b.Node)
		if b.Waiting && out.WaitingFor == nil {
			name, _, _ := strings.Cut(b.WaitKey, ":") // "reply:<contact>", "delivery:<id>"
			if b.Event != "" {
				name = b.Event
			}
			out.WaitingFor = &waitingFor{b.Node, orNull(name), stamp(b.ResumeAt)}
		}
	}
	for _, s := range a.Steps { // of a node begun twice, the last result stays
		if s.Status == automation.StepRetried {
			s.Status = automation.StepFailed
		}
		out.NodeResults[s.Node] = nodeResult{s.Status, s.Kind, stamp(s.StartedAt), stamp(s.CompletedAt), orNone(s.Output), orNull(s.Error)}
	}
	return out
}

// lastChange is the newest moment that a run tells of.
func lastChange(a automation.Run) time.Time {
	newest := a.StartedAt
	for _, t := range []time.Time{a.UpdatedAt, a.CompletedAt} {
		if t.After(newest) {
			newest = t
		}
	}
	for _, b := range a.Branches {
		if b.Since.After(newest) {
			newest = b.Since
		}
	}
	for _, s := range a.Steps {
		if s.CompletedAt.After(newest) {
			newest = s.CompletedAt
		}
	}
	return newest
}
