package conversation

import (
	"context"
	"fmt"
	"strings"

	"parley/internal/id"
)

// Preview is what a template would say.
type Preview struct {
	Values []string // one per position; a placeholder where nothing is known
	Text   string   // the body with them
	Issues []Issue
}

// Preview fills a template as a send to c's contact would. What has no value
// stays a placeholder (platform reference §4.6). NotFound.
func (t *Templates) Preview(ctx context.Context, tenantID id.ID, nameOrID string, c Context) (Preview, error) {
	r := t.db.Read(ctx, tenantID)
	tpl, err := t.Get(r, nameOrID)
	if err != nil {
		return Preview{}, err
	}
	values, issues, err := t.ResolveIn(r, tpl, c)
	if err != nil {
		return Preview{}, err
	}
	body := map[string]string{}
	for i, p := range tpl.Positions {
		if values[i] == "" {
			values[i] = "{{" + p.Name + "}}"
		}
		if p.Component == inBody {
			body[p.Name] = values[i]
		}
	}
	return Preview{Values: values, Text: fill(tpl.BodyText, body), Issues: issues}, nil
}

// Validate tells whether a template can be sent without values from the caller,
// and what is in the way. NotFound.
func (t *Templates) Validate(ctx context.Context, tenantID id.ID, nameOrID string) (ready bool, issues []Issue, err error) {
	tpl, err := t.Get(t.db.Read(ctx, tenantID), nameOrID)
	if err != nil {
		return false, nil, err
	}
	issues = []Issue{}
	add := func(reason, format string, args ...any) {
		issues = append(issues, Issue{Reason: reason, Blocks: true, Message: fmt.Sprintf(format, args...)})
	}
	if !strings.EqualFold(tpl.Status, "APPROVED") {
		add("status", "the template is %s at the provider; only approved templates can be sent", strings.ToLower(tpl.Status))
	}
	if !tpl.Active {
		add("status", "the template is switched off")
	}
	if tpl.MappingStatus == "outdated" {
		add("outdated", "the number of its variables has changed since they were mapped; map them again")
	}
	for _, p := range tpl.Positions {
		m, mapped := tpl.mapping(p)
		switch {
		case !mapped:
			issues = append(issues, Issue{Position: p.Position, Label: p.Name, Reason: "unmapped", Blocks: true,
				Message: fmt.Sprintf("position %d, {{%s}}, is not mapped", p.Position, p.Name)})
		case m.Source == fromManual && m.Fallback == "":
			issues = append(issues, Issue{Position: p.Position, Label: describe(m.Label, m.Field), Reason: "manual", Blocks: false,
				Message: fmt.Sprintf("position %d (%s) is given by whoever sends", p.Position, describe(m.Label, m.Field))})
		case m.Fallback == "" && m.Source != fromStatic && tpl.OnEmpty == UseFallback:
			issues = append(issues, Issue{Position: p.Position, Label: describe(m.Label, m.Field), Reason: "empty", Blocks: false,
				Message: fmt.Sprintf("position %d (%s) has no fallback, so it is not sent to whom it has no value for", p.Position, describe(m.Label, m.Field))})
		}
	}
	return !blocked(issues), issues, nil
}
