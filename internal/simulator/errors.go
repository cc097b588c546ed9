package simulator

import (
	"net/http"
	"strconv"
)

// rule is one documented error: its title, the status of its HTTP answer and
// whether Meta tells it later, by a failed status of a message it had accepted.
type rule struct {
	title  string
	status int
	async  bool
}

// rules follows Meta Cloud API, "Error codes". Asynchronous are those that need
// the person's state or a download: the closed window (131047; reported for
// accepted messages, "Status messages webhook reference" and public reports),
// stopped marketing (131050; Meta Cloud API, "Marketing messages, Stop/Resume
// controls": processed, not sent, then a failed status), undeliverable (131026),
// Meta's own choice not to deliver (131049), experiments (130472), media that
// cannot be fetched (131052, 131053) and spam rate (131048). Everything else is
// the answer to the request.
var rules = map[int]rule{
	0:      {"AuthException", http.StatusUnauthorized, false},
	1:      {"API Unknown", http.StatusBadRequest, false},
	2:      {"API Service", http.StatusServiceUnavailable, false},
	3:      {"API Method", http.StatusInternalServerError, false},
	4:      {"API Too Many Calls", http.StatusBadRequest, false},
	10:     {"Permission Denied", http.StatusForbidden, false},
	33:     {"Parameter value is not valid", http.StatusBadRequest, false},
	100:    {"Invalid parameter", http.StatusBadRequest, false},
	190:    {"Access token has expired", http.StatusUnauthorized, false},
	368:    {"Temporarily blocked for policies violations", http.StatusForbidden, false},
	80007:  {"Rate limit issues", http.StatusBadRequest, false},
	130429: {"Rate limit hit", http.StatusBadRequest, false},
	130472: {"User's number is part of an experiment", http.StatusBadRequest, true},
	130497: {"Business account is restricted from messaging users in this country", http.StatusForbidden, false},
	131000: {"Something went wrong", http.StatusInternalServerError, false},
	131005: {"Access denied", http.StatusForbidden, false},
	131008: {"Required parameter is missing", http.StatusBadRequest, false},
	131009: {"Parameter value is not valid", http.StatusBadRequest, false},
	131016: {"Service unavailable", http.StatusInternalServerError, false},
	131021: {"Recipient cannot be sender", http.StatusBadRequest, false},
	131026: {"Message undeliverable", http.StatusBadRequest, true},
	131031: {"Account has been locked", http.StatusForbidden, false},
	131042: {"Business eligibility payment issue", http.StatusBadRequest, false},
	131045: {"Incorrect certificate", http.StatusInternalServerError, false},
	131047: {"Re-engagement message", http.StatusBadRequest, true},
	131048: {"Spam rate limit hit", http.StatusBadRequest, true},
	131049: {"Meta chose not to deliver", http.StatusBadRequest, true},
	131050: {"Unable to deliver the message. This recipient has chosen to stop receiving marketing messages on WhatsApp from your business", http.StatusBadRequest, true},
	131051: {"Unsupported message type", http.StatusBadRequest, false},
	131052: {"Media download error", http.StatusBadRequest, true},
	131053: {"Media upload error", http.StatusBadRequest, true},
	131056: {"Pair rate limit hit", http.StatusBadRequest, false},
	131057: {"Account in maintenance mode", http.StatusInternalServerError, false},
	132000: {"Template Param Count Mismatch", http.StatusBadRequest, false},
	132001: {"Template does not exist", http.StatusNotFound, false},
	132005: {"Template Hydrated Text Too Long", http.StatusBadRequest, false},
	132007: {"Template Format Character Policy Violated", http.StatusBadRequest, false},
	132012: {"Template Parameter Format Mismatch", http.StatusBadRequest, false},
	132015: {"Template is Paused", http.StatusBadRequest, false},
	132016: {"Template is Disabled", http.StatusBadRequest, false},
	132018: {"Template parameters issue", http.StatusBadRequest, false},
	133010: {"Phone number Not Registered", http.StatusBadRequest, false},
	133016: {"Account register deregister rate limit exceeded", http.StatusBadRequest, false},
	135000: {"Generic user error", http.StatusBadRequest, false},
}

// graphError is a refusal on its way to the answer or to a failed status.
type graphError struct {
	code    int
	subcode int
	details string
}

func refuse(code int, details string) *graphError { return &graphError{code: code, details: details} }

func (e *graphError) rule() rule {
	if r, ok := rules[e.code]; ok {
		return r
	}
	return rule{"Error", http.StatusBadRequest, false}
}

// wireError is the error of an answer; wireFailure that of a failed status
// (Meta Cloud API, "Error codes" and "Status messages webhook reference").
type wireError struct {
	Message string    `json:"message"`
	Type    string    `json:"type"`
	Code    int       `json:"code"`
	Subcode int       `json:"error_subcode,omitempty"`
	Data    *wireData `json:"error_data,omitempty"`
	Trace   string    `json:"fbtrace_id"`
}

type wireData struct {
	Product string `json:"messaging_product,omitempty"`
	Details string `json:"details"`
}

type wireFailure struct {
	Code    int      `json:"code"`
	Title   string   `json:"title"`
	Message string   `json:"message"`
	Data    wireData `json:"error_data"`
	Href    string   `json:"href"`
}

func (e *graphError) answer(trace string) wireError {
	w := wireError{
		Message: "(#" + strconv.Itoa(e.code) + ") " + e.rule().title,
		Type:    "OAuthException", Code: e.code, Subcode: e.subcode, Trace: trace,
	}
	if e.details != "" {
		w.Data = &wireData{Product: "whatsapp", Details: e.details}
	}
	return w
}

func (e *graphError) failure() wireFailure {
	return wireFailure{
		Code: e.code, Title: e.rule().title, Message: e.rule().title,
		Data: wireData{Details: e.details},
		Href: "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
	}
}
