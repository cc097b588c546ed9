package conversation

import (
	"regexp"
	"slices"
	"sort"
	"strconv"
)

// placeholder finds {{1}} and {{first_name}} in the texts of a template.
var placeholder = regexp.MustCompile(`\{\{\s*([A-Za-z0-9_.]+)\s*\}\}`)

// Components of a template that may hold placeholders.
const (
	inHeader = "HEADER"
	inBody   = "BODY"
	inButton = "BUTTON"
)

// names returns the placeholders of one text, each once: numbers in their own
// order, since a provider fills the i-th value into {{i}}, names as they appear.
func names(text string) []string {
	var out []string
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(out, m[1]) {
			out = append(out, m[1])
		}
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, err1 := strconv.Atoi(out[i])
		b, err2 := strconv.Atoi(out[j])
		return err1 == nil && err2 == nil && a < b
	})
	return out
}

// positions lists the places of a template that want a value: header, body,
// then the URLs of its buttons, counted through (platform reference §3.15).
func positions(t Template) []Position {
	var out []Position
	add := func(component string, index int, text string) {
		for i, n := range names(text) {
			out = append(out, Position{Position: len(out) + 1, Name: n, Component: component, Index: index, Original: i + 1})
		}
	}
	add(inHeader, 0, t.HeaderText)
	add(inBody, 0, t.BodyText)
	for i, b := range t.Buttons {
		add(inButton, i, b.URL)
	}
	return out
}

// fill writes values into a text; a placeholder without a value stays.
func fill(text string, values map[string]string) string {
	return placeholder.ReplaceAllStringFunc(text, func(s string) string {
		if v, ok := values[placeholder.FindStringSubmatch(s)[1]]; ok {
			return v
		}
		return s
	})
}

// mappingStatus tells how far a mapping covers the positions (platform
// reference §3.15): none wanted is complete, none mapped is unmapped.
func mappingStatus(ps []Position, mapping []Mapping) string {
	if len(ps) == 0 {
		return "complete"
	}
	mapped := 0
	for _, p := range ps {
		if slices.ContainsFunc(mapping, func(m Mapping) bool { return m.Position == p.Position && m.usable() }) {
			mapped++
		}
	}
	switch mapped {
	case 0:
		return "unmapped"
	case len(ps):
		return "complete"
	}
	return "partial"
}

// usable reports whether a mapping names where its value comes from.
func (m Mapping) usable() bool {
	switch m.Source {
	case "static":
		return m.Static != ""
	case "computed":
		return m.Formula != ""
	case "manual":
		return true
	}
	return m.Field != "" || m.Static != ""
}
