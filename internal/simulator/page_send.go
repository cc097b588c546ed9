package simulator

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

func itoa(n int) string { return strconv.Itoa(n) }

// pagePerSecond is Meta's bound of texts for one page (Messenger Platform, "Rate
// limits").
const pagePerSecond = 300

// pageRequest is the body of POST /{page}/messages (Messenger Platform, "Send
// API").
type pageRequest struct {
	Recipient struct {
		ID string `json:"id"`
	} `json:"recipient"`
	Type    string          `json:"messaging_type"`
	Tag     string          `json:"tag"`
	Action  string          `json:"sender_action"`
	Message json.RawMessage `json:"message"`
	ReplyTo struct {
		MID string `json:"mid"`
	} `json:"reply_to"`
}

type pageMessage struct {
	Text         string          `json:"text"`
	Metadata     string          `json:"metadata"`
	Attachment   *pageAttachment `json:"attachment"`
	QuickReplies []struct {
		ContentType string `json:"content_type"`
		Title       string `json:"title"`
		Payload     string `json:"payload"`
	} `json:"quick_replies"`
}

type pageAttachment struct {
	Type    string `json:"type"`
	Payload struct {
		URL          string           `json:"url"`
		AttachmentID string           `json:"attachment_id"`
		TemplateType string           `json:"template_type"`
		Text         string           `json:"text"`
		Buttons      []pageButton     `json:"buttons"`
		Elements     []map[string]any `json:"elements"`
	} `json:"payload"`
}

type pageButton struct {
	Type    string `json:"type"`
	Title   string `json:"title"`
	Payload string `json:"payload"`
	URL     string `json:"url"`
}

