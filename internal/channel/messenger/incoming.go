package messenger

import (
	"encoding/json"
	"time"

	"parley/internal/channel/meta"
)

// The shapes of a webhook (Messenger Platform, "Webhook events"). Events stay raw
// until each is read on its own, so that one odd event cannot take the others
// with it.

type envelope struct {
	Object string  `json:"object"`
	Entry  []entry `json:"entry"`
}

// entry is what one page has to tell. What another app handles at the moment
// comes under "standby" and is not ours.
type entry struct {
	ID        text              `json:"id"`
	Messaging []json.RawMessage `json:"messaging"`
}

type inEvent struct {
	Sender    inPerson        `json:"sender"`
	Recipient inPerson        `json:"recipient"`
	Timestamp json.Number     `json:"timestamp"` // milliseconds
	Message   json.RawMessage `json:"message"`
	Postback  *inPostback     `json:"postback"`
	Delivery  *inDelivery     `json:"delivery"`
	Read      *inRead         `json:"read"`
	Reaction  *inReaction     `json:"reaction"`
}

type inPerson struct {
	ID text `json:"id"`
}

type inMessage struct {
	MID         string          `json:"mid"`
	Text        string          `json:"text"`
	IsEcho      bool            `json:"is_echo"`
	Metadata    string          `json:"metadata"`
	QuickReply  *inQuickReply   `json:"quick_reply"`
	ReplyTo     inReplyTo       `json:"reply_to"`
	Attachments json.RawMessage `json:"attachments"`
	IsDeleted   bool            `json:"is_deleted"`
}

type inQuickReply struct {
	Payload string `json:"payload"`
}

type inReplyTo struct {
	MID string `json:"mid"`
}

type inAttachment struct {
	Type    string `json:"type"`
	Title   string `json:"title"`
	URL     string `json:"url"`
	Payload struct {
		URL         string `json:"url"`
		Title       string `json:"title"`
		Sticker     text   `json:"sticker_id"`
		Coordinates *struct {
			Lat  json.Number `json:"lat"`
			Long json.Number `json:"long"`
		} `json:"coordinates"`
	} `json:"payload"`
}

type inPostback struct {
	MID     string `json:"mid"`
	Title   string `json:"title"`
	Payload string `json:"payload"`
}

type inDelivery struct {
	MIDs      []string    `json:"mids"`
	Watermark json.Number `json:"watermark"`
}

type inRead struct {
	Watermark json.Number `json:"watermark"`
}

type inReaction struct {
	MID      string `json:"mid"`
	Action   string `json:"action"` // react or unreact
	Emoji    string `json:"emoji"`
	Reaction string `json:"reaction"` // smile, love ...
}

// text is how Meta writes ids.
type text = meta.Text

// lastMilli is the end of the year 9999: what lies beyond cannot be written as a
// date.
const lastMilli = 253402300799999

// moment reads Unix milliseconds; without sense in them it answers now.
func moment(n json.Number, now time.Time) time.Time {
	ms, err := n.Int64()
	if err != nil || ms <= 0 || ms > lastMilli {
		return now
	}
	return time.UnixMilli(ms).UTC()
}
