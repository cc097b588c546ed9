package sales_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley/internal/app/apptest"
	"parley/test/apitest"
)

// What an app sends to agents is heard at once by the account's sockets, and by no
// other account's.
func TestANotificationOfAnAppIsToldLive(t *testing.T) {
	apitest.Each(t, apitest.Options{Simulate: true}, func(t *testing.T, r *apitest.Rig) {
		acme, globex := r.NewTenant("Acme"), r.NewTenant("Globex")
		asha := acme.Agent("Asha", "Rao", acme.Root.ID)
		back := apptest.New(t, "cal", "s3cret")
		body := newApp(back)
		body["push"] = true
		admin := acme.Caller()
		aid := admin.Post("/admin/apps", body).OK().Str("id")
		admin.Post("/admin/app/"+aid+"/instances", nil).OK()
		key, _ := back.Key()

		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		listen := func(token string) *websocket.Conn {
			conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(r.URL, "http")+"/socket.io/?EIO=4&transport=websocket", nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.CloseNow() })
			if err := conn.Write(ctx, websocket.MessageText, []byte(`40{"apiKey":"`+token+`"}`)); err != nil {
				t.Fatal(err)
			}
			return conn
		}
		// heard reads up to a packet that begins so.
		heard := func(conn *websocket.Conn, prefix string) string {
			t.Helper()
			for {
				_, b, err := conn.Read(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(string(b), prefix) {
					return string(b)
				}
			}
		}
		ours, theirs := listen(acme.Platform().Token), listen(globex.Platform().Token)
		heard(ours, "40")
		heard(theirs, "40")
		sent := r.Call("POST", "/api/v1/apps/notifications", map[string]any{"type": "reminder", "target": map[string]any{"user": []string{asha.ID.String()}},
			"platforms": map[string]any{"desktop": map[string]any{"title": "Hi"}}}, "X-API-Key", key).OK()
		if sent.Str("finalTargets.0") != asha.ID.String() {
			t.Errorf("%s", sent.Body)
		}
		got := heard(ours, `42["agent_notification"`)
		for _, want := range []string{`"type":"reminder"`, `"agents":["` + asha.ID.String() + `"]`, `"desktop":{"title":"Hi"}`, `"app":"acme_calendar"`} {
			if !strings.Contains(got, want) {
				t.Errorf("%s lacks %s", got, want)
			}
		}
		// The feed is told in order: what the other account hears next is its own.
		globex.Caller().Post("/lead/retail", map[string]any{"utmSource": "web", "phones": []string{"+541155551234"}}).OK()
		if first := heard(theirs, "42"); strings.Contains(first, "agent_notification") {
			t.Errorf("another account heard %s", first)
		}
	})
}
