package parley

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Codes that an APIError may carry; the server may add others.
const (
	CodeValidation      = "VALIDATION_ERROR"
	CodeMissingRequired = "MISSING_REQUIRED"
	CodeInvalidPhone    = "INVALID_PHONE"
	CodeInvalidTrigger  = "INVALID_TRIGGER"
	CodeUnauthorized    = "UNAUTHORIZED"
	CodeQuotaExceeded   = "QUOTA_EXCEEDED"
	CodeForbidden       = "FORBIDDEN"
	CodeNotFound        = "NOT_FOUND"
	CodeLeadNotFound    = "LEAD_NOT_FOUND"
	CodeConflict        = "CONFLICT"
	CodeUnprocessable   = "UNPROCESSABLE"
	CodeTemplate        = "TEMPLATE_NOT_READY"
	CodeRateLimited     = "RATE_LIMITED"
	CodeUnavailable     = "UNAVAILABLE"
)

// APIError is an answer of the server that is no success.
type APIError struct {
	Status    int                 // HTTP status
	Code      string              // such as NOT_FOUND; "" when the answer had none
	Message   string              // a sentence for people
	Errors    map[string][]string // by field
	Hint      string              // what to do, where the server knows
	RequestID string              // finds the call in the server's log
	Raw       []byte              // the body as it came

	method, path string
}

// Error implements error.
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "parley: %s %s: %d", e.method, e.path, e.Status)
	if e.Code != "" {
		b.WriteString(" " + e.Code)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.RequestID != "" {
		b.WriteString(" (request " + e.RequestID + ")")
	}
	return b.String()
}

// AuthenticationError is a 401: the key or the client code is wrong. It is an
// APIError too.
type AuthenticationError struct{ *APIError }

// Unwrap makes errors.As find the APIError.
func (e *AuthenticationError) Unwrap() error { return e.APIError }

// RateLimitError is a 429 that outlasted the retries. It is an APIError too.
type RateLimitError struct {
	*APIError
	// RetryAfter is how long the server asks to wait; 0 when it did not say.
	RetryAfter time.Duration
}

// Unwrap makes errors.As find the APIError.
func (e *RateLimitError) Unwrap() error { return e.APIError }

// IsNotFound says whether err is a 404.
func IsNotFound(err error) bool { return hasStatus(err, http.StatusNotFound) }

// IsConflict says whether err is a 409.
func IsConflict(err error) bool { return hasStatus(err, http.StatusConflict) }

func hasStatus(err error, status int) bool {
	var e *APIError
	return errors.As(err, &e) && e.Status == status
}

// errorOf makes the typed error of an answer. An answer that is not the server's
// own, such as a proxy's page, still tells its status.
func errorOf(r *request, resp *http.Response, body []byte, now time.Time) error {
	e := &APIError{Status: resp.StatusCode, RequestID: resp.Header.Get("X-Request-Id"), Raw: body, method: r.method, path: r.path}
	var in struct {
		Message, Code, Hint, RequestID string
		Errors                         json.RawMessage
		Error                          json.RawMessage
	}
	if json.Unmarshal(body, &in) == nil {
		e.Code, e.Message, e.Hint = in.Code, in.Message, in.Hint
		e.RequestID = firstOf(in.RequestID, e.RequestID)
		e.Errors = fieldErrors(in.Errors)
		if e.Message == "" {
			_ = json.Unmarshal(in.Error, &e.Message) // the older spelling of some routes
		}
	}
	if e.Message == "" {
		e.Message = http.StatusText(resp.StatusCode)
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return &AuthenticationError{e}
	case http.StatusTooManyRequests:
		wait, _ := retryAfter(resp.Header, now)
		return &RateLimitError{e, wait}
	}
	return e
}

// fieldErrors reads {field: [texts]}; a single text counts as a list of one.
func fieldErrors(raw json.RawMessage) map[string][]string {
	var in map[string]json.RawMessage
	if json.Unmarshal(raw, &in) != nil || len(in) == 0 {
		return nil
	}
	out := map[string][]string{}
	for field, v := range in {
		var list []string
		var one string
		if json.Unmarshal(v, &list) == nil {
			out[field] = list
		} else if json.Unmarshal(v, &one) == nil {
			out[field] = []string{one}
		}
	}
	return out
}
