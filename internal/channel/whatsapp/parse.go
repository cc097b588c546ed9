package whatsapp

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"parley/internal/channel"
	"parley/internal/fault"
)

// Parse reads a verified body. Every message appears in the batch: a type that
// is unknown, or whose content does not have its documented shape, becomes
// Unsupported. Only a body that is no webhook of ours, or a message without an
// id (which could not be told from its repetition), is a fault.
//
// Statuses that say nothing about delivery are left out; "played", which
// follows the reading of a voice message, counts as read.
func (c *Channel) Parse(body []byte) (channel.Batch, error) {
	var env envelope
	var b channel.Batch
	if err := json.Unmarshal(body, &env); err != nil {
		return b, fault.New(fault.Invalid, "the body is not the JSON of a WhatsApp webhook")
	}
	if env.Object != object {
		return b, fault.New(fault.NotFound, "the webhook is not for a WhatsApp business account")
	}
	now := c.clock.Now()
	for i, e := range env.Entry {
		for j, ch := range e.Changes {
			where := at("entry", i) + "." + at("changes", j) + ".value"
			if err := c.parseChange(&b, ch, where, now); err != nil {
				return channel.Batch{}, err
			}
		}
	}
	return b, nil
}

// parseChange reads one change of the two fields that concern people. Echoes
// of the business app and of its history use the same arrays under other
// fields; they are not messages from a person.
func (c *Channel) parseChange(b *channel.Batch, ch change, where string, now time.Time) error {
	switch ch.Field {
	case "messages", "user_preferences", "":
	default:
		return nil
	}
	var v value
	if err := json.Unmarshal(ch.Value, &v); err != nil {
		return fault.Field(where, "the change does not have the shape of a WhatsApp webhook")
	}
	account := ch.account()
	if account == "" && len(v.Messages)+len(v.Statuses)+len(v.Preferences) > 0 {
		return fault.Missing(where + ".metadata.phone_number_id")
	}
	contacts, _ := as[[]profile](v.Contacts)
	for k, raw := range v.Messages {
		m, ok := readMessage(raw, contacts, now)
		if !ok {
			return fault.Field(where+"."+at("messages", k)+".id", "a message without an id cannot be accepted")
		}
		m.Account = account
		b.Messages = append(b.Messages, m)
	}
	for _, raw := range v.Statuses {
		s, _ := as[inStatus](raw) // what could be read of an odd one still counts
		if r, ok := readStatus(s, now); ok {
			r.Account = account
			b.Receipts = append(b.Receipts, r)
		}
	}
	for _, p := range v.Preferences {
		if p.Category == "marketing_messages" && (p.Value == "stop" || p.Value == "resume") {
			b.Preferences = append(b.Preferences, channel.Preference{
				Account: account, From: or(p.WaID, p.UserID), At: moment(p.Timestamp, now), Marketing: p.Value == "resume",
			})
		}
	}
	return nil
}

func at(name string, i int) string { return name + "[" + strconv.Itoa(i) + "]" }

// readMessage reads one message; ok is false when it has no id.
func readMessage(raw json.RawMessage, contacts []profile, now time.Time) (channel.Incoming, bool) {
	var h inHead
	if json.Unmarshal(raw, &h) != nil {
		// A head of odd shape: save what identifies the message.
		var least struct {
			ID   text `json:"id"`
			From text `json:"from"`
		}
		if json.Unmarshal(raw, &least) != nil {
			return channel.Incoming{}, false
		}
		h = inHead{ID: least.ID, From: least.From}
	}
	m := channel.Incoming{
		ProviderID: string(h.ID),
		From:       or(h.From, h.FromUserID),
		At:         moment(h.Timestamp, now),
		Kind:       string(h.Type),
		ReplyTo:    string(h.Context.ID),
	}
	m.ProfileName = profileName(contacts, m.From)
	var content map[string]json.RawMessage
	if json.Unmarshal(raw, &content) != nil || !readContent(&m, content) {
		m.Kind, m.Text, m.Media, m.Reaction, m.Payload, m.Order = channel.Unsupported, aside(h.Type, content), nil, "", "", nil
	}
	return m, m.ProviderID != ""
}

