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
	ids, err := s.DeliverManyIn(tx, []Delivery{d})
	if err != nil {
		return id.Zero, err
	}
	return ids[0], nil
}

const deliveryInto = "webhook_delivery (tenant_id, id, endpoint, subject, url, method, event, policy, body, body_id, headers, state, attempt, next_at, trigger_id, created_at, updated_at)"

// DeliverManyIn is DeliverIn for many deliveries by few statements. Deliveries of
// one lane and subject leave in the order given.
func (s *Service) DeliverManyIn(tx *store.Tx, list []Delivery) ([]id.ID, error) {
	rows, ids := make([][]any, len(list)), make([]id.ID, len(list))
	woken := map[string]bool{}
	for i, d := range list {
		lane, err := d.check()
		if err != nil {
			return nil, err
		}
		headers := any(nil)
		if len(d.Headers) > 0 {
			headers = store.JSON(d.Headers)
		}
		ids[i] = id.New()
		rows[i] = []any{ids[i], lane, d.Subject, d.URL, d.Method, d.Event, d.Policy, string(d.Body), d.Shared, headers, Pending, 0, tx.Now(), d.TriggerID, tx.Now(), tx.Now()}
		woken[lane] = true
	}
	if _, err := store.InsertRows(tx, deliveryInto, rows, ""); err != nil {
		return nil, err
	}
	for lane := range woken {
		job.WakeLane(tx, ledgerName, lane)
	}
	return ids, nil
}

// check applies the defaults and returns the lane.
func (d *Delivery) check() (lane string, err error) {
	lane, err = endpointOf("url", d.URL)
	if err != nil {
		return "", err
	}
	if d.Lane != "" {
		lane = d.Lane
	}
	if d.Method == "" {
		d.Method = "POST"
	}
	if err := CheckCallMethod("method", d.Method); err != nil {
		return "", err
	}
	if err := CheckHeaders("headers", d.Headers); err != nil {
		return "", err
	}
	if d.Policy == "" {
		d.Policy = DefaultPolicy
	}
	p, ok := Policies[d.Policy]
	switch {
	case !ok:
		return "", fault.Field("policy", "there is no delivery policy %q", d.Policy)
	case !d.Shared.IsZero(): // KeepBodyIn checked it
		return lane, nil
	case len(d.Body) == 0 && (d.Method == "GET" || d.Method == "DELETE"): // nothing to say
		return lane, nil
	case p.Stamp != "" && !object(d.Body):
		return "", fault.Field("body", "a notification's body must be a JSON object")
	}
	return lane, checkBody(d.Body)
}

func object(body []byte) bool { return len(body) > 0 && body[0] == '{' }

func checkBody(body []byte) error {
	switch {
	case len(body) > maxBody:
		return fault.New(fault.TooLarge, "a webhook's body must not be longer than %d bytes", maxBody)
	case !utf8.Valid(body), bytes.IndexByte(body, 0) >= 0, !json.Valid(body):
		return fault.Field("body", "a webhook's body must be JSON")
	}
	return nil
}
