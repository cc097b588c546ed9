package sales

import (
	"context"

	"parley/internal/agent"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/internal/interaction"
)

// interactionWire is one interaction (reference §3.3).
type interactionWire struct {
	ID         string      `json:"id"`
	AgentID    string      `json:"agentId,omitempty"`
	Agent      *agentWire  `json:"agent,omitempty"`
	Bot        *bool       `json:"bot,omitempty"`
	ProspectID string      `json:"prospectId"`
	CreatedAt  *string     `json:"createdAt"`
	DueAt      *string     `json:"dueAt,omitempty"`
	StartedAt  *string     `json:"startedAt,omitempty"`
	FinishedAt *string     `json:"finishedAt,omitempty"`
	Status     string      `json:"status"`
	Proactive  bool        `json:"proactive"`
	Via        string      `json:"via"`
	Output     *outputWire `json:"output,omitempty"`
}

// outputWire is what came of it; "transfered" is spelled as the original does.
type outputWire struct {
	Comment             string             `json:"comment,omitempty"`
	Reminder            *string            `json:"reminder,omitempty"`
	VisitScheduled      *string            `json:"visitScheduled,omitempty"`
	Question            *questionWire      `json:"question,omitempty"`
	Message             *messageWire       `json:"message,omitempty"`
	Call                *callWire          `json:"call,omitempty"`
	RejectionReason     string             `json:"rejectionReason,omitempty"`
	Proposal            *proposalWire      `json:"proposal,omitempty"`
	Status              string             `json:"status,omitempty"`
	VisitSuccessful     *bool              `json:"visitSuccessful,omitempty"`
	CallSuccessful      *bool              `json:"callSuccessful,omitempty"`
	WebAction           string             `json:"webAction,omitempty"`
	TransferedTo        *agentWire         `json:"transferedTo,omitempty"`
	TransferedToAgentID string             `json:"transferedToAgentId,omitempty"`
	TransferedToGroupID string             `json:"transferedToGroupId,omitempty"`
	Response            string             `json:"response,omitempty"`
	Conversations       []conversationWire `json:"conversations,omitempty"`
	CustomEvent         map[string]any     `json:"customEvent,omitempty"`
}

type questionWire struct {
	ID           string `json:"id,omitempty"`
	ProviderID   string `json:"providerId,omitempty"`
	ThreadTitle  string `json:"threadTitle,omitempty"`
	ThreadURL    string `json:"threadUrl,omitempty"`
	Question     string `json:"question,omitempty"`
	Answer       string `json:"answer,omitempty"`
	Delivered    *bool  `json:"delivered,omitempty"`
	CancelReason string `json:"cancelReason,omitempty"`
}

type messageWire struct {
	ProviderID string          `json:"providerId,omitempty"`
	Template   string          `json:"template,omitempty"`
	Body       string          `json:"body,omitempty"`
	Content    string          `json:"content,omitempty"`
	Delivered  bool            `json:"delivered"`
	Sender     string          `json:"sender,omitempty"`
	Recipient  string          `json:"recipient,omitempty"`
	Attachment *attachmentWire `json:"attachment,omitempty"`
	Via        string          `json:"via,omitempty"`
	Performer  string          `json:"performer"`
	RepliesTo  string          `json:"repliesTo,omitempty"`
	Error      string          `json:"error,omitempty"`
	// What a message brought of these is shown as it came.
	ChannelInteraction any `json:"channelInteraction,omitempty"`
	List               any `json:"list,omitempty"`
	Buttons            any `json:"buttons,omitempty"`
	ProductList        any `json:"productList,omitempty"`
	Order              any `json:"order,omitempty"`
}

type attachmentWire struct {
	Type     string         `json:"type,omitempty"`
	URL      string         `json:"url,omitempty"`
	Location map[string]any `json:"location,omitempty"`
	Contacts any            `json:"contacts,omitempty"`
}

// callWire is ours: the original shows a call by its times alone.
type callWire struct {
	ProviderID   string `json:"providerId,omitempty"`
	UTMSource    string `json:"utmSource,omitempty"`
	Duration     int64  `json:"duration"` // milliseconds
	RecordingURL string `json:"recordingUrl,omitempty"`
}

type proposalWire struct {
	FirstCreatedAt *string            `json:"firstCreatedAt,omitempty"`
	Items          []proposalItemWire `json:"items"`
	Status         string             `json:"status"`
}

type proposalItemWire struct {
	Price   string `json:"price"`
	Concept string `json:"concept"`
}

type conversationWire struct {
	ID           string `json:"_id"`
	Channel      string `json:"channel,omitempty"`
	ProviderName string `json:"providerName,omitempty"`
	ThreadTitle  string `json:"threadTitle,omitempty"`
}

// interactionsFor returns interactions for the caller of a request.
func (f *Face) interactionsFor(ctx context.Context, r *httpx.Request, list []interaction.Interaction) ([]interactionWire, error) {
	return f.interactionsWire(ctx, r.Principal.Tenant, r.Absolute, list)
}

