package simulator

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"parley/internal/fault"
)

// Template is one message template of a business account. Components has
// Meta's shape (Meta Cloud API, "Template components").
type Template struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Language   string          `json:"language"`
	Status     string          `json:"status"`   // APPROVED by default, PENDING, REJECTED, PAUSED, DISABLED
	Category   string          `json:"category"` // UTILITY by default, MARKETING, AUTHENTICATION
	Components json.RawMessage `json:"components"`
}

type component struct {
	Type    string   `json:"type"`
	Format  string   `json:"format"`
	Text    string   `json:"text"`
	Buttons []button `json:"buttons"`
}

type button struct {
	Type string `json:"type"`
	Text string `json:"text"`
	URL  string `json:"url"`
}

var (
	templateName = regexp.MustCompile(`^[a-z0-9_]{1,512}$`)
	placeholder  = regexp.MustCompile(`\{\{\s*([A-Za-z0-9_]+)\s*\}\}`)
)

// PutTemplate adds a template to a business account or alters the one of that
// name and language. A fault names the field that is wrong.
func (s *Simulator) PutTemplate(waba string, t Template) error {
	if t.Status == "" {
		t.Status = "APPROVED"
	}
	if t.Category == "" {
		t.Category = "UTILITY"
	}
	var parts []component
	switch {
	case !nodeID.MatchString(waba):
		return fault.Field("wabaId", "wabaId must name a business account")
	case !templateName.MatchString(t.Name):
		return fault.Field("name", "name must be lower-case letters, digits and underscores")
	case t.Language == "":
		return fault.Missing("language")
	case !slices.Contains([]string{"APPROVED", "PENDING", "REJECTED", "PAUSED", "DISABLED"}, t.Status):
		return fault.Field("status", "status must be APPROVED, PENDING, REJECTED, PAUSED or DISABLED")
	case !slices.Contains([]string{"MARKETING", "UTILITY", "AUTHENTICATION"}, t.Category):
		return fault.Field("category", "category must be MARKETING, UTILITY or AUTHENTICATION")
	case json.Unmarshal(t.Components, &parts) != nil || part(parts, "BODY") == nil:
		return fault.Field("components", "components must be a list with at least a BODY")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.templates[waba]
	for i := range list {
		if list[i].Name == t.Name && list[i].Language == t.Language {
			t.ID = list[i].ID
			list[i] = t
			return nil
		}
	}
	if t.ID == "" {
		t.ID = s.number()
	}
	s.templates[waba] = append(list, t)
	return nil
}

// Templates returns the templates of a business account, oldest first.
func (s *Simulator) Templates(waba string) []Template {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.templates[waba])
}

// LoadDemoTemplates gives a business account the templates of the demo.
func (s *Simulator) LoadDemoTemplates(waba string) error {
	for _, t := range DemoTemplates() {
		if err := s.PutTemplate(waba, t); err != nil {
			return err
		}
	}
	return nil
}

// DemoTemplates returns the templates of the demo: of each category, with and
// without placeholders, header and buttons, and one that is paused.
func DemoTemplates() []Template {
	return []Template{
		{Name: "hello_world", Language: "en_US", Category: "UTILITY", Components: json.RawMessage(
			`[{"type":"HEADER","format":"TEXT","text":"Hello World"},{"type":"BODY","text":"Welcome! This message shows that your number works."},{"type":"FOOTER","text":"Parley demo"}]`)},
		{Name: "welcome", Language: "en_US", Category: "UTILITY", Components: json.RawMessage(
			`[{"type":"BODY","text":"Hi {{1}}, thank you for your interest in {{2}}. We will be in touch soon.","example":{"body_text":[["Priya","solar panels"]]}}]`)},
		{Name: "appointment_reminder", Language: "en_US", Category: "UTILITY", Components: json.RawMessage(
			`[{"type":"BODY","text":"Hello {{1}}, a reminder of your appointment: {{2}}."},{"type":"BUTTONS","buttons":[{"type":"QUICK_REPLY","text":"Confirm"},{"type":"QUICK_REPLY","text":"Reschedule"}]}]`)},
		{Name: "discount_offer", Language: "en_US", Category: "MARKETING", Components: json.RawMessage(
			`[{"type":"BODY","text":"{{1}}, for you alone: {{2}} off everything this month."},{"type":"FOOTER","text":"Reply STOP to end"}]`)},
		{Name: "visit_reminder", Language: "en_US", Category: "UTILITY", Components: json.RawMessage(
			`[{"type":"HEADER","format":"TEXT","text":"Your appointment, {{1}}"},{"type":"BODY","text":"We see you on {{1}} at {{2}}."},{"type":"BUTTONS","buttons":[{"type":"QUICK_REPLY","text":"Confirm"},{"type":"QUICK_REPLY","text":"Reschedule"}]}]`)},
		{Name: "spring_sale", Language: "en_US", Category: "MARKETING", Components: json.RawMessage(
			`[{"type":"HEADER","format":"IMAGE"},{"type":"BODY","text":"{{1}}, everything is 20% off until {{2}}."},{"type":"FOOTER","text":"Reply STOP to end"},{"type":"BUTTONS","buttons":[{"type":"URL","text":"Shop","url":"https://shop.example/sale/{{1}}"},{"type":"PHONE_NUMBER","text":"Call us","phone_number":"+15550001111"}]}]`)},
		{Name: "newsletter", Language: "en_US", Category: "MARKETING", Components: json.RawMessage(
			`[{"type":"BODY","text":"News for {{1}} this month: {{2}}"}]`)},
		{Name: "old_offer", Language: "en_US", Category: "MARKETING", Status: "PAUSED", Components: json.RawMessage(
			`[{"type":"BODY","text":"An offer for {{1}}."}]`)},
	}
}

