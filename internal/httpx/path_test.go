package httpx

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

func pathFaces() []Face {
	return []Face{
		face("platform", []string{"/api"},
			Route{Method: "GET", Pattern: "/api/crm/leads/{id}", Aliases: []string{"/api/saas/crm/leads/{id}"}, Handler: echo},
			Route{Method: "GET", Pattern: "/api/crm/leads/phone/{phone}", Handler: echo},
			Route{Method: "GET", Pattern: "/api/crm/leads/{id}/notes", Handler: echo},
			Route{Method: "POST", Pattern: "/api/crm/leads/import", Handler: echo},
			Route{Method: "GET", Pattern: "/api/files/*", Handler: echo},
		),
		face("sales", []string{"/api/v1/", "/v1/"},
			Route{Method: "GET", Pattern: "/v1/leads/{id}", Handler: echo},
			Route{Method: "GET", Pattern: "/v1", Handler: echo}),
		face("targeting", []string{"/v1/campaign", "/v1/target*", "/v2/portal"},
			Route{Method: "GET", Pattern: "/v1/campaigns/{id}", Handler: echo},
			Route{Method: "POST", Pattern: "/v1/campaign:match", Handler: echo},
			Route{Method: "POST", Pattern: "/v1/target/{id}:run", Handler: echo}),
		face("bot", []string{"/v2$"}, Route{Method: "GET", Pattern: "/v2", Handler: echo}),
	}
}

type echoed struct {
	Face, Pattern, Path string
	Params              map[string]string
}

func TestPathsFindFaceRouteAndValues(t *testing.T) {
	f := start(t, Options{}, pathFaces()...)
	for _, c := range []struct{ method, path, face, pattern, param, value string }{
		{"GET", "/api/crm/leads/42", "platform", "/api/crm/leads/{id}", "id", "42"},
		{"GET", "/api/saas/crm/leads/42", "platform", "/api/crm/leads/{id}", "id", "42"}, // alias, canonical pattern
		{"GET", "//api///crm/leads/42/", "platform", "/api/crm/leads/{id}", "id", "42"},
		{"GET", "/api/crm/leads/phone/notes", "platform", "/api/crm/leads/phone/{phone}", "phone", "notes"}, // literal wins
		{"GET", "/api/crm/leads/import", "platform", "/api/crm/leads/{id}", "id", "import"},                 // literal of another method
		{"GET", "/api/crm/leads/a/notes", "platform", "/api/crm/leads/{id}/notes", "id", "a"},
		{"GET", "/api/crm/leads/phone/%2B4917", "platform", "/api/crm/leads/phone/{phone}", "phone", "+4917"},
		{"GET", "/api/crm/leads/phone/+4917", "platform", "/api/crm/leads/phone/{phone}", "phone", "+4917"},
		{"GET", "/api/crm/leads/a%2Fb", "platform", "/api/crm/leads/{id}", "id", "a/b"},
		{"GET", "/api/crm/leads/a%252Fb", "platform", "/api/crm/leads/{id}", "id", "a%2Fb"}, // once, not twice
		{"GET", "/api/crm/leads/100%25", "platform", "/api/crm/leads/{id}", "id", "100%"},
		{"GET", "/api/cr%6D/leads/caf%C3%A9", "platform", "/api/crm/leads/{id}", "id", "café"},
		{"GET", "/api/files/a/b%20c.txt", "platform", "/api/files/*", "*", "a/b c.txt"},
		{"GET", "/v1/leads/7", "sales", "/v1/leads/{id}", "id", "7"},
		{"GET", "/v1/", "sales", "/v1", "", ""},
		{"GET", "/v1/campaigns/9", "targeting", "/v1/campaigns/{id}", "id", "9"},
		{"POST", "/v1/campaign%3Amatch", "targeting", "/v1/campaign:match", "", ""},
		{"POST", "/v1/target/5%3arun", "targeting", "/v1/target/{id}:run", "id", "5"},
		{"GET", "/v2", "bot", "/v2", "", ""},
	} {
		a := f.do(c.method, c.path, "")
		var e echoed
		if a.status != 200 || json.Unmarshal([]byte(a.body), &e) != nil {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.status, a.body)
			continue
		}
		if e.Face != c.face || e.Pattern != c.pattern || (c.param != "" && e.Params[c.param] != c.value) {
			t.Errorf("%s %s: got %+v, want face %s pattern %s %s=%q", c.method, c.path, e, c.face, c.pattern, c.param, c.value)
		}
	}
}

