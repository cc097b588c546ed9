package isolation

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"parley/internal/access"
	"parley/internal/face/sales"
	"parley/internal/httpx"
	"parley/internal/id"
	"parley/test/apitest"
)

const salesBase = "/api/v1"

// salesRoutes are the routes of the face below its base path.
func salesRoutes() map[string]httpx.Route {
	out := map[string]httpx.Route{}
	for _, r := range sales.New(sales.Services{}).HTTP().Routes {
		// One channel stands for all.
		path := strings.ReplaceAll(strings.TrimPrefix(r.Pattern, salesBase), "{channel}", "whatsapp")
		out[r.Method+" "+path] = r
	}
	return out
}

// salesPublic may be called without a key. A route joins it by a decision.
var salesPublic = map[string]bool{"GET /swagger.json": true}

// A new route is tested by a row of its own, or fails here.
func TestEverySalesRouteHasASample(t *testing.T) {
	sampled(t, salesRoutes(), salesSamples, salesPublic)
	for noun := range things {
		if !slices.Contains(made, noun) {
			t.Errorf("%s is in no place of made", noun)
		}
	}
}

// eachSeller runs f with somebody in one group of an account, somebody in the
// group beside it, and somebody in another account.
func eachSeller(t *testing.T, f func(t *testing.T, r *apitest.Rig, us, sibling, stranger *seller)) {
	apitest.Each(t, apitest.Options{Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		acme, other := r.NewTenant("Acme"), r.NewTenant("Other")
		north, south := acme.Group("North", id.Zero), acme.Group("South", id.Zero)
		f(t, r, sell(t, acme, "North", north), sell(t, acme, "South!", south), sell(t, other, "Stranger", other.Root))
	})
}

// sample makes the call of a route's sample; over are other things in its path.
func (o *seller) sample(as *apitest.Caller, name string, over map[string]string) apitest.Answer {
	return o.send(as, name, salesSamples[name], over, map[string]string{"key": as.Token})
}

// with returns the owner calling with another key of the same group and agent.
func (o *seller) with(name string, scopes ...string) *apitest.Caller {
	o.Helper()
	n := access.NewKey{Group: o.Key.Group, User: o.Key.User, Scopes: scopes}
	if salesSamples[name].whole {
		n.Group = id.Zero
	}
	return o.WithKey(n)
}

// caller is who makes a call as the owner.
func (o *seller) caller(name string) *apitest.Caller {
	if salesSamples[name].whole {
		return o.boss
	}
	return o.Caller
}

// Every route x a key with its scope, one with every other scope, none, a wrong
// one and a disabled one.
func TestSalesScopes(t *testing.T) {
	eachSeller(t, func(t *testing.T, r *apitest.Rig, us, _, _ *seller) {
		routes := salesRoutes()
		names := slices.Sorted(maps.Keys(routes))
		slices.SortStableFunc(names, func(a, b string) int { return takes(a) - takes(b) })
		var all []string
		for _, route := range routes {
			if route.Scope != "" && !slices.Contains(all, route.Scope) {
				all = append(all, route.Scope)
			}
		}
		disabled := us.WithKey(access.NewKey{Group: us.Key.Group, User: us.Key.User, Disabled: true})
		for _, name := range names {
			route := routes[name]
			if route.Public {
				if a := r.Call(route.Method, route.Pattern, nil); a.Status != 200 {
					t.Errorf("%s is public but answers %d", name, a.Status)
				}
				continue
			}
			for what, token := range map[string]string{"no key": "", "a wrong key": "parley_sales_" + strings.Repeat("ab", 32)} {
				nobody := *us.Caller
				nobody.Token = token
				if a := us.sample(&nobody, name, nil); a.Status != 401 || a.Str("code") != "INVALID_API_KEY" {
					t.Errorf("%s with %s: %d %s", name, what, a.Status, a.Body)
				}
			}
			if a := us.sample(disabled, name, nil); a.Status != 403 || a.Str("code") != "INTEGRATION_DISABLED" {
				t.Errorf("%s with a disabled key: %d %s", name, a.Status, a.Body)
			}
			if route.Scope != "" {
				rest := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == route.Scope })
				a := us.sample(us.with(name, rest...), name, nil)
				if a.Status != 403 || a.Str("code") != "INVALID_SCOPE" || !strings.Contains(a.Str("message"), " "+strings.TrimPrefix(route.Scope, "sales:")+";") {
					t.Errorf("%s with every scope but its own: %d %s", name, a.Status, a.Body)
				}
			}
			scope := route.Scope
			if scope == "" {
				scope = "sales:nothing"
			}
			us.renew(t, name)
			succeeds(t, name, us.sample(us.with(name, scope), name, nil))
		}
	})
}

