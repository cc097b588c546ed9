package httpx

import (
	"errors"
	"io"
	"net/http"

	"parley/internal/fault"
)

// DefaultMaxBody is the length of a body that is accepted unless a route or the
// options say otherwise: 10 MiB (platform reference §1.5).
const DefaultMaxBody = 10 << 20

// maxDiscard is how much of a refused body is read and thrown away, so that a
// caller that is still sending gets to see the answer instead of a reset.
const maxDiscard = 32 << 20

func tooLarge(limit int64) *fault.Error {
	return fault.New(fault.TooLarge, "the body is longer than %d bytes; send less", limit).With("limit", limit)
}

// ReadBody reads the body once and keeps it in Body. It is called after
// authentication; an Authenticate that needs the body calls it earlier.
func (r *Request) ReadBody() ([]byte, error) {
	if r.bodyRead {
		return r.Body, r.bodyErr
	}
	r.bodyRead = true
	if r.Request.Body == nil || r.Request.Body == http.NoBody {
		return nil, nil
	}
	if enc := r.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		r.bodyErr = fault.Field("Content-Encoding", "send the body without compression; %q is not supported", printable(enc))
		return nil, r.bodyErr
	}
	body, err := io.ReadAll(r.Request.Body)
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		r.bodyErr = tooLarge(long.Limit)
	case err != nil && r.Context().Err() != nil:
		r.bodyErr = r.Context().Err()
	case err != nil:
		r.bodyErr = fault.New(fault.Invalid, "the body ended early; send the request again").Because("body")
	default:
		r.Body = body
	}
	return r.Body, r.bodyErr
}

// discard throws away what a refused caller is still sending. A caller that
// waits for "100 Continue" has not begun, so it is not asked to.
func discard(r *http.Request, original io.ReadCloser) {
	if original == nil || original == http.NoBody || r.Header.Get("Expect") != "" {
		return
	}
	_, _ = io.CopyN(io.Discard, original, maxDiscard)
}

// printable shortens foreign text for a message.
func printable(s string) string {
	if len(s) > 40 {
		s = s[:40]
	}
	return s
}
