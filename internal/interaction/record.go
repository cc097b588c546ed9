package interaction

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"parley/internal/contact"
	"parley/internal/conversation"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Bounds of what is recorded, in characters.
const (
	maxText = 64 << 10
	maxLine = 1000
	// What is not the text itself shares 64 KB of JSON.
	maxAnswer = 16 << 10
	maxURL    = 2000
	maxCall   = 7 * 24 * time.Hour
)

// RecordIn keeps what another system tells of a contact, and returns it as an
// interaction. A note becomes a note of the contact; one that says how it happened
// (Via) and everything else becomes an activity, with interaction.created. What
// the contact did takes an archived contact up again; a call or a message of ours
// counts as contacting it. Nothing is sent. Faults: NotFound; Invalid naming a
// field of New by its JSON name.
func (s *Service) RecordIn(tx *store.Tx, actor string, cid id.ID, n New) (Interaction, error) {
	if err := n.check(); err != nil {
		return Interaction{}, err
	}
	c, err := s.contacts.LockedIn(tx, cid)
	if err != nil {
		return Interaction{}, err
	}
	a := contact.Activity{Contact: c.ID, PerformedBy: actor, CreatedAt: n.At, Metadata: map[string]any{}}
	ours := false
	switch n.Type {
	case KindNote:
		if n.Via == "" || n.Via == Other {
			return s.noteIn(tx, actor, c.ID, n)
		}
		a.Type, a.Title, a.Body = typeOf[n.Via], "Note", n.Content
	case KindQuestion:
		n.question(tx, &a)
	case KindCall:
		ours = n.call(&a)
	case KindMessage:
		ours = n.message(tx, &a, c)
	}
	if a, err = s.contacts.AddActivityIn(tx, a); err != nil {
		return Interaction{}, tooMuch(err)
	}
	if n.Type != KindNote {
		if err := s.happened(tx, actor, a, ours); err != nil {
			return Interaction{}, err
		}
	}
	if _, err := s.log.Append(tx, event.New{Type: "interaction.created", Subject: a.ID, Contact: a.Contact, Changed: []string{"type:" + n.Type}, Actor: actor}); err != nil {
		return Interaction{}, err
	}
	return s.get(tx, a.ID)
}

// noteIn writes a note, and the entry by which the timeline tells of it.
func (s *Service) noteIn(tx *store.Tx, actor string, cid id.ID, n New) (Interaction, error) {
	note, err := s.contacts.AddNoteIn(tx, actor, contact.Note{Contact: cid, Content: n.Content})
	if err != nil {
		return Interaction{}, err
	}
	if _, err := s.contacts.RecordIn(tx, contact.Activity{Contact: note.Contact, Type: "note_added", Title: "Note added", Body: note.Content,
		Metadata: map[string]any{"noteId": note.ID.String()}, PerformedBy: actor}); err != nil {
		return Interaction{}, err
	}
	return s.get(tx, note.ID)
}

// happened moves the work on the contact, when anybody works on it.
func (s *Service) happened(tx *store.Tx, actor string, a contact.Activity, ours bool) error {
	var err error
	if ours {
		_, err = s.handovers.ContactedIn(tx, actor, a.Contact, a.CreatedAt)
	} else {
		_, err = s.handovers.HeardIn(tx, actor, a.Contact, a.CreatedAt)
	}
	if err != nil && fault.As(err) == nil {
		return err
	}
	return s.contacts.TouchIn(tx, a.Contact, a.CreatedAt)
}

// check tidies and holds a New to its bounds; all that is wrong is told at once.
func (n *New) check() error {
	n.counting()
	var bad fault.Collector
	line := func(field string, v *string, max int) {
		got, err := contact.Line(field, *v, max)
		bad.Add(err)
		*v = got
	}
	line("providerId", &n.ProviderID, maxLine)
	line("threadTitle", &n.ThreadTitle, maxLine)
	line("question", &n.Question, maxText)
	line("answer", &n.Answer, maxAnswer)
	line("cancelReason", &n.CancelReason, maxLine)
	line("utmSource", &n.UTMSource, maxLine)
	line("content", &n.Content, maxText)
	line("repliesTo", &n.RepliesTo, maxLine)
	line("sender", &n.Sender, maxLine)
	line("recipient", &n.Recipient, maxLine)
	link := func(field, v string) {
		if v == "" {
			return
		}
		if u, err := url.Parse(v); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || len(v) > maxURL {
			bad.Add(fault.Field(field, "%s must be an http or https address of at most %d characters", field, maxURL))
		}
	}
	// Portals name a thread by what they have: a word is kept as it is (S shows one).
	if line("threadUrl", &n.ThreadURL, maxURL); strings.ContainsAny(n.ThreadURL, ":/") {
		link("threadUrl", n.ThreadURL)
	}
	link("recordingUrl", n.RecordingURL)
	if n.Attachment != nil {
		link("attachment.url", n.Attachment.URL)
		n.Attachment.Type = strings.ToUpper(n.Attachment.Type)
		if t := n.Attachment.Type; t != "" && !slices.Contains([]string{"FILE", "IMAGE", "AUDIO", "VIDEO", "LOCATION", "CONTACTS"}, t) {
			bad.Add(fault.Field("attachment.type", "attachment.type must be FILE, IMAGE, AUDIO, VIDEO, LOCATION or CONTACTS"))
		}
	}
	if n.Via != "" && !slices.Contains(Vias, n.Via) {
		bad.Add(fault.Field("via", "via must be one of %s", strings.Join(Vias, ", ")))
	}
	if at := n.StartedAt; !at.IsZero() && (at.Year() < 1900 || at.Add(max(n.Duration, 0)).Year() > 9999) {
		bad.Add(fault.Field("startedAt", "startedAt must lie between the years 1900 and 9999"))
	}
	n.checkKind(&bad)
	return bad.Err()
}

