package inbound_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"parley/internal/account"
	"parley/internal/channel/inbound"
	"parley/internal/channel/whatsapp"
	"parley/internal/clock"
	"parley/internal/conversation/convtest"
	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/outbox"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const path = "/api/saas/whatsapp/webhook"

// statuses are how a face might map faults.
var statuses = map[fault.Code]int{fault.Invalid: 400, fault.Unauthorized: 401, fault.Forbidden: 403, fault.NotFound: 404, fault.TooLarge: 413}

func serve(t *testing.T, w *convtest.World) string {
	t.Helper()
	src := inbound.Source{Kind: "whatsapp", Receiver: whatsapp.New(nil, "", "", w.Clock), Accounts: w.Accounts, Conversations: w.Conversations}
	h, err := httpx.NewHandler(httpx.Options{}, httpx.Face{Name: "platform", Prefixes: []string{"/api/"}, Routes: inbound.Routes(src, path),
		WriteError: func(rw http.ResponseWriter, _ *httpx.Request, err error) {
			status := 500
			if f := fault.As(err); f != nil {
				status = statuses[f.Code]
			}
			httpx.WriteJSON(rw, status, map[string]string{"error": err.Error()})
		}})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(func() { http.DefaultClient.CloseIdleConnections(); s.Close() })
	return s.URL
}

func sign(body, secret string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(m.Sum(nil))
}

func post(t *testing.T, url, body, signature string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if signature != "" {
		req.Header.Set("X-Hub-Signature-256", signature)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// entry is one change of Meta's webhook with one text message.
func entry(account, wamid string) string {
	return fmt.Sprintf(`{"id":"77","changes":[{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550001","phone_number_id":%q},
		"contacts":[{"profile":{"name":"Asha"},"wa_id":"919876543210"}],
		"messages":[{"from":"919876543210","id":%q,"timestamp":"1772440000","type":"text","text":{"body":"hello"}}]}}]}`, account, wamid)
}

func hook(entries ...string) string {
	return `{"object":"whatsapp_business_account","entry":[` + strings.Join(entries, ",") + `]}`
}

func TestWebhook(t *testing.T) {
	c := clock.NewFake(convtest.Start)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w, stranger := convtest.New(t, db, c, outbox.Options{}), convtest.New(t, db, c, outbox.Options{})
		// The stranger's app has a secret of its own.
		if _, err := stranger.Accounts.Connect(context.Background(), stranger.Tenant, account.NewAccount{Kind: "whatsapp", ExternalID: stranger.Account.ExternalID,
			Secrets: map[string]string{"appSecret": "other", "verifyToken": "other-token"}}); err != nil {
			t.Fatal(err)
		}
		url := serve(t, w)
		mine, theirs := w.Account.ExternalID, stranger.Account.ExternalID
		stored := func() int { return w.Count(t, "message", "1=1") + stranger.Count(t, "message", "1=1") }
		for _, tc := range []struct {
			name, body, signature string
			status, stored        int
		}{
			{"without a signature", hook(entry(mine, "a")), "", 401, 0},
			{"wrong secret", hook(entry(mine, "a")), sign(hook(entry(mine, "a")), "nope"), 401, 0},
			{"signature of another body", hook(entry(mine, "a")), sign(hook(entry(mine, "b")), "s3cret"), 401, 0},
			{"one entry is another tenant's", hook(entry(mine, "a"), entry(theirs, "b")), sign(hook(entry(mine, "a"), entry(theirs, "b")), "s3cret"), 401, 0},
			{"unknown account", hook(entry("404404", "a")), sign(hook(entry("404404", "a")), "s3cret"), 404, 0},
			{"one entry is unknown", hook(entry(mine, "a"), entry("404404", "b")), sign(hook(entry(mine, "a"), entry("404404", "b")), "s3cret"), 404, 0},
			{"another object", `{"object":"page","entry":[]}`, sign(`{"object":"page","entry":[]}`, "s3cret"), 404, 0},
			{"no JSON", `hello`, sign(`hello`, "s3cret"), 400, 0},
			{"too long", `{"object":"` + strings.Repeat("x", inbound.MaxBody) + `"}`, "", 413, 0},
			{"no account in it", hook(), "", 200, 0},
			{"genuine", hook(entry(mine, "a")), sign(hook(entry(mine, "a")), "s3cret"), 200, 1},
			{"again", hook(entry(mine, "a")), sign(hook(entry(mine, "a")), "s3cret"), 200, 1},
		} {
			if got := post(t, url, tc.body, tc.signature); got != tc.status {
				t.Errorf("%s: status %d, want %d", tc.name, got, tc.status)
			}
			if n := stored(); n != tc.stored {
				t.Errorf("%s: %d messages stored, want %d", tc.name, n, tc.stored)
			}
		}
	}, storetest.Clock(c))
}

func TestHandshake(t *testing.T) {
	c := clock.NewFake(convtest.Start)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		url := serve(t, convtest.New(t, db, c, outbox.Options{})) + path
		for query, want := range map[string]int{
			"hub.mode=subscribe&hub.verify_token=verify-me&hub.challenge=12%3Cb%3E": 200,
			"hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=12":            403,
			"hub.mode=unsubscribe&hub.verify_token=verify-me&hub.challenge=12":      403,
			"hub.mode=subscribe&hub.challenge=12":                                   403,
			"":                                                                      403,
		} {
			resp, err := http.Get(url + "?" + query)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%q: status %d, want %d", query, resp.StatusCode, want)
			}
			plain := strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain")
			if want == 200 && (!bytes.Equal(body, []byte("12<b>")) || !plain) {
				t.Errorf("answer %q as %s", body, resp.Header.Get("Content-Type"))
			}
		}
	}, storetest.Clock(c))
}
