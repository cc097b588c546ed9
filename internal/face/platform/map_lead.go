package platform

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// leadOf shows a card as a lead.
func leadOf(code string, c deal.Card) lead {
	p, d := c.Contact, c.Deal
	updated := p.UpdatedAt
	if d.UpdatedAt.After(updated) {
		updated = d.UpdatedAt
	}
	out := lead{
		record:    recordOf(code, p.ID, p.CreatedAt, updated),
		FirstName: p.FirstName, LastName: p.LastName, FullName: p.Name(),
		Email: orNull(p.Email()), Phone: p.Phone(),
		PipelineID: ref(d.Pipeline), StageID: ref(d.Stage),
		Status: statusOf(c), DealValue: d.Value, Value: d.Value, Currency: d.Currency, DealTitle: d.Title,
		Source: p.Source, AssignedTo: orNull(p.AssignedTo), Tags: orEmpty(p.Tags),
		Metadata: metadataOf(p), Score: score{Total: p.Score, UpdatedAt: stamp(p.UpdatedAt)},
		LastContactedAt: stamp(p.LastContactedAt), ConvertedAt: stamp(d.ConvertedAt), IsArchived: p.Archived(),
		DynamicFields: orNone(p.Attributes), CustomFields: orNone(p.Attributes),
		EnteredStageAt: stamp(d.EnteredStageAt), StageHistory: staysOf(d.History),
	}
	if !c.Pipeline.ID.IsZero() {
		out.Pipeline = &pipelineBrief{c.Pipeline.ID, c.Pipeline.ID, c.Pipeline.Name, c.Pipeline.Default}
	}
	if s := c.Stage; !s.ID.IsZero() {
		out.Stage = &stageBrief{s.ID, s.ID, s.Name, s.Color, s.Probability, s.Won, s.Lost, s.Position}
	}
	return out
}

func leadsOf(code string, cards []deal.Card) []lead {
	out := make([]lead, 0, len(cards))
	for _, c := range cards {
		out = append(out, leadOf(code, c))
	}
	return out
}

// statusOf is the deal's status, or archived when the person is.
func statusOf(c deal.Card) string {
	switch {
	case c.Contact.Archived():
		return deal.Archived
	case c.Deal.Status == "":
		return deal.Open
	}
	return c.Deal.Status
}

// metadataOf shows refs and extra, and the keys of extra beside them, because
// clients that sent flat keys look for them there (reference §3.1).
func metadataOf(p contact.Contact) map[string]any {
	out := make(map[string]any, len(p.Extra)+2)
	maps.Copy(out, p.Extra)
	refs := p.Refs
	if refs == nil {
		refs = map[string]string{}
	}
	out["refs"], out["extra"] = refs, orNone(p.Extra)
	return out
}

func staysOf(history []deal.StageSpan) []stageStay {
	out := make([]stageStay, 0, len(history))
	for _, h := range history {
		s := stageStay{StageID: h.Stage, EnteredAt: stamp(h.EnteredAt), LeftAt: stamp(h.LeftAt)}
		if !h.LeftAt.IsZero() {
			ms := h.LeftAt.Sub(h.EnteredAt).Milliseconds()
			s.DurationMs = &ms
		}
		out = append(out, s)
	}
	return out
}

// newCard reads a lead to create or upsert. Ids that are malformed are unknown.
func newCard(in leadInput) (deal.NewCard, error) {
	n := deal.NewCard{
		New: contact.New{
			FirstName: value(in.FirstName), LastName: value(in.LastName), Phone: value(in.Phone), Email: value(in.Email),
			Source: value(in.Source), AssignedTo: value(in.AssignedTo), Tags: value(in.Tags),
			Attributes: first2(in.DynamicFields, in.CustomFields),
		},
		Value: first(in.DealValue, in.Value), Currency: value(in.Currency), Title: value(in.DealTitle),
	}
	if in.FirstName == nil && in.Name != nil { // §4.2: split at the first space
		n.FirstName, n.LastName = splitName(*in.Name, n.LastName)
	}
	refs, extra, err := readMetadata(in.Metadata)
	if err != nil {
		return n, err
	}
	n.Extra = extra
	for k, v := range refs {
		if v == nil {
			continue // nothing to delete yet
		}
		if n.Refs == nil {
			n.Refs = map[string]string{}
		}
		n.Refs[k] = *v
	}
	if n.Pipeline, err = bodyID("pipeline", "pipelineId", value(in.PipelineID)); err != nil {
		return n, err
	}
	n.Stage, err = bodyID("stage", "stageId", value(in.StageID))
	return n, err
}

