package interaction

import (
	"slices"
	"strings"
	"time"

	"parley/internal/contact"
	"parley/internal/handover"
	"parley/internal/id"
)

// kind is how a type of activity is an interaction: the ways in which it can have
// happened, the first unless its metadata says otherwise, and what it becomes.
type kind struct {
	vias []string
	// read fills in what the type knows. It reports false for a row that is no
	// interaction after all: one that mirrors another row, or a move of the work
	// that nobody made towards the contact.
	read func(a contact.Activity, i *Interaction) bool
	// byThem says that the contact did it, unless the metadata says otherwise.
	byThem bool
}

// kinds are the types of activities that are interactions. What else the timeline
// holds is left out: whatsapp_sent and the like mirror messages, lead_created,
// stage_change and automation_triggered are about the card, not about a contact
// between people, and types that nobody here knows have no via.
//
// The index activity_interaction repeats the types (TestTheIndexHoldsTheKinds).
var kinds = map[string]kind{
	"call_logged":       {vias: []string{PhoneCall, InboundCall, OutboundCall}, read: call},
	"call":              {vias: []string{PhoneCall, InboundCall, OutboundCall}, read: call},
	"note":              {vias: []string{Other}, read: comment},
	"note_added":        {vias: []string{Other}, read: func(a contact.Activity, i *Interaction) bool { return text(a, "noteId") == "" && comment(a, i) }},
	"question":          {vias: []string{Other}, read: question, byThem: true},
	"message":           {vias: []string{CustomApp, WhatsApp, SMS, Email, Facebook, Instagram, Other}, read: recorded, byThem: true},
	"handover":          {vias: []string{Other}, read: move},
	"quote":             {vias: []string{Other}, read: proposal},
	"csat":              {vias: []string{Other}, read: response, byThem: true},
	"visit":             {vias: []string{Visit}, read: visit},
	"meeting_created":   {vias: []string{Visit}, read: visit},
	"meeting_completed": {vias: []string{Visit}, read: visit},
	"meeting_cancelled": {vias: []string{Visit}, read: visit},
	"test_drive":        {vias: []string{TestDrive}, read: visit},
	"walk_in":           {vias: []string{WalkIn}, read: comment, byThem: true},
	"sms":               {vias: []string{SMS}, read: comment},
	"whatsapp":          {vias: []string{WhatsApp}, read: comment},
	"email":             {vias: []string{Email}, read: comment},
	"facebook":          {vias: []string{Facebook}, read: comment},
	"instagram":         {vias: []string{Instagram}, read: comment},
	"web_action":        {vias: []string{WebAction}, read: webAction, byThem: true},
	"custom_event":      {vias: []string{CustomApp}, read: customEvent},
}

// typeOf is the type of activity that a note becomes which says how it happened.
var typeOf = map[string]string{WalkIn: "walk_in", SMS: "sms", WhatsApp: "whatsapp", Email: "email", TestDrive: "test_drive", Visit: "visit",
	Facebook: "facebook", Instagram: "instagram", WebAction: "web_action"}

// typeList is the list of types as the index repeats it.
const typeList = "'call_logged','call','note','note_added','question','message','handover','quote','csat','visit','meeting_created','meeting_completed','meeting_cancelled'," +
	"'test_drive','walk_in','sms','whatsapp','email','facebook','instagram','web_action','custom_event'"

