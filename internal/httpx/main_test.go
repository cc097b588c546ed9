package httpx

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"parley/internal/fault"
	"parley/internal/id"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var statuses = map[fault.Code]int{
	fault.Invalid: 400, fault.Unauthorized: 401, fault.Forbidden: 403, fault.NotFound: 404, fault.Conflict: 409,
	fault.TooLarge: 413, fault.RateLimited: 429, fault.Unavailable: 503,
}

// envelope is the error answer of the test faces.
type envelope struct {
	Face, Code, Field, Reason, Message string
}

func writeError(name string) func(http.ResponseWriter, *Request, error) {
	return func(w http.ResponseWriter, _ *Request, err error) {
		e := envelope{Face: name, Code: "internal"}
		status := 500
		if f := fault.As(err); f != nil {
			e = envelope{name, string(f.Code), f.Field, f.Reason, f.Message}
			status = statuses[f.Code]
			if f.Reason == "method" {
				status = 405
			}
		}
		WriteJSON(w, status, e)
	}
}

var (
	tenantA = id.New()
	keyA    = id.New()
	keyB    = id.New()
)

// authenticate knows the keys "a" (all scopes of the face) and "b" (reading).
func authenticate(_ context.Context, r *Request) (Principal, error) {
	p := Principal{Tenant: tenantA, TenantCode: "ACME", Face: r.Face}
	switch r.Header.Get("X-Api-Key") {
	case "a":
		p.Key, p.Scopes = keyA, []string{r.Face + ":*"}
	case "b":
		p.Key, p.Scopes = keyB, []string{r.Face + ":crm:read"}
	default:
		return Principal{}, fault.New(fault.Unauthorized, "send a valid key")
	}
	return p, nil
}

func face(name string, prefixes []string, routes ...Route) Face {
	return Face{Name: name, Prefixes: prefixes, Authenticate: authenticate, WriteError: writeError(name), Routes: routes}
}

// echo answers with what it understood.
func echo(_ context.Context, r *Request) (*Response, error) {
	params := map[string]string{}
	for k, v := range r.params {
		params[k] = v
	}
	return JSON(200, map[string]any{"face": r.Face, "pattern": r.Pattern, "params": params, "path": r.Path, "len": len(r.Body)}), nil
}

// logs is a buffer that handlers on other goroutines may write.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }
func (l *logs) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

type fixture struct {
	*testing.T
	server *Server
	url    string
	client *http.Client
	log    *logs
}

func start(t *testing.T, o Options, faces ...Face) *fixture {
	t.Helper()
	l := &logs{}
	o.Log = slog.New(slog.NewJSONHandler(l, nil))
	s, err := NewHandler(o, faces...)
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(s)
	t.Cleanup(ts.Close)
	return &fixture{T: t, server: s, url: ts.URL, client: ts.Client(), log: l}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) envelope(t testing.TB) envelope {
	t.Helper()
	var e envelope
	if err := json.Unmarshal([]byte(a.body), &e); err != nil {
		t.Fatalf("%d %q is no envelope: %v", a.status, a.body, err)
	}
	return e
}

// do sends with key "a" unless a header says otherwise ("X-Api-Key", "").
func (f *fixture) do(method, path, body string, headers ...string) answer {
	f.Helper()
	var rd io.Reader
	if body != "" {
		rd = strings.NewReader(body)
	}
	return f.send(method, path, rd, headers...)
}

func (f *fixture) send(method, path string, body io.Reader, headers ...string) answer {
	f.Helper()
	req, err := http.NewRequest(method, f.url+path, body)
	if err != nil {
		f.Fatal(err)
	}
	req.Header.Set("X-Api-Key", "a")
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
		} else {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	resp, err := f.client.Do(req)
	if err != nil {
		f.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		f.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}
