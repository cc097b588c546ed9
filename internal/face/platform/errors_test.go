package platform

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

// Every code of package fault has an answer, with a code string of the contract.
func TestEveryFaultHasAnAnswer(t *testing.T) {
	want := map[fault.Code]string{
		fault.Invalid: "400 VALIDATION_ERROR", fault.Unauthorized: "401 UNAUTHORIZED", fault.Quota: "402 QUOTA_EXCEEDED",
		fault.Forbidden: "403 FORBIDDEN", fault.NotFound: "404 NOT_FOUND", fault.Conflict: "409 CONFLICT",
		fault.TooLarge: "413 PAYLOAD_TOO_LARGE", fault.WindowClosed: "422 UNPROCESSABLE", fault.Unready: "422 UNPROCESSABLE",
		fault.RateLimited: "429 RATE_LIMITED", fault.Unavailable: "503 UNAVAILABLE",
	}
	for _, code := range fault.Codes {
		status, body := envelopeOf(fault.New(code, "words"))
		if got := fmt.Sprint(status, " ", body.Code); got != want[code] {
			t.Errorf("%s answers %s, not %s", code, got, want[code])
		}
		if body.Success || body.Message != "words" || body.Errors != nil {
			t.Errorf("%s: %+v", code, body)
		}
	}
}

func TestEnvelopes(t *testing.T) {
	several := fault.Missing("firstName")
	several.Fields = []*fault.Error{fault.Field("phone", "bad"), fault.Field("phone", "worse"), fault.New(fault.Invalid, "no field")}
	holder := id.New()
	for name, c := range map[string]struct {
		err    error
		status int
		want   string
	}{
		"missing":              {fault.Missing("trigger"), 400, `{"success":false,"message":"trigger is required","code":"MISSING_REQUIRED","errors":{"trigger":["trigger is required"]}}`},
		"several":              {several, 400, `{"success":false,"message":"firstName is required","code":"MISSING_REQUIRED","errors":{"firstName":["firstName is required"],"phone":["bad","worse"]}}`},
		"a bad trigger":        {fault.Field("trigger", "m").Because("trigger"), 400, `{"success":false,"message":"m","code":"INVALID_TRIGGER","errors":{"trigger":["m"]}}`},
		"a bad phone":          {fault.Field("to", "m").Because("phone"), 400, `{"success":false,"message":"m","code":"INVALID_PHONE","errors":{"to":["m"]}}`},
		"malformed JSON":       {fault.New(fault.Invalid, "m").Because("json"), 400, `{"success":false,"message":"m","code":"VALIDATION_ERROR","error":"m"}`},
		"an unknown contact":   {fault.Unknown("contact"), 404, `{"success":false,"message":"there is no such lead","code":"NOT_FOUND"}`},
		"worded otherwise":     {fault.New(fault.NotFound, "there is no such failed job").Because("job"), 404, `{"success":false,"message":"there is no such job","code":"NOT_FOUND"}`},
		"an unknown body id":   {elsewhere(fault.Unknown("stage"), "stage", "stageId"), 404, `{"success":false,"message":"there is no such stage","code":"NOT_FOUND","errors":{"stageId":["there is no such stage"]}}`},
		"a trigger's lead":     {leadMissing(fault.Unknown("contact")), 404, `{"success":false,"message":"there is no lead with this phone, email or id","code":"LEAD_NOT_FOUND","hint":"` + hint + `"}`},
		"a method":             {fault.New(fault.NotFound, "m").Because("method"), 405, `{"success":false,"message":"m","code":"METHOD_NOT_ALLOWED"}`},
		"a template":           {fault.New(fault.Unready, "m").Because("template"), 422, `{"success":false,"message":"m","code":"TEMPLATE_NOT_READY"}`},
		"a duplicate":          {fault.New(fault.Conflict, "m").With("contactId", holder), 409, `{"success":false,"message":"m","code":"CONFLICT","leadId":"` + holder.String() + `"}`},
		"wrapped":              {fmt.Errorf("around: %w", fault.New(fault.Quota, "m")), 402, `{"success":false,"message":"m","code":"QUOTA_EXCEEDED"}`},
		"ours":                 {errors.New("dial tcp: secret host"), 500, `{"success":false,"message":"something went wrong on the server; try again, and give the operator the request id if it stays","code":"INTERNAL_ERROR","requestId":"r1"}`},
		"ours, of a trigger":   {orDefect(errors.New("x"), "TRIGGER_FAILED"), 500, `{"success":false,"message":"something went wrong on the server; try again, and give the operator the request id if it stays","code":"TRIGGER_FAILED","requestId":"r1"}`},
		"a fault is no defect": {orDefect(fault.New(fault.Unavailable, "m").After(time.Second), "TRIGGER_FAILED"), 503, `{"success":false,"message":"m","code":"UNAVAILABLE","requestId":"r1"}`},
	} {
		w := httptest.NewRecorder()
		writeError(w, &httpx.Request{RequestID: "r1"}, c.err)
		if w.Code != c.status || w.Body.String() != c.want {
			t.Errorf("%s: %d %s\nnot %d %s", name, w.Code, w.Body, c.status, c.want)
		}
	}
}

