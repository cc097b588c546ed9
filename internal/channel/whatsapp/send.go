package whatsapp

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"parley/internal/channel"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 4 << 20

// longestWait caps a Retry-After that Meta asks for.
const longestWait = 24 * time.Hour

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
	p := &parcel{body: body}
	req, err := p.request(ctx, u, token)
	if err != nil {
		return channel.Result{}, unready("the WhatsApp account's base URL is not a URL: correct its settings")
	}
	resp, err := c.doer.Do(req)
	if err != nil {
		return channel.Result{}, p.failure(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
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

// wait reads Retry-After, in seconds or as a date; 0 when there is none.
func (c *Channel) wait(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	var d time.Duration
	if n, err := strconv.Atoi(v); err == nil {
		if n > int(longestWait/time.Second) {
			return longestWait
		}
		d = time.Duration(n) * time.Second
	} else if t, err := http.ParseTime(v); err == nil {
		d = t.Sub(c.clock.Now())
	}
	return min(max(d, 0), longestWait)
}

func unready(title string) *channel.SendError {
	return &channel.SendError{Outcome: channel.Retry, Title: title, AccountWide: true, RetryAfter: setup.after}
}

// parcel is one request body that remembers whether anybody took it. A server
// cannot accept a message whose body was never read from us, so "not taken" is
// the proof that nothing was sent: name lookup, dial, TLS and egress refusals
// all end before it.
type parcel struct {
	body  []byte
	taken atomic.Bool
}

func (p *parcel) request(ctx context.Context, u *url.URL, token string) (*http.Request, error) {
	// net/http starts another attempt of a POST only when the one before wrote
	// nothing (a kept connection that the server had closed), so each attempt
	// starts clean.
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GetConn: func(string) { p.taken.Store(false) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), p.reader())
	if err != nil {
		return nil, err
	}
	req.ContentLength = int64(len(p.body))
	req.GetBody = func() (io.ReadCloser, error) { return p.reader(), nil }
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}

func (p *parcel) reader() io.ReadCloser {
	return &parcelReader{parcel: p, rest: bytes.NewReader(p.body)}
}

// failure classifies an exchange that gave no answer.
func (p *parcel) failure(err error) *channel.SendError {
	if p.taken.Load() {
		return &channel.SendError{Outcome: channel.Unknown, Title: "the provider did not answer: " + err.Error()}
	}
	return &channel.SendError{Outcome: channel.Retry, Title: "the provider could not be reached: " + err.Error()}
}

type parcelReader struct {
	parcel *parcel
	rest   *bytes.Reader
}

func (r *parcelReader) Read(b []byte) (int, error) {
	n, err := r.rest.Read(b)
	if n > 0 {
		r.parcel.taken.Store(true)
	}
	return n, err
}

func (r *parcelReader) Close() error { return nil }
