package sales

import (
	"encoding/json"
	"math"
	"time"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/interaction"
)

// eventBody is something that happened, as it is sent (reference §3.4, NewEvent).
// type decides which fields count.
type eventBody struct {
	Type         string                  `json:"type"`
	ProviderID   string                  `json:"providerId"`
	ThreadTitle  string                  `json:"threadTitle"`
	ThreadURL    string                  `json:"threadUrl"`
	Question     string                  `json:"question"`
	Answer       string                  `json:"answer"`
	Delivered    *bool                   `json:"delivered"`
	CancelReason string                  `json:"cancelReason"`
	UTMSource    string                  `json:"utmSource"`
	StartedAt    string                  `json:"startedAt"`
	Duration     float64                 `json:"duration"` // milliseconds
	RecordingURL string                  `json:"recordingUrl"`
	Content      string                  `json:"content"`
	RepliesTo    string                  `json:"repliesTo"`
	Sender       string                  `json:"sender"`
	Recipient    string                  `json:"recipient"`
	Attachment   *interaction.Attachment `json:"attachment"`

	// Via is our own addition: how it happened, where the rest does not tell.
	Via string `json:"via"`

	ChannelInteraction map[string]any `json:"channelInteraction"`
	List               map[string]any `json:"list"`
	Buttons            map[string]any `json:"buttons"`
	ProductList        map[string]any `json:"productList"`
	Order              map[string]any `json:"order"`
}

// maxCall bounds the duration of a call.
const maxCall = 7 * 24 * time.Hour

// readEvent reads one event.
func readEvent(raw json.RawMessage) (interaction.New, error) {
	var b eventBody
	if err := httpx.DecodeJSON(raw, &b); err != nil {
		return interaction.New{}, err
	}
	return b.event()
}

func (b *eventBody) event() (interaction.New, error) {
	if b.Type == "" {
		return interaction.New{}, fault.Field("type", "type is required: question, note, call or message")
	}
	n := interaction.New{Type: b.Type, ProviderID: b.ProviderID, ThreadTitle: b.ThreadTitle, ThreadURL: b.ThreadURL, Question: b.Question,
		Answer: b.Answer, Delivered: b.Delivered, CancelReason: b.CancelReason, UTMSource: b.UTMSource, RecordingURL: b.RecordingURL,
		Content: b.Content, RepliesTo: b.RepliesTo, Sender: b.Sender, Recipient: b.Recipient, Attachment: b.Attachment, Via: b.Via}
	if b.Type != interaction.KindCall {
		b.Duration = 0
		if b.Type != interaction.KindMessage {
			b.StartedAt = ""
		}
	}
	if math.IsNaN(b.Duration) || b.Duration < 0 || b.Duration > float64(maxCall.Milliseconds()) {
		return n, fault.Field("duration", "duration is a number of milliseconds, of at most seven days")
	}
	n.Duration = time.Duration(b.Duration) * time.Millisecond
	var err error
	if n.StartedAt, err = parseMoment("startedAt", b.StartedAt); err != nil {
		return n, err
	}
	for name, v := range map[string]map[string]any{"channelInteraction": b.ChannelInteraction, "list": b.List, "buttons": b.Buttons, "productList": b.ProductList, "order": b.Order} {
		if len(v) > 0 {
			if n.Rich == nil {
				n.Rich = map[string]any{}
			}
			n.Rich[name] = v
		}
	}
	return n, nil
}
