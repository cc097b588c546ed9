package sales_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/contact"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/store"
	"parley/test/apitest"
)

// comparing writes filters of additionalData in one of the three spellings.
func comparing(spelling string, list ...string) string {
	var parts []string
	for i, v := range list {
		name := spelling
		if spelling == "additionalData[n]" {
			name = fmt.Sprintf("additionalData[%d]", i)
		}
		parts = append(parts, url.QueryEscape(name)+"="+strings.NewReplacer("%3D", "=", "%2F", "/").Replace(url.QueryEscape(v)))
	}
	return "/prospects?" + strings.Join(parts, "&")
}

func TestAdditionalData(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true, At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c := acme.Caller()
		var all []string
		for i, data := range []map[string]any{{"finance": 1, "birthdate": "05/06/1995", "style": "Navy Blue"}, {"finance": "1", "birthdate": "01/01/1990", "style": "red"},
			{"finance": 2, "birthdate": "31/12/1989"}, {"style": "blue", "nested": map[string]any{"x": "y"}}, {"finance": 10}} {
			p := lead(c, map[string]any{"phones": phones(fmt.Sprintf("+9198%08d", i))})
			if got := c.Patch("/prospect/"+p+"/additionalData", data).OK(); i == 0 && got.Str("additionalData.style") != "Navy Blue" {
				t.Errorf("%s", got.Body)
			}
			all = append(all, p)
			r.Clock.Advance(time.Minute)
		}
		for _, q := range []struct {
			list []string
			want []int
		}{
			{[]string{"finance=1"}, []int{1, 0}},
			{[]string{"finance>1"}, []int{4, 2}},
			{[]string{"finance>=2"}, []int{4, 2}},
			{[]string{"finance<10"}, []int{2, 1, 0}},
			{[]string{"birthdate<01/01/2000", "birthdate>=01/01/1990"}, []int{1, 0}},
			{[]string{"birthdate<1990-01-01"}, []int{2}},
			{[]string{"style~blue"}, []int{3, 0}},
			{[]string{"style=blue"}, []int{3}},
			{[]string{"style~blue", "finance=1"}, []int{0}},
			{[]string{"nested.x=y"}, []int{3}},
			{[]string{"nobody=1"}, nil},
		} {
			want := []string{}
			for _, i := range q.want {
				want = append(want, all[i])
			}
			for _, spelling := range []string{"additionalData", "additionalData[]", "additionalData[n]"} {
				finds(t, c, comparing(spelling, q.list...), want...)
			}
		}
		finds(t, c, comparing("additionalData", "finance=1")+"&limit=1", all[1])
		for _, bad := range []string{"finance", "=1", "a==1", "a!=1"} {
			c.Get(comparing("additionalData", bad)).Refused(400, "INVALID_FILTER")
		}
		// Without the scope the data are neither shown nor asked for.
		blind := acme.Caller("prospects:read", "prospects:write")
		if p := blind.Get("/prospect/" + all[0]).OK(); p.Get("additionalData") != nil {
			t.Errorf("%s", p.Body)
		}
		if p := blind.Patch("/prospect/"+all[0]+"/additionalData", map[string]any{"more": "x", "finance": nil}).OK(); p.Get("additionalData") != nil {
			t.Errorf("%s", p.Body)
		}
		if data := c.Get("/prospect/" + all[0]).OK().Get("additionalData").(map[string]any); data["more"] != "x" || data["finance"] != nil || len(data) != 3 {
			t.Error(data)
		}
		blind.Get(comparing("additionalData", "finance=1")).Refused(403, "INVALID_SCOPE")
		blind.Get("/prospect/"+all[0]+"/prospectAdditionalFields").Refused(403, "INVALID_SCOPE")
		var keys []string
		for _, f := range c.Get("/prospect/" + all[0] + "/prospectAdditionalFields").OK().List() {
			keys = append(keys, f["key"].(string))
		}
		if !slices.Equal(keys, []string{"birthdate", "more", "style"}) {
			t.Error(keys)
		}
		c.Patch("/prospect/"+all[0]+"/additionalData", []string{"x"}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Patch("/prospect/"+all[0]+"/additionalData", map[string]any{" x": 1}).Refused(400, "SCHEMA_VALIDATION_FAILED")
	})
}

