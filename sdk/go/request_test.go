package parley

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRetriesOfAWriteKeepOneKeyAndBody(t *testing.T) {
	f := serve(t, func(n int, _ seen) (int, string) {
		if n < 3 {
			return 503, `{"success":false,"message":"busy","code":"UNAVAILABLE"}`
		}
		return 201, `{"success":true,"data":{"id":"65f1c0ffee65f1c0ffee65f1","phone":"919876543210"}}`
	})
	c, k := client(t, f.URL)
	lead, err := c.CRM.Leads.Create(ctx(t), LeadInput{FirstName: "Priya", Phone: "+919876543210"})
	if err != nil || lead.Phone != "919876543210" {
		t.Fatal(lead, err)
	}
	r := f.requests()
	if len(r) != 3 {
		t.Fatalf("%d requests, want 3", len(r))
	}
	for _, s := range r {
		if key := s.header.Get("Idempotency-Key"); key == "" || key != r[0].header.Get("Idempotency-Key") {
			t.Errorf("key %q, first %q", key, r[0].header.Get("Idempotency-Key"))
		}
		if !bytes.Equal(s.body, r[0].body) || object(t, s.body)["firstName"] != "Priya" {
			t.Errorf("body %s", s.body)
		}
		if s.header.Get("X-Api-Key") != "erix_test" || s.header.Get("X-Client-Code") != "ERIX_CLNT_AAAAAA" || s.method != "POST" || s.path != "/api/saas/crm/leads" {
			t.Errorf("%s %s %v", s.method, s.path, s.header)
		}
	}
	if got := k.waited(); !slices.Equal(got, []time.Duration{500 * time.Millisecond, time.Second}) {
		t.Errorf("paused %v", got)
	}
	// Another call is another key.
	_, _ = c.CRM.Leads.Create(ctx(t), LeadInput{})
	if r = f.requests(); r[3].header.Get("Idempotency-Key") == r[0].header.Get("Idempotency-Key") {
		t.Error("two calls share a key")
	}
	_, _ = c.CRM.Leads.Create(ctx(t), LeadInput{}, IdempotencyKey("mine"), Header("X-Trace", "7"))
	if r = f.requests(); r[4].header.Get("Idempotency-Key") != "mine" || r[4].header.Get("X-Trace") != "7" {
		t.Errorf("%v", r[4].header)
	}
	_, _ = c.CRM.Leads.Retrieve(ctx(t), "x")
	if r = f.requests(); r[5].header.Get("Idempotency-Key") != "" {
		t.Error("a read carries a key")
	}
}

func TestWhatIsRetried(t *testing.T) {
	for _, c := range []struct {
		status, tries int
		wait          time.Duration
	}{
		{400, 1, 0}, {401, 1, 0}, {403, 1, 0}, {404, 1, 0}, {422, 1, 0}, {501, 1, 0},
		{409, 4, 7 * time.Second}, // told to wait: an earlier try still runs
		{429, 4, 7 * time.Second}, {500, 4, 500 * time.Millisecond}, {502, 4, 500 * time.Millisecond},
	} {
		f := serve(t, func(int, seen) (int, string) { return c.status, `{"success":false,"message":"no","code":"X"}` })
		cl, k := client(t, f.URL)
		_, err := cl.CRM.Leads.Retrieve(ctx(t), "x")
		var e *APIError
		if !errors.As(err, &e) || e.Status != c.status {
			t.Errorf("%d: %v", c.status, err)
		}
		if n := len(f.requests()); n != c.tries {
			t.Errorf("%d: %d tries, want %d", c.status, n, c.tries)
		}
		if w := k.waited(); c.wait > 0 && w[0] != c.wait {
			t.Errorf("%d: waited %v first, want %v", c.status, w[0], c.wait)
		}
	}
	f := serve(t, func(int, seen) (int, string) { return 503, "" })
	cl, _ := client(t, f.URL, WithMaxRetries(0))
	if err := cl.Request(ctx(t), "GET", "/x", nil, nil); err == nil || len(f.requests()) != 1 {
		t.Error("retries were off")
	}
}

func TestAPlainConflictIsFinal(t *testing.T) {
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { n++; w.WriteHeader(409) }))
	defer s.Close()
	c, _ := client(t, s.URL)
	if err := c.CRM.Leads.Delete(ctx(t), "x"); !IsConflict(err) || n != 1 {
		t.Errorf("%d tries, %v", n, err)
	}
}

