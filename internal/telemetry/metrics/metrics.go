// Package metrics owns the Prometheus registry. The server makes one Registry
// and hands rooms the counters they ask for; a nil Registry and nil instruments
// work and count nothing, so that no room needs to know whether metrics are on.
// It knows no noun. Label values come from code, never from callers.
package metrics

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"parley/internal/telemetry"
)

// namespace begins every name: "parley_http_requests_total".
const namespace = "parley"

// Registry holds the metrics of one server.
type Registry struct {
	reg      *prometheus.Registry
	requests *Counter
	latency  *Histogram
	inFlight *Gauge
}

// New returns a registry with the metrics of HTTP, of the Go runtime, of the
// process and of the build.
func New() *Registry {
	r := &Registry{reg: prometheus.NewRegistry()}
	r.reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	r.requests = r.Counter("http_requests_total", "Requests answered, by face, method, route pattern and status.", "face", "method", "route", "status")
	r.latency = r.Histogram("http_request_seconds", "Time to answer, by face, route pattern and class of status.", nil, "face", "route", "status")
	r.inFlight = r.Gauge("http_requests_running", "Requests being answered now, by face.", "face")
	b := telemetry.BuildInfo()
	r.Gauge("build_info", "Always 1; the labels tell the build.", "version", "commit", "go").Set(1, b.Version, b.Commit, b.Go)
	return r
}

// Handler serves /metrics.
func (r *Registry) Handler() http.Handler {
	if r == nil {
		return http.NotFoundHandler()
	}
	return promhttp.HandlerFor(r.reg, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// Began counts one request in and returns what counts it out; it implements
// httpx.Metrics. A request without a route counts under "none".
func (r *Registry) Began(face string) func(method, pattern string, status int, took time.Duration) {
	if r == nil {
		return func(string, string, int, time.Duration) {}
	}
	if face == "" {
		face = "none"
	}
	r.inFlight.Add(1, face)
	return func(method, pattern string, status int, took time.Duration) {
		if pattern == "" {
			pattern = "none"
		}
		r.inFlight.Add(-1, face)
		r.requests.Add(1, face, method, pattern, strconv.Itoa(status))
		r.latency.Observe(took.Seconds(), face, pattern, strconv.Itoa(status/100)+"xx")
	}
}

// Counter only grows.
type Counter struct{ v *prometheus.CounterVec }

// Gauge goes up and down.
type Gauge struct{ v *prometheus.GaugeVec }

// Histogram counts observations in buckets.
type Histogram struct{ v *prometheus.HistogramVec }

// Add adds n, which must not be negative, under the given label values.
func (c *Counter) Add(n float64, labels ...string) {
	if c != nil {
		c.v.WithLabelValues(labels...).Add(n)
	}
}

// Set replaces the value.
func (g *Gauge) Set(v float64, labels ...string) {
	if g != nil {
		g.v.WithLabelValues(labels...).Set(v)
	}
}

// Add adds n, which may be negative.
func (g *Gauge) Add(n float64, labels ...string) {
	if g != nil {
		g.v.WithLabelValues(labels...).Add(n)
	}
}

// Observe records one value, in the unit of the histogram's name.
func (h *Histogram) Observe(v float64, labels ...string) {
	if h != nil {
		h.v.WithLabelValues(labels...).Observe(v)
	}
}

// Seconds are the buckets for durations: 1 ms to 30 s.
var Seconds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// Counter returns the counter of a name without the namespace; asking again
// returns the same. A name used with other labels is a defect and panics.
func (r *Registry) Counter(name, help string, labels ...string) *Counter {
	if r == nil {
		return nil
	}
	return &Counter{register(r, prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels))}
}

// Gauge is Counter for gauges.
func (r *Registry) Gauge(name, help string, labels ...string) *Gauge {
	if r == nil {
		return nil
	}
	return &Gauge{register(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels))}
}

// GaugeFunc registers a value that is read when somebody asks; read must be
// fast and safe for concurrent use.
func (r *Registry) GaugeFunc(name, help string, read func() float64) {
	if r != nil {
		r.reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, read))
	}
}

// Histogram is Counter for histograms; nil buckets mean Seconds.
func (r *Registry) Histogram(name, help string, buckets []float64, labels ...string) *Histogram {
	if r == nil {
		return nil
	}
	if buckets == nil {
		buckets = Seconds
	}
	return &Histogram{register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels))}
}

func register[C prometheus.Collector](r *Registry, c C) C {
	err := r.reg.Register(c)
	var have prometheus.AlreadyRegisteredError
	if errors.As(err, &have) {
		if old, ok := have.ExistingCollector.(C); ok {
			return old
		}
	}
	if err != nil {
		panic(err)
	}
	return c
}
