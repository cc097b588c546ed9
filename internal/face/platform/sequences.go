package platform

import (
	"context"
	"net/http"
	"time"

	"parley/internal/automation"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// listSequences answers the automations that are sequences.
func (f *Face) listSequences(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	rules, err := f.s.Automations.List(ctx, r.Principal.Tenant, automation.RuleQuery{})
	if err != nil {
		return nil, err
	}
	out := []map[string]any{}
	for _, rule := range rules {
		if is, _ := rule.Definition["isSequence"].(bool); is {
			out = append(out, ruleOf(r.Principal.TenantCode, rule))
		}
	}
	return whole(out)
}

// enroll starts a lead through a sequence (§4.7).
func (f *Face) enroll(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in enrollInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if in.RuleID == "" {
		in.RuleID = in.SequenceID
	}
	if in.LeadID == "" {
		return nil, fault.Missing("leadId")
	}
	if in.RuleID == "" {
		return nil, fault.Missing("ruleId")
	}
	lead, err := bodyID("lead", "leadId", in.LeadID)
	if err != nil {
		return nil, err
	}
	rule, err := bodyID("automation", "ruleId", in.RuleID)
	if err != nil {
		return nil, err
	}
	e, err := f.s.Automations.Enroll(ctx, r.Principal.Tenant, actor(r), rule, lead, in.Variables)
	if err != nil {
		return nil, elsewhere(elsewhere(err, "lead", "leadId"), "automation", "ruleId")
	}
	res, err := dual(enrollmentOf(r.Principal.TenantCode, e))
	if err == nil {
		res.Status = http.StatusCreated
	}
	return res, err
}

// enrollmentVerb answers an enrollment that a path names, after an order or as
// it is.
func (f *Face) enrollmentVerb(order func(ctx context.Context, r *httpx.Request, rule, enrollment id.ID) (automation.Enrollment, error)) httpx.Handler {
	return func(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
		eid, err := pathID("enrollment", r.Param("enrollment"))
		if err != nil {
			return nil, err
		}
		var rule id.ID
		if s := r.Param("sequence"); s != "" {
			if rule, err = pathID("automation", s); err != nil {
				return nil, err
			}
		}
		e, err := order(ctx, r, rule, eid)
		if err != nil {
			return nil, err
		}
		return dual(enrollmentOf(r.Principal.TenantCode, e))
	}
}

func (f *Face) enrollment(ctx context.Context, r *httpx.Request, _, eid id.ID) (automation.Enrollment, error) {
	return f.s.Automations.Enrollment(ctx, r.Principal.Tenant, eid)
}

func (f *Face) unenroll(ctx context.Context, r *httpx.Request, _, eid id.ID) (automation.Enrollment, error) {
	return f.s.Automations.Unenroll(ctx, r.Principal.Tenant, actor(r), eid)
}

func (f *Face) pauseEnrollment(ctx context.Context, r *httpx.Request, rule, eid id.ID) (automation.Enrollment, error) {
	return f.s.Automations.PauseEnrollment(ctx, r.Principal.Tenant, actor(r), rule, eid)
}

func (f *Face) resumeEnrollment(ctx context.Context, r *httpx.Request, rule, eid id.ID) (automation.Enrollment, error) {
	return f.s.Automations.ResumeEnrollment(ctx, r.Principal.Tenant, actor(r), rule, eid)
}

// listEnrollments answers a page of an automation's enrollments, newest first.
func (f *Face) listEnrollments(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	page, limit, err := paging(r, 20)
	if err != nil {
		return nil, err
	}
	q := automation.EnrollmentQuery{Page: page, Limit: limit}
	if q.Status, err = oneOf(r, "status", "", automation.Active, automation.Completed, automation.Exited, automation.Failed, automation.Paused); err != nil {
		return nil, err
	}
	if q.From, err = r.QueryTime("startDate"); err != nil {
		return nil, err
	}
	if q.To, err = r.QueryTime("endDate"); err != nil {
		return nil, err
	}
	if len(r.QueryString("endDate")) == len(time.DateOnly) {
		q.To = q.To.Add(24*time.Hour - time.Millisecond) // a date means all of the day
	}
	rid, err := pathID("automation", r.Param("sequence"))
	if err != nil {
		return nil, err
	}
	all, total, err := f.s.Automations.Enrollments(ctx, r.Principal.Tenant, rid, q)
	if err != nil {
		return nil, err
	}
	return httpx.JSON(0, list(enrollmentsOf(r.Principal.TenantCode, all), place{total: total, page: page, limit: limit})), nil
}

// leadEnrollments answers every enrollment of a lead, under data and under
// enrollments (§2.8).
func (f *Face) leadEnrollments(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	lead, err := pathID("lead", r.Param("lead"))
	if err != nil {
		return nil, err
	}
	all, err := f.s.Automations.EnrollmentsOf(ctx, r.Principal.Tenant, lead)
	if err != nil {
		return nil, err
	}
	out := enrollmentsOf(r.Principal.TenantCode, all)
	return httpx.JSON(0, struct {
		page
		Enrollments []enrollment `json:"enrollments"`
	}{list(out, place{total: len(out), page: 1, limit: max(len(out), 1)}), out}), nil
}

func enrollmentsOf(code string, all []automation.Enrollment) []enrollment {
	out := make([]enrollment, 0, len(all))
	for _, e := range all {
		out = append(out, enrollmentOf(code, e))
	}
	return out
}

func enrollmentOf(code string, e automation.Enrollment) enrollment {
	out := enrollment{record: recordOf(code, e.ID, e.StartedAt, e.UpdatedAt), EnrollmentID: e.ID, RuleID: e.Rule, RuleName: e.RuleName, LeadID: e.Contact,
		Phone: e.Phone, Email: orNull(e.Email), Trigger: e.Trigger, EventData: orNone(e.EventData), ResolvedVariables: orNone(e.Resolved),
		CurrentStep: e.CurrentStep, TotalSteps: e.TotalSteps, Status: e.Status, StepResults: []stepResult{}, NextStepAt: stamp(e.NextStepAt),
		ExitReason: orNull(e.ExitReason), Error: orNull(e.Error), CompletedAt: stamp(e.CompletedAt)}
	for _, s := range e.Results {
		out.StepResults = append(out.StepResults, stepResult{s.Number, s.Status, stamp(s.ExecutedAt), orNone(s.Result), orNull(s.Error)})
	}
	return out
}
