package parley

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// seen is a request that the fake server got.
type seen struct {
	method, path, query string
	header              http.Header
	body                []byte
}

// fake is a server that answers by a function and remembers what it was asked.
type fake struct {
	*httptest.Server
	mu   sync.Mutex
	seen []seen
}

func serve(t *testing.T, answer func(n int, r seen) (int, string)) *fake {
	t.Helper()
	f := &fake{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		s := seen{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header, b}
		f.mu.Lock()
		f.seen = append(f.seen, s)
		n := len(f.seen)
		f.mu.Unlock()
		status, body := answer(n, s)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Request-Id", "req-1")
		if status == 429 || status == 409 {
			w.Header().Set("Retry-After", "7")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) requests() []seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]seen(nil), f.seen...)
}

// still is a clock whose pauses pass at once and are noted.
type still struct {
	mu     sync.Mutex
	now    time.Time
	pauses []time.Duration
}

func (s *still) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *still) After(d time.Duration) <-chan time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pauses = append(s.pauses, d)
	s.now = s.now.Add(d)
	c := make(chan time.Time, 1)
	c <- s.now
	return c
}

func (s *still) waited() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Duration(nil), s.pauses...)
}

func client(t *testing.T, url string, opts ...Option) (*Client, *still) {
	t.Helper()
	k := &still{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	c, err := New(append([]Option{WithAPIKey("erix_test"), WithClientCode("ERIX_CLNT_AAAAAA"), WithBaseURL(url), WithClock(k)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	c.cfg.jitter = func() float64 { return 1 }
	return c, k
}

func ctx(t *testing.T) context.Context {
	c, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return c
}

// object reads a JSON object.
func object(t *testing.T, b []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatalf("%s is no object: %v", b, err)
	}
	return m
}

// must fails the test on an error.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
