package app

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"parley/internal/fault"
)

// Localized is a text in several languages: "en" is mandatory, others are
// languages ("es") or locales ("pt-BR") (S, localizable strings; reference §4.13).
type Localized map[string]string

const (
	maxLanguages = 60
	maxText      = 500 // bytes of one variant
)

var languageForm = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)

// In returns the variant of a locale: the exact one, else its language's, else
// the English one. Case and "_" for "-" do not matter.
func (l Localized) In(locale string) string {
	locale = strings.ReplaceAll(strings.TrimSpace(locale), "_", "-")
	language, _, _ := strings.Cut(locale, "-")
	for _, want := range []string{locale, language} {
		if v, ok := l[want]; ok {
			return v
		}
		for have, v := range l {
			if strings.EqualFold(have, want) {
				return v
			}
		}
	}
	return l["en"]
}

// check says what is wrong with a text of a field.
func (l Localized) check(field string) error {
	if strings.TrimSpace(l["en"]) == "" {
		return fault.Field(field+".en", "%s needs an English text under en; other languages may stand beside it", field)
	}
	if len(l) > maxLanguages {
		return fault.Field(field, "%s must not hold more than %d languages", field, maxLanguages)
	}
	seen := make(map[string]bool, len(l))
	for language, v := range l {
		low := strings.ToLower(language)
		switch {
		case !languageForm.MatchString(language):
			return fault.Field(field, "%s holds %q, which is no language; write one such as es or pt-BR", field, cut(language, 20))
		case seen[low]:
			return fault.Field(field, "%s holds the language %s twice", field, low)
		case !plain(v, maxText):
			return fault.Field(field+"."+language, "%s.%s must be plain text of at most %d bytes", field, language, maxText)
		}
		seen[low] = true
	}
	return nil
}

// plain reports whether both databases store a text of at most max bytes.
func plain(s string, max int) bool {
	return len(s) <= max && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

// cut shortens text that came from outside for a message, and mends it.
func cut(s string, max int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
	if len(s) > max {
		s = strings.ToValidUTF8(s[:max], "") + "..."
	}
	return s
}
