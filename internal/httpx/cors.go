package httpx

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// CORS says which browser origins may read answers.
//
// With neither Origins nor Allow set, any origin is echoed but never with
// Access-Control-Allow-Credentials: keys travel in headers that a page must
// hold itself, and no cookie of another site is ever honoured. With either set,
// only those origins are echoed, with credentials when Credentials says so.
type CORS struct {
	Origins     []string // exact origins, e.g. "https://app.example.com"
	Allow       func(ctx context.Context, origin string) bool
	Credentials bool
	MaxAge      time.Duration // how long a browser keeps a preflight; 0 = 24 h
	Off         bool          // no CORS headers at all
}

// exposed are the answer headers a page may read (platform reference §1.8).
const exposed = "Retry-After, RateLimit, RateLimit-Policy, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id, Idempotency-Replayed"

const preflightMethods = "GET, POST, PUT, PATCH, DELETE, OPTIONS"

// headers adds what every answer to a cross-origin caller needs.
func (c *CORS) headers(w http.ResponseWriter, r *http.Request) {
	if c == nil || c.Off {
		return
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" {
		return
	}
	listed := len(c.Origins) > 0 || c.Allow != nil
	if listed {
		if !slices.Contains(c.Origins, origin) && (c.Allow == nil || !c.Allow(r.Context(), origin)) {
			return
		}
		if c.Credentials {
			h.Set("Access-Control-Allow-Credentials", "true")
		}
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", exposed)
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return
	}
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Methods", preflightMethods)
	// Browser builds of the SDKs send headers of their own, so the wish is echoed.
	if want := r.Header.Get("Access-Control-Request-Headers"); want != "" {
		h.Set("Access-Control-Allow-Headers", want)
	}
	age := c.MaxAge
	if age == 0 {
		age = 24 * time.Hour
	}
	h.Set("Access-Control-Max-Age", strconv.Itoa(int(age/time.Second)))
}
