package sales_test

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"parley/internal/id"
	"parley/test/apitest"
)

// triple is what every generated client of the original accepts.
const triple = "application/json, text/csv, text/plain"

// Every caller of the original is understood (reference §1.6).
func TestTolerances(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		north := acme.Group("North", acme.Root.ID)
		acme.Agent("Asha", "Rao", north.ID)
		c := acme.Caller()
		key := "api-key=" + c.Token

		// Checklist 1: the Node client sends {} and three types with every GET.
		for _, path := range []string{"/api/v1/prospects", "/v1/prospects", "/api/v1/groups", "/v1/integrations"} {
			a := r.Call("GET", path+"?"+key, "{}", "Accept", triple, "Content-Type", "application/json").OK()
			if _, ok := a.JSON().([]any); !ok || a.Header.Get("Content-Type") != "application/json; charset=utf-8" {
				t.Errorf("%s: %s %s", path, a.Header.Get("Content-Type"), a.Body)
			}
		}
		// The key in each of its places; the query wins.
		for _, headers := range [][]string{{"X-API-Key", c.Token}, {"X-API-Token", c.Token}, {"Authorization", "Bearer " + c.Token}, {"x-api-key", c.Token}} {
			r.Call("GET", "/api/v1/integration", nil, headers...).OK()
		}
		r.Call("GET", "/api/v1/integration?"+key, nil, "X-API-Key", "wrong").OK()
		r.Call("GET", "/api/v1/integration?api-key=wrong", nil, "X-API-Key", c.Token).Refused(401, "INVALID_API_KEY")

		// Both base paths, with and without a trailing slash, without a redirect.
		for _, path := range []string{"/api/v1/groups", "/v1/groups", "/api/v1/groups/", "/v1/groups/", "/api//v1/groups"} {
			if a := r.Call("GET", path+"?"+key, nil); a.Status != 200 || len(a.List()) != 2 {
				t.Errorf("%s: %d %s", path, a.Status, a.Body)
			}
		}
		// Checklist 6: format wins over Accept, in both directions.
		tables := map[string]string{"?format=csv": "application/json", "?format=json": "text/csv", "": "text/csv;q=0.9, application/json;q=0.3"}
		for query, accept := range tables {
			a := c.Get("/groups"+query, "Accept", accept).OK()
			wantCSV := query != "?format=json"
			if got := strings.HasPrefix(a.Header.Get("Content-Type"), "text/csv"); got != wantCSV {
				t.Errorf("%q with Accept %q answers %s", query, accept, a.Header.Get("Content-Type"))
			}
		}
		rows, err := csv.NewReader(strings.NewReader(string(c.Get("/groups?format=csv").OK().Body))).ReadAll()
		if err != nil || len(rows) != 3 || rows[0][0] != "id" || rows[2][2] != "North" {
			t.Errorf("%v %v", rows, err)
		}
		if a := c.Get("/groups?parent=" + north.ID.String() + "&format=csv").OK(); string(a.Body) != "id,displayName,name,parent,ancestors,descendants,type,timezone,countryCode\r\n" {
			t.Errorf("an empty table is %q", a.Body)
		}
		// Errors are JSON though CSV was asked for.
		for path, want := range map[string]struct {
			status int
			code   string
		}{
			"/group/" + id.New().String():              {404, "NOT_FOUND"},
			"/group/507f191e810c19729de860zz":          {404, "NOT_FOUND"}, // well-formed for the original
			"/group/507F191E810C19729DE860EA":          {400, "INVALID_ID"},
			"/group/nonsense":                          {400, "INVALID_ID"},
			"/agents":                                  {400, "SCHEMA_VALIDATION_FAILED"},
			"/nowhere":                                 {404, "NOT_FOUND"},
			"/prospect/nonsense":                       {400, "INVALID_ID"},
			"/prospect/507f191e810c19729de860ea":       {404, "NOT_FOUND"},
			"/prospect/507f191e810c19729de860ea/extra": {404, "NOT_FOUND"},
		} {
			a := c.Get(path, "Accept", "text/csv").Refused(want.status, want.code)
			if a.Header.Get("Content-Type") != "application/json; charset=utf-8" || a.Str("message") == "" || a.Str("summary") == "" {
				t.Errorf("%s: %s %s", path, a.Header.Get("Content-Type"), a.Body)
			}
		}
		if m := c.Get("/prospect/nonsense").Str("message"); !strings.HasPrefix(m, "Invalid prospectId") {
			t.Errorf("a malformed id says %q", m)
		}
		c.Get("/groups?format=xml").Refused(400, "SCHEMA_VALIDATION_FAILED")
		a := c.Put("/groups", "{}").Refused(405, "METHOD_NOT_ALLOWED")
		if allow := a.Header.Get("Allow"); !strings.Contains(allow, "GET") {
			t.Errorf("Allow is %q", allow)
		}
		scoped := acme.Caller("leads:write").Get("/agents?group="+north.ID.String()).Refused(403, "INVALID_SCOPE")
		if !strings.Contains(scoped.Str("message"), " prospects:read;") {
			t.Errorf("the scope is named as users write it: %s", scoped.Body)
		}
	})
}

