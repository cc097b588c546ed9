package targeting_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/internal/id"
	"parley/test/apitest"
)

// failed complains unless the answer is a StatusedError of that status whose text
// holds words.
func failed(t *testing.T, a apitest.Answer, status int, words string) {
	t.Helper()
	if a.Status != status || a.Get("status") != float64(status) || words == "" || !strings.Contains(a.Str("error"), words) {
		t.Errorf("%d %s, want %d about %q", a.Status, a.Body, status, words)
	}
}

func TestPortals(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c := acme.Targeting()
		if a := c.Get("/v2/portal/configs").OK(); string(a.Body) != `{"data":[]}` {
			t.Errorf("no portals: %s", a.Body)
		}
		page := `{"id":"p1","blocks":{"b1":{"id":"b1","type":"campaign","order":1,"parentId":"p1","props":{"visibility":{"visible_for_targets":["x"],"visible_for_operator":"and","is_hidden":false},"content":{"a":null},"design":{}}}}}`
		made := c.Post("/v2/portal/portal?origin=END_CUSTOMER_PORTAL", `{"name":"My energy","domain":"my.example.com","pages":[`+page+`],"feature_settings":{"billing":true}}`).OK()
		if made.Status != http.StatusCreated || made.Str("origin") != "END_CUSTOMER_PORTAL" || made.Str("name") != "My energy" || made.Str("domain") != "my.example.com" ||
			made.Get("enabled") != true || made.Str("organization_id") != acme.ID.UUID() || made.Get("pages.0.blocks.b1.props.visibility.is_hidden") != false {
			t.Errorf("made: %d %s", made.Status, made.Body)
		}
		changed := c.Post("/v2/portal/portal?origin=END_CUSTOMER_PORTAL", `{"enabled":false,"feature_settings":null}`).OK()
		if changed.Status != http.StatusOK || changed.Str("portal_id") != made.Str("portal_id") || changed.Str("name") != "My energy" || changed.Get("enabled") != false ||
			changed.Get("feature_settings") != nil || changed.Str("pages.0.id") != "p1" {
			t.Errorf("changed: %d %s", changed.Status, changed.Body)
		}
		// What was read may be sent again.
		if a := c.Post("/v2/portal/portal?origin=END_CUSTOMER_PORTAL", changed.Body).OK(); string(a.Body) != string(changed.Body) {
			t.Errorf("the same again: %s", a.Body)
		}
		if a := c.Get("/v2/portal/configs").OK(); string(a.Body) != `{"data":[`+string(changed.Body)+`]}` {
			t.Errorf("listed: %s", a.Body)
		}
		for words, call := range map[string][2]string{
			"origin is required":      {"/v2/portal/portal", `{}`},
			"origin must be one of":   {"/v2/portal/portal?origin=PORTAL", `{}`},
			"differs":                 {"/v2/portal/portal?origin=INSTALLER_PORTAL", `{"origin":"END_CUSTOMER_PORTAL"}`},
			"name must be a string":   {"/v2/portal/portal?origin=INSTALLER_PORTAL", `{"name":5}`},
			"domain must not be":      {"/v2/portal/portal?origin=INSTALLER_PORTAL", `{"domain":"` + strings.Repeat("x", 254) + `"}`},
			"enabled must be":         {"/v2/portal/portal?origin=INSTALLER_PORTAL", `{"enabled":"yes"}`},
			"must be an object":       {"/v2/portal/portal?origin=INSTALLER_PORTAL", `[]`},
			"not valid JSON":          {"/v2/portal/portal?origin=INSTALLER_PORTAL", `{`},
			"NUL":                     {"/v2/portal/portal?origin=INSTALLER_PORTAL", `{"a":"\u0000"}`},
			"larger than":             {"/v2/portal/portal?origin=INSTALLER_PORTAL", `{"a":"` + strings.Repeat("x", 1<<20) + `"}`},
			"widgets is required":     {"/v2/portal/widgets?origin=INSTALLER_PORTAL", `{}`},
			"must be a list":          {"/v2/portal/widgets?origin=INSTALLER_PORTAL", `{"widgets":{}}`},
			"origin is required ":     {"/v2/portal/widgets", `{"widgets":[]}`},
			"widgets[0].id":           {"/v2/portal/widgets?origin=INSTALLER_PORTAL", `{"widgets":[{}]}`},
			"must be the UUID":        {"/v2/portal/widgets?origin=INSTALLER_PORTAL", `{"widgets":[{"id":"a","type":"CAMPAIGN_WIDGET","listIndex":0,"campaign_id":"5"}]}`},
			"portal_id is required":   {"/v3/portal/widgets", `{"widgets":[]}`},
			"there is no such portal": {"/v3/portal/widgets?portal_id=" + id.New().UUID(), `{"widgets":[]}`},
		} {
			status := http.StatusBadRequest
			if strings.Contains(words, "no such") {
				status = http.StatusNotFound
			}
			failed(t, c.Post(call[0], call[1]), status, strings.TrimSpace(words))
		}
		failed(t, c.Get("/v2/portal/widgets?origin=PORTAL"), http.StatusBadRequest, "origin must be one of")
		failed(t, c.Get("/v3/portal/widgets?portal_id=me"), http.StatusNotFound, "portal")
		failed(t, c.Get("/v3/portal/widgets?portal_id=b8c01433-5556-4e2b-aad4-6f5348d1df84"), http.StatusNotFound, "portal")
		failed(t, c.Delete("/v2/portal/configs"), http.StatusMethodNotAllowed, "method")
		failed(t, acme.Targeting("read").Post("/v2/portal/portal?origin=INSTALLER_PORTAL", `{}`), http.StatusForbidden, "targeting:write")
		failed(t, acme.Targeting("write").Get("/v2/portal/configs"), http.StatusForbidden, "targeting:read")
		failed(t, r.Call("GET", "/v2/portal/configs", nil), http.StatusUnauthorized, "Unauthorized")
		if a := c.Get("/v2/portal/configs").OK(); len(a.Get("data").([]any)) != 1 {
			t.Errorf("what was refused is there: %s", a.Body)
		}
	})
}

