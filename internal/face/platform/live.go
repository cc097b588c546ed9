package platform

import (
	"context"
	"strings"
	"sync"

	"parley/internal/conversation"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/realtime"
)

// Translate lists the messages that an event of the feed is told as: those that
// the SDK subscribes to (seed 000, "Standard Event Reference"; reference §5.2)
// and those of the backend and the react client (§5.3). The list depends on the
// type of the event alone, and its order is kept: an offset counts in it.
func (f *Face) Translate(e event.Event) []realtime.Push {
	l := &liveEvent{f: f, e: e}
	noun, what, _ := strings.Cut(e.Type, ".")
	switch noun {
	case "message":
		return l.message(what)
	case "conversation":
		if what == "deleted" {
			return []realtime.Push{l.narrow("conversation_deleted", l.conversationGone)}
		}
		return []realtime.Push{l.narrow("conversation_updated", l.conversationNow)}
	case "contact":
		if what == "created" {
			return []realtime.Push{l.push("crm.lead_created", l.leadBrief), l.push("lead_update", l.lead)}
		}
		return []realtime.Push{l.push("crm.lead_updated", l.leadChanged), l.push("lead_update", l.lead)}
	case "deal":
		if what == "created" { // it comes with the lead, which tells of itself
			return []realtime.Push{l.push("lead_update", l.lead)}
		}
		return []realtime.Push{l.push("crm.lead_updated", l.leadChanged), l.push("lead_update", l.lead)}
	case "agent":
		if what == "notified" { // our own: a notification of an app
			return []realtime.Push{l.push("agent_notification", l.notice)}
		}
	case "run":
		if what == "failed" {
			return []realtime.Push{l.push("automation.failed", l.runFailed), l.push("workflow-run-update", l.run)}
		}
		return []realtime.Push{l.push("workflow-run-update", l.run)}
	}
	return nil
}

func (l *liveEvent) message(what string) []realtime.Push {
	status := l.narrow("message_status_update", l.messageStatus)
	switch what {
	case "received":
		return []realtime.Push{l.narrow("whatsapp.message_received", l.received), l.narrow("new_message", l.newMessage)}
	case "queued":
		return []realtime.Push{l.narrow("new_message", l.newMessage)}
	case "sent":
		return []realtime.Push{l.narrow("whatsapp.message_sent", l.sent), l.narrow("message_sent", l.messageNow), status}
	case "failed":
		return []realtime.Push{l.narrow("message_failed", l.messageNow), status}
	case "delivered", "read":
		return []realtime.Push{status}
	}
	return []realtime.Push{l.narrow("message_updated", l.messageUpdated)}
}

// liveEvent is an event on its way to live clients. What its messages need is
// read when the first of them is made, and once.
type liveEvent struct {
	f *Face
	e event.Event

	code         once[string]
	msg          once[conversation.Message]
	conversation once[conversation.Conversation]
	card         once[deal.Card]
}

// once keeps what a load returned; a load that failed is tried again.
type once[T any] struct {
	mu   sync.Mutex
	done bool
	v    T
}

func (o *once[T]) get(load func() (T, error)) (T, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done {
		return o.v, nil
	}
	v, err := load()
	if err == nil {
		o.v, o.done = v, true
	}
	return v, err
}

func (l *liveEvent) clientCode(ctx context.Context) (string, error) {
	return l.code.get(func() (string, error) {
		t, err := l.f.s.Tenants.ByID(ctx, l.e.Tenant)
		return t.Code, err
	})
}

// push makes a message for the tenant's room.
func (l *liveEvent) push(name string, payload func(ctx context.Context, code string) (any, error)) realtime.Push {
	return realtime.Push{Event: name, Make: func(ctx context.Context) (realtime.Body, error) {
		code, err := l.clientCode(ctx)
		if err != nil {
			return realtime.Body{}, err
		}
		p, err := payload(ctx, code)
		return realtime.Body{Args: []any{p}}, err
	}}
}

// narrow makes a message for the tenant's room and the conversation's.
func (l *liveEvent) narrow(name string, payload func(ctx context.Context, code string) (any, error)) realtime.Push {
	p := l.push(name, payload)
	whole := p.Make
	p.Narrow = true
	p.Make = func(ctx context.Context) (realtime.Body, error) {
		body, err := whole(ctx)
		if err != nil {
			return body, err
		}
		room := l.e.Subject
		if strings.HasPrefix(l.e.Type, "message.") {
			m, err := l.said(ctx)
			if err != nil {
				return body, err
			}
			room = m.Conversation
		}
		body.Rooms = []string{room.String()}
		return body, nil
	}
	return p
}

func (l *liveEvent) said(ctx context.Context) (conversation.Message, error) {
	return l.msg.get(func() (conversation.Message, error) {
		return l.f.s.Conversations.Message(ctx, l.e.Tenant, l.e.Subject)
	})
}

// talk returns the conversation of the event.
func (l *liveEvent) talk(ctx context.Context) (conversation.Conversation, error) {
	return l.conversation.get(func() (conversation.Conversation, error) {
		cid := l.e.Subject
		if strings.HasPrefix(l.e.Type, "message.") {
			m, err := l.said(ctx)
			if err != nil {
				return conversation.Conversation{}, err
			}
			cid = m.Conversation
		}
		return l.f.s.Conversations.Get(ctx, l.e.Tenant, cid)
	})
}

func (l *liveEvent) person(ctx context.Context) (deal.Card, error) {
	return l.card.get(func() (deal.Card, error) {
		if l.e.Contact.IsZero() {
			return deal.Card{}, fault.Unknown("lead")
		}
		return l.f.s.Deals.Card(ctx, l.e.Tenant, l.e.Contact)
	})
}