// Checklist 4 and 5: the three spellings of a list in the query are one.
func TestSpellingsOfLists(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c := acme.Caller()
		for i, finance := range []string{"1", "2", "3"} {
			body := map[string]any{"utmSource": "web", "firstName": "P" + finance, "phones": []string{"+54 11 4552 000" + finance}}
			pid := c.Post("/lead/retail", body).OK().Str("id")
			if i < 2 {
				c.Patch("/prospect/"+pid+"/additionalData", map[string]any{"finance": finance, "style": "blue"}).OK()
			}
		}
		want := ""
		for i, query := range []string{"additionalData=finance>=2&additionalData=style~blu", "additionalData[]=finance>=2&additionalData[]=style~blu",
			"additionalData[0]=finance>=2&additionalData[1]=style~blu", "additionalData%5B0%5D=finance%3E%3D2&additionalData%5B1%5D=style~blu"} {
			list := c.Get("/prospects?" + query).OK().List()
			if i == 0 {
				if want = idRow(list); len(list) != 1 {
					t.Fatalf("%s finds %d", query, len(list))
				}
			}
			if got := idRow(list); got != want {
				t.Errorf("%s finds %s, want %s", query, got, want)
			}
		}
		pid := c.Get("/prospects").OK().Str("0.id")
		c.Post("/prospect/"+pid+"/interactions", map[string]any{"type": "note", "content": "a note"}).OK()
		// Checklist 13: a trailing slash on a POST.
		c.Post("/prospect/"+pid+"/interactions/", map[string]any{"type": "call", "startedAt": "2026-03-01T10:00:00.000Z", "duration": 1000}).OK()
		want = ""
		for i, query := range []string{"via=other&via=email", "via[]=other&via[]=email", "via[0]=other&via[1]=email"} {
			list := c.Get("/prospect/" + pid + "/interactions?" + query).OK().List()
			if i == 0 {
				if want = idRow(list); len(list) == 0 {
					t.Fatalf("%s finds nothing", query)
				}
			}
			if got := idRow(list); got != want {
				t.Errorf("%s finds %s, want %s", query, got, want)
			}
		}
	})
}

// The description is served as it is published (reference §1.1).
func TestSwagger(t *testing.T) {
	r := apitest.New(t, apitest.Options{Quiet: true}, "")
	for _, path := range []string{"/swagger.json", "/api/v1/swagger.json", "/v1/swagger.json"} {
		resp, err := http.Get(r.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		var doc struct {
			OpenAPI string                    `json:"openapi"`
			Paths   map[string]map[string]any `json:"paths"`
		}
		if err != nil || resp.StatusCode != 200 || json.Unmarshal(raw, &doc) != nil || doc.OpenAPI != "3.0.3" || doc.Paths["/integration"]["get"] == nil || len(doc.Paths) < 15 {
			t.Errorf("%s: %d %.200s %v", path, resp.StatusCode, raw, err)
		}
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}
