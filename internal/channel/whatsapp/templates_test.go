package whatsapp_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"parley/internal/channel"
	"parley/internal/channel/whatsapp"
	"parley/internal/clock"
	"parley/internal/fault"
)

const sale = `{"name":"seasonal","language":"en_US","status":"APPROVED","category":"MARKETING","id":"594425479261596","components":[{"type":"HEADER","format":"TEXT","text":"Our {{1}} is on!","example":{"header_text":["Sale"]}},{"type":"BODY","text":"Shop now {{1}}"},{"type":"FOOTER","text":"Use the buttons"},{"type":"BUTTONS","buttons":[{"type":"QUICK_REPLY","text":"Stop"},{"type":"URL","text":"Shop","url":"https://x.example/{{1}}"},{"type":"PHONE_NUMBER","text":"Call","phone_number":"15550051310"}]}]}`

func listing(t *testing.T, answer func(base string, r *http.Request) (int, string)) ([]channel.Template, error) {
	t.Helper()
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer EAAtoken" || r.URL.Query().Has("access_token") || r.URL.Path != "/v24.0/102290129340398/message_templates" {
			t.Errorf("%s with %s", r.URL, r.Header.Get("Authorization"))
		}
		status, body := answer(server.URL, r)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return whatsapp.New(newClient(t), server.URL, "", clock.NewFake(epoch)).Templates(context.Background(), account)
}

func TestTemplateComponents(t *testing.T) {
	list, err := listing(t, func(string, *http.Request) (int, string) {
		return 200, `{"data":[` + sale + `,{"name":"bare","language":"de","status":"PENDING","category":"UTILITY","id":7,"components":[{"type":"HEADER","format":"IMAGE"},{"type":"BODY","text":"b"}]},{"name":"odd","language":"de","components":"x"}],"paging":{"cursors":{"before":"A","after":"B"}}}`
	})
	if err != nil || len(list) != 3 {
		t.Fatalf("%+v %v", list, err)
	}
	x := list[0]
	if x.ProviderID != "594425479261596" || x.Name != "seasonal" || x.Language != "en_US" || x.Status != "APPROVED" || x.Category != "MARKETING" ||
		x.HeaderType != "TEXT" || x.HeaderText != "Our {{1}} is on!" || x.BodyText != "Shop now {{1}}" || x.FooterText != "Use the buttons" || len(x.Buttons) != 3 ||
		x.Buttons[1] != (channel.TemplateButton{Type: "URL", Text: "Shop", URL: "https://x.example/{{1}}"}) ||
		x.Buttons[2] != (channel.TemplateButton{Type: "PHONE_NUMBER", Text: "Call", Phone: "15550051310"}) || len(x.Components) == 0 {
		t.Errorf("%+v", x)
	}
	if list[1].HeaderType != "IMAGE" || list[1].ProviderID != "7" || list[2].HeaderType != "NONE" {
		t.Errorf("%+v", list[1:])
	}
}

func TestTemplatePaging(t *testing.T) {
	pages := 0
	list, err := listing(t, func(base string, r *http.Request) (int, string) {
		pages++
		switch after := r.URL.Query().Get("after"); {
		case after == "":
			return 200, `{"data":[` + sale + `],"paging":{"cursors":{"after":"c1"},"next":"https://elsewhere.example/steal?access_token=x&after=c1"}}`
		case after == "c1": // only a link, on our host
			return 200, fmt.Sprintf(`{"data":[%s],"paging":{"next":"%s%s?after=c2&access_token=EAAtoken"}}`, sale, base, r.URL.Path)
		default:
			return 200, `{"data":[` + sale + `]}`
		}
	})
	if err != nil || len(list) != 3 || pages != 3 {
		t.Fatalf("%d templates on %d pages: %v", len(list), pages, err)
	}
}

func TestTemplateFaults(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the token went to another host: %s", r.Header.Get("Authorization"))
	}))
	t.Cleanup(elsewhere.Close)
	for name, tc := range map[string]struct {
		status int
		body   string
		code   fault.Code
	}{
		"token":        {401, `{"error":{"message":"m","code":190}}`, fault.Unready},
		"unknown node": {400, `{"error":{"message":"m","code":100,"error_subcode":33}}`, fault.Unready},
		"rate":         {400, `{"error":{"message":"m","code":80007}}`, fault.RateLimited},
		"429":          {429, `slow down`, fault.RateLimited},
		"down":         {503, `oops`, fault.Unavailable},
		"service":      {500, `{"error":{"message":"m","code":2}}`, fault.Unavailable},
		"page":         {200, `<html>`, fault.Unavailable},
		"elsewhere":    {200, `{"data":[],"paging":{"next":"` + elsewhere.URL + `/x"}}`, fault.Unavailable},
		"endless":      {200, `{"data":[],"paging":{"cursors":{"after":"same"},"next":"x"}}`, fault.Unavailable},
	} {
		_, err := listing(t, func(string, *http.Request) (int, string) { return tc.status, tc.body })
		if e := fault.As(err); e == nil || e.Code != tc.code {
			t.Errorf("%s: %v, want %s", name, err, tc.code)
		}
	}
}
