package simulator

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// request is the body of POST /messages (Meta Cloud API, "Messages").
type request struct {
	Product   string `json:"messaging_product"`
	Receiver  string `json:"recipient_type"`
	To        string `json:"to"`
	Recipient string `json:"recipient"` // a business-scoped user id instead of a phone
	Type      string `json:"type"`
	Context   struct {
		MessageID string `json:"message_id"`
	} `json:"context"`
	Callback string `json:"biz_opaque_callback_data"`
	// Status and MessageID mark an incoming message as read.
	Status    string `json:"status"`
	MessageID string `json:"message_id"`
}

var scopedID = regexp.MustCompile(`^[A-Z]{2}\.[A-Za-z0-9.]{1,128}$`)

// person reads a phone number or a business-scoped user id.
func person(s string) (string, bool) {
	if scopedID.MatchString(s) {
		return s, true
	}
	return address(s)
}

// message is a send that passed the checks of its shape.
type message struct {
	request
	to       string
	content  json.RawMessage
	text     string
	template *Template
}

// read checks a body; the caller holds mu.
func (s *Simulator) read(a *Account, body []byte) (*message, *graphError) {
	m := &message{}
	var parts map[string]json.RawMessage
	if json.Unmarshal(body, &m.request) != nil || json.Unmarshal(body, &parts) != nil {
		return nil, refuse(100, "The request body is not a JSON object of the documented types")
	}
	if m.Product != "whatsapp" {
		return nil, refuse(100, "The parameter messaging_product is required.")
	}
	if utf8.RuneCountInString(m.Callback) > 512 {
		return nil, refuse(100, "Param biz_opaque_callback_data must be at most 512 characters long.")
	}
	if m.Receiver != "" && m.Receiver != "individual" {
		return nil, refuse(100, "Param recipient_type must be individual")
	}
	to := m.To
	if to == "" {
		to = m.Recipient
	}
	if to == "" {
		return nil, refuse(131008, "The parameter to is required.")
	}
	var ok bool
	if m.to, ok = person(to); !ok {
		return nil, refuse(131009, "Recipient phone number is not valid")
	}
	if m.to == a.DisplayPhone {
		return nil, refuse(131021, "Sender and recipient phone number is the same")
	}
	if m.Type == "" {
		m.Type = "text"
	}
	m.content = parts[m.Type]
	if len(m.content) == 0 || string(m.content) == "null" {
		return nil, refuse(131008, "The parameter "+m.Type+" is required.")
	}
	if err := s.readContent(a, m); err != nil {
		return nil, err
	}
	return m, nil
}

func (s *Simulator) readContent(a *Account, m *message) *graphError {
	var v struct {
		Body      any    `json:"body"`
		Emoji     string `json:"emoji"`
		MessageID string `json:"message_id"`
		ID        string `json:"id"`
		Link      string `json:"link"`
		Caption   string `json:"caption"`
		Filename  string `json:"filename"`
		Name      any    `json:"name"`
	}
	if m.Type != "contacts" && m.Type != "template" {
		if json.Unmarshal(m.content, &v) != nil {
			return refuse(100, "Param "+m.Type+" must be an object of the documented shape")
		}
	}
	switch m.Type {
	case "text":
		m.text, _ = v.Body.(string)
		if m.text == "" {
			return refuse(131008, "The parameter text['body'] is required.")
		}
		if utf8.RuneCountInString(m.text) > 4096 {
			return refuse(100, "Param text['body'] must be at most 4096 characters long.")
		}
	case "image", "video", "audio", "document", "sticker":
		switch {
		case v.ID == "" && v.Link == "":
			return refuse(131008, "The parameter "+m.Type+"['id'] or "+m.Type+"['link'] is required.")
		case v.ID != "" && s.media.get(a.PhoneNumberID, v.ID) == nil:
			return refuse(131009, "There is no media with the id "+v.ID)
		case v.ID != "" && kindOf(s.media.get(a.PhoneNumberID, v.ID).mime) != m.Type:
			return refuse(131053, "Unsupported "+m.Type+" mime type "+s.media.get(a.PhoneNumberID, v.ID).mime)
		case v.ID == "" && !strings.HasPrefix(v.Link, "http://") && !strings.HasPrefix(v.Link, "https://"):
			return refuse(131009, "Param "+m.Type+"['link'] is not a valid URL")
		case v.Caption != "" && (m.Type == "audio" || m.Type == "sticker"):
			return refuse(100, "Unexpected key \"caption\" on param \""+m.Type+"\".")
		}
		m.text = v.Caption
	case "reaction":
		if v.MessageID == "" {
			return refuse(131008, "The parameter reaction['message_id'] is required.")
		}
		m.text = v.Emoji
	case "template":
		return s.readTemplate(a, m)
	case "location", "contacts", "interactive":
		if b, ok := v.Body.(map[string]any); ok {
			m.text, _ = b["text"].(string)
		}
		if n, ok := v.Name.(string); ok {
			m.text = n
		}
	default:
		return refuse(100, "Param type must be one of {AUDIO, CONTACTS, DOCUMENT, IMAGE, INTERACTIVE, LOCATION, REACTION, STICKER, TEMPLATE, TEXT, VIDEO}.")
	}
	return nil
}