// profileName finds the sender among the contacts. A number may be written
// differently in the two places (Meta Cloud API, "Phone numbers, Brazil and
// Mexico"), so a single contact is the sender whatever its id.
func profileName(contacts []profile, from string) string {
	for _, p := range contacts {
		if string(p.WaID) == from || string(p.UserID) == from || len(contacts) == 1 {
			if p.Profile.Name == "" {
				return p.Profile.Username
			}
			return p.Profile.Name
		}
	}
	return ""
}

// readContent fills in what the type brings along; false means Unsupported.
func readContent(m *channel.Incoming, content map[string]json.RawMessage) bool {
	part := content[m.Kind]
	switch m.Kind {
	case channel.Text:
		v, ok := as[inText](part)
		m.Text = v.Body
		return ok
	case channel.Image, channel.Video, channel.Audio, channel.Document, channel.Sticker:
		v, ok := as[inMedia](part)
		m.Text = v.Caption
		m.Media = &channel.Media{ID: string(v.ID), URL: v.Link, MIME: v.MIME, Caption: v.Caption, Filename: v.Filename}
		return ok
	case channel.Location:
		v, ok := as[inLocation](part)
		m.Text = "https://www.google.com/maps?q=" + v.Latitude.String() + "," + v.Longitude.String()
		return ok && v.Latitude != "" && v.Longitude != ""
	case channel.Contacts:
		v, ok := as[[]inContact](part)
		m.Text = contactNames(v)
		return ok
	case channel.Button:
		v, ok := as[inButton](part)
		m.Text, m.Payload = v.Text, v.Payload
		return ok
	case channel.Interactive:
		v, ok := as[inInteractive](part)
		if !ok {
			return false
		}
		return readInteractive(m, v)
	case channel.OrderMsg:
		return readOrder(m, part)
	case channel.Reaction:
		v, ok := as[inReaction](part)
		m.ReplyTo, m.Reaction = string(v.MessageID), v.Emoji
		return ok && v.MessageID != ""
	}
	return false
}

func readInteractive(m *channel.Incoming, v inInteractive) bool {
	switch v.Type {
	case "button_reply":
		m.Text, m.Payload = v.ButtonReply.Title, string(v.ButtonReply.ID)
	case "list_reply":
		m.Text, m.Payload = v.ListReply.Title, string(v.ListReply.ID)
	case "nfm_reply":
		m.Text, m.Payload = v.NFMReply.Body, v.NFMReply.Response
	default:
		return false
	}
	return true
}

// contactNames lists the names of shared contact cards, a phone where a card
// has no name.
func contactNames(cards []inContact) string {
	var names []string
	for _, c := range cards {
		name := c.Name.Formatted
		if name == "" {
			name = strings.TrimSpace(c.Name.First + " " + c.Name.Last)
		}
		if name == "" && len(c.Phones) > 0 {
			name = c.Phones[0].Phone
		}
		if name != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// aside keeps the words of types that have no kind of their own: the note in a
// cart, Meta's sentence about a changed number.
func aside(kind text, content map[string]json.RawMessage) string {
	switch kind {
	case "order":
		v, _ := as[struct {
			Text string `json:"text"`
		}](content["order"])
		return v.Text
	case "system":
		v, _ := as[inText](content["system"])
		return v.Body
	}
	return ""
}

// readStatus reads one status; ok is false for statuses that are not receipts.
func readStatus(s inStatus, now time.Time) (channel.Receipt, bool) {
	r := channel.Receipt{
		ProviderID: string(s.ID),
		Echo:       s.Callback,
		Status:     s.Status,
		At:         moment(s.Timestamp, now),
		To:         or(s.RecipientID, s.RecipientUserID),
	}
	switch s.Status {
	case "sent", "delivered", "read":
	case "played":
		r.Status = "read"
	case "failed":
		r.Err = failure(s.Errors)
	default:
		return channel.Receipt{}, false
	}
	return r, r.ProviderID != ""
}

// failure classifies the first error of a failed message. It did not arrive,
// so an outcome that would be unknown of a request is a refusal here.
func failure(errs []graphError) *channel.SendError {
	if len(errs) == 0 {
		return &channel.SendError{Outcome: channel.Refused, Title: "the provider could not deliver the message and gave no reason"}
	}
	e := classify(400, &errs[0], 0)
	if e.Outcome == channel.Unknown {
		e.Outcome = channel.Refused
	}
	return e
}

// as reads a part of a message; ok is false when it is absent or of another
// shape.
func as[T any](raw json.RawMessage) (v T, ok bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return v, false
	}
	err := json.Unmarshal(raw, &v)
	return v, err == nil
}
