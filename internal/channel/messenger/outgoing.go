package messenger

import (
	"fmt"
	"strings"

	"parley/internal/channel"
)

// The shapes of a request to /messages (Messenger Platform, "Send API").

type outBody struct {
	Recipient outPerson   `json:"recipient"`
	Type      string      `json:"messaging_type"`
	Message   *outMessage `json:"message"`
	ReplyTo   *outReplyTo `json:"reply_to,omitempty"`
}

type outPerson struct {
	ID string `json:"id"`
}

type outReplyTo struct {
	MID string `json:"mid"`
}

type outMessage struct {
	Text         string          `json:"text,omitempty"`
	Attachment   *outAttachment  `json:"attachment,omitempty"`
	QuickReplies []outQuickReply `json:"quick_replies,omitempty"`
	// Metadata comes back in the message's echo, at most 1000 characters.
	Metadata string `json:"metadata,omitempty"`
}

type outAttachment struct {
	Type    string     `json:"type"`
	Payload outPayload `json:"payload"`
}

type outPayload struct {
	URL          string      `json:"url,omitempty"`
	AttachmentID string      `json:"attachment_id,omitempty"`
	Reusable     bool        `json:"is_reusable,omitempty"`
	TemplateType string      `json:"template_type,omitempty"`
	Text         string      `json:"text,omitempty"`
	Buttons      []outButton `json:"buttons,omitempty"`
}

type outButton struct {
	Type    string `json:"type"`
	Title   string `json:"title"`
	Payload string `json:"payload"`
}

type outQuickReply struct {
	ContentType string `json:"content_type"`
	Title       string `json:"title"`
	Payload     string `json:"payload"`
}

// Bounds, in characters and pieces (Messenger Platform, "Send API", "Button
// template", "Quick replies").
const (
	mostText         = 2000
	mostButtonText   = 640
	mostButtons      = 3
	mostTitle        = 20
	mostPayload      = 1000
	mostQuickReplies = 13
)

// Check implements channel.Checker: Meta refuses all of it in its answer.
func (c *Channel) Check(m channel.Outgoing) error {
	if m.Media != nil && !m.Media.Own.IsZero() && m.Media.ID == "" {
		f := *m.Media
		f.ID = "own" // it is brought before the message goes
		m.Media = &f
	}
	_, err := build(m)
	return err
}

// build turns a neutral message into Meta's shape. Its error is a sentence for
// the user: the message can never be sent like this.
func build(m channel.Outgoing) (*outBody, error) {
	if m.To == "" {
		return nil, fmt.Errorf("the message has no recipient: the person must write to the page first")
	}
	msg := &outMessage{}
	out := &outBody{Recipient: outPerson{m.To}, Type: "RESPONSE", Message: msg}
	if !m.ID.IsZero() {
		msg.Metadata = m.ID.String()
	}
	if m.ReplyTo != "" {
		out.ReplyTo = &outReplyTo{m.ReplyTo}
	}
	var err error
	switch m.Kind {
	case channel.Text:
		if m.Text == "" {
			return nil, fmt.Errorf("a text message needs a text")
		}
		msg.Text, err = m.Text, channel.Limit("a text on Messenger", m.Text, mostText)
	case channel.Image, channel.Video, channel.Audio, channel.Document:
		msg.Attachment, err = buildFile(m.Kind, m.Media, m.Text)
	case channel.Interactive:
		err = buildPrompt(msg, m.Prompt)
	default:
		err = fmt.Errorf("the Messenger channel cannot send a message of kind %q", m.Kind)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// attachmentOf is the type of attachment that carries a file: an uploaded one
// keeps the type by which it was uploaded.
func attachmentOf(kind, mime string) string {
	family, _, _ := strings.Cut(mime, "/")
	switch {
	case family == "image" || family == "video" || family == "audio":
		return family
	case mime != "", kind == channel.Document:
		return "file"
	}
	return kind
}

// buildFile prefers an uploaded file over a link. Messenger shows no text beside
// a file, so one would be lost: it is refused instead.
func buildFile(kind string, m *channel.Media, text string) (*outAttachment, error) {
	if m == nil || m.ID == "" && m.URL == "" {
		return nil, fmt.Errorf("a message of kind %s needs a file: give its URL or its id", kind)
	}
	if m.Caption != "" || text != "" {
		return nil, fmt.Errorf("the Messenger channel shows no caption with a file: send the text as a message of its own")
	}
	if m.ID != "" {
		return &outAttachment{attachmentOf(kind, m.MIME), outPayload{AttachmentID: m.ID}}, nil
	}
	return &outAttachment{attachmentOf(kind, ""), outPayload{URL: m.URL}}, nil
}

// buildPrompt shows buttons as a button template and a list as quick replies
// below a text that tells the rows' descriptions, since Messenger has no lists.
func buildPrompt(msg *outMessage, p *channel.Prompt) error {
	if p == nil || p.Body == "" {
		return fmt.Errorf("a message with choices needs a body")
	}
	switch p.Kind {
	case channel.ReplyButtons:
		return buildButtons(msg, p)
	case channel.RowList:
		return buildQuickReplies(msg, p)
	case channel.ProductList:
		return fmt.Errorf("the Messenger channel shows no lists of products: send them on WhatsApp, or send a list")
	}
	return fmt.Errorf("the Messenger channel cannot send choices of kind %q", p.Kind)
}

func buildButtons(msg *outMessage, p *channel.Prompt) error {
	if len(p.Buttons) == 0 || len(p.Buttons) > mostButtons {
		return fmt.Errorf("the Messenger channel shows 1 to %d buttons, not %d; use a list for more", mostButtons, len(p.Buttons))
	}
	if err := channel.Limit("the text above buttons", p.Shown(), mostButtonText); err != nil {
		return err
	}
	payload := outPayload{TemplateType: "button", Text: p.Shown()}
	seen := map[string]bool{}
	for _, b := range p.Buttons {
		if err := choice("a button", b, seen); err != nil {
			return err
		}
		payload.Buttons = append(payload.Buttons, outButton{"postback", b.Title, b.ID})
	}
	msg.Attachment = &outAttachment{"template", payload}
	return nil
}

func buildQuickReplies(msg *outMessage, p *channel.Prompt) error {
	text := &strings.Builder{}
	text.WriteString(p.Body)
	seen := map[string]bool{}
	for _, s := range p.Sections {
		for _, r := range s.Rows {
			if err := choice("a row", r, seen); err != nil {
				return err
			}
			if r.Description != "" {
				fmt.Fprintf(text, "\n%s: %s", r.Title, r.Description)
			}
			msg.QuickReplies = append(msg.QuickReplies, outQuickReply{"text", r.Title, r.ID})
		}
	}
	if n := len(msg.QuickReplies); n == 0 || n > mostQuickReplies {
		return fmt.Errorf("the Messenger channel shows 1 to %d rows, not %d", mostQuickReplies, n)
	}
	whole := *p
	whole.Body = text.String()
	msg.Text = whole.Shown()
	return channel.Limit("the text above a list", msg.Text, mostText)
}

func choice(what string, c channel.Choice, seen map[string]bool) error {
	switch {
	case c.Title == "":
		return fmt.Errorf("%s needs a title", what)
	case c.ID == "":
		return fmt.Errorf("%s needs an id", what)
	case seen[c.ID]:
		return fmt.Errorf("the id %q is there twice; answers could not be told apart", c.ID)
	}
	seen[c.ID] = true
	if err := channel.Limit("the title of "+what, c.Title, mostTitle); err != nil {
		return err
	}
	return channel.Limit("the id of "+what, c.ID, mostPayload)
}
