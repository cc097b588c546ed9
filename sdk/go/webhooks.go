package parley

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// SignatureHeader is the header in which a server signs what it sends
// (reference §4.12).
const SignatureHeader = "X-Ecodrix-Signature"

// The errors of ConstructEvent.
var (
	// ErrNoSignature says that the request was not signed.
	ErrNoSignature = errors.New("parley: the webhook is not signed")
	// ErrBadSignature says that it was signed with another secret, or changed.
	ErrBadSignature = errors.New("parley: the webhook's signature is wrong")
	// ErrNoSecret says that no secret was given to check with.
	ErrNoSecret = errors.New("parley: no webhook secret was given")
)

// Webhooks checks what a server sends to other systems. It needs no client.
var Webhooks webhooks

type webhooks struct{}

// WebhookEvent is the body of a checked webhook.
type WebhookEvent struct {
	// Fields are those of the body.
	Fields map[string]any
	// Raw is the body itself.
	Raw json.RawMessage
}

// Decode reads the body into v.
func (e WebhookEvent) Decode(v any) error { return json.Unmarshal(e.Raw, v) }

// ConstructEvent checks the signature over the raw bytes of a body, before
// anything parsed them, and reads it. header is the value of SignatureHeader, with
// or without "sha256="; secret is used as it is. The signature holds no time:
// a receiver that must not act twice remembers what it has seen.
func (webhooks) ConstructEvent(raw []byte, header, secret string) (WebhookEvent, error) {
	if secret == "" {
		return WebhookEvent{}, ErrNoSecret
	}
	sent := strings.TrimSpace(header)
	if len(sent) >= 7 && strings.EqualFold(sent[:7], "sha256=") {
		sent = sent[7:]
	}
	if sent == "" {
		return WebhookEvent{}, ErrNoSignature
	}
	given, err := hex.DecodeString(sent)
	if err != nil {
		return WebhookEvent{}, ErrBadSignature
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(raw)
	if !hmac.Equal(given, mac.Sum(nil)) {
		return WebhookEvent{}, ErrBadSignature
	}
	e := WebhookEvent{Raw: append(json.RawMessage(nil), raw...)}
	if err := json.Unmarshal(raw, &e.Fields); err != nil {
		return WebhookEvent{}, fmt.Errorf("parley: the webhook's body is no JSON object: %w", err)
	}
	return e, nil
}
