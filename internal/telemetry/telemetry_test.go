package telemetry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLoggerRedacts(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var b bytes.Buffer
		log, err := NewLogger(&b, format, "info")
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range []string{"key", "token", "secret", "Authorization", "password", "api_key", "apiKey", "APIKey", "x-api-key", "access_token", "client_secret_value", "set-cookie", "idempotencyKey", "DSN"} {
			log.Info("m", k, "HUSH")
			log.With(k, "HUSH").WithGroup("g").Info("m", k, "HUSH")
			log.Info("m", slog.Group("outer", slog.Group("inner", slog.String(k, "HUSH"))))
			log.Info("m", "headers", http.Header{k: {"HUSH"}}, "map", map[string]string{k: "HUSH"}, "any", map[string]any{"in": map[string]any{k: "HUSH"}})
		}
		log.Info("m", slog.Group("secrets", slog.String("whatsapp", "HUSH")))
		if out := b.String(); strings.Contains(out, "HUSH") || !strings.Contains(out, Redacted) {
			t.Errorf("%s: %s", format, out)
		}
		b.Reset()
		for _, k := range []string{"key_id", "monkey", "tokenizer", "tenant", "route", "keyboard", "status"} {
			log.Info("m", k, "SEEN")
		}
		if out := b.String(); strings.Count(out, "SEEN") != 7 {
			t.Errorf("%s hides too much: %s", format, out)
		}
		b.Reset()
		log.Debug("quiet")
		if b.Len() > 0 {
			t.Error("debug is shown at level info")
		}
	}
	if _, err := NewLogger(io.Discard, "xml", "info"); err == nil {
		t.Error("format xml")
	}
	if _, err := NewLogger(io.Discard, "json", "loud"); err == nil {
		t.Error("level loud")
	}
}

func ask(h http.HandlerFunc) (int, string) {
	w := httptest.NewRecorder()
	h(w, httptest.NewRequest("GET", "/", nil))
	return w.Code, w.Body.String()
}

func TestHealthAndReadiness(t *testing.T) {
	var b bytes.Buffer
	log, _ := NewLogger(&b, "json", "info")
	if code, body := ask(Healthz()); code != 200 || body != `{"status":"ok"}` {
		t.Error(code, body)
	}
	good := Check{"jobs", func(context.Context) error { return nil }}
	if code, body := ask(Readyz(log, good)); code != 200 || body != `{"status":"ok"}` {
		t.Error(code, body)
	}
	code, body := ask(Readyz(log, good,
		Check{"database", func(context.Context) error { return errors.New("connection to 10.0.0.5 refused") }},
		Check{"broken", func(context.Context) error { panic("oops") }}))
	if code != 503 || body != `{"failing":["database","broken"],"status":"unavailable"}` {
		t.Error(code, body)
	}
	if !strings.Contains(b.String(), "10.0.0.5") || !strings.Contains(b.String(), "oops") {
		t.Error("the log does not say why")
	}
	// A check that hangs does not hang the answer: the caller's context ends it.
	ctx, cancel := context.WithCancel(context.Background())
	release := make(chan struct{})
	defer close(release)
	hang := Readyz(log, Check{"hung", func(context.Context) error { cancel(); <-release; return nil }})
	w := httptest.NewRecorder()
	hang(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	if w.Code != 503 || !strings.Contains(w.Body.String(), "hung") {
		t.Error(w.Code, w.Body.String())
	}
}

func TestProfilerIsLocal(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "8.8.8.8:6060", "example.com:6060", ""} {
		if p, err := StartProfiler(addr); err == nil {
			p.Close(context.Background())
			t.Errorf("%q accepted", addr)
		}
	}
	p, err := StartProfiler("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for host, want := range map[string]int{"": 200, "evil.example:80": 403} {
		req, _ := http.NewRequest("GET", "http://"+p.Addr()+"/debug/pprof/goroutine?debug=1", nil)
		if host != "" {
			req.Host = host
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want || (want == 200) != strings.Contains(string(body), "goroutine profile") {
			t.Errorf("as %q: %d", host, resp.StatusCode)
		}
	}
	if err := p.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := client.Get("http://" + p.Addr()); err == nil {
		t.Error("still listening")
	}
}

func TestVersion(t *testing.T) {
	if Version() == "" || BuildInfo().Go == "" {
		t.Error("no version")
	}
	info := func(v string, kv ...string) *debug.BuildInfo {
		i := &debug.BuildInfo{GoVersion: "go1.26.0"}
		i.Main.Version = v
		for n := 0; n < len(kv); n += 2 {
			i.Settings = append(i.Settings, debug.BuildSetting{Key: kv[n], Value: kv[n+1]})
		}
		return i
	}
	for want, i := range map[string]*debug.BuildInfo{
		"v1.2.3":                       info("v1.2.3", "vcs.revision", "1a2b3c4d5e6f7890"),
		"dev":                          info("(devel)"),
		"dev (1a2b3c4d5e6f)":           info("(devel)", "vcs.revision", "1a2b3c4d5e6f7890", "vcs.modified", "false"),
		"dev (1a2b3c4d5e6f, modified)": info("", "vcs.revision", "1a2b3c4d5e6f7890", "vcs.modified", "true"),
	} {
		if got := fromInfo(i).String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
