package automation

import (
	"strings"

	"parley/internal/contact"
	"parley/internal/conversation/variables"
	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/id"
)

// newCard describes the person that a call may create (reference 4.2, 4.4.5).
// What leadData holds beyond the known keys goes to the person's extra fields.
func newCard(c Call) (deal.NewCard, error) {
	n := deal.NewCard{New: contact.New{Phone: c.Phone, Email: c.Email}}
	var name string
	texts := map[string]*string{"firstName": &n.FirstName, "lastName": &n.LastName, "name": &name, "fullName": &name, "source": &n.Source,
		"assignedTo": &n.AssignedTo, "currency": &n.Currency, "dealTitle": &n.Title}
	ids := map[string]*id.ID{"pipelineId": &n.Pipeline, "stageId": &n.Stage}
	for k, v := range c.LeadData {
		field := "leadData." + k
		if v == nil {
			continue
		}
		switch dst, isID := texts[k], ids[k]; {
		case dst != nil:
			s, ok := v.(string)
			if !ok {
				return n, fault.Field(field, "%s must be text", field)
			}
			*dst = strings.TrimSpace(s)
		case isID != nil:
			s, _ := v.(string)
			p, err := id.Parse(s)
			if err != nil {
				return n, fault.Field(field, "%s must be an id of 24 hexadecimal digits", field)
			}
			*isID = p
		case k == "phone" || k == "email":
			s, ok := v.(string)
			if !ok {
				return n, fault.Field(field, "%s must be text", field)
			}
			if k == "phone" && n.Phone == "" {
				n.Phone = s
			}
			if k == "email" && n.Email == "" {
				n.Email = s
			}
		case k == "dealValue":
			x, ok := variables.Number(v)
			if !ok {
				return n, fault.Field(field, "%s must be a number", field)
			}
			n.Value = &x
		case k == "tags":
			list, ok := v.([]any)
			if !ok {
				return n, fault.Field(field, "%s must be a list of texts", field)
			}
			for _, t := range list {
				s, ok := t.(string)
				if !ok {
					return n, fault.Field(field, "%s must be a list of texts", field)
				}
				n.Tags = append(n.Tags, s)
			}
		case k == "metadata" || k == "dynamicFields" || k == "customFields":
			m, ok := v.(map[string]any)
			if !ok {
				return n, fault.Field(field, "%s must be an object", field)
			}
			if k == "metadata" {
				addMetadata(&n, m)
				continue
			}
			n.Attributes = merge(n.Attributes, m)
		default:
			n.Extra = merge(n.Extra, map[string]any{k: v})
		}
	}
	if n.FirstName == "" {
		first, last, _ := strings.Cut(name, " ")
		n.FirstName = first
		if n.LastName == "" {
			n.LastName = strings.TrimSpace(last)
		}
	}
	if n.FirstName == "" {
		if n.FirstName = n.Phone; n.FirstName == "" {
			n.FirstName, _, _ = strings.Cut(n.Email, "@")
		}
	}
	return n, nil
}

// addMetadata reads {refs, extra}; other keys are extra fields.
func addMetadata(n *deal.NewCard, m map[string]any) {
	for k, v := range m {
		inner, ok := v.(map[string]any)
		switch {
		case k == "refs" && ok:
			for rk, rv := range inner {
				if n.Refs == nil {
					n.Refs = map[string]string{}
				}
				n.Refs[rk] = variables.Plain(rv)
			}
		case k == "extra" && ok:
			n.Extra = merge(n.Extra, inner)
		default:
			n.Extra = merge(n.Extra, map[string]any{k: v})
		}
	}
}

func merge(into, from map[string]any) map[string]any {
	if into == nil {
		into = map[string]any{}
	}
	for k, v := range from {
		into[k] = v
	}
	return into
}

func copyMap(m map[string]any) map[string]any {
	out := make(map[string]any, len(m)+2)
	for k, v := range m {
		out[k] = v
	}
	return out
}
