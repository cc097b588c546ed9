package access

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"parley/internal/fault"
	"parley/internal/secret"
)

// maxRate bounds a key's own rate.
const maxRate = 1_000_000

func newToken(face string) string {
	prefix := "parley_" + face + "_"
	if face == "platform" {
		prefix = "erix_"
	}
	return secret.NewToken(prefix, tokenBytes)
}

// scopes returns a list of scopes in its stored form; an empty one is everything
// the face offers.
func scopes(face string, list []string) ([]string, error) {
	list = slices.Clone(list)
	if len(list) == 0 {
		list = []string{face + ":*"}
	}
	if len(list) > 100 {
		return nil, fault.Field("scopes", "a key carries at most 100 scopes")
	}
	for _, sc := range list {
		if sc == "" || len(sc) > 100 || strings.ContainsAny(sc, " \t\r\n\x00") || !utf8.ValidString(sc) {
			return nil, fault.Field("scopes", "a scope is a word such as %s:*", face)
		}
	}
	return list, nil
}

// plain returns a trimmed text of at most so many bytes.
func plain(field, s string, bytes int) (string, error) {
	s = strings.TrimSpace(s)
	if len(s) > bytes || strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
		return "", fault.Field(field, "the %s must be plain text of at most %d characters", field, bytes)
	}
	return s, nil
}

var languageTag = regexp.MustCompile(`^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$`)

func language(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s != "" && (len(s) > 35 || !languageTag.MatchString(s)) {
		return "", fault.Field("language", "the language must be a tag such as es or pt-BR")
	}
	return s, nil
}

func checkRate(n int) error {
	if n < 0 || n > maxRate {
		return fault.Field("rate", "the rate is a number of requests a minute from 1 to %d, or 0 for what the server says", maxRate)
	}
	return nil
}

// name fills the provider's word of a key that was given none: its name in
// lower-case letters, digits and hyphens, else its face.
func (k *Key) name() {
	if k.Provider != "" {
		return
	}
	words := strings.FieldsFunc(strings.ToLower(k.Name), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	if k.Provider = strings.Join(words, "-"); k.Provider == "" {
		k.Provider = k.Face
	}
}
