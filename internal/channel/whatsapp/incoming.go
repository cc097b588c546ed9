package whatsapp

import (
	"encoding/json"
	"strconv"
	"time"

	"parley/internal/channel/meta"
)

// The shapes of a webhook (Meta Cloud API, "messages webhook reference" and
// "Status messages webhook reference"). Messages stay raw until each is read
// on its own, so that one odd message cannot take the others with it.

type envelope struct {
	Object string  `json:"object"`
	Entry  []entry `json:"entry"`
}

type entry struct {
	Changes []change `json:"changes"`
}

type change struct {
	Field string          `json:"field"`
	Value json.RawMessage `json:"value"` // other fields have other shapes
}

// account returns the phone_number_id of the change, "" when it has none. Both
// the search for the account to verify and the parsing ask here, so that they
// cannot differ.
func (c change) account() string {
	var v struct {
		Metadata metadata `json:"metadata"`
	}
	if json.Unmarshal(c.Value, &v) != nil {
		return ""
	}
	return string(v.Metadata.PhoneNumberID)
}

type value struct {
	Contacts    json.RawMessage   `json:"contacts"`
	Messages    []json.RawMessage `json:"messages"`
	Statuses    []json.RawMessage `json:"statuses"`
	Preferences []inPreference    `json:"user_preferences"`
}

type metadata struct {
	PhoneNumberID text `json:"phone_number_id"`
}

type profile struct {
	Profile struct {
		Name     string `json:"name"`
		Username string `json:"username"`
	} `json:"profile"`
	WaID   text `json:"wa_id"`
	UserID text `json:"user_id"`
}

// inHead is what every message has.
type inHead struct {
	ID         text `json:"id"`
	From       text `json:"from"`
	FromUserID text `json:"from_user_id"` // when the person hides the phone number
	Timestamp  text `json:"timestamp"`
	Type       text `json:"type"`
	Context    struct {
		ID text `json:"id"`
	} `json:"context"`
}

type inText struct {
	Body string `json:"body"`
}

type inMedia struct {
	ID       text   `json:"id"`
	Link     string `json:"link"`
	MIME     string `json:"mime_type"`
	Caption  string `json:"caption"`
	Filename string `json:"filename"`
}

type inLocation struct {
	Latitude  json.Number `json:"latitude"`
	Longitude json.Number `json:"longitude"`
}

type inContact struct {
	Name struct {
		Formatted string `json:"formatted_name"`
		First     string `json:"first_name"`
		Last      string `json:"last_name"`
	} `json:"name"`
	Phones []struct {
		Phone string `json:"phone"`
	} `json:"phones"`
}

type inButton struct {
	Text    string `json:"text"`
	Payload string `json:"payload"`
}

type inInteractive struct {
	Type        string  `json:"type"`
	ButtonReply inReply `json:"button_reply"`
	ListReply   inReply `json:"list_reply"`
	NFMReply    struct {
		Body     string `json:"body"`
		Response string `json:"response_json"`
	} `json:"nfm_reply"` // a submitted flow
}

type inReply struct {
	ID    text   `json:"id"`
	Title string `json:"title"`
}

type inReaction struct {
	MessageID text   `json:"message_id"`
	Emoji     string `json:"emoji"` // absent when taken back
}

type inStatus struct {
	ID              text         `json:"id"`
	Status          string       `json:"status"`
	Timestamp       text         `json:"timestamp"`
	RecipientID     text         `json:"recipient_id"`
	RecipientUserID text         `json:"recipient_user_id"`
	Callback        string       `json:"biz_opaque_callback_data"`
	Errors          []graphError `json:"errors"`
}

type inPreference struct {
	WaID      text   `json:"wa_id"`
	UserID    text   `json:"user_id"`
	Category  string `json:"category"`
	Value     string `json:"value"` // "stop" or "resume"
	Timestamp text   `json:"timestamp"`
}

// text is how Meta writes ids and times.
type text = meta.Text

// lastSecond is the end of the year 9999: what lies beyond cannot be written
// as a date.
const lastSecond = 253402300799

// moment reads Unix seconds; without sense in them it answers now.
func moment(t text, now time.Time) time.Time {
	n, err := strconv.ParseInt(string(t), 10, 64)
	if err != nil || n <= 0 || n > lastSecond {
		return now
	}
	return time.Unix(n, 0).UTC()
}

// or returns the first text that is not empty.
func or(ts ...text) string {
	for _, t := range ts {
		if t != "" {
			return string(t)
		}
	}
	return ""
}
