package webhook

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// Methods are those a delivery may use.
var Methods = []string{"PUT", "POST", "PATCH"}

// CheckURL returns a fault of field unless raw is an absolute http or https URL
// that can be called. Whether its address is allowed shows when it is called.
func CheckURL(field, raw string) error {
	_, err := endpointOf(field, raw)
	return err
}

// CheckMethod returns a fault of field unless m is one of Methods.
func CheckMethod(field, m string) error {
	if !slices.Contains(Methods, m) {
		return fault.Field(field, "%s must be one of %s", field, strings.Join(Methods, ", "))
	}
	return nil
}

// endpointOf returns the lane of a URL: scheme, host and port.
func endpointOf(field, raw string) (string, error) {
	if len(raw) > maxURL {
		return "", fault.Field(field, "%s must not be longer than %d bytes", field, maxURL)
	}
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || !utf8.ValidString(raw) || strings.ContainsRune(raw, 0) {
		return "", fault.Field(field, "%s must be an absolute URL that begins with http:// or https://", field)
	}
	if u.User != nil {
		return "", fault.Field(field, "%s must not hold a user name or password", field)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	host := strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return u.Scheme + "://" + host + ":" + port, nil
}

// DeliverIn writes a delivery in tx and returns its id. It leaves after the
// commit. A bad URL, method or policy is a fault of "url", "method", "policy".
func (s *Service) DeliverIn(tx *store.Tx, d Delivery) (id.ID, error) {
	endpoint, err := endpointOf("url", d.URL)
	if err != nil {
		return id.Zero, err
	}
	if d.Method == "" {
		d.Method = "POST"
	}
	if err := CheckCallMethod("method", d.Method); err != nil {
		return id.Zero, err
	}
	if err := CheckHeaders("headers", d.Headers); err != nil {
		return id.Zero, err
	}
	if d.Policy == "" {
		d.Policy = DefaultPolicy
	}
	if _, ok := Policies[d.Policy]; !ok {
		return id.Zero, fault.Field("policy", "there is no delivery policy %q", d.Policy)
	}
	switch {
	case len(d.Body) > maxBody:
		return id.Zero, fault.New(fault.TooLarge, "a webhook's body must not be longer than %d bytes", maxBody)
	case len(d.Body) == 0 && (d.Method == "GET" || d.Method == "DELETE"): // nothing to say
	case !utf8.Valid(d.Body), bytes.IndexByte(d.Body, 0) >= 0, !json.Valid(d.Body):
		return id.Zero, fault.Field("body", "a webhook's body must be JSON")
	}
	v, headers := id.New(), any(nil)
	if len(d.Headers) > 0 {
		headers = store.JSON(d.Headers)
	}
	_, err = tx.Exec(`INSERT INTO webhook_delivery (tenant_id, id, endpoint, subject, url, method, event, policy, body, headers, state, attempt, next_at, trigger_id, created_at, updated_at)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,0,?,?,?,?)`,
		v, endpoint, d.Subject, d.URL, d.Method, d.Event, d.Policy, string(d.Body), headers, Pending, tx.Now(), d.TriggerID, tx.Now(), tx.Now())
	if err != nil {
		return id.Zero, err
	}
	job.WakeLane(tx, ledgerName, endpoint)
	return v, nil
}
