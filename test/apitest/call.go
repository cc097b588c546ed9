package apitest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	t      testing.TB
}

// Get, Post, Put, Patch and Delete call a path of the caller's API. A body is
// marshalled unless it is a string, []byte or nil.
func (c *Caller) Get(path string, headers ...string) Answer {
	c.Helper()
	return c.Do("GET", path, nil, headers...)
}

// Post calls with POST.
func (c *Caller) Post(path string, body any, headers ...string) Answer {
	c.Helper()
	return c.Do("POST", path, body, headers...)
}

// Put calls with PUT.
func (c *Caller) Put(path string, body any, headers ...string) Answer {
	c.Helper()
	return c.Do("PUT", path, body, headers...)
}

// Patch calls with PATCH.
func (c *Caller) Patch(path string, body any, headers ...string) Answer {
	c.Helper()
	return c.Do("PATCH", path, body, headers...)
}

// Delete calls with DELETE.
func (c *Caller) Delete(path string, headers ...string) Answer {
	c.Helper()
	return c.Do("DELETE", path, nil, headers...)
}

// Do calls with the caller's key, in the header that every API knows. Headers come
// in pairs; an empty value takes one away.
func (c *Caller) Do(method, path string, body any, headers ...string) Answer {
	c.Helper()
	return c.Call(method, c.base+path, body, append([]string{"X-API-Key", c.Token}, headers...)...)
}

// Call calls a whole path without a key.
func (r *Rig) Call(method, path string, body any, headers ...string) Answer {
	r.Helper()
	var rd io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		rd = strings.NewReader(b)
	case []byte:
		rd = bytes.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			r.Fatal(err)
		}
		rd = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, r.URL+path, rd)
	if err != nil {
		r.Fatal(err)
	}
	if rd != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
		} else {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	resp, err := r.Client.Do(req)
	if err != nil {
		r.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		r.Fatal(err)
	}
	return Answer{resp.StatusCode, resp.Header, raw, r}
}

// OK fails the test unless the answer is a success, and returns it.
func (a Answer) OK() Answer {
	a.t.Helper()
	if a.Status < 200 || a.Status > 299 {
		a.t.Fatalf("refused: %d %s", a.Status, a.Body)
	}
	return a
}

// Refused complains unless the answer has a status and, on the sales API, a code.
func (a Answer) Refused(status int, code string) Answer {
	a.t.Helper()
	if a.Status != status || a.Str("code") != code {
		a.t.Errorf("%d %s, want %d %s", a.Status, a.Body, status, code)
	}
	return a
}

// JSON reads the whole body.
func (a Answer) JSON() any {
	a.t.Helper()
	var v any
	if err := json.Unmarshal(a.Body, &v); err != nil {
		a.t.Fatalf("%d %s is no JSON: %v", a.Status, a.Body, err)
	}
	return v
}

// List reads a body that is a list of objects.
func (a Answer) List() []map[string]any {
	a.t.Helper()
	var v []map[string]any
	if err := json.Unmarshal(a.Body, &v); err != nil {
		a.t.Fatalf("%d %s is no list: %v", a.Status, a.Body, err)
	}
	return v
}

// Get reads a value by its dotted path, "leads.0.source" or "0.id"; nil when
// absent.
func (a Answer) Get(path string) any {
	a.t.Helper()
	v := a.JSON()
	for part := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// Str is Get as text.
func (a Answer) Str(path string) string {
	a.t.Helper()
	s, _ := a.Get(path).(string)
	return s
}
