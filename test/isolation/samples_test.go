package isolation

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"parley/internal/httpx"
	"parley/test/apitest"
	"parley/test/platformtest"
)

// sample is a call with which a route succeeds. {noun} in the path, the query and
// the body stands for something of the caller's (stock).
type sample struct {
	query string
	body  string
	form  string // a multipart body with the boundary x, instead of body
	// status of the success; 0: any of 2xx.
	status int
	// refused is the code with which even the owner is refused, of a route whose
	// success needs more than a row of this table.
	refused string
	// whole says that the call wants a key of the whole account, which sees every
	// group of it.
	whole bool
	// everybody says that the account shares what the path names: a sibling group
	// sees it too, another account does not.
	everybody bool
	// operator says that only the operator of the server succeeds.
	operator bool
}

// stock is what somebody has: one of every thing that paths and samples name.
type stock struct {
	name string
	ids  map[string]string // by noun
	n    int
}

// number is six digits that nobody had.
func (o *stock) number() string {
	o.n++
	return fmt.Sprintf("%02d%04d", len(o.name), o.n)
}

// filled puts the owner's things into a text; over are others in their place.
func (o *stock) filled(s string, over map[string]string) string {
	s = strings.ReplaceAll(s, "{n}", o.number())
	for noun, v := range over {
		s = strings.ReplaceAll(s, "{"+noun+"}", v)
	}
	for noun, v := range o.ids {
		s = strings.ReplaceAll(s, "{"+noun+"}", v)
	}
	return s
}

// send makes the call of a sample; path and rest are things in the place of the
// owner's, in the path and in the rest of it.
func (o *stock) send(as *apitest.Caller, name string, s sample, path, rest map[string]string, headers ...string) apitest.Answer {
	method, at, _ := strings.Cut(name, " ")
	at = o.filled(at, path) + o.filled(s.query, rest)
	switch {
	case s.form != "":
		return as.Do(method, at, s.form, append([]string{"Content-Type", "multipart/form-data; boundary=x"}, headers...)...)
	case s.body != "":
		return as.Do(method, at, o.filled(s.body, rest), headers...)
	}
	return as.Do(method, at, nil, headers...)
}

var placeholder = regexp.MustCompile(`\{(\w+)\}`)

// nounsIn are the things that a text names, each once.
func nounsIn(text string) []string {
	var out []string
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		if m[1] != "n" && !slices.Contains(out, m[1]) {
			out = append(out, m[1])
		}
	}
	return out
}

// sampled complains unless every route that asks for a key has a sample, and no
// other has.
func sampled(t *testing.T, routes map[string]httpx.Route, samples map[string]sample, open map[string]bool) {
	t.Helper()
	for name, route := range routes {
		if _, ok := samples[name]; ok == route.Public {
			t.Errorf("%s needs a sample, unless it is public", name)
		}
		if route.Public != open[name] {
			t.Errorf("%s is public, and nobody decided that it may be", name)
		}
	}
	for name := range samples {
		if _, ok := routes[name]; !ok {
			t.Errorf("there is a sample for %s, which is no route", name)
		}
	}
}

// takes sorts what takes something away behind the rest.
func takes(name string) int {
	if strings.HasPrefix(name, "DELETE") {
		return 1
	}
	return 0
}

// rowsOf counts what the database holds, table by table.
func rowsOf(t *testing.T, r *apitest.Rig) map[string]int {
	t.Helper()
	return (&platformtest.Rig{TB: t, DB: r.App.DB}).Rows()
}

// malformed are bodies that are no JSON object, or none that a server should take.
var malformed = []string{`{`, `{"a":}`, `nonsense`, `"text"`, `7`, `[]`, `{"a":1}{"b":2}`, "{\"firstName\":\"\xff\"}", `{"firstName":"a\u0000b"}`,
	strings.Repeat(`{"a":`, 100) + `1` + strings.Repeat(`}`, 100)}

// hostile are values of a query that no parameter but a text takes.
var hostile = []string{"x", "1.5", "-1", "99999999999999999999", "%5B%5D", "%00", "%ff", "'%20OR%201=1--"}

// bare calls a whole path without holding the exchange against the description,
// which null, where it counts as absent, does not know.
func bare(t *testing.T, o *apitest.Caller, method, path string, body any) (status int, answer []byte) {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(method, o.URL+path, strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", o.Token)
	req.Header.Set("Content-Type", "application/json")
	plain := &http.Transport{DisableKeepAlives: true}
	resp, err := plain.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}
