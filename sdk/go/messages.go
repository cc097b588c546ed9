package parley

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"
	"strings"
	"time"
)

// Message is one message of a conversation (reference §3.14).
type Message struct {
	Record
	ConversationID    string         `json:"conversationId"`
	LeadID            string         `json:"leadId"`
	Direction         string         `json:"direction"` // inbound or outbound
	MessageType       string         `json:"messageType"`
	Text              string         `json:"text"`
	Caption           string         `json:"caption"`
	Filename          string         `json:"filename"`
	MediaURL          string         `json:"mediaUrl"` // "processing" until a received file is fetched
	MediaType         string         `json:"mediaType"`
	WhatsappMessageID string         `json:"whatsappMessageId"`
	SentBy            string         `json:"sentBy"`
	Status            string         `json:"status"` // queued, sent, delivered, read or failed
	StatusHistory     []StatusAt     `json:"statusHistory"`
	Error             *SendError     `json:"error"`
	IsStarred         bool           `json:"isStarred"`
	ReplyTo           string         `json:"replyTo"`
	ReplyToWhatsappID string         `json:"replyToWhatsappId"`
	Reactions         []Reaction     `json:"reactions"`
	TemplateData      map[string]any `json:"templateData"`
	Metadata          map[string]any `json:"metadata"`
}

// StatusAt is a state of a message and when it was reached.
type StatusAt struct {
	Status    string    `json:"status"`
	Timestamp time.Time `json:"timestamp"`
}

// Reaction is an emoji on a message.
type Reaction struct {
	Emoji   string `json:"emoji"`
	ReactBy string `json:"reactBy"`
}

// SendError is why a message failed.
type SendError struct {
	Code  int    `json:"code"`
	Title string `json:"title"`
}

// UnmarshalJSON also reads a bare text (reference §3.14).
func (e *SendError) UnmarshalJSON(b []byte) error {
	var text string
	if unquote(b, &text) {
		*e = SendError{Title: text}
		return nil
	}
	type plain SendError
	return unmarshal(b, (*plain)(e))
}

// MessageInput is a message to send: To or ConversationID, and a text, a file or
// a template.
type MessageInput struct {
	To             string         `json:"to,omitempty"`
	ConversationID string         `json:"conversationId,omitempty"`
	Text           string         `json:"text,omitempty"`
	MediaURL       string         `json:"mediaUrl,omitempty"`
	MediaType      string         `json:"mediaType,omitempty"` // image, video, audio or document
	Filename       string         `json:"filename,omitempty"`
	Caption        string         `json:"caption,omitempty"`
	ReplyToID      string         `json:"replyToId,omitempty"`
	Metadata       map[string]any `json:"metadata,omitempty"`
}

// TemplateMessage is a template to send. Without a Language the stored
// template's own is taken. Variables go by position, Named by name; give one.
type TemplateMessage struct {
	To             string
	ConversationID string
	TemplateName   string
	Language       string
	Variables      []string
	Named          map[string]string
	Metadata       map[string]any
}

// Messages sends messages and marks them.
type Messages struct{ c *Client }

// Send stores a message and queues it; its Status tells later what became of it.
func (s *Messages) Send(ctx context.Context, in MessageInput, opts ...CallOption) (Message, error) {
	return call[Message](ctx, s.c, "POST", chatPath+"/send", nil, in, opts)
}

// SendTemplate stores a template message and queues it.
func (s *Messages) SendTemplate(ctx context.Context, in TemplateMessage, opts ...CallOption) (Message, error) {
	if len(in.Variables) > 0 && len(in.Named) > 0 {
		return Message{}, errors.New("parley: give Variables or Named, not both")
	}
	body := map[string]any{"templateName": in.TemplateName}
	for name, v := range map[string]string{"to": in.To, "conversationId": in.ConversationID, "language": in.Language} {
		if v != "" {
			body[name] = v
		}
	}
	if len(in.Variables) > 0 {
		body["variables"] = in.Variables
	}
	if len(in.Named) > 0 {
		body["variables"] = in.Named
	}
	if len(in.Metadata) > 0 {
		body["metadata"] = in.Metadata
	}
	return call[Message](ctx, s.c, "POST", chatPath+"/send", nil, body, opts)
}

