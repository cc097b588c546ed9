package messenger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"

	"parley/internal/channel"
	"parley/internal/fault"
)

// Parse reads a verified body. Every message of a person appears in the batch: of
// one with several files, each file is a message of its own; a file of a type
// that is unknown becomes Unsupported. Echoes of what the page sent are no
// messages: one that carries our id is the receipt "sent" of that message, any
// other is passed over. A read or delivery that tells a watermark becomes one
// receipt with UpTo. Only a body that is no webhook of ours, or a message without
// an id (which could not be told from its repetition), is a fault.
func (c *Channel) Parse(body []byte) (channel.Batch, error) {
	env, err := open(body)
	if err != nil {
		return channel.Batch{}, err
	}
	var b channel.Batch
	now := c.clock.Now()
	for i, e := range env.Entry {
		where := "entry[" + strconv.Itoa(i) + "]"
		if e.ID == "" && len(e.Messaging) > 0 {
			return channel.Batch{}, fault.Missing(where + ".id")
		}
		for j, raw := range e.Messaging {
			at := where + ".messaging[" + strconv.Itoa(j) + "]"
			if err := readEvent(&b, string(e.ID), raw, at, now); err != nil {
				return channel.Batch{}, err
			}
		}
	}
	return b, nil
}

func readEvent(b *channel.Batch, page string, raw json.RawMessage, where string, now time.Time) error {
	var e inEvent
	if json.Unmarshal(raw, &e) != nil {
		return fault.Field(where, "the event does not have the shape of a Messenger webhook")
	}
	at := moment(e.Timestamp, now)
	person := string(e.Sender.ID)
	receipt := func(status, mid string, upTo time.Time) {
		b.Receipts = append(b.Receipts, channel.Receipt{Account: page, ProviderID: mid, Status: status, At: at, To: person, UpTo: upTo})
	}
	switch {
	case len(e.Message) > 0 && string(e.Message) != "null":
		return readMessage(b, page, e, at, where)
	case e.Postback != nil:
		m := channel.Incoming{Account: page, ProviderID: e.Postback.MID, From: person, At: at, Kind: channel.Button,
			Text: e.Postback.Title, Payload: e.Postback.Payload}
		if m.ProviderID == "" { // older versions give it none: what it is must tell it from others
			sum := sha256.Sum256([]byte(page + "\x00" + person + "\x00" + e.Timestamp.String() + "\x00" + e.Postback.Title + "\x00" + e.Postback.Payload))
			m.ProviderID = "postback:" + hex.EncodeToString(sum[:16])
		}
		b.Messages = append(b.Messages, m)
	case e.Delivery != nil:
		for _, mid := range e.Delivery.MIDs {
			if mid != "" {
				receipt("delivered", mid, time.Time{})
			}
		}
		if up := moment(e.Delivery.Watermark, time.Time{}); !up.IsZero() {
			receipt("delivered", "", up)
		}
	case e.Read != nil:
		if up := moment(e.Read.Watermark, time.Time{}); !up.IsZero() {
			receipt("read", "", up)
		}
	case e.Reaction != nil && e.Reaction.MID != "":
		m := channel.Incoming{Account: page, From: person, At: at, Kind: channel.Reaction, ReplyTo: e.Reaction.MID,
			ProviderID: "reaction:" + person + ":" + e.Timestamp.String()}
		if e.Reaction.Action != "unreact" {
			if m.Reaction = e.Reaction.Emoji; m.Reaction == "" {
				m.Reaction = e.Reaction.Reaction
			}
		}
		b.Messages = append(b.Messages, m)
	}
	return nil // referrals, opt-ins, handovers: nothing that a person said
}

func readMessage(b *channel.Batch, page string, e inEvent, at time.Time, where string) error {
	var in inMessage
	if json.Unmarshal(e.Message, &in) != nil {
		// A message of odd shape: save what identifies it.
		var least struct {
			MID    string `json:"mid"`
			IsEcho any    `json:"is_echo"`
		}
		if json.Unmarshal(e.Message, &least) != nil || least.MID == "" {
			return fault.Field(where+".message.mid", "a message without an id cannot be accepted")
		}
		if least.IsEcho == nil {
			b.Messages = append(b.Messages, channel.Incoming{Account: page, ProviderID: least.MID, From: string(e.Sender.ID), At: at, Kind: channel.Unsupported})
		}
		return nil
	}
	if in.IsEcho {
		if in.Metadata != "" && in.MID != "" {
			b.Receipts = append(b.Receipts, channel.Receipt{Account: page, ProviderID: in.MID, Echo: in.Metadata, Status: "sent", At: at, To: string(e.Recipient.ID)})
		}
		return nil
	}
	if in.MID == "" {
		return fault.Field(where+".message.mid", "a message without an id cannot be accepted")
	}
	if in.IsDeleted {
		return nil
	}
	m := channel.Incoming{Account: page, ProviderID: in.MID, From: string(e.Sender.ID), At: at, Kind: channel.Text, Text: in.Text, ReplyTo: in.ReplyTo.MID}
	if in.QuickReply != nil {
		m.Kind, m.Payload = channel.Interactive, in.QuickReply.Payload
	}
	var files []inAttachment
	odd := len(in.Attachments) > 0 && json.Unmarshal(in.Attachments, &files) != nil
	if in.Text != "" || in.QuickReply != nil {
		b.Messages = append(b.Messages, m)
	}
	for i, f := range files {
		part := m
		part.Text, part.Payload = "", ""
		if i > 0 || in.Text != "" || in.QuickReply != nil {
			part.ProviderID = in.MID + "#" + strconv.Itoa(i)
		}
		readAttachment(&part, f, in.MID+"/"+strconv.Itoa(i))
		if f.Type == "fallback" && in.Text != "" {
			continue // the preview of a link that the text has
		}
		b.Messages = append(b.Messages, part)
	}
	if in.Text == "" && in.QuickReply == nil && (odd || len(files) == 0) {
		m.Kind = channel.Unsupported
		b.Messages = append(b.Messages, m)
	}
	return nil
}

// readAttachment fills in what an attachment brings along.
func readAttachment(m *channel.Incoming, f inAttachment, id string) {
	kinds := map[string]string{"image": channel.Image, "video": channel.Video, "audio": channel.Audio, "file": channel.Document}
	title, link := f.Title, f.URL
	if f.Payload.Title != "" {
		title = f.Payload.Title
	}
	if link == "" {
		link = f.Payload.URL
	}
	switch kind, isFile := kinds[f.Type], kinds[f.Type] != "" && f.Payload.URL != ""; {
	case isFile:
		m.Kind = kind
		if kind == channel.Image && f.Payload.Sticker != "" {
			m.Kind = channel.Sticker
		}
		m.Media = &channel.Media{ID: id, URL: f.Payload.URL}
	case f.Type == "location" && f.Payload.Coordinates != nil:
		m.Kind = channel.Location
		m.Text = "https://www.google.com/maps?q=" + f.Payload.Coordinates.Lat.String() + "," + f.Payload.Coordinates.Long.String()
	case title != "" || link != "": // a shared post, reel or page: words and where it is
		m.Kind, m.Text = channel.Text, title
		if link != "" {
			if m.Text != "" {
				m.Text += "\n"
			}
			m.Text += link
		}
	default:
		m.Kind = channel.Unsupported
	}
}