// postPageMessage takes one message of a page.
func (s *Simulator) postPageMessage(w http.ResponseWriter, r *http.Request) {
	p, perr := s.page(r)
	if perr != nil {
		s.refusePage(w, perr)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var in pageRequest
	if err != nil || json.Unmarshal(body, &in) != nil {
		s.refusePage(w, badParam(0, "The request body is not a JSON object of the documented types"))
		return
	}
	if in.Action != "" && len(in.Message) == 0 { // typing, seen: nothing that a person keeps
		writeJSON(w, http.StatusOK, map[string]string{"recipient_id": in.Recipient.ID})
		return
	}
	s.mu.Lock()
	f := s.nextFault("", p.ID, in.Recipient.ID)
	if f == nil {
		f = &Fault{}
	}
	if f.Drop == "before" || f.Status != 0 {
		s.mu.Unlock()
		s.misbehave(w, f)
		return
	}
	mid, ds, perr := "", []*delivery(nil), (*pageError)(nil)
	if f.Code != 0 {
		perr = pageRefuse(f.Code)
	} else {
		mid, ds, perr = s.acceptPage(&p, in)
	}
	s.mu.Unlock()
	s.post.enqueue(ds...)
	if d := f.delay(); d > 0 {
		timer, stop := s.clock.After(d)
		defer stop()
		select {
		case <-timer:
		case <-r.Context().Done():
		case <-s.post.ctx.Done():
		}
	}
	switch {
	case f.Drop == "after":
		drop(w)
	case perr != nil:
		s.refusePage(w, perr)
	default:
		writeJSON(w, http.StatusOK, map[string]string{"recipient_id": in.Recipient.ID, "message_id": mid})
	}
}

// acceptPage checks a message, applies the limits and delivers it; the caller
// holds mu. The returned deliveries are its echo, its delivery and its reading.
func (s *Simulator) acceptPage(p *Page, in pageRequest) (string, []*delivery, *pageError) {
	now := s.clock.Now()
	var m pageMessage
	if len(in.Message) == 0 || json.Unmarshal(in.Message, &m) != nil {
		return "", nil, badParam(2018034, "Message cannot be empty, must provide valid attachment or text")
	}
	if !slices.Contains([]string{"RESPONSE", "UPDATE", "MESSAGE_TAG"}, in.Type) {
		return "", nil, badParam(0, "Param messaging_type must be one of {RESPONSE, UPDATE, MESSAGE_TAG}")
	}
	kind, text, err := s.readPageMessage(p, &m)
	if err != nil {
		return "", nil, err
	}
	who := s.phones[phoneKey{p.ID, in.Recipient.ID}]
	if who == nil || who.lastWrote.IsZero() {
		return "", nil, pageRefuse(100) // nobody of this id ever wrote to this page
	}
	b := s.rates[p.ID]
	if b == nil {
		b = &bucket{}
		s.rates[p.ID] = b
	}
	if !b.take(now, pagePerSecond, false) {
		return "", nil, pageRefuse(613)
	}
	if who.blocked {
		return "", nil, pageRefuse(551)
	}
	if l := s.opt.Limits.Window; l > 0 && now.Sub(who.lastWrote) >= l && (in.Type != "MESSAGE_TAG" || in.Tag == "") {
		return "", nil, pageRefuse(10)
	}
	mid := s.mid()
	s.deliver(who, Received{ID: mid, Account: p.ID, From: p.ID, To: in.Recipient.ID, At: now, Type: kind, Text: text,
		ReplyTo: in.ReplyTo.MID, Callback: m.Metadata, Content: in.Message})
	return mid, s.pageNews(p, in.Recipient.ID, mid, m, now), nil
}

// pageNews are the webhooks of a message that was taken (Messenger Platform,
// message_echoes, message_deliveries, message_reads).
func (s *Simulator) pageNews(p *Page, person, mid string, m pageMessage, now time.Time) []*delivery {
	from, to := map[string]string{"id": person}, map[string]string{"id": p.ID}
	var ds []*delivery
	step := 0
	add := func(kind string, event map[string]any) {
		due := now.Add(time.Duration(step) * s.opt.StatusDelay)
		step++
		event["timestamp"] = due.UnixMilli()
		ds = append(ds, s.pageWebhook(p, kind, mid, person, event, due)...)
	}
	if !p.NoEchoes {
		echo := map[string]any{"is_echo": true, "mid": mid, "app_id": 1517776481860111}
		if m.Metadata != "" {
			echo["metadata"] = m.Metadata
		}
		if m.Text != "" {
			echo["text"] = m.Text
		}
		add("sent", map[string]any{"sender": to, "recipient": from, "message": echo})
	}
	add("delivered", map[string]any{"sender": from, "recipient": to, "delivery": map[string]any{"mids": []string{mid}, "watermark": now.UnixMilli()}})
	if !s.opt.NoRead {
		add("read", map[string]any{"sender": from, "recipient": to, "read": map[string]any{"watermark": now.UnixMilli()}})
	}
	if s.faults.disorder {
		dues := make([]time.Time, len(ds))
		for i, d := range ds {
			dues[i] = d.due
		}
		s.rng.Shuffle(len(ds), func(i, j int) { ds[i], ds[j] = ds[j], ds[i] })
		for i, d := range ds {
			d.due = dues[i]
		}
	}
	return ds
}

// readPageMessage checks a message's shape and returns what it is and what a
// reader sees.
func (s *Simulator) readPageMessage(p *Page, m *pageMessage) (kind, text string, err *pageError) {
	switch {
	case utf8.RuneCountInString(m.Metadata) >= 1000:
		return "", "", badParam(0, "Length of param message[metadata] must be less than 1000")
	case m.Text != "" && m.Attachment != nil:
		return "", "", badParam(2018034, "Only one of text or attachment can be sent")
	case m.Text == "" && m.Attachment == nil:
		return "", "", badParam(2018034, "Message cannot be empty, must provide valid attachment or text")
	case utf8.RuneCountInString(m.Text) > 2000:
		return "", "", badParam(0, "Length of param message[text] must be less than or equal to 2000")
	case len(m.QuickReplies) > 13:
		return "", "", badParam(0, "Param message[quick_replies] must have at most 13 elements")
	}
	for _, q := range m.QuickReplies {
		if q.ContentType == "text" && (q.Title == "" || utf8.RuneCountInString(q.Title) > 20 || q.Payload == "" || utf8.RuneCountInString(q.Payload) > 1000) {
			return "", "", badParam(0, "Each of message[quick_replies] of type text needs a title of at most 20 characters and a payload of at most 1000")
		}
	}
	if m.Attachment == nil {
		return "text", m.Text, nil
	}
	a := m.Attachment
	switch a.Type {
	case "image", "video", "audio", "file":
		return a.Type, "", s.checkAttachment(p, a)
	case "template":
		return "template", a.Payload.Text, checkPageTemplate(a)
	}
	return "", "", badParam(0, "Param message[attachment][type] must be one of {audio, file, image, template, video}")
}

func (s *Simulator) checkAttachment(p *Page, a *pageAttachment) *pageError {
	switch id := a.Payload.AttachmentID; {
	case id == "" && a.Payload.URL == "":
		return badParam(2018008, "Attachment needs a URL or an attachment id")
	case id == "":
		if !strings.HasPrefix(a.Payload.URL, "http://") && !strings.HasPrefix(a.Payload.URL, "https://") {
			return badParam(2018007, "Param url is not a valid URL")
		}
	default:
		f := s.media.get(p.ID, id)
		if f == nil || attachmentType(f.mime) != a.Type {
			return badParam(2018074, "The attachment id must be one of this page and of the type "+a.Type)
		}
	}
	return nil
}

func attachmentType(mime string) string {
	family, _, _ := strings.Cut(mime, "/")
	if slices.Contains([]string{"image", "video", "audio"}, family) {
		return family
	}
	return "file"
}

// checkPageTemplate checks the button and the generic template.
func checkPageTemplate(a *pageAttachment) *pageError {
	switch a.Payload.TemplateType {
	case "button":
		if n := utf8.RuneCountInString(a.Payload.Text); n == 0 || n > 640 {
			return badParam(0, "Length of param text must be between 1 and 640")
		}
		if n := len(a.Payload.Buttons); n == 0 || n > 3 {
			return badParam(0, "Param buttons must have 1 to 3 elements")
		}
		for _, b := range a.Payload.Buttons {
			if b.Title == "" || utf8.RuneCountInString(b.Title) > 20 {
				return badParam(0, "Each button needs a title of at most 20 characters")
			}
			if b.Type == "postback" && (b.Payload == "" || utf8.RuneCountInString(b.Payload) > 1000) {
				return badParam(0, "A postback button needs a payload of at most 1000 characters")
			}
			if b.Type != "postback" && b.Type != "web_url" && b.Type != "phone_number" {
				return badParam(0, "Param type of a button must be one of {postback, web_url, phone_number}")
			}
		}
	case "generic":
		if n := len(a.Payload.Elements); n == 0 || n > 10 {
			return badParam(0, "Param elements must have 1 to 10 elements")
		}
	default:
		return badParam(0, "Param template_type must be one of {button, generic}")
	}
	return nil
}

// mid makes a message id of Messenger's look; the caller holds mu.
func (s *Simulator) mid() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	b := make([]byte, 48)
	for i := range b {
		b[i] = letters[s.rng.IntN(len(letters))]
	}
	return "m_" + string(b)
}

