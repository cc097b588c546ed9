package httpx

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"parley/internal/clock"
	"parley/internal/fault"
	"parley/internal/id"
)

// Options are what the shared layer needs from the server. The zero value
// works: no limits, no idempotency, the default logger.
type Options struct {
	Log            *slog.Logger // nil = slog.Default()
	Clock          clock.Clock  // nil = clock.Real{}
	Metrics        Metrics      // nil = none
	Limits         func(name string) Rate
	AuthFailures   Rate // failed authentications per address; zero = 600 a minute
	Idempotency    Idempotency
	CORS           *CORS         // nil = any origin without credentials
	MaxBody        int64         // bytes; 0 = DefaultMaxBody
	MaxInFlight    int           // Handlers running at once; 0 = no cap
	Timeout        time.Duration // the deadline of a Handler; 0 = 60 s, negative = none
	TrustedProxies []netip.Prefix
}

// Server is the handler of all faces.
type Server struct {
	opts    Options
	table   table
	gate    *gate
	limiter *limiter
}

var _ http.Handler = (*Server)(nil)

// NewHandler builds the handler of all faces. It refuses routes that could
// never work: duplicates, patterns outside their face's prefixes, routes that
// need a key in a face that cannot authenticate.
func NewHandler(opts Options, faces ...Face) (*Server, error) {
	t, _, err := buildTable(faces)
	if err != nil {
		return nil, err
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if opts.Clock == nil {
		opts.Clock = clock.Real{}
	}
	if opts.CORS == nil {
		opts.CORS = &CORS{}
	}
	if opts.MaxBody <= 0 {
		opts.MaxBody = DefaultMaxBody
	}
	if opts.AuthFailures.PerMinute == 0 {
		opts.AuthFailures = Rate{PerMinute: 600}
	}
	if opts.Timeout == 0 {
		opts.Timeout = time.Minute
	}
	return &Server{opts: opts, table: t, gate: newGate(), limiter: newLimiter(opts.Clock)}, nil
}

// Drain makes the server answer new requests with 503 and Retry-After, while
// running ones finish. It does not wait.
func (s *Server) Drain() { s.gate.drain() }

// Wait returns when no request runs any more, or with the context's error.
func (s *Server) Wait(ctx context.Context) error { return s.gate.wait(ctx) }

// exchange is one request on its way through the layer.
type exchange struct {
	s       *Server
	w       *recorder
	r       *Request
	hr      *http.Request // the request as net/http gave it
	room    *room         // nil when no face owns the path
	route   *Route        // nil when no route matched
	allow   []string      // the methods the path has, when route is nil
	failure error         // what WriteError was told, for the log
	gone    bool          // the caller left before the answer
	counted bool          // a rate limit was asked about this request
}

// ServeHTTP takes a request through the order of the package's comment.
func (s *Server) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	start := s.opts.Clock.Now()
	x := &exchange{s: s, w: &recorder{ResponseWriter: w}, hr: hr}
	path := cleanPath(hr.URL)
	x.room = s.table.find(path)
	x.r = &Request{Path: path, RemoteIP: remoteIP(hr, s.opts.TrustedProxies), draining: s.gate.closed}
	if x.r.RequestID = hr.Header.Get("X-Request-Id"); !saneRequestID(x.r.RequestID) {
		x.r.RequestID = id.New().String()
	}
	x.r.Request = hr.WithContext(context.WithValue(hr.Context(), requestKey{}, x.r))
	w.Header().Set("X-Request-Id", x.r.RequestID)
	if x.room != nil {
		x.r.Face = x.room.Name
		if x.route, x.r.params, x.allow = x.room.match(hr.Method, path); x.route != nil {
			x.r.Pattern = x.route.Pattern
		}
	}
	ended := func(string, string, int, time.Duration) {}
	if s.opts.Metrics != nil {
		ended = s.opts.Metrics.Began(x.r.Face)
	}
	defer func() {
		aborted := x.recovered(recover())
		took := s.opts.Clock.Now().Sub(start)
		x.log(took)
		ended(knownMethod(hr.Method), x.r.Pattern, x.status(), took)
		if aborted {
			panic(http.ErrAbortHandler)
		}
	}()
	x.serve()
}

// recovered answers a panic with 500. It reports whether the connection must be
// cut, because part of an answer is already out.
func (x *exchange) recovered(p any) (abort bool) {
	if p == nil {
		return false
	}
	if p == http.ErrAbortHandler {
		return true
	}
	x.logPanic(p)
	if x.w.hijacked {
		return false
	}
	if x.w.status != 0 {
		return true
	}
	defer func() {
		if recover() != nil { // the face's own WriteError panics: say it plainly
			if x.w.status == 0 {
				x.w.WriteHeader(http.StatusInternalServerError)
			}
		}
	}()
	x.fail(errPanic)
	return false
}

func (x *exchange) logPanic(p any) {
	x.s.opts.Log.Error("panic in a handler", "panic", p, "request_id", x.r.RequestID,
		"route", x.r.Pattern, "stack", string(debug.Stack()))
}

func (x *exchange) status() int {
	switch {
	case x.gone && x.w.status == 0:
		return statusGone
	case x.w.status == 0:
		return http.StatusOK
	}
	return x.w.status
}

// statusGone is logged when the caller left before the answer; never sent.
const statusGone = 499

// log writes one line per request: never keys, bodies or query values.
func (x *exchange) log(took time.Duration) {
	status := x.status()
	if x.failure == nil && x.r.failed != nil {
		x.failure = x.r.failed
		x.gone = x.gone || x.hr.Context().Err() != nil
	}
	level := slog.LevelInfo
	switch {
	case status == http.StatusServiceUnavailable:
		level = slog.LevelWarn // told to come back: a full queue, a stopping server
	case status >= 500:
		level = slog.LevelError
	}
	route := x.r.Pattern
	if route == "" {
		route = "-"
	}
	attrs := []slog.Attr{
		slog.String("method", knownMethod(x.hr.Method)), slog.String("face", x.r.Face), slog.String("route", route),
		slog.Int("status", status), slog.Int64("ms", took.Milliseconds()), slog.Int64("bytes", x.w.bytes),
		slog.String("tenant", x.r.Principal.TenantCode), slog.String("request_id", x.r.RequestID),
	}
	if x.failure != nil && fault.As(x.failure) == nil && !x.gone {
		attrs = append(attrs, slog.String("error", x.failure.Error()))
	} else if f := fault.As(x.failure); f != nil {
		attrs = append(attrs, slog.String("fault", string(f.Code)))
	}
	x.s.opts.Log.LogAttrs(context.WithoutCancel(x.hr.Context()), level, "request", attrs...)
}

// knownMethod keeps invented methods out of logs and metrics.
func knownMethod(m string) string {
	if slices.Contains(methods, m) {
		return m
	}
	return "OTHER"
}

func (x *exchange) cors() *CORS {
	if x.room != nil && x.room.CORS != nil {
		return x.room.CORS
	}
	return x.s.opts.CORS
}

// options answers OPTIONS, which is never authenticated.
func (x *exchange) options() {
	if len(x.allow) == 0 && x.hr.Header.Get("Access-Control-Request-Method") == "" {
		x.fail(noRoute())
		return
	}
	if len(x.allow) > 0 {
		x.w.Header().Set("Allow", strings.Join(x.allow, ", "))
	}
	x.w.WriteHeader(http.StatusNoContent)
}
