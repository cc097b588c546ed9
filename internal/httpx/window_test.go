package httpx

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"parley/internal/clock"
	"parley/internal/fault"
	"parley/internal/id"
)

func windowed(prefixes []string, rs ...Route) Face {
	f := face("platform", prefixes, rs...)
	f.Window = &Window{Every: time.Minute, Prefix: "X-RateLimit-", Limit: "sales"}
	return f
}

// A fixed window: the whole number is back after it, and every answer tells.
func TestWindow(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 500e6, time.UTC)
	fake := clock.NewFake(begin)
	limits := func(name string) Rate { return map[string]Rate{"sales": {PerMinute: 3}}[name] }
	rs := routes()
	for i := range rs {
		rs[i].Limit = "sales"
	}
	f := start(t, Options{Clock: fake, Limits: limits, AuthFailures: Rate{PerMinute: 2}}, windowed([]string{"/api"}, rs...))
	until := begin.Add(59500 * time.Millisecond).Unix()
	told := func(what string, a answer, status, limit, remaining int) {
		t.Helper()
		want := []string{strconv.Itoa(limit), strconv.Itoa(remaining), strconv.FormatInt(until, 10)}
		got := []string{a.header.Get("X-RateLimit-Limit"), a.header.Get("X-RateLimit-Remaining"), a.header.Get("X-RateLimit-Reset")}
		if a.status != status || strings.Join(got, " ") != strings.Join(want, " ") || a.header.Get("RateLimit") != "" {
			t.Errorf("%s: %d %v, want %d %v", what, a.status, got, status, want)
		}
	}
	told("the first", f.do("GET", "/api/read", ""), 200, 3, 2)
	told("no such path", f.do("GET", "/api/nowhere", ""), 404, 3, 1)
	told("no such method", f.do("PUT", "/api/read", ""), 405, 3, 0)
	a := f.do("GET", "/api/read", "")
	told("one too many", a, 429, 3, 0)
	if a.header.Get("Retry-After") != "60" || a.envelope(t).Code != "rate_limited" {
		t.Errorf("%v %s", a.header, a.body)
	}
	told("a bad query", f.do("GET", "/api/read?x=%zz", ""), 400, 3, 0)
	told("another key", f.do("GET", "/api/read", "", "X-Api-Key", "b"), 200, 3, 2)
	told("nobody", f.do("GET", "/api/read", "", "X-Api-Key", "wrong"), 401, 2, 1)
	told("nobody, nowhere", f.do("GET", "/api/nowhere", "", "X-Api-Key", "wrong"), 404, 2, 0)
	told("nobody, once too often", f.do("GET", "/api/read", "", "X-Api-Key", "wrong"), 429, 2, 0)
	fake.Advance(59*time.Second + 499*time.Millisecond)
	if a := f.do("GET", "/api/read", ""); a.status != 429 || a.header.Get("Retry-After") != "1" {
		t.Errorf("just before: %d %v", a.status, a.header)
	}
	fake.Advance(time.Millisecond)
	until += 60
	told("after the window", f.do("GET", "/api/read", ""), 200, 3, 2)
}

// A call without the scope counts and tells as well; a key's own rate wins; no
// limit means no headers.
func TestWindowOfOneKey(t *testing.T) {
	fc := windowed([]string{"/api"}, Route{Method: "GET", Pattern: "/api/x", Scope: "sales:y", Limit: "sales", Handler: echo})
	fc.Authenticate = func(_ context.Context, r *Request) (Principal, error) {
		key := id.New()
		switch r.Header.Get("X-Api-Key") {
		case "own":
			return Principal{Key: key, Face: "sales", Scopes: []string{"sales:y"}, Rates: map[string]Rate{"sales": {PerMinute: 7}}}, nil
		case "free":
			return Principal{Key: key, Face: "sales", Scopes: []string{"sales:*"}, Rates: map[string]Rate{"sales": {}}}, nil
		case "poor":
			return Principal{Key: key, Face: "sales"}, nil
		}
		return Principal{}, fault.New(fault.Unavailable, "down")
	}
	f := start(t, Options{Limits: func(string) Rate { return Rate{PerMinute: 5} }}, fc)
	for key, want := range map[string]string{"own": "200 7 6", "free": "200  ", "poor": "403 5 4", "down": "503 600 599"} {
		a := f.do("GET", "/api/x", "", "X-Api-Key", key)
		if got := strconv.Itoa(a.status) + " " + a.header.Get("X-RateLimit-Limit") + " " + a.header.Get("X-RateLimit-Remaining"); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
}

func TestWindowsAreForgotten(t *testing.T) {
	fake := clock.NewFake(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	l := newLimiter(fake)
	l.max = 1000
	addr := netip.MustParseAddr("10.0.0.0")
	for range 5000 {
		addr = addr.Next()
		l.count(bucketKey{ip: addr}, Rate{PerMinute: 10}, time.Minute)
		if len(l.spans) > l.max {
			t.Fatalf("%d windows, cap %d", len(l.spans), l.max)
		}
	}
	fake.Advance(2 * time.Minute)
	l.count(bucketKey{ip: addr}, Rate{PerMinute: 10}, time.Minute)
	if len(l.spans) != 1 {
		t.Errorf("%d windows after a quiet time, want the one in use", len(l.spans))
	}
}