// interactionsWire returns interactions as this API shows them, in their order,
// with their agents by one query. reached completes the address of a file that
// this server keeps (httpx.Request.Absolute).
func (f *Face) interactionsWire(ctx context.Context, tenant id.ID, reached func(string) string, list []interaction.Interaction) ([]interactionWire, error) {
	want := map[id.ID]bool{}
	for _, i := range list {
		for _, a := range []id.ID{i.Agent, i.Output.ToAgent} {
			if !a.IsZero() {
				want[a] = true
			}
		}
	}
	agents := map[id.ID]agent.Agent{}
	if len(want) > 0 {
		var err error
		if agents, err = f.s.Agents.AgentsByID(f.s.Agents.Reads(ctx, tenant), keysOf(want)); err != nil {
			return nil, err
		}
	}
	out := make([]interactionWire, 0, len(list))
	for _, i := range list {
		w := interactionOf(i, agents)
		if m := w.Output.Message; m != nil && m.Attachment != nil {
			m.Attachment.URL = reached(m.Attachment.URL)
		}
		out = append(out, w)
	}
	return out, nil
}

// messageVia is the way of a message, which has five values; those beside them
// are told by the interaction alone (reference §3.3).
func messageVia(via string) string {
	switch via {
	case interaction.WhatsApp, interaction.SMS, interaction.Email, interaction.Facebook, interaction.Instagram:
		return via
	}
	return ""
}

func interactionOf(i interaction.Interaction, agents map[id.ID]agent.Agent) interactionWire {
	w := interactionWire{ID: i.ID.String(), AgentID: i.Agent.String(), ProspectID: i.Contact.String(), CreatedAt: moment(i.CreatedAt), DueAt: moment(i.DueAt),
		StartedAt: moment(i.StartedAt), FinishedAt: moment(i.FinishedAt), Status: i.Status, Proactive: i.Proactive, Via: i.Via, Output: outputOf(i.Output, agents)}
	if a, ok := agents[i.Agent]; ok {
		w.Agent = agentOf(a)
	}
	if i.Bot {
		w.Bot = &i.Bot
	}
	return w
}

func outputOf(o interaction.Output, agents map[id.ID]agent.Agent) *outputWire {
	w := &outputWire{Comment: o.Comment, Reminder: moment(o.Reminder), VisitScheduled: moment(o.VisitScheduled), RejectionReason: o.RejectionReason,
		Status: o.Status, VisitSuccessful: o.VisitSuccessful, CallSuccessful: o.CallSuccessful, WebAction: o.WebAction,
		TransferedToAgentID: o.ToAgent.String(), TransferedToGroupID: o.ToGroup.String(), Response: o.Response, CustomEvent: o.CustomEvent}
	if a, ok := agents[o.ToAgent]; ok {
		w.TransferedTo = agentOf(a)
	}
	if q := o.Question; q != nil {
		w.Question = &questionWire{ID: q.ID, ProviderID: q.ProviderID, ThreadTitle: q.ThreadTitle, ThreadURL: q.ThreadURL, Question: q.Question,
			Answer: q.Answer, Delivered: q.Delivered, CancelReason: q.CancelReason}
	}
	if m := o.Message; m != nil {
		w.Message = &messageWire{ProviderID: m.ProviderID, Template: m.Template, Body: m.Body, Content: m.Content, Delivered: m.Delivered, Sender: m.Sender,
			Recipient: m.Recipient, Via: messageVia(m.Via), Performer: m.Performer, RepliesTo: m.RepliesTo, Error: m.Error, ChannelInteraction: m.Rich["channelInteraction"],
			List: m.Rich["list"], Buttons: m.Rich["buttons"], ProductList: m.Rich["productList"], Order: m.Rich["order"]}
		if a := m.Attachment; a != nil {
			w.Message.Attachment = &attachmentWire{Type: a.Type, URL: a.URL, Location: a.Location, Contacts: a.Contacts}
		}
	}
	if c := o.Call; c != nil {
		w.Call = &callWire{ProviderID: c.ProviderID, UTMSource: c.UTMSource, Duration: c.Duration.Milliseconds(), RecordingURL: c.RecordingURL}
	}
	if p := o.Proposal; p != nil {
		w.Proposal = &proposalWire{FirstCreatedAt: moment(p.FirstCreatedAt), Items: []proposalItemWire{}, Status: p.Status}
		for _, i := range p.Items {
			w.Proposal.Items = append(w.Proposal.Items, proposalItemWire{Price: i.Price, Concept: i.Concept})
		}
	}
	for _, t := range o.Conversations {
		w.Conversations = append(w.Conversations, conversationWire{ID: t.ID.String(), Channel: t.Channel, ProviderName: t.ProviderName, ThreadTitle: t.Title})
	}
	return w
}