// renew makes what a call names anew, since calls before it changed or took it.
func (o *seller) renew(t *testing.T, name string) {
	t.Helper()
	text := name + salesSamples[name].body + salesSamples[name].query
	for _, noun := range made {
		if strings.HasPrefix(name, "GET ") && !strings.Contains(text, "subscription") {
			continue
		}
		if strings.Contains(text, "{"+noun+"}") {
			o.make(t, noun)
		}
	}
}

func succeeds(t *testing.T, name string, a apitest.Answer) {
	t.Helper()
	s := salesSamples[name]
	switch {
	case s.refused != "":
		if a.Str("code") != s.refused {
			t.Errorf("%s: %d %s, want %s", name, a.Status, a.Body, s.refused)
		}
	case a.Status < 200 || a.Status > 299 || s.status != 0 && a.Status != s.status:
		t.Errorf("%s does not work for its owner with its scope: %d %s", name, a.Status, a.Body)
	}
}

// What is another account's, or another group's, answers as what nobody has; what
// is no id is said to be none.
func TestSalesIsolation(t *testing.T) {
	eachSeller(t, func(t *testing.T, r *apitest.Rig, us, sibling, stranger *seller) {
		for _, name := range slices.Sorted(maps.Keys(salesRoutes())) {
			_, path, _ := strings.Cut(name, " ")
			for _, noun := range nounsIn(path) {
				if _, ok := things[noun]; !ok {
					t.Errorf("say in things what {%s} of %s is", noun, name)
					continue
				}
				unknown := us.sample(us.caller(name), name, map[string]string{noun: id.New().String()})
				if unknown.Status != 404 || unknown.Str("code") != "NOT_FOUND" {
					t.Errorf("%s with an unknown %s: %d %s", name, noun, unknown.Status, unknown.Body)
				}
				for _, o := range []*seller{stranger, sibling} {
					if o == sibling && (salesSamples[name].everybody || salesSamples[name].whole) {
						continue
					}
					a := us.sample(us.caller(name), name, map[string]string{noun: o.ids[noun]})
					if a.Status != unknown.Status || masked(a.Body) != masked(unknown.Body) {
						t.Errorf("%s tells the %s of %s from an unknown one:\n%d %s\n%d %s", name, noun, o.name, a.Status, a.Body, unknown.Status, unknown.Body)
					}
				}
				if a := us.sample(us.caller(name), name, map[string]string{noun: "not-an-id"}); a.Status != 400 || a.Str("code") != "INVALID_ID" {
					t.Errorf("%s with a malformed %s: %d %s", name, noun, a.Status, a.Body)
				}
			}
			refusesForeign(t, us, sibling, stranger, name)
		}
	})
}

// refusesForeign sends ids of others inside the query and the body: what they
// name is refused, or found by nobody.
func refusesForeign(t *testing.T, us, sibling, stranger *seller, name string) {
	t.Helper()
	s := salesSamples[name]
	method, path, _ := strings.Cut(name, " ")
	for _, noun := range nounsIn(s.body + s.query) {
		if things[noun] == nil {
			continue
		}
		for _, o := range []*seller{stranger, sibling} {
			over := map[string]string{noun: o.ids[noun]}
			var body any
			if s.body != "" {
				body = us.filled(s.body, over)
			}
			if o == sibling && (s.everybody || s.whole) {
				continue
			}
			a := us.caller(name).Do(method, us.filled(path, nil)+us.filled(s.query, over), body)
			if a.Status < 400 && strings.Contains(string(a.Body), o.ids[noun]) || a.Status >= 500 {
				t.Errorf("%s took the %s of %s: %d %s", name, noun, o.name, a.Status, a.Body)
			}
		}
	}
}

// No list holds anything of others, whatever it is asked for.
func TestSalesListsHoldOnlyTheirOwn(t *testing.T) {
	eachSeller(t, func(t *testing.T, r *apitest.Rig, us, sibling, stranger *seller) {
		for _, name := range slices.Sorted(maps.Keys(salesRoutes())) {
			s, ok := salesSamples[name]
			if !ok || !strings.HasPrefix(name, "GET ") || s.everybody {
				continue
			}
			a := us.sample(us.caller(name), name, nil)
			for _, o := range []*seller{sibling, stranger} {
				if o == sibling && s.whole {
					continue
				}
				for noun, v := range o.ids {
					if noun != "phone" && !(noun == "accountId" && o == sibling) && strings.Contains(string(a.Body), v) {
						t.Errorf("%s shows the %s of %s: %s", name, noun, o.name, a.Body)
					}
				}
				if strings.Contains(string(a.Body), "Secret of "+o.name) || strings.Contains(string(a.Body), "Prospect of "+o.name) {
					t.Errorf("%s shows something of %s: %s", name, o.name, a.Body)
				}
			}
		}
	})
}
