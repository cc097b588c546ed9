package httpx

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkLayer measures what the layer adds to a call: routing, key, limit,
// body, log line and answer, without the network.
func BenchmarkLayer(b *testing.B) {
	limits := func(string) Rate { return Rate{PerMinute: 1 << 30} }
	s, err := NewHandler(Options{Log: slog.New(slog.NewJSONHandler(io.Discard, nil)), Limits: limits}, pathFaces()...)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("GET", "/api/crm/leads/42", bytes.NewReader(nil))
		r.Header.Set("X-Api-Key", "a")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body)
		}
	}
}

// BenchmarkDecode measures a body of the usual size.
func BenchmarkDecode(b *testing.B) {
	body := []byte(`{"name":"Asha","stage":"new","value":12.5,"tags":["a","b"],"inner":{"phone":"919876543210","age":3},"any":{"x":[1,2,{"y":"z"}]}}`)
	b.ReportAllocs()
	for b.Loop() {
		var dst wide
		if err := DecodeJSON(body, &dst); err != nil {
			b.Fatal(err)
		}
	}
}