func (s *Simulator) readTemplate(a *Account, m *message) *graphError {
	var send sendTemplate
	if json.Unmarshal(m.content, &send) != nil {
		return refuse(100, "Param template must be an object of the documented shape")
	}
	if send.Name == "" {
		return refuse(131008, "The parameter template['name'] is required.")
	}
	if send.Language.Code == "" {
		return refuse(131008, "The parameter template['language']['code'] is required.")
	}
	list := s.templates[a.WABAID]
	for i := range list {
		t := &list[i]
		if t.Name != send.Name || t.Language != send.Language.Code {
			continue
		}
		switch t.Status {
		case "PAUSED":
			return refuse(132015, "template ("+t.Name+") is paused due to low quality")
		case "DISABLED":
			return refuse(132016, "template ("+t.Name+") was paused too often and is disabled")
		case "PENDING", "REJECTED":
			return refuse(132001, "template ("+t.Name+") is not approved")
		}
		text, err := t.fill(send)
		if err != nil {
			return err
		}
		copied := *t
		m.text, m.template = text, &copied
		return nil
	}
	return refuse(132001, "template name ("+send.Name+") does not exist in "+send.Language.Code)
}

// accept applies the limits and takes the message on; the caller holds mu. The
// returned deliveries are its statuses.
func (s *Simulator) accept(a *Account, m *message, later *graphError) (wamid string, ds []*delivery, err *graphError) {
	now := s.clock.Now()
	if n := s.opt.Limits.PerSecond; n > 0 && !s.rate(a).take(now, n, false) {
		return "", nil, refuse(130429, "Message failed to send because there were too many messages sent from this phone number in a short period of time")
	}
	p := s.phoneOf(a.PhoneNumberID, m.to)
	l := s.opt.Limits
	if l.PairGap > 0 && l.PairBurst > 0 && !p.pair.take(now, l.PairGap, l.PairBurst) {
		return "", nil, refuse(131056, "Message failed to send because there were too many messages sent from this phone number to the same phone number in a short period of time")
	}
	wamid = s.wamid(m.to)
	s.sentTo[m.to] = a.PhoneNumberID
	open := l.Window < 0 || (!p.lastWrote.IsZero() && now.Sub(p.lastWrote) < l.Window)
	category := "service"
	if m.template != nil {
		category = strings.ToLower(m.template.Category)
	}
	switch {
	case later != nil:
	case m.template == nil && !open:
		later = refuse(131047, "Message failed to send because more than 24 hours have passed since the customer last replied to this number.")
	case category == "marketing" && p.optedOut:
		later = refuse(131050, "The recipient has chosen to stop receiving marketing messages from your business.")
	}
	if later != nil {
		return wamid, s.statuses(a, m, wamid, category, now, later), nil
	}
	r := Received{
		ID: wamid, Account: a.PhoneNumberID, From: a.DisplayPhone, To: m.to, At: now, Type: m.Type,
		Text: m.text, ReplyTo: m.Context.MessageID, Callback: m.Callback, Content: m.content,
	}
	if m.template != nil {
		r.Template, r.Language = m.template.Name, m.template.Language
	}
	s.deliver(p, r)
	return wamid, s.statuses(a, m, wamid, category, now, nil), nil
}

func (s *Simulator) rate(a *Account) *bucket {
	b := s.rates[a.PhoneNumberID]
	if b == nil {
		b = &bucket{}
		s.rates[a.PhoneNumberID] = b
	}
	return b
}

// statuses makes the webhooks of a message. A reaction is only reported as sent
// (Meta Cloud API, "Reaction messages, Limitations").
func (s *Simulator) statuses(a *Account, m *message, wamid, category string, now time.Time, failed *graphError) []*delivery {
	kinds := []string{"sent", "delivered", "read"}
	switch {
	case failed != nil:
		kinds = []string{"failed"}
	case m.Type == "reaction":
		kinds = kinds[:1]
	case s.opt.NoRead:
		kinds = kinds[:2]
	}
	var ds []*delivery
	for i, kind := range kinds {
		due := now.Add(time.Duration(i) * s.opt.StatusDelay)
		st := hookStatus{ID: wamid, Status: kind, Timestamp: unix(due), Recipient: m.to, Callback: m.Callback}
		if failed != nil {
			st.Errors = []wireFailure{failed.failure()}
		} else if kind != "read" {
			st.Pricing = pricing(category)
		}
		ds = append(ds, s.webhook(a, kind, wamid, m.to, "messages", hookValue{Statuses: []hookStatus{st}}, due)...)
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

// webhook makes a webhook and its duplicates; none without a URL.
func (s *Simulator) webhook(a *Account, kind, subject, phone, field string, v hookValue, due time.Time) []*delivery {
	if a.WebhookURL == "" {
		return nil
	}
	body := a.wrap(field, v)
	ds := make([]*delivery, 1+s.faults.duplicates)
	for i := range ds {
		ds[i] = &delivery{
			account: a.PhoneNumberID, url: a.WebhookURL, secret: a.AppSecret, kind: kind, subject: subject,
			lane: a.PhoneNumberID + "/" + phone, body: body, due: due,
		}
	}
	return ds
}

// trace makes an fbtrace_id; the caller holds mu.
func (s *Simulator) trace() string {
	return fmt.Sprintf("A%010s", strconv.FormatUint(uint64(s.rng.Uint32()), 36))
}