func TestANetworkErrorIsRetried(t *testing.T) {
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n++; n == 1 {
			panic(http.ErrAbortHandler)
		}
		if n == 2 { // an answer that breaks off
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"data":`)
			return
		}
		_, _ = io.WriteString(w, `{"data":{"count":2}}`)
	}))
	defer s.Close()
	c, _ := client(t, s.URL)
	if got, err := c.Events.UnassignBulk(ctx(t), []string{"a", "b"}); err != nil || got != 2 || n != 3 {
		t.Errorf("%d after %d tries, %v", got, n, err)
	}
}

func TestATryThatTakesTooLongIsRepeated(t *testing.T) {
	release := make(chan struct{})
	f := serve(t, func(n int, _ seen) (int, string) {
		if n == 1 {
			<-release
		}
		return 200, `{"data":{"waiting":4}}`
	})
	defer close(release)
	c, _ := client(t, f.URL, WithTimeout(2*time.Second))
	if got, err := c.Queue.Stats(ctx(t)); err != nil || got.Waiting != 4 {
		t.Error(got, err)
	}
}

// endless is a clock whose pauses do not pass; each is announced.
type endless struct {
	realClock
	paused func()
}

func (e endless) After(time.Duration) <-chan time.Time {
	e.paused()
	return nil
}

func TestTheContextEndsACall(t *testing.T) {
	f := serve(t, func(int, seen) (int, string) { return 503, `{}` })
	ctx, cancel := context.WithCancel(context.Background())
	c, _ := client(t, f.URL, WithClock(endless{paused: cancel}))
	err := c.CRM.Leads.Delete(ctx, "x")
	var e *APIError
	if !errors.Is(err, context.Canceled) || !errors.As(err, &e) || e.Status != 503 {
		t.Errorf("%v tells neither the end nor its cause", err)
	}
}

func TestErrors(t *testing.T) {
	f := serve(t, func(_ int, r seen) (int, string) {
		switch r.path {
		case "/401":
			return 401, `{"success":false,"message":"The API key is wrong.","code":"UNAUTHORIZED"}`
		case "/429":
			return 429, `{"success":false,"message":"Too many.","code":"RATE_LIMITED"}`
		case "/404":
			return 404, `{"success":false,"message":"No lead.","code":"LEAD_NOT_FOUND","hint":"Set createLeadIfMissing."}`
		case "/proxy":
			return 413, `<html>too large</html>`
		case "/old":
			return 400, `{"error":"Invalid JSON format"}`
		default:
			return 400, `{"success":false,"message":"Bad.","code":"VALIDATION_ERROR","requestId":"r9","errors":{"phone":["too short","odd"],"name":"missing"}}`
		}
	})
	c, _ := client(t, f.URL, WithMaxRetries(0))
	get := func(path string) (*APIError, error) {
		err := c.Request(ctx(t), "GET", path, nil, nil)
		var e *APIError
		if !errors.As(err, &e) {
			t.Fatalf("%s: %v is no APIError", path, err)
		}
		return e, err
	}
	e, err := get("/401")
	var auth *AuthenticationError
	if !errors.As(err, &auth) || e.Code != CodeUnauthorized || auth.Status != 401 || e.RequestID != "req-1" {
		t.Errorf("%#v", e)
	}
	_, err = get("/429")
	var limit *RateLimitError
	if !errors.As(err, &limit) || limit.RetryAfter != 7*time.Second || limit.Code != CodeRateLimited {
		t.Errorf("%#v", limit)
	}
	if errors.As(err, &auth) {
		t.Error("a rate limit is an authentication error")
	}
	if e, err = get("/404"); !IsNotFound(err) || e.Hint == "" || e.Code != CodeLeadNotFound {
		t.Errorf("%#v", e)
	}
	if e, _ = get("/400"); !slices.Equal(e.Errors["phone"], []string{"too short", "odd"}) || !slices.Equal(e.Errors["name"], []string{"missing"}) || e.RequestID != "r9" {
		t.Errorf("%#v", e)
	}
	if want := "parley: GET /400: 400 VALIDATION_ERROR: Bad. (request r9)"; e.Error() != want {
		t.Errorf("%q, want %q", e, want)
	}
	if e, _ = get("/proxy"); e.Message == "" || string(e.Raw) != "<html>too large</html>" {
		t.Errorf("%#v", e)
	}
	if e, _ = get("/old"); e.Message != "Invalid JSON format" {
		t.Errorf("%#v", e)
	}
}

func TestARedirectToAnotherHostIsRefused(t *testing.T) {
	stolen := false
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { stolen = r.Header.Get("X-Api-Key") != "" }))
	defer other.Close()
	s := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer s.Close()
	c, k := client(t, s.URL)
	if err := c.Request(ctx(t), "GET", "/x", nil, nil); err == nil || stolen || len(k.waited()) > 0 {
		t.Errorf("%v, stolen %v, paused %v", err, stolen, k.waited())
	}
}

func TestUploadCanBeRepeated(t *testing.T) {
	for name, content := range map[string]func() io.Reader{
		"memory": func() io.Reader { return strings.NewReader("hello") },
		"pipe":   func() io.Reader { return io.MultiReader(strings.NewReader("hel"), strings.NewReader("lo")) },
		"middle": func() io.Reader { r := strings.NewReader("xxhello"); _, _ = r.Seek(2, io.SeekStart); return r },
	} {
		t.Run(name, func(t *testing.T) {
			f := serve(t, func(n int, _ seen) (int, string) {
				if n == 1 {
					return 500, `{}`
				}
				return 200, `{"data":{"url":"https://x/y.txt","type":"document"}}`
			})
			c, _ := client(t, f.URL)
			up, err := c.WhatsApp.Messages.Upload(ctx(t), File{Name: `a"b.txt`, ContentType: "text/plain", Content: content()})
			if err != nil || up.URL != "https://x/y.txt" {
				t.Fatal(up, err)
			}
			for _, r := range f.requests() {
				_, params, err := mime.ParseMediaType(r.header.Get("Content-Type"))
				if err != nil {
					t.Fatal(err)
				}
				p, err := multipart.NewReader(bytes.NewReader(r.body), params["boundary"]).NextPart()
				if err != nil {
					t.Fatal(err)
				}
				if b, _ := io.ReadAll(p); string(b) != "hello" || p.FormName() != "file" || p.FileName() != `a"b.txt` || p.Header.Get("Content-Type") != "text/plain" {
					t.Errorf("%q %q %q", b, p.FormName(), p.FileName())
				}
			}
		})
	}
}

