package whatsapp

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"parley/internal/channel"
	"parley/internal/fault"
)

// object is the only one this channel reads (Meta Cloud API, "Webhooks").
const object = "whatsapp_business_account"

// Accounts returns the phone_number_ids that an unverified body names, each
// once. A body that is not JSON is Invalid, another object is NotFound. A
// genuine webhook may name no number at all (the review of a template, news of
// the business account): then the list is empty, and there is nothing for an
// account to do.
func (c *Channel) Accounts(body []byte) ([]string, error) {
	var env envelope
	if err := json.Unmarshal(body, &env); err != nil {
		return nil, fault.New(fault.Invalid, "the body is not the JSON of a WhatsApp webhook")
	}
	if env.Object != object {
		return nil, fault.New(fault.NotFound, "the webhook is not for a WhatsApp business account")
	}
	var ids []string
	for _, e := range env.Entry {
		for _, ch := range e.Changes {
			if id := ch.account(); id != "" && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids, nil
}

// signatureHeader carries "sha256=" and the hex HMAC-SHA256 of the raw body
// under the app secret (Meta Graph API, "Webhooks, Validating payloads").
const signatureHeader = "X-Hub-Signature-256"

// Verify checks the signature of the raw body in constant time. Whatever is
// wrong, an account without an app secret included, is Unauthorized.
func (c *Channel) Verify(header map[string][]string, body []byte, a channel.Account) error {
	secret := a.Secrets["appSecret"]
	if secret == "" {
		return fault.New(fault.Unauthorized, "the WhatsApp account has no app secret, so its webhooks cannot be trusted: complete its settings")
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
func (c *Channel) Challenge(query map[string][]string, verifyToken string) (string, bool) {
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
