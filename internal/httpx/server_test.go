package httpx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/clock"
	"parley/internal/fault"
)

func routes() []Route {
	return []Route{
		{Method: "GET", Pattern: "/api/read", Scope: "platform:crm:read", Handler: echo},
		{Method: "POST", Pattern: "/api/write/{id}", Scope: "platform:crm:write", Handler: echo},
		{Method: "POST", Pattern: "/api/small", MaxBody: 10, Handler: echo},
		{Method: "GET", Pattern: "/api/public", Public: true, Handler: echo},
		{Method: "POST", Pattern: "/api/public/limited", Public: true, Limit: "door", Handler: echo},
		{Method: "GET", Pattern: "/api/trigger", Limit: "trigger", Handler: echo},
		{Method: "GET", Pattern: "/api/panic", Handler: func(context.Context, *Request) (*Response, error) { panic("the-secret-cause") }},
		{Method: "GET", Pattern: "/api/broken", Handler: func(context.Context, *Request) (*Response, error) {
			return nil, errors.New("disk on fire")
		}},
		{Method: "GET", Pattern: "/api/busy", Handler: func(context.Context, *Request) (*Response, error) {
			return nil, fault.New(fault.Unavailable, "the queue is full").After(1500 * time.Millisecond)
		}},
		{Method: "GET", Pattern: "/api/nothing", Handler: func(context.Context, *Request) (*Response, error) { return nil, nil }},
		{Method: "GET", Pattern: "/api/slow", Handler: func(ctx context.Context, _ *Request) (*Response, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}},
		{Method: "GET", Pattern: "/api/unencodable", Handler: func(context.Context, *Request) (*Response, error) {
			return JSON(200, func() {}), nil
		}},
		{Method: "GET", Pattern: "/api/page", Scope: "platform:pages", Raw: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<p>", From(r.Context()).Principal.TenantCode)
			w.(http.Flusher).Flush()
		}},
		{Method: "POST", Pattern: "/api/stream", MaxBody: -1, Raw: func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n, " ", err)
		}},
		{Method: "GET", Pattern: "/api/cut", Raw: func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "half")
			w.(http.Flusher).Flush()
			panic("late")
		}},
	}
}

