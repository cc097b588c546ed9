package interaction

import (
	"encoding/json"

	"parley/internal/channel"
	"parley/internal/conversation"
)

// rich returns the parts of a conversation's message that are shown as they came:
// what a person was to choose from, and the cart that a person sent; nil for most
// messages. Its keys are those of New.Rich.
func rich(m conversation.Message) map[string]any {
	if p, ok := read[channel.Prompt](m.Metadata["interactive"]); ok && m.Direction == conversation.Outbound {
		return prompt(p)
	}
	if o, ok := read[channel.Order](m.Metadata["order"]); ok && m.Kind == channel.OrderMsg {
		items := make([]any, 0, len(o.Items))
		for _, i := range o.Items {
			items = append(items, map[string]any{"productId": i.Product, "quantity": i.Quantity, "itemPrice": i.Price, "currency": i.Currency})
		}
		return map[string]any{"order": map[string]any{"catalogId": o.Catalog, "body": m.Text, "productItems": items}}
	}
	return nil
}

func prompt(p channel.Prompt) map[string]any {
	v := map[string]any{"body": p.Body}
	for k, s := range map[string]string{"header": p.Header, "footer": p.Footer} {
		if s != "" {
			v[k] = s
		}
	}
	var sections []any
	for _, s := range p.Sections {
		part := map[string]any{"title": s.Title}
		if p.Kind == channel.RowList {
			part["rows"] = choices(s.Rows)
		} else {
			items := make([]any, 0, len(s.Products))
			for _, id := range s.Products {
				items = append(items, map[string]any{"productId": id})
			}
			part["productItems"] = items
		}
		sections = append(sections, part)
	}
	switch p.Kind {
	case channel.ReplyButtons:
		v["buttons"] = choices(p.Buttons)
		return map[string]any{"buttons": v}
	case channel.RowList:
		v["button"], v["sections"] = p.Button, sections
		return map[string]any{"list": v}
	}
	v["catalogId"], v["sections"] = p.Catalog, sections
	return map[string]any{"productList": v}
}

func choices(list []channel.Choice) []any {
	out := make([]any, 0, len(list))
	for _, c := range list {
		v := map[string]any{"id": c.ID, "title": c.Title}
		if c.Description != "" {
			v["description"] = c.Description
		}
		out = append(out, v)
	}
	return out
}

// read turns a part of a message's metadata, which is plain JSON once it was
// stored, back into what it was.
func read[T any](v any) (out T, ok bool) {
	if v == nil {
		return out, false
	}
	b, err := json.Marshal(v)
	return out, err == nil && json.Unmarshal(b, &out) == nil
}
