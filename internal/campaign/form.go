package campaign

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"parley/internal/fault"
	"parley/internal/filter"
	"parley/internal/id"
)

// Bounds of a campaign.
const (
	maxName      = 500       // characters
	maxGoal      = 10_000    // characters
	maxFlow      = 200       // characters
	maxTags      = 200       // of a campaign
	maxTag       = 200       // characters
	maxExtra     = 256 << 10 // bytes of JSON
	maxAction    = 64 << 10  // bytes of JSON
	maxCampaigns = 20_000    // of a tenant
)

// kept are the attributes that nobody writes: whoever sends a campaign back as it was
// read sends them too, so they are passed over.
var kept = []string{"_id", "id", "_org", "_schema", "_title", "_owners", "_acl", "_created_at", "_updated_at", "_deleted_at", "_relations"}

// canonical is filter.Canonical for an object that may be nil.
func canonical(m map[string]any) map[string]any {
	if m == nil {
		return nil
	}
	c, _ := filter.Canonical(m).(map[string]any)
	return c
}

// merge brings attributes into a campaign: absent ones stay, null takes away. Faults:
// Invalid naming the attribute.
func (c *Campaign) merge(attrs map[string]any) error {
	var bad fault.Collector
	rest := map[string]any{}
	for name, v := range canonical(attrs) {
		rest[name] = v
	}
	take := func(name string, set func(v any) error) {
		if v, ok := rest[name]; ok {
			delete(rest, name)
			bad.Add(set(v))
		}
	}
	for _, name := range kept {
		delete(rest, name)
	}
	take("status", func(v any) error {
		if v != nil && v != c.Status {
			return fault.Field("status", "status is not written; ask for it at POST /v1/campaign/{campaign_id}/status")
		}
		return nil
	})
	take("job_id", func(v any) error {
		if v == nil && c.Job.IsZero() || v == "" && c.Job.IsZero() || !c.Job.IsZero() && v == c.Job.UUID() {
			return nil
		}
		return fault.Field("job_id", "job_id is not written; an activation sets it")
	})
	take("name", line("name", &c.Name, maxName))
	take("goal", line("goal", &c.Goal, maxGoal))
	take("flow_id", line("flow_id", &c.Flow, maxFlow))
	take("start_date", date("start_date", &c.StartDate))
	take("end_date", date("end_date", &c.EndDate))
	take("_tags", func(v any) (err error) { c.Tags, err = tags(v); return err })
	take("target", func(v any) (err error) { c.Target, c.TargetID, err = relation(v); return err })
	take("next_best_action", func(v any) error {
		m, ok := v.(map[string]any)
		if v != nil && !ok {
			return fault.Field("next_best_action", "next_best_action must be an object")
		}
		c.NextBestAction = m
		return sized("next_best_action", m, maxAction)
	})
	if c.Extra == nil {
		c.Extra = map[string]any{}
	}
	for name, v := range rest {
		if name == "" || utf8.RuneCountInString(name) > maxTag {
			bad.Add(fault.Field("attributes", "the name of an attribute has 1 to %d characters", maxTag))
		}
		if c.Extra[name] = v; v == nil {
			delete(c.Extra, name)
		}
	}
	bad.Add(sized("attributes", c.Extra, maxExtra))
	if c.StartDate != "" && c.EndDate != "" && c.EndDate < c.StartDate {
		bad.Add(fault.Field("end_date", "end_date is before start_date"))
	}
	return bad.Err()
}

func sized(field string, m map[string]any, most int) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(b) > most {
		return fault.Field(field, "%s may have at most %d bytes of JSON", field, most)
	}
	return nil
}

func line(field string, to *string, most int) func(v any) error {
	return func(v any) error {
		text, ok := v.(string)
		if v != nil && !ok {
			return fault.Field(field, "%s must be a text", field)
		}
		if utf8.RuneCountInString(text) > most {
			return fault.Field(field, "%s may have at most %d characters", field, most)
		}
		*to = text
		return nil
	}
}

func date(field string, to *string) func(v any) error {
	return func(v any) error {
		text, ok := v.(string)
		if _, err := time.Parse(time.DateOnly, text); v != nil && text != "" && (!ok || err != nil) || v != nil && !ok {
			return fault.Field(field, "%s must be a date such as 2026-01-31", field)
		}
		*to = text
		return nil
	}
}

func tags(v any) ([]string, error) {
	if v == nil {
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok || len(list) > maxTags {
		return nil, fault.Field("_tags", "_tags must be a list of at most %d texts", maxTags)
	}
	out := make([]string, 0, len(list))
	for i, x := range list {
		text, ok := x.(string)
		if !ok || strings.TrimSpace(text) == "" || utf8.RuneCountInString(text) > maxTag {
			return nil, fault.Field(fmt.Sprintf("_tags[%d]", i), "_tags[%d] must be a text of 1 to %d characters", i, maxTag)
		}
		out = append(out, text)
	}
	return out, nil
}

// relation reads {"$relation": [{"entity_id": UUID, "_tags": [...]}]}. A campaign has
// one target (reference §3.2).
func relation(v any) ([]Relation, id.ID, error) {
	if v == nil {
		return nil, id.Zero, nil
	}
	bad := fault.Field("target", `target must be {"$relation": [{"entity_id": "..."}]}`)
	m, _ := v.(map[string]any)
	list, ok := m["$relation"].([]any)
	if !ok {
		return nil, id.Zero, bad
	}
	if len(list) > 1 {
		return nil, id.Zero, fault.Field("target.$relation", "a campaign has one target; give one relation")
	}
	out := []Relation{}
	var to id.ID
	for _, x := range list {
		m, _ := x.(map[string]any)
		text, ok := m["entity_id"].(string)
		if !ok {
			return nil, id.Zero, fault.Field("target.$relation[0].entity_id", "target.$relation[0].entity_id is required")
		}
		at, known, err := id.FromUUID(text)
		if err != nil {
			return nil, id.Zero, fault.Field("target.$relation[0].entity_id", "target.$relation[0].entity_id must be a UUID")
		}
		t, err := tags(m["_tags"])
		if err != nil {
			return nil, id.Zero, fault.Renamed(err, map[string]string{"_tags": "target.$relation[0]._tags"})
		}
		if known {
			to = at
		}
		out = append(out, Relation{Entity: strings.ToLower(text), Tags: t})
	}
	return out, to, nil
}