// counting takes away what does not count for the type (reference §3.4): clients
// send the fields of every type with each, as the sample of S does.
func (n *New) counting() {
	all := *n
	*n = New{Type: all.Type, At: all.At, Via: all.Via}
	switch all.Type {
	case KindNote:
		n.Content = all.Content
	case KindQuestion:
		n.ProviderID, n.ThreadTitle, n.ThreadURL = all.ProviderID, all.ThreadTitle, all.ThreadURL
		n.Question, n.Answer, n.CancelReason, n.Delivered = all.Question, all.Answer, all.CancelReason, all.Delivered
	case KindCall:
		n.ProviderID, n.UTMSource, n.StartedAt, n.Duration, n.RecordingURL = all.ProviderID, all.UTMSource, all.StartedAt, all.Duration, all.RecordingURL
	case KindMessage:
		n.ProviderID, n.Content, n.Delivered, n.StartedAt = all.ProviderID, all.Content, all.Delivered, all.StartedAt
		n.Sender, n.Recipient, n.RepliesTo, n.Attachment, n.Rich = all.Sender, all.Recipient, all.RepliesTo, all.Attachment, all.Rich
	}
}

func (n *New) checkKind(bad *fault.Collector) {
	vias := func(of string) {
		if n.Via != "" && !slices.Contains(kinds[of].vias, n.Via) {
			bad.Add(fault.Field("via", "a %s cannot happen by %s; via may be %s", n.Type, n.Via, strings.Join(kinds[of].vias, ", ")))
		}
	}
	switch n.Type {
	case KindNote:
		if n.Content == "" {
			bad.Add(fault.Missing("content"))
		}
		if n.Via != "" && n.Via != Other && typeOf[n.Via] == "" {
			bad.Add(fault.Field("via", "a note cannot happen by %s; send a call or a message event", n.Via))
		}
	case KindQuestion:
		if n.Question == "" {
			bad.Add(fault.Missing("question"))
		}
		if n.Answer != "" { // a reason counts only for what was cancelled (reference §3.4)
			n.CancelReason = ""
		}
		vias("question")
	case KindCall:
		if n.Duration < 0 || n.Duration > maxCall {
			bad.Add(fault.Field("duration", "duration must be 0 to %d milliseconds", maxCall.Milliseconds()))
		}
		vias("call")
	case KindMessage:
		if a := n.Attachment; a != nil && a.URL == "" && len(a.Location) == 0 && a.Contacts == nil {
			if n.Attachment = nil; a.Type != "" { // one without anything is how some clients say that there is none
				bad.Add(fault.Field("attachment.url", "an attachment needs url, location or contacts"))
			}
		}
		if n.Content == "" && n.Attachment == nil && len(n.Rich) == 0 {
			bad.Add(fault.Missing("content"))
		}
		vias("message")
	case "":
		bad.Add(fault.Missing("type"))
	default:
		bad.Add(fault.Field("type", "type must be question, note, call or message"))
	}
}

