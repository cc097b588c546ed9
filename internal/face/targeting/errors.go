package targeting

import (
	"net/http"

	"parley/internal/campaign"
	"parley/internal/fault"
	"parley/internal/httpx"
)

// family is the shape of an error body (reference §1.4).
type family int

const (
	client   family = iota // {message} or {code}
	statused               // {error, status}: entities, automations, portals, tokens
	server                 // {status, message}: the Target API of §5.1
)

type messageError struct {
	Message string `json:"message"`
}

type codeError struct {
	Code string `json:"code"`
}

type statusedError struct {
	Error  string `json:"error"`
	Status int    `json:"status"`
}

type serverError struct {
	Status  int    `json:"status"`
	Message string `json:"message"`
}

// codes are the known conditions of the contract (reference §1.4), by the reasons
// that the rooms give them.
var codes = map[string]string{
	"campaign":                "CAMPAIGN_NOT_FOUND",
	campaign.ReasonNoTarget:   "CAMPAIGN_HAS_NO_TARGET",
	campaign.ReasonNoFilters:  "TARGET_WITHOUT_FILTERS",
	campaign.ReasonNoDelivery: "CAMPAIGN_HAS_NO_DELIVERY_METHOD",
	campaign.ReasonBusy:       "CAMPAIGN_HAS_JOB_IN_PROGRESS",
	campaign.ReasonStatus:     "CAMPAIGN_HAS_UNEXPECTED_STATUS",
	campaign.ReasonNoToken:    "JOB_TOKEN_MISSING",
	campaign.ReasonNextBest:   "INVALID_NEXT_BEST_ACTION",
}

// statuses maps every code of package fault.
var statuses = map[fault.Code]int{
	fault.Invalid:      http.StatusBadRequest,
	fault.Unauthorized: http.StatusUnauthorized,
	fault.Forbidden:    http.StatusForbidden,
	fault.NotFound:     http.StatusNotFound,
	fault.Conflict:     http.StatusConflict,
	fault.TooLarge:     http.StatusRequestEntityTooLarge,
	fault.WindowClosed: http.StatusConflict,
	fault.Unready:      http.StatusConflict,
	fault.Quota:        http.StatusConflict,
	fault.RateLimited:  http.StatusTooManyRequests,
	fault.Unavailable:  http.StatusServiceUnavailable,
}

// nouns are this API's words for ours (DESIGN §3).
var nouns = map[string]string{"contact": "entity", "record": "entity", "segment": "target", "automation": "automation flow", "run": "automation execution",
	"key": "access token", "tenant": "organization", "agent": "user", "bulk job": "bulk job"}

// writeError writes the error body. It is the face's only place that knows
// statuses of errors.
func (f *Face) writeError(w http.ResponseWriter, r *httpx.Request, err error) {
	var o option
	routed := false
	if r != nil {
		l, ok := f.lines[r.Method+" "+r.Pattern]
		o, routed = l.opts, ok
	}
	status, body := envelopeOf(o, routed, err)
	httpx.WriteJSON(w, status, body)
}

func envelopeOf(o option, routed bool, err error) (int, any) {
	f := fault.As(err)
	if f == nil {
		return http.StatusInternalServerError, serverError{http.StatusInternalServerError,
			"something went wrong on the server; try again, and give the operator the request id if it stays"}
	}
	status := statuses[f.Code]
	message := sentence(f)
	switch {
	case f.Code == fault.NotFound && f.Reason == "method":
		status = http.StatusMethodNotAllowed
		return status, statusedError{message, status}
	case f.Code == fault.Unauthorized, f.Code == fault.Forbidden && (f.Reason == "scope" || f.Reason == "tenant" || f.Reason == "disabled"),
		f.Code == fault.RateLimited, !routed:
		return status, statusedError{message, status}
	case status >= http.StatusInternalServerError:
		return status, serverError{status, message}
	}
	if f.Code == fault.NotFound {
		switch {
		case o.unknown != 0:
			status = o.unknown
		case o.errors == client:
			status = http.StatusBadRequest
		}
	}
	if f.Code == fault.NotFound && o.missing == server {
		return status, serverError{status, message}
	}
	if o.errors == client {
		if code, ok := codes[f.Reason]; ok {
			if f.Code != fault.NotFound {
				status = http.StatusBadRequest
			}
			return status, codeError{code}
		}
		return status, messageError{message}
	}
	if o.errors == server {
		return status, serverError{status, message}
	}
	return status, statusedError{message, status}
}

// sentence is the message of a fault in this API's words.
func sentence(f *fault.Error) string {
	switch {
	case f.Code == fault.Forbidden && f.Reason == "scope":
		scope, _ := f.Details["scope"].(string)
		return "Forbidden: the token lacks the scope " + scope
	case f.Code != fault.NotFound || f.Reason == "" || f.Reason == "route" || f.Reason == "method":
		return f.Message
	}
	noun := f.Reason
	if n, ok := nouns[noun]; ok {
		noun = n
	}
	return "there is no such " + noun
}
