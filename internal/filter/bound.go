package filter

import (
	"cmp"
	"strings"
	"time"
	"unicode/utf8"
)

// legible is the text that one may look into: texts, and the digits of whole
// numbers, of which databases and Go have the same idea.
func legible(v any) (string, bool) {
	if s, ok := v.(string); ok {
		return s, true
	}
	n, ok := numOf(v)
	if !ok || !n.whole || n.i < -safe || n.i > safe {
		return "", false
	}
	return n.text(), true
}

// shortDigits is how many digits a text may have to count as a number: every such
// decimal is a double of its own, so that databases and Go agree.
const shortDigits = 15

// decimal reads a text such as 12, -3 or 0.50, and counts its digits. Spaces,
// signs of plus, exponents and thousands are no part of it.
func decimal(s string) (n num, digits int, ok bool) {
	dot := false
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '-' && i == 0:
		case c == '.' && !dot && digits > 0 && i < len(s)-1:
			dot = true
		default:
			return n, 0, false
		}
	}
	if digits == 0 || len(s) > 64 {
		return n, 0, false
	}
	n, ok = textNum(s)
	return n, digits, ok
}

// written10 reads a constant that is a number, or the decimal of one.
func written10(v any) (num, bool) {
	if s, ok := v.(string); ok {
		n, _, ok := decimal(s)
		return n, ok
	}
	return numOf(v)
}

// bound is one side of a range. The constant's kind decides what is compared.
type bound struct {
	kind  boundKind
	low   bool // from the bound upwards
	equal bool // the bound itself belongs to it
	n     num  // of numbers; of dates their milliseconds
	text  string
}

type boundKind uint8

const (
	byText boundKind = iota
	byNumber
	byDate
)

func boundOf(op Op, v any) bound {
	b := bound{low: op == Over || op == From, equal: op == From || op == UpTo, text: shown(v)}
	if n, ok := written10(v); ok {
		b.kind, b.n = byNumber, n
		return b
	}
	ms, day, ok := isoMoment(b.text)
	if !ok {
		return b
	}
	b.kind = byDate
	// A date is the whole day: what is later than it comes after its end.
	if after := op == Over || op == UpTo; after && day {
		ms += int64(24 * time.Hour / time.Millisecond)
		b.equal = !b.equal
	}
	b.n = wholeNum(ms)
	return b
}

func (b *bound) within(c int) bool {
	switch {
	case c == 0:
		return b.equal
	case b.low:
		return c > 0
	}
	return c < 0
}

func (b *bound) holds(v any) bool {
	s, isText := v.(string)
	switch b.kind {
	case byText:
		return isText && b.within(cmp.Compare(s, b.text))
	case byDate:
		if !isText {
			return false
		}
		ms, _, ok := isoMoment(s)
		return ok && b.within(cmp.Compare(ms, b.n.i))
	}
	n, ok := countable(v)
	return ok && b.within(n.compare(b.n))
}

// countable reads a value that counts as a number: one, or a short decimal.
func countable(v any) (num, bool) {
	if s, ok := v.(string); ok {
		n, digits, ok := decimal(s)
		return n, ok && digits <= shortDigits
	}
	return numOf(v)
}

// isoMoment reads 2006-01-02, 2006-01-02T15:04:05 and the latter with a fraction
// and a zone, Z or +02:00; without a zone it is UTC. Milliseconds are its measure.
func isoMoment(s string) (ms int64, day, ok bool) {
	if len(s) < 10 || len(s) > 35 || !shaped(s[:10], "0000-00-00") || s[:4] == "0000" {
		return 0, false, false
	}
	date, err := time.Parse(time.DateOnly, s[:10])
	if err != nil {
		return 0, false, false
	}
	ms = date.UnixMilli()
	if len(s) == 10 {
		return ms, true, true
	}
	if len(s) < 19 || !shaped(s[10:19], "T00:00:00") {
		return 0, false, false
	}
	h, m, sec := two(s[11:]), two(s[14:]), two(s[17:])
	if h > 23 || m > 59 || sec > 59 {
		return 0, false, false
	}
	ms += int64((h*60+m)*60+sec) * 1000
	rest := s[19:]
	if strings.HasPrefix(rest, ".") {
		n := 1
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		if n == 1 || n > 10 {
			return 0, false, false
		}
		for i, unit := 1, int64(100); i < min(n, 4); i, unit = i+1, unit/10 {
			ms += int64(rest[i]-'0') * unit
		}
		rest = rest[n:]
	}
	if rest == "" || rest == "Z" {
		return ms, false, true
	}
	if !shaped(rest[1:], "00:00") || rest[0] != '+' && rest[0] != '-' {
		return 0, false, false
	}
	h, m = two(rest[1:]), two(rest[4:])
	off := int64(h*60+m) * int64(time.Minute/time.Millisecond)
	if rest[0] == '+' {
		off = -off
	}
	return ms + off, false, h <= 14 && m <= 59
}

// shaped compares with a form in which 0 stands for any digit.
func shaped(s, form string) bool {
	if len(s) != len(form) {
		return false
	}
	for i := range len(s) {
		if form[i] == '0' && (s[i] < '0' || s[i] > '9') || form[i] != '0' && s[i] != form[i] {
			return false
		}
	}
	return true
}

func two(s string) int { return int(s[0]-'0')*10 + int(s[1]-'0') }

// runes counts the characters of a text, as databases do.
func runes(s string) int { return utf8.RuneCountInString(s) }