func put(to map[string]any, key, v string) {
	if v != "" {
		to[key] = v
	}
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func (n *New) question(tx *store.Tx, a *contact.Activity) {
	a.Type, a.Title, a.Body = "question", "Question", n.Question
	if n.ThreadTitle != "" {
		a.Title = short("Question: " + n.ThreadTitle)
	}
	put(a.Metadata, "providerId", n.ProviderID)
	put(a.Metadata, "threadTitle", n.ThreadTitle)
	put(a.Metadata, "threadUrl", n.ThreadURL)
	put(a.Metadata, "answer", n.Answer)
	put(a.Metadata, "cancelReason", n.CancelReason)
	if n.Delivered != nil && n.Answer != "" { // it is the answer that is delivered
		a.Metadata["delivered"] = *n.Delivered
	}
	a.Metadata["status"] = Opened
	switch {
	case n.Answer != "":
		a.Metadata["status"] = Answered
	case n.CancelReason != "":
		a.Metadata["status"] = Cancelled
	}
	if a.Metadata["status"] != Opened {
		a.Metadata["finishedAt"] = moment(tx.Now())
	}
}

// call writes a call and tells whether it was ours. A call that does not say is
// the contact's: integrations record who rang a tracked number (callIn, §2.1).
func (n *New) call(a *contact.Activity) (ours bool) {
	via := n.Via
	if via == "" {
		via = InboundCall
	}
	a.Type, a.Title = "call_logged", map[string]string{InboundCall: "Call received", OutboundCall: "Call made", PhoneCall: "Call"}[via]
	put(a.Metadata, "via", via)
	put(a.Metadata, "direction", map[string]string{InboundCall: conversation.Inbound, OutboundCall: conversation.Outbound}[via])
	put(a.Metadata, "providerId", n.ProviderID)
	put(a.Metadata, "utmSource", n.UTMSource)
	put(a.Metadata, "recordingUrl", n.RecordingURL)
	if !n.StartedAt.IsZero() {
		a.Metadata["startedAt"] = moment(n.StartedAt)
	}
	// Whole seconds are what the platform API counts in.
	a.Metadata["durationMs"], a.Metadata["duration"] = n.Duration.Milliseconds(), int64(n.Duration/time.Second)
	return via != InboundCall
}

func (n *New) message(tx *store.Tx, a *contact.Activity, c contact.Contact) (ours bool) {
	ours = n.outbound(c)
	a.Type, a.Title, a.Body = "message", "Message received", n.Content
	direction, status := conversation.Inbound, Received
	if ours {
		a.Title, direction, status = "Message sent", conversation.Outbound, Sent
		if n.Delivered != nil && *n.Delivered {
			status = Received
		}
	}
	put(a.Metadata, "via", n.way())
	put(a.Metadata, "direction", direction)
	put(a.Metadata, "status", status)
	put(a.Metadata, "providerId", n.ProviderID)
	put(a.Metadata, "sender", n.Sender)
	put(a.Metadata, "recipient", n.Recipient)
	put(a.Metadata, "repliesTo", n.RepliesTo)
	if !n.StartedAt.IsZero() {
		a.Metadata["startedAt"] = moment(n.StartedAt)
	}
	if n.Attachment != nil {
		a.Metadata["attachment"] = n.Attachment
	}
	if len(n.Rich) > 0 {
		a.Metadata["rich"] = n.Rich
	}
	return ours
}

// outbound decides who wrote a message: us, when it answers something, went to an
// address of the contact, names a recipient alone, or offers a choice, which only
// accounts can do; else the contact.
func (n *New) outbound(c contact.Contact) bool {
	switch {
	case holds(c, n.Sender):
		return false
	case holds(c, n.Recipient):
		return true
	case n.Sender != "":
		return false
	}
	offers := n.Rich["list"] != nil || n.Rich["buttons"] != nil || n.Rich["productList"] != nil
	return n.Recipient != "" || n.RepliesTo != "" || offers
}

// holds reports whether an address is one of the contact's, however it is written.
func holds(c contact.Contact, address string) bool {
	address = strings.ToLower(strings.TrimSpace(address))
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, address)
	for _, i := range c.Identities {
		switch {
		case address == "":
		case i.Value == address, strings.EqualFold(i.Raw, address):
			return true
		case i.Kind == contact.Phone && len(digits) >= 7 && !strings.Contains(address, "@") &&
			(strings.HasSuffix(i.Value, strings.TrimLeft(digits, "0")) || strings.HasSuffix(strings.TrimLeft(digits, "0"), i.Value)):
			return true
		}
	}
	return false
}

// way is how a message happened: as it says, by its channel, by e-mail when an
// address looks like one, else by another application.
func (n *New) way() string {
	if n.Via != "" {
		return n.Via
	}
	if on, ok := n.Rich["channelInteraction"].(map[string]any); ok {
		name, _ := on["channelName"].(string)
		for _, v := range kinds["message"].vias {
			if strings.EqualFold(v, name) {
				return v
			}
		}
	}
	if strings.Contains(n.Sender, "@") || strings.Contains(n.Recipient, "@") {
		return Email
	}
	return CustomApp
}

// tooMuch names a part of the event instead of where it would be kept.
func tooMuch(err error) error {
	if f := fault.As(err); f != nil && f.Field == "metadata" {
		return fault.Field("attachment", "the parts of an event beside its text must not be larger than 64 KB of JSON, nor hold NUL characters")
	}
	return err
}

func short(s string) string {
	if r := []rune(s); len(r) > 400 {
		return string(r[:400])
	}
	return s
}
