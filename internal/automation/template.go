package automation

import (
	"strings"
	"time"
	"unicode/utf8"

	"parley/internal/conversation/variables"
)

// maxText bounds what a template can grow to, in bytes. The longest message a
// channel takes is far shorter.
const maxText = 64 << 10

// style tells how values are written into text.
type style struct {
	zone     *time.Location
	currency string
	plain    bool                // values as they are: tags, template names
	escape   func(string) string // of every value, for where it goes; nil: none
}

// render replaces every {{ path }} of text by the value found in sc; what is not
// found becomes nothing (reference 4.6). Braces that are not closed stay as they
// are. It reads text once, and the result never exceeds maxText bytes.
func render(text string, sc *scope, st style) string {
	var b strings.Builder
	for text != "" && b.Len() < maxText {
		open := strings.Index(text, "{{")
		if open < 0 {
			b.WriteString(text)
			break
		}
		b.WriteString(text[:open])
		text = text[open+2:]
		end := strings.Index(text, "}}")
		if end < 0 { // none ahead: no placeholder can follow
			b.WriteString("{{")
			b.WriteString(text)
			break
		}
		path := text[:end]
		if inner := strings.LastIndex(path, "{{"); inner >= 0 { // "{{ a {{b}}": the inner one counts
			b.WriteString("{{")
			b.WriteString(path[:inner])
			path = path[inner+2:]
		}
		text = text[end+2:]
		if v, ok := sc.look(path); ok {
			value := show(path, v, st)
			if st.escape != nil {
				value = st.escape(value)
			}
			b.WriteString(value)
		}
	}
	return cut(b.String(), maxText)
}

// show writes one value.
func show(path string, v any, st style) string {
	if st.plain {
		return variables.Plain(v)
	}
	return variables.Source{Zone: st.zone, Currency: st.currency}.Show(path, v)
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