func TestWidgets(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c, stranger := acme.Targeting(), r.NewTenant("Other").Targeting()
		if a := c.Get("/v2/portal/widgets?origin=END_CUSTOMER_PORTAL").OK(); string(a.Body) != `{"widgets":[]}` {
			t.Errorf("of a portal that is not there: %s", a.Body)
		}
		body := fmt.Sprintf(`{"widgets":[{"id":"c","type":"CAMPAIGN_WIDGET","listIndex":3,"headline":{"en":"Switch","de":"Wechseln"},"campaign_id":%q,"":{"x":[1.5e308,-0.5,"<b>","\ud800",null]}},
			{"id":"t","type":"TEASER_WIDGET","listIndex":0,"imageUrl":"https://x/y.png","button":{"label":{"en":"Go"},"url":"/go"}}]}`, id.New().UUID())
		placed := c.Post("/v2/portal/widgets?origin=INSTALLER_PORTAL", body)
		var want any
		if err := json.Unmarshal([]byte(body), &want); err != nil {
			t.Fatal(err)
		}
		if placed.Status != http.StatusCreated || !cmp.Equal(placed.JSON(), want) {
			t.Errorf("placed: %d %s", placed.Status, cmp.Diff(want, placed.JSON()))
		}
		// The portal is there now, without a name.
		portal := c.Get("/v2/portal/configs").OK().Str("data.0.portal_id")
		for _, path := range []string{"/v2/portal/widgets?origin=INSTALLER_PORTAL", "/v2/portal/widgets", "/v3/portal/widgets?portal_id=" + portal} {
			if got := c.Get(path).OK(); !cmp.Equal(got.JSON(), want) {
				t.Errorf("%s: %s", path, cmp.Diff(want, got.JSON()))
			}
		}
		failed(t, stranger.Get("/v3/portal/widgets?portal_id="+portal), http.StatusNotFound, "portal")
		failed(t, stranger.Post("/v3/portal/widgets?portal_id="+portal, `{"widgets":[]}`), http.StatusNotFound, "portal")
		if a := stranger.Get("/v2/portal/widgets").OK(); string(a.Body) != `{"widgets":[]}` {
			t.Errorf("a stranger sees %s", a.Body)
		}
		if a := c.Post("/v3/portal/widgets?portal_id="+portal, `{"widgets":[]}`); a.Status != http.StatusCreated || string(a.Body) != `{"widgets":[]}` {
			t.Errorf("emptied: %d %s", a.Status, a.Body)
		}
		if a := c.Get("/v2/portal/widgets").OK(); string(a.Body) != `{"widgets":[]}` {
			t.Errorf("after that: %s", a.Body)
		}
	})
}
