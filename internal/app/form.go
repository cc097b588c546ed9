package app

import (
	"encoding/json"
	"net/mail"
	"net/url"
	"time"

	"parley/internal/fault"
	"parley/internal/filter"
)

// Form is what an app wants to be asked (S, settings form). Texts may be
// CommonMark; they are the app's, and are shown as they come.
type Form struct {
	Title       string       `json:"title,omitempty"`
	Description string       `json:"description,omitempty"`
	Hint        string       `json:"hint,omitempty"`
	Warning     string       `json:"warning,omitempty"` // does not keep from saving
	Error       string       `json:"error,omitempty"`   // does
	Sections    []Section    `json:"sections"`
	Validations []Validation `json:"validations,omitempty"`
}

// Section is a part of a form. HiddenWhere and DisabledWhere are conditions on the
// values of inputs, as MongoDB writes them.
type Section struct {
	Name          string         `json:"name,omitempty"`
	Title         string         `json:"title,omitempty"`
	Description   string         `json:"description,omitempty"`
	Hint          string         `json:"hint,omitempty"`
	Warning       string         `json:"warning,omitempty"`
	Error         string         `json:"error,omitempty"`
	Hidden        bool           `json:"hidden,omitempty"`
	HiddenWhere   map[string]any `json:"hiddenWhere,omitempty"`
	Disabled      bool           `json:"disabled,omitempty"`
	DisabledWhere map[string]any `json:"disabledWhere,omitempty"`
	Inputs        []Input        `json:"inputs"`
}

// Input is one value of the settings.
type Input struct {
	Name          string         `json:"name"`
	Type          string         `json:"type,omitempty"` // text, textarea, number, email, url, password, date, checkbox, select, multiselect; others are free
	Label         string         `json:"label,omitempty"`
	Hint          string         `json:"hint,omitempty"`
	Warning       string         `json:"warning,omitempty"`
	Error         string         `json:"error,omitempty"`
	Hidden        bool           `json:"hidden,omitempty"`
	HiddenWhere   map[string]any `json:"hiddenWhere,omitempty"`
	Disabled      bool           `json:"disabled,omitempty"`
	DisabledWhere map[string]any `json:"disabledWhere,omitempty"`
	CustomProps   map[string]any `json:"customProps,omitempty"`
}

// Validation changes inputs and sections while its condition holds.
type Validation struct {
	Where   map[string]any `json:"where"`
	Changes []Change       `json:"changes"`
}

// Change is what a validation says of the input or the section of a name. Nil
// fields stay.
type Change struct {
	Name        string         `json:"name"`
	Hint        *string        `json:"hint,omitempty"`
	Warning     *string        `json:"warning,omitempty"`
	Error       *string        `json:"error,omitempty"`
	CustomProps map[string]any `json:"customProps,omitempty"`
}

// maxForm bounds inputs and validations of a form together.
const maxForm = 1000

// parseForm reads an app's answer.
func parseForm(raw json.RawMessage) (Form, error) {
	var f Form
	if err := json.Unmarshal(raw, &f); err != nil || f.Sections == nil {
		return f, silent("the app answered with something that is not a form with sections; ask its developer")
	}
	n := len(f.Validations)
	for i := range f.Sections {
		if n += len(f.Sections[i].Inputs); f.Sections[i].Inputs == nil {
			f.Sections[i].Inputs = []Input{}
		}
	}
	if n > maxForm {
		return f, silent("the form of the app is larger than %d inputs and validations; ask its developer", maxForm)
	}
	return f, nil
}

// holds reports whether a condition of a form holds for the values. An empty one
// never does.
func holds(where map[string]any, values any) (bool, error) {
	if len(where) == 0 {
		return false, nil
	}
	parsed, err := filter.ParseMongo(where)
	if err != nil {
		return false, silent("the form of the app holds a condition that cannot be read (%s); ask its developer", err)
	}
	m, err := filter.Compile(parsed)
	if err != nil {
		return false, silent("the form of the app holds a condition that cannot be read (%s); ask its developer", err)
	}
	return m.Match(values), nil
}

