package whatsapp

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"parley/internal/channel"
)

// rule is what an error code of Meta means for our queue.
type rule struct {
	outcome     channel.Outcome
	accountWide bool
	after       time.Duration
}

var (
	// refused: this message, or this person, can have no such message.
	refused = rule{outcome: channel.Refused}
	// setup: every message of the account fails alike until somebody mends the
	// account at Meta or here. The queue waits rather than burning itself up.
	setup = rule{channel.Retry, true, 5 * time.Minute}
)

// rules classifies the codes of Meta Cloud API, "Error codes". A code that is
// not here is judged by its HTTP status, see classify.
var rules = map[int]rule{
	// Limits.
	4:      {channel.Retry, true, 5 * time.Minute},  // calls of the app within its hour
	80007:  {channel.Retry, true, 5 * time.Minute},  // calls of the business account within its hour
	130429: {channel.Retry, true, 2 * time.Second},  // throughput of the number
	131048: {channel.Retry, true, time.Hour},        // spam rate: earlier messages were blocked or flagged
	131056: {channel.Retry, false, 6 * time.Second}, // pair rate: only this person has to wait
	133016: {channel.Retry, true, time.Hour},        // too many registrations of the number

	// Outages that Meta calls temporary and tells us to retry.
	2:      {channel.Retry, true, 30 * time.Second},
	131016: {channel.Retry, true, 30 * time.Second},
	131057: {channel.Retry, true, 5 * time.Minute}, // the number is in maintenance, e.g. being upgraded
	// 131000 is documented as "failed to send" with the advice to try again, so
	// it is certainly not sent. It may be this message's own fault: only this
	// one waits.
	131000: {channel.Retry, false, 30 * time.Second},
	// 1 is "possibly a server error": it says nothing about the message.
	1: {outcome: channel.Unknown},

	// The account needs a person: token, permission, registration, payment.
	// Refusing would throw away a whole queue because a token ran out.
	0:      setup,                            // authentication failed
	3:      setup,                            // the app lacks the capability
	10:     setup,                            // permission not granted or removed
	190:    setup,                            // the access token expired or is invalid
	368:    {channel.Retry, true, time.Hour}, // blocked for a while for policy
	131005: setup,                            // access denied
	131031: {channel.Retry, true, time.Hour}, // the account is locked
	131037: setup,                            // the display name is not approved yet
	131042: setup,                            // payment
	131045: setup,                            // certificate of the number
	133010: setup,                            // the number is not registered

	// This message or this person.
	33:     refused, // the number was deleted
	100:    refused, // bad parameter
	130472: refused, // the person is in an experiment of Meta
	130497: refused, // this country is not open to the business
	131008: refused, // parameter missing
	131009: refused, // parameter value
	131021: refused, // the sender itself
	131026: refused, // undeliverable: not on WhatsApp, too old an app ...
	131047: refused, // the window of 24 hours is closed: a template is needed
	131049: refused, // Meta keeps marketing rare for this person; repeating makes it worse
	131050: refused, // the person stopped marketing
	131051: refused, // message type
	131052: refused, // their file could not be fetched
	131053: refused, // our file could not be fetched
	132000: refused, // number of parameters
	132001: refused, // no such template in that language, or not approved
	132005: refused, // text too long once filled
	132007: refused, // content policy
	132012: refused, // format of a parameter
	132015: refused, // paused
	132016: refused, // disabled
	132018: refused, // parameters
	132068: refused, // flow blocked
	132069: refused, // flow throttled
	134011: refused, // payments terms
	135000: refused, // wrong request
}

// graphError is the error object of the Graph API and of status webhooks
// (Meta Cloud API, "Error codes").
type graphError struct {
	Message string `json:"message"`
	Title   string `json:"title"` // webhooks only
	Code    int    `json:"code"`
	Subcode int    `json:"error_subcode"`
	Data    struct {
		Details string `json:"details"`
	} `json:"error_data"`
}

// words joins Meta's message and details, which often differ.
func (g *graphError) words() string {
	s := g.Message
	if s == "" {
		s = g.Title
	}
	if d := g.Data.Details; d != "" && !strings.Contains(s, d) {
		if s != "" {
			s = strings.TrimSuffix(s, ".") + ": "
		}
		s += d
	}
	if s == "" {
		s = "Meta refused the message with code " + strconv.Itoa(g.Code)
	}
	return s
}

// readError finds the error object in an answer, or nil when there is none.
func readError(body []byte) *graphError {
	var b struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &b) != nil || len(b.Error) == 0 {
		return nil
	}
	var g graphError
	if json.Unmarshal(b.Error, &g) != nil {
		return nil
	}
	if g == (graphError{}) {
		return nil
	}
	return &g
}

// classify turns an answer that is not a success into an outcome. With an
// error object the code decides; codes this table does not know are refusals
// below 500 and unknown from 500 on, where Meta may have failed after it took
// the message. Without an object nobody at Meta has spoken: 5xx and 408 may
// come from a gateway that lost a taken message; any other answer means that
// the base URL is wrong, which stops the account and not the message.
func classify(status int, g *graphError, wait time.Duration) *channel.SendError {
	e := &channel.SendError{RetryAfter: wait}
	if g == nil {
		e.Title = "the provider answered " + strconv.Itoa(status) + " without saying why"
		switch {
		case status == http.StatusTooManyRequests:
			e.Outcome, e.AccountWide, e.RetryAfter = channel.Retry, true, max(wait, rules[4].after)
		case status >= 500, status == http.StatusRequestTimeout:
			e.Outcome = channel.Unknown
		default:
			e.Outcome, e.AccountWide = channel.Retry, true
			e.RetryAfter = max(wait, time.Minute)
		}
		return e
	}
	e.Code, e.Title = g.Code, g.words()
	r, known := rules[g.Code]
	switch {
	case known:
	case g.Code >= 200 && g.Code <= 299: // a permission is missing
		r = setup
	case status == http.StatusTooManyRequests:
		r = rules[4]
	case status >= 500:
		r = rule{outcome: channel.Unknown}
	default:
		r = refused
	}
	if g.Code == 1 && status < 500 { // "invalid request" when Meta blames us
		r = refused
	}
	e.Outcome, e.AccountWide, e.RetryAfter = r.outcome, r.accountWide, max(wait, r.after)
	return e
}
