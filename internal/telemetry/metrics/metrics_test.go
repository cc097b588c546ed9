package metrics

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"parley/internal/httpx"
)

var _ httpx.Metrics = (*Registry)(nil)

func scrape(t *testing.T, r *Registry) string {
	t.Helper()
	s := httptest.NewServer(r.Handler())
	defer s.Close()
	resp, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestMetricsOfHTTP(t *testing.T) {
	r := New()
	ended := r.Began("platform")
	if out := scrape(t, r); !strings.Contains(out, `parley_http_requests_running{face="platform"} 1`) {
		t.Error(out)
	}
	ended("GET", "/api/crm/leads/{id}", 404, 30*time.Millisecond)
	r.Began("")("OTHER", "", 404, time.Millisecond)
	out := scrape(t, r)
	for _, want := range []string{
		`parley_http_requests_running{face="platform"} 0`,
		`parley_http_requests_total{face="platform",method="GET",route="/api/crm/leads/{id}",status="404"} 1`,
		`parley_http_request_seconds_bucket{face="platform",route="/api/crm/leads/{id}",status="4xx",le="0.025"} 0`,
		`parley_http_request_seconds_bucket{face="platform",route="/api/crm/leads/{id}",status="4xx",le="0.05"} 1`,
		`parley_http_requests_total{face="none",method="OTHER",route="none",status="404"} 1`,
		"go_goroutines ", "process_open_fds ", "parley_build_info{",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %s", want)
		}
	}
}

func TestInstruments(t *testing.T) {
	r := New()
	r.Counter("sends_total", "Sends.", "channel").Add(2, "sms")
	r.Counter("sends_total", "Sends.", "channel").Add(3, "sms") // the same one
	g := r.Gauge("lag", "Lag.")
	g.Set(5)
	g.Add(-1)
	r.GaugeFunc("depth", "Depth.", func() float64 { return 7 })
	r.Histogram("batch", "Batch.", []float64{1, 10}).Observe(4)
	out := scrape(t, r)
	for _, want := range []string{`parley_sends_total{channel="sms"} 5`, "parley_lag 4", "parley_depth 7", `parley_batch_bucket{le="1"} 0`, `parley_batch_bucket{le="10"} 1`} {
		if !strings.Contains(out, want+"\n") {
			t.Errorf("lacks %s", want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("one name with two sets of labels must be noticed")
		}
	}()
	r.Counter("sends_total", "Sends.", "other")
}

func TestNothingCountsNothing(t *testing.T) {
	var r *Registry
	r.Counter("a", "").Add(1)
	r.Gauge("b", "").Set(1)
	r.Gauge("b", "").Add(1)
	r.Histogram("c", "", nil).Observe(1)
	r.GaugeFunc("d", "", nil)
	r.Began("x")("GET", "/", 200, 0)
	if w := httptest.NewRecorder(); true {
		r.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		if w.Code != 404 {
			t.Error(w.Code)
		}
	}
}
