package simulator

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"parley/internal/fault"
)

// Reply is what a person does on the phone: write to a business number.
type Reply struct {
	From string `json:"from"`         // the phone
	Text string `json:"text"`         // for a text message
	To   string `json:"to,omitempty"` // phone number id; needed only when it is not clear
	Name string `json:"name,omitempty"`
	// ReplyTo is the wamid of the message this one answers.
	ReplyTo string `json:"replyTo,omitempty"`
	// Message is a message of any other type in Meta's shape, with at least
	// "type" and the part that it names; id, from and timestamp are filled in.
	Message json.RawMessage `json:"message,omitempty"`
	// File makes it a message with a file, which the server then finds under the
	// id of the webhook.
	File *ReplyFile `json:"file,omitempty"`
}

// ReplyFile is a file that a person sends.
type ReplyFile struct {
	Type     string `json:"type"` // image, video, audio, document, sticker
	MIME     string `json:"mime"`
	Data     []byte `json:"data"` // base64 in JSON
	Filename string `json:"filename,omitempty"`
	Caption  string `json:"caption,omitempty"`
}

// Replied says what became of a Reply.
type Replied struct {
	ID       string `json:"id"` // wamid of the person's message
	Account  string `json:"account"`
	Accepted bool   `json:"accepted"` // the server answered 200
	Status   int    `json:"status"`   // of its answer; 0 without one
	Error    string `json:"error,omitempty"`
}

// Reply lets a person write. It opens the window, posts the signed webhook (and
// the duplicates asked for) and returns with the server's answer; a webhook that
// was refused is repeated later, as Meta does. A fault names the field that is
// wrong.
func (s *Simulator) Reply(ctx context.Context, r Reply) (Replied, error) {
	from, ok := person(r.From)
	if r.From == "" {
		return Replied{}, fault.Missing("from")
	}
	if !ok {
		return Replied{}, fault.Field("from", "from must be a phone number in international form")
	}
	msg := map[string]any{"type": "text", "text": map[string]any{"body": r.Text}}
	if len(r.Message) > 0 {
		msg = nil
		if json.Unmarshal(r.Message, &msg) != nil || msg == nil {
			return Replied{}, fault.Field("message", "message must be an object in Meta's shape")
		}
		if t, _ := msg["type"].(string); t == "" {
			return Replied{}, fault.Missing("message.type")
		}
	} else if r.File != nil {
		if kinds[r.File.Type].max == 0 {
			return Replied{}, fault.Field("file.type", "file.type must be image, video, audio, document or sticker")
		}
		if len(r.File.Data) == 0 || r.File.MIME == "" {
			return Replied{}, fault.Missing("file.data")
		}
	} else if r.Text == "" {
		return Replied{}, fault.Missing("text")
	}
	s.mu.Lock()
	a, err := s.receiver(from, r.To)
	if err != nil {
		s.mu.Unlock()
		return Replied{}, err
	}
	now := s.clock.Now()
	id := s.wamid(from)
	if r.File != nil {
		msg = s.fileMessage(a, *r.File)
	}
	msg = maps.Clone(msg)
	msg["id"], msg["from"], msg["timestamp"] = id, from, unix(now)
	if r.ReplyTo != "" {
		msg["context"] = map[string]any{"from": a.DisplayPhone, "id": r.ReplyTo}
	}
	name := r.Name
	if name == "" {
		name = "Phone " + from
	}
	s.phoneOf(a.PhoneNumberID, from).lastWrote = now
	s.rate(a).take(now, max(s.opt.Limits.PerSecond, 1), true) // incoming messages count too (Meta Cloud API, "Throughput")
	ds := s.webhook(a, "message", id, from, "messages", hookValue{
		Contacts: []hookContact{{Profile: hookProfile{Name: name}, WaID: from}},
		Messages: []map[string]any{msg},
	}, now)
	account := a.PhoneNumberID
	s.mu.Unlock()
	out := s.postNow(ctx, ds)
	out.ID, out.Account = id, account
	return out, nil
}

// OptOut lets a person stop (or resume) marketing messages from a number, and
// reports it by webhook (Meta Cloud API, "user_preferences webhook reference").
func (s *Simulator) OptOut(ctx context.Context, phone, to string, resume bool) (Replied, error) {
	from, ok := person(phone)
	if phone == "" {
		return Replied{}, fault.Missing("from")
	}
	if !ok {
		return Replied{}, fault.Field("from", "from must be a phone number in international form")
	}
	s.mu.Lock()
	a, err := s.receiver(from, to)
	if err != nil {
		s.mu.Unlock()
		return Replied{}, err
	}
	now := s.clock.Now()
	s.phoneOf(a.PhoneNumberID, from).optedOut = !resume
	p := hookPreference{
		WaID: from, Detail: "User requested to stop marketing messages", Category: "marketing_messages",
		Value: "stop", Timestamp: now.Unix(),
	}
	if resume {
		p.Detail, p.Value = "User requested to resume marketing messages", "resume"
	}
	ds := s.webhook(a, "preference", from, from, "user_preferences", hookValue{
		Contacts:    []hookContact{{Profile: hookProfile{Name: "Phone " + from}, WaID: from}},
		Preferences: []hookPreference{p},
	}, now)
	account := a.PhoneNumberID
	s.mu.Unlock()
	out := s.postNow(ctx, ds)
	out.Account = account
	return out, nil
}

// receiver finds the number that a person writes to: the one named, else the
// one that wrote to them last, else the only one. The caller holds mu.
func (s *Simulator) receiver(from, to string) (*Account, error) {
	if to == "" {
		to = s.sentTo[from]
	}
	if to == "" && len(s.order) == 1 {
		to = s.order[0]
	}
	if to == "" {
		return nil, fault.Field("to", "to must name a phone number id, since it is not clear which number is meant")
	}
	if a := s.accounts[to]; a != nil {
		return a, nil
	}
	return nil, fault.Field("to", "to names no registered phone number id")
}

// postNow posts a webhook and its duplicates in this goroutine; the first
// answer counts.
func (s *Simulator) postNow(ctx context.Context, ds []*delivery) Replied {
	out := Replied{Error: "the account has no webhook URL"}
	for i, d := range ds {
		a := s.post.deliverNow(ctx, d)
		if i == 0 {
			out = Replied{Accepted: a.Accepted, Status: a.Status, Error: a.Error}
		}
	}
	return out
}

// OpenWindow makes as if the phone had written to the number at that time,
// without a webhook; for preparing demos and tests.
func (s *Simulator) OpenWindow(phone, to string, at time.Time) error {
	from, ok := person(phone)
	if !ok {
		return fault.Field("from", "from must be a phone number in international form")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.receiver(from, to)
	if err != nil {
		return err
	}
	s.phoneOf(a.PhoneNumberID, from).lastWrote = at
	return nil
}
