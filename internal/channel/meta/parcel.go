package meta

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"

	"parley/internal/channel"
)

// Parcel is one request body that remembers whether anybody took it. A server
// cannot accept a message whose body was never read from us, so "not taken" is
// the proof that nothing was sent: name lookup, dial, TLS and egress refusals
// all end before it.
type Parcel struct {
	body  []byte
	taken atomic.Bool
}

// NewParcel returns a parcel of a JSON body.
func NewParcel(body []byte) *Parcel { return &Parcel{body: body} }

// Request makes the POST that carries the parcel.
func (p *Parcel) Request(ctx context.Context, u *url.URL, token string) (*http.Request, error) {
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

func (p *Parcel) reader() io.ReadCloser {
	return &parcelReader{parcel: p, rest: bytes.NewReader(p.body)}
}

// Failure classifies an exchange that gave no answer.
func (p *Parcel) Failure(err error) *channel.SendError {
	if p.taken.Load() {
		return &channel.SendError{Outcome: channel.Unknown, Title: "the provider did not answer: " + err.Error()}
	}
	return &channel.SendError{Outcome: channel.Retry, Title: "the provider could not be reached: " + err.Error()}
}

type parcelReader struct {
	parcel *Parcel
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
