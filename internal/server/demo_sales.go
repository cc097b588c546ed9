package server

import (
	"context"
	"time"

	"parley/internal/access"
	"parley/internal/agent"
	"parley/internal/id"
	"parley/internal/intake"
)

// weekdays is nine to six from Monday to Friday.
func weekdays() agent.Hours {
	var out agent.Hours
	for d := time.Monday; d <= time.Friday; d++ {
		out = append(out, agent.Shift{Day: d, From: 9 * 60, To: 18 * 60})
	}
	return out
}

// demoSales seeds what the sales API needs to be tried: two stores with an agent
// each, leads of both, and a key that acts for one of the agents.
func demoSales(ctx context.Context, app *App, tenant id.ID) (key string, err error) {
	root, err := app.Agents.Root(ctx, tenant)
	if err != nil {
		return "", err
	}
	var ann agent.Agent
	for _, s := range []struct{ store, first, last, lead, phone, wants string }{
		{"North Store", "Ann", "Arbor", "Ravi", "+919876500001", "I would like to see the blue one."},
		{"South Store", "Ben", "Brook", "Meera", "+919876500002", "Do you deliver on Saturdays?"},
	} {
		g, err := app.Agents.CreateGroup(ctx, tenant, "system", agent.Group{Name: s.store, Parent: root.ID, Types: []string{agent.TypeStore},
			Hours: weekdays(), AbsenceMessage: "We are closed at the moment and will write to you on the next working day."})
		if err != nil {
			return "", err
		}
		a, err := app.Agents.Create(ctx, tenant, "system", agent.Agent{Group: g.ID, FirstName: s.first, LastName: s.last})
		if err != nil {
			return "", err
		}
		if ann.ID.IsZero() {
			ann = a
		}
		if _, err := app.Intake.Take(ctx, tenant, "system", intake.Lead{Kind: intake.Retail, FirstName: s.lead, Phones: []string{s.phone},
			Store: s.store, Source: "website", Comments: s.wants, Group: root.ID}); err != nil {
			return "", err
		}
	}
	key, _, err = app.Access.Create(ctx, tenant, access.NewKey{Face: "sales", Name: "demo", User: ann.ID})
	return key, err
}
