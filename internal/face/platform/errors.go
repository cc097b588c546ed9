package platform

import (
	"errors"
	"net/http"
	"strings"

	"parley/internal/fault"
	"parley/internal/httpx"
)

// answer is the status and the code string of one kind of fault.
type answer struct {
	status int
	code   string
}

// answers maps every code of package fault (reference §1.5). Where the
// reference names no code for a status, ours follows its style.
var answers = map[fault.Code]answer{
	fault.Invalid:      {http.StatusBadRequest, "VALIDATION_ERROR"},
	fault.Unauthorized: {http.StatusUnauthorized, "UNAUTHORIZED"},
	fault.Forbidden:    {http.StatusForbidden, "FORBIDDEN"},
	fault.NotFound:     {http.StatusNotFound, "NOT_FOUND"},
	fault.Conflict:     {http.StatusConflict, "CONFLICT"},
	fault.TooLarge:     {http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE"},
	fault.WindowClosed: {http.StatusUnprocessableEntity, "UNPROCESSABLE"},
	fault.Unready:      {http.StatusUnprocessableEntity, "UNPROCESSABLE"},
	fault.Quota:        {http.StatusPaymentRequired, "QUOTA_EXCEEDED"}, // not 429: the SDK would retry
	fault.RateLimited:  {http.StatusTooManyRequests, "RATE_LIMITED"},
	fault.Unavailable:  {http.StatusServiceUnavailable, "UNAVAILABLE"},
}

// cause is a code with its finer reason.
type cause struct {
	code   fault.Code
	reason string
}

// finer are the reasons that have an answer of their own.
var finer = map[cause]answer{
	{fault.Invalid, "missing"}:      {http.StatusBadRequest, "MISSING_REQUIRED"},
	{fault.Invalid, "trigger"}:      {http.StatusBadRequest, "INVALID_TRIGGER"},
	{fault.Invalid, "phone"}:        {http.StatusBadRequest, "INVALID_PHONE"},
	{fault.NotFound, "method"}:      {http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED"},
	{fault.NotFound, reasonTrigger}: {http.StatusNotFound, "LEAD_NOT_FOUND"},
	{fault.Unready, "template"}:     {http.StatusUnprocessableEntity, "TEMPLATE_NOT_READY"},
	{fault.Unready, reasonSync}:     {http.StatusBadRequest, "VALIDATION_ERROR"}, // §2.3: 400 without WhatsApp credentials
}

// Reasons that this face gives faults itself.
const (
	reasonTrigger = "lead of a trigger"
	reasonSync    = "templates sync"
)

// hint is what a trigger for an unknown person is told (reference §1.5).
const hint = "Send createLeadIfMissing: true to create the lead on the way."

// nouns are the platform's words for ours (DESIGN §3).
var nouns = map[string]string{
	"contact": "lead", "deal": "lead", "rule": "automation", "trigger log": "event log",
}

// failure is the error envelope (reference §1.3).
type failure struct {
	Success bool                `json:"success"`
	Message string              `json:"message"`
	Code    string              `json:"code"`
	Errors  map[string][]string `json:"errors,omitempty"`
	Error   string              `json:"error,omitempty"` // malformed JSON only
	Hint    string              `json:"hint,omitempty"`
	LeadID  string              `json:"leadId,omitempty"` // the holder of a duplicate phone
	Owner   any                 `json:"owner,omitempty"`  // who holds a conversation that was not moved
	// EnrollmentID is the enrollment that a lead is in already (§4.5).
	EnrollmentID string `json:"enrollmentId,omitempty"`
	Details      any    `json:"details,omitempty"`   // what a template lacks (§2.5)
	RequestID    string `json:"requestId,omitempty"` // answers of 5xx, for the operator
}

// defect is an error of ours with the code string its route gives it.
type defect struct {
	code string
	err  error
}

func (d *defect) Error() string { return d.err.Error() }
func (d *defect) Unwrap() error { return d.err }

// orDefect gives errors that are no faults the route's own code of a 500.
func orDefect(err error, code string) error {
	if err == nil || fault.As(err) != nil {
		return err
	}
	return &defect{code, err}
}

// writeError writes the error envelope. It is the face's only place that knows
// statuses of errors.
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
		code := "INTERNAL_ERROR"
		var d *defect
		if errors.As(err, &d) {
			code = d.code
		}
		return http.StatusInternalServerError, failure{Code: code,
			Message: "something went wrong on the server; try again, and give the operator the request id if it stays"}
	}
	a, ok := finer[cause{f.Code, f.Reason}]
	if !ok {
		a = answers[f.Code]
	}
	out := failure{Message: sentence(f), Code: a.code, Errors: fields(f)}
	switch {
	case f.Reason == "json":
		out.Error = f.Message // §1.3: old clients read "error"
	case f.Reason == reasonTrigger:
		out.Hint = hint
	case f.Code == fault.Conflict:
		out.LeadID, out.Owner = text(f.Details["contactId"]), f.Details["owner"]
		out.EnrollmentID = text(f.Details["enrollmentId"])
	case f.Code == fault.Unready:
		out.Details = f.Details["issues"]
	}
	return a.status, out
}

// sentence is the message; an unknown id speaks of the platform's noun and says
// the same for every id.
func sentence(f *fault.Error) string {
	if f.Code != fault.NotFound {
		return f.Message
	}
	switch f.Reason {
	case "", "route", "method":
		return f.Message
	case reasonTrigger:
		return "there is no lead with this phone, email or id"
	}
	noun := f.Reason
	if n, ok := nouns[noun]; ok {
		noun = n
	}
	return "there is no such " + noun
}

// fields lists every complaint under its field.
func fields(f *fault.Error) map[string][]string {
	var out map[string][]string
	for _, e := range append([]*fault.Error{f}, f.Fields...) {
		if e.Field == "" {
			continue
		}
		if out == nil {
			out = map[string][]string{}
		}
		out[e.Field] = append(out[e.Field], sentence(e))
	}
	return out
}

// under puts a path before the fields of a fault: "leads[3]" + "phone".
func under(err error, path string) error {
	f := fault.As(err)
	if f == nil {
		return err
	}
	c := *f
	if c.Field = path; f.Field != "" {
		c.Field = path + "." + f.Field
	}
	// A message that begins with the name of its field begins with the path then.
	name := f.Field
	if name == "" && f.Reason == "json" {
		name, c.Reason = "the body", ""
	}
	if rest, ok := strings.CutPrefix(c.Message, name+" "); ok && name != "" {
		c.Message = c.Field + " " + rest
	}
	c.Fields = nil
	for _, e := range f.Fields {
		if moved := fault.As(under(e, path)); moved != nil {
			c.Fields = append(c.Fields, moved)
		}
	}
	return &c
}

// elsewhere marks a NotFound as that of a field of the body.
func elsewhere(err error, reason, field string) error {
	if f := fault.As(err); f != nil && f.Code == fault.NotFound && f.Reason == reason && f.Field == "" {
		c := *f
		c.Field = field
		return &c
	}
	return err
}

func text(v any) string {
	switch t := v.(type) {
	case string:
		return t
	case interface{ String() string }:
		return t.String()
	}
	return ""
}