// MarkRead marks a received message as read; the id of a conversation marks all
// of it.
func (s *Messages) MarkRead(ctx context.Context, id string, opts ...CallOption) error {
	return perform(ctx, s.c, "POST", at(chatPath+"/messages", id, "read"), nil, opts)
}

// Star sets or takes the star of a message.
func (s *Messages) Star(ctx context.Context, id string, starred bool, opts ...CallOption) error {
	return perform(ctx, s.c, "POST", at(chatPath+"/messages", id, "star"), map[string]bool{"isStarred": starred}, opts)
}

// React puts an emoji on a message; "" takes it away.
func (s *Messages) React(ctx context.Context, id, emoji string, opts ...CallOption) (Message, error) {
	return call[Message](ctx, s.c, "POST", at(chatPath+"/messages", id, "react"), nil, map[string]string{"reaction": emoji}, opts)
}

// File is something to upload. Content is read from where it stands,
// and again when a try fails; one that is neither an *os.File nor in memory is
// read into memory first.
type File struct {
	Name        string
	ContentType string // application/octet-stream when empty
	Content     io.Reader
}

// Upload is a stored file, whose URL a message can name.
type Upload struct {
	URL  string `json:"url"`
	Type string `json:"type"`
}

// Upload stores a file to send.
func (s *Messages) Upload(ctx context.Context, f File, opts ...CallOption) (Upload, error) {
	r := newRequest("POST", chatPath+"/upload", nil, nil, opts)
	var err error
	if r.content, err = formFile(f); err != nil {
		return Upload{}, err
	}
	return read[Upload](ctx, s.c, r)
}

// formFile is a form with one field "file".
func formFile(f File) (*content, error) {
	if f.Content == nil {
		return nil, errors.New("parley: the file to upload has no Content")
	}
	src, start, size, err := rewindable(f.Content)
	if err != nil {
		return nil, fmt.Errorf("parley: the file to upload could not be read: %w", err)
	}
	// The frame is written once, so that its boundary stays the same over the tries.
	var frame bytes.Buffer
	form := multipart.NewWriter(&frame)
	quote := strings.NewReplacer("\\", "\\\\", `"`, "\\\"", "\r", "", "\n", "")
	h := textproto.MIMEHeader{}
	h.Set("Content-Disposition", `form-data; name="file"; filename="`+quote.Replace(firstOf(f.Name, "file"))+`"`)
	h.Set("Content-Type", firstOf(f.ContentType, "application/octet-stream"))
	if _, err := form.CreatePart(h); err != nil {
		return nil, err
	}
	head := bytes.Clone(frame.Bytes())
	frame.Reset()
	if err := form.Close(); err != nil {
		return nil, err
	}
	tail := bytes.Clone(frame.Bytes())
	return &content{kind: form.FormDataContentType(), size: int64(len(head)) + size + int64(len(tail)), open: func() io.Reader {
		return io.MultiReader(bytes.NewReader(head), io.NewSectionReader(src, start, size), bytes.NewReader(tail))
	}}, nil
}

// rewindable returns r in a form that several tries can read at once: the
// transport may still hold the body of a try that was given up.
func rewindable(r io.Reader) (src io.ReaderAt, start, size int64, err error) {
	if at, ok := r.(interface {
		io.ReaderAt
		io.Seeker
	}); ok {
		if start, err = at.Seek(0, io.SeekCurrent); err == nil {
			var end int64
			if end, err = at.Seek(0, io.SeekEnd); err == nil {
				return at, start, end - start, nil
			}
		}
	}
	b, err := io.ReadAll(r) // a pipe, or no file at all
	return bytes.NewReader(b), 0, int64(len(b)), err
}
