package whatsapp

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"parley/internal/channel"
	"parley/internal/channel/meta"
)

// Send hands one message to POST /{version}/{phone_number_id}/messages. Its
// error is always a *channel.SendError.
func (c *Channel) Send(ctx context.Context, a channel.Account, m channel.Outgoing) (channel.Result, error) {
	out, err := build(m)
	if err != nil {
		return channel.Result{}, &channel.SendError{Outcome: channel.Refused, Title: err.Error()}
	}
	token := a.Secrets["token"]
	if token == "" || a.ExternalID == "" {
		return channel.Result{}, unready("the WhatsApp account has no access token or phone number id: complete its settings")
	}
	u, err := c.endpoint(a, a.ExternalID, "messages")
	if err != nil {
		return channel.Result{}, unready("the WhatsApp account's base URL is not a URL: correct its settings")
	}
	body, err := json.Marshal(out)
	if err != nil {
		return channel.Result{}, &channel.SendError{Outcome: channel.Refused, Title: "the message cannot be written as JSON"}
	}
	p := meta.NewParcel(body)
	req, err := p.Request(ctx, u, token)
	if err != nil {
		return channel.Result{}, unready("the WhatsApp account's base URL is not a URL: correct its settings")
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
	return c.read(resp, answer)
}

// read judges a complete answer.
func (c *Channel) read(resp *http.Response, answer []byte) (channel.Result, error) {
	if g := readError(answer); g != nil || resp.StatusCode/100 != 2 {
		return channel.Result{}, classify(resp.StatusCode, g, c.wait(resp.Header))
	}
	var ok struct {
		Messages []struct {
			ID string `json:"id"`
		} `json:"messages"`
	}
	if err := json.Unmarshal(answer, &ok); err != nil || len(ok.Messages) == 0 || ok.Messages[0].ID == "" {
		return channel.Result{}, &channel.SendError{Outcome: channel.Unknown, Title: "the provider accepted the request but named no message"}
	}
	return channel.Result{ProviderID: ok.Messages[0].ID}, nil
}

// wait reads Retry-After; 0 when there is none.
func (c *Channel) wait(h http.Header) time.Duration { return meta.Wait(h, c.clock.Now()) }

func unready(title string) *channel.SendError {
	return &channel.SendError{Outcome: channel.Retry, Title: title, AccountWide: true, RetryAfter: setup.after}
}
