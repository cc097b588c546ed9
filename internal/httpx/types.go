package httpx

import (
	"context"
	"net/http"
	"time"

	"parley/internal/id"
)

// Handler answers one request. An error goes to the face's WriteError; a
// *fault.Error is the caller's to mend, anything else is ours and is logged.
type Handler func(ctx context.Context, r *Request) (*Response, error)

// Route is one line of a face's table.
type Route struct {
	Method  string   // "GET", "POST", ...; HEAD falls back to GET by itself
	Pattern string   // a chi pattern: "/api/crm/leads/{id}"; literals win over wildcards
	Aliases []string // further patterns that mean the same; same parameter names
	Scope   string   // the scope a key needs, e.g. "platform:crm:read"; "" = any valid key
	Public  bool     // no authentication: Principal is zero
	NoTx    bool     // the handler opens no transaction or several; told to Idempotency
	Always  bool     // answers while draining too (health checks)
	MaxBody int64    // bytes; 0 = Options.MaxBody, negative = unlimited (Raw only)
	Limit   string   // the rate limit's name; "" = "default"; on a Public route "" = none
	// Secret says that a good answer holds what is shown once, such as a key: it is
	// told to Idempotency, which does not keep it.
	Secret bool
	// IdempotencyField replaces the face's; "-" = none.
	IdempotencyField string
	Handler          Handler
	// Raw serves websockets, pages and streams instead of Handler. It passes the
	// same gate, authentication, scope and rate limit, but reads its own body and
	// knows no idempotency keys. From(r.Context()) gives the Request. A handler
	// that outlives one exchange (a websocket) must end soon after
	// Request.Draining is closed.
	Raw http.HandlerFunc
}

// Face is one public API: where it lives, how it knows its callers, how it
// words its errors, and its routes.
type Face struct {
	Name string
	// Prefixes are the paths the face owns. The longest prefix of all faces
	// wins. "/v1/campaign" (or "/v1/campaign*") matches as plain text, so also
	// "/v1/campaigns"; "/api/" matches whole segments, "/api" itself included;
	// "/v2$" matches "/v2" only and wins over every other.
	Prefixes []string
	// Authenticate names the caller, or returns fault.Unauthorized (or another
	// fault). It runs before the body is read; it may call Request.ReadBody.
	Authenticate func(ctx context.Context, r *Request) (Principal, error)
	// WriteError writes the face's envelope. Retry-After, Allow and the CORS
	// headers are already set. The error is a *fault.Error or an error of ours
	// whose text must not be shown. Method not allowed comes as fault.NotFound
	// with Reason "method".
	WriteError func(w http.ResponseWriter, r *Request, err error)
	Routes     []Route
	CORS       *CORS // nil = Options.CORS
	// IdempotencyField is a top-level body field that may carry the idempotency
	// key when no header does (platform reference §1.7); "" = none.
	IdempotencyField string
	// SecretQuery names parameters of the query that hold the caller's credentials:
	// two calls that differ there alone are the same call to an idempotency key.
	SecretQuery []string
	// Window, when not nil, counts calls in fixed windows and tells so in every
	// answer.
	Window *Window
}

// Principal is who a request speaks for.
type Principal struct {
	Tenant     id.ID
	TenantCode string // may be logged
	Key        id.ID
	Face       string
	Scopes     []string
	Group      id.ID // the group the key is bound to, or zero
	User       id.ID // the agent the key is bound to, or zero
	// Provider is the word under which what comes through the key is known, "" when
	// the face has no such thing.
	Provider string
	// Rates are the key's own rate limits by limit name; they replace the
	// server's.
	Rates map[string]Rate
}

// Rate is a token bucket: PerMinute tokens flow in each minute, at most Burst
// wait. PerMinute 0 or less means unlimited; Burst 0 means PerMinute.
type Rate struct {
	PerMinute int
	Burst     int
}

// Claim is what an idempotency key protects: one call of one API key.
type Claim struct {
	Tenant, Key id.ID
	Method      string
	Path        string // the path after the path step, without the query
	Token       string // the caller's idempotency key, 1 to 255 printable ASCII characters
	BodyHash    [32]byte
	NoTx        bool // the handler must not run inside the claim's transaction
	Secret      bool // a good answer must not be kept: the call is told of when it is repeated, not shown
	// Render turns an error of the handler into the response its face would
	// give, so that a 4xx answer can be stored and replayed as well.
	Render func(err error) *Response
}

// Idempotency runs a call once per claim and replays its answer afterwards.
// Do returns fault.Conflict for a token used with another body and for a call
// that is still running; a Secret call that was carried out is answered with one.
type Idempotency interface {
	Do(ctx context.Context, c Claim, run func(ctx context.Context) (*Response, error)) (resp *Response, replayed bool, err error)
}

// Metrics observes requests; package telemetry implements it.
type Metrics interface {
	// Began counts one request in; the returned function counts it out.
	Began(face string) (ended func(method, pattern string, status int, took time.Duration))
}
