package conversation

import (
	"fmt"
	"slices"
	"strings"

	"parley/internal/conversation/variables"
	"parley/internal/deal"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Sources of a mapping (platform reference §3.15).
const (
	fromCRM      = "crm"      // a field of the contact's card
	fromStatic   = "static"   // a fixed text
	fromComputed = "computed" // a formula
	fromSystem   = "system"   // today, now and results of earlier steps
	fromManual   = "manual"   // who sends gives it, by label or position
	fromTrigger  = "trigger"  // a variable of what started the send
	fromDynamic  = "dynamic"  // the same, or a field of the card
)

// MappingSources lists where a mapped value may come from.
var MappingSources = []string{fromCRM, fromStatic, fromComputed, fromSystem, fromManual, fromTrigger, fromDynamic}

// What to do about a mapped value that is empty, after its fallback.
const (
	SkipSend    = "skip_send"    // do not send
	UseFallback = "use_fallback" // the fallback must be there; do not send without
	SendAnyway  = "send_anyway"  // send a dash in its place: a provider takes no empty value
)

// blank stands for an empty value that is sent anyway.
const blank = "-"

// Context is what the values of a template are taken from. The caller's own
// values win over the mapping.
type Context struct {
	Contact  id.ID          // whose card is read; zero = nobody's, unless Card is given
	Card     *deal.Card     // instead of Contact, when it is at hand
	Lead     map[string]any // fields that stand in front of the card's
	Vars     map[string]any // variables of the trigger, or of whoever sends
	Resolved map[string]any // results of earlier steps; today and now come by themselves
	Named    map[string]string
}

// Issue is what keeps a value of a template from being known.
type Issue struct {
	Position int    `json:"position,omitempty"` // 0 = the template as a whole
	Label    string `json:"label,omitempty"`
	Reason   string `json:"reason"` // unmapped, required, empty, formula, status, outdated, manual
	Message  string `json:"message"`
	// Blocks tells whether the template cannot be sent like this.
	Blocks bool `json:"blocks"`
}

// ResolveIn returns one value for each of tpl's positions, and what is wrong:
// an empty value has its Issue, which blocks unless the template is sent anyway.
// It is the one resolver behind sends, previews and automations (platform
// reference §4.6): an automation that gives a send no values of its own puts its
// variables into TemplateUse.Vars and its earlier results into Resolved, and
// SendIn resolves.
//
// A position takes, in this order: what Named has for its number, its label, its
// field or its placeholder; what its mapping finds, transformed; the mapping's
// fallback; for a position without a mapping the variable of its placeholder's
// name.
func (t *Templates) ResolveIn(r store.Reader, tpl Template, c Context) ([]string, []Issue, error) {
	src, err := t.source(r, tpl, c)
	if err != nil {
		return nil, nil, err
	}
	values, issues := make([]string, len(tpl.Positions)), []Issue(nil)
	for i, p := range tpl.Positions {
		v, issue := tpl.value(src, c.Named, p)
		values[i] = v
		if issue != nil {
			issues = append(issues, *issue)
		}
	}
	return values, issues, nil
}

// source reads what a resolution needs. A template that maps nothing reads no card.
func (t *Templates) source(r store.Reader, tpl Template, c Context) (variables.Source, error) {
	src := variables.Source{Vars: c.Vars, Resolved: map[string]any{}}
	if len(tpl.Mapping) == 0 && len(c.Vars) == 0 || t.tenants == nil {
		return src, nil
	}
	set, err := t.tenants.SettingsOf(r)
	if err != nil {
		return src, err
	}
	src.Zone, src.Currency = set.Location(), set.Currency
	now := r.Now().In(src.Zone)
	src.Resolved["now"], src.Resolved["today"] = r.Now().UTC().Format("2006-01-02T15:04:05.000Z"), now.Format("2006-01-02")
	src.Resolved["time"], src.Resolved["year"] = now.Format("3:04 pm"), now.Format("2006")
	for k, v := range c.Resolved {
		src.Resolved[k] = v
	}
	card := c.Card
	if card == nil && !c.Contact.IsZero() {
		found, err := t.cards.CardIn(r, c.Contact)
		if err != nil && fault.As(err) == nil {
			return src, err
		}
		if err == nil {
			card = &found
		}
	}
	if card != nil {
		src.Lead = variables.Lead(*card)
	}
	for k, v := range c.Lead {
		if src.Lead == nil {
			src.Lead = map[string]any{}
		}
		src.Lead[k] = v
	}
	return src, nil
}

// value finds the value of one position.
func (tpl Template) value(src variables.Source, named map[string]string, p Position) (string, *Issue) {
	for _, k := range tpl.keys(p) {
		if v, ok := named[k]; ok {
			return v, nil
		}
	}
	m, mapped := tpl.mapping(p)
	if !mapped {
		if v, ok := src.Var(p.Name); ok {
			return storable(src.Show(p.Name, v)), nil
		}
		return "", &Issue{Position: p.Position, Label: p.Name, Reason: "unmapped", Blocks: true,
			Message: fmt.Sprintf("position %d, {{%s}}, is not mapped and was given no value", p.Position, p.Name)}
	}
	v, err := m.find(src)
	if err != nil {
		return "", &Issue{Position: p.Position, Label: m.Label, Reason: "formula", Blocks: true, Message: fmt.Sprintf("position %d: %v", p.Position, err)}
	}
	if strings.TrimSpace(v) == "" {
		v = m.Fallback
	}
	if v = storable(v); strings.TrimSpace(v) != "" {
		return v, nil
	}
	label := m.Label
	if label == "" {
		label = m.Field
	}
	issue := &Issue{Position: p.Position, Label: label, Reason: "empty", Blocks: m.Required || tpl.OnEmpty != SendAnyway,
		Message: fmt.Sprintf("position %d (%s) has no value and no fallback", p.Position, describe(label, m.Source))}
	if m.Required {
		issue.Reason = "required"
	}
	if !issue.Blocks {
		return blank, issue
	}
	return "", issue
}

func describe(label, source string) string {
	if label == "" {
		return source
	}
	return label
}

// mapping returns the usable mapping of a position.
func (tpl Template) mapping(p Position) (Mapping, bool) {
	i := slices.IndexFunc(tpl.Mapping, func(m Mapping) bool { return m.Position == p.Position && m.usable() })
	if i < 0 {
		return Mapping{}, false
	}
	return tpl.Mapping[i], true
}

// find takes the value from where the mapping says, transformed. The crm falls
// back to the variables, the variables to nothing (reference §4.6).
func (m Mapping) find(src variables.Source) (string, error) {
	var v any
	var ok bool
	path := m.Field
	switch strings.ToLower(m.Source) {
	case fromStatic:
		v, ok = m.Static, true
	case fromComputed:
		out, err := src.Eval(m.Formula)
		if err != nil {
			return "", err
		}
		v, ok = out, true
	case fromSystem:
		if v, ok = src.Look("resolved." + m.Field); !ok {
			v, ok = src.Var(m.Field)
		}
	case fromManual:
		for _, name := range []string{m.Label, m.Field} {
			if v, ok = src.Var(name); ok {
				break
			}
		}
	case fromTrigger:
		if v, ok = src.Look(m.Field); !ok || variables.Empty(v) {
			v, ok = src.Var(strings.TrimPrefix(strings.TrimPrefix(m.Field, "event."), "vars."))
		}
	case fromCRM, "":
		if v, ok = src.Of(m.Collection, m.Field); !ok {
			v, ok = src.Var(m.Field)
		}
	default: // dynamic
		if v, ok = src.Look(m.Field); !ok || variables.Empty(v) {
			if v, ok = src.Var(m.Field); !ok {
				v, ok = src.Of(m.Collection, m.Field)
			}
		}
	}
	if (!ok || variables.Empty(v)) && m.Static != "" {
		v, ok = m.Static, true
	}
	if !ok || variables.Empty(v) {
		return "", nil
	}
	return src.Transform(m.Transform, path, v), nil
}

// storable takes out of a value what no provider takes in a placeholder's place:
// line breaks, tabs and runs of spaces (Meta Cloud API, error 132018), and what no
// database holds.
func storable(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
	if strings.ContainsAny(s, "\n\r\t") || strings.Contains(s, "    ") {
		s = strings.Join(strings.Fields(s), " ")
	}
	return s
}

// notReady is the fault of a send whose values are not all known, with the
// issues as its detail "issues".
func notReady(tpl Template, issues []Issue) error {
	texts := make([]string, 0, len(issues))
	for _, i := range issues {
		if i.Blocks {
			texts = append(texts, i.Message)
		}
	}
	return fault.New(fault.Unready, "the template %s cannot be filled: %s", tpl.Name, strings.Join(texts, "; ")).
		Because("template").With("issues", issues)
}

func blocked(issues []Issue) bool {
	return slices.ContainsFunc(issues, func(i Issue) bool { return i.Blocks })
}
