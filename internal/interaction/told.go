package interaction

import (
	"math"
	"strconv"
	"time"

	"parley/internal/contact"
	"parley/internal/conversation"
)

// question reads a recorded question.
func question(a contact.Activity, i *Interaction) bool {
	q := Question{ID: a.ID.String(), ProviderID: text(a, "providerId"), ThreadTitle: text(a, "threadTitle"), ThreadURL: text(a, "threadUrl"),
		Question: a.Body, Answer: text(a, "answer"), Delivered: flag(a, "delivered"), CancelReason: text(a, "cancelReason")}
	i.Output.Question, i.Status = &q, text(a, "status")
	i.StartedAt, i.FinishedAt = a.CreatedAt, stamp(a, "finishedAt")
	if at := stamp(a, "updatedAt"); !at.IsZero() {
		i.UpdatedAt = at
	}
	return true
}

// recorded reads a message that happened elsewhere.
func recorded(a contact.Activity, i *Interaction) bool {
	m := Message{ProviderID: text(a, "providerId"), Content: a.Body, Sender: text(a, "sender"), Recipient: text(a, "recipient"), Via: text(a, "via"),
		Performer: ByContact, RepliesTo: text(a, "repliesTo"), Error: text(a, "error"), Rich: object(a, "rich"), Recorded: true}
	if i.Proactive {
		m.Performer = ByUs
	}
	if at := object(a, "attachment"); at != nil {
		att := Attachment{Contacts: at["contacts"]}
		att.Type, _ = at["type"].(string)
		att.URL, _ = at["url"].(string)
		att.Location, _ = at["location"].(map[string]any)
		m.Attachment = &att
	}
	i.Status = text(a, "status")
	m.Delivered = i.Status == Received || i.Status == Read
	i.Output.Message = &m
	i.StartedAt, i.UpdatedAt = stamp(a, "startedAt"), stamp(a, "updatedAt")
	if i.StartedAt.IsZero() {
		i.StartedAt = a.CreatedAt
	}
	if i.UpdatedAt.IsZero() {
		i.UpdatedAt = a.CreatedAt
	}
	if i.Status == Pending || i.Status == Sent {
		i.FinishedAt = time.Time{}
	} else {
		i.FinishedAt = i.UpdatedAt
	}
	return true
}

// statusOf is how the statuses of our messages are called here.
var statusOf = map[string]string{conversation.Queued: Pending, conversation.Sent: Sent, conversation.Delivered: Received,
	conversation.Read: Read, conversation.Failed: Failed}

// message reads a message of a conversation.
func message(x conversation.Exchange, i *Interaction) {
	m, c := x.Message, x.Conversation
	i.ID, i.Contact, i.Actor, i.CreatedAt, i.StartedAt, i.UpdatedAt = m.ID, c.Contact, m.SentBy, m.CreatedAt, m.CreatedAt, m.UpdatedAt
	i.Status, i.Proactive, i.Via = statusOf[m.Status], m.Direction == conversation.Outbound, ofChannel(c.Channel)
	o := Message{ProviderID: m.ProviderID, Content: m.Text, Delivered: m.Status == conversation.Delivered || m.Status == conversation.Read,
		Sender: c.Address, Recipient: x.Account.ExternalID, Via: i.Via, Performer: ByContact, RepliesTo: m.ReplyTo.String(), Rich: rich(m)}
	if i.Proactive {
		o.Sender, o.Recipient, o.Performer = o.Recipient, o.Sender, ByUs
	}
	if m.Template != nil {
		o.Template, o.Body, o.Content = m.Template.Name, m.Text, ""
	}
	if m.Error != nil {
		o.Error = m.Error.Title
	}
	if f := m.Media; f != nil {
		o.Attachment = &Attachment{Type: fileType(m.Kind), URL: f.URL}
		if f.Link != "" {
			o.Attachment.URL = f.Link
		}
		if o.Content == "" {
			o.Content = f.Caption
		}
	}
	if last := finished(m); !last.IsZero() {
		i.FinishedAt = last
	}
	i.Output.Message = &o
	i.Output.Conversations = []Thread{{ID: c.ID, Channel: i.Via, ProviderName: x.Account.Kind, Title: c.Name}}
}

// finished is when a message reached its end: delivered or read for the first
// time, or failed for good.
func finished(m conversation.Message) (at time.Time) {
	for _, h := range m.History {
		switch h.Status {
		case conversation.Delivered, conversation.Read:
			return h.At
		case conversation.Failed:
			if m.Status == conversation.Failed {
				at = h.At
			}
		}
	}
	return at
}

// fileType is the type of an attachment (reference §3.3).
func fileType(kind string) string {
	switch kind {
	case "image", "sticker":
		return "IMAGE"
	case "audio", "voice":
		return "AUDIO"
	case "video":
		return "VIDEO"
	}
	return "FILE"
}

func number(n float64) string {
	if n == math.Trunc(n) && math.Abs(n) < 1e15 {
		return strconv.FormatInt(int64(n), 10)
	}
	return strconv.FormatFloat(n, 'g', -1, 64)
}