// Apply returns the form as it is for the values: conditions are decided into
// hidden and disabled, and validations are carried out in their order, each change
// over the ones before it (reference §4.11). Unavailable for a form whose
// conditions cannot be read.
func (f Form) Apply(values map[string]any) (Form, error) {
	doc := filter.Canonical(map[string]any(values))
	out := f
	out.Sections = make([]Section, len(f.Sections))
	for i, s := range f.Sections {
		s.Inputs = append([]Input{}, s.Inputs...)
		if err := decide(doc, s.HiddenWhere, &s.Hidden, s.DisabledWhere, &s.Disabled); err != nil {
			return f, err
		}
		for k := range s.Inputs {
			n := &s.Inputs[k]
			if err := decide(doc, n.HiddenWhere, &n.Hidden, n.DisabledWhere, &n.Disabled); err != nil {
				return f, err
			}
		}
		out.Sections[i] = s
	}
	for _, v := range f.Validations {
		ok, err := holds(v.Where, doc)
		if err != nil {
			return f, err
		}
		if ok {
			for _, c := range v.Changes {
				out.patch(c)
			}
		}
	}
	return out, nil
}

func decide(doc any, hiddenWhere map[string]any, hidden *bool, disabledWhere map[string]any, disabled *bool) error {
	for _, x := range []struct {
		where map[string]any
		to    *bool
	}{{hiddenWhere, hidden}, {disabledWhere, disabled}} {
		ok, err := holds(x.where, doc)
		if err != nil {
			return err
		}
		*x.to = *x.to || ok
	}
	return nil
}

func (f *Form) patch(c Change) {
	for i := range f.Sections {
		s := &f.Sections[i]
		if s.Name == c.Name && c.Name != "" {
			c.put(&s.Hint, &s.Warning, &s.Error, nil)
		}
		for k := range s.Inputs {
			if n := &s.Inputs[k]; n.Name == c.Name {
				c.put(&n.Hint, &n.Warning, &n.Error, &n.CustomProps)
			}
		}
	}
}

func (c Change) put(hint, warning, fail *string, props *map[string]any) {
	for _, x := range []struct{ from, to *string }{{c.Hint, hint}, {c.Warning, warning}, {c.Error, fail}} {
		if x.from != nil {
			*x.to = *x.from
		}
	}
	if props != nil && c.CustomProps != nil {
		merged := map[string]any{}
		for _, m := range []map[string]any{*props, c.CustomProps} {
			for k, v := range m {
				merged[k] = v
			}
		}
		*props = merged
	}
}

// errs are the errors of a form that was applied, each naming its input or section;
// any of them keeps from saving.
func (f Form) errs() error {
	var c fault.Collector
	add := func(field, says string) {
		if says != "" {
			c.Add(fault.Field(field, "%s", cut(says, keptError)))
		}
	}
	add("", f.Error)
	for _, s := range f.Sections {
		add(s.Name, s.Error)
		for _, n := range s.Inputs {
			add(n.Name, n.Error)
		}
	}
	return c.Err()
}

// input returns an input by its name; it is off when it or its section is hidden or
// disabled.
func (f Form) input(name string) (n Input, off, found bool) {
	for _, s := range f.Sections {
		for _, n := range s.Inputs {
			if n.Name == name {
				return n, s.Hidden || s.Disabled || n.Hidden || n.Disabled, true
			}
		}
	}
	return Input{}, false, false
}

// wants says what a value of the input must be when v is not that, else "".
func (n Input) wants(v any) string {
	s, text := v.(string)
	switch n.Type {
	case "", "text", "textarea", "password", "select":
		if !text {
			return "a text"
		}
	case "number":
		if _, ok := number(v); !ok {
			return "a number"
		}
	case "checkbox":
		if _, ok := v.(bool); !ok {
			return "true or false"
		}
	case "email":
		if a, err := mail.ParseAddress(s); !text || s != "" && (err != nil || a.Address != s) {
			return "an e-mail address"
		}
	case "url":
		if u, err := url.Parse(s); !text || s != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			return "an address that begins with https:// or http://"
		}
	case "date":
		if _, err := time.Parse(time.DateOnly, s); !text || s != "" && err != nil {
			return "a date like 2020-12-01"
		}
	case "multiselect":
		l, ok := v.([]any)
		for _, x := range l {
			_, is := x.(string)
			ok = ok && is
		}
		if !ok {
			return "a list of texts"
		}
	}
	return ""
}