func TestAuthenticationScopeAndErrors(t *testing.T) {
	f := start(t, Options{Timeout: 3 * time.Second}, face("platform", []string{"/api"}, routes()...))
	for _, c := range []struct {
		method, path, key string
		status            int
		code, mention     string
	}{
		{"GET", "/api/read", "", 401, "unauthorized", ""},
		{"GET", "/api/read", "wrong", 401, "unauthorized", ""},
		{"GET", "/api/read", "b", 200, "", ""},
		{"POST", "/api/write/1", "b", 403, "forbidden", "platform:crm:write"},
		{"POST", "/api/write/1", "a", 200, "", ""},
		{"GET", "/api/public", "", 200, "", ""},
		{"GET", "/api/page", "b", 403, "forbidden", "platform:pages"},
		{"GET", "/api/page", "a", 200, "", "<p>ACME"},
		{"GET", "/api/panic", "a", 500, "internal", ""},
		{"GET", "/api/broken", "a", 500, "internal", ""},
		{"GET", "/api/unencodable", "a", 500, "internal", ""},
		{"GET", "/api/busy", "a", 503, "unavailable", ""},
		{"GET", "/api/slow", "a", 503, "unavailable", "too long"},
		{"GET", "/api/nothing", "a", 204, "", ""},
		{"POST", "/api/write/%00", "a", 400, "invalid", "id in the path holds a NUL"},
		{"POST", "/api/write/%ff", "a", 400, "invalid", "id in the path is not valid UTF-8"},
		{"GET", "/api/read?q=a%00", "a", 400, "invalid", "q in the query"},
		{"GET", "/api/read?q=%C3", "a", 400, "invalid", "q in the query"},
		{"GET", "/api/read?q=%zz", "a", 400, "invalid", "q in the query"},
		{"GET", "/api/read?a=1;b=2&&c", "a", 200, "", ""},
	} {
		a := f.do(c.method, c.path, "", "X-Api-Key", c.key)
		if a.status != c.status || !strings.Contains(a.body, c.mention) || (c.code != "" && a.envelope(t).Code != c.code) {
			t.Errorf("%s %s as %q: %d %s, want %d %s %s", c.method, c.path, c.key, a.status, a.body, c.status, c.code, c.mention)
		}
		if strings.Contains(a.body, "secret") || strings.Contains(a.body, "fire") {
			t.Errorf("%s shows an internal text: %s", c.path, a.body)
		}
		if a.status == 503 && a.header.Get("Retry-After") == "" {
			t.Errorf("%s: 503 without Retry-After", c.path)
		}
	}
	if got := f.do("GET", "/api/busy", "").header.Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After %q, want whole seconds rounded up", got)
	}
	if l := f.log.String(); !strings.Contains(l, "the-secret-cause") || !strings.Contains(l, "server_test.go") || !strings.Contains(l, "disk on fire") {
		t.Error("the log lacks the panic with its stack, or the internal error")
	}
	resp, err := f.client.Do(must(http.NewRequest("GET", f.url+"/api/cut", nil)))
	if err == nil { // no key: refused before it can be cut
		resp.Body.Close()
	}
	req := must(http.NewRequest("GET", f.url+"/api/cut", nil))
	req.Header.Set("X-Api-Key", "a")
	resp, err = f.client.Do(req)
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("a panic in the middle of an answer must cut the connection, not look complete")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestBodyLimits(t *testing.T) {
	f := start(t, Options{}, face("platform", []string{"/api"}, routes()...))
	big := bytes.Repeat([]byte("x"), 11<<20)
	chunked := func(b []byte) io.Reader { return struct{ io.Reader }{bytes.NewReader(b)} }
	for name, body := range map[string]io.Reader{"announced": bytes.NewReader(big), "chunked": chunked(big)} {
		a := f.send("POST", "/api/write/1", body)
		if a.status != 413 || a.envelope(t).Code != "too_large" || a.envelope(t).Face != "platform" {
			t.Errorf("%s 11 MB: %d %.100s", name, a.status, a.body)
		}
		if a := f.do("GET", "/api/read", ""); a.status != 200 {
			t.Errorf("after %s: %d", name, a.status)
		}
	}
	if a := f.send("POST", "/api/write/1", chunked(big), "X-Api-Key", ""); a.status != 401 {
		t.Errorf("11 MB without a key: %d", a.status)
	}
	if a := f.send("POST", "/api/write/1", bytes.NewReader(big[:10<<20])); a.status != 200 || !strings.Contains(a.body, strconv.Itoa(10<<20)) {
		t.Errorf("10 MiB: %d %s", a.status, a.body)
	}
	if a := f.send("POST", "/api/small", chunked(big[:11])); a.status != 413 {
		t.Errorf("11 of 10 bytes: %d", a.status)
	}
	if a := f.send("POST", "/api/small", chunked(big[:10])); a.status != 200 {
		t.Errorf("10 of 10 bytes: %d", a.status)
	}
	if a := f.send("POST", "/api/stream", chunked(big)); a.body != "11534336 <nil>" {
		t.Errorf("unlimited raw: %s", a.body)
	}
	if a := f.do("POST", "/api/write/1", "xx", "Content-Encoding", "gzip"); a.status != 400 || a.envelope(t).Field != "Content-Encoding" {
		t.Errorf("gzip: %d %s", a.status, a.body)
	}
}

func TestRequestIDAndAccessLog(t *testing.T) {
	f := start(t, Options{}, face("platform", []string{"/api"}, routes()...))
	if got := f.do("GET", "/api/read", "", "X-Request-Id", "my-id.1").header.Get("X-Request-Id"); got != "my-id.1" {
		t.Errorf("a sane id was not echoed: %q", got)
	}
	for _, bad := range []string{"a b", strings.Repeat("x", 129), `a"b`, ""} {
		if got := f.do("GET", "/api/read", "", "X-Request-Id", bad).header.Get("X-Request-Id"); len(got) != 24 {
			t.Errorf("for %.10q: %q, want a new id", bad, got)
		}
	}
	f.do("POST", "/api/write/the-path-value?q=the-query-value", `{"x":"the-body-value"}`, "Idempotency-Key", "the-token", "X-Api-Key", "the-key")
	f.do("POST", "/api/write/the-path-value?q=the-query-value", `{"x":"the-body-value"}`)
	l := f.log.String()
	if strings.Contains(l, "the-") {
		t.Errorf("the log shows keys, values or bodies: %s", l)
	}
	for _, want := range []string{`"method":"POST"`, `"route":"/api/write/{id}"`, `"status":200`, `"tenant":"ACME"`, `"request_id":"my-id.1"`, `"ms":`, `"bytes":`, `"fault":"unauthorized"`} {
		if !strings.Contains(l, want) {
			t.Errorf("the log lacks %s: %s", want, l)
		}
	}
}

