package filter

import (
	"strings"
	"unicode"
)

// foldRune is the lower case of a character. It never leaves or enters ASCII (the
// sign of kelvin is no k), so that the databases, which know the case of ASCII
// alone, agree about every text in ASCII.
func foldRune(r rune) rune {
	if r < 0x80 {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	if l := unicode.ToLower(r); l >= 0x80 {
		return l
	}
	return r
}

// folded is a text in lower case.
func folded(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || c >= 'A' && c <= 'Z' {
			return strings.Map(foldRune, s)
		}
	}
	return s
}

// others returns the characters besides ASCII and r itself whose lower case is r.
func others(r rune) []rune {
	var out []rune
	for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
		if foldRune(o) == r {
			out = append(out, o)
		}
	}
	return out
}

// wildcard is a text of * and ?, in lower case, ready to match.
type wildcard struct {
	chars []rune // any and single stand for * and ?
}

const (
	any1 rune = -1 - iota // ?
	anyN                  // *
)

// maxStars bounds what a database spends on one text.
const maxStars = 8

// wildcardOf reads a pattern; \ takes the next character as it is.
func wildcardOf(s string) wildcard {
	var p wildcard
	quoted := false
	for _, r := range s {
		switch {
		case quoted:
			quoted = false
			p.chars = append(p.chars, foldRune(r))
		case r == '\\':
			quoted = true
		case r == '?':
			p.chars = append(p.chars, any1)
		case r != '*':
			p.chars = append(p.chars, foldRune(r))
		case len(p.chars) == 0 || p.chars[len(p.chars)-1] != anyN:
			p.chars = append(p.chars, anyN)
		}
	}
	if quoted {
		p.chars = append(p.chars, '\\')
	}
	return p
}

func patternShape(v any, at string) error {
	s := shown(v)
	if len(s) > MaxPattern {
		return bad(at, "a pattern must not be longer than %d bytes", MaxPattern)
	}
	stars, other, wild := 0, false, false
	for _, r := range wildcardOf(s).chars {
		wild = wild || r < 0
		if r == anyN {
			stars++
		} else {
			other = true
		}
	}
	switch {
	case stars > maxStars:
		return bad(at, "a pattern must not have more than %d stars", maxStars)
	case !wild || !other:
		return bad(at, "a pattern must hold * or ?, and something besides *")
	}
	return nil
}

// match tells whether a text in lower case is as the pattern says. It goes back
// only to the last star, so its time is bounded by the product of both lengths.
func (p wildcard) match(s string) bool {
	text := []rune(s)
	i, j, star, mark := 0, 0, -1, 0
	for i < len(text) {
		switch {
		case j < len(p.chars) && p.chars[j] == anyN:
			star, mark = j, i
			j++
		case j < len(p.chars) && (p.chars[j] == any1 || p.chars[j] == text[i]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	for j < len(p.chars) && p.chars[j] == anyN {
		j++
	}
	return j == len(p.chars)
}

// escaped writes a text as a part of a pattern that means that text.
func escaped(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(s)
}
