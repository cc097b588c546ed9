package targeting_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/internal/id"
	"parley/test/apitest"
)

type doc = map[string]any

// entityAt is the path of an entity.
func entityAt(slug string, a apitest.Answer) string { return "/v1/entity/" + slug + "/" + a.Str("_id") }

func TestEntities(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c, other := acme.Targeting(), r.NewTenant("Other").Targeting()
		made := c.Post("/v1/entity/contract", `{"name":"Power","kwh":9007199254740993,"address":{"city":"Pune","zip":null},"_tags":["b","a"],"_id":"x","_org":"me","_custom":1}`)
		if made.Status != http.StatusCreated || made.Str("_schema") != "contract" || made.Str("_title") != "Power" || made.Str("_org") != acme.ID.UUID() ||
			!strings.Contains(string(made.Body), `"kwh":9007199254740993`) || made.Str("address.city") != "Pune" || made.Get("_custom") != 1.0 {
			t.Fatalf("made: %d %s", made.Status, made.Body)
		}
		if d := cmp.Diff([]any{"a", "b"}, made.Get("_tags")); d != "" {
			t.Error(d)
		}
		at := entityAt("contract", made)
		got := c.Get(at).OK()
		if d := cmp.Diff(made.JSON(), got.Get("entity")); d != "" || len(got.Get("relations").([]any)) != 0 {
			t.Error("read otherwise", d)
		}
		// What was read may be sent again, and changes nothing.
		for _, do := range []func(string, any, ...string) apitest.Answer{c.Patch, c.Put} {
			if a := do(at, made.Body).OK(); string(a.Body) != string(made.Body) {
				t.Errorf("the same again: %s\nwas %s", a.Body, made.Body)
			}
		}
		changed := c.Patch(at, `{"kwh":null,"address":{"street":"MG Road"},"_tags":null}`).OK()
		if changed.Get("kwh") != nil || changed.Str("address.city") != "Pune" || changed.Str("address.street") != "MG Road" {
			t.Errorf("%s", changed.Body)
		}
		if tags, _ := changed.Get("_tags").([]any); len(tags) != 0 {
			t.Error(tags)
		}
		// Somebody who read it before may not overwrite it.
		failed(t, c.Patch(at, doc{"name": "Gas", "_updated_at": made.Str("_updated_at")}), http.StatusConflict, "read it again")
		failed(t, c.Put(at, doc{"name": "Gas", "_updated_at": made.Str("_updated_at")}), http.StatusConflict, "read it again")
		put := c.Put(at, doc{"name": "Gas", "_updated_at": changed.Str("_updated_at")}).OK()
		if put.Get("address") != nil || put.Str("_title") != "Gas" {
			t.Errorf("%s", put.Body)
		}

		gone := c.Delete(at).OK()
		if gone.Str("_id") != made.Str("_id") || gone.Str("_deleted_at") == "" {
			t.Errorf("%s", gone.Body)
		}
		c.Delete(at).OK()
		failed(t, c.Get(at), http.StatusNotFound, "no such entity")
		failed(t, c.Patch(at, doc{"name": "X"}), http.StatusNotFound, "no such entity")
		failed(t, c.Put(at, doc{"name": "X"}), http.StatusNotFound, "no such entity")
		if a := c.Patch(at, `{"_deleted_at":null}`).OK(); a.Str("_title") != "Gas" {
			t.Errorf("back: %s", a.Body)
		}
		c.Delete(at + "?purge=true").OK()
		failed(t, c.Delete(at), http.StatusNotFound, "no such entity")
		failed(t, c.Patch(at, `{"_deleted_at":null}`), http.StatusNotFound, "no such entity")

		// Nobody else's, no other schema's.
		at = entityAt("contract", c.Post("/v1/entity/contract", doc{}).OK())
		for _, path := range []string{strings.Replace(at, "contract", "product", 1), "/v1/entity/contract/" + id.New().UUID(), "/v1/entity/contract/b8c01433-5556-4e2b-aad4-6f5348d1df84",
			strings.Replace(at, "contract", "contact", 1), strings.Replace(at, "contract", "campaign", 1), strings.Replace(at, "contract", "target", 1)} {
			failed(t, c.Get(path), http.StatusNotFound, "no such")
			failed(t, c.Patch(path, doc{"name": "x"}), http.StatusNotFound, "no such")
			failed(t, c.Put(path, doc{"name": "x"}), http.StatusNotFound, "no such")
			failed(t, c.Delete(path), http.StatusNotFound, "no such")
			failed(t, c.Delete(path+"?purge=true"), http.StatusNotFound, "no such")
		}
		failed(t, other.Get(at), http.StatusNotFound, "no such entity")
		failed(t, other.Patch(at, doc{}), http.StatusNotFound, "no such entity")
		failed(t, other.Delete(at+"?purge=true"), http.StatusNotFound, "no such entity")
		failed(t, acme.Targeting("read").Post("/v1/entity/contract", doc{}), http.StatusForbidden, "targeting:write")
		failed(t, acme.Targeting("write").Get(at), http.StatusForbidden, "targeting:read")
	})
}