func TestCORS(t *testing.T) {
	f := start(t, Options{}, face("platform", []string{"/api"}, routes()...))
	a := f.do("OPTIONS", "/api/write/1", "", "X-Api-Key", "", "Origin", "https://shop.test",
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "x-api-key, x-new-header")
	for k, want := range map[string]string{
		"Access-Control-Allow-Origin": "https://shop.test", "Access-Control-Allow-Headers": "x-api-key, x-new-header",
		"Access-Control-Allow-Credentials": "", "Access-Control-Max-Age": "86400", "Allow": "POST, OPTIONS",
	} {
		if got := a.header.Get(k); a.status != 204 || got != want {
			t.Errorf("preflight %d: %s = %q, want %q", a.status, k, got, want)
		}
	}
	if !strings.Contains(a.header.Get("Access-Control-Allow-Methods"), "PATCH") {
		t.Error("preflight lacks methods")
	}
	a = f.do("GET", "/api/read", "", "X-Api-Key", "", "Origin", "https://shop.test") // errors are readable too
	if a.status != 401 || a.header.Get("Access-Control-Allow-Origin") == "" || !strings.Contains(a.header.Get("Access-Control-Expose-Headers"), "Retry-After") {
		t.Errorf("401 without CORS headers: %v", a.header)
	}
	if a := f.do("OPTIONS", "/api/unknown", "", "X-Api-Key", ""); a.status != 404 {
		t.Errorf("OPTIONS of nothing: %d", a.status)
	}
	listed := face("platform", []string{"/api"}, routes()...)
	listed.CORS = &CORS{Origins: []string{"https://ok.test"}, Credentials: true, Allow: func(_ context.Context, o string) bool { return o == "https://table.test" }}
	f = start(t, Options{}, listed)
	for origin, want := range map[string]bool{"https://ok.test": true, "https://table.test": true, "https://evil.test": false, "null": false} {
		a := f.do("GET", "/api/read", "", "Origin", origin)
		if got := a.header.Get("Access-Control-Allow-Origin") == origin; got != want || (a.header.Get("Access-Control-Allow-Credentials") == "true") != want {
			t.Errorf("%s: %v", origin, a.header)
		}
		if !strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Origin") {
			t.Errorf("%s: no Vary", origin)
		}
	}
}

