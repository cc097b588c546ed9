package messenger

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"parley/internal/channel"
)

// rule is what an error of Meta means for our queue.
type rule struct {
	outcome     channel.Outcome
	accountWide bool
	after       time.Duration
}

var (
	// refused: this message, or this person, can have no such message.
	refused = rule{outcome: channel.Refused}
	// setup: every message of the page fails alike until somebody mends the page at
	// Meta or here. The queue waits rather than burning itself up.
	setup = rule{channel.Retry, true, 5 * time.Minute}
	busy  = rule{channel.Retry, true, time.Minute}
)

// subrules are decided by the subcode, whatever the code (Messenger Platform,
// "Error codes").
var subrules = map[int]rule{
	2018278: refused, // outside the window of 24 hours
	2018065: refused, // the same, of older versions
	2018108: refused, // the person takes no messages from the page now
	1545041: refused, // the person is not available
	2018027: refused, // the app may not write to this person
	2018028: refused, // a test user's app, and the person is none of its testers
	2018001: refused, // no such person
	2018047: refused, // our file could not be taken
	2018007: refused, // our file could not be fetched
	2018074: refused, // no such attachment id, or another page's
	2018034: refused, // empty
}

// rules are decided by the code.
var rules = map[int]rule{
	// Limits.
	4:     {channel.Retry, true, 5 * time.Minute}, // calls of the app
	17:    {channel.Retry, true, 5 * time.Minute}, // calls of the user
	32:    {channel.Retry, true, 5 * time.Minute}, // calls of the page
	80006: {channel.Retry, true, 5 * time.Minute}, // Messenger calls of the page
	613:   busy,                                   // calls of this API

	// Outages that Meta calls temporary.
	2:    {channel.Retry, true, 30 * time.Second},
	1200: {channel.Retry, false, 30 * time.Second}, // temporary failure to send
	// 1 and -1 are "unknown": they say nothing about the message.
	1:  {outcome: channel.Unknown},
	-1: {outcome: channel.Unknown},

	// The page needs a person: token, permission, policy.
	0:     setup,
	3:     setup,
	10:    setup, // permission not granted; the window has its subcode
	102:   setup,
	190:   setup,                            // the access token expired or is invalid
	200:   setup,                            // permission; people who cannot be reached have their subcode
	368:   {channel.Retry, true, time.Hour}, // blocked for a while for policy
	2022:  {channel.Retry, true, time.Hour}, // commerce messages are switched off
	10904: setup,                            // the page has messages switched off

	// This message or this person.
	100:   refused, // bad parameter, unknown person
	230:   refused, // the person disallows it
	551:   refused, // the person is not available
	10900: refused,
	10903: refused, // this person cannot be answered
}

// graphError is the error object of the Graph API.
type graphError struct {
	Message   string `json:"message"`
	Code      int    `json:"code"`
	Subcode   int    `json:"error_subcode"`
	UserTitle string `json:"error_user_title"`
}

func (g *graphError) words() string {
	switch {
	case g.Message != "":
		return g.Message
	case g.UserTitle != "":
		return g.UserTitle
	}
	return "Meta refused the message with code " + strconv.Itoa(g.Code)
}

// readError finds the error object in an answer, or nil when there is none.
func readError(body []byte) *graphError {
	var b struct {
		Error *graphError `json:"error"`
	}
	if json.Unmarshal(body, &b) != nil || b.Error == nil || *b.Error == (graphError{}) {
		return nil
	}
	return b.Error
}

// classify turns an answer that is not a success into an outcome. The subcode
// decides, then the code; what neither table knows is a refusal below 500 and
// unknown from 500 on, where Meta may have failed after it took the message.
// Without an error object nobody at Meta has spoken: 5xx and 408 may come from a
// gateway that lost a taken message; any other answer means that the base URL is
// wrong, which stops the account and not the message.
func classify(status int, g *graphError, wait time.Duration) *channel.SendError {
	e := &channel.SendError{RetryAfter: wait}
	if g == nil {
		e.Title = "the provider answered " + strconv.Itoa(status) + " without saying why"
		switch {
		case status == http.StatusTooManyRequests:
			e.Outcome, e.AccountWide, e.RetryAfter = channel.Retry, true, max(wait, busy.after)
		case status >= 500, status == http.StatusRequestTimeout:
			e.Outcome = channel.Unknown
		default:
			e.Outcome, e.AccountWide = channel.Retry, true
			e.RetryAfter = max(wait, time.Minute)
		}
		return e
	}
	e.Code, e.Title = g.Code, g.words()
	r, known := subrules[g.Subcode]
	if known {
		e.Code = g.Subcode
	} else {
		r, known = rules[g.Code]
	}
	switch {
	case known:
	case g.Code > 200 && g.Code <= 299: // a permission is missing
		r = setup
	case status == http.StatusTooManyRequests:
		r = busy
	case status >= 500:
		r = rule{outcome: channel.Unknown}
	default:
		r = refused
	}
	if (g.Code == 1 || g.Code == -1) && status < 500 { // Meta blames the request
		r = refused
	}
	e.Outcome, e.AccountWide, e.RetryAfter = r.outcome, r.accountWide, max(wait, r.after)
	return e
}
