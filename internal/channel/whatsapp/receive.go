package whatsapp

import (
	"encoding/json"
	"slices"

	"parley/internal/channel"
	"parley/internal/channel/meta"
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

// Verify checks the signature of the raw body in constant time: see meta.Verify.
func (c *Channel) Verify(header map[string][]string, body []byte, a channel.Account) error {
	return meta.Verify(header, body, a.Secrets["appSecret"], "WhatsApp account")
}

// Challenge answers the subscription handshake: see meta.Challenge.
func (c *Channel) Challenge(query map[string][]string, verifyToken string) (string, bool) {
	return meta.Challenge(query, verifyToken)
}
