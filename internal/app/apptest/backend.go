// Package apptest is the other side of package app for tests: the backend of an app
// as a real HTTP server, which checks credentials as an app should, and goes down,
// hangs or answers garbage when told to.
package apptest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"parley/internal/app"
)

// Backend is an app. Everything may be read and changed while it runs, under Lock.
type Backend struct {
	*httptest.Server
	sync.Mutex
	ClientID, Secret string
	// Keys are the API keys of its instances with whether each is enabled.
	Keys     map[string]bool
	Settings map[string]any
	Form     string
	Calls    []Call
	// Answer, when not nil, answers instead of the app; false lets the app answer.
	Answer func(w http.ResponseWriter, r *http.Request, body []byte) bool
}

// Call is a request that came in.
type Call struct {
	Method, Path, Key, Name string
	Body                    map[string]any
}

// New starts a backend that ends with the test.
func New(t testing.TB, clientID, secret string) *Backend {
	b := &Backend{ClientID: clientID, Secret: secret, Keys: map[string]bool{}, Settings: map[string]any{"automaticReplyEnabled": true},
		Form: `{"sections":[{"name":"main","inputs":[{"name":"automaticReplyEnabled","type":"checkbox"},{"name":"text","type":"text"}]}]}`}
	b.Server = httptest.NewServer(http.HandlerFunc(b.serve))
	t.Cleanup(b.Close)
	return b
}

func (b *Backend) serve(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	raw := readAll(r)
	_ = json.Unmarshal(raw, &body)
	b.Lock()
	b.Calls = append(b.Calls, Call{r.Method, r.URL.Path, r.URL.Query().Get("api-key"), r.Header.Get(app.CallHeader), body})
	answer := b.Answer
	b.Unlock()
	if answer != nil && answer(w, r, raw) {
		return
	}
	b.Serve(w, r, body)
}

func readAll(r *http.Request) []byte {
	var raw json.RawMessage
	_ = json.NewDecoder(r.Body).Decode(&raw)
	return raw
}

// Serve is the app itself.
func (b *Backend) Serve(w http.ResponseWriter, r *http.Request, body map[string]any) {
	b.Lock()
	defer b.Unlock()
	if r.Header.Get("X-App-Id") != b.ClientID || r.Header.Get("X-App-Secret") != b.Secret {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	key := r.URL.Query().Get("api-key")
	reply := func(v any) { w.Header().Set("Content-Type", "application/json"); _ = json.NewEncoder(w).Encode(v) }
	if r.Method+r.URL.Path == "POST/install" {
		i, _ := body["integration"].(map[string]any)
		if body["appId"] != b.ClientID || body["appSecret"] != b.Secret || i["apiKey"] != key {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		b.Keys[key], _ = i["enabled"].(bool)
		w.WriteHeader(http.StatusCreated)
		return
	}
	if _, known := b.Keys[key]; !known {
		w.WriteHeader(http.StatusUnauthorized) // an instance that it does not know
		return
	}
	switch r.Method + r.URL.Path {
	case "GET/settings/form":
		_, _ = w.Write([]byte(b.Form))
	case "GET/settings":
		reply(b.Settings)
	case "PUT/settings":
		for k, v := range body {
			b.Settings[k] = v
		}
	case "PUT/enabled":
		b.Keys[key], _ = body["enabled"].(bool)
	case "PUT/api-key":
		next, _ := body["newApiKey"].(string)
		on := b.Keys[key]
		delete(b.Keys, key)
		b.Keys[next] = on
	case "DELETE/":
		delete(b.Keys, key)
		reply(map[string]any{"success": true})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// Say makes Answer the given function.
func (b *Backend) Say(answer func(w http.ResponseWriter, r *http.Request, body []byte) bool) {
	b.Lock()
	defer b.Unlock()
	b.Answer = answer
}

// Fail makes the app answer every call with a status; 0 ends that.
func (b *Backend) Fail(status int) {
	if status == 0 {
		b.Say(nil)
		return
	}
	b.Say(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool { w.WriteHeader(status); return true })
}

// Seen lists the calls so far as "METHOD path".
func (b *Backend) Seen() []string {
	b.Lock()
	defer b.Unlock()
	out := make([]string, len(b.Calls))
	for i, c := range b.Calls {
		out[i] = c.Method + " " + c.Path
	}
	return out
}

// Last returns the last call of a path; the zero Call when there was none.
func (b *Backend) Last(path string) Call {
	b.Lock()
	defer b.Unlock()
	for _, c := range slices.Backward(b.Calls) {
		if c.Path == path {
			return c
		}
	}
	return Call{}
}

// Key returns the only key that the app knows and whether it is enabled; "" when it
// knows none or several.
func (b *Backend) Key() (key string, on bool) {
	b.Lock()
	defer b.Unlock()
	if len(b.Keys) != 1 {
		return "", false
	}
	for key, on = range b.Keys {
		key = strings.Clone(key)
	}
	return key, on
}
