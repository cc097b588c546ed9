// Package variables finds the values that messages are filled with and writes
// them as people read them: fields of a contact's card, variables of a trigger,
// formulas and transforms (platform reference §3.15, §4.6). It is pure: it reads
// no database and changes nothing. Conversation and automation call it.
package variables

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxPath  = 256      // bytes of a field's path
	maxParts = 16       // names in a path
	maxText  = 64 << 10 // bytes that a value can grow to
)

// Source is what values are taken from.
type Source struct {
	Lead     map[string]any // see Lead; nil when nobody is known
	Vars     map[string]any // of the trigger or of the caller
	Resolved map[string]any // today, now, results of earlier steps
	Zone     *time.Location
	Currency string // ISO 4217
}

// Look follows a dotted path: lead.x, event.x, vars.x, resolved.x, or a
// variable by its bare name (reference §4.6).
func (s Source) Look(path string) (any, bool) {
	path = strings.TrimSpace(path)
	if path == "" || len(path) > maxPath {
		return nil, false
	}
	first, rest, _ := strings.Cut(path, ".")
	switch first {
	case "lead":
		return Follow(s.Lead, rest)
	case "event", "vars":
		return Follow(s.Vars, rest)
	case "resolved":
		return Follow(s.Resolved, rest)
	}
	return Follow(s.Vars, path)
}

// Var looks for a variable by a name and by its two usual spellings.
func (s Source) Var(name string) (any, bool) {
	for _, n := range []string{name, Snake(name), Camel(name)} {
		if v, ok := Follow(s.Vars, n); ok && n != "" && !Empty(v) {
			return v, true
		}
	}
	return nil, false
}

// Field looks for a field of the lead, by its name or path in either spelling.
func (s Source) Field(path string) (any, bool) {
	path = strings.TrimPrefix(strings.TrimSpace(path), "lead.")
	if path == "" || len(path) > maxPath {
		return nil, false
	}
	for _, p := range []string{path, Camel(path), "dynamicFields." + path, "metadata.extra." + path} {
		if strings.Contains(path, ".") && p != path && !strings.HasPrefix(p, "dynamic") && !strings.HasPrefix(p, "metadata") {
			continue // a path is not one name
		}
		if v, ok := Follow(s.Lead, p); ok && !Empty(v) {
			return v, true
		}
	}
	return nil, false
}

// Empty reports whether a value fills nothing.
func Empty(v any) bool {
	switch t := v.(type) {
	case nil:
		return true
	case string:
		return strings.TrimSpace(t) == ""
	case []any:
		return len(t) == 0
	case map[string]any:
		return len(t) == 0
	}
	return false
}

// Follow walks from v along a path; "" is v itself.
func Follow(v any, path string) (any, bool) {
	for n := 0; path != ""; n++ {
		if n >= maxParts {
			return nil, false
		}
		switch t := v.(type) {
		case map[string]any:
			x, rest, ok := entry(t, path)
			if !ok {
				return nil, false
			}
			v, path = x, rest
		case []any:
			first, rest, _ := strings.Cut(path, ".")
			i, err := strconv.Atoi(first)
			if err != nil || i < 0 || i >= len(t) {
				return nil, false
			}
			v, path = t[i], rest
		default:
			return nil, false
		}
	}
	return v, true
}

// entry finds the longest beginning of a path that is a key: names of events
// hold dots themselves.
func entry(m map[string]any, path string) (v any, rest string, ok bool) {
	if v, ok := m[path]; ok {
		return v, "", true
	}
	for i := len(path) - 1; i > 0; i-- {
		if path[i] == '.' {
			if v, ok := m[path[:i]]; ok {
				return v, path[i+1:], true
			}
		}
	}
	return nil, "", false
}

// Show writes the value of a path as people read it: times in the zone, amounts
// in the currency, objects as JSON.
func (s Source) Show(path string, v any) string {
	if t, ok := showTime(v, s.Zone); ok {
		return t
	}
	if isMoney(path) {
		if n, ok := Number(v); ok {
			return showMoney(n, s.Currency)
		}
	}
	return Plain(v)
}

// Plain writes a value without any dressing; objects and lists are JSON.
func Plain(v any) string {
	switch t := v.(type) {
	case nil:
		return ""
	case string:
		return t
	case float64:
		return showNumber(t)
	case int:
		return strconv.Itoa(t)
	case bool:
		return strconv.FormatBool(t)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return cut(string(b), maxText)
}

// Render replaces every {{ path }} of a text by its value, "" where there is none.
func (s Source) Render(text string) string {
	var b strings.Builder
	for text != "" && b.Len() < maxText {
		open := strings.Index(text, "{{")
		end := -1
		if open >= 0 {
			end = strings.Index(text[open:], "}}")
		}
		if end < 0 {
			b.WriteString(text)
			break
		}
		b.WriteString(text[:open])
		path := text[open+2 : open+end]
		if v, ok := s.Look(path); ok {
			b.WriteString(s.Show(path, v))
		}
		text = text[open+end+2:]
	}
	return cut(b.String(), maxText)
}

// cut shortens s to at most n bytes without breaking a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