func TestEntitiesRefuse(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Targeting()
		at := entityAt("x", c.Post("/v1/entity/x", doc{"a": 1}).OK())
		for _, b := range []struct{ body, words string }{
			{`{`, "not valid JSON"}, {``, "must be a JSON object"}, {` `, "must be a JSON object"}, {`[]`, "must be a JSON object"}, {`"x"`, "must be a JSON object"}, {`null`, "must be a JSON object"},
			{`{"a":"\u0000"}`, "NUL"}, {"{\"a\":\"\xff\"}", "UTF-8"}, {`{"a\u0000":1}`, "NUL"}, {`{"":1}`, "must not be empty"},
			{`{"` + strings.Repeat("a", 201) + `":1}`, "longer than"}, {`{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "deeper"},
			{`{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, "deeper"},
			{`{"a":"` + strings.Repeat("x", 300<<10) + `"}`, "larger"},
			{`{"_tags":"a"}`, "_tags must be a list"}, {`{"_tags":[1]}`, "_tags must be a list"}, {`{"_tags":["` + strings.Repeat("x", 65) + `"]}`, "_tags"},
			{`{"_title":5}`, "_title must be a text"}, {`{"_updated_at":5}`, "_updated_at"}, {`{"_updated_at":"yesterday"}`, "_updated_at"}, {`{"_deleted_at":true}`, "_deleted_at"},
		} {
			failed(t, c.Post("/v1/entity/x", b.body), http.StatusBadRequest, b.words)
			failed(t, c.Patch(at, b.body), http.StatusBadRequest, b.words)
			failed(t, c.Put(at, b.body), http.StatusBadRequest, b.words)
		}
		a := c.Post("/v1/entity/x", `{"a":"`+strings.Repeat(" ", 1<<20)+`"}`)
		failed(t, a, http.StatusRequestEntityTooLarge, "larger")
		for _, slug := range []string{"a%20b", "a.b", strings.Repeat("a", 101), "%00", "%ff", "%C3%BC", "x:upsert"} {
			failed(t, c.Post("/v1/entity/"+slug, doc{}), http.StatusBadRequest, "slug")
			failed(t, c.Get("/v1/entity/"+slug+"/"+id.New().UUID()), http.StatusBadRequest, "slug")
		}
		for _, v := range []string{"5", "me", id.New().String(), "%00", "%ff", strings.Repeat("0", 36)} {
			failed(t, c.Get("/v1/entity/x/"+v), http.StatusBadRequest, "id ")
			failed(t, c.Delete("/v1/entity/x/"+v), http.StatusBadRequest, "id ")
		}
		failed(t, c.Delete(at+"?purge=maybe"), http.StatusBadRequest, "purge")
		// Numbers that nothing holds exactly are kept as near as they can be.
		for _, n := range []string{"1e400", "-1e400", "1e-400", "123456789012345678901234567890", "0.1", "-0", "1E5"} {
			a := c.Post("/v1/entity/x", `{"n":`+n+`}`).OK()
			if b := c.Get(entityAt("x", a)).OK(); fmt.Sprint(b.Get("entity.n")) != fmt.Sprint(a.Get("n")) || a.Get("n") == nil {
				t.Errorf("%s: %v, then %v", n, a.Get("n"), b.Get("entity.n"))
			}
		}
		failed(t, c.Do("POST", "/v1/entity/x/"+id.New().UUID(), doc{}), http.StatusMethodNotAllowed, "method")
	})
}

