package variables

import (
	"maps"
	"time"

	"parley/internal/deal"
)

// Lead is a card in the platform's shape of a lead (reference §3.1), which is
// what the authors of conditions and templates know; nil without a contact.
func Lead(c deal.Card) map[string]any {
	p, d := &c.Contact, &c.Deal
	if p.ID.IsZero() {
		return nil
	}
	extra, refs := copied(p.Extra), map[string]any{}
	for k, v := range p.Refs {
		refs[k] = v
	}
	metadata := copied(p.Extra) // extra keys are seen at the top of metadata too
	metadata["refs"], metadata["extra"] = refs, extra
	tags := make([]any, len(p.Tags))
	for i, t := range p.Tags {
		tags[i] = t
	}
	m := map[string]any{
		"_id": p.ID.String(), "id": p.ID.String(),
		"firstName": p.FirstName, "lastName": p.LastName, "fullName": p.Name(), "name": p.Name(),
		"phone": p.Phone(), "email": orNil(p.Email()),
		"source": p.Source, "assignedTo": orNil(p.AssignedTo), "tags": tags, "refs": refs,
		"metadata": metadata, "dynamicFields": copied(p.Attributes), "customFields": copied(p.Attributes),
		"score":      map[string]any{"total": float64(p.Score)},
		"isArchived": p.Archived(), "lastContactedAt": ISO(p.LastContactedAt),
		"createdAt": ISO(p.CreatedAt), "updatedAt": ISO(p.UpdatedAt),
		"status": deal.Open, "dealValue": 0.0, "currency": nil, "dealTitle": "",
		"stageId": nil, "pipelineId": nil, "stage": nil, "pipeline": nil, "convertedAt": nil, "enteredStageAt": nil,
	}
	if d.ID.IsZero() {
		return m
	}
	m["status"], m["dealValue"], m["currency"], m["dealTitle"] = d.Status, d.Value, d.Currency, d.Title
	m["stageId"], m["pipelineId"] = d.Stage.String(), d.Pipeline.String()
	m["convertedAt"], m["enteredStageAt"] = ISO(d.ConvertedAt), ISO(d.EnteredStageAt)
	m["stage"] = map[string]any{"_id": d.Stage.String(), "id": d.Stage.String(), "name": c.Stage.Name,
		"probability": float64(c.Stage.Probability), "isWon": c.Stage.Won, "isLost": c.Stage.Lost}
	m["pipeline"] = map[string]any{"_id": d.Pipeline.String(), "id": d.Pipeline.String(), "name": c.Pipeline.Name}
	return m
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func copied(m map[string]any) map[string]any {
	out := make(map[string]any, len(m)+2)
	maps.Copy(out, m)
	return out
}

// ISO writes a time as the faces do; the zero time is nothing.
func ISO(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// FieldInfo describes a field that a mapping may name.
type FieldInfo struct {
	Name  string `json:"name"`
	Label string `json:"label"`
	Type  string `json:"type"` // string, number, date, object
}

// Collections lists what a mapping of the source crm may read: the contact's
// lead, and what the lead stands in. Names are those of the platform API.
var Collections = []string{"leads", "pipelines", "stages"}

var fields = map[string][]FieldInfo{
	"leads": {
		{"firstName", "First name", "string"}, {"lastName", "Last name", "string"}, {"fullName", "Full name", "string"},
		{"phone", "Phone", "string"}, {"email", "E-mail", "string"}, {"source", "Source", "string"}, {"assignedTo", "Assigned to", "string"},
		{"status", "Status", "string"}, {"dealValue", "Deal value", "number"}, {"currency", "Currency", "string"}, {"dealTitle", "Deal title", "string"},
		{"score.total", "Score", "number"}, {"stage.name", "Stage", "string"}, {"pipeline.name", "Pipeline", "string"}, {"tags", "Tags", "object"},
		{"lastContactedAt", "Last contacted", "date"}, {"convertedAt", "Converted", "date"}, {"createdAt", "Created", "date"}, {"updatedAt", "Updated", "date"},
		{"dynamicFields", "Custom fields", "object"}, {"metadata.extra", "Metadata", "object"}, {"metadata.refs", "References", "object"},
	},
	"pipelines": {{"name", "Name", "string"}, {"id", "Id", "string"}},
	"stages":    {{"name", "Name", "string"}, {"id", "Id", "string"}, {"probability", "Probability", "number"}},
}

// Fields describes the fields of a collection; nil for one that there is not.
func Fields(collection string) []FieldInfo { return fields[collection] }

// Of looks for a field of a collection; "" means leads.
func (s Source) Of(collection, field string) (any, bool) {
	switch collection {
	case "", "leads", "lead", "contacts":
		return s.Field(field)
	case "pipelines":
		return Follow(s.Lead, "pipeline."+field)
	case "stages":
		return Follow(s.Lead, "stage."+field)
	}
	return nil, false
}
