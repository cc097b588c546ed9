package sales

import (
	"net/http"
	"regexp"
	"strings"

	"parley/internal/fault"
	"parley/internal/httpx"
)

// answer is the status of one kind of fault with its code and summary.
type answer struct {
	status        int
	code, summary string
}

// answers maps every code of package fault (reference §1.5).
var answers = map[fault.Code]answer{
	fault.Invalid:      {http.StatusBadRequest, "SCHEMA_VALIDATION_FAILED", "ValidationError"},
	fault.Unauthorized: {http.StatusUnauthorized, "INVALID_API_KEY", "AuthenticationError"},
	fault.Forbidden:    {http.StatusForbidden, "INVALID_SCOPE", "AuthorizationError"},
	fault.NotFound:     {http.StatusNotFound, "NOT_FOUND", "NotFoundError"},
	fault.Conflict:     {http.StatusConflict, "CONFLICT", "ConflictError"},
	fault.TooLarge:     {http.StatusRequestEntityTooLarge, "FILE_TOO_LARGE", "ValidationError"},
	fault.WindowClosed: {http.StatusConflict, "CONVERSATION_WINDOW_CLOSED", "ConflictError"},
	fault.Unready:      {http.StatusConflict, "NOT_READY", "ConflictError"},
	fault.Quota:        {http.StatusConflict, "QUOTA_EXCEEDED", "ConflictError"},
	fault.RateLimited:  {http.StatusTooManyRequests, "RATE_LIMITED", "RateLimitError"},
	fault.Unavailable:  {http.StatusServiceUnavailable, "SERVICE_UNAVAILABLE", "UnavailableError"},
}

// Reasons that this face gives faults itself.
const (
	reasonID        = "id"
	reasonRange     = "date range"
	reasonFilter    = "filter"
	reasonParameter = "template parameter"
	reasonRefused   = "refused" // a business refusal (§1.5, UNEXPECTED_ERROR)
)

// cause is a code with its finer reason.
type cause struct {
	code   fault.Code
	reason string
}

// finer are the reasons that have an answer of their own.
var finer = map[cause]answer{
	{fault.Invalid, reasonID}:        {http.StatusBadRequest, "INVALID_ID", "ValidationError"},
	{fault.Invalid, reasonRange}:     {http.StatusBadRequest, "INVALID_DATE_RANGE", "ValidationError"},
	{fault.Invalid, reasonFilter}:    {http.StatusBadRequest, "INVALID_FILTER", "ValidationError"},
	{fault.Invalid, reasonParameter}: {http.StatusBadRequest, "INVALID_TEMPLATE_PARAMETER", "ValidationError"},
	{fault.Invalid, reasonRefused}:   {http.StatusBadRequest, "UNEXPECTED_ERROR", "UnexpectedError"},
	{fault.Forbidden, "disabled"}:    {http.StatusForbidden, "INTEGRATION_DISABLED", "AuthorizationError"},
	{fault.Forbidden, "tenant"}:      {http.StatusForbidden, "INTEGRATION_DISABLED", "AuthorizationError"},
	{fault.Conflict, "no user"}:      {http.StatusConflict, "INTEGRATION_HAS_NO_USER", "ConflictError"},
	{fault.Forbidden, "consent"}:     {http.StatusConflict, "PROSPECT_OPTED_OUT", "ConflictError"},
	{fault.NotFound, "method"}:       {http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "NotFoundError"},
}

// nouns are this API's words for ours (DESIGN §3).
var nouns = map[string]string{"contact": "prospect", "handover": "prospect", "key": "integration", "tenant": "account", "deal": "prospect"}

// failure is the error body: all three fields, always (reference §1.5).
type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Summary string `json:"summary"`
	// RequestID is there for errors of ours, for the operator.
	RequestID string `json:"requestId,omitempty"`
}

// writeError writes the error body, as JSON even when CSV was asked for. It is
// the face's only place that knows statuses of errors.
func writeError(w http.ResponseWriter, r *httpx.Request, err error) {
	status, body := envelopeOf(err)
	if status >= http.StatusInternalServerError && r != nil {
		body.RequestID = r.RequestID
	}
	httpx.WriteJSON(w, status, body)
}

func envelopeOf(err error) (int, failure) {
	f := fault.As(err)
	if f == nil {
		return http.StatusInternalServerError, failure{Code: "INTERNAL_ERROR", Summary: "UnexpectedError",
			Message: "something went wrong on the server; try again, and give the operator the request id if it stays"}
	}
	a, ok := finer[cause{f.Code, f.Reason}]
	if !ok {
		a = answers[f.Code]
	}
	return a.status, failure{Code: a.code, Message: sentence(f), Summary: a.summary}
}

// sentence is the message: it names the scope that a key lacks, and says the
// same for every unknown id.
func sentence(f *fault.Error) string {
	switch {
	case f.Code == fault.Forbidden && f.Reason == "scope":
		scope, _ := f.Details["scope"].(string)
		return "this integration lacks the scope " + short(scope) + "; use one that has it"
	case f.Code != fault.NotFound || f.Reason == "" || f.Reason == "route" || f.Reason == "method":
		return inOurWords(f.Message)
	}
	noun := f.Reason
	if n, ok := nouns[noun]; ok {
		noun = n
	}
	return "there is no such " + noun
}

// spoken are the words of the rooms that this API has others for.
var spoken = regexp.MustCompile(`(^|[ (])(contacts?|attributes)\b([^.:\[]|\.?$|\. )`)

// inOurWords says a sentence of a room in this API's words, and leaves names of
// fields such as attachment.contacts alone.
func inOurWords(s string) string {
	return spoken.ReplaceAllStringFunc(s, func(m string) string {
		return strings.NewReplacer("contact", "prospect", "attributes", "additionalData").Replace(m)
	})
}