func TestUpsertEntities(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Targeting()
		const at = "/v1/entity/meter:upsert"
		made := c.Patch(at, doc{"unique_key": []string{"no"}, "entity": doc{"no": "n-1", "_tags": []string{"t"}, "_schema": "meter"}})
		if made.Status != http.StatusCreated {
			t.Fatalf("%d %s", made.Status, made.Body)
		}
		again := c.Patch("/v1/entity/meter%3Aupsert", doc{"unique_key": []string{"no"}, "entity": doc{"no": "n-1", "kwh": 5}})
		if again.Status != http.StatusOK || again.Str("_id") != made.Str("_id") || again.Get("kwh") != 5.0 || again.Str("_tags.0") != "t" {
			t.Fatalf("%d %s", again.Status, again.Body)
		}
		byID := c.Patch(at, doc{"unique_key": []string{"_id"}, "entity": doc{"_id": made.Str("_id"), "kwh": 6}})
		if byID.Status != http.StatusOK || byID.Get("kwh") != 6.0 {
			t.Errorf("%d %s", byID.Status, byID.Body)
		}
		failed(t, c.Patch(at, doc{"unique_key": []string{"_id"}, "entity": doc{"_id": id.New().UUID()}}), http.StatusNotFound, "no such entity")
		failed(t, c.Patch(at, doc{"unique_key": []string{"no"}, "entity": doc{"no": "n-1", "_updated_at": made.Str("_created_at")}}), http.StatusConflict, "read it again")
		c.Post("/v1/entity/meter", doc{"no": "n-1"}).OK()
		failed(t, c.Patch(at, doc{"unique_key": []string{"no"}, "entity": doc{"no": "n-1"}}), http.StatusConflict, "several")
		for _, b := range []struct{ body, words string }{
			{`{}`, "unique_key is required"}, {`{"unique_key":"no","entity":{}}`, "must be a list"}, {`{"unique_key":[],"entity":{}}`, "must be a list"},
			{`{"unique_key":[5],"entity":{}}`, "must be a list"}, {`{"unique_key":["no"]}`, "entity is required"}, {`{"unique_key":["no"],"entity":[]}`, "must be an object"},
			{`{"unique_key":["no"],"entity":{}}`, "unique_key"}, {`{"unique_key":["no"],"entity":{"no":null}}`, "unique_key"}, {`{"unique_key":["no"],"entity":{"no":{"a":1}}}`, "unique_key"},
			{`{"unique_key":["_id"],"entity":{}}`, "UUID"}, {`{"unique_key":["_id","no"],"entity":{"_id":"x","no":"1"}}`, "unique_key"},
			{`{"unique_key":["no"],"entity":{"no":"1","_tags":5}}`, "entity._tags"}, {`{"unique_key":["a","b","c","d","e","f","g","h","i","j","k"],"entity":{}}`, "at most 10"},
		} {
			failed(t, c.Patch(at, b.body), http.StatusBadRequest, b.words)
		}
		// Those of other rooms are found by their id alone.
		for _, slug := range []string{"campaign", "target"} {
			failed(t, c.Patch("/v1/entity/"+slug+":upsert", doc{"unique_key": []string{"name"}, "entity": doc{"name": "x"}}), http.StatusBadRequest, "_id")
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		statuses := map[int]int{}
		for range 8 {
			all.Go(func() {
				a := c.Patch(at, doc{"unique_key": []string{"no"}, "entity": doc{"no": "n-9"}})
				mu.Lock()
				statuses[a.Status]++
				mu.Unlock()
			})
		}
		all.Wait()
		if d := cmp.Diff(map[int]int{200: 7, 201: 1}, statuses); d != "" {
			t.Error(d)
		}
	})
}

