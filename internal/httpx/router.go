package httpx

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strings"

	"github.com/go-chi/chi/v5"
)

// methods are the ones a route may have, in the order Allow lists them.
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// room is one face with its routing tree.
type room struct {
	Face
	mux    *chi.Mux
	routes map[string]*Route // by method + " " + pattern as registered
}

// prefix is one line of the table that decides the face.
type prefix struct {
	text  string
	exact bool
	room  *room
}

// table is sorted so that the first match wins: exact ones, then by length.
type table []prefix

func (t table) find(path string) *room {
	for _, p := range t {
		if p.matches(path) {
			return p.room
		}
	}
	return nil
}

func (p prefix) matches(path string) bool {
	if p.exact {
		return path == p.text
	}
	if strings.HasPrefix(path, p.text) {
		return true
	}
	return strings.HasSuffix(p.text, "/") && path+"/" == p.text
}

func buildTable(faces []Face) (table, []*room, error) {
	var t table
	var rooms []*room
	owner := map[string]string{}
	for _, f := range faces {
		if f.Name == "" || f.WriteError == nil || len(f.Prefixes) == 0 {
			return nil, nil, fmt.Errorf("httpx: face %q needs a name, a WriteError and prefixes", f.Name)
		}
		rm := &room{Face: f, mux: chi.NewRouter(), routes: map[string]*Route{}}
		rooms = append(rooms, rm)
		for _, raw := range f.Prefixes {
			if !strings.HasPrefix(raw, "/") {
				return nil, nil, fmt.Errorf("httpx: prefix %q of face %s must begin with /", raw, f.Name)
			}
			p := prefix{text: strings.TrimSuffix(raw, "*"), room: rm}
			if text, ok := strings.CutSuffix(raw, "$"); ok {
				p.text, p.exact = text, true
			}
			key := fmt.Sprintf("%s exact=%v", p.text, p.exact)
			if other, ok := owner[key]; ok {
				return nil, nil, fmt.Errorf("httpx: prefix %s belongs to the faces %s and %s", raw, other, f.Name)
			}
			owner[key] = f.Name
			t = append(t, p)
		}
	}
	sort.SliceStable(t, func(i, j int) bool {
		if t[i].exact != t[j].exact {
			return t[i].exact
		}
		return len(t[i].text) > len(t[j].text)
	})
	for _, rm := range rooms {
		if err := rm.register(t); err != nil {
			return nil, nil, err
		}
	}
	return t, rooms, nil
}

// register puts the face's routes into its tree and refuses what could never
// work: duplicates, unreachable patterns, routes without a handler.
func (rm *room) register(t table) (err error) {
	var pattern string
	defer func() {
		if p := recover(); p != nil { // chi panics on patterns it cannot read
			err = fmt.Errorf("httpx: pattern %s of face %s: %v", pattern, rm.Name, p)
		}
	}()
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	seen := map[string]string{}
	for i := range rm.Routes {
		rt := &rm.Routes[i]
		for _, pattern = range append([]string{rt.Pattern}, rt.Aliases...) {
			if err := rm.check(t, rt, pattern); err != nil {
				return err
			}
			if len(pattern) > 1 {
				pattern = strings.TrimSuffix(pattern, "/")
			}
			shape := rt.Method + " " + nameless(pattern)
			if other, ok := seen[shape]; ok {
				return fmt.Errorf("httpx: face %s has two routes for %s %s (the other is %s)", rm.Name, rt.Method, pattern, other)
			}
			seen[shape] = pattern
			rm.mux.Method(rt.Method, pattern, nothing)
			rm.routes[rt.Method+" "+pattern] = rt
		}
	}
	return nil
}

func (rm *room) check(t table, rt *Route, pattern string) error {
	at := fmt.Sprintf("httpx: route %s %s of face %s", rt.Method, pattern, rm.Name)
	switch {
	case !slices.Contains(methods, rt.Method):
		return errors.New(at + ": unknown method")
	case !strings.HasPrefix(pattern, "/"):
		return errors.New(at + ": a pattern begins with /")
	case (rt.Handler == nil) == (rt.Raw == nil):
		return errors.New(at + ": needs either a Handler or a Raw handler")
	case !rt.Public && rm.Authenticate == nil:
		return errors.New(at + ": is not public, but the face cannot authenticate")
	case rt.Public && rt.Scope != "":
		return errors.New(at + ": a public route cannot ask for a scope")
	case rt.MaxBody < 0 && rt.Raw == nil:
		return errors.New(at + ": only a Raw route may take bodies of any length")
	}
	head := pattern
	if i := strings.IndexAny(pattern, "{*"); i >= 0 {
		head = pattern[:i]
	} else if len(head) > 1 {
		head = strings.TrimSuffix(head, "/")
	}
	if owner := t.find(head); owner != rm {
		return errors.New(at + ": lies outside the face's prefixes")
	}
	return nil
}

// nameless drops the names of parameters, so that two patterns that match the
// same paths compare equal.
func nameless(pattern string) string {
	var b strings.Builder
	nest := 0
	expr := false
	for _, c := range pattern {
		switch {
		case c == '{':
			if nest++; nest == 1 {
				expr = false
			}
			b.WriteRune(c)
		case c == '}':
			nest--
			b.WriteRune(c)
		case nest > 0 && c == ':' && !expr:
			expr = true
			b.WriteRune(c)
		case nest == 0 || expr:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// match finds the route of a clean path. Without one it returns the methods
// that the path does have.
func (rm *room) match(method, path string) (rt *Route, params map[string]string, allow []string) {
	try := []string{method}
	if method == http.MethodHead {
		try = append(try, http.MethodGet)
	}
	for _, m := range try {
		if rt, params := rm.lookUp(m, path); rt != nil {
			return rt, params, nil
		}
	}
	for _, m := range methods {
		if m == method {
			continue
		}
		if rt, _ := rm.lookUp(m, path); rt != nil {
			allow = append(allow, m)
			if m == http.MethodGet && !slices.Contains(allow, http.MethodHead) {
				allow = append(allow, http.MethodHead)
			}
		}
	}
	if len(allow) > 0 && !slices.Contains(allow, http.MethodOptions) {
		allow = append(allow, http.MethodOptions)
	}
	return nil, nil, slices.Compact(allow)
}

func (rm *room) lookUp(method, path string) (*Route, map[string]string) {
	rctx := chi.NewRouteContext()
	pattern := rm.mux.Find(rctx, method, path)
	if pattern == "" {
		return nil, nil
	}
	rt := rm.routes[method+" "+pattern]
	if rt == nil {
		return nil, nil
	}
	keys, values := rctx.URLParams.Keys, rctx.URLParams.Values
	if len(keys) == 0 {
		return rt, nil
	}
	params := make(map[string]string, len(keys))
	for i, k := range keys {
		if i >= len(values) || (values[i] == "" && k != "*") {
			return nil, nil // "/x/{id}:go" must not match "/x/:go"
		}
		params[k] = unescape(values[i])
	}
	return rt, params
}
