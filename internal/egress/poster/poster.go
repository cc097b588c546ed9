// Package poster gives webhook deliveries their way out: it turns the calls of
// the webhook room into HTTP requests through egress. Only the server builds one.
package poster

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"parley/internal/egress"
	"parley/internal/fault"
	"parley/internal/webhook"
)

// kept is how much of an answer is read; the room keeps less.
const kept = 64 << 10

// Poster is a webhook.Sender. It is safe for concurrent use.
type Poster struct{ client *egress.Client }

var _ webhook.Sender = (*Poster)(nil)

// New returns a sender through client. The client's own timeout should be
// longer than any delivery policy's.
func New(client *egress.Client) *Poster { return &Poster{client} }

// Post makes one call within r.Timeout. An address that is not allowed is the
// fault that egress returned.
func (p *Poster) Post(ctx context.Context, r webhook.Request) (webhook.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	if r.Stay {
		ctx = egress.Stay(ctx)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return webhook.Response{}, fault.Field("url", "the URL cannot be called")
	}
	req.Header.Set("User-Agent", "Parley-Webhook/1")
	for k, v := range r.Header {
		req.Header.Set(k, v)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return webhook.Response{}, err
	}
	defer func() { _ = res.Body.Close() }()
	// The status is the answer; a body that breaks off does not take it back.
	body, _ := io.ReadAll(io.LimitReader(res.Body, kept))
	return webhook.Response{Status: res.StatusCode, Body: body}, nil
}