// cardPatch reads the changes of a lead; null clears what can be empty.
func cardPatch(in leadInput, nulls map[string]bool) (deal.CardPatch, error) {
	if in.FirstName == nil && in.Name != nil { // as for a new lead
		head, tail := splitName(*in.Name, value(in.LastName))
		in.FirstName, in.LastName = &head, &tail
	}
	p := deal.CardPatch{
		Patch: contact.Patch{
			FirstName: in.FirstName, LastName: cleared(in.LastName, nulls["lastName"]), Phone: in.Phone,
			Email: cleared(in.Email, nulls["email"]), Source: in.Source,
			AssignedTo: cleared(in.AssignedTo, nulls["assignedTo"]), Attributes: first2(in.DynamicFields, in.CustomFields),
		},
		Value: first(in.DealValue, in.Value), Currency: in.Currency, Title: cleared(in.DealTitle, nulls["dealTitle"]),
		SetTags: in.Tags,
	}
	var err error
	if p.Refs, p.Extra, err = readMetadata(in.Metadata); err != nil {
		return p, err
	}
	if in.StageID != nil && *in.StageID != "" {
		stage, err := bodyID("stage", "stageId", *in.StageID)
		if err != nil {
			return p, err
		}
		p.Stage = &stage
	}
	return p, nil
}

func cleared(s *string, null bool) *string {
	if s == nil && null {
		return new(string)
	}
	return s
}

// readMetadata takes {refs, extra} and folds flat keys into extra (reference
// §6 row 6). A key that stands in both is taken from extra. Null values stay
// nil: they delete.
func readMetadata(in map[string]json.RawMessage) (refs map[string]*string, extra map[string]any, err error) {
	for _, key := range slices.Sorted(maps.Keys(in)) {
		if key == "refs" || key == "extra" {
			continue
		}
		var v any
		if err := httpx.DecodeJSON(in[key], &v); err != nil { // a number may be too large
			return nil, nil, under(err, "metadata."+key)
		}
		if extra == nil {
			extra = map[string]any{}
		}
		extra[key] = v
	}
	if raw, ok := in["refs"]; ok {
		var m map[string]json.RawMessage
		if json.Unmarshal(raw, &m) != nil {
			return nil, nil, fault.Field("metadata.refs", "metadata.refs must be an object")
		}
		refs = make(map[string]*string, len(m))
		for _, key := range slices.Sorted(maps.Keys(m)) {
			var s *string
			if json.Unmarshal(m[key], &s) != nil {
				return nil, nil, fault.Field("metadata.refs."+key, "metadata.refs.%s must be a string", key)
			}
			refs[key] = s
		}
	}
	if raw, ok := in["extra"]; ok {
		var m map[string]any
		if err := httpx.DecodeJSON(raw, &m); err != nil {
			return nil, nil, under(err, "metadata.extra")
		}
		if extra == nil {
			extra = map[string]any{}
		}
		maps.Copy(extra, m)
	}
	return refs, extra, nil
}

// statusFilter reads the spellings of a lead's status (reference §6 row 4).
func statusFilter(s string) (string, error) {
	switch v := strings.ToLower(s); v {
	case "":
		return "", nil
	case "new", "active", deal.Open:
		return deal.Open, nil
	case deal.Won, deal.Lost, deal.Archived:
		return v, nil
	}
	return "", fault.Field("status", "status must be open, won, lost or archived")
}

// splitName splits a full name at its first space.
func splitName(name, last string) (string, string) {
	head, tail, _ := strings.Cut(strings.TrimSpace(name), " ")
	if last == "" {
		last = strings.TrimSpace(tail)
	}
	return head, last
}

// pathID reads an id from the path or the body; one that is malformed is
// unknown, so that nothing tells it from an id of somebody else.
func pathID(noun, s string) (id.ID, error) {
	v, err := id.Parse(s)
	if err != nil || v.IsZero() {
		return id.Zero, fault.Unknown(noun)
	}
	return v, nil
}

// bodyID is pathID for an optional field of a body.
func bodyID(noun, field, s string) (id.ID, error) {
	if s == "" {
		return id.Zero, nil
	}
	v, err := pathID(noun, s)
	return v, elsewhere(err, noun, field)
}

func activitiesOf(code string, list []contact.Activity) []activity {
	out := make([]activity, 0, len(list))
	for _, a := range list {
		out = append(out, activity{
			record: recordOf(code, a.ID, a.CreatedAt, time.Time{}), LeadID: a.Contact, Kind: "activity",
			Type: a.Type, Title: a.Title, Body: a.Body, Metadata: orNone(a.Metadata),
			PerformedBy: a.PerformedBy, CreatedBy: a.PerformedBy,
		})
	}
	return out
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func orNone(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

func first2(a, b map[string]any) map[string]any {
	if a != nil {
		return a
	}
	return b
}
