package isolation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"parley/internal/access"
	"parley/internal/face/targeting"
	"parley/internal/id"
	"parley/test/apitest"
)

// token returns the owner calling with an access token that has these scopes.
func (o *client) token(scopes ...string) *apitest.Caller {
	o.Helper()
	c := *o.Caller
	c.Token = o.Post("/v1/access-tokens", map[string]any{"name": "T", "assignments": scopes}).OK().Str("token")
	return &c
}

// ask makes a route's sample with a bearer token.
func (o *client) ask(as *apitest.Caller, name string) apitest.Answer {
	return o.send(as, name, targetingSamples[name], nil, nil, "X-API-Key", "", "Authorization", "Bearer "+as.Token)
}

// family is the shape of a route's errors (reference §1.4).
func family(name string) string {
	_, path, _ := strings.Cut(name, " ")
	switch {
	case strings.HasPrefix(path, "/v1/target/{"), path == "/v1/target":
		return "message,status"
	case strings.HasPrefix(path, "/v1/campaign"), strings.HasPrefix(path, "/v1/target"):
		return "client"
	}
	return "error,status"
}

// shape names the members of an error, sorted.
func shape(a apitest.Answer) string {
	m, _ := a.JSON().(map[string]any)
	if s, ok := m["status"]; ok && s != float64(a.Status) {
		return "a wrong status"
	}
	return strings.Join(slices.Sorted(maps.Keys(m)), ",")
}

// inShape reports whether an answer is a refusal in a shape of its route's family.
func inShape(name string, a apitest.Answer) bool {
	if a.Status < 400 || a.Status > 499 || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
		return false
	}
	got, want := shape(a), family(name)
	return got == want || want == "client" && (got == "message" || got == "code" || got == "error,status")
}

