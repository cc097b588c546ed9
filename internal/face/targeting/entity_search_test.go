package targeting_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/test/apitest"
)

// titles are the hits and the titles of what was found.
func titles(t *testing.T, a apitest.Answer) string {
	t.Helper()
	list, _ := a.OK().Get("results").([]any)
	out := []string{}
	for _, v := range list {
		m, _ := v.(map[string]any)
		s, _ := m["_title"].(string)
		out = append(out, s)
	}
	return fmt.Sprint(a.Get("hits"), " ", strings.Join(out, ","))
}

func TestEntitiesAreFound(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c := acme.Targeting()
		search, list := "/v1/entity:search", "/v1/entity:list"
		if a := c.Post(search, `{"q":"_schema:order"}`).OK(); string(a.Body) != `{"hits":0,"results":[]}` {
			t.Errorf("nothing: %s", a.Body)
		}
		for i, name := range []string{"Ana Lima", "Bob Rosa"} {
			first, last, _ := strings.Cut(name, " ")
			c.Post("/v1/entity/contact", fmt.Sprintf(`{"first_name":%q,"last_name":%q,"email":"p%d@example.com","_tags":["vip"],"city":"Recife"}`, first, last, i)).OK()
		}
		for i := range 12 {
			c.Post("/v1/entity/order", fmt.Sprintf(`{"_title":"Order %d","number":%d,"address":{"city":"Rio"}}`, i, i)).OK()
		}
		for _, x := range []struct{ path, body, want string }{
			{search, `{"q":"_schema:contact"}`, "2 Bob Rosa,Ana Lima"},
			{search, `{"q":"_schema:contact AND city:Recife AND _tags:vip","sort":"_title:asc"}`, "2 Ana Lima,Bob Rosa"},
			{search, `{"q":"email:\"p1@example.com\"","hydrate":true,"aggs":{}}`, "1 Bob Rosa"},
			{search, `{"q":"lima"}`, "1 Ana Lima"},
			{search, `{"q":"_schema:order","sort":"number:desc","size":2}`, "12 Order 11,Order 10"},
			{search, `{"q":"_schema:order","sort":"number","from":10,"size":5}`, "12 Order 10,Order 11"},
			{search, `{"q":"number:[3 TO 4]","sort":"number.keyword"}`, "2 Order 3,Order 4"},
			{search, `{"q":"address.city:Rio","size":0}`, "12 "},
			{search, `{"q":"_schema:order","size":1,"sort":"_score"}`, "12 Order 11"},
			{list, `{"filter":[{"term":{"_schema":"contact"}},{"$not":[{"term":{"first_name.keyword":"Ana"}}]}]}`, "1 Bob Rosa"},
			{list, `{"filter":[{"range":{"number":{"gte":3,"lt":5}}}],"sort":"number:asc"}`, "2 Order 3,Order 4"},
			{list, `{"filter":[],"size":1}`, "14 Order 11"},
			{list, `{"size":1}`, "14 Order 11"},
		} {
			if got := titles(t, c.Post(x.path, x.body)); got != x.want {
				t.Errorf("%s %s: %s, want %s", x.path, x.body, got, x.want)
			}
		}
		// Ten at first.
		if a := c.Post(list, `{"filter":[{"term":{"_schema":"order"}}]}`).OK(); len(a.Get("results").([]any)) != 10 {
			t.Errorf("a page: %s", a.Body)
		}
		// The fields that were asked for.
		shown := c.Post(search, `{"q":"_schema:order","size":1,"fields":["number","address.city"]}`).OK().Get("results.0").(map[string]any)
		delete(shown, "_id")
		if d := cmp.Diff(map[string]any{"_schema": "order", "number": 11.0, "address": map[string]any{"city": "Rio"}}, shown); d != "" {
			t.Error(d)
		}
		hidden := c.Post(search, `{"q":"_schema:order","size":1,"fields":["!number","!_id"]}`).OK().Get("results.0").(map[string]any)
		if hidden["number"] != nil || hidden["_title"] != "Order 11" || hidden["_id"] == nil {
			t.Errorf("hidden: %v", hidden)
		}
		// What was found is what is read.
		one := c.Post(search, `{"q":"lima"}`).OK().Get("results.0").(map[string]any)
		if read := c.Get("/v1/entity/contact/" + one["_id"].(string)).OK().Get("entity"); !cmp.Equal(read, any(one)) {
			t.Error(cmp.Diff(read, any(one)))
		}
		// By id, and nobody of another organisation.
		if got := titles(t, c.Post(list, fmt.Sprintf(`{"filter":[{"ids":{"values":[%q]}}]}`, one["_id"]))); got != "1 Ana Lima" {
			t.Errorf("by id: %s", got)
		}
		if got := titles(t, r.NewTenant("Other").Targeting().Post(list, `{}`)); got != "0 " {
			t.Errorf("another organisation finds %s", got)
		}
		for words, call := range map[string][2]string{
			"q is required":         {search, `{}`},
			"* finds every":         {search, `{"q":"  "}`},
			"size must be":          {search, `{"q":"*","size":1001}`},
			"size must be a number": {list, `{"size":-1}`},
			"from and size":         {search, `{"q":"*","from":9999,"size":2}`},
			"from must be a number": {list, `{"from":-1}`},
			"sort must be":          {search, `{"q":"*","sort":"name:up"}`},
			"one field":             {list, `{"sort":"a,b"}`},
			"such as _created_at":   {list, `{"sort":":desc"}`},
			"filter":                {list, `{"filter":"x"}`},
			"no search filter":      {list, `{"filter":[{"near":{"a":1}}]}`},
			"q":                     {search, `{"q":"a:(b"}`},
			"not valid JSON":        {search, `{`},
		} {
			failed(t, c.Post(call[0], call[1]), http.StatusBadRequest, words)
		}
	})
}
