package sales

import (
	"context"
	"encoding/json"
	"strings"

	"parley/internal/access"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/interaction"
	"parley/internal/notification"
)

// notices draws the parts of notifications as this API shows them.
type notices struct{ f *Face }

var _ notification.Renderer = notices{}

// Renderer returns who draws the notifications of this API.
func (f *Face) Renderer() notification.Renderer { return notices{f} }

// Rights implements notification.Renderer.
func (n notices) Rights(k access.Key) (data, agents bool) {
	p := httpx.Principal{Scopes: k.Scopes}
	return p.Allows(readData), p.Allows(actAsUser)
}

// noticeWire is a prospect in a notification, where its agent may be an array of
// one (S).
type noticeWire struct {
	prospectWire
	Agent any `json:"agent,omitempty"`
}

// Prospects implements notification.Renderer.
func (n notices) Prospects(ctx context.Context, tenant id.ID, contacts []id.ID, data bool, shape string) (map[id.ID]json.RawMessage, error) {
	list, err := n.f.prospects(ctx, tenant, contacts, data)
	if err != nil {
		return nil, err
	}
	out := make(map[id.ID]json.RawMessage, len(list))
	for _, p := range list {
		w := noticeWire{prospectWire: p}
		switch {
		case shape != notification.Object && p.Agent == nil:
			w.Agent = []*agentWire{}
		case shape != notification.Object:
			w.Agent = []*agentWire{p.Agent}
		case p.Agent != nil:
			w.Agent = p.Agent
		}
		if err := drawn(out, p.ID, w); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// reached completes the address of a file for somebody who asked for nothing, by
// the name under which the server answers.
func (n notices) reached(address string) string {
	if strings.HasPrefix(address, "/") && n.f.s.URL != nil {
		return n.f.s.URL() + address
	}
	return address
}

// Interactions implements notification.Renderer.
func (n notices) Interactions(ctx context.Context, tenant id.ID, list []notification.Ref) (map[id.ID]json.RawMessage, error) {
	r := n.f.s.Interactions.Reads(ctx, tenant)
	ids, seen := make([]id.ID, 0, len(list)), map[id.ID]bool{}
	for _, v := range list {
		ids = append(ids, v.ID)
	}
	found, err := n.f.s.Interactions.OfMessages(r, ids)
	if err != nil {
		return nil, err
	}
	for _, i := range found {
		seen[i.ID] = true
	}
	for _, v := range list {
		if seen[v.ID] {
			continue
		}
		seen[v.ID] = true
		var i interaction.Interaction
		if i, err = n.f.s.Interactions.Get(r, v.Contact, v.ID); err != nil {
			if f := fault.As(err); f != nil && f.Code == fault.NotFound {
				continue
			}
			return nil, err
		}
		found = append(found, i)
	}
	wire, err := n.f.interactionsWire(ctx, tenant, n.reached, found)
	if err != nil {
		return nil, err
	}
	out := make(map[id.ID]json.RawMessage, len(wire))
	for _, w := range wire {
		if err := drawn(out, w.ID, w); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Quotes implements notification.Renderer.
func (n notices) Quotes(ctx context.Context, tenant id.ID, list []notification.Ref, data bool) (map[id.ID]json.RawMessage, error) {
	ids := make([]id.ID, 0, len(list))
	for _, v := range list {
		ids = append(ids, v.ID)
	}
	found, err := n.f.s.Quotes.ByID(n.f.s.Quotes.Reads(ctx, tenant), ids)
	if err != nil {
		return nil, err
	}
	out := make(map[id.ID]json.RawMessage, len(found))
	for _, q := range found {
		if err := drawn(out, q.ID.String(), quoteOf(q, data)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// drawn draws v under an id.
func drawn(out map[id.ID]json.RawMessage, key string, v any) error {
	at, err := id.Parse(key)
	if err == nil {
		out[at], err = httpx.EncodeJSON(v)
	}
	return err
}

// shown are the fields of events under the names of a prospect's.
var shown = map[string]string{"status": "status", "group": "groupId", "agent": "agent", "label": "label", "category": "category",
	"archivingReason": "archivingReason", "nextReminder": "nextReminder", "firstContactedAt": "firstContactedAt",
	"sentWorkingHourMessage": "sentWorkingHourMessage", "firstName": "firstName", "lastName": "lastName",
	"phone": "phones", "email": "emails", "nin": "nin"}

// Field implements notification.Renderer.
func (n notices) Field(name string) string {
	if v, ok := shown[name]; ok {
		return v
	}
	if key, ok := strings.CutPrefix(name, "attributes."); ok {
		return "additionalData." + key
	}
	return ""
}
