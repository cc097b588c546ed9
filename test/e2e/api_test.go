package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// client calls servers; many connections may be kept.
var client = &http.Client{Timeout: 60 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Second}}

// answer is an HTTP answer; json is its body when that is an object.
type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

// at walks into the JSON body: at("data", 0, "id"). It returns nil for what is not there.
func (a answer) at(path ...any) any {
	var v any = a.json
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

func (a answer) text(path ...any) string { s, _ := a.at(path...).(string); return s }

func (a answer) list(path ...any) (out []map[string]any) {
	l, _ := a.at(path...).([]any)
	for _, v := range l {
		m, _ := v.(map[string]any)
		out = append(out, m)
	}
	return out
}

// send performs a request.
func send(r *http.Request) (answer, error) {
	resp, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(b)}
	_ = json.Unmarshal(b, &a.json)
	return a, err
}

func get(t testing.TB, url string) answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := send(r)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	return a
}

// api calls the platform API of one tenant.
type api struct {
	t                  testing.TB
	url, code, key, id string
}

func (a *api) request(method, path string, body any) *http.Request {
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			panic(err)
		}
		in = bytes.NewReader(raw)
	}
	r, err := http.NewRequest(method, a.url+path, in)
	if err != nil {
		panic(err)
	}
	r.Header.Set("x-client-code", a.code)
	r.Header.Set("x-api-key", a.key)
	r.Header.Set("content-type", "application/json")
	return r
}

// call performs a request that is answered, whatever the answer.
func (a *api) call(method, path string, body any) answer {
	a.t.Helper()
	got, err := send(a.request(method, path, body))
	if err != nil {
		a.t.Fatalf("%s %s: %v", method, path, err)
	}
	return got
}

// ok performs a request that must succeed.
func (a *api) ok(method, path string, body any) answer {
	a.t.Helper()
	got := a.call(method, path, body)
	if got.status >= 300 {
		a.t.Fatalf("%s %s answers %d %s", method, path, got.status, got.body)
	}
	return got
}

func (a *api) get(path string) answer { a.t.Helper(); return a.ok("GET", path, nil) }