func part(parts []component, kind string) *component {
	for i := range parts {
		if parts[i].Type == kind {
			return &parts[i]
		}
	}
	return nil
}

// names returns the distinct placeholders of a text in order of appearance.
func names(text string) []string {
	var list []string
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(list, m[1]) {
			list = append(list, m[1])
		}
	}
	return list
}

// The template part of a send (Meta Cloud API, "Send message templates").
type sendTemplate struct {
	Name     string `json:"name"`
	Language struct {
		Code string `json:"code"`
	} `json:"language"`
	Components []sendComponent `json:"components"`
}

type sendComponent struct {
	Type       string          `json:"type"`
	SubType    string          `json:"sub_type"`
	Index      json.RawMessage `json:"index"` // documented as a string, also taken as a number
	Parameters []sendParameter `json:"parameters"`
}

type sendParameter struct {
	Type     string          `json:"type"`
	Name     string          `json:"parameter_name"`
	Text     *string         `json:"text"`
	Image    json.RawMessage `json:"image"`
	Video    json.RawMessage `json:"video"`
	Document json.RawMessage `json:"document"`
}

// fill checks a send against the template and returns what the reader sees.
func (t *Template) fill(send sendTemplate) (string, *graphError) {
	var parts []component
	_ = json.Unmarshal(t.Components, &parts) // PutTemplate read them already
	given := func(kind string) []sendParameter {
		for _, c := range send.Components {
			if strings.EqualFold(c.Type, kind) {
				return c.Parameters
			}
		}
		return nil
	}
	var lines []string
	if h := part(parts, "HEADER"); h != nil {
		if h.Format == "TEXT" || h.Format == "" {
			line, err := fillText("header", h.Text, given("header"))
			if err != nil {
				return "", err
			}
			lines = append(lines, line)
		} else if err := checkFile(h.Format, given("header")); err != nil {
			return "", err
		}
	} else if len(given("header")) > 0 {
		return "", refuse(132000, "header: number of localizable_params ("+strconv.Itoa(len(given("header")))+") does not match the expected number of params (0)")
	}
	line, err := fillText("body", part(parts, "BODY").Text, given("body"))
	if err != nil {
		return "", err
	}
	lines = append(lines, line)
	if f := part(parts, "FOOTER"); f != nil {
		lines = append(lines, f.Text)
	}
	if err := checkButtons(part(parts, "BUTTONS"), send.Components); err != nil {
		return "", err
	}
	return strings.Join(lines, "\n"), nil
}

func fillText(where, text string, params []sendParameter) (string, *graphError) {
	want := names(text)
	if len(params) != len(want) {
		return "", refuse(132000, fmt.Sprintf("%s: number of localizable_params (%d) does not match the expected number of params (%d)", where, len(params), len(want)))
	}
	values := map[string]string{}
	for i, p := range params {
		if p.Text == nil {
			return "", refuse(132012, where+": the parameter at index "+strconv.Itoa(i)+" must be text")
		}
		if *p.Text == "" {
			return "", refuse(131008, where+": the parameter at index "+strconv.Itoa(i)+" is missing its text value")
		}
		// Positional templates count from {{1}}; named ones say the name.
		name := p.Name
		if name == "" {
			name = strconv.Itoa(i + 1)
		}
		values[name] = *p.Text
	}
	for _, n := range want {
		if _, ok := values[n]; !ok {
			return "", refuse(132012, where+": there is no parameter for {{"+n+"}}")
		}
	}
	return placeholder.ReplaceAllStringFunc(text, func(m string) string {
		return values[placeholder.FindStringSubmatch(m)[1]]
	}), nil
}

func checkFile(format string, params []sendParameter) *graphError {
	if len(params) != 1 {
		return refuse(132012, "header: Format mismatch, expected "+format+", received UNKNOWN")
	}
	p := params[0]
	file := map[string]json.RawMessage{"IMAGE": p.Image, "VIDEO": p.Video, "DOCUMENT": p.Document}[format]
	if !strings.EqualFold(p.Type, format) || len(file) == 0 {
		return refuse(132012, "header: Format mismatch, expected "+format+", received "+strings.ToUpper(p.Type))
	}
	return nil
}

func checkButtons(buttons *component, sent []sendComponent) *graphError {
	values := map[string]bool{}
	for _, c := range sent {
		if strings.EqualFold(c.Type, "button") && strings.EqualFold(c.SubType, "url") && len(c.Parameters) == 1 {
			values[strings.Trim(string(c.Index), `"`)] = true
		}
	}
	n := 0
	if buttons != nil {
		n = len(buttons.Buttons)
	}
	for i := 0; i < n; i++ {
		b, key := buttons.Buttons[i], strconv.Itoa(i)
		open := b.Type == "URL" && len(names(b.URL)) > 0
		if open && !values[key] {
			return refuse(131008, "buttons: Button at index "+key+" of type Url requires a parameter")
		}
		if !open && values[key] {
			return refuse(132018, "buttons: Button at index "+key+" takes no parameter")
		}
		delete(values, key)
	}
	for key := range values {
		return refuse(132018, "buttons: there is no button at index "+key)
	}
	return nil
}
