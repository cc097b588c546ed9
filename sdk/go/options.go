package parley

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// The defaults of the options.
const (
	DefaultBaseURL    = "http://127.0.0.1:8080"
	DefaultTimeout    = 30 * time.Second
	DefaultMaxRetries = 3
)

// config is what the options set.
type config struct {
	apiKey, clientCode string
	baseURL, socketURL string
	http               *http.Client
	timeout            time.Duration
	maxRetries         int
	userAgent          string
	log                *slog.Logger
	clock              Clock
	jitter             func() float64
}

// Option configures a client.
type Option func(*config)

// WithAPIKey sets the key. Without it PARLEY_API_KEY, then ECOD_API_KEY of the
// environment is taken.
func WithAPIKey(key string) Option { return func(c *config) { c.apiKey = key } }

// WithClientCode names the client (tenant). It may be left out, since a key
// belongs to one; when given, it must be the key's own. Without it
// PARLEY_CLIENT_CODE, then ECOD_CLIENT_CODE of the environment is taken.
func WithClientCode(code string) Option { return func(c *config) { c.clientCode = code } }

// WithBaseURL names the server, such as https://crm.example.com. Without it
// PARLEY_BASE_URL of the environment is taken, else [DefaultBaseURL].
func WithBaseURL(u string) Option { return func(c *config) { c.baseURL = u } }

// WithSocketURL names the server of the live feed, when it is another. Without it
// PARLEY_SOCKET_URL of the environment is taken, else the base URL.
func WithSocketURL(u string) Option { return func(c *config) { c.socketURL = u } }

// WithHTTPClient sets the HTTP client. Its own Timeout, if any, holds beside
// [WithTimeout]. It also makes the live feed's first request.
func WithHTTPClient(h *http.Client) Option { return func(c *config) { c.http = h } }

// WithTimeout bounds one try of a call, [DefaultTimeout] unless set; 0 means no
// bound. The whole call, its pauses included, is bounded by the context only.
func WithTimeout(d time.Duration) Option { return func(c *config) { c.timeout = d } }

// WithMaxRetries bounds the tries after the first, [DefaultMaxRetries] unless
// set; 0 turns them off.
func WithMaxRetries(n int) Option { return func(c *config) { c.maxRetries = n } }

// WithUserAgent puts a name before this package's own in the User-Agent.
func WithUserAgent(name string) Option { return func(c *config) { c.userAgent = name } }

// WithLogger takes what is worth knowing: retries, lost connections, callbacks
// that panicked. Keys and bodies are never logged. Nothing is logged without it.
func WithLogger(l *slog.Logger) Option { return func(c *config) { c.log = l } }

// WithClock replaces the source of time, for tests.
func WithClock(k Clock) Option { return func(c *config) { c.clock = k } }

// Clock is the source of time of a client.
type Clock interface {
	Now() time.Time
	// After sends the time once d has passed.
	After(d time.Duration) <-chan time.Time
}

type realClock struct{}

func (realClock) Now() time.Time                         { return time.Now() }
func (realClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// fill takes from the environment what the options left out, and checks.
func (c *config) fill() error {
	c.apiKey = firstOf(c.apiKey, os.Getenv("PARLEY_API_KEY"), os.Getenv("ECOD_API_KEY"))
	c.clientCode = firstOf(c.clientCode, os.Getenv("PARLEY_CLIENT_CODE"), os.Getenv("ECOD_CLIENT_CODE"))
	c.baseURL = firstOf(c.baseURL, os.Getenv("PARLEY_BASE_URL"), DefaultBaseURL)
	c.socketURL = firstOf(c.socketURL, os.Getenv("PARLEY_SOCKET_URL"), c.baseURL)
	if c.apiKey == "" {
		return errors.New("parley: no API key: give WithAPIKey or set PARLEY_API_KEY")
	}
	if strings.ContainsAny(c.apiKey+c.clientCode, "\r\n") {
		return errors.New("parley: the API key or the client code holds a line break")
	}
	for _, u := range []*string{&c.baseURL, &c.socketURL} {
		p, err := url.Parse(*u)
		if err != nil || p.Host == "" || p.Scheme != "http" && p.Scheme != "https" {
			return fmt.Errorf("parley: %q is no base URL: write it like https://crm.example.com", *u)
		}
		*u = strings.TrimRight(*u, "/")
	}
	if c.maxRetries < 0 || c.timeout < 0 {
		return errors.New("parley: the number of retries and the timeout cannot be negative")
	}
	return nil
}

func firstOf(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// CallOption configures one call.
type CallOption func(*request)

// IdempotencyKey sets the key under which the server does a call once. Without
// it every call that changes something gets a random key of its own; give one to
// make a call repeatable beyond this process. The server keeps it for 24 hours.
func IdempotencyKey(key string) CallOption { return func(r *request) { r.key = key } }

// Header sets a header of the request.
func Header(name, value string) CallOption {
	return func(r *request) { r.header.Set(name, value) }
}

// Query adds a query parameter, for those that a filter does not name.
func Query(name, value string) CallOption {
	return func(r *request) { r.query.Add(name, value) }
}
