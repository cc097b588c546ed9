package platform

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"parley/internal/channel"
	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/httpx"
)

// sendMessage stores a message and queues it; the provider's answer follows as
// the message's status (§2.1).
func (f *Face) sendMessage(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in sendInput
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	s, err := readSend(in)
	if err != nil {
		return nil, err
	}
	if s.To != "" {
		if err := f.checkPhone(ctx, r, "to", s.To); err != nil {
			return nil, err
		}
	}
	m, err := f.s.Conversations.Send(ctx, r.Principal.Tenant, actor(r), s)
	if err != nil {
		err = elsewhere(elsewhere(err, "conversation", "conversationId"), "message", "replyToId")
		return nil, fault.Renamed(err, sendFields)
	}
	out := f.messageView(r, m)
	return dual(sentMessage{out, out})
}

// sendFields are the names of a send's fields on this wire.
var sendFields = map[string]string{"media": "mediaUrl", "media.url": "mediaUrl", "kind": "mediaType", "template": "templateName",
	"conversation": "conversationId", "replyTo": "replyToId", "file": "mediaUrl"}

// mediaTypes are the kinds of files (§2.1).
var mediaTypes = []string{channel.Image, channel.Video, channel.Audio, channel.Document}

// readSend reads a message to send.
func readSend(in sendInput) (conversation.Send, error) {
	s := conversation.Send{To: value(in.To), Text: value(in.Text), Metadata: in.Metadata}
	if s.To == "" && value(in.ConversationID) == "" {
		return s, fault.Missing("to")
	}
	var err error
	if s.Conversation, err = bodyID("conversation", "conversationId", value(in.ConversationID)); err != nil {
		return s, err
	}
	if s.ReplyTo, err = bodyID("message", "replyToId", value(in.ReplyToID)); err != nil {
		return s, err
	}
	if url := value(in.MediaURL); url != "" {
		s.Media = &channel.Media{URL: url, Filename: value(in.Filename), Caption: value(in.Caption)}
		if s.Media.Caption == "" {
			s.Media.Caption = s.Text
		}
		s.Text = s.Media.Caption
		switch kind := strings.ToLower(value(in.MediaType)); {
		case kind == "":
		case strings.Contains(kind, "/"):
			s.Media.MIME = kind
		case slices.Contains(mediaTypes, kind):
			s.Kind = kind
		default:
			return s, fault.Field("mediaType", "mediaType must be one of %s", strings.Join(mediaTypes, ", "))
		}
	}
	values, named, err := readVariables(in.Variables)
	if err != nil {
		return s, err
	}
	if name := value(in.TemplateName); name != "" {
		language := value(first(in.TemplateLanguage, in.Language, in.LanguageCode))
		s.Template = &conversation.TemplateUse{Name: name, Language: language, Values: values, Named: named}
	}
	if s.Text == "" && s.Media == nil && s.Template == nil {
		return s, &fault.Error{Code: fault.Invalid, Field: "text", Reason: "missing", Message: "text, mediaUrl or templateName is required"}
	}
	return s, nil
}

// readVariables reads the values of a template: a list in order of the
// positions, or an object by name (§2.1, §4.6). Numbers and truth values become
// text.
func readVariables(raw json.RawMessage) (list []string, named map[string]string, err error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil, nil
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) == nil {
		for i, item := range items {
			s, ok := scalar(item)
			if !ok {
				field := fmt.Sprintf("variables[%d]", i)
				return nil, nil, fault.Field(field, "%s must be a string", field)
			}
			list = append(list, s)
		}
		return list, nil, nil
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return nil, nil, fault.Field("variables", "variables must be a list of strings, or an object of strings by name")
	}
	named = make(map[string]string, len(m))
	for k, item := range m {
		s, ok := scalar(item)
		if !ok {
			return nil, nil, fault.Field("variables."+k, "variables.%s must be a string", k)
		}
		named[k] = s
	}
	return nil, named, nil
}

func scalar(raw json.RawMessage) (string, bool) {
	var s string
	if json.Unmarshal(raw, &s) == nil && string(raw) != "null" {
		return s, true
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil && string(raw) != "null" {
		return n.String(), true
	}
	var b bool
	if json.Unmarshal(raw, &b) == nil && string(raw) != "null" {
		return string(raw), true
	}
	return "", false
}

func messageOf(code string, m conversation.Message) message {
	out := message{
		record: recordOf(code, m.ID, m.CreatedAt, m.UpdatedAt), ConversationID: m.Conversation, LeadID: ref(m.Contact),
		Direction: m.Direction, MessageType: m.Kind, Type: m.Kind, Text: m.Text, WhatsappMessageID: orNull(m.ProviderID),
		SentBy: m.SentBy, Status: m.Status, StatusHistory: []statusAt{}, ReplyTo: ref(m.ReplyTo),
		ReplyToWhatsappID: orNull(m.ReplyToProvider), Reactions: []reaction{}, Metadata: orNone(m.Metadata),
	}
	out.IsStarred, _ = m.Metadata["isStarred"].(bool)
	for _, h := range m.History {
		out.StatusHistory = append(out.StatusHistory, statusAt{h.Status, stamp(h.At)})
	}
	for _, x := range m.Reactions {
		out.Reactions = append(out.Reactions, reaction{x.Emoji, x.By})
		out.Reaction = orNull(x.Emoji)
	}
	if m.Error != nil {
		out.Error = &sendError{m.Error.Code, m.Error.Title}
	}
	if a := m.Media; a != nil {
		out.Caption, out.Filename, out.MediaURL, out.MediaType = orNull(a.Caption), orNull(a.Filename), orNull(a.URL), orNull(m.Kind)
		switch {
		case !a.File.IsZero():
			out.MediaURL = orNull(a.Link)
		case a.Missing != "":
			out.MediaURL = ""
		case a.URL == "":
			out.MediaURL = "processing"
		}
	}
	if t := m.Template; t != nil {
		out.TemplateName = orNull(t.Name)
		out.TemplateData = &templateData{t.Name, t.Language, orNull(t.HeaderType), orNull(t.Footer), t.Buttons, orEmpty(t.Variables)}
		if t.Buttons == nil {
			out.TemplateData.Buttons = []channel.TemplateButton{}
		}
	}
	return out
}
