package messenger

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"parley/internal/channel"
	"parley/internal/channel/meta"
)

const badBase = "the Messenger account's base URL is not a URL: correct its settings"

// Send hands one message to POST /{version}/{page}/messages. Its error is always
// a *channel.SendError.
func (c *Channel) Send(ctx context.Context, a channel.Account, m channel.Outgoing) (channel.Result, error) {
	out, err := build(m)
	if err != nil {
		return channel.Result{}, &channel.SendError{Outcome: channel.Refused, Title: err.Error()}
	}
	token := a.Secrets["token"]
	if token == "" || a.ExternalID == "" {
		return channel.Result{}, unready("the Messenger account has no access token or page id: complete its settings")
	}
	u, err := c.endpoint(a, a.ExternalID, "messages")
	if err != nil {
		return channel.Result{}, unready(badBase)
	}
	body, err := json.Marshal(out)
	if err != nil {
		return channel.Result{}, &channel.SendError{Outcome: channel.Refused, Title: "the message cannot be written as JSON"}
	}
	p := meta.NewParcel(body)
	req, err := p.Request(ctx, u, token)
	if err != nil {
		return channel.Result{}, unready(badBase)
	}
	resp, err := c.doer.Do(req)
	if err != nil {
		return channel.Result{}, p.Failure(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, meta.MaxAnswer))
	if err != nil {
		if resp.StatusCode/100 == 2 {
			return channel.Result{}, &channel.SendError{Outcome: channel.Unknown, Title: "the provider's answer broke off: " + err.Error()}
		}
		answer = nil
	}
	if g := readError(answer); g != nil || resp.StatusCode/100 != 2 {
		return channel.Result{}, classify(resp.StatusCode, g, meta.Wait(resp.Header, c.clock.Now()))
	}
	var ok struct {
		MessageID string `json:"message_id"`
	}
	if err := json.Unmarshal(answer, &ok); err != nil || ok.MessageID == "" {
		return channel.Result{}, &channel.SendError{Outcome: channel.Unknown, Title: "the provider accepted the request but named no message"}
	}
	return channel.Result{ProviderID: ok.MessageID}, nil
}

func unready(title string) *channel.SendError {
	return &channel.SendError{Outcome: channel.Retry, Title: title, AccountWide: true, RetryAfter: setup.after}
}

// judge is what an answer to something that may be repeated is as an error: there is
// nothing that could have happened unseen.
func (c *Channel) judge(resp *http.Response, answer []byte) error {
	if resp.StatusCode/100 == 2 && readError(answer) == nil {
		return nil
	}
	e := classify(resp.StatusCode, readError(answer), meta.Wait(resp.Header, c.clock.Now()))
	if e.Outcome == channel.Unknown {
		e.Outcome = channel.Retry
	}
	if resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone {
		e.Outcome, e.AccountWide = channel.Refused, false
	}
	return e
}
