package deal

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"parley/internal/contact"
	"parley/internal/id"
	"parley/internal/store"
)

// Rule gives points to cards (reference §3.11).
type Rule struct {
	Label    string `json:"label"`
	Field    string `json:"field"`    // "phone", "dealValue", "tags", "metadata.extra.plan", "dynamicFields.city" ...
	Operator string `json:"operator"` // exists, not_exists, equals, not_equals, greater_than, less_than, contains
	Value    any    `json:"value"`
	Points   int    `json:"points"` // may be negative
}

// Scoring says how cards are scored (reference §3.11).
type Scoring struct {
	Rules         []Rule `json:"rules"`
	HotThreshold  int    `json:"hotThreshold"`
	ColdThreshold int    `json:"coldThreshold"`
}

// DefaultScoring is how cards are scored where nobody says otherwise: 10 points
// for a phone, 10 for an e-mail address, 20 for not being archived (reference
// §4.3).
var DefaultScoring = Scoring{HotThreshold: 70, ColdThreshold: 20, Rules: []Rule{
	{Label: "Has a phone", Field: "phone", Operator: "exists", Points: 10},
	{Label: "Has an e-mail address", Field: "email", Operator: "exists", Points: 10},
	{Label: "Is not archived", Field: "isArchived", Operator: "equals", Value: false, Points: 20},
}}

// Score is how a card was scored.
type Score struct {
	Contact   id.ID
	From      int // before
	Total     int // 0 to 100
	Breakdown []RuleScore
}

// RuleScore is what one rule gave.
type RuleScore struct {
	Label, Field string
	Matched      bool
	Points       int // what the rule would give
	Applied      int // what it gave
}

// Of scores a card: the sum of the rules that match, clipped to 0 to 100
// (reference §4.3).
func (c Scoring) Of(card Card) Score {
	out := Score{Contact: card.Contact.ID, From: card.Contact.Score}
	facts := scoreFacts(card)
	for _, r := range c.Rules {
		rs := RuleScore{Label: r.Label, Field: r.Field, Points: r.Points, Matched: r.matches(facts)}
		if rs.Matched {
			rs.Applied = r.Points
		}
		out.Total += rs.Applied
		out.Breakdown = append(out.Breakdown, rs)
	}
	out.Total = min(max(out.Total, 0), 100)
	return out
}

// Rescore is RescoreIn in a transaction of its own.
func (s *Service) Rescore(ctx context.Context, tenant id.ID, actor string, cid id.ID) (Score, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Score, error) { return s.RescoreIn(tx, actor, cid) })
}

// RescoreIn scores a card anew and stores the total. When it changed, the event
// contact.scored tells "score:<new>" and "from:<old>", and after them
// "above:<threshold>" or "below:<threshold>" when the hot threshold was reached
// or the total sank under the cold one with this change. NotFound names
// "contact".
func (s *Service) RescoreIn(tx *store.Tx, actor string, cid id.ID) (Score, error) {
	if _, err := s.contacts.LockedIn(tx, cid); err != nil {
		return Score{}, err
	}
	card, err := s.CardIn(tx, cid)
	if err != nil {
		return Score{}, err
	}
	conf := DefaultScoring
	score := conf.Of(card)
	if score.Total == score.From {
		return score, nil
	}
	if _, _, err := s.contacts.UpdateIn(tx, actor, card.Contact.ID, contact.Patch{Score: &score.Total}); err != nil {
		return Score{}, err
	}
	changed := []string{"score:" + strconv.Itoa(score.Total), "from:" + strconv.Itoa(score.From)}
	switch {
	case score.From < conf.HotThreshold && score.Total >= conf.HotThreshold:
		changed = append(changed, "above:"+strconv.Itoa(conf.HotThreshold))
	case score.From >= conf.ColdThreshold && score.Total < conf.ColdThreshold:
		changed = append(changed, "below:"+strconv.Itoa(conf.ColdThreshold))
	}
	return score, s.appendAbout(tx, actor, "contact.scored", card.Contact.ID, card.Contact.ID, changed...)
}

// scoreFacts is a card as rules see it: the field names of the platform's lead.
func scoreFacts(c Card) map[string]any {
	p, d := c.Contact, c.Deal
	refs := make(map[string]any, len(p.Refs))
	for k, v := range p.Refs {
		refs[k] = v
	}
	metadata := map[string]any{"refs": refs, "extra": p.Extra}
	for k, v := range p.Extra {
		if metadata[k] == nil {
			metadata[k] = v
		}
	}
	tags := make([]any, len(p.Tags))
	for i, t := range p.Tags {
		tags[i] = t
	}
	return map[string]any{
		"firstName": p.FirstName, "lastName": p.LastName, "fullName": p.Name(), "phone": p.Phone(), "email": p.Email(),
		"source": p.Source, "assignedTo": p.AssignedTo, "tags": tags, "metadata": metadata, "dynamicFields": p.Attributes, "customFields": p.Attributes,
		"isArchived": p.Archived(), "status": d.Status, "dealValue": d.Value, "value": d.Value, "currency": d.Currency, "dealTitle": d.Title,
		"pipelineId": d.Pipeline.String(), "stageId": d.Stage.String(), "stage": c.Stage.Name, "pipeline": c.Pipeline.Name,
		"probability": float64(c.Stage.Probability), "lastContactedAt": when(p.LastContactedAt), "convertedAt": when(d.ConvertedAt), "createdAt": when(p.CreatedAt),
	}
}

func (r Rule) matches(facts map[string]any) bool {
	v := lookUp(facts, r.Field)
	switch r.Operator {
	case "exists":
		return !blank(v)
	case "not_exists":
		return blank(v)
	case "equals":
		return same(v, r.Value)
	case "not_equals":
		return !same(v, r.Value)
	case "greater_than", "less_than":
		a, ok := number(v)
		b, ok2 := number(r.Value)
		return ok && ok2 && (r.Operator == "greater_than" && a > b || r.Operator == "less_than" && a < b)
	case "contains":
		want := strings.ToLower(plain(r.Value))
		if list, ok := v.([]any); ok {
			for _, x := range list {
				if strings.ToLower(plain(x)) == want {
					return true
				}
			}
			return false
		}
		return want != "" && strings.Contains(strings.ToLower(plain(v)), want)
	}
	return false
}

// when is a moment as rules see it: seconds since 1970, nothing when it is none.
func when(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return float64(t.Unix())
}

func lookUp(m map[string]any, path string) any {
	var v any = m
	for _, key := range strings.Split(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

func blank(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

func same(a, b any) bool {
	if x, ok := number(a); ok {
		if y, ok := number(b); ok {
			return x == y
		}
	}
	if list, ok := a.([]any); ok {
		for _, x := range list {
			if same(x, b) {
				return true
			}
		}
		return false
	}
	return strings.EqualFold(plain(a), plain(b))
}

func number(v any) (float64, bool) {
	var f float64
	switch v := v.(type) {
	case float64:
		f = v
	case int:
		f = float64(v)
	case json.Number:
		n, err := v.Float64()
		if err != nil {
			return 0, false
		}
		f = n
	case string:
		n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		if err != nil {
			return 0, false
		}
		f = n
	default:
		return 0, false
	}
	return f, !math.IsNaN(f) && !math.IsInf(f, 0)
}

func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