func TestRelationsOfEntities(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c, other := acme.Targeting(), r.NewTenant("Other").Targeting()
		person := c.Post("/v1/entity/contact", doc{"first_name": "Asha", "phone": "+919876500001"}).OK()
		twin := c.Post("/v1/entity/contact", doc{"first_name": "Twin", "phone": "+919876500002"}).OK()
		product := c.Post("/v1/entity/product", doc{"name": "P"}).OK()
		stranger := other.Post("/v1/entity/product", doc{"name": "S"}).OK()
		campaign := c.Post("/v1/entity/campaign", doc{"name": "C"}).OK()
		target := c.Post("/v1/entity/target", doc{"name": "T", "entity_schema": "contact"}).OK()
		refers := func(list ...string) doc {
			items := []any{}
			for _, v := range list {
				items = append(items, doc{"entity_id": v})
			}
			return doc{"$relation": items}
		}
		order := c.Post("/v1/entity/order", doc{"customer": refers(twin.Str("_id"), person.Str("_id")), "lines": []any{doc{"product": refers(product.Str("_id"))}},
			"of": refers(stranger.Str("_id"), id.New().UUID(), "nonsense", target.Str("_id")), "by": refers(campaign.Str("_id"), product.Str("_id"))}).OK()
		titles := func() []string {
			var out []string
			for _, v := range c.Get(entityAt("order", order)).OK().Get("relations").([]any) {
				out = append(out, v.(doc)["_title"].(string))
			}
			return out
		}
		if d := cmp.Diff([]string{"Twin", "Asha", "C", "P", "T"}, titles()); d != "" {
			t.Error(d)
		}
		// The two become one, who is shown once.
		pid, _, _ := id.FromUUID(person.Str("_id"))
		tid, _, _ := id.FromUUID(twin.Str("_id"))
		if _, err := r.App.Contacts.Merge(t.Context(), acme.ID, "system", pid, tid); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"Asha", "C", "P", "T"}, titles()); d != "" {
			t.Error(d)
		}
		if a := c.Get(entityAt("contact", twin)).OK(); a.Str("entity._id") != person.Str("_id") {
			t.Errorf("%s", a.Body)
		}
		c.Delete(entityAt("product", product)).OK()
		c.Delete(entityAt("contact", twin) + "?purge=true").OK()
		if d := cmp.Diff([]string{"C", "T"}, titles()); d != "" {
			t.Error(d)
		}
		if a := c.Get(entityAt("order", order)).OK(); strings.Contains(string(a.Body), twin.Str("_id")) || strings.Contains(string(a.Body), person.Str("_id")) {
			t.Errorf("the erased person is still named: %s", a.Body)
		}
		many := []string{}
		for i := range 120 {
			many = append(many, c.Post("/v1/entity/line", doc{"name": fmt.Sprint(i)}).OK().Str("_id"))
		}
		wide := c.Post("/v1/entity/order", doc{"lines": refers(many...)}).OK()
		if n := len(c.Get(entityAt("order", wide)).OK().Get("relations").([]any)); n != 100 {
			t.Errorf("%d relations", n)
		}
	})
}

// own are the names that a test looks at.
func own(a apitest.Answer, names ...string) doc {
	out := doc{}
	for _, n := range names {
		if v := a.Get(n); v != nil {
			out[n] = v
		}
	}
	return out
}

