package simulator

import (
	"net/url"
	"regexp"
	"strings"

	"parley/internal/fault"
)

// Account is one business phone number at the simulated Meta. WebhookURL gets
// its webhooks, signed with AppSecret; without one none are sent.
type Account struct {
	PhoneNumberID string `json:"phoneNumberId"`
	WABAID        string `json:"wabaId"`
	DisplayPhone  string `json:"displayPhone,omitempty"` // digits; made from the id by default
	Token         string `json:"token"`
	AppSecret     string `json:"appSecret"`
	WebhookURL    string `json:"webhookUrl,omitempty"`
}

var nodeID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// AddAccount registers a number, or replaces the one of that id. A fault names
// the field that is wrong.
func (s *Simulator) AddAccount(a Account) error {
	switch {
	case a.PhoneNumberID == "":
		return fault.Missing("phoneNumberId")
	case !nodeID.MatchString(a.PhoneNumberID):
		return fault.Field("phoneNumberId", "phoneNumberId must be letters and digits, at most 64")
	case a.WABAID == "":
		return fault.Missing("wabaId")
	case !nodeID.MatchString(a.WABAID):
		return fault.Field("wabaId", "wabaId must be letters and digits, at most 64")
	case a.WABAID == a.PhoneNumberID:
		return fault.Field("wabaId", "wabaId must differ from phoneNumberId")
	case a.Token == "":
		return fault.Missing("token")
	case a.AppSecret == "":
		return fault.Missing("appSecret")
	}
	if a.WebhookURL != "" {
		u, err := url.Parse(a.WebhookURL)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return fault.Field("webhookUrl", "webhookUrl must be an http or https URL")
		}
	}
	if a.DisplayPhone == "" {
		a.DisplayPhone = "1555" + lastDigits(a.PhoneNumberID, 7)
	}
	digits, ok := address(a.DisplayPhone)
	if !ok {
		return fault.Field("displayPhone", "displayPhone must be a phone number in international form")
	}
	a.DisplayPhone = digits
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accounts[a.PhoneNumberID] == nil {
		s.order = append(s.order, a.PhoneNumberID)
	}
	s.accounts[a.PhoneNumberID] = &a
	return nil
}

// Accounts returns the registered numbers, oldest first.
func (s *Simulator) Accounts() []Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Account, 0, len(s.order))
	for _, id := range s.order {
		list = append(list, *s.accounts[id])
	}
	return list
}

// lastDigits returns n digits of s, padded with 0 on the left.
func lastDigits(s string, n int) string {
	d := strings.Repeat("0", n) + onlyDigits(s)
	return d[len(d)-n:]
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// address brings a phone number to its digits. Meta takes plus signs, hyphens,
// parentheses and spaces along (Meta Cloud API, "Phone number formatting"); 5
// to 20 digits are plausible.
func address(s string) (string, bool) {
	if strings.Trim(s, "+-() 0123456789") != "" {
		return "", false
	}
	d := onlyDigits(s)
	return d, len(d) >= 5 && len(d) <= 20
}
