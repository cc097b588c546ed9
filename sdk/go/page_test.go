package parley

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// leadsServer serves n leads in pages as reference §1.4 describes them.
func leadsServer(t *testing.T, n int, failAt int) *fake {
	return serve(t, func(call int, r seen) (int, string) {
		if call == failAt {
			return 400, `{"success":false,"message":"no","code":"VALIDATION_ERROR"}`
		}
		q, _ := url.ParseQuery(r.query)
		var page, limit int
		_, _ = fmt.Sscan(q.Get("page"), &page)
		_, _ = fmt.Sscan(q.Get("limit"), &limit)
		var rows []string
		for i := (page - 1) * limit; i < min(page*limit, n); i++ {
			rows = append(rows, fmt.Sprintf(`{"id":"%d"}`, i))
		}
		pages := (n + limit - 1) / limit
		return 200, fmt.Sprintf(`{"success":true,"data":[%s],"pagination":{"total":%d,"page":%d,"limit":%d,"pages":%d},"hasMore":%v}`,
			strings.Join(rows, ","), n, page, limit, pages, page < pages)
	})
}

func TestAllWalksEveryPage(t *testing.T) {
	for _, n := range []int{0, 1, 3, 4, 7} {
		f := leadsServer(t, n, 0)
		c, _ := client(t, f.URL)
		var got []string
		for l, err := range c.CRM.Leads.All(ctx(t), LeadFilter{Status: "won", Limit: 3}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, l.ID)
		}
		if len(got) != n || n > 0 && got[n-1] != fmt.Sprint(n-1) {
			t.Errorf("%d leads: %v", n, got)
		}
		if want := max(1, (n+2)/3); len(f.requests()) != want {
			t.Errorf("%d leads took %d pages, want %d", n, len(f.requests()), want)
		}
		q, _ := url.ParseQuery(f.requests()[0].query)
		if q.Get("sortBy") != "createdAt" || q.Get("sortDir") != "asc" || q.Get("status") != "won" {
			t.Errorf("%v", q)
		}
	}
}

func TestAllStopsWhenToldAndTellsErrors(t *testing.T) {
	f := leadsServer(t, 100, 0)
	c, _ := client(t, f.URL)
	for range c.CRM.Leads.All(ctx(t), LeadFilter{Limit: 2}) {
		break
	}
	if len(f.requests()) != 1 {
		t.Errorf("%d pages were fetched for one lead", len(f.requests()))
	}
	f = leadsServer(t, 100, 2)
	c, _ = client(t, f.URL)
	n, failures := 0, 0
	for _, err := range c.CRM.Leads.All(ctx(t), LeadFilter{Limit: 2}) {
		if err != nil {
			failures++
			continue // the walk has ended all the same
		}
		n++
	}
	if n != 2 || failures != 1 {
		t.Errorf("%d leads and %d errors", n, failures)
	}
}

func TestConversationsFollowTheCursor(t *testing.T) {
	f := serve(t, func(call int, r seen) (int, string) {
		q, _ := url.ParseQuery(r.query)
		switch q.Get("after") {
		case "":
			return 200, `{"data":[{"id":"1"},{"id":"2"}],"hasMore":true,"nextCursor":"c2"}`
		case "c2":
			return 200, `{"data":[{"id":"3"}],"hasMore":false}`
		}
		return 400, `{}`
	})
	c, _ := client(t, f.URL)
	var got []string
	for k, err := range c.WhatsApp.Conversations.All(ctx(t), ConversationFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, k.ID)
	}
	if !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Error(got)
	}
}

func TestPagesOfEveryShape(t *testing.T) {
	for body, want := range map[string]Page[int]{
		`{"data":[1],"pagination":{"total":5,"page":2,"limit":1,"pages":5}}`:                           {[]int{1}, 5, 2, 1, 5, true, ""},
		`{"data":[1],"total":5,"page":5,"limit":1,"totalPages":5}`:                                     {[]int{1}, 5, 5, 1, 5, false, ""},
		`{"data":[1],"hasMore":true}`:                                                                  {[]int{1}, 0, 0, 0, 0, true, ""},
		`{"data":[1],"nextCursor":"x"}`:                                                                {[]int{1}, 0, 0, 0, 0, true, "x"},
		`{"data":[],"total":3,"page":9,"pages":1,"hasMore":false,"nextCursor":null,"pagination":null}`: {[]int{}, 3, 9, 0, 1, false, ""},
	} {
		var p Page[int]
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(p) != fmt.Sprint(want) {
			t.Errorf("%s: %+v, want %+v", body, p, want)
		}
	}
	var p Page[int]
	if json.Unmarshal([]byte(`{"data":"x"}`), &p) == nil {
		t.Error("text was taken for a list")
	}
}

