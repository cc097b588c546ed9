package sales_test

import (
	"bytes"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/access"
	"parley/internal/config"
	"parley/test/apitest"
)

// told returns the three headers of an answer.
func told(a apitest.Answer) string {
	return a.Header.Get("X-RateLimit-Limit") + " " + a.Header.Get("X-RateLimit-Remaining") + " " + a.Header.Get("X-RateLimit-Reset")
}

// The count is there in every answer, is the key's own, and is back after 60 s
// (reference §1.4).
func TestRateLimit(t *testing.T) {
	o := apitest.Options{Quiet: true, At: monday, Config: func(c *config.Server) { c.SalesRate = 3 }}
	apitest.Each(t, o, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c := acme.Caller("leads:write")
		reset := strconv.FormatInt(monday.Add(time.Minute).Unix(), 10)
		for i, step := range []struct {
			path   string
			status int
			want   string
		}{{"/integration", 200, "3 2 "}, {"/prospects", 403, "3 1 "}, {"/nowhere", 404, "3 0 "}, {"/integration", 429, "3 0 "}, {"/groups?format=xml", 429, "3 0 "}} {
			a := c.Get(step.path)
			if a.Status != step.status || told(a) != step.want+reset {
				t.Errorf("call %d, %s: %d %q, want %d %q", i, step.path, a.Status, told(a), step.status, step.want+reset)
			}
			r.Clock.Advance(time.Second)
		}
		over := c.Get("/integration?format=csv").Refused(429, "RATE_LIMITED")
		if over.Header.Get("Retry-After") != "55" || over.Header.Get("Content-Type") != "application/json; charset=utf-8" || over.Str("summary") == "" {
			t.Errorf("%v %s", over.Header, over.Body)
		}
		if a := acme.Caller().Get("/integration"); a.Status != 200 || !strings.HasPrefix(told(a), "3 2 ") {
			t.Errorf("another key: %d %q", a.Status, told(a))
		}
		own := acme.WithKey(access.NewKey{Rate: 7})
		if a := own.Get("/integration"); a.Status != 200 || !strings.HasPrefix(told(a), "7 6 ") {
			t.Errorf("a key with a rate of its own: %d %q", a.Status, told(a))
		}
		if a := r.Call("GET", "/api/v1/integration", nil); a.Status != 401 || strings.Contains(told(a), "  ") {
			t.Errorf("nobody: %d %q", a.Status, told(a))
		}
		r.Clock.Advance(55 * time.Second)
		if a := c.Get("/integration"); a.Status != 200 || !strings.HasPrefix(told(a), "3 2 ") {
			t.Errorf("after 60 s: %d %q", a.Status, told(a))
		}
	})
}

type buffer struct {
	sync.Mutex
	b bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) { b.Lock(); defer b.Unlock(); return b.b.Write(p) }
func (b *buffer) String() string              { b.Lock(); defer b.Unlock(); return b.b.String() }

// A key in the address never reaches a log, whatever becomes of the request
// (reference §1.2).
func TestKeysStayOutOfTheLog(t *testing.T) {
	var log buffer
	o := apitest.Options{Logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	r := apitest.New(t, o, "")
	c := r.NewTenant("Acme").Caller()
	wrong := "parley_sales_" + strings.Repeat("ab", 32)
	for _, key := range []string{c.Token, wrong, "%zz" + wrong} {
		for _, call := range []struct{ method, path, body string }{
			{"GET", "/api/v1/integration", ""}, {"GET", "/v1/nowhere", ""}, {"PUT", "/api/v1/groups", ""}, {"GET", "/api/v1/groups", "{}"}, {"GET", "/api/v1/group/x", ""},
			{"POST", "/api/v1/lead/retail", "{"}, {"GET", "/api/v1/groups/", ""}, {"OPTIONS", "/api/v1/groups", ""}, {"GET", "/api/v1/prospects", ""},
		} {
			a := r.Call(call.method, call.path+"?api-key="+key+"&api-key["+key+"]=x", call.body)
			if strings.Contains(string(a.Body), key[3:]) {
				t.Errorf("%s %s repeats the key: %s", call.method, call.path, a.Body)
			}
			for name, vs := range a.Header {
				if strings.Contains(strings.Join(vs, " "), key[3:]) {
					t.Errorf("%s %s repeats the key in %s", call.method, call.path, name)
				}
			}
		}
	}
	text := log.String()
	if !strings.Contains(text, "/api/v1/integration") {
		t.Fatalf("the log holds no requests:\n%s", text)
	}
	for _, key := range []string{c.Token, wrong} {
		if strings.Contains(text, key) || strings.Contains(text, strings.TrimPrefix(key, "parley_sales_")) {
			t.Errorf("the log holds a key:\n%s", text)
		}
	}
}
