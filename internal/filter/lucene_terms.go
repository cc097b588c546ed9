package filter

import (
	"strings"
	"unicode"
)

// luceneTerm is a word: its text without wildcards, and as a pattern.
type luceneTerm struct {
	text    string
	pattern string
	wild    bool
	quoted  bool // a \ was in it
}

// special tells a word that stands for itself, not for a text.
func (t luceneTerm) special(s string) bool {
	return !t.quoted && (t.text == s && !t.wild || t.wild && t.pattern == s)
}

// term reads a word up to a space or a sign; \ takes the next character as it is.
func (p *lucene) term(stops string) (t luceneTerm, err error) {
	var text, pattern strings.Builder
	from := p.i
loop:
	for ; !p.end(); p.i++ {
		c := p.s[p.i]
		switch {
		case c == '\\':
			if p.i++; p.end() {
				return t, p.wrong(`there is nothing behind the last \`)
			}
			t.quoted = true
			text.WriteRune(p.s[p.i])
			pattern.WriteString(escaped(string(p.s[p.i])))
		case unicode.IsSpace(c) || strings.ContainsRune(`()"[]{}^`+stops, c):
			break loop
		case c == '~' && p.similar():
			break loop
		case c == '*' || c == '?':
			t.wild = true
			pattern.WriteRune(c)
		default:
			text.WriteRune(c)
			pattern.WriteRune(c)
		}
	}
	if p.i == from {
		return t, p.wrong("there must be a word, a number or a phrase here")
	}
	t.text, t.pattern = text.String(), pattern.String()
	return t, nil
}

// similar tells that a ~ ends a word, perhaps with a number behind it.
func (p *lucene) similar() bool {
	for n := 1; ; n++ {
		if c := p.peek(n); c == 0 || unicode.IsSpace(c) || c == ')' {
			return true
		} else if !strings.ContainsRune("0123456789.", c) {
			return false
		}
	}
}

// phrase reads a text in quotes.
func (p *lucene) phrase() (string, error) {
	var b strings.Builder
	for p.i++; !p.end(); p.i++ {
		switch c := p.s[p.i]; c {
		case '"':
			p.i++
			return b.String(), nil
		case '\\':
			if p.i++; !p.end() {
				b.WriteRune(p.s[p.i])
			}
		default:
			b.WriteRune(c)
		}
	}
	return "", p.wrong(`a closing " is missing`)
}

// limit reads one end of a range; open tells that it is *.
func (p *lucene) limit(stops string) (s string, open bool, err error) {
	if p.peek(0) == '"' {
		s, err = p.phrase()
		return s, false, err
	}
	t, err := p.term(stops)
	switch {
	case err != nil:
		return "", false, err
	case t.special("*"):
		return "", true, nil
	case t.wild:
		return "", false, p.wrong("* and ? have no meaning in a range")
	case !t.quoted && relative(t.text):
		return "", false, p.wrong("%s", notRelative(t.text))
	}
	return t.text, false, nil
}

// between reads [a TO b] and {a TO b}, or one of each.
func (p *lucene) between(field string) (Filter, error) {
	low, high := From, UpTo
	if p.peek(0) == '{' {
		low = Over
	}
	var (
		ends [2]string
		open [2]bool
		err  error
	)
	p.i++
	for i := range ends {
		p.space()
		if i == 1 && !p.word("TO") {
			return Filter{}, p.wrong("a range has the form [a TO b]")
		}
		if ends[i], open[i], err = p.limit(""); err != nil {
			return Filter{}, err
		}
	}
	p.space()
	switch p.peek(0) {
	case ']':
	case '}':
		high = Under
	default:
		return Filter{}, p.wrong("a ] or } is missing")
	}
	p.i++
	var all []Filter
	if !open[0] {
		all = append(all, Filter{Op: low, Field: field, Value: ends[0]})
	}
	if !open[1] {
		all = append(all, Filter{Op: high, Field: field, Value: ends[1]})
	}
	if all == nil {
		all = []Filter{{Op: Filled, Field: field}}
	}
	return conjunction(all), p.boost()
}

// regex reads /.*text.*/, the only pattern of this kind that is understood: it is
// what contains means, which has no other form in this syntax.
func (p *lucene) regex(field string) (Filter, error) {
	refused := p.wrong("of patterns between slashes only /.*text.*/ is understood; use * and ?")
	var inner []rune
	var quoted []bool
	for p.i++; !p.end() && p.peek(0) != '/'; p.i++ {
		q := p.peek(0) == '\\'
		if q {
			p.i++
		}
		inner, quoted = append(inner, p.peek(0)), append(quoted, q)
	}
	if p.end() {
		return Filter{}, p.wrong("a closing / is missing")
	}
	p.i++
	n := len(inner) - 2
	if n <= 2 || string(inner[:2]) != ".*" || string(inner[n:]) != ".*" || quoted[0] || quoted[1] || quoted[n] || quoted[n+1] {
		return Filter{}, refused
	}
	for i := 2; i < n; i++ {
		if !quoted[i] && strings.ContainsRune(`.?+*|{}[]()"\#@&<>~^$`, inner[i]) {
			return Filter{}, refused
		}
	}
	return Filter{Op: Holds, Field: field, Value: string(inner[2:n])}, p.boost()
}
