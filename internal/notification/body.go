package notification

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"parley/internal/id"
)

// body is what several deliveries say.
type body struct {
	contact id.ID
	json    []byte
}

// delivery is a body on its way to a subscription.
type delivery struct {
	to    teller
	event string
	body  int
}

// look is one of the ways in which a prospect is shown.
type look struct {
	data  bool
	shape string
}

// envelope is a notification but for what is stamped when it leaves:
// subscriptionId, sent, attempts (reference §4.10).
type envelope struct {
	Topic         string          `json:"topic"`
	Type          string          `json:"type"`
	Received      string          `json:"received"`
	UpdatedAt     string          `json:"updatedAt"`
	OperationID   string          `json:"operationId"`
	Prospect      json.RawMessage `json:"prospect"`
	WhatsAppDueAt json.RawMessage `json:"whatsAppDueAt,omitempty"`
	FacebookDueAt json.RawMessage `json:"facebookDueAt,omitempty"`
	Interaction   json.RawMessage `json:"interaction,omitempty"`
	Quote         json.RawMessage `json:"quote,omitempty"`
	Updates       []changeWire    `json:"updates,omitempty"`
}

// changeWire is an element of updates; from is left out where it is not known.
type changeWire struct {
	Field string          `json:"field"`
	From  json.RawMessage `json:"from,omitempty"`
	To    json.RawMessage `json:"to"`
}

// deliveries draws the notes: one body for all that are shown the same.
func (b *batch) deliveries() (bodies []body, list []delivery, err error) {
	people := map[look][]id.ID{}
	var refs []Ref
	quotes := map[bool][]Ref{}
	seen := map[look]map[id.ID]bool{}
	for _, n := range b.notes {
		for _, t := range n.to {
			l := look{t.data, t.shape}
			if seen[l] == nil {
				seen[l] = map[id.ID]bool{}
			}
			if !seen[l][n.contact] {
				seen[l][n.contact] = true
				people[l] = append(people[l], n.contact)
			}
			if n.topic == Quotes {
				quotes[t.data] = append(quotes[t.data], n.ref)
			}
		}
		if n.topic == Interactions {
			refs = append(refs, n.ref)
		}
	}
	drawn, offers := map[look]map[id.ID]json.RawMessage{}, map[bool]map[id.ID]json.RawMessage{}
	for l, ids := range people {
		if drawn[l], err = b.draw.Prospects(b.ctx, b.tenant, ids, l.data, l.shape); err != nil {
			return nil, nil, err
		}
	}
	for data, list := range quotes {
		if offers[data], err = b.draw.Quotes(b.ctx, b.tenant, list, data); err != nil {
			return nil, nil, err
		}
	}
	var happened map[id.ID]json.RawMessage
	if len(refs) > 0 {
		if happened, err = b.draw.Interactions(b.ctx, b.tenant, refs); err != nil {
			return nil, nil, err
		}
	}
	for _, n := range b.notes {
		made := map[look]int{}
		for _, t := range n.to {
			l := look{t.data, t.shape}
			at, ok := made[l]
			if !ok {
				raw, err := b.body(n, l, drawn[l][n.contact], happened[n.ref.ID], offers[l.data][n.ref.ID])
				if err != nil {
					return nil, nil, err
				}
				if raw == nil { // gone, or no interaction
					continue
				}
				at = len(bodies)
				made[l] = at
				bodies = append(bodies, body{n.contact, raw})
			}
			list = append(list, delivery{t, n.topic + "." + n.typ, at})
		}
	}
	return bodies, list, nil
}

// body draws a note; nil when what it is about is not there to be shown.
func (b *batch) body(n note, l look, prospect, happened, offer json.RawMessage) ([]byte, error) {
	if prospect == nil || n.topic == Interactions && happened == nil || n.topic == Quotes && offer == nil {
		return nil, nil
	}
	e := envelope{Topic: n.topic, Type: n.typ, Received: stamp(n.row.event.At), UpdatedAt: stamp(n.row.event.At), OperationID: n.row.operation.String(), Prospect: prospect}
	if l.shape != Object {
		e.Prospect = append(append(append(json.RawMessage{}, '['), prospect...), ']')
	}
	switch n.topic {
	case Interactions:
		e.Interaction, e.OperationID = happened, n.ref.ID.String()
	case Quotes:
		e.Quote = offer
	}
	if n.topic == Prospects || len(n.updates) > 0 {
		var now map[string]json.RawMessage
		if err := json.Unmarshal(prospect, &now); err != nil {
			return nil, err
		}
		if n.topic == Prospects {
			e.WhatsAppDueAt, e.FacebookDueAt = now["whatsAppDueAt"], now["facebookDueAt"]
		}
		for _, u := range n.updates {
			if c, ok := u.wire(now, l); ok {
				e.Updates = append(e.Updates, c)
			}
		}
		if n.typ == Updated && len(e.Updates) == 0 {
			return nil, nil // only what this key may not see
		}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(e)
	return bytes.TrimSpace(out.Bytes()), err
}

// wire shows an update; not one of data that the key may not see.
func (u update) wire(now map[string]json.RawMessage, l look) (changeWire, bool) {
	const extra = "additionalData"
	top, key, nested := strings.Cut(u.field, ".")
	if top == extra && !l.data {
		return changeWire{}, false
	}
	c := changeWire{Field: u.field, From: quoted(u.from), To: quoted(u.to)}
	if u.now {
		c.From, c.To = nil, now[top]
		if nested {
			var inner map[string]json.RawMessage
			_ = json.Unmarshal(now[top], &inner)
			c.To = inner[key]
		}
		if c.To == nil {
			c.To = json.RawMessage("null")
		}
	}
	return c, true
}

func quoted(s *string) json.RawMessage {
	if s == nil {
		return json.RawMessage("null")
	}
	raw, _ := json.Marshal(*s)
	return raw
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
