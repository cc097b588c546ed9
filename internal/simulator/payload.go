package simulator

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"
)

// The shapes of webhooks (Meta Cloud API, "messages webhook reference", "Status
// messages webhook reference", "user_preferences webhook reference").

type hook struct {
	Object string      `json:"object"`
	Entry  []hookEntry `json:"entry"`
}

type hookEntry struct {
	ID      string       `json:"id"`
	Changes []hookChange `json:"changes"`
}

type hookChange struct {
	Value hookValue `json:"value"`
	Field string    `json:"field"`
}

type hookValue struct {
	Product     string           `json:"messaging_product"`
	Metadata    hookMetadata     `json:"metadata"`
	Contacts    []hookContact    `json:"contacts,omitempty"`
	Messages    []map[string]any `json:"messages,omitempty"`
	Statuses    []hookStatus     `json:"statuses,omitempty"`
	Preferences []hookPreference `json:"user_preferences,omitempty"`
}

type hookMetadata struct {
	DisplayPhone  string `json:"display_phone_number"`
	PhoneNumberID string `json:"phone_number_id"`
}

type hookContact struct {
	Profile hookProfile `json:"profile"`
	WaID    string      `json:"wa_id"`
}

type hookProfile struct {
	Name string `json:"name"`
}

type hookStatus struct {
	ID        string        `json:"id"`
	Status    string        `json:"status"`
	Timestamp string        `json:"timestamp"`
	Recipient string        `json:"recipient_id"`
	Callback  string        `json:"biz_opaque_callback_data,omitempty"`
	Pricing   *hookPricing  `json:"pricing,omitempty"`
	Errors    []wireFailure `json:"errors,omitempty"`
}

type hookPricing struct {
	Billable bool   `json:"billable"`
	Model    string `json:"pricing_model"`
	Type     string `json:"type"`
	Category string `json:"category"`
}

type hookPreference struct {
	WaID      string `json:"wa_id"`
	Detail    string `json:"detail"`
	Category  string `json:"category"`
	Value     string `json:"value"`
	Timestamp int64  `json:"timestamp"`
}

// wrap puts a value into the envelope of a webhook of the account.
func (a *Account) wrap(field string, v hookValue) []byte {
	v.Product = "whatsapp"
	v.Metadata = hookMetadata{DisplayPhone: a.DisplayPhone, PhoneNumberID: a.PhoneNumberID}
	b, _ := json.Marshal(hook{ // only strings and numbers: it cannot fail
		Object: "whatsapp_business_account",
		Entry:  []hookEntry{{ID: a.WABAID, Changes: []hookChange{{Value: v, Field: field}}}},
	})
	return b
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// wamid makes a message id of Meta's look: base64 of a frame around the phone
// and a random part. The caller holds mu.
func (s *Simulator) wamid(phone string) string {
	var r [9]byte
	for i := range r {
		r[i] = byte(s.rng.Uint32())
	}
	frame := append([]byte{0x1d, 0x06, 0x18, byte(len(phone))}, phone...)
	frame = append(frame, 0x15, 0x02, 0x00, 0x11, 0x18, 0x12)
	frame = append(frame, hex.EncodeToString(r[:])...)
	return "wamid." + base64.StdEncoding.EncodeToString(append(frame, 0))
}

// number makes an id of Meta's look; the caller holds mu.
func (s *Simulator) number() string {
	s.nextID++
	return strconv.FormatUint(1_000_000_000_000_000+uint64(s.rng.Uint32())*1000+s.nextID%1000, 10)
}

// pricing of a delivered message: free inside the window, otherwise by the
// template's category (Meta Cloud API, "Pricing").
func pricing(category string) *hookPricing {
	if category == "service" {
		return &hookPricing{Billable: false, Model: "PMP", Type: "free_customer_service", Category: category}
	}
	return &hookPricing{Billable: true, Model: "PMP", Type: "regular", Category: category}
}
