package platform

import (
	"context"

	"parley/internal/automation"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// explain says why an automation did or did not start for a lead, for a trigger
// call, or for an event of the feed. The route is our own.
func (f *Face) explain(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	rid, err := pathID("automation", r.Param("id"))
	if err != nil {
		return nil, err
	}
	q := automation.Question{Event: r.QueryString("event")}
	for _, x := range []struct {
		noun, name string
		to         *id.ID
	}{{"lead", "leadId", &q.Contact}, {"event log", "eventLogId", &q.Log}} {
		if *x.to, err = bodyID(x.noun, x.name, r.QueryString(x.name)); err != nil {
			return nil, err
		}
	}
	x, err := f.s.Automations.Explain(ctx, r.Principal.Tenant, rid, q)
	if err != nil {
		return nil, fault.Renamed(err, map[string]string{"contact": "leadId"})
	}
	return ok(explanationOf(r.Principal.TenantCode, x))
}

func explanationOf(code string, x automation.Explanation) explanation {
	out := explanation{RuleID: x.Rule.ID, RuleName: x.Rule.Name, RuleVersion: x.Version, LeadID: ref(x.Contact), EventLogID: ref(x.Log), Outcome: x.Outcome,
		Explanation: x.Sentence, Recorded: x.Recorded, DecidedAt: stamp(x.DecidedAt), Checks: checksOf(x.Checks), Now: checksOf(x.Now)}
	if out.RuleVersion == 0 {
		out.RuleVersion = x.Rule.Version
	}
	if x.Run != nil {
		one := runOf(code, *x.Run)
		out.Run = &one
	}
	return out
}

func checksOf(all []automation.Check) []check {
	out := make([]check, 0, len(all))
	for _, c := range all {
		out = append(out, check{c.Name, orNull(c.Field), orNull(c.Operator), c.Expected, c.Actual, c.Passed, orNull(c.Note)})
	}
	return out
}