func TestOptionsAndEnvironment(t *testing.T) {
	for _, v := range []string{"PARLEY_API_KEY", "ECOD_API_KEY", "PARLEY_CLIENT_CODE", "ECOD_CLIENT_CODE", "PARLEY_BASE_URL", "PARLEY_SOCKET_URL"} {
		t.Setenv(v, "")
	}
	if _, err := New(); err == nil {
		t.Error("a client without a key")
	}
	t.Setenv("ECOD_API_KEY", "old")
	t.Setenv("PARLEY_BASE_URL", "https://crm.example.com/")
	c := must[*Client](t)(New())
	if c.cfg.apiKey != "old" || c.cfg.baseURL != "https://crm.example.com" || c.cfg.socketURL != c.cfg.baseURL {
		t.Errorf("%+v", c.cfg)
	}
	t.Setenv("PARLEY_API_KEY", "new")
	if c = must[*Client](t)(New(WithUserAgent("shop/1"))); c.cfg.apiKey != "new" || !strings.HasPrefix(c.cfg.userAgent, "shop/1 parley-go/") {
		t.Errorf("%+v", c.cfg)
	}
	for _, bad := range []Option{WithBaseURL("crm.example.com"), WithBaseURL("ftp://x"), WithSocketURL("::"), WithMaxRetries(-1), WithAPIKey("a\nb")} {
		if _, err := New(bad); err == nil {
			t.Error("a bad option was taken")
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for v, want := range map[string]time.Duration{"": -1, "3": 3 * time.Second, "-1": -1, "soon": -1,
		"Sun, 01 Mar 2026 12:00:30 GMT": 30 * time.Second, "Sun, 01 Mar 2026 11:00:00 GMT": 0} {
		got, ok := retryAfter(http.Header{"Retry-After": {v}}, now)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %v %v, want %v", v, got, ok, want)
		}
	}
}