func TestMissesAnswerInTheFacesEnvelope(t *testing.T) {
	f := start(t, Options{}, pathFaces()...)
	for _, c := range []struct {
		method, path string
		status       int
		face, allow  string
	}{
		{"GET", "/api/nothing", 404, "platform", ""},
		{"GET", "/v1/nothing", 404, "sales", ""},
		{"GET", "/api/v1/nothing", 404, "sales", ""},
		{"GET", "/v1/campaignsX", 404, "targeting", ""},
		{"GET", "/v2/portal/x", 404, "targeting", ""},
		{"POST", "/v1/target/:run", 404, "targeting", ""}, // an empty value is no value
		{"DELETE", "/api/crm/leads/1", 405, "platform", "GET, HEAD, OPTIONS"},
		{"PUT", "/api/crm/leads/import", 405, "platform", "GET, HEAD, POST, OPTIONS"},
		{"BREW", "/api/crm/leads/1", 405, "platform", "GET, HEAD, OPTIONS"},
	} {
		a := f.do(c.method, c.path, "", "X-Api-Key", "")
		if a.status != c.status || a.envelope(t).Face != c.face || a.header.Get("Allow") != c.allow {
			t.Errorf("%s %s: %d Allow=%q %s, want %d %s", c.method, c.path, a.status, a.header.Get("Allow"), a.body, c.status, c.face)
		}
	}
	if a := f.do("GET", "/elsewhere", ""); a.status != 404 || !strings.Contains(a.body, "error") {
		t.Errorf("a path of no face: %d %s", a.status, a.body)
	}
	if a := f.do("HEAD", "/api/crm/leads/1", ""); a.status != 200 || a.body != "" {
		t.Errorf("HEAD: %d %q", a.status, a.body)
	}
}

func TestRoutesThatCannotWorkAreRefused(t *testing.T) {
	ok := Route{Method: "GET", Pattern: "/a/{id}", Handler: echo}
	for name, faces := range map[string][]Face{
		"duplicate under another name": {face("x", []string{"/a"}, ok, Route{Method: "GET", Pattern: "/a/{code}", Handler: echo})},
		"duplicate alias":              {face("x", []string{"/"}, ok, Route{Method: "GET", Pattern: "/b", Aliases: []string{"/a/{z}"}, Handler: echo})},
		"outside":                      {face("x", []string{"/b"}, ok)},
		"owned by a longer prefix":     {face("x", []string{"/"}, ok), face("y", []string{"/a"})},
		"prefix twice":                 {face("x", []string{"/a"}), face("y", []string{"/a*"})},
		"no handler":                   {face("x", []string{"/a"}, Route{Method: "GET", Pattern: "/a"})},
		"method":                       {face("x", []string{"/a"}, Route{Method: "get", Pattern: "/a", Handler: echo})},
		"bad pattern":                  {face("x", []string{"/a"}, Route{Method: "GET", Pattern: "/a/{id", Handler: echo})},
		"nobody authenticates":         {{Name: "x", Prefixes: []string{"/a"}, WriteError: writeError("x"), Routes: []Route{ok}}},
		"public with scope":            {face("x", []string{"/a"}, Route{Method: "GET", Pattern: "/a", Public: true, Scope: "s", Handler: echo})},
	} {
		if _, err := NewHandler(Options{}, faces...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := NewHandler(Options{}, face("x", []string{"/a"}, ok)); err != nil {
		t.Error(err)
	}
}

func FuzzCleanPath(f *testing.F) {
	for _, s := range []string{"/", "//a//", "/a%2Fb", "/a%252Fb/", "/%3A", "/a/%25", "/%zz", "*", "", "/ü/%C3%BC", "/a b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.ParseRequestURI(raw)
		if err != nil {
			return
		}
		p := cleanPath(u)
		if !strings.HasPrefix(p, "/") || strings.Contains(p, "//") || (p != "/" && strings.HasSuffix(p, "/")) {
			t.Fatalf("cleanPath(%q) = %q", raw, p)
		}
		if strings.Contains(strings.ToUpper(p), "%3A") {
			t.Fatalf("cleanPath(%q) = %q keeps an escaped colon", raw, p)
		}
		// The segments' values are those of the original, each unescaped once.
		var want []string
		for _, seg := range strings.Split(u.EscapedPath(), "/") {
			if v, err := url.PathUnescape(seg); err == nil && seg != "" {
				want = append(want, v)
			} else if err != nil {
				return
			}
		}
		var got []string
		for _, seg := range strings.Split(p, "/") {
			if seg != "" {
				got = append(got, unescape(seg))
			}
		}
		if strings.Join(want, "\x00") != strings.Join(got, "\x00") {
			t.Fatalf("cleanPath(%q): values %q, want %q", raw, got, want)
		}
	})
}