func TestUnder(t *testing.T) {
	err := fault.Missing("phone")
	err.Fields = []*fault.Error{fault.Field("tags", "tags must be a list")}
	got := fault.As(under(err, "leads[3]"))
	if got.Field != "leads[3].phone" || got.Message != "leads[3].phone is required" || got.Fields[0].Field != "leads[3].tags" || err.Field != "phone" {
		t.Errorf("%+v", got)
	}
	plain := errors.New("x")
	if under(plain, "a") != plain {
		t.Error("an error of ours must stay as it is")
	}
}

func TestDualNeverOverwrites(t *testing.T) {
	resp, err := dual(map[string]any{"success": false, "data": 1, "message": "m", "code": "c", "pagination": 2, "status": "queued"})
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := resp.Encode()
	var got map[string]json.RawMessage
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if string(got["success"]) != "true" || string(got["status"]) != `"queued"` || got["code"] != nil || got["message"] != nil || got["pagination"] != nil {
		t.Errorf("%s", raw)
	}
	if _, err := dual([]int{1}); err == nil {
		t.Error("a list cannot be hoisted")
	}
}

func TestList(t *testing.T) {
	for _, c := range []struct {
		at   place
		want string
	}{
		{place{total: 0, page: 1, limit: 25}, `"pagination":{"total":0,"page":1,"limit":25,"pages":0},"total":0,"page":1,"limit":25,"pages":0,"totalPages":0,"hasMore":false}`},
		{place{total: 51, page: 2, limit: 25}, `"pages":3,"totalPages":3,"hasMore":true}`},
		{place{total: 50, page: 2, limit: 25}, `"pages":2,"totalPages":2,"hasMore":false}`},
		{place{total: -1, limit: 50, more: true, next: "c"}, `"pagination":{"limit":50},"limit":50,"hasMore":true,"nextCursor":"c"}`},
	} {
		raw, err := httpx.EncodeJSON(list([]int(nil), c.at))
		if err != nil || !strings.HasSuffix(string(raw), c.want) || !strings.HasPrefix(string(raw), `{"success":true,"data":[],`) {
			t.Errorf("%+v: %s %v", c.at, raw, err)
		}
	}
}

// Each CRM route answers under both prefixes, and no route is listed twice.
func TestRoutesAndAliases(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range New(Services{}).routes() {
		all := append([]string{r.Pattern}, r.Aliases...)
		for _, p := range all {
			if seen[r.Method+" "+p] {
				t.Errorf("%s %s is listed twice", r.Method, p)
			}
			seen[r.Method+" "+p] = true
			if rest, ok := strings.CutPrefix(p, crm); ok && !slices.Contains(all, crmAlias+rest) {
				t.Errorf("%s %s lacks its other prefix", r.Method, p)
			}
		}
		if r.Public == (r.Scope != "") || r.Limit == "" {
			t.Errorf("%s %s: public %v, scope %q, limit %q", r.Method, r.Pattern, r.Public, r.Scope, r.Limit)
		}
		if !r.Public && !strings.HasPrefix(r.Scope, Name+":") {
			t.Errorf("%s %s: the scope %s is not of this face", r.Method, r.Pattern, r.Scope)
		}
	}
	if !seen["GET /api/crm/runs/{id}"] || !seen["POST /api/crm/leads/upsert"] || !seen["POST /api/saas/whatsapp/templates/sync"] {
		t.Error("an alias of the reference is missing")
	}
}
