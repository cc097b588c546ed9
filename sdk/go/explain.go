package parley

import (
	"context"
	"time"
)

// ExplainInput names the happening to explain: a trigger call, an event of the
// feed by its cursor, or the last time that a rule looked at a lead.
type ExplainInput struct {
	EventLogID, Event, LeadID string
}

// Explanation says why a rule did or did not start. It is this server's own
// addition to the platform API.
type Explanation struct {
	RuleID      string    `json:"ruleId"`
	RuleName    string    `json:"ruleName"`
	RuleVersion int       `json:"ruleVersion"`
	LeadID      string    `json:"leadId"`
	EventLogID  string    `json:"eventLogId"`
	Outcome     string    `json:"outcome"`     // such as started, conditions, refused
	Explanation string    `json:"explanation"` // one sentence
	Recorded    bool      `json:"recorded"`    // written down then, not inferred
	DecidedAt   time.Time `json:"decidedAt"`
	Checks      []Check   `json:"checks"` // with the values of then
	Now         []Check   `json:"now"`    // with those of now
	Run         *Run      `json:"run"`
}

// Check is one thing that was held against a happening.
type Check struct {
	Name     string `json:"name"`
	Field    string `json:"field"`
	Operator string `json:"operator"`
	Expected any    `json:"expected"`
	Actual   any    `json:"actual"`
	Passed   bool   `json:"passed"`
	Note     string `json:"note"`
}

// Explain says why a rule did or did not start.
func (s *Automations) Explain(ctx context.Context, id string, in ExplainInput, opts ...CallOption) (Explanation, error) {
	q := newParams().text("eventLogId", in.EventLogID).text("event", in.Event).text("leadId", in.LeadID)
	return call[Explanation](ctx, s.c, "GET", at(automationPath, id, "explain"), q.Values, nil, opts)
}