func TestProspectBy(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true, At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}, func(t *testing.T, r *apitest.Rig) {
		w := newCrew(r)
		all, south := w.Caller(), w.In(w.south.ID)
		a := lead(all, map[string]any{"firstName": "Ann", "phones": phones("+919876543210"), "emails": []string{"ann@x.de"}})
		r.Clock.Advance(time.Hour)
		b := lead(all, map[string]any{"firstName": "Ben", "phones": phones("+919876543211")})
		all.Post("/prospect/"+a+"/transfer", map[string]any{"user": w.asha.ID.String()}).OK()
		one := all.Get("/prospect-by?email=ANN@x.de").OK()
		if one.Str("id") != a || one.Str("_id") != a || one.Str("firstName") != "Ann" || one.Str("account") != w.ID.String() || one.Str("claimedBy") != w.asha.ID.String() || one.Str("phones.0") != "+919876543210" {
			t.Errorf("%s", one.Body)
		}
		if got := all.Get("/prospect-by?phoneNumber=" + url.QueryEscape("98765 43211")).OK(); got.Str("id") != b || got.Get("claimedBy") != nil {
			t.Errorf("%s", got.Body)
		}
		// One by each: who was active last.
		r.Clock.Advance(time.Hour)
		all.Post("/prospect/"+b+"/transfer", map[string]any{"user": w.bela.ID.String()}).OK()
		if got := all.Get("/prospect-by?email=ann@x.de&phoneNumber=9876543211").OK().Str("id"); got != b {
			t.Error(got)
		}
		all.Get("/prospect-by").Refused(400, "SCHEMA_VALIDATION_FAILED")
		all.Get("/prospect-by?email=none").Refused(400, "SCHEMA_VALIDATION_FAILED")
		all.Get("/prospect-by?email=nobody@x.de").Refused(404, "NOT_FOUND")
		south.Get("/prospect-by?email=ann@x.de").Refused(404, "NOT_FOUND")
		south.Get("/prospect-by?phoneNumber=9876543211").OK()
	})
}