func TestRateLimits(t *testing.T) {
	fake := clock.NewFake(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	limits := func(name string) Rate {
		return map[string]Rate{"default": {PerMinute: 60, Burst: 3}, "trigger": {PerMinute: 1}, "door": {PerMinute: 2}}[name]
	}
	f := start(t, Options{Clock: fake, Limits: limits, AuthFailures: Rate{PerMinute: 5}}, face("platform", []string{"/api"}, routes()...))
	for i, want := range []string{"limit=3, remaining=2, reset=1", "limit=3, remaining=1, reset=2", "limit=3, remaining=0, reset=3"} {
		a := f.do("GET", "/api/read", "")
		if a.status != 200 || a.header.Get("RateLimit") != want || a.header.Get("RateLimit-Policy") != "60;w=60;burst=3" {
			t.Errorf("call %d: %d %q %q", i, a.status, a.header.Get("RateLimit"), a.header.Get("RateLimit-Policy"))
		}
	}
	a := f.do("GET", "/api/read", "")
	if a.status != 429 || a.header.Get("Retry-After") != "1" || a.envelope(t).Code != "rate_limited" {
		t.Errorf("over the limit: %d %v %s", a.status, a.header, a.body)
	}
	if a := f.do("GET", "/api/read", "", "X-Api-Key", "b"); a.status != 200 {
		t.Errorf("another key: %d", a.status)
	}
	if a := f.do("GET", "/api/trigger", ""); a.status != 200 || a.header.Get("RateLimit-Policy") != "1;w=60" {
		t.Errorf("another limit: %d %v", a.status, a.header)
	}
	a = f.do("GET", "/api/trigger", "")
	wait, _ := strconv.Atoi(a.header.Get("Retry-After"))
	if a.status != 429 || wait != 60 {
		t.Errorf("trigger: %d after %d", a.status, wait)
	}
	fake.Advance(time.Duration(wait) * time.Second)
	if a := f.do("GET", "/api/trigger", ""); a.status != 200 {
		t.Errorf("after the told wait: %d", a.status)
	}
	for i, want := range []int{200, 200, 429} {
		if a := f.do("POST", "/api/public/limited", "", "X-Api-Key", ""); a.status != want {
			t.Errorf("public call %d: %d, want %d", i, a.status, want)
		}
	}
	for i, want := range []int{401, 401, 401, 401, 401, 429} {
		if a := f.do("GET", "/api/read", "", "X-Api-Key", "wrong"); a.status != want {
			t.Errorf("failure %d: %d, want %d", i, a.status, want)
		}
	}
	if a := f.do("GET", "/api/read", ""); a.status != 200 {
		t.Errorf("a valid key suffers from its neighbours' failures: %d", a.status)
	}
}

func TestBucketsAreForgotten(t *testing.T) {
	fake := clock.NewFake(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	l := newLimiter(fake)
	l.max = 1000
	addr := netip.MustParseAddr("10.0.0.0")
	for range 5000 {
		addr = addr.Next()
		l.take(bucketKey{ip: addr}, Rate{PerMinute: 10})
		if len(l.buckets) > l.max {
			t.Fatalf("%d buckets, cap %d", len(l.buckets), l.max)
		}
	}
	fake.Advance(2 * time.Minute)
	l.take(bucketKey{ip: addr}, Rate{PerMinute: 10})
	if len(l.buckets) != 1 {
		t.Errorf("%d buckets after a quiet time, want the one in use", len(l.buckets))
	}
}

func TestRemoteAddresses(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct{ remote, forwarded, want string }{
		{"1.2.3.4:5", "9.9.9.9", "1.2.3.4"},
		{"10.0.0.1:5", "9.9.9.9", "9.9.9.9"},
		{"10.0.0.1:5", "6.6.6.6, 9.9.9.9, 10.0.0.7", "9.9.9.9"},
		{"10.0.0.1:5", "", "10.0.0.1"},
		{"10.0.0.1:5", "junk", "10.0.0.1"},
		{"[::ffff:1.2.3.4]:5", "", "1.2.3.4"},
	} {
		r := must(http.NewRequest("GET", "/", nil))
		r.RemoteAddr = c.remote
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := remoteIP(r, trusted).String(); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	if a, b := callerIP(netip.MustParseAddr("2001:db8::1")), callerIP(netip.MustParseAddr("2001:db8::ffff")); a != b {
		t.Errorf("%s and %s must share a bucket", a, b)
	}
}

// claims is an Idempotency over a map, as small as its contract.
type claims struct {
	mu   sync.Mutex
	kept map[string]kept
	last Claim
}

type kept struct {
	hash [32]byte
	resp Response
}

func (c *claims) Do(ctx context.Context, cl Claim, run func(context.Context) (*Response, error)) (*Response, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = cl
	k := cl.Tenant.String() + cl.Key.String() + cl.Method + cl.Path + cl.Token
	if old, ok := c.kept[k]; ok {
		if old.hash != cl.BodyHash {
			return nil, false, fault.New(fault.Conflict, "this idempotency key was used with another body")
		}
		return &old.resp, true, nil
	}
	resp, err := run(ctx)
	if err != nil {
		if f := fault.As(err); f == nil {
			return nil, false, err
		}
		resp = cl.Render(err)
	}
	if _, err := resp.Encode(); err != nil {
		return nil, false, err
	}
	c.kept[k] = kept{cl.BodyHash, *resp}
	return resp, false, nil
}

func TestIdempotency(t *testing.T) {
	runs := 0
	count := func(_ context.Context, r *Request) (*Response, error) {
		runs++
		switch r.Param("id") {
		case "bad":
			return nil, fault.Field("name", "name is wrong %d", runs)
		case "panic":
			panic("inside")
		}
		return &Response{Status: 201, Header: http.Header{"X-Extra": {"yes"}}, Body: map[string]int{"run": runs}}, nil
	}
	store := &claims{kept: map[string]kept{}}
	fc := face("platform", []string{"/api"},
		Route{Method: "POST", Pattern: "/api/x/{id}", Handler: count},
		Route{Method: "POST", Pattern: "/api/own/{id}", NoTx: true, IdempotencyField: "-", Handler: count},
		Route{Method: "GET", Pattern: "/api/x/{id}", Handler: count})
	fc.IdempotencyField = "idempotencyKey"
	f := start(t, Options{Idempotency: store}, fc)

	first := f.do("POST", "/api/x/1", `{"a":1}`, "Idempotency-Key", "k")
	again := f.do("POST", "/api/x/1/", `{"a": 1}`, "X-Idempotency-Key", "k")
	if first.status != 201 || first.header.Get("Idempotency-Replayed") != "" || again.status != 201 || again.body != first.body ||
		again.header.Get("Idempotency-Replayed") != "true" || again.header.Get("X-Extra") != "yes" || runs != 1 {
		t.Errorf("first %+v again %+v runs %d", first, again, runs)
	}
	if store.last.Path != "/api/x/1" || store.last.Method != "POST" || store.last.Key != keyA || store.last.Tenant != tenantA || store.last.NoTx {
		t.Errorf("claim %+v", store.last)
	}
	if a := f.do("POST", "/api/x/1", `{"a":2}`, "Idempotency-Key", "k"); a.status != 409 {
		t.Errorf("another body: %d %s", a.status, a.body)
	}
	if a := f.do("POST", "/api/x/1?dry=1", `{"a":1}`, "Idempotency-Key", "k"); a.status != 409 {
		t.Errorf("another query: %d %s", a.status, a.body)
	}
	bad := f.do("POST", "/api/x/bad", ``, "Idempotency-Key", "k")
	badAgain := f.do("POST", "/api/x/bad", ``, "Idempotency-Key", "k")
	if bad.status != 400 || bad.body != badAgain.body || badAgain.header.Get("Idempotency-Replayed") != "true" || bad.envelope(t).Field != "name" {
		t.Errorf("a refusal must be replayed: %+v %+v", bad, badAgain)
	}
	if a := f.do("POST", "/api/x/panic", ``, "Idempotency-Key", "k"); a.status != 500 {
		t.Errorf("panic: %d", a.status)
	}
	for _, token := range []string{strings.Repeat("k", 256), "k\xc3\xa9"} {
		if a := f.do("POST", "/api/x/1", ``, "Idempotency-Key", token); a.status != 400 || a.envelope(t).Field != "Idempotency-Key" {
			t.Errorf("token of %d: %d %s", len(token), a.status, a.body)
		}
	}
	if a := f.do("POST", "/api/x/1", ``, "Idempotency-Key", strings.Repeat("k", 255)); a.status != 201 {
		t.Errorf("255 bytes: %d", a.status)
	}
	field := f.do("POST", "/api/x/2", `{"idempotencyKey":"f"}`)
	if again := f.do("POST", "/api/x/2", `{"idempotencyKey":"f"}`); again.body != field.body || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("body field: %+v", again)
	}
	before := runs
	f.do("GET", "/api/x/1", ``, "Idempotency-Key", "g")
	f.do("GET", "/api/x/1", ``, "Idempotency-Key", "g")
	f.do("POST", "/api/x/3", ``)
	f.do("POST", "/api/own/3", `{"idempotencyKey":"f"}`)
	f.do("POST", "/api/own/3", `{"idempotencyKey":"f"}`)
	if runs != before+5 {
		t.Errorf("%d runs, want 5: GET and calls without a key are not protected", runs-before)
	}
	f.do("POST", "/api/own/3", ``, "Idempotency-Key", "n")
	if !store.last.NoTx {
		t.Error("NoTx is not told")
	}
}
