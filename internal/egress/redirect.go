package egress

import (
	"context"
	"io"
	"net/http"

	"parley/internal/fault"
)

// harmless are the headers that may follow a redirect to another host. All
// others may be credentials under a name of the caller's choice.
var harmless = []string{"Accept", "Accept-Language", "Content-Type", "User-Agent"}

type stays struct{}

// Stay returns a context whose requests take a redirect as the answer.
func Stay(ctx context.Context) context.Context { return context.WithValue(ctx, stays{}, true) }

// redirects applies the rules to each hop; the address itself is checked when
// its connection is made.
func redirects(limit int) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		if limit < 0 || req.Context().Value(stays{}) != nil {
			return http.ErrUseLastResponse
		}
		if len(via) > limit {
			return fault.New(fault.Invalid, "the address redirects more than %d times", limit).Because("egress")
		}
		if err := checkURL(req.URL); err != nil {
			return err
		}
		last := via[len(via)-1].URL
		if last.Scheme == "https" && req.URL.Scheme != "https" {
			return fault.New(fault.Invalid, "the address redirects from https to http").Because("egress")
		}
		req.Header.Del("Referer") // the address may hold a token
		moved := false
		for _, v := range via {
			moved = moved || v.URL.Host != req.URL.Host || v.URL.Scheme != req.URL.Scheme
		}
		if moved {
			keep := http.Header{}
			for _, k := range harmless {
				if v := req.Header.Values(k); len(v) > 0 {
					keep[k] = v
				}
			}
			req.Header = keep
		}
		return nil
	}
}

// capped limits the length of answers.
type capped struct {
	next *http.Transport
	max  int64
}

// RoundTrip refuses answers that announce more than the cap, and cuts the
// others off there.
func (c *capped) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.ContentLength > c.max && req.Method != http.MethodHead {
		resp.Body.Close()
		return nil, tooLong(c.max)
	}
	resp.Body = &cappedBody{ReadCloser: resp.Body, left: c.max, max: c.max}
	return resp, nil
}

func tooLong(limit int64) error {
	return fault.New(fault.TooLarge, "the answer is longer than %d bytes", limit).Because("egress")
}

// cappedBody gives at most max bytes and then an error instead of a silent end.
type cappedBody struct {
	io.ReadCloser
	left, max int64
}

func (b *cappedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, tooLong(b.max)
	}
	if int64(len(p)) > b.left+1 { // one more tells a full answer from a longer one
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if int64(n) > b.left {
		n, b.left = int(b.left), -1
		return n, tooLong(b.max)
	}
	b.left -= int64(n)
	return n, err
}