func TestChangingAProspect(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		w := newCrew(r)
		c := w.Caller()
		a := lead(c, map[string]any{"firstName": "Ann", "phones": phones("+919876543210")})
		b := lead(c, map[string]any{"firstName": "Ben", "phones": phones("+919876543211"), "emails": []string{"ben@x.de"}})
		got := c.Patch("/prospect/"+a, map[string]any{"firstName": "Anna", "lastName": "Low", "phone": "+91 98765 43299", "email": "anna@x.de", "label": "warm"}).OK()
		if got.Str("firstName") != "Anna" || got.Str("lastName") != "Low" || fmt.Sprint(got.Get("phones")) != "[+919876543210 +91 98765 43299]" || fmt.Sprint(got.Get("emails")) != "[anna@x.de]" || got.Str("label") != "warm" {
			t.Errorf("%s", got.Body)
		}
		if shown := c.Get("/prospect/" + a).OK(); string(shown.Body) != string(got.Body) {
			t.Errorf("%s\n%s", shown.Body, got.Body)
		}
		// All of it or nothing: the label is not one, the phone is another's.
		c.Patch("/prospect/"+a, map[string]any{"firstName": "X", "label": "boiling"}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Patch("/prospect/"+a, map[string]any{"firstName": "X", "phone": "9876543211"}).Refused(409, "CONFLICT")
		c.Patch("/prospect/"+a, map[string]any{"firstName": "X", "email": "ben@x.de"}).Refused(409, "CONFLICT")
		c.Patch("/prospect/"+a, map[string]any{"firstName": "X", "archivingReason": "boredom"}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Patch("/prospect/"+a, "{").Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Patch("/prospect/"+a+"?format=xml", map[string]any{"firstName": "X"}).Refused(400, "SCHEMA_VALIDATION_FAILED")
		if shown := c.Get("/prospect/" + a).OK(); string(shown.Body) != string(got.Body) {
			t.Errorf("%s\n%s", shown.Body, got.Body)
		}
		if got := c.Patch("/prospect/"+a, map[string]any{"label": "", "archivingReason": "converted"}).OK(); got.Str("status") != "archived" || got.Str("archivingReason") != "converted" || got.Get("label") != nil {
			t.Errorf("%s", got.Body)
		}
		csat := c.Post("/prospect/"+a+"/csat", map[string]any{"result": 4, "comment": "Quick"}).OK()
		if csat.Get("result") != 4.0 || csat.Str("comment") != "Quick" || csat.Str("prospectId") != a {
			t.Errorf("%s", csat.Body)
		}
		for _, bad := range []any{map[string]any{}, map[string]any{"result": 6}, map[string]any{"result": 0}, map[string]any{"result": "5"}} {
			c.Post("/prospect/"+a+"/csat", bad).Refused(400, "SCHEMA_VALIDATION_FAILED")
		}
		c.Post("/prospect/"+id.New().String()+"/csat", map[string]any{"result": 5}).Refused(404, "NOT_FOUND")
		found := false
		for _, i := range c.Get("/prospect/" + a + "/interactions").OK().List() {
			found = found || i["id"] == csat.Str("id")
		}
		if !found {
			t.Error("the rating is no interaction")
		}
		// Erased: it is answered as it was, and unknown from then on, by every way.
		was := c.Get("/prospect/" + b).OK()
		if gone := c.Delete("/prospect/" + b).OK(); string(gone.Body) != string(was.Body) {
			t.Errorf("%s\n%s", gone.Body, was.Body)
		}
		c.Get("/prospect/"+b).Refused(404, "NOT_FOUND")
		c.Delete("/prospect/"+b).Refused(404, "NOT_FOUND")
		c.Get("/prospect-by?email=ben@x.de").Refused(404, "NOT_FOUND")
		finds(t, c, "/prospects", a)
		finds(t, c, "/prospects?search=ben")
		finds(t, c, "/prospects?after="+b)
		w.Caller("prospects:read").Patch("/prospect/"+a, map[string]any{}).Refused(403, "INVALID_SCOPE")
		w.Caller("prospects:read").Delete("/prospect/"+a).Refused(403, "INVALID_SCOPE")
	})
}

