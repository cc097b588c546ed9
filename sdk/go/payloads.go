package parley

import "time"

// The events of the live feed (reference §5.2, §5.3).
const (
	EventMessageReceived = "whatsapp.message_received"
	EventMessageSent     = "whatsapp.message_sent"
	EventLeadCreated     = "crm.lead_created"
	EventLeadUpdated     = "crm.lead_updated"
	EventMeetScheduled   = "meet.scheduled"
	EventUploadConfirmed = "storage.upload_confirmed"
	EventAutomationFail  = "automation.failed"

	EventNewMessage          = "new_message"
	EventConversationUpdated = "conversation_updated"
	EventConversationDeleted = "conversation_deleted"
	EventMessageStatus       = "message_status_update"
	EventRunUpdated          = "workflow-run-update"
)

// MessageReceived is the payload of EventMessageReceived.
type MessageReceived struct {
	From           string    `json:"from"`
	Body           string    `json:"body"`
	ConversationID string    `json:"conversationId"`
	MessageID      string    `json:"messageId"`
	LeadID         string    `json:"leadId"`
	Type           string    `json:"type"`
	Name           string    `json:"name"`
	Timestamp      time.Time `json:"timestamp"`
}

// MessageSent is the payload of EventMessageSent.
type MessageSent struct {
	To             string `json:"to"`
	MessageID      string `json:"messageId"`
	ConversationID string `json:"conversationId"`
	Status         string `json:"status"`
	LeadID         string `json:"leadId"`
}

// LeadCreated is the payload of EventLeadCreated.
type LeadCreated struct {
	LeadID    string `json:"leadId"`
	Phone     string `json:"phone"`
	FirstName string `json:"firstName"`
	Source    string `json:"source"`
}

// LeadUpdated is the payload of EventLeadUpdated.
type LeadUpdated struct {
	LeadID     string   `json:"leadId"`
	StageName  string   `json:"stageName"`
	StageID    string   `json:"stageId"`
	PipelineID string   `json:"pipelineId"`
	Status     string   `json:"status"`
	Changes    []string `json:"changes"`
}

// AutomationFailed is the payload of EventAutomationFail.
type AutomationFailed struct {
	Trigger string `json:"trigger"`
	Reason  string `json:"reason"`
	LeadID  string `json:"leadId"`
	RuleID  string `json:"ruleId"`
	RunID   string `json:"runId"`
}

// RunUpdated is the payload of EventRunUpdated.
type RunUpdated struct {
	RunID      string `json:"runId"`
	RuleID     string `json:"ruleId"`
	Status     string `json:"status"`
	NodeID     string `json:"nodeId"`
	NodeStatus string `json:"nodeStatus"`
}

// Handle calls fn with the payload of every event of the name, read as T. One
// that cannot be read so is logged and left out.
func Handle[T any](r *Realtime, event string, fn func(T)) *Subscription {
	return r.On(event, func(e Event) {
		var v T
		if err := e.Decode(&v); err != nil {
			r.c.cfg.log.Warn("parley: the payload of an event could not be read", "event", e.Name, "error", err)
			return
		}
		fn(v)
	})
}

// OnMessageReceived calls fn for every message that comes in.
func (r *Realtime) OnMessageReceived(fn func(MessageReceived)) *Subscription {
	return Handle(r, EventMessageReceived, fn)
}

// OnMessageSent calls fn for every message that the provider took.
func (r *Realtime) OnMessageSent(fn func(MessageSent)) *Subscription {
	return Handle(r, EventMessageSent, fn)
}

// OnLeadCreated calls fn for every new lead.
func (r *Realtime) OnLeadCreated(fn func(LeadCreated)) *Subscription {
	return Handle(r, EventLeadCreated, fn)
}

// OnLeadUpdated calls fn for every changed lead.
func (r *Realtime) OnLeadUpdated(fn func(LeadUpdated)) *Subscription {
	return Handle(r, EventLeadUpdated, fn)
}

// OnAutomationFailed calls fn for every automation that failed finally.
func (r *Realtime) OnAutomationFailed(fn func(AutomationFailed)) *Subscription {
	return Handle(r, EventAutomationFail, fn)
}
