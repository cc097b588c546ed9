package variables

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// showNumber writes a number as people do: no exponent, no trailing zeros.
func showNumber(n float64) string {
	if n == math.Trunc(n) && math.Abs(n) < 1e15 {
		return strconv.FormatInt(int64(n), 10)
	}
	if math.Abs(n) >= 1e21 || math.Abs(n) < 1e-6 {
		return strconv.FormatFloat(n, 'g', -1, 64)
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}

// Number reads a number or a numeric string.
func Number(v any) (float64, bool) {
	switch t := v.(type) {
	case float64:
		return t, !math.IsNaN(t) && !math.IsInf(t, 0)
	case int:
		return float64(t), true
	case int64:
		return float64(t), true
	case string:
		t = strings.TrimSpace(t)
		if t == "" || len(t) > 64 || strings.ContainsAny(t, "xXpP_nNiI") {
			return 0, false
		}
		n, err := strconv.ParseFloat(t, 64)
		return n, err == nil && !math.IsInf(n, 0)
	}
	return 0, false
}

// Moment reads a time: ISO 8601 with a zone, without one (then in zone), or a date.
func Moment(v any, zone *time.Location) (t time.Time, dateOnly, ok bool) {
	if t, is := v.(time.Time); is {
		return t, false, true
	}
	s, is := v.(string)
	if !is || len(s) < 10 || len(s) > 40 || s[4] != '-' || s[7] != '-' {
		return t, false, false
	}
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05.999999999-0700"} {
		if t, err := time.Parse(form, s); err == nil {
			return t, false, true
		}
	}
	for _, form := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04:05"} {
		if t, err := time.ParseInLocation(form, s, zone); err == nil {
			return t, false, true
		}
	}
	if t, err := time.ParseInLocation("2006-01-02", s, zone); err == nil {
		return t, true, true
	}
	return t, false, false
}

// showTime writes ISO times as weekday, day, month, year and time, in the
// tenant's zone (reference 4.6).
func showTime(v any, zone *time.Location) (string, bool) {
	if zone == nil {
		zone = time.UTC
	}
	t, dateOnly, ok := Moment(v, zone)
	switch {
	case !ok:
		return "", false
	case dateOnly:
		return t.Format("Monday, 2 January 2006"), true
	}
	return t.In(zone).Format("Monday, 2 January 2006, 3:04 pm"), true
}

// isMoney reports whether the last name of a path holds one of the words that
// mark an amount (reference 4.6). A score has a total that is none.
func isMoney(path string) bool {
	path = strings.TrimSpace(path)
	if path == "lead.score.total" {
		return false
	}
	for _, w := range words(path[strings.LastIndexByte(path, '.')+1:]) {
		switch w {
		case "price", "amount", "total", "fee":
			return true
		}
	}
	return false
}

// words splits a name at capitals, digits and punctuation, in lower case.
func words(name string) []string {
	var out []string
	var b strings.Builder
	end := func() {
		if b.Len() > 0 {
			out = append(out, b.String())
			b.Reset()
		}
	}
	lower := false
	for _, r := range name {
		if !unicode.IsLetter(r) || (unicode.IsUpper(r) && lower) {
			end()
		}
		if lower = unicode.IsLower(r); unicode.IsLetter(r) {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	end()
	return out
}

// showMoney writes an amount: rupees in the Indian grouping, other currencies
// with their code.
func showMoney(n float64, currency string) string {
	if math.Abs(n) >= 1e15 {
		return showNumber(n)
	}
	s := strconv.FormatFloat(math.Abs(n), 'f', 2, 64)
	whole, part, _ := strings.Cut(s, ".")
	first, step := "₹", 2
	if currency != "" && currency != "INR" {
		first, step = currency+" ", 3
	}
	if n < 0 {
		first = "-" + first
	}
	out := first + group(whole, step)
	if part != "00" {
		out += "." + part
	}
	return out
}

// group puts commas into digits: the last three, then every step digits.
func group(digits string, step int) string {
	if len(digits) <= 3 {
		return digits
	}
	head, tail := digits[:len(digits)-3], digits[len(digits)-3:]
	for len(head) > step {
		tail = head[len(head)-step:] + "," + tail
		head = head[:len(head)-step]
	}
	return head + "," + tail
}

// Snake writes a field's name as first_name.
func Snake(name string) string { return strings.Join(words(name), "_") }

// Camel writes a field's name as firstName.
func Camel(name string) string {
	var b strings.Builder
	for i, w := range words(name) {
		if i > 0 {
			w = strings.ToUpper(w[:1]) + w[1:]
		}
		b.WriteString(w)
	}
	return b.String()
}
