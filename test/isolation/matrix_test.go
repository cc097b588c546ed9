package isolation

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"parley/internal/httpx"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/test/contract"
	"parley/test/platformtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// public is what may be called without a key. A route joins it by a decision,
// not by accident.
var public = map[string]bool{"GET /api/saas/health": true}

// each runs f on both databases with two tenants that have one of everything.
// Every exchange is held against the face's published description.
func each(t *testing.T, f func(t *testing.T, r *platformtest.Rig, us, them *owner)) {
	watched(t, func(t *testing.T, r *platformtest.Rig, us, them *owner, _ *contract.Transport) { f(t, r, us, them) })
}

func watched(t *testing.T, f func(t *testing.T, r *platformtest.Rig, us, them *owner, seen *contract.Transport)) {
	spec, err := contract.Load("platform")
	if err != nil {
		t.Fatal(err)
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var seen *contract.Transport
		r := platformtest.New(t, db, platformtest.Options{Transport: func(next http.RoundTripper) http.RoundTripper {
			seen = contract.NewTransport(t, spec, next)
			return seen
		}})
		f(t, r, own(t, r, "Us", "15550100", "919876500001"), own(t, r, "Them", "15550200", "919876500002"), seen)
	})
}

// paths lists every spelling of a route.
func paths(r httpx.Route) []string { return append([]string{r.Pattern}, r.Aliases...) }

