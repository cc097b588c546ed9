package platform

import (
	"slices"

	"parley/internal/fault"
)

// imported is how an import went (reference §2.6).
type imported struct {
	Created int        `json:"created"`
	Updated int        `json:"updated"`
	Failed  int        `json:"failed"`
	Errors  []rowError `json:"errors,omitempty"`
}

// rowError says why a row failed. Index is an alias of row, which counts from 0.
type rowError struct {
	Row     int    `json:"row"`
	Index   int    `json:"index"`
	Field   string `json:"field,omitempty"`
	Phone   string `json:"phone,omitempty"`
	Message string `json:"message"`
}

// fail counts a row that could not be read.
func (out *imported) fail(row int, raw []byte, err error) {
	out.Failed++
	for field, texts := range fields(fault.As(err)) {
		for _, t := range texts {
			out.Errors = append(out.Errors, rowError{Row: row, Index: row, Field: field, Phone: phoneOf(raw), Message: t})
		}
	}
	if f := fault.As(err); f.Field == "" && len(f.Fields) == 0 {
		out.Errors = append(out.Errors, rowError{Row: row, Index: row, Phone: phoneOf(raw), Message: f.Message})
	}
}

func (out *imported) sort() {
	slices.SortStableFunc(out.Errors, func(a, b rowError) int {
		if a.Row != b.Row {
			return a.Row - b.Row
		}
		switch {
		case a.Field < b.Field:
			return -1
		case a.Field > b.Field:
			return 1
		}
		return 0
	})
}

// putAway is how many leads a call archived.
type putAway struct {
	Deleted int `json:"deleted"`
}

// scoredLead is a lead with how its score came about (reference §2.6, §2.10).
type scoredLead struct {
	lead
	Breakdown []scorePart `json:"breakdown"`
}

type scorePart struct {
	Label         string `json:"label"`
	Field         string `json:"field"`
	Matched       bool   `json:"matched"`
	Points        int    `json:"points"`
	AppliedPoints int    `json:"appliedPoints"`
}

// field describes one field of a lead. The reference leaves its form open.
type field struct {
	Key   string `json:"key"`
	Label string `json:"label"`
	Type  string `json:"type"` // string, number, boolean, date, array, object
	// Options are the usual values; others are accepted.
	Options []string `json:"options,omitempty"`
	// Custom: keys below it are the client's own ("metadata.extra.plan").
	Custom bool `json:"custom"`
}

var fieldsOfLead = []field{
	{Key: "firstName", Label: "First name", Type: "string"},
	{Key: "lastName", Label: "Last name", Type: "string"},
	{Key: "fullName", Label: "Full name", Type: "string"},
	{Key: "phone", Label: "Phone", Type: "string"},
	{Key: "email", Label: "E-mail", Type: "string"},
	{Key: "source", Label: "Source", Type: "string", Options: []string{"website", "whatsapp", "instagram", "facebook", "referral", "cold_outreach", "phone", "email",
		"walk_in", "product", "service", "doctor", "report_download", "webhook", "manual", "social", "ad", "event", "other"}},
	{Key: "assignedTo", Label: "Assigned to", Type: "string"},
	{Key: "status", Label: "Status", Type: "string", Options: []string{"open", "won", "lost", "archived"}},
	{Key: "pipelineId", Label: "Pipeline", Type: "string"},
	{Key: "stageId", Label: "Stage", Type: "string"},
	{Key: "dealValue", Label: "Deal value", Type: "number"},
	{Key: "currency", Label: "Currency", Type: "string"},
	{Key: "dealTitle", Label: "Deal title", Type: "string"},
	{Key: "tags", Label: "Tags", Type: "array"},
	{Key: "score.total", Label: "Score", Type: "number"},
	{Key: "isArchived", Label: "Archived", Type: "boolean"},
	{Key: "lastContactedAt", Label: "Last contacted", Type: "date"},
	{Key: "convertedAt", Label: "Converted", Type: "date"},
	{Key: "enteredStageAt", Label: "Entered the stage", Type: "date"},
	{Key: "createdAt", Label: "Created", Type: "date"},
	{Key: "updatedAt", Label: "Updated", Type: "date"},
	{Key: "metadata.refs", Label: "References", Type: "object", Custom: true},
	{Key: "metadata.extra", Label: "Metadata", Type: "object", Custom: true},
	{Key: "dynamicFields", Label: "Custom fields", Type: "object", Custom: true},
}
