package contract

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/internal/face/admin"
	"parley/internal/face/platform"
	"parley/internal/face/sales"
	"parley/internal/face/targeting"
	"parley/internal/httpx"
)

// The route table and the description name exactly the same calls, with the
// same scopes and the same marks of being public.
func TestPlatformDescribesItsRoutes(t *testing.T) {
	spec, err := Load("platform")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(table(platform.New(platform.Services{}).HTTP()), spec.Routes()); diff != "" {
		t.Errorf("the routes (-) and api/platform.yaml (+) differ:\n%s", diff)
	}
}

func TestSalesDescribesItsRoutes(t *testing.T) {
	spec, err := Load("sales")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(table(sales.New(sales.Services{}).HTTP()), spec.Routes()); diff != "" {
		t.Errorf("the routes (-) and api/sales.yaml (+) differ:\n%s", diff)
	}
}

func TestTargetingDescribesItsRoutes(t *testing.T) {
	spec, err := Load("targeting")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(table(targeting.New(targeting.Services{}).HTTP()), spec.Routes()); diff != "" {
		t.Errorf("the routes (-) and api/targeting.yaml (+) differ:\n%s", diff)
	}
}

// The operator's routes are described in one document, both spellings of them.
func TestOperatorDescribesItsRoutes(t *testing.T) {
	spec, err := Load("admin")
	if err != nil {
		t.Fatal(err)
	}
	routes := append(table(admin.New(admin.Services{}).HTTP()), table(platform.NewOperator(platform.OperatorServices{}).HTTP())...)
	slices.Sort(routes)
	if diff := cmp.Diff(routes, spec.Routes()); diff != "" {
		t.Errorf("the routes (-) and api/admin.yaml (+) differ:\n%s", diff)
	}
}

// table lists a face's routes as Spec.Routes does.
func table(f httpx.Face) []string {
	var out []string
	for _, r := range f.Routes {
		scope := r.Scope
		switch {
		case r.Public:
			scope = "public"
		case scope == "":
			scope = "any"
		}
		for _, p := range append([]string{r.Pattern}, r.Aliases...) {
			out = append(out, r.Method+" "+p+" "+scope)
		}
	}
	slices.Sort(out)
	return out
}

// The check itself must be able to fail.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	spec, err := Load("platform")
	if err != nil {
		t.Fatal(err)
	}
	good := `{"success":true,"data":{"waiting":0,"active":0,"completed":0,"failed":0,"delayed":0},"waiting":0,"active":0,"completed":0,"failed":0,"delayed":0}`
	for name, c := range map[string]struct {
		method, path, sent string
		status             int
		kind, got, want    string
	}{
		"a good answer":           {"GET", "/api/saas/queue/stats", "", 200, "application/json; charset=utf-8", good, ""},
		"a field is missing":      {"GET", "/api/saas/queue/stats", "", 200, "application/json", strings.Replace(good, `"delayed":0},`, `"x":0},`, 1), "delayed"},
		"a field nobody declared": {"GET", "/api/saas/queue/stats", "", 200, "application/json", strings.Replace(good, `"delayed":0},`, `"delayed":0,"secret":1},`, 1), "secret"},
		"a wrong type":            {"GET", "/api/saas/queue/stats", "", 200, "application/json", strings.Replace(good, `"active":0`, `"active":"0"`, 1), "active"},
		"another content type":    {"GET", "/api/saas/queue/stats", "", 200, "text/plain", good, "Content-Type"},
		"a status of no response": {"GET", "/api/saas/queue/stats", "", 302, "application/json", good, "status"},
		"an error of no code":     {"GET", "/api/saas/queue/stats", "", 404, "application/json", `{"success":false,"message":"x","code":"OOPS"}`, "code"},
		"an error":                {"GET", "/api/saas/queue/stats", "", 404, "application/json", `{"success":false,"message":"x","code":"NOT_FOUND"}`, ""},
		"a request undescribed":   {"PATCH", "/api/crm/automations/aaaaaaaaaaaaaaaaaaaaaaaa/toggle", `{"isActive":1}`, 200, "application/json", `{}`, "accepted"},
		"a path undescribed":      {"GET", "/api/saas/beta", "", 200, "application/json", `{}`, "not described"},
		"a 404 of no envelope":    {"GET", "/api/saas/beta", "", 404, "application/json", `{"error":"x"}`, "success"},
		"a 404":                   {"GET", "/api/saas/beta", "", 404, "application/json", `{"success":false,"message":"x","code":"NOT_FOUND"}`, ""},
	} {
		req := httptest.NewRequest(c.method, "http://parley"+c.path, strings.NewReader(c.sent))
		if c.sent != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		err := spec.Check(Exchange{Request: req, RequestBody: []byte(c.sent), Status: c.status, Header: http.Header{"Content-Type": {c.kind}}, ResponseBody: []byte(c.got)})
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: the check says %v, which does not name %q", name, err, c.want)
		}
	}
}

// A transport hands the exchange on as it was.
func TestTransportIsTransparent(t *testing.T) {
	spec, err := Load("platform")
	if err != nil {
		t.Fatal(err)
	}
	const body = `{"success":false,"message":"x","code":"NOT_FOUND"}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got, _ := io.ReadAll(r.Body); string(got) != "hello" {
			t.Errorf("the server got %q", got)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(404)
		_, _ = io.WriteString(w, body)
	}))
	defer server.Close()
	tr := NewTransport(t, spec, http.DefaultTransport)
	resp, err := (&http.Client{Transport: tr}).Post(server.URL+"/api/nowhere", "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, _ := io.ReadAll(resp.Body); string(got) != body || resp.StatusCode != 404 {
		t.Errorf("the client got %d %q", resp.StatusCode, got)
	}
	if !slices.Contains(tr.Unseen(), "queueStats") {
		t.Error("nothing was called, yet queueStats counts as seen")
	}
}