// postAttachment takes a multipart upload, or fetches nothing and remembers a URL
// (Messenger Platform, "Attachment upload API").
func (s *Simulator) postAttachment(w http.ResponseWriter, r *http.Request) {
	p, perr := s.page(r)
	if perr != nil {
		s.refusePage(w, perr)
		return
	}
	if s.fileFault(w, r, "upload", p.ID) {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxFile+maxBody)
	part, header, err := r.FormFile("filedata")
	if err != nil {
		s.refusePage(w, badParam(2018047, "Upload attachment failure: the part filedata is required"))
		return
	}
	defer part.Close()
	var about pageMessage
	if json.Unmarshal([]byte(r.FormValue("message")), &about) != nil || about.Attachment == nil {
		s.refusePage(w, badParam(0, "Param message must describe the attachment"))
		return
	}
	data, err := io.ReadAll(part)
	mime := header.Header.Get("Content-Type")
	switch {
	case err != nil || len(data) == 0 || len(data) > 25<<20:
		s.refusePage(w, badParam(2018047, "Upload attachment failure: the file is empty or larger than 25 MB"))
		return
	case attachmentType(mime) != about.Attachment.Type, mime == "application/x-msdownload":
		s.refusePage(w, badParam(2018047, "Upload attachment failure: a file of type '"+mime+"' is no "+about.Attachment.Type))
		return
	}
	s.mu.Lock()
	id := s.number()
	s.media.put(id, &file{account: p.ID, mime: mime, data: data})
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]string{"attachment_id": id})
}
