// Package telemetry is how the server tells its operator what it does: the
// logger, the health and readiness answers, the profiler and the version. The
// server and the commands set it up; other rooms receive a *slog.Logger. Its
// sub-package metrics owns the Prometheus registry. It knows no noun.
package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"unicode"
)

// Redacted stands in the log where a secret would have stood.
const Redacted = "[redacted]"

// NewLogger returns a logger that writes to w. format is "text" or "json";
// level is "debug", "info", "warn" or "error". Values under names such as
// api_key, token, secret, authorization or password are replaced.
func NewLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	var lv slog.Level
	if err := lv.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("telemetry: log level %q: use debug, info, warn or error", level)
	}
	opts := &slog.HandlerOptions{Level: lv, ReplaceAttr: redact}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, fmt.Errorf("telemetry: log format %q: use text or json", format)
}

func redact(groups []string, a slog.Attr) slog.Attr {
	if sensitive(a.Key) || slices.ContainsFunc(groups, secretGroup) {
		return slog.String(a.Key, Redacted)
	}
	if a.Value.Kind() != slog.KindAny {
		return a
	}
	switch m := a.Value.Any().(type) {
	case http.Header:
		return slog.Any(a.Key, cleanLists(m))
	case map[string][]string:
		return slog.Any(a.Key, cleanLists(m))
	case map[string]string:
		out := make(map[string]string, len(m))
		for k, v := range m {
			if sensitive(k) {
				v = Redacted
			}
			out[k] = v
		}
		return slog.Any(a.Key, out)
	case map[string]any:
		return slog.Any(a.Key, cleanMap(m))
	}
	return a
}

// secretGroup keeps whole groups such as slog.Group("secrets", ...) out.
func secretGroup(g string) bool {
	w := words(g)
	return slices.Contains(w, "secret") || slices.Contains(w, "secrets") || slices.Contains(w, "credentials")
}

func cleanLists(m map[string][]string) map[string][]string {
	out := make(map[string][]string, len(m))
	for k, v := range m {
		if sensitive(k) {
			v = []string{Redacted}
		}
		out[k] = v
	}
	return out
}

func cleanMap(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		if sensitive(k) {
			v = Redacted
		} else if inner, ok := v.(map[string]any); ok {
			v = cleanMap(inner)
		}
		out[k] = v
	}
	return out
}

// always are words that make a name sensitive wherever they stand; last are
// those that do so at its end: "api_key" is a secret, "key_id" is not.
var (
	always = []string{"secret", "secrets", "password", "passwd", "passphrase", "authorization", "cookie", "credential", "credentials", "apikey"}
	last   = []string{"key", "keys", "token", "tokens", "signature", "bearer", "otp", "dsn"}
)

func sensitive(name string) bool {
	w := words(name)
	if len(w) == 0 {
		return false
	}
	for _, s := range w {
		if slices.Contains(always, s) {
			return true
		}
	}
	return slices.Contains(last, w[len(w)-1])
}

// words splits a name at punctuation and at capitals: "X-Api-Key", "apiKey",
// "api_key" and "APIKey" all end in "key".
func words(name string) []string {
	var out []string
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			out = append(out, strings.ToLower(b.String()))
			b.Reset()
		}
	}
	rs := []rune(name)
	for i, r := range rs {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
			continue
		case unicode.IsUpper(r) && i > 0 && (!unicode.IsUpper(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1])):
			flush()
		}
		b.WriteRune(r)
	}
	flush()
	return out
}