// Every route x a token with its scope alone, one with every other scope, none, and
// those that let nobody in.
func TestTargetingScopes(t *testing.T) {
	eachClient(t, func(t *testing.T, r *apitest.Rig, us, _ *client) {
		exactly, without, without2 := map[string]*apitest.Caller{}, map[string]*apitest.Caller{}, map[string]*apitest.Caller{}
		for _, s := range targeting.Scopes() {
			rest := slices.DeleteFunc(targeting.Scopes(), func(x string) bool { return x == s })
			exactly[s], without[s] = us.token(s), us.token(rest...)
			without2[s] = us.WithKey(access.NewKey{Face: targeting.Name, Scopes: rest})
		}
		jwt := us.token()
		a := us.Post("/v1/access-tokens", `{"name":"Gone"}`).OK()
		us.Delete("/v1/access-tokens/" + a.Str("id")).OK()
		nobody := []struct{ what, token string }{{"a wrong key", "parley_targeting_" + strings.Repeat("ab", 32)}, {"a garbage JWT", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."},
			{"a changed JWT", jwt.Token[:len(jwt.Token)-4] + "AAAA"}, {"a revoked JWT", a.Str("token")}, {"a key of another API", us.Tenant.Caller().Token}, {"an empty token", " "}, {"the operator", operatorToken}}
		routes := targetingRoutes()
		names := slices.Sorted(maps.Keys(routes))
		slices.SortStableFunc(names, func(a, b string) int { return takes(a) - takes(b) })
		for i, name := range names {
			route := routes[name]
			if route.Public {
				if a := r.Call(route.Method, route.Pattern, nil); a.Status != 200 {
					t.Errorf("%s is public but answers %d", name, a.Status)
				}
				continue
			}
			out := *us.Caller
			for k := range 3 { // all of them would be too many refusals for one address
				n := nobody[(i+2*k)%len(nobody)]
				if n.token == operatorToken && strings.Contains(name, "/v1/admin/organizations") {
					continue
				}
				out.Token = n.token
				unauthorized(t, name+" with "+n.what, us.ask(&out, name))
			}
			unauthorized(t, name+" with no token", us.send(us.Caller, name, targetingSamples[name], nil, nil, "X-API-Key", ""))
			for _, as := range []*apitest.Caller{without[route.Scope], without2[route.Scope]} {
				if a := us.ask(as, name); a.Status != 403 || shape(a) != "error,status" || !strings.HasSuffix(a.Str("error"), " "+route.Scope) {
					t.Errorf("%s with every scope but its own: %d %s", name, a.Status, a.Body)
				}
			}
			us.renew(name)
			as := exactly[route.Scope]
			if targetingSamples[name].operator {
				if a := us.ask(as, name); a.Status != 403 || shape(a) != "error,status" {
					t.Errorf("%s is the operator's, yet: %d %s", name, a.Status, a.Body)
				}
				out.Token = operatorToken
				as = &out
			}
			if a := us.ask(as, name); a.Status != targetingSamples[name].status {
				t.Errorf("%s does not work for its owner with its scope: %d %s", name, a.Status, a.Body)
			}
		}
		if left := r.Targeting.Unseen(); len(left) > 0 {
			t.Errorf("described, but never answered with success: %v", left)
		}
	})
}

func unauthorized(t *testing.T, what string, a apitest.Answer) {
	t.Helper()
	if a.Status != 401 || string(a.Body) != `{"error":"Unauthorized","status":401}` {
		t.Errorf("%s: %d %s", what, a.Status, a.Body)
	}
}

// hex is a UUID of ours in the spelling of the other APIs.
func hex(uuid string) string {
	v, _, _ := id.FromUUID(uuid)
	return v.String()
}

// nobodys are ids that nobody has, among them UUIDs that no Parley ever made.
func nobodys() map[string]string {
	return map[string]string{"unknown": id.New().UUID(), "of another maker": "6f1d3bb2-57a5-4b6c-9a0e-2d3f4a5b6c7d", "zero": "00000000-0000-0000-0000-000000000000"}
}

// What is another organisation's answers as what nobody has; what is no id is said to
// be none.
func TestTargetingIsolation(t *testing.T) {
	eachClient(t, func(t *testing.T, r *apitest.Rig, us, them *client) {
		before := rowsOf(t, r)
		for _, name := range slices.Sorted(maps.Keys(targetingRoutes())) {
			_, path, _ := strings.Cut(name, " ")
			for _, noun := range nounsIn(path) {
				call := func(v string) apitest.Answer {
					return us.send(us.Caller, name, targetingSamples[name], map[string]string{noun: v}, nil)
				}
				unknown := call(id.New().UUID())
				want := 404
				if family(name) == "client" && !strings.Contains(path, "}/automations:") && !strings.HasSuffix(path, ":status") && !strings.HasSuffix(path, ":restore") {
					want = 400
				}
				if unknown.Status != want && noun != "recipient_id" || !inShape(name, unknown) && !strings.HasSuffix(path, ":retrigger") {
					t.Errorf("%s with an unknown %s: %d %s", name, noun, unknown.Status, unknown.Body)
				}
				if family(name) == "client" && noun == "campaign_id" && !strings.HasSuffix(path, ":retrigger") && unknown.Str("code") != "CAMPAIGN_NOT_FOUND" {
					t.Errorf("%s with an unknown campaign: %s", name, unknown.Body)
				}
				same := nobodys()
				same["theirs"], same["theirs in upper case"] = them.ids[noun], strings.ToUpper(them.ids[noun])
				bad := []string{"not-an-id", "5", "%00", "%ff", "..", "%2e%2e", "'%20OR%201=1--", them.ids[noun] + "0"}
				if slices.Contains(plainIDs, noun) || noun == "code" {
					for i, v := range bad[:2] {
						same[fmt.Sprint("malformed ", i)] = v
					}
					if noun != "code" {
						same["theirs as 24 digits"] = hex(them.ids[noun])
					}
				} else {
					for _, v := range append(bad[:2:2], hex(us.ids[noun]), hex(them.ids[noun]), "{"+us.ids[noun]+"}", strings.ReplaceAll(us.ids[noun], "-", "")) {
						if a := call(v); a.Status != 400 || !inShape(name, a) || family(name) == "client" && shape(a) != "message" {
							t.Errorf("%s with the malformed %s %s: %d %s", name, noun, v, a.Status, a.Body)
						}
					}
				}
				for what, v := range same {
					if a := call(v); a.Status != unknown.Status || alike(a) != alike(unknown) {
						t.Errorf("%s tells the %s that is %s (%s) from an unknown one:\n%d %s\n%d %s", name, noun, what, v, a.Status, a.Body, unknown.Status, unknown.Body)
					}
				}
				for _, v := range bad[2:] {
					if a := call(v); a.Status < 300 || a.Status > 499 {
						t.Errorf("%s with the hostile %s %s: %d %s", name, noun, v, a.Status, a.Body)
					}
				}
			}
		}
		if d := diffed(before, rowsOf(t, r)); d != "" {
			t.Errorf("refused calls stored something: %s", d)
		}
	})
}

// The header of another organisation opens nothing, and tells nothing of it.
func TestTargetingOrganizationHeader(t *testing.T) {
	eachClient(t, func(t *testing.T, r *apitest.Rig, us, them *client) {
		for name, route := range targetingRoutes() {
			if route.Public {
				continue
			}
			foreign := us.send(us.Caller, name, targetingSamples[name], nil, nil, "x-epilot-org-id", them.ids["organization"])
			unknown := us.send(us.Caller, name, targetingSamples[name], nil, nil, "x-epilot-org-id", id.New().UUID())
			if foreign.Status != 403 || shape(foreign) != "error,status" || string(foreign.Body) != string(unknown.Body) {
				t.Errorf("%s in the name of another organisation: %d %s, of none: %d %s", name, foreign.Status, foreign.Body, unknown.Status, unknown.Body)
			}
		}
	})
}