func TestCreateMany(t *testing.T) {
	var mu sync.Mutex
	now, most := 0, 0
	f := serve(t, func(call int, r seen) (int, string) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		defer func() { mu.Lock(); now--; mu.Unlock() }()
		var in LeadInput
		_ = json.Unmarshal(r.body, &in)
		switch in.Phone {
		case "bad":
			return 400, `{"success":false,"code":"INVALID_PHONE","message":"too short","errors":{"phone":["too short"]}}`
		case "down":
			return 403, `{"success":false,"code":"FORBIDDEN","message":"scope"}`
		}
		return 201, fmt.Sprintf(`{"success":true,"data":{"id":"id-%s"}}`, in.Phone)
	})
	c, _ := client(t, f.URL, WithMaxRetries(0))
	leads := make([]LeadInput, 40)
	for i := range leads {
		leads[i].Phone = fmt.Sprint(i)
	}
	leads[1].Phone, leads[30].Phone = "bad", "bad"
	got, err := c.CRM.Leads.CreateMany(ctx(t), leads, 3)
	if err != nil || most > 3 || len(f.requests()) != 40 {
		t.Fatal(err, most, len(f.requests()))
	}
	keys := map[string]bool{}
	for _, r := range f.requests() {
		keys[r.header.Get("Idempotency-Key")] = true
	}
	if len(keys) != 40 {
		t.Errorf("%d keys for 40 leads", len(keys))
	}
	for i, g := range got {
		var e *APIError
		if leads[i].Phone == "bad" {
			if !errors.As(g.Err, &e) || e.Code != CodeInvalidPhone {
				t.Errorf("%d: %+v", i, g)
			}
		} else if g.Err != nil || g.Lead.ID != "id-"+leads[i].Phone {
			t.Errorf("%d: %+v", i, g)
		}
	}
	leads[9].Phone = "down"
	got, err = c.CRM.Leads.CreateMany(ctx(t), leads, 1)
	var e *APIError
	if !errors.As(err, &e) || e.Status != 403 || got[8].Err != nil || got[10].Err == nil || got[39].Err == nil || len(f.requests()) != 50 {
		t.Errorf("%v, %d requests", err, len(f.requests()))
	}
	if got, err := c.CRM.Leads.CreateMany(ctx(t), nil, 0); err != nil || len(got) != 0 {
		t.Error(got, err)
	}
}

func TestField(t *testing.T) {
	type update struct {
		A Field[string] `json:"a,omitzero"`
		B Field[*int]   `json:"b,omitzero"`
		C Field[int]    `json:"c,omitzero"`
	}
	for want, in := range map[string]update{
		`{}`:                        {},
		`{"a":"","c":0}`:            {A: Set(""), C: Set(0)},
		`{"a":null,"b":null,"c":1}`: {A: Null[string](), B: Set[*int](nil), C: Set(1)},
	} {
		b, err := json.Marshal(in)
		if err != nil || string(b) != want {
			t.Errorf("%s %v, want %s", b, err, want)
		}
	}
	var u update
	if err := json.Unmarshal([]byte(`{"a":null,"c":4}`), &u); err != nil || u.A.IsZero() || !u.B.IsZero() {
		t.Errorf("%+v %v", u, err)
	}
	if _, ok := u.A.Get(); ok {
		t.Error("null has a value")
	}
	if v, ok := u.C.Get(); !ok || v != 4 {
		t.Error(v, ok)
	}
}

func TestConstructEvent(t *testing.T) {
	raw := []byte(`{"event":"lead.created","n":1}`)
	// echo -n '{"event":"lead.created","n":1}' | openssl dgst -sha256 -hmac whsec_test
	const sum = "67dff953406c3cf1713ca4be973f8b57024f45eb5e5172fd7e7d742bab08be47"
	for _, header := range []string{sum, "sha256=" + sum, " SHA256=" + strings.ToUpper(sum)} {
		e, err := Webhooks.ConstructEvent(raw, header, "whsec_test")
		if err != nil || e.Fields["event"] != "lead.created" {
			t.Errorf("%q: %v", header, err)
		}
		var v struct{ N int }
		if err := e.Decode(&v); err != nil || v.N != 1 {
			t.Error(v, err)
		}
	}
	for _, c := range []struct {
		raw, header, secret string
		want                error
	}{
		{string(raw), "", "whsec_test", ErrNoSignature}, {string(raw), "sha256=", "whsec_test", ErrNoSignature},
		{string(raw), sum, "", ErrNoSecret}, {string(raw), sum, "test", ErrBadSignature},
		{string(raw) + " ", sum, "whsec_test", ErrBadSignature}, {string(raw), sum[:60], "whsec_test", ErrBadSignature},
		{string(raw), "zz", "whsec_test", ErrBadSignature},
	} {
		if _, err := Webhooks.ConstructEvent([]byte(c.raw), c.header, c.secret); !errors.Is(err, c.want) {
			t.Errorf("%q %q: %v, want %v", c.header, c.secret, err, c.want)
		}
	}
}
