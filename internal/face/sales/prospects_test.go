package sales_test

import (
	"encoding/csv"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/agent"
	"parley/internal/id"
	"parley/test/apitest"
)

// lead posts a lead and returns the prospect's id.
func lead(c *apitest.Caller, body map[string]any) string {
	c.Helper()
	if body["utmSource"] == nil {
		body["utmSource"] = "google"
	}
	return c.Post("/lead/retail", body).OK().Str("id")
}

func phones(p ...string) []string { return p }

// ids returns the ids of a list.
func ids(a apitest.Answer) []string {
	out := []string{}
	for _, v := range a.OK().List() {
		s, _ := v["id"].(string)
		out = append(out, s)
	}
	return out
}

// finds checks what a list shows, in order.
func finds(t *testing.T, c *apitest.Caller, path string, want ...string) {
	t.Helper()
	if got := ids(c.Get(path)); !slices.Equal(got, append([]string{}, want...)) {
		t.Errorf("%s: %q, want %q", path, got, want)
	}
}

// The five examples of the original's own page, and what follows from them
// (reference §4.4).
func TestTheWindowOf31Days(t *testing.T) {
	now := time.Date(2020, 10, 28, 3, 0, 0, 0, time.UTC)
	apitest.Each(t, apitest.Options{At: now.AddDate(0, -3, 0), Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c := acme.Caller()
		old := lead(c, map[string]any{"phones": phones("+54 11 4552 0371")}) // 28 July
		r.Clock.Advance(now.AddDate(0, 0, -31).Sub(r.Clock.Now()) - time.Millisecond)
		past := lead(c, map[string]any{"phones": phones("+54 11 4552 0372")}) // a moment too early
		r.Clock.Advance(time.Millisecond)
		edge := lead(c, map[string]any{"phones": phones("+54 11 4552 0373")})
		r.Clock.Advance(now.Sub(r.Clock.Now()) - time.Hour)
		late := lead(c, map[string]any{"phones": phones("+54 11 4552 0374")})
		r.Clock.Advance(time.Hour)

		for _, list := range []string{"/prospects"} {
			for _, p := range [][4]string{{"createdAfter", "createdBefore", "start", "end"}, {"claimedAfter", "claimedBefore", "claimStart", "claimEnd"},
				{"transferredAfter", "transferredBefore", "transferStart", "transferEnd"}} {
				for i, names := range [][2]string{{p[0], p[1]}, {p[2], p[3]}} {
					for _, q := range []struct {
						after, before string
						valid         bool
					}{
						{"2020-08-01T01:00:00.000Z", "2020-10-01T01:00:00.000Z", false},
						{"2020-08-01T01:00:00.000Z", "2020-06-01T01:00:00.000Z", false},
						{"2020-08-01T01:00:00.000Z", "2020-09-01T01:00:00.000Z", true},
						{"2020-08-01:T03:00:00.000Z", "", false},
						{"2020-09-30:T03:00:00.000Z", "", true},
						{"2020-08-01T01:00:00.000Z", "2020-09-01T01:00:00.001Z", false},
						{"2020-08-01T01:00:00.000Z", "2020-08-01T01:00:00.000Z", true},
						{"", "2020-10-01T00:00:00Z", true},
						{"", "2020-08-01T00:00:00Z", false},
						{"", "2020-10-28T03:00:30Z", true}, // a clock that is ahead, or the end of the day
						{"", "2020-11-28T03:00:00Z", true},
						{"", "2020-11-28T03:00:01Z", false},
						{"2020-10-28T03:00:30Z", "", false},
						{"yesterday", "", false},
					} {
						v := url.Values{}
						if q.after != "" {
							v.Set(names[0], q.after)
						}
						if q.before != "" {
							v.Set(names[1], q.before)
						}
						a := c.Get(list + "?" + v.Encode())
						if q.valid {
							a.OK()
						} else {
							a.Refused(400, "INVALID_DATE_RANGE")
						}
						if q.after != "yesterday" && i == 0 { // a limit lifts the window
							v.Set("limit", "10")
							c.Get(list + "?" + v.Encode()).OK()
						}
					}
				}
			}
		}
		finds(t, c, "/prospects", late, edge)
		finds(t, c, "/prospects?limit=100", late, edge, past, old)
		finds(t, c, "/prospects?limit=3", late, edge, past)
		finds(t, c, "/prospects?createdAfter=2020-07-01T00:00:00Z&createdBefore=2020-07-30T00:00:00Z", old)
		finds(t, c, "/prospects?limit=10&createdBefore=2020-10-01", edge, past, old)
		finds(t, c, "/prospects?start=2020-10-01T00:00:00Z&createdAfter=2020-09-27T03:00:00Z", late, edge)
		// Nobody was claimed: a range of claims is the only window then.
		finds(t, c, "/prospects?claimedAfter=2020-10-01T00:00:00Z")
		c.Get("/prospects?limit=0").Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Get("/prospects?limit=many").Refused(400, "SCHEMA_VALIDATION_FAILED")
		c.Get("/prospects?limit=100000").OK()
	})
}

