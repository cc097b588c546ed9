// Package secret makes, hashes, seals and signs secrets. It owns the server's
// sealing key and the one signature scheme that our webhooks use. Any room may
// call it; it knows no noun, keeps nothing but the key file, and never logs.
package secret

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"
)

// NewToken returns prefix followed by nbytes random bytes in lower-case hex:
// NewToken("erix_", 32) is a key of the platform API.
func NewToken(prefix string, nbytes int) string {
	b := make([]byte, nbytes)
	_, _ = rand.Read(b) // crypto/rand.Read never fails since Go 1.24
	return prefix + hex.EncodeToString(b)
}

// Hash returns the SHA-256 of a token in hex, the form in which API keys are
// stored. Tokens are random and long, so no salt is needed.
func Hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// Equal compares two secrets in a time that tells nothing about their content.
func Equal(a, b string) bool {
	// Hashing first hides the length too.
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

const signaturePrefix = "sha256="

// Sign returns "sha256=" and the lower-case hex HMAC-SHA256 of the exact body.
// The secret is used verbatim, a "whsec_" prefix included (platform reference
// §4.12).
func Sign(secret string, body []byte) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write(body)
	return signaturePrefix + hex.EncodeToString(m.Sum(nil))
}

// Verify reports whether header signs body, with or without the "sha256="
// prefix, in constant time. An empty secret verifies nothing.
func Verify(secret string, body []byte, header string) bool {
	if secret == "" {
		return false
	}
	given := strings.TrimPrefix(strings.TrimSpace(header), signaturePrefix)
	mac, err := hex.DecodeString(given)
	if err != nil {
		return false
	}
	m := hmac.New(sha256.New, []byte(secret))
	m.Write(body)
	return hmac.Equal(mac, m.Sum(nil))
}