// types returns the types of activities that may have happened in one of the
// given ways; all without any.
func types(vias []string) []string {
	var out []string
	for name, k := range kinds {
		if len(vias) == 0 || slices.ContainsFunc(k.vias, func(v string) bool { return slices.Contains(vias, v) }) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// ofChannel names the way of a conversation's channel; an unknown one is another
// application's.
func ofChannel(kind string) string {
	switch kind {
	case "whatsapp":
		return WhatsApp
	case "messenger":
		return Facebook
	case Instagram, SMS, Email:
		return kind
	}
	return CustomApp
}

// channelsOf returns the channels whose conversations are one of the ways, and
// whether channels that are not listed are, too.
func channelsOf(vias []string) (named []string, others bool) {
	for kind, via := range map[string]string{"whatsapp": WhatsApp, "messenger": Facebook, Instagram: Instagram, SMS: SMS, Email: Email} {
		if slices.Contains(vias, via) {
			named = append(named, kind)
		}
	}
	slices.Sort(named)
	return named, slices.Contains(vias, CustomApp)
}

// namedChannels are those that channelsOf knows.
var namedChannels = []string{"email", "instagram", "messenger", "sms", "whatsapp"}

func text(a contact.Activity, keys ...string) string {
	for _, k := range keys {
		if v, ok := a.Metadata[k].(string); ok && v != "" {
			return v
		}
	}
	return ""
}

func flag(a contact.Activity, key string) *bool {
	if v, ok := a.Metadata[key].(bool); ok {
		return &v
	}
	return nil
}

func stamp(a contact.Activity, keys ...string) time.Time {
	for _, k := range keys {
		if t, err := time.Parse(time.RFC3339Nano, text(a, k)); err == nil {
			return t.UTC().Truncate(time.Millisecond)
		}
	}
	return time.Time{}
}

func object(a contact.Activity, key string) map[string]any {
	v, _ := a.Metadata[key].(map[string]any)
	return v
}

// said is what an activity says: its text, else its title.
func said(a contact.Activity) string {
	if strings.TrimSpace(a.Body) != "" {
		return a.Body
	}
	return a.Title
}

func comment(a contact.Activity, i *Interaction) bool {
	i.Output.Comment = said(a)
	return true
}

func webAction(a contact.Activity, i *Interaction) bool {
	i.Output.WebAction = said(a)
	return true
}

func customEvent(a contact.Activity, i *Interaction) bool {
	i.Output.CustomEvent, i.Output.Comment = a.Metadata, a.Body
	return true
}

func response(a contact.Activity, i *Interaction) bool {
	i.Output.Response, i.Output.Comment = text(a, "result"), a.Body
	if n, ok := a.Metadata["result"].(float64); ok {
		i.Output.Response = number(n)
	}
	return true
}

// call reads a call: the platform API counts its duration in seconds, this room in
// milliseconds beside that.
func call(a contact.Activity, i *Interaction) bool {
	c := Call{ProviderID: text(a, "providerId"), UTMSource: text(a, "utmSource"), RecordingURL: text(a, "recordingUrl")}
	if ms, ok := a.Metadata["durationMs"].(float64); ok {
		c.Duration = time.Duration(ms) * time.Millisecond
	} else if sec, ok := a.Metadata["duration"].(float64); ok && sec >= 0 && sec < 1e7 {
		c.Duration = time.Duration(sec * float64(time.Second)).Truncate(time.Millisecond)
	} else if min, ok := a.Metadata["durationMinutes"].(float64); ok && min >= 0 && min < 1e6 {
		c.Duration = time.Duration(min * float64(time.Minute)).Truncate(time.Millisecond)
	}
	i.Output.Call, i.Output.Comment, i.Output.CallSuccessful = &c, a.Body, flag(a, "successful")
	i.Output.Status = text(a, "outcome")
	i.StartedAt = stamp(a, "startedAt")
	if i.StartedAt.IsZero() {
		i.StartedAt = a.CreatedAt
	}
	i.FinishedAt = i.StartedAt.Add(c.Duration)
	return true
}

// visit reads a visit, a test drive or a meeting: planned, kept or cancelled.
func visit(a contact.Activity, i *Interaction) bool {
	i.Output.Comment, i.Output.VisitSuccessful = a.Body, flag(a, "successful")
	if at := stamp(a, "visitScheduled", "startTime", "start_time", "scheduledAt", "start"); !at.IsZero() {
		i.DueAt, i.Output.VisitScheduled = at, at
	}
	yes, no := true, false
	switch a.Type {
	case "meeting_completed":
		i.Output.VisitSuccessful = &yes
	case "meeting_cancelled":
		i.Output.VisitSuccessful, i.Output.RejectionReason, i.Output.Comment = &no, a.Body, ""
	}
	if i.Output.Comment == "" && i.Output.RejectionReason == "" {
		i.Output.Comment = a.Title
	}
	return true
}

// move reads what was done with the work on a contact: transfers, reminders and
// the closing for a reason. The other moves are nobody's contact with anybody.
func move(a contact.Activity, i *Interaction) bool {
	switch text(a, "move") {
	case handover.Transferred:
		i.Output.ToAgent, _ = id.Parse(text(a, "agentId"))
		i.Output.ToGroup, _ = id.Parse(text(a, "groupId"))
		i.Output.Comment = a.Title
	case handover.Reminded:
		i.Output.Reminder = stamp(a, "to_nextReminder")
		i.DueAt = i.Output.Reminder
		return !i.DueAt.IsZero()
	case handover.Archiving:
		i.Output.RejectionReason, i.Output.Status = text(a, "to_archivingReason"), handover.Archived
	default:
		return false
	}
	return true
}

// proposal names the quote; load puts the quote as it is now in its place.
func proposal(a contact.Activity, i *Interaction) bool {
	qid, err := id.Parse(text(a, "quoteId"))
	i.Output.Proposal = &Proposal{Quote: qid}
	return err == nil
}
