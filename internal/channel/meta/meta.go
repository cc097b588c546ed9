// Package meta is what Meta's channels have in common: the signature and the
// handshake of webhooks, and the proof that a request was never taken. It owns
// no kind of channel; only the channels of Meta import it.
package meta

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"parley/internal/fault"
)

// Doer makes one HTTP exchange. Package egress builds the real one.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// signatureHeader carries "sha256=" and the hex HMAC-SHA256 of the raw body
// under the app secret (Meta Graph API, "Webhooks, Validating payloads").
const signatureHeader = "X-Hub-Signature-256"

// Verify checks the signature of the raw body in constant time. Whatever is
// wrong, an account without an app secret included, is Unauthorized. account is
// the words for the account, such as "WhatsApp account".
func Verify(header map[string][]string, body []byte, secret, account string) error {
	if secret == "" {
		return fault.New(fault.Unauthorized, "the %s has no app secret, so its webhooks cannot be trusted: complete its settings", account)
	}
	sent, ok := strings.CutPrefix(single(header, signatureHeader), "sha256=")
	if !ok {
		return fault.New(fault.Unauthorized, "the webhook carries no X-Hub-Signature-256 header of the form sha256=…")
	}
	got, err := hex.DecodeString(sent)
	if err != nil {
		return fault.New(fault.Unauthorized, "the webhook's signature is not hexadecimal")
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	if !hmac.Equal(got, mac.Sum(nil)) {
		return fault.New(fault.Unauthorized, "the webhook's signature does not match the account's app secret")
	}
	return nil
}

// single returns the only value of a header in any spelling, "" when it is
// absent or ambiguous.
func single(header map[string][]string, name string) string {
	var found string
	n := 0
	for k, vs := range header {
		if strings.EqualFold(k, name) {
			for _, v := range vs {
				found = v
				n++
			}
		}
	}
	if n != 1 {
		return ""
	}
	return found
}

// Challenge answers hub.challenge when hub.mode is subscribe and
// hub.verify_token is the account's (Meta Graph API, "Webhooks, Verification
// requests"). An account without a token never matches.
func Challenge(query map[string][]string, verifyToken string) (string, bool) {
	get := func(k string) string {
		if vs := query[k]; len(vs) > 0 {
			return vs[0]
		}
		return ""
	}
	if verifyToken == "" || get("hub.mode") != "subscribe" ||
		subtle.ConstantTimeCompare([]byte(get("hub.verify_token")), []byte(verifyToken)) != 1 {
		return "", false
	}
	return get("hub.challenge"), true
}

// longestWait caps a Retry-After that Meta asks for.
const longestWait = 24 * time.Hour

// Wait reads Retry-After, in seconds or as a date; 0 when there is none.
func Wait(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	var d time.Duration
	if n, err := strconv.Atoi(v); err == nil {
		if n > int(longestWait/time.Second) {
			return longestWait
		}
		d = time.Duration(n) * time.Second
	} else if t, err := http.ParseTime(v); err == nil {
		d = t.Sub(now)
	}
	return min(max(d, 0), longestWait)
}
