package platform

import (
	"context"

	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/id"
)

// newMessageView is a conversation with the message that is new in it.
type newMessageView struct {
	conversationView
	ConversationID id.ID   `json:"conversationId"`
	Message        message `json:"message"`
}

// statusUpdateView is the news of a message's status.
type statusUpdateView struct {
	MessageID         id.ID      `json:"messageId"`
	ConversationID    id.ID      `json:"conversationId"`
	Status            string     `json:"status"`
	StatusHistory     []statusAt `json:"statusHistory"`
	WhatsappMessageID orNull     `json:"whatsappMessageId"`
	Error             *sendError `json:"error,omitempty"`
}

// messageUpdateView is what a message may change after it was sent: all of it,
// as it is now.
type messageUpdateView struct {
	MessageID      id.ID          `json:"messageId"`
	ConversationID id.ID          `json:"conversationId"`
	Updates        map[string]any `json:"updates"`
}

// runUpdateView is the news of a run (reference §5.3, later docs).
type runUpdateView struct {
	RunID      id.ID  `json:"runId"`
	RuleID     id.ID  `json:"ruleId"`
	LeadID     ref    `json:"leadId"`
	Status     string `json:"status"`
	NodeID     string `json:"nodeId,omitempty"`
	NodeStatus string `json:"nodeStatus,omitempty"`
}

// whatsapp is talk for what is told of WhatsApp alone: of other channels nothing
// is.
func (l *liveEvent) whatsapp(ctx context.Context) (conversation.Conversation, error) {
	c, err := l.talk(ctx)
	if err == nil && c.Channel != conversation.DefaultChannel {
		err = fault.Unknown("message")
	}
	return c, err
}

func (l *liveEvent) received(ctx context.Context, _ string) (any, error) {
	m, err := l.said(ctx)
	if err != nil {
		return nil, err
	}
	c, err := l.whatsapp(ctx)
	return map[string]any{"from": c.Address, "body": m.Text, "conversationId": c.ID, "messageId": m.ID,
		"leadId": m.Contact, "type": m.Kind, "name": c.Name, "timestamp": stamp(m.CreatedAt), "whatsappMessageId": m.ProviderID}, err
}

func (l *liveEvent) sent(ctx context.Context, _ string) (any, error) {
	m, err := l.said(ctx)
	if err != nil {
		return nil, err
	}
	c, err := l.whatsapp(ctx)
	return map[string]any{"to": c.Address, "messageId": m.ID, "conversationId": c.ID, "status": m.Status,
		"leadId": m.Contact, "whatsappMessageId": m.ProviderID}, err
}

func (l *liveEvent) newMessage(ctx context.Context, code string) (any, error) {
	m, err := l.said(ctx)
	if err != nil {
		return nil, err
	}
	c, err := l.talk(ctx)
	return newMessageView{conversationView: conversationOf(code, c), ConversationID: c.ID, Message: messageOf(code, m)}, err
}

func (l *liveEvent) messageNow(ctx context.Context, code string) (any, error) {
	m, err := l.said(ctx)
	return messageOf(code, m), err
}

func (l *liveEvent) messageStatus(ctx context.Context, code string) (any, error) {
	m, err := l.said(ctx)
	v := messageOf(code, m)
	return statusUpdateView{v.OID, v.ConversationID, v.Status, v.StatusHistory, v.WhatsappMessageID, v.Error}, err
}

func (l *liveEvent) messageUpdated(ctx context.Context, code string) (any, error) {
	m, err := l.said(ctx)
	v := messageOf(code, m)
	return messageUpdateView{v.OID, v.ConversationID, map[string]any{
		"status": v.Status, "isStarred": v.IsStarred, "reactions": v.Reactions, "reaction": v.Reaction, "text": v.Text,
		"caption": v.Caption, "mediaUrl": v.MediaURL, "mediaType": v.MediaType, "metadata": v.Metadata, "updatedAt": v.UpdatedAt,
	}}, err
}

func (l *liveEvent) conversationNow(ctx context.Context, code string) (any, error) {
	c, err := l.talk(ctx)
	return conversationOf(code, c), err
}

func (l *liveEvent) conversationGone(context.Context, string) (any, error) {
	return map[string]any{"conversationId": l.e.Subject, "_id": l.e.Subject}, nil
}

func (l *liveEvent) notice(ctx context.Context, _ string) (any, error) {
	if l.f.s.Notices == nil {
		return nil, fault.Unknown("notification")
	}
	n, agents, err := l.f.s.Notices.Sent(ctx, l.e.Tenant, l.e.Subject)
	return map[string]any{"notificationId": l.e.Subject, "app": n.App, "type": n.Type, "agents": agents, "platforms": n.Platforms, "timestamp": stamp(n.At)}, err
}

func (l *liveEvent) leadBrief(ctx context.Context, _ string) (any, error) {
	card, err := l.person(ctx)
	c := card.Contact
	return map[string]any{"leadId": c.ID, "_id": c.ID, "phone": c.Phone(), "firstName": c.FirstName, "source": c.Source,
		"stageId": card.Stage.ID, "stageName": card.Stage.Name, "pipelineId": card.Pipeline.ID, "status": card.Deal.Status}, err
}

func (l *liveEvent) leadChanged(ctx context.Context, code string) (any, error) {
	brief, err := l.leadBrief(ctx, code)
	if err != nil {
		return nil, err
	}
	out := brief.(map[string]any)
	out["changes"] = append([]string{}, l.e.Changed...)
	return out, nil
}

func (l *liveEvent) lead(ctx context.Context, code string) (any, error) {
	card, err := l.person(ctx)
	if err != nil {
		return nil, err
	}
	return leadOf(code, card), nil
}

func (l *liveEvent) run(ctx context.Context, _ string) (any, error) {
	run, err := l.f.s.Automations.Run(ctx, l.e.Tenant, l.e.Subject)
	out := runUpdateView{RunID: run.ID, RuleID: run.Rule, LeadID: ref(run.Contact), Status: run.Status, NodeID: run.Node}
	if n := len(run.Steps); n > 0 {
		out.NodeID, out.NodeStatus = run.Steps[n-1].Node, run.Steps[n-1].Status
	}
	return out, err
}

func (l *liveEvent) runFailed(ctx context.Context, _ string) (any, error) {
	run, err := l.f.s.Automations.Run(ctx, l.e.Tenant, l.e.Subject)
	return map[string]any{"trigger": run.Trigger, "reason": run.Error, "leadId": run.Contact, "ruleId": run.Rule, "runId": run.ID}, err
}
