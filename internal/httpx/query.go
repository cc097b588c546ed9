package httpx

import (
	"cmp"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"parley/internal/fault"
)

// Query returns the query parameters. Unlike url.ParseQuery it reads ";" as an
// ordinary character, as the servers these contracts come from do.
func (r *Request) Query() url.Values {
	if r.query == nil {
		r.query, _ = parseQuery(r.URL.RawQuery)
	}
	return r.query
}

func parseQuery(raw string) (url.Values, error) {
	out := url.Values{}
	var first error
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		k, v, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(k)
		if err != nil || checkText(name) != "" {
			first = orFirst(first, fault.New(fault.Invalid, "a name in the query is not properly percent-encoded UTF-8 text").Because("query"))
			continue
		}
		value, err := url.QueryUnescape(v)
		if err != nil {
			first = orFirst(first, fault.Field(name, "%s in the query is not properly percent-encoded", name))
			continue
		}
		if why := checkText(value); why != "" {
			first = orFirst(first, fault.Field(name, "%s in the query %s", name, why))
			continue
		}
		out[name] = append(out[name], value)
	}
	return out, first
}

func orFirst(have, now error) error {
	if have != nil {
		return have
	}
	return now
}

// checkText says what makes s unfit for storage, or "".
func checkText(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		return "holds a NUL character; remove it"
	}
	if !utf8.ValidString(s) {
		return "is not valid UTF-8; encode it as UTF-8"
	}
	return ""
}

// QueryString returns a parameter, trimmed of surrounding space; "" when
// absent.
func (r *Request) QueryString(name string) string {
	return strings.TrimSpace(r.Query().Get(name))
}

// QueryList returns every value of a parameter in the spellings name=a&name=b,
// name[]=a and name[0]=a, those with numbers in their order; numbers may be missing.
// It does not split at commas.
func (r *Request) QueryList(name string) []string {
	q := r.Query()
	out := append([]string(nil), q[name]...)
	out = append(out, q[name+"[]"]...)
	var numbers []string
	for key := range q {
		if n, ok := strings.CutPrefix(key, name+"["); ok && strings.HasSuffix(n, "]") {
			if n = n[:len(n)-1]; n == "0" || n != "" && n[0] != '0' && strings.Trim(n, "0123456789") == "" {
				numbers = append(numbers, n)
			}
		}
	}
	slices.SortFunc(numbers, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	for _, n := range numbers {
		out = append(out, q[name+"["+n+"]"]...)
	}
	return out
}

// QueryInt returns a whole number between low and high; def when absent or
// empty. Anything else is a fault that names the field.
func (r *Request) QueryInt(name string, def, low, high int) (int, error) {
	s := r.QueryString(name)
	if s == "" {
		return def, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return def, fault.Field(name, "%s must be a whole number", name)
	}
	if n < low || n > high {
		if high == math.MaxInt {
			return def, fault.Field(name, "%s must be at least %d", name, low)
		}
		return def, fault.Field(name, "%s must be between %d and %d", name, low, high)
	}
	return n, nil
}

// QueryBool reads true, false, 1, 0, yes and no of either case; def when absent
// or empty.
func (r *Request) QueryBool(name string, def bool) (bool, error) {
	switch strings.ToLower(r.QueryString(name)) {
	case "":
		return def, nil
	case "true", "1", "yes":
		return true, nil
	case "false", "0", "no":
		return false, nil
	}
	return def, fault.Field(name, "%s must be true or false", name)
}

// QueryTime reads an RFC 3339 time or a date (its first moment, UTC); the zero
// time when absent. A "+" of the zone that arrived as a space is mended.
func (r *Request) QueryTime(name string) (time.Time, error) {
	s := r.QueryString(name)
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	if i := strings.LastIndexByte(s, ' '); i > len("2006-01-02T15:04") {
		s = s[:i] + "+" + s[i+1:]
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fault.Field(name, "%s must be a time such as 2026-01-31T15:04:05Z or a date such as 2026-01-31", name)
	}
	return t.UTC(), nil
}
