package app

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
)

// signatureName is the query parameter that carries the signature, always the last.
const signatureName = "signature"

// Signature returns the lower-case hex of HMAC-SHA256 over a URL, keyed with the
// private key as it is written (S, request signature; reference §4.12).
func Signature(url, privateKey string) string {
	m := hmac.New(sha256.New, []byte(privateKey))
	m.Write([]byte(url))
	return hex.EncodeToString(m.Sum(nil))
}

// Sign returns a URL with its signature as the last parameter: cutting off from
// the "?" or "&" before it to the end of the query gives back what was signed. A
// fragment never reaches a server, so it is not signed and stays behind the query.
func Sign(url, privateKey string) string {
	url, fragment := cutFragment(url)
	url = strings.TrimRight(url, "?&")
	return url + mark(url) + signatureName + "=" + Signature(url, privateKey) + fragment
}

// Verify reports whether a URL carries the signature of a private key, as an app
// would check it. A fragment does not count.
func Verify(url, privateKey string) bool {
	url, _ = cutFragment(url)
	at := strings.LastIndex(url, signatureName+"=")
	if at < 1 || url[at-1] != '?' && url[at-1] != '&' {
		return false
	}
	want := Signature(url[:at-1], privateKey)
	return hmac.Equal([]byte(want), []byte(url[at+len(signatureName)+1:]))
}

// cutFragment splits a URL before its "#".
func cutFragment(url string) (rest, fragment string) {
	if at := strings.IndexByte(url, '#'); at >= 0 {
		return url[:at], url[at:]
	}
	return url, ""
}

// mark is what separates the next parameter of a URL without a fragment.
func mark(url string) string {
	if strings.Contains(url, "?") {
		return "&"
	}
	return "?"
}

// with adds a parameter to a URL, before its fragment.
func with(url, name, value string) string {
	url, fragment := cutFragment(url)
	url = strings.TrimRight(url, "?&")
	return url + mark(url) + name + "=" + escape(value) + fragment
}

var placeholder = regexp.MustCompile(`\$\{([^{}]*)\}`)

// expand puts values in the place of ${name}, percent-encoded. Unknown names
// become nothing (reference §4.12).
func expand(url string, values map[string]string) string {
	return placeholder.ReplaceAllStringFunc(url, func(m string) string { return escape(values[strings.TrimSpace(m[2:len(m)-1])]) })
}

const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

// escape writes a value so that it means itself in any part of a URL: all but
// letters, digits and -._~ are percent-encoded (RFC 3986 §2.3).
func escape(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; strings.IndexByte(unreserved, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}
