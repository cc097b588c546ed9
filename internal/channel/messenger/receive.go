package messenger

import (
	"encoding/json"
	"slices"

	"parley/internal/channel"
	"parley/internal/channel/meta"
	"parley/internal/fault"
)

// object is the only one this channel reads (Messenger Platform, "Webhooks").
const object = "page"

// Accounts returns the page ids that an unverified body names, each once. A body
// that is not JSON is Invalid, another object is NotFound.
func (c *Channel) Accounts(body []byte) ([]string, error) {
	env, err := open(body)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range env.Entry {
		if id := string(e.ID); id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// open reads the envelope, for the search of the account to verify and for the
// parsing alike, so that they cannot differ.
func open(body []byte) (env envelope, err error) {
	if json.Unmarshal(body, &env) != nil {
		return env, fault.New(fault.Invalid, "the body is not the JSON of a Messenger webhook")
	}
	if env.Object != object {
		return env, fault.New(fault.NotFound, "the webhook is not for a Facebook page")
	}
	return env, nil
}

// Verify checks the signature of the raw body in constant time: see meta.Verify.
func (c *Channel) Verify(header map[string][]string, body []byte, a channel.Account) error {
	return meta.Verify(header, body, a.Secrets["appSecret"], "Messenger account")
}

// Challenge answers the subscription handshake: see meta.Challenge.
func (c *Channel) Challenge(query map[string][]string, verifyToken string) (string, bool) {
	return meta.Challenge(query, verifyToken)
}
