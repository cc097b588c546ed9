package automation

import (
	"encoding/json"
	"slices"
	"strings"

	"parley/internal/contact"
	"parley/internal/conversation/variables"
	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/store"
)

// updatable are the fields that update_lead may set (reference 3.7, whitelist),
// besides the keys of metadata, dynamicFields and customFields.
const updatable = "firstName, lastName, email, source, assignedTo, dealValue (value), currency, dealTitle, tags, metadata, dynamicFields (customFields)"

// update sets fields of the lead. Placeholders are resolved inside the values.
func (w *walk) update(tx *store.Tx, n *Node, sc *scope) (map[string]any, error) {
	form := n.Fields
	if text, ok := form.(string); ok {
		parsed, err := w.jsonText("fields", text, sc)
		if err != nil {
			return nil, err
		}
		form = parsed
	} else {
		form = w.fill(form, sc)
	}
	m, ok := form.(map[string]any)
	if !ok {
		return nil, fault.Field("fields", "fields must be an object of fields to set")
	}
	p, err := patchOf("fields", m)
	if err != nil {
		return nil, err
	}
	_, err = w.s.cards.UpdateIn(tx, w.r.actor(), w.r.contact, p)
	return map[string]any{"fields": sortedKeys(m)}, err
}

// jsonText renders JSON text with placeholders: each value takes the place of
// its placeholder as JSON inside a text, so that it cannot break out of it.
func (w *walk) jsonText(field, text string, sc *scope) (any, error) {
	var v any
	s := storable(render(text, sc, style{plain: true, escape: jsonInner}))
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		return nil, fault.Field(field, "%s is not JSON once its placeholders are filled in", field)
	}
	return v, nil
}

// jsonInner writes text as it stands between the quotes of a JSON text.
func jsonInner(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return ""
	}
	return string(b[1 : len(b)-1])
}

// fill renders every text in a JSON value (reference 4.6).
func (w *walk) fill(v any, sc *scope) any {
	switch t := v.(type) {
	case string:
		return storable(render(t, sc, style{plain: true}))
	case []any:
		out := make([]any, len(t))
		for i := range t {
			out[i] = w.fill(t[i], sc)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, x := range t {
			out[k] = w.fill(x, sc)
		}
		return out
	}
	return v
}

// patchOf reads fields to set. Names that are not on the whitelist are faults.
func patchOf(at string, m map[string]any) (deal.CardPatch, error) {
	var p deal.CardPatch
	texts := map[string]**string{"firstName": &p.FirstName, "lastName": &p.LastName, "email": &p.Email, "source": &p.Source,
		"assignedTo": &p.AssignedTo, "currency": &p.Currency, "dealTitle": &p.Title}
	for _, key := range sortedKeys(m) {
		v, field := m[key], at+"."+key
		var err error
		switch {
		case texts[key] != nil:
			s, ok := v.(string)
			if v != nil && !ok {
				err = fault.Field(field, "%s must be text", field)
			}
			*texts[key] = &s
		case key == "dealValue" || key == "value":
			n, ok := variables.Number(v)
			if s, text := v.(string); text && strings.Contains(s, "{{") {
				break // its value is not known yet
			}
			if !ok {
				err = fault.Field(field, "%s must be a number", field)
			}
			p.Value = &n
		case key == "tags":
			list, ok := v.([]any)
			if s, text := v.(string); text {
				ok = true
				for _, t := range strings.Split(s, ",") {
					list = append(list, strings.TrimSpace(t))
				}
			}
			tags := []string{}
			for _, t := range list {
				if s := variables.Plain(t); s != "" && !slices.Contains(tags, s) {
					tags = append(tags, s)
				}
			}
			if !ok {
				err = fault.Field(field, "%s must be a list of texts", field)
			}
			p.SetTags = &tags
		default:
			err = openField(&p.Patch, at, key, v)
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

// openField reads a field of the open maps: as an object, or by a dotted path.
func openField(p *contact.Patch, at, key string, v any) error {
	field := at + "." + key
	root, rest, dotted := strings.Cut(key, ".")
	values, ok := v.(map[string]any)
	if dotted {
		values, ok = map[string]any{rest: v}, true
	}
	switch root {
	case "metadata":
		if !ok {
			return fault.Field(field, "%s must be an object", field)
		}
		for k, x := range values {
			inner, name, deep := strings.Cut(k, ".")
			m, isMap := x.(map[string]any)
			if deep {
				m, isMap = map[string]any{name: x}, true
			}
			switch {
			case inner == "refs" && isMap:
				for rk, rv := range m {
					if p.Refs == nil {
						p.Refs = map[string]*string{}
					}
					s := variables.Plain(rv)
					if p.Refs[rk] = &s; rv == nil {
						p.Refs[rk] = nil
					}
				}
			case inner == "extra" && isMap:
				p.Extra = merge(p.Extra, m)
			default:
				p.Extra = merge(p.Extra, map[string]any{k: x})
			}
		}
	case "dynamicFields", "customFields":
		if !ok {
			return fault.Field(field, "%s must be an object", field)
		}
		p.Attributes = merge(p.Attributes, values)
	default:
		return fault.Field(field, "update_lead cannot set %q; it sets %s", clip(key), updatable)
	}
	return nil
}
