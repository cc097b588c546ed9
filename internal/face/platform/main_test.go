package platform_test

import (
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/test/contract"
	"parley/test/platformtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// each runs a test on both databases against a rig whose every exchange is held
// against api/platform.yaml.
func each(t *testing.T, f func(t *testing.T, r *platformtest.Rig)) {
	spec, err := contract.Load("platform")
	if err != nil {
		t.Fatal(err)
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f(t, platformtest.New(t, db, platformtest.Options{Transport: func(next http.RoundTripper) http.RoundTripper {
			return contract.NewTransport(t, spec, next)
		}}))
	})
}

// scene is one call with what its answer must and must not hold. In path, body
// and contents, {name} stands for an id that an earlier scene saved.
type scene struct {
	name         string
	method, path string
	body         string
	headers      []string
	status       int
	want, forbid []string
	save         map[string]string // name of an id -> where the answer holds it
}

// play runs scenes in order.
func play(t *testing.T, c *platformtest.Tenant, saved map[string]string, scenes []scene) {
	t.Helper()
	fill := func(s string) string {
		for k, v := range saved {
			s = strings.ReplaceAll(s, "{"+k+"}", v)
		}
		return s
	}
	for _, s := range scenes {
		var body any
		if s.body != "" {
			body = fill(s.body)
		}
		a := c.Do(s.method, fill(s.path), body, s.headers...)
		if a.Status != s.status {
			t.Errorf("%s: %s %s answered %d, not %d: %s", s.name, s.method, fill(s.path), a.Status, s.status, a.Body)
			continue
		}
		for _, w := range s.want {
			if !strings.Contains(string(a.Body), fill(w)) {
				t.Errorf("%s: the answer lacks %s:\n%s", s.name, fill(w), a.Body)
			}
		}
		for _, w := range s.forbid {
			if strings.Contains(string(a.Body), fill(w)) {
				t.Errorf("%s: the answer must not hold %s:\n%s", s.name, fill(w), a.Body)
			}
		}
		for name, at := range s.save {
			v := a.Str(t, at)
			if v == "" {
				t.Fatalf("%s: the answer holds nothing at %s:\n%s", s.name, at, a.Body)
			}
			saved[name] = v
		}
	}
}