func TestContactsAsEntities(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c, platform, sales := acme.Targeting(), acme.Platform(), acme.Caller()
		made := c.Post("/v1/entity/contact", doc{"first_name": "Asha", "last_name": "Rao", "phone": "+91 98765 00001", "email": "Asha@Example.com", "city": "Pune", "kwh": 12,
			"additional": doc{"zip": "411001"}, "_tags": []string{"vip"}, "score": 40, "source": "fair"})
		if made.Status != http.StatusCreated || made.Str("_title") != "Asha Rao" {
			t.Fatalf("%d %s", made.Status, made.Body)
		}
		want := doc{"first_name": "Asha", "last_name": "Rao", "phone": "+919876500001", "email": "asha@example.com", "city": "Pune", "kwh": 12.0, "zip": "411001",
			"additional": doc{"city": "Pune", "kwh": 12.0, "zip": "411001"}, "_tags": []any{"vip"}, "score": 40.0, "source": "fair"}
		if d := cmp.Diff(want, own(made, slices.Collect(maps.Keys(want))...)); d != "" {
			t.Error(d)
		}
		at := entityAt("contact", made)
		cid, _, _ := id.FromUUID(made.Str("_id"))
		// The other APIs have the same person.
		if a := platform.Get("/api/saas/crm/leads/" + cid.String()); a.Status != http.StatusOK {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		failed(t, c.Post("/v1/entity/contact", doc{"phone": "+919876500001"}), http.StatusConflict, "phone number")
		failed(t, c.Post("/v1/entity/contact", doc{"first_name": "Nobody"}), http.StatusBadRequest, "a phone or an email")

		// What was read may be sent again.
		for _, do := range []func(string, any, ...string) apitest.Answer{c.Patch, c.Put} {
			if a := do(at, made.Body).OK(); string(a.Body) != string(made.Body) {
				t.Errorf("the same again: %s\nwas %s", a.Body, made.Body)
			}
		}
		// An attribute may be changed at the top or in additional of the whole document.
		for i, change := range []func(doc){func(d doc) { d["city"] = "Goa" }, func(d doc) { d["additional"].(doc)["city"] = "Delhi" }} {
			d := c.Get(at).OK().Get("entity").(doc)
			change(d)
			if a := c.Patch(at, d).OK(); a.Str("city") != []string{"Goa", "Delhi"}[i] || a.Str("additional.city") != a.Str("city") {
				t.Errorf("%d: %s", i, a.Body)
			}
		}
		changed := c.Patch(at, doc{"last_name": "Iyer", "kwh": nil, "address": doc{"street": "MG Road"}, "_tags": []string{"b", "a"}}).OK()
		want = doc{"first_name": "Asha", "last_name": "Iyer", "address": doc{"street": "MG Road"}, "_tags": []any{"a", "b"}, "city": "Delhi"}
		if d := cmp.Diff(want, own(changed, "first_name", "last_name", "kwh", "address", "_tags", "city")); d != "" {
			t.Error(d)
		}
		failed(t, c.Patch(at, doc{"city": "X", "_updated_at": "2020-01-01T00:00:00.000Z"}), http.StatusConflict, "read it again")
		failed(t, c.Patch(at, doc{"status": "X", "_updated_at": "2020-01-01T00:00:00.000Z"}), http.StatusConflict, "read it again")
		for name, v := range map[string]any{"status": "closed", "label": "x", "group": "x", "agent": "x", "group_id": "x", "agent_id": "x", "stage": "x", "pipeline": "x", "value": 5,
			"archived": true, "phones": []any{}, "emails": []any{"x@example.com"}, "category": "x", "last_contacted_at": "x"} {
			failed(t, c.Patch(at, doc{name: v}), http.StatusBadRequest, name+" of a contact is only shown")
			failed(t, c.Post("/v1/entity/contact", doc{"phone": "+919876500077", name: v}), http.StatusBadRequest, name+" of a contact is only shown")
		}
		for _, b := range []struct {
			body  doc
			words string
		}{{doc{"first_name": 5}, "first_name must be a text"}, {doc{"phone": []any{}}, "phone must be a text"}, {doc{"phone": "hello"}, "phone"}, {doc{"email": "nonsense"}, "e-mail"},
			{doc{"score": 101}, "score"}, {doc{"score": "x"}, "score"}, {doc{"additional": 5}, "additional must be an object"}, {doc{"phone": nil, "email": nil}, "last by which"},
			{doc{"first_name": strings.Repeat("x", 300)}, "first_name"}} {
			failed(t, c.Patch(at, b.body), http.StatusBadRequest, b.words)
		}
		put := c.Put(at, doc{"first_name": "Bela", "email": "bela@example.com", "n": 1}).OK()
		if d := cmp.Diff(doc{"first_name": "Bela", "email": "bela@example.com", "n": 1.0, "additional": doc{"n": 1.0}},
			own(put, "first_name", "last_name", "phone", "email", "n", "additional", "city")); d != "" {
			t.Error(d)
		}

		// Deleting archives; whoever is archived is shown so, and comes back.
		c.Delete(at).OK()
		c.Delete(at).OK()
		if a := c.Get(at).OK(); a.Get("entity.archived") != true {
			t.Errorf("%s", a.Body)
		}
		if a := c.Patch(at, `{"_deleted_at":null}`).OK(); a.Get("archived") != false {
			t.Errorf("%s", a.Body)
		}
		c.Delete(at).OK()
		again := c.Post("/v1/entity/contact", doc{"email": "Bela@example.com", "last_name": "Bartha"}).OK()
		if again.Str("_id") != made.Str("_id") || again.Get("archived") != false || again.Str("_title") != "Bela Bartha" {
			t.Errorf("%s", again.Body)
		}
		c.Delete(at + "?purge=true").OK()
		failed(t, c.Get(at), http.StatusNotFound, "no such entity")
		failed(t, c.Delete(at+"?purge=true"), http.StatusNotFound, "no such entity")

		// Who came in elsewhere is an entity here.
		lead := sales.Post("/lead/retail", doc{"utmSource": "google", "firstName": "Dora", "phones": []string{"+919876500055"}, "additionalData": doc{"finance": "1"}}).OK()
		lid, err := id.Parse(lead.Str("id"))
		if err != nil {
			t.Fatal(err)
		}
		if a := c.Get("/v1/entity/contact/" + lid.UUID()).OK(); a.Str("entity.first_name") != "Dora" || a.Str("entity.phone") != "+919876500055" {
			t.Errorf("%s", a.Body)
		}
		row := platform.Post("/api/saas/crm/leads", doc{"firstName": "Eva", "phone": "+919876500066"}).OK()
		pid, err := id.Parse(row.Str("data._id"))
		if err != nil {
			t.Fatalf("%s", row.Body)
		}
		if a := c.Get("/v1/entity/contact/" + pid.UUID()).OK(); a.Str("entity.first_name") != "Eva" {
			t.Errorf("%s", a.Body)
		}
	})
}

