package sales_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/id"
	"parley/test/apitest"
)

func TestQuotes(t *testing.T) {
	apitest.Each(t, apitest.Options{At: time.Date(2020, 10, 28, 3, 0, 0, 0, time.UTC), Quiet: true}, func(t *testing.T, r *apitest.Rig) {
		acme := r.NewTenant("Acme")
		shop, other := acme.Group("Shop", id.Zero), acme.Group("Other", id.Zero)
		c := acme.In(shop.ID)
		p, foreign := prospectOf(acme, "919876543210", shop.ID), prospectOf(acme, "919876543211", other.ID)
		at := "/prospect/" + p + "/quotes"
		r.Clock.Advance(time.Second)

		// The body is written by hand: the digits of its numbers matter.
		a := c.Post(at, `{"items":[{"quantity":3,"price":0.1,"concept":"Case","code":"C1","product":{"make":"Apple"}},
			{"quantity":"1","price":{"amount":1200.05,"currency":"USD"},"concept":"Phone"}],"additionalData":{"branch":"7"}}`).OK()
		if a.Status != http.StatusCreated || !strings.Contains(string(a.Body), `"total":1200.35,`) || a.Str("status") != "pending" || a.Str("items.1.currency") != "usd" ||
			a.Str("additionalData.branch") != "7" || a.Str("items.0.product.make") != "Apple" || a.Str("prospectId") != p {
			t.Errorf("made: %d %s", a.Status, a.Body)
		}
		first := a.Str("id")
		r.Clock.Advance(time.Second)
		second := c.Post(at, `{"status":"rejected","items":[{"quantity":1}]}`).OK()
		if second.Str("rejectedAt") != second.Str("createdAt") || second.Str("finishedAt") == "" {
			t.Errorf("made as rejected: %s", second.Body)
		}
		r.Clock.Advance(time.Second)
		won := c.Put("/prospect/"+p+"/quote/"+first, map[string]any{"status": "accepted"}).OK()
		if won.Status != http.StatusOK || won.Str("acceptedAt") != "2020-10-28T03:00:03.000Z" || won.Str("finishedAt") != won.Str("acceptedAt") || won.Get("rejectedAt") != nil {
			t.Errorf("accepted: %s", won.Body)
		}
		c.Put("/prospect/"+p+"/quote/"+first, map[string]any{"status": "rejected"}).Refused(http.StatusConflict, "CONFLICT")
		c.Put("/prospect/"+p+"/quote/"+first, map[string]any{"status": "pending"}).Refused(http.StatusBadRequest, "SCHEMA_VALIDATION_FAILED")
		c.Put("/prospect/"+p+"/quote/"+first, map[string]any{}).Refused(http.StatusBadRequest, "SCHEMA_VALIDATION_FAILED")
		if one := c.Get("/prospect/" + p + "/quote/" + first).OK(); string(one.Body) != string(won.Body) {
			t.Errorf("one: %s", one.Body)
		}
		both := []string{second.Str("id"), first}
		for query, want := range map[string][]string{
			"":                                     both,
			"?status=accepted":                     {first},
			"?createdAfter=2020-10-28T03:00:02Z":   both[:1],
			"?createdBefore=2020-10-28T03:00:01Z":  both[1:],
			"?acceptedAfter=2020-10-28T03:00:03Z":  {first},
			"?acceptedBefore=2020-10-28T03:00:02Z": nil,
			"?rejectedAfter=2020-10-28T03:00:02Z":  both[:1],
			"?rejectedBefore=2020-10-28T03:00:01Z": nil,
			"?acceptedAfter=2020-01-01T00:00:00Z&acceptedBefore=2020-12-31T00:00:00Z": {first}, // no 31 days here
		} {
			for _, path := range []string{"/prospects/quotes", at} {
				if got := idsOf(c.Get(path + query).OK().List()); !slices.Equal(got, want) {
					t.Errorf("%s%s: %v, want %v", path, query, got, want)
				}
			}
		}
		for query, want := range map[string][]string{"?limit=1": both[:1], "?before=" + both[0]: both[1:], "?after=" + first + "&limit=5": both[:1], "?after=" + p: both, "?before=" + p: nil} {
			if got := idsOf(c.Get("/prospects/quotes" + query).OK().List()); !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", query, got, want)
			}
		}
		// The quote is a proposal among the interactions, with the status that it has now.
		shown := c.Get("/prospect/" + p + "/interactions?via=other").OK()
		if shown.Str("1.output.proposal.status") != "accepted" || shown.Str("1.output.proposal.items.1.price") != "1200.05" || shown.Str("1.finishedAt") != won.Str("finishedAt") {
			t.Errorf("as proposals: %s", shown.Body)
		}
		if table := c.Get("/prospects/quotes?format=csv").OK(); !strings.HasPrefix(string(table.Body), "id,prospectId,status,items,total,") || !strings.Contains(string(table.Body), ",1200.35,") {
			t.Errorf("as a table: %s", table.Body)
		}

		plain := acme.In(shop.ID, "prospects:read")
		if got := plain.Get("/prospect/" + p + "/quote/" + first).OK(); got.Get("additionalData") != nil {
			t.Errorf("without the scope: %s", got.Body)
		}
		plain.Post(at, `{"items":[{"quantity":1}]}`).Refused(http.StatusForbidden, "INVALID_SCOPE")
		for _, bad := range []string{`{}`, `{"items":[]}`, `{"items":[{}]}`, `{"items":[{"quantity":0}]}`, `{"items":[{"quantity":"x"}]}`, `{"items":[{"quantity":1,"price":true}]}`,
			`{"items":[{"quantity":1,"price":{"amount":"a"}}]}`, `{"items":[{"quantity":[]}]}`, `{"items":[{"quantity":1}],"status":"won"}`, `{"items":7}`, `[]`} {
			c.Post(at, bad).Refused(http.StatusBadRequest, "SCHEMA_VALIDATION_FAILED")
		}
		c.Get("/prospects/quotes?status=won").Refused(http.StatusBadRequest, "INVALID_FILTER")
		c.Get("/prospects/quotes?acceptedAfter=soon").Refused(http.StatusBadRequest, "INVALID_DATE_RANGE")
		for _, who := range []string{foreign, id.New().String()} {
			c.Get("/prospect/"+who+"/quotes").Refused(http.StatusNotFound, "NOT_FOUND")
			c.Post("/prospect/"+who+"/quotes", `{"items":[{"quantity":1}]}`).Refused(http.StatusNotFound, "NOT_FOUND")
			c.Get("/prospect/"+who+"/quote/"+first).Refused(http.StatusNotFound, "NOT_FOUND")
			c.Get("/prospect/"+p+"/quote/"+who).Refused(http.StatusNotFound, "NOT_FOUND")
		}
		if got := acme.In(other.ID).Get("/prospects/quotes").OK().List(); len(got) != 0 {
			t.Errorf("a sibling sees %v", got)
		}
		if got := acme.Caller().Get("/prospects/quotes").OK().List(); len(got) != 2 {
			t.Errorf("the whole account sees %v", got)
		}
	})
}
