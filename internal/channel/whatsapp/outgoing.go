package whatsapp

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"parley/internal/channel"
)

// The shapes of a request to /messages (Meta Cloud API, "Messages").

type outMessage struct {
	Product  string `json:"messaging_product"`
	Receiver string `json:"recipient_type"`
	To       string `json:"to,omitempty"`
	// Recipient names a person who hides the phone number behind a username, by
	// the id that Meta gives the business (Meta Cloud API, "Business-scoped user
	// IDs", e.g. US.13491208655302741918).
	Recipient string       `json:"recipient,omitempty"`
	Type      string       `json:"type"`
	Context   *outContext  `json:"context,omitempty"`
	Text      *outText     `json:"text,omitempty"`
	Image     *outMedia    `json:"image,omitempty"`
	Video     *outMedia    `json:"video,omitempty"`
	Audio     *outMedia    `json:"audio,omitempty"`
	Document  *outMedia    `json:"document,omitempty"`
	Sticker   *outMedia    `json:"sticker,omitempty"`
	Template  *outTemplate `json:"template,omitempty"`
	Reaction  *outReaction `json:"reaction,omitempty"`
	// Interactive is a message to answer by choosing.
	Interactive *outInteractive `json:"interactive,omitempty"`
	// Callback returns unchanged in the status webhooks of this message, at
	// most 512 characters (Meta Cloud API, "Messages").
	Callback string `json:"biz_opaque_callback_data,omitempty"`
}

type outContext struct {
	MessageID string `json:"message_id"`
}

type outText struct {
	PreviewURL bool   `json:"preview_url,omitempty"`
	Body       string `json:"body"`
}

type outMedia struct {
	ID       string `json:"id,omitempty"`
	Link     string `json:"link,omitempty"`
	Caption  string `json:"caption,omitempty"`
	Filename string `json:"filename,omitempty"`
}

type outReaction struct {
	MessageID string `json:"message_id"`
	Emoji     string `json:"emoji"` // "" takes the reaction back
}

type outTemplate struct {
	Name       string         `json:"name"`
	Language   outLanguage    `json:"language"`
	Components []outComponent `json:"components,omitempty"`
}

type outLanguage struct {
	Code string `json:"code"`
}

type outComponent struct {
	Type       string         `json:"type"`
	SubType    string         `json:"sub_type,omitempty"`
	Index      string         `json:"index,omitempty"`
	Parameters []outParameter `json:"parameters"`
}

type outParameter struct {
	Type     string    `json:"type"`
	Text     *string   `json:"text,omitempty"`
	Image    *outMedia `json:"image,omitempty"`
	Video    *outMedia `json:"video,omitempty"`
	Document *outMedia `json:"document,omitempty"`
}

// scopedID tells a business-scoped user id from a phone number.
var scopedID = regexp.MustCompile(`^[A-Z]{2}\.[A-Za-z0-9.]+$`)

// build turns a neutral message into Meta's shape. Its error is a sentence for
// the user: the message can never be sent like this.
func build(m channel.Outgoing) (*outMessage, error) {
	out := &outMessage{Product: "whatsapp", Receiver: "individual", To: m.To, Type: m.Kind, Callback: m.ID.String()}
	if m.To == "" {
		return nil, fmt.Errorf("the message has no recipient: give the contact a phone number")
	}
	if scopedID.MatchString(m.To) {
		out.To, out.Recipient = "", m.To
	}
	if m.ReplyTo != "" && m.Kind != channel.Reaction {
		out.Context = &outContext{MessageID: m.ReplyTo}
	}
	var err error
	switch m.Kind {
	case channel.Text:
		if m.Text == "" {
			return nil, fmt.Errorf("a text message needs a text")
		}
		out.Text = &outText{Body: m.Text, PreviewURL: strings.Contains(m.Text, "http://") || strings.Contains(m.Text, "https://")}
	case channel.Image:
		out.Image, err = buildMedia(m.Kind, m.Media, m.Text)
	case channel.Video:
		out.Video, err = buildMedia(m.Kind, m.Media, m.Text)
	case channel.Document:
		out.Document, err = buildMedia(m.Kind, m.Media, m.Text)
	case channel.Audio:
		out.Audio, err = buildMedia(m.Kind, m.Media, m.Text)
	case channel.Sticker:
		out.Sticker, err = buildMedia(m.Kind, m.Media, m.Text)
	case channel.TemplateMsg:
		out.Template, err = buildTemplate(m.Template)
	case channel.Interactive:
		out.Interactive, err = buildPrompt(m.Prompt)
	case channel.Reaction:
		if m.ReplyTo == "" {
			return nil, fmt.Errorf("a reaction needs the message it is for")
		}
		out.Reaction = &outReaction{MessageID: m.ReplyTo, Emoji: m.Reaction}
	default:
		return nil, fmt.Errorf("WhatsApp cannot send a message of kind %q", m.Kind)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// buildMedia prefers an uploaded file over a link. Audio and stickers carry no
// caption at Meta, so a text beside them would be lost: it is refused instead.
func buildMedia(kind string, m *channel.Media, text string) (*outMedia, error) {
	if m == nil || (m.ID == "" && m.URL == "") {
		return nil, fmt.Errorf("a message of kind %s needs a file: give its URL or its id", kind)
	}
	caption := m.Caption
	if caption == "" {
		caption = text
	}
	out := &outMedia{ID: m.ID}
	if m.ID == "" {
		out.Link = m.URL
	}
	switch kind {
	case channel.Audio, channel.Sticker:
		if caption != "" {
			return nil, fmt.Errorf("WhatsApp shows no caption with %s: send the text as a message of its own", kind)
		}
	case channel.Document:
		out.Caption, out.Filename = caption, m.Filename
	default:
		out.Caption = caption
	}
	return out, nil
}

// buildTemplate lists components only where there are values, as Meta wants
// (Meta Cloud API, "Send message templates").
func buildTemplate(t *channel.TemplateSend) (*outTemplate, error) {
	if t == nil || t.Name == "" || t.Language == "" {
		return nil, fmt.Errorf("a template message needs the template's name and language")
	}
	out := &outTemplate{Name: t.Name, Language: outLanguage{Code: t.Language}}
	switch {
	case t.HeaderMedia != nil:
		file, err := buildMedia(t.HeaderKind, t.HeaderMedia, "")
		if err != nil {
			return nil, err
		}
		file.Caption = ""
		p := outParameter{Type: t.HeaderKind}
		switch t.HeaderKind {
		case channel.Image:
			p.Image = file
		case channel.Video:
			p.Video = file
		case channel.Document:
			p.Document = file
		default:
			return nil, fmt.Errorf("a template's header is an image, a video or a document, not %q", t.HeaderKind)
		}
		out.Components = append(out.Components, outComponent{Type: "header", Parameters: []outParameter{p}})
	case len(t.Header) > 0:
		out.Components = append(out.Components, outComponent{Type: "header", Parameters: texts(t.Header)})
	}
	if len(t.Body) > 0 {
		out.Components = append(out.Components, outComponent{Type: "body", Parameters: texts(t.Body)})
	}
	for _, b := range t.Buttons {
		out.Components = append(out.Components, outComponent{
			Type: "button", SubType: "url", Index: strconv.Itoa(b.Index), Parameters: texts([]string{b.Value}),
		})
	}
	return out, nil
}

func texts(values []string) []outParameter {
	ps := make([]outParameter, len(values))
	for i := range values {
		ps[i] = outParameter{Type: "text", Text: &values[i]}
	}
	return ps
}
