package automation

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"parley/internal/conversation/variables"
	"parley/internal/id"
	"parley/internal/store"
)

// Outcomes of a rule's decision about a happening. A rule that started has a
// run; the others have a row of rule_decision.
const (
	OutcomeStarted    = "started"
	OutcomeFilter     = "filter"     // its triggerConfig did not fit
	OutcomeConditions = "conditions" // its conditions did not hold
	OutcomeEnrolled   = "enrolled"   // the person is in it already
	OutcomeLoop       = "loop"       // rules were setting each other off
	OutcomeUnusable   = "unusable"   // an action of a stage cannot be carried out
)

// verdict is why a candidate did not start, as it is kept.
type verdict struct {
	Outcome string  `json:"-"`
	Checks  []Check `json:"checks,omitempty"` // what did not hold
	Note    string  `json:"note,omitempty"`
}

// Check is one thing that was held against a happening or a person.
type Check struct {
	Name     string `json:"name"`               // active, trigger, triggerConfig, condition, enrollment, loop, run ...
	Field    string `json:"field,omitempty"`    // of the rule's form or of the scope: "triggerConfig.stageId", "lead.source"
	Operator string `json:"operator,omitempty"` // of a condition
	Expected any    `json:"expected,omitempty"`
	Actual   any    `json:"actual,omitempty"` // shortened
	Passed   bool   `json:"passed"`
	Note     string `json:"note,omitempty"` // one plain sentence
}

// judge decides whether a candidate starts; nil means that it does.
func (c *candidate) judge(x facts, sc *scope, now time.Time, zone *time.Location) *verdict {
	if !c.graph.Filter.pass(x) {
		return &verdict{Outcome: OutcomeFilter, Checks: failed(c.graph.Filter.checks(x))}
	}
	if !c.graph.When.pass(sc, now, zone) {
		return &verdict{Outcome: OutcomeConditions, Checks: failed(c.graph.When.checks(sc, now, zone))}
	}
	return nil
}

func failed(list []Check) []Check {
	return slices.DeleteFunc(list, func(c Check) bool { return c.Passed })
}

// checks tells of each condition what it saw and what it said.
func (t *Test) checks(sc *scope, now time.Time, zone *time.Location) []Check {
	out := make([]Check, 0, len(t.List))
	for i := range t.List {
		c := &t.List[i]
		k := Check{Name: "condition", Field: c.Field, Operator: c.Operator, Expected: brief(c.Value), Passed: c.pass(sc, now, zone)}
		if c.Field != "" {
			v, _ := sc.look(c.Field)
			k.Actual = brief(v)
		}
		out = append(out, k)
	}
	return out
}

// brief shortens a value for a record.
func brief(v any) any {
	switch t := v.(type) {
	case nil, bool, float64, int, int64:
		return v
	case string:
		return cut(t, maxBrief)
	}
	return cut(variables.Plain(v), maxBrief)
}

const maxBrief = 120 // bytes of a value in a record

// declined keeps why a candidate did not start for an occasion. The first word
// counts: the same cause is decided once.
func (s *Service) declined(tx *store.Tx, c *candidate, o occasion, v *verdict) error {
	_, err := tx.Exec(`INSERT INTO rule_decision (tenant_id, automation_id, cause, version, contact_id, trigger_id, trigger_name, outcome, detail, at)
		VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (tenant_id, automation_id, cause) DO NOTHING`,
		c.id, o.cause, c.version, o.card.Contact.ID, o.log, o.trigger, v.Outcome, store.JSON(v), tx.Now())
	return err
}

// looped is the verdict on rules that set each other off.
func looped(depth int) *verdict {
	return &verdict{Outcome: OutcomeLoop, Note: fmt.Sprintf("%d automations had set each other off in a row; the limit is %d", depth, maxDepth)}
}

// enrolled is the verdict on a person who is in the rule already.
func enrolled(run id.ID) *verdict {
	return &verdict{Outcome: OutcomeEnrolled, Note: "the lead was in this automation already, in run " + run.String()}
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
