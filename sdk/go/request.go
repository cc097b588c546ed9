package parley

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxAnswer bounds the answer that is read, in bytes.
const maxAnswer = 64 << 20

// request is a call before it is sent.
type request struct {
	method, path string
	query        url.Values
	header       http.Header
	key          string // idempotency
	body         any
	content      *content // instead of body
}

// content is a body that is no JSON. Open is called once for each try.
type content struct {
	kind string
	size int64
	open func() io.Reader
}

func newRequest(method, path string, query url.Values, body any, opts []CallOption) *request {
	r := &request{method: method, path: path, query: url.Values{}, header: http.Header{}, body: body}
	for name, v := range query {
		r.query[name] = v
	}
	for _, o := range opts {
		o(r)
	}
	return r
}

// changes says whether the call needs an idempotency key.
func (r *request) changes() bool {
	switch r.method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return true
}

// do sends r until it succeeds, fails for good, or has been tried enough, and
// returns the body of the answer.
func (c *Client) do(ctx context.Context, r *request) ([]byte, error) {
	if !strings.HasPrefix(r.path, "/") {
		r.path = "/" + r.path
	}
	var raw []byte
	if r.body != nil && r.content == nil {
		var err error
		if raw, err = json.Marshal(r.body); err != nil {
			return nil, fmt.Errorf("parley: %s %s: the body cannot be written as JSON: %w", r.method, r.path, err)
		}
	}
	if r.changes() && r.key == "" {
		r.key = rand.Text()
	}
	for try := 0; ; try++ {
		answer, again, wait, err := c.try(ctx, r, raw)
		if err == nil {
			return answer, nil
		}
		if ctx.Err() != nil {
			return nil, errors.Join(err, ctx.Err())
		}
		if !again || try >= c.cfg.maxRetries || wait > maxWait {
			return nil, err
		}
		wait = max(wait, c.pause(try))
		c.cfg.log.Info("parley: trying again", "method", r.method, "path", r.path, "try", try+1, "wait", wait, "error", err)
		select {
		case <-c.cfg.clock.After(wait):
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		}
	}
}

// try sends r once. again says that a failure may pass, wait what the server
// asks to wait.
func (c *Client) try(ctx context.Context, r *request, raw []byte) (answer []byte, again bool, wait waitTime, err error) {
	if c.cfg.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.cfg.timeout)
		defer cancel()
	}
	req, err := c.build(ctx, r, raw)
	if err != nil {
		return nil, false, 0, err
	}
	resp, err := c.cfg.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the URL is told below without its query
		}
		return nil, !errors.Is(err, errRedirect), 0, fmt.Errorf("parley: %s %s: %w", r.method, r.path, err)
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, true, 0, fmt.Errorf("parley: %s %s: the answer broke off: %w", r.method, r.path, err)
	}
	if len(answer) > maxAnswer {
		return nil, false, 0, fmt.Errorf("parley: %s %s: the answer is larger than %d MB", r.method, r.path, maxAnswer>>20)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		wait, told := retryAfter(resp.Header, c.cfg.clock.Now())
		return nil, passes(resp.StatusCode, told), wait, errorOf(r, resp, answer, c.cfg.clock.Now())
	}
	return answer, false, 0, nil
}

func (c *Client) build(ctx context.Context, r *request, raw []byte) (*http.Request, error) {
	target := c.cfg.baseURL + r.path
	if len(r.query) > 0 {
		sep := "?"
		if strings.Contains(r.path, "?") {
			sep = "&"
		}
		target += sep + r.query.Encode()
	}
	var body io.Reader
	kind := "application/json"
	if r.content != nil {
		body, kind = r.content.open(), r.content.kind
	} else if raw != nil {
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, fmt.Errorf("parley: %s %s: %w", r.method, r.path, err)
	}
	if r.content != nil {
		req.ContentLength = r.content.size
	}
	h := req.Header
	h.Set("Accept", "application/json")
	h.Set("User-Agent", c.cfg.userAgent)
	h.Set("X-Api-Key", c.cfg.apiKey)
	if c.cfg.clientCode != "" {
		h.Set("X-Client-Code", c.cfg.clientCode)
	}
	if body != nil {
		h.Set("Content-Type", kind)
	}
	if r.key != "" {
		h.Set("Idempotency-Key", r.key)
	}
	for name, v := range r.header {
		h[name] = v
	}
	return req, nil
}

// envelope is what surrounds every answer.
type envelope[T any] struct {
	Data T `json:"data"`
}

// call sends body and reads the data of the answer.
func call[T any](ctx context.Context, c *Client, method, path string, query url.Values, body any, opts []CallOption) (T, error) {
	return read[T](ctx, c, newRequest(method, path, query, body, opts))
}

func read[T any](ctx context.Context, c *Client, r *request) (T, error) {
	var e envelope[T]
	answer, err := c.do(ctx, r)
	if err != nil {
		return e.Data, err
	}
	if err := json.Unmarshal(answer, &e); err != nil {
		return e.Data, fmt.Errorf("parley: %s %s answered with something else than expected: %w", r.method, r.path, err)
	}
	return e.Data, nil
}

// perform sends body and wants to know only whether it worked.
func perform(ctx context.Context, c *Client, method, path string, body any, opts []CallOption) error {
	_, err := c.do(ctx, newRequest(method, path, nil, body, opts))
	return err
}

// at joins a path, each value escaped.
func at(base string, parts ...string) string {
	var b strings.Builder
	b.WriteString(base)
	for _, p := range parts {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(p))
	}
	return b.String()
}