func TestUpsertContacts(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		c := r.NewTenant("Acme").Targeting()
		const at = "/v1/entity/contact:upsert"
		made := c.Patch(at, doc{"unique_key": []string{"email"}, "entity": doc{"email": "Asha@example.com", "no": "k-1", "first_name": "Asha"}})
		if made.Status != http.StatusCreated {
			t.Fatalf("%d %s", made.Status, made.Body)
		}
		for _, b := range []struct {
			key    []string
			entity doc
		}{
			{[]string{"email"}, doc{"email": "asha@EXAMPLE.com", "last_name": "Rao"}},
			{[]string{"no"}, doc{"no": "k-1", "phone": "+919876500001"}},
			{[]string{"phone"}, doc{"phone": "0091 98765 00001"}},
			{[]string{"phone", "no"}, doc{"phone": "+919876500001", "no": "k-1", "city": "Pune"}},
			{[]string{"_id"}, doc{"_id": made.Str("_id"), "kwh": 3}},
		} {
			a := c.Patch(at, doc{"unique_key": b.key, "entity": b.entity})
			if a.Status != http.StatusOK || a.Str("_id") != made.Str("_id") || a.Str("first_name") != "Asha" {
				t.Errorf("%v: %d %s", b.key, a.Status, a.Body)
			}
		}
		other := c.Patch(at, doc{"unique_key": []string{"no"}, "entity": doc{"no": "k-2", "phone": "+919876500002"}})
		if other.Status != http.StatusCreated {
			t.Errorf("%d %s", other.Status, other.Body)
		}
		failed(t, c.Patch(at, doc{"unique_key": []string{"no"}, "entity": doc{"no": "k-3"}}), http.StatusBadRequest, "a phone or an email")
		failed(t, c.Patch(at, doc{"unique_key": []string{"no"}, "entity": doc{"no": "k-3", "phone": "+919876500002"}}), http.StatusConflict, "phone number")
		c.Patch(entityAt("contact", other), doc{"no": "k-1"}).OK()
		failed(t, c.Patch(at, doc{"unique_key": []string{"no"}, "entity": doc{"no": "k-1"}}), http.StatusConflict, "several")
		failed(t, c.Patch(at, doc{"unique_key": []string{"first_name"}, "entity": doc{"first_name": "Asha"}}), http.StatusBadRequest, "found by phone")
		failed(t, c.Patch(at, doc{"unique_key": []string{"status"}, "entity": doc{"status": "new"}}), http.StatusBadRequest, "found by phone")
		failed(t, c.Patch(at, doc{"unique_key": []string{"a.b"}, "entity": doc{"a.b": 1, "phone": "+919876500003"}}), http.StatusBadRequest, "without a dot")
		failed(t, c.Patch(at, doc{"unique_key": []string{"phone"}, "entity": doc{"phone": "hello"}}), http.StatusBadRequest, "phone")
		// An address finds whoever claims it, not who keeps it besides.
		c.Post("/v1/entity/contact", doc{"phone": "+919876500004", "email": "asha@example.com"}).OK()
		if a := c.Patch(at, doc{"unique_key": []string{"email"}, "entity": doc{"email": "asha@example.com"}}).OK(); a.Str("_id") != made.Str("_id") {
			t.Errorf("%s", a.Body)
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		statuses := map[int]int{}
		for i := range 6 {
			all.Go(func() {
				a := c.Patch(at, doc{"unique_key": []string{"phone"}, "entity": doc{"phone": "+919876500009", fmt.Sprint("a", i): 1}})
				mu.Lock()
				statuses[a.Status]++
				mu.Unlock()
			})
		}
		all.Wait()
		if d := cmp.Diff(map[int]int{200: 5, 201: 1}, statuses); d != "" {
			t.Error(d)
		}
	})
}
