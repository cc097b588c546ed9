package httpx

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"parley/internal/fault"
)

var errPanic = errors.New("httpx: a handler panicked")

func noRoute() *fault.Error {
	return fault.New(fault.NotFound, "there is nothing at this path; check the address").Because("route")
}

// serve is the chain between the log and the handler.
func (x *exchange) serve() {
	x.cors().headers(x.w, x.hr)
	always, short := false, true
	if x.route != nil {
		always, short = x.route.Always, x.route.Raw == nil
	}
	switch x.s.gate.enter(always, short, x.s.opts.MaxInFlight) {
	case refusedDraining:
		x.w.Header().Set("Connection", "close")
		x.fail(fault.New(fault.Unavailable, "the server is stopping; send the request again in a moment").Because("draining").After(2 * time.Second))
		return
	case refusedBusy:
		x.fail(fault.New(fault.Unavailable, "the server is busy; send the request again in a moment").Because("busy").After(time.Second))
		return
	}
	defer x.s.gate.leave(short)

	switch {
	case x.room == nil:
		x.fail(noRoute())
		return
	case x.route == nil && x.hr.Method == http.MethodOptions:
		x.options()
		return
	case x.route == nil && len(x.allow) > 0:
		x.w.Header().Set("Allow", strings.Join(x.allow, ", "))
		x.fail(fault.New(fault.NotFound, "this path does not know the method %s; it knows %s", knownMethod(x.hr.Method), strings.Join(x.allow, ", ")).
			Because("method").With("allow", x.allow))
		return
	case x.route == nil:
		x.fail(noRoute())
		return
	}
	if err := x.admit(); err != nil {
		x.fail(err)
		return
	}
	if x.route.Raw != nil {
		x.route.Raw(x.w, x.r.Request)
		return
	}
	resp, err := x.answer()
	if err != nil {
		x.fail(err)
		return
	}
	x.send(resp)
}

// admit checks everything that can be known before the body is read.
func (x *exchange) admit() error {
	for name, v := range x.r.params {
		if why := checkText(v); why != "" {
			return fault.Field(name, "%s in the path %s", name, why)
		}
	}
	var err error
	if x.r.query, err = parseQuery(x.hr.URL.RawQuery); err != nil {
		return err
	}
	limit := x.route.MaxBody
	if limit == 0 {
		limit = x.s.opts.MaxBody
	}
	if limit > 0 {
		if x.hr.ContentLength > limit {
			return tooLarge(limit)
		}
		if x.hr.Body != nil && x.hr.Body != http.NoBody {
			x.r.Request.Body = http.MaxBytesReader(x.w.ResponseWriter, x.hr.Body, limit)
		}
	}
	if x.route.Public {
		if x.route.Limit == "" {
			return nil
		}
		return x.spend(bucketKey{ip: callerIP(x.r.RemoteIP), name: x.route.Limit}, x.route.Limit)
	}
	return x.authenticate()
}

// authenticate names the caller and checks its scope and its rate. Failures are
// limited per address; a valid key never suffers from its neighbours' failures.
func (x *exchange) authenticate() error {
	p, err := x.room.Authenticate(x.r.Context(), x.r)
	if err != nil {
		if f := fault.As(err); f != nil && f.Code == fault.Unauthorized {
			if limited := x.stranger(); limited != nil {
				return limited
			}
		}
		return err
	}
	x.r.Principal = p
	name := x.limit()
	limited := x.spend(bucketKey{key: p.Key, name: name}, name)
	if !p.Allows(x.route.Scope) {
		return fault.New(fault.Forbidden, "this key lacks the scope %s; use a key that has it", x.route.Scope).
			Because("scope").With("scope", x.route.Scope)
	}
	return limited
}

// limit is the name of the limit that a known caller spends from.
func (x *exchange) limit() string {
	if x.route != nil && x.route.Limit != "" {
		return x.route.Limit
	}
	if x.route == nil && x.room.Window != nil && x.room.Window.Limit != "" {
		return x.room.Window.Limit
	}
	return "default"
}

// spend takes one call from a limit and says in the headers what is left of it.
func (x *exchange) spend(k bucketKey, name string) error {
	r, own := x.r.Principal.Rates[name]
	if !own && x.s.opts.Limits != nil {
		r = x.s.opts.Limits(name)
	}
	return x.take(k, r)
}