// A prospect shows everything that is known of it, whatever API it came through.
func TestWhatAProspectShows(t *testing.T) {
	apitest.Each(t, apitest.Options{}, func(t *testing.T, r *apitest.Rig) {
		w := newCrew(r)
		c := w.Caller()
		p := lead(w.In(w.shop.ID), map[string]any{"firstName": "Jorge", "lastName": "Letona", "phones": phones("+54 9 11 4552 0371"), "emails": []string{"jorge@example.com"}, "category": "used", "priority": 3,
			"nin": []any{map[string]any{"type": "DNI", "number": "23345223"}}, "comments": "Call me", "company": "Southern Group", "store": "Freedom Branch", "agent": "nobody", "provider": "webmotors",
			"product": map[string]any{"make": "Apple"}, "utmSource": "newsletter4"})
		c.Post("/prospect/"+p+"/transfer", map[string]any{"user": w.bela.ID.String()}).OK()
		shown := c.Get("/prospect/" + p).OK()
		for path, want := range map[string]any{"account": "Acme", "accountId": w.ID.String(), "group": "South", "groupId": w.south.ID.String(), "initialGroup": "Shop", "initialGroupId": w.shop.ID.String(),
			"firstName": "Jorge", "category": "used", "status": "followUp", "userMade": false, "nin.0.type": "DNI", "nin.0.number": "23345223", "phones.0": "+54 9 11 4552 0371", "emails.0": "jorge@example.com",
			"contactMediums.0.type": "phone", "contactMediums.1.value": "jorge@example.com", "contactMediums.2": nil, "leads.0.comments": "Call me", "leads.0.company": "Southern Group", "leads.0.store": "Freedom Branch",
			"leads.0.agent": "nobody", "leads.0.type": "retail", "leads.0.utmSource": "newsletter4", "leads.0.source": "newsletter4", "leads.0.priority": 3.0, "leads.0.product.make": "Apple", "leads.1": nil,
			"agent.id": w.bela.ID.String(), "agent.firstName": "Bela", "agent.lastName": "Bartha", "archivingReason": nil, "merged": nil, "interactions": nil} {
			if got := shown.Get(path); got != want {
				t.Errorf("%s is %v, want %v", path, got, want)
			}
		}
		if shown.Str("assigned") == "" || shown.Str("created") == "" {
			t.Errorf("%s", shown.Body)
		}

		// One that the other API made, merged and put away.
		platform := w.Platform()
		made := platform.Post("/api/saas/crm/leads", map[string]any{"firstName": "Asha", "phone": "9876543210", "source": "website"}).OK()
		cid := ""
		r.Eventually("the lead of the other API is a prospect", func() bool {
			list := c.Get("/prospects?phoneNumber=9876543210").OK().List()
			if len(list) == 1 {
				cid, _ = list[0]["id"].(string)
			}
			return cid != ""
		})
		other := c.Get("/prospect/" + cid).OK()
		if other.Str("status") != "unclaimed" || other.Str("group") != "Acme" || other.Str("leads.0.source") != "website" || other.Str("leads.0.type") != "retail" || other.Str("phones.0") != "+919876543210" {
			t.Errorf("%s\n%s", other.Body, made.Body)
		}
		older, err := id.Parse(p)
		if err != nil {
			t.Fatal(err)
		}
		newer, _ := id.Parse(cid)
		if _, err := r.App.Contacts.Merge(context.Background(), w.ID, "test", older, newer); err != nil {
			t.Fatal(err)
		}
		if got := c.Get("/prospect/" + cid).OK(); got.Str("id") != p || got.Str("phones.1") != "+919876543210" || got.Str("agent.id") != w.bela.ID.String() {
			t.Errorf("%s", got.Body)
		}
		finds(t, c, "/prospects", p)
		if _, err := store.Write(context.Background(), r.App.DB, w.ID, func(tx *store.Tx) (contact.Contact, error) {
			return r.App.Contacts.ArchiveIn(tx, "test", older)
		}); err != nil {
			t.Fatal(err)
		}
		r.Eventually("what was archived elsewhere is archived here", func() bool { return c.Get("/prospect/"+p).OK().Str("status") == "archived" })
		if got := c.Get("/prospect/" + p).OK(); got.Str("agent.id") != w.bela.ID.String() || got.Get("archivingReason") != nil {
			t.Errorf("%s", got.Body)
		}
		// And one that was erased elsewhere.
		if _, err := r.App.Contacts.Erase(context.Background(), w.ID, "test", older); err != nil {
			t.Fatal(err)
		}
		finds(t, c, "/prospects?limit=10")
		for _, old := range []string{p, cid} {
			c.Get("/prospect/"+old).Refused(404, "NOT_FOUND")
		}
	})
}

