package filter

import (
	"regexp"
	"strings"
)

// regexOf reads a Regex, or {"$regex": ..., "$options": ...}, and checks that it
// compiles.
func regexOf(v any, at string) (Regex, error) {
	r, ok := v.(Regex)
	if m, is := v.(map[string]any); is {
		ok = true
		for key, x := range m {
			s, text := x.(string)
			switch {
			case key == "$regex" && text:
				r.Pattern = s
			case key == "$options" && text:
				r.Options = s
			default:
				return r, bad(at, "a regular expression is {$regex: text, $options: text}")
			}
		}
	}
	if !ok {
		return r, bad(at, "a regular expression is {$regex: text, $options: text}")
	}
	_, err := r.compile(at)
	return r, err
}

func (r Regex) compile(at string) (*regexp.Regexp, error) {
	if len(r.Pattern) > MaxPattern {
		return nil, bad(at, "a regular expression must not be longer than %d bytes", MaxPattern)
	}
	flags, pattern := "", r.Pattern
	for _, c := range r.Options {
		switch c {
		case 'i', 'm', 's':
			flags += string(c)
		case 'x':
			pattern = withoutSpace(pattern)
		default:
			return nil, bad(at, "there is no option %q of a regular expression; use i, m, s and x", string(c))
		}
	}
	if flags != "" {
		pattern = "(?" + flags + ")" + pattern
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, bad(at, "the regular expression %q is not valid in RE2, which has no lookaround and no back references", clip(r.Pattern))
	}
	return re, nil
}

// withoutSpace drops the white space and the comments of an extended pattern,
// but not those that are escaped or within a class.
func withoutSpace(p string) string {
	var b strings.Builder
	class := false
	for i := 0; i < len(p); i++ {
		c := p[i]
		switch {
		case c == '\\' && i+1 < len(p):
			b.WriteByte(c)
			i++
			c = p[i]
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v':
			continue
		case c == '#':
			if n := strings.IndexByte(p[i:], '\n'); n >= 0 {
				i += n
				continue
			}
			return b.String()
		}
		b.WriteByte(c)
	}
	return b.String()
}