// stranger takes one call of an address that nobody knows.
func (x *exchange) stranger() error {
	x.counted = true
	if x.room.Window != nil {
		return x.take(bucketKey{ip: callerIP(x.r.RemoteIP), name: "unauthenticated"}, x.s.opts.AuthFailures)
	}
	v := x.s.limiter.take(bucketKey{ip: callerIP(x.r.RemoteIP), name: "unauthenticated"}, x.s.opts.AuthFailures)
	if v.ok {
		return nil // who is no caller yet is not told
	}
	v.headers(x.w.Header())
	return tooMany(v.wait)
}

func (x *exchange) take(k bucketKey, r Rate) error {
	x.counted = true
	if w := x.room.Window; w != nil {
		v := x.s.limiter.count(k, r, w.Every)
		v.headers(x.w.Header(), w)
		if !v.ok {
			return tooMany(v.wait)
		}
		return nil
	}
	v := x.s.limiter.take(k, r)
	v.headers(x.w.Header())
	if !v.ok {
		return tooMany(v.wait)
	}
	return nil
}

// tally makes a refusal that came before the caller was looked at count as well,
// and say where the caller stands, for faces that promise that of every answer.
// An outage asks nothing more of the database.
func (x *exchange) tally(refusal error) {
	if x.counted || x.room == nil || x.room.Window == nil {
		return
	}
	f := fault.As(refusal)
	if f != nil && f.Code != fault.Unavailable && x.room.Authenticate != nil && (x.route == nil || !x.route.Public) {
		if p, err := x.room.Authenticate(x.r.Context(), x.r); err == nil {
			x.r.Principal = p
			name := x.limit()
			_ = x.spend(bucketKey{key: p.Key, name: name}, name)
			return
		}
	}
	_ = x.stranger()
}

// answer reads the body and runs the handler, under its idempotency key if it
// has one.
func (x *exchange) answer() (*Response, error) {
	if _, err := x.r.ReadBody(); err != nil {
		return nil, err
	}
	ctx := x.r.Context()
	if x.s.opts.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, x.s.opts.Timeout)
		defer cancel()
	}
	claim, err := x.claim()
	if err != nil {
		return nil, err
	}
	if claim == nil {
		return x.run(ctx)
	}
	resp, replayed, err := x.s.opts.Idempotency.Do(ctx, *claim, x.run)
	if replayed {
		x.w.Header().Set("Idempotency-Replayed", "true")
	}
	return resp, err
}

// run calls the handler. Its panic becomes an error here, because an
// idempotency store may call it on a goroutine of its own.
func (x *exchange) run(ctx context.Context) (resp *Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			x.logPanic(p)
			resp, err = nil, errPanic
		}
	}()
	resp, err = x.route.Handler(ctx, x.r)
	if err == nil && resp == nil {
		resp = Empty(http.StatusNoContent)
	}
	return resp, err
}

func (x *exchange) send(resp *Response) {
	if resp == nil {
		resp = Empty(http.StatusNoContent)
	}
	if _, err := resp.Encode(); err != nil {
		x.fail(err)
		return
	}
	_ = resp.write(x.w)
}

// fail answers an error in the face's envelope.
func (x *exchange) fail(err error) {
	x.failure = err
	if x.hr.Context().Err() != nil { // nobody is left to read an answer
		x.gone = true
		return
	}
	discard(x.hr, x.hr.Body)
	x.tally(err)
	err = settle(err)
	x.failure = err
	retryHeader(x.w.Header(), err)
	if x.room == nil {
		plain(x.w, err)
		return
	}
	x.room.WriteError(x.w, x.r, err)
	if x.w.status == 0 { // the face wrote nothing: a defect, but never an empty 200
		x.w.WriteHeader(http.StatusInternalServerError)
	}
}

// settle words outages that callers should try again.
func settle(err error) error {
	if fault.As(err) == nil && errors.Is(err, context.DeadlineExceeded) {
		return fault.New(fault.Unavailable, "the request took too long; send it again in a moment").Because("timeout").After(time.Second)
	}
	return err
}

// retryHeader sets Retry-After, in whole seconds, whenever waiting helps.
func retryHeader(h http.Header, err error) {
	f := fault.As(err)
	if f == nil {
		return
	}
	wait := f.RetryAfter
	if wait <= 0 && (f.Code == fault.RateLimited || f.Code == fault.Unavailable) {
		wait = time.Second
	}
	if wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	}
}

// plain answers on paths that no face owns.
func plain(w http.ResponseWriter, err error) {
	status, message := http.StatusInternalServerError, "something went wrong"
	if f := fault.As(err); f != nil {
		message = f.Message
		switch f.Code {
		case fault.NotFound:
			status = http.StatusNotFound
		case fault.Unavailable:
			status = http.StatusServiceUnavailable
		}
	}
	WriteJSON(w, status, map[string]string{"error": message})
}