// crew is an account with a tree of groups and an agent in each.
type crew struct {
	*apitest.Tenant
	north, south, shop agent.Group // shop lies below north
	asha, bela         agent.Agent // of the shop and of the south
}

func newCrew(r *apitest.Rig) crew {
	w := crew{Tenant: r.NewTenant("Acme")}
	w.north, w.south = w.Group("North", w.Root.ID), w.Group("South", w.Root.ID)
	w.shop = w.Group("Shop", w.north.ID)
	w.asha, w.bela = w.Agent("Asha", "Rao", w.shop.ID), w.Agent("Bela", "Bartha", w.south.ID)
	return w
}

func TestListsOfProspects(t *testing.T) {
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	apitest.Each(t, apitest.Options{At: start, Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		w := newCrew(r)
		all, north, south := w.Caller(), w.In(w.north.ID), w.In(w.south.ID)
		next := func(id string) string { r.Clock.Advance(time.Minute); return id }
		a := next(lead(north, map[string]any{"firstName": "Maria", "lastName": "Gómez", "phones": phones("+54 9 11 4552 0371"), "emails": []string{"maria@example.com"}, "category": "general"}))
		b := next(lead(south, map[string]any{"firstName": "Mario", "phones": phones("+919876543210")}))
		c := next(lead(w.In(w.shop.ID), map[string]any{"firstName": "Ana María", "emails": []string{"ana@shop.test"}}))
		for _, x := range [][2]string{{a, w.asha.ID.String()}, {b, w.bela.ID.String()}} {
			all.Post("/prospect/"+x[0]+"/transfer", map[string]any{"user": x[1]}).OK()
			r.Clock.Advance(time.Minute)
		}
		d := next(lead(south, map[string]any{"firstName": "Dora", "phones": phones("+919876543299")}))

		finds(t, all, "/prospects", d, c, b, a)
		// A key sees its group and what is below it; others' are unknown.
		finds(t, north, "/prospects", c, a)
		finds(t, south, "/prospects", d, b)
		finds(t, north, "/prospects?group="+w.south.ID.String())
		finds(t, all, "/prospects?group="+w.north.ID.String(), c, a)
		finds(t, all, "/prospects?group="+w.shop.ID.String(), c, a)
		south.Get("/prospect/"+a).Refused(404, "NOT_FOUND")
		south.Get("/prospect/"+id.New().String()).Refused(404, "NOT_FOUND")
		south.Get("/prospect/zzzzzzzzzzzzzzzzzzzzzzzz").Refused(404, "NOT_FOUND")
		south.Get("/prospect/12").Refused(400, "INVALID_ID")
		finds(t, all, "/prospects?agent="+w.asha.ID.String(), a)
		finds(t, all, "/prospects?agent=zzzzzzzzzzzzzzzzzzzzzzzz")
		all.Get("/prospects?agent=me").Refused(400, "INVALID_ID")
		finds(t, all, "/prospects?status=followUp", b, a)
		finds(t, all, "/prospects?status=unclaimed&withAgent=true")
		all.Get("/prospects?status=open").Refused(400, "SCHEMA_VALIDATION_FAILED")
		finds(t, all, "/prospects?withAgent=false", d, c)
		finds(t, all, "/prospects?withAgent=true", b, a)
		all.Get("/prospects?withAgent=maybe").Refused(400, "SCHEMA_VALIDATION_FAILED")
		finds(t, all, "/prospects?category=general", d, c, b, a)
		finds(t, all, "/prospects?category=used")
		finds(t, all, "/prospects?transferredAfter="+start.Add(3*time.Minute).Format(time.RFC3339)+"&transferredBefore="+start.Add(3*time.Minute).Format(time.RFC3339), a)
		// A search is for the beginnings of words, phones and addresses.
		finds(t, all, "/prospects?search=mari", c, b, a)
		finds(t, all, "/prospects?search=maria", c, a)
		finds(t, all, "/prospects?search=gomez+maria", a)
		finds(t, all, "/prospects?search=98765432", d, b)
		finds(t, all, "/prospects?search=ana@shop.test", c)
		finds(t, all, "/prospects?search=shop.test", c)
		finds(t, south, "/prospects?search=maria")
		// A phone is whole, whatever its spelling.
		finds(t, all, "/prospects?phoneNumber="+url.QueryEscape("+54 11 4552-0371"), a)
		finds(t, all, "/prospects?phoneNumber=5491145520371", a)
		finds(t, all, "/prospects?phoneNumber=98765")
		all.Get("/prospects?phoneNumber=none").Refused(400, "SCHEMA_VALIDATION_FAILED")
		// Cursors: exclusive, newest first either way.
		finds(t, all, "/prospects?before="+c, b, a)
		finds(t, all, "/prospects?after="+b, d, c)
		finds(t, all, "/prospects?limit=1&after="+a, b)
		finds(t, all, "/prospects?limit=2&before="+d, c, b)
		finds(t, all, "/prospects?after="+a+"&before="+d, c, b)
		all.Get("/prospects?before=x").Refused(400, "INVALID_ID")

		// Two people turn out to be one: its old id still is a place in the list.
		merged := all.Post("/lead/retail", map[string]any{"utmSource": "x", "phones": phones("+919876543210"), "emails": []string{"ana@shop.test"}}).OK()
		if merged.Str("id") != b || merged.Get("merged") != true {
			t.Fatalf("%s", merged.Body)
		}
		finds(t, all, "/prospects", d, b, a)
		finds(t, all, "/prospects?before="+c, a)
		if got := all.Get("/prospect/" + c).OK().Str("id"); got != b {
			t.Errorf("the old id leads to %s", got)
		}
		if n := len(all.Get("/prospect/" + b).OK().Get("leads").([]any)); n != 3 {
			t.Errorf("%d leads", n)
		}
	})
}

