package parley

import "context"

const automationPath = crmPath + "/automations"

// Automations holds rules, their runs and their enrollments.
type Automations struct{ c *Client }

// List returns one page of the rules that the filter selects.
func (s *Automations) List(ctx context.Context, f AutomationFilter, opts ...CallOption) (Page[Automation], error) {
	q := newParams().text("trigger", f.Trigger).flag("isActive", f.IsActive).number("page", f.Page).number("limit", f.Limit)
	return list[Automation](ctx, s.c, automationPath, q, opts)
}

// Create makes a rule.
func (s *Automations) Create(ctx context.Context, in AutomationInput, opts ...CallOption) (Automation, error) {
	return call[Automation](ctx, s.c, "POST", automationPath, nil, in, opts)
}

// Retrieve returns a rule.
func (s *Automations) Retrieve(ctx context.Context, id string, opts ...CallOption) (Automation, error) {
	return call[Automation](ctx, s.c, "GET", at(automationPath, id), nil, nil, opts)
}

// Update changes a rule. Runs keep the version they began with.
func (s *Automations) Update(ctx context.Context, id string, in AutomationUpdate, opts ...CallOption) (Automation, error) {
	return call[Automation](ctx, s.c, "PATCH", at(automationPath, id), nil, in, opts)
}

// Toggle switches a rule off or on.
func (s *Automations) Toggle(ctx context.Context, id string, opts ...CallOption) (Automation, error) {
	return call[Automation](ctx, s.c, "PATCH", at(automationPath, id, "toggle"), nil, nil, opts)
}

// Delete removes a rule.
func (s *Automations) Delete(ctx context.Context, id string, opts ...CallOption) error {
	return perform(ctx, s.c, "DELETE", at(automationPath, id), nil, opts)
}

// BulkDelete removes rules and returns how many it found.
func (s *Automations) BulkDelete(ctx context.Context, ids []string, opts ...CallOption) (int, error) {
	return bulkDelete(ctx, s.c, automationPath+"/bulk-delete", ids, opts)
}

// Test tells what a rule would do with a lead, and does nothing.
func (s *Automations) Test(ctx context.Context, id, leadID string, opts ...CallOption) (TestResult, error) {
	return call[TestResult](ctx, s.c, "POST", at(automationPath, id, "test"), nil, map[string]string{"leadId": leadID}, opts)
}

// AvailableEvents lists the triggers that a rule may name.
func (s *Automations) AvailableEvents(ctx context.Context, opts ...CallOption) ([]EventDefinition, error) {
	return call[[]EventDefinition](ctx, s.c, "GET", automationPath+"/events", nil, nil, opts)
}

// Enrollments returns one page of the enrollments of a sequence.
func (s *Automations) Enrollments(ctx context.Context, id string, f EnrollmentFilter, opts ...CallOption) (Page[Enrollment], error) {
	q := newParams().text("status", f.Status).time("startDate", f.StartDate).time("endDate", f.EndDate).number("page", f.Page).number("limit", f.Limit)
	return list[Enrollment](ctx, s.c, at(automationPath, id, "enrollments"), q, opts)
}

// Enrollment returns an enrollment.
func (s *Automations) Enrollment(ctx context.Context, id string, opts ...CallOption) (Enrollment, error) {
	return call[Enrollment](ctx, s.c, "GET", at(automationPath+"/enrollments", id), nil, nil, opts)
}

// PauseEnrollment stops an active enrollment until it is resumed.
func (s *Automations) PauseEnrollment(ctx context.Context, id, enrollmentID string, opts ...CallOption) (Enrollment, error) {
	return call[Enrollment](ctx, s.c, "POST", at(automationPath, id, "enrollments", enrollmentID, "pause"), nil, nil, opts)
}

// ResumeEnrollment goes on with a paused enrollment.
func (s *Automations) ResumeEnrollment(ctx context.Context, id, enrollmentID string, opts ...CallOption) (Enrollment, error) {
	return call[Enrollment](ctx, s.c, "POST", at(automationPath, id, "enrollments", enrollmentID, "resume"), nil, nil, opts)
}

// Runs returns one page of the runs of a rule.
func (s *Automations) Runs(ctx context.Context, id string, f RunFilter, opts ...CallOption) (Page[Run], error) {
	q := newParams().text("status", f.Status).number("page", f.Page).number("limit", f.Limit)
	return list[Run](ctx, s.c, at(automationPath, id, "runs"), q, opts)
}

// Run returns a run with the results of its nodes.
func (s *Automations) Run(ctx context.Context, id string, opts ...CallOption) (Run, error) {
	return call[Run](ctx, s.c, "GET", at(automationPath+"/runs", id), nil, nil, opts)
}

// ResumeRun goes on with a paused run, ends the wait of a waiting one, or tries
// the failed node of a failed one again.
func (s *Automations) ResumeRun(ctx context.Context, id string, opts ...CallOption) (Run, error) {
	return call[Run](ctx, s.c, "POST", at(automationPath+"/runs", id, "resume"), nil, nil, opts)
}

// AbortRun ends a run that has not finished.
func (s *Automations) AbortRun(ctx context.Context, id string, opts ...CallOption) (Run, error) {
	return call[Run](ctx, s.c, "POST", at(automationPath+"/runs", id, "abort"), nil, nil, opts)
}

// WebhookEvent wakes the runs of a rule that wait for an event. leadId, phone,
// email or runId in the payload narrow it to matching ones.
func (s *Automations) WebhookEvent(ctx context.Context, id, eventName string, payload map[string]any, opts ...CallOption) (Resumed, error) {
	in := struct {
		EventName string         `json:"eventName"`
		Payload   map[string]any `json:"payload,omitempty"`
	}{eventName, payload}
	return call[Resumed](ctx, s.c, "POST", at(automationPath, id, "webhook-event"), nil, in, opts)
}

// Sequences enrolls leads by hand.
type Sequences struct{ c *Client }

// EnrollInput names who enters which sequence.
type EnrollInput struct {
	LeadID    string         `json:"leadId"`
	RuleID    string         `json:"ruleId"`
	Variables map[string]any `json:"variables,omitempty"`
}

// Enroll puts a lead into a sequence.
func (s *Sequences) Enroll(ctx context.Context, in EnrollInput, opts ...CallOption) (Enrollment, error) {
	e, err := call[Enrollment](ctx, s.c, "POST", crmPath+"/sequences/enroll", nil, in, opts)
	e.ID = firstOf(e.ID, e.EnrollmentID)
	return e, err
}

// Unenroll takes a lead out of a sequence.
func (s *Sequences) Unenroll(ctx context.Context, enrollmentID string, opts ...CallOption) (Enrollment, error) {
	return call[Enrollment](ctx, s.c, "DELETE", at(crmPath+"/sequences/unenroll", enrollmentID), nil, nil, opts)
}

// ListForLead returns the enrollments of a lead.
func (s *Sequences) ListForLead(ctx context.Context, leadID string, opts ...CallOption) ([]Enrollment, error) {
	return call[[]Enrollment](ctx, s.c, "GET", at(crmPath+"/sequences/lead", leadID), nil, nil, opts)
}

// List returns the rules that are sequences.
func (s *Sequences) List(ctx context.Context, opts ...CallOption) ([]Automation, error) {
	return call[[]Automation](ctx, s.c, "GET", crmPath+"/sequences", nil, nil, opts)
}
