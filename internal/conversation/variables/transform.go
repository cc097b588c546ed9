package variables

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// Transforms lists how a value may be written (reference §3.15).
var Transforms = []string{"none", "uppercase", "lowercase", "titlecase", "date", "currency", "number"}

// Transform writes the value of a path in one of Transforms; "" is "none".
func (s Source) Transform(name, path string, v any) string {
	switch strings.ToLower(name) {
	case "uppercase":
		return strings.ToUpper(s.Show(path, v))
	case "lowercase":
		return strings.ToLower(s.Show(path, v))
	case "titlecase":
		return title(s.Show(path, v))
	case "date":
		return s.formatTime(v, "D MMMM YYYY")
	case "currency":
		if n, ok := Number(v); ok {
			return showMoney(n, s.Currency)
		}
	case "number":
		if n, ok := Number(v); ok {
			return s.grouped(n)
		}
	}
	return s.Show(path, v)
}

// grouped writes a number with the separators of the currency's country.
func (s Source) grouped(n float64) string {
	if math.Abs(n) >= 1e15 {
		return showNumber(n)
	}
	whole, part, _ := strings.Cut(strconv.FormatFloat(math.Abs(n), 'f', -1, 64), ".")
	step := 3
	if s.Currency == "" || s.Currency == "INR" {
		step = 2
	}
	out := group(whole, step)
	if part != "" {
		out += "." + part
	}
	if n < 0 {
		out = "-" + out
	}
	return out
}

// title begins every word with a capital.
func title(text string) string {
	first := true
	return strings.Map(func(r rune) rune {
		was := first
		first = !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\''
		if was {
			return unicode.ToTitle(r)
		}
		return unicode.ToLower(r)
	}, text)
}