// A list without a limit is whole, across pages, as JSON and as CSV; each prospect
// stands in it as it does alone.
func TestLongListsAreWhole(t *testing.T) {
	apitest.Each(t, apitest.Options{Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		c := acme.Caller()
		n := 1100
		if testing.Short() {
			n = 520
		}
		people := make([]map[string]any, n)
		for i := range people {
			people[i] = map[string]any{"firstName": fmt.Sprint("P", i), "phone": fmt.Sprintf("+9198%08d", i)}
		}
		if err := seedPeople(r, acme.ID, people); err != nil {
			t.Fatal(err)
		}
		list := c.Get("/prospects").OK().List()
		if len(list) != n {
			t.Fatalf("%d of %d", len(list), n)
		}
		seen := map[any]bool{}
		for i, p := range list {
			if seen[p["id"]] {
				t.Fatalf("%v twice", p["id"])
			}
			seen[p["id"]] = true
			if i > 0 && p["created"].(string) > list[i-1]["created"].(string) {
				t.Fatalf("%v behind %v", p["created"], list[i-1]["created"])
			}
		}
		if alone := c.Get("/prospect/" + list[700%n]["id"].(string)).OK(); alone.Str("firstName") != list[700%n]["firstName"] || alone.Str("status") != "unclaimed" {
			t.Errorf("%s", alone.Body)
		}
		table := c.Get("/prospects?format=csv", "Accept", "application/json").OK()
		if kind := table.Header.Get("Content-Type"); kind != "text/csv; charset=utf-8" {
			t.Error(kind)
		}
		rows, err := csv.NewReader(strings.NewReader(string(table.Body))).ReadAll()
		if err != nil || len(rows) != n+1 || rows[0][0] != "id" || rows[1][0] != list[0]["id"] || !slices.Contains(rows[0], "agent.firstName") {
			t.Errorf("%d rows, %v: %q", len(rows), err, rows[0])
		}
		// Pages behind each other are the list.
		var pages []string
		for last := ""; ; {
			q := "/prospects?limit=100"
			if last != "" {
				q += "&before=" + last
			}
			page := ids(c.Get(q))
			if len(page) == 0 {
				break
			}
			pages, last = append(pages, page...), page[len(page)-1]
		}
		if len(pages) != n || pages[0] != list[0]["id"] || pages[n-1] != list[n-1]["id"] {
			t.Errorf("%d in pages", len(pages))
		}
		// A prospect that is gone meanwhile is no hole that ends the list.
		c.Delete("/prospect/" + list[0]["id"].(string)).OK()
		if got := c.Get("/prospects").OK().List(); len(got) != n-1 {
			t.Errorf("%d behind a deletion", len(got))
		}
		// The way of the generated clients: a body of {} and three types.
		if got := c.Do("GET", "/prospects?limit=1", map[string]any{}, "Accept", "application/json, text/csv, text/plain").OK(); len(got.List()) != 1 {
			t.Errorf("%s", got.Body)
		}
	})
}
