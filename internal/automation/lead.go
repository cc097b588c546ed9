package automation

import (
	"time"

	"parley/internal/deal"
)

// leadOf is a card in the platform's shape of a lead (reference 3.1), which is
// what the authors of conditions and templates know.
func leadOf(c deal.Card) map[string]any {
	p, d := &c.Contact, &c.Deal
	extra := copyMap(p.Extra)
	refs := map[string]any{}
	for k, v := range p.Refs {
		refs[k] = v
	}
	metadata := copyMap(p.Extra) // extra keys are seen at the top of metadata too
	metadata["refs"], metadata["extra"] = refs, extra
	tags := make([]any, len(p.Tags))
	for i, t := range p.Tags {
		tags[i] = t
	}
	m := map[string]any{
		"_id": p.ID.String(), "id": p.ID.String(),
		"firstName": p.FirstName, "lastName": p.LastName, "fullName": p.Name(), "name": p.Name(),
		"phone": p.Phone(), "email": orNil(p.Email()),
		"source": p.Source, "assignedTo": orNil(p.AssignedTo), "tags": tags,
		"metadata": metadata, "dynamicFields": copyMap(p.Attributes), "customFields": copyMap(p.Attributes),
		"score":      map[string]any{"total": float64(p.Score)},
		"isArchived": p.Archived(), "lastContactedAt": iso(p.LastContactedAt),
		"createdAt": iso(p.CreatedAt), "updatedAt": iso(p.UpdatedAt),
		"status": deal.Open, "dealValue": 0.0, "currency": nil, "dealTitle": "",
		"stageId": nil, "pipelineId": nil, "stage": nil, "pipeline": nil, "convertedAt": nil, "enteredStageAt": nil,
	}
	if d.ID.IsZero() {
		return m
	}
	m["status"], m["dealValue"], m["currency"], m["dealTitle"] = d.Status, d.Value, d.Currency, d.Title
	m["stageId"], m["pipelineId"] = d.Stage.String(), d.Pipeline.String()
	m["convertedAt"], m["enteredStageAt"] = iso(d.ConvertedAt), iso(d.EnteredStageAt)
	m["stage"] = map[string]any{"_id": d.Stage.String(), "id": d.Stage.String(), "name": c.Stage.Name,
		"probability": float64(c.Stage.Probability), "isWon": c.Stage.Won, "isLost": c.Stage.Lost}
	m["pipeline"] = map[string]any{"_id": d.Pipeline.String(), "id": d.Pipeline.String(), "name": c.Pipeline.Name}
	return m
}

func copyMap(m map[string]any) map[string]any {
	out := make(map[string]any, len(m)+2)
	for k, v := range m {
		out[k] = v
	}
	return out
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// iso writes a time as the faces do; the zero time is null.
func iso(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}
