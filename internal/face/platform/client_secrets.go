package platform

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"parley/internal/account"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/tenant"
)

// shownNames are the names of a client's credentials that are no secrets; their values
// are shown. All other values are masked (reference §3.21).
var shownNames = []string{"whatsappInstanceId", "whatsappBusinessId", "whatsappPhoneNumberId", "googleClientId", "emailProvider", "emailFromName",
	"sesRegion", "sesFromEmail", "sesDomain", "sesConfigurationSet", "smtpHost", "smtpPort", "smtpUser", "smtpFromEmail", "smtpFromName", "smtpSecure",
	"emailFooter", "emailCc", "emailBcc", "dailyLimit"}

// sealedNames are the credentials that are never shown.
var sealedNames = []string{"whatsappToken", "whatsappAppSecret", "whatsappWebhookToken", "googleClientSecret", "googleRefreshToken",
	"sesAccessKeyId", "sesSecretAccessKey", "smtpPass", signingName}

// signingName is what this API calls the secret that signs webhooks.
const signingName = "automationWebhookSecret"

// customPrefix sets a client's customSecrets apart from the named ones.
const customPrefix = "custom."

// mask stands for a secret that is set. Sent back, it leaves the secret alone.
const mask = "********"

// storedName is the name under which a credential is kept.
func storedName(name string) string {
	if name == signingName {
		return tenant.WebhookSecret
	}
	return name
}

// secrets answers which credentials are set.
func (o *Operator) secrets(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := o.find(ctx, r)
	if err != nil {
		return nil, err
	}
	return o.showSecrets(ctx, t)
}

func (o *Operator) showSecrets(ctx context.Context, t tenant.Tenant) (*httpx.Response, error) {
	all, err := o.s.Accounts.Credentials(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"clientCode": t.Code}
	for _, name := range shownNames {
		out[name] = optional(all[name])
	}
	for _, name := range sealedNames {
		out[name] = nil
		if all[storedName(name)] != "" {
			out[name] = mask
		}
	}
	custom := map[string]string{}
	for name := range all {
		if key, ok := strings.CutPrefix(name, customPrefix); ok {
			custom[key] = mask
		}
	}
	out["customSecrets"] = custom
	return ok(out)
}

// setSecrets stores the credentials that are given; null and "" take one away, the
// mask leaves it. Once the id of the WhatsApp number and its token are there, the
// number is connected.
func (o *Operator) setSecrets(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := o.find(ctx, r)
	if err != nil {
		return nil, err
	}
	var in map[string]json.RawMessage
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	set := map[string]*string{}
	for name, raw := range in {
		switch {
		case name == "customSecrets":
			if err := customSecrets(raw, set); err != nil {
				return nil, err
			}
		case name == "clientCode": // it stands in what GET answers
		case slices.Contains(shownNames, name) || slices.Contains(sealedNames, name):
			if err := credential(name, storedName(name), raw, set); err != nil {
				return nil, err
			}
		default:
			return nil, fault.Field(name, "%s is not a credential that this server knows; put your own under customSecrets", name)
		}
	}
	if err := o.s.Accounts.Integrate(ctx, t.ID, set, whatsappAccount(set)); err != nil {
		return nil, err
	}
	if err := o.changed(ctx, t.ID); err != nil {
		return nil, err
	}
	return o.showSecrets(ctx, t)
}

func customSecrets(raw json.RawMessage, set map[string]*string) error {
	var custom map[string]json.RawMessage
	if err := json.Unmarshal(raw, &custom); err != nil {
		return fault.Field("customSecrets", "customSecrets must be an object of names and values")
	}
	for key, v := range custom {
		if key == "" || len(key) > 90 {
			return fault.Field("customSecrets", "a custom secret needs a name of at most 90 characters")
		}
		if err := credential("customSecrets."+key, customPrefix+key, v, set); err != nil {
			return err
		}
	}
	return nil
}

// credential reads one value: text, or a number or a boolean as text.
func credential(field, stored string, raw json.RawMessage, set map[string]*string) error {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return fault.Field(field, "%s must be text", field)
	}
	text := ""
	switch v := v.(type) {
	case nil:
	case string:
		text = strings.TrimSpace(v)
	case float64, bool:
		text = string(raw)
	default:
		return fault.Field(field, "%s must be text", field)
	}
	switch text {
	case mask:
	case "":
		set[stored] = nil
	default:
		set[stored] = &text
	}
	return nil
}

// whatsappAccount returns what connects the client's WhatsApp number when one of
// its credentials is among those that change.
func whatsappAccount(set map[string]*string) func(all map[string]string) []account.NewAccount {
	touched := false
	for name := range set {
		touched = touched || strings.HasPrefix(name, "whatsapp")
	}
	return func(all map[string]string) []account.NewAccount {
		if !touched || all["whatsappPhoneNumberId"] == "" || all["whatsappToken"] == "" {
			return nil
		}
		n := account.NewAccount{Kind: "whatsapp", ExternalID: all["whatsappPhoneNumberId"], Settings: map[string]string{}, Secrets: map[string]string{"token": all["whatsappToken"]}}
		for to, from := range map[string]string{"appSecret": "whatsappAppSecret", "verifyToken": "whatsappWebhookToken"} {
			if v := all[from]; v != "" {
				n.Secrets[to] = v
			}
		}
		if v := all["whatsappBusinessId"]; v != "" {
			n.Settings["wabaId"] = v
		}
		return []account.NewAccount{n}
	}
}