// masked takes away what differs from call to call: ids and times.
func masked(body []byte) string {
	s := regexp.MustCompile(`[0-9a-f]{24}`).ReplaceAllString(string(body), "ID")
	return regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`).ReplaceAllString(s, "TIME")
}

// headers are the ones that could tell more than the body.
func headers(a platformtest.Answer) string {
	return a.Header.Get("Content-Type") + " " + a.Header.Get("Content-Length") + " " + a.Header.Get("Retry-After")
}

func TestMatrix(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig, us, them *owner) {
		nobody := us.WithKey("platform:nothing:read")
		before := r.Rows()
		delete(before, "access_key")
		for _, route := range r.Face.HTTP().Routes {
			for _, pattern := range paths(route) {
				name := route.Method + " " + pattern
				if route.Public {
					if !public[name] {
						t.Errorf("%s is public, and nobody decided that it may be", name)
					}
					if a := r.Call(route.Method, pattern, nil); a.Status >= 400 {
						t.Errorf("%s is public but answers %d without a key", name, a.Status)
					}
					continue
				}
				path, noun := parameter(t, pattern)
				body := bodies[route.Method+" "+route.Pattern]
				refused(t, us, nobody, route, name, path, body)
				if noun != "" {
					strangers(t, us, them, route, name, path, noun, body)
				}
			}
		}
		if d := platformtest.Diff(before, r.Rows(), "access_key"); d != "" {
			t.Errorf("refused calls stored something: %s", d)
		}
	})
}

// refused tries a route with no key, a wrong key and a key without the scope.
func refused(t *testing.T, us *owner, nobody *platformtest.Tenant, route httpx.Route, name, path, body string) {
	t.Helper()
	path, body = us.filled(path, nil), us.filled(body, nil)
	none := us.Call(route.Method, path, body)
	wrong := us.Call(route.Method, path, body, "x-api-key", "erix_"+strings.Repeat("ab", 32))
	for what, a := range map[string]platformtest.Answer{"no key": none, "a wrong key": wrong} {
		if a.Status != 401 || a.Str(t, "code") != "UNAUTHORIZED" || string(a.Body) != string(none.Body) {
			t.Errorf("%s with %s: %d %s", name, what, a.Status, a.Body)
		}
	}
	if route.Scope == "" {
		t.Errorf("%s asks for no scope", name)
	}
	if a := nobody.Do(route.Method, path, body); a.Status != 403 || a.Str(t, "code") != "FORBIDDEN" {
		t.Errorf("%s without its scope: %d %s", name, a.Status, a.Body)
	}
}

// strangers holds the answer for another tenant's id against those for an
// unknown and a malformed one: byte for byte the same.
func strangers(t *testing.T, us, them *owner, route httpx.Route, name, path, noun, body string) {
	t.Helper()
	body = us.filled(body, nil)
	values := map[string]string{"unknown": unknown, "malformed": "not-an-id", "upper case": strings.ToUpper(unknown), "a UUID": "01234567-89ab-8def-8123-456789abcdef"}
	if noun == "phone" {
		values = map[string]string{"unknown": "919999999999"}
	}
	foreign := us.Do(route.Method, us.filled(path, map[string]string{noun: them.ids[noun]}), body)
	if foreign.Status != 404 || foreign.Str(t, "code") != "NOT_FOUND" {
		t.Errorf("%s with another tenant's %s: %d %s", name, noun, foreign.Status, foreign.Body)
	}
	for what, v := range values {
		a := us.Do(route.Method, us.filled(path, map[string]string{noun: v}), body)
		if a.Status != foreign.Status || masked(a.Body) != masked(foreign.Body) || headers(a) != headers(foreign) {
			t.Errorf("%s tells another tenant's %s from one that is %s:\n%d %s\n%d %s", name, noun, what, foreign.Status, foreign.Body, a.Status, a.Body)
		}
	}
}

// The same for ids inside bodies.
func TestIDsInBodies(t *testing.T) {
	each(t, func(t *testing.T, r *platformtest.Rig, us, them *owner) {
		before := r.Rows()
		for _, route := range r.Face.HTTP().Routes {
			path, _ := parameter(t, route.Pattern)
			body := bodies[route.Method+" "+route.Pattern]
			for noun := range us.ids {
				if !strings.Contains(body, `"{`+noun+`}"`) {
					continue
				}
				call := func(v string) platformtest.Answer {
					values := map[string]string{noun: v}
					if noun == "pipeline" { // the stage would be refused first
						return us.Do(route.Method, us.filled(path, nil), us.filled(strings.ReplaceAll(body, `,"stageId":"{stage}"`, ""), values))
					}
					return us.Do(route.Method, us.filled(path, nil), us.filled(body, values))
				}
				foreign := call(them.ids[noun])
				if foreign.Status != 404 && foreign.Status != 400 {
					t.Errorf("%s %s took another tenant's %s: %d %s", route.Method, route.Pattern, noun, foreign.Status, foreign.Body)
				}
				others := map[string]string{"unknown": unknown}
				if noun != "message" { // a well-formed id of the wrong conversation is a 400, a malformed one a 404
					others["malformed"] = "not-an-id"
				}
				for what, v := range others {
					if a := call(v); a.Status != foreign.Status || masked(a.Body) != masked(foreign.Body) {
						t.Errorf("%s %s tells another tenant's %s from one that is %s:\n%d %s\n%d %s", route.Method, route.Pattern, noun, what, foreign.Status, foreign.Body, a.Status, a.Body)
					}
				}
			}
		}
		if d := platformtest.Diff(before, r.Rows(), "trigger_log"); d != "" { // a call for an unknown lead is logged (reference §4.4)
			t.Errorf("refused calls stored something: %s", d)
		}
	})
}

// No list, nor any other answer, holds anything of somebody else; and every
// route works for its owner, so that the refusals above mean something.
func TestEverybodySeesTheirOwn(t *testing.T) {
	watched(t, func(t *testing.T, r *platformtest.Rig, us, them *owner, seen *contract.Transport) {
		routes := r.Face.HTTP().Routes
		for _, takesAway := range []bool{false, true} { // what takes something away comes last
			for _, route := range routes {
				if !route.Public && (route.Method == "DELETE") == takesAway {
					succeed(t, us, them, route)
				}
			}
		}
		r.Call("GET", "/api/saas/health", nil)
		if left := seen.Unseen(); len(left) > 0 {
			t.Errorf("described, but never answered with success: %v", left)
		}
	})
}

func succeed(t *testing.T, us, them *owner, route httpx.Route) {
	t.Helper()
	us.renew(t, route.Pattern)
	path, _ := parameter(t, route.Pattern)
	path += queries[route.Method+" "+route.Pattern]
	scoped := us.WithKey(route.Scope)
	a := scoped.Do(route.Method, us.filled(path, nil), us.filled(bodies[route.Method+" "+route.Pattern], nil))
	if form := forms[route.Method+" "+route.Pattern]; form != "" {
		a = scoped.Do(route.Method, path, form, "Content-Type", "multipart/form-data; boundary=x")
	}
	if a.Status >= 300 {
		t.Errorf("%s %s does not work for its owner: %d %s", route.Method, route.Pattern, a.Status, a.Body)
	}
	for noun, v := range them.ids {
		if strings.Contains(string(a.Body), v) {
			t.Errorf("%s %s shows another tenant's %s: %s", route.Method, route.Pattern, noun, a.Body)
		}
	}
	for _, secret := range []string{them.Code, "of Them"} {
		if strings.Contains(string(a.Body), secret) {
			t.Errorf("%s %s shows %q: %s", route.Method, route.Pattern, secret, a.Body)
		}
	}
}