func TestSelections(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true, At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}, func(t *testing.T, r *apitest.Rig) {
		w := newCrew(r)
		all, south := w.Caller(), w.In(w.south.ID)
		people := make([]map[string]any, 1200)
		for i := range people {
			people[i] = map[string]any{"firstName": fmt.Sprint("P", i), "phone": fmt.Sprintf("+9198%08d", i)}
		}
		if err := seedPeople(r, w.ID, people); err != nil {
			t.Fatal(err)
		}
		r.Clock.Advance(time.Minute)
		a := lead(south, map[string]any{"firstName": "Maria", "phones": phones("+54 9 11 4552 0371")})
		made := all.Post("/contacts/selections", nil).OK()
		if made.Status != 201 || made.Get("total") != 1201.0 || made.Str("expires") != "2026-04-01T09:01:00.000Z" {
			t.Fatalf("%d %s", made.Status, made.Body)
		}
		at := "/contacts/selection/" + made.Str("id")
		part := all.Get(at + "?fields[]=firstName&fields[]=phones&offset=0&limit=2").OK()
		first, _ := part.Get("contacts.0").(map[string]any)
		if part.Get("total") != 1201.0 || len(part.Get("contacts").([]any)) != 2 || first["id"] != a || first["firstName"] != "Maria" || len(first) != 10 {
			t.Errorf("%s", part.Body)
		}
		if whole := all.Get(at).OK(); len(whole.Get("contacts").([]any)) != 100 || whole.Get("contacts.0.userMade") != false {
			t.Errorf("%d", len(whole.Get("contacts").([]any)))
		}
		seen := map[any]bool{}
		for offset := 0; offset < 1500; offset += 300 {
			for _, c := range all.Get(fmt.Sprintf("%s?offset=%d&limit=300&fields=id", at, offset)).OK().Get("contacts").([]any) {
				seen[c.(map[string]any)["id"]] = true
			}
		}
		if len(seen) != 1201 {
			t.Errorf("%d in parts", len(seen))
		}
		// It stays as it was; what is gone is left out of the parts.
		lead(south, map[string]any{"firstName": "New", "phones": phones("+54 9 11 4552 0399")})
		all.Delete("/prospect/" + a).OK()
		if part := all.Get(at + "?limit=2").OK(); part.Get("total") != 1201.0 || len(part.Get("contacts").([]any)) != 1 {
			t.Errorf("%s", part.Body)
		}
		south.Get(at).Refused(404, "NOT_FOUND")
		all.Get("/contacts/selection/"+id.New().String()).Refused(404, "NOT_FOUND")
		own := south.Post("/contacts/selections?search=new", nil).OK()
		if got := all.Get("/contacts/selection/" + own.Str("id")).OK(); got.Str("contacts.0.firstName") != "New" || got.Get("total") != 1.0 {
			t.Errorf("%s", got.Body)
		}
		if got := south.Post("/contacts/selections?agent=zzzzzzzzzzzzzzzzzzzzzzzz", nil).OK(); got.Get("total") != 0.0 {
			t.Errorf("%s", got.Body)
		}
		if got := south.Post("/contacts/selections", map[string]any{"prospects": []string{own.Str("id")}}); got.Status != 404 {
			t.Errorf("%s", got.Body)
		}
		b := ids(south.Get("/prospects"))[0]
		if got := south.Post("/contacts/selections", map[string]any{"prospects": []string{b, b}}).OK(); got.Get("total") != 1.0 {
			t.Errorf("%s", got.Body)
		}
		south.Post("/contacts/selections", map[string]any{"prospects": []string{b, ids(all.Get("/prospects?limit=2"))[1]}}).Refused(404, "NOT_FOUND")
		south.Post("/contacts/selections", map[string]any{"prospects": []string{"x"}}).Refused(400, "INVALID_ID")
		all.Post("/contacts/selections?limit=1000000", nil).Refused(400, "SCHEMA_VALIDATION_FAILED")
		all.Post("/contacts/selections?createdAfter=2020-01-01T00:00:00Z", nil).Refused(400, "INVALID_DATE_RANGE")
		all.Get(at+"?offset=-1").Refused(400, "SCHEMA_VALIDATION_FAILED")
		r.Clock.Advance(handover.KeepSelection + time.Minute)
		if err := r.App.Handovers.ForgetSelections(context.Background()); err != nil {
			t.Fatal(err)
		}
		all.Get(at).Refused(404, "NOT_FOUND")
	})
}
