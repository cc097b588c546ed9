// Package fault is the vocabulary of things that go wrong and that a caller can
// do something about. Every room returns its errors; each face maps the codes
// to its own statuses and envelope in one file. It knows no noun.
//
// An error that is not a *Error is a defect or an outage of ours: faces answer
// it as an internal error and never show its text.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Code classifies a fault. The set is closed: a face must map every code.
type Code string

// The codes. The comment names what the caller can do.
const (
	Invalid      Code = "invalid"       // mend the named field
	Unauthorized Code = "unauthorized"  // send a valid key
	Forbidden    Code = "forbidden"     // use a key that may
	NotFound     Code = "not_found"     // use an id that exists
	Conflict     Code = "conflict"      // read the present state, then decide
	TooLarge     Code = "too_large"     // send less
	WindowClosed Code = "window_closed" // send a template instead of free text
	Unready      Code = "unready"       // finish the set-up that the message names
	Quota        Code = "quota"         // wait for or buy more
	RateLimited  Code = "rate_limited"  // wait RetryAfter
	Unavailable  Code = "unavailable"   // try again after RetryAfter
)

// Codes lists every code, for the tests that prove a face maps them all.
var Codes = []Code{Invalid, Unauthorized, Forbidden, NotFound, Conflict, TooLarge, WindowClosed, Unready, Quota, RateLimited, Unavailable}

// Error is a fault with the field it concerns and a sentence for the user.
type Error struct {
	Code    Code
	Field   string // dotted path of the input field, "" when none is to blame
	Reason  string // a finer name inside the code, e.g. "phone", "trigger"; "" when none
	Message string // what is wrong and what to do, one sentence
	// RetryAfter is how long to wait, for RateLimited and Unavailable.
	RetryAfter time.Duration
	// Details are extra facts a face may show, such as the id of the holder of a
	// duplicate phone. Never secrets.
	Details map[string]any
	// Fields holds further complaints when several fields are wrong at once.
	Fields []*Error
}

// Error returns the message with its field.
func (e *Error) Error() string {
	if e.Field != "" {
		return e.Field + ": " + e.Message
	}
	return e.Message
}

// Is lets errors.Is compare faults by code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Field == "" && t.Message == ""
}

// Of returns a bare fault of a code, for errors.Is.
func Of(c Code) *Error { return &Error{Code: c} }

// New returns a fault that no single field is to blame for.
func New(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Message: fmt.Sprintf(format, args...)}
}

// Field returns an Invalid fault of one input field.
func Field(field, format string, args ...any) *Error {
	return &Error{Code: Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Missing returns an Invalid fault for a required field that is absent.
func Missing(field string) *Error {
	return &Error{Code: Invalid, Field: field, Reason: "missing", Message: field + " is required"}
}

// Unknown returns a NotFound fault for a noun ("lead", "pipeline").
func Unknown(noun string) *Error {
	return &Error{Code: NotFound, Reason: noun, Message: "there is no such " + noun}
}

// Because returns e with a finer reason.
func (e *Error) Because(reason string) *Error {
	c := *e
	c.Reason = reason
	return &c
}

// With returns e with one more detail.
func (e *Error) With(key string, value any) *Error {
	c := *e
	c.Details = map[string]any{key: value}
	for k, v := range e.Details {
		c.Details[k] = v
	}
	return &c
}

// After returns e with a time to wait.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// As returns the fault inside err, or nil when err is not one.
func As(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// Collector gathers complaints about several fields into one fault.
type Collector struct{ list []*Error }

// Add records a complaint; nil is ignored.
func (c *Collector) Add(err error) {
	if e := As(err); e != nil {
		c.list = append(c.list, e)
	}
}

// Err returns nil, the only complaint, or one fault that carries them all.
func (c *Collector) Err() error {
	switch len(c.list) {
	case 0:
		return nil
	case 1:
		return c.list[0]
	}
	first := *c.list[0]
	first.Fields = c.list[1:]
	return &first
}
