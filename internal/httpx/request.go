package httpx

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Request is an http.Request with what the shared layer learned about it.
type Request struct {
	*http.Request
	Principal Principal
	Body      []byte // the whole body; nil for Raw routes and before ReadBody
	RequestID string
	Face      string     // the face's name, "" when no face owns the path
	Pattern   string     // the route's canonical pattern, "" when no route matched
	Path      string     // the path after the path step, still escaped
	RemoteIP  netip.Addr // the caller's address, seen through trusted proxies

	params   map[string]string
	query    url.Values
	bodyRead bool
	bodyErr  error
	draining <-chan struct{}
	failed   error
}

type requestKey struct{}

// From returns the Request a Raw handler serves, or nil outside of one.
func From(ctx context.Context) *Request {
	r, _ := ctx.Value(requestKey{}).(*Request)
	return r
}

// Param returns a path parameter, unescaped once; "" when the route has none of
// that name. The name "*" is the rest of a catch-all pattern.
func (r *Request) Param(name string) string { return r.params[name] }

// Absolute completes a path on this server to an address, for a server that was
// not told under which name it is known: the caller has just reached it under one.
// What is no path stays as it is.
func (r *Request) Absolute(address string) string {
	if !strings.HasPrefix(address, "/") {
		return address
	}
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host + address
}

// Failed tells the access log why a Raw handler answered an error, or cut its
// answer off.
func (r *Request) Failed(err error) { r.failed = err }

// Draining is closed when the server stops taking new requests.
func (r *Request) Draining() <-chan struct{} { return r.draining }

// NewRequest wraps a request for tests of handlers: params are the path
// parameters, body the bytes that Decode reads.
func NewRequest(hr *http.Request, p Principal, params map[string]string, body []byte) *Request {
	return &Request{Request: hr, Principal: p, Body: body, params: params, Path: hr.URL.EscapedPath(), bodyRead: true, draining: make(chan struct{})}
}
